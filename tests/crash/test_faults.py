"""PostgreSQL behind poolers and bad networks, on full disks, and lost to its standby: nothing is lost or done twice."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tagloom.bootstrap import check
from tagloom.ports.problems import StoreUnavailable
from tagloom.words.changes import Origin
from tagloom_client import Retries, Tagloom, TagloomError
from tagloom_client.models import Receipt
from tagloom_client.problems import Unavailable
from tests.bodies import part, user
from tests.crash.between import Cable
from tests.crash.test_kill import crm_file, server
from tests.crash.test_postgres import Persistent, hold_to_account, opened, token_of
from tests.ports import free_port
from tests.postgres import Server, may_mount
from tests.writing import Batch, submit_parts

PATIENCE_SECONDS = 60
BALLAST_BYTES_LEFT = 3_000_000
PGBOUNCER = """
[databases]
* = host=127.0.0.1 port={to}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = 20
max_client_conn = 200
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    """A PostgreSQL that keeps what it says it keeps."""
    started = Server(is_durable=True)
    yield started
    started.stop()


def wait_for(is_so: Callable[[], bool]) -> None:
    """Comes back when something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def by(url: str, port: int) -> str:
    """The same database, reached by another port."""
    parts = urlsplit(url)
    return parts._replace(netloc=f"tagloom@127.0.0.1:{port}").geturl()


@contextmanager
def writing(addresses: list[str], token: str, count: int, name: str = "f") -> Iterator[list[Persistent]]:
    """Writers at each address, until the end of the block; they have stopped then."""
    stop = threading.Event()
    writers = [
        Persistent(each, token, f"{name}{n}w{m:02}", stop) for n, each in enumerate(addresses) for m in range(count)
    ]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        stop.set()
        for writer in writers:
            writer.join()


def acknowledged_by(writers: list[Persistent]) -> dict[str, Receipt]:
    """All that they have receipts for."""
    return {key: receipt for writer in writers for key, receipt in writer.acknowledged.items()}


class Pooler:
    """A pgbouncer in transaction mode."""

    def __init__(self, database: Server) -> None:
        self.port = free_port()
        # It refuses to run as root too.
        self._user = database.user
        users, self._settings = database.folder / "users.txt", database.folder / "pgbouncer.ini"
        users.write_text('"tagloom" ""\n')
        self._settings.write_text(PGBOUNCER.format(to=database.port, port=self.port, users=users))
        self.start()

    def start(self) -> None:
        """Starts it, and comes back when it answers."""
        self.process = subprocess.Popen(
            [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", "--quiet", str(self._settings)],
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: is_listened_at(self.port))

    def kill(self) -> None:
        """Ends it, as the end of its machine would."""
        self.process.kill()
        self.process.wait()


def is_listened_at(port: int) -> bool:
    """Whether somebody takes connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_a_pooler_of_transactions_may_stand_between_and_be_killed(database: Server) -> None:
    url = database.new_database()
    with ExitStack() as stack:
        pooler = Pooler(database)
        stack.callback(lambda: pooler.kill())
        pooled = by(url, pooler.port)
        token = token_of(pooled)
        environ = {"TAGLOOM_DATABASE_URL": pooled}
        served = [stack.enter_context(server(None, environ))[0] for _ in range(2)]
        with writing(served, token, 3) as writers:
            time.sleep(2)
        assert sum(writer.refusals for writer in writers) == 0
        clients = [stack.enter_context(Tagloom(each, token)) for each in served]
        # By COPY, and seen by the other process.
        lines = [{"user": f"bulk{n}", "tags": ["load/bulk", f"load/b{n % 9}"]} for n in range(5_000)]
        receipt = clients[0].tag_people(lines)
        assert clients[1].get_person(user="bulk4999", at_least=receipt.version).tags == ("load/b4", "load/bulk")
        with writing(served, token, 3, "k") as late:
            for _ in range(3):
                time.sleep(0.4)
                pooler.kill()
                pooler.start()
            time.sleep(0.5)
    hold_to_account(url, acknowledged_by(writers + late), all_versions=False)
    assert len(acknowledged_by(writers)) > 20
    assert len(acknowledged_by(late)) > 5
    versions = [*(each.version for each in acknowledged_by(writers + late).values()), receipt.version]
    assert sorted(versions) == list(range(1, len(versions) + 1))


@pytest.mark.slow
def test_a_slow_network_slows_writers_down_and_refuses_none(database: Server) -> None:
    url = database.new_database()
    with closing(Cable(database.port)) as cable:
        far = by(url, cable.port)
        token = token_of(far)
        cable.delay_seconds = 0.02
        with (
            server(None, {"TAGLOOM_DATABASE_URL": far}) as (address, _),
            Tagloom(address, token) as client,
            writing([address], token, 8) as writers,
        ):
            # Writers and readers pay for the network with the first look at each row.
            wait_for(lambda: len(acknowledged_by(writers)) > 8)
            assert client.get_person(user="shared").tags == ("load/shared",)
    assert sum(writer.refusals for writer in writers) == 0
    assert len(acknowledged_by(writers)) > 8
    hold_to_account(url, acknowledged_by(writers), all_versions=True)


@pytest.mark.slow
def test_a_network_that_stands_still_is_told_of_and_what_was_under_way_is_done_once(database: Server) -> None:
    url = database.new_database()
    with closing(Cable(database.port)) as cable:
        far = by(url, cable.port)
        token = token_of(far)
        with (
            server(None, {"TAGLOOM_DATABASE_URL": far}) as (address, _),
            httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as watching,
            writing([address], token, 4) as writers,
        ):
            wait_for(lambda: len(acknowledged_by(writers)) > 20)
            cable.snapshot()
            wait_for(lambda: watching.get("/readyz").status_code == 503)
            assert watching.get("/readyz").json()["type"] == "/problems/store-unavailable"
            # Readers hear of it soon, and whoever looks after the process is answered meanwhile.
            with Tagloom(address, token, retries=Retries(tries=1)) as client:
                wait_for(lambda: is_refused(lambda: client.decide(user="shared")))
                with pytest.raises(Unavailable):
                    client.get_person(user="shared")
            assert watching.get("/healthz").status_code == 200
            text = watching.get("/metrics").text
            assert "tagloom_store_up 0.0" in text
            assert "tagloom_imports" not in text
            before = len(acknowledged_by(writers))
            cable.thaw()
            wait_for(lambda: watching.get("/readyz").status_code == 200)
            wait_for(lambda: len(acknowledged_by(writers)) > before + 20)
    hold_to_account(url, acknowledged_by(writers), all_versions=True)


def is_refused(ask: Callable[[], object]) -> bool:
    """Whether a question is answered with 503."""
    try:
        ask()
    except Unavailable:
        return True
    return False


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="only root makes a small disk")
@pytest.mark.parametrize("small", ["data", "wal"])
def test_a_full_disk_refuses_writes_plainly_until_there_is_room(small: Literal["data", "wal"], tmp_path: Path) -> None:
    database = Server(is_durable=True, small=small)
    try:
        assert database.small is not None
        url = database.new_database()
        token, ballast = token_of(url), database.small / "ballast"
        with server(None, {"TAGLOOM_DATABASE_URL": url}) as (address, _), writing([address], token, 2) as writers:
            wait_for(lambda: len(acknowledged_by(writers)) > 20)
            room = os.statvfs(database.small)
            ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - BALLAST_BYTES_LEFT))
            with Tagloom(address, token, retries=Retries(tries=1)) as client:
                refusals = []
                for number in range(200):
                    try:
                        client.upload(crm_file(tmp_path, number), format="csv", mode="add")
                    except TagloomError as error:
                        refusals.append(error)
                        break
                assert [type(each) for each in refusals] == [Unavailable]
                if small == "data":
                    assert "No space left on device" in str(refusals[0])
                    assert client.get_person(user="shared").tags == ("load/shared",)
            ballast.unlink()
            before = len(acknowledged_by(writers))

            def goes_on() -> bool:
                # A log that cannot grow may end PostgreSQL; whoever looks after it starts it again.
                assert database.process is not None
                if database.process.poll() is not None:
                    database.start()
                return len(acknowledged_by(writers)) > before + 20

            wait_for(goes_on)
        hold_to_account(url, acknowledged_by(writers), all_versions=False)
    finally:
        database.stop()


@pytest.mark.slow
def test_the_promotion_of_a_synchronous_standby_loses_no_receipt_and_applies_none_twice() -> None:
    with ExitStack() as stack:
        primary = Server(is_durable=True)
        stack.callback(primary.stop)
        # The server would confirm commits that no standby has; writers raise that.
        primary.do("ALTER SYSTEM SET synchronous_commit = 'local'")
        cable = stack.enter_context(closing(Cable(primary.port)))
        standby = Server(is_durable=True, standby_of=by(primary.url("postgres"), cable.port))
        stack.callback(standby.stop)
        primary.do("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
        primary.do("SELECT pg_reload_conf()")
        url = primary.new_database()
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        both = urlsplit(url)._replace(netloc=f"tagloom@{hosts}", query="target_session_attrs=read-write").geturl()
        token = token_of(both)
        served = [stack.enter_context(server(None, {"TAGLOOM_DATABASE_URL": both}))[0] for _ in range(2)]
        with writing(served, token, 8) as writers:
            time.sleep(2)
            # What is committed from here on, the standby never has.
            cable.snapshot()
            time.sleep(0.5)
            primary.kill()
            before = len(acknowledged_by(writers))
            standby.do("SELECT pg_promote()")
            wait_for(lambda: len(acknowledged_by(writers)) > before + 50)
        hold_to_account(by(url, standby.port), acknowledged_by(writers), all_versions=True)
    assert before > 50
    assert sum(writer.refusals for writer in writers) > 0


@pytest.mark.slow
def test_a_dump_that_is_taken_while_others_write_is_restored_whole(database: Server) -> None:
    url, restored = database.new_database(), database.new_database()
    token, dump = token_of(url), database.folder / "tagloom.dump"
    with server(None, {"TAGLOOM_DATABASE_URL": url}) as (address, _), writing([address], token, 4) as writers:
        wait_for(lambda: len(acknowledged_by(writers)) > 50)
        before = acknowledged_by(writers)
        database.run("pg_dump", "--format", "custom", "--file", dump, url)
        wait_for(lambda: len(acknowledged_by(writers)) > len(before) + 20)
    database.run("pg_restore", "--no-owner", "--dbname", restored, dump)
    hold_to_account(restored, before, all_versions=False)
    with opened(restored) as installation:
        population = installation.population(installation.control.get_environment("main", "production"))
        version = population.version()
        assert len(before) <= version < len(acknowledged_by(writers))
        request = Batch(mode="add", origin=Origin("ada", "test"))
        assert submit_parts(population, [part([user("u1", "load/new")])], request).result().version == version + 1
        assert list(check(installation)) == []


def test_writers_wait_for_more_than_this_server_when_it_is_asked_for_less(database: Server) -> None:
    for weak, strong in (("off", "on"), ("local", "on"), ("remote_write", "remote_write")):
        url = database.new_database()
        database.do(f"ALTER DATABASE {url.rpartition('/')[2]} SET synchronous_commit = '{weak}'")
        with opened(url) as installation:
            key = installation.control.get_environment("main", "production").key
            with installation.database.writing() as bind:
                found = bind(key)._wire.ask("SELECT current_setting('synchronous_commit')")  # type: ignore[attr-defined]
            assert found == [(strong,)]


def test_a_commit_that_waits_for_no_standby_any_more_is_no_receipt(database: Server) -> None:
    url = database.new_database()
    name = url.rpartition("/")[2]
    with opened(url) as installation, psycopg.connect(database.url("postgres"), autocommit=True) as watching:
        population = installation.population(installation.control.get_environment("main", "production"))
        body = [part([user("u1", "a")])]
        once = Batch(mode="add", origin=Origin("ada", "test"), idempotency_key="once", fingerprint="1")
        watching.execute(f"ALTER DATABASE {name} SET synchronous_commit = 'on'")
        database.do("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        database.do("SELECT pg_reload_conf()")
        try:
            written = submit_parts(population, body, once)
            waits = "FROM pg_stat_activity WHERE datname=%s AND wait_event='SyncRep'"
            wait_for(lambda: watching.execute(f"SELECT pid {waits}", [name]).fetchone() is not None)
            watching.execute(f"SELECT pg_cancel_backend(pid) {waits}", [name])
            with pytest.raises(StoreUnavailable, match="not confirmed"):
                written.result(PATIENCE_SECONDS)
        finally:
            database.do("ALTER SYSTEM RESET synchronous_standby_names")
            database.do("SELECT pg_reload_conf()")
        again = submit_parts(population, body, once).result()
        assert (again.version, population.version()) == (1, 1)
