"""Converts JSON values to ids or cells. Texts stay unchanged, and numbers become their usual text."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from tagloom.words import cells, limits
from tagloom.words.attributes import flattened
from tagloom.words.cells import VALUES, Cell, OddCell

WHOLE_MAX: Final = 2**53 - 1  # Above this, programs that read numbers as doubles confuse two of them.
DIGITS_MAX: Final = 40  # A number with more digits, before or after the point, is a mistake.
_TOO_LONG = 10**DIGITS_MAX
LEVELS_MAX: Final = 16  # Attributes, and the columns that mapping inference names, are nested at most this deep.


class Unfit(Exception):
    """Raised if a value cannot be an id or a cell.

    The text is the end of a sentence that begins with the place of the value.
    """


class TooMany(Unfit):
    """Raised if an object has too many attributes."""


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


# Objects and attributes.


def fields_and_levels(value: dict[str, Any] | list[Any]) -> tuple[int, int]:
    """Returns the number of fields of all objects in a value, and the number of levels of objects and lists.

    >>> fields_and_levels({"a": [{"b": 1}, {"b": 2}]})
    (3, 3)
    """
    fields, levels = 0, 0
    waiting: list[dict[str, Any] | list[Any]] = [value]
    while waiting:
        below: list[dict[str, Any] | list[Any]] = []
        for each in waiting:
            if isinstance(each, dict):
                fields += len(each)
            for found in each.values() if isinstance(each, dict) else each:
                # In this loop, `isinstance` takes three times as long.
                if type(found) is dict or type(found) is list:
                    below.append(found)
        waiting, levels = below, levels + 1
    return fields, levels


def attributes_of(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the attributes in an object, with the fields of nested objects as `outer.inner`. Raises: Unfit.

    >>> attributes_of({"plan": "gold", "company": {"size": 3}})
    {'plan': 'gold', 'company.size': 3}
    """
    found, count, kinds = values, len(values), set(map(type, values.values()))
    if dict in kinds or list in kinds:
        found, count = _flattened(values)
        kinds = set(map(type, found.values()))
    if count > limits.ATTRIBUTES_PER_PERSON_MAX:
        raise TooMany(f"has {count} attributes; at most {limits.ATTRIBUTES_PER_PERSON_MAX} are allowed")
    if int in kinds and any(type(each) is int and abs(each) >= _TOO_LONG for each in found.values()):
        raise long_number()
    return found


def long_number() -> Unfit:
    """Returns the fault of a line with a whole number of more than DIGITS_MAX digits in its attributes."""
    return Unfit(f"has a number of more than {DIGITS_MAX} digits in its attributes; send it as a text")


def _flattened(values: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Returns the fields of nested objects as fields of one level, and their number. Raises: Unfit."""
    if fields_and_levels(values)[1] > LEVELS_MAX:
        raise Unfit(f"has attributes of more than {LEVELS_MAX} levels")
    count, waiting = 0, [values]
    while waiting:
        below = [each for one in waiting for each in one.values() if isinstance(each, dict) and each]
        count += sum(map(len, waiting)) - len(below)
        waiting = below
    found = flattened(values)
    if len(found) != count:
        raise Unfit("has an attribute more than once: a name with a dot is also the name of a nested field")
    return found, count


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
    yield from _paths(value, "", LEVELS_MAX)


def _paths(value: dict[str, Any], above: str, levels: int) -> Iterator[str]:
    for name, below in value.items():
        listed: Sequence[Any] = below if isinstance(below, list) else ()
        if isinstance(below, dict) and levels:
            yield from _paths(below, f"{above}{name}.", levels - 1)
        elif listed and isinstance(listed[0], dict) and levels:
            yield from _paths(listed[0], f"{above}{name}[*].", levels - 1)
        elif not isinstance(below, dict):
            yield above + name
