"""A real Citus cluster for the tests, where `TAGLOOM_TEST_CITUS_URL` names one; without it nothing here is used.

The URL names the database of a coordinator that knows its nodes, by a user who may create databases on all of them, and
whose password, if any, is the same on each. Every process of the tests makes databases of its own, and drops them.
"""

import atexit
import os
from collections.abc import Iterable
from functools import cache
from itertools import count
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tagloom.bootstrap import open_installation
from tagloom.settings import PostgresUrl, Settings
from tagloom.stores.schema import metadata
from tagloom.words.tenants import Organization, Space

URL = os.environ.get("TAGLOOM_TEST_CITUS_URL", "")
NUMBERS = count(1)
NODES = (
    "SELECT nodename, nodeport, groupid=0, shouldhaveshards FROM pg_dist_node WHERE noderole='primary' ORDER BY groupid"
)
ORGANIZATION = Organization("main", "Main")
KEPT = {"alembic_version", "chunk", "change", "batch_bucket", "page", "segment"}


def nodes() -> list[tuple[str, int, bool, bool]]:
    """Host and port of each node, whether it is the coordinator, and whether it holds shards, as that one knows."""
    with psycopg.connect(URL) as connection:
        return connection.execute(NODES).fetchall()


def url_of(database: str, host: str | None = None, port: int | None = None) -> str:
    """The address of a database on the coordinator, or on the node at a host and port."""
    parts = urlsplit(URL)
    if host is None:
        return parts._replace(path=f"/{database}").geturl()
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(path=f"/{database}", netloc=f"{user}{at}{host}:{port}").geturl()


def do(url: str, *statements: str) -> None:
    """Carries out statements, each outside of any transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def new_database(*, knows_nodes: bool = True) -> str:
    """The address of a new, empty database of a coordinator and its nodes, dropped at the end of the process."""
    name = f"tagloom_test_{os.getpid()}_{next(NUMBERS)}"
    everywhere = nodes()
    for host, port, *_ in everywhere:
        do(url_of("postgres", host, port), f"CREATE DATABASE {name}")
        do(url_of(name, host, port), "CREATE EXTENSION citus")
    atexit.register(_delete, name, everywhere)
    with psycopg.connect(url_of(name), autocommit=True) as connection:
        for host, port, is_coordinator, has_shards in everywhere if knows_nodes else ():
            function = "citus_set_coordinator_host" if is_coordinator else "citus_add_node"
            connection.execute(sql.SQL("SELECT {}(%s, %s)").format(sql.Identifier(function)), (host, port))
            setting = "SELECT citus_set_node_property(%s, %s, 'shouldhaveshards', %s)"
            connection.execute(setting, (host, port, has_shards))
    return url_of(name)


def _delete(name: str, everywhere: Iterable[tuple[str, int, bool, bool]]) -> None:
    for host, port, *_ in everywhere:
        do(url_of("postgres", host, port), f"DROP DATABASE IF EXISTS {name} (FORCE)")


def new_installation() -> str:
    """The address of a distributed installation in a database of its own."""
    url = new_database()
    open_installation(Settings(database=PostgresUrl(url)), create=True, distribute=True).close()
    return url


@cache
def shared_installation() -> str:
    """The address of a distributed installation that tests of this process share, each with spaces of its own."""
    return new_installation()


@cache
def _control_installation() -> str:
    return new_installation()


def new_space(url: str) -> str:
    """A space of its own in an installation, with empty environments; its id."""
    installation = open_installation(Settings(database=PostgresUrl(url)))
    space = Space(f"t{next(NUMBERS)}", ORGANIZATION.id, "Test")
    installation.control.put_space(space)
    installation.close()
    return space.id


def empty_control() -> str:
    """The address of a distributed installation without organizations, as nobody ever used it."""
    url = _control_installation()
    names = [f'"{table.name}"' for table in metadata.sorted_tables if table.name not in KEPT]
    do(url, f"TRUNCATE {', '.join(names)} RESTART IDENTITY", "INSERT INTO set_up (id) VALUES (1)")
    return url
