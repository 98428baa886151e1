"""The port of tribes and boards."""

from typing import Protocol

from tagloom.words.changes import Origin
from tagloom.words.tribes import Board, Tribe, TribeChange


class TribeStore(Protocol):
    """The store of the tribes of each space, of all their changes, and of the board that shows the tribes."""

    def list_tribes(self, space: str) -> tuple[Tribe, ...]:
        """Returns the tribes of a space, ordered by id."""

    def get_tribe(self, space: str, tribe: str) -> Tribe:
        """Returns a tribe. Raises: TribeNotFound."""

    def add_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str) -> None:
        """Stores a new tribe and its change. Raises: TribeExists, TooManyTribes."""

    def put_tribe(self, space: str, tribe: Tribe, origin: Origin, at: str, *, revision: int) -> None:
        """Replaces a tribe, and stores the change.

        Raises: TribeNotFound; TribeChanged: the stored revision is not `revision`.
        """

    def delete_tribe(self, space: str, tribe: str, origin: Origin, at: str, *, revision: int | None) -> None:
        """Deletes a tribe, and stores the change.

        Raises: TribeNotFound; TribeChanged: `revision` is given and is not the stored revision.
        """

    def list_tribe_changes(
        self, space: str, *, tribe: str | None = None, before: int | None = None, limit: int
    ) -> tuple[TribeChange, ...]:
        """Returns the changes of the tribes of a space, or of one tribe, with ids below `before`, the newest first.

        The changes of a deleted tribe stay. They are also listed for a later tribe with the same id.
        """

    def get_board(self, space: str) -> Board:
        """Returns the board of a space, or an empty board if no board was stored."""

    def put_board(self, space: str, board: Board) -> None:
        """Replaces the board of a space. If several callers do this at the same time, the last board stays."""
