"""Teammates of organizations: memberships, invitations and the audit log.

Every write takes the audit entries that tell of it. Both are stored, or neither. Secrets cross as SHA-256 only.
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
    Space,
    Teammate,
)


class MembershipStore(Protocol):
    """Which accounts belong to which organizations, with which permissions."""

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


class InvitationStore(Protocol):
    """Invitations, stored by the SHA-256 of their secret."""

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


class AuditLog(Protocol):
    """What teammates did to their organization."""

    def list_audit_log(
        self, organization: str, *, space: str | None = None, before: int | None = None, limit: int
    ) -> tuple[AuditEntry, ...]:
        """The newest first: those of a space when one is named, and below the id `before`."""
