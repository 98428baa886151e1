"""Computed attributes: the ranges of days of a node hold for exactly the people whose values satisfy it."""

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from tagloom.words.attribute_rules import HasAttribute, check_attribute_node, depends_on_day, holds_for_attributes
from tagloom.words.attributes import LIFECYCLE
from tagloom.words.calendars import UTC_DAYS, Calendar
from tagloom.words.computed_attributes import (
    COMPUTED_ATTRIBUTES,
    FIRST_SEEN,
    LAST_SEEN,
    SeenDays,
    computed_attributes,
    seen_ranges,
    seen_together,
    stage_of,
)
from tests.time_zones import ZONES

TODAY = 20_513  # 2026-03-01
_names = st.sampled_from(sorted(COMPUTED_ATTRIBUTES))
_values = st.sampled_from(["new", "active", "at-risk", "lost", "a", "", "2026-03-01", True, 0, 7])
_moments = st.sampled_from(
    ["2026-03-01", "2026-02-28", "2026-03-01T00:00:00.001Z", "2026-02-28T23:59:59Z", "0001-01-01", "9999-12-31"]
)
nodes = st.one_of(
    st.builds(HasAttribute, _names, st.sampled_from(["is", "is-not"]), _values),
    st.builds(HasAttribute, _names, st.just("one-of"), st.lists(_values, min_size=1, max_size=3).map(tuple)),
    st.builds(HasAttribute, _names, st.just("contains"), st.sampled_from(["a", "new", "-"])),
    st.builds(HasAttribute, _names, st.sampled_from(["greater", "less"]), st.sampled_from([0, TODAY, 1.5])),
    st.builds(HasAttribute, _names, st.just("is-set")),
    st.builds(HasAttribute, _names, st.sampled_from(["before", "after"]), _moments),
    st.builds(
        HasAttribute, _names, st.sampled_from(["in-last", "in-next"]), st.sampled_from([1, 2, 29, 30, 31, 90, 36_500])
    ),
)
_ages = st.sampled_from([0, 1, 2, 28, 29, 30, 31, 88, 89, 90, 91, 400])
_days = st.tuples(_ages, _ages).map(lambda ages: SeenDays(TODAY - max(ages), TODAY - min(ages)))


@given(nodes, _days, ZONES.map(Calendar))
@example(HasAttribute(LAST_SEEN, "before", "2026-03-01T00:00:00.001Z"), SeenDays(TODAY, TODAY), UTC_DAYS)
@example(HasAttribute(FIRST_SEEN, "after", "2026-02-28T00:00:00Z"), SeenDays(TODAY - 1, TODAY), UTC_DAYS)
def test_the_ranges_of_a_node_hold_for_whom_the_values_satisfy_it(
    node: HasAttribute, days: SeenDays, calendar: Calendar
) -> None:
    check_attribute_node(node, "")
    inside = [each.has(days) for each in seen_ranges(node, TODAY, calendar)]

    assert sum(inside) == holds_for_attributes(node, computed_attributes(days, TODAY, calendar), TODAY, calendar)


@given(nodes, _days)
def test_only_nodes_that_depend_on_the_day_change_with_it(node: HasAttribute, days: SeenDays) -> None:
    later = [holds_for_attributes(node, computed_attributes(days, day), day) for day in (TODAY, TODAY + 1, TODAY + 61)]

    assert depends_on_day(node) or len(set(later)) == 1


@pytest.mark.parametrize(
    ("first", "last", "stage"),
    [
        (0, 0, "new"),
        (29, 0, "new"),
        (30, 0, "active"),
        (400, 29, "active"),
        (400, 30, "at-risk"),
        (30, 30, "at-risk"),
        (400, 89, "at-risk"),
        (400, 90, "lost"),
    ],
)
def test_the_days_of_the_first_and_the_last_event_decide_about_the_stage(first: int, last: int, stage: str) -> None:
    assert stage_of(SeenDays(TODAY - first, TODAY - last), TODAY) == stage


def test_a_person_without_events_has_no_computed_attributes() -> None:
    assert computed_attributes(None, TODAY) == {}
    assert not holds_for_attributes(HasAttribute(LIFECYCLE, "is-not", "lost"), {}, TODAY)


def test_the_days_of_several_people_are_the_first_and_the_last_of_all() -> None:
    assert seen_together([SeenDays(5, 7), SeenDays(3, 4), SeenDays(6, 6)]) == SeenDays(3, 7)
    assert seen_together([]) is None
