"""A mapping is proposed from the first rows of a file, whole or cut off, and reads them as it says."""

import csv
import gzip
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagloom.base.problems import BodyInvalid
from tagloom.files.mapped import read_mapped
from tagloom.files.problems import ColumnsInvalid
from tagloom.imports import limits
from tagloom.imports.folder import compression_of
from tagloom.imports.mapping_inference import (
    Beginning,
    FirstRow,
    InferredMapping,
    beginning_of,
    infer,
    inferred_mapping,
    rows_read,
)
from tagloom.ports.imports import ImportFormat
from tagloom.words.mappings import (
    BandsColumn,
    Column,
    FlagColumn,
    ListColumn,
    Mapping,
    TagColumn,
    ValueColumn,
    check_mapping,
)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "telco"


def inferred(tmp_path: Path, body: bytes, format: ImportFormat = "csv") -> InferredMapping:
    """What is proposed for a file."""
    path = tmp_path / "file"
    path.write_bytes(body)
    return infer(beginning_of(path, format, compression_of(body[:4])))


def column_for(name: str, *cells: str) -> Column | None:
    """What is proposed for one column beside the people's."""
    mapping = inferred_mapping(("user", name), [(f"u{number}", cell) for number, cell in enumerate(cells)])
    return mapping.columns[0] if mapping.columns else None


def test_each_kind_of_column_is_told_by_its_name_and_its_cells(tmp_path: Path) -> None:
    found = inferred(
        tmp_path,
        b"user_id,Plan Name,Interests,Newsletter,stage\n"
        b"ada,Gold Plan,football; opera,yes,in talks\nbob,None,,no,won\ncyd,Trial,opera,yes,\n",
    )

    assert found.mapping == Mapping(
        user="user_id",
        columns=(
            ValueColumn(column="Plan Name", branch="plan-name", values={"None": ""}),
            ListColumn(column="Interests", separator=";"),
            FlagColumn(column="Newsletter", yes="newsletter"),
            ValueColumn(column="stage", branch="stage"),
        ),
    )
    assert [each.column for each in found.columns] == ["user_id", "Plan Name", "Interests", "Newsletter", "stage"]
    assert found.columns[1].samples == ("Gold Plan", "None", "Trial")
    assert (found.rows[0].line, found.rows[0].user) == (2, "ada")
    assert found.rows[0].tags == ("plan-name/gold-plan", "football", "opera", "newsletter", "stage/in-talks")


@pytest.mark.parametrize(
    ("name", "cells", "column"),
    [
        ("tag", ("a/b", "c"), TagColumn(column="tag")),
        ("tag", ("A/b", "c"), TagColumn(column="tag", steps=("trim", "lowercase"))),
        ("segment", ("Big  Spender", "c"), TagColumn(column="segment", steps=("slug",))),
        ("tag", ("a/b", ""), ListColumn(column="tag")),
        ("labels", ("a|b", "c"), ListColumn(column="labels", separator="|")),
        ("sports", ("golf, tennis", "golf", "tennis"), ListColumn(column="sports", separator=",")),
        ("StreamingTV", ("Yes", "No"), FlagColumn(column="StreamingTV", yes="streaming-tv")),
        ("senior", ("0", "1", ""), FlagColumn(column="senior", yes="senior")),
        ("seats", ("1", "2", "1"), ValueColumn(column="seats", branch="seats")),
        ("net", ("DSL", "No", "n/a"), ValueColumn(column="net", branch="net", values={"No": "", "n/a": ""})),
        ("empty", ("", " "), None),
        ("name", ("Ada", "Bob", "Cyd", "Dan", "Eve"), None),
        ("zip", tuple(str(10_000 + 7 * n) for n in range(50)), None),
        ("key", tuple(f"{n:05}" for n in range(50)), None),
        ("about", ("x" * 65, "y"), None),
        ("/", ("a", "b", "a"), ValueColumn(column="/", branch="column-2")),
    ],
)
def test_a_column_is_proposed_for_what_it_looks_like(name: str, cells: tuple[str, ...], column: Column | None) -> None:
    assert column_for(name, *cells) == column


WHO = {
    "email": st.emails(),
    "Contact": st.emails().map(lambda text: f"Ada <{text}>"),
    "First Name": st.sampled_from(["Ada", "Bob", "Cyd", "Ada Maria"]),
    "lastname": st.sampled_from(["Lovelace", "O'Brien", "Müller"]),
    "Company Name": st.sampled_from(["Acme", "Globex"]),
    "Owner": st.sampled_from(["Maria Lopez", "Jo Smith"]),
    "created_at": st.datetimes().map(str),
    "Signed": st.dates().map(lambda date: date.isoformat()),
    "Closed": st.dates(min_value=date(1990, 1, 1)).map(lambda date: f"{date:%d.%m.%Y}"),
    "Renewal": st.dates(min_value=date(1990, 1, 1)).map(lambda date: f"{date:%b %d, %Y}"),
    "Day": st.dates(min_value=date(1990, 1, 1), max_value=date(2099, 12, 31)).map(lambda date: f"{date:%Y%m%d}"),
    "account_id": st.integers(1, 3).map(str),
    "Reference": st.uuids().map(str),
    "Salesforce": st.uuids().map(lambda id: id.hex),
    "Phone": st.sampled_from(["+49 170 1234567", "(555) 123-4567"]),
    "Reach by": st.sampled_from(["+49 170 1234567", "(555) 123-4567", "030/123 45 67"]),
    "Website": st.sampled_from(["https://a.example", "https://b.example/x"]),
    "IP": st.ip_addresses().map(str),
    "Notes": st.sampled_from(["called", "likes it"]),
    "What next": st.sampled_from(["She asked for a call back on Monday", "Sent the offer.\nWaits."]),
}


@given(st.data(), st.integers(1, 12), st.sampled_from([",", ";"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_tags_are_proposed_of_addresses_names_dates_ids_or_free_text(
    data: st.DataObject, count: int, delimiter: str
) -> None:
    row = st.fixed_dictionaries(
        {**WHO, "Plan": st.sampled_from(["Gold", "Free trial"]), "Newsletter": st.sampled_from(["yes", "no"])}
    )
    rows = data.draw(st.lists(row, min_size=count, max_size=count))
    body = StringIO()
    writer = csv.DictWriter(body, ["customer_id", *rows[0]], delimiter=delimiter)
    writer.writeheader()
    writer.writerows({"customer_id": f"C-{number:05}", **row} for number, row in enumerate(rows))

    with TemporaryDirectory() as folder:
        found = inferred(Path(folder), body.getvalue().encode()).mapping

    assert (found.user, found.visitor) == ("customer_id", None)
    assert {column.column for column in found.columns} == {"Plan", "Newsletter"}


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Manager", ("Maria Lopez", "Jo van Smith", "Lopez, Maria")),
        ("Account", ("100234", "100235", "100299")),
        ("Contract", ("A-1001", "A-1002", "A-1003")),
        ("Since when", ("unknown", "2026-03-01", "1/4/2026 9:30 PM")),
        ("tags", ("ada@example.com", "bob@example.com", "ada@example.com")),
        ("updated_on", ("x", "y", "x")),
    ],
)
def test_a_column_of_people_is_told_by_its_cells(name: str, cells: tuple[str, ...]) -> None:
    assert column_for(name, *cells) is None


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("Plan Name", ("Gold", "Silver", "Gold")),
        ("city", ("New York", "San Jose", "New York")),
        ("country", ("DE", "US", "DE")),
        ("product_code", ("A1", "B2", "A1")),
        ("year", ("2024", "2025", "2026")),
        ("email_opt_in", ("yes", "no", "yes")),
        ("revenue", tuple(str(1_000 * n + 7) for n in range(1, 60))),
    ],
)
def test_what_people_are_like_stays_a_column_of_tags(name: str, cells: tuple[str, ...]) -> None:
    assert column_for(name, *cells) is not None


def test_the_column_of_users_may_be_named() -> None:
    beginning = Beginning(("id", "member", "plan"), [FirstRow(2, ("1", "ada", "Gold"), None)])

    assert infer(beginning, user="member").mapping == Mapping(
        user="member", columns=(ValueColumn(column="plan", branch="plan"),)
    )
    with pytest.raises(ColumnsInvalid, match="'members'"):
        infer(beginning, user="members")


def test_numbers_become_bands_at_their_quarters() -> None:
    column = column_for("tenure", *map(str, range(73)), "")

    assert isinstance(column, BandsColumn)
    assert [(band.to, band.tag) for band in column.bands] == [
        (Decimal(20), "tenure/up-to-20"),
        (Decimal(40), "tenure/over-20-to-40"),
        (Decimal(50), "tenure/over-40-to-50"),
        (None, "tenure/over-50"),
    ]
    assert column.blank == ""


@pytest.mark.parametrize(
    ("names", "user", "visitor"),
    [
        (("id", "user_id"), "user_id", None),
        (("plan", "customerID"), "customerID", None),
        (("anonymousId", "plan"), None, "anonymousId"),
        (("visitor", "user"), "user", "visitor"),
        (("a", "b"), "b", None),
    ],
)
def test_the_people_are_found_by_name_or_as_what_differs_in_every_row(
    names: tuple[str, ...], user: str | None, visitor: str | None
) -> None:
    mapping = inferred_mapping(names, [("x", "1"), ("x", "2")])

    assert (mapping.user, mapping.visitor) == (user, visitor)


def test_nested_objects_are_proposed_by_their_paths(tmp_path: Path) -> None:
    body = (
        b'{"profile": {"id": "a", "plan": "Pro"}, "segments": [{"name": "Golf"}, {"name": "Tennis"}], "likes": ["x"]}\n'
    )

    found = inferred(tmp_path, body, "ndjson")

    assert found.mapping.user == "profile.id"
    assert found.mapping.columns == (
        ValueColumn(column="profile.plan", branch="plan"),
        ListColumn(column="segments[*].name", steps=("trim", "lowercase")),
        ValueColumn(column="likes", branch="likes"),
    )
    assert found.rows[0].tags == ("plan/pro", "golf", "tennis", "likes/x")


def test_the_plain_form_is_proposed_as_what_it_is(tmp_path: Path) -> None:
    found = inferred(tmp_path, b'{"user": "u1", "tags": ["a/b", "c"]}\n', "ndjson")

    assert found.mapping == Mapping(user="user", columns=(ListColumn(column="tags"),))
    assert found.rows[0].tags == ("a/b", "c")


def test_parquet_is_looked_at_by_its_types(tmp_path: Path) -> None:
    rows = 40
    table = pa.table(
        {
            "id": list(range(rows)),
            "active": [number % 2 == 0 for number in range(rows)],
            "spent": [number * 7.5 for number in range(rows)],
        }
    )
    pq.write_table(table, tmp_path / "file")

    found = infer(beginning_of(tmp_path / "file", "parquet", "none"))

    assert [type(column) for column in found.mapping.columns] == [FlagColumn, BandsColumn]
    assert len(found.rows) == limits.PROPOSAL_ROWS_READ
    assert found.rows[0].tags == ("active", "spent/up-to-80")


def test_a_row_that_would_be_rejected_says_why(tmp_path: Path) -> None:
    found = inferred(tmp_path, b"user,tag\nu1,a\n,b\nu3,a,b\n")

    assert [each.problem for each in found.rows] == [None, "person-id-invalid", "line-invalid"]
    assert found.rows[2].detail == "Line 4 has 3 cells, but the header has 2 columns."
    beginning = beginning_of(tmp_path / "file", "csv", "none")
    (row, *_) = rows_read(beginning, Mapping(user="user", columns=(TagColumn(column="tag"),), prefix="Crm"))
    assert (row.problem, row.suggestion) == ("tag-has-capital", "crm/a")
    with pytest.raises(ColumnsInvalid, match="'id'"):
        rows_read(beginning, Mapping(user="id", tags=("a",)))


BODY = "user,plan,note\n" + "".join(f'u{n},Plan {n % 3},"two\nlines"\n' for n in range(100))


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 9, 12, 17])
def test_a_beginning_may_end_anywhere(tmp_path: Path, cut: int) -> None:
    whole = inferred(tmp_path, BODY.encode())
    found = inferred(tmp_path, BODY[: len(BODY) // 2 - cut].encode())

    assert (found.mapping, found.rows) == (whole.mapping, whole.rows)


def test_a_last_line_without_its_end_is_left_out_unless_it_is_the_only_one(tmp_path: Path) -> None:
    assert [row.tags for row in inferred(tmp_path, b"user,tag\nu1,golf\nu2,gol").rows] == [("golf",)]
    assert [row.tags for row in inferred(tmp_path, b"user,tag\nu1,golf").rows] == [("golf",)]


def test_a_compressed_beginning_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    body = "user,tag\n" + "".join(f"u{n * 7919 % 100_003},branch/{n % 9}\n" for n in range(50_000))
    packed = gzip.compress(body.encode())

    found = inferred(tmp_path, packed[: len(packed) // 2])

    assert found.mapping == Mapping(user="user", columns=(TagColumn(column="tag"),))


@pytest.mark.parametrize("body", [b"", b"\n", b"a,a\n1,2\n", b"\xd0\xcf\x11\xe0 an old workbook"])
def test_what_cannot_be_read_at_all_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(BodyInvalid):
        inferred(tmp_path, body)


def test_a_parquet_file_has_to_be_whole(tmp_path: Path) -> None:
    with pytest.raises(BodyInvalid, match="Parquet"):
        inferred(tmp_path, b"PAR1 not really", "parquet")


def test_a_file_of_nothing_but_ids_has_no_columns_to_propose(tmp_path: Path) -> None:
    found = inferred(tmp_path, b"user\nu1\nu2\n")

    assert found.mapping == Mapping(user="user")
    assert found.rows[0].user == "u1"


def test_the_telecoms_customers_are_understood_without_a_word() -> None:
    found = infer(beginning_of(EXAMPLES / "telco-customer-churn.csv", "csv", "none"))

    kinds = {column.column: type(column) for column in found.mapping.columns}
    assert found.mapping.user == "customerID"
    assert kinds["SeniorCitizen"] == kinds["Churn"] == FlagColumn
    assert kinds["tenure"] == kinds["MonthlyCharges"] == kinds["TotalCharges"] == BandsColumn
    assert kinds["Contract"] == kinds["InternetService"] == ValueColumn
    assert "contract/one-year" in {tag for row in found.rows for tag in row.tags}


names = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1, max_size=4, unique=True)
cell = st.one_of(st.text(max_size=8), st.sampled_from(["", "yes", "0", "1.5", "-7", "a;b", "N/A"]))


@given(data=st.data(), names=names)
def test_a_proposal_with_columns_can_always_be_carried_out(data: st.DataObject, names: list[str]) -> None:
    rows = data.draw(st.lists(st.tuples(*[cell] * len(names)), max_size=30))

    mapping = inferred_mapping(names, rows)

    assert mapping == inferred_mapping(names, rows)
    if mapping.columns:
        assert check_mapping(mapping) == mapping


def test_the_rows_are_read_as_an_import_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("user,plan,seats\nu1,Gold,3\nu2,,x\nu3,Free,1\nu4,Free,3\n")
    found = infer(beginning_of(path, "csv", "none"))

    (part,) = read_mapped(path, "csv", "none", found.mapping)

    lines = {
        number: {part.texts[text] for text in part.tagging_text[part.tagging_line == place].tolist()}
        for place, number in enumerate(part.lines.tolist())
    }
    assert lines == {row.line: set(row.tags) for row in found.rows}


def test_a_text_that_is_no_utf8_is_proposed_as_windows_1252_and_says_so(tmp_path: Path) -> None:
    body = "user,Kategorie\n" + "".join(f"u{n},{'Süß' if n % 2 else 'Salzig'}\n" for n in range(20))

    found = inferred(tmp_path, body.encode("windows-1252"))

    assert found.mapping.encoding == "windows-1252"
    assert found.rows[1].tags == ("kategorie/süß",)
    assert found.warnings[0].startswith("Some bytes of the file are not UTF-8")


def test_a_text_in_utf_16_is_proposed_as_what_it_is_and_says_so(tmp_path: Path) -> None:
    found = inferred(tmp_path, "user,tag\nu1,süß\n".encode("utf-16"))

    assert (found.mapping.encoding, found.rows[0].tags) == ("utf-8", ("süß",))
    assert found.warnings[0].startswith("It is read as UTF-16")


def test_ids_that_look_wrong_are_told_with_the_proposal(tmp_path: Path) -> None:
    found = inferred(tmp_path, b"user,tag\n1.58292E+18,a\nNULL,b\nu1,c\n")

    assert [each[:12] for each in found.warnings] == ["1 of the ids"] * 2


def test_columns_of_one_name_or_of_none_are_left_out(tmp_path: Path) -> None:
    found = inferred(tmp_path, b"user,tag,,,note,note\nu1,a,,,x,y\nu2,b,,,x,y\n")

    assert [each.column for each in found.columns] == ["user", "tag"]
    assert [row.tags for row in found.rows] == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"'user','tag;x'\n'u1','a'\n", ["user", "tag;x"]),
        (b'"user,id";"tag"\n"u1";"a"\n', ["user,id", "tag"]),
        (b"sep=|\nuser|tag,a,b\nu1|x\n", ["user", "tag,a,b"]),
    ],
)
def test_the_delimiter_and_the_quote_are_those_that_make_sense_of_the_header(
    tmp_path: Path, body: bytes, names: list[str]
) -> None:
    assert [each.column for each in inferred(tmp_path, body).columns] == names


def test_decimals_are_written_plainly_and_nothing_is_made_up(tmp_path: Path) -> None:
    body = (
        b'{"id":"u1","score":0.00005,"zero":0E-7,"at":{"$date":"x"},"flag":true}\n{"id":1001.0,"score":12,"zero":1}\n'
    )

    beginning = beginning_of(tmp_path / "file", "ndjson", "none") if (tmp_path / "file").write_bytes(body) else None

    assert beginning is not None
    rows = [dict(zip(beginning.names, row.cells, strict=True)) for row in beginning.rows]
    assert [str(rows[0][name]) for name in ("id", "score", "zero", "flag")] == ["u1", "0.00005", "0", "true"]
    assert (rows[1]["id"], rows[1]["score"]) == ("1001", "12")
