"""The thread that takes what has ended."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tagloom.bootstrap import Installation, check, open_installation
from tagloom.ports import limits as ports_limits
from tagloom.ports.population import Population
from tagloom.ports.problems import StoreCorrupt, StoreUnavailable
from tagloom.settings import Settings
from tagloom.tagging import limits as tagging_limits
from tagloom.tagging.expiry_job import Sweeper
from tagloom.words.changes import Origin
from tagloom.words.tenants import Environment
from tests.bodies import part, user
from tests.contract.conftest import Clock
from tests.writing import Batch, write_parts

CLOCK = Clock()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    CLOCK.now = Clock().now
    opened = open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True, now=CLOCK)
    yield opened
    assert list(check(opened)) == []
    opened.close()


def sweeper_of(installation: Installation) -> Sweeper:
    return Sweeper(installation.list_with_due_taggings, installation.population, lambda: CLOCK.now.timestamp())


def environments(installation: Installation) -> tuple[Environment, ...]:
    return installation.control.list_environments("main")


def give(installation: Installation, where: Environment, id: str, *, ttl: int) -> None:
    request = Batch(mode="add", origin=Origin("ada"), expiry=-ttl)
    write_parts(installation.population(where), [part([user(id, "a")])], request)


def test_every_environment_in_which_something_ended_is_swept_and_no_other_one_opened(
    installation: Installation,
) -> None:
    development, staging, production = environments(installation)
    give(installation, development, "u1", ttl=60)
    give(installation, production, "u1", ttl=60)
    give(installation, production, "u2", ttl=600)
    sweeper = sweeper_of(installation)
    assert sweeper.sweep() == ()
    CLOCK.advance(timedelta(minutes=1))

    swept = sweeper.sweep()

    assert sorted((where.name, receipt.removed) for where, receipt in swept) == [("development", 1), ("production", 1)]
    assert sweeper.sweep() == ()
    assert installation.population(staging).version() == 0


def test_a_sweep_starts_what_is_scheduled_and_then_removes_what_expired(installation: Installation) -> None:
    production = environments(installation)[-1]
    minute = int(CLOCK.now.timestamp()) // 60
    request = Batch(mode="add", origin=Origin("ada"), start=minute + 1, expiry=-60)
    write_parts(installation.population(production), [part([user("u1", "b")])], request)
    give(installation, production, "u2", ttl=60)
    sweeper = sweeper_of(installation)
    assert sweeper.sweep() == ()
    CLOCK.advance(timedelta(minutes=1))

    swept = [(receipt.added, receipt.removed) for _, receipt in sweeper.sweep()]

    assert swept == [(1, 0), (0, 1)]
    assert [change.action for change in installation.population(production).list_changes(after=2, limit=9)] == [
        "start",
        "expiry",
    ]
    CLOCK.advance(timedelta(minutes=1))
    assert [receipt.removed for _, receipt in sweeper.sweep()] == [1]


def test_much_that_ended_is_taken_in_batches_until_nothing_is_left(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports_limits, "EXPIRIES_PER_RUN_MAX", 3)
    production = environments(installation)[-1]
    for minute in range(1, 11):
        give(installation, production, "u1" if minute % 2 else f"u{minute}", ttl=60 * minute)
    CLOCK.advance(timedelta(minutes=10))

    removed = [receipt.removed for _, receipt in sweeper_of(installation).sweep()]

    assert removed == [3, 3]
    assert installation.list_with_due_taggings(10**9) == ()


def test_the_thread_takes_what_ends_while_it_runs_and_outlives_a_store_that_is_away(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tagging_limits, "SWEEP_SECONDS_BETWEEN_POLLS", 0.01)
    production = environments(installation)[-1]
    give(installation, production, "u1", ttl=60)
    looks = threading.Semaphore(0)

    def list_with_due_taggings(moment: int) -> tuple[Environment, ...]:
        looks.release()
        if CLOCK.now == Clock().now:
            raise StoreUnavailable("The database is away.")
        return installation.list_with_due_taggings(moment)

    sweeper = Sweeper(list_with_due_taggings, installation.population, lambda: CLOCK.now.timestamp())
    sweeper.start()
    try:
        assert looks.acquire(timeout=10)
        assert looks.acquire(timeout=10)
        CLOCK.advance(timedelta(minutes=2))
        deadline = time.monotonic() + 10
        while installation.population(production).version() < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        sweeper.stop()

    assert installation.population(production).get_change(2).action == "expiry"


def test_an_environment_that_fails_does_not_keep_the_others_from_being_swept(installation: Installation) -> None:
    development, _, production = environments(installation)
    give(installation, development, "u1", ttl=60)
    give(installation, production, "u1", ttl=60)
    CLOCK.advance(timedelta(minutes=1))

    def population_of(environment: Environment) -> Population:
        if environment == development:
            raise StoreCorrupt("The page is damaged.")
        return installation.population(environment)

    sweeper = Sweeper(installation.list_with_due_taggings, population_of, lambda: CLOCK.now.timestamp())
    with pytest.raises(StoreCorrupt):
        sweeper.sweep()

    assert installation.population(production).get_change(2).action == "expiry"
    assert [where.name for where, _ in sweeper_of(installation).sweep()] == ["development"]
