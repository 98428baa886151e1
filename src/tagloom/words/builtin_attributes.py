"""The built-in attributes: those whose names and types Tagloom decides, with their descriptions.

This table is the one place that knows them. Their names are reserved: only Tagloom sets those with a `$`.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from tagloom.base.text import printable
from tagloom.words.attributes import AttributeName, AttributeType
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.problems import AttributeReserved, AttributeTypeConflict

Provider = Literal["context", "events", "anybody"]
"""What sets a built-in attribute.

- "context": Tagloom derives it from the context of events, see `tagloom.tracking.client_context`.
- "events": Tagloom computes it from the events of a person, see `tagloom.words.computed_attributes`.
- "anybody": it is set like every other attribute. Only its type is decided.
"""


class BuiltinAttribute(NamedTuple):
    """One built-in attribute. An environment has it from its first value on."""

    name: AttributeName
    type: AttributeType
    description: str
    provider: Provider


DEVICE_TYPE = AttributeName("$device_type")
OS = AttributeName("$os")
BROWSER = AttributeName("$browser")
LANGUAGE = AttributeName("$language")
COUNTRY = AttributeName("$country")
CONTINENT = AttributeName("$continent")
JOINED_AT = AttributeName("joined_at")

_TABLE: Final = (
    BuiltinAttribute(
        DEVICE_TYPE,
        "text",
        "The kind of the last device: desktop, mobile, tablet, tv, console, wearable or bot. Built in.",
        "context",
    ),
    BuiltinAttribute(OS, "text", "The operating system of the last device, such as iOS. Built in.", "context"),
    BuiltinAttribute(BROWSER, "text", "The browser on the last device, such as Firefox. Built in.", "context"),
    BuiltinAttribute(
        LANGUAGE,
        "text",
        "The language of the last app or page, as two or three letters, such as de. Built in.",
        "context",
    ),
    BuiltinAttribute(
        COUNTRY, "text", "The country of the last address, by ISO 3166-1, such as DE. Built in.", "context"
    ),
    BuiltinAttribute(
        CONTINENT, "text", "The continent of the last address: AF, AN, AS, EU, NA, OC or SA. Built in.", "context"
    ),
    BuiltinAttribute(JOINED_AT, "time", "When the person joined.", "anybody"),
    *(BuiltinAttribute(name, each.type, each.description, "events") for name, each in COMPUTED_ATTRIBUTES.items()),
)
BUILTIN_ATTRIBUTES: Final[Mapping[str, BuiltinAttribute]] = {each.name: each for each in _TABLE}
RESERVED_NAMES: Final = frozenset(each.name for each in _TABLE if each.provider != "anybody")
"""The names of the attributes that only Tagloom sets."""


def check_settable(name: AttributeName) -> None:
    """Checks that an attribute can be set from outside. Raises: AttributeReserved."""
    if name in RESERVED_NAMES:
        raise AttributeReserved(
            f"Only Tagloom sets the attribute '{printable(name)}', which is built in.", value=printable(name)
        )


def check_deletable(name: AttributeName) -> None:
    """Checks that an attribute can be deleted: a computed one has no stored values. Raises: AttributeReserved."""
    if name in COMPUTED_ATTRIBUTES:
        check_settable(name)


def check_new(name: AttributeName, type: AttributeType) -> None:
    """Checks that an attribute which does not exist yet can have a type. Raises: AttributeTypeConflict."""
    fixed = type_of_new(name)
    if fixed is not None and type != fixed:
        raise AttributeTypeConflict(
            f"The attribute '{printable(name)}' is built in and always has the type {fixed}.",
            value=printable(name),
            value_type=fixed,
        )


def type_of_new(name: AttributeName) -> AttributeType | None:
    """Returns the type of an attribute which does not exist yet, or None if its first value decides.

    >>> type_of_new(AttributeName("joined_at")), type_of_new(AttributeName("plan"))
    ('time', None)
    """
    found = BUILTIN_ATTRIBUTES.get(name)
    return None if found is None else found.type


def description_of_new(name: AttributeName) -> str:
    """Returns the description of an attribute which does not exist yet; empty if it is not built in."""
    found = BUILTIN_ATTRIBUTES.get(name)
    return "" if found is None else found.description
