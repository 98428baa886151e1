"""Files of any columns: what is proposed, what each use of a column means, and what a bad row gets."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom import limits, problems
from tagloom.intake.sheets import Sheet, SheetColumn, check_sheet, glance, level_of, read_sheet
from tagloom.store.port import Part
from tests.intake.reading import read, said_by

PEOPLE = b"user_id,Plan,Interests,Seats\nada,Gold Plan,football; opera,3\nbob,Trial,,1\n"


def column(name: str, use: str = "ignore", **more: str) -> SheetColumn:
    """A column of a sheet."""
    return SheetColumn(name=name, use=use, **more)  # type: ignore[arg-type]  # Tests name uses as text.


def sheet(*columns: SheetColumn, prefix: str = "") -> Sheet:
    """A sheet of columns."""
    return Sheet(columns=columns, prefix=prefix)


def good(parts: Sequence[Part]) -> list[tuple[int, str, tuple[str, ...]]]:
    """The good lines: number, key, tags."""
    return [(line.number, line.key.decode(), tuple(line.add)) for line in said_by(parts).lines]


def read_csv(tmp_path: Path, text: bytes, wanted: Sheet) -> list[Part]:
    """The parts of a CSV file."""
    path = tmp_path / "file"
    path.write_bytes(text)
    return list(read_sheet(path, "csv", wanted, lambda count: None))


def test_a_proposal_names_the_person_the_lists_and_the_branches_of_few_values(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(PEOPLE)

    seen = glance(tmp_path / "file", "csv")

    assert seen.names == ("user_id", "Plan", "Interests", "Seats")
    assert seen.rows[0] == ("ada", "Gold Plan", "football; opera", "3")
    assert [(each.use, each.branch) for each in seen.proposal.columns] == [
        ("user", "user_id"),
        ("value", "plan"),
        ("list", "interests"),
        ("value", "seats"),
    ]
    assert seen.proposal.columns[2].separator == ";"


def test_a_column_of_many_values_is_not_proposed_as_tags(tmp_path: Path) -> None:
    rows = "".join(f"u{n},{n * 7.5}\n" for n in range(50))
    (tmp_path / "file").write_text("customer,spent\n" + rows)

    uses = [each.use for each in glance(tmp_path / "file", "csv").proposal.columns]

    # The first column is the person where no name says which.
    assert uses == ["user", "ignore"]


def test_each_use_of_a_column_becomes_tags(tmp_path: Path) -> None:
    wanted = sheet(
        column("user_id", "user"),
        column("Plan", "value", branch="plan"),
        column("Interests", "list", separator=";"),
        column("Seats"),
        prefix="crm",
    )

    assert good(read_csv(tmp_path, PEOPLE, wanted)) == [
        (2, "uada", ("crm/plan/gold-plan", "crm/football", "crm/opera")),
        (3, "ubob", ("crm/plan/trial",)),
    ]


def test_a_tag_column_is_taken_as_it_stands(tmp_path: Path) -> None:
    wanted = sheet(column("v", "visitor"), column("t", "tag"))

    assert good(read_csv(tmp_path, b"v,t\nx,sports/football\n", wanted)) == [(2, "vx", ("sports/football",))]


def test_a_person_may_be_a_user_in_one_row_and_a_visitor_in_the_next(tmp_path: Path) -> None:
    wanted = sheet(column("u", "user"), column("v", "visitor"), column("t", "tag"))

    parts = read_csv(tmp_path, b"u,v,t\nada,,a\n,xyz,b\nbob,x,c\n,,d\n", wanted)

    assert [line[1] for line in good(parts)] == ["uada", "vxyz"]
    rejected = [each for part in parts for each in part.rejected]
    assert [(each.line, each.problem) for each in rejected] == [(4, "line-invalid"), (5, "line-invalid")]
    # Whoever a rejected row names loses nothing in a mirror.
    assert [key for part in parts for key in part.held] == [b"ubob", b"vx"]


def test_a_row_of_other_width_or_without_a_person_is_rejected_alone(tmp_path: Path) -> None:
    parts = read_csv(tmp_path, b"user,tag\nada,a,b\n,a\nbob,b\n", sheet(column("user", "user"), column("tag", "tag")))

    assert [line[1] for line in good(parts)] == ["ubob"]
    assert [each.line for part in parts for each in part.rejected] == [2, 3]


def test_rows_of_a_quoted_cell_with_newlines_are_numbered_by_their_last_line(tmp_path: Path) -> None:
    parts = read_csv(
        tmp_path, b'user,tag,x\nada,a,"1\n2"\nbob,b,\n', sheet(column("user", "user"), column("tag", "tag"))
    )

    assert [(number, key) for number, key, _ in good(parts)] == [(3, "uada"), (4, "ubob")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_by_the_header(tmp_path: Path, delimiter: str) -> None:
    text = delimiter.join(["user", "tag"]) + "\n" + delimiter.join(["ada", "a/b"]) + "\n"

    parts = read_csv(tmp_path, b"\xef\xbb\xbf" + text.encode(), sheet(column("user", "user"), column("tag", "tag")))

    assert good(parts) == [(2, "uada", ("a/b",))]


def test_parquet_cells_of_every_type_become_text(tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2], "gold": [True, None], "likes": [["a", "b"], []], "n": [1.5, None]})
    pq.write_table(table, tmp_path / "file")
    wanted = sheet(
        column("id", "user"),
        column("gold", "value", branch="gold"),
        column("likes", "list"),
        column("n", "value", branch="n"),
    )

    parts = list(read_sheet(tmp_path / "file", "parquet", wanted, lambda count: None))

    assert good(parts) == [(1, "u1", ("gold/yes", "a", "b", "n/1.5")), (2, "u2", ())]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (sheet(column("a", "tag")), "user id"),
        (sheet(column("a", "user")), "hold tags"),
        (sheet(column("a", "user"), column("b", "user"), column("c", "tag")), "Only one column"),
        (sheet(column("a", "user"), column("b", "list", separator="--")), "one character"),
    ],
)
def test_a_sheet_that_cannot_be_carried_out_says_why(wanted: Sheet, says: str) -> None:
    with pytest.raises(problems.ColumnsInvalid, match=says):
        check_sheet(wanted)


def test_a_bad_branch_or_prefix_is_told_by_the_tag_rules() -> None:
    with pytest.raises(problems.TagProblem):
        check_sheet(sheet(column("a", "user"), column("b", "value", branch="Not Lower")))
    with pytest.raises(problems.TagProblem):
        check_sheet(sheet(column("a", "user"), column("b", "tag"), prefix="a//b"))


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b",\na,b\n", b'user,tag\nada,"never closed\n', b"user,tag\nada,\xff\xfe\n", b"user,user\na,b\n"],
)
def test_a_file_that_cannot_be_read_is_refused_whole(tmp_path: Path, text: bytes) -> None:
    with pytest.raises((problems.BodyInvalid, problems.ColumnsInvalid)):
        read_csv(tmp_path, text, sheet(column("user", "user"), column("tag", "tag")))


def test_an_endless_line_is_refused_without_being_held(tmp_path: Path) -> None:
    text = b"user,tag\nada," + b"a" * (limits.LINE_BYTES_MAX + 10)

    with pytest.raises(problems.BodyInvalid, match="more than"):
        read_csv(tmp_path, text, sheet(column("user", "user"), column("tag", "tag")))


def test_a_text_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"PAR1 not really")

    with pytest.raises(problems.BodyInvalid, match="Parquet"):
        glance(tmp_path / "file", "parquet")


def test_a_column_that_the_file_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(problems.ColumnsInvalid, match="'other'"):
        read_csv(tmp_path, b"user,tag\na,b\n", sheet(column("other", "user"), column("tag", "tag")))


@given(st.text(max_size=40))
def test_a_level_of_any_text_is_lower_case_without_slashes_or_spaces(text: str) -> None:
    level = level_of(text)

    assert level == level.lower()
    assert "/" not in level
    assert not any(each.isspace() for each in level)


ids = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
tags = st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5}){0,2}", fullmatch=True)


@given(st.lists(st.tuples(ids, tags), max_size=30))
def test_long_form_reads_as_the_fast_reader_does(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("user", "tag"), *rows])
    body = text.getvalue().encode()

    slow = read_csv(tmp_path_factory.mktemp("sheet"), body, sheet(column("user", "user"), column("tag", "tag")))
    fast = read(body, "csv")

    assert said_by(slow) == fast
