"""The statements with which a compaction reads and rewrites the log of one environment."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any

from tagloom.engine.storage import ChunkChange, Compacted, Footprint, RowTotal, place_numbers
from tagloom.stores.attribute_statements import AttributeReads, AttributeWrites
from tagloom.stores.suppression_statements import SuppressionReads, SuppressionWrites


@cache
def with_question_marks(query: str) -> str:
    """Returns a shared statement with the placeholders of SQLite."""
    return query.replace("%s", "?")


class CompactingReads(AttributeReads, SuppressionReads):
    """The reads of a snapshot that a compaction needs."""

    _POSITION = "instr"
    _connection: sqlite3.Connection
    _environment: int

    def _all(self, query: str, *values: Any) -> Sequence[Sequence[Any]]:
        return self._connection.execute(with_question_marks(query), values).fetchall()

    def changes_until(self, row: int, bucket: int, until: int) -> Iterator[ChunkChange]:
        query = (
            "SELECT version, row, bucket, added, removed FROM change "
            "WHERE environment=? AND bucket=? AND row=? AND version<=? ORDER BY version"
        )
        found = self._connection.execute(query, (self._environment, bucket, row, until))
        return map(ChunkChange._make, found)

    def changes_placed(self, bucket: int, footprints: Sequence[Footprint]) -> Iterator[tuple[int, int, bytes, bytes]]:
        query = (
            "SELECT version, first_change FROM json_each(?) CROSS JOIN batch ON batch.environment=? AND version=value"
        )
        versions = json.dumps([each.version for each in footprints])
        firsts: dict[int, int] = dict(self._connection.execute(query, (versions, self._environment)))
        places = chain.from_iterable(
            (firsts[each.version] + place for place in place_numbers(each.places)) for each in footprints
        )
        query = (
            "SELECT version, id, added, removed FROM change "
            "WHERE id IN (SELECT value FROM json_each(?)) AND +environment=? AND +bucket=?"
        )
        values = (json.dumps([*places]), self._environment, bucket)
        for version, identity, *bitmaps in self._connection.execute(query, values):
            if version in firsts:
                yield version, identity - firsts[version], bitmaps[0], bitmaps[1]


class CompactingWrites(CompactingReads, AttributeWrites, SuppressionWrites):
    """The writes of a transaction that a compaction needs."""

    def _send(self, query: str, *values: Any) -> None:
        self._connection.execute(with_question_marks(query), values)

    def put_horizon(self, version: int) -> None:
        self._connection.execute("UPDATE environment SET horizon=? WHERE key=?", (version, self._environment))

    def put_compacted(self, compacted: Compacted) -> None:
        query = (
            "UPDATE environment SET compacted=?, compacting_bucket=?, compacting_row=?, compacting_touched=? "
            "WHERE key=?"
        )
        self._connection.execute(query, (*compacted, self._environment))

    def rewrite_changes(self, changes: Sequence[ChunkChange]) -> None:
        place = "environment=? AND bucket=? AND row=? AND version=?"
        key = self._environment
        kept = [
            (each.added, each.removed, key, each.bucket, each.row, each.version)
            for each in changes
            if each.added or each.removed
        ]
        gone = [(key, each.bucket, each.row, each.version) for each in changes if not (each.added or each.removed)]
        self._connection.executemany(f"UPDATE change SET added=?, removed=? WHERE {place}", kept)
        self._connection.executemany(f"DELETE FROM change WHERE {place}", gone)

    def lower_totals(self, totals: Sequence[RowTotal]) -> None:
        place = "environment=? AND row=? AND version=?"
        query = f"UPDATE batch_row SET added=added-?, removed=removed-? WHERE {place}"
        values = [(each.added, each.removed, self._environment, each.row, each.version) for each in totals]
        self._connection.executemany(query, values)
        query = f"DELETE FROM batch_row WHERE {place} AND added=0 AND removed=0"
        self._connection.executemany(query, [value[2:] for value in values])

    def rewrite_footprints(self, bucket: int, footprints: Sequence[Footprint]) -> None:
        place = "environment=? AND bucket=? AND version=? AND part=?"
        key = self._environment
        kept = [(each.people, each.places, key, bucket, each.version, each.part) for each in footprints if each.places]
        gone = [(key, bucket, each.version, each.part) for each in footprints if not each.places]
        self._connection.executemany(f"UPDATE batch_bucket SET people=?, places=? WHERE {place}", kept)
        self._connection.executemany(f"DELETE FROM batch_bucket WHERE {place}", gone)

    def delete_period_rows(self) -> None:
        # Each period row is searched in the changes of each bucket, because no index begins with the row.
        query = (
            "DELETE FROM row WHERE environment=? AND kind='end' AND NOT is_live "
            "AND NOT EXISTS (SELECT 1 FROM (SELECT DISTINCT bucket FROM batch_bucket WHERE environment=?) AS known "
            "CROSS JOIN change ON change.environment=? AND change.bucket=known.bucket AND change.row=row.id)"
        )
        self._connection.execute(query, (self._environment,) * 3)
