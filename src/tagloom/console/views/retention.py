"""How long an environment keeps its history: first what a shorter one gives up, then just that, once it is typed."""

from typing import Any

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.console.framework.context import Answer, Html, Redirect, Toast, Visit
from tagloom.words.model import ENVIRONMENT_NAMES, Environment
from tagloom.words.retention import RetentionForgets, RetentionInvalid


def _environment(visit: Visit) -> Environment:
    name = visit.text("of")
    if name not in ENVIRONMENT_NAMES:
        raise ParameterInvalid("There is no such environment.", parameter="of")
    return visit.loom.installation.control.get_environment(visit.space.id, name)


def ask(visit: Visit) -> Answer:
    """What the retention gives up by now."""
    return _page(visit, _environment(visit), visit.text("retention").strip())


def _page(visit: Visit, environment: Environment, wanted: str, problem: Problem | None = None) -> Html:
    freed = None
    try:
        _, freed = visit.loom.retentions.put(environment, wanted, dry_run=True, actor=visit.origin.actor)
    except RetentionInvalid as refused:
        problem = refused
    context: dict[str, Any] = {
        "title": "How long history is kept",
        "breadcrumb": [("Settings", visit.to("settings")), ("How long history is kept", None)],
        "of": environment,
        "wanted": wanted,
        "freed": freed,
        "problem": problem,
    }
    return Html("retention.html", context, status=200 if problem is None else problem.status)


def put(visit: Visit) -> Answer:
    """Has history kept so long; what is older goes when the name of the environment was typed."""
    environment, wanted = _environment(visit), visit.text("retention").strip()
    forget = visit.text("typed").strip() == environment.name
    try:
        visit.loom.retentions.put(environment, wanted, forget=forget, actor=visit.origin.actor)
    except (RetentionForgets, RetentionInvalid) as problem:
        return _page(visit, environment, wanted, problem)
    return Redirect(visit.to("settings"), Toast(f"The history of {environment.name} is kept: {wanted}."))
