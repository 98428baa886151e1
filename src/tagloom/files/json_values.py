"""Converts JSON values to ids or cells. Texts stay unchanged, and numbers become their usual text."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from tagloom.words import cells
from tagloom.words.cells import VALUES, Cell, OddCell

WHOLE_MAX: Final = 2**53 - 1  # Above this, programs that read numbers as doubles confuse two of them.
DIGITS_MAX: Final = 40  # A number with more digits, before or after the point, is a mistake.
_LEVELS_MAX = 16  # Mapping inference names the fields of nested objects to this depth.


class Unfit(Exception):
    """Raised if a value cannot be an id or a cell.

    The text is the end of a sentence that begins with the place of the value.
    """


def decimal_of(text: str) -> Decimal:
    """Parses a number of JSON exactly. Raises: ValueError."""
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise ValueError(f"{text[:DIGITS_MAX]} is no number") from error


def decoder() -> "msgspec.json.Decoder[Any]":
    """Returns a decoder of any value that keeps numbers exact."""
    return msgspec.json.Decoder(float_hook=decimal_of)


def id_of(value: Any) -> str:
    """Converts a value to an id. Raises: Unfit.

    An id is a text, or a whole number that a double can hold. Null becomes an empty text.
    """
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            raise Unfit("is true or false and not an id; export the column of ids")
        case int() | Decimal():
            return _whole(value)
        case list() | tuple():
            raise Unfit("is a list and not an id; map the path to one id")
        case _:
            raise Unfit("is an object and not an id; export the id as text, or map the path to it")


def _whole(value: int | Decimal) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite() or value != value.to_integral_value():
            raise Unfit("is a number with a fraction and not an id; export ids as text")
        if value.adjusted() > DIGITS_MAX:
            raise Unfit("is a number beyond 2^53, whose last digits may be lost; export ids as text")
    whole = int(value)
    if abs(whole) > WHOLE_MAX:
        raise Unfit("is a number beyond 2^53, whose last digits may be lost; export ids as text")
    return str(whole)


def cell_of(value: Any) -> Cell:
    """Converts a value to a cell, by the table in `tagloom.words.cells`. Raises: Unfit: the value has no cell."""
    if isinstance(value, dict):
        raise Unfit("is an object; map a path to what is in it")
    found = cells.cell_of(value)
    for each in (found,) if isinstance(found, str) else found:
        if isinstance(each, OddCell) and each.found not in VALUES:
            raise Unfit(f"holds {each.found}; export it as text")
    return found


# Paths into objects.


def finder_of(path: str) -> Callable[[Any], Any]:
    """Returns a function that finds the value at a path in an object.

    `a.b` is the field b of a. `a[*].b` is every b of the list a. A field with the name `a.b` has precedence.

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
    """Yields the paths to texts, numbers and lists in an object, to a limited depth."""
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
