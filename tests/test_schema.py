"""The migrations make just the tables that the code speaks to."""

from pathlib import Path

import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tagloom.store.schema import metadata
from tagloom.store.sqlite import SqliteDatabase


def test_the_migrations_make_the_schema_that_is_described(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "tagloom.sqlite")
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    database.close()
    assert differences == []


def test_opening_a_database_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tagloom.sqlite"
    SqliteDatabase(path).close()
    before = path.read_bytes()
    SqliteDatabase(path).close()
    assert path.read_bytes() == before


def test_the_file_is_in_wal_mode_and_syncs_fully(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "tagloom.sqlite")
    with database.engine.connect() as connection:
        assert connection.execute(sql.text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(sql.text("PRAGMA synchronous")).scalar() == 2
    assert database.reader().execute("PRAGMA synchronous").fetchone() == (2,)
    database.close()
