"""The days of many times against the days of each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.engine.events.local_days import days_of
from tagloom.words.calendars import Calendar
from tagloom.words.events import DAY_MS, EVENTS_BEGIN
from tests.time_zones import ZONES

pytestmark = pytest.mark.hypothesis
YEAR_2100 = 4_102_444_800_000


@st.composite
def moments(draw: st.DrawFn, calendar: Calendar) -> int:
    """Returns a time since 2000, often one at which a day begins, or right before or after it."""
    if draw(st.booleans()):
        return draw(st.integers(EVENTS_BEGIN, YEAR_2100))
    day = draw(st.integers(EVENTS_BEGIN // DAY_MS + 2, YEAR_2100 // DAY_MS))
    return calendar.begin_of(day) + draw(st.sampled_from((-1, 0, 1, 3_600_000, -3_600_000)))


@given(zone=ZONES, data=st.data())
def test_the_days_of_many_times_are_those_of_each(zone: str, data: st.DataObject) -> None:
    calendar = Calendar(zone)
    every = data.draw(st.lists(moments(calendar), max_size=30))

    assert days_of(np.array(every, np.int64), calendar).tolist() == [calendar.day_of(each) for each in every]
