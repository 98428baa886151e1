"""Metrics of tribes in every adapter: who is active, new, at risk and lost, and how these numbers change."""

from datetime import timedelta
from typing import Any

import pytest

from tagloom.ports.population import Population
from tagloom.ports.writes import ErasePerson, PutPerson, RecordEvents, WriteOptions
from tagloom.words.event_rules import HasEvent
from tagloom.words.events import DAY_MS, Event, EventType
from tagloom.words.people import Person
from tagloom.words.rules import All, AnyOf, Definition, HasTag, InTribe, Not, Rule
from tagloom.words.tribes import TribeMetrics
from tests.bodies import user, visitor
from tests.contract.attribute_steps import undo
from tests.contract.conftest import Subject
from tests.contract.identity_steps import NOW, join, link, separate
from tests.contract.steps import ADA, apply, definition, user_of, visitor_of

EVERYONE = All(())
NOBODY: dict[str, Any] = {"users": 0, "visitors": 0, "active": 0, "new": 0, "at_risk": 0, "lost": 0, "reach": None}


def metrics(population: Population, rule: Rule = EVERYONE, audience: str = "everyone") -> TribeMetrics:
    return population.metrics(definition(rule, audience), {})


def seen(population: Population, person: Person, days_ago: int, *, now: int = NOW) -> None:
    """Records an event of a person that happened so many days ago."""
    at = now - days_ago * DAY_MS
    event = Event(person=person, type=EventType("page/viewed"), at=at, id=f"{person} {at}")
    population.write(RecordEvents([event]), WriteOptions(ADA))


def activity(found: TribeMetrics) -> tuple[int, int, int]:
    return found.active, found.at_risk, found.lost


def test_an_empty_environment_has_nobody_and_no_reach(population: Population) -> None:
    assert metrics(population) == TribeMetrics(**NOBODY, version=0)


def test_members_are_counted_as_users_and_visitors(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a/b"), visitor("v1", "a"), visitor("v2", "c"))

    found = metrics(population, HasTag("a"))

    assert (found.users, found.visitors, found.new, found.version) == (2, 1, 3, 1)
    assert (metrics(population, HasTag("a"), "visitors").users, metrics(population, HasTag("a"), "users").users) == (
        0,
        2,
    )


@pytest.mark.parametrize(
    ("days_ago", "expected"),
    [
        (0, (1, 0, 0)),
        (29, (1, 0, 0)),
        (30, (0, 1, 0)),
        (89, (0, 1, 0)),
        (90, (0, 0, 1)),
        (365, (0, 0, 1)),
        (366, (0, 0, 1)),
    ],
)
def test_the_day_of_the_last_event_decides_who_is_active_at_risk_and_lost(
    population: Population, days_ago: int, expected: tuple[int, int, int]
) -> None:
    seen(population, user_of("u1"), days_ago)
    seen(population, user_of("u1"), 366)

    assert activity(metrics(population)) == expected


def test_days_begin_at_midnight_in_utc(subject: Subject) -> None:
    # The clock of a test begins at 09:00.
    midnight = NOW - 9 * 3_600_000
    seen(subject.population, user_of("u1"), 29, now=midnight)
    seen(subject.population, user_of("u2"), 29, now=midnight - 1)

    assert activity(metrics(subject.population)) == (1, 1, 0)


def test_people_without_an_event_are_neither_active_nor_at_risk_nor_lost(population: Population) -> None:
    apply(population, "add", user("u1", "a"))

    assert activity(metrics(population)) == (0, 0, 0)
    assert metrics(population).reach is None


def test_reach_is_the_share_of_all_active_people_of_the_audience(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"), user("u3", "a"), visitor("v1", "a"))
    for person in (user_of("u1"), user_of("u2"), user_of("u4"), visitor_of("v1"), visitor_of("v2")):
        seen(population, person, 1)
    seen(population, user_of("u3"), 40)

    assert metrics(population, HasTag("a")).reach == 3 / 5
    assert metrics(population, HasTag("a"), "users").reach == 2 / 3
    assert metrics(population, HasTag("a"), "visitors").reach == 1 / 2
    assert (metrics(population, HasTag("b")).reach, metrics(population).reach) == (0.0, 1.0)


def test_rules_can_name_tribes_and_events(population: Population) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))
    seen(population, user_of("u1"), 2)
    seen(population, user_of("u3"), 40)
    tribes = {
        "fans": Definition("users", HasTag("a")),
        "quiet": Definition("users", Not(HasEvent("page/viewed", 7))),
        "both": Definition("users", AnyOf((InTribe("fans"), InTribe("quiet")))),
    }

    found = [population.metrics(tribes[name], tribes) for name in ("fans", "quiet", "both")]

    assert [(each.users, *activity(each), each.reach) for each in found] == [
        (2, 1, 0, 0, 1.0),
        (2, 0, 1, 0, 0.0),
        (3, 1, 1, 0, 1.0),
    ]


# New people.


def test_everybody_is_new_in_a_young_environment_even_if_its_history_is_compacted(subject: Subject) -> None:
    apply(subject.population, "add", user("u1"))
    subject.clock.advance(timedelta(days=29))
    apply(subject.population, "add", user("u2"))
    assert metrics(subject.population).new == 2

    subject.population.raise_horizon(2)

    assert metrics(subject.population).new == 2


def test_people_are_new_for_thirty_days(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "a"), user("u2"))
    subject.clock.advance(timedelta(days=29, hours=14, minutes=59))
    assert metrics(population).new == 2
    apply(population, "add", user("u3", "a"), user("u4"))

    subject.clock.advance(timedelta(minutes=1))

    assert (metrics(population).new, metrics(population, HasTag("a")).new) == (2, 1)
    subject.clock.advance(timedelta(days=30))
    assert metrics(population).new == 0


def test_new_is_unknown_while_the_history_begins_within_the_thirty_days(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1"))
    subject.clock.advance(timedelta(days=40))
    apply(population, "add", user("u2"))
    assert metrics(population).new == 1

    population.raise_horizon(2)

    assert metrics(population).new is None
    subject.clock.advance(timedelta(days=30))
    apply(population, "add", user("u3"))
    assert metrics(population).new == 1


def test_the_history_can_be_compacted_up_to_the_begin_of_the_thirty_days(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1"))
    apply(population, "add", user("u2"))
    subject.clock.advance(timedelta(days=40))
    apply(population, "add", user("u3"))

    population.raise_horizon(2)
    while population.compact().is_all is False:
        pass

    assert metrics(population).new == 1


def test_a_known_person_who_changes_is_not_new(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "a"))
    subject.clock.advance(timedelta(days=40))

    apply(population, "set", user("u1", "b"))
    seen(population, user_of("u1"), 0, now=NOW + 40 * DAY_MS)

    assert (metrics(population, HasTag("b")).new, activity(metrics(population))) == (0, (1, 0, 0))


def test_the_undo_of_a_new_person_counts(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1", "a"))
    subject.clock.advance(timedelta(days=40))
    added = apply(population, "add", user("u2", "a"), user("u1", "b"))
    assert metrics(population).new == 1

    undo(population, added.version)

    assert (metrics(population).users, metrics(population).new) == (1, 0)
    undo(population, population.version())
    assert (metrics(population).users, metrics(population).new) == (2, 1)


def test_an_undo_of_somebody_who_was_known_long_ago_does_not_make_them_new(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", user("u1"))
    subject.clock.advance(timedelta(days=40))

    undo(population, 1)
    undo(population, 2)

    assert (metrics(population).users, metrics(population).new) == (1, 0)


# Erasure.


def test_an_erased_person_counts_nowhere_and_begins_again_as_a_new_one(subject: Subject) -> None:
    population = subject.population
    seen(population, user_of("u1"), 1)
    seen(population, user_of("u2"), 40)
    subject.clock.advance(timedelta(days=31))
    assert activity(metrics(population)) == (0, 2, 0)

    population.write(ErasePerson(user_of("u1")), WriteOptions(ADA))

    found = metrics(population)
    assert (found.users, found.new, activity(found), found.reach) == (1, 0, (0, 1, 0), None)
    population.write(PutPerson(user_of("u1")), WriteOptions(ADA))
    assert (metrics(population).users, metrics(population).new) == (2, 1)
    assert activity(metrics(population)) == (0, 1, 0)


# Links.


def test_the_events_of_a_linked_visitor_count_for_the_user(population: Population) -> None:
    apply(population, "add", user("u1", "a"))
    seen(population, user_of("u1"), 100)
    seen(population, visitor_of("v1"), 2)
    assert (activity(metrics(population)), metrics(population, HasTag("a")).reach) == ((1, 0, 1), 0.0)

    link(population, "v1", "u1")

    found = metrics(population, HasTag("a"))
    assert (activity(found), found.reach, found.visitors) == ((1, 0, 0), 1.0, 0)
    separate(population, visitor_of("v1"))
    assert (activity(metrics(population)), metrics(population).visitors) == ((1, 0, 1), 1)


def test_a_new_user_is_new_whenever_the_visitor_came(subject: Subject) -> None:
    population = subject.population
    apply(population, "add", visitor("v1", "a"), user("u1"), visitor("v2"))
    subject.clock.advance(timedelta(days=40))

    link(population, "v1", "u2")
    link(population, "v2", "u1")

    assert (metrics(population).users, metrics(population).visitors, metrics(population).new) == (2, 0, 1)
    separate(population, visitor_of("v1"))
    assert (metrics(population, EVERYONE, "visitors").visitors, metrics(population, EVERYONE, "visitors").new) == (1, 0)


def test_a_joined_user_counts_once(subject: Subject) -> None:
    population = subject.population
    seen(population, user_of("u1"), 0)
    subject.clock.advance(timedelta(days=40))
    seen(population, user_of("u2"), 0, now=NOW + 40 * DAY_MS)

    join(population, "u2", "u1")

    found = metrics(population)
    assert (found.users, found.new, activity(found)) == (1, 0, (1, 0, 0))


# Time, and other processes.


def test_people_become_at_risk_and_lost_as_days_go_by(subject: Subject) -> None:
    seen(subject.population, user_of("u1"), 0)
    found = []
    for days in (0, 29, 1, 59, 1, 275, 1):
        subject.clock.advance(timedelta(days=days))
        found.append(activity(metrics(subject.population)))

    assert found == [(1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1), (0, 0, 1)]


def test_a_new_event_brings_a_lost_person_back(subject: Subject) -> None:
    seen(subject.population, user_of("u1"), 0)
    subject.clock.advance(timedelta(days=100))
    assert activity(metrics(subject.population)) == (0, 0, 1)

    seen(subject.population, user_of("u1"), 0, now=NOW + 100 * DAY_MS)

    assert activity(metrics(subject.population)) == (1, 0, 0)
    subject.reopen()
    assert activity(metrics(subject.population)) == (1, 0, 0)


def test_another_process_counts_the_same(subject: Subject) -> None:
    other = subject.another()
    apply(subject.population, "add", user("u1"))
    subject.clock.advance(timedelta(days=40))
    assert metrics(other).new == 0

    seen(subject.population, user_of("u2"), 0, now=NOW + 40 * DAY_MS)
    link(subject.population, "v1", "u1")
    subject.wait_for(other)

    assert metrics(other) == metrics(subject.population)
    assert (metrics(other).new, activity(metrics(other))) == (1, (1, 0, 0))
    subject.population.raise_horizon(subject.population.version())
    assert metrics(other).new is None
