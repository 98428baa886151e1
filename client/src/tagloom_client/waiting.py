"""The asynchronous client. It has the methods of the synchronous client: await them, or iterate with `async for`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from functools import update_wrapper
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

import httpx

from tagloom_client import imports, requests, syncs, tribes
from tagloom_client.asking import Ask, Lines, Place, check
from tagloom_client.models import Page
from tagloom_client.problems import ConnectionFailed
from tagloom_client.retries import REFUSED, UNKNOWN, Retries
from tagloom_client.sending import DEFAULT_PLACE, arguments, reply_of, settings

Given = ParamSpec("Given")
Answer = TypeVar("Answer")
Made = TypeVar("Made")


class AsyncSender:
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

    def at(self, *, space: str | None = None, environment: str | None = None) -> Self:
        """Returns a client for another space or environment, with the same connections."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.place = Place(space or self.place.space, environment or self.place.environment)
        return other

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
            content = None if ask.body is None else _chunks(ask.body.chunks())
            try:
                request = self._http.build_request(**arguments(ask), content=content)
                response = await self._http.send(request, stream=True)
                if response.status_code in REFUSED | UNKNOWN:
                    await response.aread()
            except httpx.TransportError as error:
                pause: float | None = attempts.after_error(error)
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


async def _chunks(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Reads chunks in a thread, because a file or a generator can block."""
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


class _Method(Generic[Given, Made, Answer]):
    """Turns a function that makes a request into a method that sends it."""

    def __init__(
        self, make: Callable[Concatenate[Place, Given], Made], send: Callable[[AsyncSender, Made], Answer]
    ) -> None:
        self._make = make
        self._send = send
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type[Any]) -> Callable[Given, Answer]: ...
    def __get__(self, client: AsyncSender | None, owner: type[Any]) -> "Self | Callable[Given, Answer]":
        if client is None:
            return self
        bound, make, send = client, self._make, self._send

        def method(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
            return send(bound, make(bound.place, *args, **kwargs))

        return update_wrapper(method, make)


def _one(make: Callable[Concatenate[Place, Given], Ask[Answer]]) -> _Method[Given, Ask[Answer], Awaitable[Answer]]:
    return _Method(make, AsyncSender.send)


def _pages(
    make: Callable[Concatenate[Place, Given], Ask[Page[Answer]]],
) -> _Method[Given, Ask[Page[Answer]], AsyncIterator[Answer]]:
    return _Method(make, AsyncSender.send_pages)


def _lines(
    make: Callable[Concatenate[Place, Given], Lines[Answer]],
) -> _Method[Given, Lines[Answer], AsyncIterator[Answer]]:
    return _Method(make, AsyncSender.send_lines)


def _bytes(make: Callable[Concatenate[Place, Given], Ask[None]]) -> _Method[Given, Ask[None], AsyncIterator[bytes]]:
    return _Method(make, AsyncSender.send_stream)


class AsyncTagloom(AsyncSender):
    """The asynchronous client of Tagloom.

    >>> async with AsyncTagloom("http://127.0.0.1:8321", token) as tagloom:  # doctest: +SKIP
    ...     await tagloom.add_tag("sports/golf", user="u1")

    Its methods are the functions of `requests`, `imports`, `syncs` and `tribes`, without their first argument.
    """

    # The installation and its tenants.
    is_ready = _one(requests.is_ready)
    get_limits = _one(requests.get_limits)
    list_organizations = _pages(requests.list_organizations)
    list_spaces = _pages(requests.list_spaces)
    create_space = _one(requests.create_space)
    list_environments = _pages(requests.list_environments)
    get_environment = _one(requests.get_environment)
    set_catalogue = _one(requests.set_catalogue)
    set_retention = _one(requests.set_retention)
    list_tokens = _pages(requests.list_tokens)
    create_token = _one(requests.create_token)
    revoke_token = _one(requests.revoke_token)

    # People.
    list_people = _pages(requests.list_people)
    get_person = _one(requests.get_person)
    put_person = _one(requests.put_person)
    erase_person = _one(requests.erase_person)
    get_tags_of = _one(requests.get_tags_of)
    set_tags_of = _one(requests.set_tags_of)
    add_tag = _one(requests.add_tag)
    remove_tag = _one(requests.remove_tag)

    # Taggings.
    upload = _one(requests.upload)
    tag_people = _one(requests.tag_people)
    export_taggings = _lines(requests.export_taggings)
    download_taggings = _bytes(requests.download_taggings)

    # The catalogue.
    list_tags = _pages(requests.list_tags)
    get_tag = _one(requests.get_tag)
    put_tag = _one(requests.put_tag)
    move_tag = _one(requests.move_tag)
    release_tag = _one(requests.release_tag)
    merge_tags = _one(requests.merge_tags)
    delete_tag = _one(requests.delete_tag)
    export_people_with = _lines(requests.export_people_with)
    download_people_with = _bytes(requests.download_people_with)
    list_aliases = _pages(requests.list_aliases)

    # Tribes.
    list_tribes = _pages(tribes.list_tribes)
    get_tribe = _one(tribes.get_tribe)
    create_tribe = _one(tribes.create_tribe)
    put_tribe = _one(tribes.put_tribe)
    delete_tribe = _one(tribes.delete_tribe)
    count_tribe = _one(tribes.count_tribe)
    preview_rule = _one(tribes.preview_rule)
    overlap_of = _one(tribes.overlap_of)
    list_members = _pages(tribes.list_members)
    get_membership = _one(tribes.get_membership)
    export_members = _lines(tribes.export_members)
    download_members = _bytes(tribes.download_members)
    tag_tribe = _one(tribes.tag_tribe)
    explain = _one(tribes.explain)
    decide = _one(tribes.decide)
    decide_many = _one(tribes.decide_many)

    # History.
    list_changes = _pages(requests.list_changes)
    get_change = _one(requests.get_change)
    undo = _one(requests.undo)
    undo_all = _one(requests.undo_all)

    # Imports and mappings.
    bring_file = _one(imports.bring_file)
    bring_address = _one(imports.bring_address)
    list_imports = _one(imports.list_imports)
    get_import = _one(imports.get_import)
    watch_import = _lines(imports.watch_import)
    ask_import = _one(imports.ask_import)
    cancel_import = _one(imports.cancel_import)
    delete_import = _one(imports.delete_import)
    delete_import_file = _one(imports.delete_import_file)
    put_import_mapping = _one(imports.put_import_mapping)
    list_rejected = _lines(imports.list_rejected)
    download_rejected = _bytes(imports.download_rejected)
    infer_mapping = _one(imports.infer_mapping)
    list_mappings = _one(imports.list_mappings)
    get_mapping = _one(imports.get_mapping)
    put_mapping = _one(imports.put_mapping)
    delete_mapping = _one(imports.delete_mapping)

    # Syncs.
    list_syncs = _pages(syncs.list_syncs)
    get_sync = _one(syncs.get_sync)
    infer_source_mapping = _one(syncs.infer_source_mapping)
    create_sync = _one(syncs.create_sync)
    put_sync = _one(syncs.put_sync)
    delete_sync = _one(syncs.delete_sync)
    run_sync = _one(syncs.run_sync)
    push_records = _one(syncs.push_records)
    list_sync_runs = _one(syncs.list_sync_runs)
