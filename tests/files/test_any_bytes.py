"""Every reader of text on bytes of any kind: it answers with parts or with a problem, and with nothing else.

What parts say does not depend on how a file is read: by the plain reader or by the mapping that means the same, by the
vectorised reader or record by record.
"""

import random
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.base.problems import Problem
from tagloom.files import ids_mapping, plain_mapping, read_parts, read_text
from tagloom.files.doubtful_people import keys_in_object, keys_in_row
from tagloom.files.mapped import read_mapped
from tagloom.files.record_reader import read_records
from tagloom.imports.mapping_inference import beginning_of, infer
from tagloom.ports.writes import Part
from tagloom.words.mappings import (
    AttributeColumn,
    Band,
    BandsColumn,
    Encoding,
    FlagColumn,
    Header,
    ListColumn,
    Mapping,
    TagColumn,
    ValueColumn,
)
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import PersonIdInvalid
from tests.files.reading import Said, chunked, said_by, small_limits
from tests.files.test_mapped import meant, said
from tests.files.workbooks import workbook

WIDE = Mapping(
    user="user",
    columns=(
        ValueColumn(column="plan", branch="plan", others="reject", values={"Gold": "plan/gold", "Free": ""}),
        FlagColumn(column="active", yes="active", no="inactive"),
        BandsColumn(column="age", bands=(Band(to=30, tag="age/young"), Band(tag="age/old")), blank=""),
        ListColumn(column="interests"),
        AttributeColumn(column="age", attribute="age", value_type="number"),
        AttributeColumn(column="plan", attribute="Plan"),
    ),
    prefix="crm",
    tags=("all",),
)
PIECES = (
    *(b"u1", b"u2", b"Gold", b"Free", b"yes", b"no", b"31", b"2.5", b"a;b", b",", b",", b",", b"\n", b"\n", b"\r\n"),
    *(b"\r", b'"', b'"', b'""', b'"a,b"', b"u3,Gold,yes,9,x\n", b"user,plan,active,age,interests\n", b"\xff", b"\x00"),
    *("é".encode(), "\u2028".encode(), b"\xed\xa0\x80", b"'", b"\t", b" ", b"1e999", b"N/A"),
)
JSON_PIECES = (
    *(b'{"user":"u1","tag":"a"}', b'{"user":1001,"tags":["a","b"]}', b"{", b"}", b"[", b"]", b":", b",", b'"', b"\n"),
    *(b'{"user":"u1","attributes":{"a":1,"b":{"c":true}}}', b'"attributes":', b'{"a":{"b":'),
    *(b'"user"', b'"u2"', b'"tag"', b"null", b"true", b"NaN", b"1e999", b"-0.0", b"9007199254740993", b"0.00005"),
    *(
        b'"\\ud800"',
        b'"\\u0000"',
        b"\xff",
        b"\\",
        b" ",
        b'{"user":{"$oid":"x"},"tag":["a"]}',
        b'"tags":[[[',
        b"\xef\xbb\xbf",
    ),
)
soups = st.lists(st.sampled_from(PIECES), max_size=50).map(b"".join)
objects = st.lists(st.sampled_from(JSON_PIECES), max_size=30).map(b"".join)
chunk_sizes = st.lists(st.integers(0, 40), max_size=8)


def every_way(body: bytes) -> list[Callable[[], object]]:
    """All ways in which a text is read."""
    ids = ids_mapping("a")
    ways: list[Callable[[], object]] = []
    for format in ("csv", "ndjson", "json"):
        ways.append(lambda format=format: said_by(read_parts(iter([body]), format)))
        for mapping in (WIDE, ids, Mapping(user="1", tags=("a",), header="none")):
            ways.append(lambda format=format, mapping=mapping: said_by(read_text(iter([body]), format, mapping)))
    ways += [lambda: said_by(read_parts(iter([body]), "ndjson", allow_change=True))]
    return ways


def check_only_problems(body: bytes) -> None:
    for way in every_way(body):
        try:
            way()
        except Problem:
            continue
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(body)
        for format in ("csv", "ndjson"):
            try:
                infer(beginning_of(path, format, "none"))  # type: ignore[arg-type]  # One of the two.
            except Problem:
                continue


@given(
    st.one_of(
        st.binary(max_size=300), soups, objects, soups.map(lambda body: b"user,plan,active,age,interests\n" + body)
    )
)
def test_nothing_but_problems_comes_of_any_bytes(body: bytes) -> None:
    check_only_problems(body)


SEEDS = (
    b"user,plan,active,age,interests\nu1,Gold,yes,31,a;b\nu2,Free,no,,\n",
    b'sep=;\r\nuser;tag\r\n"u1";"a;b"\r\n',
    "user,tag\nu1,é\n".encode("utf-16"),
    b'{"user":"u1","tags":["a"],"expires_at":"2030-01-01T00:00:00Z"}\n{"user":1001,"tag":"b","ttl":"14d"}\n',
    b'{"taggings":[{"user":"u1","tags":["a"]},{"visitor":"v","tag":"b"}]}',
    b'[{"user":"u1","visitor":null,"tag":"a"}]',
    b'{"user":"u1","attributes":{"plan":"gold","company":{"size":3,"tags":["a"]},"old":null}}\n',
    workbook([("user", "tag"), ("u1", "a"), (1001, "b")]),
)


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_nothing_but_problems_comes_of_a_damaged_file(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        body = bytearray(SEEDS[seed])
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body) or 1)
            match chance.randrange(4):
                case 0:
                    body[at : at + 1] = bytes([chance.randrange(256)])
                case 1:
                    del body[at : at + chance.randint(1, 8)]
                case 2:
                    body[at:at] = body[at : at + chance.randint(1, 16)]
                case _:
                    body[at:at] = chance.choice(PIECES + JSON_PIECES)
        check_only_problems(bytes(body))


@pytest.mark.parametrize("depth", [400, 100_000])
def test_objects_in_objects_without_end_are_rejected_lines(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "deep.ndjson"
    path.write_bytes(b'{"user":"u1","plan":"Gold"}\n' + b'{"a":' * depth + b"1" + b"}" * depth + b"\n")
    mapping = Mapping(user="user", columns=(ListColumn(column="plan"),))

    found = infer(beginning_of(path, "ndjson", "none"))
    said = said_by(read_mapped(path, "ndjson", "none", mapping))

    assert found.mapping.user == "user"
    assert ([line.number for line in said.lines], [line for line, _ in said.rejected]) == ([1], [2])


# One meaning, however it is read.


def outcome(ask: Callable[[], object]) -> object:
    """What is said, or the class of the problem."""
    try:
        return ask()
    except Problem as problem:
        return type(problem)


def told(parts: list[Part]) -> tuple[Said, list[object]]:
    return said_by(parts), [doubt for part in parts for doubt in part.doubts]


@given(soups, chunk_sizes)
def test_the_plain_form_is_the_mapping_of_one_column_of_tags(body: bytes, chunks: list[int]) -> None:
    body = b"user,tag,extra,visitor\n" + body
    mapping = plain_mapping("user", "visitor", "tag")

    plain = outcome(lambda: told(list(read_parts(chunked(body, chunks), "csv"))))

    assert plain == outcome(lambda: told(list(read_text(chunked(body, chunks), "csv", mapping))))


def by_meaning(body: bytes, mapping: Mapping) -> dict[int, tuple[str, tuple[str, ...]]]:
    """What a body says record by record, by the meaning of the mapping itself; of a line that says nothing, nobody."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(body)
        records = read_records(path, "csv", "none")
        rows = list(records.rows)
    good = {row.number: dict(zip(records.names, row.cells, strict=True)) for row in rows if row.fault is None}
    found = meant(mapping, good) | {row.number: ("", ()) for row in rows if row.fault is not None}
    for number, (person, _) in found.items():
        if person and not is_id(person):
            found[number] = ("", ())
    return found


def is_id(text: str) -> bool:
    try:
        parse_id(text)
    except PersonIdInvalid:
        return False
    return True


@given(soups, chunk_sizes, st.sampled_from([WIDE, Mapping(user="user", columns=(TagColumn(column="plan"),))]))
@pytest.mark.parametrize("is_small", [True, False])
def test_a_mapped_text_is_read_as_the_mapping_means_it_record_by_record(
    is_small: bool, body: bytes, chunks: list[int], mapping: Mapping
) -> None:
    body = b"user,plan,active,age,interests\n" + body
    with small_limits(line_bytes=60, part_bytes=240) if is_small else nullcontext():
        assert said(list(read_text(chunked(body, chunks), "csv", mapping))) == by_meaning(body, mapping)


lines = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b'{"user":"u1","tag":"a"}',
                b'{"visitor":"v1","tag":"b"}',
                b'{"user":"u1","visitor":null,"tag":"c"}',
                b'{"user":1001,"tag":"a"}',
                b'{"user":1.5,"tag":"a"}',
                b'{"user":"u1","user":"u2","tag":"a"}',
                b'{"user":"u1","tag":"a",}',
                b'{"user":"","tag":"a"}',
                b'{"user":"u1","visitor":"v1","tag":"a"}',
                b'{"user":"u1","tag":"a"} ',
                b"",
            ]
        ),
        objects,
    ),
    max_size=8,
).map(b"\n".join)


@given(lines, chunk_sizes)
def test_objects_of_one_tag_are_read_alike_with_a_mapping(body: bytes, chunks: list[int]) -> None:
    mapping = Mapping(user="user", visitor="visitor", columns=(TagColumn(column="tag", steps=()),))
    plain = said_by(read_parts(chunked(body, chunks), "ndjson"))
    mapped = said_by(read_text(chunked(body, chunks), "ndjson", mapping))

    # A mapping ignores fields that it does not name, and lists make a person several tags; else they say the same.
    good = {line.number: line for line in mapped.lines}
    for line in plain.lines:
        assert line.number not in good or good[line.number] in (line, line._replace(add=good[line.number].add))
    rejected = {number for number, _ in mapped.rejected}
    assert {number for number, _ in plain.rejected} >= rejected - {line.number for line in plain.lines}


# Whom a line may name.


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"a","p":"x",}',
        b'{"id":"a","p":NaN}',
        b'{"id":"a","p":1e999}',
        b'{"id":"a","p":"\\ud800"}',
        b'{"id":"a","p":"\xe9"}',
        b'{"id":"a","p":"x',
        b'{"id":"a',
        b'{"id":a}',
        b'{"p":"x"y","id":"a"}',
        b'{"p":"\\"","id":"a"',
        b'{"id":"\\u0061"',
    ],
)
def test_an_id_is_found_wherever_it_stands_in_a_broken_line(line: bytes) -> None:
    assert b"ua" in keys_in_object(line + (b"" if b"a}" not in line else b'"a"'))


def test_numbers_in_a_broken_line_are_ids_too() -> None:
    assert {b"u1001", b"v1001", b"u77"} <= set(keys_in_object(b'{"id":1001,"n":77.0,"x"'))


@pytest.mark.parametrize("row", [b"crm/a,x, jr,u1", b'"crm/a,x,u1', b'crm/a,x"u1",y', b"crm/a, u1 ,z", b"'u1',x,y,z"])
def test_an_id_is_found_in_whatever_cell_it_stands(row: bytes) -> None:
    assert b"uu1" in keys_in_row(row, [], ord(","), ["user"])


def test_an_id_in_windows_1252_is_found_in_a_text_that_is_no_utf8() -> None:
    assert "uMüller".encode() in keys_in_row("Müller,a,b".encode("windows-1252"), [], ord(","), ["user"])


ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "windows-1252")
HEADERS: tuple[Header, ...] = ("first-line", "none", "if-any")


@given(st.one_of(st.binary(max_size=200), soups), st.sampled_from(ENCODINGS), st.sampled_from(HEADERS))
def test_nothing_but_problems_comes_of_any_bytes_in_any_encoding(
    body: bytes, encoding: Encoding, header: Header
) -> None:
    mapping = Mapping(user="user", columns=(ListColumn(column="2"),), encoding=encoding, header=header)

    with suppress(Problem):
        said_by(read_text(iter([body]), "csv", mapping))
