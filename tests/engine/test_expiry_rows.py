"""Ends as they are stored: followed by other processes, out of memory when they are over, and swept once."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tagloom.bootstrap import Installation, check, open_installation
from tagloom.engine.population import BitmapPopulation
from tagloom.engine.storage import Database, Transaction
from tagloom.ports.writes import Expire
from tagloom.settings import PostgresUrl, Settings
from tagloom.words.changes import Origin
from tagloom.words.expiry import moment_text
from tagloom.words.people import Person
from tagloom.words.receipts import Mode
from tagloom.words.tags import TagPath
from tests.around import around
from tests.bodies import Line, part, user
from tests.contract.conftest import Clock
from tests.engine.opening import production_on
from tests.postgres import new_installation
from tests.writing import EXPIRY, Batch, write_parts

ADA = Origin("ada", "test")
BEGIN = int(Clock().now.timestamp()) // 60


@pytest.fixture(params=["sqlite", "postgres"])
def open_another(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Installation]]:
    """Opens the same installation, as one more process would."""
    where = tmp_path / "tagloom.sqlite" if request.param == "sqlite" else PostgresUrl(new_installation())
    opened: list[Installation] = []
    clock = Clock()

    def open_one() -> Installation:
        opened.append(open_installation(Settings(database=where), create=not opened, now=clock))
        return opened[-1]

    yield open_one
    broken = list(check(opened[0]))
    for each in opened:
        each.close()
    assert broken == []


def production(installation: Installation) -> BitmapPopulation:
    return installation.population(installation.control.get_environment("main", "production"))


def give(population: BitmapPopulation, *lines: Line, expiry: int = 0, mode: Mode = "add") -> None:
    write_parts(population, [part(lines)], Batch(mode=mode, origin=ADA, expiry=expiry))


def expiries(population: BitmapPopulation, version: int) -> dict[TagPath, str]:
    """When the taggings of u1 end, once the process has followed to a version."""
    deadline = time.monotonic() + 10
    while population.version() < version and time.monotonic() < deadline:
        time.sleep(0.005)
    found = population.find_person(Person("user", "u1"))
    assert found is not None
    assert found.version == version
    return found.expires_at


def at(installation: Installation, minute: int) -> None:
    """Moves the clock to a minute behind its beginning."""
    clock = installation.now
    assert isinstance(clock, Clock)
    clock.now = clock.now.fromtimestamp((BEGIN + minute) * 60, clock.now.tzinfo)


def watched(database: Database, asked: list[list[tuple[int, int]]]) -> Database:
    """A database that keeps what its transactions are asked for the rows of."""

    @contextmanager
    def writing() -> Iterator[Callable[[int], Transaction]]:
        with database.writing() as bind:

            def bind_watched(key: int) -> Transaction:
                transaction = bind(key)

                def rows_of_periods(expiries: Sequence[tuple[int, int]]) -> list[int]:
                    asked.append(list(expiries))
                    return transaction.rows_of_periods(expiries)

                return around(transaction, rows_of_periods=rows_of_periods)

            yield bind_watched

    return around(database, writing=writing)


@pytest.mark.parametrize("open_another", ["postgres"], indirect=True)
def test_a_batch_of_many_ends_asks_for_their_rows_once_and_finds_those_that_were(
    open_another: Callable[[], Installation],
) -> None:
    installation, asked = open_another(), list[list[tuple[int, int]]]()
    tags = [f"a/t{number}" for number in range(30)]
    lines = [user(f"u{n}", *tags)._replace(expiry=BEGIN + 10 + n % 3) for n in range(9)]

    with production_on(installation, database=watched(installation.database, asked)) as population:
        give(population, *lines)
        assert [len(each) for each in asked] == [90]
        give(population, *(user(f"u{n}", *tags) for n in range(9)))
        give(population, *lines)

    # An end that nobody had meanwhile is the same row, and is asked for like a new one.
    assert [len(each) for each in asked] == [90, 90]
    expiries = production(open_another()).find_person(Person("user", "u1"))
    assert expiries is not None
    assert set(expiries.expires_at.values()) == {moment_text(BEGIN + 11)}


def test_another_process_follows_ends_that_come_move_and_go(open_another: Callable[[], Installation]) -> None:
    writer, other = open_another(), open_another()
    ours, theirs = production(writer), production(other)

    give(ours, user("u1", "a"))
    assert expiries(theirs, 1) == {}
    give(ours, user("u1", "a"), expiry=BEGIN + 1)
    assert expiries(theirs, 2) == {"a": moment_text(BEGIN + 1)}
    give(ours, user("u1", "a"), expiry=BEGIN + 2)
    assert expiries(theirs, 3) == {"a": moment_text(BEGIN + 2)}
    at(writer, 2)
    # What the other one takes was never seen by it before but by following.
    assert theirs.write(Expire(), EXPIRY).removed == 1
    assert expiries(ours, 4) == {}
    give(theirs, user("u1", "a"), expiry=BEGIN + 9)
    assert expiries(ours, 5) == {"a": moment_text(BEGIN + 9)}


def test_two_that_sweep_at_once_take_what_ended_once(open_another: Callable[[], Installation]) -> None:
    several = [open_another() for _ in range(2)]
    populations = list(map(production, several))
    give(populations[0], *(user(f"u{n}", "a", "b") for n in range(1_000)), expiry=BEGIN + 1)
    at(several[0], 1)
    removed: list[int] = []
    threads = [
        threading.Thread(target=lambda each=each: removed.append(each.write(Expire(), EXPIRY).removed))
        for each in populations
    ]  # type: ignore[misc]  # Bound at once.

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(removed) == [0, 2_000]
    expiries(populations[0], 2)
    assert populations[0].version() == 2


def test_ends_that_are_over_are_in_nobodys_memory_and_count_as_no_tags(
    open_another: Callable[[], Installation], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_another()
    monkeypatch.setattr("tagloom.ports.limits.TAGS_PER_ENVIRONMENT_MAX", 2)
    for minute in range(1, 30):
        give(production(writer), user("u1", "a", "b"), expiry=BEGIN + minute)

    opened = production(open_another())
    opened.version()

    dictionary = opened._environment.dictionary
    assert sum(map(len, dictionary.expiries.values())) == 2
    assert len(dictionary.rows) == 11, "two tags, six facts, the links and the two seen days"
    assert [tag.tag for tag in opened.list_tags(limit=10).items] == ["a", "b"]


def test_an_end_that_comes_again_has_its_row_again(open_another: Callable[[], Installation]) -> None:
    population = production(open_another())
    for expiry in (BEGIN + 1, BEGIN + 2) * 5:
        give(population, user("u1", "a"), expiry=expiry)

    with population._environment.reading() as snapshot:
        assert len(snapshot.period_rows()) == 2


def test_writes_of_tags_without_ends_store_none(open_another: Callable[[], Installation]) -> None:
    population = production(open_another())
    give(population, *(user(f"u{n}", "a") for n in range(100)))
    give(population, user("u1", "a"), expiry=BEGIN + 5)
    give(population, user("u1", "b"), mode="change")

    with population._environment.reading() as snapshot:
        assert [row.tag for row in snapshot.period_rows()] == [population._environment.dictionary.live("a").id]  # type: ignore[union-attr]
