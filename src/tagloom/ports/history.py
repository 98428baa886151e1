"""Reads of changes, and their retention."""

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
    """The changes of one environment, the steps of its imports, and the horizon where its history begins."""

    def find_versions(
        self,
        *,
        actor: str | None = None,
        source: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int,
    ) -> tuple[Version, ...]:
        """Returns the versions of exactly this actor and source, at `since` or later and before `until`, ascending.

        Times are RFC 3339 UTC with milliseconds. Erasures are left out, because they cannot be undone.
        """

    def version_at(self, moment: str) -> Version:
        """Returns the newest version that was committed at this moment or before it; see `trend` for moments."""

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
        """Returns versions above `after` and below `before`, ascending, or the newest first.

        Only those that changed the person, or a tag at or below `tag`, with exactly this actor, source and action. With
        a person, a change lists the tags that were added to and removed from them.
        """

    def get_change(self, version: Version) -> Change:
        """Returns one version. Raises: ChangeNotFound."""

    def steps(self, run: str) -> tuple[Done, ...]:
        """Returns the committed steps of an import, in order; none if it never began."""

    def rejected_in(self, run: str) -> Iterator[Rejected]:
        """Yields the rejected lines of an import's committed steps, by line, as far as the receipts list them."""

    def horizon(self) -> Horizon:
        """Returns the version from which on history is complete. Reads before it are refused."""

    def raise_horizon(self, version: Version) -> bool:
        """Makes a version the horizon: history before it, and the undo of it and of earlier versions, end for good.

        Returns whether the horizon rose. `compact` then frees the space. Raises: ChangeNotFound.
        """

    def compact(self) -> Freed:
        """Does one short step of the compaction up to the horizon. Repeat it until `is_all`. Changes no answer."""

    def preview_compaction(self, version: Version) -> Freed:
        """Returns what a horizon at a version would delete, from up to COMPACTION_PREVIEWED_MAX changes. Blocks nobody.

        Raises: ChangeNotFound.
        """
