"""Fetches the files of imports that were brought by an address, into the folder that sent files lie in.

An import waits, as any other, once its file is here whole: what was planned is what is applied, whatever becomes of the
file where it came from. A process that is lost in between is followed by another, which fetches from the beginning.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Unpack

import structlog
from msgspec.structs import replace

from tagloom.base.problems import Problem
from tagloom.base.times import rfc3339
from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.remote_file import Opened
from tagloom.egress.remotes import Remotes
from tagloom.imports import limits
from tagloom.imports.folder import Stored
from tagloom.imports.lease import Leases, Lost, WorkerStores, keep_working
from tagloom.imports.lifecycle import How, Imports, check_file
from tagloom.ports.imports import FETCHED, Import
from tagloom.ports.problems import ImportChanged, ImportNotFound, StoreUnavailable
from tagloom.words.model import Environment
from tagloom.words.source_addresses import Remote

_SECONDS_BETWEEN_TELLING = 1.0
_SECONDS_TO_STOP = 2.0

log = structlog.get_logger()


class Fetcher:
    """Brings files by their address, a few at a time, in threads or in the caller's."""

    def __init__(
        self, imports: Imports, control: WorkerStores, remotes: Remotes, now: Callable[[], float] = time.time
    ) -> None:
        self._imports = imports
        self._control = control
        self._remotes = remotes
        self._now = now
        self._is_closing = threading.Event()
        self._has_work = threading.Event()
        self._threads: list[threading.Thread] = []

    # The threads.

    def start(self) -> None:
        """Fetches in threads of its own from now on."""
        for number in range(limits.FETCHES_AT_ONCE_MAX):
            thread = threading.Thread(target=self._serve, name=f"tagloom-fetches-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Ends at the next chunk; somebody else, or a later start, begins again. Waits for no place that is silent."""
        self._is_closing.set()
        self._has_work.set()
        for thread in self._threads:
            thread.join(_SECONDS_TO_STOP)

    def _serve(self) -> None:
        keep_working(
            self.work_once, is_closing=self._is_closing, has_work=self._has_work, trouble="fetch.store_unavailable"
        )

    # Asking.

    def bring_address(self, environment: Environment, remote: Remote, **how: Unpack[How]) -> Import:
        """An import whose file is fetched; then it waits. Without a format the address's last segment tells it.

        Raises: what `Remotes.check` and `Imports.bring_file` do, before anything is fetched.
        """
        address = self._remotes.check(self._organization(environment), remote)
        named = how.get("name") or address.name or address.host
        format = how.get("format") or self._imports.format_of(address.name)
        given: How = {**how, "name": named, "format": format}
        brought = self._imports.expect_file(environment, remote, **given)
        self._has_work.set()
        return brought

    def _organization(self, environment: Environment) -> str:
        return self._control.get_space(environment.space).organization

    # Fetching.

    def work_once(self, only: str | None = None) -> bool:
        """Fetches the file of an import that waits for it, or of this one; False when there is none."""
        leases = Leases(self._control, self._now)
        run = leases.take(FETCHED, only)
        if run is None or run.remote is None:
            return False
        began = time.monotonic()
        environment = self._control.get_environment(run.space, run.environment)
        with leases.keeping(run):
            try:
                self._fetch(environment, run, run.remote, leases)
            except (Lost, ImportChanged, ImportNotFound):
                # It was cancelled, this process ends, or another one has it: then the file is not ours to take away.
                leases.release(run)
            except StoreUnavailable:
                leases.release(run)
                raise
            except Problem as problem:
                self._fail(run, problem.slug(), problem.detail)
            except Exception as error:
                # As text, since a renderer of exceptions would show the local variables, and in them a key.
                log.error("fetch.failed", run=run.id, traceback=traceback.format_exc())
                self._fail(run, "internal-error", f"Tagloom failed at this address: {type(error).__name__}.")
            else:
                log.info("fetch.done", run=run.id, seconds=round(time.monotonic() - began, 2))
        return True

    def _fetch(self, environment: Environment, run: Import, remote: Remote, leases: Leases) -> None:
        with self._remotes.open(self._organization(environment), remote) as opened:
            stored = self._imports.folder.fill(run.id, self._watched(opened, run, leases))
            if opened.size is not None and stored.size != opened.size:
                raise SourceUnreadable(
                    f"{stored.size:,} of {opened.size:,} bytes came; the rest did not.", received=stored.size
                )
            leases.tell(run)
            self._put(run, _fetched(run, remote, opened, stored))

    def _watched(self, opened: Opened, run: Import, leases: Leases) -> Iterator[bytes]:
        """The chunks, as long as the import is this worker's. Raises: Lost."""
        told = time.monotonic()
        for chunk in opened.chunks:
            at = time.monotonic()
            if self._is_closing.is_set():
                raise Lost
            if at - told > _SECONDS_BETWEEN_TELLING:
                leases.tell(run)
                told = at
            yield chunk

    def _put(self, run: Import, put: Import) -> None:
        """The import in its next form, unless somebody changed it meanwhile. Raises: ImportChanged."""
        self._control.put_import(put)
        log.info(f"import.{put.state}", run=run.id, space=run.space, environment=run.environment, bytes=put.size_bytes)

    def _fail(self, run: Import, problem: str, detail: str) -> None:
        self._imports.folder.delete(run.id)
        ended = rfc3339(self._now())
        remote = None if run.remote is None else run.remote.without_query()
        failed = replace(run, state="failed", problem=problem, detail=detail, ended_at=ended, has_file=False)
        try:
            self._put(run, replace(failed, remote=remote))
        except ImportChanged:
            log.info("fetch.passed_over", run=run.id)


def _fetched(run: Import, remote: Remote, opened: Opened, stored: Stored) -> Import:
    """The import with its file. Raises: BodyInvalid."""
    described = replace(remote, etag=opened.etag, modified_at=opened.modified_at)
    put = replace(
        run,
        state="waiting",
        size_bytes=stored.size,
        compression=stored.compression,
        digest=stored.digest,
        remote=described.without_query(),
    )
    check_file(put)
    return put
