"""The identity secrets of an event source, with which the server of its app proves user ids."""

from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.console.views.event_sources import WITHIN, find_source, way_to
from tagloom.ports.problems import TooManyIdentitySecrets


def create(request: PageRequest) -> Answer:
    """Adds an identity secret to a source and shows it, this time only."""
    source = find_source(request)
    sources, by = request.services.event_sources, request.signed.actor
    try:
        created = sources.create_identity_secret(request.environment, source.id, by=by)
    except TooManyIdentitySecrets as problem:
        return Redirect(request.to(f"source/{source.id}"), Toast(problem.detail))
    context = {
        "title": "Identity secret",
        "breadcrumb": way_to(request, source, "Identity secret"),
        "source": source,
        "secret": created,
    }
    return Html("source_identity_secret.html", context)


def ask_delete(request: PageRequest) -> Answer:
    """Shows what deleting an identity secret would change."""
    source = find_source(request)
    is_last = len(source.identity_secrets) == 1 and not source.identity_public_keys
    context = {
        "title": "Delete the identity secret?",
        "breadcrumb": way_to(request, source, "Identity secret"),
        "source": source,
        "secret": request.values["secret"],
        "is_last": is_last,
        "proof": request.environment.identity.proof,
        "within": WITHIN,
    }
    return Html("source_identity_delete.html", context)


def delete(request: PageRequest) -> Answer:
    """Deletes an identity secret of a source."""
    source, secret = request.values["source"], request.values["secret"]
    request.services.event_sources.delete_identity_secret(request.environment, source, secret, by=request.signed.actor)
    return Redirect(request.to(f"source/{source}"), Toast("The identity secret was deleted."))
