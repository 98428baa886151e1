"""init --distributed: spread once over a cluster, found again by everybody, and refused where it cannot be."""

from pathlib import Path

import psycopg
import pytest

from tagloom.stores.postgres import PostgresDatabase
from tests import citus
from tests.cli.running import Said, run
from tests.postgres import new_installation, server

needs_cluster = pytest.mark.skipif(not citus.URL, reason="TAGLOOM_TEST_CITUS_URL names no cluster")


def init(url: str) -> Said:
    return run("init", "--distributed", "--json", environ={"TAGLOOM_DATABASE_URL": url})


def test_sqlite_is_not_distributed_and_nothing_is_made(tmp_path: Path) -> None:
    said = run("init", "--distributed", "--data", tmp_path / "data")

    assert said.code == 2
    assert "this is SQLite" in said.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("made", [lambda: server().new_database(), new_installation], ids=["empty", "used"])
def test_a_postgresql_without_citus_is_refused_and_left_as_it_was(made: object) -> None:
    assert callable(made)
    url = made()
    with psycopg.connect(url) as connection:
        before = connection.execute("SELECT relname FROM pg_class ORDER BY oid").fetchall()

    said = init(url)

    assert said.code == 2
    assert "CREATE EXTENSION citus" in said.err
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT relname FROM pg_class ORDER BY oid").fetchall() == before


@needs_cluster
def test_a_new_installation_is_spread_once_and_whoever_opens_it_knows() -> None:
    url = citus.new_database()
    environ = {"TAGLOOM_DATABASE_URL": url}

    first, second = init(url), init(url)

    assert (first.code, second.code) == (0, 0)
    assert first.json["token"].startswith("tagloom_")
    assert second.json["token"] is None
    assert run("tag", "u1", "a/b", environ=environ).code == 0
    assert run("show", "u1", "--json", environ=environ).json["tags"] == ["a/b"]
    assert run("check", environ=environ).code == 0
    with psycopg.connect(url) as connection:
        marks = connection.execute("SELECT environment, writer FROM mark").fetchall()
    assert len(marks) == 1


@needs_cluster
def test_a_coordinator_without_nodes_and_a_node_are_refused() -> None:
    url = citus.new_database(knows_nodes=False)
    assert "has no nodes yet" in init(url).err
    spread = citus.new_database()
    host, port, *_ = next(each for each in citus.nodes() if not each[2])
    name = psycopg.conninfo.conninfo_to_dict(spread)["dbname"]
    assert isinstance(name, str)
    assert "name its coordinator's" in init(citus.url_of(name, host, port)).err


@needs_cluster
def test_an_installation_that_is_there_is_not_spread_in_its_place() -> None:
    url = citus.new_database()
    PostgresDatabase(url).close()

    said = init(url)

    assert said.code == 2
    assert "tagloom copy" in said.err
    assert run("check", environ={"TAGLOOM_DATABASE_URL": url}).code == 0
