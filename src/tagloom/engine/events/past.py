"""The people of event predicates as of earlier versions, counted from the log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, bitmap_of
from tagloom.engine.events.blocks import unpack
from tagloom.engine.events.counts import matching, periods_of
from tagloom.engine.links.links import Links
from tagloom.engine.storage import EventReads
from tagloom.words.calendars import Calendar
from tagloom.words.event_rules import EventPredicate


class Point(NamedTuple):
    """A version, and the time at which windows end, in milliseconds since 1970: with its day or its hour."""

    version: int
    at: int
    calendar: Calendar

    @property
    def day(self) -> int:
        """The day of the time in the calendar."""
        return self.calendar.day_of(self.at)


class _Found(NamedTuple):
    """The events of one predicate: their people, their days or hours, and the versions that recorded them."""

    people: NDArray[np.uint32]
    periods: NDArray[np.int64]
    versions: NDArray[np.int64]


class EventsAt:
    """The events of some predicates up to some points. Memory: 20 bytes per event."""

    def __init__(
        self,
        snapshot: EventReads,
        windows: Mapping[EventPredicate, int],
        points: Sequence[Point],
        links: Mapping[int, Links],
    ) -> None:
        """Reads the events of predicates from the log. `windows` has the longest window of each.

        `links` has the links of the version of each point, if there are links.
        """
        self.points = points
        self._links = links
        self._found: dict[EventPredicate, _Found] = {}
        if windows and points:
            first, calendar = min(point.at for point in points), points[0].calendar
            since = min(
                predicate.begin_of(predicate.period_of(first, calendar) - window + 1, calendar)
                for predicate, window in windows.items()
            )
            self._found = _found_by_predicate(
                snapshot, windows, since, max(point.version for point in points), calendar
            )

    @property
    def has_predicates(self) -> bool:
        """Whether there are predicates to count."""
        return bool(self._found)

    def people(self, predicate: EventPredicate, times: int, window: int, point: Point) -> BitMap:
        """Returns the people with at least `times` events in the days or hours up to a point."""
        found, last = self._found[predicate], predicate.period_of(point.at, point.calendar)
        inside = (found.versions <= point.version) & (found.periods > last - window) & (found.periods <= last)
        of_point = found.people[inside]
        if point.version in self._links:
            of_point = self._links[point.version].roots(of_point.astype(np.int64)).astype(np.uint32)
        people, counts = np.unique(of_point, return_counts=True)
        return bitmap_of(people[counts >= times])


def _found_by_predicate(
    snapshot: EventReads, predicates: Iterable[EventPredicate], since: int, through: int, calendar: Calendar
) -> dict[EventPredicate, _Found]:
    nothing = _Found(np.empty(0, np.uint32), np.empty(0, np.int64), np.empty(0, np.int64))
    parts: dict[EventPredicate, list[_Found]] = {predicate: [nothing] for predicate in predicates}
    for block in snapshot.event_blocks(since=since):
        if block.first_version > through:
            break
        columns = unpack(block)
        for predicate, found in parts.items():
            places = matching(columns, predicate)
            if len(places):
                periods = periods_of(columns, places, predicate, calendar)
                found.append(_Found(columns.ordinals[places], periods, columns.versions[places]))
    return {
        predicate: _Found(*(np.concatenate(column) for column in zip(*found, strict=True)))
        for predicate, found in parts.items()
    }
