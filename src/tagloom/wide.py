"""A wide table, one row a person and one column an attribute, becomes taggings by a mapping that people can read.

A mapping is a TOML file. It names every column, and for each column every value, so that a source which
changes its shape is noticed at the first row and not by a tribe that shrank:

    user = "customerID"
    ignore = ["gender"]

    [columns.Contract]
    values = { "Month-to-month" = "contract/month-to-month", "One year" = "contract/one-year", "None" = "" }

    [columns.tenure]
    from = 0
    bands = [{ to = 12, tag = "tenure/0-12-months" }, { tag = "tenure/over-12-months" }]
    blank = ""

An empty tag means "no tag".
"""

import csv
import re
import tomllib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import msgspec

from tagloom import problems, tags

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


class Band(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers up to and including `to` that no earlier band holds; without `to`, all that are left."""

    tag: str
    to: Decimal | None = None


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """How one column's cells become tags: by `values`, letter for letter, or by `bands` of numbers.

    `at_least` (`from` in the file) is the least number that the bands take. `blank` is the tag of a cell
    that holds no number, and None refuses such a cell.
    """

    values: dict[str, str] | None = None
    bands: tuple[Band, ...] | None = None
    at_least: Decimal | None = msgspec.field(default=None, name="from")
    blank: str | None = None

    @cached_property
    def upper_bounds(self) -> tuple[Decimal, ...]:
        """The bounds of all bands that have one, ascending."""
        return tuple(band.to for band in self.bands or () if band.to is not None)

    def tags(self) -> Iterator[str]:
        """Every tag that the column can give, "no tag" left out."""
        named = [*(self.values or {}).values(), *(band.tag for band in self.bands or ()), self.blank]
        return (tag for tag in named if tag)


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which column holds the user id, how each other column becomes tags, and which ones say nothing here."""

    user: str
    columns: dict[str, Column]
    ignore: tuple[str, ...] = ()


def read_mapping(path: Path) -> Mapping:
    """The mapping that the file holds, with every tag in it checked.

    Raises:
        ParameterInvalid: not TOML, an unknown or wrong field, bands that do not ascend, a tag that is none;
            `value` is the offending one and `rule` says what was expected.
        OSError: the file cannot be read.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        mapping = msgspec.convert(document, Mapping)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise problems.ParameterInvalid(
            f"{path.name} is no TOML file: {error}.", value=path.name, rule="a TOML file in UTF-8"
        ) from error
    except msgspec.ValidationError as error:
        raise problems.ParameterInvalid(
            f"{path.name}: {error}.", value=path.name, rule="the form of a mapping"
        ) from error
    names = [mapping.user, *mapping.columns, *mapping.ignore]
    for name in names:
        if names.count(name) > 1:
            _refuse_mapping(path, f"column '{name}' is named more than once", name, "each column once")
    for name, column in mapping.columns.items():
        _check_column(path, name, column)
    return mapping


def taggings(
    csv_path: Path,
    mapping: Mapping,
    *,
    reject: Callable[[problems.LineInvalid], None] | None = None,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each row's user id and its tags, in the file's order, without repeats; one row is held at a time.

    The file is CSV in UTF-8 with a header, with or without a BOM, LF or CRLF. A row that cannot be read
    ends the iteration, or, when `reject` is given, is handed to it and the rest goes on. Nobody checks
    here that a user comes once, nor how the id is made.

    Raises:
        ColumnsInvalid: the header and the mapping do not name the same columns.
        LineInvalid: a row has a missing or surplus cell, no user id, or a value without an entry;
            with `line`, `column`, `value` and `rule`.
        BodyInvalid: the file is not UTF-8, or its quoting is broken; with `line`.
        OSError: the file cannot be read.
    """
    with csv_path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            _check_header(csv_path, header, mapping)
            user_at = header.index(mapping.user)
            tagged = [(header.index(name), name, column) for name, column in mapping.columns.items()]
            for row in reader:
                if not row:
                    continue
                try:
                    yield _read_row(row, reader.line_num, header, user_at, tagged)
                except problems.LineInvalid as problem:
                    if user_at < len(row):
                        problem.members["user"] = row[user_at]
                    if reject is None:
                        raise
                    reject(problem)
        except (csv.Error, UnicodeDecodeError) as error:
            raise problems.BodyInvalid(
                f"{csv_path.name} cannot be read after line {reader.line_num}: {error}.",
                line=reader.line_num,
                rule="CSV in UTF-8",
            ) from error


def _refuse_mapping(path: Path, says: str, value: str, rule: str) -> NoReturn:
    raise problems.ParameterInvalid(f"{path.name}: {says}.", value=value, rule=rule)


def _check_column(path: Path, name: str, column: Column) -> None:
    if (column.values is None) == (column.bands is None):
        _refuse_mapping(path, f"column '{name}' needs either values or bands", name, "values or bands")
    if column.values is not None and (column.at_least is not None or column.blank is not None):
        _refuse_mapping(
            path, f"column '{name}' has values, so 'from' and 'blank' say nothing", name, "bands with 'from'"
        )
    if column.bands is not None:
        _check_bands(path, name, column)
    for tag in column.tags():
        try:
            valid = tags.parse_tag(tag)
        except problems.TagProblem as problem:
            _refuse_mapping(path, f"column '{name}': {problem.detail.rstrip('.')}", tag, problem.title())
        if valid != tag:
            _refuse_mapping(path, f"column '{name}': '{tag}' is not in NFC", tag, "NFC")


def _check_bands(path: Path, name: str, column: Column) -> None:
    bands = column.bands or ()
    if not bands or any(band.to is None for band in bands[:-1]):
        _refuse_mapping(path, f"column '{name}' needs a band, and 'to' in all but the last", name, "bands with 'to'")
    bounds = [*([] if column.at_least is None else [column.at_least]), *column.upper_bounds]
    for bound in bounds:
        if not bound.is_finite():
            _refuse_mapping(path, f"column '{name}': {bound} is no bound", str(bound), "finite bounds")
    for lower, upper in pairwise(bounds):
        if upper <= lower:
            _refuse_mapping(path, f"column '{name}': {upper} comes after {lower}", str(upper), "ascending bounds")


def _check_header(csv_path: Path, header: list[str], mapping: Mapping) -> None:
    named = {mapping.user, *mapping.columns, *mapping.ignore}
    for name in header:
        if header.count(name) > 1:
            raise problems.ColumnsInvalid(
                f"{csv_path.name} has two columns '{name}'.", line=1, value=name, rule="each column once"
            )
    for name in sorted(named.difference(header)):
        raise problems.ColumnsInvalid(
            f"The mapping names the column '{name}', which {csv_path.name} does not have.",
            line=1,
            value=name,
            rule="every mapped column",
        )
    for name in header:
        if name not in named:
            raise problems.ColumnsInvalid(
                f"{csv_path.name} has a column '{name}' that the mapping does not name. Map or ignore it.",
                line=1,
                value=name,
                rule="every column mapped or ignored",
            )


def _read_row(
    row: list[str], line: int, header: list[str], user_at: int, tagged: list[tuple[int, str, Column]]
) -> tuple[str, tuple[str, ...]]:
    if len(row) != len(header):
        # With a cell missing, nobody can say which one: all values after it stand in the wrong column.
        raise problems.LineInvalid(
            f"Line {line} has {len(row)} cells, and the header names {len(header)} columns.",
            line=line,
            value=tags.printable(row[user_at]) if user_at < len(row) else "",
            rule="one cell a column",
        )
    user = row[user_at]
    if not user:
        raise problems.LineInvalid(
            f"Line {line} has no user id.", line=line, column=header[user_at], value="", rule="a user id"
        )
    found = (_find_tag(column, row[at], line, name) for at, name, column in tagged)
    return user, tuple(dict.fromkeys(tag for tag in found if tag))


def _find_tag(column: Column, cell: str, line: int, name: str) -> str:
    if column.values is not None:
        if cell in column.values:
            return column.values[cell]
        _refuse_cell(cell, line, name, "has no entry in the mapping", "an entry for each value")
    text = cell.strip()
    if not text:
        if column.blank is not None:
            return column.blank
        _refuse_cell(cell, line, name, "is blank, and the mapping has no 'blank'", "a number")
    if not NUMBER.fullmatch(text):
        _refuse_cell(cell, line, name, "is no number", "a number")
    number = Decimal(text)
    bands = column.bands or ()
    at = bisect_left(column.upper_bounds, number)
    if at == len(bands) or (column.at_least is not None and number < column.at_least):
        _refuse_cell(cell, line, name, "lies in no band", "a number in a band")
    return bands[at].tag


def _refuse_cell(cell: str, line: int, name: str, says: str, rule: str) -> NoReturn:
    shown = tags.printable(cell)
    raise problems.LineInvalid(
        f"Line {line}, column '{name}': '{shown}' {says}.", line=line, column=name, value=shown, rule=rule
    )
