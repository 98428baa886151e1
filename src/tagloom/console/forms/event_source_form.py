"""Converts between the settings of an event source and the fields of a form, which have one entry a line.

A public key has several lines.
"""

from collections.abc import Callable

import msgspec

from tagloom.base.problems import BodyInvalid, Problem
from tagloom.base.text import printable
from tagloom.words.event_sources import EventSourceDraft
from tagloom.words.problems import EventTypeInvalid

_PEM_END = "-----END PUBLIC KEY-----"


class SourceFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the settings, as they were typed."""

    name: str = ""
    origins: str = ""
    event_types: str = ""
    ignored_properties: str = ""
    identity_public_keys: str = ""
    derives_attributes: str = ""


def shown_settings(draft: EventSourceDraft) -> SourceFields:
    """Returns the fields of the settings.

    >>> shown_settings(EventSourceDraft(name="Shop", event_types={"Checkout Done": "order/placed"})).event_types
    'Checkout Done = order/placed'
    """
    return SourceFields(
        name=draft.name,
        origins="\n".join(draft.origins),
        event_types="\n".join(f"{name} = {type}" for name, type in draft.event_types.items()),
        ignored_properties="\n".join(draft.ignored_properties),
        identity_public_keys="\n".join(draft.identity_public_keys),
        derives_attributes="yes" if draft.derives_attributes else "",
    )


def read_settings(text: Callable[[str], str]) -> SourceFields:
    """Reads the fields as they were typed."""
    return SourceFields(**{name: text(name).replace("\r\n", "\n") for name in SourceFields.__struct_fields__})


def settings_of(fields: SourceFields, stored: EventSourceDraft) -> EventSourceDraft:
    """Returns the settings of the fields. A field that nobody edited keeps its stored value to the letter.

    Raises: BodyInvalid: a line of the event names cannot be read.
    """
    shown = shown_settings(stored)
    return EventSourceDraft(
        name=fields.name,
        origins=stored.origins if fields.origins == shown.origins else _entries(fields.origins),
        event_types=(
            stored.event_types if fields.event_types == shown.event_types else _event_types(fields.event_types)
        ),
        ignored_properties=(
            stored.ignored_properties
            if fields.ignored_properties == shown.ignored_properties
            else _entries(fields.ignored_properties)
        ),
        identity_public_keys=(
            stored.identity_public_keys
            if fields.identity_public_keys == shown.identity_public_keys
            else _public_keys(fields.identity_public_keys)
        ),
        derives_attributes=fields.derives_attributes == "yes",
    )


def _public_keys(text: str) -> tuple[str, ...]:
    """Returns the keys of a text in PEM. What follows the last one counts as a key, too."""
    *keys, rest = text.split(_PEM_END)
    return (*(f"{key.strip()}\n{_PEM_END}" for key in keys), *filter(None, [rest.strip()]))


def _entries(text: str) -> tuple[str, ...]:
    return tuple(line for _, line in _lines(text))


def _event_types(text: str) -> dict[str, str]:
    """Returns the types by event name. A name can contain `=`, and a type cannot."""
    found: dict[str, str] = {}
    for number, line in _lines(text):
        name, separator, type = (part.strip() for part in line.rpartition("="))
        if not (separator and name and type):
            raise _wrong_line(number, line, "is not a name and a type, such as 'Checkout Done = order/placed'")
        if name in found:
            raise _wrong_line(number, name, "has a type in a line above")
        found[name] = type
    return found


def _wrong_line(number: int, value: str, says: str) -> BodyInvalid:
    return BodyInvalid(f"Line {number}: '{printable(value)}' {says}.", field="$.event_types", value=printable(value))


def _lines(text: str) -> list[tuple[int, str]]:
    """Returns the lines that are not blank, with their numbers from 1."""
    stripped = ((number, line.strip()) for number, line in enumerate(text.split("\n"), start=1))
    return [(number, line) for number, line in stripped if line]


def field_of(problem: Problem) -> str:
    """Returns the field of the form that a problem is about; empty for the whole form."""
    if isinstance(problem, EventTypeInvalid):
        return "event_types"
    field = str(problem.members.get("field", "")).removeprefix("$.")
    return field if field in SourceFields.__struct_fields__ else ""
