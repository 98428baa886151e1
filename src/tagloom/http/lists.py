"""Static lists: tribes whose members are added and removed by hand or by a file of ids."""

import msgspec

from tagloom.files import Text, limits
from tagloom.http.framework.bodies import format_of_content_type, received
from tagloom.http.framework.body_headers import declared_compression, declared_encoding
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.etags import expected_revision, if_match
from tagloom.ports.problems import TribeChanged
from tagloom.tagging.lists import ListDraft, ListMode
from tagloom.tagging.taggings import Order
from tagloom.words.people import Kind
from tagloom.words.tribes import Audience

FORMATS: dict[str, Text] = {"application/json": "json", "application/x-ndjson": "ndjson", "text/csv": "csv"}


async def create_list(call: Call) -> Answer:
    """Creates a list of the people in the body."""
    environment, order, lists = call.environment, _order(call), call.services.lists
    draft = ListDraft(
        name=call.text("name"),
        id=call.find_text("id"),
        tag=call.find_tag("tag"),
        audience=msgspec.convert(call.text("audience"), Audience),
    )
    return Answer(
        await received(call, _bytes_max(order), lambda chunks: lists.create_list(environment, draft, chunks, order))
    )


async def change_list(call: Call) -> Answer:
    """Adds the people of the body to a list, removes them, or replaces the list by them."""
    environment, tribe, order, lists = call.environment, call.values["tribe"], _order(call), call.services.lists
    mode = msgspec.convert(call.text("mode"), ListMode)
    return Answer(
        await received(
            call, _bytes_max(order), lambda chunks: lists.change_list(environment, tribe, mode, chunks, order)
        )
    )


async def delete_list(call: Call) -> Answer:
    """Deletes a list with its tag."""
    environment, tribe, origin, lists = call.environment, call.values["tribe"], call.origin, call.services.lists
    expected, revision = if_match(call), None
    if expected is not None:
        stored = await call.in_thread(lambda: call.services.tribes.get_tribe(environment.space, tribe))
        revision = expected_revision(stored.revision, expected, TribeChanged, f"The tribe '{tribe}'")
    return Answer(await call.in_thread(lambda: lists.delete_list(environment, tribe, origin, revision=revision)))


def _bytes_max(order: Order) -> int:
    return limits.JSON_BODY_BYTES_MAX if order.format == "json" else limits.BULK_BODY_BYTES_MAX


def _order(call: Call) -> Order:
    return Order(
        format=format_of_content_type(call, FORMATS),
        mode="add",
        origin=call.origin,
        dry_run=call.flag("dry_run"),
        allow_empty=call.find_flag("allow_empty"),
        allow_unreadable=call.find_flag("allow_unreadable"),
        user_column=call.text("user_column"),
        visitor_column=call.text("visitor_column"),
        compression=declared_compression(call.header(b"content-encoding")),
        encoding=declared_encoding(call.header(b"content-type")),
        kind=msgspec.convert(call.text("kind"), Kind),
    )
