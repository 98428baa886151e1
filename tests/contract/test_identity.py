"""Links of visitors to users in every adapter: what a link changes, what ids mean afterwards, and joined users."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tagloom.base.problems import Problem
from tagloom.ports.events import EventSelection
from tagloom.ports.population import Population
from tagloom.ports.problems import IdempotencyKeyReused, LinkInvalid, PersonLinked, PersonNotFound
from tagloom.ports.writes import (
    ErasePerson,
    JoinUsers,
    LinkVisitor,
    PutPerson,
    PutTag,
    TagTribe,
    WriteOptions,
)
from tagloom.words.context_rules import HasContext
from tagloom.words.event_rules import HasEvent
from tagloom.words.identity import LinkPolicy
from tagloom.words.people import Identity, Person
from tagloom.words.percent_rules import InPercent
from tagloom.words.receipts import TribeDiff
from tagloom.words.rules import All, Definition, HasTag, Not
from tests.bodies import Line, unreadable, user, visitor
from tests.contract.attribute_steps import values_of
from tests.contract.conftest import Subject
from tests.contract.identity_steps import TODAY, event, identities, join, link, record, tags, user_meant
from tests.contract.portrait import pages, streamed
from tests.contract.steps import (
    ADA,
    apply,
    catalogue,
    count,
    definition,
    path,
    people,
    regions,
    tags_of,
    user_of,
    visitor_of,
)
from tests.contract.test_events import ids
from tests.contract.test_expiry import expiries, minute_of, wait_and_sweep

U1, U2, V1, V2 = user_of("u1"), user_of("u2"), visitor_of("v1"), visitor_of("v2")
ACTIVE = Definition("everyone", HasEvent("ad", days=2))


# What a link changes.


def test_a_linked_visitor_is_not_known_any_more_and_its_id_means_the_user(population: Population) -> None:
    apply(population, "add", user("u1", "a"), visitor("v1", "b"))

    receipt = link(population, "v1", "u1")

    assert (receipt.version, receipt.added, receipt.removed, receipt.linked, receipt.new_people) == (2, 1, 1, 1, 0)
    assert people(population) == ["u1"]
    found = population.find_person(V1)
    assert found == population.find_person(U1)
    assert found is not None
    assert (found.kind, found.id, found.tags) == ("user", "u1", ("a", "b"))
    assert found.identities == (Identity(kind="visitor", id="v1", linked_on=TODAY),)
    assert population.get_change(2).action == "link"


def test_a_link_creates_an_unknown_user_and_an_unknown_visitor_who_is_never_known(population: Population) -> None:
    receipt = link(population, "v1", "u1")

    assert (receipt.version, receipt.new_people, receipt.linked, receipt.added) == (1, 1, 1, 0)
    assert (people(population), identities(population, "u1")) == (["u1"], [("visitor", "v1")])
    assert count(population, All(())) == 1


def test_a_link_that_exists_changes_nothing(population: Population) -> None:
    link(population, "v1", "u1")

    receipt = link(population, "v1", "u1", "leave")

    assert (receipt.version, receipt.linked, receipt.new_people) == (1, 0, 0)


def test_a_visitor_who_is_linked_to_another_user_is_refused(population: Population) -> None:
    link(population, "v1", "u1")
    apply(population, "add", user("u2"))

    for other in ("u2", "unknown"):
        with pytest.raises(PersonLinked):
            link(population, "v1", other)
    assert (population.version(), people(population), user_meant(population, "v1")) == (2, ["u1", "u2"], "u1")


def test_a_user_has_several_visitors_who_are_listed_by_id(population: Population) -> None:
    for id in ("v2", "ü", "v10", "u1"):
        link(population, id, "u1")

    expected = [("visitor", id) for id in ("u1", "v10", "v2", "ü")]
    assert identities(population, "u1") == expected


def test_a_link_has_the_day_on_which_it_was_made(subject: Subject) -> None:
    subject.clock.advance(timedelta(hours=14, minutes=59, seconds=59))
    link(subject.population, "v1", "u1")
    subject.clock.advance(timedelta(seconds=1))
    link(subject.population, "v2", "u1")

    found = subject.population.find_person(U1)
    assert found is not None
    assert [each.linked_on for each in found.identities] == [TODAY, "2026-03-02"]


def test_links_survive_a_crash(subject: Subject) -> None:
    apply(subject.population, "add", visitor("v1", "a", plan=1))
    record(subject.population, event("m1", V1), event("m2", "u1", "v2", is_proven=True))
    link(subject.population, "v1", "u1")
    before = subject.population.find_person(U1)

    subject.reopen()

    assert before is not None
    assert [each.is_proven for each in before.identities] == [False, True]
    assert subject.population.find_person(V1) == before
    assert ids(subject.population) == ["m2", "m1"]


# The policy.


def test_the_user_takes_the_tags_that_it_does_not_have(population: Population) -> None:
    apply(population, "add", user("u1", "a", "b"), visitor("v1", "b", "c", "a/b"))

    receipt = link(population, "v1", "u1")

    assert (receipt.added, receipt.removed) == (2, 3)
    assert tags_of(population, "u1") == ("a", "a/b", "b", "c")
    assert catalogue(population)["b"] == (1, 1)


def test_with_the_policy_leave_tags_and_values_only_leave_the_visitor(population: Population) -> None:
    apply(population, "add", user("u1", "a"), visitor("v1", "b", plan=1))

    receipt = link(population, "v1", "u1", "leave")

    assert (receipt.added, receipt.removed, receipt.attributes, receipt.linked) == (0, 1, 1, 1)
    assert (tags_of(population, "u1"), values_of(population, "u1")) == (("a",), {})
    assert catalogue(population)["b"] == (0, 0)


def test_the_user_takes_the_values_that_it_does_not_have(population: Population) -> None:
    apply(population, "add", user("u1", plan="gold"), visitor("v1", plan="silver", age=3))

    receipt = link(population, "v1", "u1")

    assert receipt.attributes == 3
    assert values_of(population, "u1") == {"age": 3, "plan": "gold"}
    assert {each.name: each.people for each in population.list_attributes()} == {"age": 1, "plan": 1}


def test_a_tag_is_taken_with_its_expiry(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", visitor("v1", "a"), expiry=minute_of(subject, minutes=5))
    apply(population, "add", visitor("v1", "b"))

    link(population, "v1", "u1")

    assert list(expiries(population, "u1")) == ["a"]
    assert wait_and_sweep(subject, minutes=5) == 1
    assert tags_of(population, "u1") == ("b",)


def test_the_user_keeps_the_expiry_of_its_own_tag(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", visitor("v1", "a", "b"), expiry=minute_of(subject, minutes=5))
    apply(population, "add", user("u1", "a"), expiry=minute_of(subject, minutes=1))
    apply(population, "add", user("u1", "b"))
    before = expiries(population, "u1")

    receipt = link(population, "v1", "u1")

    assert (receipt.added, receipt.renewed, expiries(population, "u1")) == (0, 0, before)
    assert list(before) == ["a"]
    assert wait_and_sweep(subject, minutes=5) == 1


@pytest.mark.parametrize(
    ("exclusive", "has", "takes", "after"),
    [
        ("tier", "tier/gold", "tier/silver", ("tier/gold",)),
        ("tier", "tier", "tier/silver", ("tier",)),
        ("tier", "tier/gold", "tier", ("tier/gold",)),
        ("tier", "tier/a/b", "tier/a/c", ("tier/a/b",)),
        ("tier/a", "tier/b", "tier/a/c", ("tier/a/c", "tier/b")),
        ("tier/a", "tier", "tier/a", ("tier", "tier/a")),
    ],
)
def test_the_users_own_tag_of_an_exclusive_branch_stays(
    population: Population, exclusive: str, has: str, takes: str, after: tuple[str, ...]
) -> None:
    population.write(PutTag(tag=path(exclusive), exclusive=True), WriteOptions(ADA))
    apply(population, "add", user("u1", has), visitor("v1", takes))

    link(population, "v1", "u1")

    assert tags_of(population, "u1") == after


def test_owners_of_branches_do_not_matter(population: Population) -> None:
    apply(population, "add", visitor("v1", "a/b"))
    population.write(PutTag(tag=path("a"), owner="sync crm"), WriteOptions(ADA))

    assert link(population, "v1", "u1").added == 1
    assert tags_of(population, "u1") == ("a/b",)


def test_a_visitor_is_linked_to_the_user_of_a_linked_user(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"), visitor("v1", "a"))
    join(population, "u1", "u2")

    link(population, "v1", "u1")

    assert identities(population, "u2") == [("user", "u1"), ("visitor", "v1")]
    assert tags_of(population, "u2") == ("a",)


# What the id of a linked person means.


def linked(population: Population) -> Population:
    """v1 is linked to u1."""
    apply(population, "add", user("u1", "a"), user("u2"), visitor("v2", "b"))
    link(population, "v1", "u1")
    return population


def test_lines_that_name_a_linked_visitor_change_its_user(population: Population) -> None:
    linked(population)

    receipt = apply(population, "add", visitor("v1", "b", plan=1), user("u1", "a", plan=2))

    assert (receipt.added, receipt.unchanged, receipt.new_people, receipt.attributes) == (1, 1, 0, 1)
    assert (tags_of(population, "u1"), values_of(population, "u1")) == (("a", "b"), {"plan": 2})
    assert people(population) == ["u1", "u2", "v2"]


def test_lines_of_a_user_and_its_visitor_are_lines_of_one_person(population: Population) -> None:
    linked(population)
    population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))

    said = apply(population, "change", visitor("v1", "c", "tier/x"), user("u1", remove=["c"]), user("u1", "tier/y"))
    assert [(each.line, each.problem) for each in said.rejected] == [(2, "added-and-removed"), (3, "exclusive-branch")]
    apply(population, "set", visitor("v1", "b"), user("u1", "c"))
    assert tags_of(population, "u1") == ("b", "c")


def test_a_mirror_that_names_a_linked_visitor_keeps_the_tags_of_its_user(population: Population) -> None:
    linked(population)
    apply(population, "add", user("u2", "a"))

    apply(population, "mirror", visitor("v1", "a"))
    assert (tags_of(population, "u1"), tags_of(population, "u2"), tags(population, V2)) == (("a",), (), ())


@pytest.mark.parametrize(
    "line",
    [unreadable("visitor", "v1"), Line(None, is_unreadable=True, may_name=[V1]), visitor("v1", "a//b")],
)
def test_a_line_with_a_linked_visitor_that_is_rejected_holds_its_user(population: Population, line: Line) -> None:
    linked(population)

    apply(population, "mirror", line, user("u2", "a"))

    assert (tags_of(population, "u1"), tags(population, V2)) == (("a",), ())


def test_creating_a_linked_person_changes_nothing(population: Population) -> None:
    linked(population)

    assert population.write(PutPerson(V1), WriteOptions(ADA)).version == 2
    assert people(population) == ["u1", "u2", "v2"]


def test_tagging_a_tribe_leaves_linked_people_out(population: Population) -> None:
    linked(population)

    receipt = population.write(TagTribe(definition(All(())), path("c")), WriteOptions(ADA))

    assert (receipt.added, catalogue(population)["c"]) == (3, (3, 3))


def test_lists_counts_and_tribes_leave_linked_people_out(population: Population) -> None:
    linked(population)

    assert count(population, All(()), "visitors") == 1
    assert population.count(definition(Not(HasTag("b"))), {}).of == 3
    assert streamed(population.members, definition(All(())), {})[1] == [U1, U2, V2]
    assert streamed(population.people_with, path("a"), "exact")[1] == [U1]
    assert regions(population, "all", tribes={"all": definition(All(()))}) == {("all",): 3}
    assert [each.id for each in population.list_people(kind="visitor", search="v", limit=9).items] == ["v2"]


def test_an_exact_search_of_a_linked_id_finds_its_user(population: Population) -> None:
    linked(population)
    apply(population, "add", user("v1"))
    find = partial(population.list_people, search="v1", search_match="exact", limit=9)

    found = find(kind=None).items

    assert [(each.kind, each.id, each.identities) for each in found] == [("user", "u1", ()), ("user", "v1", ())]
    assert [each.id for each in find(kind="user").items] == ["v1"]
    assert find(kind="visitor").items == ()
    assert [each.id for each in find(kind=None, tag=path("a")).items] == ["u1"]
    assert pages(partial(find, limit=1), kind=None) == [(found[0],), (found[1],)]


def test_decisions_about_a_linked_visitor_are_those_about_its_user(population: Population) -> None:
    linked(population)
    apply(population, "add", user("u1", plan="gold"))
    record(population, event("m1", V1))
    tribes = {
        "a": Definition("users", HasTag("a")),
        "visitors": Definition("visitors", All(())),
        "half": Definition("everyone", InPercent(50, "x")),
        "other-half": Definition("everyone", Not(InPercent(50, "x"))),
        "active": ACTIVE,
        "ios": Definition("everyone", All((HasTag("a"), HasContext("platform", "is", "ios")))),
    }

    for person in (V1, V2, U1):
        for because in (True, False):
            meant = U1 if person == V1 else person
            context = {"platform": "ios"}
            said = population.decide(person, tribes, because=because, context=context)
            assert said == population.decide(meant, tribes, because=because, context=context)
            assert population.find_decision(person, tribes, because=because, context=context) in (said, None)
    assert {"a", "active", "ios"} <= set(population.decide(V1, tribes, because=False, context=context).tribes)
    both = population.decide_many([V1, U1, V2], tribes, because=True)[1]
    assert both[0] == both[1] != both[2]


# Events.


def test_events_of_a_visitor_before_and_after_the_link_count_for_the_user(population: Population) -> None:
    record(population, event("m1", V1), event("m2", U1))
    assert population.count(ACTIVE, {}).count == 2
    link(population, "v1", "u1")
    receipt = record(population, event("m3", V1))

    twice = Definition("everyone", HasEvent("ad", days=2, count="exactly", times=3))
    assert (receipt.events, receipt.new_people, people(population)) == (1, 0, ["u1"])
    assert (population.count(twice, {}).count, population.count(ACTIVE, {}).of) == (1, 1)
    (because,) = population.decide(V1, {"twice": twice}, because=True).because["twice"]
    assert because.events == 3


def test_the_events_of_a_user_are_listed_with_those_of_its_visitors(population: Population) -> None:
    record(population, event("m1", V1), event("m2", U1), event("m3", V2))
    link(population, "v1", "u1")
    record(population, event("m4", V1))

    assert ids(population, U1) == ids(population, V1) == ["m4", "m2", "m1"]
    found = pages(partial(population.list_events, V1), limit=2)
    assert [[each.id for each in page] for page in found] == [["m4", "m2"], ["m1"]]


def test_events_keep_their_visitor(population: Population) -> None:
    record(population, event("m1", V1), event("m2", U1), event("m3", V2))
    link(population, "v1", "u1")
    record(population, event("m4", V1))

    def named(**chosen: Any) -> list[tuple[Person, str]]:
        found = streamed(population.stream_events, EventSelection(**chosen), {})[1]
        return [(each.person, each.event.id) for each in found]

    of_user = [(V1, "m1"), (U1, "m2"), (V1, "m4")]
    assert named(person=U1) == named(person=V1) == of_user
    assert named(tribe=definition(All(()), "users")) == of_user
    assert named() == [*of_user[:2], (V2, "m3"), (V1, "m4")]
    recent = population.list_recent_events(limit=9).items
    assert [(each.person, each.event.id) for each in recent] == named()[::-1]


# Joined users.


def test_a_joined_user_brings_everybody_who_is_linked_to_it(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "a", plan=1), user("u2", "b"))
    record(population, event("m1", "u1", "v1", is_proven=True))
    subject.clock.advance(timedelta(days=1))

    receipt = join(population, "u1", "u2")

    assert (receipt.added, receipt.removed, receipt.attributes, receipt.linked, receipt.new_people) == (1, 1, 2, 2, 0)
    found = population.find_person(U2)
    assert found is not None
    assert found.identities == (
        Identity(kind="user", id="u1", linked_on="2026-03-02"),
        Identity(kind="visitor", id="v1", linked_on=TODAY, is_proven=True),
    )
    assert (found.tags, found.attributes["plan"], people(population)) == (("a", "b"), 1, ["u2"])
    assert population.find_person(U1) == population.find_person(V1) == found
    assert ids(population, U2) == ["m1"]
    assert population.get_change(receipt.version).action == "join"


def test_a_join_that_exists_changes_nothing(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"))
    join(population, "u1", "u2")

    for into in ("u2", "u1"):
        assert join(population, "u1", into).version == 2


def test_the_user_of_a_linked_user_is_meant(population: Population) -> None:
    apply(population, "add", user("u1"), user("u2"), user("u3", "a"))
    join(population, "u1", "u2")

    join(population, "u3", "u1")

    assert identities(population, "u2") == [("user", "u1"), ("user", "u3")]
    assert tags_of(population, "u3") == tags_of(population, "u2") == ("a",)


def test_with_the_policy_leave_a_joined_user_brings_no_tags(population: Population) -> None:
    apply(population, "add", user("u1", "a", plan=1), user("u2", "b"))

    join(population, "u1", "u2", "leave")

    assert (tags_of(population, "u1"), values_of(population, "u1")) == (("b",), {})


@pytest.mark.parametrize(
    ("user_id", "into", "problem"),
    [
        ("unknown", "u1", PersonNotFound),
        ("u1", "unknown", PersonNotFound),
        ("unknown", "unknown", PersonNotFound),
        ("u2", "u3", PersonLinked),
        ("u1", "u1", LinkInvalid),
        ("u1", "u2", LinkInvalid),
        ("v1", "u1", PersonNotFound),
    ],
)
def test_users_who_cannot_be_joined_are_refused(
    population: Population, user_id: str, into: str, problem: type[Problem]
) -> None:
    apply(population, "add", user("u1"), user("u2"), user("u3"), visitor("v1"))
    join(population, "u2", "u1")

    with pytest.raises(problem):
        join(population, user_id, into)
    assert population.version() == 2


# Erasure.


def test_a_linked_person_cannot_be_erased_alone(population: Population) -> None:
    linked(population)

    with pytest.raises(PersonLinked):
        population.write(ErasePerson(V1), WriteOptions(ADA))


def test_erasing_a_user_erases_everybody_linked_to_it(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "a"), user("u2", plan=1))
    record(population, event("m1", V1), event("m2", "u1", "v2"), event("m3", "u2"))
    link(population, "v1", "u1")
    join(population, "u1", "u2")

    receipt = population.write(ErasePerson(U2), WriteOptions(ADA))
    subject.reopen()
    population = subject.population

    assert (receipt.removed, receipt.attributes, receipt.linked) == (1, 1, 3)
    assert [population.find_person(each) for each in (U1, U2, V1, V2)] == [None] * 4
    assert (people(population), population.list_recent_events(limit=9).items) == ([], ())
    assert population.list_changes(person=V1, limit=9) == ()
    assert count(population, All(())) == 0


def test_an_id_of_an_erased_visitor_is_somebody_new(population: Population) -> None:
    record(population, event("m1", "u1", "v1"))
    population.write(ErasePerson(U1), WriteOptions(ADA))

    apply(population, "add", visitor("v1", "a"))

    assert (people(population), tags(population, V1), ids(population, V1)) == (["v1"], ("a",), [])


# Other writes.


@pytest.mark.parametrize("policy", ["take", "leave"])
def test_previews_and_dry_runs_say_what_a_link_would_do(population: Population, policy: LinkPolicy) -> None:
    apply(population, "add", user("u1", "a"), visitor("v1", "b", "c", plan=1))
    tribes = {"b": Definition("users", HasTag("b")), "visitors": Definition("visitors", All(()))}
    write = LinkVisitor("v1", "u1", policy)

    preview = population.preview(write, tribes)
    dry = population.write(write, WriteOptions(ADA, dry_run=True))

    assert preview.receipt == dry
    is_taken = policy == "take"
    assert (dry.dry_run, dry.version, dry.linked, dry.added, dry.removed) == (True, 1, 1, 2 * is_taken, 2)
    assert preview.people == 1 + is_taken
    entering = TribeDiff(tribe="b", before=0, after=1, entered=1, left=0)
    leaving = TribeDiff(tribe="visitors", before=1, after=0, entered=0, left=1)
    assert preview.tribes == ((entering, leaving) if is_taken else (leaving,))
    assert (population.version(), people(population)) == (1, ["u1", "v1"])
    real = link(population, "v1", "u1", policy)
    assert (real.added, real.removed, real.attributes) == (dry.added, dry.removed, dry.attributes)


def test_a_preview_of_an_erasure_counts_known_people_only(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    record(population, event("m1", "u1", "v1"))

    assert population.preview(ErasePerson(U1), {}).people == 1


def test_a_preview_of_a_join_says_what_it_would_do(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2"))
    link(population, "v1", "u1")

    preview = population.preview(JoinUsers("u1", "u2"), {"a": definition(HasTag("a"))})

    assert (preview.receipt.linked, preview.receipt.added, preview.people) == (2, 1, 2)
    assert preview.tribes == (TribeDiff(tribe="a", before=1, after=1, entered=1, left=1),)
    assert identities(population, "u1") == [("visitor", "v1")]


def test_a_link_with_a_used_key_returns_the_first_receipt(population: Population) -> None:
    first = link(population, "v1", "u1", idempotency_key="k", fingerprint="f")

    assert link(population, "v1", "u2", idempotency_key="k", fingerprint="f") == first
    assert (first.linked, people(population)) == (1, ["u1"])
    with pytest.raises(IdempotencyKeyReused):
        link(population, "v2", "u1", idempotency_key="k", fingerprint="g")


def test_a_submitted_link_is_committed(population: Population) -> None:
    receipt = population.submit(LinkVisitor("v1", "u1"), WriteOptions(ADA)).result()

    assert (receipt.linked, user_meant(population, "v1")) == (1, "u1")
