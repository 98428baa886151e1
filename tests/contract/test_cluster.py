"""What holds of a cluster alone: one state for a reader, one part of a commit on a node, and statements that route."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tagloom.bootstrap import Installation, check, open_installation
from tagloom.engine.bitmaps import from_bytes
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.population import BitmapPopulation
from tagloom.ports.problems import StoreCorrupt, StoreUnavailable
from tagloom.ports.writes import DeleteTag, MoveTag, Undo, WriteOptions
from tagloom.settings import PostgresUrl, Settings
from tagloom.stores.postgres import PostgresDatabase, cluster
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tests import citus
from tests.bodies import part, user
from tests.writing import Batch, write_parts

pytestmark = pytest.mark.skipif(not citus.URL, reason="TAGLOOM_TEST_CITUS_URL names no cluster")

ADA = Origin("ada")
SPREAD = ("chunk", "change", "batch_bucket", "page", "segment")
# Statements that name the one shard they need.
ROUTED = re.compile(r'bucket=%s|INTO (change|chunk|batch_bucket|page|segment)|page .*place=%s|segment .*"first"=%s')


@contextmanager
def opened(url: str) -> Iterator[Installation]:
    installation = open_installation(Settings(database=PostgresUrl(url)))
    try:
        yield installation
    finally:
        installation.close()


@pytest.fixture
def url() -> str:
    return citus.shared_installation()


@pytest.fixture
def installation(url: str) -> Iterator[Installation]:
    with opened(url) as installation:
        yield installation


@pytest.fixture
def population(url: str, installation: Installation) -> BitmapPopulation:
    return installation.population(installation.control.get_environment(citus.new_space(url), "production"))


def add(population: BitmapPopulation, *tags: str, people: Sequence[int] = (1,), mode: Any = "add") -> int:
    lines = [user(f"u{number}", *tags) for number in people]
    version = write_parts(population, [part(lines)], Batch(mode=mode, origin=ADA)).version
    assert version is not None
    return version


def environment_of(installation: Installation, population: BitmapPopulation) -> int:
    return next(key for key, (_, each) in installation._populations.items() if each is population)


def database_of(installation: Installation) -> PostgresDatabase:
    assert isinstance(installation.database, PostgresDatabase)
    return installation.database


@contextmanager
def a_node(url: str) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """A connection to the last node of the cluster, and the name there of the table of marks."""
    host, port, *_ = citus.nodes()[-1]
    database = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    assert isinstance(database, str)
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT shardid FROM pg_dist_shard WHERE logicalrelid='mark'::regclass").fetchone()
    assert found is not None
    # The extension lets nobody write to what it looks after, but those who ask for it.
    with psycopg.connect(citus.url_of(database, host, port), autocommit=True) as connection:
        connection.execute("SET citus.enable_manual_changes_to_shards = on")
        yield connection, f"mark_{found[0]}"


# One state for a reader.


def test_a_node_that_has_another_state_is_not_read(
    url: str, installation: Installation, population: BitmapPopulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(population, "a")
    key = environment_of(installation, population)
    storage = database_of(installation).storage(key)
    monkeypatch.setattr(cluster, "_AGREE_SECONDS", 0.5)

    with a_node(url) as (node, mark):
        node.execute(f"UPDATE {mark} SET writer=writer+1 WHERE environment={key}".encode())
        with pytest.raises(StoreUnavailable, match="not at one state"), storage.reading():
            pass
        with (
            pytest.raises(StoreCorrupt, match="does not hold the newest commit"),
            database_of(installation).writing() as bind,
        ):
            bind(key)
        node.execute(f"UPDATE {mark} SET writer=writer-1 WHERE environment={key}".encode())

    with storage.reading() as snapshot:
        assert snapshot.state().version == 1
    assert add(population, "b") == 2


def test_a_commit_that_reaches_a_node_late_is_waited_for(
    url: str, installation: Installation, population: BitmapPopulation
) -> None:
    add(population, "a")
    key = environment_of(installation, population)
    storage = database_of(installation).storage(key)
    seen: list[float] = []

    def read() -> None:
        with storage.reading():
            seen.append(time.monotonic())

    with a_node(url) as (node, mark):
        node.execute(f"UPDATE {mark} SET writer=writer+1 WHERE environment={key}".encode())
        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.4)
        node.execute(f"UPDATE {mark} SET writer=writer-1 WHERE environment={key}".encode())
        came_at = time.monotonic()
        reader.join()

    assert seen
    assert seen[0] >= came_at - 0.05


def test_a_writer_waits_for_a_commit_that_is_unfinished_on_a_node(
    url: str, installation: Installation, population: BitmapPopulation
) -> None:
    add(population, "a")
    key = environment_of(installation, population)
    with a_node(url) as (node, mark):
        node.execute("BEGIN")
        node.execute(f"UPDATE {mark} SET before=before WHERE environment={key}".encode())
        node.execute("PREPARE TRANSACTION 'unfinished'")
        writer = threading.Thread(target=add, args=(population, "b"))
        writer.start()
        try:
            writer.join(0.5)
            is_waiting = writer.is_alive()
        finally:
            node.execute("COMMIT PREPARED 'unfinished'")
        writer.join()

    assert is_waiting
    assert population.version() == 2


def pass_on(population: BitmapPopulation, number: int) -> int:
    """One version that takes a tag from somebody and gives it to somebody whose chunk lies on another shard."""
    bears, bears_not = (f"u{(1 + (number + more) % 2) * ORDINALS_PER_CHUNK}" for more in (0, 1))
    lines = [user(bears, "odd"), user(bears_not)]
    version = write_parts(population, [part(lines)], Batch(mode="set", origin=ADA, prefix="odd")).version
    assert version is not None
    return version


def states_that_never_were(installation: Installation, population: BitmapPopulation, seconds: float) -> list[str]:
    """What readers of raw states saw wrong while one tag is passed on between two shards, again and again."""
    everybody = [f"u{number}" for number in range(2 * ORDINALS_PER_CHUNK + 1)]
    write_parts(population, [part([user(id, "all") for id in everybody])], Batch(mode="add", origin=ADA))
    first = pass_on(population, 0)
    storage = database_of(installation).storage(environment_of(installation, population))
    with storage.reading() as snapshot:
        row = next(each.id for each in snapshot.rows() if each.path == "odd")
    stop, seen = threading.Event(), list[tuple[int, list[int]]]()

    def read() -> None:
        while not stop.is_set():
            with storage.reading() as snapshot:
                buckets = [bucket for bucket, data in snapshot.chunks(row) if from_bytes(data)]
                seen.append((snapshot.state().version, buckets))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    ends_at, number = time.monotonic() + seconds, 1
    while time.monotonic() < ends_at:
        assert pass_on(population, number) == first + number
        number += 1
    stop.set()
    for reader in readers:
        reader.join()
    assert len({version for version, _ in seen}) > 10
    return [f"{buckets} in {version}" for version, buckets in seen if buckets != [1 + (version - first) % 2]]


@pytest.mark.parametrize("glances", [cluster._GLANCES, 0], ids=["looks", "keeps-writers-out"])
def test_what_a_reader_sees_is_one_version_on_every_node(
    installation: Installation, population: BitmapPopulation, monkeypatch: pytest.MonkeyPatch, glances: int
) -> None:
    monkeypatch.setattr(cluster, "_GLANCES", glances)
    assert states_that_never_were(installation, population, 6) == []


def test_shards_that_move_while_one_reads_are_noticed(
    url: str, installation: Installation, population: BitmapPopulation
) -> None:
    add(population, "a")
    storage = database_of(installation).storage(environment_of(installation, population))
    reading = storage.reading()
    assert reading.__enter__().state().version == 1
    move_a_shard(url)
    with pytest.raises(StoreUnavailable, match="were moved"):
        reading.__exit__(None, None, None)
    with storage.reading() as snapshot:
        assert snapshot.state().version == 1
    assert add(population, "b") == 2
    assert list(check(installation)) == []


def move_a_shard(url: str) -> None:
    """Moves a shard of the chunks, and those beside it, to another node."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT citus_move_shard_placement(shardid, nodename, nodeport, other.name, other.port, 'block_writes') "
            "FROM (SELECT * FROM citus_shards WHERE table_name='chunk'::regclass ORDER BY shardid LIMIT 1) AS one, "
            "LATERAL (SELECT node.nodename AS name, node.nodeport AS port FROM pg_dist_node AS node "
            "WHERE node.shouldhaveshards AND (node.nodename, node.nodeport) <> (one.nodename, one.nodeport) LIMIT 1) "
            "AS other"
        )


# One part of a commit, and one snapshot, on a node.


class Listening:
    """Listens to what the coordinator tells each node."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.issued: list[tuple[str, str]] = []
        real: Callable[..., Any] = psycopg.Connection.connect

        def connect(*args: Any, **kwargs: Any) -> Any:
            connection = real.__func__(*args, **kwargs)  # type: ignore[attr-defined]  # A classmethod's.
            connection.add_notice_handler(self._note)
            return connection

        monkeypatch.setattr(psycopg.Connection, "connect", classmethod(connect))

    def _note(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        said, where = diagnostic.message_primary or "", diagnostic.message_detail or ""
        if said.startswith("issuing "):
            self.issued.append((said.removeprefix("issuing "), where))

    def parts(self) -> dict[str, set[str]]:
        """The connections of each node on which it prepared or read something, by node."""
        found: dict[str, set[str]] = {}
        for said, where in self.issued:
            if not said.startswith(("COMMIT PREPARED", "ROLLBACK")):
                node, _, connection = where.partition(" connectionId: ")
                found.setdefault(node, set()).add(connection)
        return found


def test_each_node_has_one_part_in_a_commit_and_one_snapshot_in_a_read(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Listening(monkeypatch)
    loud = make_conninfo(url, options="-c citus.log_remote_commands=on -c client_min_messages=notice")
    space = citus.new_space(url)
    with opened(loud) as installation:
        population = installation.population(installation.control.get_environment(space, "production"))
        heard.issued.clear()
        # So many people, then so many chunks, that they go by COPY.
        add(population, "a", "b/c", people=range(70_000))
        add(population, *(f"t/{number}" for number in range(600)))
        assert any(said.startswith("COPY") for said, _ in heard.issued)
        assert [each for each in heard.parts().values() if len(each) != 1] == []
        prepared = [said for said, _ in heard.issued if said.startswith("PREPARE")]
        assert len(prepared) == 2 * len(heard.parts())
        heard.issued.clear()
        storage = database_of(installation).storage(environment_of(installation, population))
        with storage.reading() as snapshot:
            rows = [each.id for each in snapshot.rows()]
            snapshot.chunks_of(rows)
            list(snapshot.changes_after(0))
            list(snapshot.changes_of_places([row << 16 for row in rows], 0))
        assert [each for each in heard.parts().values() if len(each) != 1] == []
        assert all("REPEATABLE READ READ ONLY" in said for said, _ in heard.issued if said.startswith("BEGIN"))


def test_a_small_write_is_one_commit_in_two_phases_on_every_node(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Listening(monkeypatch)
    loud = make_conninfo(url, options="-c citus.log_remote_commands=on -c client_min_messages=notice")
    space = citus.new_space(url)
    with opened(loud) as installation:
        population = installation.population(installation.control.get_environment(space, "production"))
        add(population, "a")
        heard.issued.clear()
        add(population, "b")
    workers = sum(not is_coordinator for _, _, is_coordinator, _ in citus.nodes())
    assert sum(said.startswith("PREPARE TRANSACTION") for said, _ in heard.issued) == workers


# Statements.


class Statements:
    """Every statement that our connections sent, with its values, the first of each form. COPY is not among them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: dict[str, Sequence[Any]] = {}
        execute: Callable[..., Any] = psycopg.Connection.execute

        def note(connection: Any, query: Any, params: Any = None, **options: Any) -> Any:
            if isinstance(query, str):
                self.sent.setdefault(query, params or ())
            return execute(connection, query, params, **options)

        monkeypatch.setattr(psycopg.Connection, "execute", note)


def live(population: BitmapPopulation) -> None:
    """Writes and reads of every kind, so that each statement on the nodes is sent once."""
    for number in range(3):
        add(population, f"a/b{number}", "c", people=range(number, 40))
    add(population, "d", people=[70])
    write_parts(population, [part([user("u1", "e")])], Batch(mode="add", origin=ADA, expiry=33_000_000))
    population.list_changes(person=Person("user", "u1"), limit=9)
    population.find_person(Person("user", "u3"))
    population.write(MoveTag("c", "moved"), WriteOptions(ADA))
    population.write(Undo((2,)), WriteOptions(ADA))
    population.write(Undo((5,)), WriteOptions(ADA))
    population.write(DeleteTag("moved"), WriteOptions(ADA))
    population.list_tags(search="", prefix=None, limit=9)


def test_statements_go_to_one_shard_or_to_each_with_no_data_between_them(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = Statements(monkeypatch)
    space = citus.new_space(url)
    with opened(url) as installation:
        live(installation.population(installation.control.get_environment(space, "production")))
    with opened(url) as installation:
        population = installation.population(installation.control.get_environment(space, "production"))
        population.list_changes(limit=50)
        storage = database_of(installation).storage(environment_of(installation, population))
        with storage.reading() as snapshot:
            rows = [each.id for each in snapshot.rows()]
            snapshot.chunk(rows[0], 0)
            snapshot.chunks_of(rows)
            snapshot.chunks_in(0, rows)
            list(snapshot.changes_after(1))
            list(snapshot.changes_of(rows[0], 0))
            list(snapshot.changes_of_rows(rows, 0, 0))
            list(snapshot.changes_of_places([rows[0] << 16], 1))
            snapshot.places_of(1)
            for segment in snapshot.segments():
                snapshot.segment(segment.first)
            for run in snapshot.runs():
                snapshot.page(run.id, 0)
    wanted = {
        query: values
        for query, values in statements.sent.items()
        if re.search(rf"\b(FROM|JOIN|INTO|UPDATE) ({'|'.join(SPREAD)})\b", query) and not query.startswith("COPY")
    }
    assert len(wanted) > 12
    wrong: list[str] = []
    with psycopg.connect(url) as connection:
        for query, values in wanted.items():
            plan = "\n".join(
                line for (line,) in connection.execute(f"EXPLAIN (COSTS OFF) {query}".encode(), values).fetchall()
            )
            tasks = re.findall(r"Task Count: (\d+)", plan)
            is_single = tasks == ["1"] if ROUTED.search(query) else len(tasks) == 1
            if not is_single or re.search(r"Subplan|MapMerge|repartition|INSERT/SELECT", plan):
                wrong.append(f"{query}\n{plan}")
    assert wrong == [], "\n\n".join(wrong)


def test_versions_follow_one_another_whoever_writes(url: str) -> None:
    space = citus.new_space(url)
    versions: list[int] = []

    def write(name: str) -> None:
        with opened(url) as installation:
            population = installation.population(installation.control.get_environment(space, "production"))
            for number in range(15):
                versions.append(add(population, f"{name}/{number}", people=[number]))

    writers = [threading.Thread(target=write, args=(name,)) for name in ("a", "b", "c")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(versions) == list(range(1, 46))
    assert all(later > earlier for earlier, later in pairwise(sorted(versions)))
