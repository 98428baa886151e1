"""The time zone whose days an environment counts."""

from functools import cache
from zoneinfo import available_timezones

from tagloom.base.problems import BodyInvalid, Problem
from tagloom.console.forms.environments import environment_of
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.ports.problems import TimeZoneFixed
from tagloom.words.tenants import Environment


@cache
def _zones() -> tuple[str, ...]:
    """Returns the names that the form suggests: UTC and those of places."""
    return ("UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")))


def ask(request: PageRequest) -> Answer:
    """Shows the time zone of an environment."""
    environment = environment_of(request)
    return _page(request, environment, environment.time_zone)


def _page(request: PageRequest, environment: Environment, zone: str, problem: Problem | None = None) -> Html:
    context = {
        "title": "Time zone",
        "breadcrumb": [("Settings", request.to("settings")), ("Time zone", None)],
        "of": environment,
        "zone": zone,
        "zones": _zones(),
        "has_events": bool(request.services.events.list_types(environment)),
        "problem": problem,
    }
    return Html("time_zone_settings.html", context, status=200 if problem is None else problem.status)


def put(request: PageRequest) -> Answer:
    """Sets the time zone of an environment."""
    environment, zone = environment_of(request), request.text("time_zone").strip()
    try:
        request.services.teammates.put_time_zone(request.signed, request.space.id, environment.name, zone)
    except (BodyInvalid, TimeZoneFixed) as problem:
        return _page(request, environment, zone, problem)
    return Redirect(request.to("settings"), Toast(f"{environment.name} now counts the days of {zone}."))
