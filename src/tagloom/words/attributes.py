"""Attributes: typed facts about a person, such as `plan` or `trial_ends`, and the parsing of their values."""

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, NewType, TypeAlias, assert_never

import msgspec

from tagloom.base.text import printable
from tagloom.base.times import milliseconds_at, text_of_milliseconds
from tagloom.words import limits
from tagloom.words.problems import AttributeNameInvalid, AttributeTypeConflict, AttributeValueInvalid

AttributeName = NewType("AttributeName", str)
"""A string that `parse_attribute_name` returned."""
AttributeType = Literal["boolean", "number", "text", "time", "list"]
ATTRIBUTE_TYPES: tuple[AttributeType, ...] = ("boolean", "number", "text", "time", "list")

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?))?",
    re.IGNORECASE | re.ASCII,
)


class AttributeValue(NamedTuple):
    """A value and its type. `data` is a bool, a number, a text, a time in milliseconds since 1970, or a tuple of texts.

    A number without a fraction is an int up to 2^53, and a float beyond. Two values are equal only if their types are
    equal.
    """

    type: AttributeType
    data: bool | int | float | str | tuple[str, ...]


LIFECYCLE = AttributeName("$lifecycle")
"""The stage of the life cycle, which moves from day to day; see `computed_attributes`."""

Attributes: TypeAlias = Mapping[AttributeName, AttributeValue]
NO_ATTRIBUTES: Attributes = {}


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute of the catalogue, and the number of people who have a value."""

    name: AttributeName
    type: AttributeType
    description: str = ""
    people: int = 0


class ValueCount(msgspec.Struct, frozen=True):
    """A value of an attribute as plain JSON, and the number of people who have it."""

    value: Any
    people: int


class AttributeValues(msgspec.Struct, frozen=True, kw_only=True):
    """The most frequent values of an attribute, the most frequent first, as of `version`.

    `distinct` is the number of different values, or None if there are more than ATTRIBUTE_VALUES_COUNTED_MAX. Then
    `values` is empty. `least` and `greatest` are those of an attribute of numbers or times, as plain JSON.
    """

    attribute: Attribute
    version: int
    distinct: int | None
    values: tuple[ValueCount, ...]
    least: Any = None
    greatest: Any = None


class AttributeChange(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one value of a person. The values are plain JSON, None for no value."""

    attribute: AttributeName
    before: Any
    after: Any


def parse_attribute_name(text: str) -> AttributeName:
    """Returns the name of an attribute, in NFC. Names are case-sensitive, because client libraries send `firstName`.

    >>> parse_attribute_name("company.name")
    'company.name'

    Raises: AttributeNameInvalid.
    """
    most = limits.CHARACTERS_PER_ATTRIBUTE_NAME_MAX
    try:
        name = unicodedata.normalize("NFC", text)
        name.encode()
    except UnicodeEncodeError:
        name = ""
    if not 1 <= len(name) <= most or not name.isprintable() or name != name.strip():
        raise AttributeNameInvalid(
            f"'{printable(text)}' is not the name of an attribute: 1 to {most} printable characters, without spaces "
            "at its ends.",
            value=printable(text),
        )
    return AttributeName(name)


def parse_value(value: Any, type: AttributeType | None = None) -> AttributeValue:
    """Returns a value of JSON as a value of an attribute. Without `type`, the value decides about the type.

    A text that is an ISO 8601 date, or a time with a time zone, is a time, unless `type` is text. A date is the
    begin of the day in UTC. An `AttributeValue` stays as it is.

    >>> parse_value(3.0), parse_value("gold").type
    (AttributeValue(type='number', data=3), 'text')
    >>> parse_value("1970-01-02")
    AttributeValue(type='time', data=86400000)

    Raises:
        AttributeValueInvalid: the value can be no attribute; AttributeTypeConflict: it has another type.
    """
    found = _natural(value, is_text=type == "text")
    if type is not None and found.type != type:
        shown = shown_value(plain(found) if isinstance(value, AttributeValue) else value)
        raise AttributeTypeConflict(
            f"The attribute has the type {type}, and {shown} has the type {found.type}.", value=shown, value_type=type
        )
    return found


def _natural(value: Any, *, is_text: bool) -> AttributeValue:
    match value:
        case AttributeValue():
            return value
        case bool():
            return AttributeValue("boolean", value)
        case int() | float():
            return AttributeValue("number", checked_number(value))
        case str():
            moment = None if is_text else time_of(value)
            return AttributeValue("text", _checked_text(value)) if moment is None else AttributeValue("time", moment)
        case list() | tuple() if all(isinstance(each, str) for each in value):
            return AttributeValue("list", _checked_list(value))
    raise AttributeValueInvalid(
        f"{shown_value(value)} is not a boolean, a number, a text or a list of texts.", value=shown_value(value)
    )


def checked_number(value: int | float) -> int | float:
    """Returns a number, as an int if it has no fraction and is at most 2^53, beyond which only a float is valid JSON.

    >>> checked_number(-0.0), checked_number(1e300)
    (0, 1e+300)

    Raises: AttributeValueInvalid: not finite, or not exact.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise AttributeValueInvalid("A number must be finite.", value=str(value))
    if isinstance(value, int) and abs(value) > limits.ATTRIBUTE_WHOLE_NUMBER_MAX:
        raise AttributeValueInvalid(
            f"{printable(str(value)[:64])} is a whole number beyond 2^53, which is not exact. Send it as a text.",
            value=printable(str(value)[:64]),
        )
    is_whole = value == int(value) and abs(value) <= limits.ATTRIBUTE_WHOLE_NUMBER_MAX
    return int(value) if is_whole else value


def _checked_text(text: str) -> str:
    size = _size(text)
    if size > limits.ATTRIBUTE_TEXT_BYTES_MAX:
        raise AttributeValueInvalid(
            f"The text has {size:,} bytes; at most {limits.ATTRIBUTE_TEXT_BYTES_MAX:,} are allowed.",
            value=printable(text[:64]),
        )
    return text


def _checked_list(items: "list[str] | tuple[str, ...]") -> tuple[str, ...]:
    if len(items) > limits.ITEMS_PER_ATTRIBUTE_MAX or sum(map(_size, items)) > limits.ATTRIBUTE_TEXT_BYTES_MAX:
        raise AttributeValueInvalid(
            f"A list has at most {limits.ITEMS_PER_ATTRIBUTE_MAX} items and {limits.ATTRIBUTE_TEXT_BYTES_MAX:,} bytes.",
            value=shown_value(items),
        )
    return tuple(items)


def _size(text: str) -> int:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise AttributeValueInvalid("The text is not Unicode.", value=printable(text[:64])) from None
    if "\0" in text:
        raise AttributeValueInvalid("A text must not contain the character U+0000.", value=printable(text[:64]))
    return size


def time_of(text: str) -> int | None:
    """Returns the milliseconds since 1970 of an ISO 8601 date, or of a time with a time zone; None for other texts.

    >>> time_of("1970-01-01T01:00:00+01:00"), time_of("2026-02-30"), time_of("10:00")
    (0, None, None)
    """
    if not _TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    try:
        return milliseconds_at(moment.astimezone(UTC))
    except OverflowError:
        return None


def plain(value: AttributeValue) -> Any:
    """Returns a value as JSON. A time is RFC 3339 in UTC, with milliseconds.

    >>> plain(AttributeValue("time", 86_400_000))
    '1970-01-02T00:00:00.000Z'
    """
    match value.type:
        case "time":
            assert isinstance(value.data, int), "a time is a whole number"
            return text_of_milliseconds(value.data)
        case "list":
            assert isinstance(value.data, tuple), "a list is a tuple"
            return list(value.data)
        case "boolean" | "number" | "text":
            return value.data
        case _:
            assert_never(value.type)


def plain_attributes(values: Attributes) -> dict[str, Any]:
    """Returns values as JSON, by name in alphabetical order."""
    return {name: plain(values[name]) for name in sorted(values)}


def shown_value(value: Any) -> str:
    """Returns the beginning of a value as JSON, for a message."""
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError):
        text = type(value).__name__
    return printable(text if len(text) <= 64 else f"{text[:64]}…")


def flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested fields as fields of one level, with names joined by `.`.

    >>> flattened({"company": {"name": "Acme", "address": {"city": "Bonn"}}, "age": 3})
    {'company.name': 'Acme', 'company.address.city': 'Bonn', 'age': 3}
    """
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = [*values.items()][::-1]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping) and value:
            waiting.extend((f"{name}.{inner}", each) for inner, each in [*value.items()][::-1])
        else:
            found[name] = value
    return found
