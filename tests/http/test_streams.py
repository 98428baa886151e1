"""Streams that end early, on either side."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.words.changes import Version
from tagloom.words.people import Person
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Environment, Organization, Space
from tagloom_client import ConnectionFailed, Retries, Tagloom, problems
from tests.http.serving import MemoryInstallation, serve

Rows = Iterator[Sequence[tuple[Person, TagPath]]]
CHUNK = [(Person("user", f"u{number}"), TagPath("a")) for number in range(5_000)]


class Faucet(MemoryInstallation):
    """An installation whose export runs as a test wants it to."""

    def __init__(self, rows: Callable[[], Rows]) -> None:
        super().__init__()
        self._rows = rows
        self.control.put_organization(Organization("main", "Main"))
        self.control.put_space(Space("main", "main", "Main"))

    def population(self, environment: Environment) -> Any:
        population = super().population(environment)
        population.taggings = self._taggings  # type: ignore[method-assign]
        return population

    def _taggings(self) -> tuple[Version, Rows]:
        return 7, self._rows()


def _clients(installation: Faucet) -> Iterator[Tagloom]:
    token = Access(installation.control).create_token("main", "tester", ["admin"], days=1)[1]
    for url in serve(installation):
        with Tagloom(url, token, retries=Retries(tries=1)) as client:
            yield client


def test_an_export_that_fails_midway_never_looks_whole() -> None:
    def rows() -> Rows:
        yield CHUNK
        raise RuntimeError("the disk is gone")

    for client in _clients(Faucet(rows)):
        with pytest.raises(ConnectionFailed):
            list(client.export_taggings())


def test_an_export_that_fails_at_once_is_a_problem() -> None:
    def rows() -> Rows:
        raise RuntimeError("the disk is gone")
        yield CHUNK

    for client in _clients(Faucet(rows)):
        with pytest.raises(problems.ServerFault):
            list(client.export_taggings())


def test_an_export_nobody_listens_to_any_more_is_closed() -> None:
    closed = threading.Event()
    given = 0

    def rows() -> Rows:
        nonlocal given
        try:
            while True:
                given += 1
                yield CHUNK
        finally:
            closed.set()

    for client in _clients(Faucet(rows)):
        lines = client.export_taggings()
        assert next(lines).person.id == "u0"
        lines.close()  # type: ignore[attr-defined]

        assert closed.wait(5)


def test_a_slow_listener_makes_the_export_wait() -> None:
    given = 0

    def rows() -> Rows:
        nonlocal given
        while True:
            given += 1
            yield CHUNK

    for client in _clients(Faucet(rows)):
        stream = client.download_taggings(format="ndjson")
        next(stream)
        before = -1
        while before != given < 500:
            before = given
            time.sleep(0.5)
        stream.close()  # type: ignore[attr-defined]

        # What the sockets hold is some megabytes; then the thread waits.
        assert given < 500
