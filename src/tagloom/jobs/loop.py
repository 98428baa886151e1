"""The one loop of background work: a function that threads call again and again."""

import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

import structlog

from tagloom.ports.problems import StoreUnavailable

log = structlog.get_logger("tagloom.jobs.loop")


class Job(Protocol):
    """Work in the background of a serving process."""

    def start(self) -> None:
        """Starts the work. It is called once."""
        ...

    def stop(self) -> None:
        """Stops the work. Does nothing if it was not started."""
        ...


@contextmanager
def running_jobs(jobs: Iterable[Job]) -> Iterator[None]:
    """Runs jobs during the block. Stops them in the reverse order. One that fails to stop does not keep the others."""
    with ExitStack() as stack:
        for job in jobs:
            job.start()
            stack.callback(job.stop)
        yield


class BackgroundLoop:
    """Calls `work` in a daemon thread called `name`, or in several.

    If `work` returns True, there may be more to do, and the thread calls it again at once. Otherwise the next call is
    `seconds` later, or at the next `wake`; with `seconds` None, only at the next `wake`. The first call waits as well.

    A failure of `work` is logged, and the next call is the next try. So a job survives a database that is away for some
    time, and an error in one case does not end the job for all others.
    """

    def __init__(self, work: Callable[[], object], *, seconds: float | None, name: str, threads: int = 1) -> None:
        self._work = work
        self._seconds = seconds
        self._name = name
        names = [name] if threads == 1 else [f"{name}-{number}" for number in range(threads)]
        self._threads = [threading.Thread(target=self._serve, name=each, daemon=True) for each in names]
        self._condition = threading.Condition()
        self._is_stopped = False
        self._wakes = 0

    @property
    def is_stopped(self) -> bool:
        """Whether the process is stopping. Long work reads it to end earlier."""
        return self._is_stopped

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Makes every thread call `work` soon. A thread that is calling it calls it once more."""
        with self._condition:
            self._wakes += 1
            self._condition.notify_all()

    def pause(self, seconds: float) -> None:
        """Waits so long within `work`, or until the loop is stopped."""
        with self._condition:
            self._condition.wait_for(lambda: self._is_stopped, seconds)

    def stop(self, seconds: float | None = None) -> None:
        """Stops after the current calls of `work`. With `seconds`, each thread is waited for so long at most."""
        with self._condition:
            self._is_stopped = True
            self._condition.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(seconds)

    def _serve(self) -> None:
        wakes_seen, has_more = 0, False
        while True:
            with self._condition:
                if not has_more:
                    self._wait(wakes_seen)
                if self._is_stopped:
                    return
                wakes_seen = self._wakes
            has_more = self._call()

    def _wait(self, wakes_seen: int) -> None:
        self._condition.wait_for(lambda: self._is_stopped or self._wakes != wakes_seen, self._seconds)

    def _call(self) -> bool:
        """Calls `work` once. Returns whether there may be more to do."""
        try:
            return self._work() is True
        except StoreUnavailable as problem:
            log.warning("job.interrupted", job=self._name, detail=problem.detail)
        except Exception:
            # As text: an exception renderer would log local variables, which can contain ids of people.
            log.error("job.failed", job=self._name, traceback=traceback.format_exc())
        return False
