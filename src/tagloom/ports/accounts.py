"""Accounts that sign in.

Every write takes its audit entries. Both are stored, or neither. Secrets are passed as SHA-256 only.
"""

from collections.abc import Sequence
from typing import Protocol

from tagloom.words.model import (
    Account,
    AuditEntry,
    Membership,
    Organization,
    Reset,
    Space,
)


class AccountStore(Protocol):
    """Accounts, their passwords and identities, and the set-up of an installation."""

    def has_accounts(self) -> bool:
        """Returns whether the installation is set up."""

    def put_set_up_code(self, code_hash: bytes) -> None:
        """Replaces the set-up code. Raises: SetUpDone: there is an account."""

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
        """Adds the first account, and renames the organization and the space. Of several callers at once, one wins.

        Raises: SetUpDone: there is an account; SetUpCodeWrong.
        """

    def add_account(
        self, account: Account, password_hash: str | None, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Adds an account with its first membership. Raises: AccountExists."""

    def find_account(self, account: str) -> Account | None:
        """Returns the account of this id, or None."""

    def find_account_of(self, email: str) -> Account | None:
        """Returns the account of this e-mail, in any spelling, or None."""

    def find_password_hash(self, account: str) -> str | None:
        """Returns the password hash, or None if the account has no password."""

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
        """Sets a password. Deletes the reset and the sessions, except the session `keeps`, which gets `secret_hash`."""

    def replace_password_hash(self, account: str, old: str, new: str) -> None:
        """Replaces the hash of the same password. Does nothing if the password was changed meanwhile."""

    def put_reset(self, account: str, secret_hash: bytes, expires_at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores a password reset, and deletes an earlier one."""

    def find_reset(self, secret_hash: bytes) -> Reset | None:
        """Returns the password reset of this secret, expired or not, or None."""

    def use_reset(self, secret_hash: bytes, password_hash: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Sets the password, and deletes the reset and the sessions. Raises: ResetNotFound: none, or expired."""

    def find_identity(self, issuer: str, subject: str) -> str | None:
        """Returns the id of the account of this identity, or None."""

    def add_identity(self, issuer: str, subject: str, account: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Links an identity. The first one of an account deletes its password and sessions: their owner is unverified.

        Raises: IdentityRefused: it was linked to another account meanwhile.
        """
