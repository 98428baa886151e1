"""Answers that are sent while they are produced: the format that the caller accepts, and chunks from a thread."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from tagloom.base.text import printable
from tagloom.files.table_encoding import CONTENT_TYPE_OF_FORMAT, ExportFormat
from tagloom.http.framework.context import Call, Stream
from tagloom.http.problems import NotAcceptable
from tagloom.words.changes import Version

Item = TypeVar("Item")


def export_format(call: Call) -> ExportFormat:
    """Returns the format that Accept prefers, or NDJSON if it accepts any.

    Raises: NotAcceptable, with the formats that can be served.
    """
    wanted = call.header(b"accept") or "*/*"
    best: tuple[float, ExportFormat] | None = None
    for format, served in CONTENT_TYPE_OF_FORMAT.items():
        quality = max((_quality(offer, served) for offer in wanted.split(",")), default=0.0)
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, format)
    if best is None:
        raise NotAcceptable(
            f"This can be served as {', '.join(CONTENT_TYPE_OF_FORMAT.values())}, not as '{printable(wanted)}'.",
            supported=list(CONTENT_TYPE_OF_FORMAT.values()),
        )
    return best[1]


def _quality(offer: str, served: str) -> float:
    """Returns how much one item of Accept prefers a type: 0 to 1. A named type counts a little more than a wildcard."""
    name, *parameters = (part.strip().lower() for part in offer.split(";"))
    if name not in (served, "*/*", f"{served.partition('/')[0]}/*"):
        return 0.0
    quality = 1.0
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = min(1.0, max(0.0, float(parameter.removeprefix("q="))))
            except ValueError:
                quality = 0.0
    return quality if name == served else quality * 0.999


async def export_stream(
    call: Call,
    open_rows: Callable[[], tuple[Version, Iterator[Sequence[Item]]]],
    encode: Callable[[Iterator[Sequence[Item]]], Iterator[bytes]],
    format: ExportFormat,
) -> Stream:
    """Returns an answer that streams a read at one version, with the version in a header.

    Raises: what `open_rows` raises, before the first byte is sent.
    """
    version, chunks = await call.in_thread(open_rows)
    content_type = CONTENT_TYPE_OF_FORMAT[format] + ("; charset=utf-8" if format == "csv" else "")
    return Stream(encode(chunks), content_type, ((b"tagloom-version", b"%d" % version),))
