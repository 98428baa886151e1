"""The use cases: a body becomes one batch, small bodies share a commit, and a key makes a repeat harmless."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace

from tagloom.base.problems import BodyInvalid, BodyTruncated
from tagloom.events.event_bodies import read_events
from tagloom.events.recording import EventOrder, Recording
from tagloom.ports.problems import IdempotencyKeyReused
from tagloom.ports.writes import RecordEvents
from tagloom.stores.memory import MemoryPopulation
from tagloom.words import limits as words_limits
from tagloom.words.changes import Origin
from tagloom.words.identity import IdentitySettings, LinkRules
from tagloom.words.people import Person
from tagloom.words.receipts import Receipt, Rejected
from tagloom.words.tenants import Environment

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
HERE = Environment(key=1, space="main", name="production")
APP = Origin("app", "backend")
LINE = b'{"user":"u1","event":"ad/clicked","id":"m1"}\n'


@pytest.fixture
def population() -> MemoryPopulation:
    return MemoryPopulation(lambda: NOW)


@pytest.fixture
def events(population: MemoryPopulation) -> Recording:
    numbers = count(1)
    return Recording(lambda _: population, NOW.timestamp, new_id=lambda: f"new-{next(numbers)}")


def order(key: str | None = None, *, dry_run: bool = False) -> EventOrder:
    return EventOrder(format="ndjson", origin=APP, idempotency_key=key, dry_run=dry_run)


def test_a_body_is_one_version_with_the_sender_as_its_origin(events: Recording, population: MemoryPopulation) -> None:
    receipt = events.record(HERE, iter([LINE, b'{"visitor":"v1","event":"ad/seen"}\n', b"bad\n", LINE]), order())

    assert (receipt.version, receipt.events, receipt.repeats, receipt.new_people) == (1, 2, 1, 2)
    assert [(each.line, each.problem) for each in receipt.rejected] == [(3, "line-invalid")]
    change = population.get_change(1)
    assert (change.actor, change.source, change.action) == ("app", "backend", "events")
    found = events.list_events(HERE, Person("visitor", "v1"), limit=9).items
    assert [(each.type, each.id, each.at) for each in found] == [("ad/seen", "new-1", int(NOW.timestamp() * 1_000))]
    assert [each.type for each in events.list_types(HERE)] == ["ad/clicked", "ad/seen"]


class Noting(MemoryPopulation):
    """A population that also notes the writes that it gets."""

    def __init__(self) -> None:
        super().__init__(lambda: NOW)
        self.writes = list[Any]()

    def write(self, write: Any, options: Any) -> Any:
        self.writes.append(write)
        return super().write(write, options)

    def submit(self, write: Any, options: Any) -> Any:
        self.writes.append(write)
        return super().submit(write, options)


def test_the_rules_of_links_are_those_of_the_environment() -> None:
    population = Noting()
    events = Recording(lambda _: population, NOW.timestamp, new_id=lambda: "new")
    here = replace(HERE, identity=IdentitySettings(policy="leave", visitors_per_day_max=3))
    body = b'{"user":"u1","visitor":"v1","event":"ad/clicked","id":"m1"}\n'

    events.record(here, iter([body]), order())
    events.submit(here, body, order()).result(10)

    found = [write for write in population.writes if isinstance(write, RecordEvents)]
    assert {each.links for each in found} == {LinkRules(policy="leave", visitors_per_day_max=3)}
    assert [(each.events[0].person.id, each.events[0].visitor) for each in found[:1]] == [("u1", "v1")]


def test_an_event_that_was_not_linked_is_reported_with_its_line() -> None:
    read = read_events(iter([b"\n" + LINE + b"bad\n" + LINE]), "ndjson", now=0, new_id=lambda: "new")
    ignored = Rejected(2, "v1", "too-many-visitors", "The user has 25 visitors.")
    receipt = Receipt(version=1, added=0, removed=0, unchanged=0, new_people=1, ignored=(ignored,))

    assert [each.line for each in read.receipt(receipt).ignored] == [4]


def test_a_submitted_body_has_the_same_receipt(events: Recording) -> None:
    receipt = events.submit(HERE, LINE + b"bad\n" + LINE, order()).result(10)

    assert (receipt.version, receipt.events, receipt.repeats, receipt.rejected_count) == (1, 1, 1, 1)


def test_a_submitted_body_that_cannot_be_written_fails_its_future(events: Recording) -> None:
    events.record(HERE, iter([LINE]), order("k"))

    future = events.submit(HERE, LINE + LINE, order("k"))

    with pytest.raises(IdempotencyKeyReused):
        future.result(10)


def test_a_key_returns_the_first_receipt_with_the_same_rejected_lines(
    events: Recording, population: MemoryPopulation
) -> None:
    body = b"bad\n" + LINE + b'{"user":"u2","event":"ad/seen"}\n'
    first = events.record(HERE, iter([body]), order("k"))

    assert events.record(HERE, iter([body]), order("k")) == first
    assert events.submit(HERE, body, order("k")).result(10) == first
    assert (first.rejected_count, first.events, population.version()) == (1, 2, 1)
    with pytest.raises(IdempotencyKeyReused):
        events.record(HERE, iter([body + b"\n"]), order("k"))
    other = EventOrder(format="ndjson", origin=Origin("app", "other"), idempotency_key="k")
    with pytest.raises(IdempotencyKeyReused):
        events.record(HERE, iter([body]), other)


def test_a_dry_run_records_nothing(events: Recording, population: MemoryPopulation) -> None:
    receipt = events.record(HERE, iter([LINE, b"bad\n"]), order(dry_run=True))

    assert (receipt.events, receipt.new_people, receipt.rejected_count, receipt.dry_run) == (1, 1, 1, True)
    assert population.version() == 0


def test_an_event_of_one_type_too_many_has_its_line_of_the_body(
    events: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words_limits, "EVENT_TYPES_MAX", 1)

    receipt = events.record(HERE, iter([b"bad\n\n", LINE, b'{"user":"u1","event":"b/b"}\n']), order())

    assert [(each.line, each.problem) for each in receipt.rejected] == [
        (1, "line-invalid"),
        (4, "too-many-event-types"),
    ]
    assert (receipt.events, receipt.rejected_count) == (1, 2)


def test_a_body_that_ends_early_records_nothing(events: Recording, population: MemoryPopulation) -> None:
    def broken() -> Iterator[bytes]:
        yield LINE
        raise BodyTruncated("The body ended.")

    with pytest.raises(BodyTruncated):
        events.record(HERE, broken(), order("k"))
    with pytest.raises(BodyInvalid):
        events.record(HERE, iter([gzip.compress(LINE * 9)[:-9]]), order("k"))

    assert population.version() == 0
    assert events.record(HERE, iter([LINE]), order("k")).version == 1
