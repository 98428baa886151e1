"""One record of a delimited file, read slowly and exactly, and the header that says how to read the others.

This is what the fast reader must agree with. A cell that begins with the quote ends with it, and a doubled quote
inside stands for one; any other cell is taken as it is, quotes included. A record ends at LF or CRLF outside of
quotes. What cannot be read so (a quote that never closes, text behind a closing quote, more than LINE_BYTES_MAX)
is broken: then its first line alone is left out, and reading goes on with the line after it.
"""

from typing import NamedTuple

from tagloom import limits, problems
from tagloom.tags import nearest, printable

DELIMITERS = b",;\t|"
QUOTES = b"\"'"
_NEWLINE, _RETURN = 10, 13


class Form(NamedTuple):
    """How a file is written, and at which places of a record the person and the tag stand."""

    delimiter: int
    quote: int
    width: int
    user: int | None
    visitor: int | None
    tag: int

    @property
    def person(self) -> int:
        """The place of the person when only one kind has a column, else of the user."""
        return next(place for place in (self.user, self.visitor) if place is not None)


class Record(NamedTuple):
    """The cells of a record, unquoted, and where the next one begins."""

    cells: list[bytes]
    end: int


class Broken(NamedTuple):
    """A record that cannot be read: the cells before the fault, and the problem."""

    cells: list[bytes]
    problem: type[problems.LineInvalid]
    says: str


def read_record(data: bytearray, at: int, stop: int, form: Form, *, is_whole: bool) -> Record | Broken | None:
    """The record that begins at `at`; None when it may go on behind `stop`, which `is_whole` denies."""
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
                return Broken(cells, problems.LineInvalid, "has text behind a closing quote")
        elif cell.endswith(b"\r"):
            cell = cell[:-1]
            line_end -= 1
        if line_end - begin > limits.LINE_BYTES_MAX:
            return Broken(cells, problems.LineTooLong, f"has more than {limits.LINE_BYTES_MAX} bytes")
        cells.append(cell)
        return Record(cells, min(at + 1, stop))


def _closing_quote(data: bytearray, at: int, stop: int, quote: int) -> int:
    """Where the quote stands that closes a cell, -1 for nowhere."""
    while (close := data.find(quote, at, stop)) >= 0:
        if close + 1 == stop or data[close + 1] != quote:
            return close
        at = close + 2
    return -1


def _unfinished(
    data: bytearray, begin: int, reach: int, stop: int, cells: list[bytes], *, is_whole: bool, in_quotes: bool
) -> Broken | None:
    """What a record is that has no end before `reach`: not all here yet, too long, or of a quote that stays open."""
    is_long = reach - begin == limits.LINE_BYTES_MAX + 2
    if not is_long and not (is_whole and reach == stop):
        return None
    newline = data.find(_NEWLINE, begin, reach)
    first_line = (reach if newline < 0 else newline) - begin
    if first_line > limits.LINE_BYTES_MAX + 1 or not in_quotes:
        return Broken(cells, problems.LineTooLong, f"has more than {limits.LINE_BYTES_MAX} bytes")
    return Broken(cells, problems.LineInvalid, "has a quote that is never closed")


def find_form(
    data: bytearray, at: int, stop: int, *, is_whole: bool, user: str, visitor: str, tag: str
) -> tuple[Form, int]:
    """The form whose header names the tag's column and a person's, and where the first record begins.

    Raises: ColumnsInvalid, with the columns found and those nearest to the ones wanted.
    """
    best: list[str] = []
    for quote in QUOTES:
        for delimiter in DELIMITERS:
            form = Form(delimiter, quote, 0, None, None, 0)
            record = read_record(data, at, stop, form, is_whole=is_whole)
            if not isinstance(record, Record):
                continue
            try:
                names = [cell.decode("utf-8") for cell in record.cells]
            except UnicodeDecodeError as error:
                raise problems.ColumnsInvalid(
                    "The header is not UTF-8. Save the file as CSV in UTF-8.", line=1, rule="UTF-8"
                ) from error
            if tag in names and (user in names or visitor in names):
                _check_once(names, (user, visitor, tag))
                user_at, visitor_at = (names.index(name) if name in names else None for name in (user, visitor))
                return Form(delimiter, quote, len(names), user_at, visitor_at, names.index(tag)), record.end
            if len(names) > len(best):
                best = names
    raise columns_invalid(best, user=user, visitor=visitor, tags=[tag])


def _check_once(names: list[str], wanted: tuple[str, ...]) -> None:
    for name in wanted:
        if names.count(name) > 1:
            shown = printable(name)
            raise problems.ColumnsInvalid(
                f"The header names the column '{shown}' twice.", line=1, value=shown, rule="each column once"
            )


def columns_invalid(found: list[str], *, user: str, visitor: str, tags: list[str]) -> problems.ColumnsInvalid:
    """The problem of a file with these columns only, which says what is missing and what may have been meant."""
    missing, near = [], []
    by_folded = {name.casefold(): printable(name) for name in found}
    for wanted in ([user, visitor], tags):
        if not any(name in found for name in wanted):
            missing.append(" or ".join(f"'{printable(name)}'" for name in wanted))
            near += [by_folded[name] for each in wanted for name in nearest(each.casefold(), by_folded)]
    near = list(dict.fromkeys(near))
    shown = ", ".join(f"'{printable(name)}'" for name in found[:20]) or "none"
    listed = ", ".join(f"'{name}'" for name in near)
    remedy = f" Nearest: {listed}." if near else ""
    return problems.ColumnsInvalid(
        f"The file has no column {' and none '.join(missing)}; its columns are {shown}.{remedy}",
        line=1,
        found=[printable(name) for name in found[:20]],
        nearest=near,
        suggestion=near[0] if near else None,
        rule="a column for the person and one for the tag",
    )
