"""Finds the tags and attributes of a record by a mapping, and maps each distinct cell once.

The rules are in `tagloom.words.mappings`. The text readers that read by row and by column share this cache.
"""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as ByName
from typing import NamedTuple, TypeAlias

from msgspec import UNSET, UnsetType

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.files.part_columns import Line, LineFault, key_of
from tagloom.words.cells import Cell
from tagloom.words.mappings import AttributeColumn, Column, Mapping, TagColumn, Value, cell_tags, cell_value
from tagloom.words.people import Kind
from tagloom.words.problems import LineInvalid, PersonIdInvalid, TagIsEmpty

CELLS_KNOWN_MAX = 65_536  # The distinct cells of a column that are cached. A column with more has ids or free text.

Tags = tuple[str, ...]
NewValue: TypeAlias = Value | UnsetType | None
"""A value to set, None to remove the value, or UNSET to change nothing."""


class CellMeaning(NamedTuple):
    """What a cell means: tags with the prefix of the mapping, and the value of the column's attribute."""

    tags: Tags = ()
    value: NewValue = UNSET


class ColumnMeaning:
    """The meaning of the cells of one column. With `blank_removes`, a blank cell removes the value of an attribute."""

    def __init__(self, column: Column, mapping: Mapping, *, blank_removes: bool = False) -> None:
        self._column = column
        self._mapping = mapping
        self._blank: NewValue = None if blank_removes else UNSET
        self._known: dict[Cell, CellMeaning | Problem] = {}
        self.attribute = column.attribute if isinstance(column, AttributeColumn) else None

    @property
    def name(self) -> str:
        """The name of the column."""
        return self._column.column

    def find(self, cell: Cell) -> CellMeaning | Problem:
        """Returns the meaning of a cell, or the problem of a cell that cannot be mapped."""
        found = self._known.get(cell)
        if found is None:
            if len(self._known) >= CELLS_KNOWN_MAX:
                self._known.clear()
            found = self._known[cell] = self._understood(cell)
        return found

    def _understood(self, cell: Cell) -> CellMeaning | Problem:
        try:
            if isinstance(self._column, AttributeColumn):
                value = cell_value(self._column, cell)
                return CellMeaning(value=self._blank if value is None else value)
            tags = cell_tags(self._column, cell)
        except LineInvalid as problem:
            return problem
        if isinstance(self._column, TagColumn) and not all(tags):
            return TagIsEmpty(
                f"The tag in column '{printable(self.name)}' is empty.",
                value="",
                rule="not empty",
                position=0,
                column=printable(self.name),
            )
        return CellMeaning(tuple(map(self._mapping.prefixed, tags)))


class Meaning:
    """The meaning of the records of one file: the constant tags, and the meaning of each mapped column."""

    def __init__(self, mapping: Mapping, *, blank_removes: bool = False) -> None:
        self.constant: Tags = tuple(dict.fromkeys(map(mapping.prefixed, mapping.tags)))
        self.columns = [ColumnMeaning(column, mapping, blank_removes=blank_removes) for column in mapping.columns]

    def line(self, number: int, key: bytes, cells: Sequence[Cell], shown: Callable[[], str]) -> Line:
        """Returns the line of a record about the person `key`. A fault shows the text of `shown()`.

        Raises: LineFault.
        """
        tags, attributes = list(self.constant), dict[str, Value | None]()
        for column, cell in zip(self.columns, cells, strict=True):
            found = column.find(cell)
            if isinstance(found, Problem):
                raise LineFault(found, "" if isinstance(found, TagIsEmpty) else shown(), [key])
            tags.extend(found.tags)
            if column.attribute is not None and not isinstance(found.value, UnsetType):
                attributes[column.attribute] = found.value
        return Line(number, key, tuple(dict.fromkeys(tags)), attributes=attributes)


def key_of_record(number: int, people: ByName[Kind, str], shown: Callable[[], str]) -> bytes:
    """Returns the key of the one person that a record names.

    Raises: LineFault. If the person is unclear, the `suspects` of the fault are empty, and the caller adds them.
    """
    named = [(kind, id) for kind, id in people.items() if id]
    if len(named) > 1:
        held = []
        for kind, id in named:
            try:
                held.append(key_of(kind, id))
            except PersonIdInvalid:
                continue
        raise LineFault(LineInvalid(f"Line {number} names both a user and a visitor."), shown(), held)
    if not named:
        raise LineFault(PersonIdInvalid(f"Line {number} names no person."), "", suspects=())
    ((kind, id),) = named
    try:
        return key_of(kind, id)
    except PersonIdInvalid as problem:
        raise LineFault(problem, id, suspects=()) from problem
