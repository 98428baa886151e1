"""Whoever works on an import keeps it as long as the process lives, and no attempt is repeated without an end."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tagloom.base.durable_files import locked
from tagloom.files import limits as files_limits
from tagloom.imports import limits as imports_limits
from tagloom.ports.imports import ImportState
from tagloom.ports.problems import BodyOutdated, StoreUnavailable
from tagloom.ports.writes import Apply, WriteOptions
from tagloom.words.receipts import Receipt
from tests.imports.conftest import Desk

BODY = b"user,tag\n" + b"".join(b"u%d,gold\n" % number for number in range(40))


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of ten rows."""
    monkeypatch.setattr(imports_limits, "IMPORT_ROWS_PER_STEP", 10)
    monkeypatch.setattr(files_limits, "PART_BYTES", 400)


@pytest.fixture
def other_process(tmp_path: Path) -> Iterator[object]:
    """Runs a program that locks a file, until the test ends."""
    held = list[subprocess.Popen[bytes]]()

    def hold(path: Path) -> subprocess.Popen[bytes]:
        program = (
            "import sys, time; from pathlib import Path; from tagloom.base.durable_files import locked\n"
            f"kept = locked(Path({str(path)!r})); print('held', flush=True); time.sleep(60)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        held.append(process)
        return process

    yield hold
    for process in held:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_an_import_whose_process_lives_is_taken_by_nobody_when_its_lease_has_run_out(
    desk: Desk, other_process: object
) -> None:
    brought = desk.bring(BODY)
    desk.imports.run(desk.environment, brought.id)
    process = other_process(desk.imports.folder.path(brought.id).parent / "lock")  # type: ignore[operator]

    # Its lease is not there: a commit held the database for so long that nobody could renew it.
    assert desk.worker.work_once() is False
    assert desk.get(brought).state == "running"

    process.kill()
    process.wait()
    assert desk.worker.work_once() is True
    assert desk.get(brought).state == "done"


@pytest.mark.usefixtures("small_steps")
def test_a_lease_that_another_took_for_lost_is_taken_back_by_the_process_that_lives(desk: Desk) -> None:
    brought = desk.bring(BODY)
    desk.imports.run(desk.environment, brought.id)

    def overtaken(write: Apply, options: WriteOptions) -> "Future[Receipt]":
        receipt = desk.population.submit(write, options)
        # While the step is committed the lease runs out, and another process takes it and lets it go again.
        desk.now.seconds += imports_limits.IMPORT_LEASE_SECONDS + 1
        control, at = desk.installation.control, "9999-01-01T00:00:00Z"
        if control.lease_import("another", now=at, until=at, only=brought.id) is not None:
            control.release_import(brought.id, "another")
        return receipt

    assert desk.new_worker(submit=overtaken).work_once() is True

    done = desk.get(brought)
    assert (done.state, done.tally.steps, done.tally.added) == ("done", 4, 40)
    assert done.rows_total == 40


def test_a_commit_that_outlasts_the_lease_ends_in_one_reading_of_the_file(
    desk: Desk, small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other processes find the lease run out all the time, and the store away; the import goes on all the same."""
    monkeypatch.setattr(imports_limits, "IMPORT_LEASE_SECONDS", 0.06)
    brought = desk.bring(BODY)
    desk.imports.run(desk.environment, brought.id)
    readings = list[int]()

    def slow(write: Apply, options: WriteOptions) -> "Future[Receipt]":
        readings.append(write.rules.step.number if write.rules.step else 0)
        receipt = desk.population.submit(write, options)
        receipt.result()
        desk.now.seconds += 100
        time.sleep(0.2)
        return receipt

    def away(run: str, owner: str, *, rows_read: int | None, until: str) -> ImportState | None:
        if readings and len(readings) % 2:
            raise StoreUnavailable("The database is locked.")
        return desk.installation.control.put_progress(run, owner, rows_read=rows_read, until=until)

    assert desk.new_worker(submit=slow, put_progress=away).work_once() is True

    assert readings == [1, 2, 3, 4]
    assert (desk.get(brought).state, desk.get(brought).tally.added) == ("done", 40)


@pytest.mark.usefixtures("debug_logs")
def test_an_import_that_comes_no_further_ends_and_says_why(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_limits, "IMPORT_ATTEMPTS_MAX", 3)
    brought = desk.bring(BODY)
    desk.imports.run(desk.environment, brought.id)

    def outdated(write: Apply, options: WriteOptions) -> "Future[Receipt]":
        raise BodyOutdated("A tag was renamed meanwhile.")

    monkeypatch.setattr("tagloom.imports.worker._SECONDS_BETWEEN_TRIES_MAX", 0.0)
    with capture_logs() as entries:
        desk.work(desk.new_worker(submit=outdated))

    failed = desk.get(brought)
    assert (failed.state, failed.problem) == ("failed", "body-outdated")
    assert failed.detail == "The import failed 3 times in a row after step 0: A tag was renamed meanwhile."
    assert [each["tried"] for each in entries if each["event"] == "import.broken_off"] == [1, 2, 3]


def test_attempts_are_counted_anew_behind_each_step(
    desk: Desk, small_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports_limits, "IMPORT_ATTEMPTS_MAX", 2)
    brought = desk.bring(BODY)
    desk.imports.run(desk.environment, brought.id)
    calls = list[int]()

    def every_other(write: Apply, options: WriteOptions) -> "Future[Receipt]":
        calls.append(write.rules.step.number if write.rules.step else 0)
        if len(calls) % 2:
            raise BodyOutdated("A tag was renamed meanwhile.")
        return desk.population.submit(write, options)

    desk.work(desk.new_worker(submit=every_other))

    assert (desk.get(brought).state, desk.get(brought).tally.added) == ("done", 40)


def test_a_worker_that_stops_does_not_wait_to_tell_a_database_that_is_locked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports_limits, "IMPORT_LEASE_SECONDS", 0.03)
    brought = desk.bring(BODY)
    desk.imports.run(desk.environment, brought.id)
    may_end, is_told, has_waited = threading.Event(), threading.Event(), threading.Event()

    def locked_out(run: str, owner: str, *, rows_read: int | None, until: str) -> ImportState | None:
        if threading.current_thread().name == "tagloom-import-lease":
            is_told.set()
            may_end.wait(20)
            has_waited.set()
        else:
            is_told.wait(20)
        return desk.installation.control.put_progress(run, owner, rows_read=rows_read, until=until)

    try:
        assert desk.new_worker(put_progress=locked_out).work_once() is True
        assert not has_waited.is_set()
        assert desk.get(brought).state == "done"
    finally:
        may_end.set()
        for thread in threading.enumerate():
            if thread.name == "tagloom-import-lease":
                thread.join()


def test_a_lock_goes_with_its_file_and_hinders_nobody_of_the_same_process(tmp_path: Path) -> None:
    locked(tmp_path / "lock").close()
    locked(tmp_path / "lock").close()
    with pytest.raises(FileNotFoundError):
        locked(tmp_path / "nowhere" / "lock")


@pytest.mark.parametrize("has_applied", [False, True])
@pytest.mark.usefixtures("small_steps")
def test_an_import_that_was_given_up_is_ended_by_the_next_worker(desk: Desk, has_applied: bool) -> None:
    brought = desk.bring(BODY)
    desk.imports.run(desk.environment, brought.id)
    folder = desk.imports.folder

    def killed(write: Apply, options: WriteOptions) -> "Future[Receipt]":
        if has_applied:
            desk.population.submit(write, options).result()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.new_worker(submit=killed).work_once()
    desk.now.seconds += imports_limits.IMPORT_LEASE_SECONDS + 1
    folder.give_up(brought.id)

    desk.work()

    assert not folder.path(brought.id).parent.exists()
    left = desk.imports.list(desk.environment, limit=9)
    assert [(each.state, each.tally.steps) for each in left] == ([("cancelled", 1)] if has_applied else [])
    assert desk.tags("u39") == ()
