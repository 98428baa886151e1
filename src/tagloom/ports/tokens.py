"""Access tokens."""

from collections.abc import Sequence
from typing import Protocol

from tagloom.words.model import (
    AuditEntry,
    Token,
)


class TokenStore(Protocol):
    """Access tokens, stored by the SHA-256 of their secret."""

    def add_token(self, token: Token, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores a token by the SHA-256 of its secret."""

    def find_token(self, secret_hash: bytes) -> Token | None:
        """Returns the token of this secret, expired or not, or None."""

    def list_tokens(self, organization: str) -> tuple[Token, ...]:
        """Returns the tokens of an organization, by creation."""

    def touch_token(self, token: str, at: str) -> None:
        """Stores when the token was last used."""

    def revoke_token(self, organization: str, token: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Revokes a token. Raises: TokenNotFound."""
