"""Keys, their hashes and their tables, against plain dicts."""

from unittest import mock

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.engine.keys import directory
from tagloom.engine.keys.directory import Page, cut_pages, pack_keys, pack_page, unpack_keys, unpack_page
from tagloom.engine.keys.hashing import Hashed, KeyHash, KeyTable, binary_array, key_of, person_of
from tagloom.words.people import Person

keys = st.lists(st.binary(min_size=1, max_size=40), max_size=60)
HASH = KeyHash(b"secret" * 6)


@given(keys, st.integers(0, 5), st.integers(0, 5))
def test_many_keys_hash_as_each_does_alone_wherever_they_lie_in_their_column(
    some: list[bytes], before: int, behind: int
) -> None:
    column = binary_array([b"x"] * before + some + [b"yy"] * behind).slice(before, len(some))

    high, low = HASH.many(column)

    assert list(zip(high.tolist(), low.tolist(), strict=True)) == [HASH.one(key) for key in some]


def test_a_longest_key_is_hashed_to_its_last_byte() -> None:
    longest = b"u" + "\U0001f9f5".encode() * 256
    assert HASH.one(longest) != HASH.one(longest[:-1] + b"x")
    assert HASH.one(longest) == tuple(int(half[0]) for half in HASH.many(binary_array([longest])))


def test_keys_that_differ_by_zero_bytes_only_have_different_hashes() -> None:
    assert len({HASH.one(b"u" + bytes(count)) for count in range(64)}) == 64


def test_another_secret_hashes_otherwise() -> None:
    assert KeyHash(b"other" * 8).one(b"u1") != HASH.one(b"u1")


@given(st.lists(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2)), max_size=200), max_size=5))
def test_a_table_numbers_keys_as_a_dict_does_even_when_all_want_the_same_slots(
    batches: list[list[tuple[int, int]]],
) -> None:
    table, known = KeyTable(), dict[tuple[int, int], int]()
    for batch in batches:
        high = np.array([pair[0] << 61 for pair in batch], np.uint64)
        low = np.array([pair[1] for pair in batch], np.uint32)
        slots, fresh = table.claim(Hashed(high, low))
        expected_fresh = []
        for place, pair in enumerate(batch):
            if pair not in known:
                known[pair] = len(known)
                expected_fresh.append(place)
        assert fresh.tolist() == expected_fresh
        table.settle(slots[fresh], np.array([known[batch[place]] for place in fresh], np.int64))
        assert table.ordinals(slots).tolist() == [known[pair] for pair in batch]
    assert len(table) == len(known)


def test_a_table_that_outgrows_the_cache_gives_each_key_the_ordinal_it_first_got() -> None:
    rng = np.random.default_rng(7)
    rows = rng.integers(0, 900_000, 1_600_000)
    high, low = (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15), rows.astype(np.uint32)
    table, known, count = KeyTable(), np.full(900_000, -1), 0
    for begin in range(0, len(rows), 200_000):
        part = slice(begin, begin + 200_000)
        slots, fresh = table.claim(Hashed(high[part], low[part]))

        here = rows[part]
        _, firsts = np.unique(here, return_index=True)
        expected = np.sort(firsts[known[here[firsts]] < 0])
        assert np.array_equal(fresh, expected)
        known[here[expected]] = np.arange(count, count + len(expected))
        table.settle(slots[fresh], known[here[fresh]])
        count += len(expected)
        assert np.array_equal(table.ordinals(slots), known[here])
    assert len(table) == count


@settings(max_examples=20)
@given(st.integers(0, 99), st.sampled_from([1, 16, 64]), st.booleans())
def test_a_table_that_is_crowded_at_an_end_keeps_every_key_while_it_grows(seed: int, share: int, is_last: bool) -> None:
    """Keys that have their first slots in a small share of the table lie far behind them, and around its end."""
    rng = np.random.default_rng(seed)
    high = rng.integers(0, 2**64 // share, 4_000, np.uint64)
    keys = Hashed(np.uint64(2**64 - 1) - high if is_last else high, rng.integers(0, 2**32, 4_000, np.uint32))
    table = KeyTable()
    for begin in range(0, 4_000, 500):
        part = slice(begin, begin + 500)
        slots, fresh = table.claim(Hashed(keys.high[part], keys.low[part]))
        assert fresh.tolist() == list(range(500))
        table.settle(slots, np.arange(begin, begin + 500))

    slots, fresh = table.claim(keys)

    assert len(fresh) == 0
    assert table.ordinals(slots).tolist() == list(range(4_000))
    assert len(set(slots.tolist())) == 4_000


@given(
    st.integers(0, 3),
    st.sampled_from([(1, 1), (9, 2), (8_192, 8_192), (8_193, 1_000), (70_000, 70_000), (200_000, 9_000), (9_000, 4)]),
    st.sampled_from([1 << 20, 20_000]),
)
def test_pages_hold_all_entries_in_order_each_those_of_its_leading_bits(
    seed: int, sizes: tuple[int, int], per_block: int
) -> None:
    count, step = sizes
    rng = np.random.default_rng(seed)
    high = rng.integers(0, 2**64, count, np.uint64)
    order = np.argsort(high)
    low, ordinal = high.astype(np.uint32), np.arange(count, dtype=np.uint32)

    blocks = [
        Page(*(column[begin : begin + step] for column in (high, low, ordinal))) for begin in range(0, count, step)
    ]
    with mock.patch.object(directory, "_ENTRIES_PER_BLOCK", per_block):
        pages = [unpack_page(page) for page in cut_pages(blocks)]

    assert len(pages) & len(pages) - 1 == 0
    for number, page in enumerate(pages):
        assert [int(each) * len(pages) >> 64 for each in page.high[[0, -1]]] == [number, number]
    for column, expected in zip(zip(*pages, strict=True), (high, low, ordinal), strict=True):
        assert np.array_equal(np.concatenate(column), expected[order])


def test_a_table_keeps_every_key_while_it_grows() -> None:
    column = binary_array([f"u{number}".encode() for number in range(50_000)])
    table = KeyTable()
    for begin in range(0, 50_000, 4_000):
        slots, fresh = table.claim(HASH.many(column.slice(begin, 4_000)))
        table.settle(slots[fresh], fresh + begin)

    slots, fresh = table.claim(HASH.many(column))

    assert len(fresh) == 0
    assert table.ordinals(slots).tolist() == list(range(50_000))


@given(keys)
def test_packed_keys_are_unpacked_as_they_were(some: list[bytes]) -> None:
    assert unpack_keys(pack_keys(pa.array(some, pa.binary()))).to_pylist() == some


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))))
def test_a_packed_page_is_unpacked_as_it_was(entries: list[tuple[int, int, int]]) -> None:
    page = Page(
        np.array([entry[0] for entry in entries], np.uint64),
        np.array([entry[1] for entry in entries], np.uint32),
        np.array([entry[2] for entry in entries], np.uint32),
    )
    again = unpack_page(pack_page(page))
    assert [column.tolist() for column in again] == [column.tolist() for column in page]


@given(st.sampled_from(["user", "visitor"]), st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_a_key_names_its_person_again(kind: str, id: str) -> None:
    person = Person(kind, id)  # type: ignore[arg-type]
    assert person_of(key_of(person)) == person
