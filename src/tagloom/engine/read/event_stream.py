"""Streams the events of the log, block by block, in the order of recording."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, from_bytes, ordinals_of
from tagloom.engine.events.blocks import EventColumns, unpack
from tagloom.engine.events.listing import recorded_event
from tagloom.engine.read import queries, rule_bitmaps
from tagloom.engine.state.environment import EnvironmentState
from tagloom.ports.events import EventSelection
from tagloom.ports.problems import PersonNotFound
from tagloom.words.changes import Version
from tagloom.words.event_rules import is_of
from tagloom.words.events import PersonEvent
from tagloom.words.people import Ordinal
from tagloom.words.rules import Definition

_EVENTS_PER_CHUNK = 10_000
_BYTES_PER_CHUNK = 2_097_152  # The properties of the events of a chunk, and at least one event.


class _Scan(NamedTuple):
    """What a stream reads: events up to a version, of some people or of all, and the blocks that have some of theirs.

    `blocks` has the versions of these blocks, in ascending order.
    """

    version: Version
    people: BitMap | None
    blocks: list[int]


class _Found(NamedTuple):
    """The selected events of a block: its columns, their places in it, and the version of the block."""

    columns: EventColumns
    places: NDArray[np.intp]
    version: int


def stream_events(
    environment: EnvironmentState, selection: EventSelection, tribes: Mapping[str, Definition]
) -> tuple[Version, Iterator[Sequence[PersonEvent]]]:
    """See `tagloom.ports.events.Events`. It takes the read lock itself, for each block and each chunk.

    A chunk may be empty, so that the caller can stop a long scan. Cost: about 1 us per event of the blocks that are
    read, and 8 us per selected event.
    """
    scan = environment.read(lambda: _begin(environment, selection, tribes))

    def chunks() -> Iterator[Sequence[PersonEvent]]:
        after, waiting, size = selection.first_version - 1, list[PersonEvent](), 0
        while (found := environment.read(partial(_next, environment, selection, scan, after))) is not None:
            after = found.version
            for some, bytes_of_some in _slices(found):
                if waiting and (
                    len(waiting) + len(some) > _EVENTS_PER_CHUNK or size + bytes_of_some > _BYTES_PER_CHUNK
                ):
                    yield waiting
                    waiting, size = [], 0
                waiting += environment.read(partial(_events, environment, found.columns, some))
                size += bytes_of_some
            yield ()
        yield waiting

    return scan.version, chunks()


def _begin(environment: EnvironmentState, selection: EventSelection, tribes: Mapping[str, Definition]) -> _Scan:
    """Finds the people of a selection, and the blocks with their events. Raises: PersonNotFound."""
    version, last = environment.stamp.version, selection.last_version
    if last is not None:
        version = min(version, Version(last))
    if selection.person is not None:
        ordinal = queries.find_ordinal(environment, selection.person)
        if ordinal is None:
            raise PersonNotFound(f"There is no {selection.person.kind} with this id.")
        people = environment.links.with_linked(BitMap([ordinal]))
    elif selection.tribe is not None:
        people = environment.links.with_linked(rule_bitmaps.members(selection.tribe, tribes, environment))
    else:
        return _Scan(version, None, [])
    all_blocks = environment.snapshot().event_people(version + 1)
    blocks = [block for block, inside in all_blocks if not people.isdisjoint(from_bytes(inside))]
    return _Scan(version, people, blocks[::-1])


def _next(environment: EnvironmentState, selection: EventSelection, scan: _Scan, after: int) -> _Found | None:
    """Returns the selected events of the first block above `after` that may have some, or None if there is none.

    Blocks may be merged between two calls. So only events of versions above `after` are taken from a block.
    """
    skipped = after
    if scan.people is not None:
        following = next((block for block in scan.blocks if block > after), None)
        if following is None:
            return None
        skipped = following - 1  # The blocks before have no event of these people.
    block = environment.snapshot().next_event_block(skipped, selection.since, selection.until)
    if block is None or block.first_version > scan.version:
        return None
    columns = unpack(block)
    chosen = (columns.versions > after) & (columns.versions <= scan.version)
    if selection.since is not None:
        chosen &= columns.at >= selection.since
    if selection.until is not None:
        chosen &= columns.at < selection.until
    if selection.events:
        types = [
            number for number, type in enumerate(columns.types) if any(is_of(type, each) for each in selection.events)
        ]
        chosen &= np.isin(columns.type_numbers, types)
    if scan.people is not None:
        chosen &= np.isin(columns.ordinals, ordinals_of(scan.people & from_bytes(block.people)))
    return _Found(columns, np.flatnonzero(chosen), block.version)


def _slices(found: _Found) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Yields the places of the events of a block in slices, each with the bytes of its properties."""
    begin, size = 0, 0
    for end, place in enumerate(found.places.tolist()):
        more = len(found.columns.properties[place])
        if end > begin and (end - begin >= _EVENTS_PER_CHUNK or size + more > _BYTES_PER_CHUNK):
            yield found.places[begin:end], size
            begin, size = end, 0
        size += more
    if begin < len(found.places):
        yield found.places[begin:], size


def _events(environment: EnvironmentState, columns: EventColumns, places: NDArray[np.intp]) -> list[PersonEvent]:
    """Returns the events at these places. Leaves out those of people who were erased meanwhile."""
    ordinals = [Ordinal(each) for each in columns.ordinals[places].tolist()]
    people = queries.people_of(environment, set(ordinals))
    pairs = zip(places.tolist(), ordinals, strict=True)
    return [PersonEvent(people[each], recorded_event(columns, place)) for place, each in pairs if each in people]
