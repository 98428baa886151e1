"""Pages of lists that are completely in memory: the cursor is the key of the last item."""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import TypeVar

from tagloom.base.text import printable
from tagloom.http.framework.context import Call
from tagloom.ports.problems import CursorInvalid

Item = TypeVar("Item")


def page_of(call: Call, items: Iterable[Item], key: Callable[[Item], str]) -> tuple[tuple[Item, ...], str | None]:
    """Returns the page that `limit` and `cursor` select, and the next cursor. Sorts by the key.

    Raises: CursorInvalid.
    """
    cursor, limit = call.find_text("cursor"), call.integer("limit")
    after = "" if cursor is None else read_cursor(cursor)
    left = sorted((item for item in items if cursor is None or key(item) > after), key=key)
    page = tuple(left[:limit])
    return page, write_cursor(key(page[-1])) if len(left) > limit else None


def write_cursor(last: str) -> str:
    """Returns a cursor that continues after this key."""
    return base64.urlsafe_b64encode(last.encode("utf-8")).rstrip(b"=").decode("ascii")


def read_cursor(cursor: str) -> str:
    """Returns the key after which a cursor continues. Raises: CursorInvalid."""
    try:
        data = cursor.encode("ascii")
        last = base64.b64decode(data + b"=" * (-len(data) % 4), altchars=b"-_", validate=True).decode("utf-8")
    except (binascii.Error, UnicodeError):
        last = ""
    if not last:
        raise CursorInvalid("The cursor is not one that this list gave.", value=printable(cursor))
    return last
