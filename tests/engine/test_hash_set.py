"""Sets of hashes, compared with plain sets. Small numbers make hashes that share one half with others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.engine.keys.hash_set import NO_HASHES, HashSet
from tagloom.engine.keys.hashing import Hashed

PAIRS = st.lists(
    st.tuples(st.sampled_from([0, 1, 2**52, 2**63 - 1, 2**63, 2**64 - 1]), st.sampled_from([0, 1, 7, 2**32 - 1])),
    max_size=12,
)


def hashed(pairs: list[tuple[int, int]]) -> Hashed:
    return Hashed(np.array([high for high, _ in pairs], np.uint64), np.array([low for _, low in pairs], np.uint32))


@pytest.mark.hypothesis
@given(mine=PAIRS, others=PAIRS)
def test_a_set_of_hashes_answers_as_a_plain_set(mine: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    found, other = HashSet.of(mine), HashSet(hashed(others))

    assert found.pairs() == sorted(set(mine))
    assert found.among(hashed(others)).tolist() == [pair in mine for pair in others]
    assert [found.has(*pair) for pair in others] == [pair in mine for pair in others]
    assert found.union(other).pairs() == sorted({*mine, *others})
    assert found.minus(other).pairs() == sorted(set(mine) - set(others))
    assert (len(found), bool(found)) == (len(set(mine)), bool(mine))
    assert not NO_HASHES.among(hashed(mine)).any()


def test_many_hashes_are_found_among_many_others() -> None:
    random = np.random.default_rng(1)
    some = Hashed(random.integers(0, 2**64, 20_000, np.uint64), random.integers(0, 2**32, 20_000, np.uint32))
    other = Hashed(random.integers(0, 2**64, 20_000, np.uint64), some.low)
    found = HashSet(some)

    assert found.among(some).all()
    assert not found.among(other).any()
