"""HTTP calls to other machines, at addresses that the guard resolved, with limits of time and size."""

import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

import httpcore

from tagloom.base.tracing import span
from tagloom.egress import limits
from tagloom.egress.policy import Guard
from tagloom.egress.problems import SourceUnreadable

Headers = Mapping[str, str]


class NoAnswer(Exception):
    """Raised if there is no answer, the answer broke off, or it is not HTTP. The text never repeats what was sent."""


class Answer(NamedTuple):
    """A complete answer."""

    status: int
    body: bytes


class Response(NamedTuple):
    """An answer whose body can be read until the block of `request` ends. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Connections:
    """The connections of one exchange, such as the fetch of a file with its redirects.

    The exchange fails after `silence_seconds` without a byte, and after `seconds` in all.
    """

    def __init__(
        self, guard: Guard, tls: ssl.SSLContext | None, *, silence_seconds: float, seconds: float = float("inf")
    ) -> None:
        until = monotonic() + seconds
        self._pool = httpcore.ConnectionPool(ssl_context=tls, network_backend=_GuardedBackend(guard, until))
        connect = min(limits.FETCH_CONNECT_SECONDS_MAX, seconds)
        self._timeout = {"connect": connect, "read": silence_seconds, "write": silence_seconds, "pool": silence_seconds}

    def close(self) -> None:
        """Closes all connections."""
        self._pool.close()

    @contextmanager
    def request(self, method: str, url: str, headers: Headers, content: bytes | None = None) -> Iterator[Response]:
        """Sends a request and yields the response. Raises: AddressRefused, SourceUnreadable, NoAnswer."""
        encoded = [(name.encode("utf-8"), value.encode("utf-8")) for name, value in headers.items()]
        if content is not None:
            encoded.append((b"Content-Length", b"%d" % len(content)))
        with _translated():
            request = httpcore.Request(
                method, url, headers=encoded, content=content, extensions={"timeout": self._timeout}
            )
            response = self._pool.handle_request(request)
        try:
            found = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in response.headers}
            yield Response(response.status, found, _chunks(response))
        finally:
            response.close()


def _chunks(response: httpcore.Response) -> Iterator[bytes]:
    with _translated():
        yield from response.iter_stream()


@contextmanager
def _translated() -> Iterator[None]:
    """Converts errors of httpcore to NoAnswer. The text of protocol errors is left out, as it may repeat sent bytes."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError) as error:
        said = f": {error}" if isinstance(error, httpcore.ConnectError) and str(error) else ""
        raise NoAnswer(f"does not answer{said}") from error
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol, ValueError) as error:
        raise NoAnswer("breaks off, or speaks no HTTP") from error


class _Destination:
    """The state of one port of one machine: the calls that go to the port, and its last failure."""

    def __init__(self) -> None:
        self.line = threading.Lock()
        self.places = threading.BoundedSemaphore(limits.EGRESS_WAITING_MAX + 1)
        self.failed_until = 0.0
        self.failure = ""


class Egress:
    """A caller of other machines for short calls.

    Calls to the same machine run one after another. After a failure, calls to the machine fail at once for
    EGRESS_FAILURE_SECONDS. Methods may block, so call them in a thread.
    """

    def __init__(self, guard: Guard, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._tls = tls
        self._lock = threading.Lock()
        self._destinations: dict[tuple[str, str], _Destination] = {}

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Headers,
        content: bytes | None = None,
        seconds: float = limits.EGRESS_SECONDS_MAX,
        bytes_max: int = limits.PROVIDER_BYTES_MAX,
    ) -> Answer:
        """Sends a request and returns the answer. Does not follow redirects.

        The call may take `seconds`, after it waited up to `seconds` for other calls to the same machine.

        Raises:
            NoAnswer: there is no answer, it has more than `bytes_max` bytes, or too many other calls to the machine
                wait.
            AddressRefused, SourceUnreadable: the guard refuses the host, or its name cannot be resolved.
        """
        destination = self._destination(url)
        if not destination.places.acquire(blocking=False):
            raise NoAnswer("has too many calls waiting")
        try:
            if not destination.line.acquire(timeout=seconds):
                raise NoAnswer("does not answer in time")
            try:
                if monotonic() < destination.failed_until:
                    raise NoAnswer(destination.failure)
                try:
                    return self._called(method, url, headers, content, seconds, bytes_max)
                except (NoAnswer, SourceUnreadable) as error:
                    destination.failure = str(error)
                    destination.failed_until = monotonic() + limits.EGRESS_FAILURE_SECONDS
                    raise
            finally:
                destination.line.release()
        finally:
            destination.places.release()

    def _called(
        self, method: str, url: str, headers: Headers, content: bytes | None, seconds: float, bytes_max: int
    ) -> Answer:
        connections = Connections(self._guard, self._tls, silence_seconds=seconds, seconds=seconds)
        host = urlsplit(url).netloc.rpartition("@")[2]
        sent = {"Host": host, "User-Agent": "tagloom", **headers}
        try:
            with (
                span(f"{method} another machine", **{"server.address": host}),
                connections.request(method, url, sent, content) as response,
            ):
                body = bytearray()
                for chunk in response.chunks:
                    body += chunk
                    if len(body) > bytes_max:
                        raise NoAnswer("sends an answer that is too large")
                return Answer(response.status, bytes(body))
        finally:
            connections.close()

    def _destination(self, url: str) -> _Destination:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise NoAnswer("is not an address that can be called") from error
        with self._lock:
            if len(self._destinations) >= limits.EGRESS_DESTINATIONS_REMEMBERED_MAX:
                # Calls that are under way keep their object, so the entries can be deleted.
                self._destinations.clear()
            return self._destinations.setdefault((parts.scheme, parts.netloc.lower()), _Destination())


class _GuardedBackend(httpcore.NetworkBackend):
    """A backend that connects to the addresses that the guard resolved, until `until` (a time of `monotonic`)."""

    def __init__(self, guard: Guard, until: float) -> None:
        self._guard = guard
        self._until = until
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connects to the first address that accepts. See httpcore.

        Raises: AddressRefused, SourceUnreadable, httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ReadTimeout.
        """
        last: Exception = httpcore.ConnectTimeout()
        for number in self._guard.resolve(host, port):
            try:
                left = _left(timeout, self._until)
                stream = self._plain.connect_tcp(number, port, left, local_address, socket_options)
                return _Timed(stream, self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last


class _Timed(httpcore.NetworkStream):
    """A connection on which every step ends at `until`, so that a slow sender cannot keep the connection open."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """See httpcore."""
        return self._stream.read(max_bytes, _left(timeout, self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """See httpcore."""
        self._stream.write(buffer, _left(timeout, self._until))

    def close(self) -> None:
        """See httpcore."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """See httpcore."""
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(timeout, self._until))
        return _Timed(stream, self._until)

    def get_extra_info(self, info: str) -> object:
        """See httpcore."""
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, until: float) -> float:
    """Returns the seconds that are left, at most `timeout`. Raises: httpcore.ReadTimeout: no time is left."""
    left = until - monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left if timeout is None else min(timeout, left)
