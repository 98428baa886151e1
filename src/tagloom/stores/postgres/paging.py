"""Long answers of PostgreSQL, a page at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

ROWS_AT_FIRST = 64  # A question that may have a long answer is asked page by page, in growing pages,
_ROWS_AT_ONCE = 1_024  # of some megabytes at most.


def paged(
    ask: Callable[[Sequence[Any], int], list[tuple[Any, ...]]],
    place: Sequence[Any],
    place_of: Callable[[tuple[Any, ...]], Sequence[Any]],
    limit: int = ROWS_AT_FIRST,
) -> Iterator[tuple[Any, ...]]:
    """All rows of a question that can be asked from any place on. Others may ask between the pages."""
    while True:
        found = ask(place, limit)
        yield from found
        if len(found) < limit:
            return
        place, limit = place_of(found[-1]), min(4 * limit, _ROWS_AT_ONCE)
