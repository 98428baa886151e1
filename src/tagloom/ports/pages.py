"""One page of a long list."""

from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """Some items in order, and the cursor of the next page. The cursor is None on the last page.

    `total` is the number of items of all pages, or None if counting them would cost much.
    """

    items: tuple[Item, ...]
    next_cursor: str | None
    total: int | None = None
