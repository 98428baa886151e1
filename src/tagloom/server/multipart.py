"""Reads forms with a file (RFC 7578) as a stream: the file is passed on in chunks, and is never held whole."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from tagloom.base.problems import BodyInvalid, BodyTruncated
from tagloom.base.text import plural, printable
from tagloom.server import limits

Kept = TypeVar("Kept")
MULTIPART = "multipart/form-data"
# The parser logs faults of a form as plain lines, also those that it raises. The lines of the server's log are JSON.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


@dataclass
class Form(Generic[Kept]):
    """A form: its fields as text, and its file's name, content type, and the result of `keep`."""

    fields: dict[str, str]
    name: str
    content_type: str
    file: Kept


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)

    def disposition(self) -> dict[bytes, bytes]:
        """Returns the parameters of Content-Disposition."""
        return parse_options_header(self.headers.get(b"content-disposition"))[1]

    @property
    def name(self) -> str:
        """The name of the field."""
        return self.disposition().get(b"name", b"").decode("utf-8", "replace")

    @property
    def file_name(self) -> str | None:
        """The name of the file, or None if the part has no file."""
        found = self.disposition().get(b"filename")
        return None if found is None else found.decode("utf-8", "replace")


def boundary_of(content_type: str | None) -> bytes:
    """Returns the text that separates the parts. Raises: BodyInvalid."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not boundary:
        raise BodyInvalid("The content type of a form names its boundary.", rule="a boundary")
    return boundary


@contextmanager
def kept_form(
    chunks: Iterator[bytes],
    boundary: bytes,
    *,
    keep: Callable[[Iterator[bytes]], Kept],
    discard: Callable[[Kept], None],
    no_file: str,
) -> Iterator[Form[Kept]]:
    """Reads a form with one file, and yields it to a block that uses what `keep` returned.

    If the form is wrong after its file, or the block fails, calls `discard` with what `keep` returned.

    Raises: as `read_form`.
    """
    kept: list[Kept] = []

    def keep_once(file: Iterator[bytes]) -> Kept:
        kept.append(keep(file))
        return kept[-1]

    try:
        yield read_form(chunks, boundary, keep_once, no_file=no_file)
    except BaseException:
        for each in kept:
            discard(each)
        raise


def read_form(
    chunks: Iterator[bytes],
    boundary: bytes,
    keep: Callable[[Iterator[bytes]], Kept],
    *,
    no_file: str = "The form has no file.",
) -> Form[Kept]:
    """Reads a form with one file. `keep` gets the bytes of the file as they arrive.

    Fields can be before and after the file.

    Memory holds the fields, and of the file only the current chunk. If the form is wrong after its file, the caller
    must undo what `keep` did; see `kept_form`. `no_file` is the message about a form without a file.

    Raises: BodyInvalid, BodyTruncated; what `chunks` and `keep` raise.
    """
    return _Reader(chunks, boundary).read(keep, no_file)


class _Reader:
    """Turns the callbacks of the parser into a sequence of parts."""

    def __init__(self, chunks: Iterator[bytes], boundary: bytes) -> None:
        self._chunks = chunks
        self._audit: deque[_Part | bytes | None] = deque()
        self._part = _Part()
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._size = self._header_bytes = 0
        self._has_ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": lambda: self._audit.append(self._part),
                    "on_part_data": lambda data, start, end: self._audit.append(data[start:end]),
                    "on_part_end": lambda: self._audit.append(None),
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _no_form(error) from error

    def read(self, keep: Callable[[Iterator[bytes]], Kept], no_file: str) -> Form[Kept]:
        """See `read_form`."""
        fields: dict[str, str] = {}
        found: Form[Kept] | None = None
        while (part := self._next()) is not None:
            assert isinstance(part, _Part), "data belongs to a part"
            name, file_name = part.name, part.file_name
            if file_name is None:
                if name in fields or len(fields) >= limits.UPLOAD_FIELDS_MAX:
                    raise BodyInvalid(
                        f"A form has each field once, and {limits.UPLOAD_FIELDS_MAX} at most.",
                        value=printable(name),
                    )
                fields[name] = self._text(name)
            elif found is not None:
                raise BodyInvalid("A form brings one file; send each by itself.", value=printable(file_name))
            else:
                content_type = part.headers.get(b"content-type", b"").decode("latin-1")
                found = Form(fields, file_name, content_type, keep(self._data()))
        if found is None:
            raise BodyInvalid(no_file, rule="a part with a file name")
        return found

    def _text(self, name: str) -> str:
        pieces, size = [], 0
        for piece in self._data():
            pieces.append(piece)
            size += len(piece)
            if size > limits.UPLOAD_FIELD_BYTES_MAX:
                raise BodyInvalid(
                    f"The field '{printable(name)}' has more than {limits.UPLOAD_FIELD_BYTES_MAX:,} bytes; "
                    "a file is a part with a file name.",
                    value=printable(name),
                )
        try:
            return b"".join(pieces).decode("utf-8")
        except UnicodeDecodeError as error:
            raise BodyInvalid(f"The field '{printable(name)}' is not UTF-8.", value=printable(name)) from error

    def _data(self) -> Iterator[bytes]:
        """Yields the bytes of the current part."""
        while isinstance(piece := self._next(), bytes):
            yield piece

    def _next(self) -> _Part | bytes | None:
        """Returns the next part or bytes of the current one; None at the end of the part or form.

        Raises: BodyTruncated.
        """
        while not self._audit and not self._has_ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise BodyTruncated(
                    f"The form ended after {plural(self._size, 'byte')}, before its last boundary; nothing was taken.",
                    received=self._size,
                )
            self._size += len(chunk)
            try:
                self._parser.write(chunk)
            except FormParserError as error:
                raise _no_form(error) from error
        if self._audit:
            return self._audit.popleft()
        # The rest of the body is read too, so that a body that is cut off after the last boundary is recognized.
        for _ in self._chunks:
            pass
        return None

    # Callbacks of the parser.

    def _begin(self) -> None:
        self._part, self._header_bytes = _Part(), 0

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > limits.HEADER_BYTES_MAX:
            raise BodyInvalid(f"The headers of a part have more than {limits.HEADER_BYTES_MAX:,} bytes.")

    def _header_end(self) -> None:
        name, value = self._header
        self._part.headers[name.lower()] = value
        self._header = (b"", b"")

    def _end(self) -> None:
        self._has_ended = True


def _no_form(error: FormParserError) -> BodyInvalid:
    return BodyInvalid(f"The body is no form: {printable(str(error))}.", rule="multipart/form-data")
