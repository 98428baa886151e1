"""The event log of an environment in memory: recent ids, known types, and daily counts."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tagloom.engine.bitmaps import BitMap, from_bytes, holds
from tagloom.engine.events.blocks import EventColumns, find_time, pack, unpack, unpack_hashes, without
from tagloom.engine.events.counts import EventCounts
from tagloom.engine.events.recent_ids import RecentIds
from tagloom.engine.keys.hashing import Hashed
from tagloom.engine.storage import EventReads, EventTypeTotal, Transaction
from tagloom.ports.pages import Page
from tagloom.ports.problems import CursorInvalid
from tagloom.words import limits
from tagloom.words.events import DAY_MS, RecordedEvent, day_of

_NEWEST = 2**63 - 1


class Recorded(NamedTuple):
    """The events that one version recorded: the time of the version, the events, and the hashes of their ids."""

    recorded_at: int
    columns: EventColumns
    hashes: Hashed


class EventLog:
    """What a process keeps in memory of the events. Its owner holds a lock around each call."""

    def __init__(self, today: Callable[[], int]) -> None:
        self._today = today
        self.counts = EventCounts(today)
        self.recent = RecentIds()
        self.types: set[str] = set()
        self._is_loaded = False

    def load(self, snapshot: EventReads, since_day: int) -> None:
        """Loads the types, and the ids from a day on, unless they are loaded. Deletes older ids."""
        if not self._is_loaded:
            self.recent = RecentIds()
            for recorded_at, ids in snapshot.event_ids(since_day * DAY_MS):
                self.recent.add(day_of(recorded_at), unpack_hashes(ids))
            self.types = {total.type for total in snapshot.event_types()}
            self._is_loaded = True
        self.recent.delete_before(since_day)

    def add(self, recorded: Recorded) -> BitMap:
        """Adds the events of a committed version. Returns the people whose counts changed."""
        if self._is_loaded:
            self.recent.add(day_of(recorded.recorded_at), recorded.hashes)
            self.types.update(recorded.columns.types)
        return self.counts.add(recorded.columns)

    def catch_up(self, snapshot: EventReads, after: int) -> BitMap:
        """Adds the events of versions above `after`. Returns the people whose counts changed."""
        changed = BitMap()
        for block in snapshot.event_blocks(after=after):
            changed |= self.add(Recorded(block.recorded_at, unpack(block.columns), unpack_hashes(block.ids)))
        return changed

    def clear(self) -> None:
        """Deletes everything. The ids and the types are loaded again at the next write."""
        self.counts.clear()
        self._is_loaded = False


def erase_events(ordinal: int, tx: Transaction) -> None:
    """Deletes the events of a person from the log. Their ids stay, as hashes, so that repeats are still dropped.

    Cost: one test per block, and the rewriting of the person's blocks.
    """
    for version, people in tx.event_people(_NEWEST):
        if holds(people, ordinal):
            block = tx.event_block(version)
            assert block is not None, "the block of this version was just read"
            kept = without(unpack(block.columns), ordinal)
            others = from_bytes(people) - BitMap([ordinal])
            tx.put_event_block(block._replace(people=bytes(others.serialize()) if others else b"", columns=pack(kept)))


def list_events(snapshot: EventReads, ordinal: int, *, limit: int, cursor: str | None) -> Page[RecordedEvent]:
    """Returns a page of a person's events, the last recorded first. Cost: one test per block until the page is full."""
    before, place = _position(cursor)
    found = list[tuple[int, int, RecordedEvent]]()
    for version, number, event in _events_of_person(snapshot, ordinal, before, place):
        found.append((version, number, event))
        if len(found) > limit:
            break
    shown = found[:limit]
    following = f"{shown[-1][0]}.{shown[-1][1]}" if len(found) > limit else None
    return Page(tuple(event for _, _, event in shown), following)


def _position(cursor: str | None) -> tuple[int, int]:
    """Returns the version and the place before which a page begins."""
    if cursor is None:
        return _NEWEST, 0
    version, dot, place = cursor.partition(".")
    if not (dot and len(cursor) <= limits.CHARACTERS_PER_ID_MAX and version.isdecimal() and place.isdecimal()):
        raise CursorInvalid(f"The cursor '{cursor[:80]}' is not one of this list.")
    return min(int(version), _NEWEST), int(place)


def _events_of_person(
    snapshot: EventReads, ordinal: int, before: int, place: int
) -> Iterator[tuple[int, int, RecordedEvent]]:
    """Yields (version, place, event) of a person's events: those of the version `before` at lower places, and older."""
    for version, people in _from(snapshot, before):
        if not holds(people, ordinal):
            continue
        block = snapshot.event_block(version)
        assert block is not None, "the block of this version was just read"
        columns = unpack(block.columns)
        for number in reversed(np.flatnonzero(columns.ordinals == ordinal).tolist()):
            if version < before or number < place:
                yield version, number, _event(columns, number, block.recorded_at, version)


def _from(snapshot: EventReads, before: int) -> Iterator[tuple[int, bytes]]:
    yield from snapshot.event_people(min(before + 1, _NEWEST))


def _event(columns: EventColumns, place: int, recorded_at: int, version: int) -> RecordedEvent:
    return RecordedEvent(
        type=columns.types[int(columns.type_numbers[place])],
        at=int(columns.at[place]),
        id=columns.ids[place],
        properties=columns.properties[place],
        received_at=recorded_at,
        version=version,
        original_at=find_time(columns.originals, place),
        sent_at=find_time(columns.sent, place),
    )


def added_up(totals: Sequence[EventTypeTotal]) -> list[EventTypeTotal]:
    """Returns the totals with one entry per type."""
    found: dict[str, EventTypeTotal] = {}
    for each in totals:
        other = found.get(each.type, EventTypeTotal(each.type, 0, each.first_at, each.last_at))
        found[each.type] = EventTypeTotal(
            each.type,
            other.events + each.events,
            min(other.first_at, each.first_at),
            max(other.last_at, each.last_at),
        )
    return list(found.values())
