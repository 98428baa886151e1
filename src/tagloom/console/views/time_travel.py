"""Looking back: who was in a tribe at an earlier time, who bore a tag, and which tags a person bore."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tagloom.base.problems import ParameterInvalid
from tagloom.console.framework.context import Answer, Html, PageRequest
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


def _then(request: PageRequest) -> Then:
    """What `as_of` names, or the newest version at the time `at`. Raises: ParameterInvalid, ChangeNotFound."""
    version = version_as_of(request.population, request.text("as_of").strip() or request.moment("at") or "") or 0
    return Then(version, request.population.get_change(version) if version else None)


def tribe(request: PageRequest) -> Answer:
    """Whom today's rule found then."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    context: dict[str, Any] = {
        "title": tribe.name,
        "breadcrumb": [("Tribes", request.to("tribes")), (tribe.name, request.to(f"tribe/{tribe.id}"))],
        "tribe": tribe,
    }

    def look(then: Then) -> dict[str, Any]:
        wanted = Definition(tribe.audience, tribe.rule)
        return {
            "found": request.services.targeting.preview(request.environment, wanted, as_of=then.version),
            "now_count": request.services.targeting.count(request.environment, tribe.id),
        }

    return _looked(request, "tribe_earlier.html", context, look)


def tag(request: PageRequest) -> Answer:
    """How many bore the tag then, itself and with those below it, and some of them."""
    found = request.services.catalogue.get_tag(request.environment, request.population.resolve(request.tag()))
    context: dict[str, Any] = {
        "title": found.tag,
        "breadcrumb": [("User tags", request.to("tags")), (found.tag, request.to("tag", tag=found.tag))],
        "tag": found,
    }

    def look(then: Then) -> dict[str, Any]:
        exact = Definition("everyone", HasTag(found.tag, "exact"))
        below = Definition("everyone", HasTag(found.tag))
        return {
            "found": request.services.targeting.preview(request.environment, below, as_of=then.version),
            "exact": request.population.count(exact, {}, as_of=then.version),
        }

    return _looked(request, "tag_earlier.html", context, look)


def person(request: PageRequest) -> Answer:
    """The tags that a person bore then, and what became of them."""
    person = asked_person(request)
    context: dict[str, Any] = {
        "title": person.id,
        "breadcrumb": [
            ("Users & visitors", request.to("people")),
            (person.id, request.to("people", **{person.kind: person.id})),
        ],
        "person": person,
    }

    def look(then: Then) -> dict[str, Any]:
        was = request.population.find_person(person, as_of=then.version)
        found = request.population.find_person(person)
        before, now = () if was is None else was.tags, () if found is None else found.tags
        return {
            "record": was,
            "given": [tag for tag in now if tag not in before],
            "taken": [tag for tag in before if tag not in now],
        }

    return _looked(request, "person_earlier.html", context, look)


def _looked(
    request: PageRequest, template: str, context: dict[str, Any], look: Callable[[Then], dict[str, Any]]
) -> Html:
    """What was seen; or, of a time that is none or of which nothing is kept, why not."""
    try:
        then = _then(request)
        seen = look(then)
    except (ParameterInvalid, ChangeNotFound, HistoryCompacted) as problem:
        return Html(template, context | {"problem": problem})
    return Html(template, context | seen | {"problem": None, "then": then})
