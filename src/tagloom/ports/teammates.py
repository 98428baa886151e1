"""The ports of the teammates of organizations: memberships, invitations and the audit log.

Each write takes its audit entries. Either the write and the entries are stored, or neither. Secrets are passed only as
their SHA-256.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

from tagloom.words.accounts import Account, AuditEntry, Invitation, Membership, Permission, Teammate
from tagloom.words.tenants import Organization, Space


class MembershipStore(Protocol):
    """The store of memberships: the accounts in each organization, and their permissions."""

    def find_membership(self, organization: str, account: str) -> Membership | None:
        """Returns the membership of an account in an organization, active or not, or None."""

    def list_memberships(self, account: str) -> tuple[Membership, ...]:
        """Returns the memberships of an account, ordered by organization."""

    def list_teammates(self, organization: str) -> tuple[Teammate, ...]:
        """Returns the teammates of an organization, ordered by the id of the account."""

    def put_permissions(
        self,
        organization: str,
        account: str,
        space: str,
        permissions: tuple[Permission, ...],
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """Sets the permissions of a teammate in a space. An empty tuple revokes all permissions.

        Raises: TeammateNotFound; SpaceNotFound: the space belongs to another organization.
        """

    def put_administrator(
        self, organization: str, account: str, is_administrator: bool, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Sets whether a teammate is an administrator.

        Raises: TeammateNotFound; LastAdministrator: the organization would have no active administrator. The check also
        holds if other writes happen at the same time.
        """

    def put_state(
        self, organization: str, account: str, state: Literal["active", "inactive"], audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Activates or deactivates a teammate. Deactivation deletes their sessions in the organization.

        Raises: the errors of `put_administrator`.
        """

    def delete_membership(self, organization: str, account: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Deletes a membership with its permissions, tokens and sessions. Raises: the errors of `put_administrator`."""

    def add_organization(
        self, organization: Organization, space: Space, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Adds an organization with a space and its first member. Raises: SpaceExists: one of the ids is in use."""


class InvitationStore(Protocol):
    """The store of invitations. Each invitation is stored with the SHA-256 of its secret."""

    def put_invitation(self, invitation: Invitation, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores an invitation, and deletes an earlier invitation of the same e-mail.

        Raises: TeammateExists: the teammate is active or inactive; TooManyTeammates.
        """

    def find_invitation(self, secret_hash: bytes) -> Invitation | None:
        """Returns the invitation with this secret, expired or not, or None."""

    def list_invitations(self, organization: str) -> tuple[Invitation, ...]:
        """Returns the invitations of an organization, expired or not, ordered by e-mail."""

    def list_invitations_to(self, email: str) -> tuple[Invitation, ...]:
        """Returns the invitations of all organizations to one e-mail, expired or not, ordered by id."""

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
        """Replaces an invitation by a membership, once. Creates the account if its id is unknown.

        Raises:
            InvitationNotFound: the invitation was used or revoked, or has expired; TeammateExists;
            AccountExists: another account has this e-mail.
        """


class AuditLog(Protocol):
    """The store of the audit log, which has the actions of teammates on their organization."""

    def add_audit_entry(self, entry: AuditEntry) -> None:
        """Adds an entry about a write that is not part of the control plane."""

    def list_audit_log(
        self, organization: str, *, space: str | None = None, before: int | None = None, limit: int
    ) -> tuple[AuditEntry, ...]:
        """Returns the entries of an organization, or of one of its spaces, with ids below `before`, newest first."""
