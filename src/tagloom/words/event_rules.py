"""The `event` node of rules: how often a person did something in the last days."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.base.text import plural, printable
from tagloom.words import limits
from tagloom.words.calendars import UTC_DAYS, Calendar
from tagloom.words.comparisons import Operator, Value, compare, described, fault_of_values, identity_of, values_of
from tagloom.words.events import DAY_MS, find_event_type
from tagloom.words.problems import RuleInvalid
from tagloom.words.tags import is_at_or_below, is_tag, parse_tag


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, eq=False):
    """A condition on one property of an event. A condition on a property that is missing or null never holds.

    `value` is a list for `one-of`, and unset for `is-set`. `contains` also holds for a list with the value as an item.
    """

    property: str
    op: Operator
    value: Value | tuple[Value, ...] | UnsetType = UNSET

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return self.property, self.op, identity_of(self.value)

    def holds(self, properties: Mapping[str, Any]) -> bool:
        """Returns whether the condition holds for the properties of an event."""
        found, values = properties.get(self.property), values_of(self.value)
        if self.op == "contains" and isinstance(found, list):
            return any(compare("is", each, values) for each in found)
        return compare(self.op, found, values)


ANY_EVENT = "*"


def is_of(type: str, event: str) -> bool:
    """Returns whether events of a type are meant by a type (`ad/clicked`), a category (`ad`), or `*` for all types.

    >>> is_of("ad/clicked", "ad"), is_of("ad/clicked", "*"), is_of("ad/clicked", "ad/seen")
    (True, True, False)
    """
    return event == ANY_EVENT or is_at_or_below(type, event)


Unit: TypeAlias = Literal["day", "hour"]
UNIT_MS: Mapping[Unit, int] = {"day": DAY_MS, "hour": 3_600_000}
"""The milliseconds of each unit."""
WINDOW_MAX: Mapping[Unit, int] = {"day": limits.EVENT_DAYS_MAX, "hour": limits.EVENT_HOURS_MAX}
"""The longest window in each unit."""


class EventPredicate(NamedTuple):
    """What an event must be to be counted. `event` is a type (`ad/clicked`), a category (`ad`), or `*`.

    `unit` is that of the windows: events are counted by day of a calendar, or by hour in UTC.
    """

    event: str
    where: tuple[Condition, ...] = ()
    unit: Unit = "day"

    def period_of(self, at: int, calendar: Calendar = UTC_DAYS) -> int:
        """Returns the day or the hour of a time in milliseconds since 1970, counted from 1970."""
        return calendar.day_of(at) if self.unit == "day" else at // UNIT_MS["hour"]

    def begin_of(self, period: int, calendar: Calendar = UTC_DAYS) -> int:
        """Returns when a day or an hour begins, in milliseconds since 1970."""
        return calendar.begin_of(period) if self.unit == "day" else period * UNIT_MS["hour"]

    def accepts_type(self, type: str) -> bool:
        """Returns whether events of this type can be counted."""
        return is_of(type, self.event)

    def accepts(self, properties: bytes) -> bool:
        """Returns whether the properties of an event, as JSON, fulfil all conditions. Cost: about 1 us."""
        if not self.where:
            return True
        found = msgspec.json.decode(properties)
        return all(condition.holds(found) for condition in self.where)


class HasEvent(msgspec.Struct, frozen=True, tag="event", forbid_unknown_fields=True):
    """Holds if the number of the person's events in the last days compares to `times` as `count` says.

    `event` is a type, a category for all its types, or `*` for all types. All conditions of `where` must hold for the
    same event. The window is today and the `days` - 1 days before, or this hour and the `hours` - 1 hours before, in
    UTC. Days are those of a calendar. One of `days` and `hours` is set. A person without events has 0.
    """

    event: str
    days: int | UnsetType = UNSET
    where: tuple[Condition, ...] = ()
    count: Literal["at-least", "at-most", "exactly"] = "at-least"
    times: int = 1
    hours: int | UnsetType = UNSET

    @property
    def predicate(self) -> EventPredicate:
        """The events that are counted."""
        return EventPredicate(self.event, self.where, "day" if self.hours is UNSET else "hour")

    @property
    def window(self) -> int:
        """The number of days, or of hours, in the unit of the predicate."""
        if self.hours is not UNSET:
            return self.hours
        assert self.days is not UNSET, "the rule was checked"
        return self.days

    @property
    def least(self) -> int:
        """The number of events that a person must have; 0 for any number."""
        return 0 if self.count == "at-most" else self.times

    @property
    def less_than(self) -> int:
        """The number of events of which a person must have less; 0 for no bound."""
        return 0 if self.count == "at-least" else self.times + 1


class EventFact(NamedTuple):
    """An event of a person, as rules see it. `at` is in milliseconds since 1970."""

    type: str
    at: int
    properties: bytes


def windows_of(nodes: Iterable[HasEvent]) -> dict[EventPredicate, int]:
    """Returns the predicates of nodes with the longest window of each, in its unit."""
    windows: dict[EventPredicate, int] = {}
    for node in nodes:
        windows[node.predicate] = max(node.window, windows.get(node.predicate, 0))
    return windows


EventCounter: TypeAlias = Callable[[EventPredicate, int], int]
"""A function that returns how many events of a predicate a person has in the last days or hours."""


def no_events(predicate: EventPredicate, window: int) -> int:
    """Returns 0: the counter of a person without events."""
    return 0


def counter_of(events: Sequence[EventFact], now: int, calendar: Calendar = UTC_DAYS) -> EventCounter:
    """Returns the counter of a person with these events. `now` is in milliseconds since 1970.

    Days are those of the calendar.

    Cost of a call: one test per event.
    """

    def count(predicate: EventPredicate, window: int) -> int:
        last = predicate.period_of(now, calendar)
        return sum(
            1
            for event in events
            if last - window < predicate.period_of(event.at, calendar) <= last
            and predicate.accepts_type(event.type)
            and predicate.accepts(event.properties)
        )

    return count


def holds_for(node: HasEvent, count_events: EventCounter) -> bool:
    """Returns whether a node holds for a person."""
    found = count_events(node.predicate, node.window)
    return found >= node.least and (not node.less_than or found < node.less_than)


def check_event_node(node: HasEvent, pointer: str) -> None:
    """Checks the fields of a node. `pointer` is its JSON pointer in the rule. Raises: RuleInvalid."""
    fault = fault_of_event_name(node.event) or _fault_of_numbers(node) or _fault_of_conditions(node.where)
    if fault:
        raise RuleInvalid(fault, node=pointer)


def fault_of_event_name(event: str) -> str:
    """Returns why a text is neither an event type nor a category nor `*`, or an empty text."""
    if not event:
        return "Enter an event type such as 'ad/clicked', a category such as 'ad', or * for any event."
    if event == ANY_EVENT:
        return ""
    if is_tag(event) and event.count("/") < 2 and parse_tag(event) == event:
        return ""
    suggestion = find_event_type(event)
    remedy = f" Use '{suggestion}'." if suggestion else ""
    return f"'{printable(event)}' is not an event type such as 'ad/clicked', nor a category such as 'ad'.{remedy}"


def _fault_of_numbers(node: HasEvent) -> str:
    if (node.days is UNSET) is (node.hours is UNSET):
        return "An event node has 'days' or 'hours'."
    most = WINDOW_MAX[node.predicate.unit]
    if not 1 <= node.window <= most:
        return f"'{node.predicate.unit}s' is a number from 1 to {most}."
    if not 0 <= node.times <= limits.EVENT_TIMES_MAX:
        return f"'times' is a number from 0 to {limits.EVENT_TIMES_MAX:,}."
    return ""


def _fault_of_conditions(where: Sequence[Condition]) -> str:
    if len(where) > limits.CONDITIONS_PER_EVENT_MAX:
        return f"An event node has at most {limits.CONDITIONS_PER_EVENT_MAX} conditions."
    for condition in where:
        if not 1 <= len(condition.property) <= limits.CHARACTERS_PER_PROPERTY_MAX:
            return f"The name of a property has 1 to {limits.CHARACTERS_PER_PROPERTY_MAX} characters."
        if fault := fault_of_values(condition.op, condition.value):
            return fault
    return ""


def described_window(unit: Unit, window: int) -> str:
    """Returns a window as a part of a sentence.

    >>> described_window("day", 1), described_window("hour", 1), described_window("hour", 24)
    ('today', 'in this hour', 'in the last 24 hours')
    """
    if window == 1:
        return "today" if unit == "day" else "in this hour"
    return f"in the last {plural(window, unit)}"


_WORDS_OF_COUNTS = {"at-least": "at least", "at-most": "at most", "exactly": "exactly"}


def described_event(node: HasEvent) -> str:
    """Returns a node as a part of a sentence, such as `at least 2 'ad/clicked' events in the last 7 days`."""
    of = "" if node.event == ANY_EVENT else f"'{node.event}' "
    times = f"{node.times:,} {of}{'event' if node.times == 1 else 'events'}"
    where = " and ".join(described(each.property, each.op, values_of(each.value)) for each in node.where)
    window = described_window(node.predicate.unit, node.window)
    return f"{_WORDS_OF_COUNTS[node.count]} {times}{f' where {where}' if where else ''} {window}"
