"""When a sync runs next: cron in a time zone, through the days on which clocks change."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tagloom.jobs.schedules import check_schedule, in_words, next_after
from tagloom.syncs.problems import SyncInvalid
from tagloom.words.runs import Schedule

BERLIN = ZoneInfo("Europe/Berlin")


def following(cron: str, *moment: int) -> str:
    """The next time in Berlin behind a moment there."""
    start = datetime(*moment, tzinfo=BERLIN).timestamp()  # type: ignore[misc, arg-type]  # Year, month, day, hour, minute.
    return f"{datetime.fromtimestamp(next_after(Schedule(cron=cron, zone='Europe/Berlin'), start), BERLIN):%d %H:%M}"


@pytest.mark.parametrize(
    ("cron", "moment", "comes"),
    [
        ("*/15 * * * *", (2026, 3, 1, 9, 0), "01 09:15"),
        ("0 6 * * 1-5", (2026, 2, 27, 6, 0), "02 06:00"),
        # 2:30 does not exist on 29 March 2026, and exists twice on 25 October.
        ("30 2 * * *", (2026, 3, 28, 12, 0), "29 03:00"),
        ("30 2 * * *", (2026, 10, 24, 12, 0), "25 02:30"),
        ("@hourly", (2026, 3, 1, 9, 5), "01 10:00"),
        ("@daily", (2026, 3, 1, 9, 0), "02 00:00"),
        ("@midnight", (2026, 3, 1, 9, 0), "02 00:00"),
        ("@Weekly ", (2026, 3, 3, 9, 0), "08 00:00"),
        ("@monthly", (2026, 3, 3, 9, 0), "01 00:00"),
        ("@yearly", (2026, 3, 3, 9, 0), "01 00:00"),
        ("@annually", (2026, 3, 3, 9, 0), "01 00:00"),
    ],
)
def test_the_next_time_is_that_of_the_clock_on_the_wall(cron: str, moment: tuple[int, ...], comes: str) -> None:
    check_schedule(Schedule(cron=cron), SyncInvalid)
    assert following(cron, *moment) == comes
    assert in_words(Schedule(cron=cron))


def test_a_time_that_comes_twice_runs_once() -> None:
    schedule = Schedule(cron="30 2 * * *", zone="Europe/Berlin")
    first = next_after(schedule, datetime(2026, 10, 24, 12, 0, tzinfo=BERLIN).timestamp())

    assert datetime.fromtimestamp(next_after(schedule, first), BERLIN).day == 26


@pytest.mark.parametrize("cron", ["", "every day", "61 * * * *", "* * * *", "0 0 31 2 *", "@reboot"])
def test_what_is_no_schedule_is_refused(cron: str) -> None:
    with pytest.raises(SyncInvalid) as caught:
        check_schedule(Schedule(cron=cron), SyncInvalid)
    assert caught.value.members["field"] == "$.schedule.cron"


@pytest.mark.parametrize("zone", ["", "Berlin", "../etc/passwd", "Europe/\x00"])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(SyncInvalid) as caught:
        check_schedule(Schedule(cron="0 6 * * *", zone=zone), SyncInvalid)
    assert caught.value.members["field"] == "$.schedule.zone"
