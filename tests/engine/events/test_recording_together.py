"""Writes of events that wait at the same time are recorded by one call, with the effect of one after the other."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.bootstrap import Installation, check, open_installation
from tagloom.engine.population import BitmapPopulation
from tagloom.engine.write.committer import Job, Together
from tagloom.engine.write.draft import View
from tagloom.events.problems import EventInvalid
from tagloom.ports.writes import PutPerson, RecordEvents, Write, WriteOptions
from tagloom.settings import Settings
from tagloom.words import limits
from tagloom.words.changes import Origin
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person
from tagloom.words.receipts import Receipt
from tagloom.words.rules import Definition, HasEvent
from tests import sqlite

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
AT = int(NOW.timestamp() * 1_000)
events = st.builds(
    lambda person, type, id, hours, more: Event(
        person=person, type=EventType(type), at=AT - hours * 3_600_000, id=id, properties=more
    ),
    st.sampled_from([Person("user", "u1"), Person("user", "u2"), Person("visitor", "v1"), Person("visitor", "v2")]),
    st.sampled_from(["ad/clicked", "ad/seen", "page/viewed", "a/b"]),
    st.sampled_from("abcdefgh"),
    st.sampled_from([-5, 0, 1, 30]),
    st.sampled_from([b"{}", b'{"ad":7}']),
)
writes = st.one_of(
    st.lists(events, max_size=4).map(RecordEvents),
    st.lists(events, max_size=4).map(RecordEvents),
    st.just(PutPerson(Person("visitor", "v2"))),
)
origins = st.sampled_from([Origin("ada"), Origin("source web", "tracking")])


@contextmanager
def opened() -> Iterator[tuple[Installation, BitmapPopulation]]:
    """A new installation on SQLite, whose clock stands still."""
    with TemporaryDirectory() as folder:
        database = sqlite.new_database(Path(folder) / "tagloom.sqlite")
        installation = open_installation(Settings(database=database), create=True, now=lambda: NOW)
        population = installation.population(installation.control.get_environment("main", "production"))
        yield installation, population
        assert list(check(installation)) == []
        installation.close()


@contextmanager
def all_waiting(installation: Installation, population: BitmapPopulation) -> Iterator[None]:
    """Keeps the committing thread busy, so that all writes of the block wait and share one commit."""
    has_begun, may_end = threading.Event(), threading.Event()

    def wait(_: object) -> None:
        has_begun.set()
        may_end.wait(30)

    done = installation.committer.submit(Job(population._environment, wait))
    assert has_begun.wait(30)
    yield
    may_end.set()
    done.result()


def state_of(population: BitmapPopulation) -> tuple[object, ...]:
    """All that reads tell of the events of an environment."""
    often = Definition("everyone", HasEvent(event="ad", days=7))
    return (
        population.version(),
        population.list_recent_events(limit=1_000),
        population.list_recent_events("ada", limit=1_000),
        population.list_event_types(),
        population.list_changes(action="events", limit=1_000),
        population.list_changes(limit=1_000),
        population.count(often, {}),
    )


@pytest.mark.hypothesis
@settings(max_examples=settings().max_examples // 2)
@given(jobs=st.lists(st.tuples(writes, origins), min_size=2, max_size=8), types_max=st.sampled_from([2, 10_000]))
def test_writes_together_have_the_receipts_and_the_effect_of_one_after_the_other(
    jobs: Sequence[tuple[Write, Origin]], types_max: int
) -> None:
    with pytest.MonkeyPatch.context() as patch, opened() as (_, apart), opened() as (installation, together):
        patch.setattr(limits, "EVENT_TYPES_MAX", types_max)
        expected = [apart.write(write, WriteOptions(origin)) for write, origin in jobs]
        futures = list[Future[Receipt]]()
        with all_waiting(installation, together):
            futures += [together.submit(write, WriteOptions(origin)) for write, origin in jobs]
        assert [future.result() for future in futures] == expected
        assert state_of(together) == state_of(apart)


def add_up(items: Sequence[int], _: View) -> list[int]:
    """Returns the sum of all items for each of them."""
    return [sum(items)] * len(items)


def refuse(items: Sequence[int], _: View) -> list[int]:
    raise EventInvalid("These cannot be recorded.")


def test_adjacent_jobs_of_one_kind_are_run_by_one_call() -> None:
    with opened() as (installation, population):
        owner, found = population._environment, list[Future[int]]()
        with all_waiting(installation, population):
            for number, run in enumerate([add_up, add_up, None, add_up, refuse, add_up, add_up]):
                together = None if run is None else Together(run, number)
                job = Job[int](owner, lambda _, number=number: -number, is_shared=True, together=together)  # type: ignore[misc]
                found.append(installation.committer.submit(job))

        assert [each.result() for each in found] == [1, 1, -2, -3, -4, 11, 11]


def test_if_the_one_call_fails_each_job_is_run_alone() -> None:
    with opened() as (installation, population):
        owner, found = population._environment, list[Future[int]]()
        with all_waiting(installation, population):
            for number in range(3):
                together = Together(refuse, number)
                job = Job[int](owner, lambda _, number=number: number, is_shared=True, together=together)  # type: ignore[misc]
                found.append(installation.committer.submit(job))

        assert [each.result() for each in found] == [0, 1, 2]
