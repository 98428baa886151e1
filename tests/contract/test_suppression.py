"""Suppression: nothing is written for people on the list, at any door, by any process, until they are taken off."""

from collections.abc import Iterator

import pytest

from tagloom.ports import limits
from tagloom.ports.population import Population
from tagloom.ports.problems import BodyOutdated, IdempotencyKeyReused, PersonLinked, TooManySuppressed, UndoConflict
from tagloom.ports.writes import (
    DeletePeople,
    DeletionKind,
    Part,
    PutPerson,
    RecordEvents,
    TagTribe,
    Undo,
    WriteOptions,
)
from tagloom.words.people import Person
from tagloom.words.problems import PersonSuppressed
from tagloom.words.receipts import Mode, Receipt
from tagloom.words.rules import Definition, HasTag
from tests.bodies import Line, part, user, visitor
from tests.contract.conftest import Subject
from tests.contract.identity_steps import identities, join, link
from tests.contract.portrait import outcome
from tests.contract.steps import ADA, BOB, apply, count, path, people, tags_of, user_of, visitor_of
from tests.contract.test_events import event, ids, record
from tests.writing import Batch, write_parts

SUPPRESSED = "person-suppressed"


def delete(population: Population, kind: DeletionKind, *named: str | Person, **options: object) -> Receipt:
    """Deletes or suppresses these people. Texts are ids of users."""
    chosen = tuple(user_of(each) if isinstance(each, str) else each for each in named)
    return population.write(DeletePeople(chosen, kind), WriteOptions(ADA, **options))  # type: ignore[arg-type]


def counts(receipt: Receipt) -> tuple[int, int, int]:
    return receipt.version, receipt.erased, receipt.suppressed


def is_refused(population: Population, person: str | Person) -> bool:
    about = user_of(person) if isinstance(person, str) else person
    return outcome(population.write, PutPerson(about), WriteOptions(ADA, dry_run=True)) is PersonSuppressed


# The four kinds.


def test_deleting_people_erases_those_who_are_known_in_one_version(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b", plan="gold"), user("u2", "a"), visitor("u1", "a"), user("u3", "a"))
    record(population, event("m1"), event("m2", person="u3"))

    receipt = delete(population, "delete", "u1", "u3", "nobody", "u1", visitor_of("v9"))

    assert counts(receipt) == (3, 2, 0)
    assert (receipt.removed, receipt.attributes, receipt.new_people, receipt.people_removed) == (3, 1, 0, 0)
    assert people(population) == ["u2", "u1"], "the visitor of that id is somebody else"
    assert population.get_change(3).action == "delete people"
    assert population.list_changes(person=user_of("u1"), limit=9) == ()
    assert not is_refused(population, "u1")


def test_a_deletion_cannot_be_undone(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    delete(population, "delete", "u1")

    with pytest.raises(UndoConflict):
        population.write(Undo((2,)), WriteOptions(ADA))


def test_deleting_people_whom_nobody_knows_makes_no_version(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    assert counts(delete(population, "delete", "u2", visitor_of("u1"))) == (1, 0, 0)
    assert counts(delete(population, "delete")) == (1, 0, 0)


def test_what_is_stored_about_suppressed_people_stays_and_can_be_read(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "a", plan="gold"))
    record(population, event("m1"))

    assert counts(delete(population, "suppress", "u1", "nobody")) == (2, 0, 2)

    subject.reopen()
    population = subject.population
    assert (tags_of(population, "u1"), ids(population), count(population, HasTag(path("a")))) == (("a",), ["m1"], 1)
    assert (is_refused(population, "u1"), is_refused(population, "nobody")) == (True, True)
    assert not is_refused(population, visitor_of("u1"))
    assert population.version() == 2


def test_both_erases_and_suppresses(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "a"))

    assert counts(delete(subject.population, "both", "u1", "nobody")) == (2, 1, 2)

    subject.reopen()
    assert people(subject.population) == ["u2"]
    assert [is_refused(subject.population, each) for each in ("u1", "nobody", "u2")] == [True, True, False]


def test_suppressed_people_can_be_deleted_later(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    delete(population, "suppress", "u1")

    assert counts(delete(population, "both", "u1")) == (2, 1, 0)
    assert is_refused(population, "u1")


def test_the_receipt_counts_only_who_came_on_the_list_or_left_it(population: Population) -> None:
    assert counts(delete(population, "suppress", "u1", "u2", "u1")) == (0, 0, 2)
    assert counts(delete(population, "suppress", "u2", "u3")) == (0, 0, 1)
    assert counts(delete(population, "unsuppress", "u1", "u4")) == (0, 0, 1)
    assert [is_refused(population, f"u{number}") for number in (1, 2, 3, 4)] == [False, True, True, False]


def test_somebody_who_left_the_list_is_written_as_anybody_else(subject: Subject) -> None:
    delete(subject.population, "suppress", "u1")
    delete(subject.population, "unsuppress", "u1")
    subject.reopen()

    assert apply(subject.population, "add", user("u1", "a")).added == 1
    assert record(subject.population, event("m1")).events == 1


def test_an_id_that_comes_again_after_it_left_the_list_is_a_new_person(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    delete(population, "both", "u1")
    delete(population, "unsuppress", "u1")

    assert apply(population, "add", user("u1", "b")).new_people == 1
    assert tags_of(population, "u1") == ("b",)


def test_many_people_are_deleted_and_suppressed_at_once(subject: Subject) -> None:
    crowd = [f"u{number}" for number in range(limits.PEOPLE_PER_DELETION_MAX)]
    apply(subject.population, "add", *(user(id, "a", plan=id) for id in crowd[::2]), user("other", "a", plan="other"))

    assert counts(delete(subject.population, "both", *crowd)) == (2, len(crowd) // 2, len(crowd))

    subject.reopen()
    assert people(subject.population) == ["other"]
    again = apply(subject.population, "add", *(user(id, "a") for id in crowd), user("other", "b"))
    assert (again.rejected_count, again.added) == (len(crowd), 1)


def test_the_list_has_a_maximum(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PEOPLE_SUPPRESSED_MAX", 2)
    apply(population, "add", user("u3", "a"))
    delete(population, "suppress", "u1", "u2")

    with pytest.raises(TooManySuppressed):
        delete(population, "both", "u2", "u3")
    assert people(population) == ["u3"], "nobody was erased"


# What is refused.


@pytest.mark.parametrize("mode", ["add", "remove", "change", "set", "mirror"])
@pytest.mark.parametrize("others", [1, 100])
def test_a_line_of_a_suppressed_person_is_rejected_alone(population: Population, mode: Mode, others: int) -> None:
    """Few lines and many lines are read in different ways."""
    apply(population, "add", user("u1", "a"), *(user(f"n{number}", "a") for number in range(others)))
    delete(population, "suppress", "u1", visitor_of("v1"))
    lines = [
        user("n0", "b"),
        user("u1", "b", "NOT A TAG"),
        visitor("v1", "b"),
        user("u1"),
        user("n0", "NOT A TAG"),
        *(user(f"n{number}", "b") for number in range(1, others)),
    ]

    receipt = apply(population, mode, *lines)

    assert [(each.line, each.problem, each.value) for each in receipt.rejected] == [
        (2, SUPPRESSED, ""),
        (3, SUPPRESSED, ""),
        (4, SUPPRESSED, ""),
        (5, "tag-has-capital", "NOT A TAG"),
    ]
    assert receipt.rejected_count == 4
    assert tags_of(population, "u1") == ("a",), "a mirror and a set do not take what the person has"
    assert population.find_person(visitor_of("v1")) is None


def test_attributes_of_a_suppressed_person_are_rejected_with_the_line(population: Population) -> None:
    delete(population, "suppress", "u1")

    receipt = apply(population, "add", user("u1", "a", plan="gold"), user("u2", plan="free"), user("u1", plan=None))

    assert [(each.line, each.problem) for each in receipt.rejected] == [(1, SUPPRESSED), (3, SUPPRESSED)]
    assert (receipt.attributes, receipt.new_people) == (1, 1)


def test_a_suppressed_person_cannot_be_created(population: Population) -> None:
    delete(population, "suppress", "u1")

    with pytest.raises(PersonSuppressed) as refused:
        population.write(PutPerson(user_of("u1")), WriteOptions(ADA))
    assert "u1" not in refused.value.detail
    assert population.write(PutPerson(visitor_of("u1")), WriteOptions(ADA)).new_people == 1


def test_events_of_suppressed_people_are_not_recorded_and_are_counted(subject: Subject) -> None:
    population = subject.population
    delete(population, "both", "u1", visitor_of("v1"))

    receipt = record(
        population,
        event("m1", attributes={"plan": "gold"}),
        event("m2", person="u2", attributes={"plan": "free"}),
        event("m3", "new/type", person=visitor_of("v1")),
        event("m1"),
        event("m2", person="u1"),
    )

    assert (receipt.events, receipt.suppressed, receipt.repeats, receipt.rejected_count) == (1, 4, 0, 0)
    assert (receipt.version, receipt.attributes, receipt.new_people) == (2, 1, 1)
    assert [each.type for each in population.list_event_types()] == ["ad/clicked"]
    assert people(population) == ["u2"]
    delete(population, "unsuppress", "u1")
    assert record(population, event("m1")).events == 1, "an event that was not recorded is no repeat"


def test_events_of_suppressed_people_alone_make_no_version(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    delete(population, "suppress", "u1")

    receipt = record(population, *(event(f"m{number}") for number in range(70)))

    assert (receipt.version, receipt.events, receipt.suppressed) == (1, 0, 70)


def test_writes_of_events_that_share_a_commit_each_count_their_own(population: Population) -> None:
    delete(population, "suppress", "u1")
    bodies = [[event(f"a{n}"), event(f"b{n}", person="u2"), *([event(f"c{n}")] * (n % 3))] for n in range(40)]

    waiting = [population.submit(RecordEvents(body), WriteOptions(BOB)) for body in bodies]

    found = [(each.result().events, each.result().suppressed) for each in waiting]
    assert found == [(1, 1 + number % 3) for number in range(40)]


def test_a_suppressed_visitor_is_left_out_of_the_events_of_a_user(population: Population) -> None:
    delete(population, "both", visitor_of("v1"))

    receipt = record(population, event("m1", visitor="v1"))

    assert (receipt.events, receipt.suppressed, receipt.ignored) == (1, 0, ())
    assert population.find_person(visitor_of("v1")) is None


def test_a_tribe_is_tagged_with_its_suppressed_members_whom_the_write_does_not_name(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    delete(population, "suppress", "u1")

    population.write(TagTribe(Definition("everyone", HasTag(path("a"))), path("b")), WriteOptions(ADA))

    assert tags_of(population, "u1") == ("a", "b")


# Bodies that are read meanwhile, and other processes.


@pytest.mark.parametrize("many", [1, 200])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_body_that_was_read_before_the_suppression_does_not_slip_through(
    population: Population, many: int, is_known: bool
) -> None:
    apply(population, "add", user("else", "z"), *([user("u1", "z")] if is_known else []))

    def told() -> Iterator[Part]:
        yield part([user("u1", "a"), *(user(f"n{number}", "a") for number in range(many))])
        delete(population, "both", "u1")

    written = outcome(write_parts, population, told(), Batch(mode="add", origin=BOB))

    if written is BodyOutdated:
        written = write_parts(population, told(), Batch(mode="add", origin=BOB))
    assert (written.added, [each.problem for each in written.rejected]) == (many, [SUPPRESSED])
    assert population.find_person(user_of("u1")) is None


def test_a_body_of_others_is_applied_although_the_list_changed_meanwhile(population: Population) -> None:
    delete(population, "suppress", "u9")

    def told() -> Iterator[Part]:
        yield part([user("n1", "a")])
        delete(population, "suppress", "u1")
        delete(population, "unsuppress", "u9")

    assert write_parts(population, told(), Batch(mode="add", origin=BOB)).added == 1


def test_a_body_whose_lines_were_rejected_is_read_again_when_the_person_left_the_list(population: Population) -> None:
    delete(population, "suppress", "u1")

    def told() -> Iterator[Part]:
        yield part([user("u1", "a")])
        delete(population, "unsuppress", "u1")

    written = outcome(write_parts, population, told(), Batch(mode="add", origin=BOB))

    assert written is BodyOutdated or written.added == 1


def test_another_process_obeys_from_its_next_write_on(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), user("u2", "a"))
    other = subject.another()
    assert tags_of(other, "u1") == ("a",)

    delete(subject.population, "suppress", "u1")
    few = apply(other, "add", user("u1", "b"))
    many = apply(other, "add", *(user(f"u{number}", "b") for number in range(1, 100)))
    events = record(other, event("m1"), event("m2", person="u2"))
    delete(other, "both", "u2")

    assert (few.rejected_count, many.rejected_count, events.suppressed) == (1, 1, 1)
    assert (is_refused(other, "u1"), is_refused(subject.population, "u2")) == (True, True)
    delete(other, "unsuppress", "u1", "u2")
    assert apply(subject.population, "add", user("u1", "b"), user("u2", "b")).added == 2
    assert tags_of(other, "u1") == ("a", "b")


# Links.


def test_everybody_who_is_linked_to_a_person_is_erased_and_suppressed_with_them(population: Population) -> None:
    apply(population, "add", user("u2", "a"), user("u3", "a"))
    link(population, "v1", "u1")
    join(population, "u2", "u1")
    version = population.version()

    assert counts(delete(population, "both", "u1", visitor_of("v1"))) == (version + 1, 3, 3)

    assert people(population) == ["u3"]
    assert [is_refused(population, each) for each in ("u1", "u2", visitor_of("v1"), visitor_of("u1"))] == [True] * 3 + [
        False
    ]


def test_a_linked_visitor_alone_is_not_erased_and_can_be_suppressed(population: Population) -> None:
    link(population, "v1", "u1")
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    version = population.version()

    with pytest.raises(PersonLinked):
        delete(population, "both", visitor_of("v1"), "u2")
    assert counts(delete(population, "suppress", visitor_of("v1"))) == (version, 0, 1)

    receipt = apply(population, "add", visitor("v1", "b"), user("u1", "c"))
    assert [each.line for each in receipt.rejected] == [1]
    assert tags_of(population, "u1") == ("a", "c")
    assert identities(population, "u1") == [("visitor", "v1")]


def test_the_visitors_of_a_suppressed_user_are_refused_and_return_with_the_user(population: Population) -> None:
    link(population, "v1", "u1")

    assert delete(population, "suppress", "u1").suppressed == 2
    assert apply(population, "add", visitor("v1", "a"), user("u1", "a")).rejected_count == 2
    assert delete(population, "unsuppress", "u1").suppressed == 2
    assert apply(population, "add", visitor("v1", "a")).added == 1
    assert tags_of(population, "u1") == ("a",)


def test_a_visitor_whose_id_began_again_with_another_user_is_not_suppressed(population: Population) -> None:
    record(population, event("m1", visitor="shared"), event("m2", person="u2", visitor="shared"))

    receipt = delete(population, "both", "u1")

    assert (receipt.erased, receipt.suppressed) == (2, 1)
    assert not is_refused(population, visitor_of("shared"))
    assert identities(population, "u2") == [("visitor", "shared")]


def test_suppressed_people_are_not_linked(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    delete(population, "suppress", "u1", visitor_of("v1"))

    for refused in (
        lambda: link(population, "v1", "u2"),
        lambda: link(population, "v2", "u1"),
        lambda: join(population, "u1", "u2"),
        lambda: join(population, "u2", "u1"),
    ):
        with pytest.raises(PersonSuppressed):
            refused()
    aliased = event("m1", "identity/aliased", person="u2", visitor="u1")
    receipt = record(population, aliased, event("m2", person="u2", visitor="v1"))

    assert (receipt.events, receipt.suppressed, receipt.linked, receipt.ignored) == (2, 0, 0, ())
    assert identities(population, "u2") == []


# Dry runs, previews and repeated requests.


@pytest.mark.parametrize("kind", ["delete", "suppress", "both"])
def test_a_dry_run_says_what_a_deletion_would_do(population: Population, kind: DeletionKind) -> None:
    apply(population, "add", user("u1", "a", plan="gold"))
    record(population, event("m1"))

    tried = delete(population, kind, "u1", "u2", dry_run=True)

    assert (tags_of(population, "u1"), ids(population), is_refused(population, "u1")) == (("a",), ["m1"], False)
    done = delete(population, kind, "u1", "u2")
    assert (tried.erased, tried.suppressed, tried.removed) == (done.erased, done.suppressed, done.removed)
    assert (tried.dry_run, tried.version) == (True, 2)


def test_a_preview_says_which_tribes_a_deletion_changes(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    tribes = {"gold": Definition("users", HasTag(path("a")))}

    preview = population.preview(DeletePeople((user_of("u1"), user_of("u2")), "both"), tribes)

    assert [(each.tribe, each.before, each.after) for each in preview.tribes] == [("gold", 2, 0)]
    assert (preview.receipt.erased, preview.receipt.suppressed) == (2, 2)
    assert people(population) == ["u1", "u2"]


def test_a_repeated_request_returns_the_first_receipt(population: Population) -> None:
    first = delete(population, "suppress", "u1", idempotency_key="k", fingerprint="f")
    delete(population, "unsuppress", "u1")

    assert delete(population, "suppress", "u1", idempotency_key="k", fingerprint="f") == first
    assert not is_refused(population, "u1"), "the repeated request changed nothing"
    with pytest.raises(IdempotencyKeyReused):
        delete(population, "both", "u1", idempotency_key="k", fingerprint="other")


def test_a_rejected_line_does_not_repeat_the_id(population: Population) -> None:
    delete(population, "suppress", "secret-id")

    receipt = apply(population, "add", Line(user_of("secret-id"), ["a"]))

    assert "secret-id" not in repr(receipt)
