"""Texts of other programs: what is certain is read and told, and everything else is refused in a sentence."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from tagloom.base.problems import BodyInvalid, BodyTooLarge, BodyTruncated, Problem
from tagloom.files import Line, ids_mapping, read_parts, read_text
from tagloom.files.decoding import opened
from tagloom.files.headers import open_table
from tagloom.files.mapped import read_mapped
from tagloom.files.problems import ColumnsInvalid
from tagloom.words.mappings import Encoding, Mapping, TagColumn
from tests.files.reading import read, said_by
from tests.files.workbooks import workbook

BODY = "user,tag\nu1,a\nü2,b\n"
LINES = [Line(2, b"uu1", ("a",)), Line(3, "uü2".encode(), ("b",))]


def zstd(body: bytes) -> bytes:
    """The body, compressed by zstd."""
    packed: bytes = pa.compress(body, codec="zstd", asbytes=True)
    return packed


@pytest.mark.parametrize(
    "written",
    [
        BODY.encode(),
        b"\xef\xbb\xbf" + BODY.encode(),
        BODY.encode("utf-16"),
        b"\xfe\xff" + BODY.encode("utf-16-be"),
        BODY.replace("\n", "\r").encode(),
        BODY.replace("\n", "\r").encode("utf-16"),
        gzip.compress(BODY.encode()),
        gzip.compress(b"user,tag\n") + gzip.compress("u1,a\nü2,b\n".encode()),
        zstd(BODY.encode()),
        gzip.compress(BODY.encode("utf-16")),
        workbook([("user", "tag"), ("u1", "a"), ("ü2", "b")]),
    ],
    ids=[
        *("utf-8", "bom", "utf-16-le", "utf-16-be", "lone-cr", "lone-cr-in-utf-16", "gzip", "two-gzips", "zstd"),
        *("gzip-of-utf-16", "xlsx"),
    ],
)
@pytest.mark.parametrize("chunks", [(), (1, 1, 1), (3, 0, 2, 5)])
def test_a_body_is_read_alike_whatever_program_wrote_it(written: bytes, chunks: tuple[int, ...]) -> None:
    assert read(written, "csv", chunks=chunks).lines == LINES


def test_what_was_done_to_a_body_is_told() -> None:
    told: list[str] = []

    list(opened(iter([gzip.compress("user\ra\r".encode("utf-16"))]), remark=told.append))

    assert [each.split(",")[0].split(" with")[0] for each in told] == [
        "It is compressed by gzip",
        "It is read as UTF-16",
        "Its lines end",
    ]


@pytest.mark.parametrize(("encoding", "name"), [("windows-1252", "windows-1252"), ("utf-16", "utf-16-le")])
def test_an_encoding_that_is_named_is_read(tmp_path: Path, encoding: Encoding, name: str) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("user,tag\nü€,a\n".encode(name))
    mapping = Mapping(user="user", columns=(TagColumn(column="tag"),), encoding=encoding)

    assert said_by(read_mapped(path, "csv", "none", mapping)).lines == [Line(2, "uü€".encode(), ("a",))]


def test_a_byte_order_mark_wins_against_the_encoding_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "user,tag\nü,a\n".encode())
    mapping = Mapping(user="user", columns=(TagColumn(column="tag"),), encoding="windows-1252")

    assert said_by(read_mapped(path, "csv", "none", mapping)).lines == [Line(2, "uü".encode(), ("a",))]


def test_half_a_character_of_utf_16_rejects_its_line_alone() -> None:
    body = "user,tag\nu1,a\n".encode("utf-16") + b"\x00\xd8" + "x,b\nu3,c\n".encode("utf-16-le")

    found = read(body, "csv")

    assert ([line.number for line in found.lines], found.rejected) == ([2, 4], [(3, "line-invalid")])


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_line_of_excel_that_names_the_delimiter_is_understood(line: str) -> None:
    found = read(f"{line}\r\nuser;tag\r\nu1;a\r\n".encode(), "csv")

    assert found.lines == [Line(3, b"uu1", ("a",))]


def test_blank_lines_before_the_header_are_passed_over() -> None:
    assert read(b"\n  \n,,\n\r\nuser,tag\nu1,a\n", "csv").lines == [Line(6, b"uu1", ("a",))]


def test_a_header_that_is_repeated_makes_nobody_known_and_holds_nobody() -> None:
    parts = list(read_parts(iter([b"user,tag\nu1,a\nuser,tag\nu2,b\nuser,b\n"]), "csv"))

    found = said_by(parts)
    assert [line.key for line in found.lines] == [b"uu1", b"uu2", b"uuser"]
    assert found.rejected == [(3, "line-invalid")]
    assert [doubt for part in parts for doubt in part.doubts] == []


def test_a_sheet_gives_whole_numbers_and_dates_as_text_and_keeps_its_rows() -> None:
    rows = [("user", "tag"), (1001.0, "a"), (), ("u\n2", "x"), (1.5, True)]

    found = read(workbook(rows), "csv")

    assert [(line.number, line.key, line.add) for line in found.lines] == [
        (2, b"u1001", ("a",)),
        (4, b"uu 2", ("x",)),
        (5, b"u1.5", ("true",)),
    ]


def _far_apart() -> bytes:
    return workbook([("user", "tag")], more='<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')


@pytest.mark.parametrize(
    ("body", "problem", "says"),
    [
        (lambda: workbook([("user", "tag")])[:-30], BodyInvalid, "damaged or has"),
        (lambda: b"PK\x03\x04" + b"x" * 100, BodyInvalid, "damaged or has"),
        (_far_apart, BodyTooLarge, "Save the sheet as CSV"),
        (lambda: b"\xd0\xcf\x11\xe0" + b"\0" * 600, BodyInvalid, "old Excel file"),
        (lambda: b"PAR1" + b"\0" * 100, BodyInvalid, "Parquet"),
        (lambda: "user,tag\n".encode("utf-32"), BodyInvalid, "UTF-32"),
        (lambda: gzip.compress(BODY.encode())[:-9], BodyInvalid, "not complete gzip"),
        (lambda: b"\x1f\x8b" + b"x" * 40, BodyInvalid, "not complete gzip"),
        (lambda: zstd(BODY.encode())[:-3], BodyInvalid, "not complete zstd"),
        (lambda: b"k\xfcnde,tag\n", ColumnsInvalid, "not UTF-8"),
        (lambda: "user,tag\n".encode("utf-16-le"), BodyInvalid, "name its encoding: utf-16"),
    ],
)
def test_what_is_no_text_is_refused_in_a_sentence(body: Callable[[], bytes], problem: type[Problem], says: str) -> None:
    with pytest.raises(problem, match=says):
        list(read_parts(iter([body()]), "csv"))


def test_a_body_that_grows_beyond_measure_is_refused_before_it_is_read() -> None:
    bomb = gzip.compress(b"user,tag\n" + b"\n" * 100_000_000)

    with pytest.raises(BodyTooLarge, match="decompressed"):
        list(read_parts(iter([bomb]), "csv"))


def test_an_error_of_the_source_is_the_callers_to_meet_through_a_decompression() -> None:
    def broken():  # type: ignore[no-untyped-def]  # What it yields does not matter.
        yield gzip.compress(BODY.encode())[:20]
        raise BodyTruncated("The connection ended.")

    with pytest.raises(BodyTruncated):
        list(read_parts(broken(), "csv"))


@pytest.mark.parametrize("columns", [16_384, 40_000])
def test_a_header_of_very_many_columns_is_read_like_any_other(columns: int) -> None:
    names = ",".join(f"column {number}" for number in range(columns))

    table = open_table(iter([f"{names},user,tag\n{',' * columns}u1,a\n".encode()]), None)
    found = read(f"{names},user,tag\n{',' * columns}u1,a\n".encode(), "csv")

    assert (len(table.names), found.lines) == (columns + 2, [Line(2, b"uu1", ("a",))])


def test_columns_that_are_not_there_are_told_however_many_there_are() -> None:
    with pytest.raises(ColumnsInvalid, match="and 39,980 more"):
        list(read_parts(iter([",".join(f"column {n}" for n in range(40_000)).encode()]), "csv"))


# People without tags.


@pytest.mark.parametrize(
    "body",
    [
        b"u1\n1001\n",
        b"u1\r1001",
        b"user\nu1\n1001\n",
        b"customer_id\nu1\n1001\n",
        b"user,note\nu1,x\n1001,y\n",
        b"visitor,user\n,u1\n,1001\n",
        workbook([("u1",), (1001,)]),
    ],
    ids=["lf", "cr", "user", "customer_id", "columns", "visitors", "xlsx"],
)
def test_everybody_in_a_file_gets_the_tag(body: bytes) -> None:
    lines = said_by(read_text(iter([body]), "csv", ids_mapping("a/b"))).lines

    assert [(line.key, line.add) for line in lines] == [(b"uu1", ("a/b",)), (b"u1001", ("a/b",))]


@pytest.mark.parametrize("body", [b'"u1"\n1001\n', b'{"user":"u1"}\n{"user":1001,"visitor":null,"x":1}\n'])
def test_everybody_in_a_file_of_json_gets_the_tag(body: bytes) -> None:
    as_list = b"[" + body.strip().replace(b"\n", b",") + b"]"

    found = [
        said_by(read_text(iter([body]), "ndjson", ids_mapping("a"))).lines,
        said_by(read_text(iter([as_list]), "json", ids_mapping("a"))).lines,
    ]

    assert found == [[Line(1, b"uu1", ("a",)), Line(2, b"u1001", ("a",))]] * 2


@pytest.mark.parametrize("body", [b"Kundennummer\n1001\n", b"E-Mail\nanna@example.com\n", b"a,b\nc,d\n"])
def test_a_header_that_is_not_known_does_not_become_a_person(body: bytes) -> None:
    with pytest.raises(BodyInvalid):
        list(read_text(iter([body]), "csv", ids_mapping("a")))


def test_a_file_without_a_header_is_read_by_the_numbers_of_its_columns() -> None:
    mapping = Mapping(user="2", columns=(TagColumn(column="1"),), header="none")

    assert said_by(read_text(iter([b"a;u1\nb;u2\n"]), "csv", mapping)).lines == [
        Line(1, b"uu1", ("a",)),
        Line(2, b"uu2", ("b",)),
    ]
