"""What a JSON value is as an id or as a cell: text as it is, numbers as people write them, and nothing made up."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from tagloom.words import cells
from tagloom.words.cells import VALUES, Cell, OddCell

WHOLE_MAX: Final = 2**53 - 1  # Beyond it programs that read numbers as doubles take two for one.
DIGITS_MAX: Final = 40  # A number of more digits, before the point or behind it, is a mistake of whoever wrote it.
_LEVELS_MAX = 16  # Objects in objects whose fields a proposal names.


class Unfit(Exception):
    """Why a value is no id or no cell, as the end of a sentence that begins with where it stands."""


def decimal_of(text: str) -> Decimal:
    """A number of JSON, exactly. Raises: ValueError."""
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise ValueError(f"{text[:DIGITS_MAX]} is no number") from error


def decoder() -> "msgspec.json.Decoder[Any]":
    """What decodes any value, with exact numbers."""
    return msgspec.json.Decoder(float_hook=decimal_of)


def id_of(value: Any) -> str:
    """An id: text, or a whole number whose digits no double loses; empty for null. Raises: Unfit."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            raise Unfit("is true or false and no id; export the column of ids")
        case int() | Decimal():
            return _whole(value)
        case list() | tuple():
            raise Unfit("is a list and no id; map the path to one id")
        case _:
            raise Unfit("is an object and no id; export the id as text, or map the path to it")


def _whole(value: int | Decimal) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite() or value != value.to_integral_value():
            raise Unfit("is a number with a fraction and no id; export ids as text")
        if value.adjusted() > DIGITS_MAX:
            raise Unfit("is a number beyond 2^53, whose last digits may be lost; export ids as text")
    whole = int(value)
    if abs(whole) > WHOLE_MAX:
        raise Unfit("is a number beyond 2^53, whose last digits may be lost; export ids as text")
    return str(whole)


def cell_of(value: Any) -> Cell:
    """A cell by the table of cells: `tagloom.words.cells`. Raises: Unfit: nothing may be read from the value."""
    if isinstance(value, dict):
        raise Unfit("is an object; map a path to what is in it")
    found = cells.cell_of(value)
    for each in (found,) if isinstance(found, str) else found:
        if isinstance(each, OddCell) and each.found not in VALUES:
            raise Unfit(f"holds {each.found}; export it as text")
    return found


# Paths into objects.


def finder_of(path: str) -> Callable[[Any], Any]:
    """What finds a path's value in an object: `a.b` is b of a, `a[*].b` every b of the list a; `a.b` itself is first.

    >>> finder_of("plan.name")({"plan": {"name": "Pro"}}), finder_of("tags[*].id")({"tags": [{"id": "a"}, {"id": "b"}]})
    ('Pro', ['a', 'b'])
    """
    steps = path.split(".")

    def find(value: Any, depth: int) -> Any:
        if depth == len(steps):
            return value
        name = steps[depth]
        if name.endswith("[*]"):
            listed = value.get(name[:-3]) if isinstance(value, dict) else None
            if not isinstance(listed, list):
                return None
            return [below for each in listed if (below := find(each, depth + 1)) is not None]
        return find(value.get(name), depth + 1) if isinstance(value, dict) else None

    return lambda value: value[path] if isinstance(value, dict) and path in value else find(value, 0)


def paths_in(value: dict[str, Any]) -> Iterator[str]:
    """The paths to texts, numbers and lists in an object, down to a depth that people write."""
    yield from _paths(value, "", _LEVELS_MAX)


def _paths(value: dict[str, Any], above: str, levels: int) -> Iterator[str]:
    for name, below in value.items():
        listed: Sequence[Any] = below if isinstance(below, list) else ()
        if isinstance(below, dict) and levels:
            yield from _paths(below, f"{above}{name}.", levels - 1)
        elif listed and isinstance(listed[0], dict) and levels:
            yield from _paths(listed[0], f"{above}{name}[*].", levels - 1)
        elif not isinstance(below, dict):
            yield above + name
