"""The tracking API: the requests of the client libraries of Segment and RudderStack.

It speaks the protocol of those libraries, so its addresses, answers and errors differ from those of the Platform API: a
write key takes the place of a token, and pages of all origins can send.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec
import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tagloom.base.problems import BodyInvalid, Problem
from tagloom.base.text import printable
from tagloom.events import limits as events_limits
from tagloom.http.framework.context import Answer, ApiState
from tagloom.http.framework.dispatch import send_answer
from tagloom.http.framework.problem_responses import RETRY_AFTER_SECONDS
from tagloom.http.framework.proxies import BehindProxies, IpNetwork
from tagloom.ports.problems import TooManyWrites
from tagloom.server.body_reader import read_whole
from tagloom.server.problems import MethodNotAllowed
from tagloom.server.thread_limits import Places, TooManyAtOnce
from tagloom.tracking import limits
from tagloom.tracking.client_context import ClientRequest
from tagloom.tracking.event_sources import Sender
from tagloom.tracking.messages import Call, find_write_key, plain_body
from tagloom.tracking.problems import WriteKeyUnknown
from tagloom.tracking.receiving import Tracked
from tagloom.tracking.settings_documents import rudderstack_settings, segment_settings

log = structlog.get_logger("tagloom.http")

SEGMENT_SETTINGS = "/v1/projects/{key}/settings"
RUDDERSTACK_SETTINGS = "/sourceConfig"
# The addresses of the calls. Segment's library for browsers uses those of one letter.
CALLS: Final[Mapping[str, Call]] = {
    **{f"/v1/{call}": call for call in ("identify", "track", "page", "screen", "group", "alias", "batch", "import")},
    **{f"/v1/{call[0]}": call for call in ("identify", "track", "page", "screen", "group", "alias", "batch")},
    "/beacon/v1/batch": "batch",
}
# Images, for pages and e-mails without scripts. The message is in the query.
PIXELS: Final[Mapping[str, Call]] = {"/pixel/v1/track": "track", "/pixel/v1/page": "page"}
# Reports of the libraries about themselves. They are not read.
TELEMETRY = frozenset(("/v1/m", "/rsaMetrics"))

_SETTINGS_PATH = re.compile(r"(?:/v1)?/projects/([^/]+)/settings")
_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_NO_STORE = (b"cache-control", b"no-store")
_SUCCESS = Answer({"success": True})
_CORS_SECONDS = 86_400  # How long browsers remember that pages of all origins can send.
_INLINE_BYTES_MAX = 8_192  # The event loop itself looks for the write key in a body of this size. It takes 20 us.
_SHARED_BYTES_MAX = 16_384  # Larger bodies, and compressed ones, have a thread of their own.
_PLACES = 8  # Bodies with a thread of their own that are read at once.
_PLACES_PER_ORGANIZATION = 4
_WAIT_SECONDS = 10  # How long such a body waits for a place.


class _Fields(NamedTuple):
    """The fields of the query and of the headers that the tracking API uses, and the address of the caller."""

    query: Mapping[str, str]
    write_key: str | None
    origin: str | None
    client: ClientRequest


class TrackingApi:
    """The ASGI application of the tracking API. Passes requests for other addresses to `otherwise`.

    `public_url` is the address of the server as browsers see it. If it is None, the address of each request is used.
    """

    def __init__(
        self,
        state: ApiState,
        otherwise: ASGIApp,
        *,
        public_url: str | None = None,
        trusted_proxies: tuple[IpNetwork, ...] = (),
    ) -> None:
        self._state = state
        self._otherwise = otherwise
        self._public_url = public_url
        self._places = Places(_PLACES, wait_seconds=_WAIT_SECONDS, organization=_PLACES_PER_ORGANIZATION)
        cross_origin = CORSMiddleware(
            self._respond,
            allow_origin_regex=".*",
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            allow_credentials=True,
            max_age=_CORS_SECONDS,
        )
        self._answering = BehindProxies(cross_origin, trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        path = _route_of(scope["path"]) if scope["type"] == "http" else None
        if path is None:
            await self._otherwise(scope, receive, send)
            return
        scope["tagloom.route"] = path
        await self._answering(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request for an address of the tracking API, in the form that the client libraries expect."""
        try:
            answer = await self._answer(scope, receive)
        except Problem as problem:
            answer = _error(problem)
            if answer.status >= 500:
                request_id = scope.get("tagloom.request_id")
                log.error("request.refused", request_id=request_id, problem=problem.slug(), detail=problem.detail)
        await send_answer(answer, scope, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, fields = scope["tagloom.route"], _fields(scope)
        if path in TELEMETRY:
            _check_method(scope, "POST", "GET")
            return Answer(None, status=204)
        if path in CALLS:
            _check_method(scope, "POST")
            await self._receive_messages(scope, receive, fields, CALLS[path])
            return _SUCCESS
        _check_method(scope, "GET")
        if path in PIXELS:
            if scope["method"] == "HEAD":  # Scanners of e-mails ask so. Nobody has seen the image.
                return Answer(_GIF, content_type=b"image/gif", headers=(_NO_STORE,))
            sender, message = await self._sender(fields), _message_of_query(fields.query)
            await self._track(sender, fields, message, PIXELS[path])
            return Answer(_GIF, content_type=b"image/gif", headers=(_NO_STORE,))
        if path == RUDDERSTACK_SETTINGS:
            sender = await self._sender(fields)
            return Answer(rudderstack_settings(sender, self._base(scope)), headers=(_NO_STORE,))
        found = _SETTINGS_PATH.fullmatch(scope["path"])
        assert found is not None, "no other address has a route"
        sender = await self._sender(fields._replace(write_key=found[1]))
        return Answer(segment_settings(sender, self._base(scope)), headers=(_NO_STORE,))

    async def _receive_messages(self, scope: Scope, receive: Receive, fields: _Fields, call: Call) -> None:
        """Records the messages of a body, and returns after the commit."""
        sender = None if fields.write_key is None else await self._sender(fields)
        bytes_max = limits.TRACKING_BODY_BYTES_MAX if sender is None else sender.body_bytes_max
        body = await read_whole(scope, receive, bytes_max)
        if sender is None:
            sender = await self._sender(fields._replace(write_key=await self._find_write_key(body)))
        await self._track(sender, fields, body, call)

    async def _find_write_key(self, body: bytes) -> str | None:
        """Returns the write key in a body, or None."""

        def find() -> str | None:
            return find_write_key(plain_body(body, limits.TRACKING_BODY_BYTES_MAX))

        return find() if len(body) <= _INLINE_BYTES_MAX and body[:1] == b"{" else await self._state.threads.run(find)

    async def _track(self, sender: Sender, fields: _Fields, body: bytes, call: Call) -> None:
        state, tracking, organization = self._state, self._state.services.tracking, sender.organization

        def submit() -> Future[Tracked]:
            return tracking.submit(sender, body, call, origin=fields.origin, request=fields.client)

        if len(body) > _SHARED_BYTES_MAX or body[:1] != b"{":
            future = await self._places.run(submit, organization=organization)
        else:
            # Small bodies that wait at the same time share a thread. Taggings of the environment have another one.
            future = await state.submit(("tracking", sender.environment.key), submit, organization=organization)
        state.metrics.messages.tracked(*await state.written(future))

    async def _sender(self, fields: _Fields) -> Sender:
        """Returns the owner of the key of a request. Raises: WriteKeyUnknown."""
        key, sources = fields.write_key, self._state.services.event_sources
        if not key:
            raise WriteKeyUnknown("The request has no write key. Send it as the user name of basic authentication.")
        found = sources.find_sender(key)
        return found if found is not None else await self._state.threads.run(lambda: sources.get_sender(key))

    def _base(self, scope: Scope) -> str:
        """Returns the address of the server as the client sees it."""
        if self._public_url is not None:
            return self._public_url.rstrip("/")
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        return f"{scope['scheme']}://{host}"


def _route_of(path: str) -> str | None:
    """Returns the name of the address in metrics and logs, or None if it is no address of the tracking API."""
    short = path.rstrip("/")
    if short in CALLS or short in PIXELS or short in TELEMETRY or short == RUDDERSTACK_SETTINGS:
        return short
    return SEGMENT_SETTINGS if _SETTINGS_PATH.fullmatch(path) else None


def _fields(scope: Scope) -> _Fields:
    query: dict[str, str] = {}
    if scope["query_string"]:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = dict(scope["headers"])
    authorization, origin = headers.get(b"authorization"), headers.get(b"origin")
    key = None if authorization is None else _key_of_header(authorization)
    client = ClientRequest(
        scope["client"][0],
        headers.get(b"user-agent", b"").decode("latin-1"),
        headers.get(b"accept-language", b"").decode("latin-1"),
    )
    return _Fields(
        query, key or query.get("writeKey") or None, None if origin is None else origin.decode("latin-1"), client
    )


def _key_of_header(authorization: bytes) -> str | None:
    """Returns the user name of basic authentication, or None."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode("latin-1").partition(":")[0]
    except binascii.Error:
        return None


def _check_method(scope: Scope, *allowed: str) -> None:
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    if method not in allowed:
        raise MethodNotAllowed(f"This address takes {', '.join(allowed)}.", allowed=list(allowed))


def _message_of_query(query: Mapping[str, str]) -> bytes:
    """Returns the message of a pixel: JSON as base64 in `data`, or one field in each parameter.

    A dot separates levels: `properties.plan` is a property. Raises: BodyInvalid.
    """
    if "data" in query:
        data = query["data"].replace("-", "+").replace("_", "/").replace(" ", "+")
        try:
            return base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
        except ValueError as error:
            raise BodyInvalid("The parameter 'data' is not base64.", field="data") from error
    message: dict[str, Any] = {}
    for name, value in query.items():
        if name == "writeKey":
            continue
        *above, last = name.split(".")
        if len(above) > events_limits.LEVELS_PER_PROPERTY_MAX:
            raise BodyInvalid("The name of a parameter has too many levels.", field=printable(name))
        place = message
        for level in above:
            below = place.setdefault(level, {})
            if not isinstance(below, dict):
                raise BodyInvalid(f"The parameter '{level}' has a value and parts.", field=level)
            place = below
        place[last] = value
    return msgspec.json.encode(message)


def _error(problem: Problem) -> Answer:
    """Returns an error in the form that client libraries read. An overload is 429, after which all of them wait."""
    status = problem.status
    if isinstance(problem, TooManyWrites | TooManyAtOnce):
        status = 429
    elif isinstance(problem, BodyInvalid):
        status = 400
    headers: list[tuple[bytes, bytes]] = []
    if status in (429, 503):
        seconds = problem.members.get("retry_after", RETRY_AFTER_SECONDS)
        headers.append((b"retry-after", str(seconds).encode("ascii")))
    allowed = problem.members.get("allowed")
    if isinstance(allowed, list):
        headers.append((b"allow", ", ".join(map(str, allowed)).encode("ascii")))
    if status == 413:
        headers.append((b"connection", b"close"))
    body = {"success": False, "code": problem.slug(), "message": problem.detail}
    return Answer(body, status=status, headers=tuple(headers))
