"""Counts ids that look as if a spreadsheet or an export had changed them. Such ids are accepted unchanged."""

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from tagloom.files.part_columns import offsets_and_data

_NOTHING = frozenset(("null", "n/a", "na", "nan", "none", "nil", "undefined", "#n/a", "(null)", "-"))
_NOTHING_BYTES_MAX = max(map(len, _NOTHING))
_ROUNDED = re.compile(rb"-?\d(?:[.,]\d+)?[eE]\+?\d{2,3}")
_SAYS = {
    "rounded": "look like numbers that a spreadsheet has rounded, such as 1.58292E+18: people may have become one",
    "nothing": "say that there is none, such as NULL or N/A",
    "formula": 'are formulas, such as ="00123"',
    "space": "begin or end with a space",
}


class OddIds:
    """A counter of the ids of a file that look wrong."""

    def __init__(self) -> None:
        self._counts = Counter[str]()

    def add(self, keys: pa.BinaryArray) -> None:
        """Counts the keys of some people. Cost: about 20 ns per key."""
        if not len(keys):
            return
        offsets, data = offsets_and_data(keys)
        begin, end = offsets[:-1] + 1, offsets[1:]
        first, last = data[begin], data[end - 1]
        self._counts["space"] += int(np.count_nonzero((first == ord(" ")) | (last == ord(" "))))
        self._counts["formula"] += int(np.count_nonzero(first == ord("=")))
        is_letter = (first >= ord("A")) | (first == ord("#")) | (first == ord("(")) | (first == ord("-"))
        short = np.flatnonzero(is_letter & (end - begin <= _NOTHING_BYTES_MAX))
        self._counts["nothing"] += sum(_is_nothing(bytes(data[begin[at] : end[at]])) for at in short.tolist())
        # A rounded number begins with a digit or a minus sign, and has its exponent near its end.
        is_digit = ((first >= ord("0")) & (first <= ord("9"))) | (first == ord("-"))
        may_round = is_digit & (end - begin >= 4)
        for behind in (3, 4, 5):
            mark = data[np.maximum(end - behind, begin)]
            found = np.flatnonzero(may_round & ((mark == ord("E")) | (mark == ord("e"))))
            self._counts["rounded"] += sum(
                _ROUNDED.fullmatch(bytes(data[begin[at] : end[at]])) is not None for at in found.tolist()
            )

    def add_texts(self, ids: Iterable[str]) -> None:
        """Counts ids given as texts."""
        self.add(pa.array([b"u" + id.encode("utf-8", "replace") for id in ids if id], pa.binary()))

    def sentences(self) -> list[str]:
        """Returns the warnings, one sentence for each kind of fault."""
        return [f"{count:,} of the ids {says}." for kind, says in _SAYS.items() if (count := self._counts[kind])]


def _is_nothing(id: bytes) -> bool:
    return id.lower().decode("utf-8", "replace") in _NOTHING
