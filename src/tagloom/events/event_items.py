"""Events and event types in the form in which the API and the command line show them."""

from typing import Annotated, Any

import msgspec

from tagloom.base.times import text_of_milliseconds
from tagloom.words.changes import Version
from tagloom.words.events import EventTypeRecord, PersonEvent, RecordedEvent
from tagloom.words.people import user_and_visitor

# Without `additionalProperties`, generated clients assume that an object has no fields.
Properties = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object", "additionalProperties": True})]


class EventItem(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded event. `original_at` is the time that the sender gave, if it was corrected.

    `received_at` is the time of its `version`, and `sent_at` the time at which the sender sent it, if known. The
    properties are exactly as the sender wrote them.
    """

    event: str
    at: str
    id: str
    properties: Properties
    received_at: str
    version: Version
    original_at: str | None = None
    sent_at: str | None = None


class PersonEventItem(EventItem, frozen=True, kw_only=True):
    """A recorded event with its person: `user` or `visitor`."""

    user: str | None = None
    visitor: str | None = None


class EventTypeItem(msgspec.Struct, frozen=True, kw_only=True):
    """An event type, the number of its events, and the times of the first and the last one."""

    event: str
    events: int
    first_at: str
    last_at: str


def event_item(event: RecordedEvent) -> EventItem:
    """Returns the form of an event."""
    return EventItem(**_fields(event))


def person_event_item(found: PersonEvent) -> PersonEventItem:
    """Returns the form of an event with its person."""
    user, visitor = user_and_visitor(found.person)
    return PersonEventItem(**_fields(found.event), user=user, visitor=visitor)


def _fields(event: RecordedEvent) -> dict[str, Any]:
    return {
        "event": event.type,
        "at": text_of_milliseconds(event.at),
        "id": event.id,
        "properties": msgspec.Raw(event.properties),
        "received_at": text_of_milliseconds(event.received_at),
        "version": event.version,
        "original_at": None if event.original_at is None else text_of_milliseconds(event.original_at),
        "sent_at": None if event.sent_at is None else text_of_milliseconds(event.sent_at),
    }


def event_type_item(record: EventTypeRecord) -> EventTypeItem:
    """Returns the form of an event type."""
    return EventTypeItem(
        event=record.type,
        events=record.events,
        first_at=text_of_milliseconds(record.first_at),
        last_at=text_of_milliseconds(record.last_at),
    )
