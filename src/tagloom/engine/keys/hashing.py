"""People's keys: hashed without a Python loop, and looked up in tables made of arrays.

A key is `b"u"` or `b"v"` followed by the UTF-8 id. Its hash has 96 bits: 64 in `high`, 32 in `low`. The hash is
multilinear (D. Lemire, O. Kaser, "Strongly universal string hashing is fast", Computer Journal 57, 2014): three
lanes of 32 bits, each strongly universal over the choice of the secret. So whatever ids a stranger picks, two of
them meet with probability 2**-96 while the secret stays one: 50 million people collide once in 10**13 installations.
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
from tagloom.words.model import Person

Hashes = NDArray[np.uint64]
Lows = NDArray[np.uint32]
Ordinals = NDArray[np.uint32]

LANES = 3
# A lane's random words: one to begin with, one for the length, one for each four bytes of the longest key, which is
# read eight bytes at a time. For ever: another number would change every stored hash.
_WORDS_PER_LANE = 2 + 2 * ((1 + 4 * limits.CHARACTERS_PER_ID_MAX + 7) // 8)
_ROWS_AT_ONCE = 16_384  # The working arrays of one block stay in the second-level cache.
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(0xFFFFFFFF)
# By the number of bytes that a word has of its key: the bits that are the key's.
_KEPT_BITS = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
_SLOTS_FIRST = 1 << 12  # Enough for most bodies; a table grows fourfold,
_SLOTS_MANY = 1 << 20  # from here on twofold: new memory costs more than what is done in it.


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


class Keyed(NamedTuple):
    """Some keys with their hashes, in the same order."""

    keys: pa.BinaryArray
    hashes: Hashed

    def take(self, places: NDArray[np.int64]) -> "Keyed":
        """Those at these places."""
        return Keyed(self.keys.take(pa.array(places)), Hashed(self.hashes.high[places], self.hashes.low[places]))


class KeyHash:
    """The hash function of one environment, drawn from its 32-byte secret."""

    def __init__(self, secret: bytes) -> None:
        stream = hashlib.shake_256(secret).digest(LANES * _WORDS_PER_LANE * 8)
        self._lanes = np.frombuffer(stream, dtype="<u8").reshape(LANES, _WORDS_PER_LANE)
        # For single keys the lanes lie side by side in large numbers, 128 bits each: a lane's sum has 105 at most.
        packed = [
            first | second << 128 | third << 256 for first, second, third in zip(*self._lanes.tolist(), strict=True)
        ]
        self._first, self._per_byte, self._packed = packed[0], packed[1], packed[2:]

    def one(self, key: bytes) -> tuple[int, int]:
        """The hash of a single key: (high, low). Costs about 1 us for a short key."""
        length = len(key)
        words = struct.unpack(f"<{(length + 3) // 4}I", key + bytes(-length % 4))
        lanes = sum(map(mul, words, self._packed), self._first + length * self._per_byte)
        return lanes & 0xFFFFFFFF00000000 | lanes >> 160 & 0xFFFFFFFF, lanes >> 288 & 0xFFFFFFFF

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
            word &= _KEPT_BITS[np.minimum(lengths[everyone] - offset, 8)]
            first, second = word & _LOW_HALF, word >> _HALF
            for lane, total in zip(self._lanes, sums, strict=True):
                sum_here = first * lane[offset // 4 + 2]
                sum_here += second * lane[offset // 4 + 3]
                total[everyone] += sum_here


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

    16 bytes a slot, at most two thirds of them taken: 24 to 48 bytes a key once there are many.
    """

    def __init__(self) -> None:
        self._count = 0
        self._reserve(_SLOTS_FIRST)

    def _reserve(self, slots: int) -> None:
        self._shift = np.uint64(64 - (slots.bit_length() - 1))
        self._mask = np.int64(slots - 1)
        self._high = np.zeros(slots, np.uint64)
        # `low << 32 | ordinal + 1`; a claimed slot has any other number there, and zero says that the slot is free.
        self._rest = np.zeros(slots, np.uint64)

    def __len__(self) -> int:
        return self._count

    def claim(self, keys: Hashed) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A slot for each key, the same for equal ones, and where each key that is new here first stands, in order.

        The slots of new keys are claimed and wait for `settle`. Good until the next `claim`. Costs about 60 ns a key.
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
        """Fills in the slots; returns who claimed theirs. `low` stands in the upper halves of its words."""
        np.right_shift(high, self._shift, out=slots.view(np.uint64))
        # Keys that have no slot yet, with the slots at which they look next.
        waiting, at, their_high, their_low = np.arange(len(high)), slots, high, low
        won: list[NDArray[np.int64]] = []
        while len(waiting):
            rest = self._rest[at]
            free = np.flatnonzero(rest == 0)
            if len(free):
                places, claims = at[free], their_low[free] | (waiting[free] + 1).view(np.uint64)
                # Of equal indices the last assignment stays: backwards, so that the first key gets the slot.
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
        """Gives claimed slots their ordinals."""
        self._rest[slots] = self._rest[slots] & ~_LOW_HALF | (ordinals + 1).view(np.uint64)

    def ordinals(self, slots: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The ordinals of settled slots."""
        return self._rest[slots].astype(np.uint32) - np.uint32(1)

    def _grow(self) -> None:
        """Makes room, in one pass: in order of their hashes, each key goes to its first slot, or behind the last one.

        What comes out is what claiming them one after another would give: no slot is free between a key and its first.
        """
        high, rest = self._high, self._rest
        self._reserve((2 if len(rest) >= _SLOTS_MANY else 4) * len(rest))
        begin = behind = 0
        while rest[begin]:
            begin += 1
        # Keys around the end of a table go in last. All others lie in the block of their first slot, since a block
        # ends before a free slot.
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
    """The places of the keys that are visitors'."""
    if not len(keys):
        return np.empty(0, np.int64)
    _, offsets, data = keys.buffers()
    starts = np.frombuffer(offsets, np.int32)[keys.offset : keys.offset + len(keys)]
    return np.flatnonzero(np.frombuffer(data, np.uint8)[starts] == ord("v"))


def binary_array(keys: Sequence[bytes]) -> pa.BinaryArray:
    """Keys as an Arrow column."""
    return pa.array(keys, pa.binary())
