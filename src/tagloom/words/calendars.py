"""The days of a time zone. Days of 23 and 25 hours, and dates that a zone skipped, are days as well."""

from bisect import bisect_left
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tagloom.base.times import milliseconds_at, text_of_milliseconds
from tagloom.words.events import DAY_MS

UTC_NAME = "UTC"
ZONE_RULE = "a name of the IANA time zone database, such as Europe/Berlin"
_DAY_0 = date(1970, 1, 1).toordinal()


class Calendar(NamedTuple):
    """The days of a time zone of the IANA database. A day is a local date, in days since 1970-01-01.

    A day begins with the first moment of its date, or of a later one. It ends when the next day begins. So every time
    is on one day, and later times are never on earlier days:

    - If the clock skips midnight, the day begins with the first moment after it.
    - If the clock is set back over midnight, the day has begun already, and goes on.
    - A date that the zone skipped begins and ends at the same time, so no time is on this day.
    """

    zone: str = UTC_NAME

    def begin_of(self, day: int) -> int:
        """Returns when a day begins, in milliseconds since 1970.

        >>> Calendar("Africa/Cairo").begin_of(20_000), Calendar().begin_of(20_000)
        (1727989200000, 1728000000000)
        """
        return day * DAY_MS if self.zone == UTC_NAME else _begin_of(self.zone, day)

    def day_of(self, at: int) -> int:
        """Returns the day of a time in milliseconds since 1970, from the year 2 to the year 9998.

        >>> Calendar("Asia/Kolkata").day_of(1_728_000_000_000 - 1)
        20000
        """
        if self.zone == UTC_NAME:
            return at // DAY_MS
        day = _local(at, _zone_called(self.zone)).toordinal() - _DAY_0
        # After the clock was set back over midnight, the date is that of the day before.
        return day + 1 if at >= self.begin_of(day + 1) else day


UTC_DAYS = Calendar()


def day_ends(seconds: float, days: int, calendar: Calendar) -> tuple[str, ...]:
    """Returns when the last `days` days ended at or before a time, ascending, as RFC 3339 with milliseconds.

    A date that the zone skipped has no end of its own, so then there is one time less.

    >>> day_ends(86_400 * 2 + 1, 2, Calendar("Asia/Kolkata"))
    ('1970-01-01T18:30:00.000Z', '1970-01-02T18:30:00.000Z')
    """
    today = calendar.day_of(int(seconds * 1_000))
    ends = [calendar.begin_of(today - back) for back in reversed(range(days))]
    return tuple(text_of_milliseconds(each) for each in dict.fromkeys(ends))


def find_zone(name: str) -> ZoneInfo | None:
    """Returns the time zone of a name of the IANA database, such as Europe/Berlin; None for another text."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=65_536)
def _begin_of(name: str, day: int) -> int:
    zone = _zone_called(name)
    midnight = datetime.combine(date.fromordinal(_DAY_0 + day), time(), zone)
    found = milliseconds_at(midnight)
    if _local(found, zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return found
    # The clock skips midnight. It is set forward at one moment between the two meanings of this midnight.
    before = milliseconds_at(midnight.replace(fold=1))
    return before + bisect_left(range(before, found), True, key=lambda at: _local(at, zone).toordinal() - _DAY_0 >= day)


@lru_cache(maxsize=1_024)
def _zone_called(name: str) -> ZoneInfo:
    found = find_zone(name)
    assert found is not None, "the name was checked"
    return found


def _local(at: int, zone: ZoneInfo) -> datetime:
    seconds, milliseconds = divmod(at, 1_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1_000).astimezone(zone)
