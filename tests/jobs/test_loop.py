"""A loop of background work calls its work when it is due, outlives every failure, and stops when it is told to."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from tagloom.jobs.loop import BackgroundLoop, running_jobs
from tagloom.ports.problems import StoreUnavailable

FAR_AWAY = 600.0
SOON = 10.0


class Work:
    """Work that counts its calls. Each call returns or raises the next result; later calls return None."""

    def __init__(self, *results: object) -> None:
        self._results = list(results)
        self._called = threading.Condition()
        self.calls = 0
        self.threads = set[str]()

    def __call__(self) -> object:
        with self._called:
            self.calls += 1
            self.threads.add(threading.current_thread().name)
            self._called.notify_all()
            result = self._results.pop(0) if self._results else None
        if isinstance(result, Exception):
            raise result
        return result

    def wait_for_calls(self, calls: int) -> None:
        with self._called:
            assert self._called.wait_for(lambda: self.calls >= calls, SOON), self.calls


@contextmanager
def running(
    work: Callable[[], object], *, seconds: float | None = FAR_AWAY, threads: int = 1
) -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop(work, seconds=seconds, name="tagloom-test", threads=threads)
    loop.start()
    try:
        yield loop
    finally:
        loop.stop()
        assert not [each for each in threading.enumerate() if each.name.startswith("tagloom-test")]


def test_work_is_called_after_each_pause() -> None:
    work = Work()
    with running(work, seconds=0.01):
        work.wait_for_calls(3)

    assert work.threads == {"tagloom-test"}


@pytest.mark.parametrize("seconds", [FAR_AWAY, None])
def test_the_first_call_waits_and_a_wake_makes_it_at_once(seconds: float | None) -> None:
    work = Work()
    with running(work, seconds=seconds) as loop:
        time.sleep(0.05)
        assert work.calls == 0
        loop.wake()
        work.wait_for_calls(1)


def test_a_wake_before_the_start_is_not_forgotten() -> None:
    work = Work()
    loop = BackgroundLoop(work, seconds=FAR_AWAY, name="tagloom-test")
    loop.wake()
    loop.start()
    work.wait_for_calls(1)
    loop.stop()

    assert work.calls == 1


def test_work_is_called_again_at_once_while_there_may_be_more() -> None:
    # Only True means that there may be more: a job may return its results.
    work = Work(True, True, ("a result",))
    with running(work) as loop:
        loop.wake()
        work.wait_for_calls(3)
        time.sleep(0.05)

    assert work.calls == 3


def test_a_wake_during_a_call_leads_to_another_call() -> None:
    calls = Work()
    may_return = threading.Event()

    def work() -> object:
        calls()
        may_return.wait(SOON)
        return None

    with running(work) as loop:
        loop.wake()
        calls.wait_for_calls(1)
        loop.wake()
        may_return.set()
        calls.wait_for_calls(2)


def test_a_store_that_is_away_is_logged_and_the_work_is_tried_again(debug_logs: None) -> None:
    work = Work(StoreUnavailable("The database is away."), StoreUnavailable("It still is."))
    with capture_logs() as logs, running(work, seconds=0.01):
        work.wait_for_calls(3)

    assert [(each["event"], each["log_level"], each["job"], each["detail"]) for each in logs] == [
        ("job.interrupted", "warning", "tagloom-test", "The database is away."),
        ("job.interrupted", "warning", "tagloom-test", "It still is."),
    ]


def test_an_error_is_logged_with_its_traceback_and_the_loop_goes_on(debug_logs: None) -> None:
    work = Work(LookupError("no such thing"))
    with capture_logs() as logs, running(work, seconds=0.01):
        work.wait_for_calls(3)

    (line,) = logs
    assert (line["event"], line["log_level"], line["job"]) == ("job.failed", "error", "tagloom-test")
    assert "Traceback" in line["traceback"]
    assert "no such thing" in line["traceback"]


def test_a_failure_is_followed_by_a_pause() -> None:
    work = Work(True, LookupError(), True)
    with capture_logs(), running(work) as loop:
        loop.wake()
        work.wait_for_calls(2)
        time.sleep(0.05)

    assert work.calls == 2


def test_stopping_ends_the_pause_and_waits_for_the_current_call() -> None:
    ended = list[str]()
    calls = Work()

    def work() -> bool:
        calls()
        loop.pause(FAR_AWAY)
        assert loop.is_stopped
        ended.append("the call")
        return True

    loop = BackgroundLoop(work, seconds=FAR_AWAY, name="tagloom-test")
    loop.wake()
    loop.start()
    calls.wait_for_calls(1)
    assert not loop.is_stopped

    began = time.monotonic()
    loop.stop()

    assert (calls.calls, ended, time.monotonic() - began < SOON) == (1, ["the call"], True)


def test_stopping_waits_for_a_silent_call_for_a_bounded_time() -> None:
    calls, may_return = Work(), threading.Event()

    def work() -> None:
        calls()
        may_return.wait(SOON)

    loop = BackgroundLoop(work, seconds=FAR_AWAY, name="tagloom-test")
    loop.wake()
    loop.start()
    calls.wait_for_calls(1)

    began = time.monotonic()
    loop.stop(0.05)

    assert time.monotonic() - began < SOON / 2
    may_return.set()
    loop.stop()


def test_a_loop_that_was_never_started_stops() -> None:
    work = Work()
    loop = BackgroundLoop(work, seconds=0.0, name="tagloom-test")
    loop.stop()

    assert (loop.is_stopped, work.calls) == (True, 0)


def test_several_threads_call_the_same_work_and_a_wake_reaches_all_of_them() -> None:
    together = threading.Barrier(3)

    def work() -> None:
        together.wait(SOON)

    with running(work, threads=2) as loop:
        for _ in range(20):
            # Each thread calls the work once, since the barrier lets go only of all.
            loop.wake()
            together.wait(SOON)


def test_no_stop_is_missed_by_any_thread() -> None:
    for _ in range(100):
        with running(Work(), threads=3) as loop:
            loop.wake()


class Noted:
    """A job that notes what happens to it, and may fail."""

    def __init__(self, name: str, seen: list[str], *, fails_to: str = "") -> None:
        self._name = name
        self._seen = seen
        self._fails_to = fails_to

    def start(self) -> None:
        self._note("start")

    def stop(self) -> None:
        self._note("stop")

    def _note(self, verb: str) -> None:
        self._seen.append(f"{verb} {self._name}")
        if verb == self._fails_to:
            raise LookupError(verb)


def test_jobs_stop_in_the_reverse_order_though_one_fails_to_stop() -> None:
    seen = list[str]()
    jobs = (Noted("a", seen), Noted("b", seen, fails_to="stop"), Noted("c", seen))

    with pytest.raises(LookupError), running_jobs(jobs):
        seen.append("serve")

    assert seen == ["start a", "start b", "start c", "serve", "stop c", "stop b", "stop a"]


def test_jobs_that_started_before_one_that_fails_are_stopped() -> None:
    seen = list[str]()
    jobs = (Noted("a", seen), Noted("b", seen, fails_to="start"), Noted("c", seen))

    with pytest.raises(LookupError), running_jobs(jobs):
        seen.append("serve")

    assert seen == ["start a", "start b", "stop a"]
