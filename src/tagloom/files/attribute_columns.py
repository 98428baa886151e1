"""Builds, merges and slices the columns with the values of attributes of a part."""

from array import array
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tagloom.ports.writes import AttributeCells


class CellsBuilding:
    """A builder of `AttributeCells`, line by line. Equal values of one type have one number."""

    def __init__(self) -> None:
        # Numbers in an array take 4 bytes. In a list, they take 8 bytes and more.
        self._line, self._name, self._value = array("i"), array("i"), array("i")
        self._names: dict[str, int] = {}
        self._values: list[Any] = []
        self._numbers: dict[Hashable, int] = {}

    def __len__(self) -> int:
        """Returns the number of values of all lines."""
        return len(self._line)

    def add(self, line: int, attributes: Mapping[str, Any]) -> None:
        """Adds the values of a line, which is a place in the lines of the part."""
        names = self._names
        for name, value in attributes.items():
            self._line.append(line)
            self._name.append(names.setdefault(name, len(names)))
            self._value.append(self._number(value))

    def _number(self, value: Any) -> int:
        # True, 1 and 1.0 are equal in Python, but are values of different types.
        key: Hashable = (list, *value) if type(value) is list else (type(value), value)
        try:
            number = self._numbers.setdefault(key, len(self._values))
        except TypeError:
            # A list of objects has no hash. The engine will reject its line.
            number = len(self._values)
        if number == len(self._values):
            self._values.append(value)
        return number

    def cells(self) -> AttributeCells | None:
        """Returns all values so far, or None if there are none."""
        if not self._line:
            return None
        return AttributeCells(
            line=np.array(self._line, np.int32),
            name=np.array(self._name, np.int32),
            value=np.array(self._value, np.int32),
            names=tuple(self._names),
            values=tuple(self._values),
        )


def merged_cells(
    one: AttributeCells | None, other: AttributeCells | None, place: NDArray[np.int32], lines_of_one: int
) -> AttributeCells | None:
    """Merges the values of two parts. `place` has the new places of the lines: first those of `one`, then the others.

    No line is in both parts.
    """
    if one is None and other is None:
        return None
    given = [each for each in (one, other) if each is not None]
    lines = [] if one is None else [one.line]
    if other is not None:
        lines.append(other.line + np.int32(lines_of_one))
    line = place[np.concatenate(lines)]
    order = np.argsort(line, kind="stable")
    name, value = list[NDArray[np.int32]](), list[NDArray[np.int32]]()
    names, values = list[str](), list[Any]()
    for each in given:
        name.append(each.name + np.int32(len(names)))
        value.append(each.value + np.int32(len(values)))
        names += each.names
        values += each.values
    return AttributeCells(
        line=line[order],
        name=np.concatenate(name)[order],
        value=np.concatenate(value)[order],
        names=names,
        values=values,
    )


def cells_from(cells: AttributeCells | None, first: int) -> AttributeCells | None:
    """Returns the values of the lines from place `first` on, with places that count from there."""
    if cells is None:
        return None
    begin = int(np.searchsorted(cells.line, first))
    if begin == len(cells.line):
        return None
    return AttributeCells(
        line=cells.line[begin:] - np.int32(first),
        name=cells.name[begin:],
        value=cells.value[begin:],
        names=cells.names,
        values=cells.values,
    )
