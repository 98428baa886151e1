"""The days of an environment in another time zone than UTC, in every adapter."""

import time
from collections.abc import Sequence

import pytest

from tagloom.ports.population import Population
from tagloom.ports.problems import TimeZoneFixed
from tagloom.words.attributes import LIFECYCLE
from tagloom.words.computed_attributes import FIRST_SEEN, LAST_SEEN
from tagloom.words.event_rules import HasEvent
from tagloom.words.rules import Rule
from tests.bodies import user
from tests.contract.attribute_steps import attribute, line
from tests.contract.conftest import ADAPTERS, Subject
from tests.contract.identity_steps import event, record
from tests.contract.steps import apply, definition, user_of
from tests.words.test_calendars import at

AUCKLAND = "Pacific/Auckland"  # It is 2026-03-01 22:00 there when the clock of the tests begins.


def users(population: Population, rule: Rule) -> Sequence[str]:
    _, chunks = population.members(definition(rule), {})
    return sorted(each.id for chunk in chunks for each in chunk)


def wait_until_users(population: Population, rule: Rule, expected: Sequence[str]) -> None:
    """Waits until a process has read the settings of the environment again, as after any change by the control."""
    end = time.monotonic() + 30
    while users(population, rule) != expected:
        assert time.monotonic() < end, "the process does not follow"
        time.sleep(0.01)


def see(population: Population, **times: str) -> None:
    record(population, *(event(id, user_of(id), at=at(time)) for id, time in times.items()))


def test_today_and_the_days_before_are_those_of_the_time_zone(subject: Subject) -> None:
    subject.put_time_zone(AUCKLAND)
    see(
        subject.population,
        yesterday="2026-02-28T23:59:59+13:00",
        today="2026-03-01T00:00:00+13:00",
        before="2026-02-27T23:59:59+13:00",
    )

    for population in (subject.population, subject.another()):
        assert users(population, HasEvent("ad", days=1)) == ["today"]
        assert users(population, HasEvent("ad", days=2)) == ["today", "yesterday"]
        assert users(population, attribute(LAST_SEEN, "in-last", 1)) == ["today"]
        assert users(population, attribute(FIRST_SEEN, "before", "2026-02-28T00:00:00+13:00")) == ["before"]
        found = population.find_person(user_of("yesterday"))
        assert found is not None
        assert found.attributes[FIRST_SEEN] == "2026-02-27T11:00:00.000Z"
        assert found.attributes[LIFECYCLE] == "new"


def test_relative_conditions_on_times_read_the_days_of_the_time_zone(subject: Subject) -> None:
    subject.put_time_zone(AUCKLAND)
    apply(subject.population, "add", user("u1", "a"), user("u2", "a"))
    apply(
        subject.population,
        "add",
        line("u1", ("renewal", "2026-03-02T23:59:59+13:00")),
        line("u2", ("renewal", "2026-03-03T00:00:00+13:00")),
    )

    assert users(subject.population, attribute("renewal", "in-next", 2)) == ["u1"]
    assert users(subject.population, attribute("renewal", "in-next", 3)) == ["u1", "u2"]


def test_an_environment_without_events_takes_another_time_zone_at_once(subject: Subject) -> None:
    other = subject.another()
    apply(subject.population, "add", user("u1", "a"))
    apply(subject.population, "add", line("u1", ("joined", "2026-03-01T00:00:00+13:00")))
    nodes = attribute("joined", "in-last", 1), HasEvent("ad", days=1, times=0)
    assert users(other, nodes[0]) == []

    subject.put_time_zone(AUCKLAND)

    for population in (subject.population, other):
        wait_until_users(population, nodes[0], ["u1"])
        assert users(population, nodes[1]) == ["u1"]
    see(subject.population, u1="2026-03-01T00:00:00+13:00")
    subject.wait_for(other)
    for population in (subject.population, other):
        assert users(population, HasEvent("ad", days=1)) == ["u1"]


# The control plane refuses the change, and the oracle has none.
@pytest.mark.parametrize("adapter", [name for name in ADAPTERS if name != "memory"])
def test_the_time_zone_of_an_environment_with_events_stays(subject: Subject) -> None:
    subject.put_time_zone(AUCKLAND)
    see(subject.population, u1="2026-03-01T00:00:00+13:00")

    with pytest.raises(TimeZoneFixed, match="counted by the days of Pacific/Auckland"):
        subject.put_time_zone("UTC")

    assert users(subject.population, HasEvent("ad", days=1)) == ["u1"]
