"""The board of tribes: cards in categories, moved by hand or by keyboard, painted, duplicated, deleted."""

from typing import Any

import msgspec

from tagloom.console.framework.context import Answer, Html, Redirect, Toast, Visit
from tagloom.console.framework.rendering import hue
from tagloom.tribes.boards import COLOURS
from tagloom.tribes.definitions import Draft
from tagloom.words.model import Count, Tribe
from tagloom.words.problems import RuleInvalid


class Card(msgspec.Struct, frozen=True):
    """A tribe on the board. Without a count when its rule cannot be answered, with the reason."""

    tribe: Tribe
    colour: int
    counted: Count | None
    problem: str | None


class Column(msgspec.Struct, frozen=True):
    """A category and its cards."""

    name: str
    cards: tuple[Card, ...]


def board(visit: Visit) -> Answer:
    """All tribes of the space, counted in this environment."""
    return Html("tribes.html", board_context(visit))


def board_context(visit: Visit) -> dict[str, Any]:
    """What the board shows."""
    arrangement = visit.loom.boards.get_board(visit.space.id)
    columns = tuple(
        Column(group.name, tuple(_card(visit, tribe, arrangement.colours.get(tribe.id)) for tribe in group.tribes))
        for group in visit.loom.boards.categories(visit.space.id)
    )
    return {
        "title": "Tribes",
        "breadcrumb": [(visit.space.name, visit.to("overview")), ("Tribes", None)],
        "columns": columns,
        "tribe_count": sum(len(column.cards) for column in columns),
        "colours": range(COLOURS),
        "may_edit": visit.may("tribes"),
    }


def colour_of(tribe: Tribe, chosen: int | None) -> int:
    """The colour that a card was given, or one by its category."""
    return hue(tribe.category or tribe.id) if chosen is None else chosen


def _card(visit: Visit, tribe: Tribe, chosen: int | None) -> Card:
    try:
        counted = visit.loom.targeting.count(visit.environment, tribe.id)
    except RuleInvalid as problem:
        return Card(tribe, colour_of(tribe, chosen), None, problem.detail)
    return Card(tribe, colour_of(tribe, chosen), counted, None)


def move_tribe(visit: Visit) -> Answer:
    """Puts a card somewhere else on the board."""
    visit.loom.boards.move_tribe(
        visit.space.id,
        visit.text("tribe"),
        category=visit.text("category").strip(),
        before=visit.text("before") or None,
        origin=visit.origin,
    )
    return _board_again(visit)


def move_category(visit: Visit) -> Answer:
    """Puts a category somewhere else on the board."""
    visit.loom.boards.move_category(visit.space.id, visit.text("category"), before=visit.text("before") or None)
    return _board_again(visit)


def paint(visit: Visit) -> Answer:
    """Gives a card a colour."""
    visit.loom.boards.paint_tribe(visit.space.id, visit.text("tribe"), visit.integer("colour"))
    return _board_again(visit)


def _board_again(visit: Visit) -> Answer:
    if visit.target is not None:
        return Html("tribes_board.html", board_context(visit))
    return Redirect(visit.to("tribes"))


def duplicate(visit: Visit) -> Answer:
    """The same tribe once more, under a name of its own."""
    stored = visit.loom.tribes.get_tribe(visit.space.id, visit.values["tribe"])
    taken = {each.name for each in visit.loom.tribes.list_tribes(visit.space.id)}
    name = next(
        name for number in range(1, len(taken) + 2) if (name := f"{stored.name} (copy {number})"[:120]) not in taken
    )
    draft = Draft(
        name=name,
        rule=stored.rule,
        description=stored.description,
        category=stored.category,
        audience=stored.audience,
    )
    created = visit.loom.tribes.create_tribe(visit.space.id, draft, origin=visit.origin)
    colour = visit.loom.boards.get_board(visit.space.id).colours.get(stored.id)
    if colour is not None:
        visit.loom.boards.paint_tribe(visit.space.id, created.id, colour)
    return Redirect(visit.to(f"tribe/{created.id}"), Toast(f"“{stored.name}” was duplicated as “{name}”."))


def ask_drop(visit: Visit) -> Answer:
    """What deleting a tribe would break."""
    tribe = visit.loom.tribes.get_tribe(visit.space.id, visit.values["tribe"])
    names = {each.id: each.name for each in visit.loom.tribes.list_tribes(visit.space.id)}
    return Html(
        "tribe_delete.html",
        {
            "title": f"Delete {tribe.name}",
            "breadcrumb": [
                ("Tribes", visit.to("tribes")),
                (tribe.name, visit.to(f"tribe/{tribe.id}")),
                ("Delete", None),
            ],
            "tribe": tribe,
            "counted": visit.loom.targeting.count(visit.environment, tribe.id),
            "users": [(each, names[each]) for each in visit.loom.tribes.users_of(visit.space.id, tribe.id)],
        },
    )


def drop(visit: Visit) -> Answer:
    """Deletes the tribe that was looked at."""
    tribe = visit.loom.tribes.get_tribe(visit.space.id, visit.values["tribe"])
    visit.loom.tribes.drop_tribe(visit.space.id, tribe.id, revision=visit.integer("revision"), origin=visit.origin)
    return Redirect(visit.to("tribes"), Toast(f"The tribe “{tribe.name}” was deleted; Activity has its rule."))
