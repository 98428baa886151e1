"""The port that reads events."""

from typing import Protocol

from tagloom.ports.pages import Page
from tagloom.words.events import EventTypeRecord, PersonEvent, RecordedEvent
from tagloom.words.people import Person


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

    def list_event_types(self) -> tuple[EventTypeRecord, ...]:
        """Returns the types of all recorded events, in alphabetical order."""
