"""Mapping inference: proposes a mapping from the first rows of a file, and shows how the mapping reads these rows.

A proposal is a draft that a person checks. It may leave columns out. No import uses a proposal before somebody saves it
or passes it to an import.
"""

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tagloom.base.problems import BodyInvalid, Problem
from tagloom.base.text import printable
from tagloom.files.decoding import KNOWN_BEGINNINGS
from tagloom.files.decompression import read_bytes
from tagloom.files.delimited_records import columns_missing
from tagloom.files.headers import USER_NAMES, snake
from tagloom.files.record_reader import bytes_of_beginning, read_records
from tagloom.files.suspicious_ids import OddIds
from tagloom.imports import limits
from tagloom.imports.folder import compression_at
from tagloom.imports.personal_data import EMAIL, are_personal, is_id_name, is_personal_name
from tagloom.ports.imports import Compression, ImportFormat
from tagloom.words import limits as words_limits
from tagloom.words.attributes import parse_value, plain
from tagloom.words.cells import Cell, OddCell
from tagloom.words.mappings import (
    FALSE,
    NUMBER,
    REASON_PREFIX,
    TRUE,
    Band,
    BandsColumn,
    Column,
    Encoding,
    FlagColumn,
    ListColumn,
    Mapping,
    TagColumn,
    ValueColumn,
    Way,
    level_of,
    record_attributes,
    record_person,
    record_tags,
    stepped,
)
from tagloom.words.problems import LineInvalid, TagProblem
from tagloom.words.tags import parse_tag

VISITOR_NAMES = ("visitor", "visitor_id", "visitorid", "anonymous_id", "anonymousid", "cookie_id")
TAG_NAMES = ("tag", "tag_path", "segment")
LIST_NAMES = ("tags", "segments", "interests", "labels")
# Generic field names of objects in a list. The name of the list describes the values better.
GENERIC_NAMES = ("id", "name", "value", "key", "title", "slug")
NOTHING = ("no", "none", "n/a", "na", "null", "nan", "-")
SEPARATORS = ";|,"
# A column with more distinct cells has measurements or names, which are no tags.
VALUES_MAX = 12
# The percentage of cells that must contain the separator. A comma in one sentence does not make a list.
DIVIDED_PERCENT_MIN = 10
SAMPLES_SHOWN = 3
_PIECES_LOOKED_AT = 128  # One megabyte is enough to detect UTF-8.


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A column and its first distinct cells that are not blank."""

    column: str
    samples: tuple[str, ...]


class ReadRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row as a mapping reads it: its person, tags and values of attributes, or the reason of its rejection.

    `attributes` is plain JSON. It lacks blank cells, which remove a value only in the modes `set` and `mirror`.
    """

    line: int
    user: str | None = None
    visitor: str | None = None
    tags: tuple[str, ...] = ()
    problem: str | None = None
    detail: str | None = None
    suggestion: str | None = None
    attributes: dict[str, Any] = {}


class InferredMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping for a file, the columns of the file, and its first rows as the mapping reads them.

    `warnings` are sentences about the file: how it was decoded, and which ids look wrong.
    """

    mapping: Mapping
    columns: tuple[Seen, ...]
    rows: tuple[ReadRow, ...]
    warnings: tuple[str, ...] = ()


# The name of the column in a file that has only ids.
IDS_COLUMN = "user"


class FirstRow(NamedTuple):
    """One of the first rows of a file. `fault` is the reason if the row cannot be read."""

    line: int
    cells: Sequence[Cell]
    fault: str | None


class Beginning(NamedTuple):
    """The columns of a file and its first rows."""

    names: tuple[str, ...]
    rows: list[FirstRow]
    remarks: tuple[str, ...] = ()
    encoding: Encoding = "utf-8"

    def texts(self, place: int) -> list[str]:
        """Returns the cells of a column that are not blank."""
        return _texts([row.cells[place] for row in self.rows if row.fault is None])

    def seen(self) -> tuple[Seen, ...]:
        """Returns the columns with samples."""
        found = []
        for place, name in enumerate(self.names):
            texts = dict.fromkeys(self.texts(place))
            shown = [printable(text) for text, _ in zip(texts, range(SAMPLES_SHOWN), strict=False)]
            found.append(Seen(column=name, samples=tuple(shown)))
        return tuple(found)


def beginning_of(path: Path, format: ImportFormat, compression: Compression) -> Beginning:
    """Returns the columns and first rows of a file. A CSV or NDJSON file may be cut off anywhere.

    A last line without a line end may be cut off, so it is left out, unless it is the only line. A text that is not
    UTF-8 is read as Windows-1252, and the mapping then names this encoding.

    Raises: BodyInvalid, ColumnsInvalid: the first rows cannot be read.
    """
    if format == "parquet" or _is_utf8(path, compression):
        return _beginning(path, format, compression, "utf-8")
    return _beginning(path, format, compression, "windows-1252")


def without_header(beginning: Beginning) -> Beginning:
    """Returns the beginning with the header as its first row, if a CSV has one column whose header may be an id.

    The column is then named `IDS_COLUMN`. A mapping with the header `if-any` reads the file in the same way, and
    reports a first line that is not an id.
    """
    if len(beginning.names) != 1 or snake(beginning.names[0]) in USER_NAMES:
        return beginning
    (first,) = beginning.names
    return beginning._replace(names=(IDS_COLUMN,), rows=[FirstRow(1, [first], None), *beginning.rows])


def _is_utf8(path: Path, compression: Compression) -> bool:
    """Returns whether the beginning of a text is UTF-8, or has the mark of another known encoding."""
    with closing(bytes_of_beginning(path, compression)) as chunks:
        head = b"".join(islice(chunks, _PIECES_LOOKED_AT))
    if head.startswith(KNOWN_BEGINNINGS):
        return True
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        # A character that is cut at the end is not an error.
        decoder.decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _beginning(path: Path, format: ImportFormat, compression: Compression, encoding: Encoding) -> Beginning:
    remarks: list[str] = []
    if encoding != "utf-8":
        remarks.append(
            "Some bytes of the file are not UTF-8. The proposed mapping reads it as Windows-1252. Check that "
            "names with accents are right."
        )
    on_remark = None if encoding != "utf-8" else remarks.append
    records = read_records(path, format, compression, encoding=encoding, remark=on_remark, is_cut=True)
    rows: list[FirstRow] = []
    with closing(records.rows):
        try:
            for row in islice(records.rows, limits.PROPOSAL_ROWS_MAX):
                rows.append(FirstRow(row.number, row.cells, row.fault))
        except BodyInvalid:
            # The damage is after the rows that were read, and these rows are enough for a proposal.
            if not rows:
                raise
    is_all = len(rows) < limits.PROPOSAL_ROWS_MAX
    if is_all and format != "parquet" and len(rows) > 1 and _ends_openly(path, compression):
        rows.pop()
    return Beginning(records.names, rows, tuple(remarks), encoding)


def beginning_in(chunks: Iterable[bytes], format: ImportFormat) -> Beginning:
    """Returns the beginning of a file that comes in chunks, plain or compressed. Stores the chunks in a temporary file.

    Raises: the errors of `beginning_of` and of `chunks`.
    """
    with TemporaryDirectory(prefix="tagloom-beginning-") as folder:
        path = Path(folder, "beginning")
        with path.open("wb") as file:
            file.writelines(chunks)
        return beginning_of(path, format, compression_at(path))


def infer(beginning: Beginning, *, user: str | None = None) -> InferredMapping:
    """Proposes a mapping for a file by its beginning. `user` is the column of users, if it is known.

    If no column looks like tags, the mapping has no columns. Raises: ColumnsInvalid: the file has no column `user`.
    """
    if user is not None and user not in beginning.names:
        raise columns_missing(beginning.names, [[user]])
    mapping = inferred_mapping(beginning.names, [row.cells for row in beginning.rows if row.fault is None], user=user)
    mapping = replace(mapping, encoding=beginning.encoding)
    return InferredMapping(
        mapping=mapping,
        columns=beginning.seen(),
        rows=rows_read(beginning, mapping),
        warnings=(*beginning.remarks, *_odd_ids(beginning, mapping)),
    )


def _odd_ids(beginning: Beginning, mapping: Mapping) -> list[str]:
    """Returns warnings about ids of the first rows that look wrong."""
    odd = OddIds()
    for name in (mapping.user, mapping.visitor):
        if name is not None and name in beginning.names:
            place = beginning.names.index(name)
            cells = (row.cells[place] for row in beginning.rows if row.fault is None)
            odd.add_texts(cell for cell in cells if isinstance(cell, str))
    return odd.sentences()


def rows_read(beginning: Beginning, mapping: Mapping) -> tuple[ReadRow, ...]:
    """Returns the first rows as a mapping reads them.

    Raises: ColumnsInvalid: the file lacks a column of the mapping.
    """
    missing = set(mapping.names()).difference(beginning.names)
    if missing:
        raise columns_missing(beginning.names, [[name] for name in mapping.names() if name in missing])
    shown_rows = beginning.rows[: limits.PROPOSAL_ROWS_READ]
    return tuple(_row_read(beginning.names, row, mapping) for row in shown_rows)


def _row_read(names: Sequence[str], row: FirstRow, mapping: Mapping) -> ReadRow:
    try:
        if row.fault is not None:
            raise LineInvalid(row.fault)
        record = dict(zip(names, row.cells, strict=True))
        kind, id = record_person(mapping, record)
        tags = tuple(map(parse_tag, record_tags(mapping, record)))
        values = record_attributes(mapping, record)
        attributes = {name: plain(parse_value(value)) for name, value in values.items() if value is not None}
    except Problem as problem:
        suggestion = problem.members.get("suggestion")
        return ReadRow(
            line=row.line,
            problem=problem.slug(),
            detail=problem.detail,
            suggestion=suggestion if isinstance(suggestion, str) else None,
        )
    return ReadRow(
        line=row.line,
        user=id if kind == "user" else None,
        visitor=id if kind == "visitor" else None,
        tags=tags,
        attributes=attributes,
    )


def _ends_openly(path: Path, compression: Compression) -> bool:
    last = b""
    try:
        for chunk in read_bytes(path, compression):
            last = chunk
    except BodyInvalid:
        return True
    return not last.endswith((b"\n", b"\n\x00", b"\r"))


# The kind of a column.


def inferred_mapping(names: Sequence[str], rows: Sequence[Sequence[Cell]], *, user: str | None = None) -> Mapping:
    """Proposes a mapping for these rows. The result depends only on the arguments."""
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    user, visitor = _people(columns) if user is None else (user, None)
    branches = dict(zip(names, levels_of(names), strict=True))
    found: list[Column] = []
    for name, cells in columns.items():
        is_own = name not in (user, visitor) and not name.startswith(REASON_PREFIX)
        if is_own and len(found) < words_limits.COLUMNS_PER_MAPPING_MAX:
            column = _proposed_column(name, branches[name], cells)
            if column is not None:
                found.append(column)
    return Mapping(user=user, visitor=visitor, columns=tuple(found))


def _people(columns: dict[str, list[Cell]]) -> tuple[str | None, str | None]:
    """Finds the columns of users and visitors by their names.

    If no name fits, chooses the first column of distinct values.
    """
    by_name = {snake(name): name for name in reversed(columns)}
    user = next((by_name[name] for name in USER_NAMES if name in by_name), None)
    visitor = next((by_name[name] for name in VISITOR_NAMES if name in by_name), None)
    if user is None and visitor is None:
        keys = [name for name, cells in columns.items() if _are_keys(cells)]
        user = next((name for name in keys if is_id_name(snake(name))), next(iter(keys), next(iter(columns))))
    return user, visitor


def _are_keys(cells: Sequence[Cell]) -> bool:
    """Returns whether each cell may be an id, and no cell occurs twice."""
    return all(cell and not isinstance(cell, OddCell) for cell in cells) and len(set(cells)) == len(cells)


def _proposed_column(name: str, branch: str, cells: Sequence[Cell]) -> Column | None:
    title, texts = _title(name), _texts(cells)
    if not texts or is_id_name(title):
        return None
    is_divided = any(isinstance(cell, tuple) for cell in cells)
    distinct = set(texts)
    if title in (*TAG_NAMES, *LIST_NAMES):
        # The name shows that the values are tags, but e-mail addresses are never tags.
        if any(EMAIL.search(text) for text in distinct):
            return None
        if title in TAG_NAMES and not is_divided and len(texts) == len(cells):
            return TagColumn(column=name, steps=_steps(texts))
        return _proposed_list(name, separator_of(texts), texts)
    if {text.strip().casefold() for text in distinct} <= {*TRUE, *FALSE}:
        return FlagColumn(column=name, yes=branch)
    if is_personal_name(title) or are_personal(texts):
        return None
    if all(NUMBER.fullmatch(text.strip()) for text in distinct):
        return _proposed_numbers(name, branch, texts)
    separator = separator_of(texts)
    if not is_divided and _is_list(texts, separator):
        return _proposed_list(name, separator, texts)
    return _proposed_values(name, branch, texts)


def _proposed_list(name: str, separator: str, texts: Sequence[str]) -> ListColumn:
    parts = [part for text in texts for part in text.split(separator) if part.strip()]
    return ListColumn(column=name, separator=separator, steps=_steps(parts))


def _proposed_numbers(name: str, branch: str, texts: Sequence[str]) -> Column | None:
    if any(re.match(r"0\d", text.strip()) for text in texts):
        return None
    if len(set(texts)) <= VALUES_MAX:
        return ValueColumn(column=name, branch=branch)
    return BandsColumn(column=name, bands=bands_at(branch, bounds_of(texts)), blank="")


def bounds_of(texts: Sequence[str]) -> list[Decimal]:
    """Returns the rounded quartiles of some numbers, or an empty list if a text is not a number."""
    if not texts or not all(NUMBER.fullmatch(text.strip()) for text in texts):
        return []
    numbers = sorted(Decimal(text.strip()) for text in texts)
    quarters = [numbers[len(numbers) * quarter // 4] for quarter in (1, 2, 3)]
    # One significant digit is enough for a proposal, and is easy to change.
    rounded = (number.quantize(Decimal(1).scaleb(number.adjusted())) for number in quarters)
    return sorted({Decimal(f"{number:f}") for number in rounded})


def bands_at(branch: str, bounds: Sequence[Decimal]) -> tuple[Band, ...]:
    """Returns the bands between some bounds, with tags below a branch. `bounds` must not be empty."""
    above = f"{branch}/" if branch else ""
    lows = ["up-to-", *(f"over-{low}-to-" for low in bounds)]
    bands = [Band(to=bound, tag=f"{above}{low}{bound}") for low, bound in zip(lows, bounds, strict=False)]
    return (*bands, Band(tag=f"{above}over-{bounds[-1]}"))


def _proposed_values(name: str, branch: str, texts: Sequence[str]) -> ValueColumn | None:
    distinct = set(texts)
    is_free_text = len(texts) > 4 and len(distinct) == len(texts)
    if len(distinct) > VALUES_MAX or is_free_text or max(map(len, distinct)) > words_limits.CHARACTERS_PER_LEVEL_MAX:
        return None
    nothing = sorted(text for text in distinct if text.strip().casefold() in NOTHING)
    return ValueColumn(column=name, branch=branch, values=dict.fromkeys(nothing, ""))


def _texts(cells: Sequence[Cell]) -> list[str]:
    """Returns all texts of some cells that are not blank."""
    return [text for cell in cells for text in ((cell,) if isinstance(cell, str) else cell) if text.strip()]


def separator_of(texts: Sequence[str]) -> str:
    """Returns the usual separator that occurs most often. A space is no separator, because tags may contain spaces."""
    whole = "".join(texts)
    return max(SEPARATORS, key=whole.count)


def _is_list(texts: Sequence[str], separator: str) -> bool:
    """Returns whether a separator divides the cells into few distinct parts."""
    divided = [text for text in texts if separator in text]
    parts = [part.strip() for text in texts for part in text.split(separator) if part.strip()]
    is_usual = len(divided) * 100 >= DIVIDED_PERCENT_MIN * len(texts)
    return bool(divided) and is_usual and 2 * len(set(parts)) <= len(parts)


def _steps(texts: Sequence[str]) -> tuple[Way, ...]:
    """Returns steps that turn all these texts into tags: `trim`, or `trim` and `lowercase`, or else `slug`."""
    tries: tuple[tuple[Way, ...], ...] = (("trim",), ("trim", "lowercase"))
    return next((steps for steps in tries if all(_is_tag(stepped(text, steps)) for text in texts)), ("slug",))


def _is_tag(text: str) -> bool:
    try:
        parse_tag(text)
    except TagProblem:
        return False
    return True


# Names.


def _title(name: str) -> str:
    """Returns the name of a column's values: the last level of the path that is not generic."""
    levels = name.split(".")
    if len(levels) > 1 and snake(levels[-1]) in GENERIC_NAMES:
        levels.pop()
    return snake(levels[-1])


def levels_of(names: Sequence[str]) -> Iterator[str]:
    """Yields a distinct level for each column."""
    taken = set[str]()
    for number, name in enumerate(names, 1):
        tries = (level_of(each.replace("_", " ")) for each in (_title(name), snake(name)))
        level = next((each for each in tries if each not in taken and _is_tag(each)), f"column-{number}")
        taken.add(level)
        yield level
