"""Sends requests asynchronously."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from tagloom_client.asking import Ask, Lines, Place, check
from tagloom_client.models import Page
from tagloom_client.problems import ConnectionFailed
from tagloom_client.retries import REFUSED, UNKNOWN, Retries
from tagloom_client.sending import DEFAULT_PLACE, Content, Placed, arguments, reply_of, settings

Answer = TypeVar("Answer")


class AsyncSender(Placed):
    """Sends requests, retries them where that is safe, and reads the answers."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        space: str = DEFAULT_PLACE.space,
        environment: str = DEFAULT_PLACE.environment,
        retries: Retries | None = None,
        http: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.place = Place(space, environment)
        self._http = http or httpx.AsyncClient(**settings(url, token))
        self._retries = retries or Retries()
        self._sleep = sleep

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, ask: Ask[Answer]) -> Answer:
        """Sends a request and reads its answer. Raises: TagloomError."""
        async with self._open(ask) as response:
            try:
                await response.aread()
            except httpx.TransportError as error:
                raise ConnectionFailed(f"The answer to {ask.method} {ask.path} ended early: {error}.") from error
            return ask.read(reply_of(response))

    async def send_pages(self, ask: Ask[Page[Answer]]) -> AsyncIterator[Answer]:
        """Yields the items of all pages. Each page is fetched when it is needed."""
        page = await self.send(ask)
        for item in page.items:
            yield item
        while page.next_cursor is not None:
            page = await self.send(ask.after(page.next_cursor))
            for item in page.items:
                yield item

    async def send_stream(self, ask: Ask[None]) -> AsyncGenerator[bytes, None]:
        """Streams the bytes of an answer. Raises: ConnectionFailed: the answer ended early."""
        async with self._open(ask) as response:
            if response.status_code != 200:
                await response.aread()
                check(reply_of(response))
            try:
                async for chunk in response.aiter_bytes():
                    yield chunk
            except httpx.TransportError as error:
                raise ConnectionFailed(f"The answer to {ask.method} {ask.path} ended early: {error}.") from error

    async def send_lines(self, lines: Lines[Answer]) -> AsyncIterator[Answer]:
        """Streams the decoded lines of an answer."""
        rest = b""
        async with aclosing(self.send_stream(lines.ask)) as chunks:
            async for chunk in chunks:
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    if line:
                        yield lines.read_line(line)
        if rest:
            yield lines.read_line(rest)

    @asynccontextmanager
    async def _open(self, ask: Ask[Any]) -> AsyncIterator[httpx.Response]:
        """Sends a request, with retries, and yields the response when its headers are here."""
        attempts = self._retries.begin(ask)
        while True:
            content = None if ask.body is None else Content(ask.body.chunks())
            try:
                request = self._http.build_request(
                    **arguments(ask), content=None if content is None else content.stream_async()
                )
                response = await self._http.send(request, stream=True)
                if response.status_code in REFUSED | UNKNOWN:
                    await response.aread()
            except httpx.TransportError as error:
                pause: float | None = attempts.after_error(error, has_begun=content is not None and content.has_begun)
            else:
                pause = None
                if response.status_code in REFUSED | UNKNOWN:
                    pause = attempts.after_reply(reply_of(response))
                if pause is None:
                    try:
                        yield response
                    finally:
                        await response.aclose()
                    return
                await response.aclose()
            assert pause is not None, "an error without a retry is raised"
            await self._sleep(pause)
