"""Parquet: every form that text takes in such a file is read alike, and bad rows and files get what is promised."""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom import limits, problems
from tagloom.intake import Line, read_parts
from tagloom.people import parse_id
from tests.intake.reading import read, rejections

TEXT_TYPES = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.large_binary(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.large_string()),
]

USER, VISITOR = pa.field("user", pa.string()), pa.field("visitor", pa.string())
TAG, TAGS = pa.field("tag", pa.string()), pa.field("tags", pa.list_(pa.string()))


def file_of(fields: Sequence[pa.Field], *columns: Sequence[Any], **options: Any) -> bytes:
    """A Parquet file of these columns."""
    arrays = [pa.array(list(values), field.type) for field, values in zip(fields, columns, strict=True)]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), file, **options)
    return file.getvalue()


ids = st.one_of(st.none(), st.sampled_from(["", "u1", "u2", "é" * 256, "x" * 257, "a\x00", "a\u2028", "\x7f"]))
tags = st.one_of(st.none(), st.sampled_from(["", "a", "b/c", "A\x00"]))


def slow_row(
    user: str | None, visitor: str | None, named: list[str | None] | None
) -> tuple[bytes, tuple[str, ...]] | str:
    """The key and tags of a row, or its problem; `named` None is a null list."""
    people = [(kind, id) for kind, id in (("u", user), ("v", visitor)) if id]
    for kind, id in people or [("u", "")]:
        try:
            key = kind.encode() + parse_id(id).encode()
        except problems.PersonIdInvalid:
            return "person-id-invalid"
    if len(people) > 1 or named is None:
        return "line-invalid"
    found = [tag for tag in named if tag is not None]
    return (key, tuple(found)) if len(found) == len(named) else "line-invalid"


@given(
    st.lists(st.tuples(ids, ids, st.one_of(st.none(), st.lists(tags, max_size=3))), max_size=20),
    st.integers(1, 7),
    st.booleans(),
)
def test_lists_are_read_as_the_slow_reader_reads_them(
    rows: list[tuple[str | None, str | None, list[str | None] | None]], rows_per_group: int, has_dictionary: bool
) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    body = file_of([USER, VISITOR, TAGS], *columns, row_group_size=rows_per_group, use_dictionary=has_dictionary)

    found = read(body, "parquet", chunks=[10, 0, 100])

    expected = [(number, slow_row(*row)) for number, row in enumerate(rows, 1)]
    assert found.lines == [Line(number, *row) for number, row in expected if not isinstance(row, str)]
    assert found.rejected == [(number, row) for number, row in expected if isinstance(row, str)]


@given(st.lists(st.tuples(ids, tags), max_size=20), st.sampled_from(TEXT_TYPES), st.sampled_from(TEXT_TYPES))
def test_text_of_every_type_is_read_as_the_slow_reader_reads_it(
    rows: list[tuple[str | None, str | None]], id_type: pa.DataType, tag_type: pa.DataType
) -> None:
    fields = [pa.field("tag", tag_type), pa.field("visitor", id_type)]
    body = file_of(fields, [tag for _, tag in rows], [id for id, _ in rows])

    found = read(body, "parquet")

    expected = [
        (number, row if isinstance(row, str) or row[1] != ("",) else "tag-is-empty")
        for number, row in ((number, slow_row(None, id, [tag or ""])) for number, (id, tag) in enumerate(rows, 1))
    ]
    assert found.lines == [Line(number, *row) for number, row in expected if not isinstance(row, str)]
    assert found.rejected == [(number, row) for number, row in expected if isinstance(row, str)]


def test_rows_count_from_one_across_parts() -> None:
    people = [f"u{number}" for number in range(150_000)]

    found = read(file_of([USER, TAG], people, ["a"] * len(people)), "parquet")

    assert [line.number for line in found.lines] == list(range(1, 150_001))
    assert found.lines[-1].key == b"uu149999"


def test_bytes_that_are_not_utf8_reject_their_row_only() -> None:
    fields = [pa.field("user", pa.binary()), pa.field("tag", pa.binary())]
    body = file_of(fields, [b"u1", b"u\xff", b"u3", b"u4"], [b"a", b"b", b"\xed\xa0\x80", b"c"])

    found = read(body, "parquet")

    assert [line.key for line in found.lines] == [b"uu1", b"uu4"]
    assert found.rejected == [(2, "line-invalid"), (3, "line-invalid")]
    assert found.held == [b"uu3"]


def test_too_many_tags_reject_the_row_and_hold_its_person() -> None:
    body = file_of([USER, TAGS], ["u1", "u2"], [["a"] * (limits.TAGS_PER_LINE_MAX + 1), ["a"]])

    found = read(body, "parquet")

    assert (found.rejected, found.held) == ([(1, "line-invalid")], [b"uu1"])
    assert [line.number for line in found.lines] == [2]


def test_a_null_tag_and_a_null_among_tags_reject_their_rows() -> None:
    assert rejections(file_of([USER, TAG], ["u1"], [None]), "parquet")[0].problem == "tag-is-empty"
    assert "null among its tags" in rejections(file_of([USER, TAGS], ["u1"], [[None]]), "parquet")[0].detail
    assert "no list of tags" in rejections(file_of([USER, TAGS], ["u1"], [None]), "parquet")[0].detail


def test_a_text_that_a_million_rows_share_is_held_once() -> None:
    rows = pa.array([0] * 100_000, pa.int32())
    columns = [pa.DictionaryArray.from_arrays(rows, [letter * 1_000_000]) for letter in "xy"]
    file = io.BytesIO()
    pq.write_table(pa.table(columns, ["user", "tag"]), file, store_schema=False, dictionary_pagesize_limit=2_000_000)
    body = file.getvalue()
    assert len(body) < 5_000_000
    before = pa.total_allocated_bytes()

    parts = read_parts(iter([body]), "parquet")
    first = next(parts)

    assert first.rejected[0].problem == "person-id-invalid"
    assert pa.total_allocated_bytes() - before < 100_000_000
    assert 1 + sum(1 for _ in parts) > 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ([pa.field("User", pa.string()), TAG], "no column 'user' or 'visitor'; its columns are 'User', 'tag'."),
        ([USER, pa.field("label", pa.string())], "no column 'tag' or 'tags'"),
        ([pa.field("user", pa.int64()), TAG], "'user' holds int64; it must hold text"),
        ([USER, pa.field("tags", pa.list_(pa.int64()))], "it must hold text or a list of text"),
        ([pa.field("user", pa.list_(pa.string())), TAG], "it must hold text."),
        ([USER, USER, TAG], "two columns 'user'"),
    ],
)
def test_wrong_columns_are_refused_by_name(fields: list[pa.Field], says: str) -> None:
    columns: list[list[Any]] = [[]] * len(fields)
    with pytest.raises(problems.ColumnsInvalid) as caught:
        read(file_of(fields, *columns), "parquet")
    assert says in caught.value.detail


@pytest.mark.parametrize("kept", [0, 4, 100, -1, -9, 500_000])
def test_a_truncated_file_is_refused(kept: int) -> None:
    body = file_of([USER, TAG], [f"u{number}" for number in range(200_000)], ["a"] * 200_000)

    with pytest.raises(problems.BodyInvalid):
        read(body[:kept], "parquet")


def test_a_file_with_a_broken_middle_is_refused() -> None:
    body = bytearray(file_of([USER, TAG], [f"u{number}" for number in range(200_000)], ["a"] * 200_000))
    body[5_000:6_000] = b"\xff" * 1_000

    with pytest.raises(problems.BodyInvalid):
        read(bytes(body), "parquet")


def test_what_is_no_parquet_is_refused() -> None:
    with pytest.raises(problems.BodyInvalid):
        read(b"user,tag\nu1,a\n" * 100, "parquet")
