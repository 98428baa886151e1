"""The job that merges event blocks: in every environment that has some, and nothing changes for readers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tagloom.bootstrap import Installation, check, open_installation
from tagloom.events.merging_job import EventMerger
from tagloom.ports.population import Population
from tagloom.ports.problems import StoreUnavailable
from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.settings import Settings
from tagloom.words.changes import Origin
from tagloom.words.events import Event, EventType, RecordedEvent
from tagloom.words.people import Person
from tagloom.words.tenants import Environment

ADA = Person("user", "ada")


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    opened = open_installation(Settings(database=tmp_path / "tagloom.sqlite"), create=True)
    yield opened
    assert list(check(opened)) == []
    opened.close()


def record(installation: Installation, environment: Environment, batches: int) -> None:
    population = installation.population(environment)
    for number in range(batches):
        event = Event(person=ADA, type=EventType("a/b"), at=number, id=f"m{number}")
        population.write(RecordEvents([event]), WriteOptions(Origin("app")))


def events_in(installation: Installation, environment: Environment) -> tuple[RecordedEvent, ...]:
    return installation.population(environment).list_events(ADA, limit=1_000).items


def test_the_blocks_of_every_environment_are_merged_and_readers_see_the_same(installation: Installation) -> None:
    development, staging, production = installation.control.list_environments("main")
    record(installation, development, 20)
    record(installation, staging, 3)
    record(installation, production, 9)
    before = [events_in(installation, each) for each in (development, staging, production)]
    assert installation.list_with_event_blocks(8) == (development, production)
    merger = EventMerger(installation.list_with_event_blocks, installation.population)

    assert dict(merger.merge()) == {development: 20, production: 9}

    assert [events_in(installation, each) for each in (development, staging, production)] == before
    assert [each.version for each in before[0]] == list(range(20, 0, -1))
    assert installation.list_with_event_blocks(2) == (staging,)
    assert merger.merge() == ()


def test_an_environment_that_fails_does_not_keep_the_others(installation: Installation) -> None:
    development, _, production = installation.control.list_environments("main")
    for each in (development, production):
        record(installation, each, 8)

    def population_of(environment: Environment) -> Population:
        if environment == development:
            raise StoreUnavailable("The database is away.")
        return installation.population(environment)

    merger = EventMerger(installation.list_with_event_blocks, population_of)

    with pytest.raises(StoreUnavailable):
        merger.merge()

    assert installation.list_with_event_blocks(2) == (development,)


def test_a_stopped_job_merges_nothing(installation: Installation) -> None:
    (environment, *_) = installation.control.list_environments("main")
    record(installation, environment, 8)
    merger = EventMerger(installation.list_with_event_blocks, installation.population)
    merger.start()

    merger.stop()

    assert merger.merge() == ()
    assert installation.list_with_event_blocks(8) == (environment,)
