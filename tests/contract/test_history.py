"""What happened, and how it is taken back."""

from datetime import timedelta

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import ChangeNotFound, UndoConflict
from tagloom.ports.writes import DeleteTag, ErasePerson, MergeTags, MoveTag, PutPerson, PutTag, Undo, WriteOptions
from tagloom.words.changes import Change
from tests.bodies import user, visitor
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, BOB, apply, catalogue, path, people, tags_of, user_of

# Changes.


def test_a_change_says_who_did_what_when_and_how_much(subject: Subject) -> None:
    subject.clock.advance(timedelta(milliseconds=250))

    apply(subject.population, "set", user("u1", "a", "b"), action="import")

    assert subject.population.get_change(1) == Change(
        version=1,
        at="2026-03-01T09:00:00.250Z",
        action="import",
        actor="ada",
        source="crm.csv",
        added=2,
        removed=0,
        new_people=1,
    )


def test_versions_count_from_one_and_a_no_op_makes_none(population: Population) -> None:
    assert population.version() == 0
    versions = [apply(population, "add", user("u1", tag)).version for tag in ("a", "a", "b")]

    assert versions == [1, 1, 2]
    assert population.version() == 2


@pytest.mark.parametrize("version", [-1, 0, 2])
def test_a_version_that_is_not_there_is_not_found(population: Population, version: int) -> None:
    apply(population, "add", user("u1", "a"))

    with pytest.raises(ChangeNotFound):
        population.get_change(version)
    with pytest.raises(ChangeNotFound):
        population.write(Undo((version,)), WriteOptions(ADA))


def test_changes_are_listed_upwards_after_a_version_and_up_to_a_limit(population: Population) -> None:
    for number in range(5):
        apply(population, "add", user(f"u{number}", "a"))

    assert [change.version for change in population.list_changes(limit=9)] == [1, 2, 3, 4, 5]
    assert [change.version for change in population.list_changes(after=2, limit=2)] == [3, 4]
    assert population.list_changes(after=5, limit=2) == ()


def test_every_write_is_named_by_what_it_did(population: Population) -> None:
    population.write(PutPerson(user_of("u1")), WriteOptions(ADA))
    population.write(PutTag(tag=path("a")), WriteOptions(ADA))
    population.write(PutTag(tag=path("a"), description="x"), WriteOptions(ADA))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))
    population.write(PutTag(tag=path("c")), WriteOptions(ADA))
    population.write(MergeTags(path("c"), path("b")), WriteOptions(ADA))
    population.write(DeleteTag(path("c")), WriteOptions(ADA))
    population.write(DeleteTag(path("b")), WriteOptions(ADA))
    population.write(Undo((8,)), WriteOptions(ADA))
    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    assert [change.action for change in population.list_changes(limit=20)] == [
        "person",
        "create tag",
        "describe tag",
        "move tag",
        "create tag",
        "merge tags",
        "delete alias",
        "delete tag",
        "undo",
        "erase",
    ]


def test_a_persons_changes_name_their_tags_only(population: Population) -> None:
    apply(population, "add", user("u1", "b", "a"), user("u2", "c"))
    apply(population, "add", user("u2", "a"))
    population.write(DeleteTag(path("a")), WriteOptions(BOB))

    found = population.list_changes(person=user_of("u1"), limit=9)

    assert [(change.version, change.tags_added, change.tags_removed) for change in found] == [
        (1, ("a", "b"), ()),
        (3, (), ("a",)),
    ]
    assert found[1].removed == 2, "the counts are the whole version's"


def test_a_persons_changes_are_told_of_loads_that_gave_many_people_many_tags(subject: Subject) -> None:
    def tags(night: int, number: int) -> set[str]:
        return {f"n/{(number * step + night * step * step) % 53}" for step in range(1, 6)}

    for night in range(3):
        lines = [user(f"u{number}", *tags(night, number)) for number in range(4_500)]
        apply(subject.population, "set", *lines)

    for number in (0, 1, 2_040, 4_499):
        changes = subject.population.list_changes(person=user_of(f"u{number}"), limit=9)
        assert [change.version for change in changes] == [1, 2, 3]
        nights = [set[str](), *(tags(night, number) for night in range(3))]
        for change, before, after in zip(changes, nights, nights[1:], strict=False):
            assert (set(change.tags_added), set(change.tags_removed)) == (after - before, before - after)
        newest_first = subject.population.list_changes(person=user_of(f"u{number}"), newest_first=True, limit=9)
        assert newest_first == changes[::-1]


def test_a_persons_changes_include_the_one_that_made_them_known(population: Population) -> None:
    population.write(PutPerson(user_of("u1")), WriteOptions(ADA))

    assert [change.version for change in population.list_changes(person=user_of("u1"), limit=9)] == [1]
    assert population.list_changes(person=user_of("u2"), limit=9) == ()


def test_a_tags_changes_are_those_of_it_and_what_is_below(population: Population) -> None:
    apply(population, "add", user("u1", "a/x"))
    apply(population, "add", user("u1", "ab"))
    population.write(PutTag(tag=path("a"), description="x"), WriteOptions(ADA))
    apply(population, "remove", user("u1", "a/x"))

    assert [change.version for change in population.list_changes(tag=path("a"), limit=9)] == [1, 3, 4]
    assert [change.version for change in population.list_changes(tag=path("a/x"), limit=9)] == [1, 4]
    assert population.list_changes(tag=path("ghost"), limit=9) == ()


def test_a_tags_changes_are_found_by_its_new_name_and_by_its_old_one(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))
    apply(population, "add", user("u2", "b"))

    for name in ("a", "b"):
        assert [change.version for change in population.list_changes(tag=path(name), limit=9)] == [1, 2, 3]
    assert population.list_changes(person=user_of("u1"), limit=9)[0].tags_added == ("b",)


def test_the_changes_of_a_dropped_tag_can_still_be_read(population: Population) -> None:
    apply(population, "add", user("u1", "a/x"))
    population.write(DeleteTag(path("a")), WriteOptions(ADA))

    assert [change.version for change in population.list_changes(tag=path("a"), limit=9)] == [1, 2]
    assert population.list_changes(person=user_of("u1"), limit=9)[0].tags_added == ("a/x",)


def test_the_changes_of_a_person_and_a_tag_are_those_of_its_taggings_for_them(population: Population) -> None:
    apply(population, "add", user("u1", "b"), user("u2", "a"))
    apply(population, "add", user("u1", "a/x", "c"))

    found = population.list_changes(person=user_of("u1"), tag=path("a"), limit=9)

    assert [(change.version, change.tags_added) for change in found] == [(2, ("a/x",))]


def test_the_history_survives_a_crash(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"))
    subject.population.write(PutTag(tag=path("b")), WriteOptions(BOB))
    subject.population.write(Undo((1,)), WriteOptions(ADA))
    before = subject.population.list_changes(limit=9)

    subject.reopen()

    assert subject.population.list_changes(limit=9) == before
    assert subject.population.write(Undo((3,)), WriteOptions(ADA)).added == 1


# Undo.


def test_undo_takes_back_what_was_given_and_gives_back_what_was_taken(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"), user("u2", "c"))
    apply(population, "set", user("u1", "b", "c"))

    receipt = population.write(Undo((2,)), WriteOptions(BOB))

    assert (receipt.version, receipt.added, receipt.removed, receipt.undoes) == (3, 1, 1, 2)
    assert (receipt.skipped, receipt.people_removed, receipt.unchanged) == (0, 0, 0)
    assert tags_of(population, "u1") == ("a", "b")
    change = population.get_change(3)
    assert (change.action, change.actor, change.undoes) == ("undo", "bob", 2)
    assert population.get_change(2).undone_by == 3


def test_undo_of_a_mirror_gives_everybody_their_tags_back(population: Population) -> None:
    apply(population, "add", *(user(f"u{number}", "a", "b") for number in range(5)))
    apply(population, "mirror", user("u0", "c"), user("u9", "c"))

    receipt = population.write(Undo((2,)), WriteOptions(ADA))

    assert (receipt.added, receipt.removed, receipt.people_removed) == (10, 2, 1)
    assert catalogue(population) == {"a": (5, 5), "b": (5, 5)}


def test_undo_leaves_alone_and_counts_what_a_later_version_touched(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"), user("u2", "a"))
    apply(population, "remove", user("u1", "a"))
    apply(population, "add", user("u1", "a"))

    receipt = population.write(Undo((1,)), WriteOptions(ADA))

    assert (receipt.removed, receipt.skipped) == (2, 1)
    assert tags_of(population, "u1") == ("a",)


def test_undo_takes_away_people_that_it_had_made_unless_they_bear_tags(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    apply(population, "add", user("u2", "b"))

    receipt = population.write(Undo((1,)), WriteOptions(ADA))

    assert receipt.people_removed == 1
    assert people(population) == ["u2"]
    assert tags_of(population, "u2") == ("b",)


def test_people_who_were_known_before_stay(population: Population) -> None:
    population.write(PutPerson(user_of("u1")), WriteOptions(ADA))
    apply(population, "add", user("u1", "a"))

    assert population.write(Undo((2,)), WriteOptions(ADA)).people_removed == 0
    assert tags_of(population, "u1") == ()


def test_someone_taken_away_by_undo_takes_their_old_place_when_they_come_again(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"))
    apply(subject.population, "add", user("u2", "a"))
    subject.population.write(Undo((1,)), WriteOptions(ADA))
    subject.reopen()

    receipt = apply(subject.population, "add", user("u1", "b"))

    assert receipt.new_people == 1
    assert people(subject.population) == ["u1", "u2"]
    assert tags_of(subject.population, "u1") == ("b",)


def test_undo_takes_away_tags_that_it_had_made_unless_somebody_bears_them(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"))
    apply(population, "add", user("u2", "b"))

    receipt = population.write(Undo((1,)), WriteOptions(ADA))

    assert receipt.new_tags == 0
    assert catalogue(population) == {"b": (1, 1)}


def test_undoing_an_undo_does_it_again(population: Population) -> None:
    apply(population, "add", user("u1", "a"), visitor("v1"))
    population.write(Undo((1,)), WriteOptions(ADA))
    assert (people(population), catalogue(population)) == ([], {})

    receipt = population.write(Undo((2,)), WriteOptions(ADA))

    assert (receipt.version, receipt.added, receipt.new_people, receipt.undoes) == (3, 1, 2, 2)
    assert tags_of(population, "u1") == ("a",)
    assert people(population) == ["u1", "v1"]
    assert (population.get_change(1).undone_by, population.get_change(2).undone_by) == (2, 3)


def test_undoing_twice_changes_nothing_the_second_time(population: Population) -> None:
    population.write(PutTag(tag=path("a")), WriteOptions(ADA))
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    population.write(Undo((2,)), WriteOptions(ADA))

    again = population.write(Undo((2,)), WriteOptions(ADA))

    assert (again.version, again.removed, again.people_removed, again.skipped) == (3, 0, 0, 2)
    assert again.undoes == 2


def test_a_dry_run_of_an_undo_counts_as_if_and_changes_nothing(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    receipt = population.write(Undo((1,)), WriteOptions(ADA, dry_run=True))

    assert receipt.dry_run
    assert (receipt.version, receipt.removed, receipt.people_removed, receipt.undoes) == (1, 1, 1, 1)
    assert tags_of(population, "u1") == ("a",)
    assert population.get_change(1).undone_by is None


def test_undo_follows_a_tag_that_was_renamed_since(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    apply(population, "add", user("u2", "a"))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))

    receipt = population.write(Undo((2,)), WriteOptions(ADA))

    assert (receipt.removed, receipt.people_removed) == (1, 1)
    assert catalogue(population) == {"b": (1, 1)}


def test_what_was_taken_by_a_displacement_comes_back(population: Population) -> None:
    population.write(PutTag(tag=path("plan"), exclusive=True), WriteOptions(ADA))
    apply(population, "add", user("u1", "plan/free"))
    apply(population, "add", user("u1", "plan/pro"))

    population.write(Undo((3,)), WriteOptions(ADA))

    assert tags_of(population, "u1") == ("plan/free",)


def test_a_tagging_whose_tag_was_dropped_since_is_left_alone(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    apply(population, "remove", user("u1", "a"))
    population.write(DeleteTag(path("a")), WriteOptions(ADA))

    receipt = population.write(Undo((2,)), WriteOptions(ADA))

    assert (receipt.version, receipt.added, receipt.skipped) == (3, 0, 1)
    assert tags_of(population, "u1") == ()


def test_a_tagging_whose_person_was_erased_since_is_left_alone(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    apply(population, "remove", user("u1", "a"), user("u2", "a"))
    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    apply(population, "add", user("u1", "b"))

    receipt = population.write(Undo((2,)), WriteOptions(ADA))

    assert (receipt.added, receipt.skipped) == (1, 1)
    assert tags_of(population, "u1") == ("b",), "a new person of an old id is given nothing"


def test_a_person_who_left_by_undo_is_there_again_when_a_tag_is_given_back(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    apply(population, "remove", user("u1", "a"))
    assert population.write(Undo((1,)), WriteOptions(ADA)).skipped == 1
    population.write(PutTag(tag=path("a")), WriteOptions(ADA))

    receipt = population.write(Undo((2,)), WriteOptions(ADA))

    assert (receipt.added, receipt.new_people) == (1, 1)
    assert tags_of(population, "u1") == ("a",)


def test_an_erasure_cannot_be_undone(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    with pytest.raises(UndoConflict):
        population.write(Undo((2,)), WriteOptions(ADA))
    with pytest.raises(UndoConflict):
        population.write(Undo((2,)), WriteOptions(ADA, dry_run=True))


# Undo of the catalogue.


def test_undo_of_a_description_gives_the_former_one_back(population: Population) -> None:
    population.write(PutTag(tag=path("a"), description="old"), WriteOptions(ADA))
    population.write(PutTag(tag=path("a"), description="new", exclusive=True), WriteOptions(ADA))

    population.write(Undo((2,)), WriteOptions(ADA))

    tag = population.get_tag(path("a"))
    assert (tag.description, tag.exclusive) == ("old", False)


def test_undo_of_a_move_gives_the_path_back_and_takes_the_alias(population: Population) -> None:
    apply(population, "add", user("u1", "a/x"))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))
    apply(population, "add", user("u2", "b/x"))

    population.write(Undo((2,)), WriteOptions(ADA))

    assert catalogue(population) == {"a": (0, 2), "a/x": (2, 2)}
    assert population.aliases() == {}


def test_undo_of_a_merge_parts_the_tags_again(population: Population) -> None:
    apply(population, "add", user("u1", "a", "a/x"), user("u2", "b"), user("u3", "a", "b"))
    population.write(PutTag(tag=path("a"), description="As"), WriteOptions(ADA))
    population.write(MergeTags(path("a"), path("b")), WriteOptions(ADA))

    receipt = population.write(Undo((3,)), WriteOptions(ADA))

    assert (receipt.added, receipt.removed, receipt.skipped) == (2, 1, 0)
    assert tags_of(population, "u1") == ("a", "a/x")
    assert tags_of(population, "u3") == ("a", "b")
    assert population.get_tag(path("a")).description == "As"
    assert population.aliases() == {}


def test_undo_of_a_drop_gives_tag_and_taggings_back(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a/x"))
    population.write(PutTag(tag=path("a"), description="As", exclusive=True), WriteOptions(ADA))
    population.write(DeleteTag(path("a")), WriteOptions(ADA))

    receipt = population.write(Undo((3,)), WriteOptions(ADA))

    assert (receipt.added, receipt.new_tags) == (2, 0)
    assert (tags_of(population, "u1"), tags_of(population, "u2")) == (("a",), ("a/x",))
    assert population.get_tag(path("a")).description == "As"


def test_undo_of_a_dropped_alias_sets_it_again(population: Population) -> None:
    population.write(PutTag(tag=path("a")), WriteOptions(ADA))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))
    population.write(DeleteTag(path("a")), WriteOptions(ADA))

    population.write(Undo((3,)), WriteOptions(ADA))

    assert population.aliases() == {"a": "b"}


def test_undo_of_a_drop_is_refused_when_the_path_is_taken(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"))
    population.write(DeleteTag(path("a")), WriteOptions(ADA))
    population.write(MoveTag(path("b"), path("a")), WriteOptions(ADA))

    with pytest.raises(UndoConflict):
        population.write(Undo((2,)), WriteOptions(ADA))

    assert tags_of(population, "u1") == ("a",)


def test_undo_of_a_drop_is_refused_when_the_tag_lives_again(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    population.write(DeleteTag(path("a")), WriteOptions(ADA))
    apply(population, "add", user("u2", "a"))

    with pytest.raises(UndoConflict):
        population.write(Undo((2,)), WriteOptions(ADA))


def test_undo_of_a_description_is_refused_when_it_was_changed_since(population: Population) -> None:
    population.write(PutTag(tag=path("a"), description="one"), WriteOptions(ADA))
    population.write(PutTag(tag=path("a"), description="two"), WriteOptions(ADA))
    population.write(PutTag(tag=path("a"), description="three"), WriteOptions(ADA))

    with pytest.raises(UndoConflict):
        population.write(Undo((2,)), WriteOptions(ADA))


def test_undo_of_a_drop_is_refused_below_what_is_an_alias_now(population: Population) -> None:
    apply(population, "add", user("u1", "a/x", "a/y"))
    population.write(DeleteTag(path("a/x")), WriteOptions(ADA))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))

    with pytest.raises(UndoConflict):
        population.write(Undo((2,)), WriteOptions(ADA))

    assert catalogue(population) == {"b": (0, 1), "b/y": (1, 1)}


def test_undo_of_a_dropped_alias_is_refused_when_the_path_is_a_tag(population: Population) -> None:
    population.write(PutTag(tag=path("a")), WriteOptions(ADA))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))
    population.write(DeleteTag(path("a")), WriteOptions(ADA))
    population.write(PutTag(tag=path("a/x")), WriteOptions(ADA))

    with pytest.raises(UndoConflict):
        population.write(Undo((3,)), WriteOptions(ADA))


def test_undo_of_a_move_into_its_own_branch_parts_them_again(population: Population) -> None:
    apply(population, "add", user("u1", "a/b"), user("u2", "a/b/b"))
    population.write(MoveTag(path("a/b"), path("a")), WriteOptions(ADA))

    population.write(Undo((2,)), WriteOptions(ADA))

    assert tags_of(population, "u1") == ("a/b",)
    assert tags_of(population, "u2") == ("a/b/b",)


def test_a_refused_undo_leaves_nothing_behind(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "a", "b"))
    population.write(PutTag(tag=path("a"), description="x"), WriteOptions(ADA))
    before = (population.list_tags(limit=9), tags_of(population, "u1"), population.version())

    with pytest.raises(UndoConflict):
        population.write(Undo((1,)), WriteOptions(ADA))

    assert (population.list_tags(limit=9), tags_of(population, "u1"), population.version()) == before
