"""The overview of an environment, and the search palette."""

from typing import Any

import msgspec

from tagloom.base.times import text_of_milliseconds
from tagloom.console.framework.charts import line_charts
from tagloom.console.framework.context import Answer, Html, PageRequest
from tagloom.console.framework.page_frame import frame_of
from tagloom.console.framework.rendering import day
from tagloom.console.views.tribe_alerts import list_notices
from tagloom.console.views.tribes import colour_of
from tagloom.words.people import Kind, Person
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import PersonIdInvalid
from tagloom.words.rules import All, Definition

CHANGES_SHOWN = 6
TRIBES_SHOWN = 6
HITS_PER_KIND = 6


class Hit(msgspec.Struct, frozen=True):
    """A result of the palette."""

    title: str
    address: str
    icon: str
    count: int | None = None


def overview(request: PageRequest) -> Answer:
    """Shows the numbers of people, tags, tribes and events, the latest changes, and the first steps."""
    targeting, environment = request.services.targeting, request.environment
    audiences = {
        name: targeting.count_rule(environment, Definition(name, All(()))) for name in ("everyone", "users", "visitors")
    }
    trend = targeting.trend(environment, Definition("everyone", All(())))
    tribes = request.services.tribes.list_tribes(request.space.id)
    colours = request.services.boards.get_board(request.space.id).colours
    found = ((tribe, targeting.find_count(environment, tribe.id)) for tribe in tribes)
    counted = [(tribe, count) for tribe, count in found if count is not None]
    counted.sort(key=lambda each: -each[1].count)
    page = request.services.catalogue.list_tags(environment, limit=1)
    # As in the API, only a developer can read how many events there are.
    types = request.services.events.list_types(environment) if request.may("developer") else ()
    return Html(
        "overview.html",
        {
            "title": "Overview",
            "breadcrumb": [(request.space.name, None), ("Overview", None)],
            "audiences": audiences,
            "notices": list_notices(request),
            "tag_count": page.total,
            "tribe_count": len(tribes),
            "event_count": sum(each.events for each in types),
            "last_event_at": text_of_milliseconds(max(each.last_at for each in types)) if types else None,
            "tribes": [
                (tribe, count, colour_of(tribe, colours.get(tribe.id))) for tribe, count in counted[:TRIBES_SHOWN]
            ],
            "changes": request.services.changes.list_changes(environment, newest_first=True, limit=CHANGES_SHOWN),
            "points": trend,
            "charts": line_charts([each.count for each in trend], [day(each.at) for each in trend], width=1_040),
        },
    )


def palette(request: PageRequest) -> Answer:
    """Returns the pages, tribes, tags, attributes, people and syncs that match the typed text."""
    text = request.text("text").strip()
    context: dict[str, Any] = {"text": text, "groups": [(name, hits) for name, hits in _hits(request, text) if hits]}
    return Html("palette_results.html" if request.target == "palette-results" else "palette.html", context)


def _hits(request: PageRequest, text: str) -> list[tuple[str, list[Hit]]]:
    folded = text.casefold()
    places = [Hit(each.name, each.address, each.icon or "corner-down-right") for each in frame_of(request).places]
    places.append(Hit("Account and tokens", "/account", "user"))
    if request.signed.is_administrator:
        places.append(Hit("Teammates", "/teammates", "users"))
    tribes = [
        Hit(each.name, request.to(f"tribe/{each.id}"), "users")
        for each in request.services.tribes.list_tribes(request.space.id)
        if folded in each.name.casefold() or folded in each.id
    ]
    found = [
        ("Pages", [each for each in places if folded in each.title.casefold()][:HITS_PER_KIND]),
        ("Tribes", tribes[:HITS_PER_KIND]),
    ]
    if text and request.may("developer"):
        tags = request.services.catalogue.list_tags(request.environment, search=text, limit=HITS_PER_KIND).items
        found.append(
            ("Tags", [Hit(each.tag, request.to("tag", tag=each.tag), "tag", each.subtree_users) for each in tags])
        )
        found.append(("Attributes", _attributes(request, folded)))
        found.append(("Users & visitors", _people(request, text)))
        syncs = request.services.syncs.list_syncs(request.environment)
        named = [Hit(each.id, request.to(f"sync/{each.id}"), "refresh-cw") for each in syncs if folded in each.id]
        found.append(("Syncs", named[:HITS_PER_KIND]))
        sources = request.services.event_sources.list_sources(request.environment)
        sending = [
            Hit(each.name, request.to(f"source/{each.id}"), "activity")
            for each in sources
            if folded in each.name.casefold() or folded in each.id
        ]
        found.append(("Sources", sending[:HITS_PER_KIND]))
    return found


def _attributes(request: PageRequest, folded: str) -> list[Hit]:
    """Returns attributes whose name contains the text."""
    listed = request.services.attributes.list_attributes(request.environment)
    named = [each for each in listed if folded in each.name.casefold()][:HITS_PER_KIND]
    return [Hit(each.name, request.to("attributes", attribute=each.name), "id-card", each.people) for each in named]


def _people(request: PageRequest, text: str) -> list[Hit]:
    """Returns people whose id begins with the text."""
    kinds: tuple[Kind, ...] = ("user", "visitor")
    found: list[Hit] = []
    for kind in kinds:
        try:
            person = Person(kind, parse_id(text))
        except PersonIdInvalid:
            continue
        page = request.services.people.list_people(
            request.environment, kind=kind, search=person.id, search_match="prefix", limit=3
        )
        symbol = "user" if kind == "user" else "venetian-mask"
        found += [Hit(each.id, request.to("people", kind=kind, **{kind: each.id}), symbol) for each in page.items]
    return found
