"""Reads bodies of the tracking API of Segment, as the client libraries of Segment and RudderStack send them.

A body is one message, or an object with a list `batch` of messages. A message that cannot be recorded is rejected
alone. Each message becomes one event:

| message | event |
|---|---|
| `track` | the type of its name, with its properties |
| `page`, `screen` | `page/viewed`, `screen/viewed`, with its properties, its name and its category |
| `identify`, `group` | `identity/identified`, `group/identified`, with its traits |
| `alias` | `identity/aliased`, with the previous id |

A message with the ids of a user and of a visitor is an event of the user that names the visitor.
"""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias, assert_never, get_args

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.base.problems import BodyInvalid, BodyTooLarge, Problem
from tagloom.base.text import printable
from tagloom.base.times import milliseconds_at
from tagloom.events.event_properties import PropertiesSize, fault_of_size, size_of_properties
from tagloom.files.json_lines import HALF
from tagloom.tracking import limits
from tagloom.tracking.identity_proof import Outcome, Proof, Unproven
from tagloom.tracking.problems import MessageInvalid, MessageTooLarge, UserIdNotProven
from tagloom.words import limits as words_limits
from tagloom.words.attributes import flattened
from tagloom.words.events import EVENTS_BEGIN, RESERVED_CATEGORIES, TIMES_END, Event, EventType, find_event_type
from tagloom.words.people import Person
from tagloom.words.person_ids import is_no_id, parse_id
from tagloom.words.problems import PersonIdInvalid

MessageType: TypeAlias = Literal["identify", "track", "page", "screen", "group", "alias"]
Call: TypeAlias = MessageType | Literal["batch", "import"]

_MESSAGE_TYPES: Final = frozenset(get_args(MessageType))
_GZIP = b"\x1f\x8b"
_ROUNDED_MS = 1_000  # Some libraries round one of their times to seconds.
_BEGIN = -62_135_596_800_000  # The begin of the year 1, in milliseconds since 1970. A wrong clock can show any time.
_SECONDS_END = 100_000_000_000  # A larger number is in milliseconds. In seconds, it is the year 5138.
_NO_PROPERTIES = PropertiesSize(0, 1)
# A text, or a sign that opens, closes or separates values.
# The quantifiers are possessive, and a text may end with the body, so that the scan of any body takes linear time.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.?+[^"\\]*+)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
_WRITE_KEY = re.compile(rb'"writeKey"\s*+:\s*+"([A-Za-z0-9_-]{1,100})"')

Id: TypeAlias = str | int | None
Time: TypeAlias = str | int | float | None
Object: TypeAlias = msgspec.Raw | UnsetType


class _Envelope(msgspec.Struct, gc=False):
    """The fields of a body beside its messages. A body of one message has no `batch`."""

    batch: list[msgspec.Raw] | None = None
    sentAt: Any = None
    writeKey: Any = None


class _Message(msgspec.Struct, gc=False):
    type: str | None = None
    userId: Id = None
    anonymousId: Id = None
    event: str | None = None
    name: Any = None
    category: Any = None
    properties: Object = UNSET
    traits: Object = UNSET
    context: Object = UNSET
    groupId: Id = None
    previousId: Id = None
    messageId: Id = None
    timestamp: Time = None
    originalTimestamp: Time = None
    sentAt: Any = None


class _Context(msgspec.Struct, gc=False):
    traits: Object = UNSET


class _ProofContext(msgspec.Struct, gc=False):
    identity: Proof | None = None


_ENVELOPES = msgspec.json.Decoder(_Envelope)
_MESSAGES = msgspec.json.Decoder(_Message)
_CONTEXTS = msgspec.json.Decoder(_Context)
_PROOF_CONTEXTS = msgspec.json.Decoder(_ProofContext)
_OBJECTS: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Refusal(NamedTuple):
    """A message that cannot be recorded, as it was sent, with the reason."""

    message: bytes
    problem: Problem


class ProofRules(NamedTuple):
    """How the user ids of messages with a write key are checked.

    `find_fault` returns why a proof does not prove a user id. Without `is_required`, nothing changes but `unproven`.
    """

    find_fault: Callable[[str, Proof | None], Unproven | None]
    is_required: bool


class _Who(NamedTuple):
    """The person of an event, and the visitor that it names beside a user.

    `fault` tells why the user id is not proven. `is_replaced` tells that the visitor took the place of this user.
    """

    person: Person
    visitor: str | None
    is_proven: bool
    fault: Unproven | None = None
    is_replaced: bool = False


class UnprovenMessage(NamedTuple):
    """A message that is recorded although its user id is not proven."""

    message: bytes
    fault: Unproven


class TrackingBody(NamedTuple):
    """The events of a body with the messages that they come from, in order, and the refused messages.

    `proofs` counts the checked user ids by their outcome.
    """

    events: list[Event]
    messages: list[bytes]
    refused: list[Refusal]
    unproven: list[UnprovenMessage]
    proofs: Counter[Outcome]


class _Unread(NamedTuple):
    """The messages of a body, and when the body was sent, by the sender's clock."""

    messages: list[bytes]
    sent_at: int | None


def plain_body(body: bytes, bytes_max: int) -> bytes:
    """Returns a body, decompressed if it begins as gzip does. What the sender declares is often wrong.

    Raises: BodyInvalid; BodyTooLarge: it has more than `bytes_max` bytes, decompressed.
    """
    if body.startswith(_GZIP):
        body = _decompressed(body, bytes_max)
    if len(body) > bytes_max:
        raise BodyTooLarge(f"A body has at most {bytes_max:,} bytes.", bytes_max=bytes_max)
    return body


def _decompressed(body: bytes, bytes_max: int) -> bytes:
    """Returns the content of all gzip members of a body, up to one byte more than `bytes_max`. Raises: BodyInvalid."""
    found = bytearray()
    while body and len(found) <= bytes_max:
        unzipping = zlib.decompressobj(wbits=31)
        try:
            found += unzipping.decompress(body, bytes_max + 1 - len(found))
        except zlib.error as error:
            raise BodyInvalid(f"The body is not gzip: {error}.", rule="gzip") from error
        if len(found) <= bytes_max and not unzipping.eof:
            raise BodyInvalid("The gzip body ends too early.", rule="gzip")
        body = unzipping.unused_data
    return bytes(found)


def find_write_key(body: bytes) -> str | None:
    """Returns the write key in a decompressed body, or None. The body need not be whole."""
    try:
        found = _ENVELOPES.decode(body).writeKey
    except _DECODE_ERRORS:
        written = _WRITE_KEY.search(body)
        return None if written is None else written[1].decode("ascii")
    return found if isinstance(found, str) else None


class MessageReader:
    """A reader of the messages of an event source.

    `now` is in milliseconds since 1970. `new_id` makes the ids of messages without an id. `event_types` has the types
    of some event names. Properties named in `ignored` are not recorded. `proof` tells how user ids are checked. Without
    it, they are not checked, and `is_proven` tells whether they are proven in another way. `derive` returns the
    built-in attributes of a context; without it, none are derived.
    """

    def __init__(
        self,
        *,
        now: int,
        new_id: Callable[[], str],
        event_types: Mapping[str, EventType],
        ignored: frozenset[str],
        proof: ProofRules | None = None,
        is_proven: bool = False,
        derive: Callable[[bytes | None], Mapping[str, str | None]] | None = None,
    ) -> None:
        self._now = now
        self._new_id = new_id
        self._event_types = event_types
        self._ignored = ignored
        self._proof = proof
        self._is_proven = is_proven
        self._derive = derive

    def read(self, body: bytes, call: Call) -> TrackingBody:
        """Reads a decompressed body. A message that cannot be recorded is refused alone.

        Raises: BodyInvalid, BodyTooLarge.
        """
        unread = _unread(body)
        found = TrackingBody([], [], [], [], Counter())
        for text in unread.messages:
            try:
                event = self._event(text, call, unread.sent_at, found)
            except Problem as problem:
                found.refused.append(Refusal(text, problem))
            else:
                found.events.append(event)
                found.messages.append(text)
        return found

    def _event(self, text: bytes, call: Call, sent_at: int | None, body: TrackingBody) -> Event:
        """Returns the event of a message, and adds the result of its proof to the body.

        Raises: MessageInvalid, MessageTooLarge, PersonIdInvalid, UserIdNotProven.
        """
        if len(text) > limits.TRACKING_MESSAGE_BYTES_MAX:
            raise MessageTooLarge(
                f"The message has {len(text):,} bytes; at most {limits.TRACKING_MESSAGE_BYTES_MAX:,} are allowed."
            )
        try:
            message = _MESSAGES.decode(text)
        except _DECODE_ERRORS as error:
            raise MessageInvalid(f"The message cannot be read: {_reason(error, text)}.") from error
        sent = _sent(message.sentAt)
        at, original = self._times(message, sent_at if sent is None else sent, is_import=call == "import")
        if not EVENTS_BEGIN <= at < TIMES_END:
            raise MessageInvalid("The time of the message is not between the years 2000 and 9999.")
        type = _message_type(message, call)
        who = self._who(message, type, body)
        event = Event(
            person=who.person,
            visitor=who.visitor,
            is_proven=who.is_proven,
            type=self._event_type(message, type),
            at=at,
            id=self._new_id() if message.messageId in (None, "") else _message_id(message.messageId),
            properties=self._properties(message, type),
            original_at=original,
            sent_at=sent_at if sent is None else sent,
            attributes=self._attributes(message) if type == "identify" and not who.is_replaced else {},
            derived={} if self._derive is None else self._derive(_written(message.context)),
        )
        if who.fault is not None:
            body.unproven.append(UnprovenMessage(text, who.fault))
        return event

    def _who(self, message: _Message, type: MessageType, body: TrackingBody) -> _Who:
        """Returns the people of a message after the check of its user id, and counts the outcome in the body.

        Raises: MessageInvalid, PersonIdInvalid, UserIdNotProven.
        """
        person, visitor = _people(message, type)
        if person.kind == "visitor" or self._proof is None:
            return _Who(person, visitor, is_proven=self._is_proven and person.kind == "user")
        fault = self._proof.find_fault(person.id, _proof(message))
        body.proofs["valid" if fault is None else fault.outcome] += 1
        if fault is None or not self._proof.is_required:
            return _Who(person, visitor, is_proven=fault is None, fault=fault)
        if visitor is None:
            raise UserIdNotProven(f"The user id of the message is not proven, and it names no visitor. {fault.detail}")
        return _Who(Person("visitor", visitor), None, is_proven=False, fault=fault, is_replaced=True)

    def _attributes(self, message: _Message) -> dict[str, Any]:
        """Returns the attributes that an `identify` message sets: its traits. Nested traits have names with dots."""
        return flattened(
            {name: value for name, value in _object(_traits(message)).items() if name not in self._ignored}
        )

    def _times(self, message: _Message, sent: int | None, *, is_import: bool) -> tuple[int, int | None]:
        """Returns the time of an event, and the time that the sender gave if it was corrected.

        If the sender's clock is wrong, the time is corrected by the difference at which the message was sent.
        """
        original = _time("originalTimestamp", message.originalTimestamp)
        if original is None:
            original = _time("timestamp", message.timestamp)
        if original is None:
            return self._now, None
        if sent is None or is_import or original > sent + _ROUNDED_MS:
            return original, None
        off = self._now - sent
        if abs(off) <= 1_000 * limits.CLOCK_SECONDS_OFF_MAX:
            return original, None
        return original + off, original

    def _event_type(self, message: _Message, type: MessageType) -> EventType:
        match type:
            case "track":
                name = message.event
                if not name:
                    raise MessageInvalid("The message has no 'event'.")
                return self._event_types.get(name) or _type_of_name(name[: limits.CHARACTERS_PER_EVENT_NAME_MAX])
            case "page" | "screen":
                return EventType(f"{type}/viewed")
            case "identify":
                return EventType("identity/identified")
            case "group":
                return EventType("group/identified")
            case "alias":
                return EventType("identity/aliased")
            case _:
                assert_never(type)

    def _properties(self, message: _Message, type: MessageType) -> bytes:
        """Returns the properties of the event of a message as JSON: as they were sent, if possible."""
        written, more = _written(message.properties), dict[str, Any]()
        match type:
            case "track":
                pass
            case "page" | "screen":
                more = {"name": _scalar("name", message.name), "category": _scalar("category", message.category)}
            case "identify":
                written = _traits(message)
                more = {"anonymousId": message.anonymousId}
            case "group":
                written = _traits(message)
                more = {"groupId": message.groupId}
            case "alias":
                more = {"previousId": message.previousId}
            case _:
                assert_never(type)
        found = _object(written)
        added = {name: value for name, value in more.items() if value not in (None, "") and name not in found}
        size = _NO_PROPERTIES if written is None else size_of_properties(found, written)
        # If there are other signs than those of the fields, a field may occur twice, and the last one counts.
        is_plain = written is None or written.count(b'":') == size.fields
        if added or not is_plain or not self._ignored.isdisjoint(found):
            found = {name: value for name, value in {**found, **added}.items() if name not in self._ignored}
            written = msgspec.json.encode(found)
            size = size_of_properties(found, written)
        if says := fault_of_size(size):
            raise MessageInvalid(f"The message {says}.")
        return written if written is not None and found else b"{}"


def _unread(body: bytes) -> _Unread:
    """Returns the messages of a body. Raises: BodyInvalid, BodyTooLarge."""
    envelope, messages = _envelope(body)
    if len(messages) > limits.TRACKING_MESSAGES_PER_BODY_MAX:
        raise BodyTooLarge(
            f"A body has at most {limits.TRACKING_MESSAGES_PER_BODY_MAX:,} messages.",
            rule=f"at most {limits.TRACKING_MESSAGES_PER_BODY_MAX} messages",
        )
    return _Unread(messages, _sent(envelope.sentAt))


def _envelope(body: bytes) -> tuple[_Envelope, list[bytes]]:
    """Returns the fields of a body, and the text of each message. Raises: BodyInvalid."""
    try:
        found = _ENVELOPES.decode(body)
    except _DECODE_ERRORS as error:
        # One bad message must not keep the others from being recorded.
        parts = _parts(body)
        if parts is None:
            raise BodyInvalid(f"The body is not JSON: {printable(str(error))}.", field="$") from error
        rest, messages = parts
        try:
            return _ENVELOPES.decode(rest), messages
        except _DECODE_ERRORS as other:
            raise BodyInvalid(f"The body is not JSON: {printable(str(other))}.", field="$") from other
    if found.batch is None:
        return found, [body]
    return found, [bytes(each) for each in found.batch]


def _parts(body: bytes) -> tuple[bytes, list[bytes]] | None:
    """Returns a body without its messages, and the text of each message. Does not parse the messages.

    Returns None if the body has no list of messages, or does not end.
    """
    begin, starts, ends = -1, list[int](), list[int]()
    depth, name, end = 0, b"", -1
    for token, at in _tokens(body):
        if token in (b"[", b"{"):
            if token == b"[" and depth == 1 and name == b'"batch"' and begin < 0:
                begin = at + 1
                starts.append(begin)
            depth += 1
        elif token in (b"]", b"}"):
            depth -= 1
            if depth == 1 and begin >= 0 and end < 0:
                end = at
                ends.append(at)
        elif token == b",":
            if depth == 2 and begin >= 0 and end < 0:
                ends.append(at)
                starts.append(at + 1)
        elif depth == 1:
            name = token
    if depth or end < 0:
        return None
    messages = [body[start:stop].strip() for start, stop in zip(starts, ends, strict=True)]
    return body[:begin] + body[end:], [] if messages == [b""] else messages


def _tokens(body: bytes) -> Iterator[tuple[bytes, int]]:
    for found in _TOKEN.finditer(body):
        yield found[0], found.start()


def _message_type(message: _Message, call: Call) -> MessageType:
    """Returns the type of a message: its own within a batch, else that of the call. Raises: MessageInvalid."""
    if call != "batch" and call != "import":
        return call
    if message.type not in _MESSAGE_TYPES:
        says = "has no 'type'" if not message.type else f"has the unknown type '{printable(message.type)}'"
        raise MessageInvalid(f"The message {says}. The types are {', '.join(sorted(_MESSAGE_TYPES))}.")
    found: MessageType = message.type  # type: ignore[assignment]  # It is in the set of all types.
    return found


def _people(message: _Message, type: MessageType) -> tuple[Person, str | None]:
    """Returns the person of a message, and the visitor that it names beside a user.

    The person is the user if there is one, else the visitor. For `alias`, the visitor beside the user is the previous
    id. A visitor beside a user is left out if its id is not valid.

    Raises: MessageInvalid, PersonIdInvalid.
    """
    user = _find_id(message.userId)
    if user is None:
        visitor = _find_id(message.anonymousId)
        if visitor is None:
            raise _without_ids(message)
        return Person("visitor", parse_id(visitor, field="anonymousId")), None
    person = Person("user", parse_id(user, field="userId"))
    visitor = _find_id(message.previousId) if type == "alias" else None
    if visitor is None:
        visitor = _find_id(message.anonymousId)
    try:
        return person, None if visitor is None else parse_id(visitor)
    except PersonIdInvalid:
        return person, None


def _find_id(id: Id) -> str | None:
    """Returns an id as text, or None for a text that means that there is none."""
    text = id if isinstance(id, str) else "" if id is None else str(id)
    return None if is_no_id(text) else text


def _without_ids(message: _Message) -> MessageInvalid:
    ids = (("userId", message.userId), ("anonymousId", message.anonymousId))
    refused = [f"'{printable(str(id))}' is no {field}" for field, id in ids if id not in (None, "")]
    because = f": {' and '.join(refused)}" if refused else ""
    return MessageInvalid(f"The message has neither a 'userId' nor an 'anonymousId'{because}.")


def _message_id(id: Id) -> str:
    text, most = str(id), words_limits.CHARACTERS_PER_EVENT_ID_MAX
    if len(text) > most or not text.isprintable():
        raise MessageInvalid(
            f"The 'messageId' has {len(text)} characters; at most {most} without controls are allowed."
        )
    return text


@lru_cache(maxsize=10_000)
def _type_of_name(name: str) -> EventType:
    """Returns the type of an event name. A reserved category becomes a part of the action. Raises: MessageInvalid."""
    found = find_event_type(name)
    if found is None:
        raise MessageInvalid(f"The event name '{printable(name)}' has no letter and no digit.")
    category, _, action = found.partition("/")
    if category not in RESERVED_CATEGORIES:
        return found
    return EventType(f"event/{f'{category}-{action}'[: words_limits.CHARACTERS_PER_LEVEL_MAX].rstrip('-')}")


def _object(written: bytes | None) -> dict[str, Any]:
    """Returns an object as a dict, and an absent one as an empty dict. Raises: MessageInvalid."""
    try:
        return {} if written is None else _OBJECTS.decode(written)
    except _DECODE_ERRORS as error:
        reason = _reason(error, written or b"")
        raise MessageInvalid(f"The properties or traits cannot be read: {reason}.") from error


def _scalar(field: str, value: Any) -> str | int | float | bool | None:
    """Returns a field that is added to the properties. Raises: MessageInvalid: it is an object or a list."""
    if isinstance(value, str | int | float | None):
        return value
    raise MessageInvalid(f"The '{field}' of the message is no text.")


def _reason(error: Exception, text: bytes) -> str:
    """Returns what is wrong with a text that cannot be decoded."""
    if HALF.search(text) and not isinstance(error, msgspec.ValidationError):
        return "it has half of a character, such as \\ud83d"
    if b"NaN" in text or b"Infinity" in text:
        return f"NaN and Infinity are no JSON ({printable(str(error))})"
    return printable(str(error))


def _written(object: Object) -> bytes | None:
    """Returns an object as it was sent, or None if it is absent or null."""
    written = None if isinstance(object, UnsetType) else bytes(object)
    return None if written == b"null" else written


def _traits(message: _Message) -> bytes | None:
    """Returns the traits of a message, or else those in its context. A context that is no object has none."""
    traits, context = _written(message.traits), _written(message.context)
    if traits is not None or context is None:
        return traits
    try:
        return _written(_CONTEXTS.decode(context).traits)
    except _DECODE_ERRORS:
        return None


def _proof(message: _Message) -> Proof | None:
    """Returns the proof in the context of a message, or None if there is none."""
    context = _written(message.context)
    try:
        return None if context is None else _PROOF_CONTEXTS.decode(context).identity
    except _DECODE_ERRORS:
        return None


def _sent(value: Any) -> int | None:
    """Returns when a message was sent, or None if that cannot be read. It only serves to correct other times."""
    try:
        return _time("sentAt", value) if isinstance(value, str | int | float) else None
    except MessageInvalid:
        return None


def _time(field: str, value: Time) -> int | None:
    """Returns a time in milliseconds since 1970, or None if there is none. Raises: MessageInvalid."""
    if value is None or value == "":
        return None
    try:
        found = _milliseconds(value)
    except (ValueError, OverflowError) as error:
        raise MessageInvalid(
            f"'{field}' is no time, such as 2026-03-01T09:00:00Z.", value=printable(str(value))
        ) from error
    if not _BEGIN <= found < TIMES_END:
        raise MessageInvalid(f"'{field}' is not between the years 1 and 9999.", value=printable(str(value)))
    return found


def _milliseconds(value: str | int | float) -> int:
    """Returns a time in milliseconds since 1970. A time without a zone is in UTC. Raises: ValueError, OverflowError."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return milliseconds_at(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    return int(value if abs(value) >= _SECONDS_END else value * 1_000)
