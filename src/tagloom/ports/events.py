"""The port that reads events."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from tagloom.ports.pages import Page
from tagloom.words.changes import Version
from tagloom.words.events import EventTypeRecord, PersonEvent, RecordedEvent
from tagloom.words.people import Person
from tagloom.words.rules import Definition


class EventSelection(msgspec.Struct, frozen=True, kw_only=True):
    """Selects events. A field that is None or empty selects all.

    Each of `events` is a type, a category for all its types, or `*` for all types. The events happened at `since` or
    later, and before `until`, in milliseconds since 1970. They are those of one person, or of the members of a tribe.
    They were recorded by the versions from `first_version` to `last_version`.
    """

    events: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    person: Person | None = None
    tribe: Definition | None = None
    first_version: int = 1
    last_version: int | None = None


class Events(Protocol):
    """The event log of one environment."""

    def merge_event_blocks(self) -> int:
        """Merges some small parts of the stored log into one. Returns how many; 0 if there is nothing to merge.

        Does not change the results of reads.
        """

    def list_events(self, person: Person, *, limit: int, cursor: str | None = None) -> Page[RecordedEvent]:
        """Returns the events of a person, the last recorded first. A person without events has none.

        Raises: PersonNotFound; CursorInvalid.
        """

    def list_recent_events(
        self, actor: str | None = None, *, limit: int, cursor: str | None = None
    ) -> Page[PersonEvent]:
        """Returns all events, or those that an actor recorded, the last recorded first.

        Raises: CursorInvalid.
        """

    def stream_events(
        self, selection: EventSelection, tribes: Mapping[str, Definition]
    ) -> tuple[Version, Iterator[Sequence[PersonEvent]]]:
        """Returns a version, and the selected events up to this version, in the order of recording, a chunk at a time.

        The version is the newest one that this process has read, or `last_version` if that is lower. Events of
        people who are erased meanwhile are left out. Raises: PersonNotFound.
        """

    def list_event_types(self) -> tuple[EventTypeRecord, ...]:
        """Returns the types of all recorded events, in alphabetical order."""
