"""Event nodes: conditions on properties, windows of days, and what a rule may not say."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.words import limits
from tagloom.words.calendars import Calendar
from tagloom.words.event_rules import Condition, EventFact, EventPredicate, HasEvent, counter_of, described_event
from tagloom.words.events import DAY_MS
from tagloom.words.problems import RuleInvalid
from tagloom.words.rules import Facts, matches, parse_rule
from tests.time_zones import ZONES

PROPERTIES = {"genre": "football", "seconds": 90, "ratio": 1.0, "live": True, "teams": ["a", 2], "none": None}
TODAY = 20_000
NOW = TODAY * DAY_MS + 9 * 3_600_000


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("genre", "is", "football"), True),
        (Condition("genre", "is", "foot"), False),
        (Condition("seconds", "is", 90.0), True),
        (Condition("seconds", "is", "90"), False),
        (Condition("live", "is", True), True),
        (Condition("live", "is", 1), False),
        (Condition("ratio", "is", True), False),
        (Condition("absent", "is", "x"), False),
        (Condition("genre", "is-not", "x"), True),
        (Condition("absent", "is-not", "x"), False),
        (Condition("none", "is-not", "x"), False),
        (Condition("genre", "one-of", ("news", "football")), True),
        (Condition("genre", "contains", "ball"), True),
        (Condition("teams", "contains", "a"), True),
        (Condition("teams", "contains", "b"), False),
        (Condition("seconds", "contains", "9"), False),
        (Condition("seconds", "greater", 89), True),
        (Condition("seconds", "greater", 90), False),
        (Condition("genre", "greater", 1), False),
        (Condition("live", "greater", 0), False),
        (Condition("seconds", "less", 91), True),
        (Condition("genre", "is-set"), True),
        (Condition("none", "is-set"), False),
        (Condition("absent", "is-set"), False),
    ],
)
def test_a_condition_compares_values_of_one_type(condition: Condition, holds: bool) -> None:
    assert condition.holds(PROPERTIES) is holds


def test_all_conditions_must_hold_for_the_same_event() -> None:
    predicate = EventPredicate("ad", (Condition("a", "is", 1), Condition("b", "is", 2)))

    assert predicate.accepts(b'{"a": 1, "b": 2}')
    assert not predicate.accepts(b'{"a": 1}')
    assert predicate.accepts_type("ad/clicked")
    assert not predicate.accepts_type("adverts/clicked")


def test_conditions_with_values_of_two_types_are_two_predicates() -> None:
    predicates = {EventPredicate("ad", (Condition("n", "is", value),)) for value in (1, True, "1")}

    assert len(predicates) == 3


@pytest.mark.parametrize(
    ("node", "holds"),
    [
        (HasEvent("ad/clicked", days=1), True),
        (HasEvent("ad/clicked", days=1, times=2), False),
        (HasEvent("ad/clicked", days=2, times=2), True),
        (HasEvent("ad", days=2, times=3), True),
        (HasEvent("*", days=366, times=100), False),
        (HasEvent("*", days=2, times=3), True),
        (HasEvent("ad/clicked", days=3, times=2, count="exactly"), True),
        (HasEvent("ad/clicked", days=4, times=2, count="exactly"), False),
        (HasEvent("ad/clicked", days=4, times=2, count="at-most"), False),
        (HasEvent("ad/clicked", days=4, times=3, count="at-most"), True),
        (HasEvent("ad/closed", days=9, times=0, count="exactly"), True),
        (HasEvent("ad/closed", days=9, times=0), True),
        (HasEvent("ad/clicked", days=9, times=0, count="at-most"), False),
    ],
)
def test_a_window_is_today_and_the_days_before(node: HasEvent, holds: bool) -> None:
    events = [
        EventFact("ad/clicked", NOW, b"{}"),
        EventFact("ad/clicked", NOW - DAY_MS, b"{}"),
        EventFact("ad/seen", NOW - DAY_MS, b"{}"),
        EventFact("ad/clicked", NOW - 3 * DAY_MS, b"{}"),
        EventFact("ad/clicked", NOW + DAY_MS, b"{}"),
    ]
    facts = Facts("user", frozenset(), count_events=counter_of(events, NOW))

    assert matches(node, facts, {}) is holds


@pytest.mark.parametrize(
    ("hours", "times", "holds"),
    [(1, 1, True), (1, 2, False), (2, 2, True), (3, 3, False), (4, 3, True), (9, 4, False), (10, 4, True)],
)
def test_a_window_in_hours_is_this_hour_and_those_before(hours: int, times: int, holds: bool) -> None:
    # It is 09:30, and the first event was at 00:59.
    events = [EventFact("ad/seen", TODAY * DAY_MS + minutes * 60_000, b"{}") for minutes in (59, 360, 539, 540, 600)]
    facts = Facts("user", frozenset(), count_events=counter_of(events, TODAY * DAY_MS + 570 * 60_000))

    assert matches(HasEvent("ad", hours=hours, times=times), facts, {}) is holds


def test_a_rule_keeps_the_window_that_it_was_written_with() -> None:
    for window in ({"days": 7}, {"hours": 24}):
        rule = {"type": "event", "event": "ad", **window}
        written = json.loads(msgspec.json.encode(parse_rule(json.dumps(rule))))
        assert {name: value for name, value in written.items() if name in ("days", "hours")} == window


def test_a_person_without_events_has_none() -> None:
    facts = Facts("user", frozenset())

    assert not matches(HasEvent("ad", days=1), facts, {})
    assert matches(HasEvent("ad", days=1, times=0, count="exactly"), facts, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "ad/clicked/twice"},
        {"event": "Ad Clicked"},
        {"event": ""},
        {"event": "e\u0301/x"},
        {"days": 0},
        {"days": limits.EVENT_DAYS_MAX + 1},
        {"days": "7"},
        {"hours": 3},
        {"days": None},
        {"times": -1},
        {"times": limits.EVENT_TIMES_MAX + 1},
        {"count": "about"},
        {"where": [{"property": "", "op": "is-set"}]},
        {"where": [{"property": "a" * 257, "op": "is-set"}]},
        {"where": [{"property": "a", "op": "is"}]},
        {"where": [{"property": "a", "op": "is-set", "value": 1}]},
        {"where": [{"property": "a", "op": "one-of", "value": []}]},
        {"where": [{"property": "a", "op": "greater", "value": "1"}]},
        {"where": [{"property": "a", "op": "contains", "value": ""}]},
        {"where": [{"property": "a", "op": "is", "value": "x" * 1_001}]},
        {"where": [{"property": "a", "op": "is", "value": 2**63}]},
        {"where": [{"property": "a", "op": "is-set"}] * 17},
        {"unknown": 1},
    ],
)
def test_a_node_out_of_bounds_is_refused_and_named(changes: dict[str, Any]) -> None:
    node = {"type": "event", "event": "ad/clicked", "days": 7} | changes

    with pytest.raises(RuleInvalid):
        parse_rule(json.dumps({"type": "not", "of": node}))


def test_a_node_is_read_and_written_as_it_is() -> None:
    text = (
        '{"type":"event","event":"video/played","days":7,"where":[{"property":"genre","op":"one-of",'
        '"value":["football",1]},{"property":"live","op":"is-set"}],"count":"at-most","times":3}'
    )

    rule = parse_rule(text)

    assert msgspec.json.encode(rule).decode() == text
    assert isinstance(rule, HasEvent)
    assert described_event(rule) == (
        "at most 3 'video/played' events where 'genre' is one of 'football', 1 and 'live' is set in the last 7 days"
    )
    assert described_event(HasEvent("ad", days=1)) == "at least 1 'ad' event today"
    assert described_event(HasEvent("*", days=7, times=2)) == "at least 2 events in the last 7 days"
    assert described_event(HasEvent("*", hours=24)) == "at least 1 event in the last 24 hours"


@pytest.mark.parametrize("window", [{}, {"hours": 0}, {"hours": limits.EVENT_HOURS_MAX + 1}, {"hours": "3"}])
def test_a_node_without_a_window_or_with_too_long_a_one_is_refused(window: dict[str, Any]) -> None:
    with pytest.raises(RuleInvalid):
        parse_rule(json.dumps({"type": "event", "event": "ad"} | window))


def test_a_name_in_place_of_a_type_is_refused_with_the_type() -> None:
    with pytest.raises(RuleInvalid, match="Use 'ad/clicked'"):
        parse_rule('{"type": "event", "event": "Ad Clicked", "days": 7}')
    with pytest.raises(RuleInvalid, match="Enter an event type"):
        parse_rule('{"type": "event", "event": "", "days": 7}')


@given(zone=ZONES, days=st.integers(1, 40), ages=st.lists(st.integers(-1_000, 60 * 86_400_000), max_size=12))
def test_a_window_has_the_events_of_its_days_in_any_time_zone(zone: str, days: int, ages: list[int]) -> None:
    calendar = Calendar(zone)
    today = calendar.day_of(NOW)
    begin, end = calendar.begin_of(today - days + 1), calendar.begin_of(today + 1)
    count = counter_of([EventFact("ad/seen", NOW - age, b"{}") for age in ages], NOW, calendar)

    assert count(EventPredicate("ad"), days) == sum(begin <= NOW - age < end for age in ages)
