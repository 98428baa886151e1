"""Teammates of organizations: memberships, invitations and the audit log.

Every write takes its audit entries. Both are stored, or neither. Secrets are passed as SHA-256 only.
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
    """The accounts in each organization, and their permissions."""

    def find_membership(self, organization: str, account: str) -> Membership | None:
        """Returns the membership, active or not, or None."""

    def list_memberships(self, account: str) -> tuple[Membership, ...]:
        """Returns the memberships of an account, by organization."""

    def list_teammates(self, organization: str) -> tuple[Teammate, ...]:
        """Returns the teammates of an organization, by id of the account."""

    def put_permissions(
        self,
        organization: str,
        account: str,
        space: str,
        permissions: tuple[Permission, ...],
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """Sets the permissions in a space; () revokes all.

        Raises: TeammateNotFound; SpaceNotFound: the organization has no such space.
        """

    def put_administrator(
        self, organization: str, account: str, is_administrator: bool, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Makes a teammate an administrator, or not.

        Raises: TeammateNotFound; LastAdministrator: no active one would be left, also after concurrent writes.
        """

    def put_state(
        self, organization: str, account: str, state: Literal["active", "inactive"], audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Activates or deactivates a teammate. Deactivation deletes their sessions in the organization.

        Raises: as put_administrator.
        """

    def delete_membership(self, organization: str, account: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Deletes a membership with its permissions, tokens and sessions. Raises: as put_administrator."""

    def add_organization(
        self, organization: Organization, space: Space, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Adds an organization with a space and its first member. Raises: SpaceExists: one of the ids is in use."""


class InvitationStore(Protocol):
    """Invitations, stored by the SHA-256 of their secret."""

    def put_invitation(self, invitation: Invitation, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores an invitation, and deletes an earlier one to the same e-mail.

        Raises: TeammateExists: also if inactive; TooManyTeammates.
        """

    def find_invitation(self, secret_hash: bytes) -> Invitation | None:
        """Returns the invitation of this secret, expired or not, or None."""

    def list_invitations(self, organization: str) -> tuple[Invitation, ...]:
        """Returns the invitations of an organization, expired or not, by e-mail."""

    def list_invitations_to(self, email: str) -> tuple[Invitation, ...]:
        """Returns the invitations of all organizations to one e-mail, expired or not, by id."""

    def revoke_invitation(self, organization: str, invitation: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Revokes an invitation. Raises: InvitationNotFound."""

    def accept_invitation(
        self,
        invitation: str,
        account: Account,
        password_hash: str | None,
        at: str,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """Turns an invitation into a membership, once. Creates the account if its id is unknown.

        Raises:
            InvitationNotFound: it was used or revoked, or has expired; TeammateExists;
            AccountExists: another account has this e-mail.
        """


class AuditLog(Protocol):
    """The audit log: what teammates did to their organization."""

    def list_audit_log(
        self, organization: str, *, space: str | None = None, before: int | None = None, limit: int
    ) -> tuple[AuditEntry, ...]:
        """Returns the entries with ids below `before`, the newest first, of the organization or of one space."""
