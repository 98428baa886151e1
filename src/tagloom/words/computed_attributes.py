"""The computed attributes of a person: the days of the first and the last event, and the stage of the life cycle.

They are computed from the events of a person, so nobody can set them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias, assert_never

from tagloom.words import limits
from tagloom.words.attribute_rules import HasAttribute, bounds_of, holds_for_value
from tagloom.words.attributes import LIFECYCLE, AttributeName, AttributeType, AttributeValue
from tagloom.words.calendars import UTC_DAYS, Calendar
from tagloom.words.events import DAY_MS, EVENTS_BEGIN, TIMES_END

FIRST_SEEN = AttributeName("$first_seen")
LAST_SEEN = AttributeName("$last_seen")


class ComputedAttribute(NamedTuple):
    """The type and the description of a computed attribute."""

    type: AttributeType
    description: str


COMPUTED_ATTRIBUTES: Mapping[AttributeName, ComputedAttribute] = {
    FIRST_SEEN: ComputedAttribute("time", "The day (UTC) of the first event."),
    LAST_SEEN: ComputedAttribute("time", "The day (UTC) of the last event."),
    LIFECYCLE: ComputedAttribute(
        "text",
        f"new: the first event was in the last {limits.ACTIVE_DAYS} days. active: the last event was. at-risk: the "
        f"last event was {limits.ACTIVE_DAYS} to {limits.AT_RISK_DAYS - 1} days ago. lost: it was earlier.",
    ),
}

Stage: TypeAlias = Literal["new", "active", "at-risk", "lost"]
STAGES: tuple[Stage, ...] = ("new", "active", "at-risk", "lost")


class SeenDays(NamedTuple):
    """The days of the first and the last event of a person, in days of a calendar."""

    first: int
    last: int


class DayRange(NamedTuple):
    """Days from `begin` on, and before `end`."""

    begin: int
    end: int


DAYS_END = 2**31
"""A day after every other one."""
ANY_DAY = DayRange(0, DAYS_END)


class SeenRange(NamedTuple):
    """People by the days of their first and their last event. Both must be in the range."""

    first: DayRange = ANY_DAY
    last: DayRange = ANY_DAY

    def has(self, days: SeenDays) -> bool:
        """Returns whether these days are in the ranges."""
        return self.first.begin <= days.first < self.first.end and self.last.begin <= days.last < self.last.end


def seen_together(every: Iterable[SeenDays]) -> SeenDays | None:
    """Returns the first and the last day of all of these; None for none."""
    days = [*every]
    return SeenDays(min(each.first for each in days), max(each.last for each in days)) if days else None


def computed_attributes(
    days: SeenDays | None, today: int, calendar: Calendar = UTC_DAYS
) -> dict[AttributeName, AttributeValue]:
    """Returns the computed attributes of a person; nothing for a person without events.

    The value of a day is the time at which it begins.
    """
    if days is None:
        return {}
    return {
        FIRST_SEEN: AttributeValue("time", calendar.begin_of(days.first)),
        LAST_SEEN: AttributeValue("time", calendar.begin_of(days.last)),
        LIFECYCLE: AttributeValue("text", stage_of(days, today)),
    }


def stage_of(days: SeenDays, today: int) -> Stage:
    """Returns the stage of the life cycle of a person.

    >>> stage_of(SeenDays(first=20_000, last=20_050), today=20_060)
    'active'
    """
    if today - days.first < limits.ACTIVE_DAYS:
        return "new"
    if today - days.last < limits.ACTIVE_DAYS:
        return "active"
    return "at-risk" if today - days.last < limits.AT_RISK_DAYS else "lost"


def range_of_stage(stage: Stage, today: int) -> SeenRange:
    """Returns the people who are in a stage of the life cycle."""
    active, at_risk = today - limits.ACTIVE_DAYS + 1, today - limits.AT_RISK_DAYS + 1
    match stage:
        case "new":
            return SeenRange(first=DayRange(active, DAYS_END))
        case "active":
            return SeenRange(first=DayRange(0, active), last=DayRange(active, DAYS_END))
        case "at-risk":
            return SeenRange(last=DayRange(at_risk, active))
        case "lost":
            return SeenRange(last=DayRange(0, at_risk))
        case _:
            assert_never(stage)


def seen_ranges(node: HasAttribute, today: int, calendar: Calendar = UTC_DAYS) -> tuple[SeenRange, ...]:
    """Returns whose computed attribute satisfies a node, as ranges of which a person is in one.

    `today` is a day of the calendar. No two ranges have a person in common.
    """
    return tuple(_ranges(node, today, calendar))


def _ranges(node: HasAttribute, today: int, calendar: Calendar) -> Iterator[SeenRange]:
    if node.attribute == LIFECYCLE:
        for stage in STAGES:
            if holds_for_value(node, AttributeValue("text", stage), today):
                yield range_of_stage(stage, today)
    elif node.op in ("before", "after", "in-last", "in-next"):
        days = DayRange(*(_first_day_from(bound, calendar) for bound in bounds_of(node, today, calendar)))
        yield SeenRange(first=days) if node.attribute == FIRST_SEEN else SeenRange(last=days)
    elif holds_for_value(node, AttributeValue("time", 0), today):
        # No other operator depends on the time.
        yield SeenRange()


def _first_day_from(bound: int, calendar: Calendar) -> int:
    """Returns the first day that begins at a time or after it."""
    if bound <= EVENTS_BEGIN:
        return 0
    # A calendar does not know the days of the last year.
    return calendar.day_of(bound - 1) + 1 if bound < TIMES_END - 366 * DAY_MS else DAYS_END
