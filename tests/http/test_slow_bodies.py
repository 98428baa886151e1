"""Bodies that stand still or drip: nobody else waits for them, and they end."""

import asyncio
import gc
import socket
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from tagloom.accounts.access_tokens import Access
from tagloom.http.app import create_app
from tagloom.server import limits
from tagloom.server.body_pace import Paces
from tagloom.words.tenants import Organization
from tests.http.serving import ORGANIZATION, STRANGERS, MemoryInstallation, Served, serve_app

FAR_AWAY = 600.0


@pytest.fixture(autouse=True)
def _no_garbage_collector() -> Iterator[None]:
    """Switches the garbage collector off: a connection must not stay open until it runs."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def patient() -> Iterator[Served]:
    """A server that waits for bodies for longer than any test lasts."""
    yield from _served(Paces(idle_seconds=FAR_AWAY))


@pytest.fixture
def impatient() -> Iterator[Served]:
    """A server whose senders may not be silent at all."""
    yield from _served(Paces(idle_seconds=0.2))


def _served(paces: Paces) -> Iterator[Served]:
    installation = MemoryInstallation()
    access = Access(installation.control)
    for organization in (ORGANIZATION, STRANGERS):
        installation.control.put_organization(Organization(organization, organization))
    token = access.create_token(ORGANIZATION, "tester", ["admin"], days=1)[1]
    for url in serve_app(create_app(installation, paces=paces)):
        yield Served(url, installation, access, token)


def stalled(
    served: Served, path: str, token: str, content_type: str = "text/csv", *, size: int = 1_000_000
) -> socket.socket:
    """A connection on which the head of a request and the beginning of its body were sent."""
    host, port = served.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=120)
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {size}\r\n\r\nuser,tag\nu1,a\n".encode()
    )
    return connection


def rest_of(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    pieces = list[bytes]()
    while piece := connection.recv(65_536):
        pieces.append(piece)
    return b"".join(pieces)


def waits_until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to that")


def test_stalled_bodies_of_one_tenant_leave_places_for_every_other(patient: Served) -> None:
    ours = f"/v2/spaces/{patient.new_space()}/environments/production"
    theirs = f"/v2/spaces/{patient.new_space(STRANGERS)}/environments/production"
    tokens = [patient.token_of("admin") for _ in range(4)]
    stranger = patient.token_of("admin", organization=STRANGERS)

    with ExitStack() as stack:
        for number in range(4 * limits.UPLOADS_AT_ONCE_MAX):
            way = "taggings" if number % 2 else "imports"
            stack.enter_context(stalled(patient, f"{ours}/{way}", tokens[number % len(tokens)]))
        with patient.http(stranger) as client:
            waits_until(
                lambda: f"tagloom_uploads {limits.UPLOADS_PER_ORGANIZATION_MAX}.0" in client.get("/metrics").text
            )
            written = client.post(
                f"{theirs}/taggings", content="user,tag\nu1,a\n", headers={"Content-Type": "text/csv"}
            )
            brought = client.post(f"{theirs}/imports", content="user,tag\nu1,a\n", headers={"Content-Type": "text/csv"})

    assert (written.status_code, brought.status_code) == (200, 201)


def test_stalled_bodies_of_one_token_leave_a_place_for_another_of_its_organization(patient: Served) -> None:
    place = f"/v2/spaces/{patient.new_space()}/environments/production"
    token = patient.token_of("admin")

    with ExitStack() as stack:
        for _ in range(limits.UPLOADS_AT_ONCE_MAX):
            stack.enter_context(stalled(patient, f"{place}/taggings", token))
        with patient.http() as client:
            waits_until(lambda: f"tagloom_uploads {limits.UPLOADS_PER_TOKEN_MAX}.0" in client.get("/metrics").text)
            written = client.post(f"{place}/taggings", content="user,tag\nu2,a\n", headers={"Content-Type": "text/csv"})

    assert written.status_code == 200


@pytest.mark.parametrize(
    ("way", "content_type"),
    [
        ("taggings", "text/csv"),
        ("taggings", "application/x-ndjson"),
        ("taggings", "application/json"),
        ("events", "application/x-ndjson"),
        ("imports", "text/csv"),
        ("imports", "multipart/form-data; boundary=b"),
        ("mappings/proposals", "text/csv"),
        ("decisions", "application/json"),
        ("tribes", "application/json"),
    ],
)
def test_a_body_that_stands_still_is_refused_and_applies_nothing(
    impatient: Served, way: str, content_type: str
) -> None:
    space = impatient.new_space()
    place = f"/v2/spaces/{space}" + ("" if way == "tribes" else "/environments/production")

    with stalled(impatient, f"{place}/{way}", impatient.token, content_type) as connection:
        answer = rest_of(connection)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"body-too-slow" in answer
    with impatient.http() as client:
        assert client.get(f"/v2/spaces/{space}/environments/production/users").json()["items"] == []


def test_a_body_that_comes_slowly_but_steadily_is_taken(impatient: Served) -> None:
    place = f"/v2/spaces/{impatient.new_space()}/environments/production"

    def lines() -> Iterator[bytes]:
        yield b"user,tag\n"
        for number in range(40):
            time.sleep(0.02)
            yield b"u%d,a\n" % number

    with impatient.http() as client:
        answer = client.post(f"{place}/taggings", content=lines(), headers={"Content-Type": "text/csv"})

    assert answer.json()["added"] == 40


def test_a_body_that_drips_is_refused_although_it_never_stands_still() -> None:
    """The spare seconds shrink by what the sender is waited for, and grow by what it sends."""
    pace = Paces().of(_nothing, _nowhere)
    spent = limits.BODY_SECONDS_SPARE * limits.BODY_BYTES_PER_SECOND_MIN

    assert pace.spare_after(spent, waited_seconds=2 * limits.BODY_SECONDS_SPARE - 1) > 0
    assert pace.spare_after(spent, waited_seconds=2 * limits.BODY_SECONDS_SPARE + 1) < 0


async def _nothing() -> Message:
    raise AssertionError("nobody receives")


async def _nowhere(message: Message) -> None:
    raise AssertionError("nobody sends")


def test_nothing_of_a_request_that_is_over_holds_its_connection() -> None:
    """The server closes a connection with an unread body once nothing refers to its `receive` or `send` any more."""

    class Receive:
        async def __call__(self) -> Message:
            return {"type": "http.request", "body": b"x" * 1_000, "more_body": False}

    kept = list[Request]()

    def keep(request: Request) -> Response:
        kept.append(request)
        return Response()

    class Send:
        async def __call__(self, message: Message) -> None:
            sent.append(message)

    sent, receive, send = list[Message](), Receive(), Send()
    connection = weakref.ref(receive), weakref.ref(send)
    installation = MemoryInstallation()
    app = create_app(installation, pages=lambda *_: [Route("/keep", keep, methods=["POST"])])
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/keep",
        "raw_path": b"/keep",
        "query_string": b"",
        "headers": [(b"content-length", b"1000")],
        "http_version": "1.1",
    }
    asyncio.run(app(scope, receive, send))
    installation.close()
    del receive, send

    assert sent[0]["status"] == 200
    assert kept
    assert [each() for each in connection] == [None, None]
