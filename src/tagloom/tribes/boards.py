"""The use cases of boards: the order of the categories and cards of a space's tribes, and the colours of the cards.

The category of a tribe is stored in the tribe. The board stores only order and colours, so a change of the board cannot
lose a tribe.
"""

import msgspec

from tagloom.base.problems import ParameterInvalid
from tagloom.ports import limits
from tagloom.ports.tribes import TribeStore
from tagloom.tribes.definitions import Draft, Tribes
from tagloom.tribes.problems import CategoryNotFound
from tagloom.words.changes import Origin
from tagloom.words.tribes import Board, Tribe

COLOURS = 24


class Category(msgspec.Struct, frozen=True):
    """A category with its tribes in the order of the board. The category without a name has all other tribes."""

    name: str
    tribes: tuple[Tribe, ...]


class Boards:
    """The boards of an installation."""

    def __init__(self, control: TribeStore, tribes: Tribes) -> None:
        self._control = control
        self._tribes = tribes

    def get_board(self, space: str) -> Board:
        """Returns the order and the colours of a space's board. The board may lack new categories and tribes."""
        return self._control.get_board(space)

    def categories(self, space: str) -> tuple[Category, ...]:
        """Returns the categories of a space with all its tribes, in the order of the board.

        Categories and tribes that the board does not name come last, by name. A category without tribes is listed while
        the board names it.
        """
        board = self.get_board(space)
        placed: dict[str, list[Tribe]] = {name: [] for name in board.categories}
        for tribe in self._tribes.list_tribes(space):
            placed.setdefault(tribe.category, []).append(tribe)
        rank = {tribe: number for number, tribe in enumerate(board.order)}
        last = len(rank)
        named = [*board.categories, *sorted(name for name in placed if name not in board.categories)]
        return tuple(
            Category(
                name, tuple(sorted(placed[name], key=lambda each: (rank.get(each.id, last), each.name.casefold())))
            )
            for name in named
            if placed[name] or name
        )

    def move_tribe(self, space: str, tribe: str, *, category: str, before: str | None, origin: Origin) -> None:
        """Moves a card into a category, before the card of the tribe `before` or to the end.

        Raises: TribeNotFound; BodyInvalid: the name of the category is invalid.
        """
        stored = self._tribes.get_tribe(space, tribe)
        if stored.category != category:
            draft = Draft(
                name=stored.name,
                rule=stored.rule,
                description=stored.description,
                category=category,
                audience=stored.audience,
                flag=stored.flag,
            )
            self._tribes.put_tribe(space, tribe, draft, revision=stored.revision, origin=origin)
        order = [
            each.id for group in self.categories(space) for each in group.tribes if each.id != tribe
        ]  # The current order of all cards is stored, so that cards that had no place in the order keep their place.
        if before is not None and before in order:
            order.insert(order.index(before), tribe)
        else:
            order.append(tribe)
        board = self.get_board(space)
        named = [group.name for group in self.categories(space)]
        self._put(space, board, categories=tuple(named), order=tuple(order))

    def move_category(self, space: str, category: str, *, before: str | None) -> None:
        """Moves a category before the category `before`, or to the end. Raises: CategoryNotFound."""
        named = [group.name for group in self.categories(space)]
        if category not in named:
            raise CategoryNotFound(f"There is no category '{category}'.", value=category)
        named.remove(category)
        named.insert(named.index(before) if before in named else len(named), category)
        self._put(space, self.get_board(space), categories=tuple(named))

    def paint_tribe(self, space: str, tribe: str, colour: int) -> None:
        """Sets the colour of a card. `colour` is the number of a hue. Raises: TribeNotFound, ParameterInvalid."""
        self._tribes.get_tribe(space, tribe)
        if not 0 <= colour < COLOURS:
            raise ParameterInvalid(f"A colour is a number from 0 to {COLOURS - 1}.", parameter="colour")
        board = self.get_board(space)
        self._put(space, board, colours=board.colours | {tribe: colour})

    def _put(
        self,
        space: str,
        board: Board,
        *,
        categories: tuple[str, ...] | None = None,
        order: tuple[str, ...] | None = None,
        colours: dict[str, int] | None = None,
    ) -> None:
        changed = msgspec.structs.replace(
            board,
            categories=board.categories if categories is None else categories[: limits.TRIBES_PER_SPACE_MAX],
            order=board.order if order is None else order,
            colours=board.colours if colours is None else colours,
        )
        self._control.put_board(space, changed)
