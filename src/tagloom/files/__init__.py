"""Files: reads CSV, NDJSON, JSON and Parquet as parts, in bounded memory."""

import time
from collections.abc import Generator, Iterator
from functools import partial
from typing import Literal, TypeAlias, assert_never

from tagloom.base.problems import ContentTypeUnsupported
from tagloom.files.decoding import Remark, decompressed, opened
from tagloom.files.delimited import read_delimited
from tagloom.files.headers import Selection
from tagloom.files.json_body import read_json
from tagloom.files.json_lines import LineReader
from tagloom.files.json_objects import ObjectReader, read_objects
from tagloom.files.ndjson import read_ndjson
from tagloom.files.parquet import read_parquet
from tagloom.files.part_columns import Line, key_of, lines_part
from tagloom.files.prefetch import read_ahead
from tagloom.ports.writes import Part
from tagloom.words.mappings import Encoding, Mapping, TagColumn
from tagloom.words.people import Kind
from tagloom.words.periods import NO_PERIOD, Period

Format: TypeAlias = Literal["json", "ndjson", "csv", "parquet"]
Text: TypeAlias = Literal["json", "ndjson", "csv"]


def read_parts(
    source: Iterator[bytes],
    format: Format,
    *,
    user_column: str = "user",
    visitor_column: str = "visitor",
    tag_column: str = "tag",
    allow_change: bool = False,
    allow_attributes: bool = True,
    period: Period = NO_PERIOD,
    now: float | None = None,
    compression: str | None = None,
    encoding: Encoding = "utf-8",
    remark: Remark | None = None,
) -> Generator[Part, None, None]:
    """Yields the parts of a body that comes in chunks of any size. Memory is bounded, whatever the body's size.

    From the third part on, a thread reads ahead. Close the iterator before you close the resource that `source` reads
    from. A bad line is rejected alone. With `allow_change`, lines have `add` and `remove` instead of `tags`. Without
    `allow_attributes`, a line with `attributes` is rejected. The column names are used only for CSV and Parquet.
    `now`, in Unix seconds, is the time from which relative expiries count; by default, the time of the call. A line is
    rejected if it would expire before it starts; `period` has what it does not name itself.
    `compression` and `encoding` are the ones that the sender declares. They are used if the text itself does not show
    them. `remark` is called with a sentence for each step that was taken to decode a text.

    Raises, while it is iterated:
        BodyInvalid, ColumnsInvalid, BodyTooLarge, and the errors that `source` raises.
        ContentTypeUnsupported: at once, because rows with one tag cannot have `add` and `remove`.
    """
    now = time.time() if now is None else now
    if format in ("csv", "parquet") and allow_change:
        raise ContentTypeUnsupported(
            "Mode 'change' needs lines with 'add' and 'remove', which only JSON and NDJSON have.", rule="JSON or NDJSON"
        )
    text = opened(source, encoding=encoding, compression=compression, remark=remark)
    reader = LineReader(allow_change=allow_change, allow_attributes=allow_attributes, now=now, period=period)
    match format:
        case "json":
            return read_json(text, reader)
        case "ndjson":
            return read_ahead(partial(read_ndjson, reader=reader), text)
        case "csv":
            mapping = plain_mapping(user_column, visitor_column, tag_column)
            rows = partial(read_delimited, selection=Selection(mapping, is_plain=True))
            return read_ahead(rows, text)
        case "parquet":
            columns = partial(read_parquet, user=user_column, visitor=visitor_column, tag=tag_column)
            return read_ahead(columns, source if compression is None else decompressed(source, named=compression))
        case _:
            assert_never(format)


def read_text(
    source: Iterator[bytes],
    format: Text,
    mapping: Mapping,
    *,
    blank_removes: bool = False,
    compression: str | None = None,
    remark: Remark | None = None,
) -> Generator[Part, None, None]:
    """Yields the parts of a text body that a mapping reads. `remark` is called with a sentence for each decoding step.

    With `blank_removes`, a blank cell of an attribute removes its value. Otherwise, it changes nothing.

    Raises, while it is iterated: the errors of `read_parts`.
    """
    text = opened(source, encoding=mapping.encoding, compression=compression, remark=remark)
    match format:
        case "json":
            return read_json(text, ObjectReader(mapping, blank_removes=blank_removes))
        case "ndjson":
            return read_ahead(partial(read_objects, mapping=mapping, blank_removes=blank_removes), text)
        case "csv":
            rows = partial(read_delimited, selection=Selection(mapping), blank_removes=blank_removes)
            return read_ahead(rows, text)
        case _:
            assert_never(format)


def plain_mapping(user: str, visitor: str, tag: str) -> Mapping:
    """Returns the mapping of the plain form: each row adds one tag to one person, exactly as written."""
    return Mapping(user=user, visitor=visitor, columns=(TagColumn(column=tag, steps=()),))


def ids_mapping(tag: str, user: str = "user", visitor: str = "visitor", *, kind: Kind = "user") -> Mapping:
    """Returns the mapping of a file of people without tags, which adds `tag` to all people.

    The file may hold only ids, which are of users. With the kind "visitor", all ids are of visitors.
    """
    return Mapping(user=user if kind == "user" else None, visitor=visitor, tags=(tag,), header="if-any")


__all__ = ["Format", "Line", "ids_mapping", "key_of", "lines_part", "plain_mapping", "read_parts", "read_text"]
