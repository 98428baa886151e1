"""The rule builder's tree against the rules that it stands for."""

from hypothesis import given

from tagloom.console.forms.rule_editor import closed, opened, read, shape_json
from tagloom.words.rules import Definition, Facts, Leaf, Rule, matches
from tests import rule_nodes


@given(rule_nodes.nodes_with_attributes)
def test_a_leaf_survives_the_builder(node: Leaf) -> None:
    group = opened(node)

    assert closed(group) == node
    assert closed(read({"shape": [shape_json(group)]})) == node


@given(rule_nodes.rules_of("t", others=rule_nodes.nodes_with_attributes), rule_nodes.facts_with_attributes)
def test_a_rule_keeps_its_meaning_in_the_builder(rule: Rule, facts: Facts) -> None:
    tribes = {"t": Definition("users", rule_nodes.ANY_TAG)}

    group = opened(rule)

    assert matches(closed(group), facts, tribes) == matches(rule, facts, tribes)
    assert closed(read({"shape": [shape_json(group)]})) == closed(group)
