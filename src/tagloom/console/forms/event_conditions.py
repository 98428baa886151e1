"""Conditions on the properties of an event as one line of text: `genre is football and seconds greater 60`."""

import re
from collections.abc import Sequence
from typing import get_args

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.words.comparisons import Operator, Value
from tagloom.words.event_rules import Condition
from tagloom.words.problems import RuleInvalid

OPERATORS: dict[str, Operator] = {op: op for op in get_args(Operator)}

_PLAIN_NAME = re.compile(r"[^\s\"\[\],]+")
_PLAIN_TEXT = re.compile(r"[^\W\d][\w./:-]*")
# A text in quotes, a list, or anything without spaces.
_WORD = re.compile(r"\"(?:[^\"\\]|\\.)*\"|\[(?:\"(?:[^\"\\]|\\.)*\"|[^\"\]])*\]|[^\s\"\[]\S*")
_SPACES = re.compile(r"\s*")
_WORDS_OF_JSON = ("true", "false", "null", "and")


def text_of(where: Sequence[Condition]) -> str:
    """Returns conditions as text. `conditions_of` returns the same conditions."""
    return " and ".join(map(_text_of_condition, where))


def _text_of_condition(condition: Condition) -> str:
    is_plain = _PLAIN_NAME.fullmatch(condition.property) and condition.property not in _WORDS_OF_JSON
    name = condition.property if is_plain else _json(condition.property)
    value = condition.value
    if isinstance(value, UnsetType):
        return f"{name} {condition.op}"
    if isinstance(value, str) and _PLAIN_TEXT.fullmatch(value) and value not in _WORDS_OF_JSON:
        return f"{name} {condition.op} {value}"
    return f"{name} {condition.op} {_json(value)}"


def _json(value: Value | tuple[Value, ...]) -> str:
    return msgspec.json.encode(value).decode()


def conditions_of(text: str) -> tuple[Condition, ...]:
    """Reads conditions that are joined by `and`. A value without quotes is a number, true, false, or a text.

    Raises: RuleInvalid.
    """
    words = _words_of(text)
    found = list[Condition]()
    while words:
        name, op = words.pop(0), OPERATORS.get(words.pop(0)) if words else None
        if op is None:
            raise _unreadable(text)
        value: Value | tuple[Value, ...] | UnsetType = UNSET
        if op != "is-set":
            if not words:
                raise _unreadable(text)
            value = _value_of(words.pop(0), text)
        found.append(Condition(_name_of(name, text), op, value))
        if words and (words.pop(0) != "and" or not words):
            raise _unreadable(text)
    return tuple(found)


def _words_of(text: str) -> list[str]:
    """Returns the words of a text. Cost: one pass. Raises: RuleInvalid."""
    words, place = list[str](), 0
    while rest := _SPACES.match(text, place):
        place = rest.end()
        if place == len(text):
            break
        word = _WORD.match(text, place)
        if word is None:
            raise _unreadable(text)
        words.append(word[0])
        place = word.end()
    return words


def _name_of(word: str, text: str) -> str:
    if not word.startswith('"'):
        return word
    name = _decoded(word, text)
    if not isinstance(name, str):
        raise _unreadable(text)
    return name


def _value_of(word: str, text: str) -> Value | tuple[Value, ...]:
    try:
        return _decoded(word, text)
    except RuleInvalid:
        if word[0] in '"[':
            raise
        return word


def _decoded(word: str, text: str) -> Value | tuple[Value, ...]:
    try:
        value: Value | tuple[Value, ...] = msgspec.json.decode(
            word.encode("utf-8", "surrogatepass"), type=Value | tuple[Value, ...]
        )
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(text) from error
    return value


def _unreadable(text: str) -> RuleInvalid:
    return RuleInvalid(
        f"The conditions '{text[:120]}' cannot be read. Write them like: genre is football and seconds greater 60. "
        f"The operators are {', '.join(OPERATORS)}. A text with spaces has double quotes.",
    )
