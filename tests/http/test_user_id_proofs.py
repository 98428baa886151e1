"""Proofs of user ids at the door: what each mode records, and which keys check a proof."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from tagloom.tracking.event_sources import HMAC_SECRET_PREFIX, TOKEN_SECRET_PREFIX
from tagloom_client import NewIdentitySecret, ProblemError, Retries, Tagloom, problems
from tests.http.serving import Served, plain_client

GOLD = {"plan": "gold"}


class Shop:
    """A source with an identity secret, in an environment with a mode, and the messages of its app."""

    def __init__(self, tagloom: Tagloom, served: Served, proof: Any) -> None:
        tagloom.set_identity(proof=proof)
        self.tagloom = tagloom
        self.key = tagloom.create_event_source("web", "Web").write_key
        self.secret = tagloom.create_identity_secret("web")
        self.app = plain_client(served.url)

    def identify(self, identity: object, *, key: str = "", **ids: Any) -> None:
        """Sends an `identify` message with the plan gold."""
        ids = ids or {"userId": "u1", "anonymousId": "v1"}
        message = {"type": "identify", "traits": GOLD, "context": {"identity": identity}, **ids}
        answer = self.app.post("/v1/batch", json={"batch": [message]}, auth=(key or self.key, ""))
        assert (answer.status_code, answer.json()) == (200, {"success": True})

    def recorded(self) -> list[tuple[str | None, str | None]]:
        """The user or the visitor of each event, the last one first."""
        return [(each.user, each.visitor) for each in self.tagloom.list_recent_events()]

    def plan(self, **person: str) -> object:
        """The plan of a person; None if it is not set."""
        return self.tagloom.get_person(**person).attributes.get("plan")

    def shown(self, count: int) -> list[str]:
        """The reasons in the live view, once there are so many."""
        for _ in range(200):
            found = self.tagloom.list_rejected_messages("web")
            if len(found) >= count:
                break
            time.sleep(0.05)
        assert {each.reason for each in found} <= {"user-id-not-proven"}
        return [each.detail for each in found]


@pytest.fixture
def shop_with(tagloom: Tagloom, served: Served) -> Iterator[Callable[[str], Shop]]:
    made = list[Shop]()

    def make(proof: str) -> Shop:
        made.append(Shop(tagloom, served, proof))
        return made[-1]

    yield make
    for each in made:
        each.app.close()


def hmac_of(user: str, secret: NewIdentitySecret) -> dict[str, str]:
    return {"hmac": hmac.new(secret.hmac_secret.encode(), user.encode(), hashlib.sha256).hexdigest()}


def token_of(user: str, secret: NewIdentitySecret) -> dict[str, str]:
    key = OctKey.import_key(secret.token_secret)
    return {"token": jwt.encode({"alg": "HS256"}, {"sub": user, "exp": int(time.time()) + 600}, key)}


def test_without_a_mode_nothing_is_checked(shop_with: Callable[[str], Shop]) -> None:
    shop = shop_with("off")
    shop.identify({"hmac": "wrong"})
    shop.identify(None)

    assert shop.recorded() == [("u1", None)] * 2
    assert shop.plan(user="u1") == "gold"
    time.sleep(1.5)
    assert shop.shown(0) == []


@pytest.mark.parametrize("proof_of", [hmac_of, token_of])
def test_a_required_proof_lets_a_page_speak_for_its_user(
    shop_with: Callable[[str], Shop], proof_of: Callable[[str, NewIdentitySecret], dict[str, str]]
) -> None:
    shop = shop_with("require")
    shop.identify(proof_of("u1", shop.secret))
    shop.identify(proof_of("17", shop.secret), userId=17)

    assert shop.recorded() == [("17", None), ("u1", None)]
    assert shop.plan(user="u1") == shop.plan(user="17") == "gold"


def test_without_a_required_proof_a_message_is_only_one_of_its_visitor(shop_with: Callable[[str], Shop]) -> None:
    shop = shop_with("require")
    shop.identify(hmac_of("u2", shop.secret))
    shop.identify(None)
    shop.identify({"token": "a" * 5_000})
    shop.identify(None, anonymousId="v1")

    assert shop.recorded() == [(None, "v1")] * 4
    with pytest.raises(problems.NotFound):
        shop.plan(user="u1")
    # Only the message that names no user sets attributes.
    assert shop.plan(visitor="v1") == "gold"
    begin = "The message was recorded for its visitor only, because its user id is not proven."
    assert sorted(shop.shown(3)) == [
        f"{begin} It has no proof in 'context.identity'.",
        f"{begin} Its HMAC is not that of the user id by an identity secret of the source.",
        f"{begin} Its token has 5,000 characters; at most 4,096 are allowed.",
    ]


def test_only_a_proven_message_links_its_visitor_to_its_user(shop_with: Callable[[str], Shop]) -> None:
    shop = shop_with("require")
    shop.identify(None)
    shop.identify(hmac_of("u2", shop.secret))
    assert shop.tagloom.get_person(visitor="v1").kind == "visitor"

    shop.identify(hmac_of("u1", shop.secret))

    assert shop.tagloom.get_person(visitor="v1").id == "u1"
    (identity,) = shop.tagloom.get_person(user="u1").identities
    assert (identity.id, identity.is_proven) == ("v1", True)


def test_a_message_without_proof_and_without_visitor_is_rejected(shop_with: Callable[[str], Shop]) -> None:
    shop = shop_with("require")
    shop.identify(None, userId="u1")
    shop.identify(None, userId="u1", anonymousId="null")

    assert shop.recorded() == []
    assert "names no visitor" in shop.shown(2)[1]


def test_observing_changes_nothing_and_shows_a_message_of_each_kind(
    shop_with: Callable[[str], Shop], served: Served
) -> None:
    shop = shop_with("observe")
    before = counted(served)
    for identity in (None, {"hmac": "0" * 64}, None, {"hmac": "1" * 64}, hmac_of("u1", shop.secret)):
        shop.identify(identity)

    assert shop.recorded() == [("u1", None)] * 5
    assert shop.plan(user="u1") == "gold"
    begin = "The message was recorded, but its user id is not proven."
    assert sorted(shop.shown(2)) == [
        f"{begin} It has no proof in 'context.identity'.",
        f"{begin} Its HMAC is not that of the user id by an identity secret of the source.",
    ]
    grown = {proof: count - before[proof] for proof, count in counted(served).items()}
    assert grown == {"valid": 1, "missing": 2, "invalid": 2}


def counted(served: Served) -> dict[str, int]:
    """The user ids that this process has checked."""
    text = httpx.get(f"{served.url}/metrics").text
    found = re.findall(r'^tagloom_tracking_user_ids_total{proof="(\w+)"} (\d+)', text, re.MULTILINE)
    return {proof: int(count) for proof, count in found}


def test_a_secret_key_speaks_for_every_user(shop_with: Callable[[str], Shop]) -> None:
    shop = shop_with("require")
    key = shop.tagloom.create_secret_key("web")
    shop.identify(None, key=key)

    assert shop.recorded() == [("u1", None)]
    assert shop.plan(user="u1") == "gold"


def test_a_secret_is_replaced_step_by_step(shop_with: Callable[[str], Shop]) -> None:
    shop = shop_with("require")
    old, new = shop.secret, shop.tagloom.create_identity_secret("web")
    for secret in (old, new):
        shop.identify(hmac_of("u1", secret))
        shop.identify(token_of("u1", secret))
    with pytest.raises(problems.Invalid, match="too-many-identity-secrets"):
        shop.tagloom.create_identity_secret("web")

    shop.tagloom.delete_identity_secret("web", old.id)

    shop.identify(hmac_of("u1", old))
    shop.identify(token_of("u1", old))
    shop.identify(hmac_of("u1", new))
    assert shop.recorded() == [("u1", None), *[(None, "v1")] * 2, *[("u1", None)] * 4]
    assert [each.id for each in shop.tagloom.get_event_source("web").identity_secrets] == [new.id]


def test_a_public_key_checks_the_tokens_of_an_app(shop_with: Callable[[str], Shop]) -> None:
    shop, pair = shop_with("require"), ECKey.generate_key("P-256")
    stored = shop.tagloom.put_event_source(
        "web", "Web", identity_public_keys=[f"\n{pair.as_pem(private=False).decode()}\n"]
    )
    claims = {"sub": "u1", "exp": int(time.time()) + 600}

    shop.identify({"token": jwt.encode({"alg": "ES256"}, claims, pair)})
    shop.identify({"token": jwt.encode({"alg": "ES256"}, claims, ECKey.generate_key("P-256"))})

    assert shop.recorded() == [(None, "v1"), ("u1", None)]
    assert stored.identity_public_keys == (pair.as_pem(private=False).decode().strip(),)
    assert stored.identity_secrets[0].id == shop.secret.id
    with pytest.raises(problems.Invalid) as raised:
        shop.tagloom.put_event_source("web", "Web", identity_public_keys=[pair.as_pem(private=True).decode()])
    assert raised.value.members["field"] == "$.identity_public_keys"
    assert "BEGIN" not in str(raised.value)


def test_the_secrets_are_only_in_the_answer_to_their_creation(
    shop_with: Callable[[str], Shop], http: httpx.Client
) -> None:
    shop = shop_with("require")
    address = f"{shop.tagloom.place.address}/event-sources"
    made = http.post(f"{address}/web/identity-secrets")
    created = made.json()

    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert created["hmac_secret"].startswith(HMAC_SECRET_PREFIX)
    assert created["token_secret"].startswith(TOKEN_SECRET_PREFIX)
    for answer in (http.get(address), http.get(f"{address}/web"), http.post(f"{address}/web/write-key")):
        assert created["id"] in answer.text
        assert created["hmac_secret"] not in answer.text
        assert created["token_secret"] not in answer.text
    assert created["hmac_secret"] not in repr(shop.tagloom.create_event_source("ios", "iOS"))
    assert shop.secret.hmac_secret not in repr(shop.secret)


def test_a_proof_and_a_secret_are_not_among_the_rejected_messages(shop_with: Callable[[str], Shop]) -> None:
    shop = shop_with("require")
    proofs = hmac_of("u1", shop.secret) | token_of("u1", shop.secret)
    # Somebody else's proof, and a page that has the secret by mistake.
    shop.identify({**proofs, "note": shop.secret.hmac_secret}, userId="u2")
    assert len(shop.shown(1)) == 1

    shown = shop.tagloom.list_rejected_messages("web")[0].message
    assert "u2" in shown
    for hidden in (*proofs.values(), shop.secret.hmac_secret):
        assert hidden not in shown


def test_what_does_not_exist_is_not_deleted_and_only_developers_change_secrets(
    tagloom: Tagloom, served: Served
) -> None:
    created = tagloom.create_event_source("web", "Web")
    reader = Tagloom(served.url, served.token_of("events:read"), space=tagloom.place.space, retries=Retries(tries=1))
    for ask, name in (
        (lambda: tagloom.create_identity_secret("nope"), "event-source-not-found"),
        (lambda: tagloom.delete_identity_secret("nope", "a"), "event-source-not-found"),
        (lambda: tagloom.delete_identity_secret("web", "a/b\x00"), "identity-secret-not-found"),
        (lambda: reader.create_identity_secret("web"), "not-allowed"),
        (lambda: reader.delete_identity_secret("web", "a"), "not-allowed"),
    ):
        with pytest.raises(ProblemError) as raised:
            ask()
        assert raised.value.name == name
    reader.close()
    assert tagloom.get_event_source("web") == created
