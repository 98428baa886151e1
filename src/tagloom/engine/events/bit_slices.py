"""Bit-sliced counts: a whole number for each person, as one bitmap per bit.

After P. O'Neil, D. Quass, "Improved Query Performance with Variant Indexes", SIGMOD 1997. A person who is in no bitmap
has the number 0.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, bitmap_of, ordinals_of
from tagloom.engine.links.links import Links


class BitSlices:
    """The counts of people. Bitmap k has the people whose count has bit k."""

    __slots__ = ("_slices",)

    def __init__(self, slices: Iterable[BitMap] = ()) -> None:
        self._slices = list(slices)

    def add(self, ordinals: NDArray[np.uint32]) -> None:
        """Adds 1 for each element. An ordinal that occurs n times gets n more.

        Cost: 30 ns per element, and some microseconds per bitmap.
        """
        if len(ordinals) == 1:
            self._add_at(0, BitMap([int(ordinals[0])]))
            return
        people, counts = np.unique(ordinals, return_counts=True)
        for bit in range(int(counts.max(initial=0)).bit_length()):
            has_bit = people[counts >> bit & 1 == 1]
            if len(has_bit):
                self._add_at(bit, bitmap_of(has_bit))

    def _add_at(self, bit: int, people: BitMap) -> None:
        """Adds 2 ** bit to each person. Changes the bitmaps in place."""
        while people:
            while len(self._slices) <= bit:
                self._slices.append(BitMap())
            carry = self._slices[bit] & people
            self._slices[bit] ^= people
            people, bit = carry, bit + 1

    def put(self, person: int, count: int) -> None:
        """Sets the count of one person. Cost: 0.1 us per bitmap."""
        while len(self._slices) < count.bit_length():
            self._slices.append(BitMap())
        for bit, people in enumerate(self._slices):
            if count >> bit & 1:
                people.add(person)
            else:
                people.discard(person)

    def move(self, links: Links) -> None:
        """Adds the counts of linked people to those of their users. Cost: some microseconds per linked person."""
        people = BitMap.union(BitMap(), *self._slices) & links.people
        if not people:
            return
        sources = ordinals_of(people)
        counts = np.array([self.count_of(each) for each in sources.tolist()], np.int64)
        self.remove(people)
        self.add(np.repeat(links.roots(sources.astype(np.int64)), counts).astype(np.uint32))

    def remove(self, people: BitMap) -> None:
        """Sets the count of people to 0."""
        for each in self._slices:
            each -= people

    def at_least(self, number: int) -> BitMap:
        """Returns the people whose count is at least `number`, which is 1 or more. The caller owns the result.

        Cost: two operations per bitmap, together under 1 ms for 10 million people.
        """
        if number.bit_length() > len(self._slices):
            return BitMap()
        equal: BitMap | None = None
        more = BitMap()
        for bit in reversed(range(len(self._slices))):
            one = self._slices[bit]
            if number >> bit & 1:
                equal = one if equal is None else equal & one
            else:
                more |= one if equal is None else equal & one
                if equal is not None:
                    equal = equal - one
        return more | equal if equal is not None else more

    def bytes_held(self) -> int:
        """Returns about how many bytes the bitmaps take, at most."""
        return sum(64 + 2 * len(people) for people in self._slices)

    def count_of(self, ordinal: int) -> int:
        """Returns the count of one person. Cost: about 0.1 us per bitmap."""
        return sum(1 << bit for bit, people in enumerate(self._slices) if ordinal in people)


def total(parts: Iterable[BitSlices]) -> BitSlices:
    """Returns the sum of counts, as new bitmaps.

    Cost: with 10 million people, of whom 1 million have a count per part, 7 parts take about 60 ms and 30 parts 420 ms.
    """
    found = BitSlices()
    for part in parts:
        found = BitSlices(_sum(found._slices, part._slices))
    return found


def _sum(left: list[BitMap], right: list[BitMap]) -> list[BitMap]:
    """Returns the bitmaps of the sum of two numbers per person: a ripple-carry adder."""
    found, carry = list[BitMap](), BitMap()
    for bit in range(max(len(left), len(right))):
        both = [side[bit] for side in (left, right) if bit < len(side)]
        if len(both) == 1:
            found.append(both[0] ^ carry)
            carry = both[0] & carry
        else:
            one_of = both[0] ^ both[1]
            found.append(one_of ^ carry)
            carry = both[0] & both[1] | one_of & carry
    if carry:
        found.append(carry)
    return found
