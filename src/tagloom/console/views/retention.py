"""The retention of an environment: first a preview of the deleted history, then the change after a confirmation."""

from typing import Any

from tagloom.base.problems import Problem
from tagloom.console.forms.environments import environment_of
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.words.retention import RetentionDeletesHistory, RetentionInvalid
from tagloom.words.tenants import Environment


def ask(request: PageRequest) -> Answer:
    """Shows the form, and how much history the retention deletes now."""
    return _page(request, environment_of(request), request.text("retention").strip())


def _page(request: PageRequest, environment: Environment, wanted: str, problem: Problem | None = None) -> Html:
    freed = None
    try:
        _, freed = request.services.retentions.put(environment, wanted, dry_run=True, actor=request.origin.actor)
    except RetentionInvalid as refused:
        problem = refused
    context: dict[str, Any] = {
        "title": "How long history is kept",
        "breadcrumb": [("Settings", request.to("settings")), ("How long history is kept", None)],
        "of": environment,
        "wanted": wanted,
        "freed": freed,
        "problem": problem,
    }
    return Html("retention.html", context, status=200 if problem is None else problem.status)


def put(request: PageRequest) -> Answer:
    """Changes the retention. It deletes history only if the name of the environment was typed."""
    environment, wanted = environment_of(request), request.text("retention").strip()
    is_confirmed = request.text("typed").strip() == environment.name
    try:
        request.services.retentions.put(environment, wanted, delete_history=is_confirmed, actor=request.origin.actor)
    except (RetentionDeletesHistory, RetentionInvalid) as problem:
        return _page(request, environment, wanted, problem)
    return Redirect(request.to("settings"), Toast(f"The retention of {environment.name} is now {wanted}."))
