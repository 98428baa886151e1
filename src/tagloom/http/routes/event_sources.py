"""The routes of event sources."""

from tagloom.http import event_sources
from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import CURSOR, LIMIT, Parameter
from tagloom.http.framework.routing import Route
from tagloom.http.framework.schemas import EventSourcesPage, NewEventSource, NewSecretKey, RejectedMessagesPage
from tagloom.http.problems import PreconditionRequired
from tagloom.ports.problems import (
    EventSourceChanged,
    EventSourceExists,
    EventSourceNotFound,
    IdentitySecretNotFound,
    TooManyEventSources,
    TooManyIdentitySecrets,
)
from tagloom.words.event_sources import EventSource, EventSourceDraft, NewIdentitySecret
from tagloom.words.problems import EventTypeInvalid

IF_MATCH = Parameter(name="If-Match", description="The ETag of the event source as it was read; * takes any.")
BEFORE = Parameter(name="before", description="Only messages of lower ids.", kind="integer", most=2**53)
SOURCE = f"{E}/event-sources/{{source}}"

EVENT_SOURCES: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{E}/event-sources",
        handler=event_sources.list_event_sources,
        group="Event sources",
        summary="List event sources",
        scopes=("events:read",),
        parameters=(LIMIT, CURSOR),
        answer=EventSourcesPage,
    ),
    Route(
        method="POST",
        path=f"{E}/event-sources",
        handler=event_sources.create_event_source,
        group="Event sources",
        summary="Create an event source with a write key",
        description=(
            "An app that sends events with a client library of Segment or RudderStack. Its pages and programs contain "
            "the write key, which can only send events."
        ),
        scopes=("events:write",),
        body=NewEventSource,
        answer=EventSource,
        status=201,
        problems=(EventTypeInvalid, EventSourceExists, TooManyEventSources),
    ),
    Route(
        method="GET",
        path=SOURCE,
        handler=event_sources.get_event_source,
        group="Event sources",
        summary="Read an event source; its ETag is for If-Match",
        scopes=("events:read",),
        answer=EventSource,
        problems=(EventSourceNotFound,),
    ),
    Route(
        method="PUT",
        path=SOURCE,
        handler=event_sources.put_event_source,
        group="Event sources",
        summary="Replace the settings of an event source",
        scopes=("events:write",),
        headers=(IF_MATCH,),
        body=EventSourceDraft,
        answer=EventSource,
        problems=(EventTypeInvalid, EventSourceNotFound, EventSourceChanged, PreconditionRequired),
    ),
    Route(
        method="DELETE",
        path=SOURCE,
        handler=event_sources.delete_event_source,
        group="Event sources",
        summary="Delete an event source and its keys; its events stay",
        scopes=("events:write",),
        status=204,
        problems=(EventSourceNotFound,),
    ),
    Route(
        method="POST",
        path=f"{SOURCE}/write-key",
        handler=event_sources.replace_write_key,
        group="Event sources",
        summary="Replace the write key; the old one is revoked",
        scopes=("events:write",),
        answer=EventSource,
        problems=(EventSourceNotFound, EventSourceChanged),
    ),
    Route(
        method="POST",
        path=f"{SOURCE}/secret-key",
        handler=event_sources.create_secret_key,
        group="Event sources",
        summary="Create a secret key for servers; an older one is revoked",
        description="The secret key sends larger bodies, from any origin. It is shown only in this answer.",
        scopes=("events:write",),
        answer=NewSecretKey,
        status=201,
        problems=(EventSourceNotFound,),
    ),
    Route(
        method="DELETE",
        path=f"{SOURCE}/secret-key",
        handler=event_sources.revoke_secret_key,
        group="Event sources",
        summary="Revoke the secret key",
        scopes=("events:write",),
        status=204,
        problems=(EventSourceNotFound,),
    ),
    Route(
        method="POST",
        path=f"{SOURCE}/identity-secrets",
        handler=event_sources.create_identity_secret,
        group="Event sources",
        summary="Create an identity secret, which proves user ids",
        description=(
            "The server of the app makes a proof of the id of the user who is signed in: an HMAC by hmac_secret, or a "
            "token (HS256) by token_secret. Both secrets are shown only in this answer. Older identity secrets stay "
            "valid until they are deleted, so that secrets can be replaced step by step."
        ),
        scopes=("events:write",),
        answer=NewIdentitySecret,
        status=201,
        problems=(EventSourceNotFound, TooManyIdentitySecrets),
    ),
    Route(
        method="DELETE",
        path=f"{SOURCE}/identity-secrets/{{identity_secret}}",
        handler=event_sources.delete_identity_secret,
        group="Event sources",
        summary="Delete an identity secret; its proofs are not valid any more",
        scopes=("events:write",),
        status=204,
        problems=(EventSourceNotFound, IdentitySecretNotFound),
    ),
    Route(
        method="GET",
        path=f"{SOURCE}/rejected-messages",
        handler=event_sources.list_rejected_messages,
        group="Event sources",
        summary="List the messages that were rejected, the newest first",
        description="The newest 1,000 messages of the source that were not recorded, each with its reason.",
        scopes=("events:read", "people:read"),
        parameters=(BEFORE, LIMIT),
        answer=RejectedMessagesPage,
        problems=(EventSourceNotFound,),
    ),
)
