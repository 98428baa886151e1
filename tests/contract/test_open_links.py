"""Open links: with the policy "ask", a teammate decides about what a person had before the link."""

from datetime import timedelta

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import CursorInvalid, LinkSettled, PersonNotLinked
from tagloom.ports.writes import (
    DeleteTag,
    JoinUsers,
    LinkVisitor,
    PutTag,
    RecordEvents,
    Separate,
    SettleLink,
    Undo,
    WriteOptions,
)
from tagloom.words.expiry import moment_now
from tagloom.words.identity import LinkRules, SettlePolicy
from tagloom.words.people import OpenLink, Person
from tagloom.words.receipts import Receipt
from tagloom.words.retention import HistoryCompacted
from tests.bodies import user, visitor
from tests.contract.conftest import Subject
from tests.contract.identity_steps import event, tags
from tests.contract.steps import ADA, apply, path, user_of, visitor_of

U1, V1, V2 = user_of("u1"), visitor_of("v1"), visitor_of("v2")


def ask(population: Population, visitor: str = "v1", user: str = "u1") -> Receipt:
    return population.write(LinkVisitor(visitor, user, "ask"), WriteOptions(ADA))


def decide(population: Population, policy: SettlePolicy, person: Person = V1) -> Receipt:
    return population.write(SettleLink(person, policy), WriteOptions(ADA))


def open_links(population: Population) -> list[OpenLink]:
    return list(population.list_open_links(limit=100).items)


def test_a_link_is_open_only_if_the_person_lost_something(population: Population) -> None:
    apply(population, "add", visitor("v1", "a", "b/c", plan=1), visitor("v2"))

    receipt = ask(population)
    ask(population, "v2")

    assert (receipt.linked, receipt.added, receipt.removed, receipt.attributes) == (1, 0, 2, 1)
    assert open_links(population) == [
        OpenLink(person=V1, user=U1, linked_on="2026-03-01", tags=(path("a"), path("b/c")), attributes={"plan": 1})
    ]
    record = population.find_person(U1)
    assert record is not None
    assert [(each.id, each.is_open) for each in record.identities] == [("v1", True), ("v2", False)]


def test_events_ask_too(population: Population) -> None:
    apply(population, "add", visitor("v1", "a"))

    population.write(RecordEvents([event("m1", "u1", "v1")], links=LinkRules(policy="ask")), WriteOptions(ADA))

    assert [each.person for each in open_links(population)] == [V1]


def test_taking_gives_the_user_what_it_does_not_have(subject: Subject) -> None:
    population = subject.population
    population.write(PutTag(tag=path("tier"), exclusive=True), WriteOptions(ADA))
    apply(population, "add", visitor("v1", "a", "gone", "tier/gold", plan=1, age=2), user("u1", "tier/silver", plan=3))
    ask(population)
    population.write(DeleteTag(path("gone")), WriteOptions(ADA))
    subject.reopen()
    population = subject.population

    receipt = decide(population, "take")

    assert (receipt.linked, receipt.added, receipt.removed, receipt.attributes) == (1, 1, 0, 1)
    record = population.find_person(V1)
    assert record is not None
    assert (record.tags, record.attributes) == ((path("a"), path("tier/silver")), {"age": 2, "plan": 3})
    assert open_links(population) == []
    with pytest.raises(LinkSettled):
        decide(population, "take")


def test_leaving_only_closes_the_link(population: Population) -> None:
    apply(population, "add", visitor("v1", "a"))
    ask(population)

    receipt = decide(population, "leave")

    assert (receipt.linked, receipt.added) == (1, 0)
    assert tags(population, U1) == ()
    assert open_links(population) == []


def test_a_decision_can_be_undone_and_made_again(population: Population) -> None:
    apply(population, "add", visitor("v1", "a", plan=1))
    ask(population)
    version = decide(population, "take").version

    receipt = population.write(Undo((version,)), WriteOptions(ADA))

    assert (receipt.linked, receipt.removed, receipt.attributes) == (1, 1, 1)
    assert [each.tags for each in open_links(population)] == [(path("a"),)]
    decide(population, "take")
    assert tags(population, U1) == ("a",)


def test_a_separation_takes_back_what_a_decision_gave(population: Population) -> None:
    apply(population, "add", visitor("v1", "a", plan=1), user("u1", "b"))
    ask(population)
    decide(population, "take")

    receipt = population.write(Separate(V1), WriteOptions(ADA))

    assert (receipt.added, receipt.removed, receipt.skipped) == (1, 1, 0)
    assert (tags(population, V1), tags(population, U1)) == (("a",), ("b",))
    assert open_links(population) == []


def test_a_tag_that_expired_since_is_not_given(subject: Subject) -> None:
    population = subject.population
    hour = moment_now(subject.clock().timestamp()) + 60
    apply(population, "add", visitor("v1", "a"), expiry=hour)
    apply(population, "add", visitor("v1", "b"), expiry=hour + 120)
    ask(population)
    subject.clock.advance(timedelta(hours=2))

    assert decide(population, "take").added == 1

    record = population.find_person(U1)
    assert record is not None
    assert record.expires_at == {path("b"): "2026-03-01T12:00:00Z"}


def test_an_open_link_moves_with_a_joined_user(population: Population) -> None:
    apply(population, "add", visitor("v1", "a"), user("u2"))
    ask(population)

    population.write(JoinUsers("u1", "u2", "ask"), WriteOptions(ADA))
    decide(population, "take")

    assert tags(population, V1) == ("a",)
    assert [(each.person, each.user.id) for each in open_links(population)] == []


def test_who_is_not_linked_cannot_be_decided_about(population: Population) -> None:
    apply(population, "add", visitor("v1", "a"))

    with pytest.raises(PersonNotLinked):
        decide(population, "take")
    with pytest.raises(PersonNotLinked):
        decide(population, "leave", V2)


def test_a_compacted_link_can_only_be_left(population: Population) -> None:
    apply(population, "add", visitor("v1", "a"))
    ask(population)
    population.raise_horizon(2)

    assert [(each.person, each.tags) for each in open_links(population)] == [(V1, ())]
    with pytest.raises(HistoryCompacted):
        decide(population, "take")
    decide(population, "leave")
    assert open_links(population) == []


def test_open_links_come_in_pages(population: Population) -> None:
    apply(population, "add", *(visitor(f"v{number}", "a") for number in range(5)))
    for number in range(5):
        ask(population, f"v{number}", f"u{number}")

    first = population.list_open_links(limit=2)
    second = population.list_open_links(limit=2, cursor=first.next_cursor)
    third = population.list_open_links(limit=2, cursor=second.next_cursor)

    listed = [each.person.id for page in (first, second, third) for each in page.items]
    assert listed == ["v0", "v1", "v2", "v3", "v4"]
    assert third.next_cursor is None
    with pytest.raises(CursorInvalid):
        population.list_open_links(limit=2, cursor="x")
