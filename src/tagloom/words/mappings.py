"""The mapping language: how a record of a file becomes the tags and the attributes of one person.

The language is a closed union that may only grow. `record_tags` and `record_attributes` define its meaning for one
record. Readers of whole columns are faster, because the meaning of a cell depends only on this cell. They return the
same tags and values.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as ByName
from decimal import Decimal
from itertools import pairwise
from math import isfinite
from typing import Any, Literal, NoReturn, TypeAlias, assert_never

import msgspec

from tagloom.base.text import printable
from tagloom.words import limits
from tagloom.words.attributes import AttributeType, AttributeValue, parse_attribute_name, parse_value, time_of
from tagloom.words.builtin_attributes import check_settable
from tagloom.words.cells import BOOLEAN, Cell, OddCell, text_of_attribute, text_of_name, text_of_value
from tagloom.words.people import Kind
from tagloom.words.problems import (
    AttributeNameInvalid,
    AttributeReserved,
    AttributeValueInvalid,
    LineInvalid,
    MappingInvalid,
    PersonIdInvalid,
    TagProblem,
)
from tagloom.words.receipts import Mode
from tagloom.words.tags import is_at_or_below, parse_tag

Way = Literal["trim", "lowercase", "slug"]
Encoding = Literal["utf-8", "utf-16", "windows-1252"]
# With "none", the columns are named 1, 2, 3, … With "if-any", a file with one column of ids may have no header. Its
# first line is a header if it is a usual name of a column of ids.
Header = Literal["first-line", "none", "if-any"]
# Columns with this prefix have the reasons why a row was rejected. They follow the columns of the file. Readers ignore
# them.
REASON_PREFIX = "tagloom_"
REASON_COLUMNS = tuple(REASON_PREFIX + name for name in ("line", "problem", "detail", "suggestion"))
REASON_FIELD = f"{REASON_PREFIX}rejected"  # In NDJSON, one object in this field has all the reasons.
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
TRUE = ("1", "t", "true", "y", "yes")
FALSE = ("", "0", "f", "false", "n", "no", "null")


class TagColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="tag"):
    """Each cell is a tag, after `steps` changed its text in order. A blank cell rejects its line.

    For columns with blank cells, use ListColumn.
    """

    column: str
    steps: tuple[Way, ...] = ("trim",)


class ListColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="list"):
    """Each cell is a list of tags, separated by `separator`, or a list of NDJSON or Parquet."""

    column: str
    separator: str = ";"
    steps: tuple[Way, ...] = ("trim",)


class ValueColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="value"):
    """Each cell is a value. `values` has the tags of values, by the exact text. An empty tag means no tag.

    `others` decides about a cell that is not in `values`: with "level", the cell becomes a level below `branch`, after
    `steps`; with "reject", the line is rejected; with "ignore", no tag is added. A blank cell that is not in `values`
    adds no tag, unless `others` is "reject".
    """

    column: str
    branch: str = ""
    values: dict[str, str] = {}
    others: Literal["level", "reject", "ignore"] = "level"
    steps: tuple[Way, ...] = ("slug",)


class FlagColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="flag"):
    """Each cell is a yes or a no. `yes` and `no` are the tags for these values. An empty tag means no tag."""

    column: str
    yes: str
    no: str = ""


class Band(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers up to and including `to` that are in no earlier band. Without `to`, all other numbers."""

    tag: str
    to: Decimal | None = None


class BandsColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="bands"):
    """Each cell is a number. The number is in a band, which has a tag.

    `from` is the least number of the bands. `blank` is the tag of a blank cell. If `blank` is None, a blank cell
    rejects its line.
    """

    column: str
    bands: tuple[Band, ...]
    at_least: Decimal | None = msgspec.field(default=None, name="from")
    blank: str | None = None


class AttributeColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="attribute"):
    """Each cell is a value of the attribute with the name `attribute`. A blank cell has no value.

    `value_type` says how a cell is read. Without it, true and false that are no texts are booleans, a list is a list of
    texts, and any other cell is a text. The type of the attribute then decides whether a text can be a time.
    `separator` divides the text of a list. `steps` change a text, and each text of a list.
    """

    column: str
    attribute: str
    value_type: AttributeType | None = None
    separator: str = ";"
    steps: tuple[Way, ...] = ("trim",)


Column: TypeAlias = TagColumn | ListColumn | ValueColumn | FlagColumn | BandsColumn | AttributeColumn
Value: TypeAlias = AttributeValue | bool | str | tuple[str, ...]
"""The value of an attribute in a cell. Without a `value_type`, it is plain JSON, and the engine finds the type."""


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The rules by which records become taggings and values of attributes.

    A column is a name in the header, or a path into objects, such as `profile.plan` or `tags[*]`. `user` and `visitor`
    are the columns of ids. Every tag begins with `prefix`. `tags` are added to all people. If `unnamed` is "refuse", a
    file with a column that the mapping neither names nor ignores is refused completely. `encoding` is the encoding of a
    text without a byte order mark. `header` says whether the first line of a CSV has the names of the columns.
    """

    user: str | None = None
    visitor: str | None = None
    columns: tuple[Column, ...] = ()
    prefix: str = ""
    tags: tuple[str, ...] = ()
    unnamed: Literal["ignore", "refuse"] = "ignore"
    ignore: tuple[str, ...] = ()
    encoding: Encoding = "utf-8"
    header: Header = "first-line"

    def prefixed(self, tag: str) -> str:
        """Returns a tag with the prefix before it. An empty tag stays empty."""
        return f"{self.prefix}/{tag}" if self.prefix and tag else tag

    def names(self) -> tuple[str, ...]:
        """Returns the names of the columns that a file must have."""
        people = tuple(name for name in (self.user, self.visitor) if name)
        return (*people, *(column.column for column in self.columns))


def level_of(text: str) -> str:
    """Converts a name or a cell to a level of a tag: lower case, with hyphens for spaces and slashes.

    The level may be empty. A level that is too long is not cut, because two levels could become the same level. Such a
    level is refused when the tag is parsed.

    >>> level_of("Fiber optic "), level_of("24/7 Support")
    ('fiber-optic', '24-7-support')
    """
    return "-".join(text.lower().replace("/", " ").split())


def stepped(text: str, steps: Sequence[Way]) -> str:
    """Returns a text after these steps. "slug" applies `level_of` to each level of a path."""
    for step in steps:
        match step:
            case "trim":
                text = text.strip()
            case "lowercase":
                text = text.lower()
            case "slug":
                text = "/".join(filter(None, map(level_of, text.split("/"))))
            case _:
                assert_never(step)
    return text


def cell_tags(column: Column, cell: Cell) -> tuple[str, ...]:
    """Returns the tags of one cell, without the prefix. Raises: LineInvalid, which has `column`, `value` and `rule`."""
    if isinstance(column, AttributeColumn):
        return ()
    read = text_of_name if isinstance(column, TagColumn | ListColumn) else text_of_value
    texts = tuple(read(text, column.column) for text in ((cell,) if isinstance(cell, str) else cell))
    match column:
        case TagColumn():
            return tuple(stepped(text, column.steps) for text in texts)
        case ListColumn():
            parts = texts[0].split(column.separator) if isinstance(cell, str) else texts
            found = [stepped(text, column.steps) for text in parts]
        case ValueColumn():
            found = [_value_tag(column, text) for text in texts]
        case FlagColumn():
            found = [_flag_tag(column, text) for text in texts]
        case BandsColumn():
            found = [_band_tag(column, text) for text in texts]
        case _:
            assert_never(column)
    return tuple(tag for tag in found if tag)


def record_tags(mapping: Mapping, record: ByName[str, Cell]) -> tuple[str, ...]:
    """Returns the distinct tags of a record, in the order of the columns. Raises: LineInvalid."""
    found = [*mapping.tags]
    for column in mapping.columns:
        found.extend(cell_tags(column, record[column.column]))
    return tuple(dict.fromkeys(mapping.prefixed(tag) for tag in found))


def record_attributes(mapping: Mapping, record: ByName[str, Cell]) -> dict[str, Value | None]:
    """Returns the values of the attributes of a record by name, None for a blank cell. Raises: LineInvalid."""
    return {
        column.attribute: cell_value(column, record[column.column])
        for column in mapping.columns
        if isinstance(column, AttributeColumn)
    }


def cell_value(column: AttributeColumn, cell: Cell) -> Value | None:
    """Returns the value of an attribute in a cell, or None for a blank cell.

    Raises: LineInvalid, which has `column`, `value` and `rule`.
    """
    name, type = column.column, column.value_type
    texts = tuple(text_of_attribute(text, name) for text in ((cell,) if isinstance(cell, str) else cell))
    if not any(text.strip() for text in texts):
        return None
    if type == "list" or (type is None and not isinstance(cell, str)):
        parts = texts[0].split(column.separator) if isinstance(cell, str) else texts
        items = tuple(filter(None, (stepped(text, column.steps) for text in parts)))
        return (items if type is None else _checked_value(name, items, type)) if items else None
    if not isinstance(cell, str):
        _refuse_cell(
            name, ", ".join(texts), f"is a list, and the mapping expects a {type}", "one value, or the value_type list"
        )
    text = stepped(texts[0], column.steps) if type in (None, "text") else texts[0].strip()
    match type:
        case None:
            is_boolean = isinstance(cell, OddCell) and cell.found == BOOLEAN
            return cell == OddCell("true", BOOLEAN) if is_boolean else text or None
        case "text":
            return _checked_value(name, text, type) if text else None
        case "boolean":
            folded = text.casefold()
            if folded not in TRUE and folded not in FALSE:
                _refuse_cell(name, text, "is neither yes nor no", "yes or no")
            return AttributeValue("boolean", folded in TRUE)
        case "number":
            return _checked_value(name, _number_of(name, text), type)
        case "time":
            moment = time_of(text)
            if moment is None:
                says = "is neither a date such as 2026-01-31 nor a time with a zone such as 2026-01-31T09:00:00Z"
                _refuse_cell(name, text, says, "an ISO 8601 date, or a time with a zone")
            return AttributeValue("time", moment)
        case _:
            assert_never(type)


def _number_of(column: str, text: str) -> int | float:
    """Returns the number of a cell, as an int if it has no fraction. Raises: LineInvalid."""
    if not NUMBER.fullmatch(text):
        _refuse_cell(column, text, "is not a number", "a number")
    whole, _, fraction = text.partition(".")
    if fraction.strip("0"):
        number = float(text)
        if not isfinite(number):
            _refuse_cell(column, text[:64], "is beyond the greatest number", "a number")
        return number
    if len(whole.lstrip("+-0")) > len(str(limits.ATTRIBUTE_WHOLE_NUMBER_MAX)):
        _refuse_cell(
            column, text[:64], "is a number beyond 2^53, which is not exact", "a number, or the value_type text"
        )
    return int(whole)


def _checked_value(column: str, value: int | float | str | tuple[str, ...], type: AttributeType) -> AttributeValue:
    try:
        return parse_value(value, type)
    except AttributeValueInvalid as problem:
        shown, rule = str(problem.members.get("value", "")), problem.title().rstrip(".")
        raise LineInvalid(f"Column '{column}': {problem.detail}", column=column, value=shown, rule=rule) from problem


def record_person(mapping: Mapping, record: ByName[str, Cell]) -> tuple[Kind, str]:
    """Returns the kind and the id of the person of a record.

    Raises: PersonIdInvalid: the record names no person; LineInvalid: it names two people, or the cell has no id.
    """
    places: tuple[tuple[Kind, str | None], ...] = (("user", mapping.user), ("visitor", mapping.visitor))
    named = [(kind, name, record[name]) for kind, name in places if name and _is_there(record[name])]
    if not named:
        raise PersonIdInvalid("The row names no person.", rule="a user id or a visitor id")
    if len(named) == 1:
        kind, name, cell = named[0]
        if isinstance(cell, str):
            return kind, text_of_name(cell, name)
    says = "names a user and a visitor; it must be one of them" if len(named) > 1 else "has a list for its person"
    raise LineInvalid(f"The row {says}.", rule="a user id or a visitor id")


def _is_there(cell: Cell) -> bool:
    """Returns whether a cell is not blank. A cell that cannot be read is not blank."""
    return bool(cell) or isinstance(cell, OddCell)


def _value_tag(column: ValueColumn, cell: str) -> str:
    if cell in column.values:
        return column.values[cell]
    match column.others:
        case "ignore":
            return ""
        case "reject":
            _refuse_cell(column.column, cell, "has no entry in the mapping", "an entry for each value")
        case "level":
            level = stepped(cell.replace("/", " "), column.steps)
            return f"{column.branch}/{level}" if level and column.branch else level
        case _:
            assert_never(column.others)


def _flag_tag(column: FlagColumn, cell: str) -> str:
    folded = cell.strip().casefold()
    if folded in TRUE:
        return column.yes
    if folded not in FALSE:
        _refuse_cell(column.column, cell, "is neither yes nor no", "yes or no")
    return column.no if folded else ""


def _band_tag(column: BandsColumn, cell: str) -> str:
    text = cell.strip()
    if not text:
        if column.blank is not None:
            return column.blank
        _refuse_cell(column.column, cell, "is blank, and the mapping has no 'blank'", "a number")
    if not NUMBER.fullmatch(text):
        _refuse_cell(column.column, cell, "is not a number", "a number")
    number = Decimal(text)
    at = bisect_left([band.to for band in column.bands if band.to is not None], number)
    if at == len(column.bands) or (column.at_least is not None and number < column.at_least):
        _refuse_cell(column.column, cell, "is in no band", "a number in a band")
    return column.bands[at].tag


def _refuse_cell(column: str, cell: str, says: str, rule: str) -> NoReturn:
    shown = printable(cell)
    raise LineInvalid(f"Column '{column}': '{shown}' {says}.", column=column, value=shown, rule=rule)


# Reading and checking a mapping.


def parse_mapping(body: bytes | str) -> Mapping:
    """Returns a mapping from its JSON form. Raises: MappingInvalid."""
    try:
        return check_mapping(msgspec.json.decode(body, type=Mapping))
    except msgspec.DecodeError as error:
        raise MappingInvalid(f"The mapping cannot be read: {error}.", rule="the form of a mapping") from error


def parse_mapping_toml(text: str, name: str) -> Mapping:
    """Returns a mapping from its TOML form. The columns are tables by their names, such as `[columns.plan]`.

    A table with `values` and without `type` rejects other values. Unless `unnamed` is set, a file with a column that
    the mapping does not name is refused.

    Raises: MappingInvalid, which contains `name`, the name of the TOML file.
    """
    try:
        document = tomllib.loads(text, parse_float=Decimal)
        tables = document.pop("columns", {})
        columns = [_typed(column, table, name) for column, table in tables.items()]
        return check_mapping(msgspec.convert({"unnamed": "refuse", **document, "columns": columns}, Mapping))
    except (tomllib.TOMLDecodeError, AttributeError, TypeError) as error:
        raise MappingInvalid(f"{name} is not a mapping in TOML: {error}.", value=name) from error
    except msgspec.ValidationError as error:
        raise MappingInvalid(f"{name}: {error}.", value=name, rule="the form of a mapping") from error


def _typed(column: str, table: dict[str, Any], name: str) -> dict[str, Any]:
    """Returns the table of a column with its type. The shorter form of a table has no type."""
    if "type" in table:
        return {"column": column, **table}
    if "attribute" in table:
        return {"column": column, "type": "attribute", **table}
    if "bands" in table:
        return {"column": column, "type": "bands", **table}
    if "values" not in table:
        rule = "a type, values, bands or an attribute"
        _refuse(f"{name}: column '{column}' needs {rule}", column, rule)
    return {"column": column, "type": "value", "others": "reject", **table}


def check_mapping(mapping: Mapping) -> Mapping:
    """Checks that a mapping is consistent. Returns the mapping. Raises: MappingInvalid, with `value` and `rule`."""
    if not (mapping.user or mapping.visitor):
        _refuse("Name the column of the user id or of the visitor id", "", "a user or visitor column")
    if not (mapping.columns or mapping.tags):
        _refuse("Name the columns that become tags or attributes", "", "a column or a constant tag")
    if len(mapping.columns) > limits.COLUMNS_PER_MAPPING_MAX:
        _refuse(f"A mapping has at most {limits.COLUMNS_PER_MAPPING_MAX} columns", "", "fewer columns")
    ignored = [name for name in mapping.ignore if name in mapping.names()]
    people = [name for name in (mapping.user, mapping.visitor) if name]
    if ignored or len(set(people)) < len(people):
        name = (ignored or people)[0]
        _refuse(f"Column '{name}' is named more than once", name, "each column once")
    for column in mapping.columns:
        _check_column(column)
    _check_attributes(mapping)
    for tag in (mapping.prefix, *mapping.tags):
        if tag or tag in mapping.tags:
            _check_tag(tag, "prefix and constant tags")
    return mapping


def check_mode(mapping: Mapping, mode: Mode) -> None:
    """Checks that the columns of a mapping fit the mode. Raises: MappingInvalid: mode `remove`, and attributes."""
    names = [column.column for column in mapping.columns if isinstance(column, AttributeColumn)]
    if mode == "remove" and names:
        _refuse(
            f"Mode 'remove' removes tags, but column '{names[0]}' is an attribute. Use a mapping without attributes",
            names[0],
            "no attribute in mode remove",
        )


def _check_attributes(mapping: Mapping) -> None:
    names = [column.attribute for column in mapping.columns if isinstance(column, AttributeColumn)]
    for name in names:
        try:
            valid = parse_attribute_name(name)
            check_settable(valid)
        except (AttributeNameInvalid, AttributeReserved) as problem:
            _refuse(problem.detail.rstrip("."), name, problem.title())
        if valid != name:
            _refuse(f"The attribute '{name}' is not in NFC", name, "NFC")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        _refuse(f"Two columns are the attribute '{twice}'", twice, "each attribute once")
    if len(names) > limits.ATTRIBUTES_PER_PERSON_MAX:
        rule = f"at most {limits.ATTRIBUTES_PER_PERSON_MAX} attributes"
        _refuse(f"A mapping has {rule}", str(len(names)), rule)


def _check_column(column: Column) -> None:
    if isinstance(column, ListColumn | AttributeColumn) and not column.separator:
        _refuse(f"Column '{column.column}' needs a separator", column.column, "a separator")
    if isinstance(column, BandsColumn):
        _check_bands(column)
    for tag in _named_tags(column):
        if tag:
            _check_tag(tag, f"column '{column.column}'")


def touches(mapping: Mapping, tag: str) -> bool:
    """Returns whether a mapping may add a tag or a tag below it.

    Such a mapping names one of these tags, or adds levels below a branch that is at, above or below the tag.
    """
    named = {mapping.prefixed(each) for each in mapping.tags}
    open_branches = set()
    for column in mapping.columns:
        named |= {mapping.prefixed(each) for each in _named_tags(column) if each}
        if isinstance(column, TagColumn | ListColumn):
            open_branches.add(mapping.prefix)
        elif isinstance(column, ValueColumn) and column.others == "level":
            open_branches.add(mapping.prefixed(column.branch) if column.branch else mapping.prefix)
    # A mapping that reads whole tags from a column names no branch.
    open_branches.discard("")
    return any(is_at_or_below(each, tag) for each in named | open_branches) or any(
        is_at_or_below(tag, branch) for branch in open_branches
    )


def _named_tags(column: Column) -> Iterator[str]:
    match column:
        case TagColumn() | ListColumn() | AttributeColumn():
            return
        case ValueColumn():
            yield from (column.branch, *column.values.values())
        case FlagColumn():
            yield from (column.yes, column.no)
        case BandsColumn():
            yield from (column.blank or "", *(band.tag for band in column.bands))
        case _:
            assert_never(column)


def _check_tag(tag: str, where: str) -> None:
    try:
        valid = parse_tag(tag)
    except TagProblem as problem:
        _refuse(f"{where}: {problem.detail.rstrip('.')}", tag, problem.title())
    if valid != tag:
        _refuse(f"{where}: '{tag}' is not in NFC", tag, "NFC")


def _check_bands(column: BandsColumn) -> None:
    bands, name = column.bands, column.column
    if not bands or any(band.to is None for band in bands[:-1]):
        _refuse(f"column '{name}' needs a band, and 'to' in all but the last", name, "bands with 'to'")
    bounds = [bound for bound in (column.at_least, *(band.to for band in bands)) if bound is not None]
    for bound in bounds:
        if not bound.is_finite():
            _refuse(f"column '{name}': {bound} is not a finite number", str(bound), "finite bounds")
    for lower, upper in pairwise(bounds):
        if upper <= lower:
            _refuse(f"column '{name}': {upper} comes after {lower}", str(upper), "ascending bounds")


def _refuse(says: str, value: str, rule: str) -> NoReturn:
    raise MappingInvalid(f"{says}.", value=value, rule=rule)
