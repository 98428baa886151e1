"""Lists the events of the log, the last recorded first."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagloom.base.text import printable
from tagloom.engine.bitmaps import BitMap, from_bytes, holds, ordinals_of
from tagloom.engine.events.blocks import EventColumns, find_time, unpack
from tagloom.engine.storage import EventReads
from tagloom.ports.pages import Page
from tagloom.ports.problems import CursorInvalid
from tagloom.words.events import RecordedEvent
from tagloom.words.people import Ordinal

_NEWEST = 2**63 - 1
_CURSOR_CHARACTERS_MAX = 40
_VERSIONS_AT_ONCE = 256


class _Position(NamedTuple):
    """The place of an event in a list: its version, and its number among the listed events of this version."""

    version: int
    number: int


class Listed(NamedTuple):
    """An event of a list, with the ordinal of its person."""

    ordinal: Ordinal
    event: RecordedEvent


def list_events_of_people(snapshot: EventReads, people: BitMap, *, limit: int, cursor: str | None) -> Page[Listed]:
    """Returns a page of the events of people, the last recorded first.

    Cost: one test per block until the page is full.
    """
    before = _position(cursor)
    return _page(_of_people(snapshot, people, before), before, limit)


def list_recent_events(snapshot: EventReads, actor: str | None, *, limit: int, cursor: str | None) -> Page[Listed]:
    """Returns a page of all events, or of those that an actor recorded, the last recorded first.

    Cost: the blocks with the events of the page are unpacked.
    """
    before = _position(cursor)
    found = _of_all(snapshot, before) if actor is None else _of_actor(snapshot, actor, before)
    return _page(found, before, limit)


def _position(cursor: str | None) -> _Position:
    """Returns the position before which a page begins."""
    if cursor is None:
        return _Position(_NEWEST, 0)
    version, dot, number = cursor.partition(".")
    is_short = len(cursor) <= _CURSOR_CHARACTERS_MAX and cursor.isascii()
    if not (dot and is_short and version.isdecimal() and number.isdecimal() and int(version) < _NEWEST):
        raise CursorInvalid("The cursor is not one of this list.", value=printable(cursor))
    return _Position(int(version), int(number))


def _page(found: Iterator[tuple[_Position, Listed]], before: _Position, limit: int) -> Page[Listed]:
    """Returns the first `limit` events before a position."""
    taken = list(islice((each for each in found if each[0] < before), limit + 1))
    shown = taken[:limit]
    following = f"{shown[-1][0].version}.{shown[-1][0].number}" if len(taken) > limit else None
    return Page(tuple(listed for _, listed in shown), following)


def _of_people(snapshot: EventReads, people: BitMap, before: _Position) -> Iterator[tuple[_Position, Listed]]:
    alone = people.min() if len(people) == 1 else None
    for version, inside in snapshot.event_people(min(before.version + 1, _NEWEST)):
        if people.intersect(from_bytes(inside)) if alone is None else holds(inside, alone):
            columns = _columns(snapshot, version)
            yield from _last_first(columns, np.flatnonzero(np.isin(columns.ordinals, ordinals_of(people))))


def _of_all(snapshot: EventReads, before: _Position) -> Iterator[tuple[_Position, Listed]]:
    for version, _ in snapshot.event_people(min(before.version + 1, _NEWEST)):
        columns = _columns(snapshot, version)
        yield from _last_first(columns, np.arange(len(columns.ordinals)))


def _of_actor(snapshot: EventReads, actor: str, before: _Position) -> Iterator[tuple[_Position, Listed]]:
    versions = snapshot.event_versions(actor, min(before.version + 1, _NEWEST))
    block, columns = None, None
    while some := list(islice(versions, _VERSIONS_AT_ONCE)):
        while some:
            if block is None or columns is None or some[0] < block.first_version:
                block = snapshot.next_event_block(some[0] - 1)
                assert block is not None, "a block has the events of this version"
                columns = unpack(block)
            within = [version for version in some if version >= block.first_version]
            yield from _last_first(columns, np.flatnonzero(np.isin(columns.versions, within)))
            some = some[len(within) :]


def _columns(snapshot: EventReads, version: int) -> EventColumns:
    block = snapshot.event_block(version)
    assert block is not None, "the block of this version was just read"
    return unpack(block)


def _last_first(columns: EventColumns, places: NDArray[np.intp]) -> Iterator[tuple[_Position, Listed]]:
    """Yields the events at ascending places of a block, the last one first."""
    versions = columns.versions[places]
    numbers = np.arange(len(places)) - np.searchsorted(versions, versions)
    for place, version, number in zip(*(each[::-1].tolist() for each in (places, versions, numbers)), strict=True):
        yield _Position(version, number), Listed(Ordinal(int(columns.ordinals[place])), recorded_event(columns, place))


def recorded_event(columns: EventColumns, place: int) -> RecordedEvent:
    """Returns the event at a place of some columns."""
    return RecordedEvent(
        type=columns.types[int(columns.type_numbers[place])],
        at=int(columns.at[place]),
        id=columns.ids[place],
        properties=columns.properties[place],
        received_at=int(columns.recorded[place]),
        version=int(columns.versions[place]),
        original_at=find_time(columns.originals, place),
        sent_at=find_time(columns.sent, place),
    )
