"""Sessions of browsers that are signed in."""

from collections.abc import Sequence
from typing import Protocol

from tagloom.words.model import (
    AuditEntry,
    Session,
)


class SessionStore(Protocol):
    """Sessions, stored by the SHA-256 of their secret."""

    def add_session(
        self, session: Session, secret_hash: bytes, *, replaces: bytes | None = None, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """A session that somebody signed in to; the one with the secret `replaces` ends.

        Expired ones are forgotten, and of the account's the oldest beyond SESSIONS_PER_ACCOUNT_MAX.
        """

    def find_session(self, secret_hash: bytes) -> Session | None:
        """Expired or not."""

    def list_sessions(self, account: str) -> tuple[Session, ...]:
        """Expired or not, the one seen last first."""

    def touch_session(self, session: Session, at: str) -> None:
        """Notes that the session, and the teammate in the organization that it has chosen, were seen."""

    def put_session_organization(self, session: str, organization: str) -> None:
        """Chooses an organization."""

    def end_session(self, account: str, session: str) -> None:
        """Raises: SessionNotFound."""

    def end_sessions(self, account: str, *, keeps: str | None = None) -> None:
        """All of the account's but one."""
