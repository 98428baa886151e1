"""Footprints: the people that a version changes in each bucket, and the places of these changes."""

from array import array
from collections.abc import Iterator

from tagloom.engine.bitmaps import BitMap, to_bytes
from tagloom.engine.storage import Footprint

# A version that changes many people of a bucket stores its footprint in parts of so many changes, so that a search for
# one person reads few of them.
_PEOPLE_IN_PARTS = 4_096
_CHANGES_PER_PART = 32


class Footprints:
    """The footprints of a version, which grow while its changes are made one after another."""

    def __init__(self) -> None:
        # For each bucket: the people of each change, and the place of each change.
        self._buckets: dict[int, tuple[list[BitMap], array[int]]] = {}
        self._count = 0

    def add(self, bucket: int, plus: BitMap, minus: BitMap) -> None:
        """Adds the next change."""
        found = self._buckets.get(bucket)
        if found is None:
            found = self._buckets[bucket] = [], array("I")
        found[0].append(plus | minus if plus and minus else plus or minus)
        found[1].append(self._count)
        self._count += 1

    def rows(self, version: int) -> Iterator[tuple[int, Footprint]]:
        """Yields each bucket with its footprints."""
        for bucket, (people, places) in self._buckets.items():
            everyone, size = _union(people), len(people)
            if len(everyone) >= _PEOPLE_IN_PARTS and size > _CHANGES_PER_PART:
                size = _CHANGES_PER_PART
            for part, begin in enumerate(range(0, len(people), size)):
                some = everyone if size == len(people) else _union(people[begin : begin + size])
                yield bucket, Footprint(version, part, to_bytes(some), places[begin : begin + size].tobytes())


def _union(people: list[BitMap]) -> BitMap:
    return people[0] if len(people) == 1 else BitMap.union(*people)
