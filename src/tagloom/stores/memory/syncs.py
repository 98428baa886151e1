"""The oracle's syncs and their runs, in plain dicts."""

from collections.abc import Sequence

import msgspec

from tagloom.ports import limits
from tagloom.ports.problems import SyncChanged, SyncExists, SyncNotFound, TooManySyncs
from tagloom.ports.syncs import Due, OpenRun
from tagloom.stores.memory.accounts import MemoryRoster
from tagloom.words.accounts import AuditEntry
from tagloom.words.syncs import OPEN, Sync, SyncRun


class MemorySyncBook(MemoryRoster):
    """A `SyncStore` in memory, without any storage on the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._syncs: dict[tuple[int, str], Sync] = {}
        self._runs: dict[int, tuple[int, SyncRun, str]] = {}
        self._last_run = 0

    def _place(self, environment: int) -> tuple[str, str]:
        """Returns the space and the name of an environment."""
        found = self._environment(environment)
        return found.space, found.name

    def list_syncs(self, environment: int) -> tuple[Sync, ...]:
        with self._lock:
            return tuple(self._syncs[key] for key in sorted(self._syncs) if key[0] == environment)

    def get_sync(self, environment: int, sync: str) -> Sync:
        with self._lock:
            if (environment, sync) not in self._syncs:
                raise SyncNotFound(f"There is no sync '{sync}'.", value=sync)
            return self._syncs[environment, sync]

    def add_sync(self, environment: int, sync: Sync, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            if len(self.list_syncs(environment)) >= limits.SYNCS_PER_ENVIRONMENT_MAX:
                raise TooManySyncs("Too many syncs.", syncs_max=limits.SYNCS_PER_ENVIRONMENT_MAX)
            if (environment, sync.id) in self._syncs:
                raise SyncExists(f"There is a sync '{sync.id}' already.", value=sync.id)
            self._syncs[environment, sync.id] = sync
            self._tell(audit)

    def put_sync(self, environment: int, sync: Sync, *, revision: int, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            stored = self.get_sync(environment, sync.id)
            if stored.revision != revision:
                raise SyncChanged(f"The sync '{sync.id}' was changed since revision {revision}.")
            self._syncs[environment, sync.id] = msgspec.structs.replace(sync, cursor=stored.cursor)
            self._tell(audit)

    def put_cursor(self, environment: int, sync: str, cursor: str | None) -> None:
        with self._lock:
            if (environment, sync) in self._syncs:
                stored = self._syncs[environment, sync]
                self._syncs[environment, sync] = msgspec.structs.replace(stored, cursor=cursor)

    def delete_sync(self, environment: int, sync: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self.get_sync(environment, sync)
            del self._syncs[environment, sync]
            self._runs = {
                key: each for key, each in self._runs.items() if (each[0], each[1].sync) != (environment, sync)
            }
            self._tell(audit)

    def list_due(self, now: str, limit: int) -> tuple[Due, ...]:
        with self._lock:
            found = [
                (sync.next_run_at, environment, sync)
                for (environment, _), sync in self._syncs.items()
                if sync.next_run_at is not None and sync.next_run_at <= now
            ]
            found.sort(key=lambda each: (each[0], each[1], each[2].id))
            return tuple(Due(*self._place(environment), sync) for _, environment, sync in found[:limit])

    def begin_run(
        self, environment: int, run: SyncRun, *, due_at: str | None, next_run_at: str | None
    ) -> SyncRun | None:
        with self._lock:
            stored = self.get_sync(environment, run.sync)
            if due_at is not None and stored.next_run_at != due_at:
                return None
            self._syncs[environment, run.sync] = msgspec.structs.replace(stored, next_run_at=next_run_at)
            if any(each.state in OPEN for each in self.list_runs(environment, run.sync, limit=len(self._runs))):
                return None
            self._last_run += 1
            begun = msgspec.structs.replace(run, id=self._last_run)
            self._runs[begun.id] = environment, begun, run.began_at
            return begun

    def put_run(self, seen: OpenRun, run: SyncRun, *, held_until: str) -> bool:
        with self._lock:
            known = self._runs.get(seen.run.id)
            if known is None or known[1:] != (seen.run, seen.held_until):
                return False
            self._runs[seen.run.id] = known[0], run, held_until
            return True

    def list_open_runs(self) -> tuple[OpenRun, ...]:
        with self._lock:
            return tuple(
                OpenRun(*self._place(environment), run, held)
                for environment, run, held in self._runs.values()
                if run.state in OPEN
            )

    def list_newest_runs(self, environment: int | None = None) -> tuple[SyncRun, ...]:
        with self._lock:
            newest = {(where, run.sync): run for where, run, _ in self._runs.values()}
            return tuple(run for (where, _), run in newest.items() if environment in (None, where))

    def list_runs(self, environment: int, sync: str, *, before: int | None = None, limit: int) -> tuple[SyncRun, ...]:
        with self._lock:
            found = [
                run
                for key, run, _ in reversed(self._runs.values())
                if key == environment and run.sync == sync and (before is None or run.id < before)
            ]
            return tuple(found[:limit])
