"""The oracle's syncs and their runs, in plain dicts."""

from collections.abc import Sequence

import msgspec

from tagloom.ports import limits
from tagloom.ports.problems import SyncChanged, SyncExists, SyncNotFound, TooManySyncs
from tagloom.ports.runs import Due, OpenRun
from tagloom.stores.memory.accounts import MemoryRoster
from tagloom.stores.memory.scheduled_runs import ScheduledRuns
from tagloom.words.accounts import AuditEntry
from tagloom.words.syncs import OPEN, Sync, SyncRun


class MemorySyncBook(MemoryRoster):
    """A `SyncStore` in memory, without any storage on the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._syncs = ScheduledRuns[Sync, SyncRun](
            "sync",
            open_states=OPEN,
            kept_of=lambda sync: {"cursor": sync.cursor},
            place_of=self._place,
            not_found=SyncNotFound,
            exists=SyncExists,
            changed=SyncChanged,
            too_many=TooManySyncs,
        )

    def _place(self, environment: int) -> tuple[str, str]:
        """Returns the space and the name of an environment."""
        found = self._environment(environment)
        return found.space, found.name

    def list_syncs(self, environment: int) -> tuple[Sync, ...]:
        with self._lock:
            return self._syncs.list(environment)

    def get_sync(self, environment: int, sync: str) -> Sync:
        with self._lock:
            return self._syncs.get(environment, sync)

    def add_sync(self, environment: int, sync: Sync, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._syncs.add(environment, sync, limits.SYNCS_PER_ENVIRONMENT_MAX)
            self._tell(audit)

    def put_sync(self, environment: int, sync: Sync, *, revision: int, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._syncs.put(environment, sync, revision)
            self._tell(audit)

    def put_cursor(self, environment: int, sync: str, cursor: str | None) -> None:
        with self._lock:
            if (environment, sync) in self._syncs.definitions:
                stored = self._syncs.get(environment, sync)
                self._syncs.change(environment, sync, msgspec.structs.replace(stored, cursor=cursor))

    def delete_sync(self, environment: int, sync: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._syncs.delete(environment, sync)
            self._tell(audit)

    def list_due(self, now: str, limit: int) -> tuple[Due[Sync], ...]:
        with self._lock:
            return self._syncs.list_due(now, limit)

    def begin_run(
        self, environment: int, run: SyncRun, *, due_at: str | None, next_run_at: str | None
    ) -> SyncRun | None:
        with self._lock:
            return self._syncs.begin(environment, run, due_at, next_run_at)

    def put_run(self, seen: OpenRun[SyncRun], run: SyncRun, *, held_until: str) -> bool:
        with self._lock:
            return self._syncs.put_run(seen, run, held_until)

    def list_open_runs(self) -> tuple[OpenRun[SyncRun], ...]:
        with self._lock:
            return self._syncs.list_open()

    def list_newest_runs(self, environment: int | None = None) -> tuple[SyncRun, ...]:
        with self._lock:
            return self._syncs.list_newest(environment)

    def list_runs(self, environment: int, sync: str, *, before: int | None = None, limit: int) -> tuple[SyncRun, ...]:
        with self._lock:
            return self._syncs.list_runs(environment, sync, before, limit)
