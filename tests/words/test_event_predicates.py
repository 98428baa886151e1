"""Conditions on the properties of events."""

import pytest

from tagloom.words.event_predicates import Condition, EventPredicate, fulfils

PROPERTIES = {"genre": "football", "seconds": 90, "ratio": 1.0, "live": True, "teams": ["a", 2], "none": None}


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
        (Condition("absent", "is-not", "x"), True),
        (Condition("genre", "one-of", ("news", "football")), True),
        (Condition("absent", "one-of", ("news",)), False),
        (Condition("genre", "contains", "ball"), True),
        (Condition("teams", "contains", 2), True),
        (Condition("teams", "contains", "2"), False),
        (Condition("seconds", "contains", 9), False),
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
def test_a_condition_compares_values_of_one_kind(condition: Condition, holds: bool) -> None:
    assert fulfils(PROPERTIES, [condition]) is holds


def test_all_conditions_must_hold_for_the_same_event() -> None:
    predicate = EventPredicate("ad", (Condition("a", "is", 1), Condition("b", "is", 2)))

    assert predicate.accepts(b'{"a": 1, "b": 2}')
    assert not predicate.accepts(b'{"a": 1}')
    assert predicate.accepts_type("ad/clicked")
    assert not predicate.accepts_type("adverts/clicked")
