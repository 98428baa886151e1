"""Bit-sliced counts against a counter."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.events.bit_slices import BitSlices, total

pytestmark = pytest.mark.hypothesis
PEOPLE = st.one_of(st.integers(0, 5), st.integers(65_530, 65_540), st.just(2**32 - 1))
BATCHES = st.lists(st.lists(PEOPLE, min_size=1, max_size=40), max_size=6)


def counted(batches: Sequence[Sequence[int]]) -> BitSlices:
    slices = BitSlices()
    for batch in batches:
        slices.add(np.array(batch, np.uint32))
    return slices


@given(batches=BATCHES, removed=st.sets(PEOPLE, max_size=3))
def test_counts_are_those_of_a_counter(batches: list[list[int]], removed: set[int]) -> None:
    slices, expected = counted(batches), Counter(person for batch in batches for person in batch)

    slices.remove(BitMap(removed))

    for person in removed:
        del expected[person]
    assert all(slices.count_of(person) == expected[person] for person in {*expected, *removed, 7})
    for number in range(1, 12):
        assert set(slices.at_least(number)) == {person for person, count in expected.items() if count >= number}


@given(days=st.lists(BATCHES, max_size=5))
def test_a_total_counts_what_its_parts_count(days: list[list[list[int]]]) -> None:
    parts = [counted(day) for day in days]
    expected = Counter(person for day in days for batch in day for person in batch)

    found = total(parts)

    assert all(found.count_of(person) == count for person, count in expected.items())
    assert set(found.at_least(3)) == {person for person, count in expected.items() if count >= 3}


def test_a_total_shares_no_bitmap_with_its_parts() -> None:
    part = counted([[1, 1, 2]])
    found = total([part])

    found.add(np.array([2, 2], np.uint32))

    assert (part.count_of(2), found.count_of(2)) == (1, 3)
