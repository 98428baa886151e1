"""Stores the messages of event sources that were rejected, some at a time, in a thread of every serving process."""

import threading
from collections import deque

from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports.event_sources import EventSourceStore, RejectedIn
from tagloom.tracking import limits


class RejectedMessages:
    """A job that stores rejected messages. If too many wait, the oldest are not stored."""

    def __init__(self, store: EventSourceStore) -> None:
        self._store = store
        self._waiting: deque[RejectedIn] = deque(maxlen=limits.REJECTED_MESSAGES_WAITING_MAX)
        self._lock = threading.Lock()
        self._loop = BackgroundLoop(
            self.flush, seconds=limits.REJECTED_MESSAGES_SECONDS_WAITING, name="tagloom-rejected-messages"
        )

    def add(self, rejected: RejectedIn) -> None:
        """Adds a message that will be stored soon. Never blocks for the store."""
        with self._lock:
            self._waiting.append(rejected)

    def flush(self) -> None:
        """Stores the messages that wait. If the store is not available, they wait for the next call."""
        with self._lock:
            taken = tuple(self._waiting)
        if not taken:
            return
        self._store.add_rejected_messages(taken)
        with self._lock:
            done = set(map(id, taken))
            kept = [each for each in self._waiting if id(each) not in done]
            self._waiting.clear()
            self._waiting.extend(kept)

    def start(self) -> None:
        """Starts the thread of the job."""
        self._loop.start()

    def stop(self) -> None:
        """Stops the job, and stores the messages that still wait."""
        self._loop.stop()
        self.flush()


def shown_message(message: bytes) -> str:
    """Returns the beginning of a message as text, in which controls are escaped."""
    text = message[: 4 * limits.REJECTED_MESSAGE_CHARACTERS_MAX].decode("utf-8", "replace")
    most = limits.REJECTED_MESSAGE_CHARACTERS_MAX
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text[:most]
    )[:most]
