"""Codes of links: the user, whether the link is proven, and its day, as the bits of one number.

A link is stored like a value of an attribute, as a bitmap of people per bit of the code (see
`engine.attributes.codes`). So the log, undo, time travel, followers and compaction know links as they know values.

| bits | content |
|---|---|
| 0 to 31 | the ordinal of the user |
| 32 | 1 if the link is proven |
| 33 | 1 if a teammate must decide about the tags and attributes of the person |
| from 34 on | the day (UTC) of the link, in days since 2020-01-01 |
"""

from typing import Final

from tagloom.base.times import text_of_milliseconds
from tagloom.words.events import DAY_MS

_PROVEN: Final = 1 << 32
OPEN_BIT: Final = 33
_OPEN: Final = 1 << OPEN_BIT
_DAY_BIT: Final = 34
_FIRST_DAY: Final = 18_262  # 2020-01-01, in days since 1970. Smaller numbers have fewer bits, so fewer bitmaps.
USER_BITS: Final = 0xFFFFFFFF


def link_code(user: int, day: int, *, is_proven: bool) -> int:
    """Returns the code of a link. `day` is in days since 1970.

    >>> code = link_code(7, 20_787, is_proven=True)
    >>> user_of(code), is_proven_link(code), date_of(code)
    (7, True, '2026-11-30')
    """
    return max(0, day - _FIRST_DAY) << _DAY_BIT | (_PROVEN if is_proven else 0) | user


def with_user(code: int, user: int) -> int:
    """Returns the code of the same link to another user."""
    return code & ~USER_BITS | user


def opened(code: int) -> int:
    """Returns the code of the same link, about which a teammate must decide."""
    return code | _OPEN


def settled(code: int) -> int:
    """Returns the code of the same link, about which nobody must decide."""
    return code & ~_OPEN


def is_open_link(code: int) -> bool:
    """Returns whether a teammate must decide about the link."""
    return bool(code & _OPEN)


def user_of(code: int) -> int:
    """Returns the ordinal of the user."""
    return code & USER_BITS


def is_proven_link(code: int) -> bool:
    """Returns whether the link is proven."""
    return bool(code & _PROVEN)


def day_of_link(code: int) -> int:
    """Returns the day of the link, in days since 1970."""
    return (code >> _DAY_BIT) + _FIRST_DAY


def date_of(code: int) -> str:
    """Returns the day of the link, such as `2026-11-30`."""
    return text_of_milliseconds(day_of_link(code) * DAY_MS)[: len("2026-11-30")]
