"""Leases of imports: one process works on an import at a time, and renews its lease during the work."""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO, Protocol

import structlog

from tagloom.base.times import rfc3339
from tagloom.imports import limits
from tagloom.imports.folder import Folder
from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports.imports import Import, ImportState, ImportStore
from tagloom.ports.problems import ImportNotFound, StoreUnavailable
from tagloom.ports.tenants import TenantStore

_SECONDS_TO_STOP = 1.0

log = structlog.get_logger()


class Lost(Exception):
    """Raised if the worker lost its import: it was paused or cancelled, or another process has the lease."""


class WorkerStores(ImportStore, TenantStore, Protocol):
    """The stores that a worker needs."""


class Leases:
    """The leases of one worker.

    A lease in the database has an expiry, so that another machine continues if this one dies. A lock of the operating
    system shows that the process lives even if it cannot renew its lease in time: SQLite allows no other write while a
    step of ten million rows is committed.
    """

    def __init__(self, control: ImportStore, now: Callable[[], float], folder: Folder | None = None) -> None:
        """Creates the leases of a worker. With a `folder`, each lease also locks the import's folder."""
        self._control = control
        self._now = now
        self._folder = folder
        self._owner = secrets.token_hex(8)
        self._lock: BinaryIO | None = None
        self._is_lost = threading.Event()

    def take(self, states: Sequence[ImportState], only: str | None = None) -> Import | None:
        """Leases the oldest import in one of these states that has no lease, or import `only`.

        Returns None if there is no such import.
        """
        now = rfc3339(self._now())
        run = self._control.lease_import(self._owner, now=now, until=self._until(), only=only, states=states)
        if run is None:
            return None
        try:
            self._lock = None if self._folder is None else self._folder.lock(run.id)
        except BlockingIOError:
            # The process of the import lives but could not renew the lease in time. That process takes the lease again.
            log.info("import.worked_on_elsewhere", run=run.id)
            self.release(run)
            return None
        self._is_lost.clear()
        return run

    def report(self, run: Import, rows: int | None = None) -> None:
        """Renews the lease and stores the number of rows that were read. Raises: Lost."""
        if self._is_lost.is_set():
            raise Lost
        try:
            state = self._control.put_progress(run.id, self._owner, rows_read=rows, until=self._until())
            if state is None and self._lock is not None:
                state = self._take_again(run)
        except StoreUnavailable as problem:
            if self._lock is None:
                raise
            log.warning("import.lease_not_kept", run=run.id, detail=problem.detail)
            return
        except ImportNotFound as problem:
            raise Lost from problem
        if state != run.state:
            self._is_lost.set()
            raise Lost

    def _take_again(self, run: Import) -> ImportState | None:
        """Takes the lease again after another process took it. Returns None if the import changed."""
        found = self._control.get_import(run.id)
        if (found.state, found.revision) != (run.state, run.revision):
            return None
        now = rfc3339(self._now())
        self._control.lease_import(self._owner, now=now, until=self._until(), only=run.id, states=(run.state,))
        # The process that has the lease at this moment finds the lock and releases its lease.
        return run.state

    def check(self, run: Import) -> None:
        """Checks that the import is unchanged, without a write that may have to wait. Raises: Lost."""
        try:
            found = self._control.get_import(run.id)
        except ImportNotFound as problem:
            raise Lost from problem
        if self._is_lost.is_set() or (found.state, found.revision) != (run.state, run.revision):
            self._is_lost.set()
            raise Lost

    def release(self, run: Import) -> None:
        """Releases the lease, so that another worker continues at once."""
        self._control.release_import(run.id, self._owner)

    @contextmanager
    def keeping(self, run: Import) -> Iterator[None]:
        """Renews the lease in the background during long work in the block, such as one large commit."""

        def renew() -> None:
            with suppress(Lost):
                self.report(run)

        renewing = BackgroundLoop(renew, seconds=limits.IMPORT_LEASE_SECONDS / 3, name="tagloom-import-lease")
        renewing.start()
        try:
            yield
        finally:
            # A renewal may wait for the database, so the thread is joined only for a short time.
            renewing.stop(_SECONDS_TO_STOP)
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def _until(self) -> str:
        return rfc3339(self._now() + limits.IMPORT_LEASE_SECONDS)


class AttemptCounter:
    """A counter of the attempts in a row at which a worker made no progress with an import."""

    def __init__(self) -> None:
        self._tried: dict[str, tuple[int, int]] = {}

    def count(self, run: Import, steps: int) -> int:
        """Counts a failed attempt after this many steps. Returns how many attempts in a row failed at this step."""
        before, tried = self._tried.get(run.id, (steps, 0))
        tried = tried + 1 if before == steps else 1
        self._tried[run.id] = steps, tried
        return tried

    def reset(self, run: Import) -> None:
        """Deletes the count of an import that ended."""
        self._tried.pop(run.id, None)
