"""Reads of the computed attributes of many people. Call them inside `EnvironmentState.read`."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.seen.seen_rows import DaysOfPeople, grouped_by_root, seen_rows, stored_days
from tagloom.engine.state.environment import EnvironmentState
from tagloom.words import limits
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import (
    LIFECYCLE,
    Attribute,
    AttributeName,
    AttributeValue,
    AttributeValues,
    ValueCount,
    plain,
)
from tagloom.words.computed_attributes import (
    COMPUTED_ATTRIBUTES,
    FIRST_SEEN,
    STAGES,
    SeenDays,
    computed_attributes,
)


def list_computed(environment: EnvironmentState) -> list[Attribute]:
    """Returns the computed attributes by name, if anybody has events."""
    return [each for name in sorted(COMPUTED_ATTRIBUTES) if (each := _computed(environment, name)).people]


def _computed(environment: EnvironmentState, name: AttributeName) -> Attribute:
    type, description = COMPUTED_ATTRIBUTES[name]
    people = len(environment.attribute(HasAttribute(name, "is-set")))
    return Attribute(name=name, type=type, description=description, people=people)


def values_of_computed(environment: EnvironmentState, name: AttributeName, limit: int) -> AttributeValues:
    """Returns the most frequent values of a computed attribute. Cost: about 1 us per person with events."""
    counts = _counts_of_stages(environment) if name == LIFECYCLE else _counts_of_days(environment, name)
    is_counted = len(counts) <= limits.ATTRIBUTE_VALUES_COUNTED_MAX
    values = [ValueCount(plain(value), people) for value, people in counts]
    least = greatest = None
    if name != LIFECYCLE and values:
        least, greatest = values[0].value, values[-1].value
    return AttributeValues(
        attribute=_computed(environment, name),
        version=environment.stamp.version,
        distinct=len(values) if is_counted else None,
        values=most_frequent(values, limit) if is_counted else (),
        least=least,
        greatest=greatest,
    )


def most_frequent(values: Sequence[ValueCount], limit: int) -> tuple[ValueCount, ...]:
    """Returns the values that most people have, and of equally frequent ones the first by their JSON."""
    return tuple(sorted(values, key=lambda each: (-each.people, msgspec.json.encode(each.value).decode()))[:limit])


def _counts_of_stages(environment: EnvironmentState) -> list[tuple[AttributeValue, int]]:
    counts = ((stage, len(environment.attribute(HasAttribute(LIFECYCLE, "is", stage)))) for stage in STAGES)
    return [(AttributeValue("text", stage), people) for stage, people in counts if people]


def _counts_of_days(environment: EnvironmentState, name: AttributeName) -> list[tuple[AttributeValue, int]]:
    """Returns each day, ascending, with the number of people."""
    found = _days_of(environment, environment.fact("everyone"))
    days, counts = np.unique(found.first if name == FIRST_SEEN else found.last, return_counts=True)
    return [
        (AttributeValue("time", environment.state.calendar.begin_of(day)), people)
        for day, people in zip(days.tolist(), counts.tolist(), strict=True)
    ]


def _days_of(environment: EnvironmentState, roots: BitMap) -> DaysOfPeople:
    """Returns the days on which roots were seen, of those who were. Cost: about 1 us per person."""
    links, rows = environment.links, seen_rows(environment.dictionary, environment.row)
    days = stored_days(links.with_linked(roots), rows)
    return grouped_by_root(days, links.roots(days.ordinals.astype(np.int64)))


class ComputedValues:
    """The computed attributes of some people at one version and on one day. Memory: 20 bytes per person."""

    def __init__(self, environment: EnvironmentState, people: BitMap) -> None:
        self._today = environment.today()
        self._calendar = environment.state.calendar
        self._days = _days_of(environment, people)

    def inside(self, bucket: int) -> Iterator[tuple[int, Mapping[AttributeName, AttributeValue]]]:
        """Yields those of one bucket, ascending, with their attributes."""
        ends = np.searchsorted(self._days.ordinals, [bucket * ORDINALS_PER_CHUNK, (bucket + 1) * ORDINALS_PER_CHUNK])
        for place in range(*ends.tolist()):
            days = SeenDays(int(self._days.first[place]), int(self._days.last[place]))
            yield int(self._days.ordinals[place]), computed_attributes(days, self._today, self._calendar)
