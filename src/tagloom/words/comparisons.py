"""Comparisons of a value with the values of a rule: values of different types are never equal."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeGuard, assert_never

from msgspec import UNSET, UnsetType

from tagloom.words import limits

Value: TypeAlias = str | int | float | bool
Operator = Literal["is", "is-not", "one-of", "contains", "greater", "less", "is-set"]


def values_of(value: Value | tuple[Value, ...] | UnsetType) -> tuple[Value, ...]:
    """Returns the values of a node: none for `is-set`, several for `one-of`, else one."""
    if isinstance(value, UnsetType):
        return ()
    return value if isinstance(value, tuple) else (value,)


def identity_of(value: Value | tuple[Value, ...] | UnsetType) -> tuple[object, ...]:
    """Returns what is equal for equal values only: `true` is not 1."""
    return isinstance(value, tuple), tuple(map(_typed, values_of(value)))


def compare(op: Operator, found: Any, values: Sequence[Value]) -> bool:
    """Returns whether a value satisfies an operator. A value that is None satisfies none, not even `is-not`."""
    if found is None:
        return False
    match op:
        case "is-set":
            return True
        case "is" | "one-of":
            return any(_typed(each) == _typed(found) for each in values)
        case "is-not":
            return all(_typed(each) != _typed(found) for each in values)
        case "contains":
            return isinstance(found, str) and all(isinstance(each, str) and each in found for each in values)
        case "greater":
            return is_number(found) and all(is_number(each) and found > each for each in values)
        case "less":
            return is_number(found) and all(is_number(each) and found < each for each in values)
        case _:
            assert_never(op)


def is_number(value: object) -> TypeGuard[int | float]:
    """Returns whether a value is a number. A boolean is not a number, although Python counts it as one."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _typed(value: Any) -> tuple[str, Any]:
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number", value


def fault_of_values(op: Operator, value: Value | tuple[Value, ...] | UnsetType) -> str:
    """Returns what is wrong with the value of an operator, or an empty text."""
    values, is_list = values_of(value), isinstance(value, tuple)
    match op:
        case "is-set":
            return "'is-set' has no value." if value is not UNSET else ""
        case "one-of":
            most = limits.VALUES_PER_COMPARISON_MAX
            if not is_list or not 1 <= len(values) <= most:
                return f"The value of 'one-of' is a list of 1 to {most} texts, numbers and booleans."
        case "is" | "is-not":
            if is_list or not values:
                return f"The value of '{op}' is one text, number or boolean."
        case "contains":
            if is_list or not values or not isinstance(values[0], str) or not values[0]:
                return "The value of 'contains' is a text that is not empty."
        case "greater" | "less":
            if is_list or not values or not is_number(values[0]):
                return f"The value of '{op}' is a number."
        case _:
            assert_never(op)
    return next((fault for each in values if (fault := fault_of_value(each))), "")


def fault_of_value(value: Value) -> str:
    """Returns what is wrong with one value, or an empty text."""
    most = limits.CHARACTERS_PER_COMPARED_VALUE_MAX
    if isinstance(value, str):
        return f"A text has at most {most:,} characters." if len(value) > most else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "A number must be finite."
    return "" if -(1 << 63) <= value < 1 << 63 else "A whole number must fit into 64 bits."


WORDS_OF_OPERATORS: Mapping[Operator, str] = {
    "is": "is",
    "is-not": "is not",
    "one-of": "is one of",
    "contains": "contains",
    "greater": "is greater than",
    "less": "is less than",
    "is-set": "is set",
}


def described(name: str, op: Operator, values: Sequence[Value]) -> str:
    """Returns a comparison as a part of a sentence, such as `'platform' is 'ios'`."""
    return " ".join([f"'{name}'", WORDS_OF_OPERATORS[op], *([", ".join(map(value_text, values))] if values else [])])


def value_text(value: Value) -> str:
    """Returns a value as people read it: a text in quotes, a number, `true` or `false`."""
    if isinstance(value, str):
        return f"'{value}'"
    return str(value).lower() if isinstance(value, bool) else f"{value}"
