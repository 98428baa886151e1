"""Time travel: the members of a tribe, the people with a tag and the tags of a person at a given time."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tagloom.base.problems import ParameterInvalid
from tagloom.console.framework.context import Answer, Html, PageRequest
from tagloom.console.views.attributes import types_of
from tagloom.console.views.people import required_person
from tagloom.ports.problems import ChangeNotFound
from tagloom.words.attributes import AttributeChange, AttributeName
from tagloom.words.changes import Change, Version
from tagloom.words.problems import TribeNeedsContext
from tagloom.words.retention import HistoryCompacted
from tagloom.words.rules import Definition, HasTag


class Moment(NamedTuple):
    """A version and its change; version 0, before the first change, has none."""

    version: Version
    change: Change | None


def _moment(request: PageRequest) -> Moment:
    """Returns the version `as_of`, or the newest version at the time `at`. Raises: ParameterInvalid, ChangeNotFound."""
    changes, text = request.services.changes, request.text("as_of").strip() or request.moment("at") or ""
    version = changes.version_as_of(request.environment, text) or 0
    return Moment(version, changes.get_change(request.environment, version) if version else None)


def tribe(request: PageRequest) -> Answer:
    """Shows the people that today's rule matched at a given time."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    context: dict[str, Any] = {
        "title": tribe.name,
        "breadcrumb": [("Tribes", request.to("tribes")), (tribe.name, request.to(f"tribe/{tribe.id}"))],
        "tribe": tribe,
    }

    def read(at: Moment) -> dict[str, Any]:
        wanted = Definition(tribe.audience, tribe.rule)
        return {
            "found": request.services.targeting.preview(request.environment, wanted, as_of=at.version),
            "now_count": request.services.targeting.count(request.environment, tribe.id),
        }

    return _page_as_of(request, "tribe_as_of.html", context, read)


def tag(request: PageRequest) -> Answer:
    """Shows how many people had the tag, or one below it, at a given time, and some of them."""
    catalogue = request.services.catalogue
    found = catalogue.get_tag(request.environment, catalogue.resolve(request.environment, request.tag()))
    context: dict[str, Any] = {
        "title": found.tag,
        "breadcrumb": [("User tags", request.to("tags")), (found.tag, request.to("tag", tag=found.tag))],
        "tag": found,
    }

    def read(at: Moment) -> dict[str, Any]:
        exact = Definition("everyone", HasTag(found.tag, "exact"))
        below = Definition("everyone", HasTag(found.tag))
        return {
            "found": request.services.targeting.preview(request.environment, below, as_of=at.version),
            "exact": request.services.targeting.count_rule(request.environment, exact, as_of=at.version),
        }

    return _page_as_of(request, "tag_as_of.html", context, read)


def person(request: PageRequest) -> Answer:
    """Shows the tags and attributes of a person at a given time, and the difference to today."""
    person = required_person(request)
    context: dict[str, Any] = {
        "title": person.id,
        "breadcrumb": [
            ("Users & visitors", request.to("people")),
            (person.id, request.to("people", **{person.kind: person.id})),
        ],
        "person": person,
    }

    def read(at: Moment) -> dict[str, Any]:
        record = request.services.people.find_person(request.environment, person, as_of=at.version)
        found = request.services.people.find_person(request.environment, person)
        before, now = () if record is None else record.tags, () if found is None else found.tags
        return {
            "record": record,
            "added": [tag for tag in now if tag not in before],
            "removed": [tag for tag in before if tag not in now],
            "changed": _changed({} if record is None else record.attributes, {} if found is None else found.attributes),
            "type_of": types_of(request),
        }

    return _page_as_of(request, "person_as_of.html", context, read)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[AttributeChange]:
    """Returns the differences between the attributes of a person at two times, by name."""
    return [
        AttributeChange(attribute=AttributeName(name), before=before.get(name), after=now.get(name))
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _page_as_of(
    request: PageRequest, template: str, context: dict[str, Any], read: Callable[[Moment], dict[str, Any]]
) -> Html:
    """Returns a page with the values that `read` returns for the requested time.

    If the time is invalid or before the kept history, the page shows the problem.
    """
    try:
        at = _moment(request)
        found = read(at)
    except (ParameterInvalid, ChangeNotFound, HistoryCompacted, TribeNeedsContext) as problem:
        return Html(template, context | {"problem": problem})
    return Html(template, context | found | {"problem": None, "at": at})
