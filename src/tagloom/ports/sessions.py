"""The port of the sessions of browsers that are signed in."""

from collections.abc import Sequence
from typing import Protocol

from tagloom.words.accounts import AuditEntry, Session


class SessionStore(Protocol):
    """The store of sessions. Each session is stored with the SHA-256 of its secret."""

    def add_session(
        self, session: Session, secret_hash: bytes, *, replaces: bytes | None = None, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Adds a session, and deletes the session with the secret `replaces`.

        Also deletes expired sessions, and the oldest sessions of the account beyond SESSIONS_PER_ACCOUNT_MAX.
        """

    def find_session(self, secret_hash: bytes) -> Session | None:
        """Returns the session with this secret, expired or not, or None."""

    def list_sessions(self, account: str) -> tuple[Session, ...]:
        """Returns the sessions of an account, expired or not. The session that was seen last comes first."""

    def touch_session(self, session: Session, at: str) -> None:
        """Stores the time at which a session was last seen, also for the teammate in the selected organization."""

    def put_session_organization(self, session: str, organization: str) -> None:
        """Stores the organization that is selected in a session."""

    def end_session(self, account: str, session: str) -> None:
        """Deletes a session. Raises: SessionNotFound."""

    def end_sessions(self, account: str, *, keeps: str | None = None) -> None:
        """Deletes all sessions of an account except the session `keeps`."""
