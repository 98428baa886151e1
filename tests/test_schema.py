"""The migrations make just the tables that the code speaks to."""

import hashlib
import io
from pathlib import Path

import pytest
import sqlalchemy as sql
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations

from tagloom.accounts.access_tokens import Access
from tagloom.accounts.accounts import Accounts
from tagloom.bootstrap import check, open_installation
from tagloom.ports.population import Request
from tagloom.ports.problems import SchemaChanged, StoreUnavailable
from tagloom.settings import Settings
from tagloom.stores.migrations import upgrade
from tagloom.stores.migrations.versions import v0001_first, v0002_accounts, v0014_plain
from tagloom.stores.postgres import open_engine as open_postgres
from tagloom.stores.schema import metadata
from tagloom.stores.sqlite import SqliteDatabase, open_engine
from tagloom.words.model import Origin, Person
from tagloom.words.tags import TagPath
from tests.bodies import part, user
from tests.postgres import server

FIRST_RELEASE = (
    "INSERT INTO organization (id, name) VALUES ('main', 'Acme')",
    "INSERT INTO space (id, organization, name) VALUES ('main', 'main', 'Main')",
    "INSERT INTO token (id, organization, name, scopes, secret_hash, created_at, expires_at) VALUES ('t1', 'main', "
    f"'app', 'decisions', X'{hashlib.sha256(b'secret').hexdigest()}', '2026-01-01T00:00:00Z', '2999-01-01T00:00:00Z')",
    "INSERT INTO tribe (space, id, name, description, category, audience, rule, revision) VALUES "
    "('main', 'all', 'All', '', '', 'everyone', '{\"type\":\"all\",\"of\":[]}', 1)",
)

PROGRESS = ("bucket", "row", "touched")


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

    with pytest.raises(StoreUnavailable, match="another release"):
        SqliteDatabase(path)


def test_a_database_of_the_first_release_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "tagloom.sqlite"
    engine = open_engine(path)
    with engine.begin() as connection:
        upgrade(connection, "0001")
        for statement in FIRST_RELEASE:
            connection.execute(sql.text(statement))
    engine.dispose()

    installation = open_installation(Settings(database=path), create=True)
    access = Access(installation.control)

    assert [each.name for each in installation.control.list_organizations()] == ["Acme"]
    assert [(each.id, each.account) for each in installation.control.list_tokens("main")] == [("t1", None)]
    assert access.authenticate("secret").scopes == {"decisions"}
    accounts = Accounts(installation.control, installation.passwords)
    code = accounts.new_set_up_code()
    assert code is not None
    accounts.begin_set_up(code)
    assert list(check(installation)) == []
    installation.close()


def test_an_upgrade_that_is_interrupted_leaves_the_old_schema(tmp_path: Path) -> None:
    path = tmp_path / "tagloom.sqlite"
    engine = open_engine(path)
    with engine.begin() as connection:
        upgrade(connection, "0001")
    before = sorted(sql.inspect(engine).get_table_names())

    with engine.connect() as connection, connection.begin() as transaction:
        upgrade(connection)
        transaction.rollback()

    assert sorted(sql.inspect(engine).get_table_names()) == before
    engine.dispose()
    SqliteDatabase(path).close()


def test_the_migrations_can_be_written_for_postgresql() -> None:
    said = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": said, "transactional_ddl": True}
    )
    with Operations.context(context):
        v0001_first.upgrade()
        v0002_accounts.upgrade()

    assert "ALTER TABLE token ADD COLUMN account TEXT REFERENCES account (id)" in said.getvalue()
    assert "id BIGSERIAL" in said.getvalue()


def test_chunks_of_an_earlier_release_in_postgresql_name_their_bucket_and_keep_their_place() -> None:
    url = server().new_database()
    engine = open_postgres(url, lambda: None)
    with engine.begin() as connection:
        upgrade(connection, "0010")
        connection.execute(sql.text("INSERT INTO chunk VALUES (65537, 'x'), (131071, 'y')"))
    with engine.begin() as connection:
        upgrade(connection)
        connection.execute(sql.text("INSERT INTO chunk (place, bucket, bearers) VALUES (131072, 0, 'z')"))
        found = connection.execute(sql.text("SELECT place, bucket FROM chunk ORDER BY place")).all()
    engine.dispose()
    assert [tuple(each) for each in found] == [(65537, 1), (131071, 65535), (131072, 0)]


def test_postgresql_stores_what_is_packed_as_it_is() -> None:
    engine = open_postgres(server().new_database(), lambda: None)
    query = (
        "SELECT relname, attname, attstorage FROM pg_attribute JOIN pg_class ON pg_class.oid=attrelid "
        "JOIN pg_type ON pg_type.oid=atttypid WHERE relkind='r' AND attnum > 0 AND typname='bytea'"
    )
    with engine.begin() as connection:
        upgrade(connection)
        found = {(table, name): storage for table, name, storage in connection.exec_driver_sql(query)}
    engine.dispose()
    packed = {(table, name) for table, names in v0014_plain.PACKED.items() for name in names}
    assert {place for place, storage in found.items() if storage == "e"} == packed


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


def test_a_file_that_a_newer_release_migrates_is_read_on_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "tagloom.sqlite"
    installation = open_installation(Settings(database=path), create=True)
    population = installation.population(installation.control.get_environment("main", "production"))
    population.put_tag(TagPath("before"), Origin("ada", "test"))
    installation.check_ready()
    engine = open_engine(path)
    with engine.begin() as connection:
        connection.execute(sql.text("UPDATE alembic_version SET version_num='9999'"))
    engine.dispose()

    for attempt in (
        installation.check_ready,
        lambda: population.put_tag(TagPath("after"), Origin("ada", "test")),
        lambda: Access(installation.control).create_token("main", "app", ("admin",), days=1),
    ):
        with pytest.raises(SchemaChanged, match="9999"):
            attempt()
    assert population.get_tag(TagPath("before")).users == 0
    assert installation.control.list_tokens("main") == ()
    installation.close()


def test_a_log_of_an_earlier_release_finds_whom_its_versions_touched(tmp_path: Path) -> None:
    path = tmp_path / "tagloom.sqlite"
    installation = open_installation(Settings(database=path), create=True)
    population = installation.population(installation.control.get_environment("main", "production"))
    crowd = [user(f"u{number}", "a", f"n/{number % 7}") for number in range(70_000)]
    population.apply([part(crowd)], Request(mode="add", origin=Origin("ada")))
    population.apply([part([user("u3", "b"), user("u69999", "b")])], Request(mode="set", origin=Origin("ada")))
    told = [population.list_changes(person=Person("user", id), limit=9) for id in ("u3", "u4", "u69999")]
    with installation.database.engine.begin() as connection:
        connection.execute(sql.text("DROP TABLE batch_bucket"))
        for name in ("retention_seconds", "horizon", "compacted", *(f"compacting_{of}" for of in PROGRESS)):
            connection.execute(sql.text(f"ALTER TABLE environment DROP COLUMN {name}"))
        connection.execute(sql.text("UPDATE alembic_version SET version_num='0009'"))
    installation.close()

    upgraded = open_installation(Settings(database=path))
    population = upgraded.population(upgraded.control.get_environment("main", "production"))
    assert [population.list_changes(person=Person("user", id), limit=9) for id in ("u3", "u4", "u69999")] == told
    assert list(check(upgraded)) == []
    upgraded.close()
