"""Settings of the space and its organization: names, catalogues, tokens, and what was done to them."""

from typing import Any, Literal

from tagloom.base.problems import BodyInvalid, ParameterInvalid, Problem
from tagloom.console.framework.context import Answer, Html, Redirect, Toast, Visit, place_address
from tagloom.words.model import ENVIRONMENT_NAMES

EVENTS_PER_PAGE = 30
CATALOGUES: tuple[Literal["open", "closed"], ...] = ("open", "closed")


def settings(visit: Visit) -> Answer:
    """The page; who is no administrator reads."""
    return _page(visit)


def _page(visit: Visit, problem: Problem | None = None, at: str = "") -> Html:
    loom, signed = visit.loom, visit.signed
    control = loom.installation.control
    environments = [control.get_environment(visit.space.id, name) for name in ENVIRONMENT_NAMES]
    context: dict[str, Any] = {
        "title": "Settings",
        "breadcrumb": [(visit.space.name, visit.to("overview")), ("Settings", None)],
        "environments": [
            (each, loom.population(each).version(), loom.population(each).horizon()) for each in environments
        ],
        "problem": problem,
        "problem_at": at,
        "tokens": (),
    }
    if signed.is_administrator:
        people = {each.account.id: each.account.email for each in loom.teammates.list_teammates(signed)}
        context["tokens"] = [
            (each, people.get(each.account or "", "")) for each in loom.teammates.list_all_tokens(signed)
        ]
    context |= _events(visit)
    if visit.target == "event-rows":
        return Html("event_rows.html", context)
    return Html("settings.html", context, status=200 if problem is None else problem.status)


def _events(visit: Visit) -> dict[str, Any]:
    """What was done to the organization, or, for whoever is no administrator, to the space."""
    space = None if visit.signed.is_administrator else visit.space.id
    before = visit.integer("before") if visit.text("before") else None
    found = visit.loom.teammates.list_events(visit.signed, space=space, before=before, limit=EVENTS_PER_PAGE + 1)
    return {"events": found[:EVENTS_PER_PAGE], "has_more": len(found) > EVENTS_PER_PAGE}


def rename_space(visit: Visit) -> Answer:
    """Another name for the space; its id stays."""
    try:
        renamed = visit.loom.teammates.rename_space(visit.signed, visit.space.id, visit.text("name").strip())
    except BodyInvalid as problem:
        return _page(visit, problem, "space")
    return Redirect(visit.to("settings"), Toast(f"The space is called “{renamed.name}” now."))


def rename_organization(visit: Visit) -> Answer:
    """Another name for the organization."""
    try:
        renamed = visit.loom.teammates.rename_organization(visit.signed, visit.text("name").strip())
    except BodyInvalid as problem:
        return _page(visit, problem, "organization")
    return Redirect(visit.to("settings"), Toast(f"The organization is called “{renamed.name}” now."))


def create_space(visit: Visit) -> Answer:
    """Another space of the organization."""
    try:
        made = visit.loom.teammates.create_space(visit.signed, visit.text("name").strip())
    except BodyInvalid as problem:
        return _page(visit, problem, "new-space")
    to = place_address(made.id, visit.environment.name, "overview")
    return Redirect(to, Toast(f"The space “{made.name}” was created."))


def put_catalogue(visit: Visit) -> Answer:
    """Opens or closes the catalogue of one environment."""
    wanted = next((each for each in CATALOGUES if each == visit.text("catalogue")), None)
    name = visit.text("of")
    if wanted is None or name not in ENVIRONMENT_NAMES:
        raise ParameterInvalid("The catalogue of an environment is open or closed.", parameter="catalogue")
    visit.loom.teammates.put_catalogue(visit.signed, visit.space.id, name, wanted)
    return Redirect(visit.to("settings"), Toast(f"The catalogue of {name} is {wanted} now."))


def revoke_token(visit: Visit) -> Answer:
    """Ends a token of anybody's in the organization."""
    visit.loom.teammates.revoke_token(visit.signed, visit.text("token"))
    return Redirect(visit.to("settings"), Toast("The token was revoked."))
