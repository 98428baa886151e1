"""Reads the first sheet of an Excel workbook as lines of CSV."""

import datetime
import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import IO, Any

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid, BodyTooLarge
from tagloom.base.text import printable
from tagloom.files import limits

ZIP_MAGIC = b"PK\x03\x04"
_SHEETS = "xl/worksheets/"
_PLACE = re.compile(rb"\br\s*=\s*[\"']([A-Z]{1,3})(\d{1,7})[\"']")
_PLACE_BYTES_MAX = 40
_CHUNK_LINES = 4_096
_WHOLE_MAX = 1e15  # Excel keeps fifteen digits; a larger number differs from what was typed.


def workbook_lines(source: Iterator[bytes], tell: Callable[[str], None]) -> Iterator[bytes]:
    """Yields the lines of the first sheet, one per row. A line end within a cell becomes a space.

    Raises: BodyInvalid: the body is not a workbook, or is damaged; BodyTooLarge.
    """
    with tempfile.TemporaryFile() as spool:
        size = 0
        for chunk in source:
            size += len(chunk)
            if size > limits.WORKBOOK_BYTES_MAX:
                raise _too_large()
            spool.write(chunk)
        _check(spool)
        spool.seek(0)
        yield from _lines(spool, tell)


def _check(spool: IO[bytes]) -> None:
    """Checks the size of a workbook in bounded memory, before it is loaded. Raises: the errors of `workbook_lines`.

    Every entry is unpacked once, up to its declared size. An entry that is larger fails its checksum.
    """
    try:
        with zipfile.ZipFile(spool) as archive:
            entries = archive.infolist()
            if not any(entry.filename.startswith(_SHEETS) for entry in entries):
                raise BodyInvalid(
                    "This is a ZIP archive and not an Excel workbook. Unpack it, and import the files in it.",
                    rule="a text",
                )
            if sum(entry.file_size for entry in entries) > limits.WORKBOOK_UNPACKED_BYTES_MAX:
                raise _too_large()
            for entry in entries:
                with archive.open(entry) as file:
                    _check_entry(file)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, EOFError) as error:
        raise BodyInvalid(
            "This is a ZIP archive that is damaged or has a password. Save the table as CSV UTF-8.", rule="a text"
        ) from error


def _check_entry(file: IO[bytes]) -> None:
    """Checks the extent of a sheet.

    Raises: BodyTooLarge: two cells are so far apart that the sheet would fill memory.
    """
    rows = columns = 0
    tail = b""
    while chunk := file.read(base_limits.UPLOAD_CHUNK_BYTES):
        for letters, digits in _PLACE.findall(tail + chunk):
            rows, columns = max(rows, int(digits)), max(columns, _column(letters))
        if rows * columns > limits.WORKBOOK_CELLS_MAX:
            raise _too_large()
        tail = chunk[-_PLACE_BYTES_MAX:]


def _column(letters: bytes) -> int:
    """Returns the number of a column by its letters: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(
        f"An Excel workbook has at most {limits.WORKBOOK_BYTES_MAX:,} bytes, and unpacked "
        f"{limits.WORKBOOK_UNPACKED_BYTES_MAX:,}. Save the sheet as CSV UTF-8.",
        rule=f"at most {limits.WORKBOOK_BYTES_MAX} bytes",
    )


def _lines(spool: IO[bytes], tell: Callable[[str], None]) -> Iterator[bytes]:
    # The library is imported here, because most processes never read a workbook.
    import python_calamine

    try:
        book = python_calamine.load_workbook(spool)
        names = book.sheet_names
        if not names:
            raise BodyInvalid("The Excel workbook has no sheet.", rule="a sheet")
        more = f" of {len(names)}" if len(names) > 1 else ""
        tell(f"It is an Excel workbook, of which the first sheet{more} is read: '{printable(names[0])}'.")
        sheet = book.get_sheet_by_name(names[0])
        text = io.StringIO()
        for count, row in enumerate(sheet.iter_rows(), 1):
            text.write(_line(row))
            if count % _CHUNK_LINES == 0:
                yield text.getvalue().encode("utf-8", "surrogatepass")
                text = io.StringIO()
        yield text.getvalue().encode("utf-8", "surrogatepass")
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        says = printable(str(error))
        raise BodyInvalid(
            f"The Excel workbook cannot be read: {says}. Save the sheet as CSV UTF-8.", rule="a whole workbook"
        ) from error


def _line(row: Sequence[Any]) -> str:
    cells = list(map(_cell, row))
    if not any(cells):
        return "\n"
    return ",".join(map(_quoted, cells)) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


def _cell(value: Any) -> str:
    """Returns a cell as text: whole numbers without a point, times as ISO 8601."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return " ".join(value.splitlines()) if "\n" in value or "\r" in value else value
        case int():
            return str(value)
        case float() if value.is_integer() and abs(value) < _WHOLE_MAX:
            return str(int(value))
        case float() if abs(value) < _WHOLE_MAX:
            return f"{Decimal(repr(value)):f}"
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)
