"""Signing in with an account of the company, against a provider that listens at a port; and every way to cheat."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tagloom.settings import OidcSettings
from tests.console.providing import CLIENT_ID, CLIENT_SECRET, Provider, providing
from tests.console.serving import EMAILS, HERE, PASSWORD, PLACE, Served, serving
from tests.http.serving import plain_client


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider that vouches for Vera."""
    with providing() as provider:
        yield provider


@pytest.fixture
def served(provider: Provider, tmp_path: Path) -> Iterator[Served]:
    """A console that trusts it."""
    oidc = OidcSettings(provider.issuer, CLIENT_ID, CLIENT_SECRET)
    with serving(tmp_path / "data", oidc=oidc, create=True) as served:
        yield served


def sign_in(served: Served, *, to: str = "", tampered: dict[str, str] | None = None) -> httpx.Response:
    """What a browser sees at the end; it follows everything, and keeps its cookies."""
    with plain_client(served.url, follow_redirects=False) as browser:
        answer = browser.get("/sign-in/identity", params={"next": to} if to else {})
        if answer.status_code != 303:
            return answer
        there = httpx.get(answer.headers["location"], verify=False)
        back = httpx.URL(there.headers["location"])
        if tampered is not None:
            back = back.copy_merge_params(tampered)
        answer = browser.get(str(back))
        if answer.status_code == 303:
            answer.extensions["account"] = browser.get("/account").text
        return answer


def test_the_sign_in_page_offers_it(served: Served) -> None:
    assert "/sign-in/identity" in httpx.get(f"{served.url}/sign-in").text


def test_whom_the_provider_vouches_for_is_signed_in_where_they_wanted_to_go(served: Served) -> None:
    answer = sign_in(served, to=f"{PLACE}/tribes")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PLACE}/tribes"
    assert EMAILS["view"] in answer.extensions["account"]
    ticket = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("tagloom_ticket="))
    assert "Max-Age=0" in ticket
    # The password that was set before the e-mail was shown to be theirs opens nothing any more.
    with closing(plain_client(served.url, headers={"Origin": served.url})) as browser:
        form = {"email": EMAILS["view"], "password": PASSWORD}
        assert browser.post("/sign-in", data=form).status_code == 401


def test_the_first_link_ends_the_sessions_of_the_password_and_keeps_the_tokens(served: Served) -> None:
    session = served.services.accounts.sign_in(EMAILS["view"], PASSWORD, HERE)
    account = session.signed_in.account.id
    _, token = served.services.access.create_token("main", "app", ("decisions",), days=1, account=account)

    assert sign_in(served).status_code == 303

    assert served.services.sessions.find(session.secret) is None
    assert served.services.access.authenticate(token).account == account


@pytest.mark.parametrize(("written", "status"), [("", 503), ("/", 303)])
def test_an_issuer_is_written_as_the_provider_writes_it(
    provider: Provider, tmp_path: Path, written: str, status: int
) -> None:
    with_slash = f"{provider.issuer}/"
    provider.says, provider.claims = with_slash, {"iss": with_slash}

    with serving(
        tmp_path / "data", oidc=OidcSettings(provider.issuer + written, CLIENT_ID, CLIENT_SECRET), create=True
    ) as served:
        assert sign_in(served).status_code == status


def test_an_identity_is_known_again_whatever_its_email_is_then(served: Served, provider: Provider) -> None:
    sign_in(served)
    provider.email, provider.email_verified = "renamed@example.com", False

    assert EMAILS["view"] in sign_in(served).extensions["account"]


def test_an_invited_newcomer_joins_by_signing_in(served: Served, provider: Provider) -> None:
    by = served.services.accounts.sign_in(EMAILS["administrator"], PASSWORD, HERE).signed_in
    served.services.teammates.invite(by, "fresh@example.com", space="main", permissions=("tribes",))
    provider.email, provider.subject = "fresh@example.com", "subject-2"

    assert "fresh@example.com" in sign_in(served).extensions["account"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "nobody@example.com"),
        ("email_verified", False),
        ("email_verified", None),
        ("email_verified", "yes"),
        ("email", None),
        ("refuses", True),
        ("signs_with", "another"),
        ("signs_with", "secret"),
        ("signs_with", "nobody"),
        ("claims", {"nonce": "another"}),
        ("claims", {"aud": "somebody else"}),
        ("claims", {"aud": [CLIENT_ID, "somebody else"], "azp": "somebody else"}),
        ("claims", {"iss": "https://evil.example"}),
        ("claims", {"exp": int(time.time()) - 3_600}),
        ("claims", {"iat": int(time.time()) + 3_600, "nbf": int(time.time()) + 3_600}),
    ],
)
def test_what_does_not_hold_opens_nothing(served: Served, provider: Provider, name: str, value: Any) -> None:
    setattr(provider, name, value)

    answer = sign_in(served)

    assert answer.status_code == 403, answer.text
    assert not any(each.startswith("tagloom=") for each in answer.headers.get_list("set-cookie"))
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("tampered", [{"state": "another"}, {"code": "another"}, {"state": ""}])
def test_a_callback_that_was_tampered_with_opens_nothing(served: Served, tampered: dict[str, str]) -> None:
    assert sign_in(served, tampered=tampered).status_code == 403


def test_a_callback_works_once_and_only_in_the_browser_that_began(served: Served) -> None:
    with plain_client(served.url) as browser:
        there = httpx.get(browser.get("/sign-in/identity").headers["location"])
        back = there.headers["location"]
        assert httpx.get(back).status_code == 403
        assert browser.get(back).status_code == 303
        assert browser.get(back).status_code == 403


def test_new_keys_are_fetched_when_they_are_needed(served: Served, provider: Provider) -> None:
    sign_in(served)
    asked = provider.questions.count("/keys")
    sign_in(served)
    assert provider.questions.count("/keys") == asked
    provider.key = type(provider.key).generate_key(2048, {"kid": "one", "use": "sig"})

    assert sign_in(served).status_code == 303
    assert provider.questions.count("/keys") == asked + 1


def test_a_provider_that_calls_itself_something_else_is_not_used(served: Served, provider: Provider) -> None:
    provider.says = "https://evil.example"

    assert httpx.get(f"{served.url}/sign-in/identity").status_code == 503


BROKEN_KEYS = (
    '{"keys": []}',
    '{"keys": [{}]}',
    '{"keys": [{"kty": null}]}',
    '{"keys": [{"kty": "AKP"}]}',
    '{"keys": [{"kty": "RSA", "kid": "one"}]}',
    '{"keys": [{"kty": "RSA", "kid": "one", "n": 5, "e": "A"}]}',
)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        *(("/.well-known/openid-configuration", text) for text in ("", "[]", "{}", "[" * 100_000, '{"issuer": 5}')),
        *(("/keys", text) for text in ("", "5", "{}", '{"keys": 5}', '{"keys": [1]}', "[" * 100_000)),
        *(
            ("/token", text)
            for text in ("", "[]", "{}", '{"id_token": 5}', '{"error": "invalid_grant"}', "[" * 100_000)
        ),
    ],
)
def test_a_provider_that_answers_with_nonsense_is_said(
    served: Served, provider: Provider, address: str, text: str
) -> None:
    provider.nonsense[address] = text

    answer = sign_in(served)

    assert (answer.status_code, "identity provider" in answer.text) == (503, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization_endpoint", "http://[::1/authorize"),
        ("authorization_endpoint", ""),
        ("token_endpoint", "http://[::1/token"),
        ("token_endpoint", "ftp://localhost/token"),
        ("jwks_uri", "http://[::1/keys"),
        ("jwks_uri", "keys"),
        ("jwks_uri", "http://localhost:x/keys"),
    ],
)
def test_a_provider_whose_addresses_are_broken_is_said(
    served: Served, provider: Provider, name: str, value: str
) -> None:
    provider.describes[name] = value

    assert sign_in(served).status_code == 503


@pytest.mark.parametrize("text", BROKEN_KEYS)
def test_a_token_whose_key_is_broken_opens_nothing(served: Served, provider: Provider, text: str) -> None:
    provider.nonsense["/keys"] = text

    assert sign_in(served).status_code == 403


def test_a_key_that_is_not_understood_does_not_hide_the_others(served: Served, provider: Provider) -> None:
    keys = [{"kty": "AKP", "kid": "zero"}, provider.key.as_dict(private=False)]
    provider.nonsense["/keys"] = json.dumps({"keys": keys})

    assert sign_in(served).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {name: value}
        for name in ("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "auth_time", "amr", "at_hash")
        for value in (None, 5, "soon", [[]], {"a": 1})
        # A provider may call the user a number or have no value for what is not needed.
        if (name, value) not in (("sub", 5), ("sub", "soon"), ("exp", 5), ("azp", None), ("at_hash", None))
    ],
    ids=str,
)
def test_claims_of_any_type_are_no_fault(served: Served, provider: Provider, claims: dict[str, Any]) -> None:
    provider.claims = claims

    assert sign_in(served).status_code in (303, 403)


def test_a_provider_that_does_not_answer_is_said(telco_data: Path, tmp_path: Path) -> None:
    oidc = OidcSettings("http://127.0.0.1:9", CLIENT_ID, CLIENT_SECRET)
    with serving(tmp_path / "data", oidc=oidc, create=True) as served:
        answer = httpx.get(f"{served.url}/sign-in/identity")

    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert CLIENT_SECRET not in answer.text


def test_without_a_provider_there_is_no_such_page(tmp_path: Path) -> None:
    with serving(tmp_path / "data", create=True) as served:
        assert httpx.get(f"{served.url}/sign-in/identity").status_code == 404
        assert "/sign-in/identity" not in httpx.get(f"{served.url}/sign-in").text
