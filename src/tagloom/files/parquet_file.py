"""Opens and reads one Parquet file in bounded memory, whatever its form and size.

All code that reads Parquet uses this module: with and without a mapping, for mapping inference and for rejected rows.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tagloom.base.problems import BodyInvalid
from tagloom.base.text import printable
from tagloom.files import limits
from tagloom.files.parquet_pages import (
    DELTA_BYTE_ARRAY,
    DELTA_LENGTH_BYTE_ARRAY,
    Chunk,
    Pages,
    look_at_pages,
    read_groups,
)
from tagloom.files.parquet_texts import is_text
from tagloom.files.problems import ColumnsInvalid
from tagloom.words import limits as words_limits
from tagloom.words.tags import nearest

ROWS_PER_BATCH = 65_536
_READ_BYTES = 1_048_576  # Bytes of each column that are read at once, whatever the size of its row groups.
# A text column that is stored as a dictionary is read as a dictionary, so that a value in a million rows is in memory
# once. Where Arrow returns no dictionary (lists, delta encodings), few rows are read at once, because each value may be
# as large as a page.
_WITHOUT_DICTIONARY = {DELTA_BYTE_ARRAY, DELTA_LENGTH_BYTE_ARRAY}
_BATCH_BYTES = 268_435_456
_EXPECTED_BATCH_BYTES = 16_777_216
_ROWS_MIN = 16
_COLUMNS_SHOWN = 20


class ParquetFile:
    """A Parquet file and its columns. Close it after use."""

    def __init__(self, source: Path | IO[bytes]) -> None:
        """Opens a file. Raises: BodyInvalid: it is not a complete Parquet file, or a column's name is not UTF-8."""
        self._is_ours = isinstance(source, Path)
        self._source = source.open("rb") if isinstance(source, Path) else source
        try:
            with translated():
                self._file = self._opened(())
                self.schema: pa.Schema = self._file.schema_arrow
                self.names: tuple[str, ...] = tuple(self.schema.names)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "ParquetFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file if this object opened it."""
        if self._is_ours:
            self._source.close()

    def rows_of_groups(self) -> list[int]:
        """Returns the number of rows of each row group. Raises: BodyInvalid."""
        with translated():
            return [group.rows for group in read_groups(self._source, ())]

    def kind(self, name: str) -> pa.DataType:
        """Returns the type of a column. Raises: ColumnsInvalid: no column has this name, or two have it."""
        self.check_once([name])
        return self.schema.field(name).type

    def check_once(self, names: Sequence[str]) -> None:
        """Checks that each column occurs once. Raises: ColumnsInvalid."""
        for name in dict.fromkeys(names):
            count = len(self.schema.get_all_field_indices(name))
            if count != 1:
                raise _wrong(name, count, self.names)

    def batches(self, names: Sequence[str], groups: Sequence[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Yields the rows of these columns in batches, in order. Memory is bounded, whatever the file declares.

        Raises: BodyInvalid: the file is damaged, or a page is too large.
        """
        wanted = list(dict.fromkeys(names))
        with translated():
            plan = self._plan(wanted)
            file = self._opened(plan.dictionaries)
            for batch in file.iter_batches(plan.rows, columns=wanted, row_groups=groups, use_threads=False):
                _check_numbers(batch)
                yield batch

    def _opened(self, dictionaries: Sequence[str]) -> pq.ParquetFile:
        self._source.seek(0)
        return pq.ParquetFile(
            self._source,
            read_dictionary=list(dictionaries),
            pre_buffer=False,
            buffer_size=_READ_BYTES,
            page_checksum_verification=True,
        )

    def _plan(self, names: Sequence[str]) -> "_Plan":
        """Returns how many rows may be read at once, and the columns to read as dictionaries. Raises: BodyInvalid."""
        wanted = set(names)
        count = Counter(self.names)
        texts = {name for name in wanted if count[name] == 1 and is_text(self.schema.field(name).type)}
        rows = ROWS_PER_BATCH
        leaves = [self._file.schema.column(place) for place in range(len(self._file.schema))]
        places = {
            place: leaf.path
            for place, leaf in enumerate(leaves)
            if _lies_in(leaf.path, wanted) and leaf.physical_type in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
        }
        for group in read_groups(self._source, places):
            for place, chunk in group.chunks.items():
                path, pages = places[place], self._pages(chunk)
                _check_page(path, pages.largest)
                if pages.encodings & _WITHOUT_DICTIONARY:
                    texts.discard(path)
                if path in texts:
                    rows = min(rows, _rows_of(_EXPECTED_BATCH_BYTES, chunk.plain, ROWS_PER_BATCH))
                else:
                    rows = min(rows, _rows_of(_BATCH_BYTES, pages.largest, 1))
        return _Plan(tuple(texts), rows)

    def _pages(self, chunk: Chunk) -> Pages:
        try:
            return look_at_pages(self._source, chunk)
        except ValueError:
            # Without readable page headers, the size of the whole chunk is the bound; the reader then reports the
            # fault.
            return Pages(chunk.plain, frozenset())


class _Plan(NamedTuple):
    dictionaries: tuple[str, ...]
    rows: int


def _check_numbers(batch: pa.RecordBatch) -> None:
    """Checks dictionary indices, which Arrow does not check. Raises: ValueError: a value is missing."""
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and len(column) > column.null_count:
            bounds = pc.min_max(column.indices).as_py()
            if bounds["min"] < 0 or bounds["max"] >= len(column.dictionary):
                raise ValueError("a row has a value that the dictionary of its page does not hold")


def _lies_in(path: str, wanted: set[str]) -> bool:
    """Returns whether a leaf is one of these columns, or lies below one of them."""
    at = 0
    while (at := path.find(".", at + 1)) >= 0:
        if path[:at] in wanted:
            return True
    return path in wanted


def _check_page(path: str, page: int) -> None:
    if page > limits.PARQUET_PAGE_BYTES_MAX:
        raise BodyInvalid(
            f"The column '{printable(path)}' has a page of {page:,} bytes; at most {limits.PARQUET_PAGE_BYTES_MAX:,} "
            f"are read at once, and a cell has at most {words_limits.LINE_BYTES_MAX:,}. Write the file with shorter "
            "cells or smaller pages.",
            rule="pages of a bounded size",
        )


def _rows_of(bytes_max: int, size: int, share: int) -> int:
    return max(_ROWS_MIN, min(ROWS_PER_BATCH, bytes_max * share // max(1, size)))


def _wrong(name: str, count: int, found: Sequence[str]) -> ColumnsInvalid:
    shown = printable(name)
    if count:
        return ColumnsInvalid(f"The file has two columns '{shown}'.", value=shown, rule="each column once")
    listed = [printable(each) for each in dict.fromkeys(found)]
    near = nearest(shown, listed[: words_limits.COLUMNS_PER_MAPPING_MAX])
    columns = ", ".join(f"'{each}'" for each in listed[:_COLUMNS_SHOWN]) or "none"
    remedy = f" Nearest: {', '.join(repr(each) for each in near)}." if near else ""
    return ColumnsInvalid(
        f"The file has no column '{shown}'; its columns are {columns}.{remedy}",
        value=shown,
        found=listed[:_COLUMNS_SHOWN],
        nearest=near,
        rule="every mapped column",
    )


def in_kind(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Returns a column in the type `kind`, which the file declares. Raises: ArrowInvalid.

    The column may have been read as a dictionary, or in a wider type.
    """
    if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
    return column if column.type == kind else column.cast(kind)


@contextmanager
def translated() -> Iterator[None]:
    """Converts Arrow's errors to problems. Raises: BodyInvalid."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise BodyInvalid(
            "The name of a column is not UTF-8. Write the file with names in UTF-8.", rule="names in UTF-8"
        ) from error
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError) as error:
        raise BodyInvalid(
            f"The body is no whole Parquet file: {printable(str(error))}.", rule="a Parquet file"
        ) from error
