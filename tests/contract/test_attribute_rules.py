"""Rules about the attributes of people in every adapter, and previews."""

from datetime import timedelta

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import AttributeNotFound
from tagloom.ports.writes import (
    DeleteAttribute,
    ErasePerson,
    PutTag,
    TagTribe,
    WriteOptions,
)
from tagloom.words.attributes import AttributeName, plain_attributes
from tagloom.words.rules import All, HasTag, Not, Rule
from tests.bodies import user, visitor
from tests.contract.attribute_steps import PLAN, attribute, delete
from tests.contract.conftest import Subject
from tests.contract.steps import ADA, apply, definition, path, tags_of, user_of

# Rules.


@pytest.fixture
def crowd(population: Population) -> Population:
    """Four users with some values, and a visitor without any."""
    apply(
        population,
        "add",
        user("u1", "a", plan="gold", age=30, flag=True, seen="2026-03-01T23:59:59.999Z", items=["x", "y"]),
        user("u2", "a", plan="Gold", age=30.5, flag=False, seen="2026-03-02", items=[]),
        user("u3", plan="", age=-2, seen="2026-02-28T23:00:00-01:00", items=["xy"]),
        user("u4", one=1),
        visitor("v1"),
    )
    return population


@pytest.mark.parametrize(
    ("rule", "ids"),
    [
        (attribute("plan", "is-set"), "u1 u2 u3"),
        (attribute("plan", "is", "gold"), "u1"),
        (attribute("plan", "is-not", "gold"), "u2 u3"),
        (Not(attribute("plan", "is", "gold")), "u2 u3 u4 v1"),
        (attribute("plan", "one-of", ("gold", "", 1)), "u1 u3"),
        (attribute("plan", "contains", "old"), "u1 u2"),
        (attribute("plan", "is", 1), ""),
        (attribute("plan", "greater", 1), ""),
        (attribute("age", "is", 30.0), "u1"),
        (attribute("age", "greater", 30), "u2"),
        (attribute("age", "less", 30.5), "u1 u3"),
        (attribute("age", "is-not", "x"), "u1 u2 u3"),
        (attribute("flag", "is", True), "u1"),
        (attribute("flag", "is", 1), ""),
        (attribute("one", "is", True), ""),
        (attribute("one", "is", 1.0), "u4"),
        (attribute("items", "contains", "x"), "u1"),
        (attribute("items", "is", "x"), ""),
        (attribute("items", "is-not", "x"), "u1 u2 u3"),
        (attribute("seen", "before", "2026-03-02"), "u1 u3"),
        (attribute("seen", "after", "2026-03-01T23:59:59.999Z"), "u2"),
        (attribute("seen", "in-last", 1), "u1 u3"),
        (attribute("seen", "in-next", 2), "u1 u2 u3"),
        (attribute("age", "in-last", 9), ""),
        (attribute("unknown", "is-not", 1), ""),
        (All((HasTag("a"), attribute("age", "greater", 30))), "u2"),
    ],
)
def test_rules_read_the_attributes_of_people(crowd: Population, rule: Rule, ids: str) -> None:
    tribe = definition(rule)

    assert [person.id for chunk in crowd.members(tribe, {})[1] for person in chunk] == ids.split()
    assert crowd.count(tribe, {}).count == len(ids.split())
    listed = crowd.list_people(kind=None, tribe=tribe, limit=9).items
    assert [each.id for each in listed] == ids.split()
    decided = {id: crowd.decide(user_of(id), {"t": tribe}, because=True).tribes for id in ("u1", "u2", "u3", "u4")}
    assert decided == {id: ("t",) if id in ids.split() else () for id in decided}


def test_a_decision_says_which_attribute_decided(crowd: Population) -> None:
    node = attribute("plan", "is", "gold")

    (because,) = crowd.decide(user_of("u1"), {"t": definition(node)}, because=True).because["t"]

    assert (because.node, because.holds, because.asks) == ("", True, node)


def test_rules_about_the_past_read_the_values_and_the_day_of_then(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", plan="gold", due="2026-03-03"), user("u2", plan="gold"))
    subject.clock.advance(timedelta(days=2))
    apply(population, "add", user("u2", plan="silver"))
    subject.clock.advance(timedelta(days=2))
    delete(population)
    gold, due = definition(attribute("plan", "is", "gold")), definition(attribute("due", "in-next", 1))

    assert [population.count(gold, {}, as_of=version).count for version in range(4)] == [0, 2, 1, 0]
    assert [population.count(due, {}, as_of=version).count for version in range(4)] == [0, 0, 1, 0]
    moments = [f"2026-03-0{day}T09:00:01.000Z" for day in (1, 2, 3, 4)]
    assert population.trend([gold, due], {}, moments) == ((2, 2, 1, 1, 0), (0, 0, 1, 0, 0))
    assert population.count(due, {}).count == 0


def test_a_tribe_by_attributes_can_be_tagged(crowd: Population) -> None:
    tribe = definition(attribute("age", "greater", 0))

    receipt = crowd.write(TagTribe(tribe, path("adult"), "snapshot"), WriteOptions(ADA))

    assert (receipt.added, receipt.attributes, tags_of(crowd, "u1")) == (2, 0, ("a", "adult"))


def test_the_attributes_of_erased_people_do_not_count_in_the_past(crowd: Population) -> None:
    crowd.write(ErasePerson(user_of("u1")), WriteOptions(ADA))
    gold = definition(attribute("plan", "is", "gold"))

    assert [crowd.count(gold, {}, as_of=version).count for version in (1, 2)] == [0, 0]
    assert [person for chunk in crowd.members(gold, {}, as_of=1)[1] for person in chunk] == []


def test_members_are_read_with_their_attributes_as_of_one_version(crowd: Population) -> None:
    everybody = definition(Not(attribute("plan", "is", "Gold")))
    names = list(map(AttributeName, ["plan", "age", "flag", "seen", "items"]))
    version, types, chunks = crowd.members_with_attributes(everybody, {}, names)
    apply(crowd, "add", user("u1", plan="free", age=None), user("u5", plan="gold"))

    found = {person.id: plain_attributes(values) for chunk in chunks for person, values in chunk}

    assert (version, types) == (1, dict(zip(names, ["text", "number", "boolean", "time", "list"], strict=True)))
    assert found == {
        "u1": {"age": 30, "flag": True, "items": ["x", "y"], "plan": "gold", "seen": "2026-03-01T23:59:59.999Z"},
        "u3": {"age": -2, "items": ["xy"], "plan": "", "seen": "2026-03-01T00:00:00.000Z"},
        "u4": {},
        "v1": {},
    }


def test_members_are_not_read_with_an_attribute_that_does_not_exist(crowd: Population) -> None:
    with pytest.raises(AttributeNotFound):
        crowd.members_with_attributes(definition(attribute("plan", "is-set")), {}, [AttributeName("nothing")])


# Previews.


def test_a_preview_counts_people_whose_attributes_change_and_moves_tribes(crowd: Population) -> None:
    tribes = {"gold": definition(attribute("plan", "is", "gold")), "tagged": definition(HasTag("a"))}

    preview = crowd.preview(DeleteAttribute(PLAN), tribes)

    assert (preview.people, preview.receipt.attributes, preview.tags_changed) == (3, 3, 0)
    assert [(each.tribe, each.before, each.after, each.left) for each in preview.tribes] == [("gold", 1, 0, 1)]
    assert crowd.preview(PutTag(tag=path("z")), tribes).people == 0
    assert crowd.version() == 1
