"""Proofs of user ids: which of them hold, and why the others do not."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tagloom.base.problems import BodyInvalid
from tagloom.tracking import limits
from tagloom.tracking.identity_proof import IdentityProofs, Proof, parse_public_key
from tagloom.words.event_sources import IdentityKeys

NOW = 1_772_355_600
HOUR = 3_600
HMAC_SECRET, TOKEN_SECRET, OTHER_SECRET = (f"t{kind}_{'0123456789' * 4}xyz" for kind in "ito")
PAIR, OTHER_PAIR = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
PUBLIC = parse_public_key(PAIR.as_pem(private=False).decode())
KEYS = IdentityKeys(hmac_secrets=(HMAC_SECRET,), token_secrets=(TOKEN_SECRET,), public_keys=(PUBLIC,))
NONE = IdentityKeys()


def hmac_of(user: str, secret: str = HMAC_SECRET) -> str:
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()


def handmade(header: object, claims: object, signature: bytes = b"") -> str:
    """A token of any content."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts)


def token(claims: dict[str, Any] | None = None, secret: str = TOKEN_SECRET, **header: Any) -> str:
    """A token of u1 for an hour, signed with HS256."""
    signed = handmade({"alg": "HS256", **header}, {"sub": "u1", "exp": NOW + HOUR} | (claims or {})).rstrip(".")
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def es256(pair: ECKey = PAIR, **claims: Any) -> str:
    return jwt.encode({"alg": "ES256"}, {"sub": "u1", "exp": NOW + HOUR} | claims, pair)


def fault(proof: Proof | None, user: str = "u1", keys: IdentityKeys = KEYS, now: float = NOW) -> str:
    """Why a proof does not hold; empty if it does."""
    found = IdentityProofs(lambda: now).find_fault(user, proof, keys)
    return "" if found is None else f"{found.outcome}: {found.detail}"


@pytest.mark.parametrize(
    "proof",
    [
        Proof(hmac=hmac_of("u1")),
        Proof(hmac=hmac_of("u1").upper()),
        Proof(token=token()),
        Proof(token=token(kid="2026-03", typ="JWT")),
        Proof(token=token({"aud": "app", "iat": NOW, "nbf": NOW + 30})),
        Proof(token=token({"exp": NOW + 24.0 * HOUR})),
        Proof(token=token({"exp": NOW - 30})),
        Proof(token=es256()),
        # One form that holds is enough: an app can change from one to the other.
        Proof(hmac=hmac_of("u2"), token=es256()),
        Proof(hmac=hmac_of("u1"), token="expired"),
    ],
)
def test_a_proof_of_the_user_holds(proof: Proof) -> None:
    assert fault(proof) == ""


def test_the_id_is_signed_as_it_is_written() -> None:
    assert fault(Proof(hmac=hmac_of("Zoë/1 ")), "Zoë/1 ") == ""
    assert fault(Proof(hmac=hmac_of("42")), "42") == ""
    assert "not that of the user id" in fault(Proof(hmac=hmac_of("Zoë/1")), "Zoë/1 ")


@pytest.mark.parametrize(
    ("proof", "says"),
    [
        (None, "missing: It has no proof in 'context.identity'."),
        (Proof(), "missing"),
        (Proof(hmac=hmac_of("u2")), "invalid: Its HMAC is not that of the user id"),
        (Proof(hmac=hmac_of("u1", OTHER_SECRET)), "not that of the user id"),
        (Proof(hmac=hmac_of("u1", TOKEN_SECRET)), "not that of the user id"),
        (Proof(hmac=hmac_of("u1")[:-1]), "not 64 hexadecimal digits"),
        (Proof(hmac="é" * 64), "not 64 hexadecimal digits"),
        (Proof(hmac=[hmac_of("u1")]), "not 64 hexadecimal digits"),
        (Proof(token=token({"sub": "u2"})), "is of another user"),
        (Proof(token=token({"sub": ""})), "is of another user"),
        (Proof(token=token({"sub": 1})), "lacks 'sub'"),
        (Proof(token=token({"exp": None})), "lacks 'sub' as a text, or 'exp' as a number"),
        (Proof(token=token({"exp": str(NOW + HOUR)})), "lacks 'sub'"),
        (Proof(token=token({"exp": NOW - 61})), "has expired"),
        (Proof(token=token({"exp": NOW + 25 * HOUR})), "expires in more than 24 hours"),
        (Proof(token=token({"nbf": NOW + 61})), "is not valid yet"),
        (Proof(token=token(secret=OTHER_SECRET)), "is not signed by a token secret"),
        # The HMAC of a user who calls himself like a token would be the signature of that token.
        (Proof(token=token(secret=HMAC_SECRET)), "is not signed by a token secret"),
        (Proof(token=token()[:-4] + "AAAA"), "is not signed by a token secret"),
        (Proof(token=es256(OTHER_PAIR)), "is not signed by a public key"),
        (Proof(token=es256(sub="u2")), "is of another user"),
        # Who knows the public key must not be able to sign with it.
        (Proof(token=token(secret=PUBLIC)), "is not signed by a token secret"),
        (Proof(token=handmade({"alg": "none"}, {"sub": "u1", "exp": NOW + HOUR})), "the algorithm 'none'"),
        (Proof(token=handmade({"alg": "None"}, {"sub": "u1", "exp": NOW + HOUR})), "the algorithm 'None'"),
        (Proof(token=handmade({"alg": "HS512" * 99}, {})), "HS256 and ES256 are allowed"),
        (Proof(token=handmade({"alg": ["HS256"]}, {})), "is not a JSON Web Token"),
        (Proof(token=handmade({"alg": "HS256", "crit": ["b64"], "b64": False}, {})), "is not signed"),
        (Proof(token=handmade(["HS256"], {})), "is not a JSON Web Token"),
        (Proof(token=handmade({"alg": "ES256"}, {"sub": "u1", "exp": NOW + HOUR}, b"\x00" * 64)), "is not signed"),
        (Proof(token="a.b"), "is not a JSON Web Token"),
        (Proof(token="...."), "is not a JSON Web Token"),
        (Proof(token="é.é.é"), "is not a JSON Web Token"),
        (Proof(token={"alg": "HS256"}), "is not a JSON Web Token"),
        (Proof(token="a" * 5_000), "has 5,000 characters; at most 4,096 are allowed"),
        (Proof(token=handmade({"alg": "HS256", "deep": json.loads("[" * 900 + "]" * 900)}, {})), "is not signed"),
    ],
)
def test_everything_else_proves_nothing_and_says_why(proof: Proof | None, says: str) -> None:
    assert says in fault(proof)


def test_no_key_of_another_kind_checks_a_signature() -> None:
    rsa = RSAKey.generate_key(2_048)
    rs256 = jwt.encode({"alg": "RS256"}, {"sub": "u1", "exp": NOW + HOUR}, rsa)

    assert "the algorithm 'RS256'" in fault(Proof(token=rs256))
    assert "the source has no token secret" in fault(Proof(token=token()), keys=IdentityKeys(public_keys=(PUBLIC,)))
    assert "the source has no public key" in fault(
        Proof(token=es256()), keys=IdentityKeys(token_secrets=(TOKEN_SECRET,))
    )
    assert "the source has no identity secret" in fault(Proof(hmac=hmac_of("u1")), keys=NONE)


def test_two_secrets_hold_while_one_replaces_the_other() -> None:
    both = IdentityKeys(
        hmac_secrets=(OTHER_SECRET, HMAC_SECRET), token_secrets=(OTHER_SECRET, TOKEN_SECRET), public_keys=(PUBLIC,)
    )
    new = IdentityKeys(hmac_secrets=(OTHER_SECRET,), token_secrets=(OTHER_SECRET,))
    proofs = IdentityProofs(lambda: NOW)

    for secrets in ((HMAC_SECRET, TOKEN_SECRET), (OTHER_SECRET, OTHER_SECRET)):
        assert proofs.find_fault("u1", Proof(hmac=hmac_of("u1", secrets[0])), both) is None
        assert proofs.find_fault("u1", Proof(token=token(secret=secrets[1])), both) is None
    # A cached token is not valid any more when its secret was deleted.
    assert proofs.find_fault("u1", Proof(token=token()), new) is not None
    assert proofs.find_fault("u1", Proof(token=es256()), new) is not None


def test_a_token_that_is_cached_expires_and_stays_that_of_its_user() -> None:
    clock = [float(NOW)]
    proofs, sent = IdentityProofs(lambda: clock[0]), Proof(token=token())
    assert [proofs.find_fault("u1", sent, KEYS) for _ in range(3)] == [None] * 3

    assert proofs.find_fault("u2", sent, KEYS) is not None
    clock[0] += HOUR + 61
    assert proofs.find_fault("u1", sent, KEYS) is not None


def test_the_cache_is_bounded_and_takes_no_invalid_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDENTITY_TOKENS_CACHED_MAX", 3)
    proofs = IdentityProofs(lambda: NOW)

    for number in range(10):
        proofs.find_fault("u1", Proof(token=token(secret=OTHER_SECRET, kid=str(number))), KEYS)
        assert not proofs._verified
    for number in range(10):
        assert proofs.find_fault("u1", Proof(token=token({"iat": number})), KEYS) is None
        assert 0 < len(proofs._verified) <= 3


def pem_of(make: Callable[[], Any], **options: Any) -> str:
    return str(make().as_pem(**options).decode())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a public key in PEM"),
        ("https://example.com/key", "not a public key in PEM"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "cannot be read"),
        (PUBLIC + "x" * 1_000, "not a public key in PEM"),
        (pem_of(lambda: PAIR, private=True), "This is a private key."),
        (pem_of(lambda: ECKey.generate_key("P-384"), private=False), "not for ES256"),
        (pem_of(lambda: RSAKey.generate_key(2_048), private=False), "cannot be read"),
    ],
)
def test_only_a_public_key_for_es256_is_taken_and_no_other_text_is_repeated(text: str, says: str) -> None:
    with pytest.raises(BodyInvalid, match=says) as raised:
        parse_public_key(text)

    assert raised.value.members["field"] == "$.identity_public_keys"
    assert len(text) < 30 or text.split("\n")[1][:20] not in f"{raised.value.detail} {raised.value.members}"


def test_a_public_key_is_stored_in_one_form() -> None:
    assert parse_public_key(f"\r\n{PUBLIC}\r\n\r\n".replace("\n", "\r\n")) == PUBLIC


def test_the_keys_are_not_printed() -> None:
    assert "tt_" not in repr(KEYS)
    assert "ti_" not in repr(KEYS)
