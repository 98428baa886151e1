"""CSV and its kin become parts, without a Python loop over rows.

A window of the buffer is cut at once: one pass marks delimiters, line ends, quotes and controls; parity of the
quotes tells which of them divide cells; the cells' places become offsets into the buffer itself, from which Arrow
copies the ids and numbers the tags. Rows that are anything but plain go through `read_record`, one by one.
Measured on 10 M rows of 36 bytes, one core: 78 ns a row; pyarrow's own reader takes 97 before any check.
"""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pyarrow as pa

from tagloom import limits, problems
from tagloom.intake.columns import REJECTED_PER_PART_MAX, Building, Line, LineFault, key_of, merged
from tagloom.intake.cutting import Cut, Places, Rows, cut
from tagloom.intake.records import Broken, Form, Record, find_form, read_record
from tagloom.intake.stream import Stream
from tagloom.model import Kind
from tagloom.store.port import Part

# The arrays of a window of 4 MiB come from memory used before; those of 16 MiB are mapped anew: 75 ns a row, or 110.
_WINDOWS_PER_PART = 4
# After a broken record the parity of quotes says nothing: so many records are read one by one, then a small window.
_RECORDS_AFTER_BROKEN = 256
_WINDOW_BYTES_AFTER_BROKEN = 65_536
_BLANK = (b"\n", b"\r\n", b"\r")
_VALUE_BYTES = 1_000  # More than VALUE_CHARACTERS_MAX of any script.


def read_delimited(source: Iterator[bytes], *, user: str, visitor: str, tag: str) -> Iterator[Part]:
    """The parts of a CSV body, whose header names the columns; its delimiter and quote are those of the header.

    Raises: ColumnsInvalid.
    """
    stream = Stream(source)
    line = 1
    # The header is in the first bytes, or it is none.
    stream.top_up()
    while stream.buffer.startswith((b"\n", b"\r\n"), stream.begin, stream.end):
        stream.skip_line()
        line += 1
        stream.top_up()
    form, begin = find_form(
        stream.buffer, stream.begin, stream.end, is_whole=stream.is_whole, user=user, visitor=visitor, tag=tag
    )
    line += stream.buffer.count(b"\n", stream.begin, begin)
    stream.begin = begin
    yield from _Reader(stream, form, line).parts()


class _Reader:
    """Reads records from a stream. `line` is the number of the line at the stream's beginning."""

    def __init__(self, stream: Stream, form: Form, line: int) -> None:
        self._stream = stream
        self._form = form
        self._line = line
        self._window_bytes = limits.PART_BYTES // _WINDOWS_PER_PART

    def parts(self) -> Iterator[Part]:
        """All that is left, a window at a time."""
        stream = self._stream
        while True:
            stream.top_up()
            if not len(stream):
                return
            stop = min(stream.end, stream.begin + self._window_bytes)
            found = cut(stream.buffer, stream.begin, stop, self._form)
            is_broken = found if isinstance(found, bool) else found.is_broken
            if not isinstance(found, bool):
                odd = np.flatnonzero(found.rows.is_odd)
                if len(odd) > REJECTED_PER_PART_MAX:
                    found = found.first(int(odd[REJECTED_PER_PART_MAX]))
                yield self._part(found)
            elif is_broken or stop == stream.end:
                yield self._read_slowly()
            else:
                # Not even one record ends here.
                self._window_bytes *= 2
                continue
            widest = limits.PART_BYTES // _WINDOWS_PER_PART
            self._window_bytes = _WINDOW_BYTES_AFTER_BROKEN if is_broken else min(2 * self._window_bytes, widest)

    # What was cut becomes a part.

    def _part(self, found: Cut) -> Part:
        building, stream, rows = Building(), self._stream, found.rows
        for row in np.flatnonzero(rows.is_odd).tolist():
            begin = int(rows.begin[row])
            end = int(rows.begin[row + 1]) if row + 1 < len(rows.begin) else found.after
            # Its end was found, so nothing that follows can change what it says.
            record = read_record(stream.buffer, begin, end, self._form, is_whole=True)
            self._take(record, building, self._line + int(rows.line[row]), begin, end)
        part = self._plain_part(rows)
        stream.begin = found.after
        self._line += found.lines
        return merged(part, building.part()) if len(building) else part

    def _plain_part(self, rows: Rows) -> Part:
        is_plain = ~(rows.is_odd | rows.is_blank)
        if not is_plain.all():
            rows = rows.where(is_plain)
        buffer, count = self._stream.buffer, len(rows.line)
        # The byte before an id ends another cell or opens this one: nobody reads it again, so it takes the kind.
        letter = np.where(rows.is_user, np.uint8(ord("u")), np.uint8(ord("v")))
        np.frombuffer(buffer, np.uint8)[rows.key_begin - 1] = letter
        shared = pa.py_buffer(buffer)
        keys = _every_other(shared, rows.key_begin - np.int32(1), rows.key_end, None)
        # The text between two tags is null, which dictionary encoding passes over.
        is_tag = pa.py_buffer(np.full((2 * count + 7) // 8, 0b01010101, np.uint8))
        tags = _every_other(shared, rows.tag_begin, rows.tag_end, is_tag).dictionary_encode()
        numbers = np.frombuffer(tags.indices.buffers()[1], np.int32) if count else np.empty(0, np.int32)
        return Part(
            lines=rows.line + self._line,
            keys=keys.take(pa.array(np.arange(0, 2 * count, 2, dtype=np.int32))),
            tagging_line=np.arange(count, dtype=np.int32),
            tagging_text=np.ascontiguousarray(numbers[: 2 * count : 2]),
            texts=tags.dictionary.cast(pa.string()).to_pylist(),
        )

    # Record by record.

    def _read_slowly(self) -> Part:
        """The next few records, read one by one; at least one."""
        building, stream = Building(), self._stream
        for _ in range(_RECORDS_AFTER_BROKEN):
            begin = stream.begin
            if begin == stream.end:
                break
            record = read_record(stream.buffer, begin, stream.end, self._form, is_whole=stream.is_whole)
            if record is None:
                break
            if isinstance(record, Record):
                self._take(record, building, self._line, begin, record.end)
                self._line += stream.buffer.count(b"\n", begin, record.end)
                stream.begin = record.end
            else:
                self._take(record, building, self._line, begin, stream.end)
                self._line += 1
                stream.skip_line()
                stream.top_up()
        return building.part()

    def _take(self, record: Record | Broken | None, building: Building, line: int, begin: int, end: int) -> None:
        """Adds one record, whose bytes are from `begin` to `end`, or rejects it; a blank line is neither."""
        if record is None or bytes(self._stream.buffer[begin : min(end, begin + 2)]) in _BLANK:
            return
        try:
            building.add(self._understood(record, line, begin, end))
        except LineFault as fault:
            building.reject(line, fault)

    def _understood(self, record: Record | Broken, line: int, begin: int, end: int) -> Line:
        """Raises: LineFault."""
        form, cells = self._form, record.cells
        if isinstance(record, Broken):
            raise self._fault(record.problem, line, record.says, cells, begin, end)
        try:
            self._stream.buffer[begin:end].decode("utf-8")
        except UnicodeDecodeError as error:
            says = f"is not UTF-8 at byte {error.start}"
            raise self._fault(problems.LineInvalid, line, says, cells, begin, end) from error
        if len(cells) != form.width:
            says = f"has {len(cells)} cells, and the header names {form.width} columns"
            raise self._fault(problems.LineInvalid, line, says, cells, begin, end)
        user, visitor = (cells[place].decode() if place is not None else "" for place in (form.user, form.visitor))
        tag = cells[form.tag].decode()
        if user and visitor:
            raise self._fault(problems.LineInvalid, line, "names both a user and a visitor", cells, begin, end)
        try:
            # With neither, the column that is there, or the user's, is the empty one.
            is_user = bool(user) or (not visitor and form.user is not None)
            key = key_of("user", user) if is_user else key_of("visitor", visitor)
        except problems.PersonIdInvalid as problem:
            raise LineFault(problem, user or visitor) from problem
        if not tag:
            raise LineFault(problems.TagIsEmpty("The tag is empty.", value="", rule="not empty", position=0), "", [key])
        return Line(line, key, (tag,))

    def _fault(
        self, problem: type[problems.LineInvalid], line: int, says: str, cells: list[bytes], begin: int, end: int
    ) -> LineFault:
        """Why a record cannot be read; the people in its cells are held when they could be."""
        held = []
        places: tuple[tuple[Kind, int | None], ...] = (("user", self._form.user), ("visitor", self._form.visitor))
        for kind, place in places:
            if place is not None and place < len(cells) and cells[place]:
                with suppress(problems.PersonIdInvalid, UnicodeDecodeError):
                    held.append(key_of(kind, cells[place].decode("utf-8")))
        head = bytes(self._stream.buffer[begin : min(end, begin + _VALUE_BYTES)]).partition(b"\n")[0]
        return LineFault(problem(f"Line {line} {says}."), head.decode("utf-8", "replace").rstrip("\r"), held)


def _every_other(data: pa.Buffer, begin: Places, end: Places, validity: pa.Buffer | None) -> pa.BinaryArray:
    """The bytes from each begin to its end, each followed by what lies between it and the next."""
    count = len(begin)
    offsets = np.zeros(2 * count + 1, np.int32)
    offsets[0:-1:2], offsets[1::2] = begin, end
    offsets[-1] = offsets[-2] if count else 0
    return pa.BinaryArray.from_buffers(pa.binary(), 2 * count, [validity, pa.py_buffer(offsets), data])
