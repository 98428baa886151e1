"""SQL statements that SQLite and PostgreSQL share. No request runs them in a hot loop.

They have PostgreSQL's placeholders and quoted names. SQLite understands the quoted names; its adapter replaces the
placeholders.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from tagloom.engine.storage import BatchRecord, Compacted, Entry, Moved, Replay, Run, Segment, StepRecord

_BATCH_COLUMNS = (
    "version, at, action, actor, source, added, removed, new_people, undoes, "
    "(SELECT max(number) FROM (SELECT max(version) AS number FROM batch AS later "
    "WHERE later.environment = batch.environment AND later.undoes = batch.version "
    "UNION ALL SELECT max(undone.by) FROM undone "
    "WHERE undone.environment = batch.environment AND undone.version = batch.version) AS undoing), is_final, "
    "(SELECT count(*) FROM undone WHERE undone.environment = batch.environment AND undone.by = batch.version), events, "
    "attributes, scheduled"
)


class ColdReads(ABC):
    """The reads of a snapshot that use the same SQL in both databases."""

    _environment: int

    @abstractmethod
    def _all(self, query: str, *values: Any) -> Sequence[Sequence[Any]]:
        """Returns all rows of a query. Its placeholders are %s."""

    def aliases(self) -> list[tuple[str, str]]:
        found = self._all("SELECT path, target FROM alias WHERE environment=%s", self._environment)
        return [(path, target) for path, target in found]

    def runs(self) -> list[Run]:
        query = "SELECT id, keys, pages FROM run WHERE environment=%s ORDER BY id"
        return [Run._make(found) for found in self._all(query, self._environment)]

    def page(self, run: int, page: int) -> bytes:
        found = self._all("SELECT entries FROM page WHERE place=%s", run << 24 | page)
        if not found:
            raise Moved(f"page {page} of run {run}")
        return bytes(found[0][0])

    def segments(self) -> list[Segment]:
        query = 'SELECT "first", size FROM segment WHERE environment=%s ORDER BY "first"'
        return [Segment._make(found) for found in self._all(query, self._environment)]

    def segment(self, first: int) -> bytes:
        found = self._all('SELECT keys FROM segment WHERE environment=%s AND "first"=%s', self._environment, first)
        if not found:
            raise Moved(f"the segment of keys from {first} on")
        return bytes(found[0][0])

    def _batches(self, condition: str, *values: Any) -> list[BatchRecord]:
        query = f"SELECT {_BATCH_COLUMNS} FROM batch WHERE environment=%s AND {condition}"
        return [
            BatchRecord._make((*found[:10], bool(found[10]), *found[11:]))
            for found in self._all(query, self._environment, *values)
        ]

    def batch(self, version: int) -> BatchRecord | None:
        found = self._batches("version=%s", version)
        return found[0] if found else None

    def batches(self, after: int, limit: int) -> list[BatchRecord]:
        return self._batches("version>%s ORDER BY version LIMIT %s", after, limit)

    def entries(self, version: int) -> list[Entry]:
        query = 'SELECT kind, name, before, "after" FROM entry WHERE environment=%s AND version=%s ORDER BY number'
        return [Entry._make(found) for found in self._all(query, self._environment, version)]

    def changes_count(self) -> int:
        return int(self._all("SELECT count(*) FROM change WHERE environment=%s", self._environment)[0][0])

    def totals_count(self) -> int:
        return int(self._all("SELECT count(*) FROM batch_row WHERE environment=%s", self._environment)[0][0])

    def replay(self, key: str) -> Replay | None:
        query = "SELECT fingerprint, receipt FROM replay WHERE environment=%s AND key=%s"
        found = self._all(query, self._environment, key)
        return Replay._make(found[0]) if found else None

    def imported(self) -> list[str]:
        query = "SELECT DISTINCT run FROM import_step WHERE environment=%s ORDER BY run"
        return [run for (run,) in self._all(query, self._environment)]

    def steps(self, run: str) -> list[StepRecord]:
        query = (
            "SELECT number, through, version, receipt FROM import_step WHERE environment=%s AND run=%s ORDER BY number"
        )
        return [StepRecord._make(found) for found in self._all(query, self._environment, run)]

    def rejected(self, run: str, number: int) -> bytes:
        query = "SELECT rejected FROM import_step WHERE environment=%s AND run=%s AND number=%s"
        return bytes(self._all(query, self._environment, run, number)[0][0])

    def compacted(self) -> Compacted:
        query = "SELECT compacted, compacting_bucket, compacting_row, compacting_touched FROM environment WHERE key=%s"
        return Compacted._make(self._all(query, self._environment)[0])

    def rows_changed(self, bucket: int, row: int, after: int, until: int, limit: int) -> list[int]:
        query = (
            'SELECT DISTINCT "row" FROM change WHERE environment=%s AND bucket=%s AND "row">=%s '
            'AND version>%s AND version<=%s ORDER BY "row" LIMIT %s'
        )
        return [identity for (identity,) in self._all(query, self._environment, bucket, row, after, until, limit)]


class ColdWrites(ColdReads):
    """The writes of a transaction that use the same SQL in both databases."""

    @abstractmethod
    def _send(self, query: str, *values: Any) -> None:
        """Executes a statement, at the latest before the next read or the commit. Its placeholders are %s."""

    def put_alias(self, path: str, target: str | None) -> None:
        if target is None:
            self._send("DELETE FROM alias WHERE environment=%s AND path=%s", self._environment, path)
            return
        query = (
            "INSERT INTO alias (environment, path, target) VALUES (%s, %s, %s) "
            "ON CONFLICT (environment, path) DO UPDATE SET target=excluded.target"
        )
        self._send(query, self._environment, path, target)

    def delete_run(self, run: int) -> None:
        self._send("DELETE FROM page WHERE place BETWEEN %s AND %s", run << 24, run << 24 | 0xFFFFFF)
        self._send("DELETE FROM run WHERE id=%s", run)

    def put_page(self, run: int, page: int, entries: bytes) -> None:
        self._send("UPDATE page SET entries=%s WHERE place=%s", entries, run << 24 | page)

    def put_segment(self, segment: Segment, keys: bytes) -> None:
        end = segment.first + segment.size
        query = 'DELETE FROM segment WHERE environment=%s AND "first">=%s AND "first"<%s'
        self._send(query, self._environment, segment.first, end)
        query = 'INSERT INTO segment (environment, "first", size, keys) VALUES (%s, %s, %s, %s)'
        self._send(query, self._environment, segment.first, segment.size, keys)

    def put_step(self, run: str, step: StepRecord, rejected: bytes) -> None:
        query = (
            "INSERT INTO import_step (environment, run, number, through, version, receipt, rejected) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s)"
        )
        self._send(query, self._environment, run, *step, rejected)
