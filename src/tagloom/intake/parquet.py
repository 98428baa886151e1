"""Parquet files become parts, a batch of rows at a time."""

import tempfile
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tagloom import limits, problems
from tagloom.intake.columns import Building, LineFault, Mask, doubtful_ids, is_utf8, key_of, keys_of, merged
from tagloom.intake.records import columns_invalid
from tagloom.model import Kind
from tagloom.store.port import Part
from tagloom.tags import printable

_ROWS_PER_PART = 65_536
_READ_BYTES = 1_048_576  # Of each column of the spooled file at once, however large its row groups are.

Indices = NDArray[np.int64]


def read_parquet(source: Iterator[bytes], *, user: str, visitor: str, tag: str) -> Iterator[Part]:
    """The parts of a Parquet file; rows count from 1. The file goes to an unnamed temporary file first.

    People are text, tags text or lists of text, in the column `tag` or, where that is missing, `tags`.

    Raises: BodyInvalid when it is no whole Parquet file, ColumnsInvalid.
    """
    with tempfile.TemporaryFile() as spool:
        for chunk in source:
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

    def people_in(self, found: list[str]) -> list[str]:
        return [name for name in (self.user, self.visitor) if name in found]

    def tag_in(self, found: list[str]) -> str | None:
        return next((name for name in (self.tag, "tags") if name in found), None)


def _batches(spool: IO[bytes], names: _Names) -> Iterator[pa.RecordBatch]:
    try:
        spool.seek(0)
        wanted, texts = _find_columns(pq.ParquetFile(spool), names)
        spool.seek(0)
        # Text that comes as a dictionary stays one: a value that a small file repeats a million times is held once.
        # Arrow cannot keep one inside lists; there it stops by itself at 2 GiB of text.
        file = pq.ParquetFile(spool, read_dictionary=texts, pre_buffer=False, buffer_size=_READ_BYTES)
        yield from file.iter_batches(_ROWS_PER_PART, columns=wanted, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise problems.BodyInvalid(
            f"The body is no whole Parquet file: {printable(str(error))}.", rule="a Parquet file"
        ) from error


def _find_columns(file: pq.ParquetFile, names: _Names) -> tuple[list[str], list[str]]:
    """The columns to read, and which of them are texts and not lists. Raises: ColumnsInvalid."""
    schema = file.schema_arrow
    people, tag = names.people_in(schema.names), names.tag_in(schema.names)
    if not people or tag is None:
        raise columns_invalid(schema.names, user=names.user, visitor=names.visitor, tags=[names.tag, "tags"])
    wanted = [*people, tag]
    for name in wanted:
        shown = printable(name)
        if schema.names.count(name) > 1:
            raise problems.ColumnsInvalid(f"The file has two columns '{shown}'.", value=shown, rule="each column once")
        kind = schema.field(name).type
        if not (_is_text(kind) or (name == tag and _is_list(kind) and _is_text(kind.value_type))):
            expected = "text or a list of text" if name == tag else "text"
            raise problems.ColumnsInvalid(
                f"The column '{shown}' holds {printable(str(kind))}; it must hold {expected}.",
                value=shown,
                rule=expected,
            )
    return wanted, [name for name in wanted if _is_text(schema.field(name).type)]


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    checks = ("is_string", "is_large_string", "is_string_view", "is_binary", "is_large_binary", "is_binary_view")
    return any(getattr(pa.types, check)(kind) for check in checks)


def _is_list(kind: pa.DataType) -> bool:
    return any(getattr(pa.types, check)(kind) for check in ("is_list", "is_large_list", "is_fixed_size_list"))


class _Texts(NamedTuple):
    """A column of text: of each row the number of its value, -1 for null; and which values are not UTF-8."""

    number: Indices
    values: pa.BinaryArray
    is_foreign: Mask

    def of(self, number: int) -> bytes | None:
        """A value by its number."""
        value: bytes | None = self.values[number].as_py() if number >= 0 else None
        return value

    def where(self, is_value: Mask) -> Mask:
        """The rows that have one of these values."""
        return np.append(is_value, False)[self.number]


def _texts(column: pa.Array) -> _Texts:
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    number = column.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    values = column.dictionary
    # A dictionary serves many batches, and each of them uses some of its values only.
    is_used = np.zeros(len(values) + 1, np.bool_)
    is_used[number] = True
    is_used[-1] = False
    number = np.where(number < 0, -1, (np.cumsum(is_used) - 1)[number])
    # Text is checked here, as binary is: files hold what they claim or not.
    values = values.take(pa.array(np.flatnonzero(is_used))).cast(pa.binary())
    if values.null_count:
        is_null = np.append(values.is_null().to_numpy(zero_copy_only=False), False)
        number = np.where(is_null[number], -1, number)
        values = values.fill_null(b"")
    is_foreign = np.zeros(len(values), np.bool_)
    _, offset_buffer, data = values.buffers()
    if len(values) and data is not None:
        offsets = np.frombuffer(offset_buffer, np.int32)[values.offset : values.offset + len(values) + 1]
        if not is_utf8(data, int(offsets[0]), int(offsets[-1])):
            is_foreign[:] = [_decoded(value.as_py()) is None for value in values]
    return _Texts(number, values, is_foreign)


def _decoded(text: bytes) -> str | None:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return None


class _People:
    """The column of one kind of people."""

    def __init__(self, kind: Kind, texts: _Texts) -> None:
        self.kind = kind
        self.texts = texts
        is_empty = _is_empty(texts.values)
        self.is_named = (texts.number >= 0) & ~texts.where(is_empty)
        # Each value is judged once, however many rows have it and however long it is.
        self._problems: dict[int, tuple[problems.Problem, str]] = {}
        for number in np.flatnonzero(doubtful_ids(texts.values) & ~is_empty | texts.is_foreign).tolist():
            value = texts.of(number) or b""
            try:
                key_of(kind, value.decode("utf-8", "surrogateescape"))
            except problems.PersonIdInvalid as problem:
                self._problems[number] = problem, value.decode("utf-8", "replace")
        is_faulty = np.zeros(len(texts.values), np.bool_)
        is_faulty[list(self._problems)] = True
        self.is_faulty = texts.where(is_faulty)

    def key(self, at: int, line: int) -> bytes:
        """The key of a row. Raises: LineFault."""
        number = int(self.texts.number[at])
        if not self.is_named[at]:
            raise LineFault(problems.PersonIdInvalid(f"Row {line} names nobody."), "")
        if number in self._problems:
            problem, value = self._problems[number]
            if self.texts.is_foreign[number]:
                raise _fault(line, "has an id that is not UTF-8", value, [])
            raise LineFault(problem, value)
        return self.kind[0].encode("ascii") + (self.texts.of(number) or b"")


class _Batch:
    """Some rows, the first of which is number `first_row`."""

    def __init__(self, batch: pa.RecordBatch, names: _Names, first_row: int) -> None:
        self._first_row = first_row
        found = batch.schema.names
        self._people = [
            _People("user" if name == names.user else "visitor", _texts(batch.column(name)))
            for name in names.people_in(found)
        ]
        tags = batch.column(names.tag_in(found))
        self._is_list = _is_list(tags.type)
        # A null list has the length -1.
        self._lengths = (
            pc.list_value_length(tags).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
            if self._is_list
            else np.ones(len(batch), np.int64)
        )
        self._tags = _texts(tags.flatten() if self._is_list else tags)
        # Where each row's tags begin among all.
        self._starts = np.concatenate([[0], np.cumsum(np.maximum(self._lengths, 0))])

    def part(self) -> Part:
        """The rows as columns."""
        count = len(self._lengths)
        row = np.repeat(np.arange(count), np.maximum(self._lengths, 0))
        is_odd = (self._lengths < 0) | (self._lengths > limits.TAGS_PER_LINE_MAX)
        is_bad_tag = (self._tags.number < 0) | self._tags.where(self._tags.is_foreign)
        if not self._is_list:
            is_bad_tag |= self._tags.where(_is_empty(self._tags.values))
        is_odd[row[is_bad_tag]] = True
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
        # A text that only bad rows have is none.
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
        """Raises: LineFault."""
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
        for number in self._tags.number[self._starts[at] : self._starts[at + 1]].tolist():
            tag = self._tags.of(number)
            if tag is None and self._is_list:
                raise _fault(line, "has a null among its tags", "", held)
            if not tag and not self._is_list:
                raise LineFault(problems.TagIsEmpty("The tag is empty.", value="", rule="not empty"), "", held)
            if tag is not None and _decoded(tag) is None:
                raise _fault(line, "has a tag that is not UTF-8", tag.decode("utf-8", "replace"), held)


def _is_empty(values: pa.BinaryArray) -> Mask:
    empty: Mask = pc.equal(pc.binary_length(values), 0).to_numpy(zero_copy_only=False)
    return empty


def _fault(line: int, says: str, value: str, held: list[bytes]) -> LineFault:
    return LineFault(problems.LineInvalid(f"Row {line} {says}."), value, held)
