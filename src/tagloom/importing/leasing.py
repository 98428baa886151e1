"""Who works on an import: one process at a time, which says again and again that it still does."""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from tagloom import limits, problems
from tagloom.store.imports_port import Import, ImportState
from tagloom.store.port import Control
from tagloom.times import rfc3339

log = structlog.get_logger()


class Lost(Exception):
    """The import is not this worker's any more: it was paused or cancelled, or another process has it."""


class Leases:
    """The imports that one worker holds."""

    def __init__(self, control: Control, now: Callable[[], float]) -> None:
        self._control = control
        self._now = now
        self._owner = secrets.token_hex(8)

    def take(self, states: Sequence[ImportState], only: str | None = None) -> Import | None:
        """One in such a state that nobody works on, the oldest first, or this one."""
        now = rfc3339(self._now())
        return self._control.lease_import(self._owner, now=now, until=self._until(), only=only, states=states)

    def tell(self, run: Import, rows: int | None = None) -> None:
        """Holds it on, and notes how many rows were read. Raises: Lost."""
        state = self._control.tell_progress(run.id, self._owner, rows_read=rows, until=self._until())
        if state != run.state:
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
                    self._control.tell_progress(run.id, self._owner, rows_read=None, until=self._until())
                except problems.StoreUnavailable as problem:
                    log.warning("import.lease_not_kept", run=run.id, detail=problem.detail)

        thread = threading.Thread(target=keep, name="tagloom-import-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _until(self) -> str:
        return rfc3339(self._now() + limits.IMPORT_LEASE_SECONDS)


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
        except problems.StoreUnavailable as problem:
            log.error(trouble, detail=problem.detail)
        has_work.wait(limits.IMPORT_SECONDS_BETWEEN_LOOKS)
