"""Values of attributes as text in a form against the values that the text stands for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.console.forms.attribute_values import TYPES, shown, typed_value, written
from tagloom.words.attributes import ATTRIBUTE_TYPES, AttributeType, AttributeValue, parse_value, plain
from tagloom.words.problems import AttributeValueInvalid

odd_texts = ("", " ", "a, b", '"a"', '"', "\\", "a\nb", "yes", "7", "2026-03-01", ",", "[1]", "\u00a0a", "\u200b")
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9) | st.sampled_from(
    odd_texts
)
# From year 1 to year 9999.
milliseconds = st.integers(-62_135_596_800_000, 253_402_300_799_999)
moments = (
    milliseconds
    | milliseconds.map(lambda each: each - each % 60_000)
    | milliseconds.map(lambda each: each - each % 86_400_000)
)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(
    st.booleans().map(parse_value),
    numbers.map(parse_value),
    texts.map(lambda each: AttributeValue("text", each)),
    moments.map(lambda each: AttributeValue("time", each)),
    st.lists(texts, max_size=4).map(parse_value),
)


@pytest.mark.hypothesis
@given(values)
def test_a_value_survives_as_text_in_a_field(value: AttributeValue) -> None:
    text = written(value)

    # A field of a page has one line, and the form strips its spaces.
    assert text == text.strip()
    assert not {"\n", "\r"} & set(text)
    assert typed_value(text, value.type) == value


@pytest.mark.hypothesis
@given(values)
def test_every_value_is_shown(value: AttributeValue) -> None:
    found = shown(plain(value), value.type)

    assert (found.items is not None) == (value.type == "list")
    assert (found.at is not None) == (value.type == "time")


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        ("text", " gold ", "gold"),
        ("text", "7", "7"),
        ("text", '" a"', " a"),
        ("text", "2026-03-01", "2026-03-01"),
        ("number", "7", 7),
        ("number", "-2.50", -2.5),
        ("boolean", "Yes", True),
        ("boolean", "false", False),
        ("time", "29 Nov 2026", "2026-11-29T00:00:00.000Z"),
        ("time", "29 Nov 2026, 10:05", "2026-11-29T10:05:00.000Z"),
        ("time", "2026-11-29 10:05", "2026-11-29T10:05:00.000Z"),
        ("time", "2026-11-29T10:05:30", "2026-11-29T10:05:30.000Z"),
        ("time", "2026-11-29T10:05:30+01:00", "2026-11-29T09:05:30.000Z"),
        ("list", 'a, "b, c",,d', ["a", "b, c", "d"]),
        ("list", "", []),
    ],
)
def test_a_text_is_read_by_the_type_of_the_attribute(type: AttributeType, text: str, value: Any) -> None:
    assert plain(typed_value(text, type)) == value


@pytest.mark.parametrize(
    ("type", "text", "message"),
    [
        ("text", "", "Enter a text"),
        ("text", '"gold', "begins with a double quote"),
        ("text", "a" * 1_025, "at most 1,024 are allowed"),
        ("number", "", "Enter a number"),
        ("number", "gold", "'gold' is not a number"),
        ("number", "inf", "finite"),
        ("number", "9007199254740993", "not exact"),
        ("boolean", "maybe", "Enter yes or no"),
        ("time", "soon", "Enter a time such as 29 Nov 2026, 10:05"),
        ("time", "", "Enter a time"),
        ("list", 'a, "b', "begins with a double quote"),
        ("list", ",".join("x" * 101), "at most 100 items"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_the_reason(type: AttributeType, text: str, message: str) -> None:
    with pytest.raises(AttributeValueInvalid, match=message):
        typed_value(text, type)


def test_every_type_has_a_label() -> None:
    assert set(TYPES) == set(ATTRIBUTE_TYPES)


@pytest.mark.parametrize(
    ("type", "value", "text"),
    [
        ("number", 1_204_331, "1,204,331"),
        ("number", 0.5, "0.5"),
        ("boolean", False, "no"),
        ("text", "2026-11-29", "2026-11-29"),
        ("time", "2026-11-29T00:00:00.000Z", "29 Nov 2026"),
        ("time", "2026-11-29T10:05:30.000Z", "29 Nov 2026, 10:05 UTC"),
        (None, "2026-11-29T00:00:00.000Z", "2026-11-29T00:00:00.000Z"),
        ("list", ["a", "b"], "a, b"),
    ],
)
def test_a_value_is_shown_as_the_console_shows_its_type(type: AttributeType | None, value: Any, text: str) -> None:
    assert shown(value, type).text == text
