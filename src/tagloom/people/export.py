"""Encodes people and taggings as NDJSON, CSV or Parquet, a chunk at a time. An import can read the result."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar, assert_never

import pyarrow as pa

from tagloom.files.table_encoding import ExportFormat, encode_csv, encode_ndjson, encode_parquet
from tagloom.words.people import Person, user_and_visitor
from tagloom.words.tags import TagPath

Item = TypeVar("Item")
Tagging = tuple[Person, TagPath]


def encode_people(chunks: Iterator[Sequence[Person]], format: ExportFormat) -> Iterator[bytes]:
    """Yields people in the given order: lines `{"user": id}` or `{"visitor": id}`, or rows with user and visitor.

    An error of reading the first people is raised before the first bytes.
    """
    return _encode(
        chunks, format, lambda people: [{each.kind: each.id} for each in people], ("user", "visitor"), user_and_visitor
    )


def encode_taggings(chunks: Iterator[Sequence[Tagging]], format: ExportFormat) -> Iterator[bytes]:
    """Yields taggings: lines `{"user": id, "tags": [...]}`, or rows with user, visitor and tag.

    The taggings of one person must follow each other.
    """
    names = ("user", "visitor", "tag")
    return _encode(chunks, format, _lines_of_taggings, names, lambda each: (*user_and_visitor(each[0]), each[1]))


def _encode(
    chunks: Iterator[Sequence[Item]],
    format: ExportFormat,
    lines: Callable[[Sequence[Item]], Sequence[Any]],
    names: Sequence[str],
    cells: Callable[[Item], Sequence[str | None]],
) -> Iterator[bytes]:
    match format:
        case "ndjson":
            return encode_ndjson(chunks, lines)
        case "csv":
            return encode_csv(chunks, names, cells)
        case "parquet":
            return encode_parquet(chunks, pa.schema([(name, pa.string()) for name in names]), cells)
        case _:
            assert_never(format)


def _lines_of_taggings(taggings: Sequence[Tagging]) -> list[dict[str, Any]]:
    return [
        {person.kind: person.id, "tags": [tag for _, tag in group]}
        for person, group in groupby(taggings, key=lambda each: each[0])
    ]
