"""Signs teammates in with an OpenID Connect provider of their company (authorization code flow with PKCE).

A ticket in a cookie ensures that a sign-in ends in the browser in which it began.
"""

import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any, TypeAlias
from urllib.parse import quote_plus

import msgspec
from authlib.oauth2 import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key
from joserfc.jws import JWSRegistry

from tagloom.accounts import limits
from tagloom.accounts.identity_provider import IdentityProvider
from tagloom.accounts.problems import ProviderUnavailable
from tagloom.base import limits as base_limits
from tagloom.base.text import printable
from tagloom.egress.http import Answer, Egress, NoAnswer
from tagloom.egress.problems import SourceUnreadable
from tagloom.ports.problems import IdentityRefused
from tagloom.words.source_addresses import AddressRefused

# Only signatures with a key of the provider. `none` is not allowed, nor are the algorithms whose key would be the
# client secret.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
SCOPES = "openid email profile"
LEEWAY_SECONDS = 60
Address: TypeAlias = Annotated[str, msgspec.Meta(pattern="^https?://[^/]")]


class Ticket(msgspec.Struct, frozen=True):
    """The data that a browser keeps during a sign-in at the provider. `next` is the page to open afterwards."""

    state: str
    nonce: str
    verifier: str
    next: str = ""


class Identity(msgspec.Struct, frozen=True):
    """A person as the provider describes them."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str


class _Metadata(msgspec.Struct, frozen=True):
    """The fields of a provider's description that Tagloom reads. It ignores the others."""

    issuer: str
    authorization_endpoint: Address
    token_endpoint: Address
    jwks_uri: Address


class _Keys(msgspec.Struct, frozen=True):
    """The keys with which a provider signs, as JSON (RFC 7517)."""

    keys: list[dict[str, Any]]


class OpenId:
    """Signs in with one provider. Its description and keys are fetched at first use, and after PROVIDER_SECONDS_CACHED.

    Every method may wait for the provider; call them in a thread. All raise ProviderUnavailable.
    """

    def __init__(self, provider: IdentityProvider, now: Callable[[], float], egress: Egress) -> None:
        self._provider = provider
        self._egress = egress
        self._now = now
        self._lock = threading.Lock()
        self._known: tuple[float, _Metadata, KeySet] | None = None

    def begin(self, redirect_uri: str, next: str = "") -> tuple[str, Ticket]:
        """Returns the address of the provider's sign-in page, and the ticket that the browser keeps."""
        metadata, _ = self._description()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        try:
            address = prepare_grant_uri(
                metadata.authorization_endpoint,
                self._provider.client_id,
                "code",
                redirect_uri,
                SCOPES,
                state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        except ValueError as error:
            raise ProviderUnavailable("The identity provider's description has a broken address.") from error
        return address, Ticket(state, nonce, verifier, next)

    def finish(self, ticket: Ticket | None, *, state: str, code: str, redirect_uri: str) -> Identity:
        """Returns the identity of the person who comes back from the provider.

        Raises: IdentityRefused: the ticket is missing or of another sign-in, the provider refuses, or its token is not
        valid.
        """
        if ticket is None or not hmac.compare_digest(ticket.state.encode(), state.encode()):
            raise IdentityRefused("This sign-in was not begun in this browser, or too long ago. Begin again.")
        metadata, keys = self._description()
        form = prepare_token_request(
            "authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=ticket.verifier
        )
        # RFC 6749 section 2.3.1: the id and the secret are form-encoded before they become basic authentication.
        auth = ClientAuth(quote_plus(self._provider.client_id), quote_plus(self._provider.client_secret))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        address, headers, form = auth.prepare("POST", metadata.token_endpoint, headers, form)
        answer = self._fetched("POST", address, headers, form.encode("ascii"))
        if answer.status in (400, 401):
            raise IdentityRefused("The provider refused the sign-in. Begin again.")
        token = _json_of(answer).get("id_token")
        if not isinstance(token, str):
            raise ProviderUnavailable("The identity provider sent no ID token.")
        claims = self._claims(token, keys, ticket.nonce)
        email = claims.get("email")
        return Identity(
            issuer=metadata.issuer,
            subject=str(claims["sub"]),
            email=email if isinstance(email, str) else None,
            # Some providers send the text "true" instead of the boolean.
            email_verified=claims.get("email_verified") in (True, "true"),
            name=printable(str(claims.get("name") or ""))[: base_limits.CHARACTERS_PER_NAME_MAX],
        )

    def _claims(self, token: str, keys: KeySet, nonce: str) -> dict[str, Any]:
        """Returns the claims of a token after checking its signature, issuer, audience, times and nonce.

        Raises: IdentityRefused.
        """
        try:
            try:
                decoded = _decoded(token, keys)
            except (JoseError, ValueError):
                # The provider may have changed its keys since they were fetched.
                decoded = _decoded(token, self._description(is_fresh=True)[1])
            options = {
                "iss": {"essential": True, "value": self._provider.issuer},
                "aud": {"essential": True, "value": self._provider.client_id},
                "nonce": {"essential": True, "value": nonce},
            }
            claims = CodeIDToken(
                decoded.claims, decoded.header, options, {"nonce": nonce, "client_id": self._provider.client_id}
            )
            claims.validate(now=int(self._now()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError) as error:
            raise IdentityRefused(
                f"What the provider says about you does not hold: {printable(str(error))}."
            ) from error
        return dict(claims)

    def _description(self, *, is_fresh: bool = False) -> tuple[_Metadata, KeySet]:
        with self._lock:
            known = self._known
        if known is not None and not is_fresh and self._now() - known[0] < limits.PROVIDER_SECONDS_CACHED:
            return known[1], known[2]
        issuer = self._provider.issuer
        try:
            document = _json_of(self._fetched("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration"))
            metadata = msgspec.convert(document, _Metadata)
            if metadata.issuer != issuer:
                raise ProviderUnavailable("The identity provider calls itself by another issuer.")
            keys = _key_set(msgspec.convert(_json_of(self._fetched("GET", metadata.jwks_uri)), _Keys))
        except msgspec.ValidationError as error:
            raise ProviderUnavailable("The identity provider's description lacks an address or keys.") from error
        with self._lock:
            self._known = (self._now(), metadata, keys)
        return metadata, keys

    def _fetched(
        self, method: str, address: str, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Answer:
        """Returns an answer of the provider, of bounded size and time. Makes one call at a time, and caches a failure.

        Raises: ProviderUnavailable.
        """
        try:
            return self._egress.call(
                method, address, headers={"Accept": "application/json", **(headers or {})}, content=content
            )
        except (NoAnswer, AddressRefused, SourceUnreadable) as error:
            raise ProviderUnavailable("The identity provider does not answer.") from error


def _key_set(found: _Keys) -> KeySet:
    """Returns the keys that can be imported. RFC 7517 section 5: the others are ignored."""
    keys = list[Key]()
    for each in found.keys:
        with suppress(JoseError, ValueError, KeyError):
            keys.append(import_key(each))
    return KeySet(keys)


def _decoded(token: str, keys: KeySet) -> jwt.Token:
    registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    return jwt.decode(token, key=keys, registry=registry)


def _json_of(answer: Answer) -> dict[str, Any]:
    if answer.status != 200:
        raise ProviderUnavailable(f"The identity provider answered {answer.status}.")
    try:
        return msgspec.json.decode(answer.body, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProviderUnavailable("The identity provider's answer is no JSON object.") from error
