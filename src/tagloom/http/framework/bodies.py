"""Reads bodies of requests: small ones as a whole, bulk ones as a stream to the thread that reads them."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from tagloom.base.problems import BodyInvalid, ContentTypeUnsupported
from tagloom.base.text import printable
from tagloom.files import limits as files_limits
from tagloom.http.framework.context import Call
from tagloom.server.body_reader import media_type, read_whole
from tagloom.words.problems import RuleInvalid
from tagloom.words.rules import check_depth

Body = TypeVar("Body")
Format = TypeVar("Format")
Result = TypeVar("Result")

JSON = "application/json"


def content_type(call: Call) -> str:
    """Returns the content type without its parameters, in lower case. A request without one has JSON."""
    return media_type(call.header(b"content-type") or JSON)


def format_of_content_type(call: Call, formats: Mapping[str, Format], *others: str) -> Format:
    """Returns the format that the content type means. A problem also lists `others`, which the caller reads itself.

    Raises: ContentTypeUnsupported.
    """
    format = formats.get(content_type(call))
    if format is None:
        supported = [*formats, *others]
        raise ContentTypeUnsupported(
            f"The body must be one of {', '.join(supported)}, not '{printable(content_type(call))}'.",
            supported=supported,
        )
    return format


async def read_body(call: Call, bytes_max: int = files_limits.JSON_BODY_BYTES_MAX) -> bytes:
    """Returns the whole body. Raises: BodyTooLarge, BodyTruncated."""
    return await read_whole(call.scope, call.receive, bytes_max)


async def read_json(call: Call, type: type[Body], *, is_rule: bool = False, default: bytes | None = None) -> Body:
    """Returns the body as this type. An empty body is read as `default`, unless that is None.

    Raises: ContentTypeUnsupported, BodyTooLarge, BodyTruncated, BodyInvalid, RuleInvalid.
    """
    body = await read_body(call)
    if not body and default is not None:
        return decode(default, type)
    if content_type(call) != JSON:
        raise ContentTypeUnsupported(
            f"The body must be {JSON}, not '{printable(content_type(call))}'.", supported=[JSON]
        )
    if is_rule:
        check_depth(body)
    return decode(body, type)


def decode(body: bytes, type: type[Body]) -> Body:
    """Returns the value of a JSON text.

    Raises: BodyInvalid or, inside a rule, RuleInvalid: with the field that does not fit.
    """
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.ValidationError as error:
        says, _, place = str(error).partition(" - at `")
        field = place.rstrip("`") or "$"
        kind = RuleInvalid if field.startswith("$.rule") else BodyInvalid
        raise kind(f"{says}, at {field}.", field=field) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        says = "it is empty" if not body else str(error)
        raise BodyInvalid(f"The body is not JSON: {says}.", field="$") from error
    except RecursionError as error:
        raise BodyInvalid("The body is nested too deeply.", field="$") from error


async def received(call: Call, bytes_max: int, take: Callable[[Iterator[bytes]], Result]) -> Result:
    """Calls `take` with the chunks of the body in a thread, while the body arrives. Returns the result.

    Raises: as `BulkBodies.read`.
    """
    principal = call.principal
    return await call.state.bulk_bodies.read(
        call.scope, call.receive, bytes_max, take, caller=principal.token, organization=principal.organization
    )
