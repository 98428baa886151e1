"""Runs syncs: reads the source of each due sync, passes the file to an import, and follows the import to its end.

Every server process has a runner. Only one process can make each change of a run, so each source is read by one
process. If a process dies, another process takes the run after the lease of the run expired.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import structlog
from msgspec.structs import replace

from tagloom.alerts.run_alerts import AlertKind, RunAlert
from tagloom.alerts.sending import Alerting
from tagloom.base import limits as base_limits
from tagloom.base.problems import Problem
from tagloom.base.times import rfc3339, seconds_of
from tagloom.base.tracing import span
from tagloom.imports.lifecycle import Imports
from tagloom.imports.problems import ImportStateWrong
from tagloom.jobs.leases import Lease, LeasedRuns, Lost
from tagloom.jobs.loop import BackgroundLoop
from tagloom.jobs.schedules import next_after
from tagloom.ports import limits as ports_limits
from tagloom.ports.imports import Import, ImportFormat, MappingStore
from tagloom.ports.problems import ImportChanged, ImportNotFound, SyncNotFound
from tagloom.ports.runs import Due, OpenRun
from tagloom.ports.syncs import SyncStore
from tagloom.ports.tenants import TenantStore
from tagloom.syncs import limits
from tagloom.syncs.problems import SyncBusy, SyncInvalid
from tagloom.syncs.pull import Pulled
from tagloom.syncs.sources import Sources
from tagloom.words.syncs import PushSource, RunState, Sync, SyncRun, owner_name
from tagloom.words.tenants import Environment

log = structlog.get_logger("tagloom.syncs")

# The state of a run by the state of its import. Any other state of the import means that the run is importing.
STATES: Mapping[str, RunState] = {
    "planned": "held",
    "held": "held",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


class RunnerStores(MappingStore, SyncStore, TenantStore, Protocol):
    """The stores that a runner of syncs needs."""


class Runner:
    """A runner of the syncs of an installation. One thread looks for work, and a pool of threads reads the sources.

    `now` returns Unix seconds.
    """

    def __init__(
        self,
        control: RunnerStores,
        imports: Imports,
        alerting: Alerting,
        sources: Sources,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._control = control
        self._imports = imports
        self._alerting = alerting
        self._sources = sources
        self._now = now
        self._reading = LeasedRuns[SyncRun](
            at_once_max=limits.SYNCS_READ_AT_ONCE_MAX,
            per_organization_max=limits.SYNCS_READ_PER_ORGANIZATION_MAX,
            name="tagloom-sync",
        )
        self._loop = BackgroundLoop(self.work_once, seconds=limits.SYNC_SECONDS_BETWEEN_POLLS, name="tagloom-syncs")

    def start(self) -> None:
        """Starts the thread that looks for work."""
        self._loop.start()

    def stop(self) -> None:
        """Stops at the next step. Another process begins to read the sources again that were not read to their end."""
        self._loop.stop()
        self._reading.stop()

    def work_once(self, *, waits: bool = False) -> None:
        """Begins runs that are due, and advances open runs. With `waits`, returns after the sources were read."""
        for due in self._control.list_due(rfc3339(self._now()), ports_limits.SYNCS_PER_ENVIRONMENT_MAX):
            self._begin(due)
        self._reading.renew()
        for seen in self._control.list_open_runs():
            if seen.run.state == "reading":
                self._take(seen)
            else:
                self._follow(seen)
        self._reading.sweep(waits=waits)

    # Pushes.

    def push(
        self, environment: Environment, sync: str, chunks: Iterable[bytes], *, by: str, requires_approval: bool = False
    ) -> SyncRun:
        """Receives records as NDJSON and passes them to an import.

        Raises: SyncNotFound; SyncInvalid: the source is not a push source; SyncBusy; the errors of
        `Imports.create_import`.
        """
        stored = self._control.get_sync(environment.key, sync)
        if not isinstance(stored.draft.source, PushSource):
            raise SyncInvalid(f"The sync '{sync}' reads its source itself. Records cannot be pushed to it.")
        run = SyncRun(
            sync=sync, trigger="push", by=by, began_at=rfc3339(self._now()), requires_approval=requires_approval
        )
        begun = self._control.begin_run(environment.key, run, due_at=None, next_run_at=None)
        if begun is None:
            raise SyncBusy(f"A run of '{sync}' has not ended. Approve it, cancel it or wait for it.")
        seen = OpenRun(environment.space, environment.name, begun, begun.began_at)
        held = self._put(seen, begun, self._until())
        if held is None:
            raise SyncBusy(f"Another process took the run of '{sync}'.")
        try:
            brought = self._create_import(environment, stored, chunks, "ndjson", by)
        except BaseException as error:
            self._end(held, "failed", getattr(error, "detail", type(error).__name__))
            raise
        if not self._hand_over(environment, held, replace(begun, state="importing", import_id=brought.id)):
            raise SyncBusy(f"The records took longer than {limits.SYNC_HELD_SECONDS} s to arrive. Send them again.")
        return replace(begun, state="importing", import_id=brought.id)

    # Steps.

    def _begin(self, due: Due[Sync]) -> None:
        draft, at = due.definition.draft, self._now()
        following = None if draft.schedule is None else rfc3339(next_after(draft.schedule, at))
        run = SyncRun(sync=due.definition.id, trigger="schedule", by="schedule", began_at=rfc3339(at))
        key = self._control.get_environment(due.space, due.environment).key
        if self._control.begin_run(key, run, due_at=due.definition.next_run_at, next_run_at=following) is None:
            # Another process began the run, or the run before has not ended. In both cases this run is skipped.
            log.info("sync.passed_over", space=due.space, environment=due.environment, sync=due.definition.id)

    def _take(self, seen: OpenRun[SyncRun]) -> None:
        if self._reading.has(seen.run.id) or seen.held_until > rfc3339(self._now()):
            return
        # If all readers are busy, the run stays open until a reader of this or another process is free.
        organization = self._control.get_space(seen.space).organization
        if not self._reading.has_room(organization):
            return
        held = self._hold(seen, seen.run)
        if held is not None:
            lease = Lease(held, organization, self._hold, lambda: self._loop.is_stopped)
            self._reading.begin(seen.run.id, lease, self._read)

    def _read(self, lease: Lease[SyncRun]) -> None:
        """Reads the source of a run that this process has leased, and passes the file to an import."""
        held, began = lease.held, time.monotonic()

        def count(rows: int) -> None:
            lease.run = replace(lease.run, rows=rows)
            lease.check()

        environment = self._control.get_environment(held.space, held.environment)
        try:
            sync = self._control.get_sync(environment.key, held.run.sync)
            self._delete_left_imports(environment, sync)
            with span("read a sync", sync=sync.id), tempfile.TemporaryDirectory(prefix="tagloom-sync-") as folder:
                target = Path(folder) / "pulled"
                pulled = self._sources.pull(
                    lease.organization,
                    sync.draft.source,
                    target,
                    cursor=sync.cursor,
                    on_rows=count,
                    is_over=lease.is_over,
                )
                lease.check()
                brought = self._create_import(environment, sync, target, pulled.format, f"sync {sync.id}")
        except Lost:
            return
        except Problem as problem:
            if lease.is_over():
                return
            log.warning("sync.failed", sync=held.run.sync, problem=problem.slug())
            self._end(lease.give_up(), "failed", problem.detail)
            return
        except Exception as error:
            log.exception("sync.failed", sync=held.run.sync)
            self._end(lease.give_up(), "failed", f"Tagloom failed at this source: {type(error).__name__}.")
            return
        held = lease.give_up()
        self._hand_over(environment, held, _reached(held.run, pulled, brought.id))
        log.info("sync.read", sync=sync.id, rows=pulled.rows, seconds=round(time.monotonic() - began, 2))

    def _delete_left_imports(self, environment: Environment, sync: Sync) -> None:
        """Deletes imports of a sync whose process died before the run stored the import's id.

        No run would ever begin these imports. A sync has one run at a time, and a run whose source is being read has no
        import yet.
        """
        for left in self._imports.list(environment, limit=base_limits.PAGE_ITEMS_MAX):
            if left.owner == owner_name(sync.id) and left.state == "waiting":
                self._delete(environment, left.id)

    def _delete(self, environment: Environment, import_id: str) -> None:
        # Another process may delete the import at the same moment.
        with suppress(ImportNotFound):
            self._imports.delete(environment, import_id)

    def _create_import(
        self, environment: Environment, sync: Sync, source: Path | Iterable[bytes], format: ImportFormat, by: str
    ) -> Import:
        """Stores the file of a source as a new import, which waits until it is begun."""
        draft = sync.draft
        kept = self._control.get_mapping(environment.space, draft.mapping)
        return self._imports.create_import(
            environment,
            source,
            name=f"sync {sync.id}",
            by=by,
            mapping=kept.mapping,
            mapping_name=f"{kept.name}, version {kept.version}",
            mode=draft.mode,
            prefix=draft.prefix,
            format=format,
            share_removed_max=draft.share_removed_max,
            owner=owner_name(sync.id),
            starts_at=draft.starts_at or None,
            expires_at=draft.expires_at or None,
            ttl=draft.ttl or None,
        )

    def _hand_over(self, environment: Environment, held: OpenRun[SyncRun], run: SyncRun) -> bool:
        """Stores the run with the id of its import, and then begins the import, so that no import runs without a run.

        Returns False if another process has the run. The import is then deleted.
        """
        import_id = run.import_id or ""
        if self._put(held, run, rfc3339(self._now())) is None:
            self._delete(environment, import_id)
            return False
        self._begin_import(environment, import_id, requires_approval=run.requires_approval)
        return True

    def _begin_import(self, environment: Environment, import_id: str, *, requires_approval: bool) -> None:
        # Any process that follows the run may begin its import, because the process that read the source may have died.
        # An import that another process began already is in a state that does not allow the action.
        with suppress(ImportStateWrong, ImportChanged):
            if requires_approval:
                self._imports.plan(environment, import_id)
            else:
                self._imports.run(environment, import_id)

    def _follow(self, seen: OpenRun[SyncRun]) -> None:
        """Updates a run to the state of its import. Sends alerts when the run is held, is late or failed."""
        environment = self._control.get_environment(seen.space, seen.environment)
        try:
            found = self._imports.get(environment, seen.run.import_id or "")
        except ImportNotFound:
            self._end(seen, "cancelled", None)
            return
        state = STATES.get(found.state, "importing")
        # A push stores no number of rows. The import counts the rows.
        rows = seen.run.rows or found.rows_total or 0
        if found.state == "waiting":
            self._begin_import(environment, found.id, requires_approval=seen.run.requires_approval)
        if state == "done" and seen.run.cursor is not None:
            # The cursor is stored before the run ends. If the process dies in between, the next process stores the
            # cursor again.
            self._control.put_cursor(environment.key, seen.run.sync, seen.run.cursor)
        if state in ("done", "failed", "cancelled"):
            self._end(seen, state, found.detail or found.problem, rows=rows)
            return
        is_late = self._is_late(environment, seen.run)
        run = replace(
            seen.run,
            state=state,
            rows=rows,
            alerts_sent=(*seen.run.alerts_sent, "late") if is_late else seen.run.alerts_sent,
        )
        if run == seen.run or self._put(seen, run, rfc3339(self._now())) is None:
            return
        if is_late:
            self._alert(seen, "late", f"It began at {seen.run.began_at} and has not ended.")
        if found.state == "held":
            # A requested plan needs no alert, because the person who requested the plan looks at it anyway.
            self._alert(seen, "held", found.detail or "A guard stopped it.")

    def _is_late(self, environment: Environment, run: SyncRun) -> bool:
        """Returns whether the run takes too long and no alert about that was sent yet."""
        if "late" in run.alerts_sent:
            return False
        try:
            alerts = self._control.get_sync(environment.key, run.sync).draft.alerts
        except SyncNotFound:
            return False
        return self._now() - seconds_of(run.began_at) >= alerts.late_minutes * 60

    def _end(self, seen: OpenRun[SyncRun], state: RunState, detail: str | None, *, rows: int | None = None) -> None:
        at, counted = rfc3339(self._now()), seen.run.rows if rows is None else rows
        problem = detail if state == "failed" else None
        ended = replace(seen.run, state=state, rows=counted, ended_at=at, problem=problem)
        if self._put(seen, ended, at) is not None and state == "failed":
            self._alert(seen, "failed", detail or "It failed.")

    # Within.

    def _hold(self, seen: OpenRun[SyncRun], run: SyncRun) -> OpenRun[SyncRun] | None:
        """Renews this process's lease of a run. Returns None if another process has the run."""
        return self._put(seen, run, self._until())

    def _until(self) -> str:
        return rfc3339(self._now() + limits.SYNC_HELD_SECONDS)

    def _put(self, seen: OpenRun[SyncRun], run: SyncRun, held_until: str) -> OpenRun[SyncRun] | None:
        """Stores a run with its lease. Returns None if another process changed the run first."""
        if not self._control.put_run(seen, run, held_until=held_until):
            return None
        return seen._replace(run=run, held_until=held_until)

    def _alert(self, seen: OpenRun[SyncRun], kind: AlertKind, detail: str) -> None:
        environment = self._control.get_environment(seen.space, seen.environment)
        try:
            to = self._control.get_sync(environment.key, seen.run.sync).draft.alerts
        except SyncNotFound:
            return
        alert = RunAlert(
            type="sync",
            id=seen.run.sync,
            kind=kind,
            space=seen.space,
            environment=seen.environment,
            run=seen.run.id,
            at=rfc3339(self._now()),
            detail=detail,
            import_id=seen.run.import_id,
        )
        self._alerting.send(alert.alert(), to)


def _reached(run: SyncRun, pulled: Pulled, import_id: str) -> SyncRun:
    rows = run.rows if pulled.rows is None else pulled.rows
    return replace(run, state="importing", import_id=import_id, rows=rows, cursor=pulled.cursor)
