"""Rejected rows come in the shape of their file, and once mended they are brought by the same mapping."""

import csv
import gzip
import io
import json
from contextlib import suppress
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tagloom.base.problems import BodyInvalid
from tagloom.imports import limits as imports_limits
from tagloom.imports.problems import ImportFileGone
from tagloom.imports.rejected_rows import read_rejected_rows
from tagloom.ports.imports import Import
from tagloom.words import limits as words_limits
from tagloom.words.mappings import AttributeColumn, ListColumn, Mapping, TagColumn, ValueColumn
from tagloom.words.receipts import Rejected
from tests.files.test_parquet import KINDS, any_array
from tests.files.workbooks import workbook
from tests.imports.conftest import Desk
from tests.imports.test_resume import a_run

LONG = Mapping(user="id", columns=(TagColumn(column="segment"),))
WIDE = Mapping(
    user="id",
    columns=(ValueColumn(column="plan", branch="plan", others="reject", values={"Gold": "plan/gold"}),),
    unnamed="refuse",
    ignore=("note",),
)


def rows_of(desk: Desk, run: Import) -> bytes:
    """The rejected rows of an import."""
    return b"".join(desk.imports.rejected_rows(desk.environment, run.id))


def read_csv(body: bytes, delimiter: str = ",") -> list[list[str]]:
    """The header and rows of a CSV file."""
    return list(csv.reader(io.StringIO(body.decode(), newline=""), delimiter=delimiter, strict=True))


def test_rows_of_the_plain_form_come_back_and_are_all_there_once_mended(desk: Desk) -> None:
    body = b'\xef\xbb\xbfnote;user;tag\r\n"a;""b""\nc";u1;A\r\n;u2;ok\r\nx;;b\r\n\r\ny;u3;c//d\r\n'
    run = desk.run(body)
    assert run.tally.rejected_count == 3

    found = rows_of(desk, run)

    header, *rows = read_csv(found, ";")
    assert header == ["note", "user", "tag", "tagloom_line", "tagloom_problem", "tagloom_detail", "tagloom_suggestion"]
    assert [row[:5] for row in rows] == [
        ['a;"b"\nc', "u1", "A", "2", "tag-has-capital"],
        ["x", "", "b", "5", "person-id-invalid"],
        ["y", "u3", "c//d", "7", "tag-has-empty-level"],
    ]
    assert rows[0][6] == "a"
    again = desk.run(found.replace(b";A;", b";a;").replace(b"x;;b", b"x;u4;b").replace(b"c//d;", b"c/d;"))
    assert (again.state, again.tally.rejected_count) == ("done", 0)
    assert [desk.tags(f"u{number}") for number in (1, 2, 3, 4)] == [("a",), ("ok",), ("c/d",), ("b",)]


@pytest.mark.parametrize("is_packed", [False, True])
def test_rows_of_one_tag_each_are_mended_by_their_mapping(desk: Desk, is_packed: bool) -> None:
    body = b"segment|id\nA|u1\nb|u2\n|u3"
    run = desk.run(gzip.compress(body) if is_packed else body, mapping=LONG)

    found = rows_of(desk, run)

    assert [row[:4] for row in read_csv(found, "|")] == [
        ["segment", "id", "tagloom_line", "tagloom_problem"],
        ["A", "u1", "2", "tag-has-capital"],
        ["", "u3", "4", "tag-is-empty"],
    ]
    assert desk.run(found.replace(b"A|u1", b"a|u1").replace(b"\n|u3", b"\nc|u3"), mapping=LONG).tally.added == 2


def test_rows_of_a_wide_file_are_mended_by_a_mapping_that_refuses_unnamed_columns(desk: Desk) -> None:
    body = b'id,plan,note\nu1,Gold,"two\nlines"\nu2,gold,"two\nlines"\nu3,Gold\nu4,Gold,\n'
    run = desk.run(body, mapping=WIDE)
    assert (run.tally.added, run.tally.rejected_count) == (2, 2)

    found = rows_of(desk, run)

    _, wrong, short = read_csv(found)
    assert wrong[:5] == ["u2", "gold", "two\nlines", "4", "line-invalid"]
    assert short[:5] == ["u3", "Gold", "", "6", "line-invalid"]
    second = desk.run(found, mapping=WIDE)
    assert (second.state, second.tally.rejected_count) == ("done", 1)
    # The second reasons replace the first.
    twice = rows_of(desk, second)
    assert [len(row) for row in read_csv(twice)] == [7, 7]
    assert desk.run(twice.replace(b"u2,gold,", b"u2,Gold,"), mapping=WIDE).tally.added == 1
    assert [desk.tags(f"u{number}") for number in (1, 2, 3, 4)] == [("plan/gold",)] * 4


def test_reasons_are_in_their_columns_for_rows_with_too_few_or_too_many_cells(desk: Desk) -> None:
    run = desk.run(b'user,tag\nu1\nu2,a,b\n"u3","c",,"d,e"\nu4,ok\n')
    assert (run.tally.added, run.tally.rejected_count) == (1, 3)

    found = rows_of(desk, run)

    header, short, long, longer = read_csv(found)
    rows = [dict(zip(header, row, strict=False)) for row in (short, long, longer)]
    assert [row["tagloom_line"] for row in rows] == ["2", "3", "4"]
    assert {row["tagloom_problem"] for row in rows} == {"line-invalid"}
    assert [(row["user"], row["tag"]) for row in rows] == [("u1", ""), ("u2", "a"), ("u3", "c")]
    assert (long[6:], longer[6:]) == (["b"], ["", "d,e"])
    # Rows that nobody corrected are rejected again, and their surplus cells are kept.
    second = desk.run(found)
    assert (second.tally.added, second.tally.rejected_count) == (0, 3)
    twice = rows_of(desk, second)
    assert [len(row) for row in read_csv(twice)] == [6, 6, 7, 8]
    assert [row[:2] + row[6:] for row in read_csv(twice)[1:]] == [["u1", ""], ["u2", "a", "b"], ["u3", "c", "", "d,e"]]
    corrected = io.StringIO(newline="")
    csv.writer(corrected).writerows([header, ["u1", "x", *short[2:]], long[:6], longer[:6]])
    again = desk.run(corrected.getvalue().encode())
    assert (again.tally.added, again.tally.rejected_count) == (3, 0)
    assert [desk.tags(f"u{number}") for number in (1, 2, 3, 4)] == [("x",), ("a",), ("c",), ("ok",)]


def test_a_row_that_cannot_be_cut_into_cells_is_one_cell_and_harms_no_other(desk: Desk) -> None:
    run = desk.run(b'user,tag\nu1,"never closed\nu2,B\nu3,c\n')
    assert run.tally.rejected_count == 2

    _, broken, capital = read_csv(rows_of(desk, run))

    # The line is not in the column of ids: there it would name a person.
    assert (broken[:4], broken[6:]) == (["", "", "2", "line-invalid"], ['u1,"never closed'])
    assert capital[:4] == ["u2", "B", "3", "tag-has-capital"]


def test_a_line_that_is_too_long_is_passed_over_with_its_beginning(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_limits, "LINE_BYTES_MAX", 40)
    monkeypatch.setattr("tagloom.imports.rejected_rows._PIECE_BYTES", 42)
    run = desk.run(b"user,tag\nu1," + b"x" * 200 + b"\nu2,B\n")

    _, long, capital = read_csv(rows_of(desk, run))

    assert (long[2], capital[:3]) == ("2", ["u2", "B", "3"])


def test_objects_come_back_as_they_were_written(desk: Desk) -> None:
    body = b'{"user":"u1", "tags": ["A"]}\n\n{"user":"u2","tags":["b"]}\n{"user":"u3"\n{"user":"u4","tags":["C"]}\n'
    run = desk.run(body, "crm.ndjson")

    found = rows_of(desk, run)

    first, broken, last = found.splitlines()
    assert first.startswith(b'{"user":"u1", "tags": ["A"],"tagloom_rejected":{"line":1,"problem":"tag-has-capital"')
    assert broken == b'{"user":"u3"'
    assert json.loads(last)["tagloom_rejected"]["line"] == 5
    again = desk.run(found, "crm.ndjson")
    assert again.tally.rejected_count == 3
    twice = rows_of(desk, again)
    assert twice.count(b"tagloom_rejected") == 2
    mended = twice.replace(b'"A"', b'"a"').replace(b'"u3"', b'"u3","tags":["x"]}').replace(b'"C"', b'"c"')
    assert desk.run(mended, "crm.ndjson").tally.rejected_count == 0
    assert [desk.tags(f"u{number}") for number in (1, 2, 3, 4)] == [("a",), ("b",), ("x",), ("c",)]


def test_objects_with_attributes_come_back_as_they_were_written(desk: Desk) -> None:
    body = b'{"user":"u1","attributes":{"a":{"b":1.50},"a.b":9007199254740991},"tags":["x"]}\n'
    run = desk.run(body, "crm.ndjson")

    found = rows_of(desk, run)

    assert found.startswith(body.strip()[:-1] + b',"tagloom_rejected":{"line":1,"problem":"line-invalid"')
    assert desk.run(found.replace(b'"a.b"', b'"c"'), "crm.ndjson").tally.rejected_count == 0
    assert desk.tags("u1") == ("x",)


def test_rows_with_a_value_that_cannot_be_read_come_back_with_its_column(desk: Desk) -> None:
    mapping = replace(LONG, columns=(*LONG.columns, AttributeColumn(column="n", attribute="n", value_type="number")))
    run = desk.run(b"id,segment,n\nu1,a,1\nu2,a,one\n", mapping=mapping)

    (_, row) = read_csv(rows_of(desk, run))

    assert row[:5] == ["u2", "a", "one", "3", "line-invalid"]
    assert row[5] == "Column 'n': 'one' is not a number."


def test_mapped_objects_are_mended_by_their_mapping(desk: Desk) -> None:
    mapping = Mapping(user="profile.id", columns=(ListColumn(column="likes"),))
    run = desk.run(
        b'{"profile":{"id":"u1"},"likes":["A"],"score":1.50}\n{"profile":{"id":"u2"},"likes":[]}\n[]\n{}\n',
        "crm.ndjson",
        mapping=mapping,
    )

    first, broken, empty = rows_of(desk, run).splitlines()

    assert (b'"score":1.50,' in first, broken) == (True, b"[]")
    assert empty.startswith(b'{"tagloom_rejected":{"line":4')
    assert desk.run(first.replace(b'"A"', b'"a"'), "crm.ndjson", mapping=mapping).tally.added == 1


def test_parquet_comes_back_with_its_types_from_just_the_groups_that_have_any(desk: Desk) -> None:
    tags = [["ok"] for _ in range(60)]
    tags[3], tags[41], tags[59] = ["A"], ["B", "b"], ["c//d"]
    table = pa.table({"user": [f"u{n}" for n in range(60)], "tags": tags, "spent": [n * 1.5 for n in range(60)]})
    whole = io.BytesIO()
    pq.write_table(table, whole, row_group_size=20)
    run = desk.run(whole.getvalue(), "crm.parquet")

    found = pq.read_table(io.BytesIO(rows_of(desk, run)))

    assert found.schema.names[:3] == ["user", "tags", "spent"]
    assert found.schema.field("spent").type == pa.float64()
    assert found["user"].to_pylist() == ["u3", "u41", "u59"]
    assert found["tagloom_line"].to_pylist() == [4, 42, 60]
    assert found["tagloom_suggestion"].to_pylist() == ["a", "b", "c/d"]
    mended = io.BytesIO()
    pq.write_table(found.set_column(1, "tags", [[["a"], ["b"], ["c/d"]]]), mended)
    again = desk.run(mended.getvalue(), "mended.parquet")
    assert (again.tally.added, again.tally.rejected_count) == (3, 0)


def test_the_rows_of_all_steps_come_in_order(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_limits, "IMPORT_ROWS_PER_STEP", 10)
    monkeypatch.setattr("tagloom.files.delimited.ROWS_PER_PART", 10)
    body = b"id,plan\n" + b"".join(b"u%d,%s\n" % (n, b"No" if n % 7 else b"Gold") for n in range(100))
    run = desk.run(body, mapping=WIDE.__class__(user="id", columns=WIDE.columns))
    assert run.tally.steps > 5

    rows = read_csv(rows_of(desk, run))[1:]

    assert [row[0] for row in rows] == [f"u{n}" for n in range(100) if n % 7]


def test_before_anything_is_applied_the_plan_says_which_rows_would_be_rejected(desk: Desk) -> None:
    brought = desk.bring(b"user,tag\nu1,A\nu2,b\n")
    assert rows_of(desk, brought).count(b"\n") == 1
    desk.imports.plan(desk.environment, brought.id)
    desk.work()

    assert [row[:2] for row in read_csv(rows_of(desk, brought))[1:]] == [["u1", "A"]]
    assert [line.line for line in desk.imports.rejected(desk.environment, brought.id)] == [2]


def test_a_file_that_was_forgotten_has_no_rows_any_more(desk: Desk) -> None:
    run = desk.run(b"user,tag\nu1,A\n")
    desk.imports.folder.delete(run.id)

    with pytest.raises(ImportFileGone):
        rows_of(desk, run)


@pytest.mark.parametrize("encoding", ["windows-1252", "utf-16"])
def test_rows_of_another_encoding_come_back_and_are_mended_by_the_same_mapping(desk: Desk, encoding: str) -> None:
    mapping = Mapping(user="id", columns=(TagColumn(column="plan"),), encoding="windows-1252")
    body = "id;plan\rMüller;Groß\ru2;ok\r".encode(encoding)
    run = desk.run(body, mapping=mapping)
    assert run.tally.rejected_count == 1

    found = rows_of(desk, run)

    assert "Müller;Groß;2;tag-has-capital" in found.decode("utf-8-sig")
    assert desk.run(found.replace("Groß;2".encode(), "groß;2".encode()), mapping=mapping).tally.added == 1
    assert desk.tags("Müller") == ("groß",)


def test_rows_of_a_workbook_come_back_as_csv(desk: Desk) -> None:
    run = desk.run(workbook([("user", "tag"), ("u1", "Gold"), (1001, "b")]), "crm.xlsx")

    assert run.tally.added == 1
    assert rows_of(desk, run).splitlines()[1].startswith(b"u1,Gold,2,tag-has-capital")


@given(KINDS, KINDS, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=150)
def test_rows_of_columns_of_any_type_come_back(
    tmp_path_factory: pytest.TempPathFactory, one: pa.DataType, other: pa.DataType, random: Random
) -> None:
    path = tmp_path_factory.mktemp("mending") / "file"
    table = pa.Table.from_arrays([any_array(one, 3, random), any_array(other, 3, random)], ["user", "tag"])
    try:
        pq.write_table(table, path)
    except pa.ArrowException:
        assume(False)  # Arrow cannot write it, so nobody can bring it.

    with suppress(BodyInvalid):
        rows = b"".join(
            read_rejected_rows(path, a_run("parquet", None), iter([Rejected(2, "", "line-invalid", "No.", None)]))
        )

        found = pq.ParquetFile(io.BytesIO(rows))
        assert (found.metadata.num_rows, found.schema_arrow.names[:2]) == (1, ["user", "tag"])


def test_a_column_of_views_of_text_comes_back_as_it_was(desk: Desk) -> None:
    whole = io.BytesIO()
    pq.write_table(pa.table({"user": pa.array(["u1", "u2"], pa.string_view()), "tag": ["a", "B"]}), whole)

    found = pq.read_table(io.BytesIO(rows_of(desk, desk.run(whole.getvalue(), "crm.parquet"))))

    assert found.schema.field("user").type == pa.string_view()
    assert found["user"].to_pylist() == ["u2"]
