"""One page of a long list."""

from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """Some items in order, and the cursor of the next page; None on the last one.

    `total` counts the items of all pages, if that is cheap.
    """

    items: tuple[Item, ...]
    next_cursor: str | None
    total: int | None = None
