"""Cursors and chunks of the oracle's lists."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tagloom.base.text import printable
from tagloom.ports import limits
from tagloom.ports.problems import CursorInvalid

Item = TypeVar("Item")


def chunks_of(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    size = limits.EXPORT_PEOPLE_PER_PART
    return iter([items[start : start + size] for start in range(0, len(items), size)])


def cursor_of(list_name: str, last: str) -> str:
    return base64.urlsafe_b64encode(f"{list_name}:{last}".encode()).decode().rstrip("=")


def read_cursor(list_name: str, cursor: str) -> str:
    """Returns the last item of a cursor that `cursor_of` made. Raises: CursorInvalid."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeError):
        text = ""
    name, _, last = text.partition(":")
    if name != list_name or not last or (list_name in ("people", "events") and not last.isdecimal()):
        raise CursorInvalid("The cursor is not one that this list gave.", value=printable(cursor))
    return last
