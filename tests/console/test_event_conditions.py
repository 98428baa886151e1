"""Conditions on properties as text against the conditions that the text stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.console.forms.event_conditions import OPERATORS, conditions_of, text_of
from tagloom.words.event_rules import Condition
from tagloom.words.problems import RuleInvalid

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9) | st.sampled_from(
    ["and", "true", "null", "1", "1e3", "a and b", 'a "quote" b', "[1]", "a,b", "is", "", " ", "\\"]
)
names = texts.filter(bool)
values = texts | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
conditions = st.builds(
    Condition, names, st.sampled_from([op for op in OPERATORS.values() if op not in ("one-of", "is-set")]), values
)
lists = st.builds(Condition, names, st.just("one-of"), st.lists(values, min_size=1, max_size=3).map(tuple))
set_ones = st.builds(Condition, names, st.just("is-set"))


@pytest.mark.hypothesis
@given(st.lists(conditions | lists | set_ones, max_size=4))
def test_conditions_survive_as_text(where: list[Condition]) -> None:
    assert conditions_of(text_of(where)) == tuple(where)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", ()),
        ("genre is football", (Condition("genre", "is", "football"),)),
        (
            'genre is "football" and  seconds greater 60',
            (Condition("genre", "is", "football"), Condition("seconds", "greater", 60)),
        ),
        ("live is true and ratio less 1.5", (Condition("live", "is", True), Condition("ratio", "less", 1.5))),
        ("page is-set", (Condition("page", "is-set"),)),
        ('genre one-of ["news", 2]', (Condition("genre", "one-of", ("news", 2)),)),
        ('"the genre" is-not \u00fcber', (Condition("the genre", "is-not", "\u00fcber"),)),
    ],
)
def test_people_can_write_conditions_without_quotes(text: str, where: tuple[Condition, ...]) -> None:
    assert conditions_of(text) == where


@pytest.mark.parametrize(
    "text",
    [
        "genre",
        "genre is",
        "genre = football",
        "genre is football seconds is 1",
        "genre is a and",
        'genre is "a',
        "a is [1",
        "1",
        "[" * 50_000,
        '[""' * 50_000,
    ],
)
def test_a_text_that_has_no_conditions_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RuleInvalid, match="genre is football and seconds greater 60"):
        conditions_of(text)
