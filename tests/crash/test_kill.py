"""Real processes, killed at random moments: no acknowledged receipt is lost, none is applied twice, nothing is broken."""

import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tagloom_client import Retries, Tagloom, TagloomError
from tagloom_client.models import Receipt

from tagloom.access import Access
from tagloom.model import Person
from tagloom.settings import read_settings
from tagloom.wiring import Installation, check, open_installation

TAGLOOM = [sys.executable, "-c", "from tagloom.cli import main; main()"]
KILLS_OF_SERVERS = 25
KILLS_OF_IMPORTS = 30
WRITERS = 4
PATIENCE_SECONDS = 60


@contextmanager
def opened(data: Path) -> Iterator[Installation]:
    installation = open_installation(read_settings(data), create=True)
    try:
        yield installation
    finally:
        installation.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(data: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A server process that answers; killed at the end, if it still lives."""
    port = free_port()
    process = subprocess.Popen(
        [*TAGLOOM, "serve", "--data", str(data), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "the server ended before it answered"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)
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
        number = 0
        while True:
            key = f"{self._prefix}-{number}"
            number += 1
            try:
                self.acknowledged[key] = self.write(self._client, key)
            except TagloomError:
                self.unanswered = key
                return

    @staticmethod
    def write(client: Tagloom, key: str) -> Receipt:
        """Two people, of whom one is the key's own, under one key."""
        lines = [{"user": key, "tags": ["load/own", f"load/{key[:3]}"]}, {"user": "shared", "tags": ["load/shared"]}]
        return client.tag_people(lines, idempotency_key=key)


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


@pytest.mark.slow
def test_a_killed_import_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    people = 60_000
    file = tmp_path / "crm.csv"
    file.write_text("user,tag\n" + "".join(f"u{n},plan/p{n % 7}\nu{n},odd/{n % 2}\n" for n in range(people)))
    data = tmp_path / "data"
    chance = random.Random(11)
    took = 0.0
    versions = 0
    for number in range(KILLS_OF_IMPORTS + 1):
        is_last = number == KILLS_OF_IMPORTS
        # Every import goes to people of its own: the file's user ids are read from another column each time.
        body = (
            file.read_text()
            .replace("u", f"r{number}u", 1)
            .replace("\nu", f"\nr{number}u")
            .replace(f"r{number}user", "user")
        )
        this = tmp_path / f"crm-{number}.csv"
        this.write_text(body)
        began = time.monotonic()
        process = subprocess.Popen(
            [*TAGLOOM, "import", str(this), "--data", str(data), "--json"]
            if data.exists()
            else [*TAGLOOM, "init", "--data", str(data), "--json"],
            stdout=subprocess.PIPE,
        )
        if number == 0 or is_last:
            process.wait(PATIENCE_SECONDS)
            took = max(took, time.monotonic() - began)
        else:
            time.sleep(chance.uniform(0.0, max(took, 1.5)))
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert process.stdout is not None
        said = process.stdout.read()
        this.unlink()
        with opened(data) as installation:
            population = installation.population(installation.control.get_environment("main", "production"))
            assert list(check(installation)) == []
            is_there = population.version() > versions
            versions = population.version()
            for sample in (0, people // 2, people - 1):
                found = population.find_person(Person("user", f"r{number}u{sample}"))
                assert (found is not None and len(found.tags) == 2) is is_there
        if said and number:
            # The receipt was printed, so it is there.
            assert is_there
            assert json.loads(said)["added"] == 2 * people
