"""Hints about a rule against brute force: every set of tags that matters, asked one by one."""

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.words import limits
from tagloom.words.rule_lints import KINDS, Hint, examine
from tagloom.words.rules import All, AnyOf, Definition, Facts, HasTag, InTribe, Not, Rule, is_member, matches, takes
from tagloom.words.tags import TagPath

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


@pytest.mark.parametrize("count", [limits.VARIABLES_PER_EXAMINATION_MAX + 1, 1_000])
def test_beyond_the_bound_nothing_is_said(count: int) -> None:
    many = tuple(HasTag(f"t{number}") for number in range(count))
    never = All((*many, Not(HasTag("t0"))))

    assert examine(Definition("everyone", never), {}) == ()


def test_at_the_bound_everything_is_looked_at() -> None:
    many = tuple(HasTag(f"t{number}") for number in range(limits.VARIABLES_PER_EXAMINATION_MAX))
    parts = chain.from_iterable((each, Not(each)) for each in many)

    assert said(examine(Definition("everyone", All((*many, Not(many[0])))), {}), "This rule can never match")
    assert said(examine(Definition("everyone", AnyOf(tuple(parts))), {}), "This rule always matches")
