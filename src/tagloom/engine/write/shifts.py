"""Shifts: the people who enter a row and those who leave it, collected while a draft is made."""

from collections.abc import Iterator
from typing import NamedTuple

from tagloom.engine.bitmaps import BitMap


class Shift(NamedTuple):
    """The people who enter a period row, or a row of an attribute, and those who leave it."""

    added: BitMap
    removed: BitMap


class ScheduledCounts(NamedTuple):
    """The numbers of taggings that a draft schedules, also at another time, and that are scheduled no longer."""

    scheduled: int
    unscheduled: int


class PeriodShifts:
    """The shifts of period rows of one kind: by tag, and then by row. A row without a shift is not in it."""

    def __init__(self) -> None:
        self.by_tag: dict[int, dict[int, Shift]] = {}

    def __bool__(self) -> bool:
        return bool(self.by_tag)

    def rows(self) -> Iterator[tuple[int, BitMap, BitMap]]:
        """Yields (row, added, removed) of every row that changes."""
        for tag in sorted(self.by_tag):
            for row, shift in sorted(self.by_tag[tag].items()):
                yield row, shift.added, shift.removed

    def enter(self, tag: int, row: int, people: BitMap) -> None:
        """Adds people to a row of a tag, in which they are not yet."""
        if people:
            added, removed = self.of(tag, row)
            self.by_tag.setdefault(tag, {})[row] = Shift(added | people, removed)

    def leave(self, tag: int, row: int, people: BitMap) -> None:
        """Removes people from a row of a tag, in which they are."""
        if people:
            added, removed = self.of(tag, row)
            self.by_tag.setdefault(tag, {})[row] = Shift(added, removed | people)

    def stay(self, tag: int, row: int, people: BitMap) -> None:
        """Cancels the removal of these people from a row of a tag."""
        added, removed = self.of(tag, row)
        self._put(tag, {**self.by_tag.get(tag, {}), row: Shift(added, removed - people)})

    def exclude(self, tag: int, people: BitMap) -> None:
        """Cancels the additions of these people to all rows of a tag."""
        shifts = self.by_tag.get(tag, {}).items()
        self._put(tag, {row: Shift(added - people, removed) for row, (added, removed) in shifts})

    def of(self, tag: int, row: int) -> Shift:
        """Returns the shift of a row of a tag."""
        return self.by_tag.get(tag, {}).get(row, Shift(BitMap(), BitMap()))

    def entered(self, tag: int) -> BitMap:
        """Returns the people who enter a row of a tag."""
        return BitMap.union(BitMap(), *(shift.added for shift in self.by_tag.get(tag, {}).values()))

    def left(self, tag: int) -> BitMap:
        """Returns the people who leave a row of a tag."""
        return BitMap.union(BitMap(), *(shift.removed for shift in self.by_tag.get(tag, {}).values()))

    def _put(self, tag: int, shifts: dict[int, Shift]) -> None:
        kept = {row: shift for row, shift in shifts.items() if shift.added or shift.removed}
        if kept:
            self.by_tag[tag] = kept
        else:
            self.by_tag.pop(tag, None)


def scheduled_counts(starts: PeriodShifts) -> ScheduledCounts:
    """Counts the taggings that the shifts of start rows schedule and unschedule."""
    scheduled = unscheduled = 0
    for tag in starts.by_tag:
        entered = starts.entered(tag)
        scheduled += len(entered)
        unscheduled += len(starts.left(tag) - entered)
    return ScheduledCounts(scheduled, unscheduled)
