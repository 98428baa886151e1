"""Recent ids against a set."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.engine.events import recent_ids
from tagloom.engine.events.blocks import pack_hashes, unpack_hashes
from tagloom.engine.events.recent_ids import RecentIds
from tagloom.engine.keys.hashing import Hashed

# Few high halves, so that different ids share them.
PAIRS = st.tuples(st.sampled_from([0, 1, 2**63, 2**64 - 1]), st.sampled_from([0, 1, 2**32 - 1]))


def hashed(pairs: list[tuple[int, int]]) -> Hashed:
    return Hashed(
        np.array([high for high, _ in pairs], np.uint64),
        np.array([low for _, low in pairs], np.uint32),
    )


@pytest.mark.hypothesis
@given(
    days=st.lists(st.tuples(st.integers(1, 4), st.lists(PAIRS, max_size=6)), max_size=8),
    wanted=st.lists(PAIRS, max_size=6),
    first_day=st.integers(1, 5),
)
def test_ids_are_found_that_were_added_on_a_day_that_is_kept(
    days: list[tuple[int, list[tuple[int, int]]]], wanted: list[tuple[int, int]], first_day: int
) -> None:
    recent, expected = RecentIds(), set[tuple[int, int]]()
    for day, pairs in days:
        recent.add(day, hashed(pairs))
        expected |= set(pairs) if day >= first_day else set()

    recent.delete_before(first_day)

    assert recent.which(hashed(wanted)).tolist() == [pair in expected for pair in wanted]
    for pair in wanted:
        assert recent.which(hashed([pair])).tolist() == [pair in expected]


def test_many_ids_are_found_in_sorted_runs() -> None:
    many = 3 * recent_ids.LOOSE_MAX
    generator = np.random.default_rng(5)
    ids = Hashed(generator.integers(0, 2**63, many).astype(np.uint64), generator.integers(0, 9, many).astype(np.uint32))
    recent = RecentIds()
    for begin in range(0, many, recent_ids.LOOSE_MAX // 2):
        recent.add(1, Hashed(*(half[begin : begin + recent_ids.LOOSE_MAX // 2] for half in ids)))
    recent.add(2, Hashed(*(half[: recent_ids.LOOSE_MAX + 1] for half in ids)))

    assert recent.which(ids).all()
    others = Hashed(ids.high, ids.low + np.uint32(9))
    assert not recent.which(others).any()


def test_hashes_are_stored_as_they_are() -> None:
    pairs = [(2**64 - 1, 2**32 - 1), (0, 0), (5, 6)]

    high, low = unpack_hashes(pack_hashes(hashed(pairs)))

    assert list(zip(high.tolist(), low.tolist(), strict=True)) == pairs
