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
        """Adds a session, and deletes the one with the secret `replaces`.

        Deletes expired sessions, and the account's oldest ones beyond SESSIONS_PER_ACCOUNT_MAX.
        """

    def find_session(self, secret_hash: bytes) -> Session | None:
        """Returns the session of this secret, expired or not, or None."""

    def list_sessions(self, account: str) -> tuple[Session, ...]:
        """Returns the sessions, expired or not, the last seen first."""

    def touch_session(self, session: Session, at: str) -> None:
        """Stores when the session, and its teammate in the chosen organization, were last seen."""

    def put_session_organization(self, session: str, organization: str) -> None:
        """Stores the organization chosen in the session."""

    def end_session(self, account: str, session: str) -> None:
        """Deletes a session. Raises: SessionNotFound."""

    def end_sessions(self, account: str, *, keeps: str | None = None) -> None:
        """Deletes the account's sessions, except `keeps`."""
