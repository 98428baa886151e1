"""Encodes people and taggings as NDJSON, CSV or Parquet, a chunk at a time. An import can read the result."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tagloom.words.people import Person
from tagloom.words.tags import TagPath

ExportFormat = Literal["ndjson", "csv", "parquet"]
Tagging = tuple[Person, TagPath]

CONTENT_TYPE_OF_FORMAT: dict[ExportFormat, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}


def encode_people(chunks: Iterator[Sequence[Person]], format: ExportFormat) -> Iterator[bytes]:
    """Yields people in the given order: lines `{"user": id}` or `{"visitor": id}`, or rows with user and visitor.

    Each chunk of people becomes one chunk of bytes. An error of reading the first people is raised before the first
    bytes.
    """
    if format == "ndjson":
        return _ndjson(chunks, lambda people: [{person.kind: person.id} for person in people])
    return _columns(chunks, format, ("user", "visitor"), _cells_of)


def encode_taggings(chunks: Iterator[Sequence[Tagging]], format: ExportFormat) -> Iterator[bytes]:
    """Yields taggings: lines `{"user": id, "tags": [...]}`, or rows with user, visitor and tag.

    The taggings of one person must follow each other.
    """
    if format == "ndjson":
        return _ndjson(chunks, _lines_of_taggings)
    return _columns(chunks, format, ("user", "visitor", "tag"), lambda each: (*_cells_of(each[0]), each[1]))


def _lines_of_taggings(taggings: Sequence[Tagging]) -> list[dict[str, Any]]:
    return [
        {person.kind: person.id, "tags": [tag for _, tag in group]}
        for person, group in groupby(taggings, key=lambda each: each[0])
    ]


def _cells_of(person: Person) -> tuple[str | None, str | None]:
    return (person.id, None) if person.kind == "user" else (None, person.id)


def _ndjson(chunks: Iterator[Sequence[Any]], lines: Callable[[Sequence[Any]], Sequence[Any]]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for chunk in chunks:
        yield encoder.encode_lines(lines(chunk))


def _columns(
    chunks: Iterator[Sequence[Any]],
    format: ExportFormat,
    names: tuple[str, ...],
    cells: Callable[[Any], tuple[str | None, ...]],
) -> Iterator[bytes]:
    return _csv(chunks, names, cells) if format == "csv" else _parquet(chunks, names, cells)


def _csv(
    chunks: Iterator[Sequence[Any]], names: tuple[str, ...], cells: Callable[[Any], tuple[str | None, ...]]
) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for chunk in chunks:
        writer.writerows(cells(item) for item in chunk)
        yield text.getvalue().encode("utf-8")
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode("utf-8")


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


def _parquet(
    chunks: Iterator[Sequence[Any]], names: tuple[str, ...], cells: Callable[[Any], tuple[str | None, ...]]
) -> Iterator[bytes]:
    schema = pa.schema([(name, pa.string()) for name in names])
    sink = Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for chunk in chunks:
            columns = list(zip(*(cells(item) for item in chunk), strict=True)) or [()] * len(names)
            arrays = [pa.array(column, pa.string()) for column in columns]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            yield sink.take()
    yield sink.take()
