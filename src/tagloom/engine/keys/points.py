"""The points of people for the salts of `percent` nodes, computed for many keys at once and cached.

`words.percent_rules.point_of` defines the point of one person, and tests compare the two.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tagloom.engine import limits
from tagloom.engine.bitmaps import BitMap, bitmap_of
from tagloom.engine.keys.directory import Directory, Opener
from tagloom.engine.keys.hashing import texts_layout
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.words.people import KINDS
from tagloom.words.percent_rules import FIRST_FACTOR, POINTS, SECOND_FACTOR, STATE_ADDEND, murmur3_state

Points = NDArray[np.uint16]
Key = TypeVar("Key")
Value = TypeVar("Value")

NO_POINT = 65_535
"""The point of an erased person, whose key is deleted. No share has it."""

_ROWS_AT_ONCE = 16_384  # The working arrays of one block stay in the second-level cache.


class Share(NamedTuple):
    """The people with a point from `begin` on and below `end`, for a salt."""

    salt: str
    begin: int
    end: int


def points_of(keys: pa.BinaryArray, salt: str) -> Points:
    """Returns the points of keys, in their order. Cost: about 0.1 us per key."""
    points = np.full(len(keys), NO_POINT, np.uint16)
    for kind in KINDS:
        is_kind = pc.starts_with(keys, kind[0].encode()).to_numpy(zero_copy_only=False)
        places = np.flatnonzero(is_kind)
        if not len(places):
            continue
        some = keys if len(places) == len(keys) else keys.take(pa.array(places))
        prefix = f"{salt}/{kind}/".encode("ascii")
        whole = len(prefix) & ~3
        # The kind and the blocks of the prefix are the same for all keys, so only the rest is hashed for each key.
        texts = pc.binary_replace_slice(some, 0, 1, prefix[whole:])
        hashes = _murmur3(texts, murmur3_state(prefix[:whole]), whole)
        points[places] = (hashes % np.uint32(POINTS)).astype(np.uint16)
    return points


def _murmur3(texts: pa.BinaryArray, state: int, bytes_before: int) -> NDArray[np.uint32]:
    """Returns the hashes of texts, each after `bytes_before` bytes that led to `state`."""
    starts, lengths, words = texts_layout(texts)
    hashes = np.full(len(texts), state, np.uint32)
    for begin in range(0, len(texts), _ROWS_AT_ONCE):
        block = slice(begin, begin + _ROWS_AT_ONCE)
        _hash_block(words, starts[block], lengths[block], hashes[block], bytes_before)
    return hashes


def _hash_block(
    words: NDArray[np.uint32],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    state: NDArray[np.uint32],
    bytes_before: int,
) -> None:
    """Hashes one block of texts in place. Texts of different lengths leave the loop at different times."""
    shortest = int(lengths.min())
    for offset in range(0, int(lengths.max()), 4):
        if offset + 4 <= shortest:
            state ^= _mixed(words[starts + offset])
            _step(state)
            continue
        whole = np.flatnonzero(lengths >= offset + 4)
        if len(whole):
            stepped = state[whole] ^ _mixed(words[starts[whole] + offset])
            _step(stepped)
            state[whole] = stepped
        ending = np.flatnonzero((lengths > offset) & (lengths < offset + 4))
        if len(ending):
            bits = (8 * (lengths[ending] - offset)).astype(np.uint32)
            # Bytes after the end of a text belong to the next text and are masked.
            tails = words[starts[ending] + offset] & ((np.uint32(1) << bits) - np.uint32(1))
            state[ending] ^= _mixed(tails)
    state ^= (lengths + bytes_before).astype(np.uint32)
    state ^= state >> np.uint32(16)
    state *= np.uint32(0x85EBCA6B)
    state ^= state >> np.uint32(13)
    state *= np.uint32(0xC2B2AE35)
    state ^= state >> np.uint32(16)


def _mixed(blocks: NDArray[np.uint32]) -> NDArray[np.uint32]:
    blocks *= np.uint32(FIRST_FACTOR)
    mixed = blocks << np.uint32(15)
    blocks >>= np.uint32(17)
    mixed |= blocks
    mixed *= np.uint32(SECOND_FACTOR)
    return mixed


def _step(state: NDArray[np.uint32]) -> None:
    high = state >> np.uint32(19)
    state <<= np.uint32(13)
    state |= high
    state *= np.uint32(5)
    state += np.uint32(STATE_ADDEND)


def people_from(first: int, keys: pa.BinaryArray, share: Share) -> BitMap:
    """Returns the ordinals from `first` on whose keys are in a share. The keys have successive ordinals."""
    return _people_at(first, points_of(keys, share.salt), share)


def _people_at(first: int, points: Points, share: Share) -> BitMap:
    inside = np.flatnonzero((points >= share.begin) & (points < share.end))
    return bitmap_of((inside + first).astype(np.uint32))


class _Held(NamedTuple):
    """The people of a share among the first `through` ordinals, of all people or of one bucket."""

    people: BitMap
    through: int


class _Recent(Generic[Key, Value]):
    """Values up to a number of bytes. The least recently used are deleted; one is always kept."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def peek(self, key: Key) -> Value | None:
        found = self._values.get(key)
        return None if found is None else found[0]

    def get(self, key: Key) -> Value | None:
        if key in self._values:
            self._values.move_to_end(key)
        return self.peek(key)

    def put(self, key: Key, value: Value, size: int) -> None:
        self.delete(key)
        self._values[key] = value, size
        self._bytes += size
        while self._bytes > self._bytes_max and len(self._values) > 1:
            self.delete(next(iter(self._values)))

    def delete(self, key: Key) -> None:
        _, size = self._values.pop(key, (None, 0))
        self._bytes -= size

    def clear(self) -> None:
        self._values.clear()
        self._bytes = 0


class PointCache:
    """The points of one environment by salt and bucket, and the bitmaps of shares. Its owner holds a lock.

    Ordinals are never assigned again, so points stay valid until the keys are read from an older state. The points of
    new people are added to what is cached. Bitmaps that were returned are never changed.
    """

    def __init__(self, bytes_max: int = limits.POINTS_BYTES_MAX) -> None:
        self._points = _Recent[tuple[str, int], Points](bytes_max)
        # Decisions need a share only in one bucket. A bitmap there takes a sixteenth of the points at most.
        self._parts = _Recent[tuple[Share, int], _Held](bytes_max)
        self._shares = _Recent[Share, _Held](bytes_max)

    def clear(self) -> None:
        """Deletes everything, because ordinals may have other people now."""
        for each in (self._points, self._parts, self._shares):
            each.clear()

    def find(self, share: Share, ordinal: int) -> bool | None:
        """Returns whether a person is in a share, or None if that is not cached."""
        held = self._shares.peek(share)
        if held is not None and ordinal < held.through:
            return ordinal in held.people
        held = self._parts.get((share, ordinal // ORDINALS_PER_CHUNK))
        if held is not None and ordinal % ORDINALS_PER_CHUNK < held.through:
            return ordinal in held.people
        return None

    def part(self, share: Share, bucket: int, size: int, directory: Directory, opener: Opener) -> BitMap:
        """Returns the people of a share among the first `size` ordinals of a bucket. The bitmap must not be changed.

        Cost: about 7 ms for a whole bucket.
        """
        held = self._parts.get((share, bucket)) or _Held(BitMap(), 0)
        if held.through < size:
            added = self._people_between(share, bucket, held.through, size, directory, opener)
            held = _Held(held.people | added, size)
            self._parts.put((share, bucket), held, _size(held))
        return held.people

    def people(self, share: Share, count: int, directory: Directory, opener: Opener) -> BitMap:
        """Returns the people of a share among the first `count` ordinals. The bitmap must not be changed.

        Cost: about 0.1 us per person for the first share of a salt, and 2 ns for a further one. Only the people that
        came since the last call are added.
        """
        held = self._shares.get(share) or _Held(BitMap(), 0)
        if held.through < count:
            parts = [held.people]
            for bucket in range(held.through // ORDINALS_PER_CHUNK, -(-count // ORDINALS_PER_CHUNK)):
                first = bucket * ORDINALS_PER_CHUNK
                begin, end = max(held.through - first, 0), min(count - first, ORDINALS_PER_CHUNK)
                parts.append(self._people_between(share, bucket, begin, end, directory, opener))
            held = _Held(BitMap.union(*parts), count)
            self._shares.put(share, held, _size(held))
        return held.people

    def _people_between(
        self, share: Share, bucket: int, begin: int, end: int, directory: Directory, opener: Opener
    ) -> BitMap:
        """Returns the people of a share among the ordinals `begin` to `end` of a bucket."""
        points = self._points_of(share.salt, bucket, end, directory, opener)[begin:end]
        return _people_at(bucket * ORDINALS_PER_CHUNK + begin, points, share)

    def _points_of(self, salt: str, bucket: int, size: int, directory: Directory, opener: Opener) -> Points:
        """Returns the points of the first `size` ordinals of a bucket or more."""
        points = self._points.get((salt, bucket))
        if points is None or len(points) < size:
            known = [] if points is None else [points]
            first = bucket * ORDINALS_PER_CHUNK
            columns = _keys_between(directory, first + sum(map(len, known)), first + size, opener)
            points = np.concatenate([*known, *(points_of(column, salt) for column in columns)])
            self._points.put((salt, bucket), points, points.nbytes)
        return points


def _size(held: _Held) -> int:
    """Returns the most bytes that a bitmap of so many ordinals needs."""
    return held.through // 8


def _keys_between(directory: Directory, begin: int, end: int, opener: Opener) -> Iterator[pa.BinaryArray]:
    """Yields the keys of all ordinals from `begin` on and below `end`, in order."""
    for segment in directory.segments:
        low, high = max(begin, segment.first), min(end, segment.first + segment.size)
        if low < high:
            yield directory.column(segment, opener).slice(low - segment.first, high - low)


Finder = Callable[[Share], BitMap]
"""A function that returns the people of a share in the committed state. The bitmap must not be changed."""
