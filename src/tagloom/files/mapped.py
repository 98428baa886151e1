"""Reads a file with any columns as parts, by a mapping.

Text files use the readers of bodies. A Parquet file with one tag per row is read like the plain form, without a Python
loop over rows, and only its distinct tags are mapped. Other Parquet files are read row by row, and each distinct cell
is mapped once.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.files import read_parts, read_text
from tagloom.files.decoding import Remark
from tagloom.files.decompression import FileFormat, Row, Squeezed, holds_texts, read_bytes
from tagloom.files.mapped_values import Meaning
from tagloom.files.part_columns import Building, Line, LineFault, key_of
from tagloom.files.problems import ColumnsInvalid
from tagloom.files.record_reader import read_records
from tagloom.ports.writes import Part
from tagloom.words.cells import Cell, OddCell, shown_cells
from tagloom.words.mappings import REASON_PREFIX, Mapping, TagColumn, cell_tags, record_person
from tagloom.words.people import Kind
from tagloom.words.problems import LineInvalid, PersonIdInvalid

ROWS_PER_PART = 65_536


def read_mapped(
    path: Path,
    format: FileFormat,
    squeezed: Squeezed,
    mapping: Mapping,
    remark: Remark | None = None,
    *,
    blank_removes: bool = False,
) -> Generator[Part, None, None]:
    """Yields the parts of a file. A bad line is rejected alone, and holds the people that it names or may name.

    `remark` is called with a sentence for each decoding step. With `blank_removes`, a blank cell of an attribute
    removes its value. Otherwise, it changes nothing. Raises: BodyInvalid, ColumnsInvalid.
    """
    if format != "parquet":
        with (
            closing(read_bytes(path, squeezed)) as chunks,
            closing(read_text(chunks, format, mapping, blank_removes=blank_removes, remark=remark)) as parts,
        ):
            yield from parts
        return
    mapping = _people_there(path, mapping)
    if is_long(path, format, mapping):
        _check_names(read_records(path, format, squeezed).names, mapping)
        yield from _long_parts(path, format, squeezed, mapping)
    else:
        yield from _record_parts(path, format, squeezed, mapping, blank_removes=blank_removes)


def _people_there(path: Path, mapping: Mapping) -> Mapping:
    """Returns the mapping without the columns of people that the file lacks, if one column of people is enough."""
    if mapping.header != "if-any":
        return mapping
    names = read_records(path, "parquet", "none").names
    user, visitor = (name if name in names else None for name in (mapping.user, mapping.visitor))
    return mapping if user is visitor is None else replace(mapping, user=user, visitor=visitor)


def is_long(path: Path, format: FileFormat, mapping: Mapping) -> bool:
    """Returns whether a Parquet file has one tag per row, for which there is a faster reader. Raises: BodyInvalid."""
    if len(mapping.columns) != 1 or not isinstance(mapping.columns[0], TagColumn):
        return False
    return format == "parquet" and holds_texts(path, mapping.names())


def _check_names(found: Sequence[str], mapping: Mapping) -> None:
    """Checks the columns.

    Raises:
        ColumnsInvalid: a mapped column is missing, or the mapping must name every column and does not.
    """
    for name in mapping.names():
        if name not in found:
            shown = printable(name)
            raise ColumnsInvalid(f"The file has no column '{shown}'.", value=shown, rule="every mapped column")
    known = {*mapping.names(), *mapping.ignore}
    for name in found if mapping.unnamed == "refuse" else ():
        if name not in known and not name.startswith(REASON_PREFIX):
            shown = printable(name)
            raise ColumnsInvalid(
                f"The file has a column '{shown}' that the mapping does not name. Map it or ignore it.",
                value=shown,
                rule="every column mapped or ignored",
            )


def _long_parts(path: Path, format: FileFormat, squeezed: Squeezed, mapping: Mapping) -> Iterator[Part]:
    (column,) = mapping.columns
    assert isinstance(column, TagColumn), "a long file has one column of tags"
    # No column has this name. It stands for a kind of person that the mapping does not name.
    nobody = "\0"
    # The parts are closed before their source, from which a thread may be reading ahead.
    with (
        closing(read_bytes(path, squeezed)) as chunks,
        closing(
            read_parts(
                chunks,
                format,
                user_column=mapping.user or nobody,
                visitor_column=mapping.visitor or nobody,
                tag_column=column.column,
            )
        ) as parts,
    ):
        for part in parts:
            yield _retagged(part, mapping, column)


def _retagged(part: Part, mapping: Mapping, column: TagColumn) -> Part:
    """Returns a part with its texts mapped and the constant tags added."""
    texts: dict[str, int] = {mapping.prefixed(tag): number for number, tag in enumerate(dict.fromkeys(mapping.tags))}
    constant = len(texts)
    numbers = np.zeros(len(part.texts), np.int32)
    for place, text in enumerate(part.texts):
        (tag,) = cell_tags(column, text)
        numbers[place] = texts.setdefault(mapping.prefixed(tag), len(texts))
    tagging_text = numbers[part.tagging_text]
    tagging_line = part.tagging_line
    if constant:
        lines = np.arange(len(part.lines), dtype=np.int32)
        tagging_line = np.concatenate([tagging_line, np.repeat(lines, constant)])
        always = np.tile(np.arange(constant, dtype=np.int32), len(part.lines))
        tagging_text = np.concatenate([tagging_text, always])
        order = np.argsort(tagging_line, kind="stable")
        tagging_line, tagging_text = tagging_line[order], tagging_text[order]
    return Part(
        lines=part.lines,
        keys=part.keys,
        tagging_line=tagging_line,
        tagging_text=tagging_text,
        texts=tuple(texts),
        rejected=part.rejected,
        held=part.held,
        doubts=part.doubts,
    )


def _record_parts(
    path: Path, format: FileFormat, squeezed: Squeezed, mapping: Mapping, *, blank_removes: bool
) -> Iterator[Part]:
    # All columns are checked when the mapping must name every column.
    named = tuple(dict.fromkeys(mapping.names()))
    _check_names(read_records(path, format, squeezed).names, mapping)
    records = read_records(path, format, squeezed, named)
    reader = _Reader(mapping, named, blank_removes=blank_removes)
    building = Building()
    with closing(records.rows):
        for row in records.rows:
            try:
                building.add(reader.line(row))
            except LineFault as fault:
                building.reject(row.number, fault)
            if len(building) >= ROWS_PER_PART or building.is_full:
                yield building.part()
                building = Building()
    if len(building):
        yield building.part()


class _Reader:
    """A reader of the records of one file by a mapping."""

    def __init__(self, mapping: Mapping, names: Sequence[str], *, blank_removes: bool) -> None:
        self._mapping = mapping
        self._names = names
        places = {name: place for place, name in enumerate(names)}
        self._people: list[tuple[Kind, int]] = []
        if mapping.user:
            self._people.append(("user", places[mapping.user]))
        if mapping.visitor:
            self._people.append(("visitor", places[mapping.visitor]))
        self._meaning = Meaning(mapping, blank_removes=blank_removes)
        self._columns = [places[column.column] for column in mapping.columns]

    def line(self, row: Row) -> Line:
        """Reads one record. Raises: LineFault."""
        cells = row.cells
        if row.fault is not None:
            raise LineFault(LineInvalid(row.fault), shown_cells(cells), self._held(cells))
        try:
            kind, id = record_person(self._mapping, dict(zip(self._names, cells, strict=True)))
            key = key_of(kind, id)
        except Problem as problem:
            raise LineFault(problem, shown_cells(cells), self._held(cells)) from problem
        mapped = [cells[place] for place in self._columns]
        return self._meaning.line(row.number, key, mapped, partial(shown_cells, cells))

    def _held(self, cells: Sequence[Cell]) -> tuple[bytes, ...]:
        """Returns the people that a bad row seems to name, who keep their tags in a mirror."""
        held = []
        for kind, place in self._people:
            cell = cells[place]
            if isinstance(cell, str) and cell and not isinstance(cell, OddCell):
                try:
                    held.append(key_of(kind, cell))
                except PersonIdInvalid:
                    continue
        return tuple(held)
