"""Events: recorded once, in order, by whom they are about; read back, erased, and left alone by an undo."""

from datetime import timedelta
from typing import Any

import pytest

from tagloom.ports import limits as ports_limits
from tagloom.ports.events import EventSelection
from tagloom.ports.population import Population
from tagloom.ports.problems import CursorInvalid, IdempotencyKeyReused, PersonNotFound, UndoConflict
from tagloom.ports.writes import ErasePerson, PutPerson, RecordEvents, Undo, WriteOptions
from tagloom.words import limits
from tagloom.words.event_rules import Condition, HasEvent
from tagloom.words.events import DAY_MS, Event, EventType, EventTypeRecord, RecordedEvent
from tagloom.words.people import Person
from tagloom.words.receipts import Receipt
from tagloom.words.rules import AnyOf, Definition, HasTag
from tests.bodies import user
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, BOB, apply, path, people, tags_of, user_of, visitor_of

NOW = 1_772_355_600_000  # 2026-03-01T09:00:00Z, when the clock of a test begins.
HOUR = 3_600_000


def event(id: str, type: str = "ad/clicked", person: str | Person = "u1", at: int = NOW - HOUR, **fields: Any) -> Event:
    about = user_of(person) if isinstance(person, str) else person
    return Event(person=about, type=EventType(type), at=at, id=id, **fields)


def record(population: Population, *events: Event, **asked: Any) -> Receipt:
    return population.write(RecordEvents(events), WriteOptions(ADA, **asked))


def ids(population: Population, person: str | Person = "u1") -> list[str]:
    """The ids of a person's events, the last recorded first."""
    about = user_of(person) if isinstance(person, str) else person
    return [each.id for each in population.list_events(about, limit=1_000).items]


# Recording.


def test_events_are_read_back_as_they_were_sent_the_last_recorded_first(subject: Subject) -> None:
    population = subject.population
    early = event("m1", at=NOW - 40 * DAY_MS, properties=b'{"price":12.50,"genre":"football","n":9007199254740993}')
    late = event("m2", "page/viewed", original_at=NOW + HOUR, sent_at=NOW - 5)
    receipt = record(population, early, late)

    assert (receipt.version, receipt.events, receipt.repeats, receipt.new_people) == (1, 2, 0, 1)
    assert (receipt.added, receipt.removed, receipt.rejected_count, receipt.dry_run) == (0, 0, 0, False)
    subject.reopen()
    said = [
        RecordedEvent(
            type=each.type,
            at=each.at,
            id=each.id,
            properties=each.properties,
            received_at=NOW,
            version=1,
            original_at=each.original_at,
            sent_at=each.sent_at,
        )
        for each in (late, early)
    ]
    assert list(subject.population.list_events(user_of("u1"), limit=9).items) == said


def test_the_order_of_recording_counts_and_not_the_time_of_the_events(population: Population) -> None:
    record(population, event("m1", at=NOW - 1), event("m2", at=NOW - HOUR))
    record(population, event("m3", at=NOW - DAY_MS), event("m4", person="u2"))
    record(population, event("m5", at=NOW - 2 * DAY_MS))

    assert ids(population) == ["m5", "m3", "m2", "m1"]


def test_events_of_users_and_visitors_with_the_same_id_are_of_different_people(population: Population) -> None:
    receipt = record(population, event("m1"), event("m2", person=visitor_of("u1")), event("m3", person="u1"))

    assert receipt.new_people == 2
    assert (ids(population), ids(population, visitor_of("u1"))) == (["m3", "m1"], ["m2"])


@pytest.mark.parametrize(
    "properties", [b"{}", b'{"a":null}', '{"ü":"🏈 \\u0000"}'.encode(), b'{"n":1.50E+2,"d":0.1000000000000000055}']
)
def test_properties_keep_their_bytes(subject: Subject, properties: bytes) -> None:
    record(subject.population, event("m1", properties=properties))

    subject.reopen()

    assert [each.properties for each in subject.population.list_events(user_of("u1"), limit=2).items] == [properties]


def test_events_of_many_people_in_one_batch_are_each_where_they_belong(population: Population) -> None:
    people_of = [f"u{number % 50}" for number in range(500)]
    receipt = record(population, *(event(f"m{n}", person=whose) for n, whose in enumerate(people_of)))

    assert (receipt.events, receipt.new_people) == (500, 50)
    assert ids(population, "u7") == [f"m{number}" for number in range(457, 0, -50)]


# Times.


def test_an_event_from_the_future_gets_the_time_of_now_and_keeps_what_was_said(population: Population) -> None:
    record(population, event("m1", at=NOW + 1), event("m2", at=NOW), event("m3", at=NOW + HOUR, original_at=5))

    found = population.list_events(user_of("u1"), limit=9).items
    assert [(each.id, each.at, each.original_at) for each in found] == [
        ("m3", NOW, 5),
        ("m2", NOW, None),
        ("m1", NOW, NOW + 1),
    ]


# Repeats.


def test_an_id_that_was_recorded_before_is_dropped_whoever_sends_it(population: Population) -> None:
    record(population, event("m1"))

    receipt = record(population, event("m1", "ad/seen", "u2"), event("m2"))

    assert (receipt.version, receipt.events, receipt.repeats, receipt.new_people) == (2, 1, 1, 0)
    assert ids(population) == ["m2", "m1"]
    assert population.find_person(user_of("u2")) is None


def test_an_id_twice_in_one_batch_is_recorded_once(population: Population) -> None:
    receipt = record(population, event("m1", "ad/seen"), event("m1"), event("m2"), event("m1", person="u2"))

    assert (receipt.events, receipt.repeats, receipt.new_people) == (2, 2, 1)
    assert [each.type for each in population.list_events(user_of("u1"), limit=9).items] == ["ad/clicked", "ad/seen"]


def test_a_batch_of_repeats_makes_no_version(subject: Subject) -> None:
    record(subject.population, event("m1"), event("m2"))
    subject.reopen()

    receipt = record(subject.population, event("m2"), event("m1"))

    assert (receipt.version, receipt.events, receipt.repeats) == (1, 0, 2)
    assert subject.population.version() == 1


def test_a_repeat_is_recognised_on_the_day_of_its_recording_and_seven_days_after(subject: Subject) -> None:
    long_ago = NOW - 30 * DAY_MS
    record(subject.population, event("m1", at=long_ago))
    # The last millisecond of the seventh day.
    subject.clock.advance(timedelta(days=limits.EVENT_ID_DAYS + 1, hours=-9, milliseconds=-1))
    subject.reopen()
    assert record(subject.population, event("m1", at=long_ago)).repeats == 1

    subject.clock.advance(timedelta(milliseconds=1))
    receipt = record(subject.population, event("m1", at=long_ago))

    assert (receipt.events, receipt.repeats) == (1, 0)
    assert ids(subject.population) == ["m1", "m1"]


def test_a_repeat_does_not_make_its_id_known_for_longer(subject: Subject) -> None:
    record(subject.population, event("m1"))
    subject.clock.advance(timedelta(days=5))
    assert record(subject.population, event("m1")).repeats == 1

    subject.clock.advance(timedelta(days=4))

    assert record(subject.population, event("m1")).events == 1


def test_no_events_make_no_version(population: Population) -> None:
    receipt = record(population)

    assert (receipt.version, receipt.events, receipt.repeats, population.version()) == (0, 0, 0, 0)


# Dry runs and keys.


def test_a_dry_run_says_what_would_be_recorded_and_records_nothing(population: Population) -> None:
    record(population, event("m1"))

    dry = record(population, event("m1"), event("m2"), event("m3", person="u2"), dry_run=True)

    assert (dry.version, dry.events, dry.repeats, dry.new_people, dry.dry_run) == (1, 2, 1, 1, True)
    assert ids(population) == ["m1"]
    assert people(population) == ["u1"]
    assert record(population, event("m2")).events == 1


def test_a_preview_counts_the_people_who_would_be_created(population: Population) -> None:
    preview = population.preview(RecordEvents([event("m1"), event("m2", person="u2")]), {})

    assert (preview.receipt.events, preview.receipt.new_people, preview.people) == (2, 2, 2)
    assert population.version() == 0


def test_an_idempotency_key_returns_the_first_receipt_again(subject: Subject) -> None:
    first = record(subject.population, event("m1"), idempotency_key="k", fingerprint="f")
    record(subject.population, event("m2"))
    subject.reopen()

    again = record(subject.population, event("m1"), idempotency_key="k", fingerprint="f")

    assert again == first
    with pytest.raises(IdempotencyKeyReused):
        record(subject.population, event("m3"), idempotency_key="k", fingerprint="g")
    assert ids(subject.population) == ["m2", "m1"]


def test_events_can_be_submitted_beside_taggings(population: Population) -> None:
    future = population.submit(RecordEvents([event("m1"), event("m1")]), WriteOptions(ADA))

    assert (future.result(30).events, future.result(30).repeats) == (1, 1)
    assert ids(population) == ["m1"]


# Types.


def test_types_are_listed_with_their_events_and_times(population: Population) -> None:
    record(population, event("m1", "page/viewed", at=5), event("m2", "ad/clicked", at=9), event("m1", "ad/seen"))
    record(population, event("m3", "page/viewed", at=3, person="u2"), event("m4", "page/viewed", at=4))

    assert population.list_event_types() == (
        EventTypeRecord(type=EventType("ad/clicked"), events=1, first_at=9, last_at=9),
        EventTypeRecord(type=EventType("page/viewed"), events=3, first_at=3, last_at=5),
    )


def test_an_environment_without_events_has_no_types(population: Population) -> None:
    assert population.list_event_types() == ()


def test_an_event_of_one_type_too_many_is_rejected_alone(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_TYPES_MAX", 2)
    record(population, event("m1", "a/a"))

    receipt = record(
        population, event("m2", "b/b"), event("m3", "c/c"), event("m4", "a/a"), event("m5", "d/d", person="u2")
    )

    assert (receipt.events, receipt.repeats, receipt.rejected_count, receipt.new_people) == (2, 0, 2, 0)
    assert [(each.line, each.value, each.problem) for each in receipt.rejected] == [
        (2, "c/c", "too-many-event-types"),
        (4, "d/d", "too-many-event-types"),
    ]
    assert ids(population) == ["m4", "m2", "m1"]
    assert population.find_person(user_of("u2")) is None
    assert [each.type for each in population.list_event_types()] == ["a/a", "b/b"]


def test_a_write_may_leave_types_for_others_and_types_of_views_always_find_a_place(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_TYPES_MAX", 2)
    first = population.write(RecordEvents([event("m1", "a/a"), event("m2", "a/b")], types_max=1), WriteOptions(ADA))
    second = record(population, event("m3", "a/b"), event("m4", "a/c"), event("m5", "page/viewed"))

    assert [each.line for each in first.rejected] == [2]
    assert "1 event types" in first.rejected[0].detail
    assert [each.line for each in second.rejected] == [2]
    assert [each.type for each in population.list_event_types()] == ["a/a", "a/b", "page/viewed"]


def test_a_batch_whose_events_are_all_rejected_makes_no_version(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_TYPES_MAX", 1)
    record(population, event("m1", "a/a"))

    receipt = record(population, event("m2", "b/b"), event("m1"))

    assert (receipt.version, receipt.events, receipt.repeats, receipt.rejected_count) == (1, 0, 1, 1)
    assert record(population, event("m2", "a/a")).events == 1, "the id of a rejected event was not remembered"


# History.


def test_a_version_that_recorded_events_counts_them_and_cannot_be_undone(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    record(population, event("m1"), event("m2", person="u2"), event("m1"))
    record(population, event("m3"))

    change = population.get_change(2)
    assert (change.action, change.actor, change.source) == ("events", "ada", "crm.csv")
    assert (change.added, change.removed, change.new_people, change.events) == (0, 0, 1, 2)
    assert (population.get_change(3).new_people, population.get_change(3).events) == (0, 1)
    for version in (2, 3):
        with pytest.raises(UndoConflict, match=f"Version {version} recorded events"):
            population.write(Undo((version,)), WriteOptions(BOB))


def test_lists_of_changes_leave_out_events_unless_they_are_asked_for(population: Population) -> None:
    record(population, event("m1"))
    apply(population, "add", user("u1", "a"))
    record(population, event("m2"), event("m3", person="u2"))
    apply(population, "add", user("u1", "b"))

    def listed(**asked: Any) -> list[int]:
        return [each.version for each in population.list_changes(**{"limit": 9} | asked)]

    assert listed() == [2, 4]
    assert listed(newest_first=True, limit=1) == [4]
    assert listed(after=2) == [4]
    assert listed(actor="ada", before=4) == [2]
    assert listed(person=user_of("u1")) == [2, 4]
    assert listed(person=user_of("u2")) == []
    assert listed(tag=path("a")) == [2]
    assert listed(action="events") == [1, 3]
    assert listed(action="events", newest_first=True, limit=1) == [3]
    assert listed(action="tagging") == [2, 4]
    assert population.find_versions(actor="ada", limit=2) == (2, 4)


def test_time_travel_sees_the_people_whom_events_created(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    record(population, event("m1", person="u2"))
    apply(population, "add", user("u1", "b"))

    then = population.find_person(user_of("u1"), as_of=2)
    assert then is not None
    assert then.tags == ("a",)
    assert population.find_person(user_of("u2"), as_of=1) is None
    assert population.find_person(user_of("u2"), as_of=2) is not None
    assert population.version_at("2026-03-01T09:00:00.000Z") == 3


# Undo.


def test_an_undo_keeps_the_people_it_would_remove_if_they_have_events(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    record(population, event("m1"))

    receipt = population.write(Undo((1,)), WriteOptions(BOB))

    assert (receipt.removed, receipt.people_removed) == (2, 1)
    assert (people(population), tags_of(population, "u1"), ids(population)) == (["u1"], (), ["m1"])


def test_a_person_whom_an_undo_removed_comes_again_with_an_event(population: Population) -> None:
    population.write(PutPerson(user_of("u1")), WriteOptions(ADA))
    population.write(Undo((1,)), WriteOptions(ADA))
    assert people(population) == []

    receipt = record(population, event("m1"))

    assert (receipt.new_people, people(population), ids(population)) == (1, ["u1"], ["m1"])


# Erasure.


def test_an_erased_persons_events_are_gone_and_those_of_others_stay(subject: Subject) -> None:
    record(subject.population, event("m1"), event("m2", person="u2"), event("m3", person=visitor_of("u1")))
    record(subject.population, event("m4"), event("m5", person="u2"))

    subject.population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    subject.reopen()

    with pytest.raises(PersonNotFound):
        subject.population.list_events(user_of("u1"), limit=9)
    assert ids(subject.population, "u2") == ["m5", "m2"]
    assert ids(subject.population, visitor_of("u1")) == ["m3"]


def test_a_preview_of_an_erasure_shows_who_leaves_a_tribe_of_events(population: Population) -> None:
    record(population, event("m1"), event("m2", person="u2"), event("m3", person=visitor_of("v1")))
    tribes = {
        "active": Definition("everyone", HasEvent("ad", days=2)),
        "silent": Definition("everyone", HasEvent("ad", days=2, count="at-most", times=0)),
    }

    preview = population.preview(ErasePerson(user_of("u1")), tribes)

    assert [(each.tribe, each.before, each.after, each.left) for each in preview.tribes] == [("active", 3, 2, 1)]
    assert population.count(tribes["active"], tribes).count == 3


def test_an_erasure_keeps_the_ids_and_the_totals_of_events(subject: Subject) -> None:
    record(subject.population, event("m1"), event("m2", person="u2"))
    before = subject.population.list_event_types()
    subject.population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    subject.reopen()

    assert record(subject.population, event("m1")).repeats == 1
    assert subject.population.find_person(user_of("u1")) is None
    assert subject.population.list_event_types() == before


def test_an_erased_id_that_comes_again_has_only_its_new_events(population: Population) -> None:
    record(population, event("m1"))
    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    receipt = record(population, event("m2"))

    assert (receipt.new_people, ids(population)) == (1, ["m2"])


# Reading.


def test_events_of_nobody_are_not_found_and_a_person_may_have_none(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    record(population, event("m1", person="u2"))

    assert population.list_events(user_of("u1"), limit=9).items == ()
    for nobody in (user_of("u3"), visitor_of("u1")):
        with pytest.raises(PersonNotFound):
            population.list_events(nobody, limit=9)


def test_pages_of_events_leave_out_none_and_repeat_none_while_others_come(population: Population) -> None:
    for number in range(4):
        record(population, event(f"a{number}"), event(f"x{number}", person="u2"), event(f"b{number}"))

    found, cursor = list[str](), None
    while True:
        page = population.list_events(user_of("u1"), limit=3, cursor=cursor)
        found += [each.id for each in page.items]
        record(population, event(f"new{len(found)}"))
        cursor = page.next_cursor
        if cursor is None:
            break

    assert found == ["b3", "a3", "b2", "a2", "b1", "a1", "b0", "a0"]


def test_the_last_page_of_events_says_so_when_it_is_full(population: Population) -> None:
    record(population, event("m1"), event("m2"), event("m3", person="u2"))

    assert population.list_events(user_of("u1"), limit=2).next_cursor is None


@pytest.mark.parametrize("cursor", ["not a cursor", "ZXZlbnRzOng", "cGVvcGxlOjE"])
def test_a_cursor_that_the_events_did_not_give_is_refused(population: Population, cursor: str) -> None:
    record(population, event("m1"))

    with pytest.raises(CursorInvalid):
        population.list_events(user_of("u1"), limit=2, cursor=cursor)


def test_hundreds_of_predicates_are_decided_and_counted_at_once(population: Population) -> None:
    record(population, event("m1", properties=b'{"n":5}'))
    tribes = {
        f"t{number}": Definition("users", HasEvent("ad", 7, (Condition("n", "less", number),))) for number in range(150)
    }

    decision = population.decide(user_of("u1"), tribes, because=False)

    assert set(decision.tribes) == {f"t{number}" for number in range(6, 150)}
    every = AnyOf(tuple(HasEvent("ad", days) for days in range(1, 200)))
    assert population.count(Definition("users", every), tribes).count == 1


def test_a_clock_that_is_set_back_moves_the_windows_back(subject: Subject) -> None:
    population, tribes = subject.population, {"month": Definition("users", HasEvent("ad", 30))}
    record(population, event("m1"), event("m2", person="u2", at=NOW - 29 * DAY_MS))

    def seen() -> tuple[int, bool]:
        decided = population.decide(user_of("u2"), tribes, because=False).tribes
        return population.count(tribes["month"], tribes).count, "month" in decided

    assert seen() == (2, True)
    subject.clock.advance(timedelta(days=40))
    assert seen() == (0, False)
    subject.clock.advance(timedelta(days=-40))
    assert seen() == (2, True)


def test_windows_in_hours_move_at_each_full_hour(subject: Subject) -> None:
    population, other = subject.population, subject.another()
    tribes = {
        "once": Definition("users", HasEvent("ad", hours=2)),
        "twice": Definition("users", HasEvent("ad", hours=3, times=2)),
        "never": Definition("users", HasEvent("ad", hours=48, count="at-most", times=0)),
    }
    # The clock begins at 09:00.
    record(population, event("m1", at=NOW - HOUR), event("m2", at=NOW - 2 * HOUR), event("m3", person="u2", at=NOW))
    subject.wait_for(other)

    def inside(of: Population) -> tuple[list[int], tuple[str, ...]]:
        counted = [of.count(tribe, tribes).count for tribe in tribes.values()]
        return counted, of.decide(user_of("u1"), tribes, because=False).tribes

    assert inside(population) == inside(other) == ([2, 1, 0], ("once", "twice"))
    subject.clock.advance(timedelta(minutes=59, seconds=59))
    assert inside(population) == ([2, 1, 0], ("once", "twice"))
    subject.clock.advance(timedelta(seconds=1))
    assert inside(population) == inside(other) == ([1, 0, 0], ())
    record(population, event("m4", at=NOW + HOUR), event("m5", at=NOW - 59 * 60_000))
    subject.wait_for(other)
    assert inside(population) == inside(other) == ([2, 1, 0], ("once", "twice"))
    (reason,) = population.decide(user_of("u1"), tribes, because=True).because["twice"]
    assert reason.events == 3
    subject.clock.advance(timedelta(hours=48))
    assert inside(population) == inside(other) == ([0, 0, 2], ("never",))


def test_hours_end_at_the_time_of_an_earlier_version(subject: Subject) -> None:
    population, tribe = subject.population, Definition("users", HasEvent("ad", hours=1))
    record(population, event("m1", at=NOW - 1))
    subject.clock.advance(timedelta(hours=1))
    record(population, event("m2", person="u2", at=NOW + HOUR))

    assert [population.count(tribe, {}, as_of=version).count for version in (1, 2)] == [0, 1]
    assert population.trend([tribe], {}, ["2026-03-01T09:00:00.000Z", "2026-03-01T10:00:00.000Z"]) == ((0, 0, 1),)


# Streaming.


def streamed(population: Population, **chosen: Any) -> list[tuple[Person, str]]:
    """The people and the ids of the events of a selection, in the order of recording."""
    _, chunks = population.stream_events(EventSelection(**chosen), {})
    return [(person, found.id) for chunk in chunks for person, found in chunk]


def test_events_are_streamed_in_the_order_of_recording_by_type_time_person_and_tribe(population: Population) -> None:
    apply(population, "add", user("u1", "fan"), user("u2", "other"))
    record(population, event("m1", at=NOW - HOUR), event("m2", "ad/seen", "u2", at=NOW - 2 * HOUR))
    record(population, event("m3", "page/viewed", "u1", at=NOW - 3 * HOUR), event("m4", "adverts/seen", "u2"))
    u1, u2 = user_of("u1"), user_of("u2")

    assert streamed(population) == [(u1, "m1"), (u2, "m2"), (u1, "m3"), (u2, "m4")]
    assert streamed(population, events=("ad",)) == [(u1, "m1"), (u2, "m2")]
    assert streamed(population, events=("ad/seen",)) == [(u2, "m2")]
    assert streamed(population, events=("b",)) == []
    assert streamed(population, events=("page", "ad/seen")) == [(u2, "m2"), (u1, "m3")]
    assert streamed(population, first_version=3) == [(u1, "m3"), (u2, "m4")]
    assert streamed(population, last_version=2) == [(u1, "m1"), (u2, "m2")]
    assert streamed(population, first_version=3, last_version=2) == []
    assert [population.stream_events(EventSelection(last_version=last), {})[0] for last in (2, 9)] == [2, 3]
    assert streamed(population, since=NOW - 2 * HOUR, until=NOW - HOUR) == [(u2, "m2")]
    assert streamed(population, person=u1) == [(u1, "m1"), (u1, "m3")]
    assert streamed(population, tribe=Definition("users", HasTag(path("fan"))), events=("page",)) == [(u1, "m3")]
    assert streamed(population, tribe=Definition("users", HasEvent("ad/seen", days=2))) == [(u2, "m2"), (u2, "m4")]
    with pytest.raises(PersonNotFound):
        population.stream_events(EventSelection(person=user_of("nobody")), {})


def test_a_stream_ends_at_its_version_and_leaves_out_whom_an_erasure_removes_meanwhile(subject: Subject) -> None:
    population = subject.population
    for number in range(6):
        record(population, event(f"m{number}", person=f"u{number % 3}"))
    version, chunks = population.stream_events(EventSelection(), {})
    of_u2 = population.stream_events(EventSelection(person=user_of("u2")), {})[1]
    first = next(chunks)

    record(population, event("late"))
    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports_limits, "EVENT_BLOCKS_PER_MERGE_MIN", 2)
        population.merge_event_blocks()
    rest = [each.event.id for chunk in (first, *chunks) for each in chunk]

    assert version == 6
    assert [id for id in rest if id not in ("m1", "m4")] == ["m0", "m2", "m3", "m5"]
    assert [each.event.id for chunk in of_u2 for each in chunk] == ["m2", "m5"]
