"""On PostgreSQL, beside tables of the same server: loading, size, counting; single writes; following a process."""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar

import psycopg

from bench.data import Population
from bench.http import SECONDS, WRITE, load, note, process
from bench.product import Tagloom
from bench.report import Contender
from bench.run import Run
from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import Installation, open_installation
from tagloom.settings import PostgresUrl, Settings
from tagloom_client import Tagloom as Client
from tests.postgres import Server, find_binaries

# What a first load asks for, of both sides; the rest is as PostgreSQL comes.
SERVER_SETTINGS = ("max_wal_size = '8GB'", "shared_buffers = '1GB'", "checkpoint_timeout = '30min'")
PLACE = "/v2/spaces/main/environments/production"
PLAIN, INDEXED = "COPY into a table without index", "COPY into the indexed table"
PEOPLE_WRITTEN = 5_000
FOLLOWED = 500


class OnPostgres(Tagloom):
    """An installation in a database of the server, its change log included."""

    name: ClassVar[str] = "Tagloom on PostgreSQL"

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        super().__init__(folder / "postgres")

    def _open(self) -> Installation:
        return open_installation(Settings(database=PostgresUrl(self.url), uploads=self._folder), create=True)

    def close(self) -> None:
        self._installation.close()

    def disk_bytes(self) -> int:
        with psycopg.connect(self.url) as connection:
            return _one(connection, "SELECT sum(pg_total_relation_size(oid))::int8 FROM pg_class WHERE relkind='r'")

    def new_token(self) -> str:
        """An administrator's."""
        return Access(self._installation.control).create_token("main", "bench", ("admin",), days=1)[1]


class Rows:
    """A table of (user, tag) in a database of the server, with the two indexes that it is asked by, or with none."""

    def __init__(self, url: str, *, is_indexed: bool) -> None:
        self.name = INDEXED if is_indexed else PLAIN
        self._url = url
        with psycopg.connect(url) as connection:
            connection.execute('CREATE TABLE tagging ("user" text NOT NULL, tag text NOT NULL)')
            if is_indexed:
                connection.execute('ALTER TABLE tagging ADD PRIMARY KEY ("user", tag)')
                connection.execute('CREATE INDEX tagging_of_tag ON tagging (tag, "user")')

    def load(self, population: Population) -> None:
        """The CSV file by COPY, in one transaction."""
        with (
            psycopg.connect(self._url) as connection,
            population.csv_path.open("rb") as file,
            connection.cursor().copy("COPY tagging FROM STDIN (FORMAT csv, HEADER true)") as copy,
        ):
            while chunk := file.read(1 << 20):
                copy.write(chunk)

    def count(self, tag: str) -> int:
        """How many bear a tag."""
        with psycopg.connect(self._url) as connection:
            return _one(connection, "SELECT count(*) FROM tagging WHERE tag=%s", tag)

    def disk_bytes(self) -> int:
        """The table with its indexes."""
        with psycopg.connect(self._url) as connection:
            return _one(connection, "SELECT pg_total_relation_size('tagging')::int8")


def _one(connection: "psycopg.Connection[tuple[object, ...]]", query: str, *values: object) -> int:
    found = connection.execute(query.encode(), values).fetchone()
    assert found is not None, "each of these questions has one answer"
    return int(str(found[0]))


def measure(run: Run) -> None:
    try:
        find_binaries()
    except FileNotFoundError as missing:
        run.report.say(f"PostgreSQL: {missing}\n")
        return
    server = Server(is_durable=True)
    try:
        with (server.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{setting}\n" for setting in SERVER_SETTINGS)
        server.kill()
        server.start()
        product = _measure_load(run, server)
        _measure_writes(run, product)
        _measure_following(run, product)
        product.close()
    finally:
        server.stop()


def _measure_load(run: Run, server: Server) -> OnPostgres:
    population = run.population()
    data = f"{population.people:,} new people x 10 tags, Zipf over 1,000 tags"
    product = OnPostgres(run.workdir, server.new_database())
    # Small, so that what a process does once is done.
    product.load(run.population(max(run.people // 100, 10)))
    product.close()
    products, plains = list[OnPostgres](), list[Rows]()

    def renew() -> None:
        """Each round loads into databases of its own."""
        for each in products:
            each.close()
        products[:] = [OnPostgres(run.workdir, server.new_database())]
        plains[:] = [Rows(server.new_database(), is_indexed=False)]

    title = "Load a CSV into PostgreSQL, durable (Tagloom: with its change log)"
    run.report.compare(
        title,
        [
            Contender(OnPostgres.name, lambda: products[0].load(population), before=renew),
            Contender(PLAIN, lambda: plains[0].load(population)),
        ],
        data=data,
        unit="taggings",
        units=population.taggings,
        rounds=3,
    )
    # Once only, for it takes minutes.
    renew()
    product, plain, indexed = products[0], plains[0], Rows(server.new_database(), is_indexed=True)
    run.report.compare(
        title,
        [Contender(each.name, partial(each.load, population)) for each in (product, plain, indexed)],
        data=data,
        unit="taggings",
        units=population.taggings,
        rounds=1,
    )
    for each in (product, plain, indexed):
        run.report.note("Size in PostgreSQL", each.name, each.disk_bytes() / population.taggings, "bytes a tagging")
    embedded = Tagloom(run.workdir)
    embedded.load(population)
    tag = population.most_popular[10]
    counts = {each.name: partial(each.count, tag) for each in (product, embedded, indexed)}
    for count in counts.values():
        count()  # Warm from here on.
    run.report.compare(
        "Count the bearers of a tag, warm",
        [Contender(name, count) for name, count in counts.items()],
        data=data,
        repeats=20,
    )
    embedded.close()
    return product


@contextmanager
def _served(url: str, folder: Path) -> Iterator[str]:
    environment = {**os.environ, "TAGLOOM_DATABASE_URL": url, "TAGLOOM_UPLOADS": str(folder)}
    command = "from tagloom.cli import main; main()"
    with process("-c", command, "serve", "--port", environment=environment) as address:
        yield address


def _measure_writes(run: Run, product: OnPostgres) -> None:
    token, folder = product.new_token(), run.workdir
    with _served(product.url, folder) as url:
        seconds = run.pick(smoke=1, quick=SECONDS, full=SECONDS)
        script = WRITE.format(people=PEOPLE_WRITTEN, place=PLACE)
        rates = [load(folder, url, token, script, seconds) for _ in range(run.report.rounds)]
    name = "one tag on one person, durable, 64 writers over HTTP"
    note(run, "PostgreSQL", name, [rate.per_second for rate in rates], "requests/s")
    note(run, "PostgreSQL", f"{name}, 99th percentile", [rate.p99_ms for rate in rates], "ms")


def _measure_following(run: Run, product: OnPostgres) -> None:
    """From the receipt of one process until another one answers with it."""
    token, took = product.new_token(), list[float]()
    commits = run.pick(smoke=20, quick=FOLLOWED, full=FOLLOWED)
    with (
        _served(product.url, run.workdir) as one,
        _served(product.url, run.workdir) as other,
        Client(one, token) as writer,
        Client(other, token) as reader,
    ):
        for number in range(commits):
            receipt = writer.add_tag("followed", user=f"somebody-{number}")
            began = time.perf_counter()
            # The lightest question there is: what is timed is the following.
            reader.get_change(receipt.version, at_least=receipt.version)
            took.append(1_000 * (time.perf_counter() - began))
    took.sort()
    run.report.note("PostgreSQL", f"following, median of {commits} commits", statistics.median(took), "ms")
    run.report.note("PostgreSQL", "following, 99th percentile", took[commits * 99 // 100], "ms")
