"""The bounds of the properties of an event."""

from typing import Any, NamedTuple

import msgspec

from tagloom.events import limits
from tagloom.files.json_values import fields_and_levels


def in_one_line(properties: bytes) -> bytes:
    """Returns properties without line ends between their values. Numbers keep their digits."""
    if b"\n" in properties or b"\r" in properties:
        return bytes(msgspec.json.format(properties, indent=-1))
    return properties


class PropertiesSize(NamedTuple):
    """The number of properties on all levels, and the number of their levels."""

    fields: int
    levels: int


def size_of_properties(properties: dict[str, Any], written: bytes) -> PropertiesSize:
    """Returns the size of properties. `written` is their JSON text. Flat properties are not walked."""
    if written.count(b"{") <= 1 and b"[" not in written:
        return PropertiesSize(len(properties), 1)
    return PropertiesSize(*fields_and_levels(properties))


def fault_of_size(size: PropertiesSize) -> str:
    """Returns what is wrong with the number or the nesting of properties, or an empty text."""
    fields, levels = size
    if fields > limits.PROPERTIES_PER_EVENT_MAX:
        return f"has {fields:,} properties; at most {limits.PROPERTIES_PER_EVENT_MAX} are allowed"
    if levels > limits.LEVELS_PER_PROPERTY_MAX:
        return f"has properties on {levels} levels; at most {limits.LEVELS_PER_PROPERTY_MAX} are allowed"
    return ""
