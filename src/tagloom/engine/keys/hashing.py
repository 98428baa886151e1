"""People's keys: hashes computed without a Python loop, and hash tables made of arrays.

A key is `b"u"` or `b"v"` followed by the UTF-8 id. Its hash has 96 bits: 64 in `high`, 32 in `low`. The hash is
multilinear (D. Lemire, O. Kaser, "Strongly universal string hashing is fast", Computer Journal 57, 2014): three
lanes of 32 bits, each strongly universal over the choice of the secret. While the secret stays unknown, two ids of an
attacker collide with probability 2**-96: among 50 million people, one collision in 10**13 installations.
"""

import hashlib
import struct
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagloom.words import limits
from tagloom.words.people import Person

Hashes = NDArray[np.uint64]
Lows = NDArray[np.uint32]
Ordinals = NDArray[np.uint32]

LANES = 3
# A lane's random words: one start value, one for the length, and one for each four bytes of the longest key, which is
# read eight bytes at a time. This number must never change, because it determines every stored hash.
_WORDS_PER_LANE = 2 + 2 * ((1 + 4 * limits.CHARACTERS_PER_ID_MAX + 7) // 8)
_ROWS_AT_ONCE = 16_384  # The working arrays of one block stay in the second-level cache.
_FEW = 64  # Up to this number, keys are hashed one by one, because arrays would cost more than they save.
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(0xFFFFFFFF)
# The bits of a word that belong to the key, by the number of its bytes that do.
_KEPT_BITS = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
_SLOTS_FIRST = 1 << 12  # Enough for most bodies. A table grows by a factor of four,
_SLOTS_MANY = 1 << 20  # and from this size on by two, because new memory costs more than the work in it.


def key_of(person: Person) -> bytes:
    """Returns the bytes that identify a person in the store."""
    return person.kind[0].encode() + person.id.encode("utf-8")


def person_of(key: bytes) -> Person:
    """Returns the person of a key."""
    return Person("user" if key[:1] == b"u" else "visitor", key[1:].decode("utf-8"))


class Hashed(NamedTuple):
    """The two halves of the hashes of some keys, as parallel arrays."""

    high: Hashes
    low: Lows


class Keyed(NamedTuple):
    """Some keys with their hashes, in the same order."""

    keys: pa.BinaryArray
    hashes: Hashed

    def take(self, places: NDArray[np.int64]) -> "Keyed":
        """Returns the keys at these places."""
        return Keyed(self.keys.take(pa.array(places)), Hashed(self.hashes.high[places], self.hashes.low[places]))


class KeyHash:
    """The hash function of one environment, derived from its 32-byte secret."""

    def __init__(self, secret: bytes) -> None:
        stream = hashlib.shake_256(secret).digest(LANES * _WORDS_PER_LANE * 8)
        self._lanes = np.frombuffer(stream, dtype="<u8").reshape(LANES, _WORDS_PER_LANE)
        # For single keys the lanes are packed into large integers, 128 bits each, since a lane's sum has at most 105.
        packed = [
            first | second << 128 | third << 256 for first, second, third in zip(*self._lanes.tolist(), strict=True)
        ]
        self._first, self._per_byte, self._packed = packed[0], packed[1], packed[2:]

    def one(self, key: bytes) -> tuple[int, int]:
        """Returns the hash of a single key: (high, low). Cost: about 1 us for a short key."""
        length = len(key)
        words = struct.unpack(f"<{(length + 3) // 4}I", key + bytes(-length % 4))
        lanes = sum(map(mul, words, self._packed), self._first + length * self._per_byte)
        return lanes & 0xFFFFFFFF00000000 | lanes >> 160 & 0xFFFFFFFF, lanes >> 288 & 0xFFFFFFFF

    def of(self, keys: Sequence[bytes]) -> Hashed:
        """Returns the hashes of a list of keys, in their order. Cost: about 1 us for each of a few keys; see `many`."""
        if len(keys) > _FEW:
            return self.many(binary_array(keys))
        pairs = [self.one(key) for key in keys]
        return Hashed(np.array([high for high, _ in pairs], np.uint64), np.array([low for _, low in pairs], np.uint32))

    def many(self, keys: pa.BinaryArray) -> Hashed:
        """Returns the hashes of all keys, in their order. Cost: about 15 ns per key of a dozen bytes."""
        count = len(keys)
        starts, lengths, data = _layout(keys)
        sums = [np.empty(count, np.uint64) for _ in range(LANES)]
        # Any eight bytes of the data as one word, whatever their alignment, as a view without a copy.
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
            # Bytes after the end of a key belong to the next key and are masked.
            word &= _KEPT_BITS[np.minimum(lengths[everyone] - offset, 8)]
            first, second = word & _LOW_HALF, word >> _HALF
            for lane, total in zip(self._lanes, sums, strict=True):
                sum_here = first * lane[offset // 4 + 2]
                sum_here += second * lane[offset // 4 + 3]
                total[everyone] += sum_here


def _layout(keys: pa.BinaryArray) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Returns the start and length in bytes of each key, and the data followed by at least eight zero bytes."""
    _, offset_buffer, data_buffer = keys.buffers()
    if not len(keys):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.zeros(8, np.uint8)
    offsets = np.frombuffer(offset_buffer, np.int32)[keys.offset : keys.offset + len(keys) + 1].astype(np.int64)
    begin, end = int(offsets[0]), int(offsets[-1])
    data = np.zeros(end - begin + 8, np.uint8)
    if data_buffer is not None:
        data[: end - begin] = np.frombuffer(data_buffer, np.uint8)[begin:end]
    return offsets[:-1] - begin, np.diff(offsets), data


def texts_layout(texts: pa.BinaryArray) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint32]]:
    """Returns the start and length in bytes of each text, and any four bytes of the data as one word, by their start.

    The words are a view without a copy. The data is followed by zero bytes.
    """
    starts, lengths, data = _layout(texts)
    return starts, lengths, np.ndarray((len(data) - 3,), "<u4", data, 0, (1,))


class KeyTable:
    """A hash table from hashes to ordinals with open addressing, for many keys at once. It grows and never deletes.

    A slot has 16 bytes, and at most two thirds of the slots are taken: 24 to 48 bytes per key when there are many.
    """

    def __init__(self) -> None:
        self._count = 0
        self._reserve(_SLOTS_FIRST)

    def _reserve(self, slots: int) -> None:
        self._shift = np.uint64(64 - (slots.bit_length() - 1))
        self._mask = np.int64(slots - 1)
        self._high = np.zeros(slots, np.uint64)
        # `low << 32 | ordinal + 1`. A claimed slot has another number in the lower half; zero marks a free slot.
        self._rest = np.zeros(slots, np.uint64)

    def __len__(self) -> int:
        return self._count

    def claim(self, keys: Hashed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns a slot for each key, equal for equal keys, and the place of the first key of each new slot, in order.

        The slots of new keys are claimed until `settle`. They are valid until the next `claim`. Cost: about 60 ns per
        key.
        """
        while 3 * (self._count + len(keys.high)) > 2 * len(self._rest):
            self._grow()
        slots = np.empty(len(keys.high), np.int64)
        new: list[NDArray[np.int64]] = []
        for begin in range(0, len(slots), _ROWS_AT_ONCE):
            block = slice(begin, begin + _ROWS_AT_ONCE)
            won = self._claim_block(keys.high[block], _wide(keys.low[block]), slots[block])
            if won:
                new.append(np.sort(np.concatenate(won)) + begin)
        fresh = np.concatenate(new) if new else np.empty(0, np.int64)
        self._count += len(fresh)
        return slots, fresh

    def _claim_block(self, high: Hashes, low: Hashes, slots: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Fills in the slots. Returns the keys that claimed one. `low` is in the upper halves of its words."""
        np.right_shift(high, self._shift, out=slots.view(np.uint64))
        # The keys that have no slot yet, with the slots that they test next.
        waiting, at, their_high, their_low = np.arange(len(high)), slots, high, low
        won: list[NDArray[np.int64]] = []
        while len(waiting):
            rest = self._rest[at]
            free = np.flatnonzero(rest == 0)
            if len(free):
                places, claims = at[free], their_low[free] | (waiting[free] + 1).view(np.uint64)
                # With equal indices the last assignment wins, so the order is reversed to let the first key win.
                self._rest[places[::-1]] = claims[::-1]
                is_won = self._rest[places] == claims
                winners = waiting[free[is_won]]
                self._high[places[is_won]] = high[winners]
                won.append(winners)
                rest = self._rest[at]
            other = np.flatnonzero((self._high[at] != their_high) | ((rest ^ their_low) >> _HALF != 0))
            waiting, at = waiting[other], at[other] + 1 & self._mask
            slots[waiting] = at
            their_high, their_low = their_high[other], their_low[other]
        return won

    def settle(self, slots: NDArray[np.int64], ordinals: NDArray[np.int64]) -> None:
        """Assigns ordinals to claimed slots."""
        self._rest[slots] = self._rest[slots] & ~_LOW_HALF | (ordinals + 1).view(np.uint64)

    def ordinals(self, slots: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Returns the ordinals of settled slots."""
        return self._rest[slots].astype(np.uint32) - np.uint32(1)

    def _grow(self) -> None:
        """Grows the table in one pass: in order of their hashes, each key goes to its first slot or after the last key.

        The result is the same as claiming the keys one by one: no slot is free between a key and its first slot.
        """
        high, rest = self._high, self._rest
        self._reserve((2 if len(rest) >= _SLOTS_MANY else 4) * len(rest))
        begin = behind = 0
        while rest[begin]:
            begin += 1
        # Keys around the end of the table are inserted last. All others are in the block of their first slot, because a
        # block ends before a free slot.
        late = [np.arange(begin)]
        while begin < len(rest):
            end = min(begin + _ROWS_AT_ONCE, len(rest))
            while end < len(rest) and rest[end]:
                end += 1
            taken = np.flatnonzero(rest[begin:end]) + begin
            begin = end
            if len(taken):
                taken = taken[np.argsort(high[taken], kind="stable")]
                their_high, number = high[taken], np.arange(len(taken))
                first = np.maximum((their_high >> self._shift).view(np.int64), behind)
                slots = np.maximum.accumulate(first - number) + number
                behind = int(slots[-1]) + 1
                fits = int(np.searchsorted(slots, len(self._rest)))
                self._high[slots[:fits]] = their_high[:fits]
                self._rest[slots[:fits]] = rest[taken[:fits]]
                late.append(taken[fits:])
        last = np.concatenate(late)
        slots = np.empty(len(last), np.int64)
        self._claim_block(high[last], rest[last] & ~_LOW_HALF, slots)
        self._rest[slots] = rest[last]


def _wide(low: Lows) -> Hashes:
    return low.astype(np.uint64) << _HALF


def visitors_among(keys: pa.BinaryArray) -> NDArray[np.int64]:
    """Returns the places of the keys of visitors."""
    if not len(keys):
        return np.empty(0, np.int64)
    _, offsets, data = keys.buffers()
    starts = np.frombuffer(offsets, np.int32)[keys.offset : keys.offset + len(keys)]
    return np.flatnonzero(np.frombuffer(data, np.uint8)[starts] == ord("v"))


def binary_array(keys: Sequence[bytes]) -> pa.BinaryArray:
    """Returns keys as an Arrow column."""
    return pa.array(keys, pa.binary())
