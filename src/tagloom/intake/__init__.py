"""Bodies and files become parts: CSV, NDJSON, JSON and Parquet, read in bounded memory."""

import time
from collections.abc import Generator, Iterator
from functools import partial
from typing import Literal, TypeAlias, assert_never

from tagloom import problems
from tagloom.intake.ahead import read_ahead
from tagloom.intake.columns import Line, key_of, lines_part
from tagloom.intake.delimited import read_delimited
from tagloom.intake.headers import Selection
from tagloom.intake.json_body import read_json
from tagloom.intake.json_lines import LineReader
from tagloom.intake.ndjson import read_ndjson
from tagloom.intake.objects import ObjectReader, read_objects
from tagloom.intake.opening import Remark, decompressed, opened
from tagloom.intake.parquet import read_parquet
from tagloom.mappings import Encoding, Mapping, TagColumn
from tagloom.store.port import Part

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
    now: float | None = None,
    encoding: Encoding = "utf-8",
    remark: Remark | None = None,
) -> Generator[Part, None, None]:
    """The parts of a body that comes in chunks of any size. Memory stays flat, whatever the body's size.

    From the third part on a thread reads ahead; close the iterator before you close what `source` reads from.
    A bad line is rejected alone. With `allow_change`, lines carry `add` and `remove` in place of `tags`.
    Columns matter to CSV and Parquet only. `now`, in Unix seconds, is when lines are read that say when something ends;
    without it, that is when they are. Texts may be compressed or of another encoding, see `opened`.

    Raises, while it is iterated:
        BodyInvalid, ColumnsInvalid, BodyTooLarge, and what `source` raises.
        ContentTypeUnsupported: at once, for rows of one tag cannot say `add` and `remove`.
    """
    now = time.time() if now is None else now
    if format in ("csv", "parquet") and allow_change:
        raise problems.ContentTypeUnsupported(
            "Mode 'change' needs lines with 'add' and 'remove', which JSON and NDJSON have.", rule="JSON or NDJSON"
        )
    match format:
        case "json":
            text = opened(source, encoding=encoding, remark=remark)
            return read_json(text, LineReader(allow_change=allow_change, now=now))
        case "ndjson":
            text = opened(source, encoding=encoding, remark=remark)
            return read_ahead(partial(read_ndjson, allow_change=allow_change, now=now), text)
        case "csv":
            mapping = plain_mapping(user_column, visitor_column, tag_column)
            text = opened(source, encoding=encoding, remark=remark)
            return read_ahead(partial(read_delimited, selection=Selection(mapping, is_plain=True)), text)
        case "parquet":
            columns = partial(read_parquet, user=user_column, visitor=visitor_column, tag=tag_column)
            return read_ahead(columns, source)
        case _:
            assert_never(format)


def read_text(
    source: Iterator[bytes], format: Text, mapping: Mapping, *, remark: Remark | None = None
) -> Generator[Part, None, None]:
    """The parts of a text body by a mapping. Raises, while it is iterated: as `read_parts`."""
    text = opened(source, encoding=mapping.encoding, remark=remark)
    match format:
        case "json":
            return read_json(text, ObjectReader(mapping))
        case "ndjson":
            return read_ahead(partial(read_objects, mapping=mapping), text)
        case "csv":
            return read_ahead(partial(read_delimited, selection=Selection(mapping)), text)
        case _:
            assert_never(format)


def plain_mapping(user: str, visitor: str, tag: str) -> Mapping:
    """What the plain form means: each row gives one person one tag, letter for letter."""
    return Mapping(user=user, visitor=visitor, columns=(TagColumn(column=tag, steps=()),))


__all__ = ["Format", "Line", "decompressed", "key_of", "lines_part", "plain_mapping", "read_parts", "read_text"]
