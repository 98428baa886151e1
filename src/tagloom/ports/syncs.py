"""The port of syncs and their runs. `Control` includes this port.

If several processes find the same due sync, one of them runs it. `begin_run` changes the next time of the sync, and
fails if another process already changed it.
"""

from collections.abc import Sequence
from typing import Protocol

from tagloom.ports.runs import Due, OpenRun
from tagloom.words.accounts import AuditEntry
from tagloom.words.syncs import Sync, SyncRun


class SyncStore(Protocol):
    """The store of the syncs of all environments, and of their runs. `environment` is the key of an environment."""

    def list_syncs(self, environment: int) -> tuple[Sync, ...]:
        """Returns the syncs of an environment, ordered by id."""

    def get_sync(self, environment: int, sync: str) -> Sync:
        """Returns a sync. Raises: SyncNotFound."""

    def add_sync(self, environment: int, sync: Sync, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores a new sync. Raises: SyncExists, TooManySyncs."""

    def put_sync(self, environment: int, sync: Sync, *, revision: int, audit: Sequence[AuditEntry] = ()) -> None:
        """Replaces the draft, the revision and the next time of a sync. The cursor stays.

        Raises: SyncNotFound; SyncChanged: the stored revision is not `revision`.
        """

    def put_cursor(self, environment: int, sync: str, cursor: str | None) -> None:
        """Stores how far an incremental source has been applied. Does nothing if the sync was deleted."""

    def delete_sync(self, environment: int, sync: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Deletes a sync and its runs. The taggings that they added stay. Raises: SyncNotFound."""

    def list_due(self, now: str, limit: int) -> tuple[Due[Sync], ...]:
        """Returns the syncs whose next time is `now` or earlier, the earliest first."""

    def begin_run(
        self, environment: int, run: SyncRun, *, due_at: str | None, next_run_at: str | None
    ) -> SyncRun | None:
        """Stores a new run without a lease, and the next scheduled time of the sync.

        Returns None if another process was faster: the next time of the sync is no longer `due_at` (unless that is
        None), or the sync has a run that has not ended. Raises: SyncNotFound.
        """

    def put_run(self, seen: OpenRun[SyncRun], run: SyncRun, *, held_until: str) -> bool:
        """Replaces a run and its lease. Returns False if another process changed them since `seen` was read."""

    def list_open_runs(self) -> tuple[OpenRun[SyncRun], ...]:
        """Returns the open runs of all environments, ordered by id."""

    def list_newest_runs(self, environment: int | None = None) -> tuple[SyncRun, ...]:
        """Returns the newest run of each sync, of one environment or of all environments, in any order."""

    def list_runs(self, environment: int, sync: str, *, before: int | None = None, limit: int) -> tuple[SyncRun, ...]:
        """Returns the runs of a sync with ids below `before`, the newest first."""
