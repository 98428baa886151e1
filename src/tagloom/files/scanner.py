"""Splits a window of delimited text into records and cells, all at once.

One pass finds delimiters, line ends, quotes and control characters. The parity of the quotes before a delimiter shows
whether the delimiter divides cells. This holds up to the first quote that neither opens nor closes a cell nor is
doubled inside a cell. From that quote on nothing is split, and the record is `broken`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagloom.files.delimited_records import Form
from tagloom.files.part_columns import Mask, Positions, high_controls, is_utf8
from tagloom.words import limits

NEWLINE, RETURN = 10, 13

Places = NDArray[np.int32]
_Bytes = NDArray[np.uint8]
_NONE = np.empty(0, np.int32)


class Rows(NamedTuple):
    """Complete records by their places in the buffer, as parallel arrays.

    `line` counts from the first line of the window. `cells` has the begin and end of the cells of each mapped column.
    Rows that are `is_odd` are not plain: only `read_record` can read them, and the places of their cells are
    meaningless.
    """

    begin: Places
    end: Places
    line: Positions
    key_begin: Places
    key_end: Places
    cells: tuple[tuple[Places, Places], ...]
    is_user: Mask
    is_odd: Mask
    is_blank: Mask

    def where(self, chosen: Mask | slice) -> "Rows":
        """Returns the chosen rows."""
        return Rows(
            self.begin[chosen],
            self.end[chosen],
            self.line[chosen],
            self.key_begin[chosen],
            self.key_end[chosen],
            tuple((begin[chosen], end[chosen]) for begin, end in self.cells),
            self.is_user[chosen],
            self.is_odd[chosen],
            self.is_blank[chosen],
        )


class Cut(NamedTuple):
    """The records that end in a window. The next record begins at `after`, and the records take `lines` lines.

    If `is_broken`, the next record certainly cannot be split.
    """

    rows: Rows
    after: int
    lines: int
    is_broken: bool

    def first(self, count: int) -> "Cut":
        """Returns the first `count` records, if there are more."""
        rows = self.rows
        return Cut(rows.where(slice(count)), int(rows.begin[count]), int(rows.line[count]), False)


class _Marks(NamedTuple):
    """The bytes of a window that matter, by place: the ends of cells, the control characters, and the doubled quotes.

    `lines_before` has the number of lines that end before the end of each cell. It is None if no cell holds a line end.
    """

    ends: Places
    kinds: _Bytes
    lines_before: Positions | None
    controls: Places
    doubled: Places
    is_broken: bool = False
    has_quotes: bool = False


def cut(buffer: bytearray, begin: int, stop: int, form: Form) -> Cut | bool:
    """Splits the records from `begin` that end before `stop`.

    If there is none, returns whether the first one is broken. Overwrites the byte before `begin`. Cost: about 50 ns per
    record of 36 bytes.
    """
    # A line end stands before the first cell, whatever byte was there.
    buffer[begin - 1] = NEWLINE
    data = np.frombuffer(buffer, np.uint8)
    marks = _find_marks(data, begin, stop, form, has_quotes=buffer.find(form.quote, begin, stop) >= 0)
    newlines = np.flatnonzero(marks.kinds == NEWLINE)
    if not len(newlines):
        return marks.is_broken
    row_end = marks.ends[newlines]
    row_begin = np.empty_like(row_end)
    row_begin[0], row_begin[1:] = begin, row_end[:-1] + 1
    after = int(row_end[-1]) + 1
    if buffer.find(b"\r", begin, after) >= 0:
        row_end = row_end - (data[row_end - 1] == RETURN)
    lengths = row_end - row_begin
    is_broken = marks.is_broken
    if lengths.max() > limits.LINE_BYTES_MAX:
        count, is_broken = int(np.argmax(lengths > limits.LINE_BYTES_MAX)), True
        if not count:
            return True
        after = int(row_begin[count])
        newlines, row_end, row_begin, lengths = newlines[:count], row_end[:count], row_begin[:count], lengths[:count]
    line, lines = np.arange(len(newlines), dtype=np.int64), len(newlines)
    if marks.lines_before is not None:
        until = marks.lines_before[newlines]
        line, lines = np.concatenate([[0], until[:-1]]), int(until[-1])
    cells = _Cells(data, marks, newlines, row_begin, row_end, form)
    key_begin, key_end, is_user, is_odd = cells.person()
    is_blank = lengths == 0
    is_odd |= key_end - key_begin > limits.CHARACTERS_PER_ID_MAX
    if not cells.is_regular:
        is_odd |= cells.widths != form.width
    is_odd &= ~is_blank
    rows = Rows(
        row_begin,
        row_end,
        line,
        key_begin,
        key_end,
        tuple(map(cells.at, form.columns)),
        is_user=is_user,
        is_odd=is_odd,
        is_blank=is_blank,
    )
    _doubt(rows, buffer, after, marks)
    return Cut(rows, after, lines, is_broken)


def _find_marks(data: _Bytes, begin: int, stop: int, form: Form, *, has_quotes: bool) -> _Marks:
    """Finds the marks of a window up to the first broken record."""
    window = data[begin:stop]
    mask = window < 0x20
    mask |= window == form.delimiter
    if has_quotes:
        mask |= window == form.quote
    places = np.flatnonzero(mask).astype(np.int32)
    places += np.int32(begin)
    kinds = data[places]
    is_end: Mask = (kinds == form.delimiter) | (kinds == NEWLINE)
    if has_quotes:
        return _quoted_marks(data, stop, form, places, kinds, is_end)
    if is_end.all():
        return _Marks(places, kinds, None, _NONE, _NONE)
    return _Marks(places[is_end], kinds[is_end], None, places[~is_end], _NONE)


def _quoted_marks(data: _Bytes, stop: int, form: Form, places: Places, kinds: _Bytes, is_end: Mask) -> _Marks:
    """Finds the marks of a window with quotes."""
    is_quote = kinds == form.quote
    quotes = places[is_quote]
    opening, closing = quotes[::2], quotes[1::2]
    before = data[opening - 1]
    is_wrong = (before != form.delimiter) & (before != NEWLINE) & (before != form.quote)
    wrong = opening[is_wrong][:1]
    # A quote at the very end of the window belongs to an incomplete record.
    inner = closing[: np.searchsorted(closing, stop - 2)]
    behind = data[inner + 1]
    is_wrong = (behind != form.delimiter) & (behind != NEWLINE) & (behind != form.quote)
    if is_wrong.any():
        is_wrong &= (behind != RETURN) | (data[inner + 2] != NEWLINE)
        wrong = np.concatenate([wrong, inner[is_wrong][:1]])
    # Only the parity of the number of quotes matters, and the overflow of a byte keeps the parity.
    is_inside = (np.cumsum(is_quote, dtype=np.uint8) & 1).view(np.bool_)
    is_newline = kinds == NEWLINE
    lines_before = np.cumsum(is_newline) if (is_newline & is_inside).any() else None
    is_end = is_end & ~is_inside
    if len(wrong):
        is_end[np.searchsorted(places, wrong.min()) :] = False
    ends = np.flatnonzero(is_end)
    pairs = min(len(closing), len(opening) - 1)
    doubled = opening[1 : pairs + 1]
    is_doubled = doubled == closing[:pairs] + 1
    return _Marks(
        places[ends],
        kinds[ends],
        lines_before=lines_before[ends] if lines_before is not None else None,
        controls=_NONE if len(ends) + len(quotes) == len(places) else places[~is_end & ~is_quote],
        doubled=doubled[is_doubled] if is_doubled.any() else _NONE,
        is_broken=len(wrong) > 0,
        has_quotes=True,
    )


def _doubt(rows: Rows, buffer: bytearray, after: int, marks: _Marks) -> None:
    """Marks rows as odd that have a control in the id, a doubled quote in a read cell, or invalid UTF-8."""
    data = np.frombuffer(buffer, np.uint8)
    begin = int(rows.begin[0])
    window = data[begin:after]
    is_ascii = window.max() < 0x80
    found = marks.controls
    if not is_ascii or buffer.find(b"\x7f", begin, after) >= 0:
        found = np.concatenate([found, (high_controls(window) + begin).astype(np.int32)])
    if len(found):
        found = found[found < after]
        found = found[(data[found] != RETURN) | (data[found + 1] != NEWLINE)]
        row = np.searchsorted(rows.begin, found, side="right") - 1
        rows.is_odd[row[(found >= rows.key_begin[row]) & (found < rows.key_end[row])]] = True
    if len(marks.doubled):
        found = marks.doubled[marks.doubled < after]
        row = np.searchsorted(rows.begin, found, side="right") - 1
        is_read = (found >= rows.key_begin[row]) & (found < rows.key_end[row])
        for cell_begin, cell_end in rows.cells:
            is_read |= (found >= cell_begin[row]) & (found < cell_end[row])
        rows.is_odd[row[is_read]] = True
    if not is_ascii and not is_utf8(buffer, begin, after):
        high = np.flatnonzero(window >= 0x80) + begin
        for row in np.unique(np.searchsorted(rows.begin, high, side="right") - 1).tolist():
            try:
                buffer[rows.begin[row] : rows.end[row]].decode("utf-8")
            except UnicodeDecodeError:
                rows.is_odd[row] = True


class _Cells:
    """The places of the cells of complete records.

    If a record has more or fewer cells than the header, its places are wrong.
    """

    def __init__(
        self, data: _Bytes, marks: _Marks, newlines: Positions, row_begin: Places, row_end: Places, form: Form
    ) -> None:
        self._data = data
        self._ends = marks.ends
        self._has_quotes = marks.has_quotes
        self._row_begin, self._row_end = row_begin, row_end
        self._form = form
        self.widths = np.diff(newlines, prepend=-1)
        self.is_regular = bool((self.widths == form.width).all())
        self._firsts = newlines - (form.width - 1)

    def at(self, place: int) -> tuple[Places, Places]:
        """Returns the begin and end of each record's cell in this column, without the quotes of the cell."""
        begin = self._row_begin if place == 0 else self._separators(place - 1) + np.int32(1)
        end = self._row_end if place == self._form.width - 1 else self._separators(place)
        if self._has_quotes:
            is_quoted = self._data[begin] == self._form.quote
            begin, end = begin + is_quoted, end - is_quoted
        return begin, end

    def _separators(self, place: int) -> Places:
        if self.is_regular:
            width, count = self._form.width, len(self._firsts)
            return self._ends[: width * count].reshape(count, width)[:, place]
        found: Places = self._ends[np.maximum(self._firsts + place, 0)]
        return found

    def person(self) -> tuple[Places, Places, Mask, Mask]:
        """Returns the begin and end of the ids, which ids are of users, and which records name nobody or two people."""
        user, visitor = self._form.user, self._form.visitor
        if user is not None and visitor is not None:
            user_begin, user_end = self.at(user)
            visitor_begin, visitor_end = self.at(visitor)
            is_user, is_visitor = user_begin < user_end, visitor_begin < visitor_end
            begin, end = np.where(is_user, user_begin, visitor_begin), np.where(is_user, user_end, visitor_end)
            return begin, end, is_user, is_user == is_visitor
        begin, end = self.at(self._form.person)
        return begin, end, np.full(len(begin), user is not None), begin == end
