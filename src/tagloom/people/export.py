"""Encodes people and taggings as NDJSON, CSV or Parquet, a chunk at a time. An import can read the result."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, TypeVar, assert_never

import pyarrow as pa

from tagloom.files.table_encoding import ExportFormat, encode_csv, encode_ndjson, encode_parquet
from tagloom.words.attributes import AttributeName, Attributes, AttributeType, AttributeValue, plain, plain_attributes
from tagloom.words.cells import number_text
from tagloom.words.people import Person, user_and_visitor
from tagloom.words.tags import TagPath

Item = TypeVar("Item")
Tagging = tuple[Person, TagPath]
Member = tuple[Person, Attributes]
_ARROW_TYPES: dict[AttributeType, pa.DataType] = {
    "boolean": pa.bool_(),
    "number": pa.float64(),
    "text": pa.string(),
    "time": pa.timestamp("ms", tz="UTC"),
    "list": pa.list_(pa.string()),
}


def encode_people(chunks: Iterator[Sequence[Person]], format: ExportFormat) -> Iterator[bytes]:
    """Yields people in the given order: lines `{"user": id}` or `{"visitor": id}`, or rows with user and visitor.

    An error of reading the first people is raised before the first bytes.
    """
    return _encode(
        chunks, format, lambda people: [{each.kind: each.id} for each in people], ("user", "visitor"), user_and_visitor
    )


def encode_members(
    chunks: Iterator[Sequence[Member]], types: Mapping[AttributeName, AttributeType], format: ExportFormat
) -> Iterator[bytes]:
    """Yields people with attributes: lines `{"user": id, "attributes": {...}}`, or rows with a column per attribute.

    In CSV, a boolean is `true` or `false`, and the texts of a list are joined by `;`. An attribute that is called user
    or visitor has the column `attributes.user` or `attributes.visitor`.
    """
    names, schema = ["user", "visitor"], [("user", pa.string()), ("visitor", pa.string())]
    for name, type in types.items():
        column: str = name
        while column in names or (column != name and column in types):
            column = f"attributes.{column}"
        names.append(column)
        schema.append((names[-1], _ARROW_TYPES[type]))

    def lines(people: Sequence[Member]) -> list[dict[str, Any]]:
        return [{person.kind: person.id, "attributes": plain_attributes(values)} for person, values in people]

    def csv_cells(member: Member) -> Sequence[str | None]:
        return (*user_and_visitor(member[0]), *(_csv_cell(member[1].get(name)) for name in types))

    def parquet_cells(member: Member) -> Sequence[Any]:
        values = (member[1].get(name) for name in types)
        return (*user_and_visitor(member[0]), *(None if value is None else value.data for value in values))

    match format:
        case "ndjson":
            return encode_ndjson(chunks, lines)
        case "csv":
            return encode_csv(chunks, names, csv_cells)
        case "parquet":
            return encode_parquet(chunks, pa.schema(schema), parquet_cells)
        case _:
            assert_never(format)


def _csv_cell(value: AttributeValue | None) -> str | None:
    if value is None:
        return None
    written = plain(value)
    if isinstance(written, bool):
        return "true" if written else "false"
    if isinstance(written, int | float):
        # Without an exponent, as the mapping of a column reads numbers.
        return str(number_text(Decimal(repr(written))))
    return ";".join(written) if isinstance(written, list) else str(written)


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
