"""Converts typed values of Parquet, JSON and databases to cells of a record, all by the same table.

| value | cell |
|---|---|
| text | the same |
| binary that is UTF-8 | that text |
| a whole number: an integer, or a float or decimal without a fraction | its digits: `1001` |
| nothing (null) | the empty text |
| a UUID | its usual form, with hyphens |
| a boolean, a number with a fraction, a date | `true`, `0.00005`, `2026-01-31`: a value, never an id or a tag |
| a time | `2026-01-31T09:00:00+00:00`, without the zone if it has none: only a value of an attribute |
| a list | its items, each by this table |
| anything else | no text: the row is rejected if a mapping reads the cell |

A float counts as whole only below 2^53, or below 2^24 in single precision, where it is exact. Above this limit, two
different ids can have the same float.
"""

import math
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

from tagloom.base import limits as base_limits
from tagloom.base.text import printable
from tagloom.words import limits
from tagloom.words.problems import LineInvalid, LineTooLong

FLOAT_EXACT_BELOW: Final = 2**53
FLOAT32_EXACT_BELOW: Final = 2**24
FLOAT16_EXACT_BELOW: Final = 2**11

BOOLEAN: Final = "a boolean"
FRACTION: Final = "a number with a fraction"
DATE: Final = "a date"
TIME: Final = "a time"
NOT_UTF8: Final = "binary that is not UTF-8"
TOO_LONG: Final = f"more than {limits.LINE_BYTES_MAX:,} bytes"
INEXACT: Final = "a float too large to be exact"
# Values that a mapping can turn into tags, but that are neither ids nor tags.
VALUES: Final = (BOOLEAN, FRACTION, DATE)

_DIGITS_MAX = 400  # The largest double has 309 digits.
_REMEDY = "Export the column as text, such as CAST(column AS VARCHAR)"


class OddCell(str):
    """A cell whose value was not a text. `found` names the kind of the value. The text shows the value."""

    found: str

    def __new__(cls, text: str, found: str) -> "OddCell":
        """Creates a cell with this text and this kind."""
        cell = super().__new__(cls, text)
        cell.found = found
        return cell

    # A text and another value with the same characters are different cells, because only the text can be an id.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, OddCell) and str(self) == str(other) and self.found == other.found

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((str(self), self.found))


Cell: TypeAlias = str | tuple[str, ...]


def text_of_value(cell: str, column: str) -> str:
    """Returns the text of a cell that is read as a value. Raises: LineInvalid: the cell cannot be a value."""
    if isinstance(cell, OddCell):
        if cell.found not in VALUES:
            raise refused(cell.found, str(cell), column)
        return str(cell)
    return cell


def text_of_attribute(cell: str, column: str) -> str:
    """Returns the text of a cell that is read as a value of an attribute. Raises: LineInvalid, as `text_of_value`."""
    return str(cell) if isinstance(cell, OddCell) and cell.found == TIME else text_of_value(cell, column)


def text_of_name(cell: str, column: str) -> str:
    """Returns the text of a cell that is read as an id or a tag. Raises: LineInvalid: the cell is an OddCell."""
    if isinstance(cell, OddCell):
        raise refused(cell.found, str(cell), column, "text or a whole number")
    return cell


def refused(found: str, text: str, column: str, rule: str = "text or a plain value") -> LineInvalid:
    """Returns the problem of a cell that cannot be read, with the column, the value and the remedy."""
    shown = printable(text)
    says = f"holds {found}" + (f", {shown}" if shown else "")
    if found == TOO_LONG:
        return LineTooLong(
            f"Column '{printable(column)}' holds {found}.", column=column, value=shown, rule="shorter cells"
        )
    return LineInvalid(f"Column '{printable(column)}' {says}. {_REMEDY}.", column=column, value=shown, rule=rule)


def cell_of(value: Any) -> Cell:
    """Returns a value as a cell: a text, an `OddCell`, or a tuple of these for a list. Null is the empty text.

    >>> cell_of(1001.0), cell_of(0.00005), cell_of(b"u1"), cell_of([1, "a"]), cell_of(None)
    ('1001', '0.00005', 'u1', ('1', 'a'), '')
    """
    if isinstance(value, list | tuple):
        return tuple(_item_of(each) for each in value)
    return _text_of(value)


def _item_of(value: Any) -> str:
    if isinstance(value, list | tuple):
        return OddCell("", "a list of lists")
    return _text_of(value)


def _text_of(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value if len(value) <= limits.LINE_BYTES_MAX else cut(value)
        case bool():
            return OddCell("true" if value else "false", BOOLEAN)
        case int():
            return number_text(Decimal(value))
        case float():
            return float_text(value, FLOAT_EXACT_BELOW)
        case Decimal():
            return number_text(value)
        case bytes() | bytearray() | memoryview():
            return bytes_text(bytes(value))
        case datetime():
            return OddCell(value.isoformat(), TIME)
        case date():
            return OddCell(value.isoformat(), DATE)
        case UUID():
            return str(value)
        case dict():
            return OddCell("", "a structure of fields")
        case _:
            return OddCell("", f"a value of the type {type(value).__name__}")


def cut(text: str) -> OddCell:
    """Returns the cell for a text that is too long, with the beginning of the text."""
    return OddCell(text[: base_limits.VALUE_CHARACTERS_MAX], TOO_LONG)


def bytes_text(value: bytes) -> str:
    """Returns the cell for binary: its UTF-8 text, if it is UTF-8."""
    try:
        return _text_of(value.decode("utf-8"))
    except UnicodeDecodeError:
        return OddCell(value[: base_limits.VALUE_CHARACTERS_MAX].decode("utf-8", "replace"), NOT_UTF8)


def float_text(value: float, exact_below: int, digits: str | None = None) -> str:
    """Returns the cell for a float. `digits` are its shortest digits, if its precision is not that of a double.

    A float of `exact_below` or more is not exact.
    """
    if not math.isfinite(value):
        return OddCell("", "the number NaN" if math.isnan(value) else "an infinite number")
    if abs(value) >= exact_below:
        return OddCell(repr(value), INEXACT)
    return number_text(Decimal(digits or repr(value)))


def number_text(value: Decimal) -> str:
    """Returns a number in plain digits, without an exponent and without trailing zeros.

    >>> number_text(Decimal("0E-7")), number_text(Decimal("2.50")), number_text(Decimal("1E3"))
    ('0', '2.5', '1000')
    """
    if not value.is_finite():
        return OddCell("", "the number NaN" if value.is_nan() else "an infinite number")
    if abs(value.adjusted()) > _DIGITS_MAX:
        return OddCell("", f"a number of more than {_DIGITS_MAX} digits")
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").removesuffix(".")
    if text in ("-0", ""):
        text = "0"
    return OddCell(text, FRACTION) if "." in text else text


def shown_cells(cells: Sequence[Cell]) -> str:
    """Returns the first characters of a row's cells, to show the row in a rejection."""
    shown, size = list[str](), 0
    for cell in cells:
        texts = (cell,) if isinstance(cell, str) else cell[: base_limits.VALUE_CHARACTERS_MAX]
        shown.append(";".join(str(text[: base_limits.VALUE_CHARACTERS_MAX]) for text in texts))
        size += len(shown[-1]) + 1
        if size > base_limits.VALUE_CHARACTERS_MAX:
            break
    return ",".join(shown)[: base_limits.VALUE_CHARACTERS_MAX]
