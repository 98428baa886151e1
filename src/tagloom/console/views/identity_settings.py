"""How an environment links visitors to users, and whether messages need a proof of their user id."""

from typing import Any

import msgspec

from tagloom.base.problems import BodyInvalid, Problem
from tagloom.base.text import plural
from tagloom.console.forms.environments import environment_of
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.tracking.limits import EVENT_SOURCE_SECONDS_CACHED_MAX
from tagloom.words.identity import IdentitySettings, LinkPolicy, ProofMode
from tagloom.words.limits import VISITORS_PER_DAY_SETTING_MAX
from tagloom.words.tenants import Environment

POLICIES: dict[LinkPolicy, str] = {
    "take": "They go to the user. What the user has already stays as it is.",
    "leave": "They are left out. The user keeps only their own.",
    "ask": "They are left out until a teammate decides, link by link, under Users & visitors.",
}
PROOFS: dict[ProofMode, tuple[str, str]] = {
    "off": ("Not needed", "Everybody who has the write key of a page or an app can send events of every user."),
    "observe": (
        "Not needed, but checked",
        "Nothing changes. The page of a source shows which of its messages come without a valid proof.",
    ),
    "require": (
        "Required",
        "A message without a valid proof is recorded for its visitor, and sets no attributes. Without a visitor, it is "
        "rejected. Messages with a secret key need no other proof.",
    ),
}


def ask(request: PageRequest) -> Answer:
    """Shows the settings of an environment."""
    environment = environment_of(request)
    return _page(request, environment, msgspec.to_builtins(environment.identity))


def _page(
    request: PageRequest, environment: Environment, fields: dict[str, Any], problem: Problem | None = None
) -> Html:
    services = request.services
    sources = services.event_sources.list_sources(environment)
    context: dict[str, Any] = {
        "title": "Visitors and users",
        "breadcrumb": [("Settings", request.to("settings")), ("Visitors and users", None)],
        "of": environment,
        "fields": fields,
        "policies": POLICIES,
        "proofs": PROOFS,
        "visitors_max": VISITORS_PER_DAY_SETTING_MAX,
        "sources": sources,
        "within": plural(EVENT_SOURCE_SECONDS_CACHED_MAX, "second"),
        "problem": problem,
    }
    return Html("identity_settings.html", context, status=200 if problem is None else problem.status)


def put(request: PageRequest) -> Answer:
    """Changes the settings of an environment."""
    environment = environment_of(request)
    fields = {name: request.text(name).strip() for name in IdentitySettings.__struct_fields__}
    try:
        settings = msgspec.convert(fields, IdentitySettings, strict=False)
    except msgspec.ValidationError:
        problem = BodyInvalid(
            f"Enter a whole number from 1 to {VISITORS_PER_DAY_SETTING_MAX:,}.", field="visitors_per_day_max"
        )
        return _page(request, environment, fields, problem)
    request.services.teammates.put_identity(request.signed, request.space.id, environment.name, settings)
    return Redirect(request.to("settings"), Toast(f"The settings of {environment.name} were saved."))
