"""Undoing all that somebody wrote, or that came from one source: first what it will do, then just that."""

from collections.abc import Sequence
from typing import Any

from tagloom.base.problems import BodyInvalid, ParameterInvalid
from tagloom.console.framework.context import Answer, Html, Redirect, Visit, told
from tagloom.console.framework.rendering import plural
from tagloom.console.views.history import effect_said, is_foreseen
from tagloom.ports.problems import UndoConflict
from tagloom.tagging.problems import UndoTooLarge
from tagloom.tagging.undo import Chosen, chosen_versions
from tagloom.words.model import Version
from tagloom.words.retention import HistoryCompacted


def ask(visit: Visit) -> Answer:
    """Who or what, and when; with the exact effect, which the page itself asks for when it is large."""
    asked = {name: visit.text(name).strip() for name in ("actor", "source", "since", "until")}
    context: dict[str, Any] = {
        "title": "Undo several versions",
        "breadcrumb": [("Activity", visit.to("activity")), ("Undo several versions", None)],
        "asked": asked,
        "override": visit.text("override") == "yes",
        "is_asked": bool(asked["actor"] or asked["source"]),
        "versions": (),
        "foreseen": None,
        "problem": None,
        "names": {each.id: each.name for each in visit.loom.tribes.list_tribes(visit.space.id)},
    }
    if context["is_asked"]:
        chosen = Chosen(
            actor=asked["actor"] or None,
            source=asked["source"] or None,
            since=visit.moment("since"),
            until=visit.moment("until"),
        )
        try:
            versions = context["versions"] = chosen_versions(visit.population, chosen)
            if versions and is_foreseen(visit, _taggings(visit, versions)):
                override = context["override"]
                context["foreseen"] = visit.loom.foresight.undo_all(visit.environment, versions, override=override)
        except (
            BodyInvalid,
            UndoTooLarge,
            UndoConflict,
            HistoryCompacted,
        ) as problem:
            context["problem"] = problem
    return Html("activity_undo_effect.html" if visit.target == "effect" else "activity_undo.html", context)


def _taggings(visit: Visit, versions: Sequence[Version]) -> int:
    changes = map(visit.population.get_change, versions)
    return sum(change.added + change.removed for change in changes)


def undo_all(visit: Visit) -> Answer:
    """Takes back just the versions that were shown."""
    texts = visit.text("versions").split()
    if not texts or not all(text.isascii() and text.isdecimal() and len(text) <= 18 for text in texts):
        raise ParameterInvalid("The versions are whole numbers.", parameter="versions")
    versions = chosen_versions(visit.population, Chosen(versions=tuple(map(int, texts))))
    receipt = visit.population.undo_all(versions, visit.origin, override=visit.text("override") == "yes")
    text = f"{plural(len(versions), 'version was', 'versions were')} undone{effect_said(receipt)}"
    return Redirect(visit.to("activity"), told(receipt, text))
