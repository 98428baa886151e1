"""The meaning of rules against a second reading of it, their limits, their reasons and their JSON."""

import json
import operator
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.base.problems import BodyInvalid
from tagloom.words import limits, rules
from tagloom.words.attribute_rules import TIME_OPERATORS, HasAttribute
from tagloom.words.context_rules import HasContext, checked_context
from tagloom.words.event_rules import HasEvent
from tagloom.words.percent_rules import InPercent, point_of
from tagloom.words.problems import RuleInvalid, RuleTooDeep, RuleTooLarge, TagHasCapital, TribeCycle, TribeUnknown
from tagloom.words.rules import All, AnyOf, Definition, Facts, HasTag, InTribe, Not, Rule
from tagloom.words.tags import TagPath
from tests import rule_nodes
from tests.rule_nodes import PATHS, definitions, nodes_with_attributes, rules_of
from tests.rule_nodes import facts_with_attributes as facts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Each tribe refers to earlier ones only, so there is no cycle.
tribe_sets = st.fixed_dictionaries(
    {
        "t0": definitions(others=nodes_with_attributes),
        "t1": definitions("t0", others=nodes_with_attributes),
        "t2": definitions("t0", "t1", others=nodes_with_attributes),
    }
)
any_rule = rules_of("t0", "t1", "t2", others=nodes_with_attributes)


def extension(rule: Rule, people: Sequence[Facts], tribes: Mapping[str, Definition]) -> set[int]:
    """Who of the people a rule is about, in set algebra: a second reading of what rules mean."""
    everyone = set(range(len(people)))
    if isinstance(rule, HasTag):
        upper = rule.tag.split("/")
        asked = {path for path in PATHS if path.split("/") == upper}
        if rule.match == "subtree":
            asked |= {path for path in PATHS if path.split("/")[: len(upper)] == upper}
        return {i for i in everyone if people[i].tags & asked}
    if isinstance(rule, InTribe):
        tribe = tribes[rule.tribe]
        kinds = {"users": {"user"}, "visitors": {"visitor"}, "everyone": {"user", "visitor"}}[tribe.audience]
        return extension(tribe.rule, people, tribes) & {i for i in everyone if people[i].kind in kinds}
    if isinstance(rule, InPercent):
        return {i for i in everyone if is_in_share(rule, people[i])}
    if isinstance(rule, HasContext):
        return {i for i in everyone if fits(rules.rule_json(rule), people[i].context.get(rule.field))}
    if isinstance(rule, HasEvent):
        compare = {"at-least": operator.ge, "at-most": operator.le, "exactly": operator.eq}[rule.count]
        counts = {i: people[i].count_events(rule.predicate, rule.window) for i in everyone}
        return {i for i in everyone if compare(counts[i], rule.times)}
    if isinstance(rule, HasAttribute):
        return {i for i in everyone if has_value(rule, people[i])}
    if isinstance(rule, Not):
        return everyone - extension(rule.of, people, tribes)
    parts = [extension(part, people, tribes) for part in rule.of]
    return everyone.intersection(*parts) if isinstance(rule, All) else set().union(*parts)


def is_in_share(node: InPercent, person: Facts) -> bool:
    """Whether a person is in the share, in decimals. Golden cases of another library check the points themselves."""
    if person.id is None:
        return False
    percent = Decimal(point_of(node.salt, person.kind, person.id)) / 100
    return Decimal(str(node.start)) <= percent < Decimal(str(node.start)) + Decimal(str(node.of))


def fits(node: dict[str, Any], found: Any) -> bool:
    """Whether a comparison holds, read from its JSON and that of the value: JSON tells the types apart."""
    if found is None:
        return False
    value, op, wanted = json.dumps(found), node["op"], json.loads(json.dumps(node)).get("value")
    # 1 and 1.0 are one number.
    value = value.removesuffix(".0")
    same = [json.dumps(each).removesuffix(".0") == value for each in (wanted if op == "one-of" else [wanted])]
    if op == "is-set":
        return True
    if op == "contains":
        return value.startswith(('"', "[")) and wanted in json.loads(value)
    if op in ("greater", "less"):
        if value[0] not in "-0123456789":
            return False
        return Decimal(value) > Decimal(str(wanted)) if op == "greater" else Decimal(value) < Decimal(str(wanted))
    return any(same) is (op != "is-not")


def has_value(node: HasAttribute, person: Facts) -> bool:
    """Whether an attribute node holds, read from its JSON and that of the value. Times are read with datetime."""
    found, wanted = person.attributes.get(node.attribute), rules.rule_json(node).get("value")
    if found is None:
        return False
    if found.type != "time":
        return node.op not in TIME_OPERATORS and fits(rules.rule_json(node), found.data)
    moment = EPOCH + timedelta(milliseconds=found.data)  # type: ignore[arg-type]  # The data of a time is an int.
    day, today = moment.date(), EPOCH.date() + timedelta(days=person.today)
    match node.op:
        case "before" | "after":
            bound = datetime.fromisoformat(wanted if len(wanted) > 10 else f"{wanted}T00:00:00Z")
            return moment < bound if node.op == "before" else moment > bound
        case "in-last":
            return today - timedelta(days=wanted) < day <= today
        case "in-next":
            return today <= day < today + timedelta(days=wanted)
    return node.op in ("is-set", "is-not")


@given(any_rule, tribe_sets, st.lists(facts, max_size=8))
def test_a_rule_means_the_same_one_by_one_as_in_sets(
    rule: Rule, tribes: dict[str, Definition], people: list[Facts]
) -> None:
    one_by_one = {i for i, each in enumerate(people) if rules.matches(rule, each, tribes)}

    assert one_by_one == extension(rule, people, tribes)


# More than in whole rules, because most values of one type satisfy no operator of another.
@given(st.lists(rule_nodes.attribute_nodes, min_size=1, max_size=20), facts)
def test_an_attribute_node_means_what_its_json_says(nodes: list[HasAttribute], person: Facts) -> None:
    for node in nodes:
        for value in (person.attributes.get(node.attribute), *person.attributes.values()):
            held = {} if value is None else {node.attribute: value}
            somebody = msgspec.structs.replace(person, attributes=held)
            assert rules.matches(node, somebody, {}) == has_value(node, somebody)


# Reasons.


@given(any_rule, tribe_sets, facts, facts)
def test_the_reasons_suffice_whoever_answers_them_alike_is_decided_alike(
    rule: Rule, tribes: dict[str, Definition], one: Facts, other: Facts
) -> None:
    reasons = rules.reasons(rule, one, tribes)

    if one.kind == other.kind and all(rules.matches(r.asks, other, {}) == r.holds for r in reasons):
        assert rules.matches(rule, other, tribes) == rules.matches(rule, one, tribes)


@given(any_rule, tribe_sets, facts)
def test_every_reason_is_true_and_points_at_the_node_that_asks(
    rule: Rule, tribes: dict[str, Definition], person: Facts
) -> None:
    for reason in rules.reasons(rule, person, tribes):
        assert node_at(rule, reason.node, tribes) == reason.asks
        assert rules.matches(reason.asks, person, {}) == reason.holds


def node_at(rule: Rule, pointer: str, tribes: Mapping[str, Definition]) -> Rule:
    """The node that a JSON pointer of `reasons` leads to, through tribes as well."""
    node: Any = rule
    for step in pointer.split("/")[1:]:
        if step.startswith("tribe:"):
            assert node == InTribe(step.removeprefix("tribe:"))
            node = tribes[node.tribe].rule
        else:
            node = node.of if step == "of" else node[int(step)]
    assert isinstance(node, Rule)
    return node


def test_a_tribe_whose_audience_does_not_take_the_person_needs_no_reason() -> None:
    tribes = {"members": Definition("users", HasTag("a"))}
    visitor = Facts("visitor", frozenset({TagPath("a")}))

    assert rules.reasons(Not(InTribe("members")), visitor, tribes) == []
    assert rules.matches(Not(InTribe("members")), visitor, tribes)


def test_an_all_without_parts_is_everyone_and_an_any_without_parts_nobody() -> None:
    nobody_special = Facts("visitor", frozenset())

    assert rules.matches(All(()), nobody_special, {})
    assert not rules.matches(AnyOf(()), nobody_special, {})


# JSON.


@given(any_rule)
def test_a_rule_survives_its_json(rule: Rule) -> None:
    assert rules.parse_rule(json.dumps(rules.rule_json(rule))) == rule


def test_match_is_subtree_when_the_json_leaves_it_out() -> None:
    assert rules.parse_rule('{"type":"tag","tag":"a/b"}') == HasTag("a/b", "subtree")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        '"a"',
        '{"type":"all"}',
        '{"type":"all","of":{}}',
        '{"type":"none","of":[]}',
        '{"type":"not","of":[]}',
        '{"type":"tag"}',
        '{"type":"tag","tag":null}',
        '{"type":"tag","tag":"a","match":"both"}',
        '{"type":"tag","tag":"a","extra":1}',
        '{"type":"tag","tag":"\\ud800"}',
        '{"type":"tag","tag":"\ud800"}',
        '{"type":"all","of":[]} {}',
        '{"type":"tag","tag":"e\u0301"}',
        '{"type":"percent","of":20}',
        '{"type":"percent","of":20,"salt":""}',
        '{"type":"percent","of":20,"salt":"a/b"}',
        '{"type":"percent","of":20,"salt":"e\u0301"}',
        '{"type":"percent","of":"20","salt":"s"}',
        '{"type":"percent","of":true,"salt":"s"}',
        '{"type":"percent","of":-1,"salt":"s"}',
        '{"type":"percent","of":100.5,"salt":"s"}',
        '{"type":"percent","of":0.001,"salt":"s"}',
        '{"type":"percent","of":60,"salt":"s","from":40.01}',
        '{"type":"percent","of":1e300,"salt":"s"}',
        '{"type":"percent","of":20,"salt":"s","start":1}',
        '{"type":"context","field":"p","op":"was","value":1}',
        '{"type":"context","field":"","op":"is","value":1}',
        '{"type":"context","field":" p","op":"is","value":1}',
        '{"type":"context","field":"p","op":"is"}',
        '{"type":"context","field":"p","op":"is","value":null}',
        '{"type":"context","field":"p","op":"is","value":["a"]}',
        '{"type":"context","field":"p","op":"is","value":{"a":1}}',
        '{"type":"context","field":"p","op":"one-of","value":"a"}',
        '{"type":"context","field":"p","op":"one-of","value":[]}',
        '{"type":"context","field":"p","op":"one-of","value":[["a"]]}',
        '{"type":"context","field":"p","op":"contains","value":""}',
        '{"type":"context","field":"p","op":"contains","value":7}',
        '{"type":"context","field":"p","op":"greater","value":"7"}',
        '{"type":"context","field":"p","op":"less","value":true}',
        '{"type":"context","field":"p","op":"is-set","value":true}',
        '{"type":"context","field":"p","op":"is","value":9223372036854775808}',
    ],
)
def test_what_is_no_rule_is_refused_as_such(body: str) -> None:
    with pytest.raises(RuleInvalid):
        rules.parse_rule(body)


def test_bytes_that_are_not_utf8_are_refused_as_no_rule() -> None:
    with pytest.raises(RuleInvalid):
        rules.parse_rule(b'{"type":"tag","tag":"\xff"}')


def test_a_rule_with_a_bad_tag_is_refused_for_the_tag_with_its_place() -> None:
    with pytest.raises(TagHasCapital) as caught:
        rules.parse_rule('{"type":"all","of":[{"type":"tag","tag":"a"},{"type":"not","of":{"type":"tag","tag":"A"}}]}')

    assert caught.value.members["node"] == "/of/1/of"


# Limits.


def nested(count: int) -> str:
    return '{"type":"not","of":' * (count - 1) + '{"type":"any","of":[]}' + "}" * (count - 1)


def test_a_rule_as_deep_as_is_allowed_is_taken_and_one_level_more_is_not() -> None:
    rules.parse_rule(nested(limits.LEVELS_PER_RULE_MAX))

    with pytest.raises(RuleTooDeep):
        rules.parse_rule(nested(limits.LEVELS_PER_RULE_MAX + 1))


@pytest.mark.parametrize("opening", ['{"type":"not","of":', '{"type":"all","of":[', "[", '{"x":'])
def test_json_nested_5000_deep_is_refused_fast_and_without_recursion(opening: str) -> None:
    began = time.perf_counter()

    with pytest.raises(RuleTooDeep):
        rules.parse_rule(opening * 5_000)

    assert time.perf_counter() - began < 0.5


def test_a_rule_object_5000_deep_is_refused_without_recursion() -> None:
    rule: Rule = AnyOf(())
    for _ in range(5_000):
        rule = Not(rule)

    with pytest.raises(RuleTooDeep):
        rules.check_rule(rule)


def test_brackets_inside_strings_do_not_count_as_depth() -> None:
    tag = "[{" * 30 + '\\"['

    assert rules.parse_rule('{"type":"tag","tag":"' + tag + '"}') == HasTag("[{" * 30 + '"[')


def test_a_rule_of_as_many_nodes_as_are_allowed_is_taken_and_one_more_is_not() -> None:
    rules.check_rule(AnyOf((HasTag("a"),) * (limits.NODES_PER_RULE_MAX - 1)))

    with pytest.raises(RuleTooLarge):
        rules.check_rule(AnyOf((HasTag("a"),) * limits.NODES_PER_RULE_MAX))


def test_a_body_of_too_many_bytes_is_refused_unread() -> None:
    with pytest.raises(RuleTooLarge):
        rules.parse_rule(b" " * (limits.RULE_BYTES_MAX + 1))


# Tribes that refer to tribes.


def chain(first: int, last: int) -> dict[str, Rule]:
    """Tribes that refer each to the next one; the last one to none."""
    references: dict[str, Rule] = {f"t{i}": InTribe(f"t{i + 1}") for i in range(first, last)}
    return references | {f"t{last}": AnyOf(())}


def test_a_tribe_must_not_refer_to_itself() -> None:
    with pytest.raises(TribeCycle):
        rules.check_tribes("t", Not(InTribe("t")), {})


def test_a_circle_through_others_is_refused_and_drawn() -> None:
    with pytest.raises(TribeCycle, match="t2 -> t0 -> t1 -> t2") as caught:
        rules.check_tribes("t2", InTribe("t0"), chain(0, 2))

    assert caught.value.members["tribes"] == ["t2", "t0", "t1"]


def test_a_tribe_that_does_not_exist_is_named() -> None:
    with pytest.raises(TribeUnknown) as caught:
        rules.check_tribes("t", All((InTribe("ghost"),)), {})

    assert caught.value.members["tribe"] == "ghost"


def test_a_chain_of_references_as_long_as_is_allowed_is_taken_and_one_more_is_not() -> None:
    most = limits.REFERENCES_DEEP_MAX
    rules.check_tribes("t0", InTribe("t1"), chain(1, most))

    with pytest.raises(RuleTooDeep):
        rules.check_tribes("t0", InTribe("t1"), chain(1, most + 1))


def test_a_chain_does_not_grow_past_the_limit_from_below() -> None:
    """Each half is allowed; the tribe in the middle would join them."""
    most = limits.REFERENCES_DEEP_MAX

    with pytest.raises(RuleTooDeep):
        rules.check_tribes(f"t{most}", InTribe(f"t{most + 1}"), chain(0, most) | chain(most + 1, most + 4))


def test_a_chain_is_measured_by_its_longest_way() -> None:
    most = limits.REFERENCES_DEEP_MAX
    both_ways = AnyOf((InTribe(f"t{most}"), InTribe("t1")))

    with pytest.raises(RuleTooDeep):
        rules.check_tribes("t0", both_ways, chain(1, most + 1))


def test_tribes_that_reach_too_many_nodes_through_each_other_are_refused_without_walking_them() -> None:
    layers = [[f"t{layer}-{i}" for i in range(20)] for layer in range(limits.REFERENCES_DEEP_MAX + 1)]
    others: dict[str, Rule] = {name: AnyOf(()) for name in layers[-1]}
    for upper, lower in pairwise(layers):
        others |= {name: AnyOf(tuple(InTribe(each) for each in lower)) for name in upper}

    with pytest.raises(RuleTooLarge):
        rules.check_tribes("t0-0", others["t0-0"], others)


def test_the_tags_and_tribes_that_a_rule_names_are_those_of_its_own_nodes() -> None:
    rule = All((HasTag("a"), Not(AnyOf((HasTag("b/c", "exact"), InTribe("t"))))))

    assert rules.tags_named(rule) == {"a", "b/c"}
    assert rules.tribes_named(rule) == {"t"}


# Percents.


@given(rule_nodes.percents, st.integers(1, 9_999), st.sampled_from(["user", "visitor"]), st.text(max_size=40))
def test_shares_that_lie_side_by_side_have_each_person_once(
    node: InPercent, cut: int, kind: Literal["user", "visitor"], id: str
) -> None:
    low, high = InPercent(cut / 100, node.salt), InPercent((10_000 - cut) / 100, node.salt, cut / 100)
    person = Facts(kind, frozenset(), id)

    rules.check_rule(All((low, high)))
    assert rules.matches(low, person, {}) is not rules.matches(high, person, {})


def test_a_share_of_many_people_is_about_as_large_as_it_says() -> None:
    people = [Facts("user", frozenset(), f"u{number}") for number in range(5_000)]
    inside = {each.id for each in people if rules.matches(InPercent(20, "spring"), each, {})}
    other = {each.id for each in people if rules.matches(InPercent(20, "autumn"), each, {})}

    # Five standard deviations around a fifth, and around a fifth of a fifth.
    assert 860 < len(inside) < 1_140
    assert 130 < len(inside & other) < 270


# Contexts.


@given(tribe_sets)
def test_the_tribes_that_need_a_context_are_those_that_reach_a_context_node(tribes: dict[str, Definition]) -> None:
    def reaches(name: str) -> bool:
        text = json.dumps(rules.rule_json(tribes[name].rule))
        return '"type": "context"' in text or any(map(reaches, rules.tribes_named(tribes[name].rule)))

    found = set(filter(reaches, tribes))
    assert rules.needing_context(tribes) == found
    assert {name for name, each in tribes.items() if rules.reaches(each.rule, tribes, HasContext)} == found


@given(any_rule, tribe_sets, facts, rule_nodes.contexts)
def test_a_rule_that_needs_no_context_holds_whatever_the_context_is(
    rule: Rule, tribes: dict[str, Definition], person: Facts, context: dict[str, Any]
) -> None:
    if not rules.reaches(rule, tribes, HasContext):
        elsewhere = msgspec.structs.replace(person, context=context)
        assert rules.matches(rule, elsewhere, tribes) == rules.matches(rule, person, tribes)


@given(any_rule, tribe_sets, facts)
def test_the_bounds_of_a_rule_lie_around_it_and_are_the_rule_without_a_context(
    rule: Rule, tribes: dict[str, Definition], person: Facts
) -> None:
    (upper, above), (lower, below) = rules.bound(rule, tribes), rules.bound(rule, tribes, is_upper=False)

    holds = rules.matches(rule, person, tribes)
    assert rules.matches(lower, person, below) <= holds <= rules.matches(upper, person, above)
    for bounded, others in ((upper, above), (lower, below)):
        assert not rules.reaches(bounded, others, HasContext)
    if not rules.reaches(rule, tribes, HasContext):
        assert upper == lower == rule


def test_nodes_with_values_of_different_types_are_different_nodes() -> None:
    one, true, decimal = (HasContext("p", "is", value) for value in (1, True, 1.0))

    assert one == decimal != true
    assert len({one, true, decimal}) == 2
    assert HasContext("p", "one-of", (1,)) != HasContext("p", "is", 1)


def test_the_context_of_a_request_loses_its_nulls_and_keeps_the_limits() -> None:
    assert checked_context({"a": None, "b": False, "c": ""}) == {"b": False, "c": ""}

    many: dict[str, Any] = {f"f{number}": number for number in range(limits.FIELDS_PER_CONTEXT_MAX)}
    assert checked_context(many) == many
    for invalid in (
        many | {"more": 1},
        {"": 1},
        {"a" * (limits.CHARACTERS_PER_CONTEXT_FIELD_MAX + 1): 1},
        {"a": "x" * (limits.CHARACTERS_PER_COMPARED_VALUE_MAX + 1)},
        {"a": 1 << 63},
        {"a": float("nan")},
    ):
        with pytest.raises(BodyInvalid):
            checked_context(invalid)
