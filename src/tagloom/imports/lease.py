"""Who works on an import: one process at a time, which says again and again that it still does."""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Protocol

import structlog

from tagloom.base.times import rfc3339
from tagloom.imports import limits
from tagloom.imports.folder import Folder
from tagloom.ports.imports import Import, ImportState, ImportStore
from tagloom.ports.problems import ImportNotFound, StoreUnavailable
from tagloom.ports.tenants import TenantStore

_SECONDS_TO_STOP = 1.0

log = structlog.get_logger()


class Lost(Exception):
    """The import is not this worker's any more: it was paused or cancelled, or another process has it."""


class WorkerStores(ImportStore, TenantStore, Protocol):
    """What the work on imports needs of the stores."""


class Leases:
    """The imports that one worker holds.

    A lease in the database says until when, so that a machine that is lost is followed by another. A lock of the
    operating system says that the process lives, however long the database keeps it from saying so itself: SQLite lets
    nobody write while a step of ten million rows is committed.
    """

    def __init__(self, control: ImportStore, now: Callable[[], float], folder: Folder | None = None) -> None:
        """Leases of what is worked on, with a lock in `folder` beside each where one is given."""
        self._control = control
        self._now = now
        self._folder = folder
        self._owner = secrets.token_hex(8)
        self._lock: BinaryIO | None = None
        self._is_lost = threading.Event()

    def take(self, states: Sequence[ImportState], only: str | None = None) -> Import | None:
        """One in such a state that nobody works on, the oldest first, or this one."""
        now = rfc3339(self._now())
        run = self._control.lease_import(self._owner, now=now, until=self._until(), only=only, states=states)
        if run is None:
            return None
        try:
            self._lock = None if self._folder is None else self._folder.lock(run.id)
        except BlockingIOError:
            # Its process lives and could not say so in time; it takes the lease back.
            log.info("import.worked_on_elsewhere", run=run.id)
            self.release(run)
            return None
        self._is_lost.clear()
        return run

    def tell(self, run: Import, rows: int | None = None) -> None:
        """Holds it on, and notes how many rows were read. Raises: Lost."""
        if self._is_lost.is_set():
            raise Lost
        try:
            state = self._control.tell_progress(run.id, self._owner, rows_read=rows, until=self._until())
            if state is None and self._lock is not None:
                state = self._taken_back(run)
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

    def _taken_back(self, run: Import) -> ImportState | None:
        """The lease of an import that another process took for lost, while this one lives; None when it was changed."""
        found = self._control.get_import(run.id)
        if (found.state, found.revision) != (run.state, run.revision):
            return None
        now = rfc3339(self._now())
        self._control.lease_import(self._owner, now=now, until=self._until(), only=run.id, states=(run.state,))
        # Whoever has it at this moment sees the lock, and lets it go.
        return run.state

    def look(self, run: Import) -> None:
        """Whether it is still to be worked on, without a write, which may have to wait. Raises: Lost."""
        try:
            found = self._control.get_import(run.id)
        except ImportNotFound as problem:
            raise Lost from problem
        if self._is_lost.is_set() or (found.state, found.revision) != (run.state, run.revision):
            self._is_lost.set()
            raise Lost

    def release(self, run: Import) -> None:
        """Lets another go on at once."""
        self._control.release_import(run.id, self._owner)

    @contextmanager
    def keeping(self, run: Import) -> Iterator[None]:
        """Holds it on while something takes long, such as one large commit."""
        is_over = threading.Event()

        def keep() -> None:
            while not is_over.wait(limits.IMPORT_LEASE_SECONDS / 3):
                try:
                    self.tell(run)
                except Lost:
                    return
                except StoreUnavailable as problem:
                    log.warning("import.lease_not_kept", run=run.id, detail=problem.detail)

        thread = threading.Thread(target=keep, name="tagloom-import-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            # Whoever waits for the database to say that the lease is kept is not waited for.
            thread.join(_SECONDS_TO_STOP)
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def _until(self) -> str:
        return rfc3339(self._now() + limits.IMPORT_LEASE_SECONDS)


class LoginThrottle:
    """How often in a row a worker tried to go on with an import and came no further."""

    def __init__(self) -> None:
        self._tried: dict[str, tuple[int, int]] = {}

    def count(self, run: Import, steps: int) -> int:
        """Notes an attempt that was broken off behind so many steps; how many there were in a row behind these."""
        before, tried = self._tried.get(run.id, (steps, 0))
        tried = tried + 1 if before == steps else 1
        self._tried[run.id] = steps, tried
        return tried

    def forget(self, run: Import) -> None:
        """It has come to an end."""
        self._tried.pop(run.id, None)


def keep_working(
    work_once: Callable[[], bool], *, is_closing: threading.Event, has_work: threading.Event, trouble: str
) -> None:
    """Works for as long as there is anything to do, and looks again when told of it, or a little later.

    When the database is away, `trouble` is what it logs; nothing is lost, and the next look may find it again.
    """
    while not is_closing.is_set():
        has_work.clear()
        try:
            if work_once():
                continue
        except StoreUnavailable as problem:
            log.error(trouble, detail=problem.detail)
        has_work.wait(limits.IMPORT_SECONDS_BETWEEN_LOOKS)
