"""Settings of the space and its organization: names, catalogues, retention, tokens, audit log."""

from typing import Any, Literal

from tagloom.base.problems import BodyInvalid, ParameterInvalid, Problem
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast, place_address
from tagloom.console.views.identity_settings import PROOFS
from tagloom.words.tenants import ENVIRONMENT_NAMES

EVENTS_PER_PAGE = 30
CATALOGUES: tuple[Literal["open", "closed"], ...] = ("open", "closed")


def settings(request: PageRequest) -> Answer:
    """Shows the settings. Only an administrator can change them."""
    return _page(request)


def _page(request: PageRequest, problem: Problem | None = None, at: str = "") -> Html:
    services, signed = request.services, request.signed
    environments = [services.access.get_environment(request.space.id, name) for name in ENVIRONMENT_NAMES]
    context: dict[str, Any] = {
        "title": "Settings",
        "breadcrumb": [(request.space.name, request.to("overview")), ("Settings", None)],
        "environments": [
            (each, services.changes.version(each), services.changes.horizon(each)) for each in environments
        ],
        "proofs": PROOFS,
        "problem": problem,
        "problem_at": at,
        "tokens": (),
    }
    if signed.is_administrator:
        people = {each.account.id: each.account.email for each in services.teammates.list_teammates(signed)}
        context["tokens"] = [
            (each, people.get(each.account or "", "")) for each in services.teammates.list_all_tokens(signed)
        ]
    context |= _audit(request)
    if request.target == "event-rows":
        return Html("event_rows.html", context)
    return Html("settings.html", context, status=200 if problem is None else problem.status)


def _audit(request: PageRequest) -> dict[str, Any]:
    """Returns the audit log: of the organization for an administrator, of the space for others."""
    space = None if request.signed.is_administrator else request.space.id
    before = request.integer("before") if request.text("before") else None
    found = request.services.teammates.list_audit_log(
        request.signed, space=space, before=before, limit=EVENTS_PER_PAGE + 1
    )
    return {"events": found[:EVENTS_PER_PAGE], "has_more": len(found) > EVENTS_PER_PAGE}


def rename_space(request: PageRequest) -> Answer:
    """Renames the space. Its id stays."""
    try:
        renamed = request.services.teammates.rename_space(
            request.signed, request.space.id, request.text("name").strip()
        )
    except BodyInvalid as problem:
        return _page(request, problem, "space")
    return Redirect(request.to("settings"), Toast(f"The space was renamed to “{renamed.name}”."))


def rename_organization(request: PageRequest) -> Answer:
    """Renames the organization."""
    try:
        renamed = request.services.teammates.rename_organization(request.signed, request.text("name").strip())
    except BodyInvalid as problem:
        return _page(request, problem, "organization")
    return Redirect(request.to("settings"), Toast(f"The organization was renamed to “{renamed.name}”."))


def create_space(request: PageRequest) -> Answer:
    """Creates a space in the organization."""
    try:
        made = request.services.teammates.create_space(request.signed, request.text("name").strip())
    except BodyInvalid as problem:
        return _page(request, problem, "new-space")
    to = place_address(made.id, request.environment.name, "overview")
    return Redirect(to, Toast(f"The space “{made.name}” was created."))


def put_catalogue(request: PageRequest) -> Answer:
    """Opens or closes the catalogue of an environment."""
    wanted = next((each for each in CATALOGUES if each == request.text("catalogue")), None)
    name = request.text("of")
    if wanted is None or name not in ENVIRONMENT_NAMES:
        raise ParameterInvalid("The catalogue must be open or closed.", parameter="catalogue")
    request.services.teammates.put_catalogue(request.signed, request.space.id, name, wanted)
    return Redirect(request.to("settings"), Toast(f"The catalogue of {name} is now {wanted}."))


def revoke_token(request: PageRequest) -> Answer:
    """Revokes a token of any teammate of the organization."""
    request.services.teammates.revoke_token(request.signed, request.text("token"))
    return Redirect(request.to("settings"), Toast("The token was revoked."))
