"""The ids of the events of the last days, by which repeats are found."""

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.keys.hashing import Hashed

LOOSE_MAX = 65_536  # Ids that wait in a set before they become a sorted run.

Pair = tuple[int, int]


class _Day:
    """The ids of the events that were recorded on one day: sorted runs, and a set of the latest."""

    def __init__(self) -> None:
        self.loose: set[Pair] = set()
        self.runs: list[Hashed] = []

    def add(self, hashes: Hashed) -> None:
        if len(hashes.high) > LOOSE_MAX:
            self._add_run(hashes)
            return
        self.loose.update(zip(hashes.high.tolist(), hashes.low.tolist(), strict=True))
        if len(self.loose) > LOOSE_MAX:
            pairs = np.array(list(self.loose), dtype=[("high", np.uint64), ("low", np.uint32)])
            self.loose.clear()
            self._add_run(Hashed(pairs["high"].copy(), pairs["low"].copy()))

    def _add_run(self, run: Hashed) -> None:
        """Adds a run. Runs of similar size are merged, so that there are few."""
        while self.runs and len(self.runs[-1].high) < 2 * len(run.high):
            other = self.runs.pop()
            run = Hashed(np.concatenate([run.high, other.high]), np.concatenate([run.low, other.low]))
        order = np.argsort(run.high)
        self.runs.append(Hashed(run.high[order], run.low[order]))

    def has(self, pair: Pair) -> bool:
        return pair in self.loose or any(_is_in(run, pair) for run in self.runs)

    def which(self, hashes: Hashed) -> NDArray[np.bool_]:
        found = np.zeros(len(hashes.high), np.bool_)
        for run in self.runs:
            places = np.searchsorted(run.high, hashes.high)
            inside = places < len(run.high)
            near = np.flatnonzero(inside & (run.high[np.minimum(places, len(run.high) - 1)] == hashes.high))
            for place in near.tolist():
                found[place] |= _is_in(run, (int(hashes.high[place]), int(hashes.low[place])))
        if self.loose:
            pairs = zip(hashes.high.tolist(), hashes.low.tolist(), strict=True)
            found |= np.fromiter((pair in self.loose for pair in pairs), np.bool_, len(found))
        return found


def _is_in(run: Hashed, pair: Pair) -> bool:
    place = int(np.searchsorted(run.high, np.uint64(pair[0])))
    while place < len(run.high) and int(run.high[place]) == pair[0]:
        if int(run.low[place]) == pair[1]:
            return True
        place += 1
    return False


class RecentIds:
    """The hashes of ids by the day on which their events were recorded. Takes 12 bytes per id, up to 100 in a set."""

    def __init__(self) -> None:
        self._days: dict[int, _Day] = {}

    def add(self, day: int, hashes: Hashed) -> None:
        """Adds the ids of events that were recorded on a day."""
        self._days.setdefault(day, _Day()).add(hashes)

    def delete_before(self, day: int) -> None:
        """Deletes the ids of earlier days."""
        for old in [each for each in self._days if each < day]:
            del self._days[old]

    def which(self, hashes: Hashed) -> NDArray[np.bool_]:
        """Returns for each hash whether it is there.

        Cost: about 1 us per hash and run when they are few, and 0.2 us when they are many.
        """
        if len(hashes.high) == 1:
            pair = int(hashes.high[0]), int(hashes.low[0])
            return np.array([any(day.has(pair) for day in self._days.values())])
        found = np.zeros(len(hashes.high), np.bool_)
        for day in self._days.values():
            found |= day.which(hashes)
        return found
