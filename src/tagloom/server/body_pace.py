"""Ends requests whose bodies arrive too slowly: bounds the silence of a sender, and its average rate."""

import asyncio
import threading
from time import monotonic

from starlette.types import Message, Receive, Send

from tagloom.base.problems import Problem
from tagloom.server import limits

_SECONDS_BETWEEN_CHECKS = 0.5


class BodyTooSlow(Problem):
    """The body was sent too slowly."""

    status = 408


class ServerStops(Problem):
    """The server is stopping, and the rest of this body did not come in time."""

    status = 503


async def watch_for_end(receive: Receive, has_left: threading.Event) -> None:
    """Sets `has_left` when the caller leaves before the answer. The whole body must have been received."""
    while (await receive())["type"] != "http.disconnect":
        pass
    has_left.set()


class Paces:
    """The requests of a process that wait for their body. One timer checks all: a timer each costs a request 3 us.

    `idle_seconds` replaces the limit, for tests.
    """

    def __init__(self, *, idle_seconds: float = limits.BODY_IDLE_SECONDS_MAX) -> None:
        self.idle_seconds = idle_seconds
        self.waiting: dict[Pace, float] = {}
        """The requests that wait for the next part of their body, and the time until which they wait."""
        self._is_watched = False
        self.is_closed = False

    def of(self, receive: Receive, send: Send) -> "Pace":
        """Returns the receiver of one request's messages, which also passes on its answer."""
        return Pace(self, receive, send)

    def watch(self) -> None:
        """Starts the timer, which runs as long as a request waits."""
        if not self._is_watched:
            self._is_watched = True
            asyncio.get_running_loop().call_later(_SECONDS_BETWEEN_CHECKS, self._check_all)

    def _check_all(self) -> None:
        self._is_watched = False
        now = monotonic()
        for pace, until in list(self.waiting.items()):
            if now >= until:
                pace.fail(_too_slow())
        if self.waiting:
            self.watch()

    def close(self) -> None:
        """Ends every request whose body has not arrived, and later requests. Nothing of these bodies was applied."""
        self.is_closed = True
        for pace in list(self.waiting):
            pace.fail(_stops())


class Pace:
    """Receives the messages of one request, and bounds the pauses and the duration of its body.

    Only the time in which the server waits for the sender counts. A failure is final: every later call raises it again.
    """

    __slots__ = ("_failure", "_has_body", "_paces", "_receive", "_seconds_left", "_send", "_task")

    def __init__(self, paces: Paces, receive: Receive, send: Send) -> None:
        self._paces = paces
        self._receive = receive
        self._send = send
        self._seconds_left = float(limits.BODY_SECONDS_SPARE)
        self._has_body = True
        self._failure: Problem | None = None
        self._task: asyncio.Task[object] | None = None

    async def receive(self) -> Message:
        """Returns the next message. Raises: BodyTooSlow, ServerStops."""
        if not self._has_body:
            return await self._receive()
        if self._paces.is_closed:
            self._failure = self._failure or _stops()
        self._check()
        task = self._task = asyncio.current_task()
        assert task is not None, "a request is a task"
        paces, began = self._paces, monotonic()
        paces.waiting[self] = began + min(paces.idle_seconds, self._seconds_left)
        paces.watch()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            # Either `fail` has cancelled the task, or other code has cancelled the request.
            if task.uncancel() == 0:
                self._check()
            raise
        finally:
            del paces.waiting[self]
            self._task = None
        self._seconds_left = self.spare_after(len(message.get("body", b"")), monotonic() - began)
        self._has_body = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Sends a message of the answer."""
        await self._send(message)

    def close(self) -> None:
        """Releases the connection after the request. Then `receive` reports a disconnect, and `send` does nothing.

        The server keeps a connection with an unread body open as long as anything refers to its `receive` or `send`. A
        reference cycle, such as that of an exception and its traceback, would keep it open until the garbage collector
        runs.
        """
        self._receive, self._send, self._has_body, self._failure = _disconnected, _sent_to_nobody, False, None

    def spare_after(self, sent_bytes: int, waited_seconds: float) -> float:
        """Returns for how many more seconds the sender may be slow, after it sent `sent_bytes` in `waited_seconds`."""
        return self._seconds_left + sent_bytes / limits.BODY_BYTES_PER_SECOND_MIN - waited_seconds

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def fail(self, problem: Problem) -> None:
        """Cancels the task that waits for the body. The task then raises the problem."""
        if self._failure is None and self._task is not None:
            self._failure = problem
            self._task.cancel()


async def _disconnected() -> Message:
    return {"type": "http.disconnect"}


async def _sent_to_nobody(message: Message) -> None:
    pass


def _too_slow() -> BodyTooSlow:
    return BodyTooSlow(
        f"Nothing came for {limits.BODY_IDLE_SECONDS_MAX} seconds, or less than {limits.BODY_BYTES_PER_SECOND_MIN:,} "
        "bytes a second; nothing was applied.",
        seconds_max=limits.BODY_IDLE_SECONDS_MAX,
    )


def _stops() -> ServerStops:
    return ServerStops("The server is stopping. Nothing of this body was applied. Send it again.", retry_after=5)
