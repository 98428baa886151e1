"""Bulk writes and bulk reads of taggings."""

import msgspec

from tagloom.files import limits
from tagloom.http.framework.bodies import format_of_content_type, received
from tagloom.http.framework.body_headers import declared_compression, declared_encoding
from tagloom.http.framework.context import Answer, Call, Stream
from tagloom.http.framework.streams import export_format, export_stream
from tagloom.people.export import encode_taggings
from tagloom.tagging.taggings import FORMAT_OF_CONTENT_TYPE, Order
from tagloom.words.receipts import Mode


async def post_taggings(call: Call) -> Answer:
    """Applies a body as one batch, and reads it while it arrives. A truncated body applies nothing."""
    order = _order(call)
    bytes_max = limits.JSON_BODY_BYTES_MAX if order.format == "json" else limits.BULK_BODY_BYTES_MAX
    environment, taggings = call.environment, call.services.taggings
    # Problems of the parameters are answered before the body is read.
    order.rules(call.state.now())
    return Answer(await received(call, bytes_max, lambda chunks: taggings.import_body(environment, chunks, order)))


def _order(call: Call) -> Order:
    format = format_of_content_type(call, FORMAT_OF_CONTENT_TYPE)
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
        starts_at=call.find_text("starts_at"),
        expires_at=call.find_text("expires_at"),
        ttl=call.find_text("ttl"),
        tag=call.find_tag("tag"),
        compression=declared_compression(call.header(b"content-encoding")),
        encoding=declared_encoding(call.header(b"content-type")),
    )


async def export_taggings(call: Call) -> Stream:
    """Streams every tagging, person by person."""
    format = export_format(call)
    return await export_stream(
        call,
        lambda: call.services.taggings.list_taggings(call.environment),
        lambda chunks: encode_taggings(chunks, format),
        format,
    )
