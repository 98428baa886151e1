"""Lints about the names and types of attributes: no value contradicts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.words.attribute_lints import attribute_hints
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName, AttributeType, AttributeValue
from tagloom.words.rule_lints import Hint
from tagloom.words.rules import All, AnyOf, Facts, HasTag, Not, matches
from tests import rule_nodes

PLAN, ZIP = AttributeName("plan"), AttributeName("zip")
SATISFIES = "value of the attribute 'zip' satisfies this part, because the attribute has the type"


@given(rule_nodes.attribute_nodes, st.lists(rule_nodes.attribute_values, min_size=1, max_size=30))
def test_no_value_of_the_type_contradicts_a_lint(node: HasAttribute, values: list[AttributeValue]) -> None:
    for type in {value.type for value in values}:
        hints = attribute_hints(node, {node.attribute: type})

        found = {
            matches(node, Facts("user", frozenset(), attributes={node.attribute: value}, today=rule_nodes.TODAY), {})
            for value in values
            if value.type == type
        }
        if hints:
            assert found == {hints[0].text.startswith("Every value")}


@pytest.mark.parametrize(
    ("node", "type", "said"),
    [
        (HasAttribute(ZIP, "is", 50667), "text", f'No {SATISFIES} text. A text has double quotes: "50667".'),
        (HasAttribute(ZIP, "one-of", (True, 7)), "text", 'A text has double quotes: "true".'),
        (HasAttribute(ZIP, "is-not", "7"), "number", f"Every {SATISFIES} number."),
        (HasAttribute(ZIP, "is", "2026-03-01"), "time", "Compare times with before, after, in-last or in-next."),
        (HasAttribute(ZIP, "greater", 7), "time", "Compare times with before"),
        (HasAttribute(ZIP, "is", "a"), "list", "Look for an item of a list with contains."),
        (HasAttribute(ZIP, "greater", 7), "text", "has the type text."),
        (HasAttribute(ZIP, "in-next", 7), "text", "has the type text."),
        (HasAttribute(ZIP, "contains", "7"), "number", "has the type number."),
        (HasAttribute(ZIP, "is", 7), "number", None),
        (HasAttribute(ZIP, "is-set"), "list", None),
        (HasAttribute(ZIP, "contains", "a"), "list", None),
        (HasAttribute(ZIP, "in-last", 7), "time", None),
        (HasAttribute(ZIP, "one-of", ("a", 7)), "number", None),
    ],
)
def test_a_value_of_another_type_is_told(node: HasAttribute, type: AttributeType, said: str | None) -> None:
    hints = attribute_hints(All((HasTag("a"), Not(node))), {ZIP: type})

    assert [hint.nodes for hint in hints] == ([] if said is None else [("/of/1/of",)])
    assert all(said is not None and said in hint.text for hint in hints)


def test_an_unknown_attribute_is_told_with_similar_ones() -> None:
    node = HasAttribute(AttributeName("Plan"), "is-set")

    assert attribute_hints(node, {PLAN: "text", ZIP: "text"}) == (
        Hint("There is no attribute 'Plan' here. Did you mean 'plan'?", ("",)),
    )
    assert attribute_hints(node, {}) == (Hint("There is no attribute 'Plan' here.", ("",)),)


def test_a_large_rule_has_few_lints() -> None:
    rule = AnyOf(tuple(HasAttribute(AttributeName(f"name.{number}"), "is-set") for number in range(900)))

    assert len(attribute_hints(rule, {AttributeName(f"field.{number}"): "text" for number in range(1_000)})) == 5
