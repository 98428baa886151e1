"""Reads one record of a delimited file, slowly and exactly.

The fast reader must agree with this one. A cell that begins with a quote ends with one, and a doubled quote inside
means one quote. Any other cell is read unchanged, with its quotes. A record ends at LF or CRLF outside of quotes. A
record that violates these rules (an unclosed quote, text after a closing quote, more than LINE_BYTES_MAX) is broken:
only its first line is rejected, and reading continues with the next line.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tagloom.base.text import printable
from tagloom.files.problems import ColumnsInvalid
from tagloom.words import limits
from tagloom.words.people import Kind
from tagloom.words.problems import LineInvalid, LineTooLong
from tagloom.words.tags import nearest

DELIMITERS = b",;\t|"
QUOTES = b"\"'"
_NEWLINE, _RETURN = 10, 13
_COLUMNS_SHOWN = 20
# Each comparison of similar names costs time. Longer names cost more.
_COLUMNS_COMPARED_MAX = 2_000
_COMPARED_CHARACTERS_MAX = 64


class Form(NamedTuple):
    """The delimiter and the quote of a file, and the places of the columns of people and of tags in a record."""

    delimiter: int
    quote: int
    width: int
    user: int | None
    visitor: int | None
    columns: tuple[int, ...]

    @property
    def person(self) -> int:
        """The place of the column of users, or of the column of visitors if no column has users."""
        return next(place for place in (self.user, self.visitor) if place is not None)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of people that have a column."""
        places: tuple[tuple[Kind, int | None], ...] = (("user", self.user), ("visitor", self.visitor))
        return tuple(kind for kind, place in places if place is not None)


class Record(NamedTuple):
    """The cells of a record, without quotes, and the place of the next record."""

    cells: list[bytes]
    end: int


class Broken(NamedTuple):
    """A record that cannot be read: the cells before the fault, and the problem."""

    cells: list[bytes]
    problem: type[LineInvalid]
    says: str


def read_record(data: bytearray, at: int, stop: int, form: Form, *, is_whole: bool) -> Record | Broken | None:
    """Reads the record at `at`. Returns None if the record may continue after `stop`.

    If `is_whole`, the text ends at `stop`, so that a record cannot continue after it.
    """
    begin, newline, cells = at, -1, list[bytes]()
    reach = min(stop, begin + limits.LINE_BYTES_MAX + 2)
    while True:
        is_quoted = at < reach and data[at] == form.quote
        if is_quoted:
            close = _closing_quote(data, at + 1, reach, form.quote)
            if close < 0 or (close + 1 == reach and not (is_whole and reach == stop)):
                return _unfinished(data, begin, reach, stop, cells, is_whole=is_whole, in_quotes=close < 0)
            quote = bytes((form.quote,))
            cell = bytes(data[at + 1 : close]).replace(quote * 2, quote)
            at = close + 1
        else:
            if newline < at:
                newline = data.find(_NEWLINE, at, reach)
                newline = reach if newline < 0 else newline
            end = data.find(form.delimiter, at, newline)
            end = newline if end < 0 else end
            cell = bytes(data[at:end])
            at = end
        if at < reach and data[at] == form.delimiter:
            cells.append(cell)
            at += 1
            continue
        if at == reach and not (is_whole and reach == stop):
            return _unfinished(data, begin, reach, stop, cells, is_whole=is_whole, in_quotes=False)
        line_end = at
        if is_quoted:
            line_end = at
            if at < reach and data[at] == _RETURN:
                at += 1
                if at == reach and not (is_whole and reach == stop):
                    return _unfinished(data, begin, reach, stop, cells, is_whole=is_whole, in_quotes=False)
            if at < reach and data[at] != _NEWLINE:
                return Broken(cells, LineInvalid, "has text after a closing quote")
        elif cell.endswith(b"\r"):
            cell = cell[:-1]
            line_end -= 1
        if line_end - begin > limits.LINE_BYTES_MAX:
            return Broken(cells, LineTooLong, f"has more than {limits.LINE_BYTES_MAX} bytes")
        cells.append(cell)
        return Record(cells, min(at + 1, stop))


def _closing_quote(data: bytearray, at: int, stop: int, quote: int) -> int:
    """Returns the place of the quote that closes a cell, or -1 if there is none."""
    while (close := data.find(quote, at, stop)) >= 0:
        if close + 1 == stop or data[close + 1] != quote:
            return close
        at = close + 2
    return -1


def _unfinished(
    data: bytearray, begin: int, reach: int, stop: int, cells: list[bytes], *, is_whole: bool, in_quotes: bool
) -> Broken | None:
    """Returns None for a record that is not complete yet, or Broken when it is too long or has an unclosed quote."""
    is_long = reach - begin == limits.LINE_BYTES_MAX + 2
    if not is_long and not (is_whole and reach == stop):
        return None
    newline = data.find(_NEWLINE, begin, reach)
    first_line = (reach if newline < 0 else newline) - begin
    if first_line > limits.LINE_BYTES_MAX + 1 or not in_quotes:
        return Broken(cells, LineTooLong, f"has more than {limits.LINE_BYTES_MAX} bytes")
    return Broken(cells, LineInvalid, "has a quote that is never closed")


# Missing columns.


def columns_missing(found: Sequence[str], wanted: Sequence[Sequence[str]]) -> ColumnsInvalid:
    """Returns the problem of a file that has only the columns `found`. One name of each entry in `wanted` is enough."""
    here = set(found)
    compared = {
        name.casefold(): printable(name)
        for name in found[:_COLUMNS_COMPARED_MAX]
        if len(name) <= _COMPARED_CHARACTERS_MAX
    }
    absent = [names for names in wanted if not here.intersection(names)]
    missing = [" or ".join(f"'{printable(name)}'" for name in names) for names in absent[:_COLUMNS_SHOWN]]
    texts = [name.casefold() for names in absent[:_COLUMNS_SHOWN] for name in names]
    near = list(dict.fromkeys(compared[name] for text in texts for name in nearest(text, compared)))
    shown = ", ".join(f"'{printable(name)}'" for name in found[:_COLUMNS_SHOWN]) or "none"
    more = f" and {len(found) - _COLUMNS_SHOWN:,} more" if len(found) > _COLUMNS_SHOWN else ""
    listed = ", ".join(f"'{name}'" for name in near)
    remedy = f" Nearest: {listed}." if near else ""
    return ColumnsInvalid(
        f"The file has no column {' and none '.join(missing)}; its columns are {shown}{more}.{remedy}",
        line=1,
        found=[printable(name) for name in found[:_COLUMNS_SHOWN]],
        nearest=near,
        suggestion=near[0] if near else None,
        rule="a column for the person and one for the tag",
    )


def columns_invalid(found: Sequence[str], *, user: str, visitor: str, tags: list[str]) -> ColumnsInvalid:
    """Returns the problem of a file of the plain form that has only the columns `found`."""
    return columns_missing(found, [[user, visitor], tags])
