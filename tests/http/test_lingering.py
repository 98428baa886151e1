"""A sender whose body is refused before it has come reads the answer."""

import asyncio
import socket
import time
from urllib.parse import urlsplit

import pytest
from starlette.types import Message

from tagloom.files import limits
from tagloom.http.framework.lingering import Incoming
from tests.http.serving import Served

CHUNK = b" " * 65_536


def refused(served: Served, length: int, authorization: str) -> socket.socket:
    """A connection on which a bulk body of so many bytes was announced."""
    parts = urlsplit(served.url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
    head = (
        f"POST /v2/spaces/main/environments/production/taggings HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: {authorization}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n"
    )
    connection.sendall(head.encode())
    return connection


@pytest.mark.parametrize(("length", "status"), [(limits.BULK_BODY_BYTES_MAX + 1, 413), (8_388_608, 401)])
def test_a_sender_may_go_on_and_then_reads_why_its_body_was_refused(served: Served, length: int, status: int) -> None:
    authorization = "Bearer nobody" if status == 401 else f"Bearer {served.token}"
    with refused(served, length, authorization) as connection:
        for _ in range(64):
            # Without lingering, the connection is reset here.
            connection.sendall(CHUNK)
            time.sleep(0.002)
        assert connection.recv(12) == f"HTTP/1.1 {status}".encode()


def test_a_connection_on_which_a_small_body_was_refused_is_used_again(served: Served) -> None:
    with refused(served, len(CHUNK), "Bearer nobody") as connection:
        connection.sendall(CHUNK)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = b""
        while piece := connection.recv(65_536):
            answers += piece
    assert answers.count(b"HTTP/1.1 401") == 1
    assert answers.count(b"HTTP/1.1 200") == 1


def test_a_sender_that_never_ends_is_waited_for_no_longer_than_its_time() -> None:
    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": CHUNK, "more_body": True}

    scope = {"method": "POST", "headers": [(b"transfer-encoding", b"chunked")]}
    asyncio.run(Incoming(receive, scope).linger(seconds=0.05))


def test_nothing_is_waited_for_behind_a_body_that_has_come() -> None:
    messages = [{"type": "http.request", "body": CHUNK, "more_body": True}]

    async def receive() -> Message:
        return messages.pop()

    async def serve() -> None:
        incoming = Incoming(receive, {"method": "POST", "headers": [(b"content-length", str(len(CHUNK)).encode())]})
        await incoming.receive()
        await incoming.linger()

    asyncio.run(serve())
    assert messages == []
