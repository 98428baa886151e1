"""The `context` node of rules: values that the caller sends with a decision and that nobody stores."""

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias, TypeGuard, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.base.problems import BodyInvalid
from tagloom.words import limits
from tagloom.words.problems import RuleInvalid

ContextValue: TypeAlias = str | int | float | bool
Context: TypeAlias = Mapping[str, ContextValue]
ContextOp = Literal["is", "is-not", "one-of", "contains", "greater", "less", "is-set"]

NO_CONTEXT: Context = {}
"""The context of a decision whose caller sends none."""


class HasContext(msgspec.Struct, frozen=True, tag="context", forbid_unknown_fields=True, eq=False):
    """Holds if the context has the field, and the value of the field satisfies the operator.

    `value` is a list for `one-of` and unset for `is-set`. Two nodes are equal only if their values have equal types:
    `true` is not 1.
    """

    field: str
    op: ContextOp
    value: ContextValue | tuple[ContextValue, ...] | UnsetType = UNSET

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HasContext) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return self.field, self.op, isinstance(self.value, tuple), tuple(map(_typed, values_of(self)))


def values_of(node: HasContext) -> tuple[ContextValue, ...]:
    """Returns the values of a node: none for `is-set`, several for `one-of`, else one."""
    if isinstance(node.value, UnsetType):
        return ()
    return node.value if isinstance(node.value, tuple) else (node.value,)


def holds_in(node: HasContext, context: Context) -> bool:
    """Returns whether a node holds in a context. A node whose field is missing never holds, not even `is-not`."""
    value = context.get(node.field)
    if value is None:
        return False
    match node.op:
        case "is-set":
            return True
        case "is" | "one-of":
            return any(_typed(each) == _typed(value) for each in values_of(node))
        case "is-not":
            return all(_typed(each) != _typed(value) for each in values_of(node))
        case "contains":
            return isinstance(value, str) and all(isinstance(each, str) and each in value for each in values_of(node))
        case "greater":
            return is_number(value) and all(is_number(each) and value > each for each in values_of(node))
        case "less":
            return is_number(value) and all(is_number(each) and value < each for each in values_of(node))
        case _:
            assert_never(node.op)


def is_number(value: object) -> TypeGuard[int | float]:
    """Returns whether a value is a number. A boolean is not a number, although Python counts it as one."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _typed(value: ContextValue) -> tuple[str, ContextValue]:
    """Returns a value with its type, so that values of different types are never equal."""
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number", value


def check_context_node(node: HasContext, pointer: str) -> None:
    """Checks the fields of a node. `pointer` is its JSON pointer in the rule. Raises: RuleInvalid."""
    fault = _fault_of_field(node.field) or _fault_of_values(node)
    if fault:
        raise RuleInvalid(fault, node=pointer)


def _fault_of_field(field: str) -> str:
    most = limits.CHARACTERS_PER_CONTEXT_FIELD_MAX
    if not 1 <= len(field) <= most or not field.isprintable() or field != field.strip():
        return f"The name of a context field has 1 to {most} printable characters, without spaces at its ends."
    return ""


def _fault_of_values(node: HasContext) -> str:
    values, is_list = values_of(node), isinstance(node.value, tuple)
    fault = next((fault for each in values if (fault := _fault_of_value(each))), "")
    match node.op:
        case "is-set":
            return "'is-set' has no value." if node.value is not UNSET else ""
        case "one-of":
            most = limits.VALUES_PER_CONTEXT_NODE_MAX
            if not is_list or not 1 <= len(values) <= most:
                return f"The value of 'one-of' is a list of 1 to {most} texts, numbers and booleans."
        case "is" | "is-not":
            if is_list or not values:
                return f"The value of '{node.op}' is one text, number or boolean."
        case "contains":
            if is_list or not values or not isinstance(values[0], str) or not values[0]:
                return "The value of 'contains' is a text that is not empty."
        case "greater" | "less":
            if is_list or not values or not is_number(values[0]):
                return f"The value of '{node.op}' is a number."
        case _:
            assert_never(node.op)
    return fault


def _fault_of_value(value: ContextValue) -> str:
    most = limits.CHARACTERS_PER_CONTEXT_VALUE_MAX
    if isinstance(value, str):
        return f"A text of a context has at most {most:,} characters." if len(value) > most else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "A number of a context must be finite."
    return "" if -(1 << 63) <= value < 1 << 63 else "A whole number of a context must fit into 64 bits."


def checked_context(values: Mapping[str, ContextValue | None], *, at: str = "$.context") -> dict[str, ContextValue]:
    """Returns the context of a request without its fields that are null. `at` is its JSON path.

    Raises: BodyInvalid: it has too many fields, or the name or the value of a field is invalid.
    """
    if len(values) > limits.FIELDS_PER_CONTEXT_MAX:
        raise BodyInvalid(f"A context has at most {limits.FIELDS_PER_CONTEXT_MAX} fields.", field=at)
    found: dict[str, ContextValue] = {}
    for name, value in values.items():
        fault = _fault_of_field(name)
        if fault:
            raise BodyInvalid(fault, field=at)
        if value is not None:
            if fault := _fault_of_value(value):
                raise BodyInvalid(fault, field=f"{at}.{name}")
            found[name] = value
    return found


_WORDS_OF_OPS: Mapping[ContextOp, str] = {
    "is": "is",
    "is-not": "is not",
    "one-of": "is one of",
    "contains": "contains",
    "greater": "is greater than",
    "less": "is less than",
    "is-set": "is set",
}


def described_context(node: HasContext) -> str:
    """Returns a node as a part of a sentence, such as `'platform' is 'ios'`."""
    values = values_of(node)
    return " ".join(
        [f"'{node.field}'", _WORDS_OF_OPS[node.op], *([", ".join(map(value_text, values))] if values else [])]
    )


def value_text(value: ContextValue) -> str:
    """Returns a value as people read it: a text in quotes, a number, `true` or `false`."""
    if isinstance(value, str):
        return f"'{value}'"
    return str(value).lower() if isinstance(value, bool) else f"{value}"
