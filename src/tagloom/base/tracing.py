"""Spans of OpenTelemetry: one for each request, call to another machine and sync that is read.

They are made if the standard environment variables enable them and the OpenTelemetry packages are installed. Otherwise
they cost nothing. No span has the id of a person.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import structlog

if TYPE_CHECKING:
    # Commands on a data directory run no server, so they do not import the web framework.
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Protocol = Literal["http/protobuf", "grpc"]

log = structlog.get_logger("tagloom.base.tracing")

_SDK = ("resources", "trace", "trace.export")
_EXPORTERS: dict[Protocol, str] = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
}
_SERVER_FAULT = 500
# The text of an exception may contain the id of a person.
_NO_TEXT = {"record_exception": False, "set_status_on_exception": False}
_tracer: Any = None


def start_tracing(protocol: Protocol) -> Callable[[], None]:
    """Starts to send spans to the endpoint in the environment variables.

    Returns a function that sends the remaining spans and stops.
    """
    global _tracer
    try:
        # Imported by name, because the packages are optional and the type checker does not find them.
        resources, trace, export = (import_module(f"opentelemetry.sdk.{name}") for name in _SDK)
        exporter = import_module(_EXPORTERS[protocol]).OTLPSpanExporter()
    except ImportError as error:
        log.warning("tracing.not_installed", missing=error.name)
        return lambda: None
    # The attributes of the environment variables, and a service name if they have none.
    resource = resources.Resource.create()
    if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
        resource = resource.merge(resources.Resource({"service.name": "tagloom"}))
    provider = trace.TracerProvider(resource=resource)
    provider.add_span_processor(export.BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("tagloom")

    def stop() -> None:
        global _tracer
        _tracer = None
        provider.shutdown()

    return stop


@contextmanager
def span(name: str, **attributes: str | int) -> Iterator[None]:
    """Records a span of the block, below the current one. An exception marks it as an error."""
    if _tracer is None:
        yield
        return
    with _tracer.start_as_current_span(name, attributes=attributes, **_NO_TEXT) as found:
        try:
            yield
        except BaseException as error:
            found.set_status(import_module("opentelemetry.trace").StatusCode.ERROR, type(error).__name__)
            raise


class Traced:
    """Records a span for each request, below that of its caller if the request has one (W3C `traceparent`)."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Passes the request on."""
        if scope["type"] != "http" or _tracer is None:
            await self._app(scope, receive, send)
            return
        trace, propagate = import_module("opentelemetry.trace"), import_module("opentelemetry.propagate")
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        method = scope["method"]
        with _tracer.start_as_current_span(
            method, context=propagate.extract(carrier), kind=trace.SpanKind.SERVER, **_NO_TEXT
        ) as found:
            found.set_attribute("http.request.method", method)
            found.set_attribute("url.scheme", scope["scheme"])

            async def send_on(message: "Message") -> None:
                if message["type"] == "http.response.start":
                    status: int = message["status"]
                    found.set_attribute("http.response.status_code", status)
                    if status >= _SERVER_FAULT:
                        found.set_status(trace.StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, send_on)
            finally:
                # The name is the pattern of the path. The path itself has the ids of people.
                route = scope.get("tagloom.route")
                if route is not None:
                    found.update_name(f"{method} {route}")
                    found.set_attribute("http.route", route)
