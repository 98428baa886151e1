"""The statements with which a compaction reads and rewrites sets of rows in the log of one environment."""

from collections.abc import Iterator, Sequence
from typing import Any

from tagloom.engine.storage import ChunkChange, Compacted, Footprint, RowTotal, State, place_numbers
from tagloom.stores.attribute_statements import AttributeReads, AttributeWrites
from tagloom.stores.postgres.connections import Wire
from tagloom.stores.postgres.paging import paged
from tagloom.stores.suppression_statements import SuppressionReads, SuppressionWrites


class CompactingReads(AttributeReads, SuppressionReads):
    """The reads of a snapshot that a compaction needs."""

    _POSITION = "strpos"
    _wire: Wire
    _environment: int

    def _all(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._wire.ask(query, *values)

    def changes_until(self, row: int, bucket: int, until: int) -> Iterator[ChunkChange]:
        query = (
            'SELECT version, "row", bucket, added, removed FROM change WHERE environment=%s AND bucket=%s '
            'AND "row"=%s AND version<=%s AND version>%s ORDER BY version LIMIT %s'
        )

        def ask(place: Sequence[Any], limit: int) -> list[tuple[Any, ...]]:
            return self._all(query, self._environment, bucket, row, until, *place, limit)

        return map(ChunkChange._make, paged(ask, (0,), lambda found: found[:1]))

    def changes_placed(self, bucket: int, footprints: Sequence[Footprint]) -> Iterator[tuple[int, int, bytes, bytes]]:
        query = "SELECT version, first_change FROM batch WHERE environment=%s AND version=ANY(%s::int8[])"
        firsts: dict[int, int] = dict(self._all(query, self._environment, [each.version for each in footprints]))
        places = [firsts[each.version] + place for each in footprints for place in place_numbers(each.places)]
        query = (
            "SELECT version, id, added, removed FROM change WHERE id=ANY(%s::int8[]) AND environment=%s "
            "AND bucket=%s AND version=ANY(%s::int8[])"
        )
        found = self._all(query, places, self._environment, bucket, list(firsts))
        for version, identity, added, removed in found:
            yield version, identity - firsts[version], added, removed


class CompactingWrites(CompactingReads, AttributeWrites, SuppressionWrites):
    """The writes of a transaction that a compaction needs."""

    _state: State

    def put_horizon(self, version: int) -> None:
        self._wire.later("UPDATE environment SET horizon=%s WHERE key=%s", version, self._environment)
        self._state = self._state._replace(horizon=version)

    def put_compacted(self, compacted: Compacted) -> None:
        self._wire.later(
            "UPDATE environment SET compacted=%s, compacting_bucket=%s, compacting_row=%s, compacting_touched=%s "
            "WHERE key=%s",
            *compacted,
            self._environment,
        )

    def rewrite_changes(self, changes: Sequence[ChunkChange]) -> None:
        # All changes are of one chunk. The statement names its bucket, because a cluster routes the statement by the
        # bucket.
        chunk = 'environment=%s AND bucket=%s AND "row"=%s'
        place = (self._environment, changes[0].bucket, changes[0].row)
        kept = [(each.version, each.added, each.removed) for each in changes if any(each[-2:])]
        gone = [each.version for each in changes if not any(each[-2:])]
        if kept:
            self._wire.later(
                "UPDATE change SET added=new.added, removed=new.removed "
                "FROM unnest(%b::int8[], %b::bytea[], %b::bytea[]) AS new(version, added, removed) "
                f"WHERE {chunk} AND change.version=new.version",
                *map(list, zip(*kept, strict=True)),
                *place,
            )
        if gone:
            self._wire.later(f"DELETE FROM change WHERE {chunk} AND version=ANY(%b::int8[])", *place, gone)

    def lower_totals(self, totals: Sequence[RowTotal]) -> None:
        columns = list(map(list, zip(*totals, strict=True)))
        place = 'batch_row.environment=%s AND batch_row."row"=less.id AND batch_row.version=less.version'
        less = "unnest(%b::int8[], %b::int4[], %b::int8[], %b::int8[]) AS less(version, id, added, removed)"
        self._wire.later(
            "UPDATE batch_row SET added=batch_row.added-less.added, removed=batch_row.removed-less.removed "
            f"FROM {less} WHERE {place}",
            *columns,
            self._environment,
        )
        self._wire.later(
            f"DELETE FROM batch_row USING {less} WHERE {place} AND batch_row.added=0 AND batch_row.removed=0",
            *columns,
            self._environment,
        )

    def rewrite_footprints(self, bucket: int, footprints: Sequence[Footprint]) -> None:
        place = "environment=%s AND bucket=%s AND batch_bucket.version=new.version AND batch_bucket.part=new.part"
        kept = [each for each in footprints if each.places]
        gone = [each[:2] for each in footprints if not each.places]
        if kept:
            self._wire.later(
                "UPDATE batch_bucket SET people=new.people, places=new.places "
                "FROM unnest(%b::int8[], %b::int4[], %b::bytea[], %b::bytea[]) AS new(version, part, people, places) "
                f"WHERE {place}",
                *map(list, zip(*kept, strict=True)),
                self._environment,
                bucket,
            )
        if gone:
            self._wire.later(
                f"DELETE FROM batch_bucket USING unnest(%b::int8[], %b::int4[]) AS new(version, part) WHERE {place}",
                *map(list, zip(*gone, strict=True)),
                self._environment,
                bucket,
            )

    def delete_period_rows(self) -> None:
        query = "SELECT id FROM \"row\" WHERE environment=%s AND kind='end' AND NOT is_live"
        expiries = {identity for (identity,) in self._all(query, self._environment)}
        if not expiries:
            return
        # The query names all buckets, so that the index finds the changes of a few rows.
        query = 'SELECT DISTINCT "row" FROM change WHERE environment=%s AND bucket=ANY(%s::int4[]) AND "row"=ANY(%s)'
        buckets = list(range(self._state.buckets))
        told = {identity for (identity,) in self._all(query, self._environment, buckets, sorted(expiries))}
        self._wire.later('DELETE FROM "row" WHERE id=ANY(%b::int4[])', sorted(expiries - told))
