"""A file of any columns becomes parts: each column is ignored, names the person, holds tags, or is a branch of values.

Rows are read one by one, some 200,000 a second; a file of one person and one tag a row has a faster reader
(`read_parts`), which this one agrees with.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tagloom import limits, problems
from tagloom.intake.columns import Building, Line, LineFault, key_of
from tagloom.model import Kind
from tagloom.store.port import Part
from tagloom.tags import TagPath, parse_tag, printable

SheetFormat = Literal["csv", "parquet"]
Use = Literal["ignore", "user", "visitor", "tag", "list", "value"]
OnRows = Callable[[int], None]

ROWS_PER_PART = 16_384
SAMPLE_ROWS = 200
# More different cells than this in the first rows are measurements or names, which make no tags.
VALUES_PROPOSED_MAX = 12
DELIMITERS = ",;\t|"
USER_NAMES = ("user", "user_id", "userid", "customer_id", "customerid", "id", "external_id", "member_id")
VISITOR_NAMES = ("visitor", "visitor_id", "visitorid", "anonymous_id", "anonymousid")
TAG_NAMES = ("tag", "tag_path", "segment")
LIST_NAMES = ("tags", "segments", "interests", "labels")


class SheetColumn(msgspec.Struct, frozen=True, kw_only=True):
    """What one column says. `branch` is the tag above the values of a `value` column; `separator` divides a list."""

    name: str
    use: Use = "ignore"
    branch: str = ""
    separator: str = ";"


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """How the rows of a file become taggings. `prefix` goes in front of every tag."""

    columns: tuple[SheetColumn, ...]
    prefix: str = ""

    def of_use(self, *uses: Use) -> tuple[SheetColumn, ...]:
        """The columns of these uses."""
        return tuple(column for column in self.columns if column.use in uses)


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """The first rows of a file, and what they look like."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    proposal: Sheet


def glance(path: Path, format: SheetFormat) -> Glance:
    """The columns of a file, some rows, and a proposal of how to read them.

    Raises: BodyInvalid, ColumnsInvalid.
    """
    rows = _rows(path, format)
    names = next(rows)[1]
    sample = [cells for _, cells in _first(rows, SAMPLE_ROWS) if len(cells) == len(names)]
    proposal = _proposed(names, sample)
    return Glance(names=tuple(names), rows=tuple(tuple(cells) for cells in sample), proposal=proposal)


def _first(rows: Iterator[tuple[int, list[str]]], count: int) -> Iterator[tuple[int, list[str]]]:
    for _, row in zip(range(count), rows, strict=False):
        yield row


def _proposed(names: Sequence[str], sample: Sequence[Sequence[str]]) -> Sheet:
    columns: list[SheetColumn] = []
    has_person = False
    for place, name in enumerate(names):
        folded = name.strip().casefold().replace(" ", "_").replace("-", "_")
        cells = [row[place] for row in sample]
        use: Use = "ignore"
        if not has_person and folded in USER_NAMES:
            use, has_person = "user", True
        elif folded in VISITOR_NAMES:
            use = "visitor"
        elif folded in TAG_NAMES:
            use = "tag"
        elif folded in LIST_NAMES:
            use = "list"
        elif 0 < len({cell for cell in cells if cell.strip()}) <= VALUES_PROPOSED_MAX:
            use = "value"
        columns.append(SheetColumn(name=name, use=use, branch=level_of(name), separator=_separator(cells)))
    if not has_person and not any(column.use == "visitor" for column in columns) and columns:
        columns[0] = msgspec.structs.replace(columns[0], use="user")
    return Sheet(columns=tuple(columns))


def _separator(cells: Sequence[str]) -> str:
    """The one of the usual separators that the cells have most; tags may hold spaces, so a space is none."""
    text = "".join(cells)
    return max(";,|", key=text.count)


def level_of(text: str) -> str:
    """A name or cell as a level of a tag: lower-case, hyphens for spaces and slashes. Empty when nothing is left.

    >>> level_of("Fiber optic "), level_of("24/7 Support")
    ('fiber-optic', '24-7-support')
    """
    return "-".join(text.lower().replace("/", " ").split())[: limits.CHARACTERS_PER_LEVEL_MAX]


def check_sheet(sheet: Sheet) -> Sheet:
    """The sheet itself, when it can be carried out.

    Raises: ColumnsInvalid: no person, two of a kind, or no tag; TagProblem for a branch or the prefix.
    """
    for use, what in (("user", "user id"), ("visitor", "visitor id")):
        named = [column.name for column in sheet.columns if column.use == use]
        if len(named) > 1:
            raise problems.ColumnsInvalid(f"Only one column can be the {what}; {' and '.join(named)} are.")
    if not sheet.of_use("user", "visitor"):
        raise problems.ColumnsInvalid("Say which column is the user id or the visitor id.")
    if not sheet.of_use("tag", "list", "value"):
        raise problems.ColumnsInvalid("Say which columns hold tags, or become values of a branch.")
    for text in (sheet.prefix, *(column.branch for column in sheet.of_use("value"))):
        if text:
            parse_tag(text)
    for column in sheet.of_use("list"):
        if len(column.separator) != 1:
            raise problems.ColumnsInvalid(f"The separator of '{printable(column.name)}' must be one character.")
    return sheet


def read_sheet(path: Path, format: SheetFormat, sheet: Sheet, on_rows: OnRows) -> Iterator[Part]:
    """The parts of a file, row by row; `on_rows` is told how many were read. A bad row is rejected alone.

    Rows of CSV are numbered by their last line in the file, rows of Parquet from 1.

    Raises: BodyInvalid, ColumnsInvalid.
    """
    rows = _rows(path, format)
    names = next(rows)[1]
    reader = _Reader(check_sheet(sheet), names)
    building, count = Building(), 0
    for number, cells in rows:
        try:
            building.add(reader.line(number, cells))
        except LineFault as fault:
            building.reject(number, fault)
        count += 1
        if count % ROWS_PER_PART == 0 or building.is_full:
            yield building.part()
            on_rows(count)
            building = Building()
    yield building.part()
    on_rows(count)


class _Reader:
    """Understands the rows of one file."""

    def __init__(self, sheet: Sheet, names: Sequence[str]) -> None:
        places = {name: place for place, name in enumerate(names)}
        for column in sheet.columns:
            if column.name not in places:
                raise problems.ColumnsInvalid(
                    f"The file has no column '{printable(column.name)}'.", value=printable(column.name)
                )
        self._width = len(names)
        self._prefix = f"{sheet.prefix}/" if sheet.prefix else ""
        self._people: list[tuple[int, Kind]] = [
            *((places[column.name], "user") for column in sheet.of_use("user")),
            *((places[column.name], "visitor") for column in sheet.of_use("visitor")),
        ]
        self._tags = [(places[column.name], column) for column in sheet.of_use("tag", "list", "value")]
        self._levels: dict[str, str] = {}

    def line(self, number: int, cells: Sequence[str]) -> Line:
        """One row. Raises: LineFault."""
        if len(cells) != self._width:
            raise LineFault(
                problems.LineInvalid(f"The row has {len(cells)} cells, and the header names {self._width} columns."),
                self._delimited(cells),
                self._held(cells),
            )
        named = [(kind, cells[place]) for place, kind in self._people if cells[place]]
        if len(named) != 1:
            says = "names a user and a visitor; it must be one of them" if named else "names no person"
            raise LineFault(problems.LineInvalid(f"The row {says}."), self._delimited(cells), self._held(cells))
        try:
            key = key_of(*named[0])
        except problems.PersonIdInvalid as problem:
            raise LineFault(problem, named[0][1]) from problem
        tags: list[str] = []
        for place, column in self._tags:
            cell = cells[place]
            match column.use:
                case "tag":
                    found = [cell.strip()] if cell.strip() else []
                case "list":
                    found = [each.strip() for each in cell.split(column.separator) if each.strip()]
                case _:
                    level = self._level(cell)
                    found = [f"{column.branch}/{level}" if column.branch else level] if level else []
            tags.extend(self._prefix + each for each in found)
        return Line(number, key, tuple(dict.fromkeys(tags)))

    def _level(self, cell: str) -> str:
        known = self._levels.get(cell)
        if known is None:
            if len(self._levels) > limits.PAGE_ITEMS_MAX:
                self._levels.clear()
            known = self._levels[cell] = level_of(cell)
        return known

    def _held(self, cells: Sequence[str]) -> tuple[bytes, ...]:
        """The people whom a bad row seems to name: in mirrors they keep what they have."""
        held = []
        for place, kind in self._people:
            if place < len(cells) and cells[place]:
                try:
                    held.append(key_of(kind, cells[place]))
                except problems.PersonIdInvalid:
                    continue
        return tuple(held)

    def _delimited(self, cells: Sequence[str]) -> str:
        return ",".join(cells)


def _rows(path: Path, format: SheetFormat) -> Iterator[tuple[int, list[str]]]:
    """The header and then every row, each with its number."""
    rows = _csv_rows(path) if format == "csv" else _parquet_rows(path)
    header = next(rows, None)
    if header is None or not any(name.strip() for name in header[1]):
        raise problems.BodyInvalid("The file has no header.", line=1, rule="a header with a name for each column")
    names = header[1]
    for name in names:
        if names.count(name) > 1:
            shown = printable(name)
            raise problems.ColumnsInvalid(f"The file has two columns '{shown}'.", value=shown, rule="each column once")
    yield header
    yield from rows


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """What cannot be cut into rows is refused whole: nobody knows whom the rest of such a file names."""
    number = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            first = file.readline(limits.LINE_BYTES_MAX)
            file.seek(0)
            delimiter = max(DELIMITERS, key=first.count)
            reader = csv.reader(_bounded(file), delimiter=delimiter, strict=True)
            for row in reader:
                number = reader.line_num
                if row:
                    yield number, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise problems.BodyInvalid(
                f"The file cannot be read as CSV behind line {number}: {error}.", line=number + 1, rule="CSV in UTF-8"
            ) from error


def _bounded(file: io.TextIOBase | Any) -> Iterator[str]:
    """The lines of a file, none of which may be endless."""
    while line := file.readline(limits.LINE_BYTES_MAX):
        if len(line) >= limits.LINE_BYTES_MAX:
            raise problems.BodyInvalid(f"A line has more than {limits.LINE_BYTES_MAX} characters.")
        yield line


def _parquet_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        file = pq.ParquetFile(path)
        yield 0, list(file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(ROWS_PER_PART, use_threads=False):
            columns = [_texts(column) for column in batch.columns]
            for cells in zip(*columns, strict=True):
                number += 1
                yield number, list(cells)
    except (pa.ArrowException, OSError) as error:
        raise problems.BodyInvalid(
            f"The file is no whole Parquet file: {printable(str(error))}.", rule="a Parquet file"
        ) from error


def _texts(column: pa.Array) -> list[str]:
    """Cells as text; a list is joined as CSV would have it, and what is missing is empty."""
    return [_text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "yes" if value else "no"
        case list():
            return ";".join(_text(each) for each in value)
        case _:
            return str(value)


def prefix_of(sheet: Sheet) -> TagPath | None:
    """The prefix as a tag. Raises: TagProblem."""
    return parse_tag(sheet.prefix) if sheet.prefix else None
