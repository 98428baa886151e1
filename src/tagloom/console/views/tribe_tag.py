"""Tagging everybody in a tribe: first what it will do, then it is done."""

from typing import Any, get_args

from tagloom.base.problems import ParameterInvalid
from tagloom.console.framework.context import Answer, Html, Redirect, Visit, told
from tagloom.ports.problems import TooManyTags
from tagloom.tagging.tribe_tagging import tag_tribe
from tagloom.words.model import TribeMode
from tagloom.words.problems import TagProblem, UnknownTag
from tagloom.words.tags import parse_tag

WORDS: dict[TribeMode, str] = {
    "add": "Give it to them",
    "remove": "Take it from them",
    "freeze": "Give it to them alone",
}


def ask(visit: Visit) -> Answer:
    """The form, with what it would do."""
    tribe = visit.loom.tribes.get_tribe(visit.space.id, visit.values["tribe"])
    typed, mode = visit.text("tag").strip(), _mode(visit)
    context: dict[str, Any] = {
        "title": f"Tag {tribe.name}",
        "breadcrumb": [("Tribes", visit.to("tribes")), (tribe.name, visit.to(f"tribe/{tribe.id}")), ("Tag", None)],
        "tribe": tribe,
        "words": WORDS,
        "mode": mode,
        "typed": typed,
        "foreseen": None,
        "problem": None,
        "names": {each.id: each.name for each in visit.loom.tribes.list_tribes(visit.space.id)},
    }
    if typed:
        try:
            context["foreseen"] = visit.loom.foresight.tag_tribe(visit.environment, tribe.id, parse_tag(typed), mode)
        except (TagProblem, UnknownTag, TooManyTags) as problem:
            context["problem"] = problem
    return Html("tag_effect.html" if visit.target == "effect" else "tribe_tag.html", context)


def tag_members(visit: Visit) -> Answer:
    """Tags whoever is in the tribe now."""
    tribe = visit.loom.tribes.get_tribe(visit.space.id, visit.values["tribe"])
    tag, mode = visit.tag(), _mode(visit)
    receipt = tag_tribe(visit.loom.tribes, visit.population, visit.environment, tribe.id, tag, mode, visit.origin)
    text = f"“{tribe.name}”: {receipt.added:,} taggings added, {receipt.removed:,} removed."
    return Redirect(visit.to(f"tribe/{tribe.id}"), told(receipt, text))


def _mode(visit: Visit) -> TribeMode:
    typed = visit.text("mode", "add")
    found: TribeMode | None = next((each for each in get_args(TribeMode) if each == typed), None)
    if found is None:
        raise ParameterInvalid("The mode is add, remove or freeze.", parameter="mode")
    return found
