"""Parses and resolves the period of a tagging: when it starts, and when it expires.

A write names a `Period`. A `Term` is what the store has of it: two moments.
"""

import math
from typing import NamedTuple

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.base.times import seconds_of
from tagloom.words.expiry import (
    MINUTE,
    Expiry,
    Moment,
    expiry_moment,
    expiry_of,
    expiry_of_texts,
    expiry_texts,
    moment_now,
    moment_text,
    parse_time,
    rounded_moment,
)


class StartInvalid(Problem):
    """The start of a tagging is not valid."""

    status = 422


class Period(NamedTuple):
    """The period of a tagging, as a write names it. `start` is 0 if the write names no start."""

    start: Moment = 0
    expiry: Expiry = 0


NO_PERIOD = Period()


class Term(NamedTuple):
    """When a tagging starts and when it expires. A `start` of 0 means at once, and an `expires` of 0 means never."""

    start: Moment = 0
    expires: Moment = 0


ALWAYS = Term()
"""The term of a tagging that starts now and does not expire."""


def parse_starts_at(text: str, now: float) -> Moment:
    """Returns the moment of an RFC 3339 time, rounded up as `parse_expires_at` does.

    For a time that has passed, this is the current minute. `now` is in Unix seconds. Raises: StartInvalid: the text is
    not a time with a zone, or the time is too far ahead.
    """
    seconds = parse_time(text, now, StartInvalid)
    return moment_now(now) if seconds <= now else rounded_moment(seconds, now)


def period_of(
    starts_at: str | None, expires_at: str | None, ttl: str | None, *, now: float, otherwise: Period = NO_PERIOD
) -> Period:
    """Returns the period for these texts, of which each may be missing. `otherwise` is the period of the whole body.

    Raises: StartInvalid: the start is invalid, or the tagging expires before it starts; ExpiryInvalid, ExpiryPast.
    """
    period = Period(
        0 if starts_at is None else parse_starts_at(starts_at, now),
        0 if expires_at is None and ttl is None else expiry_of(expires_at, ttl, now),
    )
    start, expiry = _filled(period, otherwise)
    if start > moment_now(now) and 0 < expiry <= start:
        value = printable(expires_at or starts_at or "")
        raise StartInvalid("A tagging must expire later than it starts.", value=value)
    return period


class PeriodTexts(NamedTuple):
    """A period as texts to store: two rounded times and a ttl, each empty for none."""

    starts_at: str = ""
    expires_at: str = ""
    ttl: str = ""


def period_texts(starts_at: str | None, expires_at: str | None, ttl: str | None, now: float) -> PeriodTexts:
    """Returns the texts of a period to store. Raises: StartInvalid, ExpiryInvalid, ExpiryPast."""
    start, _ = period_of(starts_at, expires_at, ttl, now=now)
    return PeriodTexts(moment_text(start) if start else "", *expiry_texts(expires_at, ttl, now))


def period_of_texts(texts: PeriodTexts) -> Period:
    """Returns the period of stored texts. Its moments may have passed since then."""
    start = int(seconds_of(texts.starts_at)) // MINUTE if texts.starts_at else 0
    return Period(start, expiry_of_texts(texts.expires_at, texts.ttl))


def _filled(period: Period, otherwise: Period) -> Period:
    return Period(period.start or otherwise.start, period.expiry or otherwise.expiry)


def term_of(period: Period, otherwise: Period, ttl_seconds: int, now: float) -> Term:
    """Returns the term of a tagging that is added now. A start that is not later than now means now.

    The period of the tagging has precedence over `otherwise`, that of the batch, and over `ttl_seconds`, the ttl of
    its tag. A ttl counts from a later start, which is a minute already, so it is not rounded to a step.
    """
    start, expiry = _filled(period, otherwise)
    if start <= moment_now(now):
        return Term(0, expiry_moment(expiry, ttl_seconds, now))
    ttl = max(-expiry, 0) or ttl_seconds
    return Term(start, expiry if expiry > 0 else start + math.ceil(ttl / MINUTE) if ttl else 0)


def is_due(term: Term, moment: Moment) -> bool:
    """Returns whether a scheduled tagging starts at or before a moment, or would have expired by then."""
    return term.start <= moment or is_over(term, moment)


def is_over(term: Term, moment: Moment) -> bool:
    """Returns whether a tagging has expired at a moment."""
    return 0 < term.expires <= moment


def start_order(term: Term) -> tuple[Moment, bool, Moment]:
    """Returns a key that sorts scheduled taggings: the earlier start comes first, and then the later expiry."""
    return term.start, bool(term.expires), -term.expires
