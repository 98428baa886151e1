"""The settings and arguments of httpx that both clients use."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self

import httpx

from tagloom_client.asking import Ask, Place, Reply

TIMEOUT = httpx.Timeout(30.0, read=300.0, write=300.0)
DEFAULT_PLACE = Place("main", "production")


class Placed:
    """A client for one space and environment."""

    place: Place

    def at(self, *, space: str | None = None, environment: str | None = None) -> Self:
        """Returns a client for another space or environment, with the same connections."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.place = Place(space or self.place.space, environment or self.place.environment)
        return other


class Content:
    """The chunks of a body that is being sent. `has_begun` is true once the first chunk was read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.has_begun = False

    def stream(self) -> Iterator[bytes]:
        """Yields the chunks."""
        self.has_begun = True
        yield from self._chunks

    async def stream_async(self) -> AsyncIterator[bytes]:
        """Yields the chunks. Reads them in a thread, because a file or a generator can block."""
        self.has_begun = True
        while (chunk := await asyncio.to_thread(next, self._chunks, None)) is not None:
            yield chunk


def settings(url: str, token: str | None) -> dict[str, Any]:
    """Returns the keyword arguments of `httpx.Client` and `httpx.AsyncClient`."""
    headers = {"User-Agent": "tagloom-client", "Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return {"base_url": url.rstrip("/"), "headers": headers, "timeout": TIMEOUT, "follow_redirects": False}


def arguments(ask: Ask[Any]) -> dict[str, Any]:
    """Returns the keyword arguments of `build_request`, without the content."""
    return {"method": ask.method, "url": ask.path, "params": ask.query or None, "headers": ask.all_headers()}


def reply_of(response: httpx.Response) -> Reply:
    """Returns a reply with the content of a response, which must have been read to its end."""
    return Reply(response.status_code, response.headers, response.content)
