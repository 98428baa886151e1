"""Hints about a rule against brute force: every set of tags that matters, asked one by one."""

from functools import cache
from itertools import chain, combinations, count, pairwise, product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.words import limits
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName, AttributeValue, time_of
from tagloom.words.context_rules import ContextValue, HasContext
from tagloom.words.event_rules import EventCounter, HasEvent
from tagloom.words.percent_rules import InPercent, point_of
from tagloom.words.rule_lints import KINDS, Hint, examine
from tagloom.words.rules import (
    All,
    AnyOf,
    Definition,
    Facts,
    HasTag,
    InTribe,
    Leaf,
    Not,
    Rule,
    is_member,
    matches,
    takes,
)
from tagloom.words.tags import TagPath
from tests import rule_nodes
from tests.rule_nodes import DAY

PATHS = ("a", "a/b", "a/b/c", "b")
# With one tag more below each path that has room, everything is there that rules over PATHS can tell apart.
TAGS = [TagPath(path) for path in (*PATHS, "a/x", "a/b/x", "b/x")]
SETS = [frozenset(chosen) for size in range(len(TAGS) + 1) for chosen in combinations(TAGS, size)]
PEOPLE = [Facts(kind, tags) for kind in KINDS for tags in SETS]

nodes = st.builds(HasTag, st.sampled_from(PATHS), st.sampled_from(["subtree", "exact"]))
audiences = st.sampled_from(["users", "visitors", "everyone"])


def rules(*tribes: str) -> st.SearchStrategy[Rule]:
    leaves: st.SearchStrategy[Rule] = nodes | st.builds(InTribe, st.sampled_from(tribes)) if tribes else nodes

    def above(parts: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
        several = st.lists(parts, max_size=3).map(tuple)
        return st.builds(All, several) | st.builds(AnyOf, several) | st.builds(Not, parts)

    return st.recursive(leaves, above, max_leaves=5)


# The shares and contexts of `rule_nodes`: with one more value between and beside each two that nodes name, everything
# is there that nodes of one salt and of one field can tell apart.
SALT, FIELD = "spring", "platform"
EDGES = (0, 1, 2_000, 3_333, 5_000, 9_999, 10_000)
MORE_VALUES = ("zz", "xio", "xios", "x1", "xio1", "xios1", -9, -1, 0.5, 2, 9)
CONTEXTS: list[dict[str, ContextValue]] = [{}, *({FIELD: value} for value in (*rule_nodes.VALUES, *MORE_VALUES))]

# All numbers of events that the nodes of `rule_nodes` tell apart.
EVENT_COUNTERS: list[EventCounter] = [lambda _, __, number=number: number for number in range(5)]  # type: ignore[misc]  # Bound at once.


@cache
def requests() -> list[Facts]:
    """Somebody of each kind between each two edges, with and without a tag, in each context, with 0 to 4 events."""
    found = []
    for kind, (low, high) in product(KINDS, pairwise(EDGES)):
        id = next(id for id in map(str, count()) if low <= point_of(SALT, kind, id) < high)
        found += [
            Facts(kind, tags, id, context, count_events=counter)
            for tags, context, counter in product(
                (frozenset[TagPath](), frozenset({TagPath("a")})), CONTEXTS, EVENT_COUNTERS
            )
        ]
    return found


def in_one_group(node: Leaf) -> Leaf:
    """The node with the one salt, the one field, or the one window of the one event."""
    if isinstance(node, HasEvent):
        return msgspec.structs.replace(node, event="ad", days=1, where=())
    return msgspec.structs.replace(node, **({"salt": SALT} if isinstance(node, InPercent) else {"field": FIELD}))


new_leaves = st.just(HasTag("a", "exact")) | rule_nodes.new_nodes.map(in_one_group)


def above(parts: st.SearchStrategy[Rule]) -> st.SearchStrategy[Rule]:
    several = st.lists(parts, min_size=1, max_size=3).map(tuple)
    return st.builds(All, several) | st.builds(AnyOf, several) | st.builds(Not, parts)


new_rules: st.SearchStrategy[Rule] = st.recursive(new_leaves, above, max_leaves=4)


@settings(max_examples=settings().max_examples // 2)
@given(st.builds(Definition, audiences, new_rules), st.builds(Definition, audiences, new_rules))
def test_shares_and_contexts_are_examined_as_exactly_as_tags(wanted: Definition, other: Definition) -> None:
    inside = [facts for facts in requests() if takes(wanted, facts.kind)]
    holds = {matches(wanted.rule, facts, {}) for facts in inside}

    hints = examine(wanted, {"other": other})

    assert said(hints, "This rule can never match") == (holds == {False})
    assert said(hints, "This rule always matches") == (holds == {True})
    if len(holds) == 2:
        is_same = all(is_member(wanted, facts, {}) == is_member(other, facts, {}) for facts in requests())
        assert any("'other'" in hint.text for hint in hints) == is_same


def test_a_contradiction_of_shares_and_contexts_is_told_in_words() -> None:
    ios, tested = HasContext("platform", "is", "ios"), InPercent(20, "spring")

    assert examine(Definition("everyone", All((HasTag("a"), ios, HasContext("platform", "less", 7)))), {}) == (
        Hint(
            "This rule can never match: nobody can have a context in which 'platform' is 'ios' "
            "and have a context in which 'platform' is less than 7.",
            ("/of/1", "/of/2"),
        ),
    )
    assert examine(Definition("everyone", All((tested, InPercent(10.5, "spring", 20)))), {}) == (
        Hint(
            "This rule can never match: nobody can be in the 0 to 20 percent of 'spring' "
            "and be in the 20 to 30.5 percent of 'spring'.",
            ("/of/0", "/of/1"),
        ),
    )
    assert examine(Definition("everyone", AnyOf((tested, InPercent(80, "spring", 20)))), {}) == (
        Hint("This rule always matches: it finds everyone.", ("",)),
    )


def test_a_contradiction_of_events_is_told_in_words() -> None:
    often, never = HasEvent("ad/clicked", 7, times=3), HasEvent("ad/clicked", 7, times=0, count="exactly")

    assert examine(Definition("everyone", All((often, never))), {}) == (
        Hint(
            "This rule can never match: nobody can have at least 3 'ad/clicked' events in the last 7 days "
            "and have exactly 0 'ad/clicked' events in the last 7 days.",
            ("/of/0", "/of/1"),
        ),
    )
    # Windows of two lengths are not compared, so there is no hint.
    assert examine(Definition("everyone", All((often, HasEvent("ad/clicked", 30, times=0, count="exactly")))), {}) == ()


def test_shares_contexts_and_attributes_that_are_too_many_to_examine_have_no_lints() -> None:
    shares = tuple(InPercent(1, "spring", number) for number in range(80))
    texts = tuple(HasContext("path", "contains", f"/{number}/") for number in range(7))
    items = tuple(HasAttribute(ATTRIBUTE, "contains", f"/{number}/") for number in range(7))
    windows = tuple(HasAttribute(ATTRIBUTE, "in-last", number) for number in range(1, 9))
    times = (*windows, *(HasAttribute(ATTRIBUTE, "before", f"2024-10-0{number}") for number in range(1, 10)))

    for many in (shares, texts, items, times):
        assert examine(Definition("everyone", All((*many, Not(many[0])))), {}) == ()


# Values of each type of the attribute `plan`, with today: more than nodes of one attribute can tell apart.
ATTRIBUTE = AttributeName("plan")
LISTS = [chosen for size in range(4) for chosen in combinations(("ios", "1", "io"), size)]
MOMENT_VALUES = [day * rule_nodes.DAY + rest for day in range(19_998, 20_003) for rest in (0, 1, DAY // 2, DAY - 1)]
MOMENT_VALUES += [time + offset for text in rule_nodes.MOMENTS if (time := time_of(text)) for offset in (-1, 0, 1)]


@cache
def holders() -> list[Facts]:
    """Somebody without the attribute, and somebody with each value. Those with a time are asked on several days."""
    texts = [*rule_nodes.VALUES, *MORE_VALUES, rule_nodes.MOMENTS[0]]
    values = [*map(rule_nodes.attribute_value, texts), *(AttributeValue("list", items) for items in LISTS)]
    found = [Facts("user", frozenset(), attributes=held) for held in ({}, *({ATTRIBUTE: value} for value in values))]
    for moment in sorted(set(MOMENT_VALUES)):
        held = {ATTRIBUTE: AttributeValue("time", moment)}
        found += [
            Facts("user", frozenset(), attributes=held, today=moment // DAY + distance) for distance in range(-8, 9)
        ]
    return found


one_attribute = rule_nodes.attribute_nodes.map(lambda node: msgspec.structs.replace(node, attribute=ATTRIBUTE))
attribute_rules: st.SearchStrategy[Rule] = st.recursive(one_attribute, above, max_leaves=4)


@given(
    st.builds(Definition, st.just("users"), attribute_rules), st.builds(Definition, st.just("users"), attribute_rules)
)
def test_attributes_are_examined_as_exactly_as_tags(wanted: Definition, other: Definition) -> None:
    members = [matches(wanted.rule, facts, {}) for facts in holders()]

    hints = examine(wanted, {"other": other})

    assert said(hints, "This rule can never match") == (not any(members))
    assert said(hints, "This rule always matches") == all(members)
    if len(set(members)) == 2:
        is_same = members == [matches(other.rule, facts, {}) for facts in holders()]
        assert any("'other'" in hint.text for hint in hints) == is_same


@given(
    st.recursive(rule_nodes.attribute_nodes | nodes, above, max_leaves=6),
    st.lists(rule_nodes.facts_with_attributes, max_size=20),
)
def test_no_person_contradicts_a_lint_about_attributes(rule: Rule, people: list[Facts]) -> None:
    hints = examine(Definition("everyone", rule), {})

    found = {matches(rule, facts, {}) for facts in people}
    assert not (said(hints, "This rule can never match") and True in found)
    assert not (said(hints, "This rule always matches") and False in found)


def test_a_contradiction_of_attributes_is_told_in_words() -> None:
    gold, large = HasAttribute(ATTRIBUTE, "is", "gold"), HasAttribute(ATTRIBUTE, "greater", 7)

    assert examine(Definition("everyone", All((HasTag("a"), gold, large))), {}) == (
        Hint(
            "This rule can never match: nobody can be a person whose attribute 'plan' is 'gold' "
            "and be a person whose attribute 'plan' is greater than 7.",
            ("/of/1", "/of/2"),
        ),
    )
    assert examine(Definition("everyone", All((gold, Not(HasAttribute(ATTRIBUTE, "is-set"))))), {}) == (
        Hint(
            "This rule can never match: nobody can be a person whose attribute 'plan' is 'gold' "
            "and not be a person whose attribute 'plan' is set.",
            ("/of/0", "/of/1"),
        ),
    )
    before, recent = HasAttribute(ATTRIBUTE, "before", "2020-01-01"), HasAttribute(ATTRIBUTE, "in-last", 7)
    assert said(
        examine(Definition("everyone", All((before, HasAttribute(ATTRIBUTE, "after", "2020-01-01T00:00:00Z")))), {}),
        "This rule can never match",
    )
    # A text with 'ios' contains 'io', but a list with the item 'ios' does not have the item 'io'.
    ios, io = (HasAttribute(ATTRIBUTE, "contains", text) for text in ("ios", "io"))
    assert examine(Definition("everyone", All((ios, Not(io)))), {}) == ()
    # A rule can be read as of an earlier day, on which both hold.
    assert examine(Definition("everyone", All((before, recent))), {}) == ()
    assert examine(Definition("everyone", All((gold, HasAttribute(AttributeName("size"), "greater", 7)))), {}) == ()


def test_a_window_of_today_is_the_same_forwards_and_backwards() -> None:
    backwards, forwards = (HasAttribute(ATTRIBUTE, op, 1) for op in ("in-last", "in-next"))

    hints = examine(Definition("everyone", backwards), {"forwards": Definition("everyone", forwards)})

    assert hints == (Hint("This rule means the same as the tribe 'forwards'.", ()),)


def tribes(*names: str) -> st.SearchStrategy[Definition]:
    return st.builds(Definition, audiences, rules(*names))


known = st.fixed_dictionaries({"t0": tribes(), "t1": tribes("t0")})


@given(tribes("t0", "t1"), known)
def test_a_rule_is_said_to_match_never_or_always_just_when_it_does(
    wanted: Definition, others: dict[str, Definition]
) -> None:
    inside = {matches(wanted.rule, facts, others) for facts in PEOPLE if takes(wanted, facts.kind)}

    hints = examine(wanted, others)

    assert said(hints, "This rule can never match") == (inside == {False})
    assert said(hints, "This rule always matches") == (inside == {True} and wanted.rule != All(()))


@given(tribes("t0", "t1"), known)
def test_a_rule_is_said_to_mean_what_a_tribe_means_just_when_it_does(
    wanted: Definition, others: dict[str, Definition]
) -> None:
    extension = [is_member(wanted, facts, others) for facts in PEOPLE]
    same = {
        name
        for name, tribe in others.items()
        if [is_member(tribe, facts, others) for facts in PEOPLE] == extension and wanted.rule != InTribe(name)
    }
    holds = {matches(wanted.rule, facts, others) for facts in PEOPLE if takes(wanted, facts.kind)}

    hints = examine(wanted, others)

    if len(holds) == 2:
        assert {
            name for name in others if any(f"'{name}'" in hint.text and " same " in hint.text for hint in hints)
        } == same


@given(tribes("t0"), known, st.sampled_from(PATHS))
def test_an_exclusive_branch_is_taken_into_account(
    wanted: Definition, others: dict[str, Definition], exclusive: str
) -> None:
    branch = TagPath(exclusive)

    def keeps(facts: Facts) -> bool:
        return sum(1 for tag in facts.tags if tag == branch or tag.startswith(branch + "/")) <= 1

    possible = [facts for facts in PEOPLE if takes(wanted, facts.kind) and matches(wanted.rule, facts, others)]

    hints = examine(
        wanted, others, exclusive_branches=lambda path: [branch] if f"{path}/".startswith(f"{branch}/") else []
    )

    assert said(hints, "This rule can never match") == (not any(map(keeps, possible)))


def said(hints: tuple[Hint, ...], words: str) -> bool:
    return any(hint.text.startswith(words) for hint in hints)


def test_a_contradiction_names_the_fewest_parts_that_make_it() -> None:
    rule = All((HasTag("vip"), HasTag("a/b"), HasTag("c"), Not(HasTag("a"))))

    assert examine(Definition("everyone", rule), {}) == (
        Hint(
            "This rule can never match: nobody can have 'a/b' or a tag below it "
            "and have neither 'a' nor a tag below it.",
            ("/of/1", "/of/3"),
        ),
    )


def test_a_part_that_never_or_always_holds_is_pointed_at() -> None:
    never, always = All((HasTag("a"), Not(HasTag("a")))), AnyOf((HasTag("b"), Not(HasTag("b"))))
    rule = All((AnyOf((HasTag("c"), never)), always))

    assert examine(Definition("users", rule), {}) == (
        Hint("This part can never match.", ("/of/0/of/1",)),
        Hint("This part always matches.", ("/of/1",)),
    )


def test_the_tribe_that_is_being_changed_is_no_double_of_itself() -> None:
    fans = Definition("everyone", HasTag("a"))

    assert examine(fans, {"fans": fans}, itself="fans") == ()
    assert examine(fans, {"fans": fans}) == (Hint("This rule means the same as the tribe 'fans'.", ()),)


def test_a_tribe_of_nobody_in_the_audience_is_a_contradiction() -> None:
    others = {"guests": Definition("visitors", HasTag("a"))}

    hints = examine(Definition("users", InTribe("guests")), others)

    assert hints == (Hint("This rule can never match: nobody can be in the tribe 'guests'.", ("",)),)


@pytest.mark.parametrize("tags", [limits.VARIABLES_PER_EXAMINATION_MAX + 1, 1_000])
def test_beyond_the_bound_nothing_is_said(tags: int) -> None:
    many = tuple(HasTag(f"t{number}") for number in range(tags))
    never = All((*many, Not(HasTag("t0"))))

    assert examine(Definition("everyone", never), {}) == ()


def test_at_the_bound_everything_is_looked_at() -> None:
    many = tuple(HasTag(f"t{number}") for number in range(limits.VARIABLES_PER_EXAMINATION_MAX))
    parts = chain.from_iterable((each, Not(each)) for each in many)

    assert said(examine(Definition("everyone", All((*many, Not(many[0])))), {}), "This rule can never match")
    assert said(examine(Definition("everyone", AnyOf(tuple(parts))), {}), "This rule always matches")
