"""Several versions undone together, as one."""

from datetime import timedelta

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import ChangeNotFound, UndoConflict
from tagloom.ports.writes import DeleteTag, ErasePerson, MoveTag, PutTag, Undo, WriteOptions
from tests.bodies import user
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, BOB, apply, catalogue, path, people, tags_of, user_of


def test_several_versions_are_undone_as_one(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    apply(population, "set", user("u1", "b"), user("u2", "b"))
    apply(population, "add", user("u2", "a"))

    receipt = population.write(Undo((3, 2, 2)), WriteOptions(BOB))

    assert (receipt.version, receipt.added, receipt.removed, receipt.people_removed) == (4, 1, 3, 1)
    assert (receipt.undoes, receipt.undoes_count, receipt.skipped, receipt.conflicts) == (None, 2, 0, ())
    assert (tags_of(population, "u1"), people(population), catalogue(population)) == (("a",), ["u1"], {"a": (1, 1)})
    change = population.get_change(4)
    assert (change.action, change.actor, change.undoes, change.undoes_count) == ("undo", "bob", None, 2)
    assert [population.get_change(version).undone_by for version in (1, 2, 3)] == [None, 4, 4]


def test_undoing_the_undo_of_several_does_them_again(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    apply(population, "remove", user("u1", "a"))
    apply(population, "add", user("u1", "a", "b"))
    population.write(Undo((1, 2, 3)), WriteOptions(ADA))
    assert people(population) == []

    population.write(Undo((4,)), WriteOptions(ADA))

    assert tags_of(population, "u1") == ("a", "b")


def test_one_version_alone_is_undone_as_ever(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    receipt = population.write(Undo((1,)), WriteOptions(ADA, dry_run=True))

    assert (receipt.undoes, receipt.undoes_count, receipt.dry_run, receipt.people_removed) == (1, 0, True, 1)
    assert population.version() == 1


def test_what_another_version_touched_since_is_left_alone_and_the_version_named(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    apply(population, "remove", user("u1", "a"))
    apply(population, "add", user("u1", "a", "b"))

    receipt = population.write(Undo((1, 3)), WriteOptions(ADA))

    # Of u1's a, version 3 goes back to where version 2 left it; what version 1 did is the other's affair.
    assert (receipt.removed, receipt.skipped, receipt.conflicts) == (3, 1, (2,))
    assert tags_of(population, "u1") is None


def test_override_takes_back_what_others_touched_too(population: Population) -> None:
    population.write(PutTag(tag=path("a")), WriteOptions(ADA))
    apply(population, "add", user("u1", "a", "keep"))
    apply(population, "remove", user("u1", "a"))
    apply(population, "add", user("u1", "a"))
    assert population.write(Undo((3,)), WriteOptions(ADA, dry_run=True)).conflicts == (4,)

    receipt = population.write(Undo((2,), override=True), WriteOptions(ADA))

    assert (receipt.removed, receipt.skipped, receipt.conflicts) == (2, 0, ())
    assert population.write(Undo((3,), override=True), WriteOptions(ADA)).added == 1
    assert tags_of(population, "u1") == ("a",)


def test_a_tag_made_and_dropped_by_the_same_set_goes_without_a_trace(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    population.write(PutTag(tag=path("b")), WriteOptions(ADA))
    apply(population, "add", user("u1", "b"))
    population.write(DeleteTag(path("b")), WriteOptions(ADA))

    receipt = population.write(Undo((2, 3, 4)), WriteOptions(ADA))

    assert (receipt.version, receipt.added, receipt.removed, receipt.skipped) == (4, 0, 0, 0)


def test_a_dropped_tag_that_others_had_given_lives_again(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    apply(population, "add", user("u2", "a"))
    population.write(DeleteTag(path("a")), WriteOptions(ADA))

    receipt = population.write(Undo((1, 3)), WriteOptions(ADA))

    assert (receipt.added, receipt.skipped) == (1, 0)
    assert (tags_of(population, "u2"), catalogue(population)) == (("a",), {"a": (1, 1)})


def test_a_chain_of_renames_goes_back_to_its_beginning(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))
    population.write(MoveTag(path("b"), path("c")), WriteOptions(ADA))

    population.write(Undo((2, 3)), WriteOptions(ADA))

    assert (catalogue(population), population.aliases()) == ({"a": (1, 1)}, {})


def test_an_entry_that_another_version_changed_in_between_is_a_conflict(population: Population) -> None:
    population.write(PutTag(tag=path("a"), description="one"), WriteOptions(ADA))
    population.write(PutTag(tag=path("a"), description="two"), WriteOptions(ADA))
    population.write(PutTag(tag=path("a"), description="three"), WriteOptions(ADA))

    with pytest.raises(UndoConflict):
        population.write(Undo((1, 3)), WriteOptions(ADA))
    assert population.write(Undo((2, 3)), WriteOptions(ADA)).version == 4
    assert population.get_tag(path("a")).description == "one"


def test_an_erasure_among_them_is_a_conflict(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    with pytest.raises(UndoConflict):
        population.write(Undo((1, 2)), WriteOptions(ADA))
    assert population.write(Undo((1,), override=True), WriteOptions(ADA)).removed == 1


@pytest.mark.parametrize("version", [0, -1, 2])
def test_a_version_that_is_not_there_undoes_none_of_them(population: Population, version: int) -> None:
    apply(population, "add", user("u1", "a"))

    with pytest.raises(ChangeNotFound):
        population.write(Undo((1, version)), WriteOptions(ADA))
    assert tags_of(population, "u1") == ("a",)


def test_undoing_no_version_does_nothing(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    assert population.write(Undo(()), WriteOptions(ADA)).version == 1


def test_the_versions_of_an_actor_and_source_in_a_span_of_time_are_found(subject: Subject) -> None:
    population = subject.population
    for origin in (ADA, BOB, ADA, BOB):
        subject.clock.advance(timedelta(seconds=1))
        apply(population, "add", user("u1", f"t{population.version()}"), origin=origin)
    population.write(ErasePerson(user_of("u1")), WriteOptions(BOB))
    first, third = "2026-03-01T09:00:01.000Z", "2026-03-01T09:00:03.000Z"

    assert population.find_versions(actor="ada", limit=9) == (1, 3)
    assert population.find_versions(actor="bob", limit=9) == (2, 4), "an erasure cannot be undone"
    assert population.find_versions(actor="ada", source="console", limit=9) == ()
    assert population.find_versions(source="console", limit=1) == (2,)
    assert population.find_versions(actor="ada", since=first, until=third, limit=9) == (1,)
    assert population.find_versions(since=third, limit=9) == (3, 4)


def test_the_undo_of_several_is_foreseen(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    apply(population, "add", user("u1", "b"))

    preview = population.preview(Undo((1, 2)), {})

    assert (preview.receipt.removed, preview.people, preview.removed_tags) == (2, 1, ("a", "b"))
    assert preview.receipt == population.write(Undo((1, 2)), WriteOptions(ADA, dry_run=True))


def test_who_undid_what_survives_a_crash(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"))
    apply(subject.population, "add", user("u1", "b"))
    subject.population.write(Undo((1, 2)), WriteOptions(ADA))
    before = subject.population.list_changes(limit=9)

    subject.reopen()

    assert subject.population.list_changes(limit=9) == before
