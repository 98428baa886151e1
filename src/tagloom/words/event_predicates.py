"""Predicates on events: a type or a category, and conditions on properties that hold for the same event."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from tagloom.words.tags import is_at_or_below

Operator = Literal["is", "is-not", "one-of", "contains", "greater", "less", "is-set"]
Scalar = str | int | float | bool


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A condition on one property of an event.

    A missing property fulfils only `is-not`. Values of two kinds (text, number, boolean) are never equal, and only
    numbers are greater or less. `contains` holds for a text with the value in it, and for a list with the value as an
    item. `value` is a tuple for `one-of`, and absent for `is-set`.
    """

    property: str
    op: Operator = "is"
    value: Scalar | tuple[Scalar, ...] | None = None


class EventPredicate(NamedTuple):
    """What an event must be to be counted. `event` is a type (`ad/clicked`) or a category (`ad`)."""

    event: str
    where: tuple[Condition, ...] = ()

    def accepts_type(self, type: str) -> bool:
        """Returns whether events of this type can fulfil the predicate."""
        return is_at_or_below(type, self.event)

    def accepts(self, properties: bytes) -> bool:
        """Returns whether the properties of an event, as JSON, fulfil all conditions. Cost: about 1 us."""
        return not self.where or fulfils(msgspec.json.decode(properties), self.where)


def fulfils(properties: Mapping[str, Any], where: Sequence[Condition]) -> bool:
    """Returns whether properties fulfil all conditions."""
    return all(_holds(condition, properties.get(condition.property)) for condition in where)


def _holds(condition: Condition, found: Any) -> bool:
    match condition.op:
        case "is":
            return _is_same(found, condition.value)
        case "is-not":
            return not _is_same(found, condition.value)
        case "one-of":
            assert isinstance(condition.value, tuple)
            return any(_is_same(found, each) for each in condition.value)
        case "contains":
            if isinstance(found, list):
                return any(_is_same(each, condition.value) for each in found)
            return isinstance(found, str) and isinstance(condition.value, str) and condition.value in found
        case "greater":
            return _is_number(found) and _is_number(condition.value) and found > condition.value
        case "less":
            return _is_number(found) and _is_number(condition.value) and found < condition.value
        case "is-set":
            return found is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_same(found: Any, wanted: Any) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return found is not None and (isinstance(found, str) == isinstance(wanted, str)) and bool(found == wanted)
