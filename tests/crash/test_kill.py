"""Real processes, killed at random moments: no acknowledged receipt is lost or applied twice, nothing is broken."""

import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import ORGANIZATION, Installation, check, open_installation
from tagloom.services import make_services
from tagloom.settings import read_settings
from tagloom.stores.sql import SqlControl
from tagloom.stores.sqlite import SqliteDatabase
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom_client import Retries, Tagloom, TagloomError
from tagloom_client.models import Receipt
from tests.crash import forks
from tests.crash.kills import kills
from tests.ports import free_port

KILLS_OF_SERVERS = kills(15)
KILLS_OF_IMPORTS = kills(18)
KILLS_OF_INITS = kills(8)
WRITERS = 4
PATIENCE_SECONDS = 60


@contextmanager
def opened(data: Path) -> Iterator[Installation]:
    installation = open_installation(read_settings(data), create=True)
    try:
        yield installation
    finally:
        installation.close()


@contextmanager
def server(
    data: Path | None, environ: Mapping[str, str] | None = None, *, beginning: str = ""
) -> Iterator[tuple[str, forks.Process]]:
    """A server process that answers; killed at the end, if it still lives. Its database is in `data`, or as set.

    `beginning` is done in it before anything else.
    """
    port = free_port()
    place = ["--data", data] if data is not None else []
    process = forks.start(["serve", *place, "--port", port], dict(environ or {}), beginning=beginning)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "the server ended before it answered"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.005)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


class Writer(threading.Thread):
    """Writes batch after batch, each under its own key, until the server is gone; remembers what was acknowledged."""

    def __init__(self, url: str, token: str, name: str) -> None:
        super().__init__()
        self._client = Tagloom(url, token, retries=Retries(tries=1))
        self._prefix = name
        self.acknowledged: dict[str, Receipt] = {}
        self.unanswered: str | None = None

    def run(self) -> None:
        with self._client:
            for number in count():
                key = f"{self._prefix}-{number}"
                try:
                    self.acknowledged[key] = self.write(self._client, key)
                except TagloomError:
                    self.unanswered = key
                    return

    @staticmethod
    def write(client: Tagloom, key: str) -> Receipt:
        """Two people, of whom one is the key's own, under one key."""
        own = {"user": key, "tags": ["load/own", f"load/{key[:3]}"], "attributes": attributes_of(key)}
        shared = {"user": "shared", "tags": ["load/shared"], "attributes": {"key": key, "vip": len(key) % 2 == 0}}
        return client.tag_people([own, shared], idempotency_key=key)


def attributes_of(key: str) -> dict[str, object]:
    """The attributes of the own person of a key."""
    return {"key": key, "writer": key[:3], "number": len(key) / 4, "seen": "2026-03-01"}


@pytest.mark.slow
def test_a_killed_server_keeps_each_acknowledged_receipt_and_applies_no_key_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as installation:
        token = Access(installation.control).create_token("main", "writers", ("admin",), days=1)[1]
    chance = random.Random(7)
    acknowledged: dict[str, Receipt] = {}
    unanswered: list[str] = []
    for round_number in range(KILLS_OF_SERVERS):
        with server(tmp_path) as (url, process):
            writers = [Writer(url, token, f"r{round_number}w{number}") for number in range(WRITERS)]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.0, 0.4))
            process.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.join()
        for writer in writers:
            acknowledged |= writer.acknowledged
            unanswered.extend([writer.unanswered] if writer.unanswered else [])
    assert acknowledged

    with server(tmp_path) as (url, process):
        with Tagloom(url, token) as client:
            for key, receipt in acknowledged.items():
                assert Writer.write(client, key) == receipt
            for key in unanswered:
                first = Writer.write(client, key)
                assert Writer.write(client, key) == first
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0

    with opened(tmp_path) as installation:
        assert list(check(installation)) == []
        population = installation.population(installation.control.get_environment("main", "production"))
        versions = [receipt.version for receipt in acknowledged.values()]
        assert len(set(versions)) == len(versions)
        for key in [*acknowledged, *unanswered]:
            found = population.find_person(Person("user", key))
            assert found is not None
            assert set(found.tags) == {"load/own", f"load/{key[:3]}"}
            assert found.attributes == {**attributes_of(key), "seen": "2026-03-01T00:00:00.000Z"}


PEOPLE = 20_000


def crm_file(folder: Path, number: int) -> Path:
    """A file about people of its own, two tags each."""
    file = folder / f"crm-{number}.csv"
    lines = (f"r{number}u{n},plan/p{n % 7}\nr{number}u{n},odd/{n % 2}\n" for n in range(PEOPLE))
    file.write_text("user,tag\n" + "".join(lines))
    return file


def run(*arguments: object) -> bytes:
    """What a command says that is left in peace, and must succeed."""
    out, err = (process := forks.start(arguments)).communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, err
    return out


@pytest.mark.slow
def test_a_killed_import_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run("init", "--data", data)
    began = time.monotonic()
    run("import", crm_file(tmp_path, 0), "--data", data)
    took = time.monotonic() - began
    chance = random.Random(11)
    version, whole = 1, 0
    for number in range(1, KILLS_OF_IMPORTS + 1):
        process = forks.start(["import", crm_file(tmp_path, number), "--data", data, "--json"])
        time.sleep(chance.uniform(0.1, 1.1) * took)
        process.kill()
        said = process.communicate()[0]
        with opened(data) as installation:
            assert list(check(installation)) == []
            population = installation.population(installation.control.get_environment("main", "production"))
            is_there = population.version() > version
            version = population.version()
            change = population.get_change(version)
            assert (change.added, change.new_people) == (2 * PEOPLE, PEOPLE)
            for sample in (0, PEOPLE // 2, PEOPLE - 1):
                found = population.find_person(Person("user", f"r{number}u{sample}"))
                assert (found is not None and len(found.tags) == 2) is is_there
        whole += is_there
        if said:
            # The receipt was printed, so it is there.
            assert is_there
            assert json.loads(said)["added"] == 2 * PEOPLE
    assert version == 1 + whole

    receipt = json.loads(run("import", crm_file(tmp_path, 99), "--data", data, "--json"))
    assert (receipt["version"], receipt["added"]) == (version + 1, 2 * PEOPLE)


@pytest.mark.slow
def test_an_interrupted_init_is_completed_by_the_next(tmp_path: Path) -> None:
    began = time.monotonic()
    run("init", "--data", tmp_path / "whole")
    took = time.monotonic() - began
    chance = random.Random(13)
    for number in range(KILLS_OF_INITS):
        data = tmp_path / f"data-{number}"
        process = forks.start(["init", "--data", data, "--json"])
        time.sleep(chance.uniform(0.1, 1.0) * took)
        process.kill()
        process.communicate()

        made = json.loads(run("init", "--data", data, "--json"))
        assert made["environments"] == ["development", "staging", "production"]
        with opened(data) as installation:
            assert list(check(installation)) == []
            assert [token.name for token in installation.control.list_tokens("main")] == ["administrator"]
            environment, taggings = (
                installation.control.get_environment("main", "production"),
                make_services(installation).taggings,
            )
            receipt = taggings.submit_tags(environment, Person("user", "u1"), ["a"], "add", Origin("test")).result()
            assert receipt.version == 1


def test_an_init_that_ended_between_organization_and_space_is_completed_by_the_next(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "tagloom.sqlite")
    SqlControl(database.engine).put_organization(ORGANIZATION)
    database.close()

    made = json.loads(run("init", "--data", tmp_path, "--json"))

    assert made["environments"] == ["development", "staging", "production"]
    assert made["token"]


# Stands for a full disk: no file of this process may grow beyond so many bytes, and the signal is not deadly.
LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from pathlib import Path
from tagloom.ports.problems import StoreUnavailable
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom.settings import read_settings
from tagloom.bootstrap import check, open_installation
from tagloom.services import make_services
from tagloom.tagging.taggings import Order

data, file = Path(sys.argv[1]), Path(sys.argv[2])
installation = open_installation(read_settings(data))
environment = installation.control.get_environment("main", "production")
population, taggings = installation.population(environment), make_services(installation).taggings
origin = Origin("test", "test")
assert taggings.submit_tags(environment, Person("user", "before"), ["a"], "add", origin).result().version == 1
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
# Two pages: less than any commit of the file takes, wherever in its log the database stands.
resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, hard))
for _ in range(3):
    try:
        taggings.import_body(environment, iter([file.read_bytes()]), Order(format="csv", mode="add", origin=origin))
    except StoreUnavailable as problem:
        print("refused:", problem.detail)
    assert population.version() == 1
    assert population.find_person(Person("user", "r0u1")) is None
    assert population.find_person(Person("user", "before")).tags == ("a",)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
receipt = taggings.import_body(environment, iter([file.read_bytes()]), Order(format="csv", mode="add", origin=origin))
assert (receipt.version, receipt.added) == (2, 40_000), receipt
assert list(check(installation)) == []
installation.close()
"""


def test_a_batch_that_finds_the_disk_full_is_refused_whole_and_later_ones_are_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run("init", "--data", data)
    file = crm_file(tmp_path, 0)

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, data, file],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused: SQLite says") == 3
    with opened(data) as installation:
        assert list(check(installation)) == []
        population = installation.population(installation.control.get_environment("main", "production"))
        assert population.version() == 2


def test_a_server_follows_what_another_process_imports(tmp_path: Path) -> None:
    data = tmp_path / "data"
    token = json.loads(run("init", "--data", data, "--json"))["token"]
    with server(data) as (url, _), Tagloom(url, token) as client:
        client.create_tribe("Odd", {"type": "tag", "tag": "odd/1"}, id="odd")
        assert client.count_tribe("odd").count == 0
        for number in range(3):
            receipt = json.loads(run("import", crm_file(tmp_path, number), "--data", data, "--json"))
            counted = client.count_tribe("odd", at_least=receipt["version"])
            assert (counted.count, counted.of) == ((number + 1) * PEOPLE // 2, (number + 1) * PEOPLE)
            assert counted.version >= receipt["version"]
            # And the other way round: a process that comes later builds on what the server wrote.
            mine = client.tag_people([{"user": f"r{number}u0", "tags": ["odd/1"]}])
            assert mine.version == receipt["version"] + 1
            client.tag_people([{"user": f"r{number}u0", "tags": ["odd/1"]}], mode="remove")
    with opened(data) as installation:
        assert list(check(installation)) == []
