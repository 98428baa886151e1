"""The migrations make just the tables that the code speaks to."""

from pathlib import Path

import pytest
import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tagloom import problems
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


def test_a_database_of_a_newer_release_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "tagloom.sqlite"
    database = SqliteDatabase(path)
    with database.engine.begin() as connection:
        connection.execute(sql.text("UPDATE alembic_version SET version_num='9999'"))
    database.close()

    with pytest.raises(problems.StoreUnavailable, match="another release"):
        SqliteDatabase(path)


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
