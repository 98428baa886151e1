"""Reads the header of a delimited file: finds the delimiter, the quote, the columns and the first record."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tagloom.base.problems import BodyInvalid
from tagloom.base.text import printable
from tagloom.files.delimited_records import DELIMITERS, QUOTES, Broken, Form, Record, columns_missing, read_record
from tagloom.files.problems import ColumnsInvalid
from tagloom.files.sliding_buffer import Stream
from tagloom.words.mappings import REASON_PREFIX, Mapping

# The usual names of a column of people, in snake case, the most likely first.
USER_NAMES = (
    *("user", "user_id", "userid", "customer_id", "customerid", "external_id", "member_id", "person_id"),
    *("profile_id", "contact_id", "account_id", "client_id", "subscriber_id", "id"),
)
_SEPARATOR = re.compile(rb'"?sep=([^\w\s"\']|\t)"?\r?\n', re.IGNORECASE)
_HEAD_BYTES = 2  # In UTF-16, the first letter has a NUL byte.
_NOTHING = b" \t,;|\"'\r\n"


class Selection(NamedTuple):
    """The columns of a file that a mapping reads. In the plain form, one column of people is enough."""

    mapping: Mapping
    is_plain: bool = False

    def is_met(self, names: Sequence[str]) -> bool:
        """Returns whether these columns of a file contain all required columns."""
        mapping, found = self.mapping, set(names)
        if self.is_plain or mapping.header == "if-any":
            people = {name for name in (mapping.user, mapping.visitor) if name}
            return bool(people & found) and all(column.column in found for column in mapping.columns)
        return found.issuperset(mapping.names())

    def missing(self, names: Sequence[str]) -> ColumnsInvalid:
        """Returns the problem of a file that lacks required columns."""
        mapping = self.mapping
        if self.is_plain or mapping.header == "if-any":
            people = [name for name in (mapping.user, mapping.visitor) if name]
            return columns_missing(names, [people, *([column.column] for column in mapping.columns)])
        return columns_missing(names, [[name] for name in mapping.names()])

    def check(self, names: Sequence[str]) -> None:
        """Checks the columns of a file.

        Raises:
            ColumnsInvalid: a mapped column occurs twice, or the mapping must name every column and does not.
        """
        mapping, counts = self.mapping, Counter(names)
        for name in mapping.names():
            if counts[name] > 1:
                shown = printable(name)
                raise ColumnsInvalid(
                    f"The header has two columns '{shown}'. Rename one of them.",
                    line=1,
                    value=shown,
                    rule="each column once",
                )
        if mapping.unnamed == "refuse":
            check_unnamed(names, mapping)


def check_unnamed(names: Sequence[str], mapping: Mapping) -> None:
    """Checks that the mapping names or ignores every column. Raises: ColumnsInvalid."""
    known = {*mapping.names(), *mapping.ignore}
    for name in names:
        if name not in known and not name.startswith(REASON_PREFIX):
            shown = printable(name)
            raise ColumnsInvalid(
                f"The file has a column '{shown}' that the mapping does not name. Map it or ignore it.",
                value=shown,
                rule="every column mapped or ignored",
            )


class Table(NamedTuple):
    """A delimited file after its header was read. The stream is at the first record, which is on line `line`."""

    stream: Stream
    form: Form
    header: list[bytes]
    names: list[str]
    line: int

    def is_header(self, cells: Sequence[bytes]) -> bool:
        """Returns whether a record repeats the header, as happens in joined files."""
        return self.has_header and list(cells) == self.header

    @property
    def has_header(self) -> bool:
        """True if the file has a header."""
        return bool(self.header)


class _Try(NamedTuple):
    """A reading of the first record with one delimiter and one quote."""

    delimiter: int
    quote: int
    record: Record
    names: list[str]

    def score(self) -> tuple[int, int]:
        """Returns how likely the reading is: more columns first, then fewer quotes at the ends of the names."""
        quoted = sum(1 for name in self.names if name and (name[0] in "\"'" or name[-1] in "\"'"))
        return len(self.names), -quoted


def open_table(source: Iterator[bytes], selection: Selection | None) -> Table:
    """Reads the header of a file. Without `selection`, all columns are read.

    Skips blank lines before the header, and Excel's line `sep=;`, which names the delimiter.

    Raises:
        BodyInvalid: there is no header.
        ColumnsInvalid: a required column is missing; has the columns of the file and the most similar names among them.
    """
    stream = Stream(source)
    line = _skip_blank(stream, 1)
    delimiters = DELIMITERS
    if (said := _SEPARATOR.match(stream.buffer, stream.begin, stream.end)) is not None:
        delimiters = bytes(said[1])
        stream.begin = said.end()
        line = _skip_blank(stream, line + 1)
    if stream.buffer.find(b"\0", stream.begin, min(stream.end, stream.begin + _HEAD_BYTES)) >= 0:
        raise BodyInvalid(
            "The text begins with NUL bytes. If it is UTF-16 without a byte order mark, name its encoding: utf-16.",
            line=line,
            rule="a text",
        )
    tries, why = _tries(stream, delimiters)
    if not len(stream):
        raise _no_header(selection)
    header = "first-line" if selection is None else selection.mapping.header
    found = _chosen(tries, selection) if header == "first-line" else max(tries, key=_Try.score, default=None)
    if found is None:
        if selection is None or why is None or tries:
            raise _no_header(selection) if selection is None or not tries else selection.missing(_best(tries).names)
        raise why
    if header == "first-line" or (header == "if-any" and _names_people(found, selection, stream)):
        return _with_header(stream, found, selection, line)
    return _without_header(stream, found, selection, line)


def _skip_blank(stream: Stream, line: int) -> int:
    """Skips blank lines. Returns the number of the next line."""
    stream.top_up()
    while len(stream):
        end = stream.buffer.find(b"\n", stream.begin, stream.end)
        end = stream.end if end < 0 else end
        if stream.buffer[stream.begin : end].strip(_NOTHING):
            break
        stream.skip_line()
        line += 1
        stream.top_up()
    return line


def _tries(stream: Stream, delimiters: bytes) -> tuple[list[_Try], ColumnsInvalid | None]:
    """Returns all readings of the first record that succeed, and the problem of a reading that fails, if any."""
    found: list[_Try] = []
    why: ColumnsInvalid | None = None
    for quote in QUOTES:
        for delimiter in delimiters:
            form = Form(delimiter, quote, 0, None, None, ())
            record = read_record(stream.buffer, stream.begin, stream.end, form, is_whole=stream.is_whole)
            if isinstance(record, Broken):
                why = why or ColumnsInvalid(f"The header {record.says}.", line=1, rule="a header")
            if not isinstance(record, Record):
                continue
            try:
                names = [cell.decode("utf-8") for cell in record.cells]
            except UnicodeDecodeError:
                why = ColumnsInvalid(
                    "The header is not UTF-8. Save the file as CSV UTF-8, or name its encoding; Excel on Windows "
                    "writes windows-1252.",
                    line=1,
                    rule="UTF-8",
                )
                continue
            found.append(_Try(delimiter, quote, record, names))
    return found, why


def _chosen(tries: Sequence[_Try], selection: Selection | None) -> _Try | None:
    if selection is None:
        return max(tries, key=_Try.score, default=None)
    return next((each for each in tries if selection.is_met(each.names)), None)


def _best(tries: Sequence[_Try]) -> _Try:
    return max(tries, key=_Try.score)


def _no_header(selection: Selection | None) -> BodyInvalid:
    says, rule = "The file has no header.", "a header with a name for each column"
    if selection is not None and selection.is_plain:
        return selection.missing([])
    return BodyInvalid(says, line=1, rule=rule)


def _names_people(found: _Try, selection: Selection | None, stream: Stream) -> bool:
    """Returns whether the first record is a header, in a file whose header is optional.

    Raises:
        BodyInvalid: it is unclear whether the record is a header.
    """
    assert selection is not None, "only a mapping can allow a missing header"
    if selection.is_met(found.names):
        return True
    if len(found.names) > 1:
        raise selection.missing(found.names)
    (name,) = found.names
    if snake(name) in USER_NAMES:
        return True
    form = Form(found.delimiter, found.quote, 1, 0, None, ())
    second = read_record(stream.buffer, found.record.end, stream.end, form, is_whole=stream.is_whole)
    if isinstance(second, Record) and second.cells and _differs(found.record.cells[0], second.cells[0]):
        shown = printable(name)
        raise BodyInvalid(
            f"The first line '{shown}' looks like the name of a column and not like an id. Name it as the column of "
            "users, or delete the line.",
            line=1,
            value=shown,
            rule="ids, or a header that is named",
        )
    return False


def _differs(first: bytes, second: bytes) -> bool:
    """Returns whether `second` has a digit, or an at sign, that `first` lacks. Such a character shows an id."""
    return any(not mark.search(first) and mark.search(second) for mark in (re.compile(rb"\d"), re.compile(rb"@")))


def _with_header(stream: Stream, found: _Try, selection: Selection | None, line: int) -> Table:
    names = list(found.names)
    mapping = None if selection is None else selection.mapping
    if mapping is not None and mapping.header == "if-any" and len(names) == 1 and mapping.user:
        names = [mapping.user]
    if selection is not None:
        selection.check(names)
    line += stream.buffer.count(b"\n", stream.begin, found.record.end)
    stream.begin = found.record.end
    return Table(stream, _form(found, names, mapping), list(found.record.cells), names, line)


def _without_header(stream: Stream, found: _Try, selection: Selection | None, line: int) -> Table:
    assert selection is not None, "only a mapping can allow a missing header"
    mapping = selection.mapping
    if mapping.header == "if-any":
        names = [mapping.user or mapping.visitor or ""]
    else:
        names = [str(number) for number in range(1, len(found.names) + 1)]
    if not selection.is_met(names):
        raise selection.missing(names)
    selection.check(names)
    return Table(stream, _form(found, names, mapping), [], names, line)


def _form(found: _Try, names: Sequence[str], mapping: Mapping | None) -> Form:
    if mapping is None:
        return Form(found.delimiter, found.quote, len(names), None, None, ())
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(name, place)
    return Form(
        found.delimiter,
        found.quote,
        len(names),
        places.get(mapping.user) if mapping.user else None,
        places.get(mapping.visitor) if mapping.visitor else None,
        tuple(places[column.column] for column in mapping.columns),
    )


def snake(name: str) -> str:
    """Returns a name in snake case: `customerID`, `Customer Id` and `customer.id` become `customer_id`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("[*]", ""))
    return "_".join(re.split(r"[\s_.\-/]+", spaced.strip().lower()))
