"""Reads bodies of requests: small ones as a whole, bulk ones as a stream to the thread that reads them."""

import asyncio
import contextlib
import queue
from collections.abc import Callable, Iterator
from typing import TypeVar

import anyio.to_thread
import msgspec
from starlette.types import Receive

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid, BodyTooLarge, BodyTruncated, ContentTypeUnsupported, Problem
from tagloom.base.text import printable
from tagloom.files import limits as files_limits
from tagloom.http import limits
from tagloom.http.framework.context import Call
from tagloom.words.problems import RuleInvalid
from tagloom.words.rules import check_depth

Body = TypeVar("Body")
Result = TypeVar("Result")

JSON = "application/json"


def content_type(call: Call) -> str:
    """Returns the content type without its parameters, in lower case. A request without one has JSON."""
    return (call.header(b"content-type") or JSON).partition(";")[0].strip().lower()


def announced_bytes(call: Call) -> int | None:
    """Returns the number in Content-Length, or None."""
    text = call.header(b"content-length")
    return int(text) if text is not None and text.isdecimal() else None


async def read_body(call: Call, bytes_max: int = files_limits.JSON_BODY_BYTES_MAX) -> bytes:
    """Returns the whole body.

    Raises: BodyTooLarge, BodyTruncated.
    """
    announced = announced_bytes(call)
    _check_size(announced or 0, bytes_max)
    chunks, size, is_more = [], 0, True
    while is_more:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise _truncated(size, announced)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        _check_size(size, bytes_max)
        is_more = message.get("more_body", False) and size != announced
    if announced is not None and size < announced:
        raise _truncated(size, announced)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_json(call: Call, type: type[Body], *, is_rule: bool = False, default: bytes | None = None) -> Body:
    """Returns the body as this type. An empty body is read as `default`, unless that is None.

    Raises: ContentTypeUnsupported, BodyTooLarge, BodyTruncated, BodyInvalid, RuleInvalid.
    """
    body = await read_body(call)
    if not body and default is not None:
        return decode(default, type)
    if content_type(call) != JSON:
        raise ContentTypeUnsupported(
            f"The body must be {JSON}, not '{printable(content_type(call))}'.", supported=[JSON]
        )
    if is_rule:
        check_depth(body)
    return decode(body, type)


def decode(body: bytes, type: type[Body]) -> Body:
    """Returns the value of a JSON text.

    Raises: BodyInvalid or, inside a rule, RuleInvalid: with the field that does not fit.
    """
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.ValidationError as error:
        says, _, place = str(error).partition(" - at `")
        field = place.rstrip("`") or "$"
        kind = RuleInvalid if field.startswith("$.rule") else BodyInvalid
        raise kind(f"{says}, at {field}.", field=field) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        says = "it is empty" if not body else str(error)
        raise BodyInvalid(f"The body is not JSON: {says}.", field="$") from error
    except RecursionError as error:
        raise BodyInvalid("The body is nested too deeply.", field="$") from error


class Upload:
    """Passes a body from the event loop, which receives it, to the thread that reads it.

    At most UPLOAD_CHUNKS_HELD_MAX chunks of UPLOAD_CHUNK_BYTES wait for the thread; then the loop stops receiving. If a
    body ends too early, the thread gets BodyTruncated.
    """

    def __init__(self, call: Call, bytes_max: int = files_limits.BULK_BODY_BYTES_MAX) -> None:
        self._receive: Receive = call.receive
        self._announced = announced_bytes(call)
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


async def received(call: Call, bytes_max: int, take: Callable[[Iterator[bytes]], Result]) -> Result:
    """Calls `take` with the chunks of the body in a thread, while the body arrives. Returns the result.

    While the call waits for a place, no body is received. Raises: as `take`; BodyTooLarge, TooManyAtOnce.
    """
    upload = Upload(call, bytes_max)
    principal = call.principal
    async with call.state.uploads.taken(token=principal.token, organization=principal.organization):
        feeding = asyncio.create_task(upload.feed())
        try:
            with call.state.metrics.uploads.track_inprogress():
                return await anyio.to_thread.run_sync(lambda: take(upload.chunks()), limiter=call.state.uploads.threads)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


def _check_size(size: int, bytes_max: int) -> None:
    if size > bytes_max:
        raise BodyTooLarge(f"The body has more than {bytes_max} bytes.", bytes_max=bytes_max)


def _truncated(size: int, announced: int | None) -> BodyTruncated:
    of = "" if announced is None else f" of {announced}"
    return BodyTruncated(f"The body ended after {size}{of} bytes; nothing was applied.", received=size)
