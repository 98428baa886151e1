"""Decompresses files, and reads the rows of Parquet files with any columns."""

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import pyarrow as pa

from tagloom.base import limits
from tagloom.base.problems import BodyInvalid
from tagloom.base.text import printable
from tagloom.files.decoding import refuse_compressed
from tagloom.files.parquet_file import ParquetFile
from tagloom.files.parquet_rows import KIND_PREFIX, parquet_cells, parquet_names
from tagloom.files.parquet_texts import is_text
from tagloom.words.cells import Cell

FileFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]
Squeezed: TypeAlias = Literal["none", "gzip", "zstd"]


class Row(NamedTuple):
    """One record: its line, the cells of the requested columns, and its original form.

    Rows of Parquet count from 1. `fault` is the reason why the record cannot be read; `cells` then has the cells that
    could be read.
    """

    number: int
    cells: Sequence[Cell]
    original: Any
    fault: str | None = None


class Records(NamedTuple):
    """The columns of a file and its records. Only one record at a time is in memory.

    For NDJSON, whose objects may all differ, `names` are the requested columns.
    """

    names: tuple[str, ...]
    rows: Generator[Row, None, None]


def open_plain(path: Path, squeezed: Squeezed) -> pa.NativeFile:
    """Opens a file and decompresses it. Prefer `read_bytes`, which translates errors into BodyInvalid."""
    return pa.input_stream(str(path), compression=None if squeezed == "none" else squeezed)


def read_bytes(path: Path, squeezed: Squeezed) -> Generator[bytes, None, None]:
    """Yields the chunks of a file, decompressed. Raises: BodyInvalid: the file is damaged or compressed twice."""
    is_first = squeezed != "none"
    try:
        with open_plain(path, squeezed) as file:
            while chunk := file.read(limits.UPLOAD_CHUNK_BYTES):
                if is_first:
                    refuse_compressed(chunk)
                    is_first = False
                yield chunk
    except (pa.ArrowException, OSError) as error:
        raise _damaged(squeezed, error) from error


def _damaged(squeezed: Squeezed, error: Exception) -> BodyInvalid:
    said = printable(str(error))
    return BodyInvalid(f"The file cannot be read: {said}.", rule="a whole file", value=squeezed)


# Parquet.


def parquet_records(path: Path, names: Sequence[str] | None) -> Records:
    """Returns the rows of a Parquet file with these columns, or with all columns.

    Raises: BodyInvalid, ColumnsInvalid.
    """
    found = parquet_names(path)
    if names is None:
        wanted = list(dict.fromkeys(found))
    else:
        with ParquetFile(path) as file:
            file.check_once(names)
        wanted = list(names)
    return Records(tuple(wanted), _parquet_rows(path, wanted))


def holds_texts(path: Path, names: Sequence[str]) -> bool:
    """Returns whether a Parquet file has each of these columns once, with texts only. Raises: BodyInvalid."""
    with ParquetFile(path) as file:
        is_plain = not any(name.startswith(KIND_PREFIX) for name in file.names)
        return is_plain and all(file.names.count(name) == 1 and is_text(file.kind(name)) for name in names)


def _parquet_rows(path: Path, names: Sequence[str]) -> Generator[Row, None, None]:
    with closing(parquet_cells(path, names)) as rows:
        for number, cells in enumerate(rows, 1):
            yield Row(number, cells, None)
