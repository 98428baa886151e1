"""The form of a delivery: address, format, events, schedule and alerts."""

from tagloom.base.problems import Problem
from tagloom.console.forms.delivery_form import DeliveryFields, draft_of, place_of, read_fields, shown_fields
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.console.views.deliveries import FORMATS
from tagloom.egress.secrets import variable_of
from tagloom.words.deliveries import Delivery
from tagloom.words.source_addresses import WEB


def ask_new(request: PageRequest) -> Answer:
    """Shows the form of a new delivery."""
    return _form(request, None, DeliveryFields(history="yes"))


def create(request: PageRequest) -> Answer:
    """Creates a delivery."""
    return _edited(request, None)


def ask_edit(request: PageRequest) -> Answer:
    """Shows the form of a delivery."""
    stored = request.services.deliveries.get_delivery(request.environment, request.values["delivery"])
    return _form(request, stored, shown_fields(stored.draft))


def edit(request: PageRequest) -> Answer:
    """Changes a delivery."""
    return _edited(request, request.services.deliveries.get_delivery(request.environment, request.values["delivery"]))


def _edited(request: PageRequest, stored: Delivery | None) -> Answer:
    fields = read_fields(request.text)
    try:
        saved = _saved(request, stored, fields)
    except Problem as problem:
        # The form keeps the typed values, with the problem.
        return _form(request, stored, fields, problem)
    text = f"“{saved.id}” was saved." if stored else f"“{saved.id}” was created. It has not run yet."
    return Redirect(request.to(f"delivery/{saved.id}"), Toast(text))


def _saved(request: PageRequest, stored: Delivery | None, fields: DeliveryFields) -> Delivery:
    by, deliveries = request.signed.actor, request.services.deliveries
    draft = draft_of(fields, is_paused=stored is not None and stored.draft.is_paused)
    if stored is None:
        id, with_history = request.text("id").strip(), fields.history == "yes"
        return deliveries.create_delivery(request.environment, id, draft, with_history=with_history, by=by)
    revision = request.integer("revision")
    return deliveries.put_delivery(request.environment, stored.id, draft, revision=revision, by=by)


def _form(
    request: PageRequest, stored: Delivery | None, fields: DeliveryFields, problem: Problem | None = None
) -> Answer:
    here = "Edit" if stored else "New delivery"
    way = [(stored.id, request.to(f"delivery/{stored.id}"))] if stored else []
    needing_context = request.services.tribes.needing_context(request.space.id)
    tribes = [each for each in request.services.tribes.list_tribes(request.space.id) if each.id not in needing_context]
    policy = request.services.egress_policy
    context = {
        "title": f"Edit {stored.id}" if stored else here,
        "breadcrumb": [("Deliveries", request.to("deliveries")), *way, (here, None)],
        "delivery": stored,
        "fields": fields,
        "formats": FORMATS,
        "tribes": sorted(tribes, key=lambda each: each.name.casefold()),
        "types": [each.type for each in request.services.events.list_types(request.environment)],
        "schemes": [scheme for scheme in policy.schemes if scheme not in WEB],
        "variable": variable_of(request.signed.organization.id, "exports"),
        "has_mail": policy.mail is not None,
        "problem": problem,
        "problem_at": "" if problem is None else place_of(problem),
    }
    return Html("delivery_edit.html", context, status=problem.status if problem else 200)
