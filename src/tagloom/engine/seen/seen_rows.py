"""The days of the first and the last event of each person, as bitmaps, and the people whose days are in ranges.

Each of the two days, in days of the environment, is stored like a value of an attribute: a bitmap of the people who
have one, and one per bit of the day. The days of a person are those of the events that named this person. What a linked
person did counts for the user, so the days of a user are the first and the last one of everybody who is linked. They
are combined when they are read, so a link and its undo change nothing that is stored.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.attributes.conditions import at_least, decoded_bits
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.events.blocks import EventColumns
from tagloom.engine.events.local_days import days_of
from tagloom.engine.state.dictionary import Dictionary, RowReader
from tagloom.words.calendars import Calendar
from tagloom.words.computed_attributes import DAYS_END, SeenRange


class RootFinder(Protocol):
    """The links at some version."""

    def roots_of(self, people: BitMap) -> BitMap:
        """Returns the roots of people. The result must not be changed."""
        ...


class DayRows(NamedTuple):
    """The people who have a day, and those of each bit of it. The bitmaps must not be changed."""

    people: BitMap
    bits: Mapping[int, BitMap]

    def from_day(self, day: int) -> BitMap:
        """Returns the people whose day is this one or a later one. Cost: two bitmap operations per bit."""
        if day >= DAYS_END:
            return BitMap()
        return at_least(max(day, 0), self.people, self.bits)


class SeenRows(NamedTuple):
    """The days of the first and the last events. Whoever has one of them has the other one too."""

    first: DayRows
    last: DayRows


class DaysOfPeople(NamedTuple):
    """People, ascending, and the days of their first and last events, in days since 1970."""

    ordinals: NDArray[np.uint32]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


class DaysOfLog:
    """The days of the events of a log, by ordinal. `add` adds the events of a block."""

    def __init__(self, size: int, calendar: Calendar) -> None:
        self._calendar = calendar
        self.first = np.full(size, DAYS_END, np.int64)
        self.last = np.full(size, -1, np.int64)

    def add(self, columns: EventColumns) -> None:
        """Adds events. Cost: 20 ns each."""
        days = days_of(columns.at, self._calendar)
        np.minimum.at(self.first, columns.ordinals, days)
        np.maximum.at(self.last, columns.ordinals, days)


def seen_rows(dictionary: Dictionary, read: RowReader) -> SeenRows:
    """Returns the bitmaps of both days."""
    return SeenRows(*(DayRows(read(row), dictionary.people_by_bit(row, read)) for row in dictionary.seen_rows()))


class SeenBounds(NamedTuple):
    """The people on one side of each bound of a range, whose days are their own: bounds without links.

    `present` and `gone` have those with an event on or after the first day of the range of last days, and after it.
    `begun` and `earlier` have those with an event before the end of the range of first days, and before it.
    """

    present: BitMap
    gone: BitMap
    begun: BitMap
    earlier: BitMap

    def people(self, links: RootFinder) -> BitMap:
        """Returns the roots in the range. Cost: 10 ns per linked person.

        A root is on a side of a bound if anybody who is linked to it is.
        """
        found = links.roots_of(self.present) - links.roots_of(self.gone)
        return (found & links.roots_of(self.begun)) - links.roots_of(self.earlier)


def bounds_in(range: SeenRange, rows: SeenRows) -> SeenBounds:
    """Returns the people on one side of each bound of a range. Cost: 30 bitmap operations per bound."""
    first, last = rows
    return SeenBounds(
        last.from_day(range.last.begin),
        last.from_day(range.last.end),
        first.people - first.from_day(range.first.end),
        first.people - first.from_day(range.first.begin),
    )


def people_seen(ranges: Sequence[SeenRange], rows: SeenRows, links: RootFinder) -> BitMap:
    """Returns the people who are in one of some ranges, as a new bitmap. Cost: see `SeenBounds`."""
    return BitMap.union(BitMap(), *(bounds_in(each, rows).people(links) for each in ranges))


def stored_days(people: BitMap, rows: SeenRows) -> DaysOfPeople:
    """Returns the days of those of these people who have some, without those of linked people.

    Cost: 20 ns per person and bit.
    """
    ordinals, first = decoded_bits(people & rows.first.people, rows.first.bits)
    _, last = decoded_bits(people & rows.last.people, rows.last.bits)
    return DaysOfPeople(ordinals, first.astype(np.int64), last.astype(np.int64))


def grouped_by_root(days: DaysOfPeople, roots: NDArray[np.int64]) -> DaysOfPeople:
    """Returns the days of the roots of people: the first and the last one of each group."""
    people, places = np.unique(roots, return_inverse=True)
    first, last = np.full(len(people), DAYS_END, np.int64), np.zeros(len(people), np.int64)
    np.minimum.at(first, places, days.first)
    np.maximum.at(last, places, days.last)
    return DaysOfPeople(people.astype(np.uint32), first, last)
