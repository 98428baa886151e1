"""A retention gives up what is older than it, and nothing else, once it is enough and somebody said so."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tagloom.bootstrap import Installation, check, open_installation
from tagloom.history.compaction import Compactor
from tagloom.ports.population import Population
from tagloom.ports.problems import StoreCorrupt
from tagloom.services import Services, make_services
from tagloom.settings import Settings
from tagloom.words.changes import Origin
from tagloom.words.expiry import DAY
from tagloom.words.retention import RetentionDeletesHistory, RetentionInvalid, parse_retention
from tagloom.words.tenants import Environment
from tests.bodies import part, user
from tests.contract.conftest import Clock
from tests.writing import Batch, write_parts


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def installation(tmp_path: Path, clock: Clock) -> Iterator[Installation]:
    with closing(open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True, now=clock)) as opened:
        yield opened
        assert list(check(opened)) == []


@pytest.fixture
def services(installation: Installation, clock: Clock) -> Services:
    return make_services(installation, lambda: clock.now.timestamp())


@pytest.fixture
def environment(installation: Installation) -> Environment:
    return installation.control.get_environment("main", "production")


@pytest.fixture
def population(installation: Installation, environment: Environment) -> Population:
    return installation.population(environment)


def write_daily(population: Population, clock: Clock, days: int) -> None:
    """One version a day: a tag given, and taken the day after."""
    for number in range(days):
        mode = "remove" if number % 2 else "add"
        write_parts(population, [part([user("u1", "a")])], Batch(mode=mode, origin=Origin("ada")))  # type: ignore[arg-type]  # One of two modes.
        clock.advance(timedelta(days=1))


@pytest.mark.parametrize("text", ["", "soon", "23h", "0d", "101y", "-5d", "90", "Forever"])
def test_a_retention_is_a_span_of_a_day_at_least(text: str) -> None:
    with pytest.raises(RetentionInvalid):
        parse_retention(text)


def test_the_horizon_is_the_newest_version_that_is_as_old_as_the_retention(
    services: Services, environment: Environment, population: Population, clock: Clock
) -> None:
    write_daily(population, clock, 10)

    # Written one to ten days ago: the seventh is four days old.
    assert services.compactor.horizon_due(environment, 4 * DAY) == 7
    assert services.compactor.horizon_due(environment, 4 * DAY + 1) == 6
    assert services.compactor.horizon_due(environment, 11 * DAY) == 0
    assert services.compactor.horizon_due(environment, 0) == 0


def test_what_gives_up_history_is_refused_until_somebody_says_that_it_may(
    services: Services, environment: Environment, population: Population, clock: Clock
) -> None:
    write_daily(population, clock, 10)

    kept, freed = services.retentions.put(environment, "4d", dry_run=True, actor="ada")
    assert (kept.retention_seconds, freed.versions, freed.changes > 0, freed.is_all) == (0, 7, True, True)
    with pytest.raises(RetentionDeletesHistory) as raised:
        services.retentions.put(environment, "4d", actor="ada")
    assert raised.value.members["kept_from_version"] == 7
    assert services.compactor.compact_all() == ()

    kept, freed = services.retentions.put(environment, "4d", delete_history=True, actor="ada")
    assert (kept.retention_seconds, freed.versions) == (4 * DAY, 7)
    ((where, done),) = services.compactor.compact_all()
    assert (where, done.versions, done.horizon.version) == (kept, 7, 7)
    assert (done.changes, done.bytes) == (freed.changes, freed.bytes)
    assert services.compactor.compact_all() == ()
    # What is given up stays so, however long the rest is kept.
    services.retentions.put(environment, "forever", actor="ada")
    assert population.horizon().version == 7


def test_a_retention_that_gives_up_nothing_needs_no_word(
    services: Services,
    installation: Installation,
    environment: Environment,
    population: Population,
    clock: Clock,
) -> None:
    write_daily(population, clock, 3)

    kept, freed = services.retentions.put(environment, "90d", actor="ada")

    assert (kept.retention_seconds, freed.versions) == (90 * DAY, 0)
    (event,) = installation.control.list_audit_log("main", space="main", before=None, limit=1)
    assert (event.action, event.subject, event.detail) == ("retention changed", "production", {"retention": "90d"})


def test_history_that_is_hardly_older_than_its_retention_waits_for_more(
    services: Services, environment: Environment, population: Population, clock: Clock
) -> None:
    write_daily(population, clock, 120)
    services.retentions.put(environment, "100d", delete_history=True, actor="ada")
    services.compactor.compact_all()
    assert population.horizon().version == 21

    clock.advance(timedelta(hours=23))
    assert services.compactor.compact_all() == ()
    clock.advance(timedelta(hours=1))
    ((_, done),) = services.compactor.compact_all()

    assert done.horizon.version == 22


def test_a_compaction_that_somebody_began_is_ended_though_history_is_kept_for_ever(
    services: Services, environment: Environment, population: Population, clock: Clock
) -> None:
    write_daily(population, clock, 6)
    population.raise_horizon(4)

    ((where, done),) = services.compactor.compact_all()

    assert (where, done.versions) == (environment, 0)
    assert done.changes
    assert population.compact().is_all


def test_a_compactor_that_is_stopped_leaves_the_rest_to_others(
    services: Services, environment: Environment, population: Population, clock: Clock, installation: Installation
) -> None:
    write_daily(population, clock, 6)
    stopped = Compactor(installation.control.list_retained, installation.population, lambda: clock.now.timestamp())
    stopped.stop()

    assert not stopped.compact(environment, 4).is_all
    assert services.compactor.compact(environment, 4).is_all


def test_an_environment_that_fails_does_not_keep_the_others_from_being_compacted(
    services: Services, environment: Environment, population: Population, clock: Clock, installation: Installation
) -> None:
    write_daily(population, clock, 6)
    population.raise_horizon(4)
    other = installation.control.get_environment("main", "staging")

    def population_of(each: Environment) -> Population:
        if each == other:
            raise StoreCorrupt("The page is damaged.")
        return installation.population(each)

    compactor = Compactor(lambda: (other, environment), population_of, lambda: clock.now.timestamp())
    with pytest.raises(StoreCorrupt):
        compactor.compact_all()

    assert population.compact().is_all
    assert services.compactor.compact_all() == ()
