"""Values of context filters as people type them: a text, a number, yes or no, several of them, or JSON."""

import re
from typing import Literal, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.words.comparisons import is_number
from tagloom.words.context_rules import ContextOp, ContextValue, HasContext, values_of
from tagloom.words.problems import RuleInvalid

ValueType = Literal["text", "number", "boolean", "json"]
Value = ContextValue | tuple[ContextValue, ...] | UnsetType

_WHOLE = re.compile(r"-?[0-9]{1,19}")  # Whole numbers of 64 bits have up to 19 digits.
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def text_of(node: HasContext) -> tuple[ValueType, str]:
    """Returns the type and the text that a form shows for the value of a node. `value_of` returns the same value."""
    values = values_of(node)
    if all(isinstance(each, bool) for each in values) and values:
        return "boolean", ", ".join("true" if each else "false" for each in values)
    if all(map(is_number, values)) and values:
        return "number", ", ".join(map(str, values))
    texts = [each for each in values if isinstance(each, str)]
    if len(texts) == len(values) and not any(_needs_json(each, node.op) for each in texts):
        return "text", ", ".join(texts)
    return "json", msgspec.json.encode(node.value).decode()


def _needs_json(text: str, op: ContextOp) -> bool:
    """Returns whether the form would read a text in another way: it strips spaces and splits lists at commas."""
    return text != text.strip() or not text or (op == "one-of" and "," in text)


def value_of(op: ContextOp, type: ValueType, text: str) -> Value:
    """Returns the value of a node from the fields of a form. Several values are separated by commas.

    Raises: RuleInvalid.
    """
    match op:
        case "is-set":
            return UNSET
        case "one-of" if type != "json":
            return tuple(_one(type, each.strip()) for each in text.split(",") if each.strip())
        case "greater" | "less" if type != "json":
            return number_of(text)
        case "contains" if type != "json":
            return text
        case "is" | "is-not" if type != "json":
            if not text:
                raise RuleInvalid("Enter a value, or remove the line.")
            return _one(type, text)
        case _:
            return _decoded(text)


def _one(type: Literal["text", "number", "boolean"], text: str) -> ContextValue:
    match type:
        case "text":
            return text
        case "number":
            return number_of(text)
        case "boolean":
            found = _BOOLEANS.get(text.lower())
            if found is None:
                raise RuleInvalid(f"'{text}' is neither 'true' nor 'false'.")
            return found
        case _:
            assert_never(type)


def _decoded(text: str) -> Value:
    try:
        value: Value = msgspec.json.decode(
            text.encode("utf-8", "surrogatepass"), type=ContextValue | tuple[ContextValue, ...]
        )
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RuleInvalid(f"Enter JSON: a text, a number, a boolean or a list of them. {error}.") from error
    return value


def number_of(text: str) -> int | float:
    """Returns the number of a text. Accepts a percent sign at its end. Raises: RuleInvalid."""
    plain = text.removesuffix("%").strip()
    if _WHOLE.fullmatch(plain):
        return int(plain)
    try:
        return float(plain)
    except ValueError:
        raise RuleInvalid(f"'{text}' is not a number." if text else "Enter a number, or remove the line.") from None


def whole_number_of(text: str) -> int:
    """Returns the whole number of a text. Raises: RuleInvalid."""
    if not _WHOLE.fullmatch(text):
        raise RuleInvalid(f"'{text}' is not a whole number." if text else "Enter a whole number, or remove the line.")
    return int(text)
