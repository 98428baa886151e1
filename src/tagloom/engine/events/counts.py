"""Daily counts: how often each person did what an event predicate describes, by day, as bit-sliced counts.

The counts are derived from the blocks of the log. A commit adds its events to them, and a window of days is the sum of
its days. The people with at least a number of events in a window are a bitmap that is changed in place, so a decision
tests one bit.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagloom.engine import limits
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.events.bit_slices import BitSlices, total
from tagloom.engine.events.blocks import EventColumns, unpack
from tagloom.engine.links.links import Moves
from tagloom.engine.storage import EventReads
from tagloom.words.event_rules import EventPredicate
from tagloom.words.events import DAY_MS
from tagloom.words.limits import EVENT_DAYS_MAX

_TESTED_MAX = 1_000  # A commit with the events of more people compares the whole window instead of each person.

Days = dict[int, BitSlices]
"""Counts by day, in days since 1970."""


class Moving(NamedTuple):
    """How counts move when links change, and all events of the people of `moves.parts`."""

    moves: Moves
    events: EventColumns


class NotCounted(Exception):
    """Predicates are not counted from the days on that their windows begin. Count them from the log, and ask again.

    `since` has the first day of each.
    """

    def __init__(self, since: Mapping[EventPredicate, int]) -> None:
        super().__init__(since)
        self.since = since


class _Window:
    """The sum of the last days, and the people with at least a number of events, by that number."""

    def __init__(self, days: int, sum: BitSlices) -> None:
        self.days = days
        self.sum = sum
        self.people: dict[int, BitMap] = {}


class _Counts:
    """The counts of one predicate. Every day from `since` on is counted; a day without events is absent."""

    def __init__(self, since: int, days: Days) -> None:
        self.since = since
        self.days = days
        self.windows: dict[int, _Window] = {}

    def sum(self, days: int, today: int) -> BitSlices:
        return total(self.days[day] for day in range(today - days + 1, today + 1) if day in self.days)

    def add(self, ordinals: NDArray[np.uint32], days: NDArray[np.int64], today: int) -> BitMap:
        """Adds events. Returns the people of these events."""
        touched = BitMap(np.unique(ordinals).tolist())
        for day in np.unique(days).tolist():
            if day < self.since:
                continue
            some = ordinals[days == day]
            self.days.setdefault(day, BitSlices()).add(some)
            for window in self.windows.values():
                if today - window.days < day <= today:
                    window.sum.add(some)
        for window in self.windows.values():
            for number, people in window.people.items():
                if len(touched) > _TESTED_MAX:
                    people |= window.sum.at_least(number)
                else:
                    people.update([each for each in touched - people if window.sum.count_of(each) >= number])
        return touched

    def by_day(self, person: int) -> dict[int, int]:
        """Returns the counts of a person by day, of the days with events."""
        return {day: count for day, slices in self.days.items() if (count := slices.count_of(person))}

    def transfer(self, source: int, target: int, by_day: Mapping[int, int], today: int) -> None:
        """Subtracts counts by day from those of one person, and adds them to those of another."""
        for day, count in by_day.items():
            if day < self.since:
                continue
            inside = [window.sum for window in self.windows.values() if today - window.days < day <= today]
            for slices in (self.days.setdefault(day, BitSlices()), *inside):
                slices.put(source, slices.count_of(source) - count)
                slices.put(target, slices.count_of(target) + count)
        for window in self.windows.values():
            for number, people in window.people.items():
                for person in (source, target):
                    if window.sum.count_of(person) >= number:
                        people.add(person)
                    else:
                        people.discard(person)

    def move(self, today: int) -> BitMap:
        """Moves the windows to another day. Returns the people who enter or leave one of them."""
        moved = BitMap()
        for window in self.windows.values():
            window.sum = self.sum(window.days, today)
            for number, people in window.people.items():
                changed = people ^ window.sum.at_least(number)
                people ^= changed
                moved |= changed
        longest = max(self.windows, default=0)
        for day in [each for each in self.days if each <= today - longest]:
            del self.days[day]
        self.since = max(self.since, today - longest + 1)
        return moved

    def bytes_held(self) -> int:
        """Returns about how many bytes the counts of the days take: up to 2 bytes per person and bitmap."""
        return sum(each.bytes_held() for each in self.days.values())

    def remove(self, people: BitMap) -> None:
        for each in (*self.days.values(), *(window.sum for window in self.windows.values())):
            each.remove(people)
        for window in self.windows.values():
            for found in window.people.values():
                found -= people


class EventCounts:
    """The counts of an environment in this process. Its owner holds a lock around each call."""

    def __init__(self, today: Callable[[], int], bytes_max: int) -> None:
        self._today = today
        self._bytes_max = bytes_max
        # The least recently used first.
        self._counts: dict[EventPredicate, _Counts] = {}
        self.day = today()
        """The last day of every window."""

    def is_current(self) -> bool:
        """Returns whether the windows end today, or nothing is counted."""
        return not self._counts or self.day == self._today()

    def is_ready(self, predicate: EventPredicate, times: int, days: int) -> bool:
        """Returns whether `people` has its answer in memory."""
        found = self._counts.get(predicate)
        window = found.windows.get(days) if found is not None else None
        return window is not None and times in window.people

    def people(self, predicate: EventPredicate, times: int, days: int) -> BitMap:
        """Returns the people with at least `times` events (1 or more) of a predicate today and the `days` - 1 before.

        The bitmap must not be changed by the caller, nor kept. Cost: nothing if `follow` was called; else the sum of
        the days, see `total`.

        Raises: NotCounted.
        """
        if self.is_ready(predicate, times, days):
            return self._counts[predicate].windows[days].people[times]
        return self._sum(predicate, days).at_least(times)

    def follow(self, predicate: EventPredicate, times: int, days: int) -> BitMap:
        """Returns what `people` returns, as a bitmap that later commits and the change of the day change in place.

        It is in memory as long as `adopt` returns True. Call it only for rules that are stored. Raises: NotCounted.
        """
        sum, windows = self._sum(predicate, days), self._counts[predicate].windows
        window = windows.get(days)
        if window is None:
            window = windows[days] = _Window(days, sum)
        people = window.people.get(times)
        if people is None:
            people = window.people[times] = window.sum.at_least(times)
        return people

    def count_of(self, ordinal: int, predicate: EventPredicate, days: int) -> int:
        """Returns how many events of a predicate a person has in the last days. Raises: NotCounted."""
        return self._sum(predicate, days).count_of(ordinal)

    def people_with(
        self, predicate: EventPredicate, times: int, days: int, more: Sequence[EventColumns], moving: "Moving"
    ) -> BitMap:
        """Returns what `people` would return after some more events, and after links changed. Raises: NotCounted.

        The people of `more` are roots before the links changed.
        """
        sum = self._sum(predicate, days)
        found, extra = sum.at_least(times), Counter[int]()
        for columns in more:
            extra.update(self._inside(columns, predicate, days).tolist())
        own = Counter[int](self._inside(moving.events, predicate, days).tolist())
        for move in moving.moves.parts:
            extra[move.before] -= own[move.person]
            extra[move.after] += own[move.person]
        for move in moving.moves.wholes:
            count = sum.count_of(move.person) + extra[move.person]
            extra[move.person] -= count
            extra[move.after] += count
        for person, count in extra.items():
            if sum.count_of(person) + count >= times:
                found.add(person)
            else:
                found.discard(person)
        return found

    def _inside(self, columns: EventColumns, predicate: EventPredicate, days: int) -> NDArray[np.uint32]:
        """Returns the people of the events in the window that fulfil a predicate."""
        places = matching(columns, predicate)
        on = columns.at[places] // DAY_MS
        return columns.ordinals[places][(on > self.day - days) & (on <= self.day)]

    def check_counted(self, windows: Mapping[EventPredicate, int]) -> None:
        """Checks that predicates are counted for windows of so many days. Raises: NotCounted, with all that are not."""
        missing = {}
        for predicate, days in windows.items():
            found = self._counts.get(predicate)
            if found is None or found.since > self.day - days + 1:
                missing[predicate] = self._first_day(predicate, days)
        if missing:
            raise NotCounted(missing)

    def _first_day(self, predicate: EventPredicate, days: int) -> int:
        """Returns the day from which on to count. A predicate that is counted again is counted for every window."""
        return self.day - (EVENT_DAYS_MAX if predicate in self._counts else days) + 1

    def _sum(self, predicate: EventPredicate, days: int) -> BitSlices:
        """Returns the counts of a window. They must not be changed. Raises: NotCounted."""
        found, since = self._counts.get(predicate), self.day - days + 1
        if found is not None:
            self._counts[predicate] = self._counts.pop(predicate)
        if found is None or found.since > since:
            raise NotCounted({predicate: self._first_day(predicate, days)})
        window = found.windows.get(days)
        return found.sum(days, self.day) if window is None else window.sum

    def adopt(self, since: Mapping[EventPredicate, int], counted: Mapping[EventPredicate, Days]) -> bool:
        """Stores the counts of predicates, each from a day on. Deletes those that were not used for long if needed.

        Returns False if bitmaps that `follow` returned are no longer changed from now on.
        """
        is_whole = self._counts.keys().isdisjoint(counted)
        for predicate, days in counted.items():
            self._counts.pop(predicate, None)
            self._counts[predicate] = _Counts(since[predicate], days)
        held = {each: counts.bytes_held() for each, counts in self._counts.items()}
        bytes_held = sum(held.values())
        for each in [*held][:-1]:
            if bytes_held <= self._bytes_max and len(self._counts) <= limits.EVENT_PREDICATES_MAX:
                break
            bytes_held -= held[each]
            del self._counts[each]
            is_whole = False
        return is_whole

    def add(self, columns: EventColumns) -> BitMap:
        """Adds recorded events. Returns the people whose counts changed."""
        changed = BitMap()
        for predicate, counts in self._counts.items():
            places = matching(columns, predicate)
            if len(places):
                changed |= counts.add(columns.ordinals[places], columns.at[places] // DAY_MS, self.day)
        return changed

    def move_people(self, moving: "Moving") -> BitMap:
        """Moves counts after links changed. Returns the people whose counts may have changed.

        Cost: some microseconds per move, predicate and day with events.
        """
        for predicate, counts in self._counts.items():
            places = matching(moving.events, predicate)
            people, days = moving.events.ordinals[places], moving.events.at[places] // DAY_MS
            for move in moving.moves.parts:
                by_day = Counter[int](days[people == move.person].tolist())
                counts.transfer(move.before, move.after, by_day, self.day)
            for move in moving.moves.wholes:
                counts.transfer(move.person, move.after, counts.by_day(move.person), self.day)
        every = (*moving.moves.parts, *moving.moves.wholes)
        return BitMap([person for move in every for person in move])

    def is_later_than_today(self) -> bool:
        """Returns whether the clock was set back, so that days before the windows may be missing."""
        return self.day > self._today()

    def move(self) -> BitMap:
        """Moves all windows to today. Returns the people who enter or leave one of them."""
        self.day = self._today()
        return BitMap.union(BitMap(), *(counts.move(self.day) for counts in self._counts.values()))

    def remove(self, people: BitMap) -> None:
        """Removes erased people."""
        for counts in self._counts.values():
            counts.remove(people)

    def clear(self) -> None:
        """Deletes all counts."""
        self._counts.clear()
        self.day = self._today()


def matching(columns: EventColumns, predicate: EventPredicate) -> NDArray[np.int64]:
    """Returns the places of the events that fulfil a predicate, ascending.

    Cost: some ns per event, and 1 us per event of the type if the predicate has conditions.
    """
    numbers = [number for number, each in enumerate(columns.types) if predicate.accepts_type(each)]
    if not numbers:
        return np.empty(0, np.int64)
    if len(numbers) == len(columns.types):
        places = np.arange(len(columns.ordinals))
    else:
        places = np.flatnonzero(np.isin(columns.type_numbers, numbers))
    if not predicate.where:
        return places
    return np.array([place for place in places.tolist() if predicate.accepts(columns.properties[place])], np.int64)


def count_days(
    snapshot: EventReads, wanted: Mapping[EventPredicate, int], *, after: int = 0
) -> dict[EventPredicate, Days]:
    """Counts the events of predicates from the log, each from a day on, of versions above `after`. Reads it once.

    Cost: see `matching`, and 0.7 us per event for unpacking.
    """
    counted: dict[EventPredicate, Days] = {predicate: {} for predicate in wanted}
    for block in snapshot.event_blocks(after=after, since=min(wanted.values()) * DAY_MS):
        columns = unpack(block)
        for predicate, since in wanted.items():
            places = matching(columns, predicate)
            places = places[columns.versions[places] > after]
            people, found = columns.ordinals[places], columns.at[places] // DAY_MS
            for day in np.unique(found[found >= since]).tolist():
                counted[predicate].setdefault(day, BitSlices()).add(people[found == day])
    return counted


def merged(days: Days, more: Mapping[int, BitSlices]) -> Days:
    """Returns the sums of two counts by day."""
    if not more:
        return days
    return {day: total([side[day] for side in (days, more) if day in side]) for day in days.keys() | more.keys()}
