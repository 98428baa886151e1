"""Time zones for generated tests: all of them, and often those with unusual days."""

from zoneinfo import available_timezones

from hypothesis import strategies as st

NOTABLE = (
    "Africa/Cairo",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "UTC",
)
ZONES = st.one_of(st.sampled_from(NOTABLE), st.sampled_from(sorted(available_timezones() - {"localtime"})))
