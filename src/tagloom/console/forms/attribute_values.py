"""Values of attributes as people type them in a form, and as pages show them."""

from datetime import UTC, datetime
from typing import Any, assert_never

import msgspec

from tagloom.base.text import printable
from tagloom.console.forms.attribute_conditions import is_as_typed, items_of, unquoted
from tagloom.console.forms.context_values import number_of
from tagloom.console.forms.times import read_moment, shown_day, shown_moment
from tagloom.words.attributes import AttributeType, AttributeValue, parse_value, plain, time_of
from tagloom.words.problems import AttributeValueInvalid, RuleInvalid

TYPES: dict[AttributeType, str] = {
    "text": "text",
    "number": "number",
    "boolean": "yes or no",
    "time": "time",
    "list": "list of texts",
}
_BOOLEANS = {"yes": True, "true": True, "no": False, "false": False}


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A value as a page shows it: the items of a list, or one text. `at` is the time of an attribute of times."""

    text: str
    items: tuple[str, ...] | None = None
    at: str | None = None


def shown(value: Any, type: AttributeType | None) -> Shown:
    """Returns a value, which is plain JSON, as a page shows it. `type` is None if it is unknown.

    >>> shown(1204331, "number").text, shown(True, "boolean").text, shown(["a", "b"], "list").items
    ('1,204,331', 'yes', ('a', 'b'))
    >>> shown("2026-11-03T10:05:00.000Z", "time").text, shown("2026-11-03T00:00:00.000Z", "time").text
    ('3 Nov 2026, 10:05 UTC', '3 Nov 2026')
    """
    match value:
        case bool():
            return Shown(text="yes" if value else "no")
        case int() | float():
            return Shown(text=f"{value:,}")
        case list() | tuple():
            return Shown(text=", ".join(value), items=tuple(value))
        case _ if type == "time" and (moment := _moment(str(value))) is not None:
            day = f"{moment.day} {moment:%b} {moment.year}"
            is_day = not (moment.hour or moment.minute or moment.second or moment.microsecond)
            return Shown(text=day if is_day else f"{day}, {moment:%H:%M} UTC", at=str(value))
    return Shown(text=str(value))


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def written(value: AttributeValue) -> str:
    """Returns the text that a form shows for a value. `typed_value` returns the same value.

    >>> written(AttributeValue("list", ("a", "b, c"))), written(AttributeValue("boolean", True))
    ('a, "b, c"', 'yes')
    """
    found = plain(value)
    match value.type:
        case "boolean":
            return "yes" if found else "no"
        case "number":
            return str(found)
        case "text":
            return found if is_as_typed(found) else _json(found)
        case "time":
            if not found.endswith(":00.000Z"):
                return str(found)
            return shown_day(found[:10]) if found.endswith("T00:00:00.000Z") else shown_moment(found[:16])
        case "list":
            return ", ".join(each if is_as_typed(each) and "," not in each else _json(each) for each in found)
        case _:
            assert_never(value.type)


def typed_value(text: str, type: AttributeType) -> AttributeValue:
    """Returns the value of a typed text. A text in double quotes is the text inside.

    >>> typed_value("29 Nov 2026", "time") == typed_value("2026-11-29", "time")
    True
    >>> typed_value("a, b", "list").data, typed_value("no", "boolean").data
    (('a', 'b'), False)

    Raises: AttributeValueInvalid.
    """
    try:
        return parse_value(_typed(text.strip(), type), type)
    except RuleInvalid as problem:
        raise AttributeValueInvalid(problem.detail, value=printable(text[:64])) from problem


def _typed(text: str, type: AttributeType) -> Any:
    match type:
        case "boolean":
            found = _BOOLEANS.get(text.lower())
            if found is None:
                raise AttributeValueInvalid("Enter yes or no.", value=printable(text[:64]))
            return found
        case "number":
            if not text:
                raise AttributeValueInvalid("Enter a number.", value="")
            return number_of(text)
        case "text":
            if not text:
                raise AttributeValueInvalid('Enter a text. An empty text is "".', value="")
            return unquoted(text) if text.startswith('"') else text
        case "time":
            return _typed_time(text)
        case "list":
            return [unquoted(each) if each.startswith('"') else each for each in items_of(text)]
        case _:
            assert_never(type)


def _typed_time(text: str) -> AttributeValue:
    """Returns the time of a text. A time without a zone is in UTC."""
    for each in (text, f"{text}Z", f"{read_moment(text)}Z"):
        moment = time_of(each)
        if moment is not None:
            return AttributeValue("time", moment)
    raise AttributeValueInvalid("Enter a time such as 29 Nov 2026, 10:05, or a day.", value=printable(text[:64]))


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
