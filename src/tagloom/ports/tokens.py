"""The port of access tokens."""

from collections.abc import Sequence
from typing import Protocol

from tagloom.words.accounts import AuditEntry, Token


class TokenStore(Protocol):
    """The store of access tokens. Each token is stored with the SHA-256 of its secret."""

    def add_token(self, token: Token, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores a token with the SHA-256 of its secret."""

    def find_token(self, secret_hash: bytes) -> Token | None:
        """Returns the token with this secret, expired or not, or None."""

    def list_tokens(self, organization: str) -> tuple[Token, ...]:
        """Returns the tokens of an organization in the order of their creation."""

    def touch_token(self, token: str, at: str) -> None:
        """Stores the time at which a token was last used."""

    def revoke_token(self, organization: str, token: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Revokes a token. Raises: TokenNotFound."""
