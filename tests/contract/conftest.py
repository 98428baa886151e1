"""The adapters that keep the contract, each opened by one function: `make_population` and `make_control`."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sql

from tagloom.bootstrap import Installation, check, open_installation
from tagloom.engine.check import broken_invariants
from tagloom.engine.read import decisions
from tagloom.ports.control import Control
from tagloom.ports.population import Population
from tagloom.settings import PostgresUrl, Settings
from tagloom.stores.memory import MemoryControl, MemoryPopulation
from tagloom.stores.postgres import open_engine
from tagloom.stores.sql import SqlControl
from tagloom.stores.sqlite import SqliteDatabase
from tests import citus, sqlite
from tests.postgres import new_installation

# Every adapter is named here, and opened in `make_population` and `make_control`.
ADAPTERS = ("memory", "sqlite", "postgres", *(["citus"] if citus.URL else []))
ENGINES: list[sql.Engine] = []


@pytest.fixture(scope="module", autouse=True)
def early_slabs() -> Iterator[None]:
    """The second question about a bucket is answered from its slab, so that both ways of deciding are compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decisions, "REQUESTS_BEFORE_SLAB", 1)
        yield


@dataclass
class Clock:
    """A time that stands still until somebody moves it."""

    now: datetime = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, step: timedelta) -> None:
        self.now += step


def _nothing() -> None:
    """What an adapter has to do that keeps nothing outside the process."""


@dataclass
class Subject:
    """One environment of one adapter, and what a test may do to it from outside."""

    population: Population
    clock: Clock
    close_catalogue: Callable[[bool], None]
    put_time_zone: Callable[[str], None]
    # Leaves the process as a crash would, and gives the population that a new process opens.
    crash_and_reopen: Callable[[], Population]
    # What a further process on the same database has.
    another: Callable[[], Population]
    shut: Callable[[], None] = field(default=_nothing)

    def wait_for(self, other: Population) -> None:
        """Waits until a further process has the newest version, of which a notification tells it."""
        end = time.monotonic() + 30
        while other.version() < self.population.version():
            assert time.monotonic() < end, "the other process does not follow"
            time.sleep(0.01)

    def reopen(self) -> None:
        """Crashes and comes again; what was committed is there."""
        self.population = self.crash_and_reopen()


def make_population(name: str, tmp_path: Path) -> Subject:
    """An empty environment of the adapter `name`, which may keep files under `tmp_path`."""
    clock = Clock()
    if name == "memory":
        return _memory(clock)
    if name == "sqlite":
        return _sqlite(clock, tmp_path)
    if name == "postgres":
        return _postgres(clock, new_installation(), "main")
    if name == "citus":
        url = citus.shared_installation()
        return _postgres(clock, url, citus.new_space(url))
    raise AssertionError(f"no adapter is named {name!r}")


def _memory(clock: Clock) -> Subject:
    catalogue = {"is_closed": False}
    population = MemoryPopulation(clock, closed=lambda: catalogue["is_closed"])
    return Subject(
        population=population,
        clock=clock,
        close_catalogue=lambda is_closed: catalogue.update(is_closed=is_closed),
        put_time_zone=population.put_time_zone,
        crash_and_reopen=lambda: population,
        another=lambda: population,
    )


def _sqlite(clock: Clock, tmp_path: Path) -> Subject:
    opened = [
        open_installation(
            Settings(database=sqlite.new_database(tmp_path / "0" / "tagloom.sqlite")), create=True, now=clock
        )
    ]

    others: list[Installation] = []

    def population_of(installation: Installation) -> Population:
        return installation.population(installation.control.get_environment("main", "production"))

    def another() -> Population:
        others.append(open_installation(opened[-1].settings, now=clock))
        return population_of(others[-1])

    def close_catalogue(is_closed: bool) -> None:
        opened[-1].control.put_catalogue("main", "production", "closed" if is_closed else "open")

    def put_time_zone(zone: str) -> None:
        opened[-1].control.put_time_zone("main", "production", zone)

    def crash_and_reopen() -> Population:
        # What a crash leaves are the files as they lie there, nothing folded and nothing closed.
        after = tmp_path / str(len(opened))
        shutil.copytree(opened[-1].settings.database.parent, after)
        close(others)
        opened[-1].close()
        opened.append(open_installation(Settings(database=after / "tagloom.sqlite"), now=clock))
        return population_of(opened[-1])

    def shut() -> None:
        close(others)
        broken = list(check(opened[-1]))
        opened[-1].close()
        assert broken == []

    return Subject(
        population=population_of(opened[-1]),
        clock=clock,
        close_catalogue=close_catalogue,
        put_time_zone=put_time_zone,
        crash_and_reopen=crash_and_reopen,
        another=another,
        shut=shut,
    )


def _postgres(clock: Clock, url: str, space: str) -> Subject:
    settings = Settings(database=PostgresUrl(url))
    opened = [open_installation(settings, create=space == "main", now=clock)]

    others: list[Installation] = []

    def population_of(installation: Installation) -> Population:
        return installation.population(installation.control.get_environment(space, "production"))

    def another() -> Population:
        others.append(open_installation(settings, now=clock))
        return population_of(others[-1])

    def close_catalogue(is_closed: bool) -> None:
        opened[-1].control.put_catalogue(space, "production", "closed" if is_closed else "open")

    def put_time_zone(zone: str) -> None:
        opened[-1].control.put_time_zone(space, "production", zone)

    def crash_and_reopen() -> Population:
        close(others)
        opened[-1].close()
        opened.append(open_installation(settings, now=clock))
        return population_of(opened[-1])

    def shut() -> None:
        close(others)
        key = opened[-1].control.get_environment(space, "production").key
        with opened[-1].database.storage(key).reading() as snapshot:
            broken = list(broken_invariants(snapshot))
        opened[-1].close()
        assert broken == []

    return Subject(
        population=population_of(opened[-1]),
        clock=clock,
        close_catalogue=close_catalogue,
        put_time_zone=put_time_zone,
        crash_and_reopen=crash_and_reopen,
        another=another,
        shut=shut,
    )


def close(others: list[Installation]) -> None:
    """Ends further processes."""
    while others:
        others.pop().close()


def make_control(name: str, tmp_path: Path) -> Control:
    """An empty installation of the adapter `name`, which may keep files under `tmp_path`."""
    if name == "memory":
        return MemoryControl()
    if name == "sqlite":
        return SqlControl(SqliteDatabase(sqlite.new_database(tmp_path / "control.sqlite")).engine)
    if name in ("postgres", "citus"):
        # The engine of the test before is not needed any more, and the server has only so many connections.
        while ENGINES:
            ENGINES.pop().dispose()
        url = citus.empty_control() if name == "citus" else new_installation()
        ENGINES.append(open_engine(url, _nothing))
        return SqlControl(ENGINES[-1])
    raise AssertionError(f"no adapter is named {name!r}")


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> str:
    """The name of each adapter in turn."""
    return str(request.param)


@pytest.fixture
def subject(adapter: str, tmp_path: Path) -> Iterator[Subject]:
    """An empty environment with its clock and its catalogue's key."""
    made = make_population(adapter, tmp_path)
    yield made
    made.shut()


@pytest.fixture
def population(subject: Subject) -> Population:
    """An empty environment."""
    return subject.population


@pytest.fixture
def control(adapter: str, tmp_path: Path) -> Control:
    """An empty installation."""
    return make_control(adapter, tmp_path)
