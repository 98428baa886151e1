"""The committer: one thread that commits. Batches that wait at the same time share one transaction and one fsync."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from tagloom.base.counters import Commits
from tagloom.base.problems import Problem
from tagloom.engine import limits
from tagloom.engine.storage import Database, Transaction, Undone
from tagloom.engine.write.draft import View
from tagloom.ports.problems import StoreUnavailable, TooManyWrites

Result = TypeVar("Result")

_TRIES = 8  # Attempts of a transaction that the database rolls back.
_WAIT_SHARE = 0.5  # The longest wait for further writers, as a share of the duration of a commit,
_WAIT_SECONDS_MAX = 0.005  # and in seconds.
_CHECK_SECONDS = 0.0005  # The time between two checks of the queue.
_PAUSE_SECONDS = 0.05  # The pause before the second attempt. Each further pause is twice as long.


class Owner(Protocol):
    """The environment that a job belongs to."""

    key: int

    def view(self, tx: Transaction, *, loads_rows: bool) -> View: ...
    def begin_commit(self) -> None: ...
    def publish(self, view: View) -> None: ...
    def invalidate(self) -> None: ...


class Together(NamedTuple):
    """How to run several jobs by one call: `run` takes the items of the jobs, and returns their results in order.

    It has exactly the effect of the jobs one after the other.
    """

    run: Callable[[Sequence[Any], View], Sequence[object]]
    item: object


class Job(Generic[Result]):
    """A function to call inside a commit. A job that is not `is_shared` has its own transaction.

    A job with `is_dry_run` is executed and rolled back, so its result is exactly that of the real write. Adjacent jobs
    of one owner with the same `Together.run` are run together.
    """

    def __init__(
        self,
        owner: Owner,
        run: Callable[[View], Result],
        *,
        is_shared: bool = False,
        is_dry_run: bool = False,
        together: Together | None = None,
    ) -> None:
        self.owner = owner
        self.run = run
        self.together = together
        self.is_shared = is_shared and not is_dry_run
        self.is_dry_run = is_dry_run
        self.future: Future[Result] = Future()


def _adjacent(group: Sequence[Job[object]]) -> Iterator[list[Job[object]]]:
    """Yields the jobs of a group in order: those that can be run together, or one."""
    waiting: list[Job[object]] = []
    for job in group:
        last = waiting[-1] if waiting else None
        if last is not None and (
            last.together is None
            or job.together is None
            or last.together.run != job.together.run
            or last.owner is not job.owner
        ):
            yield waiting
            waiting = []
        waiting.append(job)
    yield waiting


def _results(jobs: Sequence[Job[object]], view: View) -> Sequence[object]:
    together = jobs[0].together
    if together is None or len(jobs) == 1:
        return [jobs[0].run(view)]
    return together.run([job.together.item for job in jobs if job.together is not None], view)


def _ignore(is_working: bool) -> None:
    """The default of `watch`: does nothing."""


class _RolledBack(Exception):
    """An exception that rolls a transaction back."""


class _RunApart(Exception):
    """An exception that rolls a transaction back, so that each of its jobs is run alone."""


class Committer:
    """The executor of jobs: one thread that runs them in order as long as the installation is open."""

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
            TooManyWrites: too many jobs wait; StoreUnavailable: the installation is closing.
        """
        if self._is_closed:
            raise StoreUnavailable("The installation is closing.")
        if self._jobs.qsize() >= limits.WRITERS_WAITING_MAX:
            raise TooManyWrites(f"{limits.WRITERS_WAITING_MAX} writers wait already.", retry_after=1)
        self._jobs.put(job)  # type: ignore[arg-type]  # A job of any result is a job of object to the thread.
        return job.future

    def watch(self, on_work: Callable[[bool], None]) -> None:
        """Sets a function that the committing thread calls.

        It is called with True when the thread begins work, and with False when no job waits.
        """
        self._on_work = on_work

    def waiting(self) -> int:
        """Returns how many jobs wait."""
        return self._jobs.qsize()

    def close(self) -> None:
        """Finishes the waiting jobs, then ends the thread."""
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
                self._wait_for_crowd()
            group = [job]
            following = job
            while following.is_shared and len(group) < limits.BATCHES_PER_COMMIT_MAX and not self._jobs.empty():
                waiting = self._jobs.get()
                if waiting is None:
                    self._execute(group)
                    return
                following = waiting
                if following.is_shared:
                    group.append(following)
            self._execute(group)
            if following is not group[-1]:
                self._execute([following])
            job = self._next()

    def _wait_for_crowd(self) -> None:
        """Waits shortly for writers whose last write has just finished, so that more of them share a commit.

        A single writer never waits.
        """
        until = time.monotonic() + self._patience
        while self._jobs.qsize() + 1 < self._crowd and time.monotonic() < until:
            time.sleep(_CHECK_SECONDS)

    def _execute(self, group: Sequence[Job[object]]) -> None:
        tries, is_together = 0, True
        while group:
            views: dict[int, View] = {}
            results: list[object] = []
            failed: Job[object] | None = None
            began = time.monotonic()
            try:
                with self._database.writing() as bind:
                    for jobs in _adjacent(group) if is_together else ([job] for job in group):
                        job = jobs[0]
                        view = views.get(job.owner.key)
                        if view is None:
                            view = views[job.owner.key] = job.owner.view(bind(job.owner.key), loads_rows=job.is_shared)
                            view.is_dry_run = job.is_dry_run
                        try:
                            results += _results(jobs, view)
                        except Problem as problem:
                            if len(jobs) > 1:
                                is_together = False
                                raise _RunApart from problem
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
            except _RunApart:
                continue
            except _RolledBack:
                if failed is None:
                    group[0].future.set_result(results[0])
                    return
                # The rollback undid the whole group. The group is executed again without the refused job.
                group = [job for job in group if job is not failed]
                continue
            except Undone as error:
                for job in group:
                    job.owner.invalidate()
                tries += 1
                self.commits.undone += 1
                if tries < _TRIES:
                    time.sleep(_PAUSE_SECONDS * 2 ** (tries - 1))
                    continue
                self.commits.failed += 1
                for job in group:
                    job.future.set_exception(
                        StoreUnavailable(f"The database rolled this write back {_TRIES} times: {error}", retry_after=1)
                    )
                return
            except BaseException as error:
                self.commits.failed += 1
                for job in group:
                    job.owner.invalidate()
                    job.future.set_exception(error)
                return
            seconds = time.monotonic() - began
            self.commits.times.add(seconds)
            self.commits.batches += len(group)
            self._crowd = len(group) + self._jobs.qsize() if len(group) > 1 else 0
            self._patience = min(_WAIT_SHARE * seconds, _WAIT_SECONDS_MAX)
            for key, view in views.items():
                owners[key].publish(view)
            for job, result in zip(group, results, strict=True):
                job.future.set_result(result)
            return
