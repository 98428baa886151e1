"""The bytes of a file without its compression, and the rows of a Parquet file of any columns."""

from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tagloom import limits, problems
from tagloom.mappings import Cell
from tagloom.tags import printable

FileFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]
Squeezed: TypeAlias = Literal["none", "gzip", "zstd"]

ROWS_PER_BATCH = 16_384


class Row(NamedTuple):
    """One record: its line (rows of Parquet count from 1), the cells of the columns asked for, and what it was.

    `fault` says why it cannot be understood; then `cells` are those that stand where they should, as far as they go.
    """

    number: int
    cells: Sequence[Cell]
    original: Any
    fault: str | None = None


class Records(NamedTuple):
    """The columns of a file and its records, of which one is held at a time.

    Of NDJSON, whose objects may all differ, `names` are the columns that were asked for.
    """

    names: tuple[str, ...]
    rows: Generator[Row, None, None]


def open_plain(path: Path, squeezed: Squeezed) -> pa.NativeFile:
    """The file's bytes, without their compression. Raises: BodyInvalid while it is read, by `read_bytes`."""
    return pa.input_stream(str(path), compression=None if squeezed == "none" else squeezed)


def read_bytes(path: Path, squeezed: Squeezed) -> Generator[bytes, None, None]:
    """The file in chunks, without its compression. Raises: BodyInvalid: it is cut off or damaged."""
    try:
        with open_plain(path, squeezed) as file:
            while chunk := file.read(limits.UPLOAD_CHUNK_BYTES):
                yield chunk
    except (pa.ArrowException, OSError) as error:
        raise _damaged(squeezed, error) from error


def _damaged(squeezed: Squeezed, error: Exception) -> problems.BodyInvalid:
    said = printable(str(error))
    return problems.BodyInvalid(f"The file cannot be read: {said}.", rule="a whole file", value=squeezed)


# Parquet.


def _places(header: Sequence[str], names: Sequence[str] | None) -> list[int]:
    """Where the columns stand. Raises: BodyInvalid, ColumnsInvalid."""
    if not any(name.strip() for name in header):
        raise problems.BodyInvalid("The file has no header.", line=1, rule="a header with a name for each column")
    counts = Counter(header)
    for name in names or header:
        if counts[name] > 1:
            shown = printable(name)
            raise problems.ColumnsInvalid(f"The file has two columns '{shown}'.", value=shown, rule="each column once")
    for name in names or ():
        if name not in header:
            shown = printable(name)
            raise problems.ColumnsInvalid(f"The file has no column '{shown}'.", value=shown, rule="every mapped column")
    return [header.index(name) for name in (header if names is None else names)]


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file. Raises: BodyInvalid: it is none, or not whole."""
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise problems.BodyInvalid(
            f"The file is no whole Parquet file: {printable(str(error))}.", rule="a Parquet file"
        ) from error


def parquet_records(path: Path, names: Sequence[str] | None) -> Records:
    """The rows of a Parquet file with the cells of these columns, or of all. Raises: BodyInvalid, ColumnsInvalid."""
    file = open_parquet(path)
    header = list(file.schema_arrow.names)
    wanted = [header[place] for place in _places(header, names)]
    return Records(tuple(wanted), _parquet_rows(file, wanted))


def holds_texts(path: Path, names: Sequence[str]) -> bool:
    """Whether all these columns of a Parquet file are there and hold texts. Raises: BodyInvalid."""
    schema = open_parquet(path).schema_arrow
    return all(name in schema.names and pa.types.is_string(schema.field(name).type) for name in names)


def _parquet_rows(file: pq.ParquetFile, names: Sequence[str]) -> Generator[Row, None, None]:
    number = 0
    try:
        for batch in file.iter_batches(ROWS_PER_BATCH, columns=list(names), use_threads=False):
            columns = [[cell_of(value) for value in batch.column(name).to_pylist()] for name in names]
            for cells in zip(*columns, strict=True):
                number += 1
                yield Row(number, cells, None)
    except (pa.ArrowException, OSError) as error:
        raise problems.BodyInvalid(
            f"The file cannot be read behind row {number}: {printable(str(error))}.", rule="a Parquet file"
        ) from error


def cell_of(value: Any) -> Cell:
    """What a value of Parquet or JSON is as a cell: text, or several texts. What is missing is an empty text."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return tuple(text for each in value for text in _texts(each))
        case float() if value.is_integer():
            return str(int(value))
        case dict():
            return msgspec.json.encode(value).decode()
        case _:
            return str(value)


def _texts(value: Any) -> tuple[str, ...]:
    cell = cell_of(value)
    return (cell,) if isinstance(cell, str) else cell
