"""The port that reads and compacts the history of changes."""

from collections.abc import Iterator
from typing import Protocol

from tagloom.words.changes import Change, Freed, Horizon, Version
from tagloom.words.people import Person
from tagloom.words.receipts import Done, Rejected
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
        """Returns the versions of exactly this actor or source, at `since` or later and before `until`, ascending.

        Times are RFC 3339 UTC with milliseconds. Erasures are left out, because they cannot be undone.
        """

    def version_at(self, moment: str) -> Version:
        """Returns the newest version that was committed at or before a moment (RFC 3339 UTC with milliseconds)."""

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
        """Returns the versions above `after` and below `before`, ascending, or newest first with `newest_first`.

        If they are given, `person`, `tag`, `actor`, `source` and `action` select versions: those that changed the
        person, that changed a tag at or below `tag`, and that have exactly this actor, source or action. With a person,
        each change lists the tags that were added to the person and removed from the person.
        """

    def get_change(self, version: Version) -> Change:
        """Returns one version. Raises: ChangeNotFound."""

    def steps(self, run: str) -> tuple[Done, ...]:
        """Returns the committed steps of an import, in order. An import that never began has no steps."""

    def rejected_in(self, run: str) -> Iterator[Rejected]:
        """Yields the rejected lines of an import's committed steps, in order, as far as the receipts list them."""

    def horizon(self) -> Horizon:
        """Returns the version from which on history is complete. Reads of earlier versions are refused."""

    def raise_horizon(self, version: Version) -> bool:
        """Makes a version the horizon. Returns whether the horizon rose.

        After that, earlier versions cannot be read, and this version and earlier versions cannot be undone. This cannot
        be reverted. `compact` then frees the space.

        Raises: ChangeNotFound.
        """

    def compact(self) -> Freed:
        """Carries out one short step of the compaction up to the horizon. Does not change the results of reads.

        Call this method until `is_all` of the result is True.
        """

    def preview_compaction(self, version: Version) -> Freed:
        """Returns what a horizon at a version would delete. Reads up to COMPACTION_PREVIEWED_MAX changes.

        Other reads and writes do not wait for this method. Raises: ChangeNotFound.
        """
