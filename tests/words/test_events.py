"""Event types, and the rule by which names become types."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.words.events import find_event_type, parse_event_type
from tagloom.words.problems import EventTypeInvalid


@pytest.mark.parametrize(
    ("name", "type"),
    [
        ("Ad Clicked", "ad/clicked"),
        ("Product List Viewed", "product/list-viewed"),
        ("adClicked", "ad/clicked"),
        ("ad_clicked", "ad/clicked"),
        ("Signup", "event/signup"),
        ("HTTPError Seen", "http/error-seen"),
        ("Überweisung Getätigt", "überweisung/getätigt"),
        ("日本 語", "日本/語"),
        ("ad/clicked", "ad/clicked"),
        ("Ad/Clicked", "ad/clicked"),
        ("Level 2 Done", "level/2-done"),
        (" ", None),
        ("$", None),
    ],
)
def test_a_name_becomes_a_type_by_its_words(name: str, type: str | None) -> None:
    assert find_event_type(name) == type


@pytest.mark.hypothesis
@given(st.text(max_size=400))
def test_the_type_of_a_name_is_a_type_and_has_itself_as_its_type(name: str) -> None:
    found = find_event_type(name)

    if found is not None:
        assert parse_event_type(found) == found
        assert find_event_type(found) == found


@pytest.mark.parametrize(
    "text", ["", "ad", "ad/clicked/twice", "Ad/Clicked", "ad/", "/clicked", "ad/ clicked", "\ud800/a"]
)
def test_a_text_without_a_category_and_an_action_is_refused(text: str) -> None:
    with pytest.raises(EventTypeInvalid):
        parse_event_type(text)


def test_a_refused_name_has_the_type_as_a_suggestion() -> None:
    with pytest.raises(EventTypeInvalid) as refused:
        parse_event_type("Ad Clicked")

    assert refused.value.members["suggestion"] == "ad/clicked"
