"""The proof of user ids on the page of a source: identity secrets, public keys, and what comes without a proof."""

import hashlib
import hmac
import re

import httpx
import pytest
from joserfc.jwk import ECKey
from playwright.sync_api import expect

from tagloom.words.event_sources import EventSource, EventSourceDraft
from tagloom.words.identity import IdentitySettings
from tests.console.conftest import Open
from tests.console.flows.seen import toast
from tests.console.serving import PLACE, Served


@pytest.fixture
def shop(served: Served) -> EventSource:
    """A source of production, which requires a proof."""
    access = served.services.access
    environment = access.put_identity(access.get_environment("main", "production"), IdentitySettings(proof="require"))
    return served.services.event_sources.create_source(environment, "shop", EventSourceDraft(name="Shop"), by="ada")


def send(served: Served, shop: EventSource, **identity: str) -> None:
    """Sends an event of the user u1 and of the visitor v1, with a proof."""
    message = {"userId": "u1", "anonymousId": "v1", "event": "Ad Clicked", "context": {"identity": identity}}
    httpx.post(f"{served.url}/v1/track", auth=(shop.write_key, ""), json=message).raise_for_status()


def test_an_identity_secret_is_created_shown_once_replaced_and_deleted(
    open_page: Open, served: Served, shop: EventSource
) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/source/shop")
    card, dialog = page.locator("#identity"), page.locator("#dialog")
    expect(card).to_contain_text("Required in production.")
    expect(card).to_contain_text("The source has no identity secret")
    secrets = list[str]()
    for _ in range(2):
        card.get_by_role("button", name="Create identity secret").click()
        expect(dialog).to_contain_text("Both are shown only once")
        secrets.append(dialog.get_by_label("The HMAC secret").inner_text())
        dialog.get_by_role("link", name="Done").click()
        expect(dialog.locator(".secret")).to_have_count(0)
    assert not any(secret in page.content() for secret in secrets)
    expect(card.get_by_role("button", name="Create identity secret")).to_have_count(0)

    for secret in secrets:
        send(served, shop, hmac=hmac.new(secret.encode(), b"u1", hashlib.sha256).hexdigest())
    users = page.locator("#live tr", has_text="u1")
    expect(users).to_have_count(2)
    for text in ("proofs that were made with", "It is the last one. Then no page or app can send events of users"):
        card.get_by_role("link", name="Delete").first.click()
        expect(page.get_by_role("dialog")).to_contain_text(re.compile(text, re.IGNORECASE))
        page.get_by_role("button", name="Delete identity secret").click()
        expect(toast(page)).to_contain_text("The identity secret was deleted.")
    expect(card).to_contain_text("The source has no identity secret")

    send(served, shop, hmac="0" * 64)
    expect(page.locator("#live tr", has_text="v1")).to_have_count(2)
    expect(page.locator("#rejected tbody tr")).to_contain_text("The message was recorded for its visitor only")
    expect(page.locator("#rejected tbody tr")).to_contain_text("has an HMAC, but the source has no identity secret")
    expect(page.locator("#rejected tbody tr")).not_to_contain_text("0" * 64)


def test_public_keys_are_entered_and_stay_when_other_settings_change(
    open_page: Open, served: Served, shop: EventSource
) -> None:
    pair, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    page = open_page("developer")
    page.goto(f"{PLACE}/source/shop/edit")
    keys, save = page.get_by_label("Public keys"), page.get_by_role("button", name="Save settings")
    for text, says in (
        (pair.as_pem(private=True).decode(), "This is a private key."),
        ("Hello", "This is not a public key in PEM."),
        (pair.as_pem(private=False).decode() * 3, "There are 3 identity_public_keys; at most 2 are allowed."),
    ):
        keys.fill(text)
        save.click()
        expect(page.locator("#identity_public_keys-problem")).to_contain_text(says)
    keys.fill("\n".join(each.as_pem(private=False).decode() for each in (pair, other)))
    save.click()
    expect(page.locator("#identity")).to_contain_text("2 public keys for tokens with ES256.")

    page.goto(f"{PLACE}/source/shop/edit")
    page.get_by_label("Name", exact=True).fill("Shop of Ada")
    save.click()
    expect(page.locator("#identity")).to_contain_text("2 public keys")
    environment = served.services.access.get_environment("main", "production")
    stored = served.services.event_sources.get_source(environment, "shop")
    assert stored.derives_attributes
    assert stored.identity_public_keys == tuple(each.as_pem(private=False).decode().strip() for each in (pair, other))
