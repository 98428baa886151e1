"""A next release migrates a database with data in it: nothing is lost, half done, or written by the release before."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql
from alembic.config import Config
from alembic.script import ScriptDirectory

from tagloom.accounts.access_tokens import Access
from tagloom.accounts.accounts import ClientInfo
from tagloom.bootstrap import Installation, backup, check, copy_installation, open_installation
from tagloom.ports.problems import SchemaChanged, StoreUnavailable
from tagloom.ports.writes import EditTag, PutTag, Undo, WriteOptions
from tagloom.services import make_services
from tagloom.settings import PostgresUrl, Settings
from tagloom.stores.migrations import DEVELOPMENT_REVISIONS, SCHEMA_QUERY, VERSIONS, SchemaUnknown, newest_schema
from tagloom.words.changes import Origin
from tagloom.words.rules import Definition, HasTag
from tagloom.words.tags import TagPath
from tests.bodies import part, user, visitor
from tests.contract.portrait import comparisons, earlier, portrait, sums
from tests.postgres import new_installation, server
from tests.writing import Batch, write_parts

ADA = Origin("ada", "crm.csv")
EMAIL, PASSWORD = "ada@example.com", "violet-otter-74-canoe"
# What a next release may need: a table with rows made of those that are there, a column, and an index on it.
NEXT = f'''
"""What comes after the newest schema."""
import sqlalchemy as sql
from alembic import op
revision, down_revision = "9999", "{newest_schema()}"
def upgrade():
    op.create_table("further", sql.Column("row", sql.Integer, primary_key=True), sql.Column("path", sql.Text))
    op.add_column("row", sql.Column("colour", sql.Text, nullable=False, server_default="grey"))
    op.create_index("row_colour", "row", ["environment", "colour"])
    op.execute("INSERT INTO further SELECT id, path FROM \\"row\\" WHERE kind = 'tag' AND is_live")
'''
FAILING = NEXT + '    op.execute("UPDATE further SET path = no_such_column")\n'


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An installation that is still to be made."""
    if request.param == "sqlite":
        return Settings(database=tmp_path / "data" / "tagloom.sqlite")
    return Settings(database=PostgresUrl(new_installation()), uploads=tmp_path / "uploads")


def next_release(folder: Path, migration: str = NEXT) -> Sequence[Path]:
    """The migrations of a release that has one more than this one."""
    folder = folder / "next"
    folder.mkdir()
    (folder / "v9999_next.py").write_text(migration)
    return *VERSIONS, folder


def fill(installation: Installation) -> None:
    """People in two chunks, ends, an alias, an exclusive branch, an undo, a tribe, a token."""
    population = population_of(installation)
    crowd = [user(f"p{number}", "a", f"b/{number % 7}") for number in range(66_000)]
    write_parts(population, [part(crowd)], Batch(mode="add", origin=ADA))
    write_parts(population, [part([user("u1", "a/b/c", "c"), visitor("v1", "a/d")])], Batch(mode="add", origin=ADA))
    undone = write_parts(population, [part([user("u2", "b/c"), user("p65999", "c")])], Batch(mode="set", origin=ADA))
    population.write(Undo((undone.version,)), WriteOptions(Origin("bob", "test")))
    population.write(PutTag(tag=TagPath("t"), exclusive=True), WriteOptions(ADA))
    population.write(EditTag(tag=TagPath("a/d"), to=TagPath("a/e"), ttl_seconds=86_400), WriteOptions(ADA))
    write_parts(population, [part([user("u2", "a/e")])], Batch(mode="add", origin=ADA))
    Access(installation.control).create_token("main", "app", ("decisions",), days=1)


def population_of(installation: Installation) -> Any:
    return installation.population(installation.control.get_environment("main", "production"))


def answers(installation: Installation) -> dict[str, Any]:
    """Everything that the installation answers about its people, its tags and its history."""
    population = population_of(installation)
    return {
        "tokens": installation.control.list_tokens("main"),
        **portrait(population),
        **sums(population),
        **comparisons(population),
        "earlier": earlier(population),
    }


def schema_of(installation: Installation) -> str:
    with installation.database.engine.connect() as connection:
        return str(connection.exec_driver_sql(SCHEMA_QUERY).scalar_one())


def test_the_next_release_finds_all_data_and_writes_on(settings: Settings, tmp_path: Path) -> None:
    with closing(open_installation(settings, create=True)) as installation:
        fill(installation)
        told = answers(installation)

    versions = next_release(tmp_path)
    with closing(open_installation(settings, versions=versions)) as installation:
        assert schema_of(installation) == "9999"
        assert answers(installation) == told
        assert list(check(installation)) == []
        with installation.database.engine.connect() as connection:
            further = set(connection.exec_driver_sql("SELECT path FROM further").scalars())
            colours = connection.exec_driver_sql('SELECT DISTINCT colour FROM "row"').scalars().all()
        assert further == {"a", "a/b/c", "a/e", "c", "t", *(f"b/{number}" for number in range(7))}
        assert colours == ["grey"]
        population = population_of(installation)
        receipt = write_parts(population, [part([user("u1", "d")])], Batch(mode="add", origin=ADA))
        assert (receipt.version, receipt.added) == (told["version"] + 1, 1)
        assert population.count(Definition("everyone", HasTag("d")), {}).count == 1
        assert list(check(installation)) == []

    with closing(open_installation(settings, versions=versions)) as installation:
        assert population_of(installation).version() == receipt.version


def test_a_migration_that_fails_leaves_the_schema_and_the_data_before_it(settings: Settings, tmp_path: Path) -> None:
    with closing(open_installation(settings, create=True)) as installation:
        fill(installation)
        told = answers(installation)

    with pytest.raises(StoreUnavailable, match="no_such_column"):
        open_installation(settings, versions=next_release(tmp_path, FAILING))

    with closing(open_installation(settings)) as installation:
        assert schema_of(installation) == newest_schema()
        assert "further" not in sql.inspect(installation.database.engine).get_table_names()
        assert answers(installation) == told
        assert list(check(installation)) == []


def test_processes_that_start_at_once_migrate_once(settings: Settings, tmp_path: Path) -> None:
    open_installation(settings, create=True).close()
    versions = next_release(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: open_installation(settings, versions=versions), range(4)))
    found = [schema_of(installation) for installation in opened]
    for installation in opened:
        installation.close()
    assert found == ["9999"] * 4


def test_a_process_of_the_release_before_reads_on_and_writes_no_more(settings: Settings, tmp_path: Path) -> None:
    with closing(open_installation(settings, create=True)) as before:
        population = population_of(before)
        population.write(PutTag(tag=TagPath("before")), WriteOptions(ADA))
        before.check_ready()
        open_installation(settings, versions=next_release(tmp_path)).close()

        for attempt in (
            before.check_ready,
            lambda: population.write(PutTag(tag=TagPath("after")), WriteOptions(ADA)),
            lambda: Access(before.control).create_token("main", "app", ("admin",), days=1),
        ):
            with pytest.raises(SchemaChanged, match="9999"):
                attempt()
        assert population.get_tag(TagPath("before")).users == 0
        assert before.control.list_tokens("main") == ()


def test_who_has_a_token_or_a_session_reads_on_beside_a_newer_release(settings: Settings, tmp_path: Path) -> None:
    now = [1_780_000_000.0]
    with closing(open_installation(settings, create=True)) as before:
        services = make_services(before, lambda: now[0])
        services.accounts.put_administrator("main", email=EMAIL, name="Ada", password=PASSWORD)
        session = services.accounts.sign_in(EMAIL, PASSWORD, ClientInfo("192.0.2.1", "Fox")).secret
        token, secret = services.access.create_token("main", "app", ("decisions",), days=1)
        open_installation(settings, versions=next_release(tmp_path)).close()

        for _ in range(3):
            # The time of the last use is stored once a minute. The older process cannot store it any more.
            now[0] += 90
            assert services.access.authenticate(secret).token == token.id
            assert services.sessions.get(session).account.email == EMAIL
        with pytest.raises(SchemaChanged):
            services.access.revoke_token("main", token.id)


def test_only_a_backup_by_the_older_release_leads_back_to_it(tmp_path: Path) -> None:
    settings = Settings(database=tmp_path / "data" / "tagloom.sqlite")
    with closing(open_installation(settings, create=True)) as older:
        backup(older, tmp_path / "older.sqlite")
    with closing(open_installation(settings, versions=next_release(tmp_path))) as newer:
        backup(newer, tmp_path / "newer.sqlite")

    with pytest.raises(SchemaUnknown):
        open_installation(Settings(database=tmp_path / "newer.sqlite"))
    with closing(open_installation(Settings(database=tmp_path / "older.sqlite"))) as restored:
        assert list(check(restored)) == []


def test_a_database_of_a_newer_release_is_refused(settings: Settings, tmp_path: Path) -> None:
    versions = next_release(tmp_path)
    open_installation(settings, create=True, versions=versions).close()

    with pytest.raises(SchemaUnknown, match="Another release"):
        open_installation(settings)

    open_installation(settings, versions=versions).close()


@pytest.mark.parametrize("revision", ["0001", "0014"])
def test_a_database_of_a_development_version_is_refused_and_says_what_to_do(
    settings: Settings, revision: str, tmp_path: Path
) -> None:
    with (
        closing(open_installation(settings, create=True)) as installation,
        installation.database.engine.begin() as connection,
    ):
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")

    for attempt in (
        lambda: open_installation(settings),
        lambda: open_installation(settings, create=True),
        lambda: copy_installation(settings.database, tmp_path / "copy.sqlite", lambda done, of: None),
    ):
        with pytest.raises(SchemaUnknown) as refused:
            attempt()
        assert f"A development version of Tagloom made the database (schema {revision})" in refused.value.detail
        assert "tagloom export taggings" in refused.value.detail


def test_the_migrations_are_one_chain_and_their_files_begin_with_their_revisions() -> None:
    config = Config()
    config.set_main_option("script_location", str(VERSIONS[0].parent))
    scripts = ScriptDirectory.from_config(config)
    found = {script.revision: Path(script.path).name[1:5] for script in scripts.walk_revisions()}

    assert len(scripts.get_bases()) == len(scripts.get_heads()) == 1
    assert found == {revision: revision for revision in found}
    assert scripts.get_current_head() == newest_schema()
    assert not DEVELOPMENT_REVISIONS & set(found)
    assert len(found) == len(list(VERSIONS[0].glob("v*.py")))


def test_a_new_postgresql_database_has_the_newest_schema() -> None:
    with closing(open_installation(Settings(database=PostgresUrl(server().new_database())), create=True)) as found:
        assert schema_of(found) == newest_schema()
        assert list(check(found)) == []
