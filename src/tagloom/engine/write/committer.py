"""One thread that commits: batches that wait at the same moment share one transaction, and so one fsync."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar

from tagloom.base.counters import Commits
from tagloom.base.problems import Problem
from tagloom.engine import limits
from tagloom.engine.storage import Database, Transaction, Undone
from tagloom.engine.write.draft import View
from tagloom.ports.problems import StoreUnavailable

Result = TypeVar("Result")

_TRIES = 8  # A transaction that the database undid so often is given up.
_GATHERED_SHARE = 0.5  # Of a commit's time is waited at most for others who wrote a moment ago and may write again,
_GATHERED_SECONDS_MAX = 0.005  # and no longer than this; a look at the queue comes so often:
_LOOK_SECONDS = 0.0005
_PAUSE_SECONDS = 0.05  # Before the second try, and twice as long before each further one.


class Owner(Protocol):
    """The population that a job belongs to."""

    key: int

    def view(self, tx: Transaction, *, loads_rows: bool) -> View: ...
    def begin_commit(self) -> None: ...
    def publish(self, view: View) -> None: ...
    def forget(self) -> None: ...


class Job(Generic[Result]):
    """Something to do inside a commit. A job that is not `shared` has a transaction for itself.

    A `trial` is carried out and rolled back: what a dry run says is what the run would have done.
    """

    def __init__(
        self, owner: Owner, run: Callable[[View], Result], *, is_shared: bool = False, is_dry_run: bool = False
    ) -> None:
        self.owner = owner
        self.run = run
        self.is_shared = is_shared and not is_dry_run
        self.is_dry_run = is_dry_run
        self.future: Future[Result] = Future()


def _ignore(is_working: bool) -> None:
    """What a committer tells that nobody watches."""


class _RolledBack(Exception):
    """Ends a transaction that is not to be committed."""


class Committer:
    """Carries out jobs in the order they came, from one thread that lives as long as the installation is open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.commits = Commits()
        self._jobs: queue.SimpleQueue[Job[object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="tagloom-committer", daemon=True)
        self._is_closed = False
        self._crowd = 0
        self._patience = 0.0
        self._on_work: Callable[[bool], None] = _ignore
        self._thread.start()

    def submit(self, job: Job[Result]) -> "Future[Result]":
        """Queues a job.

        Raises:
            StoreUnavailable: too many wait already, or the installation is closing.
        """
        if self._is_closed:
            raise StoreUnavailable("The installation is closing.")
        if self._jobs.qsize() >= limits.WRITERS_WAITING_MAX:
            raise StoreUnavailable(f"{limits.WRITERS_WAITING_MAX} writers wait already.", retry_after=1)
        self._jobs.put(job)  # type: ignore[arg-type]  # A job of any result is a job of object to the thread.
        return job.future

    def watch(self, on_work: Callable[[bool], None]) -> None:
        """Has `on_work` told, in the committing thread, when it takes up work, and when nothing waits any more."""
        self._on_work = on_work

    def waiting(self) -> int:
        """How many jobs wait."""
        return self._jobs.qsize()

    def close(self) -> None:
        """Finishes what waits, then ends the thread."""
        self._is_closed = True
        self._jobs.put(None)
        self._thread.join()

    def _next(self) -> Job[object] | None:
        if self._jobs.empty():
            self._on_work(False)
        job = self._jobs.get()
        self._on_work(True)
        return job

    def _work(self) -> None:
        job = self._next()
        while job is not None:
            if job.is_shared:
                self._aggregate()
            group = [job]
            following = job
            while following.is_shared and len(group) < limits.BATCHES_PER_COMMIT_MAX and not self._jobs.empty():
                waiting = self._jobs.get()
                if waiting is None:
                    self._carry_out(group)
                    return
                following = waiting
                if following.is_shared:
                    group.append(following)
            self._carry_out(group)
            if following is not group[-1]:
                self._carry_out([following])
            job = self._next()

    def _aggregate(self) -> None:
        """Waits a little for those who were answered a moment ago: the more share a commit, the fewer are needed.

        A writer who is alone waits for nobody.
        """
        until = time.monotonic() + self._patience
        while self._jobs.qsize() + 1 < self._crowd and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)

    def _carry_out(self, group: Sequence[Job[object]]) -> None:
        tries = 0
        while group:
            views: dict[int, View] = {}
            results: list[object] = []
            failed: Job[object] | None = None
            began = time.monotonic()
            try:
                with self._database.writing() as bind:
                    for job in group:
                        view = views.get(job.owner.key)
                        if view is None:
                            view = views[job.owner.key] = job.owner.view(bind(job.owner.key), loads_rows=job.is_shared)
                            view.is_dry_run = job.is_dry_run
                        try:
                            results.append(job.run(view))
                        except Problem as problem:
                            failed = job
                            job.future.set_exception(problem)
                            raise _RolledBack from problem
                    if group[0].is_dry_run:
                        raise _RolledBack
                    for view in views.values():
                        view.flush()
                    owners = {job.owner.key: job.owner for job in group}
                    for owner in owners.values():
                        owner.begin_commit()
            except _RolledBack:
                if failed is None:
                    group[0].future.set_result(results[0])
                    return
                # Whatever the refused job began is undone with all the rest; the rest is done again without it.
                group = [job for job in group if job is not failed]
                continue
            except Undone as error:
                for job in group:
                    job.owner.forget()
                tries += 1
                self.commits.undone += 1
                if tries < _TRIES:
                    time.sleep(_PAUSE_SECONDS * 2 ** (tries - 1))
                    continue
                self.commits.failed += 1
                for job in group:
                    job.future.set_exception(
                        StoreUnavailable(f"The database undid this {_TRIES} times: {error}", retry_after=1)
                    )
                return
            except BaseException as error:
                self.commits.failed += 1
                for job in group:
                    job.owner.forget()
                    job.future.set_exception(error)
                return
            seconds = time.monotonic() - began
            self.commits.times.add(seconds)
            self.commits.batches += len(group)
            self._crowd = len(group) + self._jobs.qsize() if len(group) > 1 else 0
            self._patience = min(_GATHERED_SHARE * seconds, _GATHERED_SECONDS_MAX)
            for key, view in views.items():
                owners[key].publish(view)
            for job, result in zip(group, results, strict=True):
                job.future.set_result(result)
            return
