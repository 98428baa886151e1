"""Sends requests synchronously."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from tagloom_client.asking import Ask, Lines, Place, check
from tagloom_client.models import Page
from tagloom_client.problems import ConnectionFailed
from tagloom_client.retries import REFUSED, UNKNOWN, Retries
from tagloom_client.sending import DEFAULT_PLACE, Content, Placed, arguments, reply_of, settings

Answer = TypeVar("Answer")


class Sender(Placed):
    """Sends requests, retries them where that is safe, and reads the answers."""

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        space: str = DEFAULT_PLACE.space,
        environment: str = DEFAULT_PLACE.environment,
        retries: Retries | None = None,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.place = Place(space, environment)
        self._http = http or httpx.Client(**settings(url, token))
        self._retries = retries or Retries()
        self._sleep = sleep

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, ask: Ask[Answer]) -> Answer:
        """Sends a request and reads its answer. Raises: TagloomError."""
        with self._open(ask) as response:
            try:
                response.read()
            except httpx.TransportError as error:
                raise ConnectionFailed(f"The answer to {ask.method} {ask.path} ended early: {error}.") from error
            return ask.read(reply_of(response))

    def send_pages(self, ask: Ask[Page[Answer]]) -> Iterator[Answer]:
        """Yields the items of all pages. Each page is fetched when it is needed."""
        page = self.send(ask)
        yield from page.items
        while page.next_cursor is not None:
            page = self.send(ask.after(page.next_cursor))
            yield from page.items

    def send_stream(self, ask: Ask[None]) -> Iterator[bytes]:
        """Streams the bytes of an answer. Raises: ConnectionFailed: the answer ended early."""
        with self._open(ask) as response:
            if response.status_code != 200:
                response.read()
                check(reply_of(response))
            try:
                yield from response.iter_bytes()
            except httpx.TransportError as error:
                raise ConnectionFailed(f"The answer to {ask.method} {ask.path} ended early: {error}.") from error

    def send_lines(self, lines: Lines[Answer]) -> Iterator[Answer]:
        """Streams the decoded lines of an answer."""
        rest = b""
        for chunk in self.send_stream(lines.ask):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (lines.read_line(line) for line in whole if line)
        if rest:
            yield lines.read_line(rest)

    @contextmanager
    def _open(self, ask: Ask[Any]) -> Iterator[httpx.Response]:
        """Sends a request, with retries, and yields the response when its headers are here."""
        attempts = self._retries.begin(ask)
        while True:
            content = None if ask.body is None else Content(ask.body.chunks())
            try:
                request = self._http.build_request(
                    **arguments(ask), content=None if content is None else content.stream()
                )
                response = self._http.send(request, stream=True)
                if response.status_code in REFUSED | UNKNOWN:
                    response.read()
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
                        response.close()
                    return
                response.close()
            assert pause is not None, "an error without a retry is raised"
            self._sleep(pause)
