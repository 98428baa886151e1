"""SQLite: one file, WAL, `synchronous=FULL`, one writer, any number of readers and processes."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import sqlalchemy as sql
from sqlalchemy import event

from tagloom.base.counters import Times
from tagloom.engine.storage import (
    BatchRecord,
    ChunkChange,
    Entry,
    Footprint,
    Replay,
    Row,
    RowSource,
    RowTotal,
    Run,
    Snapshot,
    Span,
    Stamp,
    State,
    Transaction,
    period_path,
    place_numbers,
)
from tagloom.ports.problems import EnvironmentNotFound, StoreUnavailable
from tagloom.stores.migrations import SCHEMA_QUERY, VERSIONS, check_schema, newest_schema, upgrade
from tagloom.stores.sqlite.checkpoints import Folder
from tagloom.stores.sqlite.compaction import CompactingReads, CompactingWrites
from tagloom.words.changes import EVENTS
from tagloom.words.periods import Term

_PAGE_BYTES = 8_192  # A dense chunk and its header fill two pages. Smaller pages need more levels, larger more WAL.
_STAMP_SECONDS = (
    0.0005  # How long a commit of another process may stay unseen. A check costs 3 us; a request makes several.
)
_BUSY_SECONDS = 60  # A bulk commit of another process may hold the file for some seconds.
_INTEGER_MAX = 9_223_372_036_854_775_807
_CHANGE_COLUMNS = "version, row, bucket, added, removed"
# The condition for changes that a query finds by their ids. The plus signs keep SQLite from using an index that begins
# with the environment, and so from reading all changes of the environment.
_OWN = "+environment=? AND +version=?"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"SQLite says: {error}.") from error
    except sql.exc.DBAPIError as error:
        raise StoreUnavailable(f"SQLite says: {error.orig}.") from error


def connect(path: Path, busy_seconds: float = _BUSY_SECONDS) -> sqlite3.Connection:
    """Opens a connection in autocommit mode, with the settings that all connections to the file have."""
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-65536")
    connection.execute("PRAGMA mmap_size=1073741824")
    connection.execute("PRAGMA journal_size_limit=67108864")
    return connection


def open_engine(path: Path, writes: Callable[[sql.Connection], None] = lambda connection: None) -> sql.Engine:
    """Returns a SQLAlchemy engine on the same file, for the control plane and the migrations.

    A transaction begins immediately, and then calls `writes`. A transaction with the execution option `reads` begins
    when it first reads.
    """
    engine = sql.create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (f"page_size={_PAGE_BYTES}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sql.Connection) -> None:
        # Only writers wait for the lock of the file. If readers needed it, they would wait for every commit.
        reads = connection.get_execution_options().get("reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
        if not reads:
            writes(connection)

    return engine


class SqliteDatabase:
    """The file of an installation. Opening it runs the migrations in `versions`."""

    def __init__(self, path: Path, versions: Sequence[Path] = VERSIONS) -> None:
        self.path = path
        # Only this user can read the file, because it has ids of people and hashes of tokens. The WAL gets the same
        # permissions.
        path.touch(mode=0o600, exist_ok=True)
        self._schema, self._is_open = newest_schema(versions), False
        with _translated():
            self.engine = open_engine(path, self._check_writer)
            if not self._is_migrated():
                with self.engine.begin() as connection:
                    upgrade(connection, versions)
            self._writer = connect(path)
            # A checkpoint during a commit made one commit in twenty wait for 20 ms. Another thread makes the
            # checkpoints.
            self._writer.execute("PRAGMA wal_autocheckpoint=0")
        self._folder = Folder(path, connect)
        self._write_lock = threading.Lock()
        self.lock_times = Times()
        self._readers, self._lookers = threading.local(), threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._opened_lock = threading.Lock()
        self._is_open = True

    def _is_migrated(self) -> bool:
        """Returns whether the file has the schema of this release. Does not wait for writers."""
        with self.engine.execution_options(reads=True).connect() as connection:
            has_schema = connection.exec_driver_sql(
                "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            ).first()
            return has_schema is not None and connection.exec_driver_sql(SCHEMA_QUERY).scalar() == self._schema

    def _check_writer(self, connection: sql.Connection) -> None:
        if self._is_open:
            check_schema(connection.exec_driver_sql(SCHEMA_QUERY).scalar_one(), self._schema)

    def place(self) -> bytes:
        """Returns an identifier that no other file of this machine has."""
        found = self.path.stat()
        return b"%d %d" % (found.st_dev, found.st_ino)

    def check_ready(self) -> None:
        """Checks that the file can be read and has the schema of this release.

        Raises: StoreUnavailable: the file cannot be read; SchemaChanged: another release has migrated it.
        """
        with _translated():
            check_schema(self.reader().execute(SCHEMA_QUERY).fetchone()[0], self._schema)

    def reader(self) -> sqlite3.Connection:
        """Returns the calling thread's own connection."""
        return self._own(self._readers, _BUSY_SECONDS)

    def looker(self) -> sqlite3.Connection:
        """Returns the calling thread's own connection for reads that must not wait.

        Where SQLite would wait for a lock, this connection raises an error.
        """
        return self._own(self._lookers, 0)

    def _own(self, kept: threading.local, busy_seconds: float) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(kept, "connection", None)
        if connection is None:
            connection = kept.connection = connect(self.path, busy_seconds)
            with self._opened_lock:
                self._opened.append(connection)
        return connection

    @contextmanager
    def writing(self) -> Iterator[Callable[[int], Transaction]]:
        """Opens one transaction over any environments of the file.

        It commits at the end; an exception rolls it back.
        """
        began = time.monotonic()
        with self._write_lock, _translated():
            self._writer.execute("BEGIN IMMEDIATE")
            self.lock_times.add(time.monotonic() - began)
            try:
                check_schema(self._writer.execute(SCHEMA_QUERY).fetchone()[0], self._schema)
                yield lambda environment: _SqliteTransaction(self._writer, environment)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            # The commit is durable here, so nothing that follows may make the write fail.
            self._folder.committed(self._writer)

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """Does nothing. On SQLite, processes that begin an installation do not block each other.

        Two that begin at the same time each find what the other one made.
        """
        yield

    def storage(self, environment: int) -> "SqliteStorage":
        """Returns the storage of one environment of the file."""
        return SqliteStorage(self, environment)

    def backup(self, target: Path) -> None:
        """Writes a consistent copy of the file as of now, while others write. Only this user can read the copy."""
        target.touch(mode=0o600, exist_ok=False)
        with _translated(), sqlite3.connect(target) as copy:
            self.reader().backup(copy, pages=4_096)
        copy.close()

    def broken_pages(self) -> list[str]:
        """Returns the faults that SQLite's own check of the file finds, at most 100."""
        with _translated():
            found = self.reader().execute("PRAGMA integrity_check(100)").fetchall()
        return [text for (text,) in found if text != "ok"]

    def close(self) -> None:
        """Closes every connection. SQLite moves the WAL into the file when the last one is closed."""
        self._folder.close()
        with self._write_lock, self._opened_lock:
            for connection in (*self._opened, self._writer):
                connection.close()
            self._opened.clear()
        self.engine.dispose()


def _json_of(numbers: Iterable[int]) -> str:
    """Returns numbers as a JSON list. SQLite reads the list as a table, so the count of numbers has no limit."""
    return "[" + ",".join(map(str, numbers)) + "]"


class SqliteStorage:
    """The storage of one environment in the file."""

    def __init__(self, database: SqliteDatabase, environment: int) -> None:
        self._database = database
        self._environment = environment
        self._seen: dict[int, tuple[int, Stamp]] = {}
        self._asked: tuple[int, int] | None = None
        """The id of a connection that never waits, and the data version for which its stamp is unknown."""
        self._looks_again = 0.0
        self._newest = Stamp(-1, -1, -1)

    def reading(self) -> AbstractContextManager[Snapshot]:
        """Opens one committed state, in the calling thread."""
        return self._reading()

    @contextmanager
    def _reading(self) -> Iterator[Snapshot]:
        connection = self._database.reader()
        with _translated():
            if connection.in_transaction:
                yield _SqliteSnapshot(connection, self._environment)
                return
            connection.execute("BEGIN")
            try:
                yield _SqliteSnapshot(connection, self._environment)
            finally:
                connection.execute("ROLLBACK")

    def stamp(self) -> Stamp:
        """Returns the stamp of the newest commit.

        Checks the file at most every half millisecond, and reads the stamp only when another connection has written.
        """
        now = time.monotonic()
        if now < self._looks_again and self._asked is None:
            return self._newest
        asked, self._asked = self._asked, None
        self._looks_again = now + _STAMP_SECONDS
        self._newest = self._look()
        if asked is not None:
            # The data version was read before the stamp, so the stamp is at least as new.
            self._seen[asked[0]] = asked[1], self._newest
        return self._newest

    def find_stamp(self) -> Stamp | None:
        """Returns the stamp of the newest commit, or None if a connection may have written since the stamp was read.

        The check reads the data version, a number in memory that all processes of the file share. SQLite reads it
        without a lock that any transaction holds. Instead of waiting for a lock, this connection would raise an error
        at once.
        """
        now = time.monotonic()
        if now < self._looks_again:
            return self._newest
        looker = self._database.looker()
        try:
            data_version = looker.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.OperationalError:
            return None
        seen = self._seen.get(id(looker))
        if seen is None or seen[0] != data_version:
            self._asked = id(looker), data_version
            return None
        self._looks_again, self._newest = now + _STAMP_SECONDS, seen[1]
        return self._newest

    def _look(self) -> Stamp:
        connection = self._database.reader()
        with _translated():
            data_version = connection.execute("PRAGMA data_version").fetchone()[0]
            seen = self._seen.get(id(connection))
            if seen is not None and seen[0] == data_version:
                return seen[1]
            query = "SELECT version, catalogue_generation, keys_generation FROM environment WHERE key=?"
            stamp = Stamp._make(connection.execute(query, (self._environment,)).fetchone())
        self._seen[id(connection)] = data_version, stamp
        return stamp


class _SqliteSnapshot(CompactingReads):
    def __init__(self, connection: sqlite3.Connection, environment: int) -> None:
        self._connection = connection
        self._environment = environment

    def state(self) -> State:
        query = (
            "SELECT version, next_ordinal, catalogue_generation, keys_generation, secret, catalogue='closed', horizon, "
            "suppressed_generation, time_zone FROM environment WHERE key=?"
        )
        found = self._connection.execute(query, (self._environment,)).fetchone()
        if found is None:
            raise EnvironmentNotFound(f"The store holds no environment {self._environment}.")
        return State._make((*found[:5], bool(found[5]), *found[6:]))

    def rows(self) -> list[Row]:
        return self._rows("is_live OR kind<>'end'")

    def _rows(self, condition: str, *values: object) -> list[Row]:
        query = (
            "SELECT id, kind, path, is_live, description, exclusive, owner, ttl_seconds, expires_at, tag, type, "
            f"starts_at FROM row WHERE environment=? AND ({condition}) ORDER BY id"
        )
        found = self._connection.execute(query, (self._environment, *values))
        return [Row._make((*each[:3], bool(each[3]), each[4], bool(each[5]), *each[6:])) for each in found]

    def period_rows(self) -> list[Row]:
        return self._rows("kind='end'")

    def period_rows_of_ids(self, ids: Sequence[int]) -> list[Row]:
        return self._rows("kind='end' AND id IN (SELECT value FROM json_each(?))", _json_of(ids))

    def period_rows_changed(self, tags: Sequence[int], buckets: Sequence[int], since: int) -> list[Row]:
        condition = (
            "kind='end' AND tag IN (SELECT value FROM json_each(?)) AND EXISTS (SELECT 1 FROM json_each(?) "
            "CROSS JOIN change ON change.environment=? AND bucket=value AND change.row=row.id AND version>=?)"
        )
        return self._rows(condition, _json_of(tags), _json_of(buckets), self._environment, since)

    def chunk(self, row: int, bucket: int) -> bytes | None:
        query = "SELECT people FROM chunk WHERE place=?"
        found = self._connection.execute(query, (row << 16 | bucket,)).fetchone()
        return None if found is None else found[0]

    def chunks(self, row: int) -> list[tuple[int, bytes]]:
        query = "SELECT place & 65535, people FROM chunk WHERE place BETWEEN ? AND ? ORDER BY place"
        return self._connection.execute(query, (row << 16, row << 16 | 0xFFFF)).fetchall()

    def chunks_of(self, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        query = (
            "SELECT value, people FROM json_each(?) CROSS JOIN chunk "
            "ON place BETWEEN value << 16 AND value << 16 | 65535 ORDER BY place"
        )
        return self._connection.execute(query, (_json_of(sorted(rows)),)).fetchall()

    def chunks_in(self, bucket: int, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        query = "SELECT value, people FROM json_each(?) CROSS JOIN chunk ON place = value << 16 | ?"
        return self._connection.execute(query, (_json_of(rows), bucket)).fetchall()

    def _changes(self, condition: str, *values: object) -> Iterator[ChunkChange]:
        query = f"SELECT {_CHANGE_COLUMNS} FROM change WHERE {condition}"
        return map(ChunkChange._make, self._connection.execute(query, values))

    def _range(self, version: int) -> tuple[int, int]:
        query = "SELECT first_change, change_count FROM batch WHERE environment=? AND version=?"
        first, count = self._connection.execute(query, (self._environment, version)).fetchone() or (1, 0)
        return first, first + count - 1

    def changes(self, version: int) -> Iterator[ChunkChange]:
        # A compaction frees ids, and later changes get these ids. So a change with one of these ids may belong to
        # another version.
        own = f"id BETWEEN ? AND ? AND {_OWN} ORDER BY id"
        return self._changes(own, *self._range(version), self._environment, version)

    def changes_after(self, version: int) -> Iterator[ChunkChange]:
        first = self._range(version + 1)[0]
        return self._changes("id>=? AND +environment=? ORDER BY id", first, self._environment)

    def places_of(self, version: int) -> list[int]:
        query = f"SELECT row << 16 | bucket FROM change WHERE id BETWEEN ? AND ? AND {_OWN}"
        values = *self._range(version), self._environment, version
        return [place for (place,) in self._connection.execute(query, values)]

    def changes_of_places(self, places: Sequence[int], since: int) -> Iterator[ChunkChange]:
        query = (
            f"SELECT {_CHANGE_COLUMNS} FROM json_each(?) CROSS JOIN change ON environment=? AND bucket=(value & 65535) "
            "AND row=(value >> 16) AND version>=? ORDER BY value, version DESC"
        )
        found = self._connection.execute(query, (_json_of(places), self._environment, since))
        return map(ChunkChange._make, found)

    def changes_of(self, row: int, bucket: int) -> Iterator[ChunkChange]:
        condition = "environment=? AND bucket=? AND row=? ORDER BY version DESC"
        return self._changes(condition, self._environment, bucket, row)

    def changes_of_rows(self, rows: Sequence[int], bucket: int, after: int) -> Iterator[ChunkChange]:
        condition = (
            "environment=? AND bucket=? AND row IN (SELECT value FROM json_each(?)) AND version>? ORDER BY version DESC"
        )
        return self._changes(condition, self._environment, bucket, _json_of(rows), after)

    def footprints(self, bucket: int, span: Span) -> Iterator[Footprint]:
        query = (
            "SELECT version, part, people, places FROM batch_bucket WHERE environment=? AND bucket=? AND version>? "
            f"AND version<? ORDER BY version {'DESC, part DESC' if span.newest_first else 'ASC, part ASC'}"
        )
        edges = span.after, _INTEGER_MAX if span.before is None else span.before
        return map(Footprint._make, self._connection.execute(query, (self._environment, bucket, *edges)))

    def changes_at(self, version: int, bucket: int, places: bytes) -> list[tuple[int, int, int, bytes, bytes]]:
        first = self._range(version)[0]
        query = (
            f"SELECT {_CHANGE_COLUMNS} FROM change WHERE id IN (SELECT value FROM json_each(?)) "
            f"AND {_OWN} AND +bucket=? ORDER BY id"
        )
        some = _json_of(first + place for place in place_numbers(places))
        return self._connection.execute(query, (some, self._environment, version, bucket)).fetchall()

    def changes_by_chunk(self) -> Iterator[ChunkChange]:
        return self._changes("environment=? ORDER BY bucket, row, version", self._environment)

    def find_batches(self, span: Span, rows: Sequence[int] | None = None) -> list[BatchRecord]:
        edges = span.after, _INTEGER_MAX if span.before is None else span.before
        condition, values = "version>? AND version<?", list[object](edges)
        for column, wanted in (("actor", span.actor), ("source", span.source), ("action", span.action)):
            if wanted is not None:
                condition += f" AND {column}=?"
                values.append(wanted)
        if span.action is None:
            condition += f" AND action<>'{EVENTS}'"
        if rows is not None:
            # The first `version` is that of the batch. Each row is one range of its own in `batch_row`.
            condition += (
                " AND version IN (SELECT batch_row.version FROM json_each(?) CROSS JOIN batch_row "
                "ON batch_row.environment=? AND batch_row.row=value AND batch_row.version>? AND batch_row.version<? "
                "UNION SELECT entry.version FROM json_each(?) CROSS JOIN entry "
                "ON entry.environment=? AND entry.kind='tag' AND entry.name=value || '' "
                "AND entry.version>? AND entry.version<?)"
            )
            asked = _json_of(rows)
            values += [asked, self._environment, *edges, asked, self._environment, *edges]
        condition += f" ORDER BY version {'DESC' if span.newest_first else 'ASC'} LIMIT ?"
        return self._batches(condition, *values, span.limit)

    def totals(self, version: int, rows: Sequence[int]) -> list[RowTotal]:
        query = (
            "SELECT version, row, added, removed FROM json_each(?) CROSS JOIN batch_row "
            "ON environment=? AND row=value AND version=? ORDER BY row"
        )
        found = self._connection.execute(query, (_json_of(rows), self._environment, version))
        return [RowTotal(*total) for total in found]

    def growth_of(self, rows: Sequence[int], after: int, until: int) -> list[tuple[int, int]]:
        query = (
            "SELECT row, sum(added - removed) FROM json_each(?) CROSS JOIN batch_row "
            "ON environment=? AND row=value AND version>? AND version<=? GROUP BY row"
        )
        return self._connection.execute(query, (_json_of(rows), self._environment, after, until)).fetchall()

    def sources_of(self, rows: Sequence[int], limit: int) -> list[RowSource]:
        query = (
            "SELECT actor, source, sum(batch_row.added), sum(batch_row.removed), max(batch_row.version) AS last "
            "FROM json_each(?) CROSS JOIN batch_row ON batch_row.environment=? AND row=value "
            "CROSS JOIN batch ON batch.environment=batch_row.environment AND batch.version=batch_row.version "
            "GROUP BY actor, source ORDER BY last DESC LIMIT ?"
        )
        found = self._connection.execute(query, (_json_of(rows), self._environment, limit))
        return [RowSource(*each) for each in found]


class _SqliteTransaction(_SqliteSnapshot, CompactingWrites):
    def put_state(self, state: State) -> None:
        self._connection.execute(
            "UPDATE environment SET version=?, next_ordinal=?, catalogue_generation=?, keys_generation=?, "
            "suppressed_generation=? WHERE key=?",
            (*state[:4], state.suppressed_generation, self._environment),
        )

    def add_row(self, kind: str, path: str, *, type: str = "", parent: int = 0) -> int:
        query = (
            "INSERT INTO row (environment, kind, path, is_live, description, exclusive, type, tag) "
            "VALUES (?, ?, ?, 1, '', 0, ?, ?) RETURNING id"
        )
        return int(self._connection.execute(query, (self._environment, kind, path, type, parent)).fetchone()[0])

    def rows_of_periods(self, periods: Sequence[tuple[int, Term]]) -> list[int]:
        # Each period row is one statement, which takes some microseconds on SQLite.
        return [self._period_row(tag, term) for tag, term in periods]

    def _period_row(self, tag: int, term: Term) -> int:
        place = self._environment, tag, term.expires, term.start
        query = "SELECT id FROM row WHERE environment=? AND tag=? AND expires_at=? AND starts_at=? AND kind='end'"
        found = self._connection.execute(query, place).fetchone()
        if found is None:
            query = (
                "INSERT INTO row (environment, tag, expires_at, starts_at, kind, path, is_live, description, "
                "exclusive) VALUES (?, ?, ?, ?, 'end', ?, 0, '', 0) RETURNING id"
            )
            found = self._connection.execute(query, (*place, period_path(tag, term))).fetchone()
        return int(found[0])

    def put_rows(self, rows: Iterable[Row]) -> None:
        # The fields from the path to the expiry, in the order in which the statement names them.
        values = [(*row[2:9], row.id) for row in rows]
        if not values:
            return
        # A path may pass from one row to another. So all rows release their paths before any row gets a new one.
        self._connection.executemany("UPDATE row SET is_live=0 WHERE id=?", [value[-1:] for value in values])
        query = (
            "UPDATE row SET path=?, is_live=?, description=?, exclusive=?, owner=?, ttl_seconds=?, expires_at=? "
            "WHERE id=?"
        )
        self._connection.executemany(query, values)

    def add_chunks(self, chunks: Iterable[tuple[int, int, bytes]]) -> None:
        values = ((row << 16 | bucket, data) for row, bucket, data in chunks if data)
        self._connection.executemany("INSERT INTO chunk (place, people) VALUES (?, ?)", values)

    def put_chunks(self, chunks: Iterable[tuple[int, int, bytes]]) -> None:
        kept, emptied = [], []
        for row, bucket, data in chunks:
            if data:
                kept.append((row << 16 | bucket, data))
            else:
                emptied.append((row << 16 | bucket,))
        self._connection.executemany(
            "INSERT INTO chunk (place, people) VALUES (?, ?) ON CONFLICT (place) DO UPDATE SET people=excluded.people",
            kept,
        )
        if emptied:
            self._connection.executemany("DELETE FROM chunk WHERE place=?", emptied)

    def add_batches(self, batches: Sequence[tuple[BatchRecord, Sequence[ChunkChange], Sequence[Entry]]]) -> None:
        key = self._environment
        first: int = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM change").fetchone()[0]
        heads = []
        for batch, changes, _ in batches:
            counts = batch.events, batch.attributes, batch.scheduled
            heads.append((key, *batch[:9], batch.is_final, first, len(changes), *counts))
            first += len(changes)
        self._connection.executemany(
            f"INSERT INTO change (environment, {_CHANGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            ((key, *change) for _, changes, _ in batches for change in changes),
        )
        self._connection.executemany(
            "INSERT INTO batch (environment, version, at, action, actor, source, added, removed, new_people, undoes, "
            "is_final, first_change, change_count, events, attributes, scheduled) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            heads,
        )
        entries = [
            (key, batch.version, number, *entry)
            for batch, _, entries in batches
            for number, entry in enumerate(entries)
        ]
        if entries:
            query = "INSERT INTO entry (environment, version, number, kind, name, before, after) VALUES (?,?,?,?,?,?,?)"
            self._connection.executemany(query, entries)

    def add_totals(self, totals: Sequence[RowTotal]) -> None:
        query = "INSERT INTO batch_row (environment, version, row, added, removed) VALUES (?, ?, ?, ?, ?)"
        # The totals are in the order of the key, so that neighbours are written to one page after another.
        values = [(self._environment, *total) for total in sorted(totals, key=lambda total: (total.row, total.version))]
        self._connection.executemany(query, values)

    def add_footprints(self, footprints: Sequence[tuple[int, Footprint]]) -> None:
        query = (
            "INSERT INTO batch_bucket (environment, bucket, version, part, people, places) VALUES (?, ?, ?, ?, ?, ?)"
        )
        values = [(self._environment, bucket, *each) for bucket, each in sorted(footprints)]
        self._connection.executemany(query, values)

    def add_undone(self, by: int, versions: Sequence[int]) -> None:
        query = "INSERT INTO undone (environment, version, by) VALUES (?, ?, ?)"
        self._connection.executemany(query, [(self._environment, version, by) for version in versions])

    def add_run(self, keys: int, pages: int, entries: Iterable[bytes]) -> Run:
        query = "INSERT INTO run (environment, keys, pages) VALUES (?, ?, ?) RETURNING id"
        identity = int(self._connection.execute(query, (self._environment, keys, pages)).fetchone()[0])
        values = ((identity << 24 | number, page) for number, page in enumerate(entries))
        self._connection.executemany("INSERT INTO page (place, entries) VALUES (?, ?)", values)
        return Run(identity, keys, pages)

    def put_replay(self, key: str, replay: Replay, at: str) -> None:
        query = "INSERT INTO replay (environment, key, fingerprint, receipt, at) VALUES (?, ?, ?, ?, ?)"
        self._connection.execute(query, (self._environment, key, replay.fingerprint, replay.receipt, at))

    def delete_replays(self, before: str) -> None:
        self._connection.execute("DELETE FROM replay WHERE at<?", (before,))
