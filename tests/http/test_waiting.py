"""One tenant's wait is nobody else's: while an environment's lock is held, everything else answers."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tagloom.engine.population import BitmapPopulation
from tagloom.http.framework.routing import Route
from tagloom.http.routes import ROUTES
from tests.http.serving import STRANGERS, Served

DECISIONS_AT_ONCE = 100
BODIES = {
    "decisions": {"user": "u1"},
    "undo": {"versions": [1]},
    "preview": {"rule": {"type": "everyone"}},
    "merge": {"into": "b"},
    "events": {"events": [{"user": "u1", "event": "a/b"}]},
}


@pytest.fixture
def others(served: Served) -> Iterator[httpx.Client]:
    """Another tenant's client, whose environment has answered before."""
    space = served.new_space(STRANGERS)
    token = served.token_of("admin", organization=STRANGERS)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(
        base_url=f"{served.url}/v2/spaces/{space}/environments/production", headers=headers, timeout=10
    ) as client:
        assert client.post("/decisions", json={"user": "u1"}).status_code == 200
        yield client


@contextmanager
def held(served: Served, space: str) -> Iterator[None]:
    """Another thread has the lock of the space's production environment."""
    population = served.installation.population(served.installation.control.get_environment(space, "production"))
    if not isinstance(population, BitmapPopulation):
        pytest.skip("The oracle has no lock.")
    is_held, is_over = threading.Event(), threading.Event()

    def hold() -> None:
        with population._environment.lock:
            is_held.set()
            is_over.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    is_held.wait()
    try:
        yield
    finally:
        is_over.set()
        holder.join()


def sent(served: Served, method: str, path: str, body: bytes) -> socket.socket:
    """A connection on which a request was sent, and whose answer nobody waits for yet."""
    host, port = served.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {served.token}\r\nConnection: close\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def status_of(connection: socket.socket) -> int:
    answer = b""
    while b"\r\n" not in answer:
        got = connection.recv(4_096)
        assert got, "the server closed the connection without an answer"
        answer += got
    return int(answer.split(b" ")[1])


def path_of(route: Route, space: str) -> str:
    path = route.path.replace("{space}", space).replace("{environment}", "production")
    for name in route.path_names():
        path = path.replace(f"{{{name}}}", "1" if name == "version" else "a")
    return path


@pytest.mark.parametrize(
    "route", [each for each in ROUTES if "{environment}" in each.path], ids=lambda each: f"{each.method} {each.path}"
)
def test_whatever_waits_for_one_environment_holds_up_nobody_else(
    served: Served, others: httpx.Client, route: Route
) -> None:
    space = served.new_space()
    body = json.dumps(BODIES.get(route.path.rsplit("/", 1)[-1], {})).encode()

    with ExitStack() as stack:
        with held(served, space):
            waiting = stack.enter_context(sent(served, route.method, path_of(route, space), body))
            assert httpx.get(f"{served.url}/healthz", timeout=10).status_code == 200
            assert httpx.get(f"{served.url}/readyz", timeout=10).status_code == 200
            assert others.post("/decisions", json={"user": "u1"}).status_code == 200
        assert status_of(waiting) < 500


def test_any_number_of_decisions_that_wait_leaves_threads_for_other_tenants(
    served: Served, others: httpx.Client
) -> None:
    space = served.new_space()
    body = json.dumps({"user": "u1"}).encode()

    with ExitStack() as stack:
        with held(served, space):
            path = f"/v2/spaces/{space}/environments/production/decisions"
            waiting = [stack.enter_context(sent(served, "POST", path, body)) for _ in range(DECISIONS_AT_ONCE)]
            assert httpx.get(f"{served.url}/readyz", timeout=10).status_code == 200
            assert others.post("/decisions", json={"user": "u1"}).status_code == 200
            # These need a thread each, and the store.
            assert others.put("/users/u1/tags/a").status_code == 200
            assert others.get("/users/u1").json()["tags"] == ["a"]
        assert {status_of(each) for each in waiting} == {200}
