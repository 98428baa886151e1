"""Looking back: who was in a tribe at an earlier time, who bore a tag, and which tags a person bore."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tagloom.base.problems import ParameterInvalid
from tagloom.console.framework.context import Answer, Html, Visit
from tagloom.console.views.people import asked_person
from tagloom.history.as_of import version_as_of
from tagloom.ports.problems import ChangeNotFound
from tagloom.words.model import Change, Version
from tagloom.words.retention import HistoryCompacted
from tagloom.words.rules import Definition, HasTag


class Then(NamedTuple):
    """The version that is asked about, and what made it; before the first one nothing did."""

    version: Version
    change: Change | None


def _then(visit: Visit) -> Then:
    """What `as_of` names, or the newest version at the time `at`. Raises: ParameterInvalid, ChangeNotFound."""
    version = version_as_of(visit.population, visit.text("as_of").strip() or visit.moment("at") or "") or 0
    return Then(version, visit.population.get_change(version) if version else None)


def tribe(visit: Visit) -> Answer:
    """Whom today's rule found then."""
    tribe = visit.loom.tribes.get_tribe(visit.space.id, visit.values["tribe"])
    context: dict[str, Any] = {
        "title": tribe.name,
        "breadcrumb": [("Tribes", visit.to("tribes")), (tribe.name, visit.to(f"tribe/{tribe.id}"))],
        "tribe": tribe,
    }

    def look(then: Then) -> dict[str, Any]:
        wanted = Definition(tribe.audience, tribe.rule)
        return {
            "found": visit.loom.targeting.preview(visit.environment, wanted, as_of=then.version),
            "now_count": visit.loom.targeting.count(visit.environment, tribe.id),
        }

    return _looked(visit, "tribe_earlier.html", context, look)


def tag(visit: Visit) -> Answer:
    """How many bore the tag then, itself and with those below it, and some of them."""
    found = visit.loom.catalogue.get_tag(visit.environment, visit.population.resolve(visit.tag()))
    context: dict[str, Any] = {
        "title": found.tag,
        "breadcrumb": [("User tags", visit.to("tags")), (found.tag, visit.to("tag", tag=found.tag))],
        "tag": found,
    }

    def look(then: Then) -> dict[str, Any]:
        exact = Definition("everyone", HasTag(found.tag, "exact"))
        below = Definition("everyone", HasTag(found.tag))
        return {
            "found": visit.loom.targeting.preview(visit.environment, below, as_of=then.version),
            "exact": visit.population.count(exact, {}, as_of=then.version),
        }

    return _looked(visit, "tag_earlier.html", context, look)


def person(visit: Visit) -> Answer:
    """The tags that a person bore then, and what became of them."""
    person = asked_person(visit)
    context: dict[str, Any] = {
        "title": person.id,
        "breadcrumb": [
            ("Users & visitors", visit.to("people")),
            (person.id, visit.to("people", **{person.kind: person.id})),
        ],
        "person": person,
    }

    def look(then: Then) -> dict[str, Any]:
        was = visit.population.find_person(person, as_of=then.version)
        found = visit.population.find_person(person)
        before, now = () if was is None else was.tags, () if found is None else found.tags
        return {
            "record": was,
            "given": [tag for tag in now if tag not in before],
            "taken": [tag for tag in before if tag not in now],
        }

    return _looked(visit, "person_earlier.html", context, look)


def _looked(visit: Visit, template: str, context: dict[str, Any], look: Callable[[Then], dict[str, Any]]) -> Html:
    """What was seen; or, of a time that is none or of which nothing is kept, why not."""
    try:
        then = _then(visit)
        seen = look(then)
    except (ParameterInvalid, ChangeNotFound, HistoryCompacted) as problem:
        return Html(template, context | {"problem": problem})
    return Html(template, context | seen | {"problem": None, "then": then})
