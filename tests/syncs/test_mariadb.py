"""MariaDB as a source: its types, its ways to write, its limits, and what it says when it refuses."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pyarrow.parquet as pq
import pytest

from tagloom.egress.problems import SourceUnreadable
from tagloom.files.mapped import read_mapped
from tagloom.files.parquet_rows import KIND_PREFIX
from tagloom.syncs.pull import begin, pull
from tagloom.syncs.queries import queried
from tagloom.words.mappings import Mapping, ValueColumn
from tagloom.words.syncs import SqlSource
from tests.mariadb import PASSWORD, Server, server

TYPED = """CREATE TABLE typed (id VARCHAR(20) PRIMARY KEY, whole BIGINT UNSIGNED, price DECIMAL(10,2),
    seats DECIMAL(10,0), score DOUBLE, born DATE, is_trial BOOLEAN, is_new BIT(1), raw BLOB, seen DATETIME, spent TIME,
    kind ENUM('a','b'), flags SET('a','b'), data JSON, uid UUID)"""
ROWS = (
    "INSERT INTO typed VALUES ('Zo\u00eb \U0001f600', 18446744073709551615, 2.50, 7, 1001, '2026-01-31', true, b'1', "
    "x'7533', '2026-01-31 10:00:00', '10:00:00', 'a', 'a,b', '{\"a\":1}', '00000000-0000-4000-8000-000000000001')",
    "INSERT INTO typed (id, is_trial, is_new, raw) VALUES ('none', false, b'0', x'ff')",
)


@pytest.fixture
def crm() -> str:
    """A database with one table of one row, and its address."""
    url = server().new_database()
    do(url, "CREATE TABLE customer (id VARCHAR(20))", "INSERT INTO customer VALUES ('c1')")
    return url


@pytest.fixture
def writable(tmp_path: Path) -> Iterator[Path]:
    """A folder that the database may write to."""
    folder = server().folder / "exports"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()


def do(url: str, *statements: str) -> list[tuple[object, ...]]:
    return server().do(*statements, database=url.rpartition("/")[2])


def rows(
    url: str, query: str, seconds: int = 20, is_over: Callable[[], bool] = lambda: False
) -> list[tuple[object, ...]]:
    with queried(query, url, {}, rows_at_once=10, seconds=seconds, is_over=is_over) as found:
        return [tuple(row) for row in found.fetchall()]


def pulled(url: str, query: str, target: Path, **source: str) -> str | None:
    """Reads a query into a file, and returns the new cursor."""
    return pull(
        SqlSource(secret="crm", query=query, **source),  # type: ignore[arg-type]  # The names are those of its fields.
        target,
        cursor=None,
        read_secret=lambda name: url,
        folder=None,
        fetch=lambda remote: iter(()),  # type: ignore[arg-type, return-value]  # Nothing is fetched.
        on_rows=lambda count: None,
    ).cursor


def wait_for(says: Callable[[], bool], seconds: float = 10) -> bool:
    until = monotonic() + seconds
    while not says() and monotonic() < until:
        sleep(0.02)
    return says()


@pytest.mark.parametrize("scheme", ["mariadb", "mysql", "mariadb+pymysql"])
def test_values_of_each_type_become_the_cells_of_the_table(crm: str, tmp_path: Path, scheme: str) -> None:
    do(crm, TYPED, *ROWS)

    pulled(crm.replace("mariadb", scheme, 1), "SELECT * FROM typed ORDER BY id DESC", tmp_path / "pulled")

    first, second = pq.read_table(tmp_path / "pulled").to_pylist()
    assert {name: value for name, value in first.items() if not name.startswith(KIND_PREFIX)} == {
        "id": "Zo\u00eb \U0001f600",
        "whole": "18446744073709551615",
        "price": "2.5",
        "seats": "7",
        "score": "1001",
        "born": "2026-01-31",
        "is_trial": "1",
        "is_new": "1",
        "raw": "u3",
        "seen": "2026-01-31T10:00:00",
        "spent": "",
        "kind": "a",
        "flags": "a,b",
        "data": '{"a":1}',
        "uid": "00000000-0000-4000-8000-000000000001",
    }
    assert [first[f"{KIND_PREFIX}{name}"] for name in ("born", "seen", "is_new")] == ["a date", "a time", None]
    assert (second["is_trial"], second["is_new"], second["born"], second["whole"]) == ("0", "0", None, None)


def test_a_mapping_reads_these_cells_and_rejects_the_others(crm: str, tmp_path: Path) -> None:
    do(crm, TYPED, *ROWS)
    pulled(crm, "SELECT * FROM typed", tmp_path / "pulled")

    def read(user: str, column: str) -> tuple[list[str], list[str]]:
        mapping = Mapping(user=user, columns=(ValueColumn(column=column, branch="x"),))
        (part,) = read_mapped(tmp_path / "pulled", "parquet", "none", mapping)
        return sorted(part.texts), [each.detail.split(". ")[0] for each in part.rejected]

    assert read("id", "price") == (["x/2.5"], [])
    assert read("id", "born") == (["x/2026-01-31"], [])
    assert read("id", "is_trial") == (["x/0", "x/1"], [])
    assert read("id", "seen")[1] == ["Column 'seen' holds a time, 2026-01-31T10:00:00"]
    assert read("raw", "is_trial")[1] == ["Column 'raw' holds binary that is not UTF-8, \ufffd"]


def test_a_cursor_reads_only_what_is_new(crm: str, tmp_path: Path) -> None:
    do(crm, "INSERT INTO customer VALUES ('c2'), ('c3')")
    query = "SELECT id FROM customer WHERE id > :cursor AND id <> '50%'"

    cursor = pulled(crm, query, tmp_path / "pulled", cursor="id", cursor_start="c1")

    assert cursor == "c3"
    assert pq.read_table(tmp_path / "pulled").column("id").to_pylist() == ["c2", "c3"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT writes()", "READ ONLY transaction"),
        ("SELECT nextval(counter)", "READ ONLY transaction"),
        ("SELECT setval(counter, 50)", "READ ONLY transaction"),
        ("SELECT 1 INTO OUTFILE '{folder}/made'", "'INTO' writes"),
        ("SELECT 1 INTO DUMPFILE '{folder}/made'", "'INTO' writes"),
        ("SELECT 1 /*! INTO OUTFILE '{folder}/made' */", "one statement, with closed quotes and comments"),
        ("SELECT 1 /*M! INTO OUTFILE '{folder}/made' */", "one statement, with closed quotes and comments"),
        ("SELECT id FROM customer FOR UPDATE", "'UPDATE' writes"),
        ("HANDLER customer OPEN", "must only read"),
        ("DO writes()", "must only read"),
        ("CALL wipe()", "must only read"),
        ("SET GLOBAL max_connections = 5", "must only read"),
        ("SET STATEMENT max_statement_time = 0 FOR SELECT 1", "must only read"),
    ],
)
def test_no_way_to_write_of_this_database_is_open(crm: str, writable: Path, query: str, says: str) -> None:
    do(
        crm,
        "CREATE SEQUENCE counter",
        "CREATE TABLE flat (id INT) ENGINE=MyISAM",
        "CREATE FUNCTION writes() RETURNS INT BEGIN INSERT INTO flat VALUES (1); RETURN 1; END",
        "CREATE PROCEDURE wipe() DELETE FROM customer",
    )

    with pytest.raises(SourceUnreadable, match=says):
        rows(crm, query.format(folder=writable))

    assert do(crm, "SELECT count(*), (SELECT count(*) FROM flat) FROM customer") == [(1, 0)]
    assert do(crm, "SELECT nextval(counter)") == [(1,)]
    assert list(writable.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "query"),
    [
        ("NO_BACKSLASH_ESCAPES", r"SELECT 'a\' INTO OUTFILE '{folder}/made' -- '"),
        ("ANSI_QUOTES", 'SELECT 1 AS "a\\" INTO OUTFILE \'{folder}/made\' -- "'),
    ],
)
def test_where_a_text_ends_otherwise_a_query_has_no_backslash(crm: str, writable: Path, mode: str, query: str) -> None:
    before = server().do("SELECT @@GLOBAL.sql_mode")[0][0]
    server().do(f"SET GLOBAL sql_mode = '{mode}'")
    try:
        with pytest.raises(SourceUnreadable, match=f"sql_mode {mode}. With this mode, a query cannot have a backslash"):
            rows(crm, query.format(folder=writable))
        assert rows(crm, "SELECT 'it''s'") == [("it's",)]
    finally:
        server().do(f"SET GLOBAL sql_mode = '{before}'")

    assert list(writable.iterdir()) == []
    assert rows(crm, r"SELECT 'it\'s'") == [("it's",)]


ENDLESS = {
    "a sleep": "SELECT sleep(600)",
    "a cross join": "SELECT count(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
    "rows without end": "SELECT a.seq FROM seq_1_to_1000000 a, seq_1_to_1000000 b",
    "a function that ends without an error": "SELECT benchmark(1000000000000, sha2('x', 512))",
}


@pytest.mark.parametrize("query", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_query_ends_at_its_limit_and_leaves_the_server(crm: str, query: str) -> None:
    began = monotonic()

    with pytest.raises(SourceUnreadable, match="cancelled: it took longer than 1 seconds"):
        rows(crm, query, seconds=1)

    assert monotonic() - began < 10
    assert wait_for(lambda: server().queries_of(crm) == [])


def test_the_server_itself_ends_a_query_that_nobody_watches(crm: str) -> None:
    assert rows(crm, "SELECT @@SESSION.max_statement_time, @@SESSION.tx_read_only", seconds=7) == [(7.0, 1)]


@pytest.mark.parametrize("query", ENDLESS.values(), ids=ENDLESS)
def test_who_leaves_cancels_the_query_on_the_server(crm: str, query: str) -> None:
    has_left, problems = threading.Event(), list[SourceUnreadable]()

    def read() -> None:
        try:
            rows(crm, query, seconds=600, is_over=has_left.is_set)
        except SourceUnreadable as problem:
            problems.append(problem)

    reader = threading.Thread(target=read)
    reader.start()
    assert wait_for(lambda: any(query in each for each in server().queries_of(crm)))
    has_left.set()
    reader.join(30)

    assert [("no longer needed" in each.detail) for each in problems] == [True]
    assert wait_for(lambda: server().queries_of(crm) == [])


def test_the_first_rows_of_a_large_table_do_not_cost_the_others(crm: str) -> None:
    began = monotonic()

    found = begin(
        SqlSource(secret="crm", query="SELECT a.seq AS id FROM seq_1_to_1000000 a, seq_1_to_1000000 b"),
        read_secret=lambda name: crm,
        folder=None,
        fetch=lambda remote: iter(()),  # type: ignore[arg-type, return-value]  # Nothing is fetched.
    )

    assert (found.names, len(found.rows)) == (("id",), 1_000)
    assert monotonic() - began < 10
    assert wait_for(lambda: server().queries_of(crm) == [])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda url: url.replace(PASSWORD, "wrong-word"), r"^The database says: Access denied for user 'test_\d+'@"),
        (lambda url: f"{url}x", r"^The database says: Unknown database 'test_\d+x'$"),
        (lambda url: url.replace(str(server().port), "1"), r"^The database says: Can't connect to MySQL server on"),
        (lambda url: f"{url}?charset=nosuch", "an option that its driver does not accept"),
        (lambda url: f"{url}?nosuch=1", "an option that its driver does not accept"),
    ],
    ids=["password", "database", "port", "charset", "option"],
)
def test_a_wrong_address_is_a_plain_sentence_without_the_password(
    crm: str, change: Callable[[str], str], says: str
) -> None:
    with pytest.raises(SourceUnreadable, match=says) as caught:
        rows(change(crm), "SELECT 1")

    assert PASSWORD not in caught.value.detail
    assert "wrong-word" not in caught.value.detail


def test_a_query_with_a_mistake_is_told_in_the_words_of_the_database(crm: str) -> None:
    with pytest.raises(SourceUnreadable, match=r"^The database says: Table 'test_\d+\.nowhere' doesn't exist$"):
        rows(crm, "SELECT id FROM nowhere")


def test_the_server_of_the_tests_leaves_nothing_behind() -> None:
    started = Server()
    started.stop()

    assert started.process.poll() is not None
    assert not started.folder.exists()
