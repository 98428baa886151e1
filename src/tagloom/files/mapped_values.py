"""Finds the tags of a record by a mapping, and maps each distinct cell once.

The rules are in `tagloom.words.mappings`. The text readers that read by row and by column share this cache.
"""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as ByName

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.files.part_columns import Line, LineFault, key_of
from tagloom.words.cells import Cell
from tagloom.words.mappings import Column, Mapping, TagColumn, cell_tags
from tagloom.words.people import Kind
from tagloom.words.problems import LineInvalid, PersonIdInvalid, TagIsEmpty

CELLS_KNOWN_MAX = 65_536  # The distinct cells of a column that are cached. A column with more has ids or free text.

Tags = tuple[str, ...]


class ColumnMeaning:
    """The tags of the cells of one column, with the prefix of the mapping."""

    def __init__(self, column: Column, mapping: Mapping) -> None:
        self._column = column
        self._mapping = mapping
        self._known: dict[Cell, Tags | Problem] = {}

    @property
    def name(self) -> str:
        """The name of the column."""
        return self._column.column

    def find(self, cell: Cell) -> Tags | Problem:
        """Returns the tags of a cell, or the problem of a cell that cannot be mapped."""
        found = self._known.get(cell)
        if found is None:
            if len(self._known) >= CELLS_KNOWN_MAX:
                self._known.clear()
            found = self._known[cell] = self._understood(cell)
        return found

    def _understood(self, cell: Cell) -> Tags | Problem:
        try:
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
        return tuple(map(self._mapping.prefixed, tags))


class Meaning:
    """The tags of the records of one file: the constant tags, and the tags of each mapped column."""

    def __init__(self, mapping: Mapping) -> None:
        self.constant: Tags = tuple(dict.fromkeys(map(mapping.prefixed, mapping.tags)))
        self.columns = [ColumnMeaning(column, mapping) for column in mapping.columns]

    def line(self, number: int, key: bytes, cells: Sequence[Cell], shown: Callable[[], str]) -> Line:
        """Returns the line of a record about the person `key`. A fault shows the text of `shown()`.

        Raises: LineFault.
        """
        tags = list(self.constant)
        for column, cell in zip(self.columns, cells, strict=True):
            found = column.find(cell)
            if isinstance(found, Problem):
                raise LineFault(found, "" if isinstance(found, TagIsEmpty) else shown(), [key])
            tags.extend(found)
        return Line(number, key, tuple(dict.fromkeys(tags)))


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
