"""Attribute nodes: their meaning by type and day, their limits, their JSON and their words."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from tagloom.words import limits
from tagloom.words.attribute_rules import HasAttribute, described_attribute
from tagloom.words.attributes import AttributeName, AttributeValue, parse_value
from tagloom.words.decisions import because_of
from tagloom.words.problems import RuleInvalid
from tagloom.words.rules import Facts, matches, parse_rule, reasons
from tagloom_client import rules

TODAY = 20_000  # 2024-10-04
PLAN = AttributeName("plan")


def person(value: Any, today: int = TODAY) -> Facts:
    """A user with this value of the attribute `plan`; with none if it is None."""
    attributes = {} if value is None else {PLAN: parse_value(value)}
    return Facts("user", frozenset(), attributes=attributes, today=today)


@pytest.mark.parametrize(
    ("value", "op", "wanted", "holds"),
    [
        ("gold", "is", "gold", True),
        ("gold", "is", "Gold", False),
        ("gold", "is-not", "silver", True),
        ("gold", "one-of", ("silver", "gold"), True),
        ("gold", "contains", "ol", True),
        ("gold", "is-set", UNSET, True),
        ("7", "is", 7, False),
        (7.0, "is", 7, True),
        (True, "is", 1, False),
        (True, "is-not", 1, True),
        (7, "greater", 6.5, True),
        (7, "less", 7, False),
        ("7", "greater", 6, False),
        (["a", "b"], "contains", "b", True),
        (["ab"], "contains", "b", False),
        (["a"], "is", "a", False),
        (["a"], "is-not", "a", True),
        (["a"], "is-set", UNSET, True),
        ([], "is-set", UNSET, True),
        ("2024-10-04", "is", "2024-10-04", False),
        ("2024-10-04", "is-not", "2024-10-04", True),
        ("2024-10-04", "before", "2024-10-04", False),
        ("2024-10-03T23:59:59.999Z", "before", "2024-10-04", True),
        ("2024-10-04", "after", "2024-10-04", False),
        ("2024-10-04T00:00:00.001Z", "after", "2024-10-04", True),
        ("2024-10-04T01:00:00+02:00", "before", "2024-10-04", True),
        ("2024-10-04T23:59:59.999Z", "in-last", 1, True),
        ("2024-10-05", "in-last", 1, False),
        ("2024-10-03T23:59:59.999Z", "in-last", 1, False),
        ("2024-10-03", "in-last", 2, True),
        ("2024-10-02T23:59:59.999Z", "in-last", 2, False),
        ("2024-10-04", "in-next", 1, True),
        ("2024-10-03T23:59:59.999Z", "in-next", 7, False),
        ("2024-10-05T23:59:59.999Z", "in-next", 2, True),
        ("2024-10-06", "in-next", 2, False),
        ("gold", "in-last", 7, False),
        (TODAY, "in-last", 7, False),
        ("gold", "before", "2024-10-04", False),
    ],
)
def test_a_value_is_compared_by_its_type_and_a_time_by_its_day(value: Any, op: Any, wanted: Any, holds: bool) -> None:
    assert matches(HasAttribute(PLAN, op, wanted), person(value), {}) is holds


@pytest.mark.parametrize("op", ["is", "is-not", "one-of", "contains", "greater", "is-set", "after", "in-last"])
def test_a_node_is_false_for_a_person_without_the_attribute(op: Any) -> None:
    values = {"one-of": ("a",), "greater": 1, "is-set": UNSET, "after": "2024-10-04", "in-last": 7}

    assert not matches(HasAttribute(PLAN, op, values.get(op, "a")), person(None), {})


@pytest.mark.parametrize(
    "changes",
    [
        {"attribute": ""},
        {"attribute": " plan"},
        {"attribute": "e\u0301"},
        {"attribute": "a\tb"},
        {"attribute": "x" * (limits.CHARACTERS_PER_ATTRIBUTE_NAME_MAX + 1)},
        {"op": "was"},
        {"value": None},
        {"value": ["gold"]},
        {"op": "one-of"},
        {"op": "one-of", "value": []},
        {"op": "contains", "value": ""},
        {"op": "greater"},
        {"op": "is-set"},
        {"op": "before"},
        {"op": "before", "value": 7},
        {"op": "before", "value": "2024-02-30"},
        {"op": "after", "value": "2024-10-04T10:00:00"},
        {"op": "after", "value": ["2024-10-04"]},
        {"op": "in-last"},
        {"op": "in-last", "value": 0},
        {"op": "in-last", "value": True},
        {"op": "in-last", "value": 1.5},
        {"op": "in-next", "value": "7"},
        {"op": "in-next", "value": [7]},
        {"op": "in-next", "value": limits.ATTRIBUTE_DAYS_MAX + 1},
        {"unknown": 1},
    ],
)
def test_a_node_out_of_bounds_is_refused_and_named(changes: dict[str, Any]) -> None:
    node = {"type": "attribute", "attribute": "plan", "op": "is", "value": "gold"} | changes

    with pytest.raises(RuleInvalid):
        parse_rule(json.dumps({"type": "not", "of": node}))


def test_a_node_without_its_value_is_refused() -> None:
    for op in ("is", "is-not", "one-of", "contains", "greater", "less", "before", "after", "in-last", "in-next"):
        with pytest.raises(RuleInvalid) as caught:
            parse_rule(json.dumps({"type": "not", "of": {"type": "attribute", "attribute": "plan", "op": op}}))
        assert caught.value.members["node"] == "/of"


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ('{"type":"attribute","attribute":"plan","op":"is","value":"gold"}', "attribute 'plan' is 'gold'"),
        (
            '{"type":"attribute","attribute":"plan","op":"one-of","value":["gold",1,true]}',
            "attribute 'plan' is one of 'gold', 1, true",
        ),
        ('{"type":"attribute","attribute":"plan","op":"is-set"}', "attribute 'plan' is set"),
        (
            '{"type":"attribute","attribute":"born","op":"before","value":"2000-01-01"}',
            "attribute 'born' is before 2000-01-01",
        ),
        (
            '{"type":"attribute","attribute":"seen","op":"in-last","value":7}',
            "attribute 'seen' is in the last 7 days",
        ),
        ('{"type":"attribute","attribute":"ends","op":"in-next","value":1}', "attribute 'ends' is today"),
    ],
)
def test_a_node_is_read_and_written_as_it_is(text: str, described: str) -> None:
    rule = parse_rule(text)

    assert msgspec.json.encode(rule).decode() == text
    assert isinstance(rule, HasAttribute)
    assert described_attribute(rule) == described


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("gold", b'"value":"gold"'),
        (False, b'"value":false'),
        (0, b'"value":0'),
        ([], b'"value":[]'),
        (["a"], b'"value":["a"]'),
        ("2024-10-04", b'"value":"2024-10-04T00:00:00.000Z"'),
        (None, None),
    ],
)
def test_a_reason_has_the_value_of_the_person(value: Any, shown: bytes | None) -> None:
    (reason,) = reasons(HasAttribute(PLAN, "is", "gold"), person(value), {})

    found = msgspec.json.encode(because_of(reason, person(value)))

    asks = b'{"node":"","holds":%s,"by":[],"asks":{"type":"attribute","attribute":"plan","op":"is","value":"gold"}'
    assert found == asks % (b"true" if value == "gold" else b"false") + (b"," + shown if shown else b"") + b"}"


def test_the_client_makes_nodes_that_can_be_read() -> None:
    made = [
        rules.attribute("plan", "is-set"),
        rules.attribute("plan", "is", False),
        rules.attribute("plan", "one-of", ["gold", 7]),
        rules.attribute("plan", "in-next", 7),
    ]

    assert [parse_rule(json.dumps(each)) for each in made] == [
        HasAttribute(PLAN, "is-set"),
        HasAttribute(PLAN, "is", False),
        HasAttribute(PLAN, "one-of", ("gold", 7)),
        HasAttribute(PLAN, "in-next", 7),
    ]


def test_nodes_with_values_of_different_types_are_different_nodes() -> None:
    one, true, decimal = (HasAttribute(PLAN, "is", value) for value in (1, True, 1.0))

    assert one == decimal != true
    assert len({one, true, decimal}) == 2
    assert HasAttribute(PLAN, "one-of", (1,)) != HasAttribute(PLAN, "is", 1)


def test_a_text_that_looks_like_a_time_is_no_time() -> None:
    facts = Facts("user", frozenset(), attributes={PLAN: AttributeValue("text", "2024-10-04")}, today=TODAY)

    assert not matches(HasAttribute(PLAN, "in-last", 7), facts, {})
    assert matches(HasAttribute(PLAN, "is", "2024-10-04"), facts, {})
