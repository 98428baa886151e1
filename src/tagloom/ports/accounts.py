"""Accounts of those who sign in.

Every write takes the audit entries that tell of it. Both are stored, or neither. Secrets cross as SHA-256 only.
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
