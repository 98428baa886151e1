"""SQL statements of the event log, which SQLite and PostgreSQL share."""

from collections.abc import Iterator, Sequence

from tagloom.engine.storage import EventBlock, EventBlockSize, EventTypeTotal
from tagloom.stores.cold_statements import ColdReads, ColdWrites

_BLOCK_COLUMNS = "version, first_version, recorded_at, first_at, last_at, events, people, ids, columns"
_BLOCKS_AT_ONCE = 16  # A block has some kilobytes, and eight megabytes at most.
_ROWS_AT_ONCE = 256  # Rows of a few bytes, or with the people of a block.
_TIME_MIN = -(2**63)
_TIME_MAX = 2**63 - 1


class EventReads(ColdReads):
    """The reads of the event log, some blocks at a time."""

    def event_blocks(self, *, after: int = 0, since: int | None = None) -> Iterator[EventBlock]:
        query = (
            f"SELECT {_BLOCK_COLUMNS} FROM event_block WHERE environment=%s AND version>%s AND last_at>=%s "
            f"ORDER BY version LIMIT {_BLOCKS_AT_ONCE}"
        )
        least = _TIME_MIN if since is None else since
        while found := self._all(query, self._environment, after, least):
            yield from map(EventBlock._make, found)
            after = found[-1][0]

    def event_ids(self, since: int) -> Iterator[tuple[int, bytes]]:
        query = (
            "SELECT version, recorded_at, ids FROM event_block WHERE environment=%s AND version>%s AND recorded_at>=%s "
            f"ORDER BY version LIMIT {_BLOCKS_AT_ONCE}"
        )
        after = 0
        while found := self._all(query, self._environment, after, since):
            yield from ((recorded_at, ids) for _, recorded_at, ids in found)
            after = found[-1][0]

    def event_people(self, before: int) -> Iterator[tuple[int, bytes]]:
        query = (
            "SELECT version, people, first_version FROM event_block WHERE environment=%s AND first_version<%s "
            f"ORDER BY version DESC LIMIT {_ROWS_AT_ONCE}"
        )
        while found := self._all(query, self._environment, before):
            yield from ((version, people) for version, people, _ in found)
            before = found[-1][2]

    def event_block(self, version: int) -> EventBlock | None:
        query = f"SELECT {_BLOCK_COLUMNS} FROM event_block WHERE environment=%s AND version=%s"
        found = self._all(query, self._environment, version)
        return EventBlock._make(found[0]) if found else None

    def next_event_block(self, after: int, since: int | None = None, until: int | None = None) -> EventBlock | None:
        query = (
            f"SELECT {_BLOCK_COLUMNS} FROM event_block WHERE environment=%s AND version>%s AND last_at>=%s "
            "AND first_at<%s ORDER BY version LIMIT 1"
        )
        first, end = _TIME_MIN if since is None else since, _TIME_MAX if until is None else until
        found = self._all(query, self._environment, after, first, end)
        return EventBlock._make(found[0]) if found else None

    def event_versions(self, actor: str, before: int) -> Iterator[int]:
        query = (
            "SELECT version FROM batch WHERE environment=%s AND action='events' AND actor=%s AND version<%s "
            f"ORDER BY version DESC LIMIT {_ROWS_AT_ONCE}"
        )
        while found := self._all(query, self._environment, actor, before):
            yield from (version for (version,) in found)
            before = found[-1][0]

    def event_block_sizes(self) -> list[EventBlockSize]:
        query = "SELECT version, recorded_at, length(columns) FROM event_block WHERE environment=%s ORDER BY version"
        return [EventBlockSize._make(found) for found in self._all(query, self._environment)]

    def event_types(self) -> list[EventTypeTotal]:
        query = "SELECT type, events, first_at, last_at FROM event_type WHERE environment=%s ORDER BY type"
        return [EventTypeTotal._make(found) for found in self._all(query, self._environment)]


class EventWrites(EventReads, ColdWrites):
    """The writes of the event log."""

    def add_event_block(self, block: EventBlock) -> None:
        values = ", ".join(["%s"] * (1 + len(block)))
        query = f"INSERT INTO event_block (environment, {_BLOCK_COLUMNS}) VALUES ({values})"
        self._send(query, self._environment, *block)

    def put_event_block(self, block: EventBlock) -> None:
        query = "UPDATE event_block SET people=%s, columns=%s, events=%s WHERE environment=%s AND version=%s"
        self._send(query, block.people, block.columns, block.events, self._environment, block.version)

    def replace_event_blocks(self, block: EventBlock) -> None:
        query = "DELETE FROM event_block WHERE environment=%s AND version BETWEEN %s AND %s"
        self._send(query, self._environment, block.first_version, block.version)
        self.add_event_block(block)

    def add_event_types(self, totals: Sequence[EventTypeTotal]) -> None:
        query = (
            "INSERT INTO event_type (environment, type, events, first_at, last_at) VALUES (%s, %s, %s, %s, %s) "
            "ON CONFLICT (environment, type) DO UPDATE SET events=event_type.events+excluded.events, "
            "first_at=CASE WHEN excluded.first_at<event_type.first_at THEN excluded.first_at "
            "ELSE event_type.first_at END, "
            "last_at=CASE WHEN excluded.last_at>event_type.last_at THEN excluded.last_at ELSE event_type.last_at END"
        )
        for total in totals:
            self._send(query, self._environment, *total)
