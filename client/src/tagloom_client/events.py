"""The requests about events. Each function returns an `Ask`; both clients have it as a method."""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tagloom_client.asking import Ask, Body, Lines, Place, Source, check, line_chunks, query_of, reading
from tagloom_client.models import Event, EventFormat, EventType, ExportFormat, Page, PersonEvent, Receipt
from tagloom_client.paths import CONTENT_TYPES, person_path

_DECODER = msgspec.json.Decoder(PersonEvent)


def record_events(
    place: Place,
    events: Iterable[Mapping[str, Any]],
    *,
    dry_run: bool | None = None,
    source_name: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Records events such as `{"user": "u1", "event": "ad/clicked", "properties": {"ad": 7}}` as one batch.

    `at` (RFC 3339) is the time of an event, by default now. An event whose `id` was recorded in the last seven days is
    not recorded again. Events cannot be undone. A list can be sent again after a failure; a generator cannot.
    """
    whole = b"".join(line_chunks(events)) if isinstance(events, list | tuple) else line_chunks(events)
    return upload_events(
        place,
        whole,
        format="ndjson",
        dry_run=dry_run,
        source_name=source_name,
        idempotency_key=idempotency_key,
    )


def upload_events(
    place: Place,
    source: Source,
    *,
    format: EventFormat,
    dry_run: bool | None = None,
    source_name: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Sends a body of events as one batch, with an idempotency key, so that a retry never records an event twice."""
    return Ask(
        "POST",
        f"{place.address}/events",
        reading(Receipt),
        query=query_of(dry_run=dry_run, source=source_name),
        headers={"Idempotency-Key": idempotency_key or secrets.token_hex(16)},
        body=Body(CONTENT_TYPES[format], source),
    )


def list_events(
    place: Place,
    *,
    user: str | None = None,
    visitor: str | None = None,
    limit: int | None = None,
    at_least: int | None = None,
) -> Ask[Page[Event]]:
    """Lists the events of a person, the last recorded first. `limit` is the size of a page."""
    path = f"{person_path(place, user, visitor)}/events"
    return Ask("GET", path, reading(Page[Event]), query=query_of(limit=limit, at_least=at_least))


def list_recent_events(
    place: Place, *, event_source: str | None = None, limit: int | None = None, at_least: int | None = None
) -> Ask[Page[PersonEvent]]:
    """Lists the events of all people, or only those of an event source, the last recorded first.

    `limit` is the size of a page.
    """
    query = query_of(event_source=event_source, limit=limit, at_least=at_least)
    return Ask("GET", f"{place.address}/events", reading(Page[PersonEvent]), query=query)


def list_event_types(place: Place, *, limit: int | None = None, at_least: int | None = None) -> Ask[Page[EventType]]:
    """Lists the event types in alphabetical order, with the number of their events."""
    path = f"{place.address}/event-types"
    return Ask("GET", path, reading(Page[EventType]), query=query_of(limit=limit, at_least=at_least))


def export_events(
    place: Place,
    *,
    event: str | None = None,
    since: str | None = None,
    until: str | None = None,
    user: str | None = None,
    visitor: str | None = None,
    tribe: str | None = None,
    at_least: int | None = None,
) -> Lines[PersonEvent]:
    """Streams events in the order of recording. Without filters, it streams all events.

    `event` is a type, a category, or `*` for all types. The events happened at `since` or later, and before `until`
    (RFC 3339 times).
    """
    ask = download_events(
        place,
        format="ndjson",
        event=event,
        since=since,
        until=until,
        user=user,
        visitor=visitor,
        tribe=tribe,
        at_least=at_least,
    )
    return Lines(ask, _DECODER.decode)


def download_events(
    place: Place,
    *,
    format: ExportFormat,
    event: str | None = None,
    since: str | None = None,
    until: str | None = None,
    user: str | None = None,
    visitor: str | None = None,
    tribe: str | None = None,
    at_least: int | None = None,
) -> Ask[None]:
    """Downloads events in the order of recording, as the bytes of a file. `export_events` describes the filters."""
    query = query_of(event=event, since=since, until=until, user=user, visitor=visitor, tribe=tribe, at_least=at_least)
    headers = {"Accept": CONTENT_TYPES[format]}
    return Ask("GET", f"{place.address}/export/events", check, query=query, headers=headers)
