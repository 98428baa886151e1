"""Tribes and boards."""

from typing import Protocol

from tagloom.words.model import (
    Board,
    Origin,
    Tribe,
    TribeChange,
)


class TribeStore(Protocol):
    """The tribes of each space, every change of them, and the board that shows them."""

    def list_tribes(self, space: str) -> tuple[Tribe, ...]:
        """By id."""

    def get_tribe(self, space: str, tribe: str) -> Tribe:
        """Raises: TribeNotFound."""

    def add_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str) -> None:
        """Stores a new tribe, and the change that it is. Raises: TribeExists, TooManyTribes."""

    def put_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str, *, revision: int) -> None:
        """Replaces the tribe when its stored revision is `revision`, and notes the change.

        Raises: TribeNotFound, TribeChanged.
        """

    def delete_tribe(self, space: str, tribe: str, origin: Origin, at: str, *, revision: int | None) -> None:
        """Deletes the tribe and notes the change. Raises: TribeNotFound, TribeChanged."""

    def list_tribe_changes(
        self, space: str, *, tribe: str | None = None, before: int | None = None, limit: int
    ) -> tuple[TribeChange, ...]:
        """What was done to the tribes of a space, or to one, the newest first, of ids below `before`.

        A tribe that was deleted still has its changes; one of the same id that came later shares them.
        """

    def get_board(self, space: str) -> Board:
        """How the space's tribes are laid out; an empty one before anybody did."""

    def put_board(self, space: str, board: Board) -> None:
        """Lays them out; the last one wins."""
