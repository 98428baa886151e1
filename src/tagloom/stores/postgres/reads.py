"""The reads of one committed state of an environment, in one transaction of PostgreSQL."""

from collections.abc import Iterator, Sequence
from typing import Any

from tagloom.engine.storage import (
    BatchRecord,
    ChunkChange,
    Footprint,
    Row,
    RowSource,
    RowTotal,
    Span,
    Stamp,
    State,
    place_numbers,
)
from tagloom.ports.problems import EnvironmentNotFound
from tagloom.stores.postgres.compaction import CompactingReads
from tagloom.stores.postgres.connections import Wire
from tagloom.stores.postgres.paging import ROWS_AT_FIRST, paged
from tagloom.stores.schema import first_change_id
from tagloom.words.changes import EVENTS

_INTEGER_MAX = 2**63 - 1
_CHANGE_COLUMNS = 'version, "row", bucket, added, removed'
STATE_QUERY = (
    "SELECT version, next_ordinal, catalogue_generation, keys_generation, secret, catalogue='closed', horizon, "
    "suppressed_generation, time_zone FROM environment WHERE key=%s"
)


class PostgresSnapshot(CompactingReads):
    """The reads of one environment. Its state was read when the transaction began."""

    def __init__(self, wire: Wire, environment: int, found: Sequence[tuple[Any, ...]]) -> None:
        self._wire = wire
        self._environment = environment
        self._end_of_changes = first_change_id(environment + 1)
        if not found:
            raise EnvironmentNotFound(f"The store holds no environment {environment}.")
        self._state = State._make(found[0])

    def state(self) -> State:
        return self._state

    def stamp(self) -> Stamp:
        """Returns the stamp of the state."""
        return Stamp(self._state.version, self._state.catalogue_generation, self._state.keys_generation)

    def rows(self) -> list[Row]:
        return self._rows("is_live OR kind<>'end'")

    def _rows(self, condition: str, *values: Any) -> list[Row]:
        query = (
            "SELECT id, kind, path, is_live, description, exclusive, owner, ttl_seconds, expires_at, tag, type, "
            f'starts_at FROM "row" WHERE environment=%s AND ({condition}) ORDER BY id'
        )
        return [Row._make(found) for found in self._all(query, self._environment, *values)]

    def period_rows(self) -> list[Row]:
        return self._rows("kind='end'")

    def period_rows_of_ids(self, ids: Sequence[int]) -> list[Row]:
        return self._rows("kind='end' AND id=ANY(%s::int4[])", list(ids))

    def period_rows_changed(self, tags: Sequence[int], buckets: Sequence[int], since: int) -> list[Row]:
        periods = self._rows("kind='end' AND tag=ANY(%s::int4[])", list(tags))
        if not periods:
            return []
        query = (
            'SELECT DISTINCT "row" FROM change '
            'WHERE environment=%s AND bucket=ANY(%s::int4[]) AND "row"=ANY(%s::int4[]) AND version>=%s'
        )
        ids = [row.id for row in periods]
        changed = {row for (row,) in self._all(query, self._environment, list(buckets), ids, since)}
        return [row for row in periods if row.id in changed]

    def chunk(self, row: int, bucket: int) -> bytes | None:
        found = self._all("SELECT people FROM chunk WHERE place=%s AND bucket=%s", row << 16 | bucket, bucket)
        return found[0][0] if found else None

    def chunks(self, row: int) -> list[tuple[int, bytes]]:
        query = "SELECT (place & 65535)::int, people FROM chunk WHERE place BETWEEN %s AND %s ORDER BY place"
        return [(bucket, data) for bucket, data in self._all(query, row << 16, row << 16 | 0xFFFF)]

    def chunks_of(self, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        query = (
            "SELECT number, people FROM unnest(%s::int4[]) AS number "
            "JOIN chunk ON place BETWEEN number::int8 << 16 AND number::int8 << 16 | 65535 ORDER BY place"
        )
        return [(row, data) for row, data in self._all(query, list(rows))]

    def chunks_in(self, bucket: int, rows: Sequence[int]) -> list[tuple[int, bytes]]:
        query = "SELECT (place >> 16)::int4, people FROM chunk WHERE place = ANY(%s::int8[]) AND bucket=%s"
        return [(row, data) for row, data in self._all(query, [row << 16 | bucket for row in rows], bucket)]

    def _range(self, version: int) -> tuple[int, int]:
        """Returns the id before the first change of a version, and the id of its last change.

        Returns (0, 0) for an unknown version.
        """
        query = "SELECT first_change, change_count FROM batch WHERE environment=%s AND version=%s"
        found = self._all(query, self._environment, version)
        return (found[0][0] - 1, found[0][0] + found[0][1] - 1) if found else (0, 0)

    def _by_id(self, after: int, last: int, *versions: int) -> Iterator[ChunkChange]:
        # A compaction frees ids, and later changes get these ids. So a change with one of these ids may belong to
        # another version.
        query = (
            f"SELECT id, {_CHANGE_COLUMNS} FROM change WHERE id>%s AND id<=%s AND version BETWEEN %s AND %s "
            "ORDER BY id LIMIT %s"
        )
        for found in paged(
            lambda place, limit: self._all(query, *place, last, *versions, limit), (after,), lambda row: row[:1]
        ):
            yield ChunkChange._make(found[1:])

    def changes(self, version: int) -> Iterator[ChunkChange]:
        return self._by_id(*self._range(version), version, version)

    def changes_after(self, version: int) -> Iterator[ChunkChange]:
        before, last = self._range(version + 1)
        return self._by_id(before, self._end_of_changes - 1 if last else 0, version + 1, _INTEGER_MAX)

    def places_of(self, version: int) -> list[int]:
        query = 'SELECT "row"::int8 << 16 | bucket FROM change WHERE id>%s AND id<=%s AND version=%s'
        return [place for (place,) in self._all(query, *self._range(version), version)]

    def changes_of_places(self, places: Sequence[int], since: int) -> Iterator[ChunkChange]:
        query = (
            f"SELECT {_CHANGE_COLUMNS} FROM unnest(%s::int8[]) AS place JOIN change ON environment=%s "
            'AND bucket=(place & 65535)::int4 AND "row"=(place >> 16)::int4 AND version>=%s '
            "WHERE bucket=ANY(%s::int4[]) ORDER BY place, version DESC"
        )
        for start in range(0, len(places), ROWS_AT_FIRST):
            some = list(places[start : start + ROWS_AT_FIRST])
            buckets = sorted({place & 0xFFFF for place in some})
            yield from map(ChunkChange._make, self._all(query, some, self._environment, since, buckets))

    def changes_of(self, row: int, bucket: int) -> Iterator[ChunkChange]:
        query = (
            f"SELECT {_CHANGE_COLUMNS} FROM change WHERE environment=%s AND bucket=%s "
            'AND "row"=%s AND version<%s ORDER BY version DESC LIMIT %s'
        )

        def ask(place: Sequence[Any], limit: int) -> list[tuple[Any, ...]]:
            return self._all(query, self._environment, bucket, row, *place, limit)

        return map(ChunkChange._make, paged(ask, (self._state.version + 1,), lambda found: found[:1]))

    def changes_of_rows(self, rows: Sequence[int], bucket: int, after: int) -> Iterator[ChunkChange]:
        query = (
            f'SELECT id, {_CHANGE_COLUMNS} FROM change WHERE environment=%s AND bucket=%s AND "row"=ANY(%s::int4[]) '
            "AND version>%s AND (version, id)<(%s, %s) ORDER BY version DESC, id DESC LIMIT %s"
        )

        def ask(place: Sequence[Any], limit: int) -> list[tuple[Any, ...]]:
            return self._all(query, self._environment, bucket, list(rows), after, *place, limit)

        found = paged(ask, (_INTEGER_MAX, 0), lambda found: (found[1], found[0]))
        return (ChunkChange._make(each[1:]) for each in found)

    def footprints(self, bucket: int, span: Span) -> Iterator[Footprint]:
        order, sign = ("DESC", "<") if span.newest_first else ("ASC", ">")
        query = (
            "SELECT version, part, people, places FROM batch_bucket WHERE environment=%s AND bucket=%s AND version>%s "
            f"AND version<%s AND (version, part){sign}(%s, %s) ORDER BY version {order}, part {order} LIMIT %s"
        )
        before = _INTEGER_MAX if span.before is None else span.before

        def ask(place: Sequence[Any], limit: int) -> list[tuple[Any, ...]]:
            return self._all(query, self._environment, bucket, span.after, before, *place, limit)

        start = (_INTEGER_MAX if span.newest_first else 0, 0)
        return map(Footprint._make, paged(ask, start, lambda found: found[:2]))

    def changes_at(self, version: int, bucket: int, places: bytes) -> list[tuple[int, int, int, bytes, bytes]]:
        first = self._range(version)[0] + 1
        query = (
            f"SELECT {_CHANGE_COLUMNS} FROM change WHERE id=ANY(%s::int8[]) AND bucket=%s AND version=%s ORDER BY id"
        )
        some = [first + place for place in place_numbers(places)]
        return [(*found,) for found in self._all(query, some, bucket, version)]

    def changes_by_chunk(self) -> Iterator[ChunkChange]:
        query = (
            f"SELECT {_CHANGE_COLUMNS} FROM change WHERE environment=%s "
            'AND (bucket, "row", version)>(%s, %s, %s) ORDER BY bucket, "row", version LIMIT %s'
        )

        def ask(place: Sequence[Any], limit: int) -> list[tuple[Any, ...]]:
            return self._all(query, self._environment, *place, limit)

        return map(ChunkChange._make, paged(ask, (-1, 0, 0), lambda found: (found[2], found[1], found[0])))

    def find_batches(self, span: Span, rows: Sequence[int] | None = None) -> list[BatchRecord]:
        edges = span.after, _INTEGER_MAX if span.before is None else span.before
        condition, values = "version>%s AND version<%s", list[Any](edges)
        for column, wanted in (("actor", span.actor), ("source", span.source), ("action", span.action)):
            if wanted is not None:
                condition += f" AND {column}=%s"
                values.append(wanted)
        if span.action is None:
            condition += f" AND action<>'{EVENTS}'"
        if rows is not None:
            condition += (
                ' AND version IN (SELECT version FROM batch_row WHERE environment=%s AND "row"=ANY(%s::int4[]) '
                "AND version>%s AND version<%s UNION SELECT version FROM entry WHERE environment=%s AND kind='tag' "
                "AND name=ANY(%s::text[]) AND version>%s AND version<%s)"
            )
            key = self._environment
            values += [key, list(rows), *edges, key, list(map(str, rows)), *edges]
        condition += f" ORDER BY version {'DESC' if span.newest_first else 'ASC'} LIMIT %s"
        return self._batches(condition, *values, span.limit)

    def totals(self, version: int, rows: Sequence[int]) -> list[RowTotal]:
        query = (
            'SELECT version, "row", added, removed FROM batch_row '
            'WHERE environment=%s AND "row"=ANY(%s::int4[]) AND version=%s ORDER BY "row"'
        )
        return [RowTotal._make(found) for found in self._all(query, self._environment, list(rows), version)]

    def growth_of(self, rows: Sequence[int], after: int, until: int) -> list[tuple[int, int]]:
        query = (
            'SELECT "row", sum(added - removed)::int8 FROM batch_row '
            'WHERE environment=%s AND "row"=ANY(%s::int4[]) AND version>%s AND version<=%s GROUP BY "row"'
        )
        found = self._all(query, self._environment, list(rows), after, until)
        return [(row, growth) for row, growth in found]

    def sources_of(self, rows: Sequence[int], limit: int) -> list[RowSource]:
        query = (
            "SELECT actor, source, sum(batch_row.added)::int8, sum(batch_row.removed)::int8, "
            "max(batch_row.version) AS newest FROM batch_row "
            "JOIN batch ON batch.environment=batch_row.environment AND batch.version=batch_row.version "
            'WHERE batch_row.environment=%s AND batch_row."row"=ANY(%s::int4[]) '
            "GROUP BY actor, source ORDER BY newest DESC LIMIT %s"
        )
        return [RowSource._make(found) for found in self._all(query, self._environment, list(rows), limit)]
