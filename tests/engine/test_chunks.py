"""Stored bitmaps looked through without reading them."""

from hypothesis import example, given
from hypothesis import strategies as st

from tagloom.engine.bitmaps import BitMap, holding, holds, to_bytes
from tagloom.engine.limits import ORDINALS_PER_CHUNK

# As single members, as runs, and as so many that they are stored as bits; 0, 1, 15 and 16 look like a bitmap's head.
MEMBERS = st.one_of(
    st.sets(st.sampled_from([0, 1, 2, 15, 16, 17, 12_346, 40_000, 65_535]), max_size=6),
    st.builds(lambda start, size: set(range(start, start + size)), st.integers(0, 60_000), st.integers(0, 5_000)),
    st.builds(lambda start, step: set(range(start, 65_536, step)), st.integers(0, 20), st.integers(2, 20)),
)


@given(st.integers(0, 300), st.lists(MEMBERS, max_size=8), st.sampled_from([0, 1, 2, 16, 17, 12_346, 40_000, 65_535]))
@example(1, [{1}, {0}, set()], 1)
@example(0, [set(range(0, 65_536, 16)), set(range(0, 65_536, 15))], 16)
def test_the_bitmaps_that_hold_an_ordinal_are_found_together_and_one_by_one(
    bucket: int, members: list[set[int]], low: int
) -> None:
    base = bucket * ORDINALS_PER_CHUNK
    stored = [to_bytes(BitMap([base + member for member in some])) for some in members]
    expected = [place for place, some in enumerate(members) if low in some]

    assert holding(stored, base + low) == expected
    assert [place for place, data in enumerate(stored) if holds(data, base + low)] == expected
