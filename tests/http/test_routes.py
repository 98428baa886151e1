"""The route table against the doors: each route asks for its scopes, and strangers see nothing."""

import itertools
from typing import Any

import httpx
import pytest

from tagloom.http.framework.openapi import problems_of
from tagloom.http.framework.routing import Route
from tagloom.http.routes import ROUTES
from tagloom.words.accounts import SCOPES
from tests.http.serving import Served

GUARDED = [route for route in ROUTES if route.scopes is not None]
TENANTED = [route for route in GUARDED if {"space", "organization"} & set(route.path_names())]


def _name(route: object) -> str:
    return f"{route.method} {route.path}" if isinstance(route, Route) else ""


def _ask(http: httpx.Client, route: Route, token: str | None, **names: str) -> httpx.Response:
    values = {
        "organization": "main",
        "environment": "staging",
        "id": "nobody",
        "tag": "no/such",
        "attribute": "none",
        "tribe": "none",
        "sync": "none",
        "delivery": "none",
        "flag": "tribe/none",
        "source": "none",
        "identity_secret": "none",
        "import": "0" * 24,
        "mapping": "none",
        "token": "none",
        "version": "999",
        **names,
    }
    headers = {"Authorization": f"Bearer {token}"} if token else {"Authorization": ""}
    return http.request(route.method, route.path.format(**values), headers=headers)


@pytest.mark.parametrize("route", GUARDED, ids=_name)
def test_a_route_is_open_to_its_scopes_and_to_no_others(served: Served, http: httpx.Client, route: Route) -> None:
    assert route.scopes is not None
    space = served.new_space()
    others = [scope for scope in SCOPES if scope not in route.scopes and scope != "admin"]

    # All other scopes together are not enough, nor is all but one of the needed ones.
    too_few = [tuple(others)] if route.scopes else []
    if len(route.scopes) > 1:
        too_few += itertools.combinations(route.scopes, len(route.scopes) - 1)
    for scopes in too_few:
        answer = _ask(http, route, served.token_of(*scopes), space=space)
        assert answer.status_code == 403, scopes
        assert set(answer.json()["scopes"]) <= set(route.scopes)

    for enough in (route.scopes or ("decisions",), ("admin",)):
        answer = _ask(http, route, served.token_of(*enough), space=space)
        assert answer.status_code not in (401, 403), answer.text


@pytest.mark.parametrize("route", GUARDED, ids=_name)
def test_a_route_is_closed_without_a_valid_token(served: Served, http: httpx.Client, route: Route) -> None:
    for token in (None, "tagloom_no-such-secret"):
        answer = _ask(http, route, token, space="main")

        assert answer.status_code == 401
        assert answer.json()["type"] == "/problems/not-signed-in"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", TENANTED, ids=_name)
def test_another_organization_finds_nothing_and_cannot_tell_it_from_what_is_not(
    served: Served, http: httpx.Client, route: Route
) -> None:
    stranger = served.token_of("admin", organization="strangers")
    space = served.new_space()

    theirs = _ask(http, route, stranger, space=space, organization="main")
    nothing = _ask(http, route, stranger, space="not-there", organization="not-there")

    assert theirs.status_code == nothing.status_code == 404
    # The answers differ in the name that was asked for, and in nothing else.
    assert theirs.text.replace(space, "X").replace("'main'", "'X'") == nothing.text.replace("not-there", "X")


@pytest.mark.parametrize("route", ROUTES, ids=_name)
def test_an_address_takes_only_its_methods(served: Served, http: httpx.Client, route: Route) -> None:
    taken = {each.method for each in ROUTES if each.path == route.path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - taken:
        answer = _ask(http, _with_method(route, method), served.token, space="main")

        assert answer.status_code == 405
        assert taken <= set(answer.headers["allow"].split(", "))


def _with_method(route: Route, method: Any) -> Route:
    return Route(
        method=method, path=route.path, handler=route.handler, group=route.group, summary="", scopes=route.scopes
    )


@pytest.mark.parametrize("route", ROUTES, ids=_name)
def test_an_unknown_parameter_is_refused_with_the_known_ones(served: Served, http: httpx.Client, route: Route) -> None:
    path = route.path.format(
        organization="main",
        space="main",
        environment="staging",
        id="x",
        tag="x",
        attribute="x",
        tribe="x",
        sync="x",
        delivery="x",
        flag="x",
        source="x",
        identity_secret="x",
        mapping="x",
        **{"import": "0" * 24},
        token="x",
        version="1",
    )
    answer = http.request(route.method, path, params={"no_such": "1"})

    assert answer.status_code == 422
    assert answer.json()["known"] == [each.name for each in route.parameters]


def test_every_route_names_a_problem_once_and_says_what_it_does() -> None:
    for route in ROUTES:
        assert route.summary
        assert not route.summary.endswith(".")
        assert len(problems_of(route)) == len(set(problems_of(route)))
        assert len(route.problems) == len(set(route.problems)), route.path
