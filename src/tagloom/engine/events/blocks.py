"""The blocks of the event log: some events as columns in one compressed byte string."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, ordinals_of
from tagloom.engine.compression import compress, decompress
from tagloom.engine.keys.hashing import Hashed
from tagloom.engine.storage import EventBlock
from tagloom.words.events import Event, EventType

_NONE: Final = np.iinfo(np.int64).min  # The value of an absent time.


class EventColumns(NamedTuple):
    """Some events as parallel columns, in the order in which they were recorded. Times are in milliseconds since 1970.

    `types[type_numbers[i]]` is the type of event i. `originals` and `sent` are _NONE where there is no such time.
    `versions` ascend, and `recorded` has the time of each version.
    """

    ordinals: NDArray[np.uint32]
    types: list[EventType]
    type_numbers: NDArray[np.uint16]
    at: NDArray[np.int64]
    originals: NDArray[np.int64]
    sent: NDArray[np.int64]
    ids: list[str]
    properties: list[bytes]
    versions: NDArray[np.int64]
    recorded: NDArray[np.int64]


class _Stored(msgspec.Struct, array_like=True):
    """The form of a block in the store. A new field comes last, with a default."""

    ordinals: bytes
    types: list[str]
    type_numbers: bytes
    at: bytes
    originals: bytes
    sent: bytes
    ids: bytes
    id_ends: bytes
    properties: bytes
    property_ends: bytes
    versions: bytes
    recorded: bytes


def columns_of(
    events: Sequence[Event], ordinals: NDArray[np.uint32], *, versions: NDArray[np.int64], recorded_at: int
) -> EventColumns:
    """Returns events as columns. `ordinals` has their people, and `versions` the versions that recorded them."""
    numbers: dict[EventType, int] = {}
    type_numbers = [numbers.setdefault(event.type, len(numbers)) for event in events]
    return EventColumns(
        ordinals,
        list(numbers),
        np.array(type_numbers, np.uint16),
        np.array([event.at for event in events], np.int64),
        _times([event.original_at for event in events]),
        _times([event.sent_at for event in events]),
        [event.id for event in events],
        [event.properties for event in events],
        versions,
        np.full(len(events), recorded_at, np.int64),
    )


def _times(times: list[int | None]) -> NDArray[np.int64]:
    return np.array([_NONE if each is None else each for each in times], np.int64)


NO_EVENTS: Final = columns_of([], np.empty(0, np.uint32), versions=np.empty(0, np.int64), recorded_at=0)


def find_time(times: NDArray[np.int64], place: int) -> int | None:
    """Returns the time at a place of a column, or None if there is none."""
    found = int(times[place])
    return None if found == _NONE else found


def pack(columns: EventColumns, *, version: int, recorded_at: int) -> bytes:
    """Returns the stored form; see `compress`.

    `version` and `recorded_at` are those of the block. They are not stored again if all events have them.
    """
    ids = [each.encode() for each in columns.ids]
    plain = msgspec.msgpack.encode(
        _Stored(
            columns.ordinals.astype("<u4").tobytes(),
            list(columns.types),
            columns.type_numbers.astype("<u2").tobytes(),
            _packed_times(columns.at),
            b"" if (columns.originals == _NONE).all() else columns.originals.astype("<i8").tobytes(),
            b"" if (columns.sent == _NONE).all() else columns.sent.astype("<i8").tobytes(),
            b"".join(ids),
            _ends(ids),
            b"".join(columns.properties),
            _ends(columns.properties),
            b"" if (columns.versions == version).all() else _packed_times(columns.versions),
            b"" if (columns.recorded == recorded_at).all() else _packed_times(columns.recorded),
        )
    )
    return compress(plain)


def unpack(block: EventBlock) -> EventColumns:
    """Returns the columns of a stored block. Cost: about 0.7 us per event."""
    found = msgspec.msgpack.decode(decompress(block.columns), type=_Stored)
    ordinals = np.frombuffer(found.ordinals, "<u4")
    absent = np.full(len(ordinals), _NONE)
    return EventColumns(
        ordinals,
        [EventType(each) for each in found.types],
        np.frombuffer(found.type_numbers, "<u2"),
        _unpacked_times(found.at),
        np.frombuffer(found.originals, "<i8") if found.originals else absent,
        np.frombuffer(found.sent, "<i8") if found.sent else absent,
        [each.decode() for each in _split(found.ids, found.id_ends)],
        _split(found.properties, found.property_ends),
        _unpacked_times(found.versions) if found.versions else np.full(len(ordinals), block.version, np.int64),
        _unpacked_times(found.recorded) if found.recorded else np.full(len(ordinals), block.recorded_at, np.int64),
    )


def _packed_times(times: NDArray[np.int64]) -> bytes:
    """Returns the first time, and then the differences, which compress better."""
    return np.diff(times, prepend=np.int64(0)).astype("<i8").tobytes()


def _unpacked_times(data: bytes) -> NDArray[np.int64]:
    return np.frombuffer(data, "<i8").cumsum()


def _ends(texts: Sequence[bytes]) -> bytes:
    return np.cumsum(np.fromiter(map(len, texts), np.uint32, len(texts)), dtype=np.uint32).astype("<u4").tobytes()


def _split(data: bytes, ends: bytes) -> list[bytes]:
    return [data[start:end] for start, end in pairwise([0, *np.frombuffer(ends, "<u4").tolist()])]


def without(columns: EventColumns, people: BitMap) -> EventColumns:
    """Returns the columns without the events of these people."""
    return take(columns, np.flatnonzero(~np.isin(columns.ordinals, ordinals_of(people))))


def take(columns: EventColumns, places: NDArray[np.int64]) -> EventColumns:
    """Returns the events at these places, in this order."""
    some = places.tolist()
    return EventColumns(
        columns.ordinals[places],
        columns.types,
        columns.type_numbers[places],
        columns.at[places],
        columns.originals[places],
        columns.sent[places],
        [columns.ids[place] for place in some],
        [columns.properties[place] for place in some],
        columns.versions[places],
        columns.recorded[places],
    )


def joined(parts: Sequence[EventColumns]) -> EventColumns:
    """Returns the events of all parts, in their order."""
    numbers: dict[EventType, int] = {}
    type_numbers = list[NDArray[np.uint16]]()
    for part in parts:
        of_part = np.array([numbers.setdefault(each, len(numbers)) for each in part.types], np.uint16)
        type_numbers.append(of_part[part.type_numbers])
    return EventColumns(
        np.concatenate([part.ordinals for part in parts]),
        list(numbers),
        np.concatenate(type_numbers),
        np.concatenate([part.at for part in parts]),
        np.concatenate([part.originals for part in parts]),
        np.concatenate([part.sent for part in parts]),
        [each for part in parts for each in part.ids],
        [each for part in parts for each in part.properties],
        np.concatenate([part.versions for part in parts]),
        np.concatenate([part.recorded for part in parts]),
    )


def joined_hashes(parts: Sequence[Hashed]) -> Hashed:
    """Returns the hashes of all parts, in their order."""
    return Hashed(np.concatenate([part.high for part in parts]), np.concatenate([part.low for part in parts]))


def pack_hashes(hashes: Hashed) -> bytes:
    """Returns the stored form of the hashes of ids: all high halves, then all low halves."""
    return hashes.high.astype("<u8").tobytes() + hashes.low.astype("<u4").tobytes()


def unpack_hashes(data: bytes) -> Hashed:
    """Returns the hashes that `pack_hashes` stored."""
    count = len(data) // 12
    return Hashed(np.frombuffer(data, "<u8", count), np.frombuffer(data, "<u4", count, 8 * count))
