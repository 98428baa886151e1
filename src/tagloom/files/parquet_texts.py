"""Reads a Parquet column of any type as texts. Each distinct value is converted once."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tagloom.base import limits as base_limits
from tagloom.files import limits
from tagloom.files.part_columns import Mask, is_utf8, offsets_and_data
from tagloom.words import limits as words_limits
from tagloom.words.cells import (
    BOOLEAN,
    DATE,
    FLOAT16_EXACT_BELOW,
    FLOAT32_EXACT_BELOW,
    FLOAT_EXACT_BELOW,
    NOT_UTF8,
    TIME,
    Cell,
    OddCell,
    bytes_text,
    cut,
    float_text,
    number_text,
)

Indices = NDArray[np.int64]

# The days from 1970 to the first day of the year 1 and to the last day of the year 9999.
_DAYS = (date.min.toordinal() - date(1970, 1, 1).toordinal(), date.max.toordinal() - date(1970, 1, 1).toordinal())
_EPOCH = date(1970, 1, 1).toordinal()


class Texts(NamedTuple):
    """A column of texts. Each row has the number of its value, or -1 for null.

    `values` are bytes, never null. `odd` has the values that are not texts; these values are empty in `values`.
    """

    number: Indices
    values: pa.BinaryArray
    odd: dict[int, OddCell]

    def of(self, number: int) -> bytes | None:
        """Returns the value with a number, or None for -1."""
        value: bytes | None = self.values[number].as_py() if number >= 0 else None
        return value

    def where(self, is_value: Mask) -> Mask:
        """Returns which rows have one of these values."""
        return np.append(is_value, False)[self.number]

    def is_odd(self) -> Mask:
        """Returns which values are not texts."""
        mask = np.zeros(len(self.values), np.bool_)
        mask[list(self.odd)] = True
        return mask

    def cells(self) -> list[str]:
        """Returns the cell of each row. A text that many rows share is in memory once."""
        pool: list[str] = self.values.cast(pa.string()).to_pylist()
        for number, cell in self.odd.items():
            pool[number] = cell
        pool.append("")  # This is the cell of number -1.
        return [pool[number] for number in self.number.tolist()]


def is_text(kind: pa.DataType) -> bool:
    """Returns whether a column of this type has text, or binary that may be text."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    checks = ("is_string", "is_large_string", "is_string_view", "is_binary", "is_large_binary", "is_binary_view")
    return any(getattr(pa.types, check)(kind) for check in checks)


def is_list(kind: pa.DataType) -> bool:
    """Returns whether a column of this type has lists."""
    checks = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
    return any(getattr(pa.types, check)(kind) for check in checks)


def may_name(kind: pa.DataType) -> bool:
    """Returns whether a column of this type can have ids or tags: texts or whole numbers."""
    if isinstance(kind, pa.BaseExtensionType):
        return may_name(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return may_name(kind.value_type)
    checks = ("is_integer", "is_floating", "is_decimal", "is_null", "is_fixed_size_binary")
    return is_text(kind) or any(getattr(pa.types, check)(kind) for check in checks)


def list_lengths(column: pa.Array) -> Indices:
    """Returns the number of items of each list, -1 for null."""
    lengths: Indices = pc.list_value_length(column).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def column_cells(column: pa.Array) -> list[Cell]:
    """Returns the cells of a column of any type: texts, tuples for lists, `OddCell` for other values."""
    if not is_list(column.type):
        return list[Cell](texts_of(column).cells())
    items = texts_of(column.flatten())
    lengths = list_lengths(column).tolist()
    sizes = np.append(np.diff(offsets_and_data(items.values)[0]), 0)[items.number]
    return list(_lists(items.cells(), sizes, lengths))


def _lists(items: Sequence[str], sizes: NDArray[np.int32], lengths: Sequence[int]) -> Iterator[Cell]:
    sums, at = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]), 0
    for length in lengths:
        if length < 0:
            yield ""
            continue
        size = int(sums[at + length] - sums[at])
        if length > limits.TAGS_PER_LINE_MAX:
            yield OddCell("", f"a list of {length:,} items, and {limits.TAGS_PER_LINE_MAX:,} are allowed")
        elif size > words_limits.LINE_BYTES_MAX:
            yield cut(items[at])
        else:
            yield tuple(items[at : at + length])
        at += length


def texts_of(column: pa.Array) -> Texts:
    """Returns the texts of a column without lists. The rules of `words.cells` define which values are texts."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        is_uuid = getattr(kind, "extension_name", "") == "arrow.uuid"
        return _each(column.storage, lambda value: str(UUID(bytes=value))) if is_uuid else texts_of(column.storage)
    if pa.types.is_dictionary(kind):
        number, values = _numbered(column)
        found = texts_of(values)
        return found._replace(number=np.append(found.number, -1)[number])
    if is_text(kind) or pa.types.is_fixed_size_binary(kind):
        return _plain(column)
    if pa.types.is_integer(kind):
        return _plain(pc.cast(column, pa.string()))
    if pa.types.is_floating(kind):
        return _floats(column)
    if pa.types.is_decimal(kind):
        return _whole(column) or _each(column, number_text)
    if pa.types.is_boolean(kind):
        return _each(column, lambda value: OddCell("true" if value else "false", BOOLEAN))
    if pa.types.is_date32(kind):
        return _each(column.cast(pa.int32()), _date)
    if pa.types.is_date64(kind):
        return _each(pc.divide(column.cast(pa.int64()), 86_400_000), _date)
    if pa.types.is_timestamp(kind):
        return _each(column.cast(pa.int64()), _time_reader(kind))
    if pa.types.is_null(kind):
        return Texts(np.full(len(column), -1), pa.array([], pa.binary()), {})
    is_null = column.is_null().to_numpy(zero_copy_only=False)
    return Texts(np.where(is_null, -1, 0), pa.array([b""], pa.binary()), {0: OddCell("", _called(kind))})


def _called(kind: pa.DataType) -> str:
    """Returns the name of a type that cannot be read as text."""
    if pa.types.is_duration(kind):
        return "a duration"
    if pa.types.is_temporal(kind):
        return "a time"
    if pa.types.is_map(kind) or pa.types.is_struct(kind):
        return "a structure of fields"
    return "a list of lists" if is_list(kind) else f"a value of the type {kind}"


def _numbered(column: pa.DictionaryArray) -> tuple[Indices, pa.Array]:
    """Returns the number of the value of each row, -1 for null, and the values that the rows of the column have."""
    number = column.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    values = column.dictionary
    # A dictionary is shared by many batches, each of which uses only some of its values.
    is_used = np.zeros(len(values) + 1, np.bool_)
    is_used[number] = True
    is_used[-1] = False
    number = np.where(number < 0, -1, (np.cumsum(is_used) - 1)[number])
    return number, values.take(pa.array(np.flatnonzero(is_used)))


def _plain(column: pa.Array) -> Texts:
    """Reads texts and binary. Checks their lengths before anything else."""
    # Arrow lacks some of the kernels below for views and for fixed sizes.
    if not (pa.types.is_string(column.type) or pa.types.is_binary(column.type)):
        is_wide = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
        column = column.cast(pa.large_binary() if is_wide else pa.binary())
    number, values = _numbered(column.dictionary_encode())
    odd: dict[int, OddCell] = {}
    is_long = pc.greater(pc.binary_length(values), words_limits.LINE_BYTES_MAX)
    if pc.any(is_long).as_py():
        for each in np.flatnonzero(is_long.to_numpy(zero_copy_only=False)).tolist():
            odd[each] = cut(_beginning(values[each]))
        values = pc.if_else(is_long, pa.scalar(b"", values.type), values.cast(_binary_like(values.type)))
    # Text is checked like binary, because a file may declare text that is not UTF-8.
    values = values.cast(pa.binary())
    _, offset_buffer, data = values.buffers()
    if len(values) and data is not None:
        offsets = np.frombuffer(offset_buffer, np.int32)[values.offset : values.offset + len(values) + 1]
        if not is_utf8(data, int(offsets[0]), int(offsets[-1])):
            values = _without_foreign(values, odd)
    return Texts(number, values, odd)


def _binary_like(kind: pa.DataType) -> pa.DataType:
    return pa.large_binary() if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind) else pa.binary()


def _beginning(value: pa.Scalar) -> str:
    buffer = value.as_buffer()
    return bytes(memoryview(buffer)[: base_limits.VALUE_CHARACTERS_MAX]).decode("utf-8", "replace")


def _without_foreign(values: pa.BinaryArray, odd: dict[int, OddCell]) -> pa.BinaryArray:
    kept = list[bytes]()
    for number, value in enumerate(values.to_pylist()):
        cell = bytes_text(value)
        is_foreign = isinstance(cell, OddCell) and cell.found == NOT_UTF8
        if isinstance(cell, OddCell) and is_foreign:
            odd[number] = cell
        kept.append(b"" if is_foreign else value)
    return pa.array(kept, pa.binary())


def _floats(column: pa.Array) -> Texts:
    bits = column.type.bit_width
    exact_below = {16: FLOAT16_EXACT_BELOW, 32: FLOAT32_EXACT_BELOW}.get(bits, FLOAT_EXACT_BELOW)
    if bits == 64:
        return _whole(column, exact_below) or _each(column, lambda value: float_text(value, exact_below))
    column = column.cast(pa.float32())

    def text(value: float) -> str:
        return float_text(value, exact_below, str(np.float32(value)))

    return _whole(column, exact_below) or _each(column, text)


def _whole(column: pa.Array, exact_below: int | None = None) -> Texts | None:
    """Returns the texts of numbers, or None if one of the numbers is not whole or not exact."""
    if exact_below is not None:
        bounds = pc.min_max(pc.abs(column)).as_py()
        if bounds["max"] is not None and not bounds["max"] < exact_below:
            return None
    try:
        return _plain(pc.cast(pc.cast(column, pa.int64()), pa.string()))
    except pa.ArrowInvalid:
        # A number has a fraction, or more digits than 64 bits can hold.
        return None


def _each(column: pa.Array, text_of: Callable[[Any], str]) -> Texts:
    """Returns the texts of a column. Each distinct value is converted once."""
    number, values = _numbered(column.dictionary_encode())
    cells = [text_of(value) for value in values.to_pylist()]
    odd = {at: cell for at, cell in enumerate(cells) if isinstance(cell, OddCell)}
    return Texts(
        number, pa.array([b"" if at in odd else cell.encode() for at, cell in enumerate(cells)], pa.binary()), odd
    )


def _date(days: int) -> str:
    if not _DAYS[0] <= days <= _DAYS[1]:
        return OddCell("", "a date outside of the years 1 to 9999")
    return OddCell(date.fromordinal(_EPOCH + days).isoformat(), DATE)


def _time_reader(kind: pa.TimestampType) -> Callable[[int], str]:
    """Returns a function that finds the text of a time, which counts from 1970 in the unit of this type."""
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[kind.unit]
    begin = datetime(1970, 1, 1, tzinfo=None if kind.tz is None else UTC)

    def text(value: int) -> str:
        seconds, rest = divmod(value, per_second)
        if not _DAYS[0] <= seconds // 86_400 <= _DAYS[1]:
            return OddCell("", "a time outside of the years 1 to 9999")
        moment = begin + timedelta(seconds=seconds, microseconds=rest * 1_000_000 // per_second)
        return OddCell(moment.isoformat(), TIME)

    return text


__all__ = ["Indices", "Texts", "column_cells", "is_list", "is_text", "list_lengths", "may_name", "texts_of"]
