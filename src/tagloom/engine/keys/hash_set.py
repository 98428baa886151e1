"""A set of hashes of keys in sorted arrays, such as the suppression list of an environment."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.keys.hashing import Hashed

_LEADING_BITS_MIN = 12
_LEADING_BITS_MORE = 4  # Bits beyond those that number the hashes: one in 16 of the others is searched.
_PAIR = np.dtype([("high", np.uint64), ("low", np.uint32)])


class HashSet:
    """Distinct hashes, about 16 bytes each. A set never changes, so any thread can read it."""

    def __init__(self, hashes: Hashed) -> None:
        order = np.lexsort((hashes.low, hashes.high))
        high, low = hashes.high[order], hashes.low[order]
        is_first = np.ones(len(high), np.bool_)
        is_first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        self.hashes = Hashed(high[is_first], low[is_first])
        # Few hashes share their leading bits with one of the set, so most of them need no search.
        bits = max(_LEADING_BITS_MIN, len(self).bit_length() + _LEADING_BITS_MORE)
        self._shift = 64 - bits
        is_taken = np.zeros(1 << bits, np.bool_)
        is_taken[self.hashes.high >> np.uint64(self._shift)] = True
        self._leading = np.packbits(is_taken, bitorder="little")

    @staticmethod
    def of(pairs: Iterable[tuple[int, int]]) -> "HashSet":
        """Returns the set of some hashes, each a pair of its two halves."""
        found = np.fromiter(pairs, _PAIR)
        return HashSet(Hashed(found["high"], found["low"]))

    def __len__(self) -> int:
        return len(self.hashes.high)

    def pairs(self) -> list[tuple[int, int]]:
        """Returns the two halves of each hash, in order."""
        return list(zip(self.hashes.high.tolist(), self.hashes.low.tolist(), strict=True))

    def has(self, high: int, low: int) -> bool:
        """Returns whether the set has a hash. Cost: 0.5 us for most hashes that it does not have."""
        leading = high >> self._shift
        if not self._leading.item(leading >> 3) >> (leading & 7) & 1:
            return False
        mine = self.hashes
        at = int(mine.high.searchsorted(np.uint64(high)))
        while at < len(mine.high) and mine.high.item(at) == high:
            if mine.low.item(at) == low:
                return True
            at += 1
        return False

    def among(self, hashes: Hashed) -> NDArray[np.bool_]:
        """Returns which of these hashes the set has. Cost: about 50 ns each. An empty set costs nothing."""
        mine, found = self.hashes, np.zeros(len(hashes.high), np.bool_)
        if not len(mine.high):
            return found
        leading = hashes.high >> np.uint64(self._shift)
        bits = self._leading[leading >> np.uint64(3)] >> (leading & np.uint64(7)).astype(np.uint8)
        waiting = np.flatnonzero(bits & 1)
        at = np.searchsorted(mine.high, hashes.high[waiting])
        while len(waiting):
            inside = at < len(mine.high)
            waiting, at = waiting[inside], at[inside]
            same = mine.high[at] == hashes.high[waiting]
            waiting, at = waiting[same], at[same]
            hit = mine.low[at] == hashes.low[waiting]
            found[waiting[hit]] = True
            # The loop continues only for keys that share 64 bits with another key.
            waiting, at = waiting[~hit], at[~hit] + 1
        return found

    def union(self, other: "HashSet") -> "HashSet":
        """Returns the hashes of both sets."""
        mine, theirs = self.hashes, other.hashes
        return HashSet(Hashed(np.concatenate((mine.high, theirs.high)), np.concatenate((mine.low, theirs.low))))

    def minus(self, other: "HashSet") -> "HashSet":
        """Returns the hashes that the other set does not have."""
        kept = ~other.among(self.hashes)
        return HashSet(Hashed(self.hashes.high[kept], self.hashes.low[kept]))


NO_HASHES = HashSet.of(())
