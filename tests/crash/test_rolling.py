"""Processes that come and go while others write and read: none of the requests between them is lost."""

import http.client
import json
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

import tagloom
from tagloom.accounts.access_tokens import Access
from tagloom.stores.migrations import newest_schema
from tagloom_client import Retries, Tagloom, TagloomError
from tagloom_client.problems import Unavailable
from tests.crash.between import Balancer, status_of
from tests.crash.forks import Process
from tests.crash.test_kill import PATIENCE_SECONDS, Writer, opened, server
from tests.crash.test_postgres import Persistent, hold_to_account, token_of
from tests.postgres import Server

WRITERS, READERS = 4, 3
NEXT_RELEASE = '''
"""A further table, made in no hurry."""
import sqlalchemy as sql
from alembic import op
revision, down_revision = "9999", "{before}"
def upgrade():
    op.create_table("further", sql.Column("id", sql.Integer, primary_key=True))
    op.execute("SELECT pg_sleep(1.5)")
'''


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    """A PostgreSQL that keeps what it says it keeps."""
    started = Server(is_durable=True)
    yield started
    started.stop()


class Reader(threading.Thread):
    """Asks one thing after another until told to stop; nothing it asks may be refused."""

    def __init__(self, url: str, token: str, stop: threading.Event) -> None:
        super().__init__()
        self._client = Tagloom(url, token, retries=Retries(tries=1))
        self._stopped = stop
        self.answers = 0
        self.failures: list[TagloomError] = []

    def run(self) -> None:
        with self._client as client:
            while not self._stopped.is_set():
                try:
                    client.decide(user="shared")
                    client.get_person(user="shared")
                    self.answers += 2
                except TagloomError as error:
                    self.failures.append(error)


@pytest.mark.slow
def test_a_rolling_restart_loses_no_request_of_those_who_ask_readyz(database: Server) -> None:
    url = database.new_database()
    token, stop = token_of(url), threading.Event()
    environ = {"TAGLOOM_DATABASE_URL": url, "TAGLOOM_DRAIN_SECONDS": "1"}
    with ExitStack() as stack, closing(Balancer()) as balancer:
        serving: list[tuple[str, Process]] = []
        for _ in range(2):
            serving.append(stack.enter_context(server(None, environ)))
            balancer.add(serving[-1][0])
        with Tagloom(balancer.url, token) as client:
            Writer.write(client, "first")
        writers = [Persistent(balancer.url, token, f"r{number}w", stop) for number in range(WRITERS)]
        readers = [Reader(balancer.url, token, stop) for _ in range(READERS)]
        for thread in (*writers, *readers):
            thread.start()
        for _ in range(2):
            address, process = serving.pop(0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
            balancer.delete(address)
            serving.append(stack.enter_context(server(None, environ)))
            balancer.add(serving[-1][0])
        stop.set()
        for thread in (*writers, *readers):
            thread.join()

    assert sum(writer.refusals for writer in writers) == 0
    assert [failure for reader in readers for failure in reader.failures] == []
    assert all(reader.answers > 20 for reader in readers)
    acknowledged = {key: receipt for writer in writers for key, receipt in writer.acknowledged.items()}
    assert len(acknowledged) > 50
    hold_to_account(url, acknowledged, all_versions=False)
    assert sorted(receipt.version for receipt in acknowledged.values()) == list(range(2, len(acknowledged) + 2))


def test_a_process_that_drains_says_so_and_answers_until_it_ends(tmp_path: Path) -> None:
    with server(tmp_path, {"TAGLOOM_DRAIN_SECONDS": "6"}) as (url, process), httpx.Client(base_url=url) as kept:
        assert kept.get("/readyz").json() == {"status": "ready"}
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := kept.get("/readyz")).status_code == 200:
            assert time.monotonic() < deadline
        assert (found.status_code, found.json()["type"]) == (503, "/problems/draining")
        # On the connection that was there, and on a new one.
        answer = kept.get("/openapi.json")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_body_that_is_on_its_way_at_the_end_of_a_process_is_taken_whole(tmp_path: Path) -> None:
    with opened(tmp_path) as installation:
        token = Access(installation.control).create_token("main", "writer", ("admin",), days=1)[1]
    first, second = b"user,tag\nu1,a\n", b"u2,a\nu3,a\n"
    with server(tmp_path) as (url, process):
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_SECONDS)
        connection.putrequest("POST", "/v2/spaces/main/environments/production/taggings?mode=add")
        connection.putheader("Authorization", f"Bearer {token}")
        connection.putheader("Content-Type", "text/csv")
        connection.putheader("Content-Length", str(len(first + second)))
        connection.endheaders(first)
        with httpx.Client(base_url=url) as watching:
            wait_for(lambda: "tagloom_uploads 1.0" in watching.get("/metrics").text)
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: status_of(url, "/healthz") == 0)
        connection.send(second)
        receipt = json.loads(connection.getresponse().read())
        connection.close()
        assert process.wait(PATIENCE_SECONDS) == 0
    assert (receipt["version"], receipt["added"]) == (1, 3)


def test_an_older_process_reads_on_and_writes_no_more_once_a_newer_one_migrates(
    database: Server, tmp_path: Path
) -> None:
    url, newest = database.new_database(), newest_schema()
    token, stop, environ = token_of(url), threading.Event(), {"TAGLOOM_DATABASE_URL": url}
    # The next release is this one with a further migration, installed elsewhere.
    source, next_release = Path(tagloom.__file__).parent, tmp_path / "tagloom"
    shutil.copytree(source, next_release, ignore=shutil.ignore_patterns("node_modules"))
    versions = next_release / "stores" / "migrations" / "versions"
    (versions / "v9999_next.py").write_text(NEXT_RELEASE.format(before=newest))

    with ExitStack() as stack, closing(Balancer()) as balancer:
        old, process = stack.enter_context(server(None, environ))
        balancer.add(old)
        writers = [Persistent(balancer.url, token, f"o{number}w", stop) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        said: list[str] = []
        watching = threading.Thread(target=listen, args=(old, said, stop))
        watching.start()
        try:
            # It migrates first, then it answers.
            installed = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); "
            new, _ = stack.enter_context(server(None, environ, beginning=installed))
            balancer.add(new)
            with Tagloom(old, token, retries=Retries(tries=1)) as client:
                with pytest.raises(Unavailable, match="writes schema") as refused:
                    Writer.write(client, "o-refused")
                assert refused.value.name == "schema-changed"
                with pytest.raises(Unavailable, match="writes schema"):
                    client.create_tribe(name="Refused", rule={"type": "all", "of": []})
                assert client.get_person(user="shared").tags == ("load/shared",)
            wait_for(lambda: "Another release" in said[-1])
        finally:
            stop.set()
            for thread in (*writers, watching):
                thread.join()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    assert "The database is being migrated." in said
    assert said[-1] == f"Another release brought the database to schema 9999; this process writes schema {newest} only."
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE further")
        connection.execute("UPDATE alembic_version SET version_num=%s", [newest])
    acknowledged = {key: receipt for writer in writers for key, receipt in writer.acknowledged.items()}
    hold_to_account(url, acknowledged, all_versions=True)


def listen(url: str, said: list[str], stop: threading.Event) -> None:
    """Notes each thing that /readyz says, once."""
    with httpx.Client(base_url=url) as client:
        while not stop.wait(0.02):
            detail = client.get("/readyz").json().get("detail", "ready")
            if detail not in said:
                said.append(detail)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Comes back when something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.01)
