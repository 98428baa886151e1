"""The attributes of people over time in every adapter: erasure, the history, and undo."""

from typing import Any

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import UndoConflict
from tagloom.ports.writes import (
    ErasePerson,
    PutPerson,
    Undo,
    WriteOptions,
)
from tagloom.words.attributes import (
    Attribute,
    AttributeChange,
    AttributeName,
    ValueCount,
)
from tagloom.words.rules import All
from tests.bodies import user
from tests.contract.attribute_steps import PLAN, attributes, delete, put, undo, values_of
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, BOB, apply, definition, path, people, user_of

# People.


def test_a_list_of_people_has_no_attributes(population: Population) -> None:
    apply(population, "add", user("u1", plan=1))

    assert [each.attributes for each in population.list_people(kind=None, limit=9).items] == [{}]


def test_erasing_a_person_removes_their_values_for_good(population: Population) -> None:
    apply(population, "add", user("u1", "a", plan=1), user("u2", plan=1))

    receipt = population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    apply(population, "add", user("u1"))

    assert (receipt.attributes, attributes(population), values_of(population, "u1")) == (1, {"plan": ("number", 1)}, {})
    assert population.values_of_attribute(PLAN, 9).values == (ValueCount(1, 1),)
    assert values_of(population, "u1", as_of=1) is None
    assert population.list_changes(person=user_of("u1"), limit=9)[0].version == 3
    assert population.count(definition(All(())), {}, as_of=1).count == 2
    undo(population, 1, override=True)
    assert values_of(population, "u1") == {}


def test_a_person_without_tags_is_not_removed_by_an_erasure_of_another(population: Population) -> None:
    population.write(PutPerson(user_of("u2")), WriteOptions(ADA))
    apply(population, "add", user("u1", plan=1), user("u2", plan=2))

    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    assert values_of(population, "u2") == {"plan": 2}


# History.


def test_a_persons_changes_have_their_values_before_and_after_by_name(population: Population) -> None:
    apply(population, "add", user("u1", "a", plan="gold", age=3), user("u2", plan="gold"))
    apply(population, "add", user("u2", plan="silver"))
    apply(population, "add", user("u1", plan=None, age=4, when="2026-03-01"), origin=BOB)
    delete(population, "when")

    found = population.list_changes(person=user_of("u1"), limit=9)

    def changed(name: str, before: Any, after: Any) -> AttributeChange:
        return AttributeChange(attribute=AttributeName(name), before=before, after=after)

    day = "2026-03-01T00:00:00.000Z"
    assert [(each.version, each.attributes, each.attribute_changes) for each in found] == [
        (1, 3, (changed("age", None, 3), changed("plan", None, "gold"))),
        (3, 3, (changed("age", 3, 4), changed("plan", "gold", None), changed("when", None, day))),
        (4, 1, (changed("when", day, None),)),
    ]
    assert population.list_changes(person=user_of("u1"), newest_first=True, limit=9) == found[::-1]
    assert [each.attribute_changes for each in population.list_changes(limit=9)] == [()] * 4
    assert (population.get_change(3).attributes, population.get_change(3).attribute_changes) == (3, ())


def test_changes_of_a_tag_leave_out_versions_that_only_changed_attributes(population: Population) -> None:
    apply(population, "add", user("u1", "a", plan=1))
    apply(population, "add", user("u1", plan=2))
    apply(population, "add", user("u1", "a/b", plan=2))

    assert [each.version for each in population.list_changes(person=user_of("u1"), limit=9)] == [1, 2, 3]
    found = population.list_changes(person=user_of("u1"), tag=path("a"), limit=9)
    assert [(each.version, each.tags_added) for each in found] == [(1, ("a",)), (3, ("a/b",))]
    assert [each.version for each in population.list_changes(tag=path("a"), limit=9)] == [1, 3]


def test_an_earlier_version_has_the_attributes_of_then(population: Population) -> None:
    apply(population, "add", user("u1", plan=1))
    apply(population, "add", user("u1", plan=2, age=3))
    delete(population)
    apply(population, "add", user("u1", plan="gold"))

    found = [values_of(population, "u1", as_of=version) for version in range(5)]

    assert found == [None, {"plan": 1}, {"age": 3, "plan": 2}, {"age": 3}, {"age": 3, "plan": "gold"}]


def test_values_and_their_history_survive_a_crash(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a", plan=1, text="x", items=["a"], when="2026-03-01", flag=True))
    apply(subject.population, "add", user("u1", plan=2.5, flag=None))

    def answers() -> list[Any]:
        of = subject.population
        changes, attributes = of.list_changes(person=user_of("u1"), limit=9), of.list_attributes()
        return [values_of(of, "u1"), changes, attributes, values_of(of, "u1", as_of=1)]

    before = answers()
    subject.reopen()

    assert answers() == before
    assert undo(subject.population, 2).attributes == 2


def test_compaction_keeps_the_values_and_lists_no_earlier_ones(population: Population) -> None:
    apply(population, "add", user("u1", plan=1, age=1))
    apply(population, "add", user("u1", plan=2))
    apply(population, "add", user("u1", age=None))
    population.raise_horizon(3)
    while not population.compact().is_all:
        pass

    assert values_of(population, "u1") == {"plan": 2}
    assert values_of(population, "u1", as_of=3) == {"plan": 2}
    found = population.list_changes(person=user_of("u1"), limit=9)
    assert [(each.version, each.attributes, each.attribute_changes) for each in found] == [(1, 2, ())]


# Undo.


def test_undo_returns_the_value_before(population: Population) -> None:
    apply(population, "add", user("u1", "a", plan="gold"), user("u2", plan="gold"))
    apply(population, "add", user("u1", plan="silver", age=3), user("u2", plan=None))

    receipt = undo(population, 2)

    assert (receipt.attributes, receipt.new_attributes, receipt.skipped, receipt.conflicts) == (3, 0, 0, ())
    assert (values_of(population, "u1"), values_of(population, "u2")) == ({"plan": "gold"}, {"plan": "gold"})
    assert attributes(population) == {"plan": ("text", 2)}, "the attribute that the version created is deleted"
    assert population.get_change(3).attributes == 3


def test_undoing_the_undo_sets_the_values_again(population: Population) -> None:
    apply(population, "add", user("u1", plan="gold"))
    undo(population, 1)
    assert (people(population), population.list_attributes()) == ([], ())

    receipt = undo(population, 2)

    assert (receipt.attributes, values_of(population, "u1")) == (1, {"plan": "gold"})
    assert attributes(population) == {"plan": ("text", 1)}


def test_undo_skips_a_value_that_another_version_changed_since(population: Population) -> None:
    apply(population, "add", user("u1", plan=1), user("u2", plan=1))
    apply(population, "add", user("u1", plan=2), user("u2", plan=2))
    apply(population, "add", user("u1", plan=3))

    receipt = undo(population, 2)

    assert (receipt.attributes, receipt.skipped, receipt.conflicts) == (1, 1, (3,))
    assert (values_of(population, "u1"), values_of(population, "u2")) == ({"plan": 3}, {"plan": 1})


def test_undo_with_override_returns_the_value_although_it_was_changed_since(population: Population) -> None:
    apply(population, "add", user("u1", plan=1))
    apply(population, "add", user("u1", plan=2))
    apply(population, "add", user("u1", plan=3))

    receipt = undo(population, 2, override=True)

    assert (receipt.attributes, receipt.skipped, receipt.conflicts) == (1, 0, ())
    assert values_of(population, "u1") == {"plan": 1}


def test_a_value_goes_back_to_the_last_one_of_another_version(population: Population) -> None:
    put(population, "plan", "number")
    for value in (1, 2, 3, 4):
        apply(population, "add", user("u1", plan=value))

    receipt = population.write(Undo((3, 5)), WriteOptions(BOB, dry_run=True))
    assert (receipt.attributes, receipt.skipped, receipt.conflicts) == (1, 1, (4,))
    undo(population, 3, 5)
    assert values_of(population, "u1") == {"plan": 3}
    undo(population, 4, 6, override=True)
    assert values_of(population, "u1") == {"plan": 2}


def test_a_value_that_the_undone_versions_left_as_it_was_is_not_counted(population: Population) -> None:
    apply(population, "add", user("u1", plan=1))
    apply(population, "add", user("u1", plan=2))
    apply(population, "add", user("u1", plan=1))

    receipt = undo(population, 2, 3)

    assert (receipt.version, receipt.attributes, receipt.skipped) == (3, 0, 0)


def test_undoing_a_deletion_returns_the_attribute_with_its_values(population: Population) -> None:
    put(population, "plan", "text", "Their plan.")
    apply(population, "add", user("u1", plan="gold"))
    delete(population)

    receipt = undo(population, 3)

    assert (receipt.attributes, receipt.new_attributes) == (1, 0)
    assert population.list_attributes() == (Attribute(name=PLAN, type="text", description="Their plan.", people=1),)
    assert values_of(population, "u1") == {"plan": "gold"}


def test_undoing_a_deletion_is_a_conflict_if_the_name_is_in_use_again(population: Population) -> None:
    apply(population, "add", user("u1", plan="gold"))
    delete(population)
    put(population, "plan", "number")

    with pytest.raises(UndoConflict):
        undo(population, 2)
    assert undo(population, 2, 3).attributes == 1
    assert attributes(population) == {"plan": ("text", 1)}


def test_an_attribute_that_was_created_stays_while_somebody_has_a_value(population: Population) -> None:
    apply(population, "add", user("u1", plan=1))
    apply(population, "add", user("u2", plan=2))

    receipt = undo(population, 1)

    assert (receipt.attributes, receipt.people_removed) == (1, 1)
    assert attributes(population) == {"plan": ("number", 1)}


def test_an_attribute_that_another_version_changed_since_is_a_conflict(population: Population) -> None:
    put(population, "plan", "text", "one")
    put(population, "plan", "text", "two")
    put(population, "plan", "text", "three")

    for versions in ((1,), (2,), (1, 3)):
        with pytest.raises(UndoConflict):
            undo(population, *versions)
    undo(population, 2, 3)
    assert [each.description for each in population.list_attributes()] == ["one"]


def test_an_attribute_that_was_deleted_since_is_a_conflict_of_its_creation_only(population: Population) -> None:
    put(population, "plan", "text")
    apply(population, "add", user("u1", plan="gold"))
    apply(population, "add", user("u1", plan="silver"))
    delete(population)

    with pytest.raises(UndoConflict):
        undo(population, 1)
    receipt = undo(population, 3)
    assert (receipt.version, receipt.skipped, receipt.conflicts) == (4, 1, (4,))
    receipt = undo(population, 3, override=True)
    assert (receipt.version, receipt.skipped, receipt.conflicts) == (4, 1, ()), "nobody has values of it"


def test_values_of_erased_people_do_not_come_back(population: Population) -> None:
    put(population, "plan", "number")
    apply(population, "add", user("u1", plan=1), user("u2", plan=1))
    apply(population, "add", user("u1", plan=None), user("u2", plan=None))
    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    receipt = undo(population, 3)

    assert (receipt.attributes, receipt.skipped) == (1, 1)
    assert attributes(population) == {"plan": ("number", 1)}


def test_a_person_whom_the_undone_version_created_stays_with_a_value(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    apply(population, "add", user("u1", plan=1))

    receipt = undo(population, 1)

    assert (receipt.removed, receipt.people_removed) == (2, 1)
    assert (people(population), values_of(population, "u1")) == (["u1"], {"plan": 1})


def test_a_value_that_comes_back_brings_its_person_back(population: Population) -> None:
    put(population, "plan", "number")
    apply(population, "add", user("u1", plan=1))
    apply(population, "add", user("u1", plan=None))
    assert undo(population, 2).people_removed == 1
    assert people(population) == []

    receipt = undo(population, 3)

    assert (receipt.new_people, receipt.attributes) == (1, 1)
    assert values_of(population, "u1") == {"plan": 1}
