"""The port of accounts that sign in.

Each write takes its audit entries. Either the write and the entries are stored, or neither. Secrets are passed only as
their SHA-256.
"""

from collections.abc import Sequence
from typing import Protocol

from tagloom.words.accounts import Account, AuditEntry, Membership, Reset
from tagloom.words.tenants import Organization, Space


class AccountStore(Protocol):
    """The store of accounts, of their passwords and identities, and of the set-up of an installation."""

    def has_accounts(self) -> bool:
        """Returns whether the installation is set up."""

    def put_set_up_code(self, code_hash: bytes) -> None:
        """Replaces the set-up code. Raises: SetUpDone: there is an account already."""

    def is_set_up_code(self, code_hash: bytes) -> bool:
        """Returns whether this is the newest set-up code."""

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
        """Adds the first account, and renames the organization and the space.

        If several callers do this at the same time, one of them succeeds.

        Raises: SetUpDone: there is an account already; SetUpCodeWrong.
        """

    def add_account(
        self, account: Account, password_hash: str | None, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Adds an account with its first membership. Raises: AccountExists."""

    def find_account(self, account: str) -> Account | None:
        """Returns the account with this id, or None."""

    def find_account_of(self, email: str) -> Account | None:
        """Returns the account with this e-mail, in any spelling, or None."""

    def find_password_hash(self, account: str) -> str | None:
        """Returns the password hash of an account, or None if the account has no password."""

    def put_account_name(self, account: str, name: str) -> None:
        """Renames an account."""

    def put_password(
        self,
        account: str,
        password_hash: str,
        *,
        keeps: str | None = None,
        secret_hash: bytes | None = None,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        """Sets a password. Deletes the password reset and the sessions of the account.

        The session `keeps` is not deleted, and gets `secret_hash`.
        """

    def replace_password_hash(self, account: str, old: str, new: str) -> None:
        """Replaces the hash of the same password. Does nothing if the password was changed meanwhile."""

    def put_reset(self, account: str, secret_hash: bytes, expires_at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores a password reset. Deletes an earlier reset of the account."""

    def find_reset(self, secret_hash: bytes) -> Reset | None:
        """Returns the password reset with this secret, expired or not, or None."""

    def use_reset(self, secret_hash: bytes, password_hash: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Sets the password of a reset. Deletes the reset, and the sessions of the account.

        Raises: ResetNotFound: there is no such reset, or it has expired.
        """

    def find_identity(self, issuer: str, subject: str) -> str | None:
        """Returns the id of the account with this identity, or None."""

    def add_identity(self, issuer: str, subject: str, account: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Links an identity to an account.

        The first identity of an account deletes the password and the sessions of the account, because it was not
        verified who owns them.

        Raises: IdentityRefused: the identity is linked to another account.
        """
