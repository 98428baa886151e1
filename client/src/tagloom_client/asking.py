"""A request as a value, and what its answer is to be: what both clients send, neither of them in here."""

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


@dataclass(frozen=True)
class Place:
    """The environment that a request without another one is about."""

    space: str
    environment: str

    @property
    def address(self) -> str:
        """Where its resources begin."""
        return f"/v2/spaces/{segment(self.space)}/environments/{segment(self.environment)}"


@dataclass(frozen=True)
class Reply:
    """A whole answer, as it came."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True)
class Body:
    """What is sent. `can_repeat` says whether `chunks` gives the same again after a failure."""

    content_type: str
    source: Source

    @property
    def can_repeat(self) -> bool:
        """Whether the body can be sent a second time."""
        if isinstance(self.source, bytes | str | os.PathLike):
            return True
        file = self._file()
        return file is not None and file.seekable()

    def _file(self) -> BinaryIO | None:
        return cast(BinaryIO, self.source) if hasattr(self.source, "read") else None

    def chunks(self) -> Iterator[bytes]:
        """The body from its beginning."""
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
        """The number of bytes, where it is known before they are sent."""
        if isinstance(self.source, bytes):
            return len(self.source)
        if isinstance(self.source, str | os.PathLike):
            return Path(self.source).stat().st_size
        return None


@dataclass(frozen=True)
class Ask(Generic[Answer]):
    """One request. `is_repeatable` says that doing it twice does no more than doing it once."""

    method: str
    path: str
    read: Callable[[Reply], Answer]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    is_repeatable: bool = True

    def after(self, cursor: str) -> "Ask[Answer]":
        """The same for the next page."""
        return replace(self, query={**self.query, "cursor": cursor})

    def can_repeat(self) -> bool:
        """Whether it may be sent again when nobody knows what became of it."""
        return self.is_repeatable and (self.body is None or self.body.can_repeat)

    def all_headers(self) -> dict[str, str]:
        """Its headers, those of its body included."""
        headers = dict(self.headers)
        if self.body is not None:
            headers["Content-Type"] = self.body.content_type
            length = self.body.length()
            if length is not None:
                headers["Content-Length"] = str(length)
        return headers


@dataclass(frozen=True)
class Lines(Generic[Answer]):
    """An answer of many lines, each to be read on its own as it comes."""

    ask: Ask[None]
    read_line: Callable[[bytes], Answer]


def segment(text: str) -> str:
    """A text as one segment of an address; `.` and `..` are escaped too, for they would lead elsewhere."""
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def given(**values: Any) -> dict[str, Any]:
    """Fields of a body; None leaves one out."""
    return {name: value for name, value in values.items() if value is not None}


def query_of(**values: Any) -> dict[str, str]:
    """Parameters as text; None leaves one out."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given(**values).items()
    }


def json_body(value: Any) -> Body:
    """A value as a JSON body."""
    return Body("application/json", msgspec.json.encode(value))


def reading(type: type[Answer]) -> Callable[[Reply], Answer]:
    """A reader of JSON answers. It raises what the answer is a problem of."""
    decoder = msgspec.json.Decoder(type)

    def read(reply: Reply) -> Answer:
        check(reply)
        try:
            return decoder.decode(reply.content)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise AnswerInvalid(f"The server's answer cannot be read: {error}.") from error

    return read


def check(reply: Reply) -> None:
    """Raises: ProblemError, when the answer is one."""
    if not 200 <= reply.status < 300:
        raise problem_from(reply.status, reply.content, reply.headers.get("x-request-id"))
