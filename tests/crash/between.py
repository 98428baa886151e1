"""What stands between processes in tests: a balancer that asks /readyz, and a cable that can be slow, still or cut."""

import contextlib
import http.client
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SECONDS_BETWEEN_CHECKS = 0.1
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Balancer:
    """Passes each request to one of the servers that were ready at the last check. Never tries one a second time."""

    def __init__(self) -> None:
        self._servers: dict[str, bool] = {}
        self._turn = 0
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._door = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._door.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._door.server_address[1]}"
        self._threads = [threading.Thread(target=each) for each in (self._door.serve_forever, self._check_always)]
        for thread in self._threads:
            thread.start()

    def add(self, url: str) -> None:
        """Takes up a server, and comes back when it is ready."""
        with self._lock:
            self._servers[url] = False
        deadline = time.monotonic() + 30
        while not self._servers[url]:
            assert time.monotonic() < deadline, "the server never was ready"
            time.sleep(0.01)

    def delete(self, url: str) -> None:
        """Forgets a server."""
        with self._lock:
            del self._servers[url]

    def close(self) -> None:
        self._is_closed.set()
        self._door.shutdown()
        self._door.server_close()
        for thread in self._threads:
            thread.join()

    def next_server(self) -> str:
        """A ready server, in turns."""
        with self._lock:
            ready = [url for url, is_ready in self._servers.items() if is_ready]
            assert ready, "no server is ready"
            self._turn += 1
            return ready[self._turn % len(ready)]

    def _check_always(self) -> None:
        while not self._is_closed.wait(SECONDS_BETWEEN_CHECKS):
            for url in list(self._servers):
                is_ready = status_of(url, "/readyz") == 200
                with self._lock:
                    if url in self._servers:
                        self._servers[url] = is_ready

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        balancer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                connection = http.client.HTTPConnection(urlsplit(balancer.next_server()).netloc, timeout=60)
                with contextlib.closing(connection):
                    connection.request(self.command, self.path, body, headers)
                    answer = connection.getresponse()
                    said = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PUT = do_DELETE = pass_on

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        return Handler


def status_of(url: str, path: str) -> int:
    """What a server answers, by a connection of its own; 0 when it does not."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class Cable:
    """A TCP connection's way to a port of this machine: delays what passes, stands still, or breaks."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.delay_seconds = 0.0
        self._flows = threading.Event()
        self._flows.set()
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def snapshot(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._flows.clear()

    def thaw(self) -> None:
        """What was held up passes now."""
        self._flows.set()

    def close(self) -> None:
        self._flows.set()
        # A listener that is only closed leaves its accept waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            self._ends += [near, far]
            for source, target in ((near, far), (far, near)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._pass, args=(source, target))
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        # A break on one side is one on the other.
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self.delay_seconds:
                    time.sleep(self.delay_seconds)
                self._flows.wait()
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
