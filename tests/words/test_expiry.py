"""When things end: spans, times, and rounding that is never early."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.words import limits
from tagloom.words.expiry import (
    DAY,
    HOUR,
    MINUTE,
    ExpiryInvalid,
    ExpiryPast,
    expiry_moment,
    expiry_of,
    moment_after,
    moment_now,
    parse_expires_at,
    parse_ttl,
    span_seconds,
    span_text,
)

NOW = datetime(2026, 3, 1, 9, 0, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1_800), ("12h", 43_200), ("14d", 14 * DAY), ("8w", 56 * DAY)])
def test_a_ttl_is_a_number_and_its_unit(text: str, seconds: int) -> None:
    assert parse_ttl(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0m", "5", "1.5h", "-1d", "1Y", "11y", "14 d", "14D", "4000d", "٣d", "99999999999d"]
)
def test_what_is_no_ttl_is_refused(text: str) -> None:
    with pytest.raises(ExpiryInvalid, match="not a ttl"):
        parse_ttl(text)


@given(st.integers(1, limits.TTL_DAYS_MAX * DAY // MINUTE).map(lambda minutes: minutes * MINUTE))
def test_a_span_reads_as_it_is_written(seconds: int) -> None:
    assert span_seconds(span_text(seconds)) == seconds


@given(st.integers(MINUTE, limits.TTL_DAYS_MAX * DAY), st.floats(0, 4e9))
def test_a_ttl_ends_never_early_and_late_by_a_hundredth_or_a_step(seconds: int, now: float) -> None:
    late = moment_after(seconds, now) * MINUTE - now - seconds

    # The steps lie at most six times apart; a day is the largest.
    assert -1e-6 <= late <= max(MINUTE, min(6 * seconds / 100, DAY)) + 1e-6


@pytest.mark.parametrize(
    ("seconds", "step"),
    [
        (HOUR, MINUTE),
        (100 * MINUTE, MINUTE),
        (8 * HOUR, 5 * MINUTE),
        (DAY, 15 * MINUTE),
        (4 * DAY, HOUR),
        (14 * DAY, 6 * HOUR),
        (30 * DAY, DAY),
        (3_650 * DAY, DAY),
    ],
)
def test_the_end_of_a_ttl_is_rounded_up_to_its_step(seconds: int, step: int) -> None:
    end = moment_after(seconds, NOW) * MINUTE

    assert end % step == 0
    assert NOW + seconds <= end < NOW + seconds + step


def test_a_time_is_rounded_up_to_the_minute_within_a_day_and_to_the_quarter_beyond() -> None:
    near = parse_expires_at("2026-03-01T10:00:01Z", NOW)
    far = parse_expires_at("2026-03-03T10:00:01+01:00", NOW)

    assert datetime.fromtimestamp(near * MINUTE, UTC) == datetime(2026, 3, 1, 10, 1, tzinfo=UTC)
    assert datetime.fromtimestamp(far * MINUTE, UTC) == datetime(2026, 3, 3, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-03-01T09:00:30Z", "1999-01-01T00:00:00Z"])
def test_what_is_past_is_refused(text: str) -> None:
    with pytest.raises(ExpiryPast):
        parse_expires_at(text, NOW)


@pytest.mark.parametrize(
    "text", ["tomorrow", "2027-03-01T10:00:00", "2037-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"]
)
def test_what_is_no_time_with_a_zone_within_ten_years_is_refused(text: str) -> None:
    with pytest.raises(ExpiryInvalid):
        parse_expires_at(text, NOW)


def test_a_write_says_a_time_or_a_ttl() -> None:
    assert expiry_of(None, None, NOW) == 0
    assert expiry_of(None, "5m", NOW) == -300
    assert expiry_of("2026-03-01T10:00:00Z", None, NOW) == moment_now(NOW) + 60
    with pytest.raises(ExpiryInvalid, match="not both"):
        expiry_of("2026-03-01T10:00:00Z", "5m", NOW)


def test_what_a_write_says_counts_before_what_the_tag_says() -> None:
    assert expiry_moment(0, 0, NOW) == 0
    assert expiry_moment(0, HOUR, NOW) == moment_after(HOUR, NOW)
    assert expiry_moment(-60, HOUR, NOW) == moment_after(60, NOW)
    assert expiry_moment(7, HOUR, NOW) == 7
