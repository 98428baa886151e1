"""Requests as values, which both clients send, and the readers of their answers."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar, cast
from urllib.parse import quote

import msgspec

from tagloom_client.problems import AnswerInvalid, problem_from

Answer = TypeVar("Answer")
Source = bytes | str | os.PathLike[str] | BinaryIO | Iterable[bytes]
"""A body to send: bytes, a path (str or PathLike), an open binary file, or chunks of bytes."""

CHUNK_BYTES = 262_144
LINES_PER_CHUNK = 1_000


@dataclass(frozen=True)
class Place:
    """The space and environment of a request."""

    space: str
    environment: str

    @property
    def address(self) -> str:
        """The path of the environment."""
        return f"/v2/spaces/{segment(self.space)}/environments/{segment(self.environment)}"


@dataclass(frozen=True)
class Reply:
    """A complete HTTP answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Body:
    """The body of a request. `can_repeat` says whether `chunks` can be read again after a failure."""

    content_type: str
    source: Source

    @property
    def can_repeat(self) -> bool:
        """Whether the body can be sent again."""
        if isinstance(self.source, bytes | str | os.PathLike):
            return True
        file = self._file()
        return file is not None and file.seekable()

    def _file(self) -> BinaryIO | None:
        return cast(BinaryIO, self.source) if hasattr(self.source, "read") else None

    def chunks(self) -> Iterator[bytes]:
        """Yields the body from its beginning."""
        source = self.source
        if isinstance(source, bytes):
            yield source
        elif isinstance(source, str | os.PathLike):
            with Path(source).open("rb") as file:
                yield from iter(lambda: file.read(CHUNK_BYTES), b"")
        elif (opened := self._file()) is not None:
            if opened.seekable():
                opened.seek(0)
            yield from iter(lambda: opened.read(CHUNK_BYTES), b"")
        else:
            yield from source

    def length(self) -> int | None:
        """Returns the number of bytes; None if it is unknown."""
        if isinstance(self.source, bytes):
            return len(self.source)
        if isinstance(self.source, str | os.PathLike):
            return Path(self.source).stat().st_size
        return None


@dataclass(frozen=True)
class Ask(Generic[Answer]):
    """A request. `is_repeatable` means that sending it twice has the same effect as sending it once."""

    method: str
    path: str
    read: Callable[[Reply], Answer]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    is_repeatable: bool = True

    def after(self, cursor: str) -> "Ask[Answer]":
        """Returns the request for the next page."""
        return replace(self, query={**self.query, "cursor": cursor})

    def can_repeat(self) -> bool:
        """Returns whether the request can be sent again if the effect of the first attempt is unknown."""
        return self.is_repeatable and (self.body is None or self.body.can_repeat)

    def all_headers(self) -> dict[str, str]:
        """Returns the headers of the request and of its body."""
        headers = dict(self.headers)
        if self.body is not None:
            headers["Content-Type"] = self.body.content_type
            length = self.body.length()
            if length is not None:
                headers["Content-Length"] = str(length)
        return headers


@dataclass(frozen=True)
class Lines(Generic[Answer]):
    """A request whose answer is a stream of lines."""

    ask: Ask[None]
    read_line: Callable[[bytes], Answer]


def segment(text: str) -> str:
    """Escapes text as one segment of a path. `.` and `..` are escaped too, because they would change the path."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def without_none(**values: Any) -> dict[str, Any]:
    """Returns the values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def query_of(**values: Any) -> dict[str, str]:
    """Returns query parameters as text, without those that are None."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in without_none(**values).items()
    }


def key_header(idempotency_key: str | None) -> dict[str, str]:
    """Returns the header of an idempotency key. Without a key, returns no header."""
    return {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}


def json_body(value: Any) -> Body:
    """Returns a value as a JSON body."""
    return Body("application/json", msgspec.json.encode(value))


def line_chunks(lines: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yields lines as NDJSON, in chunks of a thousand."""
    waiting: list[Mapping[str, Any]] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) == LINES_PER_CHUNK:
            yield msgspec.json.Encoder().encode_lines(waiting)
            waiting = []
    if waiting:
        yield msgspec.json.Encoder().encode_lines(waiting)


def reading(type: type[Answer]) -> Callable[[Reply], Answer]:
    """Returns a reader of JSON answers. The reader raises: ProblemError, AnswerInvalid."""
    decoder = msgspec.json.Decoder(type)

    def read(reply: Reply) -> Answer:
        check(reply)
        try:
            return decoder.decode(reply.content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise AnswerInvalid(f"The server's answer cannot be read: {error}.") from error

    return read


def check(reply: Reply) -> None:
    """Checks the status of an answer. Raises: ProblemError, AnswerInvalid."""
    if not 200 <= reply.status < 300:
        raise problem_from(reply.status, reply.content, reply.headers.get("x-request-id"))
