"""Reads one event from a line of NDJSON or an item of a JSON body, or finds exactly what is wrong with it.

A usual event is decoded by msgspec in one step. All other events take the slower way, which reports more.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, NoReturn, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.base.text import printable
from tagloom.base.times import milliseconds_at
from tagloom.events.event_properties import fault_of_size, size_of_properties
from tagloom.events.problems import EventInvalid, EventTooLarge, EventTypeReserved
from tagloom.files.json_lines import DECODE_ERRORS, head, line_fault, too_long
from tagloom.files.json_objects import object_of
from tagloom.files.json_values import Unfit, decoder, id_of
from tagloom.files.part_columns import LineFault
from tagloom.words import limits as words_limits
from tagloom.words.events import (
    EVENTS_BEGIN,
    FIXED_TYPES,
    RESERVED_CATEGORIES,
    TIMES_END,
    Event,
    EventType,
    parse_event_type,
)
from tagloom.words.people import KINDS, Kind, Person
from tagloom.words.person_ids import is_no_id, parse_id
from tagloom.words.problems import EventTypeInvalid, PersonIdInvalid
from tagloom.words.tags import nearest

Id: TypeAlias = str | int | UnsetType | None
Text: TypeAlias = str | UnsetType | None

_FIELDS = ("user", "visitor", "event", "properties", "at", "id", "original_at", "sent_at", "received_at", "version")
_TIMES = ("at", "original_at", "sent_at")
# The names that other products use for these fields.
_NAMES_OF_OTHERS = {
    "anonymousId": "visitor",
    "distinct_id": "user",
    "messageId": "id",
    "name": "event",
    "timestamp": "at",
    "time": "at",
    "type": "event",
    "userId": "user",
}
_NO_PROPERTIES = b"{}"
_SPACES = b" \t\r\n"
Time: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)] | UnsetType | None
_TYPES_KNOWN_MAX = 20_000  # Twice as many as an environment can have.


class _EventLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    user: Id = UNSET
    visitor: Id = UNSET
    event: Text = UNSET
    properties: msgspec.Raw | UnsetType = UNSET
    at: Time = UNSET
    id: Id = UNSET
    original_at: Time = UNSET
    sent_at: Time = UNSET
    # An export has these fields. A recorded event gets its own.
    received_at: Text = UNSET
    version: int | UnsetType | None = UNSET


class EventReader:
    """A reader of the events of one body.

    `now` is in milliseconds since 1970. It is the time of events without a time. `new_id` makes the ids of events
    without an id.
    """

    def __init__(self, *, now: int, new_id: Callable[[], str]) -> None:
        self._now = now
        self._new_id = new_id
        self._usual = msgspec.json.Decoder(_EventLine)
        self._exact = decoder()
        self._types: dict[str, EventType] = {}

    def event(self, text: bytes, number: int) -> Event:
        """Reads an event. Raises: LineFault."""
        if len(text) > words_limits.LINE_BYTES_MAX:
            raise too_long(text, number)
        try:
            line = self._usual.decode(text)
        except DECODE_ERRORS as error:
            self._explain(text, number, error)
        properties, fields = self._properties(line.properties, text, number)
        # If there are more colons after quotes than fields, a field occurs twice or a text contains such a colon.
        if text.translate(None, _SPACES).count(b'":') != fields + _count(line):
            object_of(text, number, self._exact)
        person, visitor = _people(line, text, number)
        return Event(
            person=person,
            visitor=visitor,
            # The sender has an access token, which can write events of every user.
            is_proven=person.kind == "user",
            type=self._type(line.event, text, number),
            at=_milliseconds(line.at, number) if isinstance(line.at, datetime) else self._now,
            id=self._new_id() if line.id is UNSET or line.id is None else _event_id(line.id, number),
            properties=properties,
            original_at=_find_milliseconds(line.original_at, number, "original_at"),
            sent_at=_find_milliseconds(line.sent_at, number, "sent_at"),
        )

    def _properties(self, raw: msgspec.Raw | UnsetType, text: bytes, number: int) -> tuple[bytes, int]:
        """Returns the properties as they were written, and the number of their fields on all levels."""
        if isinstance(raw, UnsetType):
            return _NO_PROPERTIES, 0
        written = bytes(raw)
        if written == b"null":
            return _NO_PROPERTIES, 0
        if len(written) > words_limits.EVENT_BYTES_MAX:
            says = f"has properties of {len(written):,} bytes; at most {words_limits.EVENT_BYTES_MAX:,} are allowed"
            raise LineFault(EventTooLarge(f"Line {number} {says}."), head(text))
        try:
            found = msgspec.json.decode(written)
        except (*DECODE_ERRORS, ValueError) as error:
            self._explain(text, number, error)
        if not isinstance(found, dict):
            raise _fault(number, "has 'properties' that are no object", head(written))
        size = size_of_properties(found, written)
        if says := fault_of_size(size):
            raise _fault(number, says, head(text))
        return written, size.fields

    def _type(self, written: Text, text: bytes, number: int) -> EventType:
        if not isinstance(written, str):
            raise _fault(number, "has no 'event'", head(text))
        found = self._types.get(written)
        if found is None:
            found = _type_of(written)
            if len(self._types) < _TYPES_KNOWN_MAX:
                self._types[written] = found
        return found

    def _explain(self, text: bytes, number: int, error: Exception) -> NoReturn:
        """Raises: LineFault, with the reason for which a line has not the usual form."""
        found = object_of(text, number, self._exact)
        for name, value in found.items():
            if name not in _FIELDS:
                near = nearest(name, _FIELDS)
                suggestion = _NAMES_OF_OTHERS.get(name) or (near[0] if near else None)
                raise _fault(number, f"has the unknown field '{printable(name)}'", name, suggestion=suggestion)
            if name in KINDS or name == "id":
                _text_of_id(value, name, number)
            elif name == "version":
                if type(value) is not int and value is not None:
                    raise _fault(number, "has 'version' that is no whole number", _shown(value))
            elif name != "properties" and not isinstance(value, str | None):
                raise _fault(number, f"has '{name}' that is no text", _shown(value))
            elif name in _TIMES:
                _check_time(value, number, name)
        # What is left is a number that is out of the range of a double, or a whole number of thousands of digits.
        raise line_fault(text, number, f"cannot be read: {printable(str(error))}") from error


def _count(line: _EventLine) -> int:
    """Returns the number of fields of a line."""
    fields = (
        *(line.user, line.visitor, line.event, line.properties, line.at, line.id),
        *(line.original_at, line.sent_at, line.received_at, line.version),
    )
    return len(fields) - fields.count(UNSET)


def _people(line: _EventLine, text: bytes, number: int) -> tuple[Person, str | None]:
    """Returns the person of a line, and the visitor that it names beside a user. Raises: LineFault."""
    user, visitor = _find_id(line.user, "user", number), _find_id(line.visitor, "visitor", number)
    if user is None:
        if visitor is None:
            raise _fault(number, "names neither a user nor a visitor", head(text))
        return Person("visitor", visitor), None
    if visitor is not None:
        # Without this check, one such id would link different people.
        for kind, id in (("user", user), ("visitor", visitor)):
            if is_no_id(id):
                raise _fault(number, f"names a user and a visitor, but '{printable(id)}' is no id of a {kind}", id)
    return Person("user", user), visitor


def _find_id(written: Id, kind: Kind, number: int) -> str | None:
    """Returns the id of a person, or None if there is none. Raises: LineFault."""
    if written is UNSET or written is None:
        return None
    id = _text_of_id(written, kind, number)
    try:
        return parse_id(id, field=kind)
    except PersonIdInvalid as problem:
        raise LineFault(problem, id) from problem


def _text_of_id(value: Any, field: str, number: int) -> str:
    """Returns an id as text. Raises: LineFault."""
    if isinstance(value, str):
        return value
    try:
        return id_of(value)
    except Unfit as unfit:
        raise _fault(number, f"has a '{field}' that {unfit}", _shown(value)) from unfit


def _event_id(value: str | int, number: int) -> str:
    """Returns the id of an event. Raises: LineFault."""
    id, most = _text_of_id(value, "id", number), words_limits.CHARACTERS_PER_EVENT_ID_MAX
    if not 1 <= len(id) <= most or not id.isprintable():
        says = f"has an 'id' of {len(id)} characters; an id has 1 to {most} characters without controls"
        raise _fault(number, says, id)
    return id


def _type_of(written: str) -> EventType:
    """Returns a type that clients can send. Raises: LineFault."""
    try:
        found = parse_event_type(written)
    except EventTypeInvalid as problem:
        # A suggestion that would be rejected, too, does not help.
        _check_category(str(problem.members["suggestion"]), written)
        raise LineFault(problem, written) from problem
    _check_category(found, written)
    return found


def _check_category(type: str, written: str) -> None:
    """Raises: LineFault: the category of a type is reserved."""
    category = type.partition("/")[0]
    if category in RESERVED_CATEGORIES and type not in FIXED_TYPES:
        reserved = ", ".join(sorted(RESERVED_CATEGORIES))
        says = f"'{printable(type)}' is of the category '{category}'. Tagloom reserves the categories {reserved}."
        raise LineFault(EventTypeReserved(says), written)


def _check_time(written: str | None, number: int, field: str) -> None:
    """Raises: LineFault: a text is no time."""
    try:
        msgspec.convert(written, Time)
    except msgspec.ValidationError as error:
        says = f"has '{field}' that is no RFC 3339 time with a zone, such as 2026-03-01T09:00:00Z"
        raise _fault(number, says, str(written)) from error


def _find_milliseconds(moment: datetime | UnsetType | None, number: int, field: str) -> int | None:
    """Returns a time in milliseconds since 1970, or None if there is none. Raises: LineFault."""
    if not isinstance(moment, datetime):
        return None
    found = milliseconds_at(moment)
    if found >= TIMES_END:
        raise _fault(number, f"has '{field}' after the year 9999 in UTC", moment.isoformat())
    return found


def _milliseconds(moment: datetime, number: int) -> int:
    """Returns a time in milliseconds since 1970. Raises: LineFault."""
    found = milliseconds_at(moment)
    if found < EVENTS_BEGIN:
        raise _fault(number, "has 'at' before the year 2000", moment.isoformat())
    if found >= TIMES_END:
        raise _fault(number, "has 'at' after the year 9999 in UTC", moment.isoformat())
    return found


def _fault(number: int, says: str, value: str, **members: str | None) -> LineFault:
    return LineFault(EventInvalid(f"Line {number} {says}.", **members), value)


def _shown(value: Any) -> str:
    """Returns a value as bounded JSON."""
    if isinstance(value, dict | list):
        return "{…}" if isinstance(value, dict) else "[…]"
    return printable(value if isinstance(value, str) else str(value).lower())
