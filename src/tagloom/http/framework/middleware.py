"""The outermost application: it sets request ids, checks bounds, counts and logs requests, and renders problems."""

import re
import time
import traceback
from random import getrandbits

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagloom.base.problems import Problem
from tagloom.http import limits
from tagloom.http.framework.lingering import Incoming
from tagloom.http.framework.metrics import Metrics
from tagloom.http.framework.problem_responses import internal_fault, render
from tagloom.http.problems import AddressTooLong, HeadersTooLarge, TooManyWatchers, VersionNotReached
from tagloom.server import limits as server_limits
from tagloom.server.body_pace import BodyTooSlow, ServerStops
from tagloom.server.thread_limits import TooManyAtOnce
from tagloom.syncs.sources import TooManyBeginnings

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Problems of status 5xx that are no errors of the server: the version does not exist yet, the caller uses more than its
# share, or the server stops. The answer says when to try again.
NO_FAULTS = (VersionNotReached, TooManyWatchers, TooManyAtOnce, TooManyBeginnings, ServerStops)
SLOW_SECONDS = 1.0  # A request that took so long is logged at level info.
READINESS = "/readyz"  # Its answer 503 is a normal state, and `Readiness` logs every change of it.
QUIET = frozenset({"/healthz", READINESS, "/metrics"})

log = structlog.get_logger("tagloom.http")


def new_request_id() -> str:
    """Returns 16 hexadecimal digits that identify a request in the log. They protect nothing."""
    return f"{getrandbits(64):016x}"


class Edge:
    """The outermost application. It answers every exception that occurs before an answer has begun."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, request_id, status = time.perf_counter(), _request_id(scope), 0
        scope["tagloom.request_id"] = request_id
        id_header = (b"x-request-id", request_id.encode("ascii"))
        incoming = Incoming(receive, scope)

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), id_header]
            await send(message)

        try:
            _check_bounds(scope)
            await self._app(scope, incoming.receive, send_on)
        except Problem as problem:
            if status:
                raise
            is_late = isinstance(problem, BodyTooSlow | ServerStops)
            status = await _answer(problem, request_id, last_on_connection(send) if is_late else send)
            is_fault = status >= 500 and not isinstance(problem, NO_FAULTS)
            if is_fault and scope.get("tagloom.route") != READINESS:
                log.error("request.refused", request_id=request_id, problem=problem.slug(), detail=problem.detail)
        except Exception:
            # The traceback is logged as text, because a renderer of exceptions would show local variables, which
            # contain ids of people.
            log.error(
                "request.failed",
                request_id=request_id,
                route=scope.get("tagloom.route"),
                traceback=traceback.format_exc(),
            )
            if status:
                status = 500
                raise
            status = await _answer(internal_fault(request_id), request_id, send)
        finally:
            self._record(scope, request_id, status, time.perf_counter() - started)
        if status != BodyTooSlow.status:  # Its sender had enough time already.
            await incoming.linger()

    def _record(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route: str = scope.get("tagloom.route", "other")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.requests.answered(method, route, status, seconds)
        # An access line costs more than many answers, and the metrics count every request. So only a slow request gets
        # a line at level info.
        is_slow = seconds >= SLOW_SECONDS and route not in QUIET
        write = log.info if is_slow else log.debug
        # The line has no address, because an address can contain the id of a person.
        write(
            "request.answered",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            request_id=request_id,
        )


def last_on_connection(send: Send) -> Send:
    """Returns a `send` that closes the connection after the answer.

    A draining process uses it, because a later request on the connection might be lost.
    """

    async def send_last(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
        await send(message)

    return send_last


async def _answer(problem: Problem, request_id: str, send: Send) -> int:
    status, headers, body = render(problem, request_id)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return status


def _request_id(scope: Scope) -> str:
    for key, value in scope["headers"]:
        if key == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return str(value.decode("ascii"))
    return new_request_id()


def _check_bounds(scope: Scope) -> None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > limits.ADDRESS_BYTES_MAX:
        raise AddressTooLong(
            f"The address has more than {limits.ADDRESS_BYTES_MAX} bytes.", bytes_max=limits.ADDRESS_BYTES_MAX
        )
    if sum(len(key) + len(value) for key, value in scope["headers"]) > server_limits.HEADER_BYTES_MAX:
        raise HeadersTooLarge(
            f"The headers have more than {server_limits.HEADER_BYTES_MAX} bytes.",
            bytes_max=server_limits.HEADER_BYTES_MAX,
        )
