"""The metrics of a tribe and of everyone: how many people are active, new, at risk and lost."""

from typing import Any

from tagloom.console.framework.context import Answer, Html, PageRequest
from tagloom.words.limits import ACTIVE_DAYS, AT_RISK_DAYS


def of_tribe(request: PageRequest) -> Answer:
    """Shows the metrics of a tribe."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    context: dict[str, Any] = {
        "title": tribe.name,
        "breadcrumb": [("Tribes", request.to("tribes")), (tribe.name, request.to(f"tribe/{tribe.id}"))],
        "audience": {"users": "users", "visitors": "visitors", "everyone": "people"}[tribe.audience],
        "is_of_tribe": True,
        "metrics": None,
    }
    if tribe.id not in request.services.tribes.needing_context(request.space.id):
        context["metrics"] = request.services.targeting.metrics(request.environment, tribe.id)
    return Html("tribe_metrics.html", context | _days())


def of_everyone(request: PageRequest) -> Answer:
    """Shows the metrics of everyone."""
    context: dict[str, Any] = {
        "title": "Metrics",
        "breadcrumb": [(request.space.name, request.to("overview")), ("Metrics", None)],
        "audience": "people",
        "is_of_tribe": False,
        "metrics": request.services.targeting.metrics(request.environment),
    }
    return Html("tribe_metrics.html", context | _days())


def _days() -> dict[str, int]:
    return {"active_days": ACTIVE_DAYS, "at_risk_days": AT_RISK_DAYS}
