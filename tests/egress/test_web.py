"""Short calls to other machines: to what was resolved, one at a time, of limited time and size."""

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from tagloom.accounts.identity_provider import IdentityProvider
from tagloom.accounts.openid import OpenId
from tagloom.accounts.problems import ProviderUnavailable
from tagloom.egress import limits
from tagloom.egress.http import Egress, NoAnswer
from tagloom.egress.policy import Guard
from tests.egress.places import Web, web

ANYWHERE = Guard(lets_all_through=True)


@pytest.fixture
def place() -> Iterator[Web]:
    with web(host="127.0.0.1") as found:
        yield found


@pytest.fixture
def hanging() -> Iterator[socket.socket]:
    """A port that takes connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_answer_comes_whole_and_a_redirect_is_not_followed(place: Web) -> None:
    place.serve("/there", b"hello", status=404)
    place.lead("/away", f"{place.url}/there")

    egress = Egress(ANYWHERE)

    assert egress.call("GET", f"{place.url}/there", headers={}) == (404, b"hello")
    assert egress.call("GET", f"{place.url}/away", headers={}).status == 302
    assert [path for path, _ in place.asked] == ["/there", "/away"]


def test_a_name_is_resolved_once_and_called_by_what_it_resolved_to(place: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    place.serve("/there", b"hello")
    asked = list[object]()
    real = socket.getaddrinfo

    def turning(host: object, *args: object, **kwargs: object) -> object:
        if host != "turning.example.com":
            return real(host, *args, **kwargs)  # type: ignore[arg-type]  # As it is called.
        asked.append(host)
        # A second question would lead elsewhere.
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if len(asked) == 1 else "10.0.0.1", 1))]

    monkeypatch.setattr(socket, "getaddrinfo", turning)
    found = Egress(Guard(["turning.example.com"])).call(
        "GET", f"http://turning.example.com:{place.port}/there", headers={}
    )

    assert found.body == b"hello"
    assert asked == ["turning.example.com"]
    assert place.asked[0][1]["Host"] == f"turning.example.com:{place.port}"


def test_an_answer_that_is_too_long_is_none(place: Web) -> None:
    place.serve("/long", b"x" * 2_000)

    with pytest.raises(NoAnswer, match="too large"):
        Egress(ANYWHERE).call("GET", f"{place.url}/long", headers={}, bytes_max=1_000)


def test_an_answer_that_drips_ends_in_time(place: Web) -> None:
    is_over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not is_over.wait(0.05):
            handler.wfile.write(b"x")

    place.answers["/slow"] = drip
    with pytest.raises(NoAnswer):
        Egress(ANYWHERE).call("GET", f"{place.url}/slow", headers={}, seconds=0.5)
    is_over.set()


def test_a_machine_that_hangs_is_called_once_and_then_left_alone(hanging: socket.socket) -> None:
    egress, failures = Egress(ANYWHERE), list[str]()

    def call() -> None:
        try:
            egress.call("GET", url_of(hanging), headers={}, seconds=0.5)
        except NoAnswer as error:
            failures.append(str(error))

    callers = [threading.Thread(target=call) for _ in range(50)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()

    assert len(failures) == len(callers)
    assert failures.count("has too many calls waiting") >= len(callers) - 1 - limits.EGRESS_WAITING_MAX * 2
    hanging.setblocking(False)
    accepted = 0
    while True:
        try:
            hanging.accept()[0].close()
        except BlockingIOError:
            break
        accepted += 1
    assert accepted == 1


def test_one_machine_that_hangs_holds_up_no_other(hanging: socket.socket, place: Web) -> None:
    place.serve("/there", b"hello")
    egress = Egress(ANYWHERE)

    def call() -> None:
        with pytest.raises(NoAnswer):
            egress.call("GET", url_of(hanging), headers={}, seconds=2)

    stuck = threading.Thread(target=call)
    stuck.start()

    assert egress.call("GET", f"{place.url}/there", headers={}).body == b"hello"
    assert stuck.is_alive()
    stuck.join()


@pytest.mark.parametrize("address", ["http://[::1/", "http://localhost:x/", "ftp://localhost/", "localhost", ""])
def test_an_address_that_cannot_be_called_is_told_as_no_answer(address: str) -> None:
    with pytest.raises(NoAnswer):
        Egress(ANYWHERE).call("GET", address, headers={})


def test_sign_ins_at_a_provider_that_hangs_are_told_so_without_a_thread_each(hanging: socket.socket) -> None:
    provider = IdentityProvider(url_of(hanging), "client", "secret")
    openid = OpenId(provider, time.time, Egress(ANYWHERE))
    told = list[type[BaseException]]()

    def begin() -> None:
        try:
            openid.begin("http://localhost/back")
        except ProviderUnavailable as problem:
            told.append(type(problem))

    callers = [threading.Thread(target=begin) for _ in range(30)]
    for thread in callers:
        thread.start()
    while sum(thread.is_alive() for thread in callers) > 1 + limits.EGRESS_WAITING_MAX:
        time.sleep(0.01)
    for thread in callers:
        thread.join()

    assert told == [ProviderUnavailable] * len(callers)
