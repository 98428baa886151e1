"""The bounds of the properties of an event."""

from typing import Any

import msgspec

from tagloom.events import limits
from tagloom.files.json_objects import fields_and_levels


def in_one_line(properties: bytes) -> bytes:
    """Returns properties without line ends between their values. Numbers keep their digits."""
    if b"\n" in properties or b"\r" in properties:
        return bytes(msgspec.json.format(properties, indent=-1))
    return properties


def fault_of_properties(properties: dict[str, Any], written: bytes) -> str:
    """Returns what is wrong with the number or the nesting of properties, or an empty text.

    `written` is their JSON text.
    """
    is_flat = written.count(b"{") <= 1 and b"[" not in written
    fields, levels = (len(properties), 1) if is_flat else fields_and_levels(properties)
    if fields > limits.PROPERTIES_PER_EVENT_MAX:
        return f"has {fields:,} properties; at most {limits.PROPERTIES_PER_EVENT_MAX} are allowed"
    if levels > limits.LEVELS_PER_PROPERTY_MAX:
        return f"has properties on {levels} levels; at most {limits.LEVELS_PER_PROPERTY_MAX} are allowed"
    return ""
