"""When taggings end: how that is said, how it is rounded, and what is wrong with it.

A moment is a minute, counted from 1970 in UTC; 0 is no moment. What a write says of the end of its taggings is one
number (`Said`): a moment, or the seconds that they are to last as a negative number, or 0 for nothing.
"""

import math
import re
from typing import TypeAlias

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.base.times import rfc3339, seconds_of, utc_of
from tagloom.words import limits

Moment: TypeAlias = int
Said: TypeAlias = int

MINUTE, HOUR, DAY, WEEK, YEAR = 60, 3_600, 86_400, 604_800, 31_536_000
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "y": YEAR}
SPAN_PATTERN = "^(?=0*[1-9])[0-9]{1,9}[mhdwy]$"
_SPAN = re.compile(r"([0-9]{1,9})([mhdwy])")
_STEPS = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY)  # To what the end of a ttl is rounded up.
_FAR_STEP = 15 * MINUTE  # To what a time more than a day ahead is rounded up.


class ExpiryInvalid(Problem):
    """This does not say when a tagging or a tag ends."""

    status = 422


class ExpiryPast(ExpiryInvalid):
    """A tagging or a tag cannot end in the past."""


def span_seconds(text: str) -> int | None:
    """The seconds of a span such as `30m`, `12h`, `14d` or `8w`; None when it is none.

    >>> span_seconds("14d")
    1209600
    """
    found = _SPAN.fullmatch(text)
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def span_text(seconds: int) -> str:
    """A span in its largest whole unit; nothing for none.

    >>> span_text(1209600), span_text(5400), span_text(0)
    ('2w', '90m', '')
    """
    unit = next((unit for unit in reversed(_UNITS) if seconds % _UNITS[unit] == 0), "m")
    return f"{seconds // _UNITS[unit]}{unit}" if seconds else ""


def parse_ttl(text: str) -> int:
    """The seconds that a ttl says.

    Raises: ExpiryInvalid: it is no span, or none from a minute to TTL_DAYS_MAX.
    """
    seconds = span_seconds(text)
    if seconds is None or not MINUTE <= seconds <= limits.TTL_DAYS_MAX * DAY:
        raise ExpiryInvalid(
            f"'{printable(text)}' is no ttl such as 30m, 12h, 14d or 8w, of {limits.TTL_DAYS_MAX} days at most.",
            value=printable(text),
        )
    return seconds


def parse_expires_at(text: str, now: float) -> Moment:
    """The moment of an RFC 3339 time that lies ahead of `now` (Unix seconds), rounded up.

    Within a day it is rounded to the minute, beyond to the quarter of an hour.
    Raises: ExpiryInvalid: it is no time with a zone, or too far ahead; ExpiryPast.
    """
    try:
        seconds = utc_of(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise ExpiryInvalid(
            f"'{printable(text)}' is no time such as 2026-03-01T09:00:00Z.", value=printable(text)
        ) from error
    if seconds <= now:
        raise ExpiryPast(f"'{printable(text)}' is past.", value=printable(text))
    if seconds - now > limits.TTL_DAYS_MAX * DAY:
        raise ExpiryInvalid(
            f"'{printable(text)}' lies more than {limits.TTL_DAYS_MAX} days ahead.", value=printable(text)
        )
    return _rounded_up(seconds, MINUTE if seconds - now <= DAY else _FAR_STEP)


def expiry_of(expires_at: str | None, ttl: str | None, now: float) -> Said:
    """What a write says that names a time, or a ttl, or neither. Raises: ExpiryInvalid: also for both; ExpiryPast."""
    if expires_at is not None and ttl is not None:
        raise ExpiryInvalid("A tagging ends at a time (expires_at) or after one (ttl), not both.")
    if expires_at is not None:
        return parse_expires_at(expires_at, now)
    return 0 if ttl is None else -parse_ttl(ttl)


def stored_said(expires_at: str, ttl: str) -> Said:
    """What was said when it was kept, past by now or not: a moment as it was rounded, a ttl, or nothing."""
    if expires_at:
        return int(seconds_of(expires_at)) // MINUTE
    return -parse_ttl(ttl) if ttl else 0


def kept_said(expires_at: str | None, ttl: str | None, now: float) -> tuple[str, str]:
    """What a write says, as it is kept for later: a rounded time, or a ttl. Raises: ExpiryInvalid, ExpiryPast."""
    said = expiry_of(expires_at, ttl, now)
    return (moment_text(said) if said > 0 else "", ttl or "")


def moment_after(ttl_seconds: int, now: float) -> Moment:
    """When what is given now for so long ends: rounded up to a step of at least a hundredth of it, a day at most."""
    step = next((step for step in _STEPS if step * 100 >= ttl_seconds), _STEPS[-1])
    return _rounded_up(now + ttl_seconds, step)


def end_of(said: Said, ttl_seconds: int, now: float) -> Moment:
    """When a tagging given now ends, by what was said, else by its tag's ttl; 0 for never."""
    if said > 0:
        return said
    ttl = -said or ttl_seconds
    return moment_after(ttl, now) if ttl else 0


def moment_now(now: float) -> Moment:
    """The last moment that has come: what ends then or before has ended."""
    return int(now // MINUTE)


def moment_text(moment: Moment) -> str:
    """A moment as the API writes it.

    >>> moment_text(1)
    '1970-01-01T00:01:00Z'
    """
    return rfc3339(moment * MINUTE)


def _rounded_up(seconds: float, step: int) -> Moment:
    return math.ceil(seconds / step) * step // MINUTE
