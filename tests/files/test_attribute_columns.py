"""Attributes in parts: however lines are built, merged and sliced, each line keeps its own values."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.files import Line, lines_part, read_parts
from tagloom.files.attribute_columns import cells_from
from tagloom.files.part_columns import merged
from tagloom.imports.worker import _behind
from tagloom.ports.writes import Part
from tagloom.words.attributes import AttributeValue
from tests.files.reading import Format, lines_of, read, rejections

values = st.sampled_from([None, True, 1, 1.0, "", "a", ["a"], [], {}, [1], AttributeValue("number", 1)])
attributes = st.dictionaries(st.sampled_from(["a", "b", "c"]), values, max_size=3)
tagged = st.tuples(st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True), attributes)
batches = st.lists(tagged, max_size=8)


def lines_from(said: list[tuple[list[str], dict[str, Any]]]) -> list[Line]:
    return [Line(number, b"uu1", tuple(tags), attributes=found) for number, (tags, found) in enumerate(said, 1)]


@given(batches)
def test_a_part_has_the_values_of_its_lines(said: list[tuple[list[str], dict[str, Any]]]) -> None:
    lines = lines_from(said)

    # True, 1 and 1.0 are equal in Python, but are different values.
    assert repr(lines_of(lines_part(lines))) == repr(lines)


@given(batches, st.sets(st.integers(1, 8)))
def test_merged_parts_have_the_values_of_all_lines(
    said: list[tuple[list[str], dict[str, Any]]], chosen: set[int]
) -> None:
    lines = lines_from(said)
    one = lines_part(line for line in lines if line.number in chosen)
    other = lines_part(line for line in lines if line.number not in chosen)

    assert repr(lines_of(merged(one, other))) == repr(lines)


@given(batches, st.integers(0, 8))
def test_the_rest_of_a_part_has_the_values_of_its_lines(
    said: list[tuple[list[str], dict[str, Any]]], through: int
) -> None:
    lines = lines_from(said)

    rest = [line for part in _behind(iter([lines_part(lines)]), through) for line in lines_of(part)]

    assert repr(rest) == repr([line for line in lines if line.number > through])


def test_a_slice_without_values_has_no_columns_of_attributes() -> None:
    part = lines_part([Line(1, b"uu1", attributes={"a": 1}), Line(2, b"uu2", ("x",))])

    assert cells_from(part.attributes, 0) is not None
    assert cells_from(part.attributes, 1) is None
    assert lines_part([Line(1, b"uu1", ("x",))]).attributes is None


def test_equal_values_of_many_lines_are_one_value() -> None:
    part = lines_part(Line(number, b"uu1", attributes={"plan": "gold", "is_new": True}) for number in range(1, 1_000))

    assert part.attributes is not None
    assert (len(part.attributes.line), list(part.attributes.values)) == (2 * 999, ["gold", True])


# Lines of bodies.


@pytest.mark.parametrize("format", ["ndjson", "json"])
@pytest.mark.parametrize("with_tags", [True, False])
def test_nested_attributes_are_names_with_dots_and_null_stays_null(format: Format, with_tags: bool) -> None:
    line: dict[str, Any] = {
        "user": "u1",
        "attributes": {"plan": "gold", "company": {"size": 3, "city": {"name": "Bonn"}}, "old": None, "labels": ["a"]},
    }
    if with_tags:
        line["tags"] = ["x"]
    body = json.dumps(line if format == "ndjson" else [line]).encode()

    (found,) = read(body, format).lines

    assert found == Line(
        1,
        b"uu1",
        ("x",) if with_tags else (),
        attributes={"plan": "gold", "company.size": 3, "company.city.name": "Bonn", "old": None, "labels": ["a"]},
    )


def test_whole_numbers_of_attributes_stay_exact() -> None:
    body = b'{"user":"u1","attributes":{"a":9007199254740993,"b":123456789012345678901234567890,"c":"a\\":"}}'

    (found,) = read(body, "ndjson").lines

    assert found.attributes == {"a": 9_007_199_254_740_993, "b": 123_456_789_012_345_678_901_234_567_890, "c": 'a":'}


def nested(levels: int) -> bytes:
    return b'{"user":"u1","attributes":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


def test_sixteen_levels_and_two_hundred_attributes_fit() -> None:
    many = json.dumps({"user": "u1", "attributes": {f"a{n}": n for n in range(200)}}).encode()

    assert read(nested(16), "ndjson").lines[0].attributes == {".".join("a" * 16): 1}
    assert len(read(many, "ndjson").lines[0].attributes) == 200


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (nested(17), "has attributes of more than 16 levels."),
        (nested(5_000), "is not JSON, or is nested too deeply."),
        (b'{"user":"u1","attributes":{"a":{"b":1,"b":2}}}', "has the field 'b' more than once."),
        (b'{"user":"u1","attributes":{"a":1},"attributes":{}}', "has the field 'attributes' more than once."),
        (b'{"user":"u1","attributes":{"a.b":1,"a":{"b":2}}}', "has an attribute more than once"),
        (b'{"user":"u1","attributes":["a"]}', "has 'attributes' that is no object."),
        (b'{"user":"u1","attributes":null}', "lacks 'tags'."),
        (b'{"user":"u1","attributes":{"a":1},"tag":"a","tags":[]}', "has both 'tag' and 'tags'."),
        (b'{"user":"u1","attributes":{"a":' + b"9" * 41 + b"}}", "has a number of more than 40 digits"),
        (b'{"user":"u1","attributes":{"a":' + b"9" * 9_000 + b"}}", "has a number of more than 40 digits"),
        (
            json.dumps({"user": "u1", "attributes": {"all": {f"a{n}": n for n in range(201)}}}).encode(),
            "has 201 attributes; at most 200 are allowed.",
        ),
    ],
)
def test_attributes_that_cannot_be_read_reject_their_line_and_hold_its_person(line: bytes, says: str) -> None:
    body = b'{"user":"u0","tags":[]}\n' + line + b'\n{"user":"u2","attributes":{"a":1}}\n'

    said = read(body, "ndjson")
    (rejected,) = rejections(body, "ndjson")

    assert [each.number for each in said.lines] == [1, 3]
    assert (rejected.line, rejected.problem, said.held) == (2, "line-invalid", [b"uu1"])
    assert says in rejected.detail


def test_mode_change_reads_attributes_with_and_without_tags() -> None:
    body = b'{"user":"u1","add":["x"],"attributes":{"a":1}}\n{"user":"u2","attributes":{"a":null}}\n'

    said = read(body, "ndjson", allow_change=True)

    assert said.lines == [
        Line(1, b"uu1", ("x",), attributes={"a": 1}),
        Line(2, b"uu2", attributes={"a": None}),
    ]


@pytest.mark.parametrize("format", ["ndjson", "json"])
def test_without_attributes_allowed_a_line_with_attributes_is_rejected_alone(format: Format) -> None:
    lines = [
        {"user": "u1", "tags": ["x"], "attributes": {"a": 1}},
        {"user": "u2", "tags": ["x"]},
        {"user": "u3", "tags": ["x"], "attributes": None},
    ]
    body = json.dumps(lines) if format == "json" else "\n".join(map(json.dumps, lines))

    said = read(body.encode(), format, allow_attributes=False)

    assert ([each.number for each in said.lines], said.rejected) == ([2, 3], [(1, "line-invalid")])


def test_a_part_ends_early_with_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagloom.files.part_columns.VALUES_PER_PART_MAX", 1_000)
    monkeypatch.setattr("tagloom.files.ndjson._BLOCK_BYTES", 4_096)
    line = json.dumps({"user": "u1", "attributes": {f"a{n}": n for n in range(100)}}).encode() + b"\n"

    parts = list(read_parts(iter([line * 1_000]), "ndjson"))

    assert [number for part in parts for number in part.lines.tolist()] == list(range(1, 1_001))
    assert max(map(size, parts)) <= 2_000


def size(part: Part) -> int:
    return 0 if part.attributes is None else len(part.attributes.line)
