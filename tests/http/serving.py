"""A real server on a free port, over each kind of installation."""

import asyncio
import atexit
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from argon2 import PasswordHasher
from granian.server.embed import Server

from tagloom.accounts.access_tokens import Access
from tagloom.accounts.passwords import Passwords
from tagloom.base.counters import Counters, Standings
from tagloom.bootstrap import open_installation
from tagloom.egress.policy import EgressPolicy
from tagloom.http.app import Installation, create_app
from tagloom.settings import PostgresUrl, Settings
from tagloom.stores.memory import MemoryControl, MemoryPopulation
from tagloom.tracking.client_context import Place
from tagloom.words.accounts import Scope
from tagloom.words.source_addresses import SCHEMES
from tagloom.words.tenants import Environment
from tests import sqlite
from tests.ports import free_port
from tests.postgres import new_installation

ORGANIZATION = "main"
STRANGERS = "strangers"
NUMBERS = count(1)
# The servers that tests fetch from are of this machine.
SOURCES = ("localhost",)
_FILES = TemporaryDirectory(prefix="tagloom-files-")
FILES = Path(_FILES.name)
FETCHING: dict[str, Any] = {"source_schemes": SCHEMES, "source_hosts": SOURCES}


class MemoryInstallation:
    """The oracle behind the doors."""

    def __init__(self) -> None:
        self.control = MemoryControl()
        self._populations: dict[int, tuple[Environment, MemoryPopulation]] = {}
        self._lock = threading.Lock()
        self.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        self.identity_provider = None
        self._folder = TemporaryDirectory(prefix="tagloom-uploads-")
        self.uploads = Path(self._folder.name)
        self.egress_policy = EgressPolicy(schemes=SCHEMES, hosts=SOURCES, files=FILES)

    def population(self, environment: Environment) -> MemoryPopulation:
        with self._lock:
            found = self._populations.get(environment.key)
            if found is None:
                space, name = environment.space, environment.name
                population = MemoryPopulation(
                    lambda: datetime.now(UTC),
                    closed=lambda: self.control.get_environment(space, name).catalogue == "closed",
                )
                found = self._populations[environment.key] = environment, population
            return found[1]

    def find_population(self, environment: Environment) -> MemoryPopulation | None:
        found = self._populations.get(environment.key)
        return None if found is None else found[1]

    def find_place(self, address: str) -> Place | None:
        """Nowhere: the oracle has no country file."""
        return None

    def list_with_due_taggings(self, moment: int) -> tuple[Environment, ...]:
        opened = list(self._populations.values())
        return tuple(where for where, population in opened if population.has_due(moment))

    def list_with_event_blocks(self, count: int) -> tuple[Environment, ...]:
        """None: the oracle has no blocks."""
        return ()

    def counters(self) -> Counters:
        opened = list(self._populations.values())
        return Counters(
            populations=tuple(Standings(where.space, where.name, each.version(), 0) for where, each in opened)
        )

    def check_ready(self) -> None:
        """Always."""

    def close(self) -> None:
        self._folder.cleanup()


def _sqlite(data: Path) -> Installation:
    return open_installation(
        Settings(database=sqlite.new_database(data / "tagloom.sqlite"), files_folder=FILES, **FETCHING), create=True
    )


def _postgres(data: Path) -> Installation:
    place = PostgresUrl(new_installation())
    return open_installation(
        Settings(database=place, uploads=data / "uploads", files_folder=FILES, **FETCHING), create=True
    )


# One line for each adapter: every test of this folder runs over each of them.
INSTALLATIONS: dict[str, Callable[[Path], Installation]] = {
    "memory": lambda data: MemoryInstallation(),
    "sqlite": _sqlite,
    "postgres": _postgres,
}


@dataclass(frozen=True)
class Served:
    """A running server: its address, what is behind it, and an administrator's token."""

    url: str
    installation: Installation
    access: Access
    token: str

    def token_of(self, *scopes: Scope, organization: str = ORGANIZATION) -> str:
        """The secret of a new token."""
        return self.access.create_token(organization, "tester", scopes, days=1)[1]

    def new_space(self, organization: str = ORGANIZATION) -> str:
        """An empty space of its own for one test."""
        return self.access.create_space(organization, "Test", f"test-{next(NUMBERS)}").id

    def http(self, token: str | None = None) -> httpx.Client:
        """A bare HTTP client, for what the real client would never send."""
        return plain_client(self.url, headers={"Authorization": f"Bearer {token or self.token}"})


def plain_client(url: str, **options: Any) -> httpx.Client:
    """A client of an address without TLS.

    It does not read the certificates that the machine trusts, which takes 23 ms of CPU time.
    """
    return httpx.Client(base_url=url, verify=False, **options)


@cache
def _wait_at_exit() -> None:
    """Waits a moment at the end of the process.

    The threads of a server may still close a connection after it has stopped, and the interpreter must still be there.
    """
    atexit.register(time.sleep, 0.2)


def serve(installation: Installation, *, wait_seconds: float = 0.3) -> Iterator[str]:
    """Runs the application in a thread, under the server that the product uses; yields its address."""
    return serve_app(create_app(installation, wait_seconds=wait_seconds))


def serve_app(app: Any) -> Iterator[str]:
    """Runs an ASGI application as `serve` does."""
    port, loop, servers = free_port(), asyncio.new_event_loop(), list[Server]()

    async def run() -> None:
        servers.append(Server(app, address="127.0.0.1", port=port, interface="asgi", log_enabled=False))
        await servers[0].serve()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    url = f"http://127.0.0.1:{port}"
    try:
        with plain_client(url) as client:
            for _ in range(800):
                try:
                    client.get("/healthz")
                    break
                except httpx.TransportError:
                    time.sleep(0.005)
        yield url
    finally:
        loop.call_soon_threadsafe(servers[0].stop)
        thread.join()
        loop.close()
        _wait_at_exit()
