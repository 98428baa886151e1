"""Event sources: the list, one source with its keys, snippets and live view, and its settings."""

from typing import Any

import msgspec

from tagloom.base.problems import BodyInvalid, Problem
from tagloom.base.slugs import free_slug
from tagloom.base.text import plural
from tagloom.console.forms.event_source_form import (
    SourceFields,
    field_of,
    read_settings,
    settings_of,
    shown_settings,
)
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.console.views.event_snippets import event_snippets, proof_snippets
from tagloom.console.views.events import ShownText, shown_events, shown_text
from tagloom.console.views.identity_settings import PROOFS
from tagloom.ports.limits import IDENTITY_SECRETS_PER_SOURCE_MAX, REJECTED_MESSAGES_PER_SOURCE_MAX
from tagloom.ports.problems import EventSourceChanged, EventSourceNotFound, TooManyEventSources
from tagloom.tracking import limits
from tagloom.words.event_sources import EventSource, EventSourceDraft
from tagloom.words.problems import EventTypeInvalid

EVENTS_SHOWN = 20
REJECTED_SHOWN = 20


class ShownRejected(msgspec.Struct, frozen=True, kw_only=True):
    """A rejected message in the live view."""

    id: int
    at: str
    detail: str
    message: ShownText


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question before an action that cannot be undone. `page` is below the page of the source."""

    page: str
    here: str
    title: str
    text: str
    button: str


WITHIN = plural(limits.EVENT_SOURCE_SECONDS_CACHED_MAX, "second")
REPLACE_WRITE_KEY = Question(
    page="write-key",
    here="Write key",
    title="Replace the write key of “{}”?",
    text=f"The old key stops working within {WITHIN}. Pages and apps that have it can no longer send events, until you "
    "give them the new key. An app on a phone needs an update. The secret key stays.",
    button="Replace write key",
)
REPLACE_SECRET_KEY = Question(
    page="secret-key",
    here="Secret key",
    title="Replace the secret key of “{}”?",
    text=f"The old key stops working within {WITHIN}. Servers that have it can no longer send events, until you give "
    "them the new key. The write key stays.",
    button="Replace secret key",
)
REVOKE_SECRET_KEY = Question(
    page="secret-key/revoke",
    here="Secret key",
    title="Revoke the secret key of “{}”?",
    text=f"The key stops working within {WITHIN}. Servers that have it can no longer send events. The write key stays.",
    button="Revoke secret key",
)
DELETE = Question(
    page="delete",
    here="Delete",
    title="Delete the source “{}”?",
    text=f"Its keys stop working within {WITHIN}: pages, apps and servers that have them can no longer send events. "
    "Its rejected messages are deleted. Its events stay.",
    button="Delete source",
)


def sources(request: PageRequest) -> Answer:
    """Lists the event sources of the environment."""
    return Html(
        "sources.html",
        {
            "title": "Sources",
            "breadcrumb": [("Developer", request.to("tags")), ("Sources", None)],
            "sources": request.services.event_sources.list_sources(request.environment),
        },
    )


def ask_new(request: PageRequest) -> Answer:
    """Shows the form of a new source."""
    return _new_form(request, "")


def _new_form(request: PageRequest, name: str, problem: Problem | None = None) -> Html:
    context = {
        "title": "New source",
        "breadcrumb": [("Sources", request.to("sources")), ("New source", None)],
        "name": name,
        "problem": problem,
    }
    # The dialog shows the form again, with the problem.
    is_page = problem is not None and request.target is None
    return Html("source_new.html", context, status=problem.status if is_page and problem else 200)


def create(request: PageRequest) -> Answer:
    """Creates a source. Its id is made from its name."""
    name, services = request.text("name"), request.services.event_sources
    taken = {each.id for each in services.list_sources(request.environment)}
    try:
        created = services.create_source(
            request.environment,
            free_slug(name, taken, otherwise="source"),
            EventSourceDraft(name=name),
            by=request.signed.actor,
        )
    except (BodyInvalid, TooManyEventSources) as problem:
        return _new_form(request, name, problem)
    return Redirect(request.to(f"source/{created.id}"), Toast(f"“{created.name}” was created. Send a first event."))


# One source.


def show(request: PageRequest) -> Answer:
    """Shows a source with its keys, the snippets for each library, and the live view."""
    source = find_source(request)
    live = _live(request, source)
    context = {
        "title": source.name,
        "breadcrumb": [("Sources", request.to("sources")), (source.name, None)],
        "source": source,
        "fields": shown_settings(source),
        "snippets": event_snippets(request.public_url.rstrip("/"), source.write_key),
        "proof_snippets": proof_snippets(),
        "proof": PROOFS[request.environment.identity.proof],
        "identity_secrets_max": IDENTITY_SECRETS_PER_SOURCE_MAX,
    }
    return Html("source.html", context | live)


def live(request: PageRequest) -> Answer:
    """Shows the last events and rejected messages of a source. If it was deleted, redirects to the list."""
    try:
        source = find_source(request)
    except EventSourceNotFound:
        return Redirect(request.to("sources"))
    if request.target is None:
        return Redirect(request.to(f"source/{source.id}"))
    return Html("source_live.html", {"source": source} | _live(request, source))


def _live(request: PageRequest, source: EventSource) -> dict[str, Any]:
    services, environment = request.services, request.environment
    recent = services.events.list_recent(environment, source.id, limit=EVENTS_SHOWN)
    rejected = services.event_sources.list_rejected(environment, source.id, limit=REJECTED_SHOWN)
    return {
        "events": shown_events(recent.items),
        "rejected_max": REJECTED_MESSAGES_PER_SOURCE_MAX,
        "rejected": [
            ShownRejected(id=each.id, at=each.at, detail=each.detail, message=shown_text(each.message))
            for each in rejected
        ],
    }


def find_source(request: PageRequest) -> EventSource:
    """Returns the source of the address."""
    return request.services.event_sources.get_source(request.environment, request.values["source"])


def way_to(request: PageRequest, source: EventSource, here: str) -> list[tuple[str, str | None]]:
    """Returns the breadcrumb of a page below the page of a source."""
    return [("Sources", request.to("sources")), (source.name, request.to(f"source/{source.id}")), (here, None)]


# The keys.


def ask_replace_write_key(request: PageRequest) -> Answer:
    """Shows what replacing the write key would change."""
    return _ask(request, REPLACE_WRITE_KEY)


def replace_write_key(request: PageRequest) -> Answer:
    """Gives a source a new write key."""
    id, by = request.values["source"], request.signed.actor
    source = request.services.event_sources.replace_write_key(request.environment, id, by=by)
    return Redirect(request.to(f"source/{source.id}"), Toast("The write key was replaced. The old key stops working."))


def ask_replace_secret_key(request: PageRequest) -> Answer:
    """Shows what another secret key would change."""
    return _ask(request, REPLACE_SECRET_KEY)


def create_secret_key(request: PageRequest) -> Answer:
    """Gives a source a new secret key and shows it, this time only."""
    source = find_source(request)
    key = request.services.event_sources.create_secret_key(request.environment, source.id, by=request.signed.actor)
    context = {
        "title": "Secret key",
        "breadcrumb": way_to(request, source, "Secret key"),
        "source": source,
        "secret": key,
    }
    return Html("source_secret_key.html", context)


def ask_revoke(request: PageRequest) -> Answer:
    """Shows what revoking the secret key would change."""
    return _ask(request, REVOKE_SECRET_KEY)


def revoke_secret_key(request: PageRequest) -> Answer:
    """Revokes the secret key of a source."""
    id, by = request.values["source"], request.signed.actor
    request.services.event_sources.revoke_secret_key(request.environment, id, by=by)
    return Redirect(request.to(f"source/{id}"), Toast("The secret key was revoked."))


# Settings.


def ask_edit(request: PageRequest) -> Answer:
    """Shows the settings of a source."""
    source = find_source(request)
    return _form(request, source, shown_settings(source))


def edit(request: PageRequest) -> Answer:
    """Changes the settings of a source."""
    source, fields, services = find_source(request), read_settings(request.text), request.services.event_sources
    revision = request.integer("revision")
    try:
        saved = services.put_source(
            request.environment, source.id, settings_of(fields, source), revision=revision, by=request.signed.actor
        )
    except (BodyInvalid, EventTypeInvalid, EventSourceChanged) as problem:
        # The form keeps the typed values, with the problem.
        return _form(request, source, fields, problem)
    return Redirect(request.to(f"source/{saved.id}"), Toast(f"“{saved.name}” was saved."))


def _form(request: PageRequest, source: EventSource, fields: SourceFields, problem: Problem | None = None) -> Html:
    context = {
        "title": f"Settings of {source.name}",
        "breadcrumb": way_to(request, source, "Settings"),
        "source": source,
        # A form with a problem is still about the revision at which it was opened.
        "revision": request.text("revision") or source.revision,
        "fields": fields,
        "problem": problem,
        "problem_at": field_of(problem) if problem else "",
        "within": WITHIN,
    }
    return Html("source_edit.html", context, status=problem.status if problem else 200)


def ask_delete(request: PageRequest) -> Answer:
    """Shows what deleting a source would change."""
    return _ask(request, DELETE)


def delete(request: PageRequest) -> Answer:
    """Deletes a source with its keys. Its events stay."""
    source = find_source(request)
    request.services.event_sources.delete_source(request.environment, source.id, by=request.signed.actor)
    return Redirect(request.to("sources"), Toast(f"“{source.name}” was deleted. Its events stay."))


def _ask(request: PageRequest, question: Question) -> Html:
    source = find_source(request)
    context = {
        "title": question.title.format(source.name),
        "breadcrumb": way_to(request, source, question.here),
        "source": source,
        "question": question,
    }
    return Html("source_question.html", context)
