"""Activity: every version of the environment and every change of a tribe, who made it, and its undo."""

from typing import Any

from tagloom.base.problems import Problem
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, told
from tagloom.console.framework.rendering import plural
from tagloom.ports.problems import UndoConflict
from tagloom.ports.writes import Undo, WriteOptions
from tagloom.words.model import Change, Receipt
from tagloom.words.problems import TagProblem
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
    "undo",
    "erase",
    "expiry",
)
# Foreseeing what an undo does takes 0.15 us a tagging: up to here it is no wait.
TAGGINGS_FORESEEN_AT_ONCE = 25_000  # What a page waits for; the effect of more is asked for by the page itself.
FINAL = frozenset({"erase"})


def activity(request: PageRequest) -> Answer:
    """What happened in this environment, the newest first, as the filters say."""
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
    asked = {name: request.text(name).strip() for name in ("actor", "source", "action", "tag")}
    return {"asked": asked, "actions": ACTIONS}


def _changes(request: PageRequest) -> dict[str, Any]:
    asked = _filters(request)["asked"]
    changes: tuple[Change, ...] = ()
    problem: Problem | None = None
    try:
        changes = request.population.list_changes(
            tag=parse_tag(asked["tag"]) if asked["tag"] else None,
            actor=asked["actor"] or None,
            source=asked["source"] or None,
            action=asked["action"] or None,
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
    """One version: what it did, and what undoing it would do; for a large one that is asked for by the page itself."""
    change = request.population.get_change(request.integer("version"))
    preview, problem = None, None
    is_open = change.undone_by is None and change.action not in FINAL and not change.is_compacted
    can_be_undone = is_open and request.may("developer")
    if can_be_undone and is_previewed(request, change.added + change.removed):
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
    """Whether the effect of taking back so many is worked out at once: they are few, or the page itself asks for it."""
    return taggings <= TAGGINGS_FORESEEN_AT_ONCE or request.text("effect") == "shown"


def undo(request: PageRequest) -> Answer:
    """Takes a version back, as a new version."""
    version = request.integer("version")
    receipt = request.population.write(Undo((version,)), WriteOptions(request.origin))
    text = f"Version {version:,} was undone{effect_said(receipt)}"
    return Redirect(_back(request), told(receipt, text))


def effect_said(receipt: Receipt) -> str:
    """The end of a sentence about an undo: what it did to taggings; of what it did not do it says nothing."""
    done = []
    if receipt.added:
        done.append(f"{plural(receipt.added, 'tagging')} added")
    if receipt.removed:
        done.append(f"{receipt.removed:,} removed" if done else f"{plural(receipt.removed, 'tagging')} removed")
    said = f": {', '.join(done)}." if done else "."
    if receipt.skipped:
        said += f" {plural(receipt.skipped, 'tagging')} that others touched since stayed."
    return said


def _back(request: PageRequest) -> str:
    """Where the undo was asked for, when that is a page of this place."""
    back = request.text("back")
    return back if back.startswith(request.to("")) else request.to("activity")
