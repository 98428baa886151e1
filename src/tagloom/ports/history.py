"""Reads about changes, and how long they are kept."""

from collections.abc import Iterator
from typing import Protocol

from tagloom.words.model import (
    Change,
    Done,
    Freed,
    Horizon,
    Person,
    Rejected,
    Version,
)
from tagloom.words.tags import TagPath


class History(Protocol):
    """The changes of one environment, the steps of its imports, and the horizon that its history begins at."""

    def find_versions(
        self,
        *,
        actor: str | None = None,
        source: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int,
    ) -> tuple[Version, ...]:
        """What just this actor wrote from just this source, at `since` or later and before `until`, ascending.

        Times are RFC 3339 UTC with milliseconds. Erasures are left out, since they cannot be undone.
        """

    def version_at(self, moment: str) -> Version:
        """The newest version that was committed at this moment or before it; see `trend` for moments."""

    def list_changes(
        self,
        *,
        person: Person | None = None,
        tag: TagPath | None = None,
        after: Version = 0,
        before: Version | None = None,
        newest_first: bool = False,
        actor: str | None = None,
        source: str | None = None,
        action: str | None = None,
        limit: int,
    ) -> tuple[Change, ...]:
        """Versions above `after` and below `before`, ascending, or the newest first.

        Only those that touched the person, or the tag or what is below it, and whose actor, source and action are
        just these. Where a person is asked for, changes tell which tags they were given and lost.
        """

    def get_change(self, version: Version) -> Change:
        """One version. Raises: ChangeNotFound."""

    def steps(self, run: str) -> tuple[Done, ...]:
        """What was committed of an import, in order; nothing of one that never began."""

    def rejected_in(self, run: str) -> Iterator[Rejected]:
        """The lines that the committed steps of an import rejected, by line, as far as their requests listed them."""

    def horizon(self) -> Horizon:
        """From where on all history is kept. What lies before it is refused, not answered in part."""

    def raise_horizon(self, version: Version) -> bool:
        """Gives up what was before a version, and the undo of it and of those before; whether that is news.

        For good. `compact` frees what is not needed any more. Raises: ChangeNotFound.
        """

    def compact(self) -> Freed:
        """One short step of the compaction up to the horizon, to be repeated until it `is_all`. Changes no answer."""

    def preview_compaction(self, version: Version) -> Freed:
        """What a horizon at a version would give up. Holds up nobody, and reads COMPACTION_PREVIEWED_MAX changes.

        Raises: ChangeNotFound.
        """
