"""Typed attributes of people in every adapter: their values, the lines that set them, and their catalogue."""

import math
from typing import Any

import pytest

from tagloom.base.text import printable
from tagloom.ports.population import Population
from tagloom.ports.problems import AttributeExists, AttributeNotFound
from tagloom.words import limits
from tagloom.words.attributes import (
    Attribute,
    AttributeName,
    AttributeValue,
    ValueCount,
)
from tagloom.words.problems import TooManyAttributes
from tagloom.words.rules import All
from tests.bodies import Line, unreadable, user, visitor
from tests.contract.attribute_steps import PLAN, attribute, attributes, delete, faults, line, put, undo, values_of
from tests.contract.conftest import Subject
from tests.contract.steps import apply, count, people, tags_of, user_of

# Values.


@pytest.mark.parametrize(
    ("given", "type", "shown"),
    [
        (True, "boolean", True),
        (False, "boolean", False),
        (1, "number", 1),
        (1.0, "number", 1),
        (-1.5, "number", -1.5),
        (-0.0, "number", 0),
        (5e-324, "number", 5e-324),
        (-1.7e308, "number", -1.7e308),
        (1.7e308, "number", 1.7e308),
        (2**53, "number", 2**53),
        (-(2**53), "number", -(2**53)),
        (1e17, "number", 1e17),
        ("", "text", ""),
        ("gold", "text", "gold"),
        ("\u00fc" * 512, "text", "\u00fc" * 512),
        ("2026-03-01T10:00", "text", "2026-03-01T10:00"),
        ("2026-02-30", "text", "2026-02-30"),
        ("2026-03-01", "time", "2026-03-01T00:00:00.000Z"),
        ("1969-12-31T23:59:59.999Z", "time", "1969-12-31T23:59:59.999Z"),
        ("2026-03-01T10:00:00+02:00", "time", "2026-03-01T08:00:00.000Z"),
        ("2026-03-01 01:30-0330", "time", "2026-03-01T05:00:00.000Z"),
        ("0001-01-01", "time", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "time", "9999-12-31T23:59:59.999Z"),
        ([], "list", []),
        (["b", "a", "b", ""], "list", ["b", "a", "b", ""]),
        (AttributeValue("text", "2026-03-01"), "text", "2026-03-01"),
    ],
)
def test_a_value_keeps_its_type_and_comes_back_as_json(
    population: Population, given: Any, type: str, shown: Any
) -> None:
    receipt = apply(population, "add", user("u1", plan=given))

    assert (receipt.rejected, receipt.attributes, receipt.new_attributes) == ((), 1, 1)
    found = values_of(population, "u1")
    assert found is not None
    assert found == {"plan": shown}
    assert isinstance(found["plan"], bool | int) == isinstance(shown, bool | int)
    assert attributes(population) == {"plan": (type, 1)}
    assert population.values_of_attribute(PLAN, 9).values == (ValueCount(shown, 1),)


@pytest.mark.parametrize(
    "given",
    [
        math.nan,
        math.inf,
        -math.inf,
        2**53 + 1,
        -(2**53) - 1,
        "x" * 1_025,
        "\u00fc" * 513,
        "a\0b",
        "\ud800",
        ["a", "b\0"],
        ["\udfff"],
        ["x"] * 101,
        ["x" * 600, "y" * 600],
        ["a", 1],
        [["a"]],
        {"a": 1},
    ],
)
def test_a_line_with_what_cannot_be_a_value_is_rejected_and_changes_nothing(population: Population, given: Any) -> None:
    receipt = apply(population, "add", user("u1", "a", plan=given))

    assert faults(receipt) == [(1, "plan", "attribute-value-invalid")]
    assert (receipt.version, population.list_attributes(), people(population)) == (0, (), [])


@pytest.mark.parametrize("name", ["", " plan", "plan ", "pl\nan", "\ud800", "x" * 129])
def test_a_line_with_an_invalid_name_is_rejected(population: Population, name: str) -> None:
    (rejected,) = apply(population, "add", line("u1", (name, 1))).rejected

    assert rejected.problem == "attribute-name-invalid"
    assert rejected.value == printable(name)
    assert population.version() == 0


def test_names_are_case_sensitive_and_equal_in_every_unicode_form(population: Population) -> None:
    apply(population, "add", line("u1", ("caf\u00e9", 1), ("cafe\u0301", 2), ("Caf\u00e9", 3), ("a.b c", "x")))

    assert values_of(population, "u1") == {"Caf\u00e9": 3, "a.b c": "x", "caf\u00e9": 2}


def test_true_is_not_1_and_1_is_1_point_0(population: Population) -> None:
    apply(population, "add", user("u1", number=1, flag=True))

    receipt = apply(population, "add", user("u1", number=1.0), user("u2", number=True), user("u3", flag=1))

    assert (receipt.version, receipt.attributes) == (1, 0)
    assert faults(receipt) == [(2, "number", "attribute-type-conflict"), (3, "flag", "attribute-type-conflict")]


def test_an_empty_text_and_an_empty_list_are_values(population: Population) -> None:
    apply(population, "add", user("u1", text="", items=[]))

    assert values_of(population, "u1") == {"items": [], "text": ""}
    assert count(population, All((attribute("text", "is-set"), attribute("items", "is-set")))) == 1


def test_an_attribute_of_type_text_keeps_what_looks_like_a_time(population: Population) -> None:
    put(population, "plan", "text")

    receipt = apply(population, "add", user("u1", plan="2026-03-01"), user("u2", plan=AttributeValue("time", 0)))

    assert values_of(population, "u1") == {"plan": "2026-03-01"}
    assert faults(receipt) == [(2, "plan", "attribute-type-conflict")]


# The types of new attributes.


def test_a_new_attribute_gets_the_type_of_its_first_value(population: Population) -> None:
    receipt = apply(population, "add", user("u1", plan="gold"), user("u2", plan=1), user("u3", plan="2026-03-01"))

    assert faults(receipt) == [(2, "plan", "attribute-type-conflict")]
    assert (receipt.attributes, receipt.new_attributes) == (2, 1)
    assert attributes(population) == {"plan": ("text", 2)}


def test_none_and_invalid_values_decide_no_type(population: Population) -> None:
    receipt = apply(population, "add", user("u1", plan=None), user("u2", plan=math.nan), user("u3", plan=7))

    assert faults(receipt) == [(2, "plan", "attribute-value-invalid")]
    assert attributes(population) == {"plan": ("number", 1)}


def test_a_value_decides_the_type_also_if_its_line_is_rejected(population: Population) -> None:
    receipt = apply(population, "add", user("u1", "a//b", plan=1), user("u2", plan="gold"), user("u3", plan=2))

    assert [each.problem for each in receipt.rejected] == ["tag-has-empty-level", "attribute-type-conflict"]
    assert attributes(population) == {"plan": ("number", 1)}


def test_the_first_valid_value_of_a_line_decides_for_the_line_itself(population: Population) -> None:
    receipt = apply(population, "add", line("u1", ("plan", 1), ("plan", "gold")), line("u2", ("plan", 2)))

    assert faults(receipt) == [(1, "plan", "attribute-type-conflict")]
    assert attributes(population) == {"plan": ("number", 1)}


def test_an_attribute_that_only_rejected_lines_set_is_not_created(population: Population) -> None:
    receipt = apply(population, "add", user("u1", "a//b", plan=1), user("u2", "a"))

    assert (receipt.new_attributes, population.list_attributes()) == (0, ())


def test_an_attribute_is_not_created_if_a_later_line_removes_its_only_value(population: Population) -> None:
    receipt = apply(population, "add", user("u1", plan=1), user("u1", plan=None))

    assert (receipt.attributes, receipt.new_attributes, receipt.new_people) == (0, 0, 1)
    assert attributes(population) == {}
    assert values_of(population, "u1") == {}


def test_the_type_decides_across_the_parts_of_a_body(population: Population) -> None:
    apply(population, "add", user("u1", plan=1))

    assert faults(apply(population, "add", user("u1", plan=["x"]))) == [(1, "plan", "attribute-type-conflict")]


# Closed catalogues, and limits.


def test_a_closed_catalogue_rejects_unknown_attributes_also_their_removal(subject: Subject) -> None:
    subject.close_catalogue(True)

    receipt = apply(subject.population, "add", user("u1", plan=1), user("u2", plan=None), user("u3"))

    assert faults(receipt) == [(1, "plan", "unknown-attribute"), (2, "plan", "unknown-attribute")]
    assert people(subject.population) == ["u3"]
    put(subject.population, "plan", "number")
    assert apply(subject.population, "add", user("u1", plan=1), user("u2", plan=None)).rejected == ()


def test_removing_an_unknown_attribute_changes_nothing_in_an_open_catalogue(population: Population) -> None:
    apply(population, "add", user("u1"))

    receipt = apply(population, "add", user("u1", plan=None))

    assert (receipt.version, receipt.rejected, receipt.attributes) == (1, (), 0)
    assert population.list_attributes() == ()


def test_the_order_decides_which_attributes_there_is_room_for(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ATTRIBUTES_PER_ENVIRONMENT_MAX", 2)
    put(population, "a", "number")

    receipt = apply(
        population, "add", user("u1", a=1), user("u1", b=math.nan), user("u1", c=1), user("u1", b=1), user("u1", b=None)
    )

    assert faults(receipt) == [(2, "b", "attribute-value-invalid"), (4, "b", "too-many-attributes")]
    assert values_of(population, "u1") == {"a": 1, "c": 1}
    with pytest.raises(TooManyAttributes):
        put(population, "d", "text")
    delete(population, "c")
    put(population, "d", "text")
    with pytest.raises(TooManyAttributes):
        undo(population, population.version() - 1)


def test_a_line_with_more_values_than_a_person_can_get_is_rejected(
    population: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ATTRIBUTES_PER_PERSON_MAX", 2)

    receipt = apply(population, "add", user("u1", a=1, b=2, c=3), user("u2", a=1, b=2))

    assert faults(receipt) == [(1, "c", "too-many-attributes")]
    assert values_of(population, "u2") == {"a": 1, "b": 2}


# Lines.


def test_a_line_is_rejected_as_a_whole_for_its_first_fault(population: Population) -> None:
    put(population, "plan", "text")

    receipt = apply(
        population,
        "change",
        line("u1", ("", 1), ("plan", 1), tags=["a", "a//b"]),
        line("u2", ("ok", 1), ("plan", 1), ("", 1), tags=["a"]),
        Line(user_of("u3"), ["a"], ["a"], values=[("plan", 1)]),
        Line(user_of("u4"), ["a"], ["a"], values=[("plan", "x")]),
    )

    assert faults(receipt) == [
        (1, "a//b", "tag-has-empty-level"),
        (2, "plan", "attribute-type-conflict"),
        (3, "plan", "attribute-type-conflict"),
        (4, "a", "added-and-removed"),
    ]
    assert (people(population), attributes(population)) == ([], {"plan": ("text", 0)})


def test_a_line_that_an_attribute_rejects_contradicts_no_later_line(population: Population) -> None:
    receipt = apply(
        population, "change", user("u1", "a", plan=math.nan), Line(user_of("u1"), (), ["a"]), user("u1", "b", plan=1)
    )

    assert faults(receipt) == [(1, "plan", "attribute-value-invalid")]
    assert (tags_of(population, "u1"), values_of(population, "u1")) == (("b",), {"plan": 1})


def test_a_rejected_line_sets_none_of_its_values(population: Population) -> None:
    apply(population, "change", user("u1", "a", plan=1), Line(user_of("u1"), (), ["a"], values=[("plan", 2)]))

    assert values_of(population, "u1") == {"plan": 1}


@pytest.mark.parametrize("mode", ["set", "mirror"])
def test_a_person_of_a_line_that_an_attribute_rejects_loses_no_tag(population: Population, mode: Any) -> None:
    apply(population, "add", user("u1", "a"), user("u2", "a"))

    apply(population, mode, user("u1", "b", plan=math.nan), user("u2", "b", plan=1))

    assert (tags_of(population, "u1"), tags_of(population, "u2")) == (("a",), ("b",))


def test_the_last_value_of_a_person_and_an_attribute_wins(population: Population) -> None:
    apply(population, "add", user("u1", plan=0, age=3))

    receipt = apply(population, "add", line("u1", ("plan", 1), ("plan", 2)), user("u1", plan=3), user("u1", age=None))

    assert (values_of(population, "u1"), receipt.attributes) == ({"plan": 3}, 2)


def test_a_value_that_is_equal_changes_nothing(population: Population) -> None:
    apply(population, "add", user("u1", plan="gold", when="2026-03-01", items=["a"]))

    again = user("u1", plan="gold", when="2026-03-01T01:00+01:00", items=["a"])
    receipt = apply(population, "add", again, user("u1", plan="silver"), user("u1", plan="gold"))

    assert (receipt.version, receipt.attributes) == (1, 0)


def test_a_receipt_counts_values_apart_from_taggings(population: Population) -> None:
    apply(population, "add", user("u1", "a", plan=1, age=1))

    receipt = apply(population, "add", user("u1", "a", "b", plan=2, age=None, new="x"), user("u2", age=3))

    assert (receipt.added, receipt.unchanged, receipt.removed) == (1, 1, 0)
    assert (receipt.attributes, receipt.new_attributes, receipt.new_people, receipt.new_tags) == (4, 1, 1, 1)
    assert population.get_change(2).attributes == 4


@pytest.mark.parametrize("mode", ["add", "change", "set", "mirror"])
def test_a_line_with_only_attributes_creates_its_person(population: Population, mode: Any) -> None:
    receipt = apply(population, mode, user("u1", plan=1), visitor("u1", plan=None))

    assert (receipt.new_people, people(population)) == (2, ["u1", "u1"])


def test_a_line_that_only_removes_tags_creates_its_person_if_it_sets_a_value(population: Population) -> None:
    apply(
        population,
        "change",
        user("u1", remove=["a"], plan=1),
        user("u2", remove=["a"], plan=None),
        user("u3", remove=["a"]),
    )

    assert (people(population), values_of(population, "u1")) == (["u1"], {"plan": 1})


def test_in_mode_remove_no_reader_gives_attributes(population: Population) -> None:
    with pytest.raises(AssertionError):
        apply(population, "remove", user("u1", plan=1))


def test_a_dry_run_sets_no_value(population: Population) -> None:
    receipt = apply(population, "add", user("u1", plan=1), dry_run=True)

    assert (receipt.attributes, receipt.new_attributes) == (1, 1)
    assert (population.version(), population.list_attributes(), values_of(population, "u1")) == (0, (), None)


# Replacing.


@pytest.mark.parametrize("mode", ["add", "change", "set", "mirror"])
def test_replacing_removes_the_other_attributes_of_the_named_people(population: Population, mode: Any) -> None:
    apply(population, "add", user("u1", plan=1, age=1), user("u2", plan=1), user("u3", plan=1, age=1))

    lines = user("u1", age=2), user("u1", new=3), user("u3")
    receipt = apply(population, mode, *lines, replaces_attributes=True)

    assert [values_of(population, each) for each in ("u1", "u2", "u3")] == [{"age": 2, "new": 3}, {"plan": 1}, {}]
    assert receipt.attributes == 5


def test_replacing_keeps_all_attributes_of_people_of_rejected_lines(population: Population) -> None:
    apply(population, "add", user("u1", plan=1, age=1), user("u2", plan=1))

    lines = user("u1", age=2), user("u1", "a//b"), unreadable("user", "u2"), user("u2", age=2)
    apply(population, "set", *lines, replaces_attributes=True)

    assert values_of(population, "u1") == {"age": 2, "plan": 1}
    assert values_of(population, "u2") == {"age": 2, "plan": 1}


def test_without_replacing_a_mirror_removes_no_attribute(population: Population) -> None:
    apply(population, "add", user("u1", "a", plan=1), user("u2", "a", plan=1))

    apply(population, "mirror", user("u1", "b"))

    assert attributes(population) == {"plan": ("number", 2)}


# The catalogue.


def test_an_attribute_is_created_and_described_by_hand(subject: Subject) -> None:
    subject.close_catalogue(True)
    population = subject.population

    receipt = put(population, "plan", "text", "What they pay for.")

    assert (receipt.version, receipt.new_attributes, receipt.attributes) == (1, 1, 0)
    assert put(population, "plan", "text").version == 1
    assert put(population, "plan", "text", "What they pay for.").version == 1
    assert put(population, "plan", "text", "Their plan.").new_attributes == 0
    assert population.list_attributes() == (Attribute(name=PLAN, type="text", description="Their plan."),)
    with pytest.raises(AttributeExists):
        put(population, "plan", "number")
    put(population, "plan", "text", "")
    assert [each.description for each in population.list_attributes()] == [""]


def test_a_deleted_attribute_is_gone_and_its_name_can_have_another_type(population: Population) -> None:
    apply(population, "add", user("u1", plan=1, age=1), user("u2", plan=2))

    receipt = delete(population)

    assert (receipt.version, receipt.attributes, receipt.removed) == (2, 2, 0)
    assert (values_of(population, "u1"), attributes(population)) == ({"age": 1}, {"age": ("number", 1)})
    for ask in (lambda: delete(population), lambda: population.values_of_attribute(PLAN, 9)):
        with pytest.raises(AttributeNotFound):
            ask()
    assert apply(population, "add", user("u3", plan="gold")).new_attributes == 1
    assert attributes(population)["plan"] == ("text", 1)
    assert values_of(population, "u1") == {"age": 1}


def test_the_log_names_the_writes_of_the_catalogue(population: Population) -> None:
    put(population, "plan", "text")
    put(population, "plan", "text", "x")
    apply(population, "add", user("u1", plan="gold"))
    delete(population)

    changes = population.list_changes(limit=9)

    actions = ["create attribute", "describe attribute", "tagging", "delete attribute"]
    assert [change.action for change in changes] == actions
    assert [change.attributes for change in changes] == [0, 0, 1, 1]


def test_attributes_are_listed_in_code_point_order_with_their_people(population: Population) -> None:
    apply(population, "add", line("u1", ("b", 1), ("a.b", 1), ("a", 1), ("B", 1), ("\u00fc", 1)), line("u2", ("a", 1)))

    assert [(each.name, each.people) for each in population.list_attributes()] == [
        ("B", 1),
        ("a", 2),
        ("a.b", 1),
        ("b", 1),
        ("\u00fc", 1),
    ]


def test_values_are_counted_the_most_frequent_first(population: Population) -> None:
    given = {"u1": "b", "u2": "a", "u3": "B", "u4": "b", "u5": '"', "u6": "\u00fc"}
    apply(population, "add", *(user(id, plan=value) for id, value in given.items()))

    found = population.values_of_attribute(PLAN, 9)

    shown = [("b", 2), ("B", 1), ('"', 1), ("a", 1), ("\u00fc", 1)]
    assert [(each.value, each.people) for each in found.values] == shown
    assert (found.attribute.people, found.version, found.distinct, found.least, found.greatest) == (6, 1, 5, None, None)
    assert population.values_of_attribute(PLAN, 2).values == found.values[:2]
    assert population.values_of_attribute(PLAN, 0).values == ()


def test_numbers_and_times_have_a_least_and_a_greatest_value(population: Population) -> None:
    put(population, "empty", "number")
    numbers = [1.5, -1.7e308, 10, 9, 5e-324, 0]
    times = ["2026-03-01", "1066-10-14", "2026-03-01T01:00Z"]
    apply(population, "add", *(user(f"u{each}", number=each) for each in numbers))
    apply(population, "add", *(user(f"u{each}", time=each) for each in times))

    number, time, empty = (
        population.values_of_attribute(AttributeName(name), 9) for name in ("number", "time", "empty")
    )

    assert (number.least, number.greatest, number.distinct) == (-1.7e308, 10, 6)
    assert (time.least, time.greatest) == ("1066-10-14T00:00:00.000Z", "2026-03-01T01:00:00.000Z")
    assert (empty.least, empty.greatest, empty.distinct, empty.values) == (None, None, 0, ())
    assert [each.value for each in number.values] == [-1.7e308, 0, 1.5, 10, 5e-324, 9], "in the order of their JSON"


def test_values_of_other_types_are_counted_too(population: Population) -> None:
    apply(population, "add", user("u1", flag=True, items=["a", "b"]), user("u2", flag=False, items=["b", "a"]))
    apply(population, "add", user("u3", flag=True, items=["a", "b"]))

    flag, items = (population.values_of_attribute(AttributeName(name), 9) for name in ("flag", "items"))

    assert flag.values == (ValueCount(True, 2), ValueCount(False, 1))
    assert items.values == (ValueCount(["a", "b"], 2), ValueCount(["b", "a"], 1))


def test_too_many_distinct_values_are_not_counted(population: Population, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ATTRIBUTE_VALUES_COUNTED_MAX", 2)
    apply(population, "add", user("u1", plan=1), user("u2", plan=2))
    assert population.values_of_attribute(PLAN, 9).distinct == 2
    apply(population, "add", user("u3", plan=3))

    found = population.values_of_attribute(PLAN, 9)

    assert (found.distinct, found.values, found.least, found.greatest) == (None, (), 1, 3)
