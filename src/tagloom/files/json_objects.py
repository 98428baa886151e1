"""Reads objects with any fields as lines by a mapping: lines of NDJSON, or items of a JSON list."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from tagloom.base.text import printable
from tagloom.files.doubtful_people import keys_in_object
from tagloom.files.json_lines import DECODE_ERRORS, FIELD, HALF, head, line_fault, pairs_of, too_long
from tagloom.files.json_values import Unfit, cell_of, decoder, fields_and_levels, finder_of, id_of
from tagloom.files.mapped_values import Meaning, key_of_record
from tagloom.files.ndjson import lines_in
from tagloom.files.part_columns import Building, Line, LineFault
from tagloom.files.sliding_buffer import Stream
from tagloom.ports.writes import Part
from tagloom.words import limits
from tagloom.words.cells import Cell
from tagloom.words.mappings import Mapping
from tagloom.words.people import Kind
from tagloom.words.problems import LineInvalid

_LINES_PER_PART = 65_536


def read_objects(source: Iterator[bytes], mapping: Mapping, *, blank_removes: bool = False) -> Iterator[Part]:
    """Yields the parts of an NDJSON body, read by a mapping; skips blank lines."""
    reader, building = ObjectReader(mapping, blank_removes=blank_removes), Building()
    for number, text in lines_in(Stream(source)):
        if not text.strip(b" \t\r"):
            continue
        try:
            building.add(reader.line(text, number))
        except LineFault as fault:
            building.reject(number, fault)
        if len(building) >= _LINES_PER_PART or building.is_full:
            yield building.part()
            building = Building()
    if len(building):
        yield building.part()


class ObjectReader:
    """A reader of the objects of one body."""

    def __init__(self, mapping: Mapping, *, blank_removes: bool = False) -> None:
        self._decoder = decoder()
        self._meaning = Meaning(mapping, blank_removes=blank_removes)
        places: tuple[tuple[Kind, str | None], ...] = (("user", mapping.user), ("visitor", mapping.visitor))
        self._people = [(kind, name, finder_of(name)) for kind, name in places if name]
        self._kinds = [kind for kind, _, _ in self._people]
        # In a file that has only ids, a line may be a text or a number.
        self._bare = (mapping.user or mapping.visitor) if mapping.header == "if-any" else None
        self._columns = [(column.column, finder_of(column.column)) for column in mapping.columns]

    def line(self, text: bytes, number: int) -> Line:
        """Reads an object. Raises: LineFault."""
        found = object_of(text, number, self._decoder, bare=self._bare)
        people: dict[Kind, str] = {}
        try:
            for kind, name, find in self._people:
                people[kind] = self._value(number, name, id_of, find(found))
        except LineFault as fault:
            raise LineFault(fault.problem, fault.value, (), keys_in_object(text, self._kinds)) from fault
        shown = partial(head, text)
        try:
            key = key_of_record(number, people, shown)
        except LineFault as fault:
            if fault.suspects is None:
                raise
            raise LineFault(fault.problem, fault.value, fault.held, keys_in_object(text, self._kinds)) from fault
        try:
            cells: list[Cell] = [self._value(number, name, cell_of, find(found)) for name, find in self._columns]
        except LineFault as fault:
            raise LineFault(fault.problem, fault.value, [key]) from fault
        return self._meaning.line(number, key, cells, shown)

    def _value(self, number: int, name: str, of: Any, value: Any) -> Any:
        """Converts a value to an id or to a cell with the function `of`. Raises: LineFault."""
        try:
            return of(value)
        except Unfit as unfit:
            shown = printable(name)
            problem = LineInvalid(f"Line {number}: column '{shown}' {unfit}.", column=shown)
            raise LineFault(problem, _shown(value)) from unfit


def object_of(
    text: bytes, number: int, decoder: "msgspec.json.Decoder[Any]", bare: str | None = None
) -> dict[str, Any]:
    """Parses a line as an object without repeated fields.

    If `bare` is given, a single text or number becomes that field.

    Raises: LineFault.
    """
    if len(text) > limits.LINE_BYTES_MAX:
        raise too_long(text, number)
    try:
        found = decoder.decode(text)
    except (*DECODE_ERRORS, ValueError) as error:
        # The slower reader reports more about the fault.
        pairs_of(text, number)
        says = "holds half of a character, such as \\ud83d" if HALF.search(text) else f"cannot be read: {error}"
        raise line_fault(text, number, printable(says)) from error
    if bare is not None and isinstance(found, str | int | Decimal) and not isinstance(found, bool):
        return {bare: found}
    if not isinstance(found, dict):
        raise line_fault(text, number, "is no JSON object")
    # If there are more colons after quotes than fields, a field occurs twice or a text contains such a colon.
    if (
        len(FIELD.findall(text)) != fields_and_levels(found)[0]
        and (twice := _repeated(pairs_of(text, number))) is not None
    ):
        raise line_fault(text, number, f"has the field '{printable(twice)}' more than once")
    return found


def _repeated(pairs: Any) -> str | None:
    """Returns the first field that an object has twice, at any depth, or None."""
    waiting: list[Any] = [pairs]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list) and each and isinstance(each[0], tuple):
            names = set[str]()
            for name, value in each:
                if name in names:
                    return str(name)
                names.add(name)
                waiting.append(value)
        elif isinstance(each, list):
            waiting.extend(each)
    return None


def _shown(value: Any) -> str:
    """Returns a value as bounded JSON."""
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return "[…]" if value else "[]"
    return printable(value if isinstance(value, str) else "true" if value is True else str(value).lower())
