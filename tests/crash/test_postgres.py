"""PostgreSQL under real processes: many writers on one database, killed servers, a killed database, cut connections."""

import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import Installation, check, open_installation
from tagloom.settings import PostgresUrl, Settings
from tagloom.words.people import Person
from tagloom_client import Retries, Tagloom, TagloomError
from tagloom_client.models import Receipt
from tests.crash.kills import kills
from tests.crash.test_kill import Writer, server
from tests.postgres import Server

KILLS_OF_SERVERS = kills(8)
KILLS_OF_DATABASES = kills(5)
PROCESSES = 3


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    """A PostgreSQL that keeps what it says it keeps."""
    started = Server(is_durable=True)
    yield started
    started.stop()


@contextmanager
def opened(url: str) -> Iterator[Installation]:
    """The installation in a database, from this process."""
    installation = open_installation(Settings(database=PostgresUrl(url)), create=True)
    try:
        yield installation
    finally:
        installation.close()


def token_of(url: str) -> str:
    """An administrator's token of a new installation."""
    with opened(url) as installation:
        return Access(installation.control).create_token("main", "writers", ("admin",), days=1)[1]


class Persistent(threading.Thread):
    """Writes batch after batch until told to stop, each under its own key, again and again until it is acknowledged."""

    def __init__(self, url: str, token: str, name: str, stop: threading.Event) -> None:
        super().__init__()
        self._client = Tagloom(url, token, retries=Retries(tries=1))
        self._prefix = name
        self._stopped = stop
        self.acknowledged: dict[str, Receipt] = {}
        self.refusals = 0

    def run(self) -> None:
        with self._client:
            for number in count():
                if self._stopped.is_set():
                    return
                self._write(f"{self._prefix}-{number}")

    def _write(self, key: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self.acknowledged[key] = Writer.write(self._client, key)
                return
            except TagloomError:
                self.refusals += 1
                time.sleep(0.05)
        raise AssertionError(f"{key} was never taken")


def hold_to_account(url: str, acknowledged: dict[str, Receipt], *, all_versions: bool) -> None:
    """Everything acknowledged is there once, nothing is broken, and versions have no gaps."""
    with opened(url) as installation:
        assert list(check(installation)) == []
        population = installation.population(installation.control.get_environment("main", "production"))
        versions = [receipt.version for receipt in acknowledged.values()]
        assert len(set(versions)) == len(versions)
        if all_versions:
            # Each key made one version, and there is no other.
            assert sorted(versions) == list(range(1, population.version() + 1))
        for key, receipt in acknowledged.items():
            found = population.find_person(Person("user", key))
            assert found is not None
            assert set(found.tags) == {"load/own", f"load/{key[:3]}"}
            assert population.get_change(receipt.version).new_people >= 1
        # In the order of the commits, the times of versions ascend.
        times = [change.at for change in population.list_changes(limit=1_000)]
        assert times == sorted(times)


@pytest.mark.slow
def test_many_processes_write_one_environment_without_gaps_and_follow_one_another(database: Server) -> None:
    url = database.new_database()
    token, stop = token_of(url), threading.Event()
    with ExitStack() as stack:
        served = [stack.enter_context(server(None, {"TAGLOOM_DATABASE_URL": url}))[0] for _ in range(PROCESSES)]
        writers = [Persistent(each, token, f"p{n}w{m}", stop) for n, each in enumerate(served) for m in range(3)]
        for writer in writers:
            writer.start()
        time.sleep(3)
        stop.set()
        for writer in writers:
            writer.join()
        assert sum(writer.refusals for writer in writers) == 0

        # What one has acknowledged, every other one tells, without being asked to wait.
        clients = [stack.enter_context(Tagloom(each, token)) for each in served]
        for number in range(30):
            writing, reading = clients[number % PROCESSES], clients[(number + 1) % PROCESSES]
            receipt = writing.tag_people([{"user": f"follow-{number}", "tags": [f"step/s{number}"]}])
            found = reading.get_person(user=f"follow-{number}", at_least=receipt.version)
            assert list(found.tags) == [f"step/s{number}"]
    acknowledged = {key: receipt for writer in writers for key, receipt in writer.acknowledged.items()}
    assert len(acknowledged) > 50
    hold_to_account(url, acknowledged, all_versions=False)
    assert sorted(receipt.version for receipt in acknowledged.values()) == list(range(1, len(acknowledged) + 1))


@pytest.mark.slow
def test_a_killed_server_loses_no_receipt_and_applies_no_key_twice(database: Server) -> None:
    url = database.new_database()
    token, chance = token_of(url), random.Random(3)
    acknowledged: dict[str, Receipt] = {}
    unanswered: list[str] = []
    for round_number in range(KILLS_OF_SERVERS):
        with server(None, {"TAGLOOM_DATABASE_URL": url}) as (address, process):
            writers = [Writer(address, token, f"r{round_number:02}w{number}") for number in range(4)]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.0, 0.4))
            process.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.join()
        for writer in writers:
            acknowledged |= writer.acknowledged
            unanswered.extend([writer.unanswered] if writer.unanswered else [])
    with server(None, {"TAGLOOM_DATABASE_URL": url}) as (address, _), Tagloom(address, token) as client:
        for key, receipt in acknowledged.items():
            assert Writer.write(client, key) == receipt
        acknowledged |= {key: Writer.write(client, key) for key in unanswered}
    hold_to_account(url, acknowledged, all_versions=True)


@pytest.mark.slow
def test_a_killed_database_loses_no_receipt_and_is_found_again(database: Server) -> None:
    url = database.new_database()
    token, stop, chance = token_of(url), threading.Event(), random.Random(5)
    with ExitStack() as stack:
        served = [stack.enter_context(server(None, {"TAGLOOM_DATABASE_URL": url}))[0] for _ in range(2)]
        writers = [Persistent(each, token, f"k{n}w{m}", stop) for n, each in enumerate(served) for m in range(3)]
        for writer in writers:
            writer.start()
        for _ in range(KILLS_OF_DATABASES):
            time.sleep(chance.uniform(0.2, 0.8))
            database.kill()
            database.start()
        time.sleep(0.5)
        stop.set()
        for writer in writers:
            writer.join()
    acknowledged = {key: receipt for writer in writers for key, receipt in writer.acknowledged.items()}
    assert len(acknowledged) > 20
    hold_to_account(url, acknowledged, all_versions=True)


@pytest.mark.slow
def test_cut_connections_are_made_again_and_lose_nothing(database: Server) -> None:
    url = database.new_database()
    token, stop = token_of(url), threading.Event()
    with server(None, {"TAGLOOM_DATABASE_URL": url}) as (address, _):
        writers = [Persistent(address, token, f"c0w{number}", stop) for number in range(4)]
        for writer in writers:
            writer.start()
        name = url.rpartition("/")[2]
        with psycopg.connect(database.url("postgres"), autocommit=True) as connection:
            for _ in range(25):
                time.sleep(0.1)
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname=%s", [name])
        stop.set()
        for writer in writers:
            writer.join()
    acknowledged = {key: receipt for writer in writers for key, receipt in writer.acknowledged.items()}
    hold_to_account(url, acknowledged, all_versions=True)


def test_the_log_of_a_process_tells_no_password(tmp_path: Path) -> None:
    settings = Settings(database=PostgresUrl("postgresql://tagloom:hush-hush@127.0.0.1:1/nowhere"))

    assert "hush" not in repr(settings)
    with pytest.raises(Exception, match="PostgreSQL says") as caught:
        open_installation(settings)
    assert "hush" not in str(caught.value)
