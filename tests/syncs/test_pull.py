"""Sources become one file: databases by query and by cursor, files by glob, and what cannot be read says why."""

import gzip
from collections.abc import Generator, Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sql
from msgspec.structs import replace

from tagloom.egress.problems import SourceUnreadable
from tagloom.files.mapped import read_mapped
from tagloom.imports import limits as imports_limits
from tagloom.imports.mapping_inference import Beginning
from tagloom.syncs import limits as syncs_limits
from tagloom.syncs.definitions import parse_draft
from tagloom.syncs.problems import SyncInvalid
from tagloom.syncs.pull import Fetch, Pulled, begin, pull
from tagloom.words.mappings import Mapping, ValueColumn
from tagloom.words.source_addresses import Remote
from tagloom.words.syncs import FilesSource, PushSource, SqlSource, SyncSource, UrlSource

QUERY = "SELECT id, plan, is_trial, changed_at FROM customer WHERE changed_at > :cursor ORDER BY id"


@pytest.fixture
def crm(tmp_path: Path) -> str:
    """A CRM's database, and its URL."""
    url = f"sqlite:///{tmp_path}/crm.sqlite"
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sql.text("CREATE TABLE customer (id TEXT, plan TEXT, is_trial BOOLEAN, changed_at TEXT)"))
        for number in range(5):
            row = {
                "id": f"c{number}",
                "plan": "Gold" if number else None,
                "trial": number == 1,
                "at": f"2026-0{number + 1}",
            }
            connection.execute(sql.text("INSERT INTO customer VALUES (:id, :plan, :trial, :at)"), row)
    engine.dispose()
    return url


def nothing(remote: Remote) -> Generator[tuple[str, Iterator[bytes]], None, None]:
    """What is fetched where nothing is."""
    yield from ()


def pulled(
    source: SyncSource,
    folder: Path,
    cursor: str | None = None,
    inbox: Path | None = None,
    url: str = "",
    fetch: Fetch = nothing,
) -> tuple[Pulled, Path]:
    """What a source gives, and the file that it is in."""
    target = folder / "pulled"
    target.unlink(missing_ok=True)
    found = pull(
        source,
        target,
        cursor=cursor,
        read_secret=lambda name: url,
        folder=inbox,
        fetch=fetch,
        on_rows=lambda rows: None,
    )
    return found, target


def test_the_rows_of_a_query_are_texts_and_what_is_missing_stays_so(crm: str, tmp_path: Path) -> None:
    source = SqlSource(secret="crm", query="SELECT id, plan, is_trial FROM customer ORDER BY id LIMIT 2")

    found, file = pulled(source, tmp_path, url=crm)

    assert found == Pulled(format="parquet", rows=2)
    assert pq.read_table(file).to_pylist() == [
        {"id": "c0", "plan": None, "is_trial": "0"},
        {"id": "c1", "plan": "Gold", "is_trial": "1"},
    ]


def test_a_cursor_reads_what_is_new_and_moves_to_the_greatest_value(crm: str, tmp_path: Path) -> None:
    source = SqlSource(secret="crm", query=QUERY, cursor="changed_at", cursor_start="2026-02")

    first, file = pulled(source, tmp_path, url=crm)

    assert first == Pulled(format="parquet", rows=3, cursor="2026-05")
    assert pq.read_table(file).column("id").to_pylist() == ["c2", "c3", "c4"]
    again, _ = pulled(source, tmp_path, cursor=first.cursor, url=crm)
    assert again == Pulled(format="parquet", rows=0, cursor="2026-05")


def test_a_cursor_may_begin_at_a_whole_number(crm: str, tmp_path: Path) -> None:
    query = b"SELECT id, changed_at FROM customer WHERE changed_at > :cursor"
    source = b'{"type":"sql","secret":"crm","cursor":"changed_at","cursor_start":0,"query":"%b"}' % query
    draft = parse_draft(b'{"source":%b,"mapping":"customers","mode":"add"}' % source)
    assert isinstance(draft.source, SqlSource)

    found, _ = pulled(draft.source, tmp_path, url=crm)
    assert (found.rows, found.cursor) == (5, "2026-05")


def test_a_field_of_another_type_is_refused_by_its_name() -> None:
    body = b'{"source":{"type":"sql","secret":"crm","query":"SELECT 1","cursor_start":true},"mapping":"customers"}'

    with pytest.raises(SyncInvalid, match=r"\$\.source\.cursor_start: Expected `int | str`") as caught:
        parse_draft(body)
    assert caught.value.members["field"] == "$.source.cursor_start"


@pytest.mark.parametrize(
    ("url", "query", "says"),
    [
        ("postgresql://ada:hush-hush@127.0.0.1:1/crm", "SELECT 1", "The database says"),
        ("hush-hush", "SELECT 1", "The database says"),
        ("nosuchdb://ada:hush-hush@host/crm", "SELECT 1", "The driver of 'nosuchdb' is not installed"),
        ("", "SELECT plan FROM nowhere", "no such table"),
    ],
)
def test_what_cannot_be_read_says_why_and_tells_no_secret(
    crm: str, tmp_path: Path, url: str, query: str, says: str
) -> None:
    with pytest.raises(SourceUnreadable, match=says) as caught:
        pulled(SqlSource(secret="crm", query=query), tmp_path, url=url or crm)

    assert "hush" not in caught.value.detail


def test_a_cursor_that_the_query_does_not_give_is_told_with_what_it_gives(crm: str, tmp_path: Path) -> None:
    source = SqlSource(secret="crm", query="SELECT id FROM customer WHERE changed_at > :cursor", cursor="changed_at")

    with pytest.raises(SourceUnreadable, match="has no column 'changed_at' for its cursor; it has id"):
        pulled(source, tmp_path, url=crm)


def test_files_are_joined_in_order_of_their_names_with_one_header(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "b.csv").write_bytes(b"\xef\xbb\xbfuser,tag\r\nu2,b")
    (inbox / "a.csv").write_bytes(b"user,tag\nu1,a\n")
    (inbox / "c.csv.gz").write_bytes(gzip.compress(b"user,tag\nu3,c\n"))

    found, file = pulled(FilesSource(glob="*.csv*"), tmp_path, inbox=inbox)

    assert found.format == "csv"
    assert file.read_bytes().replace(b"\r", b"") == b"user,tag\nu1,a\nu2,b\nu3,c\n"


def test_parquet_files_of_one_schema_are_joined(tmp_path: Path) -> None:
    for name in "ab":
        pq.write_table(pa.table({"user": [name], "tag": ["x"]}), tmp_path / f"{name}.parquet")

    found, file = pulled(FilesSource(glob="*.parquet"), tmp_path, inbox=tmp_path)

    assert found.format == "parquet"
    assert pq.read_table(file).column("user").to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "No file matches"),
        ({"a.csv": b"user,tag\n", "b.ndjson": b"{}\n"}, "several formats: csv, ndjson"),
        ({"a.csv": b"user,tag\n", "b.csv": b"tag,user\n"}, "'b.csv' has a header that differs"),
        ({"a.xlsx": b""}, "does not end with one of"),
        ({"a.parquet": b"PAR1"}, "cannot be read"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path: Path, files: dict[str, bytes], says: str) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name, content in files.items():
        (inbox / name).write_bytes(content)

    with pytest.raises(SourceUnreadable, match=says):
        pulled(FilesSource(glob="*"), tmp_path, inbox=inbox)


def test_a_file_outside_the_folders_is_not_read_whatever_link_leads_there(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "outside.csv").write_text("user,tag\n")
    (inbox / "link.csv").symlink_to(tmp_path / "outside.csv")

    for glob, says in (
        (f"{tmp_path}/outside.csv", "is no glob"),
        ("*.csv", "outside the folder"),
        ("../outside.csv", "outside the folder"),
    ):
        with pytest.raises(SourceUnreadable, match=says):
            pulled(FilesSource(glob=glob), tmp_path, inbox=inbox)
    with pytest.raises(SourceUnreadable, match="TAGLOOM_FILES_FOLDER"):
        pulled(FilesSource(glob="*.csv"), tmp_path)


def test_pushes_have_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(SyncInvalid):
        pulled(PushSource(), tmp_path)


def test_times_of_a_database_are_read_as_iso_8601(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/times.sqlite"
    table = sql.Table("event", sql.MetaData(), sql.Column("at", sql.DateTime))
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(sql.insert(table).values(at=datetime(2026, 3, 1, 9, 30)))
    engine.dispose()

    _, file = pulled(SqlSource(secret="crm", query="SELECT at FROM event"), tmp_path, url=url)

    assert pq.read_table(file).column("at").to_pylist() == ["2026-03-01 09:30:00.000000"]


def fetching(*files: tuple[str, bytes]) -> Fetch:
    """What gives these files, whatever is asked for."""
    return lambda remote: ((name, iter([body[:5], body[5:]])) for name, body in files)


def test_the_files_of_an_address_are_joined_as_those_of_a_folder(tmp_path: Path) -> None:
    one, two = b"id,plan\nu1,Gold", gzip.compress(b"id,plan\nu2,Silver\n")
    source = UrlSource(url="s3://exports/*.csv*")

    found, file = pulled(source, tmp_path, fetch=fetching(("a.csv", one), ("b.csv.gz", two)))

    assert (found.format, file.read_bytes()) == ("csv", b"id,plan\nu1,Gold\nu2,Silver\n")
    assert [each.name for each in tmp_path.iterdir()] == ["pulled"]
    # How a file is compressed is told by its bytes, whatever its name says.
    assert (
        pulled(source, tmp_path, fetch=fetching(("a.csv", two), ("b.csv.gz", one)))[1].read_bytes().endswith(b"Gold\n")
    )
    named = replace(source, format="ndjson")
    assert pulled(named, tmp_path, fetch=fetching(("export", b"{}\n")))[0].format == "ndjson"
    for wrong, says in (
        ((("a.csv", one), ("b.parquet", b"x")), "several formats"),
        ((("a.csv", one), ("b.csv", b"id,tier\nu2,1\n")), "a header that differs"),
        ((("export", one),), "does not end with one"),
    ):
        with pytest.raises(SourceUnreadable, match=says):
            pulled(source, tmp_path, fetch=fetching(*wrong))


def begun(source: SyncSource, inbox: Path | None = None, url: str = "", fetch: Fetch = nothing) -> Beginning:
    """The beginning of a source."""
    return begin(source, read_secret=lambda name: url, folder=inbox, fetch=fetch)


def test_the_beginning_of_a_query_is_its_columns_and_as_many_rows_as_a_proposal_looks_at(
    crm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports_limits, "PROPOSAL_ROWS_MAX", 2)

    found = begun(SqlSource(secret="crm", query=QUERY, cursor="changed_at", cursor_start="2026-02"), url=crm)

    assert found.names == ("id", "plan", "is_trial", "changed_at")
    assert [row.cells for row in found.rows] == [["c2", "Gold", "0", "2026-03"], ["c3", "Gold", "0", "2026-04"]]
    with pytest.raises(SourceUnreadable, match="no such table"):
        begun(SqlSource(secret="crm", query="SELECT plan FROM nowhere"), url=crm)


def test_the_beginning_of_files_is_that_of_the_first_one(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"id,tier\nu2,1\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,plan\nu1,Gold\n"))

    found = begun(FilesSource(glob="*.csv*"), inbox=tmp_path)

    assert (found.names, [row.cells for row in found.rows]) == (("id", "plan"), [["u1", "Gold"]])


def test_of_an_address_no_more_is_fetched_than_a_proposal_looks_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncs_limits, "PROPOSAL_BYTES_MAX", 20)
    asked, is_closed = 0, False

    def fetch(remote: Remote) -> Generator[tuple[str, Iterator[bytes]], None, None]:
        nonlocal is_closed

        def chunks() -> Iterator[bytes]:
            nonlocal asked
            for number in range(9):
                asked += 1
                yield b"id,plan\n" if not number else b"u%d,Gold\n" % number

        try:
            yield "customers.csv", chunks()
        finally:
            is_closed = True

    found = begun(UrlSource(url="https://example.com/customers.csv"), fetch=fetch)

    assert [row.cells for row in found.rows] == [["u1", "Gold"], ["u2", "Gold"]]
    assert (asked, is_closed) == (4, True)
    with pytest.raises(SourceUnreadable, match="too large for a"):
        begun(UrlSource(url="https://example.com/customers", format="parquet"), fetch=fetch)


def test_what_comes_by_itself_has_no_beginning() -> None:
    with pytest.raises(SyncInvalid, match="no rows to preview"):
        begun(PushSource())


def test_a_reader_that_lost_its_run_stops_fetching(tmp_path: Path) -> None:
    def stop(rows: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        pull(
            UrlSource(url="https://example.com/a.csv"),
            tmp_path / "pulled",
            cursor=None,
            read_secret=str,
            folder=None,
            fetch=fetching(("a.csv", b"id\n1\n")),
            on_rows=stop,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_query_gives_the_cells_that_a_parquet_file_of_the_same_values_gives(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/typed.sqlite"
    (tmp_path / "typed.sqlite").touch()
    # SQLite lets each row have a type of its own.
    rows = "VALUES (1001.0, 2.5), ('u2', NULL), (x'7533', 'text'), (x'ff', 1e300), (9007199254740992.0, 1)"
    source = SqlSource(secret="crm", query=f"SELECT column1 AS id, column2 AS score FROM ({rows})")
    mapping = Mapping(user="id", columns=(ValueColumn(column="score", branch="score"),))

    _, file = pulled(source, tmp_path, url=url)
    (part,) = read_mapped(file, "parquet", "none", mapping)

    assert list(part.key_list()) == [b"u1001", b"uu2", b"uu3"]
    assert list(part.texts) == ["score/2.5", "score/text"]
    assert [(each.line, each.detail.split(". ")[0]) for each in part.rejected] == [
        (4, "Column 'id' holds binary that is not UTF-8, \ufffd"),
        (5, "Column 'id' holds a float too large to be exact, 9007199254740992.0"),
    ]


@pytest.mark.parametrize("beginning", [b"", b"\n", b"\r\n\n", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("header", [b"user,tag", b'user,"tag\nof a person"', b'"user","tag, or tags"', b'5" user,tag'])
def test_no_header_of_a_joined_file_becomes_a_row(tmp_path: Path, beginning: bytes, header: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(beginning + header + b"\nu1,a\n")
    (tmp_path / "b.csv").write_bytes(header + b"\r\nu2,b")
    (tmp_path / "c.csv").write_bytes(beginning + header + b"\n")

    _, file = pulled(FilesSource(glob="*.csv"), tmp_path, inbox=tmp_path)

    assert file.read_bytes() == header + b"\nu1,a\nu2,b\n"


def test_files_that_divide_their_cells_otherwise_are_not_joined(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"user,tag\nu1,a\n")
    (tmp_path / "b.csv").write_bytes(b"user;tag\nu2;b\n")

    with pytest.raises(SourceUnreadable, match=r"'b\.csv' has a delimiter that differs"):
        pulled(FilesSource(glob="*.csv"), tmp_path, inbox=tmp_path)


def parquet(path: Path, columns: dict[str, pa.Array]) -> None:
    pq.write_table(pa.table(columns), path)


def test_parquet_files_of_another_order_or_width_are_joined(tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", {"id": pa.array([1], pa.int32()), "n": pa.array([1], pa.int64())})
    parquet(tmp_path / "b.parquet", {"n": pa.array([2**40], pa.int64()), "id": pa.array([2**40], pa.int64())})
    parquet(tmp_path / "c.parquet", {"n": pa.nulls(1), "id": pa.array([3], pa.uint8())})

    _, file = pulled(FilesSource(glob="*.parquet"), tmp_path, inbox=tmp_path)

    assert pq.read_table(file).to_pydict() == {"id": [1, 2**40, 3], "n": [1, 2**40, None]}


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"id": pa.array(["x"]), "n": pa.array([1])}, "has string in column 'id', but others have int64"),
        ({"id": pa.array([1.5]), "n": pa.array([1])}, "'a.parquet' has a value in column 'id' that does not fit"),
        ({"id": pa.array([1])}, "has columns that differ from those of the files before it: 'n'"),
        ({"id": pa.array([1]), "n": pa.array([1]), "m": pa.array([1])}, "files before it: 'm'"),
    ],
)
def test_parquet_files_that_do_not_agree_say_how(tmp_path: Path, other: dict[str, pa.Array], says: str) -> None:
    parquet(tmp_path / "a.parquet", {"id": pa.array([2**60]), "n": pa.array([1])})
    parquet(tmp_path / "b.parquet", other)

    with pytest.raises(SourceUnreadable, match=says):
        pulled(FilesSource(glob="*.parquet"), tmp_path, inbox=tmp_path)
