"""Counts of events: how often each person did what an event predicate describes, by period, as bit-sliced counts.

A period is a day or an hour, as the predicate says. The counts are derived from the blocks of the log. A commit adds
its events to them, and a window is the sum of its periods. The people with at least a number of events in a window are
a bitmap that is changed in place, so a decision tests one bit.
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
from tagloom.engine.events.local_days import days_of
from tagloom.engine.links.links import Moves
from tagloom.engine.storage import EventReads
from tagloom.words.calendars import UTC_DAYS, Calendar
from tagloom.words.event_rules import UNIT_MS, WINDOW_MAX, EventPredicate, Unit

_TESTED_MAX = 1_000  # A commit with the events of more people compares the whole window instead of each person.

Periods = dict[int, BitSlices]
"""Counts by period, in days or hours since 1970."""


class Moving(NamedTuple):
    """How counts move when links change, and all events of the people of `moves.parts`."""

    moves: Moves
    events: EventColumns


class NotCounted(Exception):
    """Predicates are not counted from the begin of their windows on. Count them from the log, and ask again.

    `since` has the first period of each.
    """

    def __init__(self, since: Mapping[EventPredicate, int]) -> None:
        super().__init__(since)
        self.since = since


class _Window:
    """The sum of the last periods, and the people with at least a number of events, by that number."""

    def __init__(self, size: int, sum: BitSlices) -> None:
        self.size = size
        self.sum = sum
        self.people: dict[int, BitMap] = {}


class _Counts:
    """The counts of one predicate. Every period from `since` on is counted; one without events is absent."""

    def __init__(self, since: int, periods: Periods) -> None:
        self.since = since
        self.periods = periods
        self.windows: dict[int, _Window] = {}

    def sum(self, size: int, last: int) -> BitSlices:
        return total(self.periods[period] for period in range(last - size + 1, last + 1) if period in self.periods)

    def add(self, ordinals: NDArray[np.uint32], periods: NDArray[np.int64], last: int) -> BitMap:
        """Adds events. Returns the people of these events."""
        touched = BitMap(np.unique(ordinals).tolist())
        for period in np.unique(periods).tolist():
            if period < self.since:
                continue
            some = ordinals[periods == period]
            self.periods.setdefault(period, BitSlices()).add(some)
            for window in self.windows.values():
                if last - window.size < period <= last:
                    window.sum.add(some)
        for window in self.windows.values():
            for number, people in window.people.items():
                if len(touched) > _TESTED_MAX:
                    people |= window.sum.at_least(number)
                else:
                    people.update([each for each in touched - people if window.sum.count_of(each) >= number])
        return touched

    def by_period(self, person: int) -> dict[int, int]:
        """Returns the counts of a person by period, of those with events."""
        return {period: count for period, slices in self.periods.items() if (count := slices.count_of(person))}

    def transfer(self, source: int, target: int, by_period: Mapping[int, int], last: int) -> None:
        """Subtracts counts by period from those of one person, and adds them to those of another."""
        for period, count in by_period.items():
            if period < self.since:
                continue
            inside = [window.sum for window in self.windows.values() if last - window.size < period <= last]
            for slices in (self.periods.setdefault(period, BitSlices()), *inside):
                slices.put(source, slices.count_of(source) - count)
                slices.put(target, slices.count_of(target) + count)
        for window in self.windows.values():
            for number, people in window.people.items():
                for person in (source, target):
                    if window.sum.count_of(person) >= number:
                        people.add(person)
                    else:
                        people.discard(person)

    def move(self, last: int) -> BitMap:
        """Moves the windows to another period. Returns the people who enter or leave one of them."""
        moved = BitMap()
        for window in self.windows.values():
            window.sum = self.sum(window.size, last)
            for number, people in window.people.items():
                changed = people ^ window.sum.at_least(number)
                people ^= changed
                moved |= changed
        longest = max(self.windows, default=0)
        for period in [each for each in self.periods if each <= last - longest]:
            del self.periods[period]
        self.since = max(self.since, last - longest + 1)
        return moved

    def bytes_held(self) -> int:
        """Returns about how many bytes the counts take: up to 2 bytes per person and bitmap."""
        return sum(each.bytes_held() for each in self.periods.values())

    def remove(self, people: BitMap) -> None:
        for each in (*self.periods.values(), *(window.sum for window in self.windows.values())):
            each.remove(people)
        for window in self.windows.values():
            for found in window.people.values():
                found -= people


class EventCounts:
    """The counts of an environment in this process. Its owner holds a lock around each call."""

    def __init__(self, now: Callable[[], int], bytes_max: int, calendar: Calendar = UTC_DAYS) -> None:
        """`now` returns milliseconds since 1970."""
        self.calendar = calendar
        self._now = now
        self._bytes_max = bytes_max
        # The least recently used first.
        self._counts: dict[EventPredicate, _Counts] = {}
        # The last period of every window.
        self._last = self._last_now()

    def put_calendar(self, calendar: Calendar) -> bool:
        """Sets the calendar. Returns whether it is another one, so that all counts were deleted."""
        if calendar == self.calendar:
            return False
        self.calendar = calendar
        self.clear()
        return True

    def is_current(self) -> bool:
        """Returns whether all windows end today, or in this hour."""
        return not self._counts or self._last == self._last_now()

    def _last_now(self) -> dict[Unit, int]:
        now = self._now()
        return {"day": self.calendar.day_of(now), "hour": now // UNIT_MS["hour"]}

    def is_ready(self, predicate: EventPredicate, times: int, size: int) -> bool:
        """Returns whether `people` has its answer in memory."""
        found = self._counts.get(predicate)
        window = found.windows.get(size) if found is not None else None
        return window is not None and times in window.people

    def people(self, predicate: EventPredicate, times: int, size: int) -> BitMap:
        """Returns the people with at least `times` events (1 or more) of a predicate in the last `size` periods.

        The bitmap must not be changed by the caller, nor kept. Cost: nothing if `follow` was called; else the sum of
        the periods, see `total`.

        Raises: NotCounted.
        """
        if self.is_ready(predicate, times, size):
            return self._counts[predicate].windows[size].people[times]
        return self._sum(predicate, size).at_least(times)

    def follow(self, predicate: EventPredicate, times: int, size: int) -> BitMap:
        """Returns what `people` returns, as a bitmap that later commits and the next period change in place.

        It is in memory as long as `adopt` returns True. Call it only for rules that are stored. Raises: NotCounted.
        """
        sum, windows = self._sum(predicate, size), self._counts[predicate].windows
        window = windows.get(size)
        if window is None:
            window = windows[size] = _Window(size, sum)
        people = window.people.get(times)
        if people is None:
            people = window.people[times] = window.sum.at_least(times)
        return people

    def count_of(self, ordinal: int, predicate: EventPredicate, size: int) -> int:
        """Returns how many events of a predicate a person has in the last periods. Raises: NotCounted."""
        return self._sum(predicate, size).count_of(ordinal)

    def people_with(
        self, predicate: EventPredicate, times: int, size: int, more: Sequence[EventColumns], moving: "Moving"
    ) -> BitMap:
        """Returns what `people` would return after some more events, and after links changed. Raises: NotCounted.

        The people of `more` are roots before the links changed.
        """
        sum = self._sum(predicate, size)
        found, extra = sum.at_least(times), Counter[int]()
        for columns in more:
            extra.update(self._inside(columns, predicate, size).tolist())
        own = Counter[int](self._inside(moving.events, predicate, size).tolist())
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

    def _inside(self, columns: EventColumns, predicate: EventPredicate, size: int) -> NDArray[np.uint32]:
        """Returns the people of the events in the window that fulfil a counted predicate."""
        places, last = matching(columns, predicate), self._last[predicate.unit]
        periods = periods_of(columns, places, predicate, self.calendar)
        return columns.ordinals[places][(periods > last - size) & (periods <= last)]

    def check_counted(self, windows: Mapping[EventPredicate, int]) -> None:
        """Checks that predicates are counted for windows of these sizes. Raises: NotCounted, with all that are not."""
        missing = {}
        for predicate, size in windows.items():
            found = self._counts.get(predicate)
            if found is None or found.since > self._last[predicate.unit] - size + 1:
                missing[predicate] = self._first_period(predicate, size)
        if missing:
            raise NotCounted(missing)

    def _first_period(self, predicate: EventPredicate, size: int) -> int:
        """Returns the period from which on to count. A predicate that is counted again is counted for every window."""
        longest = WINDOW_MAX[predicate.unit] if predicate in self._counts else size
        return self._last[predicate.unit] - longest + 1

    def _sum(self, predicate: EventPredicate, size: int) -> BitSlices:
        """Returns the counts of a window. They must not be changed. Raises: NotCounted."""
        found, last = self._counts.get(predicate), self._last[predicate.unit]
        if found is not None:
            self._counts[predicate] = self._counts.pop(predicate)
        if found is None or found.since > last - size + 1:
            raise NotCounted({predicate: self._first_period(predicate, size)})
        window = found.windows.get(size)
        return found.sum(size, last) if window is None else window.sum

    def adopt(self, since: Mapping[EventPredicate, int], counted: Mapping[EventPredicate, Periods]) -> bool:
        """Stores the counts of predicates, each from a period on. Deletes those that were not used for long if needed.

        Returns False if bitmaps that `follow` returned are no longer changed from now on.
        """
        is_whole = self._counts.keys().isdisjoint(counted)
        for predicate, periods in counted.items():
            self._counts.pop(predicate, None)
            self._counts[predicate] = _Counts(since[predicate], periods)
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
                last = self._last[predicate.unit]
                changed |= counts.add(
                    columns.ordinals[places], periods_of(columns, places, predicate, self.calendar), last
                )
        return changed

    def move_people(self, moving: "Moving") -> BitMap:
        """Moves counts after links changed. Returns the people whose counts may have changed.

        Cost: some microseconds per move, predicate and period with events.
        """
        for predicate, counts in self._counts.items():
            places = matching(moving.events, predicate)
            people = moving.events.ordinals[places]
            periods = periods_of(moving.events, places, predicate, self.calendar)
            last = self._last[predicate.unit]
            for move in moving.moves.parts:
                counts.transfer(move.before, move.after, Counter[int](periods[people == move.person].tolist()), last)
            for move in moving.moves.wholes:
                counts.transfer(move.person, move.after, counts.by_period(move.person), last)
        every = (*moving.moves.parts, *moving.moves.wholes)
        return BitMap([person for move in every for person in move])

    def is_later_than_today(self) -> bool:
        """Returns whether the clock was set back, so that periods before the windows may be missing."""
        now = self._last_now()
        return any(last > now[unit] for unit, last in self._last.items())

    def move(self) -> BitMap:
        """Moves all windows to today, or to this hour. Returns the people who enter or leave one of them."""
        before, self._last = self._last, self._last_now()
        moved = (
            counts.move(self._last[predicate.unit])
            for predicate, counts in self._counts.items()
            if self._last[predicate.unit] != before[predicate.unit]
        )
        return BitMap.union(BitMap(), *moved)

    def remove(self, people: BitMap) -> None:
        """Removes erased people."""
        for counts in self._counts.values():
            counts.remove(people)

    def clear(self) -> None:
        """Deletes all counts."""
        self._counts.clear()
        self._last = self._last_now()


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


def periods_of(
    columns: EventColumns, places: NDArray[np.int64], predicate: EventPredicate, calendar: Calendar
) -> NDArray[np.int64]:
    """Returns the day or the hour of events."""
    at = columns.at[places]
    return days_of(at, calendar) if predicate.unit == "day" else at // UNIT_MS["hour"]


def count_periods(
    snapshot: EventReads, wanted: Mapping[EventPredicate, int], calendar: Calendar, *, after: int = 0
) -> dict[EventPredicate, Periods]:
    """Counts the events of predicates from the log, each from a period on, of versions above `after`. Reads it once.

    Cost: see `matching`, and 0.7 us per event for unpacking.
    """
    counted: dict[EventPredicate, Periods] = {predicate: {} for predicate in wanted}
    begin = min(predicate.begin_of(since, calendar) for predicate, since in wanted.items())
    for block in snapshot.event_blocks(after=after, since=begin):
        columns = unpack(block)
        for predicate, since in wanted.items():
            places = matching(columns, predicate)
            places = places[columns.versions[places] > after]
            people, found = columns.ordinals[places], periods_of(columns, places, predicate, calendar)
            for period in np.unique(found[found >= since]).tolist():
                counted[predicate].setdefault(period, BitSlices()).add(people[found == period])
    return counted


def merged(periods: Periods, more: Mapping[int, BitSlices]) -> Periods:
    """Returns the sums of two counts by period."""
    if not more:
        return periods
    sides = (periods, more)
    return {each: total([side[each] for side in sides if each in side]) for each in periods.keys() | more.keys()}
