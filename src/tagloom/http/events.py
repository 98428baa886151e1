"""Events: recorded in bulk, and those of one person."""

from tagloom.events import limits
from tagloom.events.event_encoding import encode_events
from tagloom.events.event_exports import EventQuery
from tagloom.events.event_items import event_item, event_type_item, person_event_item
from tagloom.events.recording import FORMAT_OF_CONTENT_TYPE, EventOrder
from tagloom.http.framework.bodies import format_of_content_type, read_body, received
from tagloom.http.framework.body_headers import declared_compression, declared_encoding
from tagloom.http.framework.context import Answer, Call, Stream
from tagloom.http.framework.paging import page_of
from tagloom.http.framework.schemas import EventsPage, EventTypesPage, RecentEventsPage
from tagloom.http.framework.streams import export_format, export_stream
from tagloom.words.people import Kind


async def post_events(call: Call) -> Answer:
    """Records the events of a body as one batch. A bad event is rejected alone."""
    order, environment, recording = _order(call), call.environment, call.services.events
    length = call.header(b"content-length") or ""
    if order.compression is None and length.isdecimal() and int(length) <= limits.EVENTS_BODY_SHARED_BYTES_MAX:
        # Small bodies need no thread of their own, and those that wait at the same time share a commit.
        body = await read_body(call, limits.EVENTS_BODY_SHARED_BYTES_MAX)
        future = await call.state.submit(
            ("events", environment.key),  # Taggings of the environment do not wait for bodies of events.
            lambda: recording.submit(environment, body, order),
            organization=call.principal.organization,
        )
        return Answer(await call.written(future))
    bytes_max = limits.EVENTS_BODY_BYTES_MAX
    return Answer(await received(call, bytes_max, lambda chunks: recording.record(environment, chunks, order)))


def _order(call: Call) -> EventOrder:
    return EventOrder(
        format=format_of_content_type(call, FORMAT_OF_CONTENT_TYPE),
        origin=call.origin,
        dry_run=call.flag("dry_run"),
        idempotency_key=call.idempotency_key(),
        compression=declared_compression(call.header(b"content-encoding")),
        encoding=declared_encoding(call.header(b"content-type")),
    )


async def list_recent_events(call: Call) -> Answer:
    """Returns a page of the events of all people, or of one event source, the last recorded first."""
    environment, source = call.environment, call.find_text("event_source")

    def read() -> RecentEventsPage:
        version = call.services.changes.version(environment)
        if source is not None:
            call.services.event_sources.get_source(environment, source)
        page = call.services.events.list_recent(
            environment, source, limit=call.integer("limit"), cursor=call.find_text("cursor")
        )
        items = tuple(map(person_event_item, page.items))
        return RecentEventsPage(items=items, next_cursor=page.next_cursor, version=version)

    return Answer(await call.in_thread(read))


async def export_events(call: Call) -> Stream:
    """Streams events in the order of recording."""
    environment, format, exports = call.environment, export_format(call), call.services.event_exports
    query = EventQuery(
        event=call.find_text("event"),
        since=call.find_text("since"),
        until=call.find_text("until"),
        person=call.find_person(),
        tribe=call.find_text("tribe"),
    )
    return await export_stream(
        call, lambda: exports.stream(environment, query), lambda chunks: encode_events(chunks, format), format
    )


class EventHandlers:
    """The handlers for the events of one kind of people."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    async def list_events(self, call: Call) -> Answer:
        """Returns a page of the events of a person, the last recorded first."""
        person, environment = call.person(self.kind), call.environment

        def read() -> EventsPage:
            version = call.services.changes.version(environment)
            page = call.services.events.list_events(
                environment, person, limit=call.integer("limit"), cursor=call.find_text("cursor")
            )
            items = tuple(map(event_item, page.items))
            return EventsPage(items=items, next_cursor=page.next_cursor, version=version)

        return Answer(await call.in_thread(read))


async def list_event_types(call: Call) -> Answer:
    """Returns a page of event types in alphabetical order."""
    environment = call.environment

    def read() -> EventTypesPage:
        version = call.services.changes.version(environment)
        found, next_cursor = page_of(call, call.services.events.list_types(environment), lambda each: each.type)
        return EventTypesPage(items=tuple(map(event_type_item, found)), next_cursor=next_cursor, version=version)

    return Answer(await call.in_thread(read))


EVENTS_OF_USERS = EventHandlers("user")
EVENTS_OF_VISITORS = EventHandlers("visitor")
