"""Other ways to keep the same taggings. Each loads the population's CSV and answers the same questions.

Only the benchmarks import these; a peer that is not installed is reported, and the rest goes on.
"""

import csv
import importlib
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from pyroaring import BitMap

from bench.data import Population

ROWS_PER_COMMIT = 100_000  # SQLite's rows arrive in batches as large as an API would take.


class NotInstalled(Exception):
    """The peer's package is not there; the message names it."""


class CountingPeer(Protocol):
    """Holds a population and counts."""

    name: ClassVar[str]

    def load(self, population: Population) -> None:
        """Takes in the whole population; durable on return, where the peer is durable at all."""

    def count_both(self, one: str, other: str) -> int:
        """How many users bear both tags."""

    def close(self) -> None:
        """Frees what it holds, files included."""


class Peer(CountingPeer, Protocol):
    """A store on disk: it counts, and changes a tag for everybody."""

    def count(self, tag: str) -> int:
        """How many users bear the tag."""

    def rename(self, tag: str, to: str) -> None:
        """Gives the tag another path; all who bear it keep it."""

    def delete(self, tag: str) -> None:
        """Takes the tag from everybody."""

    def disk_bytes(self) -> int:
        """What its files take."""


def find_module(name: str) -> Any:
    """The package of an optional peer.

    Raises: NotInstalled.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotInstalled(f"{name} is not installed (make bench installs it)") from error


class SqliteRows:
    """One row a tagging, WAL and FULL: what most products have.

    The table is the index by user, and a second index turns it round: nothing is stored a third time.
    """

    name: ClassVar[str] = "SQLite rows"

    def __init__(self, folder: Path) -> None:
        self._folder = _emptied(folder / "sqlite-rows")
        self._database = sqlite3.connect(self._folder / "taggings.sqlite", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA cache_size = -262144")
        self._database.execute(
            "CREATE TABLE tagging (user TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (user, tag)) WITHOUT ROWID"
        )
        self._database.execute("CREATE UNIQUE INDEX tagging_by_tag ON tagging (tag, user)")

    def load(self, population: Population) -> None:
        with population.csv_path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            next(rows)
            for batch in _batches(rows):
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany("INSERT OR IGNORE INTO tagging VALUES (?, ?)", batch)
                self._database.execute("COMMIT")

    def count_both(self, one: str, other: str) -> int:
        return self._number(
            "SELECT count(*) FROM tagging a JOIN tagging b ON b.user = a.user AND b.tag = ? WHERE a.tag = ?",
            one,
            other,
        )

    def count(self, tag: str) -> int:
        return self._number("SELECT count(*) FROM tagging WHERE tag = ?", tag)

    def rename(self, tag: str, to: str) -> None:
        self._database.execute("UPDATE tagging SET tag = ? WHERE tag = ?", (to, tag))

    def delete(self, tag: str) -> None:
        self._database.execute("DELETE FROM tagging WHERE tag = ?", (tag,))

    def disk_bytes(self) -> int:
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return _bytes_below(self._folder)

    def close(self) -> None:
        self._database.close()
        shutil.rmtree(self._folder)

    def _number(self, query: str, *parameters: str) -> int:
        (number,) = self._database.execute(query, parameters).fetchone()
        return int(number)


class DuckDbTable:
    """A columnar file, loaded by its own CSV reader; without indexes, as one would use it for analysis."""

    name: ClassVar[str] = "DuckDB"

    def __init__(self, folder: Path) -> None:
        duckdb = find_module("duckdb")
        self._folder = _emptied(folder / "duckdb")
        self._database = duckdb.connect(str(self._folder / "taggings.duckdb"))

    def load(self, population: Population) -> None:
        self._database.execute(
            "CREATE TABLE tagging AS SELECT * FROM read_csv(?, header = true, auto_detect = false, delim = ',',"
            " quote = '\"', columns = {'user': 'VARCHAR', 'tag': 'VARCHAR'})",
            [str(population.csv_path)],
        )
        self._database.execute("CHECKPOINT")

    def count_both(self, one: str, other: str) -> int:
        return self._number(
            'SELECT count(*) FROM tagging a SEMI JOIN tagging b ON b."user" = a."user" AND b.tag = ? WHERE a.tag = ?',
            one,
            other,
        )

    def count(self, tag: str) -> int:
        return self._number("SELECT count(*) FROM tagging WHERE tag = ?", tag)

    def rename(self, tag: str, to: str) -> None:
        self._database.execute("UPDATE tagging SET tag = ? WHERE tag = ?", [to, tag])

    def delete(self, tag: str) -> None:
        self._database.execute("DELETE FROM tagging WHERE tag = ?", [tag])

    def disk_bytes(self) -> int:
        self._database.execute("CHECKPOINT")
        return _bytes_below(self._folder)

    def close(self) -> None:
        self._database.close()
        shutil.rmtree(self._folder)

    def _number(self, query: str, *parameters: str) -> int:
        (number,) = self._database.execute(query, list(parameters)).fetchone()
        return int(number)


class ClickHouseBitmaps:
    """A roaring bitmap a tag over numbered users: the nearest relative. `chdb` runs ClickHouse in this process."""

    name: ClassVar[str] = "ClickHouse bitmaps"

    def __init__(self, folder: Path) -> None:
        session = find_module("chdb.session")
        self._folder = _emptied(folder / "clickhouse")
        self._session = session.Session(str(self._folder))
        for statement in (
            "CREATE DATABASE bench ENGINE = Atomic",
            "CREATE TABLE bench.person (user String, ordinal UInt32) ENGINE = MergeTree ORDER BY user"
            " SETTINGS fsync_after_insert = 1",
            "CREATE TABLE bench.bearers (tag String, people AggregateFunction(groupBitmap, UInt32))"
            " ENGINE = AggregatingMergeTree ORDER BY tag SETTINGS fsync_after_insert = 1",
        ):
            self._session.query(statement)

    def load(self, population: Population) -> None:
        source = f"file({_quoted(str(population.csv_path))}, 'CSVWithNames', 'user String, tag String')"
        self._session.query(
            f"INSERT INTO bench.person SELECT user, rowNumberInAllBlocks() FROM (SELECT DISTINCT user FROM {source})"
        )
        self._session.query(
            "INSERT INTO bench.bearers SELECT tag, groupBitmapState(person.ordinal)"
            f" FROM {source} AS line INNER JOIN bench.person AS person ON person.user = line.user GROUP BY tag"
        )

    def count_both(self, one: str, other: str) -> int:
        people_with = "(SELECT groupBitmapMergeState(people) FROM bench.bearers WHERE tag = {})"
        return self._number(
            f"SELECT bitmapAndCardinality({people_with.format(_quoted(one))}, {people_with.format(_quoted(other))})"
        )

    def count(self, tag: str) -> int:
        return self._number(f"SELECT groupBitmapMerge(people) FROM bench.bearers WHERE tag = {_quoted(tag)}")

    def rename(self, tag: str, to: str) -> None:
        # The tag is the sorting key, which ClickHouse does not update in place; two statements, not one commit.
        self._session.query(
            f"INSERT INTO bench.bearers SELECT {_quoted(to)}, groupBitmapMergeState(people)"
            f" FROM bench.bearers WHERE tag = {_quoted(tag)}"
        )
        self.delete(tag)

    def delete(self, tag: str) -> None:
        self._session.query(f"DELETE FROM bench.bearers WHERE tag = {_quoted(tag)}")

    def disk_bytes(self) -> int:
        return self._number("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'bench'")

    def close(self) -> None:
        self._session.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _number(self, query: str) -> int:
        return int(str(self._session.query(query, "CSV")))


class BarePyroaring:
    """CRoaring and nothing around it, in memory: the floor under every count."""

    name: ClassVar[str] = "bare pyroaring"

    def __init__(self, folder: Path) -> None:
        self.people_with: dict[str, BitMap] = {}

    def load(self, population: Population) -> None:
        """Takes the drawn matrix and not the CSV: its load is no contest."""
        slots = population.matrix.shape[1]
        order = np.argsort(population.matrix.ravel(), kind="stable")
        bounds = np.searchsorted(population.matrix.ravel()[order], np.arange(len(population.tags) + 1))
        ordinals = (order // slots).astype(np.uint32)
        for at, tag in enumerate(population.tags):
            self.people_with[tag] = BitMap(ordinals[bounds[at] : bounds[at + 1]])
            self.people_with[tag].run_optimize()

    def count_both(self, one: str, other: str) -> int:
        return self.people_with[one].intersection_cardinality(self.people_with[other])

    def close(self) -> None:
        self.people_with.clear()


STORES: tuple[Callable[[Path], Peer], ...] = (SqliteRows, DuckDbTable, ClickHouseBitmaps)
COUNTERS: tuple[Callable[[Path], CountingPeer], ...] = (*STORES, BarePyroaring)


def _batches(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    while batch := list(islice(rows, ROWS_PER_COMMIT)):
        yield batch


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
