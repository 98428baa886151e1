"""The rejected rows of a file in the file's own shape, with the reasons behind, to be mended and brought again.

What is written is read by the same mapping as the file: the columns are the file's, and those behind them are named
so that nobody reads them. Rows are found by their line, which the reader of the file gave them; so each form is gone
through by the reader, or by the lines, that counted them.
"""

import io
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import assert_never

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tagloom import limits
from tagloom.exports import Sink
from tagloom.intake.mapped import is_long
from tagloom.intake.parquet_file import ParquetFile, in_kind, translated
from tagloom.intake.records import Broken, Form, Record, find_form, read_record
from tagloom.intake.rows import (
    decoded_line,
    find_delimiter,
    json_lines,
    open_plain,
    read_records,
)
from tagloom.intake.stream import BYTE_ORDER_MARK
from tagloom.mappings import REASON_COLUMNS, REASON_FIELD, REASON_PREFIX
from tagloom.model import Rejected
from tagloom.store.imports_port import Import

_PIECE_BYTES = limits.LINE_BYTES_MAX + 2
_NEWLINE = b"\n"


def rows_to_mend(path: Path, run: Import, rejected: Iterator[Rejected]) -> Iterator[bytes]:
    """The rejected rows of an import's file, in its format, without its compression.

    CSV has the header and the delimiter of the file. A row that cannot be cut into cells is one quoted cell, and a line
    of NDJSON that is no object comes as it was, without reasons. `rejected` ascends by line. Costs one pass over the
    file up to the last of them; memory is bounded.

    Raises: BodyInvalid: the file is damaged.
    """
    match run.format:
        case "csv" if run.mapping is None or is_long(path, run.format, run.mapping):
            lines = _long_csv(path, run, rejected)
        case "csv":
            lines = _mapped_csv(path, run, rejected)
        case "ndjson":
            lines = _ndjson(path, run, rejected)
        case "parquet":
            return _parquet(path, rejected)
        case _:
            assert_never(run.format)
    return _together(lines)


def _together(lines: Iterator[bytes]) -> Iterator[bytes]:
    waiting, size = list[bytes](), 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= limits.UPLOAD_CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


# CSV.


class _CsvWriter:
    """Writes rows of a file with the reasons behind; reasons that the file has already are left out."""

    def __init__(self, header: Sequence[bytes], delimiter: bytes, quote: bytes) -> None:
        self._width = len(header)
        prefix = REASON_PREFIX.encode()
        self._own = [place for place, name in enumerate(header) if not name.startswith(prefix)]
        self._delimiter = delimiter
        self._quote = quote
        self._special = (delimiter, quote, b"\n", b"\r")
        self.header = self._line([*self._kept(header), *(name.encode() for name in REASON_COLUMNS)])

    def row(self, cells: Sequence[bytes], why: Rejected) -> bytes:
        """A row, and why it was rejected. One with too few or too many cells stays so."""
        reasons = (str(why.line), why.problem, why.detail, why.suggestion or "")
        return self._line([*self._kept(cells), *(reason.encode("utf-8", "replace") for reason in reasons)])

    def _kept(self, cells: Sequence[bytes]) -> list[bytes]:
        if len(cells) == self._width:
            return [cells[place] for place in self._own]
        return list(cells[: max(1, len(cells) - self._width + len(self._own))])

    def _line(self, cells: Sequence[bytes]) -> bytes:
        return self._delimiter.join(map(self._quoted, cells)) + _NEWLINE

    def _quoted(self, cell: bytes) -> bytes:
        if any(each in cell for each in self._special):
            return self._quote + cell.replace(self._quote, 2 * self._quote) + self._quote
        return cell


def _mapped_csv(path: Path, run: Import, rejected: Iterator[Rejected]) -> Iterator[bytes]:
    records = read_records(path, "csv", run.compression)
    delimiter = find_delimiter(path, run.compression).encode()
    writer = _CsvWriter([name.encode() for name in records.names], delimiter, b'"')
    yield writer.header
    with closing(records.rows):
        why = next(rejected, None)
        for row in records.rows:
            while why is not None and why.line < row.number:
                why = next(rejected, None)
            if why is None:
                return
            if row.number == why.line:
                yield writer.row([cell.encode() for cell in row.original], why)
                why = next(rejected, None)


def _long_csv(path: Path, run: Import, rejected: Iterator[Rejected]) -> Iterator[bytes]:
    with closing(_Lines(path, run)) as lines:
        first = lines.take()
        while first in (b"\n", b"\r\n"):
            first = lines.take()
        form, header = _header_of(first, lines, run)
        writer = _CsvWriter(header, bytes((form.delimiter,)), bytes((form.quote,)))
        yield writer.header
        for why in rejected:
            while (line := lines.take()) and lines.number < why.line:
                pass
            if line:
                yield writer.row(_cells_of(line, lines, form), why)


def _header_of(first: bytes, lines: "_Lines", run: Import) -> tuple[Form, list[bytes]]:
    mapping = run.mapping
    user, visitor, tag = "user", "visitor", "tag"
    if mapping is not None:
        user, visitor, tag = mapping.user or "\0", mapping.visitor or "\0", mapping.columns[0].column
    data = bytearray(first + b"".join(lines.peek()))
    form, end = find_form(data, 0, len(data), is_whole=True, user=user, visitor=visitor, tag=tag)
    record = read_record(data, 0, end, form, is_whole=True)
    assert isinstance(record, Record), "its form was just found"
    for _ in range(data.count(_NEWLINE, 0, end) - 1):
        lines.take()
    return form, record.cells


def _cells_of(first: bytes, lines: "_Lines", form: Form) -> list[bytes]:
    """The cells of the record that begins with this line; of one that cannot be read the line alone, as one cell."""
    taken, is_whole = [first], False
    data = bytearray(first)
    while (found := read_record(data, 0, len(data), form, is_whole=is_whole)) is None:
        # Twice as many each time, or a record of many lines would be read again and again.
        more = [line for _ in range(len(taken)) if (line := lines.take())]
        is_whole = not more
        taken += more
        data += b"".join(more)
    if isinstance(found, Broken):
        lines.put_back(taken[1:])
        return [first.rstrip(b"\r\n")]
    if found.end < len(data):
        lines.put_back(taken[data.count(_NEWLINE, 0, found.end) :])
    return found.cells


class _Lines:
    """The lines of a file, one after the other; of one that is too long only the first piece is given.

    `number` is that of the last line taken, from 1.
    """

    def __init__(self, path: Path, run: Import) -> None:
        self._file = io.BufferedReader(open_plain(path, run.compression))
        self._waiting = deque([self._read().removeprefix(BYTE_ORDER_MARK)])
        self.number = 0

    def _read(self) -> bytes:
        line = piece = self._file.readline(_PIECE_BYTES)
        while len(piece) == _PIECE_BYTES and not piece.endswith(_NEWLINE):
            piece = self._file.readline(_PIECE_BYTES)
        return line

    def take(self) -> bytes:
        """The next line; empty behind the last one."""
        line = self._waiting.popleft() if self._waiting else self._read()
        self.number += bool(line)
        return line

    def peek(self) -> list[bytes]:
        """As many lines to come as one record may have."""
        size = sum(map(len, self._waiting))
        while size < _PIECE_BYTES and (line := self._read()):
            self._waiting.append(line)
            size += len(line)
        return list(self._waiting)

    def put_back(self, lines: Sequence[bytes]) -> None:
        """Gives them again, in order."""
        self._waiting.extendleft(reversed(lines))
        self.number -= len(lines)

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()


# NDJSON.


def _ndjson(path: Path, run: Import, rejected: Iterator[Rejected]) -> Iterator[bytes]:
    lines = json_lines(path, run.compression)
    for why in rejected:
        for number, line in lines:
            if number == why.line:
                yield _with_reasons(line, why)
                break


def _with_reasons(line: bytes, why: Rejected) -> bytes:
    reasons = msgspec.json.encode(
        {"line": why.line, "problem": why.problem, "detail": why.detail, "suggestion": why.suggestion}
    )
    if len(line) > limits.LINE_BYTES_MAX:
        # Whoever mends it looks it up by its number.
        return b'{"%s":%s}\n' % (REASON_FIELD.encode(), reasons)
    found = decoded_line(line)
    plain = line.removeprefix(BYTE_ORDER_MARK).strip()
    if not isinstance(found, dict):
        return plain + _NEWLINE
    if REASON_FIELD in found:
        del found[REASON_FIELD]
        plain = msgspec.json.encode(found)
    # The rest stays as it was written, numbers and all.
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
    """The rejected rows, some at a time. Groups of rows without one are not read."""
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
    """Some rows of a batch. Arrow's own way knows neither views of text nor lists of nothing within lists."""
    columns = [pa.concat_arrays([column.slice(place, 1) for place in places]) for column in batch.columns]
    return pa.record_batch(columns, schema=batch.schema)
