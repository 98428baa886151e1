"""The port that reads events."""

from typing import Protocol

from tagloom.ports.pages import Page
from tagloom.words.events import EventTypeRecord, RecordedEvent
from tagloom.words.people import Person


class EventReads(Protocol):
    """The reads of the event log of one environment."""

    def list_events(self, person: Person, *, limit: int, cursor: str | None = None) -> Page[RecordedEvent]:
        """Returns the events of a person, the last recorded first. A person without events has none.

        Raises: PersonNotFound; CursorInvalid.
        """

    def list_event_types(self) -> tuple[EventTypeRecord, ...]:
        """Returns the types of all recorded events, in alphabetical order."""
