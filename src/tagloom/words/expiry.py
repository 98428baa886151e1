"""Parses, rounds and formats the expiry of taggings.

A `Moment` is a minute, counted from 1970 in UTC; 0 is no moment. An `Expiry` is the expiry that a write names, as one
number: a moment, or a ttl in seconds as a negative number, or 0 for none.
"""

import math
import re
from typing import TypeAlias

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.base.times import rfc3339, seconds_of, utc_of
from tagloom.words import limits

Moment: TypeAlias = int
Expiry: TypeAlias = int

MINUTE, HOUR, DAY, WEEK, YEAR = 60, 3_600, 86_400, 604_800, 31_536_000
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "y": YEAR}
SPAN_PATTERN = "^(?=0*[1-9])[0-9]{1,9}[mhdwy]$"
_SPAN = re.compile(r"([0-9]{1,9})([mhdwy])")
_STEPS = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY)  # The expiry of a ttl is rounded up to one of these.
_FAR_STEP = 15 * MINUTE  # A time more than a day ahead is rounded up to this.


class ExpiryInvalid(Problem):
    """The expiry of a tagging or a tag is not valid."""

    status = 422


class ExpiryPast(ExpiryInvalid):
    """The expiry of a tagging or a tag is not later than now."""


def span_seconds(text: str) -> int | None:
    """Returns the seconds of a span such as `30m`, `12h`, `14d` or `8w`, or None if the text is no span.

    >>> span_seconds("14d")
    1209600
    """
    found = _SPAN.fullmatch(text)
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def span_text(seconds: int) -> str:
    """Returns a span in its largest whole unit, and the empty text for 0 seconds.

    >>> span_text(1209600), span_text(5400), span_text(0)
    ('2w', '90m', '')
    """
    unit = next((unit for unit in reversed(_UNITS) if seconds % _UNITS[unit] == 0), "m")
    return f"{seconds // _UNITS[unit]}{unit}" if seconds else ""


def parse_ttl(text: str) -> int:
    """Returns the seconds of a ttl.

    Raises: ExpiryInvalid: the text is not a span, or the span is shorter than a minute or longer than TTL_DAYS_MAX.
    """
    seconds = span_seconds(text)
    if seconds is None or not MINUTE <= seconds <= limits.TTL_DAYS_MAX * DAY:
        raise ExpiryInvalid(
            f"'{printable(text)}' is not a ttl such as 30m, 12h, 14d or 8w, of {limits.TTL_DAYS_MAX} days at most.",
            value=printable(text),
        )
    return seconds


def parse_expires_at(text: str, now: float) -> Moment:
    """Returns the moment of an RFC 3339 time after `now` (Unix seconds), rounded up.

    A time within a day is rounded to a minute, and a later time to a quarter of an hour.

    Raises: ExpiryInvalid: the text is not a time with a zone, or the time is too far ahead; ExpiryPast.
    """
    seconds = parse_time(text, now, ExpiryInvalid)
    if seconds <= now:
        raise ExpiryPast(f"'{printable(text)}' is not later than now.", value=printable(text))
    return rounded_moment(seconds, now)


def parse_time(text: str, now: float, invalid: type[Problem]) -> float:
    """Returns the Unix seconds of an RFC 3339 time.

    Raises: `invalid`: the text is not a time with a zone, or the time is more than TTL_DAYS_MAX days after `now`.
    """
    try:
        seconds = utc_of(text).timestamp()
    except (ValueError, OverflowError) as error:
        raise invalid(
            f"'{printable(text)}' is not a time such as 2026-03-01T09:00:00Z.", value=printable(text)
        ) from error
    if seconds - now > limits.TTL_DAYS_MAX * DAY:
        raise invalid(f"'{printable(text)}' is more than {limits.TTL_DAYS_MAX} days ahead.", value=printable(text))
    return seconds


def rounded_moment(seconds: float, now: float) -> Moment:
    """Returns the moment of a later time, rounded up: to a minute within a day, else to a quarter of an hour."""
    return _rounded_up(seconds, MINUTE if seconds - now <= DAY else _FAR_STEP)


def expiry_of(expires_at: str | None, ttl: str | None, now: float) -> Expiry:
    """Returns the expiry for a time, for a ttl, or for neither.

    Raises: ExpiryInvalid: one of them is invalid, or both are given; ExpiryPast.
    """
    if expires_at is not None and ttl is not None:
        raise ExpiryInvalid("A tagging has an expires_at or a ttl, not both.")
    if expires_at is not None:
        return parse_expires_at(expires_at, now)
    return 0 if ttl is None else -parse_ttl(ttl)


def expiry_of_texts(expires_at: str, ttl: str) -> Expiry:
    """Returns the expiry for the texts that `expiry_texts` returned. Its moment may have passed since then."""
    if expires_at:
        return int(seconds_of(expires_at)) // MINUTE
    return -parse_ttl(ttl) if ttl else 0


def expiry_texts(expires_at: str | None, ttl: str | None, now: float) -> tuple[str, str]:
    """Returns the texts of `expires_at` and `ttl` to store: a rounded time, or a ttl, or two empty texts.

    Raises: ExpiryInvalid, ExpiryPast.
    """
    expiry = expiry_of(expires_at, ttl, now)
    return (moment_text(expiry) if expiry > 0 else "", ttl or "")


def moment_after(ttl_seconds: int, now: float) -> Moment:
    """Returns the moment `ttl_seconds` after `now`, rounded up.

    The moment is rounded to a step of at least 1 % of the ttl, but at most a day.
    """
    step = next((step for step in _STEPS if step * 100 >= ttl_seconds), _STEPS[-1])
    return _rounded_up(now + ttl_seconds, step)


def expiry_moment(expiry: Expiry, ttl_seconds: int, now: float) -> Moment:
    """Returns the moment at which a tagging that is added now expires, or 0 if it never expires.

    The expiry of the tagging has precedence over `ttl_seconds`, the ttl of its tag.
    """
    if expiry > 0:
        return expiry
    ttl = -expiry or ttl_seconds
    return moment_after(ttl, now) if ttl else 0


def moment_now(now: float) -> Moment:
    """Returns the current minute. A tagging with this moment or an earlier moment has expired."""
    return int(now // MINUTE)


def moment_text(moment: Moment) -> str:
    """Returns a moment as RFC 3339 UTC, which is its form in the API.

    >>> moment_text(1)
    '1970-01-01T00:01:00Z'
    """
    return rfc3339(moment * MINUTE)


def _rounded_up(seconds: float, step: int) -> Moment:
    return math.ceil(seconds / step) * step // MINUTE
