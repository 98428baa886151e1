"""The Platform API: finds the route of a request, calls its handler, and sends the answer."""

import asyncio
import contextlib
import time
from collections.abc import Iterable

import anyio.to_thread
import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from tagloom.accounts.access_tokens import Principal
from tagloom.accounts.problems import NotAllowed, NotSignedIn
from tagloom.http import limits
from tagloom.http.framework.cache_refresh import Renewals
from tagloom.http.framework.context import Answer, ApiState, Call, Events, Stream
from tagloom.http.framework.parameters import read_query
from tagloom.http.framework.routing import Found, Route, Tree
from tagloom.server.problems import RouteNotFound

ENCODER = msgspec.json.Encoder()
BEARER = "bearer "


class PlatformApi:
    """The ASGI application of the route table. Passes requests for other addresses to `otherwise`."""

    def __init__(self, state: ApiState, routes: Iterable[Route], otherwise: ASGIApp | None = None) -> None:
        self._state = state
        self._tree = Tree(routes)
        self._otherwise = otherwise
        self._renewals = Renewals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request. Raises problems, which the surrounding application renders."""
        found = self._tree.find(scope["method"], scope["raw_path"])
        if found is None:
            if self._otherwise is not None:
                await self._otherwise(scope, receive, send)
                return
            raise RouteNotFound(
                "There is nothing at this address. A slash inside an id is written %2F; /docs lists every address."
            )
        scope["tagloom.route"] = found.route.path
        call = Call(self._state, scope, receive, found.values)
        await self._prepare(call, found)
        answer = await found.route.handler(call)
        if isinstance(answer, Stream):
            await _send_stream(call, found.route, answer, receive, send)
        elif isinstance(answer, Events):
            await _send_events(call, found.route, answer, receive, send)
        else:
            await send_answer(answer, scope, send)

    async def _prepare(self, call: Call, found: Found) -> None:
        """Authenticates the caller, checks the scopes, finds the environment, and reads the parameters.

        Raises: the problem of each step.
        """
        scopes = found.route.scopes
        if scopes is None:
            call.query = read_query(call.scope["query_string"], found.known)
            return
        access, secret = self._state.services.access, _secret(call.header(b"authorization"))
        principal = call.found_principal = await authenticate(self._state, secret)
        principal.require(*scopes)
        space, organization = call.values.get("space"), call.values.get("organization")
        environment = call.values.get("environment")
        if organization is not None:
            await call.in_thread(lambda: access.get_organization(principal, organization))
        if space is not None and environment is not None:
            place = access.find_place(principal, space, environment)
            if place is None:
                place = await call.in_thread(lambda: access.get_place(principal, space, environment))
            call.found_place = place
            self._renewals.soon(
                (secret, space, environment), lambda: access.renew(principal, secret, space, environment)
            )
        elif space is not None:
            await call.in_thread(lambda: access.get_space(principal, space))
        if space is not None:
            principal.require(*scopes, space=space)
        call.query = read_query(call.scope["query_string"], found.known)
        at_least = call.find_integer("at_least") if call.query else None
        if at_least is not None:
            await call.wait_for_version(at_least)


def _secret(authorization: str | None) -> str:
    """Returns the token in an Authorization header. Raises: NotSignedIn."""
    if authorization is None or authorization[: len(BEARER)].lower() != BEARER:
        raise NotSignedIn("Send the header: Authorization: Bearer <access token>.")
    return authorization[len(BEARER) :].strip()


async def authenticate(state: ApiState, secret: str) -> Principal:
    """Returns the principal of a token. Raises: NotSignedIn."""
    found = state.services.access.find_principal(secret)
    return found if found is not None else await state.threads.run(lambda: state.services.access.authenticate(secret))


async def send_answer(answer: Answer, scope: Scope, send: Send) -> None:
    """Sends a whole answer."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    headers = [*answer.headers]
    if answer.body is not None:
        if not isinstance(answer.body, bytes):
            body = ENCODER.encode(answer.body)
        headers += [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


class _Watch:
    """Checks regularly that the caller of a long answer may still read it."""

    def __init__(self, call: Call, route: Route) -> None:
        self._call = call
        self._route = route
        self._due = time.monotonic() + limits.STREAM_SECONDS_BETWEEN_CHECKS

    @property
    def seconds_left(self) -> float:
        """The seconds until the next check."""
        return max(0.0, self._due - time.monotonic())

    async def check(self) -> None:
        """Checks the token again if the next check is due.

        Raises: NotSignedIn, NotAllowed: the token was revoked, or its teammate was deactivated or lost the permission.
        """
        if self.seconds_left > 0:
            return
        self._due = time.monotonic() + limits.STREAM_SECONDS_BETWEEN_CHECKS
        call = self._call
        principal = await authenticate(call.state, _secret(call.header(b"authorization")))
        principal.require(*(self._route.scopes or ()), space=call.values.get("space"))


async def _send_stream(call: Call, route: Route, answer: Stream, receive: Receive, send: Send) -> None:
    """Sends chunks as a thread produces them, until the end, or until the client leaves or loses access.

    A failure during the answer breaks the connection, because half an answer must not look like a whole one.
    """
    headers = [*answer.headers, (b"content-type", answer.content_type.encode("ascii"))]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    if call.scope["method"] == "HEAD":
        await send(start)
        await send({"type": "http.response.body", "body": b""})
        return
    gone, organization = asyncio.create_task(_until_gone(receive)), call.principal.organization
    try:
        with call.state.metrics.exports.track_inprogress():
            has_started, watch = False, _Watch(call, route)
            while not gone.done():
                await watch.check()
                chunk = await call.state.exports.run(lambda: next(answer.chunks, None), organization=organization)
                if not has_started:
                    await send(start)
                    has_started = True
                if chunk is None:
                    await send({"type": "http.response.body", "body": b""})
                    break
                if chunk:
                    async with asyncio.timeout(limits.EXPORT_IDLE_SECONDS_MAX):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        close = getattr(answer.chunks, "close", None)
        if close is not None:
            await anyio.to_thread.run_sync(close)


async def _send_events(call: Call, route: Route, answer: Events, receive: Receive, send: Send) -> None:
    """Sends values as they come, until the end, or until the client leaves or loses access.

    No thread waits meanwhile.
    """
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone, watch = asyncio.create_task(_until_gone(receive)), _Watch(call, route)
    coming: asyncio.Future[object] | None = None
    try:
        while call.scope["method"] != "HEAD" and not gone.done():
            coming = coming or asyncio.ensure_future(anext(answer.values, None))
            await asyncio.wait((gone, coming), timeout=watch.seconds_left, return_when=asyncio.FIRST_COMPLETED)
            try:
                await watch.check()
            except (NotSignedIn, NotAllowed):
                break
            if not coming.done():
                continue
            value, coming = coming.result(), None
            if value is None:
                break
            body = b"data: " + ENCODER.encode(value) + b"\n\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})
        if not gone.done():
            await send({"type": "http.response.body", "body": b""})
    finally:
        if coming is not None:
            coming.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await coming
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        await answer.values.aclose()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
