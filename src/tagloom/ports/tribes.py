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
        """Returns the tribes of a space, by id."""

    def get_tribe(self, space: str, tribe: str) -> Tribe:
        """Returns a tribe. Raises: TribeNotFound."""

    def add_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str) -> None:
        """Stores a new tribe and its change. Raises: TribeExists, TooManyTribes."""

    def put_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str, *, revision: int) -> None:
        """Replaces the tribe if its stored revision is `revision`, and stores the change.

        Raises: TribeNotFound, TribeChanged.
        """

    def delete_tribe(self, space: str, tribe: str, origin: Origin, at: str, *, revision: int | None) -> None:
        """Deletes the tribe and stores the change. Raises: TribeNotFound, TribeChanged."""

    def list_tribe_changes(
        self, space: str, *, tribe: str | None = None, before: int | None = None, limit: int
    ) -> tuple[TribeChange, ...]:
        """Returns the changes of the tribes of a space, or of one tribe, with ids below `before`, the newest first.

        A deleted tribe still has its changes. A later tribe of the same id shares them.
        """

    def get_board(self, space: str) -> Board:
        """Returns the board of a space; an empty one if none was stored."""

    def put_board(self, space: str, board: Board) -> None:
        """Replaces the board; the last write wins."""
