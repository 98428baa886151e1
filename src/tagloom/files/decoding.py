"""Decodes a text body to UTF-8 with lines that end with LF or CRLF, whatever program wrote the body.

Each step is reported in a sentence. Compression is detected by the first bytes of the body, and UTF-16 by its byte
order mark. Lines that end with CR alone are split. The first sheet of an Excel workbook becomes CSV. Windows-1252
cannot be distinguished from other encodings, so it is used only if the caller names it.
"""

import codecs
from collections.abc import Callable, Generator, Iterator
from typing import Final

import pyarrow as pa

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid, BodyTooLarge
from tagloom.base.text import printable
from tagloom.files import limits
from tagloom.files.sliding_buffer import BYTE_ORDER_MARK
from tagloom.files.workbook import ZIP_MAGIC, workbook_lines
from tagloom.words.mappings import Encoding

_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
COMPRESSIONS: Final = tuple(_MAGIC.values())
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_PARQUET = b"PAR1"
_UTF32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# The first bytes of other known kinds of file.
KNOWN_BEGINNINGS = (ZIP_MAGIC, _OLD_EXCEL, BYTE_ORDER_MARK, *_UTF16, _PARQUET, *_MAGIC)
_HEAD_BYTES = 65_536  # These bytes of a body are enough to detect its line ends.
_WITHOUT_QUESTION_BYTES = 67_108_864  # A body may always grow to this size by decompression.

Remark = Callable[[str], None]


def opened(
    source: Iterator[bytes],
    *,
    encoding: Encoding = "utf-8",
    compression: str | None = None,
    remark: Remark | None = None,
) -> Generator[bytes, None, None]:
    """Yields the chunks of a text body as UTF-8. The first bytes of the body show its kind.

    `compression` is the one that the sender declares. `remark` is called for each step.

    Raises, while it is iterated:
        BodyInvalid: the body is damaged, or is not a text.
        BodyTooLarge: the body grows too much by decompression.
    """
    tell = remark if remark is not None else _ignored
    head, rest = _head_of(decompressed(source, named=compression, remark=tell))
    if head.startswith(ZIP_MAGIC):
        yield from workbook_lines(_joined(head, rest), tell)
        return
    _refuse_binary(head)
    chunks, head = _decoded(head, rest, encoding, tell)
    if b"\r" in head and b"\n" not in head:
        tell("Its lines end with CR alone, as old Mac programs write them. They are read as lines.")
        chunks = _with_newlines(chunks)
    yield from chunks


def check_declared(source: Iterator[bytes], named: str | None) -> Iterator[bytes]:
    """Yields the chunks of a body unchanged. `named` is the declared compression.

    Raises, while it is iterated: BodyInvalid: the first bytes show that the body is not compressed.
    """
    if named is None:
        yield from source
        return
    head, rest = _head_of(source, 4)
    if head and not head.startswith(tuple(_MAGIC)):
        raise BodyInvalid(f"The body is announced as {named} but is not. Send it without Content-Encoding.", rule=named)
    yield from _joined(head, rest)


def refuse_compressed(head: bytes) -> None:
    """Checks that a decompressed body does not begin like another compressed one. Raises: BodyInvalid."""
    if head.startswith(tuple(_MAGIC)):
        raise BodyInvalid("The body is compressed twice. Compress it once.", rule="compressed once")


def decompressed(
    source: Iterator[bytes], *, named: str | None = None, remark: Remark | None = None
) -> Generator[bytes, None, None]:
    """Yields the chunks of a body without its compression, which the first bytes show. `named` is the declared one.

    Raises, while it is iterated: BodyInvalid, BodyTooLarge.
    """
    if named is not None:
        source = check_declared(source, named)
    head, rest = _head_of(source, 4)
    found = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
    if found is None:
        yield from _joined(head, rest)
        return
    if remark is not None:
        remark(f"It is compressed by {found}, and was decompressed.")
    raw = _Raw(_joined(head, rest))
    size = 0
    try:
        with pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), found) as file:
            while chunk := file.read(base_limits.UPLOAD_CHUNK_BYTES):
                size += len(chunk)
                _check_growth(size, raw.size)
                yield chunk
    except (pa.ArrowException, OSError) as error:
        if raw.error is not None:
            raise raw.error from None
        raise BodyInvalid(
            f"The body is not complete {found}: {printable(str(error))}.", rule="a whole body", value=found
        ) from error


def _check_growth(size: int, compressed: int) -> None:
    """Checks how much a body grows by decompression. Raises: BodyTooLarge."""
    is_bomb = size > _WITHOUT_QUESTION_BYTES and size > compressed * limits.DECOMPRESSED_PER_BYTE_MAX
    if is_bomb or size > limits.BULK_BODY_BYTES_MAX:
        raise BodyTooLarge(
            f"The body grows to more than {limits.DECOMPRESSED_PER_BYTE_MAX} times its size when it is decompressed. "
            "Send it uncompressed.",
            rule=f"at most {limits.DECOMPRESSED_PER_BYTE_MAX} times its size",
        )


class _Raw:
    """A file object for Arrow that reads from a source."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._waiting = b""
        self.size = 0
        self.error: BaseException | None = None
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes, at most `size` if it is not negative. Returns no bytes at the end."""
        while not self._waiting:
            try:
                self._waiting = bytes(next(self._source))
            except StopIteration:
                return b""
            except BaseException as error:
                # Arrow replaces the error with its own; the caller raises this one.
                self.error = error
                raise
        taken = self._waiting if size < 0 else self._waiting[:size]
        self._waiting = self._waiting[len(taken) :]
        self.size += len(taken)
        return taken

    def readable(self) -> bool:
        """Returns True, because the object can be read."""
        return True

    def seekable(self) -> bool:
        """Returns False, because the object can be read only once."""
        return False

    def close(self) -> None:
        """Marks the object as closed. The source stays open, because it belongs to the caller."""
        self.closed = True


def _ignored(_: str) -> None:
    """Does nothing. This is the default of `remark`."""


def _head_of(source: Iterator[bytes], size: int = _HEAD_BYTES) -> tuple[bytes, Iterator[bytes]]:
    """Returns at least the first `size` bytes, or all bytes of a shorter source, and the chunks after them."""
    chunks, have = list[bytes](), 0
    for chunk in source:
        chunks.append(bytes(chunk))
        have += len(chunk)
        if have >= size:
            break
    return b"".join(chunks), source


def _joined(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _refuse_binary(head: bytes) -> None:
    """Checks that a body does not begin like a binary file. Raises: BodyInvalid."""
    refuse_compressed(head)
    if head.startswith(_OLD_EXCEL):
        raise BodyInvalid(
            "This is an old Excel file (.xls). Open it in Excel and save it as CSV UTF-8 or as .xlsx.", rule="a text"
        )
    if head.startswith(_PARQUET):
        raise BodyInvalid("This is a Parquet file. Name its format, or end its name with .parquet.", rule="a text")
    if head.startswith(_UTF32):
        raise BodyInvalid("The text is UTF-32. Save it as UTF-8.", rule="UTF-8")


def _decoded(head: bytes, rest: Iterator[bytes], encoding: Encoding, tell: Remark) -> tuple[Iterator[bytes], bytes]:
    """Returns all chunks in UTF-8, and a copy of the first chunk in UTF-8."""
    if head.startswith(BYTE_ORDER_MARK):
        return _joined(head, rest), head
    for mark, name in _UTF16.items():
        if head.startswith(mark):
            tell("It is read as UTF-16, because of its byte order mark.")
            return _transcoded(_joined(head[len(mark) :], rest), name), head.decode("utf-16", "replace").encode()
    match encoding:
        case "utf-8":
            return _joined(head, rest), head
        case "utf-16":
            name = "utf-16-le"
        case "windows-1252":
            name = "windows-1252"
    tell(f"It is read as {encoding}, as requested.")
    return _transcoded(_joined(head, rest), name), head.decode(name, "replace").encode()


def _transcoded(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Yields the chunks in UTF-8. Invalid input becomes invalid UTF-8, so that its line is rejected later."""
    codecs.register_error("tagloom-foreign", _foreign)
    decoder = codecs.getincrementaldecoder(name)("tagloom-foreign")
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


def _foreign(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError), "this handler is only for decoding"
    return "\udcff", error.end


def _with_newlines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the chunks with LF instead of CR and CRLF."""
    is_behind_return = False
    for chunk in chunks:
        if is_behind_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if chunk:
            is_behind_return = chunk.endswith(b"\r")
            yield chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
