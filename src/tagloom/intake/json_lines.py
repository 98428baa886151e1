"""One line of NDJSON, or one item of a JSON body: what it says, or exactly what is wrong with it.

A line is good when msgspec decodes it and no field comes twice. The reasons why another one is not are found by
the standard library's slower reader, which tells more.
"""

import json
import re
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from tagloom import limits, problems
from tagloom.expiry import ExpiryInvalid, Said, said_of
from tagloom.intake.columns import Line, LineFault, key_of
from tagloom.mappings import REASON_FIELD
from tagloom.model import Kind
from tagloom.tags import nearest, parse_tag, printable

_VALUE_BYTES = 1_000  # More than VALUE_CHARACTERS_MAX of any script.
_FIELD = re.compile(rb'"\s*:')
_SURROGATE = re.compile("[\ud800-\udfff]")
_PERSON = re.compile(rb'"(user|visitor)"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
_KINDS: tuple[Kind, Kind] = ("user", "visitor")
_ENDS = ("expires_at", "ttl")
# What msgspec raises for a line that it does not take.
DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Tagged(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of every mode but `change`."""

    tags: list[str]
    user: str | UnsetType = UNSET
    visitor: str | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET
    ttl: str | UnsetType = UNSET
    # Why the line was rejected once; see REASON_FIELD.
    tagloom_rejected: msgspec.Raw | UnsetType = UNSET


class Changed(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of mode `change`."""

    user: str | UnsetType = UNSET
    visitor: str | UnsetType = UNSET
    add: list[str] | UnsetType = UNSET
    remove: list[str] | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET
    ttl: str | UnsetType = UNSET
    tagloom_rejected: msgspec.Raw | UnsetType = UNSET


Decoded: TypeAlias = Tagged | Changed


class LineReader:
    """Reads the lines of one body, of mode `change` or of the others. `now` is in Unix seconds."""

    def __init__(self, *, allow_change: bool, now: float) -> None:
        self._now = now
        self._lists = ("add", "remove") if allow_change else ("tags",)
        form: Any = Changed if allow_change else Tagged
        self.decoder: msgspec.json.Decoder[Decoded] = msgspec.json.Decoder(form)

    def line(self, text: bytes, number: int) -> Line:
        """What the line says. Raises: LineFault."""
        if len(text) > limits.LINE_BYTES_MAX:
            raise too_long(text, number)
        try:
            decoded = self.decoder.decode(text)
        except DECODE_ERRORS as error:
            self._check(text, number)
            raise _fault(text, number, f"cannot be read: {printable(str(error))}") from error
        lists = _lists(decoded)
        fields = (decoded.user is not UNSET) + (decoded.visitor is not UNSET) + len(lists)
        fields += (decoded.expires_at is not UNSET) + (decoded.ttl is not UNSET)
        # More colons than fields: one comes twice, or a text holds one too.
        is_sure = len(_FIELD.findall(text)) == fields and all(len(each) <= limits.TAGS_PER_LINE_MAX for each in lists)
        if not is_sure or not lists or (decoded.user is UNSET) == (decoded.visitor is UNSET):
            self._check(text, number)
        # One of the two is there, or the check would have spoken.
        key = _key("user", decoded.user) if isinstance(decoded.user, str) else _key("visitor", str(decoded.visitor))
        end = self._end(decoded, key)
        if isinstance(decoded, Tagged):
            return Line(number, key, decoded.tags, (), end)
        return Line(number, key, decoded.add or (), decoded.remove or (), end)

    def _end(self, decoded: Decoded, key: bytes) -> Said:
        """What the line says of the end of what it gives. Raises: LineFault."""
        try:
            return self.said(decoded)
        except ExpiryInvalid as problem:
            raise LineFault(problem, str(problem.members.get("value", decoded.ttl)), [key]) from problem

    def said(self, decoded: Decoded) -> Said:
        """What a decoded line says of ends. Raises: ExpiryInvalid."""
        if decoded.expires_at is UNSET and decoded.ttl is UNSET:
            return 0
        expires_at = None if decoded.expires_at is UNSET else decoded.expires_at
        return said_of(expires_at, None if decoded.ttl is UNSET else decoded.ttl, self._now)

    def _check(self, text: bytes, number: int) -> None:
        """Raises: LineFault, unless the line is good."""
        said = _Said(number, text, _pairs(text, number))
        names = [name for name, _ in said.pairs]
        for name in names:
            if name not in (*_KINDS, *self._lists, *_ENDS, REASON_FIELD):
                near = nearest(name, [*_KINDS, *self._lists, *_ENDS])
                expected = " and ".join(f"'{each}'" for each in self._lists)
                says = f"has the unknown field '{printable(name)}'; the tags of a line are in {expected} here"
                raise said.fault(says, name, suggestion=near[0] if near else None)
            if names.count(name) > 1:
                raise said.fault(f"has the field '{name}' more than once", name)
        fields = dict(said.pairs)
        kinds = [kind for kind in _KINDS if kind in fields]
        if len(kinds) != 1:
            raise said.fault("names both a user and a visitor" if kinds else "names neither a user nor a visitor", None)
        if not any(name in fields for name in self._lists):
            raise said.fault("lacks " + " and ".join(f"'{name}'" for name in self._lists), None)
        id = fields[kinds[0]]
        if not isinstance(id, str):
            raise said.fault(f"has a '{kinds[0]}' that is no text", id)
        _key(kinds[0], id)
        for name in _ENDS:
            if not isinstance(fields.get(name, ""), str):
                raise said.fault(f"has '{name}' that is no text", fields[name])
        for name in self._lists:
            _check_tags(said, name, fields.get(name, []))


class _Said(NamedTuple):
    """A line that is a JSON object, by its fields in order."""

    number: int
    text: bytes
    pairs: list[tuple[str, object]]

    def fault(self, says: str, value: object, **members: str | None) -> LineFault:
        """`value` None shows the line itself."""
        held = []
        for kind, id in self.pairs:
            if kind in ("user", "visitor") and isinstance(id, str):
                with suppress(LineFault):
                    held.append(_key("user" if kind == "user" else "visitor", id))
        shown = _head(self.text) if value is None else value if isinstance(value, str) else _shown(value)
        return LineFault(problems.LineInvalid(f"Line {self.number} {says}.", **members), shown, held)


class _Pairs(list[tuple[str, object]]):
    """A JSON object, with every one of its fields, however often it comes."""


def _pairs(text: bytes, number: int) -> _Pairs:
    """Raises: LineFault, when the line is no JSON object."""
    try:
        found = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_Pairs,
            parse_int=str.encode,
            parse_float=str.encode,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise _fault(text, number, f"is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise _fault(text, number, f"is not JSON at character {error.pos}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise _fault(text, number, "is not JSON, or is nested too deeply") from error
    if not isinstance(found, _Pairs):
        raise _fault(text, number, "is no JSON object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _check_tags(said: _Said, name: str, tags: object) -> None:
    """Raises: LineFault."""
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
            except problems.TagProblem as problem:
                raise LineFault(problem, tag, said.fault("", None).held) from problem


def too_long(text: bytes, number: int) -> LineFault:
    """Why a line is left out that has more than LINE_BYTES_MAX, of which these are the first bytes."""
    says = f"Line {number} has more than {limits.LINE_BYTES_MAX} bytes."
    return LineFault(problems.LineTooLong(says), _head(text), _keys_named_in(text))


def _fault(text: bytes, number: int, says: str) -> LineFault:
    return LineFault(problems.LineInvalid(f"Line {number} {says}."), _head(text), _keys_named_in(text))


def _keys_named_in(text: bytes) -> list[bytes]:
    """The people whom the line seems to name, though it cannot be read: better one too many is held than one lost."""
    held = []
    for kind, quoted in _PERSON.findall(text):
        with suppress(LineFault, *DECODE_ERRORS):
            held.append(_key("user" if kind == b"user" else "visitor", msgspec.json.decode(quoted, type=str)))
    return held


def _key(kind: Kind, id: str) -> bytes:
    """Raises: LineFault."""
    try:
        return key_of(kind, id)
    except problems.PersonIdInvalid as problem:
        raise LineFault(problem, id) from problem


def _lists(decoded: Decoded) -> list[list[str]]:
    if isinstance(decoded, Tagged):
        return [decoded.tags]
    return [each for each in (decoded.add, decoded.remove) if not isinstance(each, UnsetType)]


def _head(text: bytes) -> str:
    return text[:_VALUE_BYTES].decode("utf-8", "replace").strip()


def _shown(value: object) -> str:
    """A value as JSON, bounded; numbers are kept as they were written."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, _Pairs):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return "[…]" if value else "[]"
    return json.dumps(value)
