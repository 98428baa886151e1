"""A proxy that fails as servers and networks do, to see whether client libraries send again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import httpx

# The host is passed on, so that the server names this proxy in the settings that libraries load.
DROPPED_HEADERS = frozenset(("connection", "content-length", "date", "server", "transfer-encoding"))


@dataclass
class Unreliable:
    """The address of a proxy, and what it has done to requests so far."""

    url: str
    failures: list[str] = field(default_factory=list)


@contextmanager
def unreliable(url: str) -> Iterator[Unreliable]:
    """Passes requests on to a server.

    Of the requests with a body, the first is answered 429, and the answer to the second is lost after the server
    recorded it, as if the server had been restarted.
    """
    numbers, failures = count(1), list[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            number = next(numbers) if self.command == "POST" else 0
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if number == 1:
                failures.append("too many requests")
                self._answer(429, {"Retry-After": "1", "Access-Control-Allow-Origin": "*"}, b"{}")
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED_HEADERS}
            answer = httpx.request(self.command, f"{url}{self.path}", headers=headers, content=body, timeout=30)
            if number == 2:
                failures.append("answer lost")
                self.close_connection = True
                return
            self._answer(answer.status_code, dict(answer.headers), answer.content)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in DROPPED_HEADERS:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_OPTIONS = _pass_on

        def log_message(self, format: str, *args: object) -> None:
            """Writes nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    try:
        yield Unreliable(f"http://127.0.0.1:{proxy.server_port}", failures)
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
