"""Finds the attribute nodes of a rule that do not fit the attributes of an environment: their names and types."""

import difflib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import assert_never

from tagloom.base.text import printable
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName, AttributeType, shown_value
from tagloom.words.comparisons import Value, is_number, values_of
from tagloom.words.rule_lints import Hint
from tagloom.words.rules import Rule, walk

_HINTS_MAX = 5  # More hints hide the other findings about a rule.
_LENGTHS_APART_MAX = 5  # A typing mistake changes a few characters.
_NAMES_COMPARED_MAX = 100  # Names that are compared with an unknown one. The longest take some milliseconds each.


def attribute_hints(rule: Rule, types: Mapping[AttributeName, AttributeType]) -> tuple[Hint, ...]:
    """Returns lints about nodes that name no attribute of the environment, or compare with values of other types.

    `types` has all attributes of the environment. At most five lints are returned.
    """
    return tuple(islice(_hints(rule, types), _HINTS_MAX))


def _hints(rule: Rule, types: Mapping[AttributeName, AttributeType]) -> Iterator[Hint]:
    for node, pointer, _ in walk(rule):
        if not isinstance(node, HasAttribute):
            continue
        type = types.get(node.attribute)
        if type is None:
            yield Hint(_unknown(node.attribute, types), (pointer,))
        elif not _compares_with(node, type):
            fits = "Every" if node.op == "is-not" else "No"
            yield Hint(
                f"{fits} value of the attribute '{printable(node.attribute)}' satisfies this part, because the "
                f"attribute has the type {type}.{_remedy(node, type)}",
                (pointer,),
            )


def _unknown(name: AttributeName, types: Mapping[AttributeName, AttributeType]) -> str:
    alike = (each for each in types if abs(len(each) - len(name)) <= _LENGTHS_APART_MAX)
    nearest = difflib.get_close_matches(name, list(islice(alike, _NAMES_COMPARED_MAX)), n=2)
    quoted = " or ".join(f"'{printable(each)}'" for each in nearest)
    suggestion = f" Did you mean {quoted}?" if nearest else ""
    return f"There is no attribute '{printable(name)}' here.{suggestion}"


def _compares_with(node: HasAttribute, type: AttributeType) -> bool:
    """Returns whether a node compares values of this type. If not, all of them have the same result."""
    match node.op:
        case "is-set":
            return True
        case "is" | "is-not" | "one-of":
            return any(_type_of(value) == type for value in values_of(node.value))
        case "contains":
            return type in ("text", "list")
        case "greater" | "less":
            return type == "number"
        case "before" | "after" | "in-last" | "in-next":
            return type == "time"
        case _:
            assert_never(node.op)


def _type_of(value: Value) -> AttributeType:
    return "boolean" if isinstance(value, bool) else "number" if is_number(value) else "text"


def _remedy(node: HasAttribute, type: AttributeType) -> str:
    values = values_of(node.value)
    if type == "time":
        return " Compare times with before, after, in-last or in-next."
    if type == "list":
        return " Look for an item of a list with contains."
    if type == "text" and node.op in ("is", "is-not", "one-of") and values:
        # A number becomes a text as JSON writes it.
        return f" A text has double quotes: {shown_value(shown_value(values[0]))}."
    return ""
