"""The baseline makes just the tables that the code speaks to, in both stores."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql

from tagloom.stores.migrations import upgrade
from tagloom.stores.migrations.versions import v0100_baseline, v0101_events
from tagloom.stores.postgres import PostgresDatabase
from tagloom.stores.postgres import open_engine as open_postgres
from tagloom.stores.schema import metadata, postgres_chunk
from tagloom.stores.sqlite import SqliteDatabase
from tagloom.stores.sqlite import open_engine as open_sqlite
from tests.postgres import new_installation, server

OF_POSTGRES = (
    "SELECT relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid) "
    "FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
    "LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum "
    "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'S') AND attnum > 0",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = current_schema()::regnamespace",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
)
OF_SQLITE = ("SELECT tbl_name, type, name, sql FROM sqlite_master",)


@pytest.fixture
def engines() -> Iterator[list[sql.Engine]]:
    """What a test opens, closed at its end."""
    opened: list[sql.Engine] = []
    yield opened
    for engine in opened:
        engine.dispose()


def described(connection: sql.Connection, queries: tuple[str, ...]) -> set[tuple[object, ...]]:
    """Everything that a database says about its tables, each line of it once; Alembic's own table left out."""
    found = [tuple(row) for query in queries for row in connection.exec_driver_sql(query)]
    return {
        tuple(" ".join(value.split()) if isinstance(value, str) else value for value in row)
        for row in found
        if row[0] != "alembic_version"
    }


def create_from_code(connection: sql.Connection) -> None:
    """Makes the tables that the code describes."""
    if connection.dialect.name == "postgresql":
        postgres_chunk.create(connection)
        metadata.create_all(connection, [table for table in metadata.sorted_tables if table.name != "chunk"])
    else:
        metadata.create_all(connection)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_the_baseline_makes_just_the_schema_that_the_code_describes(
    store: str, tmp_path: Path, engines: list[sql.Engine]
) -> None:
    makers: tuple[Callable[[sql.Connection], None], ...] = (create_from_code, upgrade)
    found = []
    for number, make in enumerate(makers):
        engine = (
            open_sqlite(tmp_path / f"{number}.sqlite")
            if store == "sqlite"
            else open_postgres(server().new_database(), lambda: None)
        )
        engines.append(engine)
        with engine.begin() as connection:
            make(connection)
            found.append(described(connection, OF_SQLITE if store == "sqlite" else OF_POSTGRES))

    assert len(found[0]) > len(metadata.tables)
    assert found[1] == found[0]


def test_every_text_in_postgresql_is_compared_by_its_bytes(engines: list[sql.Engine]) -> None:
    engines.append(open_postgres(new_installation(), lambda: None))
    query = (
        "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND data_type = 'text'"
    )
    with engines[0].begin() as connection:
        assert connection.exec_driver_sql(query).scalars().all() == ["C"]


def test_postgresql_stores_what_is_packed_as_it_is(engines: list[sql.Engine]) -> None:
    engines.append(open_postgres(new_installation(), lambda: None))
    query = (
        "SELECT relname, attname, attstorage FROM pg_attribute JOIN pg_class ON pg_class.oid=attrelid "
        "JOIN pg_type ON pg_type.oid=atttypid WHERE relkind='r' AND attnum > 0 AND typname='bytea'"
    )
    with engines[0].begin() as connection:
        found = {(table, name): storage for table, name, storage in connection.exec_driver_sql(query)}
    tables = {**v0100_baseline.PACKED, "event_block": v0101_events.PACKED}
    packed = {(table, name) for table, names in tables.items() for name in names}
    assert {place for place, storage in found.items() if storage == "e"} == packed


def test_opening_a_file_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tagloom.sqlite"
    SqliteDatabase(path).close()
    before = path.read_bytes()
    SqliteDatabase(path).close()
    assert path.read_bytes() == before


def test_opening_a_postgresql_database_again_changes_nothing(engines: list[sql.Engine]) -> None:
    url = server().new_database()
    found = []
    for _ in range(2):
        PostgresDatabase(url).close()
        engines.append(open_postgres(url, lambda: None))
        with engines[-1].begin() as connection:
            found.append(described(connection, OF_POSTGRES))
    assert found[1] == found[0]


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tagloom.sqlite"
    SqliteDatabase(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_is_in_wal_mode_and_syncs_fully(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "tagloom.sqlite")
    with database.engine.connect() as connection:
        assert connection.execute(sql.text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(sql.text("PRAGMA synchronous")).scalar() == 2
    assert database.reader().execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()
