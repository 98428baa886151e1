"""Deliveries in the browser: the list, one delivery with its runs, and its actions."""

from typing import Any

from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.jobs.schedules import in_words
from tagloom.words.deliveries import OPEN_STATES, Delivery, DeliveryFormat, DeliveryState

RUNS_PER_PAGE = 20
FORMATS: dict[DeliveryFormat, str] = {"parquet": "Parquet", "csv": "CSV", "ndjson": "NDJSON"}
STATES: dict[DeliveryState, str] = {
    "writing": "writing",
    "waiting": "waits for its next try",
    "done": "done",
    "failed": "failed",
}


def deliveries(request: PageRequest) -> Answer:
    """Lists the deliveries with the newest run of each."""
    listed = request.services.deliveries.list_deliveries(request.environment)
    return Html(
        "deliveries.html",
        {
            "title": "Deliveries",
            "breadcrumb": [("Developer", request.to("tags")), ("Deliveries", None)],
            "deliveries": listed,
            "newest": request.services.deliveries.newest_runs(request.environment),
            "words": {each.id: in_words(each.draft.schedule) for each in listed if each.draft.schedule},
            "states": STATES,
            "formats": FORMATS,
        },
    )


def show(request: PageRequest) -> Answer:
    """Shows a delivery and its runs."""
    delivery = _delivery(request)
    before = request.integer("before") if request.text("before") else None
    runs = request.services.deliveries.list_runs(
        request.environment, delivery.id, before=before, limit=RUNS_PER_PAGE + 1
    )
    schedule, tribe = delivery.draft.schedule, delivery.draft.tribe
    names = {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)}
    return Html(
        "delivery.html",
        {
            **_context(request, delivery),
            "draft": delivery.draft,
            "words": in_words(schedule) if schedule else "",
            "tribe_name": names.get(tribe or ""),
            "formats": FORMATS,
            "runs": runs[:RUNS_PER_PAGE],
            "has_more": len(runs) > RUNS_PER_PAGE,
        },
    )


def _delivery(request: PageRequest) -> Delivery:
    return request.services.deliveries.get_delivery(request.environment, request.values["delivery"])


def _context(request: PageRequest, delivery: Delivery) -> dict[str, Any]:
    """Returns the values of a page about a delivery, with its newest run."""
    run = next(iter(request.services.deliveries.list_runs(request.environment, delivery.id, limit=1)), None)
    return {
        "title": delivery.id,
        "breadcrumb": [("Deliveries", request.to("deliveries")), (delivery.id, None)],
        "delivery": delivery,
        "states": STATES,
        "run": run,
        "is_under_way": run is not None and run.state == "writing",
        "is_open": run is not None and run.state in OPEN_STATES,
    }


def progress(request: PageRequest) -> Answer:
    """Shows the progress of the newest run; at its end, redirects to the page of the delivery."""
    delivery = _delivery(request)
    context = _context(request, delivery)
    if not context["is_under_way"]:
        return Redirect(request.to(f"delivery/{delivery.id}"))
    return Html("delivery_progress.html", context)


def run(request: PageRequest) -> Answer:
    """Starts a run, or the next try of a run that waits."""
    delivery = request.values["delivery"]
    request.services.deliveries.run_delivery(request.environment, delivery, by=request.signed.actor)
    return Redirect(request.to(f"delivery/{delivery}"))


def pause(request: PageRequest) -> Answer:
    """Pauses the schedule of a delivery."""
    return _paused(request, is_paused=True, text="The delivery was paused.")


def resume(request: PageRequest) -> Answer:
    """Resumes the schedule of a delivery."""
    return _paused(request, is_paused=False, text="The delivery was resumed.")


def _paused(request: PageRequest, *, is_paused: bool, text: str) -> Answer:
    delivery = request.values["delivery"]
    request.services.deliveries.pause_delivery(
        request.environment, delivery, is_paused=is_paused, by=request.signed.actor
    )
    return Redirect(request.to(f"delivery/{delivery}"), Toast(text))


def ask_delete(request: PageRequest) -> Answer:
    """Asks whether a delivery is to be deleted."""
    delivery = _delivery(request)
    way = [("Deliveries", request.to("deliveries")), (delivery.id, request.to(f"delivery/{delivery.id}"))]
    context = {"title": f"Delete {delivery.id}", "breadcrumb": [*way, ("Delete", None)], "delivery": delivery}
    return Html("delivery_delete.html", context)


def delete(request: PageRequest) -> Answer:
    """Deletes a delivery and its runs. The parts stay."""
    delivery = request.values["delivery"]
    request.services.deliveries.delete_delivery(request.environment, delivery, by=request.signed.actor)
    return Redirect(request.to("deliveries"), Toast(f"“{delivery}” was deleted. Its parts stay."))
