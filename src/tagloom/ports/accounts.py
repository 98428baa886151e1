"""What the use cases need from a store about those who sign in. `Control` is this too, so that one transaction holds.

Every write takes the events that tell of it; both are stored, or neither. Secrets cross only as SHA-256.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from tagloom.words.model import (
    Account,
    AuditEntry,
    Invitation,
    Membership,
    Organization,
    Permission,
    Reset,
    Session,
    Space,
    Teammate,
)


class Roster(Protocol):
    """Accounts, their memberships and sessions, and what was done to the organizations."""

    # The first run.

    def has_accounts(self) -> bool:
        """Whether the installation was set up."""

    def put_set_up_code(self, code_hash: bytes) -> None:
        """Replaces the code. Raises: SetUpDone, when there is an account."""

    def is_set_up_code(self, code_hash: bytes) -> bool:
        """Whether it is the newest."""

    def set_up(
        self,
        code_hash: bytes,
        account: Account,
        password_hash: str,
        membership: Membership,
        *,
        organization: Organization,
        space: Space,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """The first account, and new names for an organization and a space that are there. Of many at once one wins.

        Raises: SetUpDone, when there is an account; SetUpCodeWrong.
        """

    # Accounts. Two spellings of one e-mail are the same account's.

    def add_account(
        self, account: Account, password_hash: str | None, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """An account with its first membership. Raises: AccountExists."""

    def find_account(self, account: str) -> Account | None:
        """By its id."""

    def find_account_of(self, email: str) -> Account | None:
        """By its e-mail, however it is spelt."""

    def find_password_hash(self, account: str) -> str | None:
        """None when the account has no password."""

    def put_account_name(self, account: str, name: str) -> None:
        """Renames the account."""

    def put_password(
        self,
        account: str,
        password_hash: str,
        *,
        keeps: str | None = None,
        secret_hash: bytes | None = None,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """Sets a password and ends the account's sessions and reset; the session `keeps` gets `secret_hash` instead."""

    def replace_password_hash(self, account: str, old: str, new: str) -> None:
        """The same password hashed anew; does nothing when the password was changed meanwhile."""

    def put_reset(self, account: str, secret_hash: bytes, expires_at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """A link to a new password, in place of an earlier one."""

    def find_reset(self, secret_hash: bytes) -> Reset | None:
        """Expired or not."""

    def use_reset(self, secret_hash: bytes, password_hash: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Sets the password, and ends the reset and the account's sessions. Raises: ResetNotFound: none, or expired."""

    def find_identity(self, issuer: str, subject: str) -> str | None:
        """The account's id."""

    def add_identity(self, issuer: str, subject: str, account: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Links an identity. The account's first one ends its password and sessions: their owner was never verified.

        Raises: IdentityRefused, when it was linked to another account meanwhile.
        """

    # Memberships.

    def find_membership(self, organization: str, account: str) -> Membership | None:
        """Active or not."""

    def list_memberships(self, account: str) -> tuple[Membership, ...]:
        """Those of one account, by organization."""

    def list_teammates(self, organization: str) -> tuple[Teammate, ...]:
        """Those of one organization, by id of the account."""

    def put_permissions(
        self,
        organization: str,
        account: str,
        space: str,
        permissions: tuple[Permission, ...],
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """Exactly these; () takes the space away. Raises: TeammateNotFound; SpaceNotFound: not the organization's."""

    def put_administrator(
        self, organization: str, account: str, is_administrator: bool, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Raises: TeammateNotFound; LastAdministrator: no active one would be left, whoever else writes meanwhile."""

    def put_state(
        self, organization: str, account: str, state: Literal["active", "inactive"], audit: Sequence[AuditEntry] = ()
    ) -> None:
        """An inactive one's sessions that have chosen the organization end. Raises: as put_administrator."""

    def delete_membership(self, organization: str, account: str, audit: Sequence[AuditEntry] = ()) -> None:
        """With its permissions, tokens, and the sessions that have chosen it. Raises: as put_administrator."""

    def add_organization(
        self, organization: Organization, space: Space, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """An organization with a space and its first member. Raises: SpaceExists: either id is taken."""

    # Invitations. An organization has one for an e-mail.

    def put_invitation(self, invitation: Invitation, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        """In place of an earlier one to the same e-mail. Raises: TeammateExists, active or not; TooManyTeammates."""

    def find_invitation(self, secret_hash: bytes) -> Invitation | None:
        """Expired or not."""

    def list_invitations(self, organization: str) -> tuple[Invitation, ...]:
        """Expired or not, by e-mail."""

    def list_invitations_to(self, email: str) -> tuple[Invitation, ...]:
        """Those of all organizations to one e-mail, expired or not, by id."""

    def revoke_invitation(self, organization: str, invitation: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Raises: InvitationNotFound."""

    def accept_invitation(
        self,
        invitation: str,
        account: Account,
        password_hash: str | None,
        at: str,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """Turns an invitation into a membership, once. The account is made when its id is not known yet.

        Raises:
            InvitationNotFound: it is gone or has expired; TeammateExists;
            AccountExists: another account has the new one's e-mail.
        """

    # Sessions.

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

    # Events.

    def list_audit_log(
        self, organization: str, *, space: str | None = None, before: int | None = None, limit: int
    ) -> tuple[AuditEntry, ...]:
        """The newest first: those of a space when one is named, and below the id `before`."""
