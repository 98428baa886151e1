"""Computes the times at which a sync runs. A schedule is a cron expression in a time zone."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from tagloom.base.text import printable
from tagloom.syncs.problems import SyncInvalid
from tagloom.words.calendars import find_zone
from tagloom.words.syncs import Schedule

# The names that cron accepts instead of the five fields.
NICKNAMES: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def check_schedule(schedule: Schedule) -> Schedule:
    """Checks that a schedule is valid and occurs at some time. Returns the schedule.

    Raises: SyncInvalid, which names the field.
    """
    _zone(schedule.zone)
    try:
        next(CronSim(_fields(schedule), datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise SyncInvalid(
            f"'{printable(schedule.cron)}' is not a cron expression: {error}.",
            field="$.schedule.cron",
            value=printable(schedule.cron),
            rule="minute, hour, day of the month, month, day of the week, such as 0 6 * * 1-5, or "
            f"{', '.join(NICKNAMES)}",
        ) from error
    except StopIteration as error:
        raise SyncInvalid(
            f"'{printable(schedule.cron)}' never occurs.", field="$.schedule.cron", value=printable(schedule.cron)
        ) from error
    return schedule


def next_after(schedule: Schedule, seconds: float) -> float:
    """Returns the first time of the schedule after `seconds`. Both are in Unix seconds.

    If the clock skips a time in spring, the sync runs directly after the skipped hour. If a time occurs twice in
    autumn, the sync runs once. Debian's cron does the same.

    >>> next_after(Schedule(cron="30 6 * * *", zone="Europe/Berlin"), 1_764_028_800)
    1764048600.0
    """
    start = datetime.fromtimestamp(seconds, _zone(schedule.zone))
    return next(CronSim(_fields(schedule), start)).timestamp()


def in_words(schedule: Schedule) -> str:
    """Returns a description of a schedule in English.

    >>> in_words(Schedule(cron="30 6 * * 1-5"))
    'At 06:30 on Monday through Friday'
    """
    return str(CronSim(_fields(schedule), datetime(2024, 1, 1, tzinfo=UTC)).explain())


def _fields(schedule: Schedule) -> str:
    """Returns the five fields of an expression, which may be a nickname such as `@daily`."""
    return NICKNAMES.get(schedule.cron.strip().lower(), schedule.cron)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    zone = find_zone(name)
    if zone is None:
        raise SyncInvalid(
            f"No time zone is called '{printable(name)}'.",
            field="$.schedule.zone",
            value=printable(name),
            rule="a name of the IANA time zone database, such as Europe/Berlin",
        )
    return zone
