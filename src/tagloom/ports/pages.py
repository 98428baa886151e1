"""One page of a long list."""

from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """Some items in order, and the cursor that goes on behind them; None at the end.

    `total` counts the items of all pages, where that is cheap to know.
    """

    items: tuple[Item, ...]
    next_cursor: str | None
    total: int | None = None
