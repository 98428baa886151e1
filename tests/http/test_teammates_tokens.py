"""Tokens of teammates at the door: in each space what their teammate may there, and no other space."""

from argon2 import PasswordHasher

from tagloom.accounts.accounts import Accounts
from tagloom.accounts.passwords import Passwords
from tagloom.words.accounts import Permission, Scope
from tests.http.serving import NUMBERS, ORGANIZATION, STRANGERS, Served

PASSWORD = "violet-otter-74-canoe"


def teammate(served: Served, permissions: dict[str, tuple[Permission, ...]]) -> str:
    """The account of a new teammate."""
    accounts = Accounts(served.installation.control, Passwords(PasswordHasher(1, 8, 1)))
    email = f"u{next(NUMBERS)}@example.com"
    made = accounts.put_administrator(ORGANIZATION, email=email, name="Somebody", password=PASSWORD)
    # Another one stays, so that this one need not.
    accounts.put_administrator(ORGANIZATION, email="root@example.com", name="Root", password=PASSWORD)
    control = served.installation.control
    control.put_administrator(ORGANIZATION, made.id, False)
    for space, names in permissions.items():
        control.put_permissions(ORGANIZATION, made.id, space, names)
    return made.id


def token(served: Served, account: str, *scopes: Scope) -> str:
    return served.access.create_token(ORGANIZATION, "theirs", scopes, days=1, account=account)[1]


def test_a_teammates_token_reaches_each_space_as_its_teammate_does(served: Served) -> None:
    build, look, hidden = (served.new_space() for _ in range(3))
    account = teammate(served, {build: ("view", "developer"), look: ("view",)})
    with served.http(token(served, account, "tags:read", "tags:write", "decisions")) as http:
        said = {}
        for space in (build, look, hidden, "not-there"):
            place = f"/v2/spaces/{space}/environments/staging"
            said[space] = [
                http.get(f"{place}/tags").status_code,
                http.put(f"{place}/tags/a", json={}).status_code if space == look else 0,
                http.post(f"{place}/decisions", json={"user": "u1"}).status_code,
                http.post(f"{place}/decisions", json={"user": "u1"}).status_code,
                http.get(f"/v2/spaces/{space}/environments").status_code,
                http.get(f"{place}/users").status_code,
            ]
        listed = http.get(f"/v2/organizations/{ORGANIZATION}/spaces").json()["items"]
        assert http.post(f"/v2/spaces/{build}/environments/staging/taggings").status_code != 403
        refused = http.post(f"/v2/spaces/{look}/environments/staging/taggings")

    assert said[build] == [200, 0, 200, 200, 200, 403]
    assert said[look][0] == 200
    assert said[look][2:] == [200, 200, 200, 403]
    # What is hidden cannot be told from what is not there.
    assert said[hidden] == said["not-there"] == [404, 0, 404, 404, 404, 403]
    assert {each["id"] for each in listed} == {build, look}
    assert refused.status_code == 403
    assert refused.json()["scopes"] == ["tags:write"]


def test_admin_is_for_tokens_of_administrators(served: Served) -> None:
    account = teammate(served, {"main": ("view", "developer")})
    secret = token(served, account, "admin")
    address = f"/v2/organizations/{ORGANIZATION}/tokens"
    with served.http(secret) as http:
        assert http.get(address).status_code == 403
        assert http.post("/v2/spaces/main/environments/staging/decisions", json={"user": "u"}).status_code == 200

    served.installation.control.put_administrator(ORGANIZATION, account, True)
    again = token(served, account, "admin")
    with served.http(again) as http:
        made = http.post(address, json={"name": "child", "scopes": ["decisions"], "expires_in_days": 1})
        assert made.status_code == 201
        assert made.json()["account"] == account
        items: list[dict[str, object]] = []
        cursor = None
        while cursor is not None or not items:
            page = http.get(address, params={"cursor": cursor} if cursor else {}).json()
            items += page["items"]
            cursor = page["next_cursor"]
    found = {each["id"]: each for each in items}
    account_email = served.installation.control.find_account(account)
    assert account_email is not None
    assert found[made.json()["id"]]["teammate"] == account_email.email
    assert any(each["account"] is None and each["teammate"] is None for each in items)


def test_a_deactivated_teammates_token_is_not_known(served: Served) -> None:
    account = teammate(served, {"main": ("view",)})
    secret = token(served, account, "decisions")
    served.installation.control.put_state(ORGANIZATION, account, "inactive")

    with served.http(secret) as http:
        answer = http.post("/v2/spaces/main/environments/staging/decisions", json={"user": "u"})

    assert answer.status_code == 401
    assert answer.json()["type"] == "/problems/not-signed-in"


def test_a_stream_ends_when_its_teammate_is_deactivated(served: Served) -> None:
    space = served.new_space()
    account = teammate(served, {space: ("view",)})
    place = f"/v2/spaces/{space}/environments/production"
    with served.http() as http:
        brought = http.post(f"{place}/imports", content="user,tag\n", headers={"Content-Type": "text/csv"}).json()["id"]
    with (
        served.http(token(served, account, "tags:read")) as theirs,
        theirs.stream("GET", f"{place}/imports/{brought}/events", timeout=30) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        served.installation.control.put_state(ORGANIZATION, account, "inactive")
        # It would go on for five minutes, and say within fifteen seconds that it lives.
        assert [line for line in lines if line] == []


def test_a_new_spaces_conflict_tells_nothing_of_another_tenants_space(served: Served) -> None:
    theirs = served.access.create_space(STRANGERS, "Secret plans", f"secret-plans-{next(NUMBERS)}")
    ours = served.new_space()
    address = f"/v2/organizations/{ORGANIZATION}/spaces"
    with served.http() as http:
        own, taken = (http.post(address, json={"name": "X", "id": id}) for id in (ours, theirs.id))
        named = http.post(address, json={"name": theirs.id})

    assert (own.status_code, taken.status_code) == (409, 409)
    assert "exists already" in own.json()["detail"] or "There is a space" in own.json()["detail"]
    assert taken.json()["detail"] == f"The id '{theirs.id}' is not free. Choose another, or leave it out."
    # Without an id, nobody meets anybody.
    assert named.status_code == 201
    assert named.json()["id"] == f"{theirs.id}-2"
