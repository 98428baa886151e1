"""Spans leave a real server for a real receiver, by the environment's standard variables."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tagloom.base.problems import ParameterInvalid
from tagloom.settings import read_settings
from tests.cli.running import ask
from tests.cli.test_serving import serving
from tests.ports import free_port

CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
PLACE = "/v2/spaces/main/environments/production"


@contextmanager
def receiver(bodies: list[bytes]) -> Iterator[str]:
    """A place for spans, while the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_each_request_is_a_span_below_its_callers_and_names_no_person(tmp_path: Path) -> None:
    trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    token, port, bodies = ask("init", "--data", tmp_path / "data")["token"], free_port(), list[bytes]()
    with receiver(bodies) as url:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test"}
        with serving(tmp_path / "data", port, environ=environ) as server:
            headers = {"Authorization": f"Bearer {token}", "traceparent": f"00-{CALLER}-00f067aa0ba902b7-01"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}{PLACE}", headers=headers) as http:
                assert http.put("/users/somebody-special/tags/a").status_code == 200
                assert http.post("/decisions", json={"user": "somebody-special"}).status_code == 200
                assert http.get("/users/nobody-there").status_code == 404
            server.terminate()
            assert server.wait(60) == 0

    spans, attributes = dict[str, Any](), dict[str, str]()
    for body in bodies:
        for resource in trace_service.ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes |= {each.key: each.value.string_value for each in resource.resource.attributes}
            spans |= {each.name: each for scope in resource.scope_spans for each in scope.spans}
    route = "/v2/spaces/{space}/environments/{environment}"
    assert {f"PUT {route}/users/{{id}}/tags/{{tag}}", f"POST {route}/decisions", f"GET {route}/users/{{id}}"} <= set(
        spans
    )
    assert {spans[name].trace_id.hex() for name in spans if PLACE not in name and "{space}" in name} == {CALLER}
    assert (attributes["service.name"], attributes["deployment.environment"]) == ("tagloom", "test")
    assert b"somebody-special" not in b"".join(bodies)


def test_a_server_without_the_packages_serves_and_says_what_is_missing(tmp_path: Path) -> None:
    ask("init", "--data", tmp_path / "data")
    port = free_port()
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    }
    with serving(tmp_path / "data", port, environ=environ):
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200

    (log,) = tmp_path.glob("data-*.log")
    assert "tracing.not_installed" in log.read_text()


@pytest.mark.parametrize(
    ("variables", "protocol"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318"}, "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_spans_are_asked_for_by_the_variables_of_opentelemetry(variables: dict[str, str], protocol: str | None) -> None:
    assert read_settings(environ={"TAGLOOM_DATABASE_URL": "sqlite:///x", **variables}).tracing == protocol


def test_a_protocol_that_spans_are_not_sent_by_is_refused() -> None:
    environ = {"TAGLOOM_DATABASE_URL": "sqlite:///x", "OTEL_TRACES_EXPORTER": "otlp"}
    with pytest.raises(ParameterInvalid, match="http/json"):
        read_settings(environ=environ | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})
