"""Receives the rest of a body after an early refusal, so that its sender can read the answer.

When a server closes a connection on which bytes still arrive, the system resets it. A client that is still sending then
gets the reset before the answer, and nginx replaces the answer with its own 502.
"""

import asyncio

from starlette.types import Message, Receive, Scope

from tagloom.http import limits

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


class Incoming:
    """Receives the messages of one request, and notes whether its whole body has arrived."""

    __slots__ = ("_bytes_left", "_has_come", "_receive")

    def __init__(self, receive: Receive, scope: Scope) -> None:
        self._receive = receive
        self._has_come = scope["method"] in _WITHOUT_BODY
        self._bytes_left = 0 if self._has_come else _announced_bytes(scope)

    async def receive(self) -> Message:
        """Returns the next message."""
        message = await self._receive()
        if self._bytes_left is not None:
            self._bytes_left -= len(message.get("body", b""))
        if self._bytes_left == 0 or not message.get("more_body", False):
            self._has_come = True
        return message

    async def linger(self, seconds: float = limits.LINGER_SECONDS_MAX) -> None:
        """Discards the rest of the body after the answer, for `seconds` at most."""
        if self._has_come or self._bytes_left == 0:
            return
        try:
            async with asyncio.timeout(seconds):
                while not self._has_come:
                    await self.receive()
        except TimeoutError:
            return  # The sender had enough time to read the answer.


def _announced_bytes(scope: Scope) -> int | None:
    """Returns the size in Content-Length, None if the body comes in chunks, or 0 without a body."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
        if name == b"transfer-encoding":
            return None
    return 0
