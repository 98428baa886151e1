"""Bodies that are refused before they have come: their senders get to read the answer.

When a server closes a connection on which bytes still arrive, the system resets it. A client that is still sending then
meets the reset before the answer, and nginx turns the answer into a 502 of its own.
"""

import asyncio

from starlette.types import Message, Receive, Scope

from tagloom.http import limits

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


class Incoming:
    """The messages of one request, and whether its whole body has come."""

    __slots__ = ("_bytes_left", "_has_come", "_receive")

    def __init__(self, receive: Receive, scope: Scope) -> None:
        self._receive = receive
        self._has_come = scope["method"] in _WITHOUT_BODY
        self._bytes_left = 0 if self._has_come else _announced_bytes(scope)

    async def receive(self) -> Message:
        """The next message."""
        message = await self._receive()
        if self._bytes_left is not None:
            self._bytes_left -= len(message.get("body", b""))
        if self._bytes_left == 0 or not message.get("more_body", False):
            self._has_come = True
        return message

    async def linger(self, seconds: float = limits.LINGER_SECONDS_MAX) -> None:
        """Discards what still comes of the body after its answer, for so long at most."""
        if self._has_come or self._bytes_left == 0:
            return
        try:
            async with asyncio.timeout(seconds):
                while not self._has_come:
                    await self.receive()
        except TimeoutError:
            return  # The sender has had its time to read the answer.


def _announced_bytes(scope: Scope) -> int | None:
    """What Content-Length says; None when the body comes in chunks."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
        if name == b"transfer-encoding":
            return None
    return 0
