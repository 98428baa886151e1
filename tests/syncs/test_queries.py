"""A query only reads, whatever it says, and ends in time."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sql

from tagloom.egress.policy import EgressPolicy
from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.remotes import Remotes
from tagloom.egress.secrets import Secrets
from tagloom.imports.mapping_inference import Beginning
from tagloom.syncs import limits
from tagloom.syncs.pull import begin
from tagloom.syncs.queries import address_of, check_reads, queried
from tagloom.syncs.sources import Sources, TooManyBeginnings
from tagloom.words.syncs import SqlSource
from tests import mariadb, postgres

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(600)",
    "mariadb": "SELECT sleep(600)",
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def crm(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with one table of one row, and its URL."""
    url = f"sqlite:///{tmp_path}/crm.sqlite"
    if request.param == "postgresql":
        url = postgres.server().new_database().replace("postgresql://", "postgresql+psycopg://")
    if request.param == "mariadb":
        url = mariadb.server().new_database().replace("mariadb://", "mariadb+pymysql://")
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sql.text("CREATE TABLE customer (id TEXT)"))
        connection.execute(sql.text("INSERT INTO customer VALUES ('c1')"))
    engine.dispose()
    return url


def rows(url: str, query: str, seconds: int = 20) -> list[tuple[object, ...]]:
    with queried(query, url, {}, rows_at_once=10, seconds=seconds) as found:
        return [tuple(row) for row in found.fetchall()]


def tables(url: str) -> list[str]:
    engine = sql.create_engine(url)
    names = sql.inspect(engine).get_table_names()
    engine.dispose()
    return names


@pytest.mark.parametrize(
    "query",
    [
        "CREATE TABLE made (a TEXT)",
        "DELETE FROM customer",
        "UPDATE customer SET id = 'c2'",
        "INSERT INTO customer VALUES ('c2') RETURNING id",
        "DROP TABLE customer",
        "SELECT 1; CREATE TABLE made (a TEXT)",
        "SELECT 1; COMMIT; CREATE TABLE made (a TEXT)",
        "SELECT 1 /* ' */; COMMIT; CREATE TABLE made (a TEXT) -- '",
        "COMMIT",
        "PRAGMA query_only=OFF",
        "ATTACH 'made.sqlite' AS made",
        "VACUUM INTO '{folder}/made.sqlite'",
        "VACUUM",
        "SELECT * INTO made FROM customer",
        "WITH gone AS (DELETE FROM customer RETURNING id) SELECT id FROM gone",
        "WITH one AS (SELECT 1) INSERT INTO customer SELECT 'c2'",
        "COPY (SELECT 1) TO PROGRAM 'touch {folder}/made'",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT nextval('counter')",
        "SELECT load_extension('{folder}/made')",
        "SELECT E'a\\''; DROP TABLE customer --'",
        "EXPLAIN ANALYZE DELETE FROM customer",
        "",
        "SELECT 'never ends",
    ],
)
def test_a_query_that_writes_is_refused_and_nothing_is_written(crm: str, tmp_path: Path, query: str) -> None:
    before = tables(crm), rows(crm, "SELECT id FROM customer"), sorted(tmp_path.iterdir())

    with pytest.raises(SourceUnreadable):
        rows(crm, query.format(folder=tmp_path))

    assert (tables(crm), rows(crm, "SELECT id FROM customer"), sorted(tmp_path.iterdir())) == before


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM customer",
        "  select id from customer ;  ",
        "-- What we want; all of it.\nSELECT id FROM customer",
        "/* first; */ (SELECT id FROM customer)",
        "WITH wanted AS (SELECT id FROM customer) SELECT id FROM wanted",
        "SELECT id FROM customer WHERE id <> 'a;b' AND id <> 'it''s'",
        'SELECT id AS "a;b" FROM customer',
    ],
)
def test_a_query_that_reads_is_answered(crm: str, query: str) -> None:
    if query.endswith(")") and crm.startswith("sqlite"):
        pytest.skip("SQLite takes no select in parentheses.")
    assert rows(crm, query) == [("c1",)]


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="unable to open"):
        rows(f"sqlite:///{tmp_path}/none.sqlite", "SELECT 1")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["mysql", "mariadb", "mssql", "oracle", "snowflake"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT * INTO OUTFILE '/tmp/x' FROM customer",
        "WITH x AS (SELECT 1) DELETE FROM customer",
        "EXEC sp_who",
        "CALL wipe()",
        "SELECT 1; SELECT 2",
        "SELECT 1 --x\n; DROP TABLE customer",
        "SELECT 1 FROM a FOR UPDATE",
    ],
)
def test_where_no_session_is_read_only_the_text_of_a_query_tells(backend: str, query: str) -> None:
    with pytest.raises(SourceUnreadable):
        check_reads(query, backend)


def test_what_a_database_takes_for_code_is_no_comment_and_no_text() -> None:
    for query in (
        "SELECT 1 /*! INTO OUTFILE '/tmp/x' */",
        "SELECT 1 /*M! INTO OUTFILE '/tmp/x' */",
        "SELECT 1 --1; DROP TABLE customer",
        "SELECT 1 --\xa0 INTO OUTFILE '/tmp/x'",
    ):
        with pytest.raises(SourceUnreadable):
            check_reads(query, "mysql")
    for backend in ("mssql", "oracle", "postgresql"):
        with pytest.raises(SourceUnreadable):
            check_reads("SELECT 'a\\'; DROP TABLE customer; -- '", backend)


@pytest.mark.parametrize("backend", ["mysql", "mssql"])
def test_words_within_texts_and_names_are_no_commands(backend: str) -> None:
    check_reads("SELECT updated_at, 'insert; update' AS text FROM orders -- delete nothing", backend)
    check_reads("SELECT `update` FROM orders" if backend == "mysql" else "SELECT [update] FROM orders", backend)


def test_an_endless_query_ends_at_its_limit(crm: str) -> None:
    with pytest.raises(SourceUnreadable, match=r"longer than 1 seconds|statement timeout"):
        rows(crm, ENDLESS[crm.partition(":")[0].partition("+")[0]], seconds=1)


def test_an_endless_query_ends_when_nobody_wants_its_rows(crm: str) -> None:
    has_left = threading.Event()
    threading.Timer(0.3, has_left.set).start()

    with (
        pytest.raises(SourceUnreadable, match="no longer needed"),
        queried(
            ENDLESS[crm.partition(":")[0].partition("+")[0]],
            crm,
            {},
            rows_at_once=10,
            seconds=600,
            is_over=has_left.is_set,
        ) as found,
    ):
        found.fetchall()


def test_what_one_organization_looks_at_leaves_places_for_others(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/crm.sqlite"
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sql.text("CREATE TABLE customer (id TEXT)"))
    engine.dispose()
    egress_policy = EgressPolicy(secrets=Secrets(None, {"TAGLOOM_SECRET_A__CRM": url, "TAGLOOM_SECRET_B__CRM": url}))
    sources, is_over, ended = Sources(egress_policy, Remotes(egress_policy)), threading.Event(), list[Exception]()
    endless = SqlSource(secret="crm", query=ENDLESS["sqlite"])

    def look() -> None:
        try:
            sources.begin("a", endless, is_over=is_over.is_set)
        except SourceUnreadable as problem:
            ended.append(problem)

    looking = [threading.Thread(target=look) for _ in range(limits.BEGINNINGS_PER_ORGANIZATION_MAX)]
    for thread in looking:
        thread.start()
    quick = SqlSource(secret="crm", query="SELECT id FROM customer")
    while sum(sources._beginnings.values()) < len(looking):
        pass
    with pytest.raises(TooManyBeginnings):
        sources.begin("a", quick)
    assert sources.begin("b", quick) == Beginning(("id",), [])
    is_over.set()
    for thread in looking:
        thread.join()

    assert len(ended) == len(looking)
    assert sources.begin("a", quick) == Beginning(("id",), [])


def test_a_look_at_the_first_rows_changes_nothing(crm: str) -> None:
    with pytest.raises(SourceUnreadable):
        begin(
            SqlSource(secret="crm", query="CREATE TABLE made (a TEXT)"),
            read_secret=lambda name: crm,
            folder=None,
            fetch=lambda remote: iter(()),  # type: ignore[arg-type, return-value]  # Nothing is fetched.
        )

    assert tables(crm) == ["customer"]


@pytest.mark.parametrize(
    ("address", "extra", "begins"),
    [
        ("mysql+mysqldb://u:hunter2@h/d", "mysql", "mysql://"),
        ("mariadb+mysqlconnector://u:hunter2@h/d", "mysql", "mariadb://"),
        ("mssql+pymssql://u:hunter2@h/d", "odbc", "mssql+pyodbc://"),
    ],
)
def test_a_database_without_its_driver_says_which_extra_to_install(address: str, extra: str, begins: str) -> None:
    with (
        pytest.raises(SourceUnreadable) as caught,
        queried("SELECT 1", address, {}, rows_at_once=1, seconds=1),
    ):
        pass

    assert f'pip install "tagloom[{extra}]"' in caught.value.detail
    assert caught.value.detail.endswith(f"begin the address with {begins}")
    assert "hunter2" not in caught.value.detail


@pytest.mark.parametrize("address", ["oracle://h/d", "nosuchdb://h/d"])
def test_a_driver_that_no_extra_installs_is_named(address: str) -> None:
    with (
        pytest.raises(SourceUnreadable, match="is not installed where Tagloom runs"),
        queried("SELECT 1", address, {}, rows_at_once=1, seconds=1),
    ):
        pass


def test_an_address_of_mysql_means_the_driver_of_the_extra() -> None:
    pytest.importorskip("pymysql")
    assert address_of("mysql://u:p@h/d").drivername == "mysql+pymysql"
    assert address_of("mariadb://u:p@h/d").drivername == "mariadb+pymysql"
    assert address_of("mysql+mysqldb://u:p@h/d").drivername == "mysql+mysqldb"
    with (
        pytest.raises(SourceUnreadable, match=r"The database says: .*127\.0\.0\.1"),
        queried("SELECT 1", "mysql://u:p@127.0.0.1:1/d", {}, rows_at_once=1, seconds=1),
    ):
        pass
