"""Checks whether the sender of a message may speak for its user.

A public write key can send events of every user. So the server of an app gives its pages a proof for the user who is
signed in, and they send it in `context.identity` of each message:

- `hmac`: the HMAC-SHA256 of the user id by the `hmac_secret` of the source, as hexadecimal digits.
- `token`: a JSON Web Token whose `sub` is the user id. It is signed with HS256 by the `token_secret` of the source, or
  with ES256, and checked by a public key of the source.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias, assert_never

import msgspec

from tagloom.base.problems import BodyInvalid
from tagloom.base.text import printable
from tagloom.tracking import limits
from tagloom.words.event_sources import IdentityKeys

Outcome: TypeAlias = Literal["valid", "missing", "invalid"]
Algorithm: TypeAlias = Literal["HS256", "ES256"]

_HMAC = re.compile(r"[0-9A-Fa-f]{64}")
_ES256_CURVE: Final = "P-256"
_CHARACTERS_SHOWN_MAX = 40
_KEYS_PARSED_MAX = 1_000


class Proof(msgspec.Struct, frozen=True):
    """The proof of a message, as it was sent."""

    hmac: Any = None
    token: Any = None


class Unproven(NamedTuple):
    """Why a user id is not proven: a sentence for teammates, without the proof."""

    outcome: Literal["missing", "invalid"]
    detail: str


class _Header(msgspec.Struct):
    alg: str


class _Claims(msgspec.Struct, frozen=True):
    """The claims of a token that are checked. Times are in Unix seconds."""

    sub: str
    exp: float
    nbf: float | None = None


class _TokenInvalid(Exception):
    """A token that proves nothing, with the reason."""


class IdentityProofs:
    """Checks proofs. Tokens that were valid are cached, so that their signatures are not computed again.

    `now` returns Unix seconds. Cost: 3 us for an HMAC; 20 us for a new token with HS256, 100 us with ES256, 1 us for a
    known one.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._verified: dict[tuple[bytes, IdentityKeys], _Claims] = {}

    def find_fault(self, user: str, proof: Proof | None, keys: IdentityKeys) -> Unproven | None:
        """Returns why a proof does not prove a user id, or None if it does. One of its two forms is enough."""
        if proof is None or (proof.hmac is None and proof.token is None):
            return Unproven("missing", "It has no proof in 'context.identity'.")
        fault = ""
        if proof.hmac is not None:
            fault = _fault_of_hmac(user, proof.hmac, keys.hmac_secrets)
            if not fault:
                return None
        if proof.token is not None:
            try:
                self._check_token(user, proof.token, keys)
            except _TokenInvalid as invalid:
                fault = f"Its token {invalid}."
            else:
                return None
        return Unproven("invalid", fault)

    def _check_token(self, user: str, token: Any, keys: IdentityKeys) -> None:
        """Raises: _TokenInvalid."""
        if not isinstance(token, str) or not token.isascii():
            raise _TokenInvalid("is not a JSON Web Token")
        if len(token) > limits.IDENTITY_TOKEN_CHARACTERS_MAX:
            most = limits.IDENTITY_TOKEN_CHARACTERS_MAX
            raise _TokenInvalid(f"has {len(token):,} characters; at most {most:,} are allowed")
        known = hashlib.sha256(token.encode("ascii")).digest(), keys
        claims = self._verified.get(known)
        if claims is None:
            claims = _verified_claims(token, keys)
            # Only tokens with a valid signature are cached, so that nobody else can fill the cache.
            if len(self._verified) >= limits.IDENTITY_TOKENS_CACHED_MAX:
                self._verified.clear()
            self._verified[known] = claims
        self._check_claims(user, claims)

    def _check_claims(self, user: str, claims: _Claims) -> None:
        """Raises: _TokenInvalid."""
        now, leeway = self._now(), limits.IDENTITY_TOKEN_CLOCK_SECONDS
        if claims.exp <= now - leeway:
            raise _TokenInvalid("has expired")
        if not claims.exp <= now + leeway + 3_600 * limits.IDENTITY_TOKEN_HOURS_MAX:
            raise _TokenInvalid(f"expires in more than {limits.IDENTITY_TOKEN_HOURS_MAX} hours")
        if claims.nbf is not None and not claims.nbf <= now + leeway:
            raise _TokenInvalid("is not valid yet (nbf)")
        if claims.sub != user:
            raise _TokenInvalid("is of another user: its 'sub' is not the user id")


def _fault_of_hmac(user: str, given: Any, secrets: tuple[str, ...]) -> str:
    """Returns why an HMAC does not prove a user id, or an empty text."""
    if not secrets:
        return "It has an HMAC, but the source has no identity secret."
    if not isinstance(given, str) or not _HMAC.fullmatch(given):
        return "Its HMAC is not 64 hexadecimal digits."
    found = bytes.fromhex(given)
    # All are compared, so that the time does not tell which secret was used.
    matches = [hmac.compare_digest(hmac.digest(each.encode(), user.encode(), "sha256"), found) for each in secrets]
    return "" if any(matches) else "Its HMAC is not that of the user id by an identity secret of the source."


def _verified_claims(token: str, keys: IdentityKeys) -> _Claims:
    """Returns the claims of a token after checking its signature. Raises: _TokenInvalid.

    The algorithm selects the kind of key, so a public key is never taken for a secret.
    """
    # The import takes a tenth of the start of a command, and most installations have no tokens.
    from joserfc.errors import JoseError
    from joserfc.jws import JWSRegistry, deserialize_compact

    algorithm = _algorithm_of(token)
    found = False
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    for key in _keys_of(algorithm, keys):
        found = True
        try:
            payload = deserialize_compact(token, key, registry=registry).payload
        except (JoseError, ValueError, RecursionError):
            continue
        return _claims_of(payload)
    what = "a token secret" if algorithm == "HS256" else "a public key"
    if not found:
        raise _TokenInvalid(f"has the algorithm {algorithm}, but the source has no {what.removeprefix('a ')}")
    raise _TokenInvalid(f"is not signed by {what} of the source")


def _algorithm_of(token: str) -> Algorithm:
    """Returns the algorithm that the header of a token names. Raises: _TokenInvalid."""
    if token.count(".") != 2:
        raise _TokenInvalid("is not a JSON Web Token")
    encoded = token.partition(".")[0]
    try:
        header = msgspec.json.decode(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, RecursionError) as error:
        raise _TokenInvalid("is not a JSON Web Token") from error
    match header.alg:
        case "HS256" | "ES256":
            return header.alg
    shown = printable(header.alg[:_CHARACTERS_SHOWN_MAX])
    raise _TokenInvalid(f"has the algorithm '{shown}'; HS256 and ES256 are allowed")


def _claims_of(payload: bytes) -> _Claims:
    """Raises: _TokenInvalid."""
    try:
        return msgspec.json.decode(payload, type=_Claims)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _TokenInvalid("lacks 'sub' as a text, or 'exp' as a number") from error


def _keys_of(algorithm: Algorithm, keys: IdentityKeys) -> Iterator[Any]:
    """Yields the keys that can check a signature of an algorithm."""
    match algorithm:
        case "HS256":
            texts = keys.token_secrets
        case "ES256":
            texts = keys.public_keys
        case _:
            assert_never(algorithm)
    for text in texts:
        yield _parsed_key(algorithm, text)


@lru_cache(maxsize=_KEYS_PARSED_MAX)
def _parsed_key(algorithm: Algorithm, text: str) -> Any:
    """Returns a key in the form of the library. Raises: ValueError, JoseError: a public key cannot be read."""
    from joserfc.jwk import ECKey, OctKey

    return OctKey.import_key(text) if algorithm == "HS256" else ECKey.import_key(text)


def parse_public_key(text: str) -> str:
    """Returns a public key for ES256 in its usual form. Raises: BodyInvalid, which does not repeat the text."""
    from joserfc.errors import JoseError

    field = "$.identity_public_keys"
    if "PRIVATE KEY" in text:
        raise BodyInvalid(
            "This is a private key. Enter its public key. If others could read the private key, replace the pair.",
            field=field,
        )
    expected = "It begins with -----BEGIN PUBLIC KEY-----, and is a key on the curve P-256."
    if len(text) > limits.IDENTITY_PUBLIC_KEY_CHARACTERS_MAX or "BEGIN PUBLIC KEY" not in text:
        raise BodyInvalid(f"This is not a public key in PEM. {expected}", field=field)
    try:
        key = _parsed_key("ES256", text.strip())
        if key.curve_name != _ES256_CURVE:
            raise BodyInvalid(f"The public key is not for ES256. {expected}", field=field)
        return str(key.as_pem(private=False).decode("ascii")).strip()
    except (JoseError, ValueError) as error:
        raise BodyInvalid(f"The public key cannot be read. {expected}", field=field) from error
