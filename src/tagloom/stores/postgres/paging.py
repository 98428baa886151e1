"""Reads long results from PostgreSQL in pages."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

ROWS_AT_FIRST = 64  # A query that may have many rows is read page by page. The pages grow from this many rows
_ROWS_AT_ONCE = 1_024  # to this many, which are some megabytes at most.


def paged(
    ask: Callable[[Sequence[Any], int], list[tuple[Any, ...]]],
    place: Sequence[Any],
    place_of: Callable[[tuple[Any, ...]], Sequence[Any]],
    limit: int = ROWS_AT_FIRST,
) -> Iterator[tuple[Any, ...]]:
    """Yields all rows of a query, page by page. Other queries can run between two pages.

    `ask` returns at most as many rows as its limit, from after a place. `place_of` returns the place of a row.
    """
    while True:
        found = ask(place, limit)
        yield from found
        if len(found) < limit:
            return
        place, limit = place_of(found[-1]), min(4 * limit, _ROWS_AT_ONCE)
