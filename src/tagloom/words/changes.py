"""Versions, and the changes that made them."""

from typing import TypeAlias

import msgspec

from tagloom.words.attributes import AttributeChange

Version: TypeAlias = int
VERSION_MAX = 2**63 - 1  # Databases store a version in 64 bits.

EVENTS = "events"
"""The action of versions that recorded events. Lists of changes leave them out, unless this action is asked for."""

IDENTIFY = "identify"
"""The action of versions that set the attributes of recorded events."""

LINK = "link"
"""The action of versions that linked visitors to users."""

JOIN = "join"
"""The action of versions that joined users."""

SETTLE = "settle link"
"""The action of versions that decided about an open link."""

SEPARATE = "separate"
"""The action of versions that removed one link."""

EXPIRY = "expiry"
"""The action of versions that removed expired taggings."""

START = "start"
"""The action of versions that added scheduled taggings at their start."""

DELETE_PEOPLE = "delete people"
"""The action of versions that erased several people."""


class Origin(msgspec.Struct, frozen=True):
    """The writer of a batch: `actor` is the name of a token or a teammate, and `source` is a file or an interface."""

    actor: str
    source: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One version: its action, actor and effect. In a list for one person, `tags_*` are the tags of this person.

    `tags_renewed` are tags that the person had before and after, with a new expiry. `tags_scheduled` are tags that the
    person gets later, and `tags_unscheduled` those that the person no longer gets. `scheduled` counts the taggings that
    were scheduled. `undoes` is the version that this
    version undid. If it undid several versions, `undoes_count` is their number. A compacted version cannot be undone.
    It lists only the tags that somebody still had at the horizon, and no attributes. `events` counts the recorded
    events. `attributes` counts the values of attributes that changed, and `attribute_changes` has those of the person
    in a list for one, by name. If an undo changes two attributes of one name, the removed value comes first.
    """

    version: Version
    at: str
    action: str
    actor: str
    source: str
    added: int
    removed: int
    new_people: int
    undoes: Version | None = None
    undone_by: Version | None = None
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    undoes_count: int = 0
    tags_renewed: tuple[str, ...] = ()
    is_compacted: bool = False
    events: int = 0
    attributes: int = 0
    attribute_changes: tuple[AttributeChange, ...] = ()
    scheduled: int = 0
    tags_scheduled: tuple[str, ...] = ()
    tags_unscheduled: tuple[str, ...] = ()


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """The version, and its time, from which on history is complete. If all history is complete, this is version 0.

    Version 0 has no time.
    """

    version: Version = 0
    at: str | None = None


class Freed(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of changes and of bytes of their bitmaps that a compaction deletes from the log, or would delete.

    `versions` counts the versions at or below the new horizon. `is_all` is False if there is more to read, or to
    delete.
    """

    horizon: Horizon
    versions: int = 0
    changes: int = 0
    bytes: int = 0
    is_all: bool = True
