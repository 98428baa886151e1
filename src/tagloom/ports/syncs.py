"""What the use cases need from a store about syncs. `Control` is this too.

Of many processes that find the same sync due, one takes it: `begin_run` changes the time at which it is due next, and
whoever finds that changed already comes too late.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tagloom.words.model import AuditEntry
from tagloom.words.syncs import Sync, SyncRun


class Due(NamedTuple):
    """A sync whose time has come, and the environment it belongs to."""

    space: str
    environment: str
    sync: Sync


class OpenRun(NamedTuple):
    """A run that has not ended. Until `held_until` it belongs to the process that works on it; then it is free."""

    space: str
    environment: str
    run: SyncRun
    held_until: str


class SyncStore(Protocol):
    """The syncs of all environments (by their keys), and their runs."""

    def list_syncs(self, environment: int) -> tuple[Sync, ...]:
        """By id."""

    def get_sync(self, environment: int, sync: str) -> Sync:
        """Raises: SyncNotFound."""

    def add_sync(self, environment: int, sync: Sync, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores a new sync. Raises: SyncExists, TooManySyncs."""

    def put_sync(self, environment: int, sync: Sync, *, revision: int, audit: Sequence[AuditEntry] = ()) -> None:
        """Replaces its draft, revision and next time while the stored revision is `revision`; the cursor stays.

        Raises: SyncNotFound, SyncChanged.
        """

    def put_cursor(self, environment: int, sync: str, cursor: str | None) -> None:
        """Notes how far an incremental source has been applied. Nothing happens when the sync is gone."""

    def delete_sync(self, environment: int, sync: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Forgets it and its runs; what they wrote stays. Raises: SyncNotFound."""

    def list_due(self, now: str, limit: int) -> tuple[Due, ...]:
        """Those whose next time is not after `now`, the longest waiting first."""

    def begin_run(
        self, environment: int, run: SyncRun, *, due_at: str | None, next_run_at: str | None
    ) -> SyncRun | None:
        """Stores a new run that nobody holds yet, and when the sync runs by itself next.

        None when another process was faster: the sync is not due at `due_at` any more (unless that is None), or a run
        of it has not ended. Raises: SyncNotFound.
        """

    def put_run(self, seen: OpenRun, run: SyncRun, *, held_until: str) -> bool:
        """Replaces a run and who holds it, if both are as they were seen; False when another process was faster."""

    def list_open_runs(self) -> tuple[OpenRun, ...]:
        """Of all environments, by id."""

    def list_newest_runs(self, environment: int | None = None) -> tuple[SyncRun, ...]:
        """The newest run of each sync, of one or of all environments, in no order."""

    def list_runs(self, environment: int, sync: str, *, before: int | None = None, limit: int) -> tuple[SyncRun, ...]:
        """The newest first, of ids below `before`."""
