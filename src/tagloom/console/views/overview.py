"""The overview of an environment, and the palette that jumps anywhere."""

from typing import Any

import msgspec

from tagloom.console.framework.charts import line_charts
from tagloom.console.framework.context import Answer, Html, Visit
from tagloom.console.framework.page_frame import frame_of
from tagloom.console.framework.rendering import day
from tagloom.console.views.tribes import colour_of
from tagloom.words.model import Kind, Person
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import PersonIdInvalid
from tagloom.words.rules import All, Definition

CHANGES_SHOWN = 6
TRIBES_SHOWN = 6
HITS_PER_KIND = 6


class Hit(msgspec.Struct, frozen=True):
    """Something to jump to."""

    title: str
    address: str
    icon: str
    count: int | None = None


def overview(visit: Visit) -> Answer:
    """How many people, tags and tribes there are, what happened last, and the next step."""
    targeting, environment = visit.loom.targeting, visit.environment
    audiences = {
        name: visit.population.count(Definition(name, All(())), {}) for name in ("everyone", "users", "visitors")
    }
    trend = targeting.trend(environment, Definition("everyone", All(())))
    tribes = visit.loom.tribes.list_tribes(visit.space.id)
    colours = visit.loom.boards.get_board(visit.space.id).colours
    counted = [(tribe, targeting.count(environment, tribe.id)) for tribe in tribes]
    counted.sort(key=lambda each: -each[1].count)
    page = visit.loom.catalogue.list_tags(environment, limit=1)
    return Html(
        "overview.html",
        {
            "title": "Overview",
            "breadcrumb": [(visit.space.name, None), ("Overview", None)],
            "audiences": audiences,
            "tag_count": page.total,
            "tribe_count": len(tribes),
            "tribes": [
                (tribe, count, colour_of(tribe, colours.get(tribe.id))) for tribe, count in counted[:TRIBES_SHOWN]
            ],
            "changes": visit.population.list_changes(newest_first=True, limit=CHANGES_SHOWN),
            "points": trend,
            "charts": line_charts([each.count for each in trend], [day(each.at) for each in trend], width=1_040),
        },
    )


def palette(visit: Visit) -> Answer:
    """What the typed text may mean: pages, tribes, tags, people."""
    text = visit.text("text").strip()
    context: dict[str, Any] = {"text": text, "groups": [(name, hits) for name, hits in _hits(visit, text) if hits]}
    return Html("palette_results.html" if visit.target == "palette-results" else "palette.html", context)


def _hits(visit: Visit, text: str) -> list[tuple[str, list[Hit]]]:
    folded = text.casefold()
    places = [Hit(each.name, each.address, each.icon or "corner-down-right") for each in frame_of(visit).places]
    places.append(Hit("Account and tokens", "/account", "user"))
    if visit.signed.is_administrator:
        places.append(Hit("Teammates", "/teammates", "users"))
    tribes = [
        Hit(each.name, visit.to(f"tribe/{each.id}"), "users")
        for each in visit.loom.tribes.list_tribes(visit.space.id)
        if folded in each.name.casefold() or folded in each.id
    ]
    found = [
        ("Pages", [each for each in places if folded in each.title.casefold()][:HITS_PER_KIND]),
        ("Tribes", tribes[:HITS_PER_KIND]),
    ]
    if text and visit.may("developer"):
        tags = visit.population.list_tags(search=text, limit=HITS_PER_KIND).items
        found.append(
            ("Tags", [Hit(each.tag, visit.to("tag", tag=each.tag), "tag", each.subtree_users) for each in tags])
        )
        found.append(("Users & visitors", _people(visit, text)))
        syncs = visit.loom.syncs.list_syncs(visit.environment)
        named = [Hit(each.id, visit.to(f"sync/{each.id}"), "refresh-cw") for each in syncs if folded in each.id]
        found.append(("Syncs", named[:HITS_PER_KIND]))
    return found


def _people(visit: Visit, text: str) -> list[Hit]:
    """People whose id is this, or begins with it."""
    kinds: tuple[Kind, ...] = ("user", "visitor")
    found: list[Hit] = []
    for kind in kinds:
        try:
            person = Person(kind, parse_id(text))
        except PersonIdInvalid:
            continue
        page = visit.population.list_people(kind=kind, search=person.id, search_match="prefix", limit=3)
        symbol = "user" if kind == "user" else "venetian-mask"
        found += [Hit(each.id, visit.to("people", kind=kind, **{kind: each.id}), symbol) for each in page.items]
    return found
