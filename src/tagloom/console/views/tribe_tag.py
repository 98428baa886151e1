"""Tagging everyone in a tribe: first the preview, then the write."""

from typing import Any, get_args

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import plural
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, toast_of
from tagloom.ports.problems import TooManyTags
from tagloom.words.problems import TagProblem, TribeNeedsContext, UnknownTag
from tagloom.words.receipts import TribeMode
from tagloom.words.tags import parse_tag

WORDS: dict[TribeMode, str] = {
    "add": "Add the tag",
    "remove": "Remove the tag",
    "snapshot": "Snapshot: only these people",
}


def ask(request: PageRequest) -> Answer:
    """Shows the form with the preview."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    typed, mode = request.text("tag").strip(), _mode(request)
    context: dict[str, Any] = {
        "title": f"Tag {tribe.name}",
        "breadcrumb": [("Tribes", request.to("tribes")), (tribe.name, request.to(f"tribe/{tribe.id}")), ("Tag", None)],
        "tribe": tribe,
        "words": WORDS,
        "mode": mode,
        "typed": typed,
        "preview": None,
        "problem": None,
        "names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
    }
    if typed:
        try:
            context["preview"] = request.services.previews.tag_tribe(
                request.environment, tribe.id, parse_tag(typed), mode
            )
        except (TagProblem, UnknownTag, TooManyTags, TribeNeedsContext) as problem:
            context["problem"] = problem
    return Html("tag_effect.html" if request.target == "effect" else "tribe_tag.html", context)


def tag_members(request: PageRequest) -> Answer:
    """Tags everyone who is in the tribe now."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    tag, mode = request.tag(), _mode(request)
    receipt = request.services.taggings.tag_tribe(request.environment, tribe.id, tag, mode, request.origin)
    text = f"“{tribe.name}”: {plural(receipt.added, 'tagging')} added, {receipt.removed:,} removed."
    return Redirect(request.to(f"tribe/{tribe.id}"), toast_of(receipt, text))


def _mode(request: PageRequest) -> TribeMode:
    typed = request.text("mode", "add")
    found: TribeMode | None = next((each for each in get_args(TribeMode) if each == typed), None)
    if found is None:
        raise ParameterInvalid("The mode must be add, remove or snapshot.", parameter="mode")
    return found
