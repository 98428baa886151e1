"""The `attribute` node of rules: how the value of an attribute of a person compares to a value."""

from typing import Literal, NamedTuple, TypeAlias, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.base.text import plural
from tagloom.words import comparisons, limits
from tagloom.words.attributes import LIFECYCLE, AttributeName, Attributes, AttributeValue, parse_attribute_name, time_of
from tagloom.words.calendars import UTC_DAYS, Calendar
from tagloom.words.comparisons import Operator, Value, compare, fault_of_values, identity_of, values_of
from tagloom.words.problems import AttributeNameInvalid, RuleInvalid

TimeOperator = Literal["before", "after", "in-last", "in-next"]
AttributeOperator: TypeAlias = Operator | TimeOperator
TIME_OPERATORS: tuple[TimeOperator, ...] = ("before", "after", "in-last", "in-next")


class HasAttribute(msgspec.Struct, frozen=True, tag="attribute", forbid_unknown_fields=True, eq=False):
    """Holds if the person has a value of the attribute, and the value satisfies the operator.

    `value` is a list for `one-of`, and unset for `is-set`. `contains` also holds for a list with the value as an item.
    `before` and `after` have an ISO 8601 date or time. `in-last` has a number of days: the time is today or on the
    `value` - 1 days before. `in-next` is the same for today and the days after it. A value of another type
    satisfies no operator but `is-set` and `is-not`.
    """

    attribute: AttributeName
    op: AttributeOperator
    value: Value | tuple[Value, ...] | UnsetType = UNSET

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HasAttribute) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        return self.attribute, self.op, identity_of(self.value)


class TimeBounds(NamedTuple):
    """Times from `first` on, and before `end`, in milliseconds since 1970."""

    first: int
    end: int


ANY_TIME_BEGIN, ANY_TIME_END = -(2**62), 2**62


def depends_on_day(node: HasAttribute) -> bool:
    """Returns whether the people of a node change when a day ends."""
    return node.op in ("in-last", "in-next") or node.attribute == LIFECYCLE


def bounds_of(node: HasAttribute, today: int, calendar: Calendar = UTC_DAYS) -> TimeBounds:
    """Returns the times that satisfy a node with a time operator. `today` is a day of the calendar, since 1970.

    >>> bounds_of(HasAttribute(AttributeName("seen"), "in-last", 2), 1)
    TimeBounds(first=0, end=172800000)
    """
    match node.op:
        case "before":
            return TimeBounds(ANY_TIME_BEGIN, _moment(node))
        case "after":
            return TimeBounds(_moment(node) + 1, ANY_TIME_END)
        case "in-last":
            return TimeBounds(calendar.begin_of(today - _days(node) + 1), calendar.begin_of(today + 1))
        case "in-next":
            return TimeBounds(calendar.begin_of(today), calendar.begin_of(today + _days(node)))
    raise AssertionError("only operators of times have bounds")


def _moment(node: HasAttribute) -> int:
    moment = time_of(node.value) if isinstance(node.value, str) else None
    assert moment is not None, "the rule was checked"
    return moment


def _days(node: HasAttribute) -> int:
    assert isinstance(node.value, int), "the rule was checked"
    return node.value


def holds_for_attributes(node: HasAttribute, attributes: Attributes, today: int, calendar: Calendar = UTC_DAYS) -> bool:
    """Returns whether a node holds for a person with these attributes. `today` is a day of the calendar."""
    found = attributes.get(node.attribute)
    return found is not None and holds_for_value(node, found, today, calendar)


def holds_for_value(node: HasAttribute, found: AttributeValue, today: int, calendar: Calendar = UTC_DAYS) -> bool:
    """Returns whether a value satisfies a node."""
    match node.op:
        case "before" | "after" | "in-last" | "in-next":
            if found.type != "time" or not isinstance(found.data, int):
                return False
            bounds = bounds_of(node, today, calendar)
            return bounds.first <= found.data < bounds.end
        case "is" | "is-not" | "one-of" | "contains" | "greater" | "less" | "is-set":
            values = values_of(node.value)
            if node.op == "contains" and isinstance(found.data, tuple):
                return all(each in found.data for each in values)
            if found.type in ("time", "list"):
                # No value of a rule has one of these types.
                return node.op in ("is-set", "is-not")
            return compare(node.op, found.data, values)
        case _:
            assert_never(node.op)


def check_attribute_node(node: HasAttribute, pointer: str) -> None:
    """Checks the fields of a node. `pointer` is its JSON pointer in the rule. Raises: RuleInvalid."""
    try:
        if parse_attribute_name(node.attribute) != node.attribute:
            raise RuleInvalid(f"The name '{node.attribute}' is not in Unicode form NFC.", node=pointer)
    except AttributeNameInvalid as problem:
        raise RuleInvalid(problem.detail, node=pointer) from problem
    if fault := _fault_of_value(node):
        raise RuleInvalid(fault, node=pointer)


def _fault_of_value(node: HasAttribute) -> str:
    match node.op:
        case "before" | "after":
            if not isinstance(node.value, str) or time_of(node.value) is None:
                return f"The value of '{node.op}' is a date such as 2026-03-01, or a time such as 2026-03-01T09:00:00Z."
            return ""
        case "in-last" | "in-next":
            is_whole = isinstance(node.value, int) and not isinstance(node.value, bool)
            if not is_whole or not 1 <= node.value <= limits.ATTRIBUTE_DAYS_MAX:  # type: ignore[operator]  # It is an int.
                return f"The value of '{node.op}' is a number of days from 1 to {limits.ATTRIBUTE_DAYS_MAX:,}."
            return ""
        case _:
            return fault_of_values(node.op, node.value)


_WORDS_OF_TIMES = {"before": "is before", "after": "is after"}


def described_attribute(node: HasAttribute) -> str:
    """Returns a node as a part of a sentence, such as `attribute 'plan' is 'gold'`."""
    match node.op:
        case "before" | "after":
            return f"attribute '{node.attribute}' {_WORDS_OF_TIMES[node.op]} {node.value}"
        case "in-last":
            window = "today" if _days(node) == 1 else f"in the last {plural(_days(node), 'day')}"
            return f"attribute '{node.attribute}' is {window}"
        case "in-next":
            window = "today" if _days(node) == 1 else f"in the next {plural(_days(node), 'day')}"
            return f"attribute '{node.attribute}' is {window}"
        case _:
            return f"attribute {comparisons.described(node.attribute, node.op, values_of(node.value))}"
