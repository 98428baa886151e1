"""Undo of everything from one author or one source: first the preview, then the undo."""

from collections.abc import Sequence
from typing import Any

from tagloom.base.problems import BodyInvalid, ParameterInvalid
from tagloom.base.text import plural
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, toast_of
from tagloom.console.views.history import effect_sentence, is_previewed
from tagloom.ports.problems import UndoConflict
from tagloom.ports.writes import Undo
from tagloom.tagging.problems import UndoTooLarge
from tagloom.tagging.undo import Chosen
from tagloom.words.changes import Version
from tagloom.words.retention import HistoryCompacted


def ask(request: PageRequest) -> Answer:
    """Shows the form and the exact preview. The page requests a large preview later."""
    filters = {name: request.text(name).strip() for name in ("actor", "source", "since", "until")}
    context: dict[str, Any] = {
        "title": "Undo several versions",
        "breadcrumb": [("Activity", request.to("activity")), ("Undo several versions", None)],
        "filters": filters,
        "override": request.text("override") == "yes",
        "is_filtered": bool(filters["actor"] or filters["source"]),
        "is_empty": request.text("preview") == "yes" and not (filters["actor"] or filters["source"]),
        "versions": (),
        "preview": None,
        "problem": None,
        "names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
    }
    if context["is_filtered"]:
        chosen = Chosen(
            actor=filters["actor"] or None,
            source=filters["source"] or None,
            since=request.moment("since"),
            until=request.moment("until"),
        )
        try:
            versions = context["versions"] = request.services.undos.choose(request.environment, chosen)
            if versions and is_previewed(request, _taggings(request, versions)):
                override = context["override"]
                context["preview"] = request.services.previews.preview(
                    request.environment, Undo(tuple(versions), override)
                )
        except (
            BodyInvalid,
            UndoTooLarge,
            UndoConflict,
            HistoryCompacted,
        ) as problem:
            context["problem"] = problem
    return Html("activity_undo_effect.html" if request.target == "effect" else "activity_undo.html", context)


def _taggings(request: PageRequest, versions: Sequence[Version]) -> int:
    changes = [request.services.changes.get_change(request.environment, version) for version in versions]
    return sum(change.added + change.removed + change.attributes for change in changes)


def undo_all(request: PageRequest) -> Answer:
    """Undoes exactly the versions that were shown."""
    texts = request.text("versions").split()
    if not texts or not all(text.isascii() and text.isdecimal() and len(text) <= 18 for text in texts):
        raise ParameterInvalid("The versions must be whole numbers.", parameter="versions")
    versions = request.services.undos.choose(request.environment, Chosen(versions=tuple(map(int, texts))))
    receipt = request.services.undos.undo(
        request.environment, versions, request.origin, override=request.text("override") == "yes"
    )
    text = f"{plural(len(versions), 'version was', 'versions were')} undone{effect_sentence(receipt)}"
    return Redirect(request.to("activity"), toast_of(receipt, text))
