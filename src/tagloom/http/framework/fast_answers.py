"""Answers of routes with a fast answer, without the steps of the route table.

A request gets the fast answer if it has the usual form and if its token and its environment are cached. Every other
request, and every request that fails, goes through the route table, which returns the same answer or the problem.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from random import getrandbits
from typing import NamedTuple

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagloom.accounts import limits as accounts_limits
from tagloom.accounts.access_tokens import Place, Principal
from tagloom.base.problems import Problem
from tagloom.http.framework.cache_refresh import Renewals
from tagloom.http.framework.context import ApiState
from tagloom.http.framework.middleware import last_on_connection
from tagloom.http.framework.routing import FastAnswer, Route, Tree
from tagloom.server.body_pace import BodyTooSlow, Pace, ServerStops
from tagloom.words.accounts import Scope as ScopeName

ENCODER = msgspec.json.Encoder()
LENGTH_DIGITS_MAX = 6  # Longer bodies have no fast answer, and Python refuses to convert thousands of digits.
JSON_HEADER = (b"content-type", b"application/json")


class _Target(NamedTuple):
    """The route that a path names, with its fast answer, space and environment."""

    path: str
    fast: FastAnswer
    scopes: frozenset[ScopeName]
    space: str
    environment: str


class FastAnswers:
    """Gives the fast answers of routes, and passes all other requests on. Cost: under 25 us for a decision."""

    def __init__(self, state: ApiState, routes: Iterable[Route], otherwise: ASGIApp) -> None:
        fast = [route for route in routes if route.fast is not None]
        self._state = state
        self._otherwise = otherwise
        self._tree = Tree(fast)
        # A cheap test that most other requests fail. No fast route ends with a parameter.
        self._endings = tuple(f"/{route.path.rpartition('/')[2]}".encode("ascii") for route in fast)
        self._targets: dict[bytes, _Target] = {}
        self._renewals = Renewals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request. A request without a fast answer is passed on, from its beginning."""
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        if self._state.is_draining():
            send = last_on_connection(send)
        pace = self._state.paces.of(receive, send)
        try:
            await self._respond(scope, pace, send)
        finally:
            pace.close()

    async def _respond(self, scope: Scope, pace: Pace, send: Send) -> None:
        """Answers one request. A fast answer needs no `Pace.send`, because nothing of it can outlive the request."""
        if scope["method"] != "POST" or not scope["raw_path"].endswith(self._endings):
            await self._otherwise(scope, pace.receive, pace.send)
            return
        started, taken = time.perf_counter(), list[Message]()
        target = self._find_target(scope["raw_path"])
        headers = None if target is None else _usual_headers(scope)
        answer = None
        if target is not None and headers is not None and headers.body_bytes <= target.fast.body_bytes_max:
            place = self._find_place(target, headers.secret)
            if place is not None:
                body = await _received(pace.receive, headers.body_bytes, taken)
                if len(body) == headers.body_bytes:
                    answer = await self._answer(target, place, body)
        if target is None or answer is None:

            async def receive_again() -> Message:
                return taken.pop(0) if taken else await pace.receive()

            await self._otherwise(scope, receive_again, pace.send)
            return
        path = scope["tagloom.route"] = target.path
        sent = [JSON_HEADER, (b"content-length", b"%d" % len(answer)), (b"x-request-id", b"%016x" % getrandbits(64))]
        await send({"type": "http.response.start", "status": 200, "headers": sent})
        await send({"type": "http.response.body", "body": answer})
        self._state.metrics.requests.answered("POST", path, 200, time.perf_counter() - started)

    def _find_target(self, raw_path: bytes) -> _Target | None:
        target = self._targets.get(raw_path)
        if target is None:
            with suppress(Problem):
                found = self._tree.find("POST", raw_path)
                if found is not None and found.route.fast is not None:
                    values = found.values
                    scopes = frozenset(found.route.scopes or ())
                    target = _Target(found.route.path, found.route.fast, scopes, values["space"], values["environment"])
                    if len(self._targets) < accounts_limits.TOKENS_CACHED_MAX:
                        self._targets[raw_path] = target
        return target

    def _find_place(self, target: _Target, secret: str) -> Place | None:
        """Returns the environment of a request if its token, its scopes and the environment are cached and allowed."""
        access, space, environment = self._state.services.access, target.space, target.environment
        try:
            principal = access.find_principal(secret)
            if principal is None or not target.scopes <= principal.scopes_in(space):
                return None
            place = access.find_place(principal, space, environment)
        except Problem:
            return None
        if place is not None:
            self._renewals.soon((secret, space, environment), lambda: self._renew(target, principal, secret, place))
        return place

    def _renew(self, target: _Target, principal: Principal, secret: str, place: Place) -> None:
        self._state.services.access.renew(principal, secret, target.space, target.environment)
        target.fast.renew(self._state, place)

    async def _answer(self, target: _Target, place: Place, body: bytes) -> bytes | None:
        """Returns the encoded answer, or None if the route table must answer the request."""
        try:
            return ENCODER.encode(await target.fast.answer(self._state, place, body))
        except Exception:
            # The handler of the route fails in the same way, and the error is rendered and logged there.
            return None


async def _received(receive: Receive, size: int, taken: list[Message]) -> bytes:
    """Returns a body of this size, or the part that was received. Its messages go into `taken`."""
    body = b""
    with suppress(BodyTooSlow, ServerStops):  # The next call of `receive` raises the problem again.
        is_more = True
        while len(body) < size and is_more:
            message = await receive()
            taken.append(message)
            body += message.get("body", b"")
            is_more = message.get("more_body", False)
    return body


class _Headers(NamedTuple):
    """The headers of a request of the usual form: the token, and the size of the body."""

    secret: str
    body_bytes: int


def _usual_headers(scope: Scope) -> _Headers | None:
    """Returns the headers, or None for a request of another form."""
    if scope["query_string"]:
        return None
    secret, length = b"", b""
    for key, value in scope["headers"]:
        if key == b"authorization" and not secret:
            secret = value
        elif key == b"content-length" and not length:
            length = value
        elif key in (b"authorization", b"content-length"):
            return None  # A repeated header.
        elif (key == b"content-type" and value != b"application/json") or key == b"x-request-id":
            return None
    if not secret.startswith(b"Bearer ") or not length.isdigit() or len(length) > LENGTH_DIGITS_MAX:
        return None
    body_bytes = int(length)
    return _Headers(secret[7:].decode("latin-1"), body_bytes) if body_bytes > 0 else None
