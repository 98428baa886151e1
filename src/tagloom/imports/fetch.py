"""Fetches the files of imports that name an address, into the folder of uploaded files.

An import is planned only after its whole file was fetched. So the planned file is the applied file, even if the
original file changes. If a process dies during a fetch, another process fetches the file from the beginning.
"""

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
from tagloom.imports.lease import Leases, Lost, WorkerStores
from tagloom.imports.lifecycle import How, Imports, check_file
from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports.imports import FETCHED, Import
from tagloom.ports.problems import ImportChanged, ImportNotFound, StoreUnavailable
from tagloom.words.source_addresses import Remote
from tagloom.words.tenants import Environment

_SECONDS_BETWEEN_REPORTS = 1.0
_SECONDS_TO_STOP = 2.0

log = structlog.get_logger()


class Fetcher:
    """A fetcher of files by their addresses, a few at a time, in its own threads or in the caller's thread."""

    def __init__(
        self, imports: Imports, control: WorkerStores, remotes: Remotes, now: Callable[[], float] = time.time
    ) -> None:
        self._imports = imports
        self._control = control
        self._remotes = remotes
        self._now = now
        self._loop = BackgroundLoop(
            self.work_once,
            seconds=limits.IMPORT_SECONDS_BETWEEN_POLLS,
            name="tagloom-fetches",
            threads=limits.FETCHES_AT_ONCE_MAX,
        )

    # The threads.

    def start(self) -> None:
        """Starts the threads of the fetcher."""
        # An import may wait since an earlier process ended.
        self._loop.wake()
        self._loop.start()

    def stop(self) -> None:
        """Stops at the next chunk, without waiting for a silent host. The fetch begins again later."""
        self._loop.stop(_SECONDS_TO_STOP)

    # Requests.

    def create_import_from_url(self, environment: Environment, remote: Remote, **how: Unpack[How]) -> Import:
        """Adds an import whose file will be fetched. Without a format, the last segment of the address decides.

        Raises: the errors of `Remotes.check` and `Imports.create_import`, before anything is fetched.
        """
        address = self._remotes.check(self._organization(environment), remote)
        named = how.get("name") or address.name or address.host
        format = how.get("format") or self._imports.format_of(address.name)
        given: How = {**how, "name": named, "format": format}
        brought = self._imports.expect_file(environment, remote, **given)
        self._loop.wake()
        return brought

    def _organization(self, environment: Environment) -> str:
        return self._control.get_space(environment.space).organization

    # Fetching.

    def work_once(self, only: str | None = None) -> bool:
        """Fetches the file of an import that waits for a fetch, or of import `only`. Returns False if there is none."""
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
                # The import was cancelled, this process stops, or another process works on the import. Its file must
                # not be deleted.
                leases.release(run)
            except StoreUnavailable:
                leases.release(run)
                raise
            except Problem as problem:
                self._fail(run, problem.slug(), problem.detail)
            except Exception as error:
                # The traceback is logged as text, because a renderer of exceptions would show the local variables,
                # which include a key.
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
                    f"Only {stored.size:,} of {opened.size:,} bytes were received.", received=stored.size
                )
            leases.report(run)
            self._put(run, _fetched(run, remote, opened, stored))

    def _watched(self, opened: Opened, run: Import, leases: Leases) -> Iterator[bytes]:
        """Yields the chunks while this worker has the lease. Raises: Lost."""
        reported_at = time.monotonic()
        for chunk in opened.chunks:
            at = time.monotonic()
            if self._loop.is_stopped:
                raise Lost
            if at - reported_at > _SECONDS_BETWEEN_REPORTS:
                leases.report(run)
                reported_at = at
            yield chunk

    def _put(self, run: Import, put: Import) -> None:
        """Stores the import. Raises: ImportChanged: another caller changed the import."""
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
    """Returns the import with the size, compression, hash and address of its fetched file. Raises: BodyInvalid."""
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
