"""The `context` node of rules: values that the caller sends with a decision and that nobody stores."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.base.problems import BodyInvalid
from tagloom.words import comparisons, limits
from tagloom.words.comparisons import Operator, Value, compare, fault_of_value, fault_of_values, identity_of
from tagloom.words.problems import RuleInvalid

ContextValue: TypeAlias = Value
ContextOp: TypeAlias = Operator
Context: TypeAlias = Mapping[str, ContextValue]

NO_CONTEXT: Context = {}
"""The context of a decision whose caller sends none."""


class HasContext(msgspec.Struct, frozen=True, tag="context", forbid_unknown_fields=True, eq=False):
    """Holds if the context has the field, and the value of the field satisfies the operator.

    `value` is a list for `one-of` and unset for `is-set`. Two nodes are equal only if their values have equal types:
    `true` is not 1.
    """

    field: str
    op: Operator
    value: Value | tuple[Value, ...] | UnsetType = UNSET

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HasContext) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return self.field, self.op, identity_of(self.value)


def values_of(node: HasContext) -> tuple[Value, ...]:
    """Returns the values of a node: none for `is-set`, several for `one-of`, else one."""
    return comparisons.values_of(node.value)


def holds_in(node: HasContext, context: Context) -> bool:
    """Returns whether a node holds in a context. A node whose field is missing never holds, not even `is-not`."""
    return compare(node.op, context.get(node.field), values_of(node))


def check_context_node(node: HasContext, pointer: str) -> None:
    """Checks the fields of a node. `pointer` is its JSON pointer in the rule. Raises: RuleInvalid."""
    fault = _fault_of_field(node.field) or fault_of_values(node.op, node.value)
    if fault:
        raise RuleInvalid(fault, node=pointer)


def _fault_of_field(field: str) -> str:
    most = limits.CHARACTERS_PER_CONTEXT_FIELD_MAX
    if not 1 <= len(field) <= most or not field.isprintable() or field != field.strip():
        return f"The name of a context field has 1 to {most} printable characters, without spaces at its ends."
    return ""


def checked_context(values: Mapping[str, Value | None], *, at: str = "$.context") -> dict[str, Value]:
    """Returns the context of a request without its fields that are null. `at` is its JSON path.

    Raises: BodyInvalid: it has too many fields, or the name or the value of a field is invalid.
    """
    if len(values) > limits.FIELDS_PER_CONTEXT_MAX:
        raise BodyInvalid(f"A context has at most {limits.FIELDS_PER_CONTEXT_MAX} fields.", field=at)
    found: dict[str, Value] = {}
    for name, value in values.items():
        fault = _fault_of_field(name)
        if fault:
            raise BodyInvalid(fault, field=at)
        if value is not None:
            if fault := fault_of_value(value):
                raise BodyInvalid(fault, field=f"{at}.{name}")
            found[name] = value
    return found


def described_context(node: HasContext) -> str:
    """Returns a node as a part of a sentence, such as `'platform' is 'ios'`."""
    return comparisons.described(node.field, node.op, values_of(node))
