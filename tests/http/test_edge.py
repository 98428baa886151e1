"""What surrounds every request: ids, bounds, metrics, faults."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tagloom.accounts.access_tokens import Access
from tagloom.ports.problems import StoreUnavailable
from tagloom.words.tenants import Environment, Organization, Space
from tagloom_client import Tagloom
from tests.http.serving import MemoryInstallation, Served, serve


def test_a_request_has_an_id_its_own_or_a_given_one(http: httpx.Client) -> None:
    given = http.get("/v2/limits", headers={"X-Request-Id": "my-id.1"})
    foul = http.get("/v2/limits", headers={"X-Request-Id": "<script>"})
    problem = http.get("/nothing", headers={"X-Request-Id": "my-id.2"})

    assert given.headers["x-request-id"] == "my-id.1"
    assert foul.headers["x-request-id"] != "<script>"
    assert problem.headers["x-request-id"] == "my-id.2"
    assert problem.headers.get_list("x-request-id") == ["my-id.2"]


def test_limits_are_served_by_name(tagloom: Tagloom) -> None:
    assert tagloom.get_limits()["levels_per_tag_max"] == 3
    assert tagloom.is_ready()


def test_an_address_and_headers_are_bounded(http: httpx.Client) -> None:
    assert http.get("/v2/limits", params={"a": "x" * 40_000}).json()["type"] == "/problems/address-too-long"
    assert http.get("/v2/limits", headers={"X-A": "x" * 70_000}).json()["type"] == "/problems/headers-too-large"


def test_a_head_has_no_body(http: httpx.Client) -> None:
    answer = http.head("/v2/limits")

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_repeated_header_is_judged_alike_whatever_else_a_request_has(tagloom: Tagloom, http: httpx.Client) -> None:
    address, body, good = f"{tagloom.place.address}/decisions", {"user": "u1"}, http.headers["Authorization"]
    assert http.post(address, json=body).status_code == 200

    for tokens in (["Bearer bad", good], [good, "Bearer bad"]):
        codes = [
            httpx.post(
                f"{http.base_url}{address}".replace("//v2", "/v2"),
                json=body,
                headers=[*(("Authorization", token) for token in tokens), *more],
            ).status_code
            for more in ([], [("X-Request-Id", "r")])
        ]
        assert codes[0] == codes[1], tokens


def test_other_origins_are_told_nothing(http: httpx.Client) -> None:
    answer = http.options(
        "/v2/limits", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    )

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_metrics_count_by_route_and_never_by_address(http: httpx.Client, tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="somebody-special")

    text = http.get("/metrics").text

    route = "/v2/spaces/{space}/environments/{environment}/users/{id}/tags/{tag}"
    assert f'tagloom_requests_total{{method="PUT",route="{route}",status="200"}}' in text
    assert f'tagloom_request_seconds_bucket{{le="0.001",method="PUT",route="{route}"}}' in text
    assert f'tagloom_version{{environment="production",space="{tagloom.place.space}"}} 1.0' in text
    assert "tagloom_writes_waiting 0.0" in text
    assert "somebody-special" not in text


@pytest.mark.usefixtures("debug_logs")
def test_the_log_has_routes_and_never_ids_of_people(http: httpx.Client, tagloom: Tagloom) -> None:
    with capture_logs() as entries:
        tagloom.add_tag("a", user="somebody-special")
        http.get(f"{tagloom.place.address}/users/somebody-else")

    assert {entry["status"] for entry in entries if entry["event"] == "request.answered"} == {200, 404}
    assert "somebody" not in repr(entries)


class BrokenInstallation(MemoryInstallation):
    """Its populations fail in a way that nobody foresaw, with a secret in the exception's frame."""

    def population(self, environment: Environment) -> Any:
        raise RuntimeError("this must stay inside")


@pytest.fixture
def broken() -> Iterator[httpx.Client]:
    """A server over a broken installation, and a token."""
    installation = BrokenInstallation()
    installation.control.put_organization(Organization("main", "Main"))
    installation.control.put_space(Space("main", "main", "Main"))
    token = Access(installation.control).create_token("main", "tester", ["admin"], days=1)[1]
    for url in serve(installation):
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
            yield client


@pytest.mark.usefixtures("debug_logs")
def test_a_fault_of_ours_shows_only_its_id_and_the_log_has_the_rest(broken: httpx.Client) -> None:
    address = "/v2/spaces/main/environments/production"
    with capture_logs() as entries:
        answers = [
            broken.get(f"{address}/users/u1"),
            broken.post(f"{address}/decisions", json={"user": "u1"}),
            broken.post(f"{address}/decisions", json={"user": "u1"}),
        ]

    for answer in answers:
        assert answer.status_code == 500
        assert answer.json()["type"] == "/problems/internal-fault"
        assert "inside" not in answer.text
        [entry] = [
            e for e in entries if e["event"] == "request.failed" and e["request_id"] == answer.json()["request_id"]
        ]
        assert "this must stay inside" in entry["traceback"]


class AwayInstallation(MemoryInstallation):
    """A database that is there or away, as the test says."""

    is_away = False

    def check_ready(self) -> None:
        if self.is_away:
            raise StoreUnavailable("The database is away.")


@pytest.mark.usefixtures("debug_logs")
def test_what_readyz_refuses_is_a_state_that_the_log_has_once_a_change_and_no_error() -> None:
    installation = AwayInstallation()
    with capture_logs() as entries:
        for url in serve(installation):
            for is_away in (False, True, True, True, False, False, True):
                installation.is_away = is_away
                assert httpx.get(f"{url}/readyz").status_code == (503 if is_away else 200)

    told = [(each["event"], each["log_level"]) for each in entries if each["event"].startswith(("readi", "request.r"))]
    assert told == [("readiness.lost", "warning"), ("readiness.regained", "info"), ("readiness.lost", "warning")]
    assert [each["log_level"] for each in entries if each["log_level"] == "error"] == []


def test_readiness_needs_the_store(served: Served, tagloom: Tagloom) -> None:
    assert httpx.get(f"{served.url}/readyz").json() == {"status": "ready"}


@pytest.mark.usefixtures("debug_logs")
def test_a_caller_that_asks_for_a_version_nobody_wrote_is_told_and_the_log_has_no_error(
    http: httpx.Client, tagloom: Tagloom
) -> None:
    with capture_logs() as entries:
        answer = http.get(f"{tagloom.place.address}/users", params={"at_least": 1_000_000})

    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/version-not-reached")
    assert [entry for entry in entries if entry["log_level"] == "error"] == []
