"""Events: the event types of an environment, and the events that were recorded last."""

import hashlib
from collections.abc import Iterable
from contextlib import suppress

import msgspec

from tagloom.base.text import printable
from tagloom.base.times import text_of_milliseconds
from tagloom.console.framework.context import Answer, Html, PageRequest
from tagloom.words.events import PersonEvent
from tagloom.words.people import Person

TYPES_PER_PAGE = 100
EVENTS_PER_PAGE = 25
CHARACTERS_IN_FULL_MAX = 8_000  # The characters of indented JSON in a table.
LEVELS_INDENTED_MAX = 100  # Brackets of JSON that is indented. Each level makes all lines below it longer.
CHARACTERS_SHOWN = 90  # The characters of properties, or of a message, in one line of a table.
# An event that happened within this time before it was recorded has only one time in a list.
LATE_MILLISECONDS = 60_000


class ShownText(msgspec.Struct, frozen=True):
    """A text in a table: in one line, and in full if the line does not have all of it."""

    line: str
    full: str = ""


class ShownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event in a list. `id` identifies its row. `at` is None if the event happened when it was recorded."""

    id: str
    person: Person
    type: str
    recorded_at: str
    at: str | None
    is_corrected: bool
    properties: ShownText | None


class ShownType(msgspec.Struct, frozen=True, kw_only=True):
    """An event type in a list."""

    type: str
    events: int
    first_at: str
    last_at: str


def events(request: PageRequest) -> Answer:
    """Lists the event types that match the search, and the events that were recorded last."""
    search = request.text("search").strip()
    listed = _types(request)
    found = [each for each in listed if search.casefold() in each.type.casefold()]
    after = request.text("after")
    rest = [each for each in found if each.type > after]
    recent = request.services.events.list_recent(
        request.environment, limit=EVENTS_PER_PAGE, cursor=request.text("cursor") or None
    )
    context = {
        "title": "Events",
        "breadcrumb": [("Developer", request.to("tags")), ("Events", None)],
        "search": search,
        "is_used": bool(listed),
        "types": rest[:TYPES_PER_PAGE],
        "has_more": len(rest) > TYPES_PER_PAGE,
        "total": len(found),
        "events": shown_events(recent.items),
        "next_cursor": recent.next_cursor,
    }
    parts = {
        "event-types": "event_types.html",
        "event-type-rows": "event_type_rows.html",
        "recent-event-rows": "recent_event_rows.html",
    }
    return Html(parts.get(request.target or "", "events.html"), context)


def _types(request: PageRequest) -> list[ShownType]:
    """Returns the event types, by code points: "Show more" continues after the last one that is shown."""
    listed = [
        ShownType(
            type=each.type,
            events=each.events,
            first_at=text_of_milliseconds(each.first_at),
            last_at=text_of_milliseconds(each.last_at),
        )
        for each in request.services.events.list_types(request.environment)
    ]
    return sorted(listed, key=lambda each: each.type)


def shown_events(found: Iterable[PersonEvent]) -> list[ShownEvent]:
    """Returns events as lists show them."""
    return [_shown(each) for each in found]


def _shown(each: PersonEvent) -> ShownEvent:
    event = each.event
    is_late = abs(event.received_at - event.at) > LATE_MILLISECONDS
    return ShownEvent(
        id=_row_id(each),
        person=each.person,
        type=event.type,
        recorded_at=text_of_milliseconds(event.received_at),
        at=text_of_milliseconds(event.at) if is_late else None,
        is_corrected=event.original_at is not None,
        properties=_shown_properties(event.properties),
    )


def _row_id(each: PersonEvent) -> str:
    """Returns the id of the row of an event. It has only letters and digits, and ids of senders have more."""
    name = f"{each.event.version} {each.person.kind} {each.person.id} {each.event.id}"
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _shown_properties(properties: bytes) -> ShownText | None:
    """Returns properties as JSON; None if there are none."""
    line = msgspec.json.format(properties, indent=0).decode("utf-8")
    if line == "{}":
        return None
    return shown_text(line)


def shown_text(text: str) -> ShownText:
    """Returns a JSON text, or another text, as a table shows it: in one line, and with line breaks if it is longer."""
    line = printable(text[:CHARACTERS_SHOWN])
    return ShownText(line) if len(text) <= CHARACTERS_SHOWN else ShownText(f"{line}…", _indented(text))


def _indented(text: str) -> str:
    """Returns the beginning of a text, indented if it is JSON of few levels."""
    if text.count("{") + text.count("[") <= LEVELS_INDENTED_MAX:
        with suppress(msgspec.DecodeError):
            text = msgspec.json.format(text, indent=2)
    return text if len(text) <= CHARACTERS_IN_FULL_MAX else f"{text[:CHARACTERS_IN_FULL_MAX]}…"
