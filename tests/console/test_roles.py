"""The role table: every page and action against every role, and where requests may come from."""

import re
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from tagloom.accounts import limits
from tagloom.accounts.access_tokens import scopes_of
from tagloom.console.framework.role_table import Page
from tagloom.console.routes import PAGES, PLACE
from tagloom.http.framework.addresses import E
from tagloom.http.routes import ROUTES
from tagloom.ports.writes import Apply, BatchRules, WriteOptions
from tagloom.words.changes import Origin
from tests import bodies
from tests.console.serving import CUSTOMER, EMAILS, PASSWORD, Role, Served
from tests.http.serving import plain_client

ROLES: tuple[Role, ...] = ("anyone", "outsider", "view", "tribes", "developer", "administrator")
# Who has what a page asks for, in the space that its address names.
ALLOWED: dict[str, set[Role]] = {
    "anyone": set(ROLES),
    "teammate": set(ROLES) - {"anyone"},
    "view": {"view", "tribes", "developer", "administrator"},
    "tribes": {"tribes", "developer", "administrator"},
    "developer": {"developer", "administrator"},
    "administrator": {"administrator"},
}
VALUES = {
    "space": "main",
    "environment": "staging",
    "tribe": "at-risk",
    "import": "0" * 24,
    "sync": "crm",
    "delivery": "lake",
    "source": "web",
    "secret": "0" * 16,
}
QUERIES = {"tag": "churn", "attribute": "plan", "user": CUSTOMER, "version": "1"}
# These end the session that the test is made with, or begin one.
OTHERWISE = {"/sign-out", "/setup", "/sign-in", "/join", "/reset"}


def address_of(page: Page) -> str:
    """A page's address with its values filled in."""
    return re.sub(r"\{(\w+)\}", lambda match: VALUES[match[1]], page.path)


def named(page: Page) -> str:
    """The name of a case."""
    return f"{page.method} {page.path}"


Visitors = Callable[[Role], httpx.Client]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("page", [page for page in PAGES if page.path not in OTHERWISE], ids=named)
def test_a_page_opens_for_its_role_and_for_no_other(visitors: Visitors, page: Page, role: Role) -> None:
    """An empty form is never right, so that nothing changes; what counts is whether the view was reached."""
    browser, address = visitors(role), address_of(page)

    answer = browser.get(address, params=QUERIES) if page.method == "GET" else browser.post(address, data={})

    if role in ALLOWED[page.role]:
        assert answer.status_code not in (401, 403), answer.text
        assert answer.status_code < 500, answer.text
        assert "/sign-in" not in answer.headers.get("location", "") or page.role == "anyone"
    elif role == "anyone":
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in")
    else:
        # Whoever has nothing in a space is not told that there is one.
        assert answer.status_code == (404 if role == "outsider" and "{space}" in page.path else 403), answer.text


@pytest.mark.parametrize("role", ["outsider", "administrator"])
def test_another_organizations_space_is_not_there(served: Served, visitors: Visitors, role: Role) -> None:
    services = served.services
    by = services.sessions.get(visitors("administrator").cookies["tagloom"])
    services.teammates.create_organization(by, "Strangers", f"Secret of {role}")
    hidden = [
        space
        for org in served.installation.control.list_organizations()
        if org.name == "Strangers"
        for space in served.installation.control.list_spaces(org.id)
    ]

    for space in hidden:
        answers = [visitors(role).get(f"/s/{each}/production/tribes") for each in (space.id, "no-such-space")]

        assert {answer.status_code for answer in answers} == {404}
        assert space.name not in answers[0].text


@pytest.mark.parametrize("page", [page for page in PAGES if page.method == "POST"], ids=named)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "SAME", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "SAME", "Sec-Fetch-Site": "same-site"},
        {"Origin": "SAME.evil.example"},
    ],
    ids=["none", "foreign", "opaque", "empty", "cross-site", "same-site", "longer"],
)
def test_an_unsafe_request_must_come_from_the_console(
    served: Served, admin: httpx.Client, page: Page, headers: dict[str, str]
) -> None:
    sent = {name: value.replace("SAME", served.url) for name, value in headers.items()}
    with plain_client(served.url, cookies=dict(admin.cookies)) as browser:
        answer = browser.post(address_of(page), data={}, headers=sent)

    assert answer.status_code == 403
    assert "another site" in answer.text


def test_every_page_has_one_line_in_the_table() -> None:
    lines = [(page.method, page.path) for page in PAGES]

    assert len(set(lines)) == len(lines)


def test_the_cookie_of_a_session_is_kept_from_scripts_and_other_sites(served: Served) -> None:
    with plain_client(served.url, headers={"Origin": served.url}) as browser:
        answer = browser.post("/sign-in", data={"email": EMAILS["view"], "password": PASSWORD})

    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("tagloom="))
    said = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "samesite=lax", "path=/"} <= said
    assert not any(part.startswith("domain") for part in said)


def test_a_session_ends_at_sign_out_on_the_server_too(served: Served) -> None:
    with closing(served.sign_in("view")) as browser:
        cookies = dict(browser.cookies)
        browser.post("/sign-out")

    with plain_client(served.url, cookies=cookies) as again:
        assert again.get("/s/main/production/tribes").headers["location"].startswith("/sign-in")


def test_signing_in_leads_back_and_never_away(served: Served) -> None:
    with plain_client(served.url, headers={"Origin": served.url}) as browser:
        asked = browser.get("/s/main/production/tags", params={"search": "a&b"})
        assert asked.headers["location"] == "/sign-in?next=%2Fs%2Fmain%2Fproduction%2Ftags%3Fsearch%3Da%2526b"
        for away in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
            form = {"email": EMAILS["view"], "password": PASSWORD, "next": away}
            assert browser.post("/sign-in", data=form).headers["location"] == "/s/main/production/overview"


def test_wrong_passwords_and_unknown_people_are_answered_alike_and_then_slowed(served: Served) -> None:
    with plain_client(served.url, headers={"Origin": served.url}) as browser:
        known = browser.post("/sign-in", data={"email": EMAILS["view"], "password": "wrong-wrong-wrong"})
        unknown = browser.post("/sign-in", data={"email": "nobody@example.com", "password": "wrong-wrong-wrong"})
        assert known.status_code == unknown.status_code == 401
        shown = [text.text.replace(EMAILS["view"], "X").replace("nobody@example.com", "X") for text in (known, unknown)]
        assert shown[0] == shown[1]

        statuses = [
            browser.post("/sign-in", data={"email": "target@example.com", "password": f"wrong-wrong-{n}"}).status_code
            for n in range(limits.ATTEMPTS_PER_ACCOUNT_MAX + 1)
        ]
        assert statuses[-1] == 429
        assert 401 in statuses


# Pages that show or give away people, and the route of the API that does the same.
COUNTERPARTS = {
    "/tribe/{tribe}/members": ("GET", "/tribes/{tribe}/users"),
    "/tribe/{tribe}/why": ("GET", "/tribes/{tribe}/why"),
    "/tag/people": ("GET", "/tags/{tag}/users"),
    "/people": ("GET", "/users"),
    "/person/tags": ("PUT", "/users/{id}/tags"),
    "/person/attributes": ("PATCH", "/users/{id}"),
    "/attributes": ("GET", "/attributes/{attribute}"),
    "/attributes/new": ("PUT", "/attributes/{attribute}"),
    "/attribute/describe": ("PUT", "/attributes/{attribute}"),
    "/attribute/delete": ("DELETE", "/attributes/{attribute}"),
    "/person/create": ("PUT", "/users/{id}"),
    "/person/data": ("GET", "/users/{id}/data"),
    "/person/erase": ("DELETE", "/users/{id}"),
    "/tribe/{tribe}/tag": ("POST", "/tribes/{tribe}/tag"),
    "/undo": ("POST", "/changes/{version}/undo"),
    "/events": ("GET", "/events"),
    "/sources": ("GET", "/event-sources"),
    "/sources/new": ("POST", "/event-sources"),
    "/source/{source}": ("GET", "/event-sources/{source}/rejected-messages"),
    "/source/{source}/live": ("GET", "/event-sources/{source}/rejected-messages"),
    "/source/{source}/write-key": ("POST", "/event-sources/{source}/write-key"),
    "/source/{source}/secret-key": ("POST", "/event-sources/{source}/secret-key"),
    "/source/{source}/secret-key/revoke": ("DELETE", "/event-sources/{source}/secret-key"),
    "/source/{source}/identity-secret": ("POST", "/event-sources/{source}/identity-secrets"),
    "/source/{source}/identity-secret/{secret}/delete": (
        "DELETE",
        "/event-sources/{source}/identity-secrets/{identity_secret}",
    ),
    "/source/{source}/edit": ("PUT", "/event-sources/{source}"),
    "/source/{source}/delete": ("DELETE", "/event-sources/{source}"),
}


@pytest.mark.parametrize("page", [each for each in PAGES if each.path.removeprefix(PLACE) in COUNTERPARTS], ids=named)
def test_a_page_opens_for_nobody_whose_token_could_not_do_the_same(page: Page) -> None:
    method, path = COUNTERPARTS[page.path.removeprefix(PLACE)]
    (scopes,) = (each.scopes for each in ROUTES if (each.method, each.path) == (method, E + path))

    assert page.role in ("view", "tribes", "developer")
    assert set(scopes or ()) <= scopes_of([page.role])


@pytest.mark.parametrize("role", ["view"])
@pytest.mark.parametrize("page", [each for each in PAGES if "{space}" in each.path and each.method == "GET"], ids=named)
def test_no_page_shows_an_id_to_whoever_may_not_list_people(visitors: Visitors, page: Page, role: Role) -> None:
    answer = visitors(role).get(
        address_of(page).replace("staging", "production"), params={**QUERIES, "at": "1", "text": CUSTOMER[:5]}
    )

    assert set(re.findall(r"\b\d{4}-[A-Z]{5}\b", answer.text)) <= {CUSTOMER}


SECRET = "gold-plated"
# Pages with this value of a customer.
WITH_VALUES = (
    f"/s/main/production/people?user={CUSTOMER}",
    "/s/main/production/attributes?attribute=plan",
    f"/s/main/production/person/history?user={CUSTOMER}",
    f"/s/main/production/person/as-of?user={CUSTOMER}&at=2126-01-01",
)


def test_no_page_shows_a_value_of_a_person_to_whoever_may_not_read_people(served: Served, visitors: Visitors) -> None:
    production = served.services.access.get_environment("main", "production")
    line = bodies.user(CUSTOMER, plan=SECRET)
    served.installation.population(production).write(
        Apply([bodies.part([line])], BatchRules(mode="add")), WriteOptions(Origin("app"))
    )
    pages = [page for page in PAGES if "{space}" in page.path and page.method == "GET"]
    addresses = [address_of(page).replace("staging", "production") for page in pages]

    assert all(SECRET in visitors("developer").get(address).text for address in WITH_VALUES)
    for address in WITH_VALUES:
        assert SECRET not in visitors("view").get(address).text
    for address in addresses:
        assert SECRET not in visitors("view").get(address, params={**QUERIES, "at": "1"}).text


def test_what_a_rule_would_find_shows_ids_to_whoever_may_list_people(visitors: Visitors) -> None:
    address = "/s/main/production/tribe/at-risk"

    for role in ("developer", "tribes"):
        assert re.findall(r"\b\d{4}-[A-Z]{5}\b", visitors(role).get(address).text)
    assert not re.findall(r"\b\d{4}-[A-Z]{5}\b", visitors("view").get(address).text)
