"""Activity: every version of the environment, every change of a tribe, and undo."""

from typing import Any

from tagloom.base.problems import Problem
from tagloom.base.text import plural
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, toast_of
from tagloom.ports.problems import UndoConflict
from tagloom.ports.writes import Undo
from tagloom.words.changes import DELETE_PEOPLE, EVENTS, START, Change
from tagloom.words.problems import TagProblem
from tagloom.words.receipts import Receipt
from tagloom.words.tags import parse_tag

CHANGES_PER_PAGE = 50
ACTIONS = (
    "tagging",
    "tag tribe",
    "import",
    "person",
    "create tag",
    "describe tag",
    "move tag",
    "merge tags",
    "delete alias",
    "delete tag",
    "identify",
    "create attribute",
    "describe attribute",
    "delete attribute",
    "undo",
    "erase",
    DELETE_PEOPLE,
    "expiry",
    START,
    EVENTS,
)
# An undo of up to so many taggings is previewed with its page, at 0.15 us a tagging. A page requests a larger preview
# later.
TAGGINGS_PREVIEWED_AT_ONCE = 25_000
FINAL = frozenset({"erase", DELETE_PEOPLE, EVENTS})


def activity(request: PageRequest) -> Answer:
    """Lists the changes of this environment that match the filters, newest first."""
    context = {
        "title": "Activity",
        "breadcrumb": [(request.space.name, request.to("overview")), ("Activity", None)],
        "shows": "tribes" if request.text("shows") == "tribes" else "batches",
        **_filters(request),
    }
    if context["shows"] == "tribes":
        context |= _tribe_changes(request)
    else:
        context |= _changes(request)
    template = {"activity": "activity_part.html", "activity-rows": "activity_rows.html"}.get(request.target or "")
    return Html(template or "activity.html", context)


def _filters(request: PageRequest) -> dict[str, Any]:
    filters = {name: request.text(name).strip() for name in ("actor", "source", "action", "tag")}
    return {"filters": filters, "actions": ACTIONS}


def _changes(request: PageRequest) -> dict[str, Any]:
    filters = _filters(request)["filters"]
    changes: tuple[Change, ...] = ()
    problem: Problem | None = None
    try:
        changes = request.services.changes.list_changes(
            request.environment,
            tag=parse_tag(filters["tag"]) if filters["tag"] else None,
            actor=filters["actor"] or None,
            source=filters["source"] or None,
            action=filters["action"] or None,
            newest_first=True,
            before=request.integer("before") if request.text("before") else None,
            limit=CHANGES_PER_PAGE + 1,
        )
    except TagProblem as refused:
        problem = refused
    return {"changes": changes[:CHANGES_PER_PAGE], "has_more": len(changes) > CHANGES_PER_PAGE, "problem": problem}


def _tribe_changes(request: PageRequest) -> dict[str, Any]:
    changes = request.services.tribes.list_changes(
        request.space.id,
        tribe=request.text("tribe") or None,
        before=request.integer("before") if request.text("before") else None,
        limit=CHANGES_PER_PAGE + 1,
    )
    return {
        "changes": changes[:CHANGES_PER_PAGE],
        "has_more": len(changes) > CHANGES_PER_PAGE,
        "problem": None,
        "names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
    }


def batch(request: PageRequest) -> Answer:
    """Shows a version and the preview of its undo. The page requests the preview of a large version later."""
    change = request.services.changes.get_change(request.environment, request.integer("version"))
    preview, problem = None, None
    is_open = change.undone_by is None and change.action not in FINAL and not change.is_compacted
    can_be_undone = is_open and request.may("developer")
    if can_be_undone and is_previewed(request, change.added + change.removed + change.attributes):
        try:
            preview = request.services.previews.preview(request.environment, Undo((change.version,)))
        except UndoConflict as refused:
            problem = refused
    return Html(
        "batch_undo.html" if request.target == "undo" else "batch.html",
        {
            "title": f"Version {change.version:,}",
            "breadcrumb": [("Activity", request.to("activity")), (f"Version {change.version:,}", None)],
            "change": change,
            "is_final": change.action in FINAL,
            "can_be_undone": can_be_undone,
            "preview": preview,
            "problem": problem,
            "names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
        },
    )


def is_previewed(request: PageRequest, taggings: int) -> bool:
    """Returns whether to compute the preview of an undo now, because it is small or because the page requests it.

    `taggings` is the number of changed taggings and values of attributes.
    """
    return taggings <= TAGGINGS_PREVIEWED_AT_ONCE or request.text("effect") == "shown"


def undo(request: PageRequest) -> Answer:
    """Undoes a version, as a new version."""
    version = request.integer("version")
    receipt = request.services.undos.undo(request.environment, (version,), request.origin)
    text = f"Version {version:,} was undone{effect_sentence(receipt)}"
    return Redirect(_back(request), toast_of(receipt, text))


def effect_sentence(receipt: Receipt) -> str:
    """Returns the end of a sentence about an undo: the taggings and values changed and skipped, without zeros."""
    done = []
    if receipt.added:
        done.append(f"{plural(receipt.added, 'tagging')} added")
    if receipt.removed:
        done.append(f"{receipt.removed:,} removed" if done else f"{plural(receipt.removed, 'tagging')} removed")
    if receipt.attributes:
        done.append(f"{plural(receipt.attributes, 'value')} changed")
    sentence = f": {', '.join(done)}." if done else "."
    if receipt.skipped:
        skipped = plural(receipt.skipped, "tagging or value", "taggings or values")
        sentence += f" {skipped} skipped, because others changed them since."
    return sentence


def _back(request: PageRequest) -> str:
    """Returns the page to go to after an undo: the one in the form, if it is in this environment."""
    back = request.text("back")
    return back if back.startswith(request.to("")) else request.to("activity")
