"""Reads one line of NDJSON or one item of a JSON body, or finds exactly what is wrong with the line.

A line is good if msgspec decodes it and no field occurs twice. For other lines, the slower reader of the standard
library finds the reason, because that reader reports more.
"""

import json
import re
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.base.text import printable
from tagloom.files import limits
from tagloom.files.doubtful_people import keys_in_object
from tagloom.files.json_values import (
    DIGITS_MAX,
    LEVELS_MAX,
    Unfit,
    attributes_of,
    decimal_of,
    fields_and_levels,
    id_of,
    long_number,
)
from tagloom.files.part_columns import Line, LineFault, key_of
from tagloom.words import limits as words_limits
from tagloom.words.expiry import ExpiryInvalid
from tagloom.words.mappings import REASON_FIELD
from tagloom.words.people import Kind
from tagloom.words.periods import NO_PERIOD, Period, StartInvalid, period_of
from tagloom.words.problems import LineInvalid, LineTooLong, PersonIdInvalid, TagProblem
from tagloom.words.tags import nearest, parse_tag

_VALUE_BYTES = 1_000  # This is more than VALUE_CHARACTERS_MAX of any script.
FIELD = re.compile(rb'"\s*:')
HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PERSON = re.compile(rb'"(user|visitor)"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
_KINDS: tuple[Kind, Kind] = ("user", "visitor")
_PERIOD_FIELDS = ("starts_at", "expires_at", "ttl")
_ATTRIBUTES = "attributes"
# The errors of msgspec for a line that it cannot decode.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


# Programs that write tables as JSON write null for a blank cell.
Id: TypeAlias = str | int | UnsetType | None
Text: TypeAlias = str | UnsetType | None
Attributes: TypeAlias = dict[str, Any] | UnsetType | None


class Tagged(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of any mode except `change`. It has attributes, and a list of tags or one tag like a row of a table."""

    tags: list[str] | UnsetType = UNSET
    user: Id = UNSET
    visitor: Id = UNSET
    tag: str | UnsetType = UNSET
    starts_at: Text = UNSET
    expires_at: Text = UNSET
    ttl: Text = UNSET
    attributes: Attributes = UNSET
    # The reason of an earlier rejection; see REASON_FIELD.
    tagloom_rejected: msgspec.Raw | UnsetType = UNSET


class Changed(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of mode `change`."""

    user: Id = UNSET
    visitor: Id = UNSET
    add: list[str] | UnsetType = UNSET
    remove: list[str] | UnsetType = UNSET
    starts_at: Text = UNSET
    expires_at: Text = UNSET
    ttl: Text = UNSET
    attributes: Attributes = UNSET
    tagloom_rejected: msgspec.Raw | UnsetType = UNSET


Decoded: TypeAlias = Tagged | Changed


class LineReader:
    """A reader of the lines of one body. `allow_change` selects mode `change`. `now` is in Unix seconds.

    Without `allow_attributes`, a line with attributes is rejected. `period` is the period of the whole body.
    """

    def __init__(
        self, *, allow_change: bool, now: float, allow_attributes: bool = True, period: Period = NO_PERIOD
    ) -> None:
        self._now = now
        self._otherwise = period
        self._allow_attributes = allow_attributes
        self._lists = ("add", "remove") if allow_change else ("tags",)
        self._known = (*_KINDS, *self._lists, *(() if allow_change else ("tag",)), *_PERIOD_FIELDS, _ATTRIBUTES)
        form: Any = Changed if allow_change else Tagged
        self.decoder: msgspec.json.Decoder[Decoded] = msgspec.json.Decoder(form)

    def line(self, text: bytes, number: int) -> Line:
        """Reads a line. Raises: LineFault."""
        if len(text) > words_limits.LINE_BYTES_MAX:
            raise too_long(text, number)
        try:
            decoded = self.decoder.decode(text)
        except DECODE_ERRORS:
            # The line does not have the usual form. The slower reader reads it, or finds what is wrong with it.
            return self._slow_line(text, number)
        lists = _lists(decoded)
        # If there are more colons than fields, a field occurs twice or a text contains a colon after a quote.
        is_sure = len(FIELD.findall(text)) == _fields(decoded) and len(lists) == len(self._lists)
        is_sure &= self._allow_attributes or not isinstance(decoded.attributes, dict)
        user, visitor = decoded.user, decoded.visitor
        is_sure &= (isinstance(user, str) and visitor is UNSET) or (isinstance(visitor, str) and user is UNSET)
        if not is_sure:
            return self._slow_line(text, number)
        if any(len(each) > limits.TAGS_PER_LINE_MAX for each in lists):
            return self._slow_line(text, number)
        key = _key("user", user) if isinstance(user, str) else _key("visitor", str(visitor))
        period = self._period(decoded.starts_at, decoded.expires_at, decoded.ttl, key=key)
        removed = lists[1] if len(lists) > 1 else ()
        if not isinstance(decoded.attributes, dict):
            return Line(number, key, lists[0], removed, period)
        try:
            attributes = attributes_of(decoded.attributes)
        except Unfit:
            return self._slow_line(text, number)
        return Line(number, key, lists[0], removed, period, attributes)

    def _slow_line(self, text: bytes, number: int) -> Line:
        """Reads a line with the slower reader. Raises: LineFault."""
        checked = self._checked(text, number)
        fields, key = dict(checked.pairs), checked.key()
        tags: list[list[str]] = [fields.get(name) or [] for name in self._lists]  # type: ignore[misc]  # Just checked.
        if "tag" in fields:
            tags = [[str(fields["tag"])]]
        starts_at, expires_at, ttl = (
            said if isinstance(said := fields.get(name), str) else None for name in _PERIOD_FIELDS
        )
        removed, period = tags[1] if len(tags) > 1 else (), self._period(starts_at, expires_at, ttl, key=key)
        return Line(number, key, tags[0], removed, period, checked.attributes(allowed=self._allow_attributes))

    def _period(self, starts_at: Text, expires_at: Text, ttl: Text, *, key: bytes) -> Period:
        """Returns the period of the tags that a line adds. Raises: LineFault."""
        try:
            return self.period(starts_at, expires_at, ttl)
        except (ExpiryInvalid, StartInvalid) as problem:
            raise LineFault(problem, str(problem.members.get("value", ttl)), [key]) from problem

    def period(self, starts_at: Text, expires_at: Text, ttl: Text) -> Period:
        """Returns the period that a line has. Raises: ExpiryInvalid, StartInvalid."""
        start, expiry, span = (text if isinstance(text, str) else None for text in (starts_at, expires_at, ttl))
        if start is None and expiry is None and span is None:
            return NO_PERIOD
        return period_of(start, expiry, span, now=self._now, otherwise=self._otherwise)

    def _checked(self, text: bytes, number: int) -> "_Said":
        """Checks a line and returns its fields. Raises: LineFault."""
        said = _Said(number, text, pairs_of(text, number))
        names = [name for name, _ in said.pairs]
        for name in names:
            if name not in self._known and name != REASON_FIELD:
                near = nearest(name, self._known)
                expected = " and ".join(f"'{each}'" for each in self._lists)
                says = f"has the unknown field '{printable(name)}'; the tags of a line are in {expected} here"
                raise said.fault(says, name, suggestion=near[0] if near else None)
            if names.count(name) > 1:
                raise said.fault(f"has the field '{name}' more than once", name)
        fields = dict(said.pairs)
        kinds = [kind for kind in _KINDS if fields.get(kind) is not None]
        if len(kinds) != 1:
            raise said.fault("names both a user and a visitor" if kinds else "names neither a user nor a visitor", None)
        if "tag" in fields and "tags" in fields:
            raise said.fault("has both 'tag' and 'tags'", None)
        if not any(name in fields for name in ("tag", *self._lists)) and fields.get(_ATTRIBUTES) is None:
            raise said.fault("lacks " + " and ".join(f"'{name}'" for name in self._lists), None)
        said.key()
        for name in _PERIOD_FIELDS:
            if not isinstance(fields.get(name), str | None):
                raise said.fault(f"has '{name}' that is no text", fields[name])
        if "tag" in fields:
            _check_tags(said, "tag", [fields["tag"]])
        for name in self._lists:
            _check_tags(said, name, fields.get(name, []))
        said.attributes(allowed=self._allow_attributes)
        return said


class _Said(NamedTuple):
    """A line that is a JSON object, with its fields in order."""

    number: int
    text: bytes
    pairs: list[tuple[str, object]]

    def key(self) -> bytes:
        """Returns the key of the one person that the line names. Raises: LineFault."""
        for kind in _KINDS:
            for name, id in self.pairs:
                if name == kind and id is not None:
                    try:
                        return _key(kind, id_of(_value(id)))
                    except Unfit as unfit:
                        raise self.fault(f"has a '{kind}' that {unfit}", id) from unfit
                    except LineFault as fault:
                        raise LineFault(fault.problem, fault.value, (), keys_in_object(self.text)) from fault
        raise self.fault("names neither a user nor a visitor", None)

    def attributes(self, *, allowed: bool) -> dict[str, Any]:
        """Returns the attributes of the line, with the names of nested fields joined. Raises: LineFault."""
        for name, found in self.pairs:
            if name == _ATTRIBUTES and found is not None:
                if not isinstance(found, _Pairs):
                    raise self.fault(f"has '{_ATTRIBUTES}' that is no object", found)
                if not allowed:
                    says = f"has '{_ATTRIBUTES}', which mode 'remove' does not read. To remove a value, set it to null"
                    raise self.fault(f"{says} in mode 'add'", _ATTRIBUTES)
                try:
                    return attributes_of(_plain(found))
                except Unfit as unfit:
                    raise self.fault(str(unfit), None) from unfit
        return {}

    def fault(self, says: str, value: object, **members: str | None) -> LineFault:
        """Returns a fault of the line. If `value` is None, the fault shows the beginning of the line."""
        held = []
        for kind, id in self.pairs:
            if kind in _KINDS:
                with suppress(LineFault, Unfit):
                    held.append(_key("user" if kind == "user" else "visitor", id_of(_value(id))))
        shown = head(self.text) if value is None else value if isinstance(value, str) else _shown(value)
        problem = LineInvalid(f"Line {self.number} {says}.", **members)
        # A line that names nobody may still be about somebody.
        return LineFault(problem, shown, held, None if held else keys_in_object(self.text))


def _value(found: object) -> object:
    """Converts a value whose numbers were parsed as their texts. Raises: Unfit."""
    if isinstance(found, _Pairs):
        return dict(found)
    if not isinstance(found, bytes):
        return found
    if len(found) > DIGITS_MAX:
        raise Unfit("is a number beyond 2^53, whose last digits may be lost; export ids as text")
    text = found.decode("ascii")
    return int(text) if text.lstrip("-").isdigit() else decimal_of(text)


def _plain(value: object, levels: int = LEVELS_MAX) -> Any:
    """Converts a value of the slower reader to plain values. Raises: Unfit: a field occurs twice, or a limit."""
    if isinstance(value, bytes):
        return _number(value)
    if not isinstance(value, list):
        return value
    if not levels:
        raise Unfit(f"has attributes of more than {LEVELS_MAX} levels")
    if not isinstance(value, _Pairs):
        return [_plain(each, levels - 1) for each in value]
    found: dict[str, Any] = {}
    for name, each in value:
        if name in found:
            raise Unfit(f"has the field '{printable(name)}' more than once")
        found[name] = _plain(each, levels - 1)
    return found


def _number(text: bytes) -> int | float:
    if not text.lstrip(b"-").isdigit():
        return float(text)
    if len(text.lstrip(b"-")) > DIGITS_MAX:
        raise long_number()
    return int(text)


class _Pairs(list[tuple[str, object]]):
    """A JSON object with all its fields, including repeated fields."""


def pairs_of(text: bytes, number: int) -> _Pairs:
    """Parses a JSON object with all its fields. Raises: LineFault: the line is not a JSON object."""
    try:
        found = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_Pairs,
            parse_int=str.encode,
            parse_float=str.encode,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise line_fault(text, number, f"is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise line_fault(text, number, f"is not JSON at character {error.pos}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise line_fault(text, number, "is not JSON, or is nested too deeply") from error
    if not isinstance(found, _Pairs):
        raise line_fault(text, number, "is no JSON object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _check_tags(said: _Said, name: str, tags: object) -> None:
    """Checks the tags of a field. Raises: LineFault."""
    if not isinstance(tags, list) or isinstance(tags, _Pairs):
        raise said.fault(f"has '{name}' that is no list", tags)
    if len(tags) > limits.TAGS_PER_LINE_MAX:
        raise said.fault(f"has {len(tags)} tags in '{name}'; at most {limits.TAGS_PER_LINE_MAX} are allowed", None)
    for tag in tags:
        if not isinstance(tag, str):
            raise said.fault(f"has a tag in '{name}' that is no text", tag)
        if _SURROGATE.search(tag):
            try:
                parse_tag(tag)
            except TagProblem as problem:
                raise LineFault(problem, tag, said.fault("", None).held) from problem


def too_long(text: bytes, number: int) -> LineFault:
    """Returns the fault of a line with more than LINE_BYTES_MAX. `text` may be only the beginning of the line."""
    says = f"Line {number} has more than {words_limits.LINE_BYTES_MAX} bytes."
    held, suspects = _keys_named_in(text), keys_in_object(text)
    return LineFault(LineTooLong(says), head(text), held, suspects, is_cut=True)


def line_fault(text: bytes, number: int, says: str) -> LineFault:
    """Returns the fault of a line that cannot be read."""
    problem = LineInvalid(f"Line {number} {says}.")
    return LineFault(problem, head(text), _keys_named_in(text), keys_in_object(text))


def _keys_named_in(text: bytes) -> list[bytes]:
    """Returns the people that an unreadable line seems to name. Holding too many people is better than losing one."""
    held = []
    for kind, quoted in _PERSON.findall(text):
        with suppress(LineFault, *DECODE_ERRORS):
            held.append(_key("user" if kind == b"user" else "visitor", msgspec.json.decode(quoted, type=str)))
    return held


def _key(kind: Kind, id: str) -> bytes:
    """Returns the key of a person. Raises: LineFault: the id is invalid."""
    try:
        return key_of(kind, id)
    except PersonIdInvalid as problem:
        raise LineFault(problem, id) from problem


def _lists(decoded: Decoded) -> list[list[str]]:
    """Returns the lists of tags of a line: two in mode `change` (tags to add, tags to remove), otherwise one.

    Returns no list if the line has both `tags` and `tag`, or has neither field of tags and no attributes.
    """
    has_attributes = isinstance(decoded.attributes, dict)
    if isinstance(decoded, Changed):
        if decoded.add is UNSET and decoded.remove is UNSET and not has_attributes:
            return []
        return [[] if isinstance(each, UnsetType) else each for each in (decoded.add, decoded.remove)]
    if isinstance(decoded.tags, UnsetType):
        if isinstance(decoded.tag, UnsetType):
            return [[]] if has_attributes else []
        return [[decoded.tag]]
    return [decoded.tags] if isinstance(decoded.tag, UnsetType) else []


def _fields(decoded: Decoded) -> int:
    """Counts the fields of a line and of its attributes, without the reason of an earlier rejection."""
    common = (decoded.user, decoded.visitor, decoded.starts_at, decoded.expires_at, decoded.ttl, decoded.attributes)
    lists = (decoded.tags, decoded.tag) if isinstance(decoded, Tagged) else (decoded.add, decoded.remove)
    inner = fields_and_levels(decoded.attributes)[0] if isinstance(decoded.attributes, dict) else 0
    return inner + sum(each is not UNSET for each in (*common, *lists))


def head(text: bytes) -> str:
    return text[:_VALUE_BYTES].decode("utf-8", "replace").strip()


def _shown(value: object) -> str:
    """Returns a value as bounded JSON; numbers stay as they were written."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, _Pairs):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return "[…]" if value else "[]"
    return json.dumps(value)
