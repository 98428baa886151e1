"""The board of tribes: cards in categories, which can be moved, coloured, duplicated and deleted."""

from typing import Any

import msgspec

from tagloom.base.text import plural
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.console.framework.rendering import hue
from tagloom.tribes.boards import COLOURS
from tagloom.tribes.definitions import Draft
from tagloom.tribes.samples import add_samples
from tagloom.words.problems import RuleInvalid
from tagloom.words.tribe_alerts import AlertStatus
from tagloom.words.tribes import Count, Tribe, list_tag


class Card(msgspec.Struct, frozen=True):
    """A tribe on the board, with its count, or the problem of its rule; neither if it depends on the request."""

    tribe: Tribe
    colour: int
    counted: Count | None
    problem: str | None
    is_list: bool = False
    alert: AlertStatus | None = None


class Column(msgspec.Struct, frozen=True):
    """A category and its cards."""

    name: str
    cards: tuple[Card, ...]


def board(request: PageRequest) -> Answer:
    """Shows all tribes of the space, counted in this environment."""
    return Html("tribes.html", board_context(request))


def board_context(request: PageRequest) -> dict[str, Any]:
    """Returns the values for the board."""
    arrangement = request.services.boards.get_board(request.space.id)
    alerts = {each.tribe: each.state.status for each in request.services.tribe_alerts.list_alerts(request.environment)}
    columns = tuple(
        Column(
            group.name,
            tuple(
                msgspec.structs.replace(
                    _card(request, tribe, arrangement.colours.get(tribe.id)), alert=alerts.get(tribe.id)
                )
                for tribe in group.tribes
            ),
        )
        for group in request.services.boards.categories(request.space.id)
    )
    return {
        "title": "Tribes",
        "breadcrumb": [(request.space.name, request.to("overview")), ("Tribes", None)],
        "columns": columns,
        "tribe_count": sum(len(column.cards) for column in columns),
        "colours": range(COLOURS),
        "may_edit": request.may("tribes"),
    }


def colour_of(tribe: Tribe, chosen: int | None) -> int:
    """Returns the chosen colour of a card, or the colour of its category."""
    return hue(tribe.category or tribe.id) if chosen is None else chosen


def _card(request: PageRequest, tribe: Tribe, chosen: int | None) -> Card:
    try:
        counted = request.services.targeting.find_count(request.environment, tribe.id)
    except RuleInvalid as problem:
        return Card(tribe, colour_of(tribe, chosen), None, problem.detail)
    return Card(tribe, colour_of(tribe, chosen), counted, None, is_list=list_tag(tribe.rule) is not None)


def move_tribe(request: PageRequest) -> Answer:
    """Moves a card on the board."""
    request.services.boards.move_tribe(
        request.space.id,
        request.text("tribe"),
        category=request.text("category").strip(),
        before=request.text("before") or None,
        origin=request.origin,
    )
    return _board_again(request)


def move_category(request: PageRequest) -> Answer:
    """Moves a category on the board."""
    request.services.boards.move_category(
        request.space.id, request.text("category"), before=request.text("before") or None
    )
    return _board_again(request)


def paint(request: PageRequest) -> Answer:
    """Changes the colour of a card."""
    request.services.boards.paint_tribe(request.space.id, request.text("tribe"), request.integer("colour"))
    return _board_again(request)


def _board_again(request: PageRequest) -> Answer:
    if request.target is not None:
        return Html("tribes_board.html", board_context(request))
    return Redirect(request.to("tribes"))


def duplicate(request: PageRequest) -> Answer:
    """Copies a tribe under a new name."""
    stored = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    taken = {each.name for each in request.services.tribes.list_tribes(request.space.id)}
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
    created = request.services.tribes.create_tribe(request.space.id, draft, origin=request.origin)
    colour = request.services.boards.get_board(request.space.id).colours.get(stored.id)
    if colour is not None:
        request.services.boards.paint_tribe(request.space.id, created.id, colour)
    return Redirect(request.to(f"tribe/{created.id}"), Toast(f"“{stored.name}” was duplicated as “{name}”."))


def create_samples(request: PageRequest) -> Answer:
    """Adds the sample tribes to a space without tribes."""
    added = add_samples(request.services.tribes, request.space.id, origin=request.origin)
    text = f"{len(added)} sample tribes were added." if added else "The space has tribes already. None was added."
    return Redirect(request.to("overview"), Toast(text))


def ask_delete(request: PageRequest) -> Answer:
    """Shows what deleting a tribe would break."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    names = {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)}
    return Html(
        "tribe_delete.html",
        {
            "title": f"Delete {tribe.name}",
            "breadcrumb": [
                ("Tribes", request.to("tribes")),
                (tribe.name, request.to(f"tribe/{tribe.id}")),
                ("Delete", None),
            ],
            "tribe": tribe,
            "list_tag": list_tag(tribe.rule),
            "counted": request.services.targeting.find_count(request.environment, tribe.id),
            "users": [(each, names[each]) for each in request.services.tribes.users_of(request.space.id, tribe.id)],
        },
    )


def delete(request: PageRequest) -> Answer:
    """Deletes a tribe, if it still has the revision that was shown. The tag of a list is deleted only on request."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    if request.text("with_tag") == "yes":
        request.signed.require(request.space.id, "developer")
        receipt = request.services.lists.delete_list(
            request.environment, tribe.id, request.origin, revision=request.integer("revision")
        )
        text = (
            f"The list “{tribe.name}” was deleted with its tag. {plural(receipt.removed, 'person', 'people')} had it."
        )
        return Redirect(request.to("tribes"), Toast(text))
    request.services.tribes.delete_tribe(
        request.space.id, tribe.id, revision=request.integer("revision"), origin=request.origin
    )
    return Redirect(request.to("tribes"), Toast(f"The tribe “{tribe.name}” was deleted. Activity keeps its rule."))
