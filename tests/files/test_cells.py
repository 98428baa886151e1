"""A value is the same cell whichever door it comes by: Parquet, JSON or a database."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.files.parquet_rows import CellsWriter, parquet_cells
from tagloom.words import limits
from tagloom.words.attributes import AttributeValue
from tagloom.words.cells import VALUES, Cell, OddCell, cell_of, text_of_name, text_of_value
from tagloom.words.mappings import (
    AttributeColumn,
    Band,
    BandsColumn,
    FlagColumn,
    ListColumn,
    Mapping,
    TagColumn,
    ValueColumn,
    cell_tags,
    cell_value,
    record_person,
)
from tagloom.words.problems import LineInvalid

SOME_UUID = UUID("0b5d1c3a-2f6e-4d1b-9a53-7f1f8b2f4c11")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("u1", "u1"),
        (b"u1", "u1"),
        (memoryview(b"\xc3\xa9"), "é"),
        (1001, "1001"),
        (1001.0, "1001"),
        (-0.0, "0"),
        (float(2**53 - 1), "9007199254740991"),
        (2**63 + 1, "9223372036854775809"),
        (Decimal("1001"), "1001"),
        (Decimal("1001.00"), "1001"),
        (Decimal("1E3"), "1000"),
        (Decimal("0E-7"), "0"),
        (SOME_UUID, str(SOME_UUID)),
        (None, ""),
    ],
)
def test_text_and_whole_numbers_are_ids_at_every_door(value: Any, text: str) -> None:
    cell = cell_of(value)

    assert isinstance(cell, str)
    assert text_of_name(cell, "user") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0.00005, "0.00005"),
        (2.5, "2.5"),
        (Decimal("2.50"), "2.5"),
        (Decimal("0.0000001"), "0.0000001"),
        (date(2026, 1, 31), "2026-01-31"),
    ],
)
def test_booleans_fractions_and_dates_are_values_and_neither_ids_nor_tags(value: Any, text: str) -> None:
    cell = cell_of(value)

    assert cell_tags(ValueColumn(column="a", values={text: "x"}), cell) == ("x",)
    for column in (TagColumn(column="a"), ListColumn(column="a")):
        with pytest.raises(LineInvalid, match="Export the column as text"):
            cell_tags(column, cell)
    with pytest.raises(LineInvalid, match="Column 'user' holds a"):
        record_person(Mapping(user="user", tags=("x",)), {"user": cell})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (float("nan"), "the number NaN"),
        (float("-inf"), "an infinite number"),
        (Decimal("NaN"), "the number NaN"),
        (float(2**53), "a float too large to be exact"),
        (1e300, "a float too large to be exact"),
        (Decimal("1E9999"), "a number of more than 400 digits"),
        (b"u\xff", "binary that is not UTF-8"),
        ({"$oid": "5f1"}, "a structure of fields"),
        (datetime(2026, 1, 31, 12), "a time"),
        (timedelta(1), "a value of the type timedelta"),
        ([["a"]], "a list of lists"),
        ("x" * (limits.LINE_BYTES_MAX + 1), f"more than {limits.LINE_BYTES_MAX:,} bytes"),
    ],
)
def test_anything_else_rejects_its_row_and_says_what_it_is(value: Any, found: str) -> None:
    cell = cell_of(value)

    with pytest.raises(LineInvalid) as caught:
        cell_tags(ValueColumn(column="a"), cell)
    assert f"Column 'a' holds {found}" in caught.value.detail
    assert len(caught.value.detail) < 500
    if isinstance(cell, str):
        with pytest.raises(LineInvalid):
            record_person(Mapping(user="user", tags=("x",)), {"user": cell})


def test_a_flag_reads_booleans_and_bands_read_fractions_of_a_database() -> None:
    bands = BandsColumn(column="n", bands=(Band(tag="few", to=Decimal("0.0001")), Band(tag="many")))

    assert cell_tags(FlagColumn(column="f", yes="on"), cell_of(True)) == ("on",)
    assert cell_tags(FlagColumn(column="f", yes="on"), cell_of(False)) == ()
    assert cell_tags(bands, cell_of(0.00005)) == ("few",)
    assert cell_tags(bands, cell_of(Decimal("0E-7"))) == ("few",)


scalars = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.binary(max_size=3),
    st.decimals(allow_nan=True),
    st.dates(),
    st.datetimes(),
    st.uuids(),
)


def shape(cell: Cell) -> Any:
    """A cell with what it is."""
    if isinstance(cell, tuple):
        return [shape(each) for each in cell]
    return (str(cell), cell.found if isinstance(cell, OddCell) else "")


@given(st.lists(st.tuples(scalars, st.one_of(scalars, st.lists(scalars, max_size=3))), max_size=6), st.integers(1, 3))
def test_rows_of_a_database_come_back_from_the_file_as_the_cells_that_they_were(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any]], rows_at_once: int
) -> None:
    path = tmp_path_factory.mktemp("cells") / "file"

    with CellsWriter(path, ["a", "b"]) as writer:
        for at in range(0, len(rows), rows_at_once):
            writer.write(rows[at : at + rows_at_once])

    found = [[shape(cell) for cell in row] for row in parquet_cells(path, ["a", "b"])]
    expected = [[shape(cell_of(value)) for value in row] for row in rows]
    # Half a character cannot be stored.
    assert found == [[replaced(cell) for cell in row] for row in expected]


def replaced(shape: Any) -> Any:
    if isinstance(shape, list):
        return [replaced(each) for each in shape]
    return (shape[0].encode("utf-8", "replace").decode(), shape[1])


@given(st.lists(st.one_of(st.none(), st.floats()), max_size=6), st.sampled_from([pa.float64()]))
def test_floats_of_parquet_are_the_cells_that_floats_of_json_are(
    tmp_path_factory: pytest.TempPathFactory, values: list[float | None], kind: pa.DataType
) -> None:
    path = tmp_path_factory.mktemp("cells") / "file"
    pq.write_table(pa.table({"a": pa.array(values, kind)}), path)

    assert [shape(cell) for (cell,) in parquet_cells(path, ["a"])] == [shape(cell_of(value)) for value in values]


@given(
    st.lists(st.one_of(st.none(), st.datetimes(), st.datetimes(timezones=st.just(UTC))), max_size=6),
    st.sampled_from(["us", "ms", "s", "ns"]),
    st.booleans(),
)
def test_times_of_parquet_are_the_cells_that_times_of_a_database_are(
    tmp_path_factory: pytest.TempPathFactory, values: list[datetime | None], unit: str, has_zone: bool
) -> None:
    path = tmp_path_factory.mktemp("cells") / "file"
    whole = [
        None if each is None else each.replace(microsecond=0, tzinfo=UTC if has_zone else None)
        for each in values
        if unit != "ns" or each is None or 1700 < each.year < 2200
    ]
    pq.write_table(pa.table({"a": pa.array(whole, pa.timestamp(unit, "UTC" if has_zone else None))}), path)

    assert [shape(cell) for (cell,) in parquet_cells(path, ["a"])] == [shape(cell_of(value)) for value in whole]


def test_a_time_with_a_zone_is_the_value_of_an_attribute_and_without_a_zone_it_rejects_its_row() -> None:
    column = AttributeColumn(column="a", attribute="x", value_type="time")
    zone = timezone(timedelta(hours=1))

    assert cell_value(column, cell_of(datetime(1970, 1, 1, 1, 0, 1, tzinfo=zone))) == AttributeValue("time", 1_000)
    with pytest.raises(LineInvalid, match="'2026-01-31T12:00:00' is neither a date such as"):
        cell_value(column, cell_of(datetime(2026, 1, 31, 12)))


@given(st.lists(st.one_of(st.none(), st.decimals(-(10**9), 10**9, places=7)), max_size=6))
def test_decimals_of_parquet_are_the_cells_that_decimals_of_a_database_are(
    tmp_path_factory: pytest.TempPathFactory, values: list[Decimal | None]
) -> None:
    path = tmp_path_factory.mktemp("cells") / "file"
    pq.write_table(pa.table({"a": pa.array(values, pa.decimal128(20, 7))}), path)

    assert [shape(cell) for (cell,) in parquet_cells(path, ["a"])] == [shape(cell_of(value)) for value in values]


def test_a_float_of_single_precision_is_its_shortest_digits_and_whole_below_two_to_24(tmp_path: Path) -> None:
    values = pa.array([0.1, 5.0, 2.0**24, 1e-5], pa.float32())
    pq.write_table(pa.table({"a": values}), tmp_path / "file")

    cells = [cell for (cell,) in parquet_cells(tmp_path / "file", ["a"])]

    assert [str(cell) for cell in cells[:2]] == ["0.1", "5"]
    assert cells[3] == cell_of(0.00001)
    assert isinstance(cells[2], OddCell)
    assert cells[2].found not in VALUES


def test_what_may_be_a_value_is_read_by_its_text() -> None:
    assert text_of_value(OddCell("2.5", "a number with a fraction"), "a") == "2.5"
    assert OddCell("true", "a boolean") != "true"
    assert OddCell("true", "a boolean") == OddCell("true", "a boolean")
