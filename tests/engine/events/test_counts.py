"""Daily counts in memory: what is followed, and what is deleted when there is too much."""

import numpy as np
import pytest

from tagloom.engine import limits
from tagloom.engine.events.bit_slices import BitSlices
from tagloom.engine.events.blocks import columns_of
from tagloom.engine.events.counts import EventCounts, NotCounted
from tagloom.words import limits as limits_of_words
from tagloom.words.event_rules import Condition, EventPredicate
from tagloom.words.events import DAY_MS, Event, EventType
from tagloom.words.people import Person

TODAY = 20_000
AD = EventPredicate("ad")


def days_of(*people: int) -> dict[int, BitSlices]:
    slices = BitSlices()
    slices.add(np.array(people, np.uint32))
    return {TODAY: slices}


def counts(bytes_max: int = 1 << 30) -> EventCounts:
    return EventCounts(lambda: TODAY * DAY_MS, bytes_max)


def numbered(number: int) -> EventPredicate:
    return EventPredicate("ad", (Condition("n", "is", number),))


def adopt(found: EventCounts, *numbers: int) -> bool:
    """Adopts the counts of numbered predicates, of 50 people each."""
    predicates = [numbered(number) for number in numbers]
    return found.adopt(dict.fromkeys(predicates, TODAY), {each: days_of(*range(50)) for each in predicates})


def is_counted(found: EventCounts, number: int) -> bool:
    try:
        found.check_counted({numbered(number): 1})
    except NotCounted:
        return False
    return True


def test_a_followed_bitmap_changes_in_place_and_another_one_does_not() -> None:
    found = counts()
    assert found.adopt({AD: TODAY}, {AD: days_of(1, 1, 2)})
    once, followed = found.people(AD, 2, 1), found.follow(AD, 2, 1)
    events = [Event(person=Person("user", "u"), type=EventType("ad/clicked"), at=TODAY * DAY_MS, id="m")]

    changed = found.add(
        columns_of(events, np.array([2], np.uint32), versions=np.ones(len(events), np.int64), recorded_at=0)
    )

    assert (set(changed), set(followed), set(once), set(found.people(AD, 2, 1))) == ({2}, {1, 2}, {1}, {1, 2})


def test_many_events_are_counted_like_few() -> None:
    people = np.arange(3_000, dtype=np.uint32)
    found = counts()
    found.adopt({AD: TODAY}, {AD: days_of(*people[::2].tolist())})
    followed = found.follow(AD, 2, 1)
    events = [
        Event(person=Person("user", "u"), type=EventType("ad/clicked"), at=TODAY * DAY_MS, id=str(n)) for n in people
    ]

    found.add(columns_of(events, people, versions=np.ones(len(events), np.int64), recorded_at=0))

    assert set(followed) == set(people[::2].tolist())


def test_counts_that_take_too_many_bytes_are_deleted_the_least_recently_used_first() -> None:
    found = counts(bytes_max=600)
    for number in (1, 2, 3):
        assert adopt(found, number)
    found.people(numbered(1), 1, 1)

    assert not adopt(found, 4)

    with pytest.raises(NotCounted):
        found.people(numbered(2), 1, 1)
    assert all(len(found.people(numbered(number), 1, 1)) == 50 for number in (1, 3, 4))


def test_counts_that_come_together_are_kept_as_if_they_came_one_by_one() -> None:
    together, one_by_one = counts(bytes_max=600), counts(bytes_max=600)

    assert not adopt(together, *range(6))
    assert [adopt(one_by_one, number) for number in range(6)] == [True, True, True, False, False, False]

    kept = [[is_counted(each, number) for number in range(6)] for each in (together, one_by_one)]
    assert kept == [[False, False, False, True, True, True]] * 2


def test_so_many_predicates_are_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENT_PREDICATES_MAX", 2)
    found = counts()
    assert [adopt(found, number) for number in range(3)] == [True, True, False]

    with pytest.raises(NotCounted):
        found.people(numbered(0), 1, 1)


def test_a_longer_window_is_counted_again() -> None:
    found = counts()
    found.adopt({AD: TODAY - 6}, {AD: days_of(1)})

    with pytest.raises(NotCounted) as missing:
        found.people(AD, 1, 8)

    assert missing.value.since == {AD: TODAY - limits_of_words.EVENT_DAYS_MAX + 1}, "counted again for every window"
    assert not found.adopt({AD: TODAY - 7}, {AD: days_of(1)}), "bitmaps of the shorter counts are no longer changed"
