"""Writes the rejected rows of a file for correction, in the format of the file, with the reasons in added columns.

The mapping of the file can read the result: the columns of the file are kept, and no mapping reads the names of the
added columns. Rows are found by their line number, so each format needs the reader that counted the lines.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tagloom.base import limits as base_limits
from tagloom.files import plain_mapping
from tagloom.files.decoding import opened
from tagloom.files.decompression import read_bytes
from tagloom.files.delimited_records import Record, read_record
from tagloom.files.headers import Selection, Table, open_table
from tagloom.files.json_objects import object_of
from tagloom.files.json_values import decoder
from tagloom.files.ndjson import lines_in
from tagloom.files.parquet_file import ParquetFile, in_kind, translated
from tagloom.files.part_columns import LineFault
from tagloom.files.sliding_buffer import BYTE_ORDER_MARK, Stream
from tagloom.files.table_encoding import Sink
from tagloom.ports.imports import Import
from tagloom.words import limits as words_limits
from tagloom.words.mappings import REASON_COLUMNS, REASON_FIELD, REASON_PREFIX
from tagloom.words.receipts import Rejected

_PIECE_BYTES = words_limits.LINE_BYTES_MAX + 2
_NEWLINE = b"\n"


def read_rejected_rows(path: Path, run: Import, rejected: Iterator[Rejected]) -> Iterator[bytes]:
    """Yields the rejected rows of an import's file, in its format, uncompressed and in UTF-8.

    CSV has the header and the delimiter of the file. The reasons are always in their columns: missing cells are empty,
    and surplus cells follow the reasons. A row that cannot be split into cells is one quoted surplus cell. A line of
    NDJSON that is not an object is unchanged and has no reasons. `rejected` must ascend by line. Cost: one pass
    over the file up to the last rejected line. Memory is bounded.

    Raises: BodyInvalid: the file is damaged.
    """
    if run.format == "parquet":
        return _parquet(path, rejected)
    encoding = "utf-8" if run.mapping is None else run.mapping.encoding
    text = opened(read_bytes(path, run.compression), encoding=encoding)
    lines = _csv(text, run, rejected) if run.format == "csv" else _ndjson(text, rejected)
    # The mapping may name another encoding. The byte order mark shows the reader that these rows are UTF-8.
    return _together(lines if encoding == "utf-8" else chain([BYTE_ORDER_MARK], lines))


def _together(lines: Iterator[bytes]) -> Iterator[bytes]:
    waiting, size = list[bytes](), 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= base_limits.UPLOAD_CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


# CSV.


class _CsvWriter:
    """A writer of rows of a file with their reasons. Leaves out the columns of earlier reasons."""

    def __init__(self, header: Sequence[bytes], delimiter: bytes, quote: bytes) -> None:
        self._width = len(header)
        prefix = REASON_PREFIX.encode()
        self._own = [place for place, name in enumerate(header) if not name.startswith(prefix)]
        self._delimiter = delimiter
        self._quote = quote
        self._special = (delimiter, quote, b"\n", b"\r")
        self.header = self._line([*self._kept(header), *(name.encode() for name in REASON_COLUMNS)])

    def row(self, cells: Sequence[bytes], surplus: Sequence[bytes], why: Rejected) -> bytes:
        """Returns a row with its reasons. Cells that no column has follow the reasons."""
        surplus = [*cells[self._width :], *surplus]
        padded = [*cells, *[b""] * (self._width - len(cells))]
        reasons = (str(why.line), why.problem, why.detail, why.suggestion or "")
        return self._line([*self._kept(padded), *(reason.encode("utf-8", "replace") for reason in reasons), *surplus])

    def _kept(self, cells: Sequence[bytes]) -> list[bytes]:
        return [cells[place] for place in self._own]

    def _line(self, cells: Sequence[bytes]) -> bytes:
        return self._delimiter.join(map(self._quoted, cells)) + _NEWLINE

    def _quoted(self, cell: bytes) -> bytes:
        if any(each in cell for each in self._special):
            return self._quote + cell.replace(self._quote, 2 * self._quote) + self._quote
        return cell


def _csv(text: Generator[bytes, None, None], run: Import, rejected: Iterator[Rejected]) -> Iterator[bytes]:
    selection = (
        Selection(plain_mapping("user", "visitor", "tag"), is_plain=True)
        if run.mapping is None
        else Selection(run.mapping)
    )
    with closing(text):
        table = open_table(text, selection)
        header = table.header or [name.encode() for name in table.names]
        writer = _CsvWriter(header, bytes((table.form.delimiter,)), bytes((table.form.quote,)))
        if table.has_header:
            yield writer.header
        rows = _Rows(table)
        for why in rejected:
            found = rows.at(why.line)
            if found is not None:
                yield writer.row(*found, why)


class _Rows:
    """A reader that finds the rows of a table by their lines, in ascending order."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._line = table.line

    def at(self, line: int) -> tuple[list[bytes], list[bytes]] | None:
        """Returns the cells of the record that begins on a line, and surplus cells.

        If the record cannot be read, the line is one surplus cell, because an id column with it would name a person.
        Returns None if the file ends before the line.
        """
        stream = self._table.stream
        while self._line < line:
            stream.top_up()
            if not len(stream):
                return None
            stream.skip_line()
            self._line += 1
        stream.top_up()
        begin = stream.begin
        record = read_record(stream.buffer, begin, stream.end, self._table.form, is_whole=stream.is_whole)
        if isinstance(record, Record):
            self._line += stream.buffer.count(_NEWLINE, begin, record.end)
            stream.begin = record.end
            return record.cells, []
        newline = stream.buffer.find(_NEWLINE, begin, min(stream.end, begin + _PIECE_BYTES))
        first = bytes(stream.buffer[begin : min(stream.end, begin + _PIECE_BYTES) if newline < 0 else newline])
        stream.skip_line()
        self._line += 1
        return [], [first.rstrip(b"\r")]


# NDJSON.


def _ndjson(text: Generator[bytes, None, None], rejected: Iterator[Rejected]) -> Iterator[bytes]:
    with closing(text):
        lines, reader = lines_in(Stream(text)), decoder()
        for why in rejected:
            for number, line in lines:
                if number == why.line:
                    yield _with_reasons(line, why, reader)
                    break


def _with_reasons(line: bytes, why: Rejected, reader: "msgspec.json.Decoder[Any]") -> bytes:
    reasons = msgspec.json.encode(
        {"line": why.line, "problem": why.problem, "detail": why.detail, "suggestion": why.suggestion}
    )
    if len(line) > words_limits.LINE_BYTES_MAX:
        # The line is too long to be repeated. Its number is enough to find it.
        return b'{"%s":%s}\n' % (REASON_FIELD.encode(), reasons)
    plain = line.strip()
    try:
        found = object_of(line, why.line, reader)
    except LineFault:
        return plain + _NEWLINE
    if REASON_FIELD in found:
        del found[REASON_FIELD]
        fields = msgspec.json.decode(plain, type=dict[str, msgspec.Raw])
        del fields[REASON_FIELD]
        plain = msgspec.json.encode(fields)
    # The rest of the line is unchanged, including the digits of numbers.
    return b'%s%s"%s":%s}\n' % (plain[:-1], b"," if found else b"", REASON_FIELD.encode(), reasons)


# Parquet.


def _parquet(path: Path, rejected: Iterator[Rejected]) -> Iterator[bytes]:
    with ParquetFile(path) as file:
        own = [field for field in file.schema if not field.name.startswith(REASON_PREFIX)]
        kinds = (pa.int64(), pa.string(), pa.string(), pa.string())
        reasons = [pa.field(name, kind) for name, kind in zip(REASON_COLUMNS, kinds, strict=True)]
        schema = pa.schema([*own, *reasons])
        sink = Sink()
        with translated(), pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            for batch, why in _rejected_batches(file, [field.name for field in own], rejected):
                columns = zip(*((each.line, each.problem, each.detail, each.suggestion) for each in why), strict=True)
                arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
                kept = [in_kind(column, field.type) for column, field in zip(batch.columns, own, strict=True)]
                writer.write_batch(pa.record_batch([*kept, *arrays], schema=schema))
                yield sink.take()
        yield sink.take()


def _rejected_batches(
    file: ParquetFile, names: Sequence[str], rejected: Iterator[Rejected]
) -> Iterator[tuple[pa.RecordBatch, list[Rejected]]]:
    """Yields batches of rejected rows with their reasons. Row groups without rejected rows are not read."""
    why, before = next(rejected, None), 0
    for group, rows in enumerate(file.rows_of_groups()):
        end = before + rows
        if why is None:
            return
        if why.line > end:
            before = end
            continue
        for batch in file.batches(names, groups=[group]):
            found = list[Rejected]()
            while why is not None and why.line <= before + len(batch):
                found.append(why)
                why = next(rejected, None)
            if found:
                yield _picked(batch, [each.line - before - 1 for each in found]), found
            before += len(batch)


def _picked(batch: pa.RecordBatch, places: Sequence[int]) -> pa.RecordBatch:
    """Returns the rows of a batch at these places.

    Arrow's `take` is not used, because it supports neither string views nor null lists within lists.
    """
    columns = [pa.concat_arrays([column.slice(place, 1) for place in places]) for column in batch.columns]
    return pa.record_batch(columns, schema=batch.schema)
