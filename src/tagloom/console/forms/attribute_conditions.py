"""Values of attribute filters as people type them. What a value looks like decides about its type.

`7` is a number, `true` is a boolean, and `gold` is a text. A text in double quotes is always a text: `"7"`.
"""

import re
from collections.abc import Sequence
from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.console.forms.context_values import number_of, whole_number_of
from tagloom.words.attribute_rules import AttributeOperator, HasAttribute
from tagloom.words.comparisons import Value, values_of
from tagloom.words.problems import RuleInvalid

_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"")
_SPACES = re.compile(r"\s*")


def text_of(node: HasAttribute) -> str:
    """Returns the text that a form shows for the value of a node. `value_of` returns the same value."""
    values = values_of(node.value)
    match node.op:
        case "is" | "is-not" | "one-of":
            return ", ".join(_written(each, is_item=node.op == "one-of") for each in values)
        case "contains":
            return ", ".join(each if is_as_typed(each) else _json(each) for each in values if isinstance(each, str))
        case "greater" | "less" | "before" | "after" | "in-last" | "in-next" | "is-set":
            return ", ".join(map(str, values))
        case _:
            assert_never(node.op)


def value_of(op: AttributeOperator, text: str) -> Value | tuple[Value, ...] | UnsetType:
    """Returns the value of a node from the text of a form. Several values are separated by commas.

    >>> value_of("is", "gold"), value_of("is", "7"), value_of("is", '"7"'), value_of("is", "true")
    ('gold', 7, '7', True)
    >>> value_of("one-of", 'gold, "a, b", 7')
    ('gold', 'a, b', 7)

    Raises: RuleInvalid.
    """
    match op:
        case "is-set":
            return UNSET
        case "one-of":
            return tuple(map(_read, items_of(text)))
        case "is" | "is-not":
            if not text:
                raise RuleInvalid("Enter a value, or remove the line.")
            return _read(text)
        case "contains":
            return unquoted(text) if text.startswith('"') else text
        case "greater" | "less":
            return number_of(text)
        case "before" | "after":
            return text
        case "in-last" | "in-next":
            return whole_number_of(text)
        case _:
            assert_never(op)


def _written(value: Value, *, is_item: bool) -> str:
    """Returns a value as text. `_read` returns the same value. An item of a list must have no comma."""
    if isinstance(value, str) and is_as_typed(value) and not (is_item and "," in value) and _read(value) == value:
        return value
    return _json(value)


def is_as_typed(text: str) -> bool:
    """Returns whether a field of a form keeps a text: it strips spaces, and loses the ends of lines."""
    return text == text.strip() and text.isprintable() and text != "" and not text.startswith('"')


def _read(text: str) -> Value:
    """Returns a text in quotes, a number, true or false, or the text as it is. Raises: RuleInvalid."""
    if text.startswith('"'):
        return unquoted(text)
    try:
        return msgspec.json.decode(text.encode("utf-8", "surrogatepass"), type=int | float | bool)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text


def unquoted(text: str) -> str:
    try:
        return msgspec.json.decode(text.encode("utf-8", "surrogatepass"), type=str)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(text) from error


def items_of(text: str) -> Sequence[str]:
    """Returns the items of a list, which are separated by commas. A text in quotes can have commas."""
    items, place = list[str](), 0
    while place < len(text):
        place = _SPACES.match(text, place).end()  # type: ignore[union-attr]  # Matches everywhere.
        quoted = _QUOTED.match(text, place)
        end = text.find(",", quoted.end() if quoted else place)
        end = len(text) if end < 0 else end
        item = text[place:end].strip()
        if item:
            items.append(item)
        place = end + 1
    return items


def _json(value: Value) -> str:
    return msgspec.json.encode(value).decode()


def _unreadable(text: str) -> RuleInvalid:
    return RuleInvalid(
        f"The text {text[:120]} cannot be read. It begins with a double quote, so it must end with one. "
        'Inside, write \\" for a double quote and \\\\ for a backslash.'
    )
