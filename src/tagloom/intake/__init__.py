"""Bodies and files become parts: CSV, NDJSON, JSON and Parquet, read in bounded memory."""

import time
from collections.abc import Generator, Iterator
from functools import partial
from typing import Literal, TypeAlias, assert_never

from tagloom import problems
from tagloom.intake.ahead import read_ahead
from tagloom.intake.columns import Line, key_of, lines_part
from tagloom.intake.delimited import read_delimited
from tagloom.intake.json_body import read_json
from tagloom.intake.ndjson import read_ndjson
from tagloom.intake.parquet import read_parquet
from tagloom.store.port import Part

Format: TypeAlias = Literal["json", "ndjson", "csv", "parquet"]


def read_parts(
    source: Iterator[bytes],
    format: Format,
    *,
    user_column: str = "user",
    visitor_column: str = "visitor",
    tag_column: str = "tag",
    allow_change: bool = False,
    now: float | None = None,
) -> Generator[Part, None, None]:
    """The parts of a body that comes in chunks of any size. Memory stays flat, whatever the body's size.

    From the third part on a thread reads ahead; close the iterator before you close what `source` reads from.
    A bad line is rejected alone. With `allow_change`, lines carry `add` and `remove` in place of `tags`.
    Columns matter to CSV and Parquet only. `now`, in Unix seconds, is when lines are read that say when something ends;
    without it, that is when they are.

    Raises, while it is iterated:
        BodyInvalid, ColumnsInvalid, BodyTooLarge (JSON only), and what `source` raises.
        ContentTypeUnsupported: at once, for rows of one tag cannot say `add` and `remove`.
    """
    now = time.time() if now is None else now
    match format:
        case "json":
            return read_json(source, allow_change=allow_change, now=now)
        case "ndjson":
            return read_ahead(partial(read_ndjson, allow_change=allow_change, now=now), source)
        case "csv" | "parquet" if allow_change:
            raise problems.ContentTypeUnsupported(
                "Mode 'change' needs lines with 'add' and 'remove', which JSON and NDJSON have.", rule="JSON or NDJSON"
            )
        case "csv":
            columns = partial(read_delimited, user=user_column, visitor=visitor_column, tag=tag_column)
            return read_ahead(columns, source)
        case "parquet":
            columns = partial(read_parquet, user=user_column, visitor=visitor_column, tag=tag_column)
            return read_ahead(columns, source)
        case _:
            assert_never(format)


__all__ = ["Format", "Line", "key_of", "lines_part", "read_parts"]
