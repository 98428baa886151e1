"""Converts between a mapping and the fields of a form. A column that nobody edited stays exactly the same."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, assert_never, get_args

import msgspec

from tagloom.base.problems import ParameterInvalid
from tagloom.files.problems import ColumnsInvalid
from tagloom.imports.mapping_inference import Beginning, bands_at, bounds_of, levels_of, rows_read, separator_of
from tagloom.words.attributes import ATTRIBUTE_TYPES, shown_value
from tagloom.words.mappings import (
    NUMBER,
    AttributeColumn,
    BandsColumn,
    Column,
    Encoding,
    FlagColumn,
    ListColumn,
    TagColumn,
    ValueColumn,
    Way,
)
from tagloom.words.mappings import Mapping as Meaning
from tagloom.words.problems import MappingInvalid

ROWS_SHOWN = 5
Use = Literal["ignore", "user", "visitor", "tag", "list", "value", "flag", "bands", "attribute"]
USES: dict[Use, str] = {
    "ignore": "nothing",
    "user": "the user id",
    "visitor": "the visitor id",
    "tag": "one tag",
    "list": "a list of tags",
    "value": "a value: branch/value",
    "flag": "yes or no",
    "bands": "a number in bands",
    "attribute": "an attribute",
}
TYPES: dict[str, str] = {
    "": "as it is",
    "text": "text",
    "number": "number",
    "boolean": "yes or no",
    "time": "date or time",
    "list": "list of texts",
}
STEPS: dict[str, str] = {
    "": "as they are",
    "trim": "trimmed",
    "trim,lowercase": "lower-case",
    "slug": "lower-case, with hyphens",
}


# The values that a page of a mapping needs, for a page without a mapping.
NO_MEANING: dict[str, Any] = {
    "columns": (),
    "samples": {},
    "mapping": None,
    "read": (),
    "has_values": False,
    "uses": USES,
    "steps": STEPS,
    "types": TYPES,
    "shown_value": shown_value,
}


class ColumnFields(msgspec.Struct, frozen=True, kw_only=True):
    """One column in the form. Only the fields of its use count; the others have proposals.

    `below` is the branch of values and bands, `nothing` the cells without a tag, separated by `;`, `bounds` the upper
    bounds of bands. `attribute` and `value_type` are the name and the type of an attribute. `kept` is the saved column
    as JSON.
    """

    column: str
    use: Use = "ignore"
    below: str = ""
    nothing: str = ""
    separator: str = ";"
    yes: str = ""
    no: str = ""
    bounds: str = ""
    steps: str = "slug"
    attribute: str = ""
    value_type: str = ""
    kept: str = ""


NAMES = ColumnFields.__struct_fields__


def fields_of(mapping: Meaning, beginning: Beginning) -> tuple[ColumnFields, ...]:
    """Returns the fields of a mapping: first the file's columns in their order, then columns that the file lacks."""
    found: list[ColumnFields] = []
    for place, (name, level) in enumerate(zip(beginning.names, levels_of(beginning.names), strict=True)):
        texts = beginning.texts(place)
        plain = ColumnFields(
            column=name,
            below=level,
            yes=level,
            separator=separator_of(texts),
            bounds=", ".join(map(str, bounds_of(texts))),
            attribute=name.strip(),
        )
        found.extend(_fields_named(mapping, name, plain) or [plain])
    for name in dict.fromkeys(mapping.names()):
        if name not in beginning.names:
            found.extend(_fields_named(mapping, name, ColumnFields(column=name)))
    return tuple(found)


def shown_meaning(mapping: Meaning, beginning: Beginning) -> dict[str, Any]:
    """Returns the values that a page shows of a mapping: its fields, samples of columns, and the first rows as read."""
    try:
        read = rows_read(beginning, mapping)[:ROWS_SHOWN]
    except ColumnsInvalid:
        read = ()
    return {
        **NO_MEANING,
        "columns": fields_of(mapping, beginning),
        "samples": {each.column: each.samples for each in beginning.seen()},
        "mapping": mapping,
        "read": read,
        "has_values": any(row.attributes for row in read),
    }


def _fields_named(mapping: Meaning, name: str, plain: ColumnFields) -> list[ColumnFields]:
    people: list[tuple[Use, str | None]] = [("user", mapping.user), ("visitor", mapping.visitor)]
    found = [msgspec.structs.replace(plain, use=use) for use, column in people if column == name]
    return found + [_shown(column, plain) for column in mapping.columns if column.column == name]


def _shown(column: Column, plain: ColumnFields) -> ColumnFields:
    kept = msgspec.json.encode(column).decode()
    shown = msgspec.structs.replace(plain, kept=kept)
    match column:
        case TagColumn():
            return msgspec.structs.replace(shown, use="tag", steps=",".join(column.steps))
        case ListColumn():
            steps = ",".join(column.steps)
            return msgspec.structs.replace(shown, use="list", separator=column.separator, steps=steps)
        case ValueColumn():
            nothing = "; ".join(cell for cell, tag in column.values.items() if not tag)
            steps = ",".join(column.steps)
            return msgspec.structs.replace(shown, use="value", below=column.branch, nothing=nothing, steps=steps)
        case FlagColumn():
            return msgspec.structs.replace(shown, use="flag", yes=column.yes, no=column.no)
        case BandsColumn():
            bounds = ", ".join(str(band.to) for band in column.bands if band.to is not None)
            below = column.bands[0].tag.rpartition("/")[0]
            return msgspec.structs.replace(shown, use="bands", below=below, bounds=bounds)
        case AttributeColumn():
            return msgspec.structs.replace(
                shown,
                use="attribute",
                attribute=column.attribute,
                value_type=column.value_type or "",
                separator=column.separator,
            )
        case _:
            assert_never(column)


def read_fields(form: Mapping[str, Sequence[str]]) -> tuple[ColumnFields, ...]:
    """Reads the columns of a form. Raises: ParameterInvalid: the console does not send such a form."""
    columns = zip(*(form.get(name, ()) for name in NAMES), strict=False)
    found = tuple(ColumnFields(**dict(zip(NAMES, column, strict=True))) for column in columns)
    for each in found:
        if each.use not in get_args(Use):
            raise ParameterInvalid("A column has an unknown use.", parameter="use")
        if each.value_type not in TYPES:
            raise ParameterInvalid("A column has an unknown type.", parameter="value_type")
    return found


def mapping_of(
    fields: Sequence[ColumnFields],
    *,
    prefix: str,
    base: Meaning,
    tags: tuple[str, ...] | None = None,
    encoding: Encoding | None = None,
) -> Meaning:
    """Returns the mapping of the fields. Parts that the form does not have, or that are None, come from `base`.

    Raises: MappingInvalid: two columns have the ids of users, or a bound is not a number.
    """
    people: dict[Use, str] = {}
    for each in fields:
        if each.use in ("user", "visitor"):
            if each.use in people:
                both = f"{people[each.use]} and {each.column}"
                raise MappingInvalid(f"Only one column can be {USES[each.use]}, but {both} are.", value=both)
            people[each.use] = each.column
    return Meaning(
        user=people.get("user"),
        visitor=people.get("visitor"),
        columns=tuple(_columns(fields)),
        prefix=prefix,
        tags=base.tags if tags is None else tags,
        unnamed=base.unnamed,
        encoding=base.encoding if encoding is None else encoding,
        header=base.header,
        ignore=base.ignore,
    )


def _columns(fields: Sequence[ColumnFields]) -> Iterator[Column]:
    for each in fields:
        if each.use not in ("ignore", "user", "visitor"):
            kept = _kept(each)
            if kept is not None and msgspec.structs.replace(_shown(kept, each), kept=each.kept) == each:
                yield kept
            else:
                yield _made(each, kept)


def _kept(fields: ColumnFields) -> Column | None:
    """Returns the saved column of the form. Raises: ParameterInvalid."""
    if not fields.kept:
        return None
    try:
        return msgspec.json.decode(fields.kept, type=Column)  # type: ignore[no-any-return]  # A union of structs.
    except msgspec.DecodeError as error:
        raise ParameterInvalid("The saved column in the form is not valid.", parameter="kept") from error


def _made(fields: ColumnFields, kept: Column | None) -> Column:
    """Returns a column that was edited. A value column keeps its tags of single cells, and an attribute its steps."""
    steps: tuple[Way, ...] = _steps(fields.steps)
    match fields.use:
        case "tag":
            return TagColumn(column=fields.column, steps=steps)
        case "list":
            return ListColumn(column=fields.column, separator=fields.separator, steps=steps)
        case "value":
            cells = [cell.strip() for cell in fields.nothing.split(";")]
            base = kept if isinstance(kept, ValueColumn) else ValueColumn(column=fields.column)
            named = {cell: tag for cell, tag in base.values.items() if tag}
            values = {**dict.fromkeys(filter(None, cells), ""), **named}
            return msgspec.structs.replace(base, branch=fields.below.strip(), values=values, steps=steps)
        case "flag":
            return FlagColumn(column=fields.column, yes=fields.yes.strip(), no=fields.no.strip())
        case "bands":
            bands = bands_at(fields.below.strip(), _bounds(fields))
            blank = kept.blank if isinstance(kept, BandsColumn) else ""
            return BandsColumn(column=fields.column, bands=bands, blank=blank)
        case "attribute":
            wanted = next((type for type in ATTRIBUTE_TYPES if type == fields.value_type), None)
            # The form does not show the steps of an attribute.
            kept_steps = kept.steps if isinstance(kept, AttributeColumn) else ("trim",)
            return AttributeColumn(
                column=fields.column,
                attribute=fields.attribute.strip(),
                value_type=wanted,
                separator=fields.separator,
                steps=kept_steps,
            )
        case "ignore" | "user" | "visitor":
            raise AssertionError("only columns with a meaning are made")
        case _:
            assert_never(fields.use)


def _steps(text: str) -> tuple[Way, ...]:
    ways = [way for way in text.split(",") if way]
    found = tuple(known for way in ways for known in get_args(Way) if known == way)
    if len(found) != len(ways):
        raise ParameterInvalid("A column has an unknown step.", parameter="steps")
    return found


def _bounds(fields: ColumnFields) -> list[Decimal]:
    texts = [text for text in fields.bounds.replace(",", " ").replace(";", " ").split() if text]
    for text in texts:
        if not NUMBER.fullmatch(text):
            raise MappingInvalid(f"Column '{fields.column}': the bound '{text}' is not a number.", value=text)
    if not texts:
        raise MappingInvalid(f"Column '{fields.column}' needs at least one bound.", value=fields.column)
    return [Decimal(text) for text in texts]
