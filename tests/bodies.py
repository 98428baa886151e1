"""Bodies for tests: plain lines made into the columns that a reader would make of them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from tagloom.ports.writes import AttributeCells, Doubt, Part
from tagloom.words.people import Kind, Person
from tagloom.words.receipts import Rejected


class Line(NamedTuple):
    """What one line says: tags to add (or simply its tags) and, in mode `change`, tags to remove.

    An unreadable line is one that the reader rejects; when the person could be read all the same, they are held.
    `end` says when what it gives ends (`expiry.Said`). `may_name` are those whom an unreadable line may be about.
    `values` are names of attributes and their values; None removes a value. `start` is the moment at which the taggings
    start.
    """

    person: Person | None
    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    is_unreadable: bool = False
    expiry: int = 0
    may_name: Sequence[Person] | None = None
    values: Sequence[tuple[str, Any]] = ()
    start: int = 0


def user(id: str, *add: str, remove: Sequence[str] = (), **values: Any) -> Line:
    """A line of one user. `values` are those of attributes."""
    return Line(Person("user", id), add, remove, values=tuple(values.items()))


def visitor(id: str, *add: str, remove: Sequence[str] = (), **values: Any) -> Line:
    """A line of one visitor. `values` are those of attributes."""
    return Line(Person("visitor", id), add, remove, values=tuple(values.items()))


def unreadable(kind: Kind | None = None, id: str = "") -> Line:
    """A line that the reader cannot read, with or without its person."""
    return Line(None if kind is None else Person(kind, id), is_unreadable=True)


def doubtful(*ids: str) -> Line:
    """A line that the reader cannot read, and which may be about any of these users."""
    return Line(None, is_unreadable=True, may_name=[Person("user", id) for id in ids])


def key_of(person: Person) -> bytes:
    """The key that stands for the person in a part."""
    return person.kind[0].encode() + person.id.encode()


def part(lines: Sequence[Line], *, first_line: int = 1) -> Part:
    """One part with these lines, numbered from `first_line` on."""
    texts: dict[str, int] = {}
    numbers: list[int] = []
    keys: list[bytes] = []
    taggings: list[tuple[int, int, bool]] = []
    rejected: list[Rejected] = []
    held: list[bytes] = []
    doubts: list[Doubt] = []
    expiries: list[int] = []
    starts: list[int] = []
    cells: list[tuple[int, str, Any]] = []
    for number, line in enumerate(lines, first_line):
        if line.is_unreadable:
            rejected.append(Rejected(number, "", "line-invalid", "The line cannot be read."))
            held.extend([key_of(line.person)] if line.person else [])
            if line.may_name is not None:
                doubts.append(Doubt(number, tuple(map(key_of, line.may_name))))
            continue
        assert line.person is not None
        for is_removal, named in ((False, line.add), (True, line.remove)):
            for text in named:
                taggings.append((len(numbers), texts.setdefault(text, len(texts)), is_removal))
        cells.extend((len(numbers), name, value) for name, value in line.values)
        numbers.append(number)
        keys.append(key_of(line.person))
        expiries.append(line.expiry)
        starts.append(line.start)
    return Part(
        lines=np.array(numbers, np.int64),
        keys=pa.array(keys, pa.binary()),
        tagging_line=np.array([line for line, _, _ in taggings], np.int32),
        tagging_text=np.array([text for _, text, _ in taggings], np.int32),
        texts=tuple(texts),
        is_removal=np.array([taken for _, _, taken in taggings], np.bool_) if any(t for _, _, t in taggings) else None,
        rejected=tuple(rejected),
        held=tuple(held),
        expiries=np.array(expiries, np.int64) if any(expiries) else None,
        doubts=tuple(doubts),
        attributes=_cells(cells) if cells else None,
        starts=np.array(starts, np.int64) if any(starts) else None,
    )


def _cells(cells: Sequence[tuple[int, str, Any]]) -> AttributeCells:
    """Cells as columns. Each name is there once, and each value as often as it is set."""
    names = list(dict.fromkeys(name for _, name, _ in cells))
    return AttributeCells(
        line=np.array([line for line, _, _ in cells], np.int32),
        name=np.array([names.index(name) for _, name, _ in cells], np.int32),
        value=np.arange(len(cells), dtype=np.int32),
        names=tuple(names),
        values=tuple(value for _, _, value in cells),
    )


def parts(lines: Sequence[Line], *, lines_per_part: int) -> Iterator[Part]:
    """The same lines in several parts, numbered through."""
    for start in range(0, len(lines), lines_per_part):
        yield part(lines[start : start + lines_per_part], first_line=start + 1)
