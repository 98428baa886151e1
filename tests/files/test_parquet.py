"""Parquet: every form that text takes in such a file is read alike, and bad rows and files get what is promised."""

import io
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid, Problem
from tagloom.files import Line, read_parts
from tagloom.files import limits as files_limits
from tagloom.files.mapped import read_mapped
from tagloom.files.problems import ColumnsInvalid
from tagloom.imports.mapping_inference import beginning_of, infer
from tagloom.ports.writes import Part
from tagloom.words import limits as words_limits
from tagloom.words.mappings import Band, BandsColumn, FlagColumn, ListColumn, Mapping, TagColumn, ValueColumn
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import PersonIdInvalid
from tests.files.reading import read, rejections

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
        except PersonIdInvalid:
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
    body = file_of([USER, TAGS], ["u1", "u2"], [["a"] * (files_limits.TAGS_PER_LINE_MAX + 1), ["a"]])

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
        ([pa.field("user", pa.bool_()), TAG], "'user' holds bool; it must hold text"),
        ([USER, pa.field("tags", pa.list_(pa.bool_()))], "it must hold text or a list of text"),
        ([pa.field("user", pa.list_(pa.string())), TAG], "it must hold text."),
        ([USER, USER, TAG], "two columns 'user'"),
    ],
)
def test_wrong_columns_are_refused_by_name(fields: list[pa.Field], says: str) -> None:
    columns: list[list[Any]] = [[]] * len(fields)
    with pytest.raises(ColumnsInvalid) as caught:
        read(file_of(fields, *columns), "parquet")
    assert says in caught.value.detail


@pytest.mark.parametrize("kept", [0, 4, 100, -1, -9, 500_000])
def test_a_truncated_file_is_refused(kept: int) -> None:
    body = file_of([USER, TAG], [f"u{number}" for number in range(200_000)], ["a"] * 200_000)

    with pytest.raises(BodyInvalid):
        read(body[:kept], "parquet")


def test_a_file_with_a_broken_middle_is_refused() -> None:
    body = bytearray(file_of([USER, TAG], [f"u{number}" for number in range(200_000)], ["a"] * 200_000))
    body[5_000:6_000] = b"\xff" * 1_000

    with pytest.raises(BodyInvalid):
        read(bytes(body), "parquet")


def test_what_is_no_parquet_is_refused() -> None:
    with pytest.raises(BodyInvalid):
        read(b"user,tag\nu1,a\n" * 100, "parquet")


# What other tools write.


def mapped(body: bytes, folder: Path, mapping: Mapping) -> list[Part]:
    """What a mapping makes of a file."""
    path = folder / "file"
    path.write_bytes(body)
    return list(read_mapped(path, "parquet", "none", mapping))


PLAN = Mapping(user="user", columns=(ValueColumn(column="plan", branch="plan"),))
IDS: list[tuple[pa.DataType, Any, bytes]] = [
    (pa.int64(), 1001, b"u1001"),
    (pa.int8(), -1, b"u-1"),
    (pa.uint64(), 2**64 - 1, b"u18446744073709551615"),
    (pa.float64(), 1001.0, b"u1001"),
    (pa.float32(), 1001.0, b"u1001"),
    (pa.float16(), np.float16(7), b"u7"),
    (pa.decimal128(20, 2), Decimal("1001.00"), b"u1001"),
    (pa.decimal256(60, 0), Decimal(10**50), b"u1" + b"0" * 50),
    (pa.binary(), b"u1", b"uu1"),
    (pa.large_binary(), b"u1", b"uu1"),
    (pa.binary(2), b"u1", b"uu1"),
    (pa.dictionary(pa.int8(), pa.string()), "u1", b"uu1"),
    (pa.uuid(), b"0123456789abcdef", b"u30313233-3435-3637-3839-616263646566"),
]


@pytest.mark.parametrize(("kind", "value", "key"), IDS, ids=[str(kind) for kind, _, _ in IDS])
def test_an_id_is_the_same_person_whatever_type_it_comes_in(
    kind: pa.DataType, value: Any, key: bytes, tmp_path: Path
) -> None:
    plain = file_of([pa.field("user", kind), TAG], [value, None], ["a", "a"])
    other = file_of([pa.field("user", kind), pa.field("plan", pa.string())], [value, None], ["Gold", "Gold"])

    assert read(plain, "parquet").lines == [Line(1, key, ("a",))]
    assert [key for part in mapped(other, tmp_path, PLAN) for key in part.key_list()] == [key]


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (pa.bool_(), True, "holds a boolean, true"),
        (pa.float64(), float("nan"), "holds the number NaN"),
        (pa.float64(), 2.0**53, "too large to be exact"),
        (pa.float64(), 1.5, "a number with a fraction, 1.5"),
        (pa.binary(), b"\xff", "binary that is not UTF-8"),
        (pa.struct([("$oid", pa.string())]), {"$oid": "5f"}, "a structure of fields"),
        (pa.map_(pa.string(), pa.string()), [("a", "b")], "a structure of fields"),
        (pa.timestamp("ns"), 1, "a time"),
        (pa.timestamp("us", "UTC"), 2**62, "a time"),
        (pa.time64("ns"), 1, "a time"),
        (pa.duration("s"), 1, "a duration"),
        (pa.date32(), 2_932_897, "a date outside of the years 1 to 9999"),
        (pa.date32(), -719_163, "a date outside of the years 1 to 9999"),
    ],
)
def test_what_is_no_id_rejects_its_row_and_says_how_to_export_it(
    kind: pa.DataType, value: Any, says: str, tmp_path: Path
) -> None:
    body = file_of([pa.field("user", kind), pa.field("plan", pa.string())], [value, None], ["Gold", "Gold"])

    rejected = [each for part in mapped(body, tmp_path, PLAN) for each in part.rejected]

    assert [each.line for each in rejected] == [1, 2]
    assert "Column 'user' holds" in rejected[0].detail
    assert says in rejected[0].detail
    assert "Export the column as text" in rejected[0].detail


def test_odd_ids_and_tags_of_a_plain_file_reject_their_rows_alone() -> None:
    body = file_of(
        [pa.field("user", pa.float64()), pa.field("tags", pa.list_(pa.float64()))],
        [float("nan"), 7.0, 8.0, 2.0**60],
        [[1.0], [1.0, 0.5], [2.0, 3.0], [4.0]],
    )

    found = read(body, "parquet")

    assert found.lines == [Line(3, b"u8", ("2", "3"))]
    assert found.rejected == [(1, "line-invalid"), (2, "line-invalid"), (4, "line-invalid")]
    assert found.held == [b"u7"]


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"])
def test_text_in_every_encoding_is_read(encoding: str, tmp_path: Path) -> None:
    options = {"use_dictionary": False, "column_encoding": encoding, "data_page_version": "2.0"}
    rows = [f"u{number}" for number in range(5_000)]
    body = file_of([USER, TAG], rows, ["a"] * 5_000, **options)
    other = file_of([USER, pa.field("plan", pa.string())], rows, ["Gold"] * 5_000, **options)

    assert len(read(body, "parquet").lines) == 5_000
    assert sum(len(part.lines) for part in mapped(other, tmp_path, PLAN)) == 5_000


def test_columns_that_nobody_asks_for_may_hold_anything(tmp_path: Path) -> None:
    odd = [
        pa.field("plan", pa.string()),
        pa.field("at", pa.timestamp("ns")),
        pa.field("for", pa.duration("ns")),
        pa.field("time", pa.time64("ns")),
        pa.field("day", pa.date32()),
        pa.field("day", pa.date32()),
        pa.field("", pa.struct([("user", pa.int64())])),
    ]
    body = file_of([USER, *odd], ["u1"], ["Gold"], [2**63 - 1], [2**62], [1], [2**31 - 1], [0], [{"user": 1}])

    assert [each for part in mapped(body, tmp_path, PLAN) for each in part.key_list()] == [b"uu1"]
    assert beginning_of(tmp_path / "file", "parquet", "none").texts(0) == ["u1"]


def test_a_name_of_a_column_that_is_not_utf8_is_a_problem(tmp_path: Path) -> None:
    body = file_of([USER, TAG, pa.field("uxer", pa.string())], ["u1"], ["a"], [""], store_schema=False)
    broken = body.replace(b"uxer", b"u\xffer")

    with pytest.raises(BodyInvalid, match="not UTF-8"):
        read(broken, "parquet")
    with pytest.raises(BodyInvalid, match="not UTF-8"):
        mapped(broken, tmp_path, PLAN)


# What is made to harm.


def test_a_text_that_many_rows_share_is_held_once_by_a_mapping_too(tmp_path: Path) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 16_384, pa.int32()), ["x" * 140_000])
    file = io.BytesIO()
    table = pa.table({"user": [f"u{number}" for number in range(16_384)], "plan": column})
    pq.write_table(table, file, store_schema=False, compression="zstd")
    del table, column
    path = tmp_path / "file"
    path.write_bytes(file.getvalue())
    before = peak_bytes(path, Mapping(user="user", columns=(ValueColumn(column="user", branch="x"),)))

    assert peak_bytes(path, PLAN) < before + 50_000_000


def peak_bytes(path: Path, mapping: Mapping) -> int:
    """The most memory that Python and Arrow held for it beyond what they had."""
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    most = 0
    for part in read_mapped(path, "parquet", "none", mapping):
        most = max(most, pa.total_allocated_bytes() - before)
        del part
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most + peak


def test_a_page_of_hundreds_of_megabytes_is_refused_by_its_header(tmp_path: Path) -> None:
    file = io.BytesIO()
    big = pa.array(["x" * (files_limits.PARQUET_PAGE_BYTES_MAX + 1)])
    table = pa.table({"user": ["u1"], "plan": big, "tag": big})
    pq.write_table(table, file, compression="zstd", use_dictionary=False, write_statistics=False)
    del table, big
    assert len(file.getvalue()) < 100_000
    before = pa.default_memory_pool().bytes_allocated()

    with pytest.raises(BodyInvalid, match="The column 'plan' has a page of"):
        mapped(file.getvalue(), tmp_path, PLAN)
    with pytest.raises(BodyInvalid, match="The column 'tag' has a page of"):
        read(file.getvalue(), "parquet")

    assert pa.default_memory_pool().bytes_allocated() - before < 1_000_000


def test_a_cell_longer_than_a_line_may_be_rejects_its_row(tmp_path: Path) -> None:
    long = "x" * (words_limits.LINE_BYTES_MAX + 1)
    body = file_of([USER, TAG], ["u1", long, "u3"], [long, "a", "a"])
    other = file_of([USER, pa.field("plan", pa.string())], ["u1", long, "u3"], [long, "a", "a"])

    found = read(body, "parquet")

    assert found.rejected == [(1, "line-too-long"), (2, "line-too-long")]
    assert (found.held, [line.key for line in found.lines]) == ([b"uu1"], [b"uu3"])
    (part,) = mapped(other, tmp_path, PLAN)
    assert [(each.line, each.problem) for each in part.rejected] == [(1, "line-too-long"), (2, "line-too-long")]
    assert all(len(each.value) <= base_limits.VALUE_CHARACTERS_MAX for each in part.rejected)


def test_tags_longer_than_a_line_together_reject_their_row() -> None:
    many = ["x" * 1_000 + str(number) for number in range(1_100)]
    body = file_of([USER, TAGS], ["u1", "u2"], [many, ["a"]])

    found = read(body, "parquet")

    assert (found.rejected, found.held) == ([(1, "line-too-long")], [b"uu1"])


def test_a_page_whose_bytes_were_changed_is_noticed_by_its_checksum() -> None:
    options = {"write_page_checksum": True, "use_dictionary": False, "compression": "none", "write_statistics": False}
    body = bytearray(file_of([USER, TAG], ["someone"], ["a"], **options))
    at = body.index(b"someone")
    body[at] ^= 1

    with pytest.raises(BodyInvalid):
        read(bytes(body), "parquet")


KINDS = st.recursive(
    st.sampled_from(
        [
            *(pa.null(), pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.string()),
            *(pa.binary(), pa.binary(3), pa.large_string(), pa.string_view(), pa.date32(), pa.date64(), pa.uuid()),
            *(pa.time32("ms"), pa.time64("ns"), pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.duration("us")),
            *(pa.decimal128(5, 2), pa.decimal256(60, 30), pa.dictionary(pa.int8(), pa.string())),
        ]
    ),
    lambda kinds: st.one_of(
        kinds.map(pa.list_),
        kinds.map(pa.large_list),
        kinds.map(lambda kind: pa.list_(kind, 2)),
        kinds.map(lambda kind: pa.struct([("a", kind)])),
        kinds.map(lambda kind: pa.map_(pa.string(), kind)),
    ),
    max_leaves=3,
)


@given(KINDS, KINDS, st.randoms(use_true_random=False), st.integers(0, 3))
@settings(deadline=None, max_examples=300)
def test_no_type_of_a_column_is_more_than_a_problem(
    id_kind: pa.DataType, tag_kind: pa.DataType, random: Random, rows: int
) -> None:
    columns = [any_array(kind, rows, random) for kind in (id_kind, tag_kind)]
    file = io.BytesIO()
    try:
        pq.write_table(pa.Table.from_arrays(columns, ["user", "tag"]), file)
    except pa.ArrowException:
        assume(False)  # Arrow cannot write it, so nobody can bring it.

    read_every_way(file.getvalue(), rows)


def any_array(kind: pa.DataType, rows: int, random: Random) -> pa.Array:
    """Some values of a type, the odd ones among them: any bits where a type is made of bits."""
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, any_array(kind.storage_type, rows, random))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = [random.randint(0, 2) for _ in range(rows)]
        offsets = pa.array([sum(lengths[:at]) for at in range(rows + 1)], pa.int64())
        is_large = pa.types.is_large_list(kind)
        values = any_array(kind.value_type, sum(lengths), random)
        made = pa.LargeListArray if is_large else pa.ListArray
        return made.from_arrays(offsets if is_large else offsets.cast(pa.int32()), values)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(any_array(kind.value_type, 2 * rows, random), 2)
    if pa.types.is_struct(kind):
        return pa.StructArray.from_arrays([any_array(kind.field(0).type, rows, random)], ["a"])
    if pa.types.is_map(kind):
        offsets = pa.array(range(rows + 1), pa.int32())
        keys = pa.array([f"k{each}" for each in range(rows)], pa.string())
        return pa.MapArray.from_arrays(offsets, keys, any_array(kind.item_type, rows, random))
    if pa.types.is_null(kind) or random.random() < 0.1:
        return pa.nulls(rows, kind)
    if pa.types.is_dictionary(kind):
        return pa.array([random.choice(["a", "b", None]) for _ in range(rows)], kind)
    if pa.types.is_decimal(kind):
        return pa.array([Decimal(random.randint(-999, 999)).scaleb(-kind.scale) for _ in range(rows)], kind)
    if pa.types.is_boolean(kind):
        return pa.array([random.random() < 0.5 for _ in range(rows)], kind)
    if pa.types.is_string_view(kind) or "string" in str(kind) or kind in (pa.binary(), pa.large_binary()):
        raw = [random.choice([b"a", b"", b"\xff", "é".encode(), b"a/b/c/d", b"\x00"]) for _ in range(rows)]
        texts = raw if "binary" in str(kind) else [each.decode("utf-8", "replace") for each in raw]
        return pa.array(texts, kind)
    width = kind.bit_width // 8
    bits = b"".join(random.choice([bytes(width), b"\xff" * width, random.randbytes(width)]) for _ in range(rows))
    return pa.Array.from_buffers(kind, rows, [None, pa.py_buffer(bits)])


def read_every_way(body: bytes, rows: int | None = None) -> None:
    """Reads a file by every reader there is; each gives rows or a problem, and nothing else."""
    with suppress(Problem):
        read(body, "parquet")
    with TemporaryDirectory() as folder:
        for columns in (
            (TagColumn(column="tag"),),
            (ListColumn(column="tag"),),
            (ValueColumn(column="tag", branch="b"),),
            (FlagColumn(column="tag", yes="y"), BandsColumn(column="tag", bands=(Band(tag="any"),))),
        ):
            with suppress(Problem):
                parts = mapped(body, Path(folder), Mapping(user="user", columns=columns))
                if rows is not None:
                    assert sum(len(part.lines) + len(part.rejected) for part in parts) == rows
        with suppress(Problem):
            infer(beginning_of(Path(folder, "file"), "parquet", "none"))


BODIES = [
    file_of([USER, TAG], [f"u{number}" for number in range(20)], ["a", "b"] * 10),
    file_of([USER, pa.field("tag", pa.list_(pa.string()))], ["u1", "u2"], [["a"], ["b", "c"]], compression="gzip"),
    file_of([pa.field("user", pa.int64()), TAG], [1, 2], ["a", "b"], column_encoding="PLAIN", use_dictionary=False),
    file_of([USER, TAG], ["u1"], ["a"], column_encoding="DELTA_BYTE_ARRAY", use_dictionary=False),
    file_of([USER, pa.field("tag", pa.decimal128(9, 2))], ["u1"], [Decimal("1.5")], write_page_index=True),
]


@given(st.sampled_from(BODIES), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8))
@settings(deadline=None, max_examples=600)
def test_no_change_to_the_bytes_of_a_file_is_more_than_a_problem(body: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(body)
    for at, byte in changes:
        data[at % len(data)] = byte

    read_every_way(bytes(data))
