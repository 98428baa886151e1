"""The tag path: what is one, where another goes wrong, and what is suggested instead."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.base import limits as base_limits
from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.words import limits as words_limits
from tagloom.words import tags
from tagloom.words.problems import (
    TagHasCapital,
    TagHasControl,
    TagHasEmptyLevel,
    TagHasStraySpace,
    TagHasTooManyLevels,
    TagIsAlias,
    TagIsEmpty,
    TagLevelTooLong,
    TagProblem,
)
from tagloom.words.tags import TagPath, is_at_or_below, is_tag, lowercased, parse_tag, resolve, suggest

# Letters that fold in odd ways, spaces, controls, marks that compose, and a lone surrogate.
CHARACTERS = "ab1/ \t\u00a0\u3000\x00\x85\ud800\u2028\u0301\u0345AÉéßİ\u0131ǅǆΣ\u03c3ςⒶ\U0001d400日\u200b…-_."
texts = st.text(alphabet=CHARACTERS, max_size=12) | st.text(max_size=20) | st.text(alphabet="aB/ é", max_size=240)
levels = st.text(alphabet="abé日1-.", min_size=1, max_size=3)
paths = st.lists(levels, min_size=1, max_size=3).map(lambda parts: parse_tag("/".join(parts)))


def broken_rules(path: str) -> set[type[Problem]]:
    """Every rule that a text in NFC breaks, written down a second time and without order."""
    parts = path.split("/")
    found: set[type[Problem]] = set()
    if path == "":
        return {TagIsEmpty}
    if any(character.isupper() or character.istitle() for character in path):
        found.add(TagHasCapital)
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in path):
        found.add(TagHasControl)
    if len(parts) > 3:
        found.add(TagHasTooManyLevels)
    if "" in parts:
        found.add(TagHasEmptyLevel)
    if any(len(part) > 64 for part in parts):
        found.add(TagLevelTooLong)
    marked = ["".join(" " if character.isspace() else "x" for character in part) for part in parts]
    if any(part != part.strip() or "  " in part for part in marked):
        found.add(TagHasStraySpace)
    return found


def problem_of(text: str) -> TagProblem:
    with pytest.raises(TagProblem) as caught:
        parse_tag(text)
    return caught.value


@given(texts)
def test_a_text_is_refused_just_when_it_breaks_a_rule_and_then_for_a_rule_it_breaks(text: str) -> None:
    broken = broken_rules(unicodedata.normalize("NFC", text))

    if broken:
        assert type(problem_of(text)) in broken
    else:
        assert is_tag(text)


@given(texts)
def test_a_path_is_the_text_in_nfc_and_never_folded(text: str) -> None:
    if is_tag(text):
        assert parse_tag(text) == unicodedata.normalize("NFC", text)


@given(texts)
def test_parsing_a_path_again_changes_nothing(text: str) -> None:
    if is_tag(text):
        assert parse_tag(parse_tag(text)) == parse_tag(text)


@given(texts)
def test_a_suggestion_is_a_path_and_another_one_than_was_written(text: str) -> None:
    suggestion = suggest(text)

    if suggestion is not None:
        assert parse_tag(suggestion) == suggestion
        assert suggestion != text


@given(texts)
def test_a_problem_shows_the_value_the_rule_and_a_position_inside_the_text(text: str) -> None:
    if not is_tag(text):
        members = problem_of(text).members
        assert members["value"] == printable(unicodedata.normalize("NFC", text))
        assert members["rule"]
        position = members["position"]
        assert isinstance(position, int)
        assert 0 <= position <= len(unicodedata.normalize("NFC", text))


@given(texts)
def test_what_is_refused_for_capitals_only_is_taken_when_lowered(text: str) -> None:
    path = unicodedata.normalize("NFC", text)
    lowered = lowercased(text)

    if broken_rules(path) == {TagHasCapital} and not broken_rules(lowered):
        assert problem_of(text).members["suggestion"] == parse_tag(lowered)


@given(texts)
def test_lowering_twice_is_lowering_once(text: str) -> None:
    assert lowercased(lowercased(text)) == lowercased(text)


@given(texts)
def test_what_is_printed_is_printable_and_bounded(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable()
    # An escaped character takes up to ten.
    assert len(shown) <= 10 * base_limits.VALUE_CHARACTERS_MAX


@given(paths, paths)
def test_at_or_below_compares_whole_levels(path: TagPath, prefix: TagPath) -> None:
    upper, lower = prefix.split("/"), path.split("/")

    assert is_at_or_below(path, prefix) == (lower[: len(upper)] == upper)


@given(paths)
def test_everything_lies_under_the_empty_prefix(path: TagPath) -> None:
    assert is_at_or_below(path, "")


@given(paths)
def test_the_branches_above_are_all_strict_prefixes_the_longest_first(path: TagPath) -> None:
    parts = path.split("/")

    assert tags.branches_above(path) == ["/".join(parts[:count]) for count in (2, 1) if count < len(parts)]


@pytest.mark.parametrize(
    ("text", "problem", "position", "suggestion"),
    [
        ("", TagIsEmpty, 0, None),
        ("Sports/Football", TagHasCapital, 0, "sports/football"),
        ("sports/fooTball", TagHasCapital, 10, "sports/football"),
        ("a/ǅ", TagHasCapital, 2, "a/ǆ"),
        ("a/b\x07", TagHasControl, 3, None),
        ("a\ud800", TagHasControl, 1, None),
        ("a/b/c/d", TagHasTooManyLevels, 5, None),
        ("/a", TagHasEmptyLevel, 0, "a"),
        ("a//b", TagHasEmptyLevel, 2, "a/b"),
        ("a/b/", TagHasEmptyLevel, 4, "a/b"),
        ("a/" + "b" * 65, TagLevelTooLong, 2, None),
        (" a", TagHasStraySpace, 0, "a"),
        ("a/b ", TagHasStraySpace, 3, "a/b"),
        ("a/big  city", TagHasStraySpace, 6, "a/big city"),
        # The mark composes with the letter before it, so the capital stands at 1 after normalisation.
        ("e\u0301B", TagHasCapital, 1, "\u00e9b"),
    ],
)
def test_each_rule_names_its_position_and_suggestion(
    text: str, problem: type[TagProblem], position: int, suggestion: str | None
) -> None:
    refused = problem_of(text)

    assert type(refused) is problem
    assert refused.members["position"] == position
    assert refused.members.get("suggestion") == suggestion


@pytest.mark.parametrize("length", [1, 64])
def test_a_level_of_1_to_64_characters_is_taken(length: int) -> None:
    assert parse_tag("é" * length) == "é" * length


def test_64_decomposed_characters_are_64_after_normalisation() -> None:
    assert parse_tag("e\u0301" * 64) == "é" * 64


@pytest.mark.parametrize("text", ["big city", "日本/東京", "émigré", "a.b-c_d", "50 %/ja & nein", "ⓐ", "1/2/3"])
def test_spaces_inside_and_every_script_are_allowed(text: str) -> None:
    assert parse_tag(text) == text


# Aliases.


def resolved(path: str, aliases: dict[str, str], live: set[str] | None = None) -> str:
    names = {TagPath(old): TagPath(new) for old, new in aliases.items()}
    return resolve(TagPath(path), is_live=lambda candidate: candidate in (live or set()), aliases=names)


def test_an_alias_of_a_branch_carries_everything_below_it() -> None:
    assert resolved("sports/golf/open", {"sports": "games"}) == "games/golf/open"


def test_the_nearest_alias_is_followed_first() -> None:
    assert resolved("sports/golf", {"sports": "games", "sports/golf": "leisure/golf"}) == "leisure/golf"


def test_a_live_tag_stands_for_itself_whatever_the_aliases_say() -> None:
    assert resolved("sports/golf", {"sports": "games"}, {"sports/golf"}) == "sports/golf"


def test_a_path_without_alias_stands_for_itself() -> None:
    assert resolved("sportswear", {"sports": "games"}) == "sportswear"


def test_as_many_renames_as_are_allowed_are_followed() -> None:
    chain = {f"a{hop}": f"a{hop + 1}" for hop in range(words_limits.ALIAS_HOPS_MAX)}

    assert resolved("a0", chain) == f"a{words_limits.ALIAS_HOPS_MAX}"


def test_one_rename_more_is_refused_and_not_chased() -> None:
    chain = {f"a{hop}": f"a{hop + 1}" for hop in range(words_limits.ALIAS_HOPS_MAX + 1)}

    with pytest.raises(TagIsAlias):
        resolved("a0", chain)


def test_a_circle_of_aliases_is_refused() -> None:
    with pytest.raises(TagIsAlias):
        resolved("a", {"a": "b", "b": "a"})


def test_the_likest_known_tags_come_first_and_few() -> None:
    near = tags.nearest("sports/footbal", ["sports/football", "sports/foot", "food", "sports/footballs", "sports/fo"])

    assert near[0] == "sports/football"
    assert len(near) <= words_limits.NEAREST_TAGS_MAX
    assert "food" not in near


@pytest.mark.parametrize(
    ("text", "problem"),
    [("A" * 400_000_000, TagLevelTooLong), ("a/" * 100_000_000, TagHasTooManyLevels)],
)
def test_a_text_of_any_length_is_refused_without_looking_at_each_character(text: str, problem: type[Problem]) -> None:
    with pytest.raises(problem) as caught:
        parse_tag(text)

    assert len(caught.value.detail) < 400
