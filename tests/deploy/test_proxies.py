"""nginx and Caddy with the files of deploy/, each in front of a real server."""

import asyncio
import time
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any, NamedTuple, get_args
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tagloom.files import limits as files_limits
from tagloom.http import limits as http_limits
from tests.deploy.first_contact import PATIENCE_SECONDS, set_up, sign_in
from tests.deploy.serving import ENVIRONMENT, HERE, Certificate, ProxyName, Served, proxied

PROBLEM = "application/problem+json"


class Behind(NamedTuple):
    """A server behind a proxy, whose administrator has an account and an access token."""

    served: Served
    certificate: Certificate
    folder: Path
    plain_port: int
    token: str

    def caller(self, **headers: str) -> httpx.Client:
        """Somebody who calls the proxy from another address than the proxy's own."""
        transport = httpx.HTTPTransport(verify=self.certificate.context(), local_address=HERE)
        return httpx.Client(
            transport=transport,
            base_url=self.served.public_url,
            headers={"Origin": self.served.public_url, **headers},
            timeout=PATIENCE_SECONDS,
        )

    def program(self) -> httpx.Client:
        """A program with a token."""
        return self.caller(Authorization=f"Bearer {self.token}")

    def waits_for(self, has_come: Callable[[], bool]) -> None:
        """Waits until something has come to the server."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not has_come():
            assert time.monotonic() < deadline, "it has not come to the server"
            time.sleep(0.02)

    def metric(self, name: str) -> float:
        """A metric of the server, asked for behind the back of the proxy."""
        text = httpx.get(f"{self.served.url}/metrics").text
        return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(f"{name} ")))


@pytest.fixture(scope="module", params=get_args(ProxyName))
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp(request.param)
    with proxied(request.param, folder) as (served, certificate, plain_port):
        found = Behind(served, certificate, folder, plain_port, served.token())
        with found.caller() as browser:
            set_up(browser, served.printed())
        yield found


def test_an_administrator_signs_in_to_the_console_through_the_proxy(behind: Behind) -> None:
    assert f"{behind.served.public_url}/setup?code=" in behind.served.printed()
    with behind.caller() as browser:
        sign_in(browser)
        cookie = next(iter(browser.cookies.jar))
        assert cookie.secure


def test_the_address_of_the_caller_comes_through_and_not_what_the_caller_writes(behind: Behind) -> None:
    with behind.caller(**{"X-Forwarded-For": "198.51.100.1", "User-Agent": "test of addresses"}) as browser:
        sign_in(browser)
        page = browser.get("/account").text
    assert HERE in page
    assert "198.51.100.1" not in page
    assert "proxies.not_trusted" not in behind.served.printed()


def test_a_bulk_body_comes_to_the_server_while_it_is_still_being_sent(behind: Behind) -> None:
    line = b'{"user": "u%d", "tags": ["plan/pro"]}\n'

    def body() -> Iterator[bytes]:
        yield line % 0
        behind.waits_for(lambda: behind.metric("tagloom_uploads") == 1)
        for start in range(1, 400_001, 10_000):
            yield b"".join(line % number for number in range(start, start + 10_000))

    with behind.program() as program:
        answer = program.post(
            f"{ENVIRONMENT}/taggings", content=body(), headers={"Content-Type": "application/x-ndjson"}
        )

    assert answer.status_code == 200, answer.text
    assert answer.json()["added"] == 400_001
    assert [file for file in (behind.folder / "client_body").rglob("*") if file.is_file()] == []


def test_an_event_of_an_import_comes_while_the_answer_goes_on(behind: Behind) -> None:
    with behind.program() as program:
        brought = program.post(
            f"{ENVIRONMENT}/imports",
            params={"name": "crm.csv"},
            content=b"user,tag\nu1,tier/gold\n",
            headers={"Content-Type": "text/csv"},
        )
        assert brought.status_code == 201, brought.text
        address = f"{ENVIRONMENT}/imports/{brought.json()['id']}/events"
        with program.stream("GET", address, timeout=PATIENCE_SECONDS) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert "data:" in next(answer.iter_text())


def test_a_body_over_the_limit_gets_the_problem_of_the_server(behind: Behind) -> None:
    status, headers, body = asyncio.run(answer_while_sending(behind, limits_of(behind)["bulk_body_bytes_max"] + 1))
    assert (status, headers["content-type"]) == (413, PROBLEM)
    assert b"body-too-large" in body


async def answer_while_sending(behind: Behind, body_bytes: int) -> tuple[int, Message, bytes]:
    """The answer to a bulk body of this length, read while the body is still sent.

    Some proxies begin the answer only when more of the body has come, so the sender must not stop before the answer.
    """
    target = urlsplit(behind.served.public_url)
    async with asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await asyncio.open_connection(
            target.hostname, target.port, ssl=behind.certificate.context(), server_hostname=target.hostname
        )
        head = (
            f"POST {ENVIRONMENT}/taggings HTTP/1.1",
            f"Host: {target.netloc}",
            f"Authorization: Bearer {behind.token}",
            "Content-Type: application/x-ndjson",
            f"Content-Length: {body_bytes}",
        )
        writer.write("\r\n".join((*head, "", "")).encode())

        async def send() -> None:
            for _ in range(body_bytes // 65_536):
                writer.write(b" " * 65_536)
                await writer.drain()

        sending = asyncio.create_task(send())
        try:
            status_line = await reader.readline()
            headers = BytesParser().parsebytes(await reader.readuntil(b"\r\n\r\n"))
            body = await reader.readexactly(int(headers["content-length"]))
        finally:
            sending.cancel()
            writer.transport.abort()
            # The connection may have ended before the whole body was sent.
            await asyncio.gather(sending, return_exceptions=True)
    return int(status_line.split()[1]), headers, body


def test_a_json_body_over_its_limit_gets_the_problem_of_the_server(behind: Behind) -> None:
    body = b"[" + b" " * files_limits.JSON_BODY_BYTES_MAX + b"]"
    with behind.program() as program:
        answer = program.post(f"{ENVIRONMENT}/taggings", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
    assert answer.json()["bytes_max"] == limits_of(behind)["json_body_bytes_max"]


def test_the_longest_addresses_and_headers_reach_the_server(behind: Behind) -> None:
    with behind.program() as program:
        known = program.get("/v2/limits", headers={"X-Long": "x" * 30_000})
        assert known.status_code == 200, known.text
        for size in (20_000, http_limits.ADDRESS_BYTES_MAX + 1):
            refused = program.get(f"{ENVIRONMENT}/users/{'u' * size}")
            assert refused.status_code in (400, 404, 414, 422)
            assert refused.headers["content-type"] == PROBLEM


def test_an_encoded_slash_in_an_address_reaches_the_server_as_it_was_sent(behind: Behind) -> None:
    user = "team/7 ü"
    with behind.program() as program:
        made = program.put(f"{ENVIRONMENT}/users/{quote(user, safe='')}/tags/{quote('tier/gold', safe='')}")
        assert made.status_code == 200, made.text
        found = program.get(f"{ENVIRONMENT}/users/{quote(user, safe='')}")
        assert found.json()["id"] == user


def test_metrics_stay_inside(behind: Behind) -> None:
    with behind.caller() as stranger:
        assert stranger.get("/metrics").status_code == 404
        assert stranger.get("/readyz").status_code == 200


def test_plain_http_is_sent_to_https(behind: Behind) -> None:
    answer = httpx.get(f"http://127.0.0.1:{behind.plain_port}/sign-in?next=/", headers={"Host": "localhost"})
    assert answer.status_code in (301, 308)
    target = urlsplit(answer.headers["location"])
    assert (target.scheme, target.hostname, target.path, target.query) == ("https", "localhost", "/sign-in", "next=/")


def limits_of(behind: Behind) -> dict[str, Any]:
    with behind.program() as program:
        found: dict[str, Any] = program.get("/v2/limits").json()
        return found
