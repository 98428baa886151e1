"""Counts, members, overlaps and decisions."""

import threading
from datetime import timedelta

import pytest

from tagloom.ports.population import Population
from tagloom.ports.writes import DeleteTag, ErasePerson, MergeTags, MoveTag, PutPerson, Undo, WriteOptions
from tagloom.words.decisions import Because, Provenance
from tagloom.words.rules import All, AnyOf, Definition, HasTag, InTribe, Not
from tagloom.words.tribes import Count
from tests.bodies import user, visitor
from tests.contract.conftest import Subject
from tests.contract.steps import (
    ADA,
    BOB,
    apply,
    count,
    definition,
    path,
    regions,
    user_of,
    visitor_of,
)


@pytest.fixture
def crowd(population: Population) -> Population:
    """Four users and two visitors."""
    apply(
        population,
        "add",
        user("u1", "sports/golf", "vip"),
        user("u2", "sports"),
        user("u3", "vip"),
        user("u4"),
        visitor("v1", "sports/golf"),
        visitor("v2"),
    )
    return population


# Counts.


def test_a_count_says_of_how_many_and_as_of_which_version(crowd: Population) -> None:
    sports = HasTag("sports")

    assert crowd.count(definition(sports), {}) == Count(count=3, of=6, version=1)
    assert crowd.count(definition(sports, "users"), {}) == Count(count=2, of=4, version=1)
    assert crowd.count(definition(sports, "visitors"), {}) == Count(count=1, of=2, version=1)


def test_exact_counts_the_tag_itself_only(crowd: Population) -> None:
    assert count(crowd, HasTag("sports", "exact")) == 1


def test_an_empty_all_is_everybody_and_an_empty_any_nobody(crowd: Population) -> None:
    assert count(crowd, All(())) == 6
    assert count(crowd, All(()), "visitors") == 2
    assert count(crowd, AnyOf(())) == 0
    assert count(crowd, Not(AnyOf(()))) == 6


def test_not_is_the_rest_of_everybody_and_people_without_tags_are_part_of_it(crowd: Population) -> None:
    assert count(crowd, Not(HasTag("sports"))) == 3
    assert count(crowd, Not(HasTag("sports")), "users") == 2


def test_all_and_any_and_not_nest(crowd: Population) -> None:
    assert count(crowd, All((HasTag("sports"), Not(HasTag("vip"))))) == 2
    assert count(crowd, AnyOf((HasTag("sports"), HasTag("vip")))) == 4
    assert count(crowd, Not(All((HasTag("sports"), HasTag("vip"))))) == 5


def test_a_tag_that_does_not_exist_is_borne_by_nobody(crowd: Population) -> None:
    assert count(crowd, HasTag("ghost")) == 0
    assert count(crowd, Not(HasTag("ghost", "exact"))) == 6


def test_a_tribe_in_a_rule_counts_with_its_own_audience(crowd: Population) -> None:
    users_of_sports = definition(HasTag("sports"), "users")

    assert count(crowd, InTribe("s"), s=users_of_sports) == 2
    assert count(crowd, Not(InTribe("s")), s=users_of_sports) == 4
    assert count(crowd, InTribe("s"), "visitors", s=users_of_sports) == 0
    nested = {"s": users_of_sports, "t": definition(All((InTribe("s"), HasTag("vip"))))}
    assert crowd.count(definition(InTribe("t")), nested).count == 1


def test_counts_follow_every_kind_of_write(crowd: Population) -> None:
    vip = HasTag("vip")
    apply(crowd, "add", user("u9", "vip"))
    assert count(crowd, vip) == 3
    crowd.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    assert (count(crowd, vip), count(crowd, All(()))) == (2, 6)
    crowd.write(Undo((2,)), WriteOptions(ADA))
    assert (count(crowd, vip), count(crowd, All(()))) == (1, 5)
    crowd.write(DeleteTag(path("vip")), WriteOptions(ADA))
    assert count(crowd, vip) == 0
    crowd.write(PutPerson(visitor_of("v3")), WriteOptions(ADA))
    assert count(crowd, Not(vip), "visitors") == 3


def test_a_rule_knows_a_tag_by_its_old_name(crowd: Population) -> None:
    crowd.write(MoveTag(path("sports"), path("games")), WriteOptions(ADA))

    assert count(crowd, HasTag("sports")) == 3
    assert count(crowd, HasTag("sports/golf", "exact")) == 2
    assert count(crowd, HasTag("games")) == 3
    assert crowd.decide(user_of("u2"), {"s": definition(HasTag("sports"))}, because=False).tribes == ("s",)


def test_a_rule_counts_a_merged_tag_by_either_name(crowd: Population) -> None:
    crowd.write(MergeTags(path("vip"), path("sports")), WriteOptions(ADA))

    assert count(crowd, HasTag("vip")) == count(crowd, HasTag("sports")) == 4


def test_counts_are_right_after_a_crash(subject: Subject) -> None:
    apply(subject.population, "add", user("u1", "a"), visitor("v1", "a/x"), user("u2"))
    subject.reopen()

    assert subject.population.count(definition(HasTag("a"), "users"), {}) == Count(count=1, of=2, version=1)


# Samples and members.


def test_members_are_streamed_in_the_order_they_came(crowd: Population) -> None:
    version, chunks = crowd.members(definition(Not(HasTag("vip"))), {})

    assert version == 1
    found = [person for chunk in chunks for person in chunk]
    assert found == [user_of("u2"), user_of("u4"), visitor_of("v1"), visitor_of("v2")]


def test_members_of_an_audience_are_of_its_kind(crowd: Population) -> None:
    chunks = crowd.members(definition(HasTag("sports"), "visitors"), {})[1]

    assert [person for chunk in chunks for person in chunk] == [visitor_of("v1")]


def test_a_sample_has_members_only_and_is_the_same_for_the_same_version(population: Population) -> None:
    apply(population, "add", *(user(f"u{number}", "a" if number % 2 else "b") for number in range(100)))
    tribe = definition(HasTag("a"))

    sample = population.sample(tribe, {}, limit=10)

    assert len(set(sample)) == 10
    assert all(int(person.id[1:]) % 2 for person in sample)
    assert population.sample(tribe, {}, limit=10) == sample
    assert any(int(person.id[1:]) > 50 for person in sample), "spread over the population"


def test_a_sample_of_few_is_all_of_them(crowd: Population) -> None:
    assert crowd.sample(definition(HasTag("vip")), {}, limit=10) == (user_of("u1"), user_of("u3"))
    assert crowd.sample(definition(AnyOf(())), {}, limit=10) == ()


# Overlaps.


def test_an_overlap_tells_how_many_are_in_exactly_which_tribes(crowd: Population) -> None:
    tribes = {
        "golf": definition(HasTag("sports/golf")),
        "sports": definition(HasTag("sports")),
        "vips": definition(HasTag("vip"), "users"),
    }

    assert regions(crowd, "golf", "sports", "vips", tribes=tribes) == {
        ("golf", "sports", "vips"): 1,
        ("golf", "sports"): 1,
        ("sports",): 1,
        ("vips",): 1,
    }


def test_an_overlap_begins_with_the_largest_region(crowd: Population) -> None:
    tribes = {"a": definition(HasTag("vip")), "b": definition(All(()))}

    version, found = crowd.overlap(["b", "a"], tribes)

    assert version == 1
    assert [(region.tribes, region.count) for region in found] == [(("b",), 4), (("a", "b"), 2)]


def test_an_overlap_of_nobody_has_no_regions(crowd: Population) -> None:
    assert regions(crowd, "none", tribes={"none": definition(AnyOf(()))}) == {}


# Decisions.


def test_a_decision_names_the_tribes_in_order_of_id(crowd: Population) -> None:
    tribes = {
        "z": definition(HasTag("sports")),
        "a": definition(HasTag("vip"), "users"),
        "m": definition(HasTag("vip"), "visitors"),
        "n": definition(Not(InTribe("z"))),
    }

    decision = crowd.decide(user_of("u1"), tribes, because=False)

    assert (decision.tribes, decision.version, decision.because) == (("a", "z"), 1, {})
    assert crowd.decide(user_of("u3"), tribes, because=False).tribes == ("a", "n")
    assert crowd.decide(visitor_of("v1"), tribes, because=False).tribes == ("z",)


def test_somebody_unknown_is_decided_as_one_who_bears_nothing(crowd: Population) -> None:
    tribes = {
        "everyone": definition(All(())),
        "users": definition(All(()), "users"),
        "plain": definition(Not(HasTag("vip"))),
        "vips": definition(HasTag("vip")),
    }

    decision = crowd.decide(visitor_of("nobody"), tribes, because=True)

    assert decision.tribes == ("everyone", "plain")
    assert decision.because == {
        "everyone": (),
        "plain": (Because(node="/of", tag="vip", match="subtree", holds=False),),
    }


def test_because_names_the_batch_that_gave_each_tag(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "sports/golf"))
    subject.clock.advance(timedelta(minutes=1))
    apply(population, "add", user("u1", "sports/golf", "sports/chess"), user("u2", "sports/golf"), origin=BOB)
    tribes = {"s": definition(All((HasTag("sports"), Not(HasTag("vip")))))}

    because = population.decide(user_of("u1"), tribes, because=True).because["s"]

    assert because == (
        Because(
            node="/of/0",
            tag="sports",
            match="subtree",
            holds=True,
            by=(
                Provenance(
                    tag=path("sports/chess"),
                    version=2,
                    at="2026-03-01T09:01:00.000Z",
                    actor="bob",
                    source="console",
                ),
                Provenance(
                    tag=path("sports/golf"),
                    version=1,
                    at="2026-03-01T09:00:00.000Z",
                    actor="ada",
                    source="crm.csv",
                ),
            ),
        ),
        Because(node="/of/1/of", tag="vip", match="subtree", holds=False),
    )


def test_because_speaks_of_the_tribes_that_the_person_is_in_only(crowd: Population) -> None:
    tribes = {"in": definition(HasTag("vip")), "out": definition(HasTag("ghost"))}

    assert set(crowd.decide(user_of("u1"), tribes, because=True).because) == {"in"}


def test_a_tag_given_again_is_owed_to_the_batch_that_gave_it_last(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    apply(population, "remove", user("u1", "a"))
    apply(population, "add", user("u1", "a"))

    because = population.decide(user_of("u1"), {"t": definition(HasTag("a"))}, because=True).because["t"]

    assert [given.version for reason in because for given in reason.by] == [3]


def test_a_renamed_tag_is_owed_to_the_batch_that_gave_it(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    population.write(MoveTag(path("a"), path("b")), WriteOptions(ADA))

    because = population.decide(user_of("u1"), {"t": definition(HasTag("a"))}, because=True).because["t"]

    assert [(reason.tag, given.tag, given.version) for reason in because for given in reason.by] == [("b", "b", 1)]


def test_because_points_through_tribes(crowd: Population) -> None:
    tribes = {"s": definition(AnyOf((HasTag("vip"), HasTag("sports")))), "t": definition(All((InTribe("s"),)))}

    because = crowd.decide(user_of("u2"), tribes, because=True).because["t"]

    assert [(reason.node, reason.tag) for reason in because] == [("/of/0/tribe:s/of/1", "sports")]


def test_decisions_follow_what_happens_between_them(crowd: Population) -> None:
    tribes = {"s": definition(HasTag("sports"))}
    assert crowd.decide(user_of("u4"), tribes, because=False).tribes == ()

    apply(crowd, "add", user("u4", "sports/new/club"))
    assert crowd.decide(user_of("u4"), tribes, because=False).tribes == ("s",)

    crowd.write(DeleteTag(path("sports/new")), WriteOptions(ADA))
    assert crowd.decide(user_of("u4"), tribes, because=False).tribes == ()

    changed = {"s": definition(Not(HasTag("sports")))}
    assert crowd.decide(user_of("u4"), changed, because=False).tribes == ("s",)


def test_the_members_of_a_tribe_are_listed_and_searched_a_page_at_a_time(population: Population) -> None:
    apply(population, "add", user("ada", "a"), visitor("bob", "a"), user("carl", "b"), user("dora", "a"))
    tribe = Definition("everyone", HasTag("a"))

    first = population.list_people(kind=None, tribe=tribe, limit=2)
    assert [each.id for each in first.items] == ["ada", "bob"]
    rest = population.list_people(kind=None, tribe=tribe, limit=2, cursor=first.next_cursor)
    assert ([each.id for each in rest.items], rest.next_cursor) == (["dora"], None)
    for search, match, found in (("o", "substring", ["bob", "dora"]), ("bo", "prefix", ["bob"]), ("carl", "exact", [])):
        page = population.list_people(kind=None, tribe=tribe, search=search, search_match=match, limit=9)
        assert [each.id for each in page.items] == found
    named = population.list_people(kind=None, tribe=tribe, tribes={}, search="bob", search_match="exact", limit=9)
    assert [each.kind for each in named.items] == ["visitor"]


def test_several_people_are_decided_as_each_alone(population: Population) -> None:
    apply(population, "add", user("u1", "a"), visitor("v1", "b"))
    tribes = {"as": Definition("everyone", HasTag("a")), "bs": Definition("visitors", HasTag("b"))}
    people = [visitor_of("v1"), user_of("u1"), user_of("nobody")]

    version, decided = population.decide_many(people, tribes, because=True)

    assert version == 1
    assert decided == tuple(population.decide(person, tribes, because=True) for person in people)


def test_what_is_found_at_once_is_what_is_decided_and_a_decision_makes_it_known(subject: Subject) -> None:
    population = subject.population
    tribes = {"vips": definition(HasTag("vip")), "others": definition(Not(HasTag("vip")), "users")}
    people = [*(user_of(f"u{number}") for number in range(6)), visitor_of("v1")]
    for number in range(6):
        # One body for each, so that something is committed between any two looks.
        apply(population, "add" if number % 2 else "set", user(f"u{number}", "vip" if number % 3 else "plain"))
        for person in people:
            found = population.find_decision(person, tribes, because=False)
            decided = population.decide(person, tribes, because=False)
            assert found is None or found == decided
            # What the first one brought into memory may have come after the tribes were compiled.
            population.decide(person, tribes, because=False)
            assert population.find_decision(person, tribes, because=False) == decided
    subject.reopen()
    assert subject.population.find_decision(people[0], tribes, because=False) in (
        None,
        subject.population.decide(people[0], tribes, because=False),
    )


def test_what_is_found_at_once_never_waits_for_who_reads(subject: Subject) -> None:
    population, tribes = subject.population, {"vips": definition(HasTag("vip"))}
    apply(population, "add", user("u1", "vip"))
    decided = population.decide(user_of("u1"), tribes, because=False)
    standing = getattr(population, "_standing", None)
    if standing is None:
        pytest.skip("The oracle has no lock.")
    is_held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with standing.lock:
            is_held.set()
            is_over.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    assert population.find_decision(user_of("u1"), tribes, because=False) is None
    is_over.set()
    holder.join()

    # A look may meet a thread of the store that tidies up; then the next one does not.
    found = None
    for _ in range(100):
        population.decide(user_of("u1"), tribes, because=False)
        if (found := population.find_decision(user_of("u1"), tribes, because=False)) is not None:
            break
    assert found == decided
