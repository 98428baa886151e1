"""The routes of events."""

from tagloom.events.recording import FORMAT_OF_CONTENT_TYPE
from tagloom.http import events
from tagloom.http.events import EVENTS_OF_USERS, EVENTS_OF_VISITORS, EventHandlers
from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import AT_LEAST, CURSOR, DRY_RUN, LIMIT, Parameter
from tagloom.http.framework.routing import Route
from tagloom.http.framework.schemas import EventsPage, EventTypesPage, RecentEventsPage
from tagloom.http.problems import NotAcceptable
from tagloom.http.routes.people import EXPORTS, IDEMPOTENCY_KEY, SOURCE
from tagloom.ports.problems import (
    CursorInvalid,
    EventsNotCounted,
    EventSourceNotFound,
    IdempotencyKeyReused,
    PersonNotFound,
    TribeNotFound,
)
from tagloom.words.problems import PersonIdInvalid, TribeNeedsContext
from tagloom.words.receipts import Receipt

EVENT_SOURCE = Parameter(name="event_source", description="Only events of this event source.")


def _of_person(handlers: EventHandlers) -> Route:
    return Route(
        method="GET",
        path=f"{E}/{handlers.kind}s/{{id}}/events",
        handler=handlers.list_events,
        group="Events",
        summary=f"List the events of a {handlers.kind}, the last recorded first",
        scopes=("events:read", "people:read"),
        parameters=(LIMIT, CURSOR, AT_LEAST),
        answer=EventsPage,
        problems=(PersonIdInvalid, PersonNotFound, CursorInvalid),
    )


EVENTS: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{E}/events",
        handler=events.post_events,
        group="Events",
        summary="Record events",
        description=(
            "All events of the body are one batch. An event has `user` or `visitor`, `event`, and optionally "
            "`properties`, `at` and `id`. An event whose `id` was recorded in the last seven days is a repeat and is "
            "not recorded again. An invalid event is rejected alone and listed with its line. Unknown people are "
            "created. Recorded events cannot be undone. A body can be compressed by gzip or zstd, as "
            "`Content-Encoding` or its first bytes tell."
        ),
        scopes=("events:write",),
        parameters=(DRY_RUN, SOURCE),
        headers=(IDEMPOTENCY_KEY,),
        bulk=tuple(FORMAT_OF_CONTENT_TYPE),
        answer=Receipt,
        problems=(IdempotencyKeyReused,),
    ),
    Route(
        method="GET",
        path=f"{E}/events",
        handler=events.list_recent_events,
        group="Events",
        summary="List the events of all people, the last recorded first",
        scopes=("events:read", "people:read"),
        parameters=(EVENT_SOURCE, LIMIT, CURSOR, AT_LEAST),
        answer=RecentEventsPage,
        problems=(CursorInvalid, EventSourceNotFound),
    ),
    Route(
        method="GET",
        path=f"{E}/event-types",
        handler=events.list_event_types,
        group="Events",
        summary="List event types with the number of their events",
        scopes=("events:read",),
        parameters=(LIMIT, CURSOR, AT_LEAST),
        answer=EventTypesPage,
        problems=(CursorInvalid,),
    ),
    Route(
        method="GET",
        path=f"{E}/export/events",
        handler=events.export_events,
        group="Events",
        summary="Stream events in the order of recording",
        description=(
            "By type or category, time, person or tribe. `Accept` selects NDJSON, CSV or Parquet. NDJSON can be "
            "recorded again. The header `Tagloom-Version` has the version up to which the events were recorded."
        ),
        scopes=("events:read", "people:read"),
        parameters=(
            Parameter(name="event", description="Only events of this type, or of this category; `*` for all."),
            Parameter(name="since", description="Only events that happened at this time or later."),
            Parameter(name="until", description="Only events that happened before this time."),
            Parameter(name="user", description="Only events of this user."),
            Parameter(name="visitor", description="Only events of this visitor."),
            Parameter(name="tribe", description="Only events of the members of this tribe."),
            AT_LEAST,
        ),
        answer_types=EXPORTS,
        problems=(NotAcceptable, PersonIdInvalid, PersonNotFound, TribeNotFound, TribeNeedsContext, EventsNotCounted),
    ),
    _of_person(EVENTS_OF_USERS),
    _of_person(EVENTS_OF_VISITORS),
)
