"""Builds parts: good lines become columns, and bad lines become entries of the receipt."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace
from numpy.typing import NDArray

from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.files.attribute_columns import CellsBuilding, merged_cells
from tagloom.ports.writes import Doubt, Part
from tagloom.words import limits
from tagloom.words.people import Kind
from tagloom.words.periods import NO_PERIOD, Period
from tagloom.words.person_ids import parse_id
from tagloom.words.receipts import Rejected

Mask = NDArray[np.bool_]
Positions = NDArray[np.int64]

# A rejected line takes 300 bytes. A part with this many ends early, so that a body with only bad lines stays small,
# too.
REJECTED_PER_PART_MAX = 20_000
SUSPECTS_PER_PART_MAX = 500_000  # A part also ends early with this many possible people, at 60 bytes each.
VALUES_PER_PART_MAX = 1_000_000  # A part also ends early with this many values of attributes, at 12 bytes each.
KEYS_LISTED_MAX = 64  # Up to this many keys are looked up one by one, more keys in columns.


class Line(NamedTuple):
    """A good line: its number, the key of its person, the tags to add, and the tags to remove.

    `period` is the period of the tags that the line adds. `attributes` has the values of attributes by name, in the
    form of `AttributeCells`.
    """

    number: int
    key: bytes
    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    period: Period = NO_PERIOD
    attributes: Mapping[str, Any] = {}


class LineFault(Exception):
    """The reason why a line is rejected: the problem, the part of the line to show, and the keys of the people in it.

    If the line does not certainly name its person, `suspects` are the keys of all people whom it may name; else None.
    If `is_cut`, only the beginning of the line was read, and the rest may name more people.
    """

    def __init__(
        self,
        problem: Problem,
        value: str,
        held: Iterable[bytes] = (),
        suspects: Iterable[bytes] | None = None,
        *,
        is_cut: bool = False,
    ) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.value = value
        self.held = tuple(held)
        self.suspects = None if suspects is None else tuple(suspects)
        self.is_cut = is_cut


def key_of(kind: Kind, id: str) -> bytes:
    """Returns the key of a person in the form that parts have. Raises: PersonIdInvalid."""
    return kind[0].encode("ascii") + parse_id(id, field=kind).encode("utf-8")


def lines_part(lines: Iterable[Line]) -> Part:
    """Returns a part of valid lines, in order. Cost: about 10 us, and 1 us per line."""
    building = Building()
    for line in lines:
        building.add(line)
    return building.part()


class Building:
    """A builder of a part, line by line, in order."""

    def __init__(self) -> None:
        self._lines: list[int] = []
        self._keys: list[bytes] = []
        self._tagging_line: list[int] = []
        self._tagging_text: list[int] = []
        self._texts: dict[str, int] = {}
        self._removals: list[bool] = []
        self._rejected: list[Rejected] = []
        self._held: list[bytes] = []
        self._doubts: list[Doubt] = []
        self._suspects = 0
        self._periods: list[Period] = []
        self._attributes = CellsBuilding()

    def __len__(self) -> int:
        """Returns the number of lines, good and bad."""
        return len(self._lines) + len(self._rejected)

    @property
    def is_full(self) -> bool:
        """True if the part should end: it has many rejected lines, people whom they may name, or values."""
        return (
            len(self._rejected) >= REJECTED_PER_PART_MAX
            or self._suspects >= SUSPECTS_PER_PART_MAX
            or len(self._attributes) >= VALUES_PER_PART_MAX
        )

    def add(self, line: Line) -> None:
        """Adds a good line."""
        texts = self._texts
        for text in line.add:
            self._tagging_text.append(texts.setdefault(text, len(texts)))
        for text in line.remove:
            self._tagging_text.append(texts.setdefault(text, len(texts)))
        self._tagging_line.extend([len(self._lines)] * (len(line.add) + len(line.remove)))
        if line.remove or self._removals:
            self._removals.extend([False] * (len(self._tagging_text) - len(self._removals)))
            self._removals[len(self._removals) - len(line.remove) :] = [True] * len(line.remove)
        if line.attributes:
            self._attributes.add(len(self._lines), line.attributes)
        self._lines.append(line.number)
        self._keys.append(line.key)
        self._periods.append(line.period)

    def reject(self, line: int, fault: LineFault) -> None:
        """Adds a rejected line."""
        suggestion = fault.problem.members.get("suggestion")
        self._rejected.append(
            Rejected(
                line,
                printable(fault.value),
                fault.problem.slug(),
                fault.problem.detail,
                suggestion if isinstance(suggestion, str) else None,
            )
        )
        self._held.extend(fault.held)
        if fault.suspects is not None:
            self.doubt(line, fault.suspects)
        if fault.is_cut and not fault.held:
            # People in the part of the line that was not read cannot be held.
            self.doubt(line, ())

    def doubt(self, line: int, suspects: tuple[bytes, ...]) -> None:
        """Adds a line that may name any of these people."""
        self._doubts.append(Doubt(line, suspects))
        self._suspects += len(suspects)

    def part(self) -> Part:
        """Returns all lines so far as a part."""
        return Part(
            lines=np.array(self._lines, np.int64),
            # Making a column releases the interpreter's lock. Acquiring the lock again takes long while other threads
            # write.
            keys=tuple(self._keys) if len(self._keys) <= KEYS_LISTED_MAX else pa.array(self._keys, pa.binary()),
            tagging_line=np.array(self._tagging_line, np.int32),
            tagging_text=np.array(self._tagging_text, np.int32),
            texts=tuple(self._texts),
            is_removal=np.array(self._removals, np.bool_) if self._removals else None,
            rejected=tuple(self._rejected),
            held=tuple(self._held),
            doubts=tuple(self._doubts),
            expiries=_moments([period.expiry for period in self._periods]),
            attributes=self._attributes.cells(),
            starts=_moments([period.start for period in self._periods]),
        )


def merged(one: Part, other: Part) -> Part:
    """Merges two parts of different lines, in the order of the lines."""
    rejected = sorted([*one.rejected, *other.rejected], key=lambda rejected: rejected.line)
    held = [*one.held, *other.held]
    doubts = [*one.doubts, *other.doubts]
    if not len(other.lines):
        return replace(one, rejected=rejected, held=held, doubts=doubts)
    lines = np.concatenate([one.lines, other.lines])
    order = np.argsort(lines, kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    tagging_line = place[np.concatenate([one.tagging_line, other.tagging_line + np.int32(len(one.lines))])]
    tagging_order = np.argsort(tagging_line, kind="stable")
    tagging_text = np.concatenate([one.tagging_text, other.tagging_text + np.int32(len(one.texts))])
    removal = None
    if one.is_removal is not None or other.is_removal is not None:
        removal = np.concatenate([_removals(one), _removals(other)])[tagging_order]
    expiries, starts = (
        None if a is None and b is None else np.concatenate([_filled(a, one), _filled(b, other)])[order]
        for a, b in ((one.expiries, other.expiries), (one.starts, other.starts))
    )
    return Part(
        lines=lines[order],
        keys=pa.concat_arrays([one.key_column(), other.key_column()]).take(pa.array(order)),
        tagging_line=tagging_line[tagging_order],
        tagging_text=tagging_text[tagging_order],
        texts=[*one.texts, *other.texts],
        is_removal=removal,
        rejected=rejected,
        held=held,
        expiries=expiries,
        doubts=doubts,
        attributes=merged_cells(one.attributes, other.attributes, place, len(one.lines)),
        starts=starts,
    )


def _moments(values: list[int]) -> NDArray[np.int64] | None:
    return np.array(values, np.int64) if any(values) else None


def _filled(moments: NDArray[np.int64] | None, part: Part) -> NDArray[np.int64]:
    return moments if moments is not None else np.zeros(len(part.lines), np.int64)


def _removals(part: Part) -> Mask:
    return part.is_removal if part.is_removal is not None else np.zeros(len(part.tagging_line), np.bool_)


def keys_of(ids: pa.BinaryArray, is_user: Mask | bool) -> pa.BinaryArray:
    """Returns the keys of people: the letter of the kind, then the id."""
    if isinstance(is_user, bool):
        letter = pa.scalar(b"u" if is_user else b"v", pa.binary())
    else:
        letter = pa.array(np.where(is_user, b"u", b"v"), pa.binary())
    return pc.binary_join_element_wise(letter, ids, pa.scalar(b"", pa.binary()))


def offsets_and_data(texts: pa.BinaryArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Returns the offset of each text, one more offset for the end of the last text, and the data."""
    _, offset_buffer, data_buffer = texts.buffers()
    if not len(texts):
        return np.zeros(1, np.int32), np.empty(0, np.uint8)
    offsets = np.frombuffer(offset_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.empty(0, np.uint8)
    return offsets, data


def doubtful_ids(ids: pa.BinaryArray) -> Mask:
    """Returns which texts (UTF-8, none null) may be invalid ids; all others are valid."""
    offsets, data = offsets_and_data(ids)
    lengths = np.diff(offsets)
    doubtful: Mask = (lengths == 0) | (lengths > limits.CHARACTERS_PER_ID_MAX)
    begin, end = int(offsets[0]), int(offsets[-1])
    data = data[begin:end]
    controls = np.concatenate([np.flatnonzero(data < 0x20), high_controls(data)])
    if len(controls):
        doubtful[np.searchsorted(offsets, controls + begin, side="right") - 1] = True
    return doubtful


def high_controls(data: NDArray[np.uint8]) -> Positions:
    """Returns the places of DEL, C1 controls, U+2028 and U+2029 in UTF-8. Cost: about 0.1 ns per byte of ASCII."""
    found = [np.flatnonzero(data == 0x7F)] if (data == 0x7F).any() else []
    if len(data) and data.max() >= 0x80:
        after = np.concatenate([data[1:], np.zeros(2, np.uint8)])
        lead = np.flatnonzero(data == 0xC2)
        found.append(lead[(after[lead] >= 0x80) & (after[lead] < 0xA0)])
        lead = np.flatnonzero(data == 0xE2)
        found.append(lead[(after[lead] == 0x80) & (after[lead + 1] & 0xFE == 0xA8)])
    return np.concatenate(found) if found else np.empty(0, np.int64)


def is_utf8(data: pa.Buffer | bytearray, begin: int, end: int) -> bool:
    """Returns whether these bytes are valid UTF-8, without a copy."""
    offsets = pa.py_buffer(np.array([begin, end], np.int32))
    whole = pa.StringArray.from_buffers(1, offsets, data if isinstance(data, pa.Buffer) else pa.py_buffer(data))
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
