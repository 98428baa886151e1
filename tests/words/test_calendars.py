"""The days of time zones, against a walk through the local dates of all moments."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.words.calendars import Calendar, find_zone
from tagloom.words.events import DAY_MS
from tests.time_zones import ZONES

pytestmark = pytest.mark.hypothesis
HOUR_MS = 3_600_000
DAYS = st.integers(1, 47_000)


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def local_date(moment: int, zone: str) -> int:
    return day(str(datetime.fromtimestamp(moment / 1_000, UTC).astimezone(ZoneInfo(zone)).date()))


@given(zone=ZONES, near=DAYS, offset=st.integers(-DAY_MS, DAY_MS))
def test_a_day_is_the_latest_local_date_that_the_zone_has_had(zone: str, near: int, offset: int) -> None:
    moment = near * DAY_MS + offset
    minutes = range(moment // 60_000 * 60_000, moment - 4 * HOUR_MS, -60_000)
    expected = max(local_date(each, zone) for each in (moment, *minutes))

    assert Calendar(zone).day_of(moment) == expected


@given(zone=ZONES, found=DAYS)
def test_a_day_begins_with_the_first_moment_of_its_date_or_a_later_one(zone: str, found: int) -> None:
    begin = Calendar(zone).begin_of(found)

    assert local_date(begin, zone) >= found
    assert local_date(begin - 1, zone) < found


@given(zone=ZONES, found=DAYS)
def test_days_follow_each_other_without_gaps(zone: str, found: int) -> None:
    calendar = Calendar(zone)
    begin, end = calendar.begin_of(found), calendar.begin_of(found + 1)

    assert begin <= end
    if begin < end:
        assert calendar.day_of(begin) == calendar.day_of(end - 1) == found


@pytest.mark.parametrize(
    ("zone", "text", "begin", "hours"),
    [
        ("UTC", "2026-03-29", "2026-03-29T00:00:00+00:00", 24),
        ("Europe/Berlin", "2026-03-29", "2026-03-29T00:00:00+01:00", 23),
        ("Europe/Berlin", "2026-10-25", "2026-10-25T00:00:00+02:00", 25),
        ("Asia/Kathmandu", "2026-03-29", "2026-03-29T00:00:00+05:45", 24),
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-05T00:00:00+11:00", 24.5),
        # Midnight does not exist: the day begins at 01:00.
        ("America/Santiago", "2026-09-06", "2026-09-06T01:00:00-03:00", 23),
        ("Africa/Cairo", "2026-04-24", "2026-04-24T01:00:00+03:00", 23),
        # The clock is set back at midnight: the day before has 25 hours.
        ("America/Santiago", "2026-04-04", "2026-04-04T00:00:00-03:00", 25),
        # The clock was set back at one minute past midnight: the day had begun already.
        ("America/St_Johns", "2010-11-07", "2010-11-07T00:00:00-02:30", 25),
        # The island left out a date.
        ("Pacific/Apia", "2011-12-29", "2011-12-29T00:00:00-10:00", 24),
        ("Pacific/Apia", "2011-12-30", "2011-12-31T00:00:00+14:00", 0),
        ("Pacific/Apia", "2011-12-31", "2011-12-31T00:00:00+14:00", 24),
    ],
)
def test_a_day_has_its_hours(zone: str, text: str, begin: str, hours: float) -> None:
    calendar = Calendar(zone)

    assert calendar.begin_of(day(text)) == at(begin)
    assert calendar.begin_of(day(text) + 1) == at(begin) + hours * HOUR_MS


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../zone", "/etc/localtime", "Europe", "a\0b"])
def test_no_zone_has_another_name(name: str) -> None:
    assert find_zone(name) is None
