"""Joins several files of one format into one, which an import then reads."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from tagloom.base import limits as base_limits
from tagloom.base.text import printable
from tagloom.egress.problems import SourceUnreadable
from tagloom.files.delimited_records import DELIMITERS, QUOTES, Form, Record, read_record
from tagloom.files.parquet_file import ParquetFile, in_kind
from tagloom.files.sliding_buffer import BYTE_ORDER_MARK
from tagloom.words import limits as words_limits

FileFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]
_BLANK = (b"\n", b"\r\n")


def join(paths: Sequence[Path], format: FileFormat, target: Path) -> None:
    """Writes all files into the new file `target`, in order. CSV and Parquet files must have the same columns.

    Raises: SourceUnreadable; BodyInvalid, OSError, ArrowException: a file is damaged.
    """
    if format == "parquet":
        _join_parquet(paths, target)
        return
    first: _Header | None = None
    with target.open("xb") as joined:
        for path in paths:
            with pa.input_stream(str(path), compression="detect") as stream:
                chunk: bytes = stream.read(base_limits.UPLOAD_CHUNK_BYTES)
                if format == "csv":
                    while len(chunk) < words_limits.LINE_BYTES_MAX and (
                        more := stream.read(base_limits.UPLOAD_CHUNK_BYTES)
                    ):
                        chunk += more
                    header = _header_of(chunk)
                    if first is None:
                        first = header
                        joined.write(header.line + b"\n")
                    _check_header(path, header, first)
                    chunk = chunk[header.end :]
                while chunk:
                    joined.write(chunk)
                    chunk = stream.read(base_limits.UPLOAD_CHUNK_BYTES)
            _end_line(joined)


# CSV.


class _Header(NamedTuple):
    """The header of a file: its names, its delimiter and quote, its bytes, and the place where the rows begin."""

    names: list[bytes]
    delimiter: int
    quote: int
    line: bytes
    end: int


def _header_of(data: bytes) -> _Header:
    """Returns the header of a file. Skips blank lines before the header. Quoted names may contain line ends."""
    begin = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    while blank := next((each for each in _BLANK if data.startswith(each, begin)), b""):
        begin += len(blank)
    plain, best = bytearray(data), None
    for quote in QUOTES:
        for delimiter in DELIMITERS:
            record = read_record(plain, begin, len(plain), Form(delimiter, quote, 0, None, None, ()), is_whole=True)
            if isinstance(record, Record) and (best is None or len(record.cells) > len(best.names)):
                line = data[begin : record.end].rstrip(b"\r\n")
                best = _Header(record.cells, delimiter, quote, line, record.end)
    if best is not None:
        return best
    newline = data.find(b"\n", begin)
    end = len(data) if newline < 0 else newline + 1
    line = data[begin:end].rstrip(b"\r\n")
    return _Header([line], DELIMITERS[0], QUOTES[0], line, end)


def _check_header(path: Path, header: _Header, first: _Header) -> None:
    if header.names != first.names:
        raise _unlike(path, "has a header that differs from that of the files before it")
    if len(header.names) > 1 and header.delimiter != first.delimiter:
        raise _unlike(path, "has a delimiter that differs from that of the files before it")


def _end_line(joined: BinaryIO) -> None:
    """Adds a line end if the last line has none, so that the next file begins on its own line."""
    if joined.tell():
        joined.flush()
        with Path(joined.name).open("rb") as written:
            written.seek(-1, os.SEEK_END)
            if written.read(1) != b"\n":
                joined.write(b"\n")


# Parquet.


def _join_parquet(paths: Sequence[Path], target: Path) -> None:
    """Joins files whose columns have the same names. The types of a column may differ in width."""
    schemas = []
    for path in paths:
        with ParquetFile(path) as file:
            file.check_once(file.names)
            schemas.append(file.schema.remove_metadata())
    names = schemas[0].names
    for path, schema in zip(paths, schemas, strict=True):
        if set(schema.names) != set(names):
            odd = sorted(set(schema.names) ^ set(names))
            listed = ", ".join(f"'{printable(name)}'" for name in odd[:10])
            raise _unlike(path, f"has columns that differ from those of the files before it: {listed}")
    schema = pa.schema([_common(name, paths, schemas) for name in names])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for path in paths:
            with ParquetFile(path) as file:
                for batch in file.batches(names):
                    columns = [_cast(path, batch.column(field.name), field) for field in schema]
                    writer.write_batch(pa.record_batch(columns, schema=schema))


def _cast(path: Path, column: pa.Array, field: pa.Field) -> pa.Array:
    try:
        return in_kind(column, field.type)
    except pa.ArrowInvalid as error:
        # An example is a whole number beyond 2^53 in a column for which other files have doubles.
        says = f"has a value in column '{printable(field.name)}' that does not fit its type: {printable(str(error))}"
        raise _unlike(path, says.rstrip(".")) from error


def _common(name: str, paths: Sequence[Path], schemas: Sequence[pa.Schema]) -> pa.Field:
    """Returns a column whose type can hold the values of all files. Raises: SourceUnreadable: there is no such type."""
    field = schemas[0].field(name).with_nullable(True)
    for path, schema in zip(paths, schemas, strict=True):
        other = schema.field(name).with_nullable(True)
        try:
            # Numbers may become wider, but a number never becomes a text here.
            merged = pa.unify_schemas([pa.schema([field]), pa.schema([other])], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise _unlike(
                path, f"has {printable(str(other.type))} in column '{printable(name)}', but others have {field.type}"
            ) from error
        field = merged.field(0)
    return field


def _unlike(path: Path, says: str) -> SourceUnreadable:
    shown = printable(path.name)
    return SourceUnreadable(f"'{shown}' {says}.", value=shown)
