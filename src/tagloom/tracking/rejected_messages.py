"""Stores the messages of event sources that were rejected, some at a time, in a thread of every serving process."""

import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from tagloom.base.limits import PAGE_ITEMS_MAX
from tagloom.base.times import rfc3339
from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports.event_sources import EventSourceStore, RejectedIn
from tagloom.tracking import limits
from tagloom.words.event_sources import RejectedMessage
from tagloom.words.people import Person

_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3_600
# A key in a message. Rejected messages are shown to people who may not know it.
_KEY = re.compile(r"\bt[wsit]_[A-Za-z0-9_-]{20,}")
# The fields with a key, or with the proof of a user id.
_SECRET_FIELD = re.compile(r'("(?:writeKey|hmac|token)"\s*+:\s*+)"[^"]*+"?')
_HIDDEN = "(key)"
# Controls, and signs that are invisible or change the direction of a text.
_CONTROLS = re.compile(r"[^\x20-\x7e\xa1-\u200a\u2010-\u2027\u202f-\u205f\u2070-\ud7ff\ue000-\U0010ffff]")
_OBJECT_FIELDS = ("properties", "traits")
_ID_FIELDS = ("userId", "anonymousId", "previousId")


class RejectedMessages:
    """A job that stores rejected messages, and deletes old ones. Of each source, only the newest wait.

    `now` returns Unix seconds.
    """

    def __init__(self, store: EventSourceStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._waiting: dict[tuple[int, str], deque[RejectedIn]] = {}
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._deleted_at = 0.0
        self._loop = BackgroundLoop(
            self.flush, seconds=limits.REJECTED_MESSAGES_SECONDS_WAITING, name="tagloom-rejected-messages"
        )

    def add(self, rejected: RejectedIn) -> None:
        """Adds a message that will be stored soon. Never blocks for the store."""
        key = rejected.environment, rejected.message.source
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is None:
                waiting = self._waiting[key] = deque(maxlen=limits.REJECTED_MESSAGES_WAITING_MAX)
            waiting.append(rejected)

    def flush(self) -> None:
        """Stores the messages that wait. If the store is not available, they wait for the next call."""
        with self._flushing:
            with self._lock:
                taken, self._waiting = self._waiting, {}
            try:
                if taken:
                    self._store.add_rejected_messages([each for waiting in taken.values() for each in waiting])
                self._delete_old()
            except BaseException:
                self._put_back(taken)
                raise

    def delete_about(self, environment: int, people: Sequence[Person]) -> None:
        """Deletes the messages that contain the id of one of these people, also those that wait."""
        self.flush()
        self._store.delete_rejected_messages(environment, frozenset(person.id for person in people))

    def list_about(self, environment: int, people: Collection[str]) -> Iterator[Sequence[RejectedMessage]]:
        """Yields the messages that contain one of these ids, some at a time: by event source, the newest first."""
        self.flush()
        for source in self._store.list_event_sources(environment):
            before = None
            while found := self._store.list_rejected_messages(
                environment, source.id, before=before, limit=PAGE_ITEMS_MAX
            ):
                before = found[-1].id
                yield [each for each in found if each.is_about(people)]

    def _put_back(self, taken: dict[tuple[int, str], deque[RejectedIn]]) -> None:
        with self._lock:
            for key, waiting in taken.items():
                waiting.extend(self._waiting.get(key, ()))
                self._waiting[key] = waiting

    def _delete_old(self) -> None:
        now = self._now()
        if 0 <= now - self._deleted_at < _HOUR_SECONDS:
            return
        self._store.delete_rejected_messages_before(rfc3339(now - _DAY_SECONDS * limits.REJECTED_MESSAGE_DAYS))
        self._deleted_at = now

    def start(self) -> None:
        """Starts the thread of the job."""
        self._loop.start()

    def stop(self) -> None:
        """Stops the job, and stores the messages that still wait."""
        self._loop.stop()
        self.flush()


class ShownMessage(NamedTuple):
    """The beginning of a message as text, and the ids of people in it."""

    text: str
    ids: tuple[str, ...]


def shown_message(message: bytes, ignored_properties: frozenset[str]) -> ShownMessage:
    """Returns a message without keys, ignored properties and controls. Never fails.

    If the source ignores properties and the message is no JSON, its text is empty.
    """
    try:
        found = msgspec.json.decode(message)
        ids = tuple(dict.fromkeys(_ids(found)))
        if ignored_properties:
            message = msgspec.json.encode(_without(found, ignored_properties))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        ids = ()
        if ignored_properties:
            return ShownMessage("", ())
    most = limits.REJECTED_MESSAGE_CHARACTERS_MAX
    text = message[: 4 * most].decode("utf-8", "replace")
    hidden = _KEY.sub(_HIDDEN, _SECRET_FIELD.sub(rf'\1"{_HIDDEN}"', text))[:most]
    escaped = _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), hidden)[:most]
    return ShownMessage(escaped, ids)


def _ids(message: Any) -> Iterator[str]:
    """Yields the ids of people in a message, or in a body of messages."""
    if not isinstance(message, dict):
        return
    messages = message.get("batch")
    for each in (message, *(messages if isinstance(messages, list) else ())):
        if isinstance(each, dict):
            yield from (str(each[field]) for field in _ID_FIELDS if isinstance(each.get(field), str | int))


def _without(message: Any, ignored: frozenset[str]) -> Any:
    """Returns a message, or a body of messages, without the ignored properties and traits."""
    if not isinstance(message, dict):
        return message
    kept = dict(message)
    for field in _OBJECT_FIELDS:
        values = kept.get(field)
        if isinstance(values, dict):
            kept[field] = {name: value for name, value in values.items() if name not in ignored}
    if "context" in kept:
        kept["context"] = _without(kept["context"], ignored)
    if isinstance(kept.get("batch"), list):
        kept["batch"] = [_without(each, ignored) for each in kept["batch"]]
    return kept
