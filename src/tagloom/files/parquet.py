"""Reads Parquet files of the plain form as parts, one batch of rows at a time."""

import tempfile
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tagloom.base.durable_files import raising_disk_full
from tagloom.base.problems import Problem
from tagloom.base.text import printable
from tagloom.files import limits
from tagloom.files.delimited_records import columns_invalid
from tagloom.files.parquet_file import ParquetFile
from tagloom.files.parquet_texts import Indices, Texts, is_list, list_lengths, may_name, texts_of
from tagloom.files.part_columns import (
    Building,
    LineFault,
    Mask,
    doubtful_ids,
    key_of,
    keys_of,
    merged,
    offsets_and_data,
)
from tagloom.files.problems import ColumnsInvalid
from tagloom.ports.writes import Part
from tagloom.words import limits as words_limits
from tagloom.words.cells import refused
from tagloom.words.people import Kind
from tagloom.words.problems import LineInvalid, LineTooLong, PersonIdInvalid, TagIsEmpty


def read_parquet(source: Iterator[bytes], *, user: str, visitor: str, tag: str) -> Iterator[Part]:
    """Yields the parts of a Parquet file. Rows count from 1. The file is first copied to an unnamed temporary file.

    People and tags are texts or whole numbers; tags may also be lists of these. Tags are in the column `tag`, or in the
    column `tags` if there is no column `tag`.

    Raises: BodyInvalid: the file is not a complete Parquet file; ColumnsInvalid.
    """
    with tempfile.TemporaryFile() as spool:
        for chunk in source:
            with raising_disk_full():
                spool.write(chunk)
        names = _Names(user, visitor, tag)
        first_row = 1
        for batch in _batches(spool, names):
            yield _Batch(batch, names, first_row).part()
            first_row += len(batch)


class _Names(NamedTuple):
    user: str
    visitor: str
    tag: str

    def people_in(self, found: tuple[str, ...]) -> list[str]:
        return [name for name in (self.user, self.visitor) if name in found]

    def tag_in(self, found: tuple[str, ...]) -> str | None:
        return next((name for name in (self.tag, "tags") if name in found), None)


def _batches(spool: IO[bytes], names: _Names) -> Iterator[pa.RecordBatch]:
    with ParquetFile(spool) as file:
        yield from file.batches(_find_columns(file, names))


def _find_columns(file: ParquetFile, names: _Names) -> list[str]:
    """Returns the columns to read. Raises: ColumnsInvalid."""
    people, tag = names.people_in(file.names), names.tag_in(file.names)
    if not people or tag is None:
        raise columns_invalid(list(file.names), user=names.user, visitor=names.visitor, tags=[names.tag, "tags"])
    wanted = [*people, tag]
    for name in wanted:
        kind = file.kind(name)
        if not (may_name(kind) or (name == tag and is_list(kind) and may_name(kind.value_type))):
            shown, expected = printable(name), "text or a list of text" if name == tag else "text"
            raise ColumnsInvalid(
                f"The column '{shown}' holds {printable(str(kind))}; it must hold {expected}. Whole numbers are taken "
                "as text; export anything else as text, such as CAST(column AS VARCHAR).",
                value=shown,
                rule=expected,
            )
    return wanted


class _People:
    """The column of one kind of people."""

    def __init__(self, kind: Kind, column: str, texts: Texts) -> None:
        self.kind = kind
        self.texts = texts
        is_odd = texts.is_odd()
        is_empty = _is_empty(texts.values) & ~is_odd
        self.is_named = (texts.number >= 0) & ~texts.where(is_empty)
        # Each distinct value is checked once, however many rows have it and however long it is.
        self._problems: dict[int, tuple[Problem, str]] = {
            number: (refused(cell.found, str(cell), column, "text or a whole number"), str(cell))
            for number, cell in texts.odd.items()
        }
        for number in np.flatnonzero(doubtful_ids(texts.values) & ~is_empty & ~is_odd).tolist():
            value = (texts.of(number) or b"").decode("utf-8")
            try:
                key_of(kind, value)
            except PersonIdInvalid as problem:
                self._problems[number] = problem, value
        is_faulty = np.zeros(len(texts.values), np.bool_)
        is_faulty[list(self._problems)] = True
        self.is_faulty = texts.where(is_faulty)

    def key(self, at: int, line: int) -> bytes:
        """Returns the key of the person in a row. Raises: LineFault."""
        number = int(self.texts.number[at])
        if not self.is_named[at]:
            raise LineFault(PersonIdInvalid(f"Row {line} names nobody."), "")
        if number in self._problems:
            raise LineFault(*self._problems[number])
        return self.kind[0].encode("ascii") + (self.texts.of(number) or b"")


class _Batch:
    """Some rows of a file. The first row has the number `first_row`."""

    def __init__(self, batch: pa.RecordBatch, names: _Names, first_row: int) -> None:
        self._first_row = first_row
        found = tuple(batch.schema.names)
        self._people = [
            _People("user" if name == names.user else "visitor", name, texts_of(batch.column(name)))
            for name in names.people_in(found)
        ]
        self._tag = names.tag_in(found) or ""
        tags = batch.column(self._tag)
        self._is_list = is_list(tags.type)
        # A null list has the length -1.
        self._lengths = list_lengths(tags) if self._is_list else np.ones(len(batch), np.int64)
        self._tags = texts_of(tags.flatten() if self._is_list else tags)
        # The place of each row's first tag among all tags.
        self._starts = np.concatenate([[0], np.cumsum(np.maximum(self._lengths, 0))])

        self._sizes = self._sizes_of_tags()

    def _sizes_of_tags(self) -> Indices:
        """Returns the bytes of each row's tags. Returns 0 for rows of one tag, whose length is bounded already."""
        if not self._is_list:
            return np.zeros(len(self._lengths), np.int64)
        sizes = np.append(np.diff(offsets_and_data(self._tags.values)[0]), 0)[self._tags.number]
        sums: Indices = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        found: Indices = sums[self._starts[1:]] - sums[self._starts[:-1]]
        return found

    def part(self) -> Part:
        """Returns the rows as a part."""
        count = len(self._lengths)
        row = np.repeat(np.arange(count), np.maximum(self._lengths, 0))
        is_odd = (self._lengths < 0) | (self._lengths > limits.TAGS_PER_LINE_MAX)
        is_bad_tag = (self._tags.number < 0) | self._tags.where(self._tags.is_odd())
        if not self._is_list:
            is_bad_tag |= self._tags.where(_is_empty(self._tags.values))
        is_odd[row[is_bad_tag]] = True
        is_odd |= self._sizes > words_limits.LINE_BYTES_MAX
        named = np.zeros(count, np.int64)
        for people in self._people:
            named += people.is_named
            is_odd |= people.is_faulty
        is_odd |= named != 1
        building = Building()
        for at in np.flatnonzero(is_odd).tolist():
            try:
                self._refuse(at)
            except LineFault as fault:
                building.reject(self._first_row + at, fault)
        part = self._plain_part(np.flatnonzero(~is_odd), row)
        return merged(part, building.part()) if len(building) else part

    def _plain_part(self, good: Indices, row: Indices) -> Part:
        place = np.full(len(self._lengths), -1, np.int32)
        place[good] = np.arange(len(good), dtype=np.int32)
        line = place[row]
        is_kept = line >= 0
        number = self._tags.number[is_kept]
        # A text that only bad rows have is left out.
        is_used = np.zeros(len(self._tags.values), np.bool_)
        is_used[number] = True
        renumbered = np.cumsum(is_used, dtype=np.int32) - np.int32(1)
        return Part(
            lines=good + self._first_row,
            keys=self._keys(good),
            tagging_line=line[is_kept],
            tagging_text=renumbered[number],
            texts=self._tags.values.filter(pa.array(is_used)).cast(pa.string()).to_pylist(),
        )

    def _keys(self, good: Indices) -> pa.BinaryArray:
        first = self._people[0]
        values, number, is_first = first.texts.values, first.texts.number[good], first.is_named[good]
        if len(self._people) > 1:
            other = self._people[1].texts
            number = np.where(is_first, number, other.number[good] + len(values))
            values = pa.concat_arrays([values, other.values])
        return keys_of(values.take(pa.array(number)), is_first == (first.kind == "user"))

    def _refuse(self, at: int) -> None:
        """Finds the fault of a bad row. Raises: LineFault."""
        line = self._first_row + at
        held = []
        named = [people for people in self._people if people.is_named[at]]
        for people in named or self._people[:1]:
            held.append(people.key(at, line))
        if len(named) > 1:
            raise _fault(line, "names both a user and a visitor", "", held)
        length = int(self._lengths[at])
        if length < 0:
            raise _fault(line, "has no list of tags", "", held)
        if length > limits.TAGS_PER_LINE_MAX:
            says = f"has {length} tags; at most {limits.TAGS_PER_LINE_MAX} are allowed"
            raise _fault(line, says, "", held)
        if self._sizes[at] > words_limits.LINE_BYTES_MAX:
            problem = LineTooLong(f"Row {line} has tags of {int(self._sizes[at]):,} bytes.")
            raise LineFault(problem, "", held)
        for number in self._tags.number[self._starts[at] : self._starts[at + 1]].tolist():
            if (cell := self._tags.odd.get(number)) is not None:
                raise LineFault(refused(cell.found, str(cell), self._tag, "text or a whole number"), str(cell), held)
            tag = self._tags.of(number)
            if tag is None and self._is_list:
                raise _fault(line, "has a null among its tags", "", held)
            if not tag and not self._is_list:
                raise LineFault(TagIsEmpty("The tag is empty.", value="", rule="not empty"), "", held)


def _is_empty(values: pa.BinaryArray) -> Mask:
    empty: Mask = pc.equal(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
    return empty


def _fault(line: int, says: str, value: str, held: list[bytes]) -> LineFault:
    return LineFault(LineInvalid(f"Row {line} {says}."), value, held)
