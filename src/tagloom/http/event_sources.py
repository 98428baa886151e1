"""Event sources of an environment, their keys and their rejected messages."""

from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.etags import etag, expected_revision, required_if_match
from tagloom.http.framework.paging import page_of
from tagloom.http.framework.schemas import EventSourcesPage, NewEventSource, NewSecretKey, RejectedMessagesPage
from tagloom.ports.problems import EventSourceChanged
from tagloom.words.event_sources import EventSourceDraft


async def list_event_sources(call: Call) -> Answer:
    """Returns a page of event sources by id."""
    environment = call.environment
    found = await call.in_thread(lambda: call.services.event_sources.list_sources(environment))
    items, next_cursor = page_of(call, found, lambda source: source.id)
    return Answer(EventSourcesPage(items=items, next_cursor=next_cursor))


async def create_event_source(call: Call) -> Answer:
    """Creates an event source with a write key."""
    environment, by = call.environment, call.principal.name
    body = await read_json(call, NewEventSource)
    draft = EventSourceDraft(**{name: getattr(body, name) for name in EventSourceDraft.__struct_fields__})
    sources = call.services.event_sources
    created = await call.in_thread(lambda: sources.create_source(environment, body.id, draft, by=by))
    place = f"/v2/spaces/{environment.space}/environments/{environment.name}/event-sources/{created.id}"
    return Answer(created, status=201, headers=((b"location", place.encode("ascii")), etag(created.revision)))


async def get_event_source(call: Call) -> Answer:
    """Returns one event source."""
    environment, source = call.environment, call.values["source"]
    found = await call.in_thread(lambda: call.services.event_sources.get_source(environment, source))
    return Answer(found, headers=(etag(found.revision),))


async def put_event_source(call: Call) -> Answer:
    """Replaces the settings of the event source if If-Match matches."""
    environment, source, by = call.environment, call.values["source"], call.principal.name
    expected = required_if_match(call, "event source")
    draft = await read_json(call, EventSourceDraft)
    sources = call.services.event_sources
    stored = await call.in_thread(lambda: sources.get_source(environment, source))
    revision = expected_revision(stored.revision, expected, EventSourceChanged, f"The event source '{source}'")
    changed = await call.in_thread(lambda: sources.put_source(environment, source, draft, revision=revision, by=by))
    return Answer(changed, headers=(etag(changed.revision),))


async def delete_event_source(call: Call) -> Answer:
    """Deletes the event source and its keys."""
    environment, source, by = call.environment, call.values["source"], call.principal.name
    await call.in_thread(lambda: call.services.event_sources.delete_source(environment, source, by=by))
    return Answer(None, status=204)


async def replace_write_key(call: Call) -> Answer:
    """Gives the event source a new write key."""
    environment, source, by = call.environment, call.values["source"], call.principal.name
    sources = call.services.event_sources
    changed = await call.in_thread(lambda: sources.replace_write_key(environment, source, by=by))
    return Answer(changed, headers=(etag(changed.revision),))


async def create_secret_key(call: Call) -> Answer:
    """Gives the event source a new secret key."""
    environment, source, by = call.environment, call.values["source"], call.principal.name
    sources = call.services.event_sources
    key = await call.in_thread(lambda: sources.create_secret_key(environment, source, by=by))
    return Answer(NewSecretKey(secret_key=key), status=201)


async def revoke_secret_key(call: Call) -> Answer:
    """Revokes the secret key of the event source."""
    environment, source, by = call.environment, call.values["source"], call.principal.name
    await call.in_thread(lambda: call.services.event_sources.revoke_secret_key(environment, source, by=by))
    return Answer(None, status=204)


async def create_identity_secret(call: Call) -> Answer:
    """Adds an identity secret to the event source."""
    environment, source, by = call.environment, call.values["source"], call.principal.name
    sources = call.services.event_sources
    created = await call.in_thread(lambda: sources.create_identity_secret(environment, source, by=by))
    return Answer(created, status=201, headers=((b"cache-control", b"no-store"),))


async def delete_identity_secret(call: Call) -> Answer:
    """Deletes an identity secret of the event source."""
    environment, source, by = call.environment, call.values["source"], call.principal.name
    secret, sources = call.values["identity_secret"], call.services.event_sources
    await call.in_thread(lambda: sources.delete_identity_secret(environment, source, secret, by=by))
    return Answer(None, status=204)


async def list_rejected_messages(call: Call) -> Answer:
    """Returns a page of rejected messages, the newest first."""
    environment, source = call.environment, call.values["source"]
    before, limit = call.find_integer("before"), call.integer("limit")
    sources = call.services.event_sources
    found = await call.in_thread(lambda: sources.list_rejected(environment, source, before=before, limit=limit))
    return Answer(RejectedMessagesPage(items=found))
