"""Reads files of events of any size: NDJSON, CSV or Parquet, as lines of NDJSON, and cuts them into bodies.

The columns of a table are the fields of an event. Any other column is a property. An empty cell counts as absent. In
CSV, a cell that is a JSON number, `true` or `false` is such a value, and any other cell is a text.
"""

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, assert_never

import msgspec
import pyarrow as pa

from tagloom.events import limits
from tagloom.files.decoding import opened
from tagloom.files.decompression import Squeezed
from tagloom.files.delimited_records import columns_missing
from tagloom.files.ndjson import lines_in
from tagloom.files.parquet_file import ParquetFile
from tagloom.files.record_reader import read_records
from tagloom.files.sliding_buffer import Stream
from tagloom.words.people import KINDS
from tagloom.words.problems import LineInvalid
from tagloom.words.receipts import Rejected
from tagloom.words.rejections import rejected

TableFormat: TypeAlias = Literal["csv", "parquet"]

_LINES_PER_BODY = limits.EVENTS_PER_REQUEST_MAX // 2
_BYTES_PER_BODY = limits.EVENTS_BODY_BYTES_MAX // 2
_FIELDS = frozenset(("user", "visitor", "event", "at", "id", "original_at", "sent_at"))
_OF_RECORDING = frozenset(("received_at", "version"))  # Columns of an export. A recorded event gets its own.
_PROPERTIES = "properties"
_NO_PROPERTIES = _FIELDS | _OF_RECORDING | {_PROPERTIES}
# A whole number of more digits is an id, and would lose digits in some programs.
_JSON_VALUE = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?|true|false")
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class _Line(NamedTuple):
    """A line of NDJSON with its number in the file, or the reason why the row of the file cannot be read."""

    number: int
    text: bytes
    fault: str = ""


class EventsPart(NamedTuple):
    """A part of a file of events: a body of NDJSON, the number in the file of each of its lines, and rejected rows."""

    body: bytes
    numbers: list[int]
    rejected: list[Rejected]


def parts_of_lines(chunks: Iterator[bytes]) -> Iterator[EventsPart]:
    """Yields the parts of NDJSON of any size. It may be compressed. Raises: BodyInvalid."""
    with closing(opened(chunks)) as text:
        yield from _parts(_Line(number, line) for number, line in lines_in(Stream(text)) if line.strip())


def parts_of_table(path: Path, format: TableFormat, squeezed: Squeezed = "none") -> Iterator[EventsPart]:
    """Yields the parts of a table of any size. Rows of CSV count as lines, rows of Parquet from 1.

    Raises: BodyInvalid, ColumnsInvalid.
    """
    match format:
        case "csv":
            lines = _csv_lines(path, squeezed)
        case "parquet":
            lines = _parquet_lines(path)
        case _:
            assert_never(format)
    with closing(lines):
        yield from _parts(lines)


def _parts(lines: Iterator[_Line]) -> Iterator[EventsPart]:
    texts, numbers, refused, size = list[bytes](), list[int](), list[Rejected](), 0
    for line in lines:
        if line.fault:
            refused.append(rejected(line.number, "", LineInvalid(line.fault)))
        else:
            texts.append(line.text)
            numbers.append(line.number)
            size += len(line.text) + 1
        if len(texts) + len(refused) >= _LINES_PER_BODY or size >= _BYTES_PER_BODY:
            yield EventsPart(b"\n".join(texts), numbers, refused)
            texts, numbers, refused, size = [], [], [], 0
    yield EventsPart(b"\n".join(texts), numbers, refused)


def _csv_lines(path: Path, squeezed: Squeezed) -> Generator[_Line, None, None]:
    records = read_records(path, "csv", squeezed)
    _check_columns(records.names)
    with closing(records.rows) as rows:
        for row in rows:
            if row.fault is not None:
                yield _Line(row.number, b"", row.fault)
                continue
            cells = zip(records.names, map(str, row.cells), strict=True)
            found = {name: cell if name in _NO_PROPERTIES else _value(cell) for name, cell in cells if cell}
            yield _Line(row.number, _line_of(found))


def _parquet_lines(path: Path) -> Generator[_Line, None, None]:
    number = 0
    with ParquetFile(path) as file:
        file.check_once(file.names)
        _check_columns(file.names)
        for batch in file.batches(file.names):
            for row in _rows(batch):
                number += 1
                if row is None:
                    yield _Line(number, b"", f"Row {number} has a time that cannot be read.")
                    continue
                yield _Line(number, _line_of({name: _plain(value) for name, value in row.items() if _is_given(value)}))


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | None]:
    """Yields the rows of a batch, or None for a row with a value that Python cannot have, such as the year 20,000."""
    columns = [
        column.cast(pa.timestamp("us", column.type.tz), safe=False) if pa.types.is_timestamp(column.type) else column
        for column in batch.columns
    ]
    exact = pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
    try:
        yield from exact.to_pylist()
    except (ValueError, OverflowError):
        for place in range(len(exact)):
            try:
                yield exact.slice(place, 1).to_pylist()[0]
            except (ValueError, OverflowError):
                yield None


def _is_given(value: Any) -> bool:
    return value is not None and value != ""


def _check_columns(names: Sequence[str]) -> None:
    """Raises: ColumnsInvalid: there is no column of people, or none of event types."""
    wanted: list[list[str]] = [[*KINDS], ["event"]]
    if any(not set(each).intersection(names) for each in wanted):
        raise columns_missing(names, wanted)


def _line_of(row: Mapping[str, Any]) -> bytes:
    """Returns a row as a line of NDJSON. A text in the column of properties is JSON, and is not parsed."""
    fields = {name: value for name, value in row.items() if name in _FIELDS}
    more = {name: value for name, value in row.items() if name not in _NO_PROPERTIES}
    written = row.get(_PROPERTIES)
    if not more:
        if written is not None:
            fields[_PROPERTIES] = _json_or_text(written) if isinstance(written, str) else written
        return _ENCODER.encode(fields)
    if isinstance(written, str):
        try:
            written = msgspec.json.decode(written)
        except msgspec.DecodeError:
            fields[_PROPERTIES] = _json_or_text(written)  # The reader of events rejects it.
            return _ENCODER.encode(fields)
    fields[_PROPERTIES] = {**written, **more} if isinstance(written, dict) else more if written is None else written
    return _ENCODER.encode(fields)


def _json_or_text(text: str) -> msgspec.Raw | str:
    """Returns a JSON text in one line, or a text that is not JSON as it is: the reader of events rejects it."""
    try:
        return msgspec.Raw(msgspec.json.format(text.encode("utf-8", "replace"), indent=-1))
    except msgspec.DecodeError:
        return text


def _value(cell: str) -> Any:
    return msgspec.json.decode(cell) if _JSON_VALUE.fullmatch(cell) else cell


def _plain(value: Any) -> Any:
    """Returns a value of Parquet as JSON has it. A time without a zone is in UTC."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value
