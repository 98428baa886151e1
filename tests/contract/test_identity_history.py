"""The links of visitors and users over time in every adapter: undo, separation, earlier versions, and the history."""

from datetime import timedelta
from typing import Any

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import PersonNotLinked, UndoConflict
from tagloom.ports.writes import ErasePerson, PutPerson, PutTag, Separate, Undo, WriteOptions
from tagloom.words.event_rules import HasEvent
from tagloom.words.people import Identity, Person
from tagloom.words.retention import HistoryCompacted
from tagloom.words.rules import All, Definition, HasTag
from tests.bodies import user, visitor
from tests.contract.attribute_steps import undo, values_of
from tests.contract.conftest import Subject
from tests.contract.identity_steps import TODAY, event, identities, join, link, record, separate, tags, user_meant
from tests.contract.portrait import outcome, streamed
from tests.contract.steps import ADA, BOB, apply, count, definition, path, people, tags_of, user_of, visitor_of
from tests.contract.test_events import ids
from tests.contract.test_expiry import expiries, minute_of

U1, U2, V1, V2 = user_of("u1"), user_of("u2"), visitor_of("v1"), visitor_of("v2")


# Undo.


def test_undo_of_a_link_gives_the_visitor_its_tags_and_values_back(population: Population) -> None:
    apply(population, "add", user("u1", "a"), visitor("v1", "a", "b", plan=1))
    link(population, "v1", "u1")

    receipt = undo(population, 2)

    assert (receipt.added, receipt.removed, receipt.attributes, receipt.linked) == (2, 1, 2, 1)
    assert (receipt.skipped, receipt.conflicts, receipt.undoes, receipt.people_removed) == (0, (), 2, 0)
    assert (tags_of(population, "u1"), tags(population, V1)) == (("a",), ("a", "b"))
    assert (people(population), identities(population, "u1")) == (["u1", "v1"], [])
    assert (values_of(population, "u1"), population.find_person(V1)) != ({}, None)
    assert values_of(population, "u1") == {}


def test_undo_gives_a_visitor_the_expiry_of_its_tag_back(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", visitor("v1", "a"), expiry=minute_of(subject, minutes=5))
    link(population, "v1", "u1")
    before = expiries(population, "u1")

    undo(population, 2)

    found = population.find_person(V1)
    assert found is not None
    assert (found.expires_at, list(before)) == (before, ["a"])


def test_undoing_the_undo_links_again_as_before(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", visitor("v1", "a"))
    record(population, event("m1", "u1", "v1", is_proven=True))
    before = population.find_person(U1)
    subject.clock.advance(timedelta(days=2))
    undo(population, 3)

    receipt = undo(population, 4)

    assert (receipt.linked, receipt.people_removed, receipt.added, receipt.removed) == (1, 1, 1, 1)
    found = population.find_person(V1)
    assert before is not None
    assert found is not None
    assert found.identities == before.identities
    assert before.identities == (Identity(kind="visitor", id="v1", linked_on=TODAY, is_proven=True),)
    assert (found.tags, people(population)) == (("a",), ["u1"])


def test_undo_removes_a_user_whom_the_link_created_and_a_visitor_who_was_never_known(population: Population) -> None:
    link(population, "v1", "u1")

    receipt = undo(population, 1)

    assert (receipt.linked, receipt.people_removed, receipt.new_people, people(population)) == (1, 1, 0, [])
    assert (population.find_person(V1), population.find_person(U1)) == (None, None)
    assert (undo(population, 2).new_people, user_meant(population, "v1")) == (1, "u1")


def test_a_visitor_who_was_never_known_is_known_after_the_undo_if_it_has_events(population: Population) -> None:
    link(population, "v1", "u1")
    record(population, event("m1", V1))

    receipt = undo(population, 1)

    assert (receipt.new_people, receipt.people_removed, people(population)) == (1, 1, ["v1"])
    assert ids(population, V1) == ["m1"]


def test_undo_of_a_version_that_created_a_user_keeps_the_user_if_people_are_linked_to_it(
    population: Population,
) -> None:
    apply(population, "add", user("u1", "a"))
    link(population, "v1", "u1")

    receipt = undo(population, 1)

    assert (receipt.removed, receipt.people_removed, receipt.linked) == (1, 0, 0)
    assert (people(population), identities(population, "u1")) == (["u1"], [("visitor", "v1")])
    assert undo(population, 1, 2, 3, override=True).people_removed == 1


def test_undo_of_a_link_skips_a_tag_that_another_version_changed_since(population: Population) -> None:
    apply(population, "add", user("u1"), visitor("v1", "a", "b", plan=1))
    link(population, "v1", "u1")
    apply(population, "change", user("u1", remove=["a"], plan=2))

    receipt = undo(population, 2)

    assert (receipt.added, receipt.removed, receipt.attributes, receipt.linked) == (2, 1, 1, 1)
    assert (receipt.skipped, receipt.conflicts) == (2, (3,))
    assert (tags(population, V1), tags_of(population, "u1"), values_of(population, "u1")) == (
        ("a", "b"),
        (),
        {"plan": 2},
    )


def test_undo_skips_a_link_that_another_version_changed_since(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"), visitor("v1", "a"))
    link(population, "v1", "u1")
    join(population, "u1", "u2")

    receipt = undo(population, 2)

    # The links of v1, and its tag, which u1 lost and v1 cannot get while it is linked.
    assert (receipt.version, receipt.linked, receipt.skipped, receipt.conflicts) == (3, 0, 3, (3,))
    assert user_meant(population, "v1") == "u2"


def test_undo_with_override_undoes_a_link_that_was_changed_since(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"), visitor("v1", "a"))
    link(population, "v1", "u1")
    join(population, "u1", "u2")

    receipt = undo(population, 2, override=True)

    assert (receipt.linked, receipt.skipped, receipt.conflicts, tags(population, V1)) == (1, 0, (), ("a",))
    assert (tags_of(population, "u2"), identities(population, "u2")) == (("a",), [("user", "u1")])


def test_undo_skips_tags_and_values_of_people_who_are_linked(population: Population) -> None:
    apply(population, "add", visitor("v1", "a", "b", plan=1))
    apply(population, "change", visitor("v1", remove=["a", "b"], plan=2))
    link(population, "v1", "u1", "leave")

    receipt = undo(population, 2)
    assert (receipt.version, receipt.skipped, receipt.conflicts) == (3, 3, (3,))
    receipt = undo(population, 2, override=True)
    assert (receipt.version, receipt.skipped, receipt.conflicts) == (3, 3, ())
    assert (tags_of(population, "u1"), values_of(population, "u1"), people(population)) == ((), {}, ["u1"])


def test_a_person_who_is_linked_again_loses_what_it_got_meanwhile(population: Population) -> None:
    apply(population, "add", user("u1"), visitor("v1", "a", plan=1))
    link(population, "v1", "u1")
    undo(population, 2)
    apply(population, "add", visitor("v1", "b", age=3))
    record(population, event("m1", V1))

    receipt = undo(population, 3)

    # "a" goes from v1 to u1, and "b" only goes.
    assert (receipt.added, receipt.removed, receipt.attributes, receipt.skipped) == (1, 2, 3, 0)
    assert (tags_of(population, "u1"), values_of(population, "u1"), people(population)) == (("a",), {"plan": 1}, ["u1"])
    assert ids(population, U1) == ["m1"]
    assert undo(population, 6).attributes == 3
    assert tags(population, V1) == ("a", "b")


def test_undo_of_a_join_takes_everybody_back(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "b"), visitor("v1", "c"))
    link(population, "v1", "u1")
    join(population, "u1", "u2")
    link(population, "v2", "u2")

    receipt = undo(population, 3)

    assert (receipt.linked, receipt.added, receipt.removed, receipt.new_people) == (2, 2, 2, 1)
    assert (identities(population, "u1"), identities(population, "u2")) == ([("visitor", "v1")], [("visitor", "v2")])
    assert (tags_of(population, "u1"), tags_of(population, "u2")) == (("a", "c"), ("b",))


def test_undo_of_a_link_and_of_the_join_after_it_makes_the_visitor_known_again(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"), visitor("v1", "c"))
    link(population, "v1", "u1")
    join(population, "u1", "u2")

    receipt = undo(population, 2, 3)

    assert (receipt.linked, receipt.skipped, people(population)) == (2, 0, ["u1", "u2", "v1"])
    assert tags(population, V1) == ("c",)


def test_undo_does_not_link_to_somebody_who_is_linked_or_unknown(population: Population) -> None:
    population.write(PutPerson(U1), WriteOptions(ADA))
    apply(population, "add", user("u2"))
    link(population, "v1", "u1")
    undo(population, 3)

    undo(population, 1)
    assert people(population) == ["u2"]
    with pytest.raises(UndoConflict):
        undo(population, 4)
    undo(population, 5)
    join(population, "u1", "u2")
    with pytest.raises(UndoConflict):
        undo(population, 4)
    assert undo(population, 4, 7).linked == 2
    assert user_meant(population, "v1") == "u1"


def test_undo_does_not_link_to_an_erased_user(population: Population) -> None:
    apply(population, "add", user("u1"), visitor("v1"))
    link(population, "v1", "u1")
    undo(population, 2)
    population.write(ErasePerson(U1), WriteOptions(ADA))

    with pytest.raises(UndoConflict):
        undo(population, 3)


def test_undo_skips_the_link_of_an_erased_visitor(population: Population) -> None:
    apply(population, "add", user("u1"), visitor("v1", "a"))
    link(population, "v1", "u1")
    undo(population, 2)
    population.write(ErasePerson(V1), WriteOptions(ADA))

    receipt = undo(population, 3)

    # The link and the tag that v1 lost are skipped; u1 takes the tag again.
    assert (receipt.linked, receipt.added, identities(population, "u1")) == (0, 1, [])
    assert receipt.skipped == 2


def test_a_visitor_whose_id_began_again_cannot_be_unlinked(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))
    record(population, event("m2", "u2", "v1"))

    for versions in ((2,), (2, 4)):
        with pytest.raises(UndoConflict):
            undo(population, *versions)
    assert undo(population, 4).linked == 1
    assert (population.find_person(V1), identities(population, "u1")) == (None, [("visitor", "v1")])
    population.write(ErasePerson(U2), WriteOptions(ADA))
    with pytest.raises(UndoConflict):
        undo(population, 2)


def test_undo_keeps_exclusive_branches_exclusive(population: Population) -> None:
    population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))
    apply(population, "add", user("u1"), visitor("v1", "tier/a"))
    link(population, "v1", "u1")
    undo(population, 3)
    apply(population, "add", user("u1", "tier/b"))

    receipt = undo(population, 4)

    assert (receipt.linked, receipt.added, receipt.skipped) == (1, 0, 1)
    assert tags_of(population, "u1") == ("tier/b",)


# Separation.


def test_a_separated_visitor_is_a_person_of_its_own_again(population: Population) -> None:
    apply(population, "add", user("u1", "a"), visitor("v1", "b", plan=1))
    record(population, event("m1", V1))
    link(population, "v1", "u1")

    receipt = separate(population, V1)

    assert (receipt.version, receipt.linked, receipt.added, receipt.removed, receipt.attributes) == (4, 1, 1, 1, 2)
    assert (receipt.undoes, receipt.undoes_count, receipt.skipped, receipt.conflicts) == (None, 0, 0, ())
    assert (tags_of(population, "u1"), tags(population, V1)) == (("a",), ("b",))
    assert (people(population), ids(population, U1), ids(population, V1)) == (["u1", "v1"], [], ["m1"])
    assert (population.get_change(4).action, population.get_change(4).undoes) == ("separate", None)
    assert population.get_change(3).undone_by is None


def test_separation_leaves_the_other_links_of_the_version(population: Population) -> None:
    apply(population, "add", visitor("v1", "a"), visitor("v2", "b"))
    record(population, event("m1", "u1", "v1"), event("m2", "u2", "v2"))
    assert population.version() == 3

    receipt = separate(population, V1)

    assert (receipt.linked, receipt.added, receipt.removed) == (1, 1, 1)
    assert (identities(population, "u1"), identities(population, "u2")) == ([], [("visitor", "v2")])
    assert (tags_of(population, "u1"), tags_of(population, "u2")) == ((), ("b",))


def test_separation_skips_what_was_changed_since(population: Population) -> None:
    apply(population, "add", user("u1"), visitor("v1", "a", "b"))
    link(population, "v1", "u1")
    apply(population, "remove", user("u1", "a"))

    receipt = separate(population, V1)

    assert (receipt.added, receipt.removed, receipt.skipped, receipt.conflicts) == (2, 1, 1, (3,))
    assert tags(population, V1) == ("a", "b")


@pytest.mark.parametrize("person", [U1, V1])
def test_separation_after_a_join_separates_the_users_with_everybody(population: Population, person: Person) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "b"))
    link(population, "v1", "u1")
    join(population, "u1", "u2")
    link(population, "v2", "u2")

    receipt = separate(population, person)

    assert (receipt.linked, receipt.new_people) == (2, 1)
    assert (identities(population, "u1"), identities(population, "u2")) == ([("visitor", "v1")], [("visitor", "v2")])
    assert (tags_of(population, "u1"), tags_of(population, "u2")) == (("a",), ("b",))


def test_separation_removes_a_user_whom_the_link_created(population: Population) -> None:
    link(population, "v1", "u1")

    assert separate(population, V1).people_removed == 1
    assert people(population) == []


def test_a_person_who_is_not_linked_cannot_be_separated(population: Population) -> None:
    link(population, "v1", "u1")

    for person in (U1, V2, U2, visitor_of("u1")):
        with pytest.raises(PersonNotLinked):
            separate(population, person)
    separate(population, V1)
    with pytest.raises(PersonNotLinked):
        separate(population, V1)


def test_an_earlier_visitor_of_an_id_cannot_be_named(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))
    record(population, event("m2", "u2", "v1"))

    separate(population, V1)

    assert (identities(population, "u1"), identities(population, "u2")) == ([("visitor", "v1")], [])
    with pytest.raises(PersonNotLinked):
        separate(population, V1)


def test_a_compacted_link_cannot_be_separated(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"))
    link(population, "v1", "u1")
    link(population, "v2", "u1")
    population.raise_horizon(2)
    while not population.compact().is_all:
        pass

    with pytest.raises(HistoryCompacted):
        separate(population, V1)
    assert separate(population, V2).linked == 1
    assert identities(population, "u1") == [("visitor", "v1")]


def test_a_link_that_came_back_can_be_separated_although_the_first_one_is_compacted(population: Population) -> None:
    apply(population, "add", user("u1"))
    link(population, "v1", "u1")
    separate(population, V1)
    population.raise_horizon(2)
    undo(population, 3)

    assert separate(population, V1).linked == 1
    assert identities(population, "u1") == []


def test_separating_can_be_undone(population: Population) -> None:
    apply(population, "add", user("u1"), visitor("v1", "a"))
    link(population, "v1", "u1")
    separate(population, V1)

    assert undo(population, 3).linked == 1
    assert (user_meant(population, "v1"), tags_of(population, "u1"), people(population)) == ("u1", ("a",), ["u1"])
    assert separate(population, V1).linked == 1
    assert tags(population, V1) == ("a",)


def test_previews_and_dry_runs_say_what_a_separation_would_do(population: Population) -> None:
    apply(population, "add", user("u1"), visitor("v1", "a"))
    link(population, "v1", "u1")

    preview = population.preview(Separate(V1), {"a": definition(HasTag("a"))})

    assert preview.receipt == separate(population, V1, dry_run=True)
    assert (preview.receipt.version, preview.receipt.linked, preview.people) == (2, 1, 2)
    assert [(each.entered, each.left) for each in preview.tribes] == [(1, 1)]
    assert user_meant(population, "v1") == "u1"


# Earlier versions.


def test_an_earlier_version_has_the_links_of_then(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "b"), visitor("v1", "c"))
    link(population, "v1", "u1")
    join(population, "u1", "u2")
    separate(population, U1)
    undo(population, 2, override=True)

    versions = range(6)
    assert [user_meant(population, "v1", as_of=version) for version in versions] == [None, None, "u1", "u2", "u1", None]
    assert [tags(population, V1, as_of=version) for version in versions] == [
        None,
        ("c",),
        ("a", "c"),
        ("a", "b", "c"),
        ("a", "c"),
        ("c",),
    ]
    assert [identities(population, "u2", as_of=version) for version in versions] == [
        None,
        [],
        [],
        [("user", "u1"), ("visitor", "v1")],
        [],
        [],
    ]
    everyone = definition(All(()))
    assert [population.count(everyone, {}, as_of=version).count for version in versions] == [0, 3, 2, 1, 2, 3]
    assert streamed(population.members, definition(HasTag("c")), {}, as_of=3)[1] == [U2]


def test_an_earlier_version_counts_events_by_the_links_of_then(subject: Subject) -> None:
    population = subject.population
    record(population, event("m1", V1), event("m2", U1))
    link(population, "v1", "u1")
    separate(population, V1)
    twice = Definition("everyone", HasEvent("ad", days=3, times=2))
    once = Definition("everyone", HasEvent("ad", days=3))

    def counts(asked: Definition) -> list[int]:
        return [population.count(asked, {}, as_of=version).count for version in range(4)]

    assert (counts(twice), counts(once)) == ([0, 0, 1, 0], [0, 2, 1, 2])
    subject.reopen()
    population = subject.population
    assert (counts(twice), counts(once)) == ([0, 0, 1, 0], [0, 2, 1, 2])


def test_trends_have_the_links_of_each_moment(subject: Subject) -> None:
    population = subject.population
    record(population, event("m1", V1), event("m2", U1))
    subject.clock.advance(timedelta(days=1))
    link(population, "v1", "u1")
    subject.clock.advance(timedelta(days=1))
    wanted = [definition(All(())), definition(HasEvent("ad", days=9, times=2))]

    found = population.trend(wanted, {}, ["2026-03-02T00:00:00.000Z", "2026-03-03T00:00:00.000Z"])

    assert found == ((2, 1, 1), (0, 1, 1))


def test_an_id_that_began_again_means_its_visitor_of_then_in_earlier_versions(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))
    record(population, event("m2", "u2", "v1"))

    assert [user_meant(population, "v1", as_of=version) for version in range(5)] == [None, None, "u1", "u1", "u2"]
    assert identities(population, "u1", as_of=2) == [("visitor", "v1")]


def test_people_who_were_erased_since_have_no_ids_in_earlier_versions(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"), visitor("v1"), visitor("v2"))
    link(population, "v1", "u1")
    link(population, "v2", "u1")
    separate(population, V1)
    separate(population, V2)
    population.write(ErasePerson(V2), WriteOptions(ADA))

    assert identities(population, "u1", as_of=3) == [("visitor", "v1")]
    population.write(ErasePerson(U1), WriteOptions(ADA))
    assert population.find_person(V1, as_of=3) is None
    assert tags(population, V1, as_of=1) == ()
    assert population.count(definition(All(())), {}, as_of=3).count == 2


# History.


def test_changes_of_a_linked_person_are_those_of_its_id(population: Population) -> None:
    apply(population, "add", user("u1", "a"), visitor("v1", "b", plan=1))
    link(population, "v1", "u1")
    apply(population, "add", visitor("v1", "c"))
    join_target = apply(population, "add", user("u2")).version
    join(population, "u1", "u2")

    def changes(person: Person) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
        found = population.list_changes(person=person, limit=9)
        return [(each.version, each.tags_added, each.tags_removed) for each in found]

    assert changes(V1) == [(1, ("b",), ()), (2, (), ("b",)), (5, (), ())]
    assert changes(U1) == [(1, ("a",), ()), (2, ("b",), ()), (3, ("c",), ()), (5, (), ("a", "b", "c"))]
    assert changes(U2) == [(join_target, (), ()), (5, ("a", "b", "c"), ())]
    assert [len(each.attribute_changes) for each in population.list_changes(person=V1, limit=9)] == [1, 1, 0]
    found = population.list_changes(action="link", limit=9)
    assert [(each.version, each.added, each.removed, each.attributes) for each in found] == [(2, 1, 1, 2)]


def test_a_link_is_a_change_of_a_visitor_who_was_never_known(population: Population) -> None:
    apply(population, "add", user("u1"))
    link(population, "v1", "u1")

    assert [each.version for each in population.list_changes(person=V1, limit=9)] == [2]
    assert [each.version for each in population.list_changes(person=U1, limit=9)] == [1]


def test_a_taken_tag_was_given_by_the_link(population: Population) -> None:
    apply(population, "add", user("u1", "a"), visitor("v1", "b"), origin=BOB)
    link(population, "v1", "u1")

    (because,) = population.decide(V1, {"b": definition(HasTag("b"))}, because=True).because["b"]

    assert [(each.tag, each.version, each.actor) for each in because.by] == [("b", 2, "ada")]


def test_links_can_be_found_by_their_actor(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))
    link(population, "v2", "u1")
    separate(population, V2)

    assert population.find_versions(actor="ada", limit=9) == (2, 3, 4)


def test_compaction_keeps_the_links(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "a"), user("u2"), visitor("v1", "b", plan=1))
    record(population, event("m1", V1), event("m2", "u1", "v1", is_proven=True))
    join(population, "u1", "u2")
    before: list[Any] = [population.find_person(U2), ids(population, U2), people(population)]

    population.raise_horizon(4)
    while not population.compact().is_all:
        pass
    subject.reopen()
    population = subject.population

    assert [population.find_person(V1), ids(population, V1), people(population)] == before
    assert tags(population, V1, as_of=4) == ("a", "b")
    assert identities(population, "u2", as_of=4) == [("user", "u1"), ("visitor", "v1")]
    assert outcome(population.find_person, V1, as_of=3) is HistoryCompacted
    assert population.list_changes(person=V1, limit=9) == ()
    assert count(population, HasEvent("ad", days=2, times=2)) == 1


def test_only_versions_that_are_kept_can_be_undone(population: Population) -> None:
    link(population, "v1", "u1")
    population.write(Undo((1,)), WriteOptions(BOB))
    population.raise_horizon(1)

    with pytest.raises(HistoryCompacted):
        undo(population, 1)
    assert undo(population, 2).linked == 1
