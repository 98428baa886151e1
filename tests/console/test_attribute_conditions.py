"""Values of attribute filters as text against the nodes that the text stands for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.console.forms.attribute_conditions import text_of, value_of
from tagloom.console.forms.rule_editor import closed, opened, read, shape_json
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName
from tagloom.words.context_rules import HasContext
from tagloom.words.problems import RuleInvalid
from tagloom.words.rules import Not, Rule, check_rule

PLAN = AttributeName("plan")
odd_texts = (
    *("true", "null", "1", "-1", "007", "1e3", "1e999", "NaN", "a, b", 'a "quote" b', '"a"', "[1]", "{}", "is", ""),
    *(" ", "\\", '"', "a\nb", "a\r", ",", "not-is", "2026-03-01", "\u00a0a", "\u200b", "7 %"),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9) | st.sampled_from(odd_texts)
wholes = st.integers(-(2**63), 2**63 - 1)
decimals = st.floats(allow_nan=False, allow_infinity=False)
values = texts | wholes | decimals | st.booleans()
moments = st.sampled_from(["2026-03-01", "2026-03-01T09:00:00Z", "2026-03-01t09:00:00.5+01:00", "2026-03-01 09:00z"])
nodes = st.one_of(
    st.builds(HasAttribute, st.just(PLAN), st.sampled_from(["is", "is-not"]), values),
    st.builds(HasAttribute, st.just(PLAN), st.just("one-of"), st.lists(values, min_size=1, max_size=3).map(tuple)),
    st.builds(HasAttribute, st.just(PLAN), st.just("contains"), texts.filter(bool)),
    st.builds(HasAttribute, st.just(PLAN), st.sampled_from(["greater", "less"]), wholes | decimals),
    st.builds(HasAttribute, st.just(PLAN), st.just("is-set")),
    st.builds(HasAttribute, st.just(PLAN), st.sampled_from(["before", "after"]), moments),
    st.builds(HasAttribute, st.just(PLAN), st.sampled_from(["in-last", "in-next"]), st.integers(1, 36_500)),
)


@pytest.mark.hypothesis
@given(nodes)
def test_a_value_survives_as_text_in_a_field(node: HasAttribute) -> None:
    check_rule(node)
    text = text_of(node)

    # A field of a page has one line, and the form strips its spaces.
    assert text == text.strip()
    assert not {"\n", "\r"} & set(text)
    assert HasAttribute(PLAN, node.op, value_of(node.op, text)) == node


@pytest.mark.hypothesis
@given(nodes, st.booleans())
def test_a_filter_survives_the_builder_and_its_fields(node: HasAttribute, is_negated: bool) -> None:
    rule: Rule = Not(node) if is_negated else node
    group = opened(rule)
    (line,) = group.of

    # The browser sends every field of a line again.
    fields = {"operator:0": [line.operator], "value:0": [line.value], "field:0": [line.field]}  # type: ignore[union-attr]  # It is a filter.
    assert closed(group) == rule
    assert closed(read({"shape": [shape_json(group)], **fields})) == rule


@pytest.mark.parametrize(
    ("op", "text", "value"),
    [
        ("is", "gold", "gold"),
        ("is", "7", 7),
        ("is", "-2.5", -2.5),
        ("is", '"7"', "7"),
        ("is", "true", True),
        ("is", "yes", "yes"),
        ("is", "007", "007"),
        ("is", "null", "null"),
        ("is", "Gold & Co, Ltd", "Gold & Co, Ltd"),
        ("is", "[1]", "[1]"),
        ("one-of", "gold, 7, true", ("gold", 7, True)),
        ("one-of", 'gold , "a, b",,"7" ,', ("gold", "a, b", "7")),
        ("one-of", '5" disk, x', ('5" disk', "x")),
        ("contains", "7", "7"),
        ("contains", '" a"', " a"),
        ("greater", "7", 7),
        ("less", "9007199254740993", 9007199254740993),
        ("in-last", "7", 7),
        ("before", "2026-03-01", "2026-03-01"),
    ],
)
def test_a_value_has_the_type_that_it_looks_like(op: Any, text: str, value: Any) -> None:
    found = value_of(op, text)

    assert HasAttribute(PLAN, op, found) == HasAttribute(PLAN, op, value)


@pytest.mark.parametrize(
    ("op", "text", "message"),
    [
        ("is", "", "Enter a value"),
        ("is", '"gold', "begins with a double quote"),
        ("is", '"a" b', "begins with a double quote"),
        ("one-of", 'a, "b', "begins with a double quote"),
        ("one-of", 'a, "b" c', "begins with a double quote"),
        ("one-of", "", "list of 1 to 250"),
        ("contains", '"', "begins with a double quote"),
        ("contains", "", "not empty"),
        ("greater", "", "Enter a number"),
        ("less", "gold", "'gold' is not a number."),
        ("greater", "inf", "finite"),
        ("before", "", "date such as 2026-03-01"),
        ("after", "1 March", "date such as 2026-03-01"),
        ("in-last", "", "Enter a whole number"),
        ("in-next", "1.5", "'1.5' is not a whole number."),
        ("in-next", "0", "number of days from 1"),
        ("in-next", "9" * 5_000, "is not a whole number"),
        ("is", "9" * 5_000, "has at most 1,000 characters"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused_with_the_reason(op: Any, text: str, message: str) -> None:
    fields = {"operator:0": [op], "value:0": [text], "field:0": ["plan"]}

    with pytest.raises(RuleInvalid, match=message) as caught:
        closed(read({"shape": [shape_json(opened(HasAttribute(PLAN, "is-set")))], **fields}))
    assert caught.value.members["node"] == "0"


def test_a_context_filter_has_no_operators_of_times() -> None:
    fields = {"operator:0": ["before"], "value:0": ["2026-03-01"], "field:0": ["platform"]}

    with pytest.raises(RuleInvalid, match="Choose how the value must match"):
        closed(read({"shape": [shape_json(opened(HasContext("platform", "is-set")))], **fields}))


def test_a_name_in_another_form_of_unicode_is_the_same_attribute() -> None:
    fields = {"operator:0": ["is-set"], "field:0": ["cafe\u0301"]}

    rule = closed(read({"shape": [shape_json(opened(HasAttribute(PLAN, "is-set")))], **fields}))

    assert rule == HasAttribute(AttributeName("caf\u00e9"), "is-set")


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**53 + 1])
def test_a_whole_number_of_64_bits_is_no_decimal_in_a_filter(number: int) -> None:
    for rule in (HasContext("n", "is", number), HasContext("n", "greater", number), HasAttribute(PLAN, "is", number)):
        kept = closed(opened(rule))
        assert kept == rule
        assert isinstance(kept, HasContext | HasAttribute)
        assert isinstance(kept.value, int)
