"""Computes the times at which syncs and deliveries run. A schedule is a cron expression in a time zone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.words.calendars import ZONE_RULE, find_zone
from tagloom.words.runs import Schedule

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


def check_schedule(schedule: Schedule, refused: Callable[..., Problem]) -> Schedule:
    """Checks that a schedule is valid and occurs at some time. Returns the schedule.

    `refused` is the class of the problem that is raised. The problem names the field.
    """
    if find_zone(schedule.zone) is None:
        raise refused(
            f"No time zone is called '{printable(schedule.zone)}'.",
            field="$.schedule.zone",
            value=printable(schedule.zone),
            rule=ZONE_RULE,
        )
    try:
        next(CronSim(_fields(schedule), datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise refused(
            f"'{printable(schedule.cron)}' is not a cron expression: {error}.",
            field="$.schedule.cron",
            value=printable(schedule.cron),
            rule="minute, hour, day of the month, month, day of the week, such as 0 6 * * 1-5, or "
            f"{', '.join(NICKNAMES)}",
        ) from error
    except StopIteration as error:
        raise refused(
            f"'{printable(schedule.cron)}' never occurs.", field="$.schedule.cron", value=printable(schedule.cron)
        ) from error
    return schedule


def next_after(schedule: Schedule, seconds: float) -> float:
    """Returns the first time of the schedule after `seconds`. Both are in Unix seconds.

    If the clock skips a time in spring, the run begins directly after the skipped hour. If a time occurs twice in
    autumn, there is one run. Debian's cron does the same.

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
    return ZoneInfo(name)
