"""The settings of an event source as lines of a form against the settings that the lines stand for."""

import pytest

from tagloom.base.problems import BodyInvalid
from tagloom.console.forms.event_source_form import SourceFields, field_of, settings_of, shown_settings
from tagloom.words.event_sources import EventSourceDraft
from tagloom.words.problems import EventTypeInvalid

KEY = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"
EMPTY = EventSourceDraft(name="Shop")


def test_lines_become_settings_and_blank_lines_are_skipped() -> None:
    fields = SourceFields(
        name="Shop",
        origins="https://shop.example\n\n  http://localhost:3000  ",
        event_types="Checkout Done = order/placed\n\na = b=order/equal",
        ignored_properties="email\nphone\n",
        identity_public_keys=f"\n{KEY}\n\n{KEY}\nx\n",
        derives_attributes="yes",
    )

    assert settings_of(fields, EMPTY) == EventSourceDraft(
        name="Shop",
        origins=("https://shop.example", "http://localhost:3000"),
        event_types={"Checkout Done": "order/placed", "a = b": "order/equal"},
        ignored_properties=("email", "phone"),
        identity_public_keys=(KEY, KEY, "x"),
    )


def test_fields_that_nobody_edited_keep_their_values_to_the_letter() -> None:
    stored = EventSourceDraft(
        name="Shop",
        event_types={" spaced ": "order/placed", "=": "order/equal"},
        ignored_properties=(" email",),
        identity_public_keys=(KEY,),
    )

    assert settings_of(shown_settings(stored), stored) == stored


def test_a_box_that_is_not_ticked_is_not_sent() -> None:
    silent = EventSourceDraft(name="Shop", derives_attributes=False)

    assert settings_of(SourceFields(name="Shop"), EMPTY) == silent
    assert settings_of(shown_settings(silent), silent) == silent


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("Ad Clicked", "Line 1: 'Ad Clicked' is not a name and a type"),
        ("A = a/b\n= order/placed", "Line 2: '= order/placed' is not a name and a type"),
        ("A = a/b\n\nB =", "Line 3: 'B =' is not a name and a type"),
        ("A = a/b\nA = a/c", "Line 2: 'A' has a type in a line above"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_by_its_number(lines: str, says: str) -> None:
    with pytest.raises(BodyInvalid) as refused:
        settings_of(SourceFields(name="Shop", event_types=lines), EMPTY)

    assert says in refused.value.detail
    assert field_of(refused.value) == "event_types"


def test_a_problem_is_shown_at_its_field() -> None:
    assert field_of(BodyInvalid("No.", field="$.origins")) == "origins"
    assert field_of(EventTypeInvalid("No.")) == "event_types"
    assert field_of(BodyInvalid("No.", field="$.revision")) == ""
    assert field_of(BodyInvalid("No.")) == ""
