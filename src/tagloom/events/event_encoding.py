"""Encodes events as NDJSON, CSV or Parquet, a chunk at a time. NDJSON can be recorded again."""

from collections.abc import Iterator, Sequence
from typing import Any, assert_never

import msgspec
import pyarrow as pa

from tagloom.base.times import text_of_milliseconds
from tagloom.events.event_properties import in_one_line
from tagloom.files.table_encoding import ExportFormat, encode_csv, encode_ndjson, encode_parquet
from tagloom.words.events import PersonEvent
from tagloom.words.people import user_and_visitor

_TIME = pa.timestamp("ms", "UTC")
_SCHEMA = pa.schema(
    [
        ("user", pa.string()),
        ("visitor", pa.string()),
        ("event", pa.string()),
        ("at", _TIME),
        ("id", pa.string()),
        ("properties", pa.string()),
        ("received_at", _TIME),
        ("version", pa.int64()),
        ("original_at", _TIME),
        ("sent_at", _TIME),
    ]
)


class _Line(msgspec.Struct, omit_defaults=True):
    event: str
    at: str
    id: str
    properties: msgspec.Raw
    received_at: str
    version: int
    user: str | None = None
    visitor: str | None = None
    original_at: str | None = None
    sent_at: str | None = None


def encode_events(chunks: Iterator[Sequence[PersonEvent]], format: ExportFormat) -> Iterator[bytes]:
    """Yields events in the given order: one line, or one row, for each. The properties are a JSON text in a row.

    Times are RFC 3339 texts, and timestamps in milliseconds in Parquet.
    """
    match format:
        case "ndjson":
            return encode_ndjson(chunks, lambda events: list(map(_line, events)))
        case "csv":
            return encode_csv(chunks, _SCHEMA.names, _texts)
        case "parquet":
            return encode_parquet(chunks, _SCHEMA, _cells)
        case _:
            assert_never(format)


def _line(found: PersonEvent) -> _Line:
    person, event = found
    line = _Line(
        event=event.type,
        at=text_of_milliseconds(event.at),
        id=event.id,
        properties=msgspec.Raw(in_one_line(event.properties)),
        received_at=text_of_milliseconds(event.received_at),
        version=event.version,
        original_at=_text(event.original_at),
        sent_at=_text(event.sent_at),
    )
    setattr(line, person.kind, person.id)
    return line


def _cells(found: PersonEvent) -> Sequence[Any]:
    person, event = found
    return (
        *user_and_visitor(person),
        event.type,
        event.at,
        event.id,
        in_one_line(event.properties).decode(),
        event.received_at,
        event.version,
        event.original_at,
        event.sent_at,
    )


def _texts(found: PersonEvent) -> Sequence[Any]:
    cells = zip(_cells(found), _SCHEMA.types, strict=True)
    return [_text(cell) if type == _TIME else cell for cell, type in cells]


def _text(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else text_of_milliseconds(milliseconds)
