"""Reads bodies of requests: small ones as a whole, bulk ones as a stream to the thread that reads them."""

import asyncio
import contextlib
import queue
from collections.abc import Callable, Iterator
from typing import TypeVar

import anyio.to_thread
from prometheus_client import Gauge
from starlette.types import Receive, Scope

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyTooLarge, BodyTruncated, Problem
from tagloom.server import limits
from tagloom.server.thread_limits import Places

Result = TypeVar("Result")


def media_type(content_type: str) -> str:
    """Returns a content type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


async def read_whole(scope: Scope, receive: Receive, bytes_max: int) -> bytes:
    """Returns the whole body of a request. Raises: BodyTooLarge, BodyTruncated."""
    announced = _announced_bytes(scope)
    _check_size(announced or 0, bytes_max)
    chunks, size, is_more = [], 0, True
    while is_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _truncated(size, announced)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        _check_size(size, bytes_max)
        is_more = message.get("more_body", False) and size != announced
    if announced is not None and size < announced:
        raise _truncated(size, announced)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class BulkBodies:
    """Reads the bulk bodies of one process. The API and the console share its places.

    `in_progress` counts the bodies that are being read.
    """

    def __init__(self, in_progress: Gauge) -> None:
        self._in_progress = in_progress
        self._places = Places(
            limits.UPLOADS_AT_ONCE_MAX,
            wait_seconds=limits.UPLOAD_SECONDS_WAITING_MAX,
            caller=limits.UPLOADS_PER_TOKEN_MAX,
            organization=limits.UPLOADS_PER_ORGANIZATION_MAX,
        )

    async def read(
        self,
        scope: Scope,
        receive: Receive,
        bytes_max: int,
        take: Callable[[Iterator[bytes]], Result],
        *,
        caller: str,
        organization: str,
    ) -> Result:
        """Calls `take` with the chunks of the body in a thread, while the body arrives. Returns the result.

        `caller` is the id of a token or of an account. While the request waits for a place of its caller and its
        organization, no body is received.

        Raises: as `take`; BodyTooLarge, TooManyAtOnce. The chunks raise BodyTruncated, BodyTooLarge, BodyTooSlow.
        """
        stream = _BodyStream(scope, receive, bytes_max)
        async with self._places.taken(caller=caller, organization=organization):
            feeding = asyncio.create_task(stream.feed())
            try:
                with self._in_progress.track_inprogress():
                    return await anyio.to_thread.run_sync(lambda: take(stream.chunks()), limiter=self._places.threads)
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)


class _BodyStream:
    """Passes a body from the event loop, which receives it, to the thread that reads it.

    At most UPLOAD_CHUNKS_HELD_MAX chunks of UPLOAD_CHUNK_BYTES wait for the thread; then the loop stops receiving. If a
    body ends too early, the thread gets BodyTruncated.
    """

    def __init__(self, scope: Scope, receive: Receive, bytes_max: int) -> None:
        self._receive = receive
        self._announced = _announced_bytes(scope)
        self._bytes_max = bytes_max
        self._held: queue.Queue[bytes | Problem | None] = queue.Queue(limits.UPLOAD_CHUNKS_HELD_MAX)
        self._room = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        _check_size(self._announced or 0, bytes_max)

    def chunks(self) -> Iterator[bytes]:
        """Yields the body as it arrives. Called in the thread. Raises: BodyTruncated, BodyTooLarge."""
        while True:
            chunk = self._held.get()
            with contextlib.suppress(RuntimeError):  # The loop may have ended while the rest is read.
                self._loop.call_soon_threadsafe(self._room.set)
            if chunk is None:
                return
            if isinstance(chunk, Problem):
                raise chunk
            yield chunk

    async def feed(self) -> None:
        """Receives the body until its end, or until the task is cancelled because the reader has finished.

        Runs in the loop.
        """
        size = 0
        try:
            is_more, waiting, waiting_bytes = True, list[bytes](), 0
            while is_more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise _truncated(size, self._announced)
                chunk = message.get("body", b"")
                waiting.append(chunk)
                waiting_bytes += len(chunk)
                size += len(chunk)
                _check_size(size, self._bytes_max)
                is_more = message.get("more_body", False)
                if waiting_bytes >= base_limits.UPLOAD_CHUNK_BYTES or (waiting_bytes and not is_more):
                    await self._hold(b"".join(waiting))
                    waiting, waiting_bytes = [], 0
            if self._announced is not None and size < self._announced:
                raise _truncated(size, self._announced)
            await self._hold(None)
        except Problem as problem:
            self._fail(problem)
        except BaseException:
            self._fail(_truncated(size, self._announced))
            raise

    async def _hold(self, chunk: bytes | None) -> None:
        while True:
            try:
                self._held.put_nowait(chunk)
                return
            except queue.Full:
                self._room.clear()
                await self._room.wait()

    def _fail(self, problem: Problem) -> None:
        """Discards the waiting chunks, and passes a problem to the reader."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._held.get_nowait()
        self._held.put_nowait(problem)


def _announced_bytes(scope: Scope) -> int | None:
    """Returns the number in Content-Length, or None."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


def _check_size(size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise BodyTooLarge(f"The body has more than {bytes_max} bytes.", bytes_max=bytes_max)


def _truncated(size: int, announced: int | None) -> BodyTruncated:
    of = "" if announced is None else f" of {announced}"
    return BodyTruncated(f"The body ended after {size}{of} bytes; nothing was applied.", received=size)
