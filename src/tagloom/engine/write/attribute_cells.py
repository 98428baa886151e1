"""The attribute values of a body: names and values looked up, faulty lines found, and the last value of each person."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tagloom.base.problems import Problem
from tagloom.engine.attributes.codes import Codes, code_of, is_textual, text_of
from tagloom.engine.bitmaps import BitMap, bitmap_of
from tagloom.engine.storage import State
from tagloom.ports.writes import AttributeCells
from tagloom.words import limits, rejections
from tagloom.words.attributes import AttributeName, AttributeType, AttributeValue, parse_attribute_name, parse_value
from tagloom.words.builtin_attributes import check_settable, type_of_new
from tagloom.words.problems import FAULTS_OF_AN_ATTRIBUTE

REMOVED = -1
"""The place of no value: the value of the person is removed."""


class AttributeLookups(Protocol):
    """The look-ups of attributes in the population."""

    def attribute_types(self) -> Mapping[str, AttributeType]:
        """Returns the type of each attribute by name."""

    def state(self) -> State:
        """Returns the state of the population."""


class ResolvedAttribute(NamedTuple):
    """The values that a body gives one attribute.

    Person `ordinals[i]`, a provisional one for a newcomer, gets the value `places[i]` of `values`, or loses its value
    for REMOVED. Each person is there once. `values` are codes, or texts if the type is text or list. `type` is None if
    the attribute is unknown and the body only removes values.
    """

    name: AttributeName
    type: AttributeType | None
    ordinals: NDArray[np.uint32]
    places: NDArray[np.int64]
    values: "Codes | Sequence[str]"


class AttributeMeaning(NamedTuple):
    """The type of a named attribute before a body, None for an unknown one, and the type that the body gives it."""

    known: AttributeType | None
    decided: AttributeType | None

    def holds(self, now: AttributeType | None) -> bool:
        """Returns whether the body has the same meaning when the type is this one now."""
        return now == self.known or (self.known is None and self.decided in (None, now))


class _Attribute:
    """One attribute of a body. `data` are its distinct values so far: codes or texts."""

    def __init__(self, name: AttributeName, type: AttributeType | None) -> None:
        self.name = name
        self.type = type
        self.has_room = True
        self.data: dict[int | str, int] = {}

    def place(self, value: AttributeValue) -> int:
        """Returns the place of a value among the distinct values."""
        datum = text_of(value) if is_textual(value.type) else code_of(value)
        return self.data.setdefault(datum, len(self.data))


class _Columns(NamedTuple):
    """Some cells as parallel columns: line number, person, number of the attribute, place of the value."""

    line: NDArray[np.int64]
    ordinal: NDArray[np.uint32]
    attribute: NDArray[np.int32]
    place: NDArray[np.int64]


class Cells:
    """The cells of a body, part by part. Each different pair of a name and a value is read once per part.

    Memory: 24 bytes per cell until the end of the body.
    """

    def __init__(self, lookups: AttributeLookups, attributes_max: int | None = None) -> None:
        self._lookups = lookups
        self._attributes_max = limits.ATTRIBUTES_PER_ENVIRONMENT_MAX if attributes_max is None else attributes_max
        self._known: Mapping[str, AttributeType] | None = None
        self._is_closed = False
        # By name, and by each text that means the name.
        self._numbers: dict[str, int] = {}
        self._attributes: list[_Attribute] = []
        self._new_count = 0
        self._columns: list[_Columns] = []
        self._looked_up: dict[str, AttributeType | None] = {}

    def read(self, cells: AttributeCells, lines: int) -> "ReadCells":
        """Reads the cells of a part with so many lines."""
        if self._known is None:
            self._known, self._is_closed = self._lookups.attribute_types(), self._lookups.state().is_closed
        pairs = cells.name.astype(np.int64) << 32 | cells.value
        distinct, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
        number = np.zeros(len(distinct), np.int32)
        place = np.zeros(len(distinct), np.int64)
        faults: list[tuple[str, Problem]] = []
        for at in np.argsort(first).tolist():
            pair = int(distinct[at])
            name = cells.names[pair >> 32]
            try:
                number[at], place[at] = self._understand(name, cells.values[pair & 0xFFFFFFFF])
            except FAULTS_OF_AN_ATTRIBUTE as problem:
                faults.append((name, problem))
                number[at] = -len(faults)
        numbers = number[inverse]
        bad = np.flatnonzero(numbers < 0)
        faulty, at_first = np.unique(cells.line[bad], return_index=True)
        fault_of = dict(zip(faulty.tolist(), (-numbers[bad[at_first]] - 1).tolist(), strict=True))
        counts = np.bincount(cells.line, minlength=lines)
        for line in np.flatnonzero(counts > limits.ATTRIBUTES_PER_PERSON_MAX).tolist():
            first_over = int(np.searchsorted(cells.line, line)) + limits.ATTRIBUTES_PER_PERSON_MAX
            name = cells.names[int(cells.name[first_over])]
            faults.append((name, rejections.too_many_in_line(int(counts[line]))))
            fault_of[line] = len(faults) - 1
        found = {line: faults[at] for line, at in fault_of.items()}
        return ReadCells(cells.line, numbers, place[inverse], found, faults)

    def _understand(self, text: str, value: Any) -> tuple[int, int]:
        """Returns the number of an attribute, and the place of a value. Raises: FAULTS_OF_AN_ATTRIBUTE."""
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = self._number(parse_attribute_name(text))
        attribute = self._attributes[number]
        if value is None:
            return number, REMOVED
        type = attribute.type or type_of_new(attribute.name)
        parsed = parse_value(value, type) if attribute.has_room else None
        if parsed is not None and attribute.type is None:
            self._new_count += 1
            attribute.type = parsed.type
            attribute.has_room = len(self._known or ()) + self._new_count <= self._attributes_max
        if parsed is None or not attribute.has_room:
            raise rejections.too_many_attributes(self._attributes_max)
        return number, attribute.place(parsed)

    def _number(self, name: AttributeName) -> int:
        """Returns the number of an attribute by its name. Raises: AttributeReserved, UnknownAttribute."""
        assert self._known is not None, "the cells of a part are being read"
        check_settable(name)
        known = self._looked_up[name] = self._known.get(name)
        if known is None and self._is_closed:
            raise rejections.unknown_attribute(name)
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._attributes)
            self._attributes.append(_Attribute(name, known))
        return number

    def keep(self, read: "ReadCells", line_numbers: NDArray[np.int64], ordinals: NDArray[np.uint32]) -> None:
        """Keeps the cells of the lines of a part that have no fault. The arrays are those of the lines."""
        self._columns.append(_Columns(line_numbers[read.line], ordinals[read.line], read.number, read.place))

    def meanings(self) -> dict[str, AttributeMeaning]:
        """Returns the meanings of all names."""
        decided: dict[str, AttributeType | None] = {each.name: each.type for each in self._attributes}
        return {name: AttributeMeaning(known, decided.get(name)) for name, known in self._looked_up.items()}

    def people_of_lines(self, lines: NDArray[np.int64]) -> BitMap:
        """Returns the people of those of these lines, by number, that set a value."""
        found = (each.ordinal[np.isin(each.line, lines) & (each.place != REMOVED)] for each in self._columns)
        return BitMap.union(BitMap(), *(bitmap_of(np.unique(ordinals)) for ordinals in found))

    def finish(self, out: NDArray[np.int64]) -> tuple[ResolvedAttribute, ...]:
        """Returns the last value of each person and attribute, without the lines with the numbers `out`."""
        if not self._columns:
            return ()
        columns = _Columns(
            np.concatenate([each.line for each in self._columns]),
            np.concatenate([each.ordinal for each in self._columns]),
            np.concatenate([each.attribute for each in self._columns]),
            np.concatenate([each.place for each in self._columns]),
        )
        if len(out):
            kept = ~np.isin(columns.line, out)
            columns = _Columns(columns.line[kept], columns.ordinal[kept], columns.attribute[kept], columns.place[kept])
        # The sort keeps the order of equal keys, so the last one of a group is the last cell.
        order = np.lexsort((columns.ordinal, columns.attribute))
        attribute, ordinal = columns.attribute[order], columns.ordinal[order]
        is_last = np.ones(len(order), np.bool_)
        is_last[:-1] = (attribute[1:] != attribute[:-1]) | (ordinal[1:] != ordinal[:-1])
        attribute, ordinal, place = attribute[is_last], ordinal[is_last], columns.place[order][is_last]
        found = []
        for number, each in enumerate(self._attributes):
            begin, end = np.searchsorted(attribute, [number, number + 1])
            if begin < end:
                values: Codes | Sequence[str] = (
                    [str(datum) for datum in each.data]
                    if each.type is not None and is_textual(each.type)
                    else np.fromiter(each.data, np.uint64, len(each.data))
                )
                found.append(ResolvedAttribute(each.name, each.type, ordinal[begin:end], place[begin:end], values))
        return tuple(found)


class ReadCells(NamedTuple):
    """The cells of a part: line, number of the attribute, place of the value; and the first fault of each line.

    The number of a cell with a fault is -1 - n for fault n of `every_fault`.
    """

    line: NDArray[np.int32]
    number: NDArray[np.int32]
    place: NDArray[np.int64]
    faults: Mapping[int, tuple[str, Problem]]
    every_fault: Sequence[tuple[str, Problem]] = ()

    def without_faults(self) -> "ReadCells":
        """Returns the cells that have no fault, also of lines with other cells that have one."""
        kept = self.number >= 0
        return ReadCells(self.line[kept], self.number[kept], self.place[kept], {})

    def of_lines(self, is_good: NDArray[np.bool_]) -> "ReadCells":
        """Returns the cells of some lines, which have no fault."""
        kept = is_good[self.line]
        return ReadCells(self.line[kept], self.number[kept], self.place[kept], {})
