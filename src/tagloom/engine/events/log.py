"""The event log of an environment in memory: recent ids, known types, and daily counts."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from tagloom.engine.bitmaps import BitMap, bitmap_of, from_bytes, ordinals_of, to_bytes
from tagloom.engine.events.blocks import (
    NO_EVENTS,
    EventColumns,
    joined,
    joined_hashes,
    pack,
    pack_hashes,
    take,
    unpack,
    unpack_hashes,
    without,
)
from tagloom.engine.events.counts import EventCounts
from tagloom.engine.events.recent_ids import RecentIds
from tagloom.engine.keys.hashing import Hashed
from tagloom.engine.links.links import Links
from tagloom.engine.storage import EventBlock, EventReads, EventTypeTotal, Transaction
from tagloom.words.calendars import Calendar
from tagloom.words.events import DAY_MS, day_of

_NEWEST = 2**63 - 1


class Recorded(NamedTuple):
    """Events that versions of one time recorded: this time, the events, and the hashes of their ids."""

    recorded_at: int
    columns: EventColumns
    hashes: Hashed


class EventLog:
    """What a process keeps in memory of the events. Its owner holds a lock around each call."""

    def __init__(self, now: Callable[[], int], counts_bytes_max: int, calendar: Calendar) -> None:
        """`now` returns milliseconds since 1970."""
        self.counts = EventCounts(now, counts_bytes_max, calendar)
        self.recent = RecentIds()
        self.types: frozenset[str] = frozenset()
        """The types of all events. It is replaced, not changed, when a type is added."""
        self._is_loaded = False

    def load(self, snapshot: EventReads, since_day: int) -> None:
        """Loads the types, and the ids from a day on, unless they are loaded. Deletes older ids."""
        if not self._is_loaded:
            self.recent = RecentIds()
            for recorded_at, ids in snapshot.event_ids(since_day * DAY_MS):
                self.recent.add(day_of(recorded_at), unpack_hashes(ids))
            self.types = frozenset(total.type for total in snapshot.event_types())
            self._is_loaded = True
        self.recent.delete_before(since_day)

    def add(self, recorded: Sequence[Recorded], links: Links) -> BitMap:
        """Adds the events of committed versions. Returns the people whose counts changed.

        `links` are those before these versions.
        """
        for each in recorded if self._is_loaded else ():
            self.recent.add(day_of(each.recorded_at), each.hashes)
            if not self.types.issuperset(each.columns.types):
                self.types = self.types.union(each.columns.types)
        return self.counts.add(of_roots(joined([each.columns for each in recorded]), links))

    def catch_up(self, snapshot: EventReads, after: int, links: Links) -> BitMap:
        """Adds the events of versions above `after`. Returns the people whose counts changed; see `add`."""
        changed = BitMap()
        for block in snapshot.event_blocks(after=after):
            columns = unpack(block)
            later = take(columns, np.flatnonzero(columns.versions > after))
            changed |= self.add([Recorded(block.recorded_at, later, unpack_hashes(block.ids))], links)
        return changed

    def clear(self) -> None:
        """Deletes everything. The ids and the types are loaded again at the next write."""
        self.counts.clear()
        self._is_loaded = False


def of_roots(columns: EventColumns, links: Links) -> EventColumns:
    """Returns events with the roots of their people."""
    roots = links.roots(columns.ordinals.astype(np.int64))
    return columns._replace(ordinals=roots.astype(np.uint32))


def events_of_people(snapshot: EventReads, people: BitMap) -> EventColumns:
    """Returns all events of some people. Cost: one test per block, and the unpacking of the blocks with some events."""
    found = []
    for version, inside in snapshot.event_people(_NEWEST) if people else ():
        if not people.isdisjoint(from_bytes(inside)):
            block = snapshot.event_block(version)
            assert block is not None, "the block of this version was just read"
            columns = unpack(block)
            found.append(take(columns, np.flatnonzero(np.isin(columns.ordinals, ordinals_of(people)))))
    return joined(found) if found else NO_EVENTS


def erase_events(erased: BitMap, tx: Transaction) -> None:
    """Deletes the events of people from the log. Their ids stay, as hashes, so that repeats are still recognized.

    Cost: one test per block, and the rewriting of the blocks with these people.
    """
    for version, data in tx.event_people(_NEWEST):
        people = from_bytes(data)
        if people.intersect(erased):
            block = tx.event_block(version)
            assert block is not None, "the block of this version was just read"
            kept = without(unpack(block), erased)
            columns = pack(kept, version=version, recorded_at=block.recorded_at)
            others = to_bytes(people - erased)
            tx.put_event_block(block._replace(people=others, columns=columns, events=len(kept.ordinals)))


def add_events(recorded: Sequence[Recorded], tx: Transaction) -> None:
    """Adds the events that versions of one transaction recorded to the log: one block for each day of recording."""
    for _, group in groupby(recorded, lambda each: day_of(each.recorded_at)):
        together = [*group]
        columns = joined([each.columns for each in together])
        version, recorded_at = int(columns.versions[-1]), together[-1].recorded_at
        block = EventBlock(
            version,
            int(columns.versions[0]),
            recorded_at,
            int(columns.at.min()),
            int(columns.at.max()),
            len(columns.at),
            to_bytes(bitmap_of(np.unique(columns.ordinals))),
            pack_hashes(joined_hashes([each.hashes for each in together])),
            pack(columns, version=version, recorded_at=recorded_at),
        )
        tx.add_event_block(block)
        tx.add_event_types(_totals(columns))


def _totals(columns: EventColumns) -> list[EventTypeTotal]:
    found = []
    for number, type in enumerate(columns.types):
        at = columns.at[columns.type_numbers == number]
        found.append(EventTypeTotal(type, len(at), int(at.min()), int(at.max())))
    return found
