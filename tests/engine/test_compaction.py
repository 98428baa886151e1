"""History is given up step by step, and nothing that is so now, or at the horizon, is answered otherwise."""

import random
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tagloom.bootstrap import Installation, check, copy_installation, open_installation
from tagloom.engine import limits
from tagloom.engine.history import compaction
from tagloom.engine.population import BitmapPopulation
from tagloom.ports.problems import ChangeNotFound
from tagloom.ports.writes import DeleteTag, Expire, Undo, WriteOptions
from tagloom.settings import PostgresUrl, Settings
from tagloom.words.changes import Horizon, Origin
from tagloom.words.people import Person
from tagloom.words.retention import HistoryCompacted
from tagloom.words.rules import Definition, HasTag
from tagloom.words.tags import TagPath
from tests import citus
from tests.bodies import part, user
from tests.contract.conftest import Clock
from tests.postgres import new_installation, server
from tests.writing import EXPIRY, Batch, write_parts

ADA = Origin("ada", "crm.csv")
TAG = TagPath("plan/pro")
PRO = Definition("everyone", HasTag("plan/pro"))


@pytest.fixture(params=["sqlite", "postgres", *(["citus"] if citus.URL else [])])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "sqlite":
        return Settings(database=tmp_path / "tagloom.sqlite")
    return Settings(database=PostgresUrl(citus.new_installation() if request.param == "citus" else new_installation()))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def installation(settings: Settings, clock: Clock) -> Iterator[Installation]:
    with closing(open_installation(settings, create=True, now=clock)) as opened:
        yield opened
        assert list(check(opened)) == []


@pytest.fixture
def population(installation: Installation) -> BitmapPopulation:
    return production(installation)


def production(installation: Installation) -> BitmapPopulation:
    return installation.population(installation.control.get_environment("main", "production"))


def give(population: BitmapPopulation, people: Iterable[int], tag: str, *, mode: Any = "add", expiry: int = 0) -> int:
    lines = [user(f"u{number}", tag) for number in people]
    return write_parts(population, [part(lines)], Batch(mode=mode, origin=ADA, expiry=expiry)).version


def given_and_taken(population: BitmapPopulation, times: int, people: int) -> None:
    """A tag that is given and taken again, and at last borne by all but one."""
    for number in range(times):
        give(population, range(people), TAG, mode="remove" if number % 2 else "add")
        give(population, range(number % people, people), "other")
    give(population, range(people), TAG)
    give(population, range(1), TAG, mode="remove")


def compact_all(population: BitmapPopulation, version: int) -> int:
    """Compacts up to a version; how many changes went."""
    population.raise_horizon(version)
    gone, is_all = 0, False
    while not is_all:
        freed = population.compact()
        gone, is_all = gone + freed.changes, freed.is_all
    return gone


def because(population: BitmapPopulation, people: int) -> list[object]:
    return [population.decide(Person("user", f"u{n}"), {"pro": PRO}, because=True) for n in range(people)]


def test_a_chunk_of_many_changes_is_compacted_by_parts_and_each_leaves_a_sound_log(
    installation: Installation, population: BitmapPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_and_taken(population, 40, 5)
    before = because(population, 5)
    # Five people leave five changes of a chunk at most: there is always something to do among so many.
    monkeypatch.setattr(compaction, "_CHANGES_OF_CHUNK_MAX", 8)
    monkeypatch.setattr(limits, "COMPACTION_CHANGES_MAX", 1)

    population.raise_horizon(population.version() - 3)
    steps, is_all = 0, False
    while not is_all:
        is_all = population.compact().is_all
        steps += 1
        assert list(check(installation)) == []
        assert because(population, 5) == before

    assert steps > 10
    assert population.compact().changes == 0


def test_versions_that_tell_in_parts_whom_they_touched_are_compacted_part_by_part(
    population: BitmapPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "COMPACTION_CHANGES_MAX", 30)
    crowd = range(4_500)
    for night in range(3):
        lines = [user(f"u{n}", *(f"n/{(n * by + night * by * by) % 41}" for by in range(1, 5))) for n in crowd]
        write_parts(population, [part(lines)], Batch(mode="set", origin=ADA))
    somebody = [Person("user", f"u{number}") for number in (0, 1, 2_040, 4_499)]
    told = [population.list_changes(person=person, after=2, limit=9) for person in somebody]

    assert population.raise_horizon(2)
    while not population.compact().is_all:
        continue

    assert [population.list_changes(person=person, after=2, limit=9) for person in somebody] == told
    for person in somebody:
        kept = [change for change in population.list_changes(person=person, limit=9) if change.version <= 2]
        given = [tag for change in kept for tag in change.tags_added]
        then = population.find_person(person, as_of=2)
        assert then is not None
        assert sorted(given) == sorted(then.tags)
        assert not any(change.tags_removed for change in kept)


def test_another_process_goes_on_where_one_was_lost(
    settings: Settings, installation: Installation, population: BitmapPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_and_taken(population, 20, 5)
    expected = population.preview_compaction(population.version())
    monkeypatch.setattr(limits, "COMPACTION_CHANGES_MAX", 7)
    population.raise_horizon(population.version())
    first = population.compact()
    assert not first.is_all

    with closing(open_installation(settings)) as other:
        gone = compact_all(production(other), 0)

    assert first.changes + gone == expected.changes
    assert population.compact().is_all


def test_a_horizon_that_rises_during_a_compaction_is_reached_too(
    installation: Installation, population: BitmapPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_and_taken(population, 20, 5)
    monkeypatch.setattr(limits, "COMPACTION_CHANGES_MAX", 7)
    population.raise_horizon(population.version() // 2)
    for _ in range(3):
        population.compact()
    expected = population.preview_compaction(population.version())

    compact_all(population, population.version())

    assert expected.changes
    assert population.preview_compaction(population.version()).changes == 0
    assert population.horizon().version == population.version()


def test_a_process_behind_the_horizon_starts_from_the_store_and_one_ahead_of_it_follows(
    settings: Settings, installation: Installation, population: BitmapPopulation, clock: Clock
) -> None:
    given_and_taken(population, 4, 5)
    give(population, range(5), "trial", expiry=int(clock.now.timestamp()) // 60 + 5)
    with closing(open_installation(settings, now=clock)) as behind:
        stale = production(behind)
        assert stale.count(PRO, {}).count == 4
        assert stale.find_person(Person("user", "u1")) is not None
        # All that was seen there is taken by versions that a compaction forgets, and other things given.
        population.write(DeleteTag(TAG), WriteOptions(ADA))
        clock.advance(timedelta(minutes=6))
        population.write(Expire(), EXPIRY)
        give(population, range(2, 4), TAG)
        compact_all(population, population.version())
        give(population, range(9, 10), TAG)

        assert stale.count(PRO, {}).count == 3
        assert because(stale, 10) == because(population, 10)
        assert [stale.find_person(Person("user", f"u{n}")) for n in range(10)] == [
            population.find_person(Person("user", f"u{n}")) for n in range(10)
        ]
        assert stale.write(Expire(), EXPIRY).removed == 0


def test_every_process_refuses_what_is_older_as_soon_as_the_horizon_rises(
    settings: Settings, population: BitmapPopulation
) -> None:
    given_and_taken(population, 4, 5)
    newest = population.version()
    with closing(open_installation(settings)) as installation:
        other = production(installation)
        assert other.count(PRO, {}, as_of=3).version == 3

        population.raise_horizon(5)

        assert other.count(PRO, {}, as_of=5).version == 5
        for ask in (
            lambda: other.count(PRO, {}, as_of=4),
            lambda: other.find_person(Person("user", "u1"), as_of=4),
            lambda: other.members(PRO, {}, as_of=4),
            lambda: other.people_with(TAG, "exact", as_of=4),
            lambda: other.write(Undo((5,)), WriteOptions(ADA, dry_run=True)),
            lambda: other.write(Undo((newest, 5)), WriteOptions(ADA)),
        ):
            with pytest.raises(HistoryCompacted) as raised:
                ask()
            assert raised.value.members["kept_from_version"] == 5
        assert other.write(Undo((6,)), WriteOptions(ADA, dry_run=True)).version == newest


def test_a_horizon_never_falls(population: BitmapPopulation) -> None:
    give(population, range(3), TAG)
    give(population, range(3), "other")

    assert population.horizon() == Horizon()
    assert population.raise_horizon(2)
    assert not population.raise_horizon(1)
    assert population.horizon() == Horizon(version=2, at=population.get_change(2).at)
    with pytest.raises(ChangeNotFound):
        population.raise_horizon(3)


def test_places_in_the_log_that_were_given_up_are_used_again_without_harm(
    installation: Installation, population: BitmapPopulation
) -> None:
    give(population, range(3), TAG)
    give(population, range(3), TAG, mode="remove")
    compact_all(population, 2)

    give(population, range(1, 3), TAG)

    assert list(check(installation)) == []
    (change,) = population.list_changes(person=Person("user", "u1"), tag=TAG, limit=9)
    assert (change.version, change.tags_added) == (3, (TAG,))
    assert population.write(Undo((3,)), WriteOptions(ADA)).removed == 2


def test_ends_that_are_over_leave_the_dictionary(installation: Installation, clock: Clock) -> None:
    population = production(installation)
    now = int(clock.now.timestamp()) // 60
    give(population, range(3), TAG, expiry=now + 1)
    give(population, range(1), TAG, expiry=now + 60)
    clock.advance(timedelta(minutes=2))
    population.write(Expire(), EXPIRY)
    environment = installation.control.get_environment("main", "production")

    def expiries() -> int:
        with installation.database.storage(environment.key).reading() as snapshot:
            return len(snapshot.period_rows())

    assert expiries() == 2
    compact_all(population, population.version())
    assert expiries() == 1
    # The same minute again is a row of its own.
    clock.advance(timedelta(minutes=-2))
    give(population, range(3), TAG, expiry=now + 1)
    assert expiries() == 2


def test_what_was_copied_before_a_compaction_is_copied_anew(installation: Installation, tmp_path: Path) -> None:
    population = production(installation)
    given_and_taken(population, 6, 5)
    for target in (tmp_path / "copy" / "tagloom.sqlite", PostgresUrl(server().new_database())):
        copy_installation(installation.settings.database, target, lambda done, total: None)
        compact_all(population, population.version() - 1)
        give(population, range(7), "later")
        copy_installation(installation.settings.database, target, lambda done, total: None)

        with closing(open_installation(Settings(database=target))) as copied:
            assert list(check(copied)) == []
            assert because(production(copied), 5) == because(population, 5)
            assert production(copied).horizon() == population.horizon()
            give(production(copied), range(3), TAG, mode="remove")
            assert list(check(copied)) == []


def test_what_is_freed_in_a_file_is_used_again(tmp_path: Path) -> None:
    with closing(open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True)) as installation:
        population, chance = production(installation), random.Random(7)

        def pages(name: str) -> int:
            return int(installation.database.reader().execute(f"PRAGMA {name}").fetchone()[0])  # type: ignore[union-attr]  # SQLite's.

        def nights(count: int) -> None:
            for number in range(count):
                people = chance.sample(range(4_000), 2_000)
                give(population, people, f"night/{number % 3}", mode="set")

        nights(60)
        used = pages("page_count") - pages("freelist_count")
        compact_all(population, population.version())
        assert pages("page_count") - pages("freelist_count") < used * 0.7
        size = pages("page_count")
        nights(20)
        assert pages("page_count") == size
