"""The writes of one environment. They are queued, and sent together by sets of rows."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from tagloom.engine.storage import (
    BatchRecord,
    ChunkChange,
    Entry,
    Footprint,
    Replay,
    Row,
    RowTotal,
    Run,
    State,
    period_path,
)
from tagloom.stores.migrations import SCHEMA_QUERY, check_schema
from tagloom.stores.postgres.cluster import Cluster
from tagloom.stores.postgres.compaction import CompactingWrites
from tagloom.stores.postgres.connections import Question, Wire
from tagloom.stores.postgres.reads import STATE_QUERY, PostgresSnapshot
from tagloom.stores.schema import first_change_id
from tagloom.words.periods import ALWAYS, Term

_ARRAY_ROWS_MAX: Final = 2_000  # More rows are sent by COPY: an array is one value, held whole on both sides.
_VALUES_ROWS_MAX: Final = 500  # The limit when each value is a parameter. A statement has at most 65,535 parameters.
_ARRAY_BYTES_MAX: Final = 4_194_304  # The limit of bytes in arrays, for the same reason as that of rows.
# The changes of the next batch begin where those of the newest batch end.
_NEXT_CHANGE_QUERY: Final = (
    "SELECT first_change + change_count FROM batch WHERE environment=%s ORDER BY version DESC LIMIT 1"
)
_COPIED_ROWS_HELD: Final = 512  # Rows that are read at once to find out whether they are few: 8 MB of chunks at most.
_IDS_AT_FIRST: Final = 8  # Ids of tags that are reserved first. Each further reservation has four times as many.
_IDS_AT_ONCE_MAX: Final = 8_192


class Rows:
    """The writer of rows to one table: few rows are sent as arrays in one statement, many by COPY.

    `columns` has the types of PostgreSQL by column.
    """

    rows_max = _ARRAY_ROWS_MAX

    def __init__(self, table: str, columns: dict[str, str], upsert: str = "") -> None:
        self.table = table
        self.columns = columns
        self.names = ", ".join(columns)
        self.types = list(columns.values())
        self.upsert = upsert
        arrays = ", ".join(f"%b::{kind}[]" for kind in self.types)
        self.insertion = f"INSERT INTO {table} ({self.names}) SELECT * FROM unnest({arrays}){upsert}"

    def put(self, wire: Wire, rows: Iterable[Sequence[Any]]) -> None:
        """Sends the rows: many rows now, few rows no later than the next query."""
        coming = iter(rows)
        few: list[Sequence[Any]] = []
        size = 0
        while size <= _ARRAY_BYTES_MAX and len(few) <= self.rows_max:
            more = list(islice(coming, _COPIED_ROWS_HELD))
            few.extend(more)
            size += sum(len(value) for row in more for value in row if isinstance(value, bytes | str))
            if len(more) < _COPIED_ROWS_HELD:
                break
        else:
            self._copy(wire, few, coming)
            return
        if few:
            self._send(wire, few)

    def _send(self, wire: Wire, few: list[Sequence[Any]]) -> None:
        wire.later(self.insertion, *map(list, zip(*few, strict=True)))

    def _copy(self, wire: Wire, few: list[Sequence[Any]], coming: Iterable[Sequence[Any]]) -> None:
        def rows() -> Iterable[Sequence[Any]]:
            yield from few
            few.clear()
            yield from coming

        if not self.upsert:
            wire.copy(f"COPY {self.table} ({self.names}) FROM STDIN (FORMAT binary)", self.types, iter(rows()))
            return
        columns = ", ".join(f"{name} {kind}" for name, kind in zip(self.names.split(", "), self.types, strict=True))
        wire.later(f"CREATE TEMPORARY TABLE arriving ({columns}) ON COMMIT DROP")
        wire.copy(f"COPY arriving ({self.names}) FROM STDIN (FORMAT binary)", self.types, iter(rows()))
        # The rows arrive in the order of the key, and the temporary table returns them in the same order.
        wire.later(f"INSERT INTO {self.table} ({self.names}) SELECT * FROM arriving{self.upsert}")
        wire.later("DROP TABLE arriving")


class SpreadRows(Rows):
    """The writer of rows to a table on the nodes of a cluster.

    Few rows are sent directly to their shards, many by COPY.
    """

    rows_max = _VALUES_ROWS_MAX

    def _send(self, wire: Wire, few: list[Sequence[Any]]) -> None:
        # The coordinator would unpack arrays and send them to every shard.
        one = f"({', '.join(f'%b::{kind}' for kind in self.types)})"
        rows = ", ".join([one] * len(few))
        values = (value for row in few for value in row)
        wire.later(f"INSERT INTO {self.table} ({self.names}) VALUES {rows}{self.upsert}", *values)


_CHUNKS = Rows(
    "chunk",
    {"place": "int8", "bucket": "int4", "people": "bytea"},
    " ON CONFLICT (place) DO UPDATE SET people=excluded.people",
)
_CHANGES = Rows(
    "change",
    {
        "id": "int8",
        "environment": "int4",
        "version": "int8",
        '"row"': "int4",
        "bucket": "int4",
        "added": "bytea",
        "removed": "bytea",
    },
)
_BATCHES = Rows(
    "batch",
    {
        "environment": "int4",
        "version": "int8",
        "at": "text",
        "action": "text",
        "actor": "text",
        "source": "text",
        "added": "int8",
        "removed": "int8",
        "new_people": "int8",
        "undoes": "int8",
        "is_final": "bool",
        "first_change": "int8",
        "change_count": "int4",
        "events": "int8",
        "attributes": "int8",
        "scheduled": "int8",
    },
)
_ENTRIES = Rows(
    "entry",
    {
        "environment": "int4",
        "version": "int8",
        "number": "int4",
        "kind": "text",
        "name": "text",
        "before": "text",
        '"after"': "text",
    },
)
_TOTALS = Rows(
    "batch_row",
    {"environment": "int4", '"row"': "int4", "version": "int8", "added": "int8", "removed": "int8"},
)
_TOUCHED = Rows(
    "batch_bucket",
    {"environment": "int4", "bucket": "int4", "version": "int8", "part": "int4", "people": "bytea", "places": "bytea"},
)
_PAGES = Rows("page", {"place": "int8", "entries": "bytea"})


class Tables(NamedTuple):
    """The tables that a cluster distributes. `new_chunks` inserts chunks that do not exist yet, without a check."""

    chunks: Rows
    new_chunks: Rows
    changes: Rows
    footprints: Rows
    pages: Rows


_WHOLE = Tables(_CHUNKS, Rows(_CHUNKS.table, _CHUNKS.columns), _CHANGES, _TOUCHED, _PAGES)
_SPREAD = Tables(
    SpreadRows("chunk", _CHUNKS.columns, " ON CONFLICT (place, bucket) DO UPDATE SET people=excluded.people"),
    *(SpreadRows(rows.table, rows.columns) for rows in _WHOLE[1:]),
)
_ROWS = Rows(
    '"row"',
    {
        "id": "int4",
        "environment": "int4",
        "kind": "text",
        "path": "text",
        "is_live": "bool",
        "description": "text",
        "exclusive": "bool",
        "tag": "int4",
        "expires_at": "int4",
        "starts_at": "int4",
        "type": "text",
    },
)


class PostgresTransaction(PostgresSnapshot, CompactingWrites):
    """The writer of one environment. It has locked the environment's row, so all other writers of it wait."""

    def __init__(
        self,
        wire: Wire,
        environment: int,
        schema: str,
        committed: Callable[[int, State], None],
        cluster: Cluster | None = None,
    ) -> None:
        # Each statement has its own snapshot. So reads after the lock see everything that the previous writer
        # committed.
        questions: list[Question] = [
            (SCHEMA_QUERY, ()),
            (f"{STATE_QUERY} FOR NO KEY UPDATE", (environment,)),
            (_NEXT_CHANGE_QUERY, (environment,)),
        ]
        answers = wire.ask_all(questions) if cluster is None else cluster.take(wire, environment, questions)
        (revision,), locked, newest = answers
        self._tables = _WHOLE if cluster is None else _SPREAD
        check_schema(revision[0], schema)
        super().__init__(wire, environment, locked)
        self._next_change = newest[0][0] if newest else first_change_id(environment) + 1
        self._committed = committed
        self._ids: list[int] = []
        self._ids_wanted = _IDS_AT_FIRST
        self._made: list[tuple[Any, ...]] = []
        self._replays_since = ""

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        self._send_made()
        return super()._all(query, *values)

    def _send(self, query: str, *values: Any) -> None:
        self._send_made()
        self._wire.later(query, *values)

    def put_state(self, state: State) -> None:
        self._wire.later(
            "UPDATE environment SET version=%s, next_ordinal=%s, catalogue_generation=%s, keys_generation=%s, "
            "suppressed_generation=%s WHERE key=%s",
            *state[:4],
            state.suppressed_generation,
            self._environment,
        )
        self._state = state._replace(horizon=self._state.horizon)
        self._committed(self._environment, state)

    # The dictionary.

    def add_row(self, kind: str, path: str, *, type: str = "", parent: int = 0) -> int:
        return self._add_row(kind, path, is_live=True, type=type, parent=parent)

    def rows_of_periods(self, periods: Sequence[tuple[int, Term]]) -> list[int]:
        query = (
            "SELECT tag, starts_at, expires_at, id "
            "FROM unnest(%s::int4[], %s::int4[], %s::int4[]) AS wanted (tag, starts_at, expires_at) "
            "JOIN \"row\" USING (tag, starts_at, expires_at) WHERE environment=%s AND kind='end'"
        )
        columns = list(map(list, zip(*((tag, *term) for tag, term in periods), strict=True)))
        found = self._all(query, *columns, self._environment)
        known = {(tag, Term(start, expires)): id for tag, start, expires, id in found}
        return [known[of] if of in known else self._add_period(*of) for of in periods]

    def _add_period(self, tag: int, term: Term) -> int:
        return self._add_row("end", period_path(tag, term), is_live=False, parent=tag, term=term)

    def _add_row(
        self, kind: str, path: str, *, is_live: bool, type: str = "", parent: int = 0, term: Term = ALWAYS
    ) -> int:
        if not self._ids:
            query = "SELECT nextval(pg_get_serial_sequence('\"row\"', 'id')) FROM generate_series(1, %s)"
            self._ids = [identity for (identity,) in self._wire.ask(query, self._ids_wanted)][::-1]
            self._ids_wanted = min(4 * self._ids_wanted, _IDS_AT_ONCE_MAX)
        identity = self._ids.pop()
        self._made.append(
            (identity, self._environment, kind, path, is_live, "", False, parent, term.expires, term.start, type)
        )
        return identity

    def _send_made(self) -> None:
        if self._made:
            made, self._made = self._made, []
            _ROWS.put(self._wire, made)

    def put_rows(self, rows: Iterable[Row]) -> None:
        self._send_made()
        # The fields from the path to the expiry, in the order in which the statement names them.
        values = [(row.id, *row[2:9]) for row in rows]
        if not values:
            return
        columns = list(map(list, zip(*values, strict=True)))
        # A path may pass from one row to another. So all rows release their paths before any row gets a new one.
        self._wire.later('UPDATE "row" SET is_live=false WHERE id=ANY(%b::int4[]) AND is_live', columns[0])
        self._wire.later(
            'UPDATE "row" SET path=new.path, is_live=new.is_live, description=new.description, '
            "exclusive=new.exclusive, owner=new.owner, ttl_seconds=new.ttl_seconds, expires_at=new.expires_at "
            "FROM unnest(%b::int4[], %b::text[], %b::bool[], %b::text[], %b::bool[], %b::text[], %b::int4[], "
            "%b::int4[]) AS new(id, path, is_live, description, exclusive, owner, ttl_seconds, expires_at) "
            'WHERE "row".id=new.id',
            *columns,
        )

    # Taggings and the log.

    def add_chunks(self, chunks: Iterable[tuple[int, int, bytes]]) -> None:
        new = ((row << 16 | bucket, bucket, data) for row, bucket, data in chunks if data)
        self._tables.new_chunks.put(self._wire, new)

    def put_chunks(self, chunks: Iterable[tuple[int, int, bytes]]) -> None:
        emptied: list[int] = []

        def kept() -> Iterable[tuple[int, int, bytes]]:
            for row, bucket, data in chunks:
                if data:
                    yield row << 16 | bucket, bucket, data
                else:
                    emptied.append(row << 16 | bucket)

        self._tables.chunks.put(self._wire, kept())
        if emptied:
            buckets = sorted({place & 0xFFFF for place in emptied})
            query = "DELETE FROM chunk WHERE place=ANY(%b::int8[]) AND bucket=ANY(%b::int4[])"
            self._wire.later(query, emptied, buckets)

    def add_batches(self, batches: Sequence[tuple[BatchRecord, Sequence[ChunkChange], Sequence[Entry]]]) -> None:
        key, first = self._environment, self._next_change
        heads: list[tuple[Any, ...]] = []
        for batch, changes, _ in batches:
            counts = batch.events, batch.attributes, batch.scheduled
            heads.append((key, *batch[:9], batch.is_final, self._next_change, len(changes), *counts))
            self._next_change += len(changes)
        every = (change for _, changes, _ in batches for change in changes)
        self._tables.changes.put(self._wire, ((first + number, key, *change) for number, change in enumerate(every)))
        _BATCHES.put(self._wire, heads)
        entries = (
            (key, batch.version, number, *entry)
            for batch, _, entries in batches
            for number, entry in enumerate(entries)
        )
        _ENTRIES.put(self._wire, entries)

    def add_totals(self, totals: Sequence[RowTotal]) -> None:
        inserted = sorted((total.row, total.version, total.added, total.removed) for total in totals)
        _TOTALS.put(self._wire, ((self._environment, *total) for total in inserted))

    def add_footprints(self, footprints: Sequence[tuple[int, Footprint]]) -> None:
        self._tables.footprints.put(
            self._wire, ((self._environment, bucket, *each) for bucket, each in sorted(footprints))
        )

    def add_undone(self, by: int, versions: Sequence[int]) -> None:
        query = "INSERT INTO undone (environment, version, by) SELECT %s, it, %s FROM unnest(%b::int8[]) AS it"
        self._wire.later(query, self._environment, by, list(versions))

    # The keys.

    def add_run(self, keys: int, pages: int, entries: Iterable[bytes]) -> Run:
        query = "INSERT INTO run (environment, keys, pages) VALUES (%s, %s, %s) RETURNING id"
        identity = int(self._all(query, self._environment, keys, pages)[0][0])
        self._tables.pages.put(self._wire, ((identity << 24 | number, page) for number, page in enumerate(entries)))
        return Run(identity, keys, pages)

    # Idempotency keys.

    def replay(self, key: str) -> Replay | None:
        query = "SELECT fingerprint, receipt FROM replay WHERE environment=%s AND key=%s AND at>=%s"
        found = self._all(query, self._environment, key, self._replays_since)
        return Replay._make(found[0]) if found else None

    def put_replay(self, key: str, replay: Replay, at: str) -> None:
        query = (
            "INSERT INTO replay (environment, key, fingerprint, receipt, at) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (environment, key) DO UPDATE "
            "SET fingerprint=excluded.fingerprint, receipt=excluded.receipt, at=excluded.at WHERE replay.at<%s"
        )
        self._wire.later(query, self._environment, key, *replay, at, self._replays_since)

    def delete_replays(self, before: str) -> None:
        if not self._replays_since:
            # Each writer deletes only the keys of its own environment. Otherwise writers would wait for each other.
            self._wire.later("DELETE FROM replay WHERE environment=%s AND at<%s", self._environment, before)
        self._replays_since = max(self._replays_since, before)
