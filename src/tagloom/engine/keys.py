"""People's keys: hashed without a Python loop, and looked up in tables made of arrays.

A key is `b"u"` or `b"v"` followed by the UTF-8 id. Its hash has 96 bits: 64 in `high`, 32 in `low`. The hash is
multilinear (D. Lemire, O. Kaser, "Strongly universal string hashing is fast", Computer Journal 57, 2014): three
lanes of 32 bits, each strongly universal over the choice of the secret. So whatever ids a stranger picks, two of
them meet with probability 2**-96 while the secret stays one: 50 million people collide once in 10**13 installations.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagloom import limits
from tagloom.model import Person

Hashes = NDArray[np.uint64]
Lows = NDArray[np.uint32]
Ordinals = NDArray[np.uint32]

LANES = 3
_WORDS_MAX = (1 + 4 * limits.CHARACTERS_PER_ID_MAX + 3) // 4
_ROWS_AT_ONCE = 16_384  # The working arrays of one block stay in the second-level cache.
_MISSING = np.int64(-1)


def key_of(person: Person) -> bytes:
    """The bytes that name a person in the store."""
    return person.kind[0].encode() + person.id.encode("utf-8")


def person_of(key: bytes) -> Person:
    """The person of a key."""
    return Person("user" if key[:1] == b"u" else "visitor", key[1:].decode("utf-8"))


class Hashed(NamedTuple):
    """The two halves of the hashes of some keys, as parallel arrays."""

    high: Hashes
    low: Lows


class KeyHash:
    """The hash function of one environment, drawn from its 32-byte secret."""

    def __init__(self, secret: bytes) -> None:
        stream = hashlib.shake_256(secret).digest(LANES * (_WORDS_MAX + 2) * 8)
        self._lanes = np.frombuffer(stream, dtype="<u8").reshape(LANES, _WORDS_MAX + 2)
        self._plain = [[int(word) for word in lane] for lane in self._lanes]

    def one(self, key: bytes) -> tuple[int, int]:
        """The hash of a single key: (high, low). Costs about 2 us for a short key."""
        length = len(key)
        words = np.frombuffer(key + bytes(-length % 4), dtype="<u4").tolist()
        lanes = []
        for lane in self._plain:
            total = lane[0] + length * lane[1]
            for index, word in enumerate(words, 2):
                total += word * lane[index]
            lanes.append((total & 0xFFFFFFFFFFFFFFFF) >> 32)
        return lanes[0] << 32 | lanes[1], lanes[2]

    def many(self, keys: pa.BinaryArray) -> Hashed:
        """The hashes of all keys, in their order. Costs about 15 ns a key of a dozen bytes."""
        count = len(keys)
        starts, lengths, data = _layout(keys)
        sums = [np.empty(count, np.uint64) for _ in range(LANES)]
        # Any four bytes of the data as one word, whatever their alignment: a view, not a copy.
        words = np.ndarray((len(data) - 7,), "<u8", data, 0, (1,))
        for begin in range(0, count, _ROWS_AT_ONCE):
            block = slice(begin, begin + _ROWS_AT_ONCE)
            self._add_up(words, starts[block], lengths[block], [lane[block] for lane in sums])
        high = sums[0] >> np.uint64(32)
        high <<= np.uint64(32)
        high |= sums[1] >> np.uint64(32)
        return Hashed(high, (sums[2] >> np.uint64(32)).astype(np.uint32))

    def _add_up(self, words: Hashes, starts: NDArray[np.int64], lengths: NDArray[np.int64], sums: list[Hashes]) -> None:
        long = lengths.astype(np.uint64)
        for lane, total in zip(self._lanes, sums, strict=True):
            np.multiply(long, lane[1], out=total)
            total += lane[0]
        everyone: slice | NDArray[np.int64] = slice(None)
        for offset in range(0, int(lengths.max(initial=0)), 8):
            if offset and int(lengths.min()) <= offset:
                everyone = np.flatnonzero(lengths > offset)
            word = words[starts[everyone] + offset]
            # Bytes behind the end of a key belong to its neighbour and are masked away.
            missing = np.clip(8 - (lengths[everyone] - offset), 0, 7).astype(np.uint64) << np.uint64(3)
            word &= np.uint64(0xFFFFFFFFFFFFFFFF) >> missing
            first, second = word & np.uint64(0xFFFFFFFF), word >> np.uint64(32)
            for lane, total in zip(self._lanes, sums, strict=True):
                total[everyone] += first * lane[offset // 4 + 2] + second * lane[offset // 4 + 3]


def _layout(keys: pa.BinaryArray) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Starts and lengths in bytes of each key, and the data followed by at least eight zero bytes."""
    _, offset_buffer, data_buffer = keys.buffers()
    if not len(keys):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.zeros(8, np.uint8)
    offsets = np.frombuffer(offset_buffer, np.int32)[keys.offset : keys.offset + len(keys) + 1].astype(np.int64)
    begin, end = int(offsets[0]), int(offsets[-1])
    data = np.zeros(end - begin + 8, np.uint8)
    if data_buffer is not None:
        data[: end - begin] = np.frombuffer(data_buffer, np.uint8)[begin:end]
    return offsets[:-1] - begin, np.diff(offsets), data


class KeyTable:
    """Hash -> ordinal in open addressing, for many keys at once. Grows; never forgets.

    16 bytes a slot, at most half of them taken: 32 to 64 bytes a key.
    """

    def __init__(self, capacity: int = 0) -> None:
        self._count = 0
        self._reserve(max(1 << 12, 1 << (2 * capacity).bit_length()))

    def _reserve(self, slots: int) -> None:
        self._bits = np.uint64(64 - (slots.bit_length() - 1))
        self._mask = np.int64(slots - 1)
        self._high = np.zeros(slots, np.uint64)
        self._low = np.zeros(slots, np.uint32)
        # Zero says that the slot is free; ordinal o is stored as o + 1.
        self._ordinal = np.zeros(slots, np.int64)

    def __len__(self) -> int:
        return self._count

    def find(self, keys: Hashed) -> NDArray[np.int64]:
        """The ordinal of each key, -1 where there is none. Costs about 40 ns a key."""
        found = np.empty(len(keys.high), np.int64)
        for begin in range(0, len(found), _ROWS_AT_ONCE):
            block = slice(begin, begin + _ROWS_AT_ONCE)
            self._find_block(keys.high[block], keys.low[block], found[block])
        return found

    def _find_block(self, high: Hashes, low: Lows, found: NDArray[np.int64]) -> None:
        slot = (high >> self._bits).astype(np.int64)
        ordinal = self._ordinal[slot]
        np.subtract(ordinal, 1, out=found)
        wrong = (ordinal != 0) & ((self._high[slot] != high) | (self._low[slot] != low))
        waiting = np.flatnonzero(wrong)
        while len(waiting):
            slot = (slot[waiting] if len(slot) != len(waiting) else slot) + 1 & self._mask
            ordinal = self._ordinal[slot]
            found[waiting] = ordinal - 1
            wrong = (ordinal != 0) & ((self._high[slot] != high[waiting]) | (self._low[slot] != low[waiting]))
            kept = np.flatnonzero(wrong)
            waiting, slot = waiting[kept], slot[kept]

    def add(self, keys: Hashed, ordinals: NDArray[np.int64]) -> None:
        """Puts keys that are not in the table and differ from each other."""
        while 2 * (self._count + len(ordinals)) > len(self._ordinal):
            self._grow()
        self._insert(keys.high, keys.low, ordinals + 1)
        self._count += len(ordinals)

    def _grow(self) -> None:
        taken = np.flatnonzero(self._ordinal)
        high, low, stored = self._high[taken], self._low[taken], self._ordinal[taken]
        self._reserve(4 * len(self._ordinal))
        self._insert(high, low, stored)

    def _insert(self, high: Hashes, low: Lows, stored: NDArray[np.int64]) -> None:
        slot = (high >> self._bits).astype(np.int64)
        waiting = np.arange(len(stored))
        while len(waiting):
            free = np.flatnonzero(self._ordinal[slot[waiting]] == 0)
            candidates = waiting[free]
            # Of several keys that want the same slot the last one written gets it; the others see that and move on.
            self._ordinal[slot[candidates]] = stored[candidates]
            won = candidates[self._ordinal[slot[candidates]] == stored[candidates]]
            self._high[slot[won]], self._low[slot[won]] = high[won], low[won]
            left = self._ordinal[slot[waiting]] != stored[waiting]
            waiting = waiting[left]
            slot[waiting] = slot[waiting] + 1 & self._mask


def distinct(keys: Hashed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each distinct key first stands, in that order, and for every key the number of its distinct one."""
    order = np.argsort(keys.high, kind="stable")
    high, low = keys.high[order], keys.low[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    if np.any(new[1:] & (high[1:] == high[:-1])):
        # Two keys share 64 bits but not 96: sort by all of them, so that equal keys stand together.
        order = np.lexsort((np.arange(len(order)), keys.low, keys.high))
        high, low = keys.high[order], keys.low[order]
        new[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    firsts = order[new]
    rank = np.empty(len(firsts), np.int64)
    by_appearance = np.argsort(firsts)
    rank[by_appearance] = np.arange(len(firsts))
    group = np.empty(len(order), np.int64)
    group[order] = rank[np.cumsum(new) - 1]
    return firsts[by_appearance], group


def binary_array(keys: Sequence[bytes]) -> pa.BinaryArray:
    """Keys as an Arrow column."""
    return pa.array(keys, pa.binary())
