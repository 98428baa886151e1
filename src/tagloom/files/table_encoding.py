"""Encodes items as NDJSON, CSV or Parquet, a chunk at a time. Each chunk of items becomes one chunk of bytes."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

Item = TypeVar("Item")
ExportFormat = Literal["ndjson", "csv", "parquet"]

CONTENT_TYPE_OF_FORMAT: dict[ExportFormat, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


def encode_ndjson(
    chunks: Iterator[Sequence[Item]], lines: Callable[[Sequence[Item]], Sequence[Any]]
) -> Iterator[bytes]:
    """Yields the JSON objects that `lines` makes of each chunk, one a line."""
    encoder = msgspec.json.Encoder()
    for chunk in chunks:
        yield encoder.encode_lines(lines(chunk))


def encode_csv(
    chunks: Iterator[Sequence[Item]], names: Sequence[str], cells: Callable[[Item], Sequence[Any]]
) -> Iterator[bytes]:
    """Yields a header and one row for each item, in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for chunk in chunks:
        writer.writerows(cells(item) for item in chunk)
        yield text.getvalue().encode("utf-8")
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode("utf-8")


def encode_parquet(
    chunks: Iterator[Sequence[Item]], schema: pa.Schema, cells: Callable[[Item], Sequence[Any]]
) -> Iterator[bytes]:
    """Yields a Parquet file with one row for each item. A chunk is a row group, compressed by zstd."""
    sink = Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for chunk in chunks:
            if chunk:
                columns = zip(*(cells(item) for item in chunk), strict=True)
                arrays = [pa.array(column, type) for column, type in zip(columns, schema.types, strict=True)]
                writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


class Sink(io.RawIOBase):
    """A file object for a Parquet writer. Holds the written bytes until they are taken."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting.append(bytes(data))
        return len(self._waiting[-1])

    def take(self) -> bytes:
        """Returns the bytes that were written since the last call."""
        taken, self._waiting = b"".join(self._waiting), []
        return taken
