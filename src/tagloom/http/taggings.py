"""Bulk writes and bulk reads of taggings."""

from email.message import EmailMessage

import msgspec

from tagloom.base.problems import ContentTypeUnsupported
from tagloom.base.text import printable
from tagloom.files import limits
from tagloom.files.decoding import COMPRESSIONS
from tagloom.http.framework.bodies import content_type, received
from tagloom.http.framework.context import Answer, Call, Stream
from tagloom.http.framework.streams import export_format, export_stream
from tagloom.people.export import encode_taggings
from tagloom.tagging.taggings import FORMAT_OF_CONTENT_TYPE, Order
from tagloom.words.mappings import Encoding
from tagloom.words.receipts import Mode

# As in browsers, Latin-1 means windows-1252.
_ENCODING_OF_CHARSET: dict[str, Encoding] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16",
    "windows-1252": "windows-1252",
    "cp1252": "windows-1252",
    "iso-8859-1": "windows-1252",
    "latin1": "windows-1252",
}


async def post_taggings(call: Call) -> Answer:
    """Applies a body as one batch, and reads it while it arrives. A truncated body applies nothing."""
    order = _order(call)
    bytes_max = limits.JSON_BODY_BYTES_MAX if order.format == "json" else limits.BULK_BODY_BYTES_MAX
    environment, taggings = call.environment, call.services.taggings
    # Problems of the parameters are answered before the body is read.
    order.rules(call.state.now())
    return Answer(await received(call, bytes_max, lambda chunks: taggings.import_body(environment, chunks, order)))


def _order(call: Call) -> Order:
    format = FORMAT_OF_CONTENT_TYPE.get(content_type(call))
    if format is None:
        raise ContentTypeUnsupported(
            f"The body must be one of {', '.join(FORMAT_OF_CONTENT_TYPE)}, not '{printable(content_type(call))}'.",
            supported=list(FORMAT_OF_CONTENT_TYPE),
        )
    mode = msgspec.convert(call.text("mode"), Mode)
    return Order(
        format=format,
        mode=mode,
        origin=call.origin,
        prefix=call.find_tag("prefix"),
        lowercase=call.find_text("normalize") == "lowercase",
        dry_run=call.flag("dry_run"),
        allow_empty=call.flag("allow_empty"),
        allow_unreadable=call.flag("allow_unreadable"),
        idempotency_key=call.idempotency_key(),
        user_column=call.text("user_column"),
        visitor_column=call.text("visitor_column"),
        tag_column=call.text("tag_column"),
        expires_at=call.find_text("expires_at"),
        ttl=call.find_text("ttl"),
        tag=call.find_tag("tag"),
        compression=_compression(call),
        encoding=_encoding(call),
    )


def _encoding(call: Call) -> Encoding:
    """Returns the encoding of the text by its content type. Raises: ContentTypeUnsupported."""
    message = EmailMessage()
    message["Content-Type"] = (call.header(b"content-type") or "").replace("\n", " ").replace("\r", " ")
    charset = str(message.get_param("charset", "utf-8")).lower()
    if charset not in _ENCODING_OF_CHARSET:
        raise ContentTypeUnsupported(
            f"A text is in utf-8, utf-16 or windows-1252, not in '{printable(charset)}'.",
            supported=["utf-8", "utf-16", "windows-1252"],
        )
    return _ENCODING_OF_CHARSET[charset]


def _compression(call: Call) -> str | None:
    """Returns the compression by Content-Encoding. Raises: ContentTypeUnsupported."""
    said = (call.header(b"content-encoding") or "").strip().lower().removeprefix("x-")
    if said in ("", "identity"):
        return None
    if said not in COMPRESSIONS:
        raise ContentTypeUnsupported(
            f"The body may be compressed by {' or '.join(COMPRESSIONS)}, not by '{printable(said)}'.",
            supported=list(COMPRESSIONS),
        )
    return said


async def export_taggings(call: Call) -> Stream:
    """Streams every tagging, person by person."""
    format = export_format(call)
    return await export_stream(
        call,
        lambda: call.services.taggings.list_taggings(call.environment),
        lambda chunks: encode_taggings(chunks, format),
        format,
    )
