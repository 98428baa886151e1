"""Events: what an end user did in the app, and the parsing of event types.

The type of an event has a category and an action: `ad/clicked`. Both are levels as in a tag path.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple, NewType

import msgspec

from tagloom.base.text import printable
from tagloom.words import limits
from tagloom.words.changes import Version
from tagloom.words.people import Person
from tagloom.words.problems import EventTypeInvalid, TagProblem
from tagloom.words.tags import is_tag, parse_tag

EventType = NewType("EventType", str)
"""A string that `parse_event_type` returned: a category and an action, joined by `/`."""

DAY_MS = 86_400_000
EVENTS_BEGIN = 946_684_800_000  # The begin of the year 2000, in milliseconds since 1970. No event is older.
TIMES_END = 253_402_300_800_000  # The end of the year 9999, in milliseconds since 1970. No later time can be shown.
RESERVED_CATEGORIES = frozenset({"group", "identity", "session", "tagloom"})
ALIASED = EventType("identity/aliased")
"""The type of an event that says that two ids mean one person."""
# The types of messages without a name. They are recorded whatever number of types an environment has.
FIXED_TYPES = frozenset(
    map(
        EventType,
        ("group/identified", "identity/aliased", "identity/identified", "page/viewed", "screen/viewed"),
    )
)
_PLAIN = re.compile(r"[a-z0-9_.-]{1,64}/[a-z0-9_.-]{1,64}")
# A word of a name: an acronym before a capitalized word, a capitalized or lower-case word, or digits.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[^\W\d_]?[^\W\d_A-Z]+|[A-Z]|\d+")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. Times are in milliseconds since 1970, in UTC.

    `at` is when the event happened. `original_at` is the time that the sender gave, if it was corrected. `sent_at` is
    when the sender sent the event, by the sender's clock. `id` identifies the message: an event with the id of an
    event of the last EVENT_ID_DAYS days is a repeat. `properties` is a JSON object. `attributes` are values of
    attributes that the event sets, as JSON by name; None removes a value. `derived` are texts of built-in attributes
    from the context of the event, by name; None removes a value. `visitor` is the id of a visitor that the event names
    beside its user: the visitor is the same person. `is_proven` tells that the sender proved the id of the user.
    """

    person: Person
    type: EventType
    at: int
    id: str
    properties: bytes = b"{}"
    original_at: int | None = None
    sent_at: int | None = None
    attributes: Mapping[str, Any] = {}
    visitor: str | None = None
    is_proven: bool = False
    derived: Mapping[str, str | None] = {}


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of one person in the log. `version` is the version that recorded it, at `received_at`."""

    type: EventType
    at: int
    id: str
    properties: bytes
    received_at: int
    version: Version
    original_at: int | None = None
    sent_at: int | None = None


class PersonEvent(NamedTuple):
    """A recorded event and its person."""

    person: Person
    event: RecordedEvent


class EventTypeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An event type, the number of its events, and the times of the first and the last one."""

    type: EventType
    events: int
    first_at: int
    last_at: int


def day_of(at: int) -> int:
    """Returns the day of a time in milliseconds, in days since 1970. Days are those of UTC."""
    return at // DAY_MS


def parse_event_type(text: str) -> EventType:
    """Returns the type of a text, in NFC.

    >>> parse_event_type("ad/clicked")
    'ad/clicked'

    Raises: EventTypeInvalid.
    """
    if _PLAIN.fullmatch(text):
        return EventType(text)
    try:
        path = parse_tag(text)
    except TagProblem as problem:
        raise _invalid(text) from problem
    if path.count("/") != 1:
        raise _invalid(text)
    return EventType(path)


def _invalid(text: str) -> EventTypeInvalid:
    suggestion = find_event_type(text)
    remedy = "" if suggestion is None else f" Use '{suggestion}'."
    return EventTypeInvalid(
        f"'{printable(text)}' is not a category and an action joined by '/', by the rules of tags.{remedy}",
        value=printable(text),
        suggestion=suggestion,
    )


def find_event_type(name: str) -> EventType | None:
    """Returns the type of an event name as trackers send it, or None if the name has no letter or digit.

    The first word is the category, and the other words are the action. A name of one word gets the category `event`. A
    name that is a type already stays as it is.

    >>> find_event_type("Product List Viewed"), find_event_type("adClicked"), find_event_type("Signup")
    ('product/list-viewed', 'ad/clicked', 'event/signup')
    """
    if name.count("/") == 1 and is_tag(name):
        return EventType(parse_tag(name))
    text = unicodedata.normalize("NFC", name[: 4 * limits.CHARACTERS_PER_LEVEL_MAX])
    words = [unicodedata.normalize("NFC", word.lower()) for word in _WORD.findall(text)]
    if not words:
        return None
    category, action = (words[0], "-".join(words[1:])) if len(words) > 1 else ("event", words[0])
    most = limits.CHARACTERS_PER_LEVEL_MAX
    return parse_event_type(f"{category[:most]}/{action[:most].rstrip('-')}")
