"""When a sync runs by itself: a cron expression in a time zone."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from tagloom import problems
from tagloom.syncs import Schedule
from tagloom.tags import printable


def check_schedule(schedule: Schedule) -> Schedule:
    """The schedule itself, when it has a next time.

    Raises: SyncInvalid, with the field and the rule.
    """
    _zone(schedule.zone)
    try:
        next(CronSim(schedule.cron, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise problems.SyncInvalid(
            f"'{printable(schedule.cron)}' is no cron expression: {error}.",
            field="$.schedule.cron",
            value=printable(schedule.cron),
            rule="minute, hour, day of the month, month, day of the week, such as 0 6 * * 1-5",
        ) from error
    except StopIteration as error:
        raise problems.SyncInvalid(
            f"'{printable(schedule.cron)}' never comes.", field="$.schedule.cron", value=printable(schedule.cron)
        ) from error
    return schedule


def next_after(schedule: Schedule, seconds: float) -> float:
    """The first moment of the schedule behind another, both in Unix seconds.

    Where clocks go forward a skipped time comes at once, and where they go back a time comes once, as in Debian's cron.

    >>> next_after(Schedule(cron="30 6 * * *", zone="Europe/Berlin"), 1_764_028_800)
    1764048600.0
    """
    start = datetime.fromtimestamp(seconds, _zone(schedule.zone))
    return next(CronSim(schedule.cron, start)).timestamp()


def in_words(schedule: Schedule) -> str:
    """When a schedule comes, in words.

    >>> in_words(Schedule(cron="30 6 * * 1-5"))
    'At 06:30 on Monday through Friday'
    """
    return str(CronSim(schedule.cron, datetime(2024, 1, 1, tzinfo=UTC)).explain())


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise problems.SyncInvalid(
            f"No time zone is called '{printable(name)}'.",
            field="$.schedule.zone",
            value=printable(name),
            rule="a name of the IANA time zone database, such as Europe/Berlin",
        ) from error
