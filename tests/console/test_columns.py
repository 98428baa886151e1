"""A mapping survives the form that shows it, and what is typed into the form becomes a mapping."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given

from tagloom.base.problems import ParameterInvalid
from tagloom.console.forms.mapping_form import NAMES, ColumnFields, fields_of, mapping_of, read_fields
from tagloom.imports.mapping_inference import Beginning, FirstRow
from tagloom.words.mappings import (
    AttributeColumn,
    Band,
    BandsColumn,
    Column,
    FlagColumn,
    Mapping,
    TagColumn,
    ValueColumn,
)
from tagloom.words.problems import MappingInvalid
from tests.files.test_mapped import mappings

BEGINNING = Beginning(("user", "a", "b"), [FirstRow(n, (f"u{n}", str(n), "x;y"), None) for n in range(2, 40)])


def through_the_form(fields: Sequence[ColumnFields]) -> tuple[ColumnFields, ...]:
    """The fields as a browser sends them."""
    return read_fields({name: [getattr(each, name) for each in fields] for name in NAMES})


def changed(column: Column, **fields: str) -> Column:
    """A column of `a` after somebody changed some of its fields."""
    mapping = Mapping(user="user", columns=(column,))
    shown = [
        msgspec.structs.replace(each, **fields) if each.column == "a" else each
        for each in fields_of(mapping, BEGINNING)
    ]
    (found,) = mapping_of(through_the_form(shown), prefix="", base=mapping).columns
    return found


@given(mapping=mappings)
def test_a_mapping_that_nobody_touches_is_the_same_afterwards(mapping: Mapping) -> None:
    fields = through_the_form(fields_of(mapping, BEGINNING))

    assert mapping_of(fields, prefix=mapping.prefix, base=mapping) == mapping


def test_columns_that_the_file_lacks_are_shown_too() -> None:
    mapping = Mapping(user="id", columns=(TagColumn(column="else"),))

    assert [(each.column, each.use) for each in fields_of(mapping, BEGINNING)] == [
        ("user", "ignore"),
        ("a", "ignore"),
        ("b", "ignore"),
        ("id", "user"),
        ("else", "tag"),
    ]


def test_a_column_that_means_nothing_holds_what_it_might_mean() -> None:
    _, numbers, texts = fields_of(Mapping(user="user"), BEGINNING)

    assert (numbers.below, numbers.yes, numbers.bounds) == ("a", "a", "10, 20, 30")
    assert (texts.separator, texts.bounds) == (";", "")


def test_a_use_that_is_chosen_becomes_a_column() -> None:
    plain = Mapping(user="user")
    fields = fields_of(plain, BEGINNING)

    def used(use: str) -> Column:
        shown = [msgspec.structs.replace(each, use=use) if each.column == "a" else each for each in fields]  # type: ignore[arg-type]  # Tests name uses as text.
        (found,) = mapping_of(shown, prefix="", base=plain).columns
        return found

    assert used("tag") == TagColumn(column="a", steps=("slug",))
    assert used("flag") == FlagColumn(column="a", yes="a")
    assert used("attribute") == AttributeColumn(column="a", attribute="a"), "no step changes the texts of an attribute"
    assert used("value") == ValueColumn(column="a", branch="a")
    assert used("bands") == BandsColumn(
        column="a",
        bands=(
            Band(to=Decimal(10), tag="a/up-to-10"),
            Band(to=Decimal(20), tag="a/over-10-to-20"),
            Band(to=Decimal(30), tag="a/over-20-to-30"),
            Band(tag="a/over-30"),
        ),
        blank="",
    )


def test_values_that_were_named_stay_when_the_branch_changes() -> None:
    column = ValueColumn(column="a", branch="old", values={"N/A": "", "Gold": "plan/gold"}, others="reject")

    assert changed(column, below="new", nothing="none; -") == ValueColumn(
        column="a", branch="new", values={"none": "", "-": "", "Gold": "plan/gold"}, others="reject"
    )


def test_an_attribute_keeps_its_steps_when_its_type_changes() -> None:
    column = AttributeColumn(column="a", attribute="plan", steps=("lowercase",))

    assert changed(column, value_type="list", separator="|") == AttributeColumn(
        column="a", attribute="plan", value_type="list", separator="|", steps=("lowercase",)
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"use": "bands", "bounds": "ten"}, "'ten' is not a number"),
        ({"use": "bands", "bounds": " "}, "needs at least one bound"),
        ({"use": "user"}, "Only one column can be the user id"),
        ({"use": "magic"}, "an unknown use"),
        ({"steps": "shout"}, "an unknown step"),
        ({"use": "attribute", "value_type": "money"}, "an unknown type"),
        ({"kept": "{"}, "saved column in the form is not valid"),
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, str], says: str) -> None:
    with pytest.raises((MappingInvalid, ParameterInvalid), match=says):
        changed(TagColumn(column="a"), **fields)
