"""The roster of the oracle: plain dicts under one lock. A write checks everything before it changes anything."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from tagloom.ports import limits
from tagloom.ports.problems import (
    AccountExists,
    IdentityRefused,
    InvitationNotFound,
    LastAdministrator,
    ResetNotFound,
    SessionNotFound,
    SetUpCodeWrong,
    SetUpDone,
    SpaceExists,
    SpaceNotFound,
    TeammateExists,
    TeammateNotFound,
    TooManyTeammates,
)
from tagloom.words.accounts import (
    Account,
    AuditEntry,
    Invitation,
    Membership,
    Permission,
    Reset,
    Session,
    Teammate,
    Token,
)
from tagloom.words.emails import email_key
from tagloom.words.tenants import Environment, Organization, Space


class MemoryRoster(ABC):
    """The roster in memory, without any storage on the disk.

    Implements `AccountStore`, `SessionStore`, `MembershipStore`, `InvitationStore` and `AuditLog`.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._organizations: dict[str, Organization] = {}
        self._spaces: dict[str, Space] = {}
        self._tokens: dict[bytes, Token] = {}
        self._accounts: dict[str, Account] = {}
        self._passwords: dict[str, str] = {}
        self._memberships: dict[tuple[str, str], Membership] = {}
        self._invitations: dict[bytes, Invitation] = {}
        self._sessions: dict[bytes, Session] = {}
        self._resets: dict[bytes, Reset] = {}
        self._identities: dict[tuple[str, str], str] = {}
        self._audit: list[AuditEntry] = []
        self._set_up_code: bytes | None = None

    def _tell(self, audit: Sequence[AuditEntry]) -> None:
        for entry in audit:
            self._audit.append(replace(entry, id=len(self._audit) + 1))

    @abstractmethod
    def _create_space(self, space: Space) -> None:
        """Creates a space."""

    @abstractmethod
    def _environment(self, key: int) -> Environment:
        """Returns the environment with this key."""

    # The first run.

    def has_accounts(self) -> bool:
        with self._lock:
            return bool(self._accounts)

    def put_set_up_code(self, code_hash: bytes) -> None:
        with self._lock:
            self._check_not_set_up()
            self._set_up_code = code_hash

    def is_set_up_code(self, code_hash: bytes) -> bool:
        with self._lock:
            return code_hash == self._set_up_code

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
        with self._lock:
            self._check_not_set_up()
            if code_hash != self._set_up_code:
                raise SetUpCodeWrong("This is not the newest code.")
            self._organizations[organization.id] = organization
            self._spaces[space.id] = space
            self.add_account(account, password_hash, membership, audit)

    def _check_not_set_up(self) -> None:
        if self._accounts:
            raise SetUpDone("There is an account already.")

    # Accounts.

    def add_account(
        self, account: Account, password_hash: str | None, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            self._create_account(account, password_hash)
            self._memberships[membership.organization, membership.account] = _bare(membership)
            self._tell(audit)

    def _create_account(self, account: Account, password_hash: str | None) -> None:
        if self.find_account_of(account.email) is not None:
            raise AccountExists("There is an account of this e-mail already.", value=account.email)
        self._set_up_code = None
        self._accounts[account.id] = account
        if password_hash is not None:
            self._passwords[account.id] = password_hash

    def find_account(self, account: str) -> Account | None:
        with self._lock:
            found = self._accounts.get(account)
            return None if found is None else replace(found, has_password=account in self._passwords)

    def find_account_of(self, email: str) -> Account | None:
        with self._lock:
            for account in self._accounts.values():
                if email_key(account.email) == email_key(email):
                    return self.find_account(account.id)
            return None

    def find_password_hash(self, account: str) -> str | None:
        with self._lock:
            return self._passwords.get(account)

    def put_account_name(self, account: str, name: str) -> None:
        with self._lock:
            self._accounts[account] = replace(self._accounts[account], name=name)

    def put_password(
        self,
        account: str,
        password_hash: str,
        *,
        keeps: str | None = None,
        secret_hash: bytes | None = None,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        with self._lock:
            self._set_password(account, password_hash, keeps=keeps)
            for known, session in list(self._sessions.items()):
                if session.id == keeps and session.account == account and secret_hash is not None:
                    self._sessions[secret_hash] = self._sessions.pop(known)
            self._tell(audit)

    def _set_password(self, account: str, password_hash: str | None, *, keeps: str | None = None) -> None:
        self._passwords.pop(account, None)
        if password_hash is not None:
            self._passwords[account] = password_hash
        self._resets = {known: reset for known, reset in self._resets.items() if reset.account != account}
        self.end_sessions(account, keeps=keeps)

    def replace_password_hash(self, account: str, old: str, new: str) -> None:
        with self._lock:
            if self._passwords.get(account) == old:
                self._passwords[account] = new

    def put_reset(self, account: str, secret_hash: bytes, expires_at: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._resets = {known: reset for known, reset in self._resets.items() if reset.account != account}
            self._resets[secret_hash] = Reset(account, expires_at)
            self._tell(audit)

    def find_reset(self, secret_hash: bytes) -> Reset | None:
        with self._lock:
            return self._resets.get(secret_hash)

    def use_reset(self, secret_hash: bytes, password_hash: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            reset = self._resets.get(secret_hash)
            if reset is None or reset.expires_at <= at:
                raise ResetNotFound("There is no such link.")
            self._set_password(reset.account, password_hash)
            self._tell(audit)

    def find_identity(self, issuer: str, subject: str) -> str | None:
        with self._lock:
            return self._identities.get((issuer, subject))

    def add_identity(self, issuer: str, subject: str, account: str, at: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            known = self._identities.get((issuer, subject))
            if known == account:
                return
            if known is not None:
                raise IdentityRefused("This identity belongs to another account.")
            if account not in self._identities.values():
                self._set_password(account, None)
            self._identities[issuer, subject] = account
            self._tell(audit)

    # Memberships.

    def find_membership(self, organization: str, account: str) -> Membership | None:
        with self._lock:
            return self._memberships.get((organization, account))

    def list_memberships(self, account: str) -> tuple[Membership, ...]:
        with self._lock:
            found = [each for each in self._memberships.values() if each.account == account]
            return tuple(sorted(found, key=lambda each: each.organization))

    def list_teammates(self, organization: str) -> tuple[Teammate, ...]:
        with self._lock:
            found = [each for each in self._memberships.values() if each.organization == organization]
            accounts = {each.account: self.find_account(each.account) for each in found}
            return tuple(
                Teammate(account, each)
                for each in sorted(found, key=lambda each: each.account)
                if (account := accounts[each.account]) is not None
            )

    def _membership(self, organization: str, account: str) -> Membership:
        found = self._memberships.get((organization, account))
        if found is None:
            raise TeammateNotFound("There is no such teammate.", value=account)
        return found

    def _put_membership(self, before: Membership, after: Membership | None, audit: Sequence[AuditEntry]) -> None:
        left = [each for each in self._memberships.values() if each is not before]
        was = before.is_administrator and before.state == "active"
        if was and not any(
            each.is_administrator and each.state == "active" and each.organization == before.organization
            for each in (*left, *([] if after is None else [after]))
        ):
            raise LastAdministrator("This is the last active administrator.")
        del self._memberships[before.organization, before.account]
        if after is not None:
            self._memberships[after.organization, after.account] = _bare(after)
        if after is None or after.state == "inactive":
            self._sessions = {
                known: session
                for known, session in self._sessions.items()
                if (session.organization, session.account) != (before.organization, before.account)
            }
        self._tell(audit)

    def put_permissions(
        self,
        organization: str,
        account: str,
        space: str,
        permissions: tuple[Permission, ...],
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        with self._lock:
            before = self._membership(organization, account)
            known = self._spaces.get(space)
            if known is None or known.organization != organization:
                raise SpaceNotFound(f"There is no space '{space}'.", value=space)
            self._put_membership(before, replace(before, permissions=before.permissions | {space: permissions}), audit)

    def put_administrator(
        self, organization: str, account: str, is_administrator: bool, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            before = self._membership(organization, account)
            self._put_membership(before, replace(before, is_administrator=is_administrator), audit)

    def put_state(
        self, organization: str, account: str, state: Literal["active", "inactive"], audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            before = self._membership(organization, account)
            self._put_membership(before, replace(before, state=state), audit)

    def delete_membership(self, organization: str, account: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._put_membership(self._membership(organization, account), None, audit)
            self._tokens = {
                known: token
                for known, token in self._tokens.items()
                if (token.organization, token.account) != (organization, account)
            }

    def add_organization(
        self, organization: Organization, space: Space, membership: Membership, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            if organization.id in self._organizations or space.id in self._spaces:
                raise SpaceExists("One of the ids is taken.", value=space.id)
            self._organizations[organization.id] = organization
            self._create_space(space)
            self._memberships[membership.organization, membership.account] = _bare(membership)
            self._tell(audit)

    # Invitations.

    def put_invitation(self, invitation: Invitation, secret_hash: bytes, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            account = self.find_account_of(invitation.email)
            if account is not None and (invitation.organization, account.id) in self._memberships:
                raise TeammateExists("This is a teammate already.", value=invitation.email)
            others = {
                known: each
                for known, each in self._invitations.items()
                if (each.organization, email_key(each.email)) != (invitation.organization, email_key(invitation.email))
            }
            taken = [each.organization for each in others.values()]
            taken += [each.organization for each in self._memberships.values()]
            if taken.count(invitation.organization) >= limits.TEAMMATES_PER_ORGANIZATION_MAX:
                raise TooManyTeammates("The organization is full.")
            self._invitations = others | {secret_hash: invitation}
            self._tell(audit)

    def find_invitation(self, secret_hash: bytes) -> Invitation | None:
        with self._lock:
            return self._invitations.get(secret_hash)

    def list_invitations(self, organization: str) -> tuple[Invitation, ...]:
        with self._lock:
            found = [each for each in self._invitations.values() if each.organization == organization]
            return tuple(sorted(found, key=lambda each: email_key(each.email)))

    def list_invitations_to(self, email: str) -> tuple[Invitation, ...]:
        with self._lock:
            found = [each for each in self._invitations.values() if email_key(each.email) == email_key(email)]
            return tuple(sorted(found, key=lambda each: each.id))

    def revoke_invitation(self, organization: str, invitation: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            for known, each in self._invitations.items():
                if (each.organization, each.id) == (organization, invitation):
                    del self._invitations[known]
                    self._tell(audit)
                    return
            raise InvitationNotFound("There is no such invitation.")

    def accept_invitation(
        self,
        invitation: str,
        account: Account,
        password_hash: str | None,
        at: str,
        audit: Sequence[AuditEntry] = (),
    ) -> None:
        with self._lock:
            found = [pair for pair in self._invitations.items() if pair[1].id == invitation and pair[1].expires_at > at]
            if not found:
                raise InvitationNotFound("There is no such invitation.")
            known, each = found[0]
            if (each.organization, account.id) in self._memberships:
                raise TeammateExists("This is a teammate already.", value=account.email)
            if account.id not in self._accounts:
                self._create_account(account, password_hash)
            del self._invitations[known]
            joined = Membership(
                organization=each.organization,
                account=account.id,
                is_administrator=each.is_administrator,
                state="active",
                joined_at=at,
                permissions=each.permissions,
            )
            self._memberships[each.organization, account.id] = _bare(joined)
            self._tell(audit)

    # Sessions.

    def add_session(
        self, session: Session, secret_hash: bytes, *, replaces: bytes | None = None, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            self._sessions.pop(replaces or b"", None)
            for known, each in list(self._sessions.items()):
                if each.expires_at <= session.created_at:
                    del self._sessions[known]
            own = [(known, each) for known, each in self._sessions.items() if each.account == session.account]
            own.sort(key=lambda pair: pair[1].id)
            own.sort(key=lambda pair: pair[1].created_at, reverse=True)
            for known, _ in own[limits.SESSIONS_PER_ACCOUNT_MAX - 1 :]:
                del self._sessions[known]
            self._sessions[secret_hash] = session
            account = self._accounts[session.account]
            self._accounts[session.account] = replace(account, last_signed_in_at=session.created_at)
            self._tell(audit)

    def find_session(self, secret_hash: bytes) -> Session | None:
        with self._lock:
            return self._sessions.get(secret_hash)

    def list_sessions(self, account: str) -> tuple[Session, ...]:
        with self._lock:
            found = [each for each in self._sessions.values() if each.account == account]
            found.sort(key=lambda each: each.id)
            return tuple(sorted(found, key=lambda each: each.last_seen_at, reverse=True))

    def touch_session(self, session: Session, at: str) -> None:
        with self._lock:
            for known, each in self._sessions.items():
                if each.id == session.id:
                    self._sessions[known] = replace(each, last_seen_at=at)
            place = session.organization, session.account
            if place in self._memberships:
                self._memberships[place] = replace(self._memberships[place], last_seen_at=at)

    def put_session_organization(self, session: str, organization: str) -> None:
        with self._lock:
            for known, each in self._sessions.items():
                if each.id == session:
                    self._sessions[known] = replace(each, organization=organization)

    def end_session(self, account: str, session: str) -> None:
        with self._lock:
            for known, each in self._sessions.items():
                if (each.account, each.id) == (account, session):
                    del self._sessions[known]
                    return
            raise SessionNotFound("There is no such session.", value=session)

    def end_sessions(self, account: str, *, keeps: str | None = None) -> None:
        with self._lock:
            self._sessions = {
                known: each for known, each in self._sessions.items() if each.account != account or each.id == keeps
            }

    # Events.

    def add_audit_entry(self, entry: AuditEntry) -> None:
        with self._lock:
            self._tell([entry])

    def list_audit_log(
        self, organization: str, *, space: str | None = None, before: int | None = None, limit: int
    ) -> tuple[AuditEntry, ...]:
        with self._lock:
            found = [
                each
                for each in reversed(self._audit)
                if each.organization == organization
                and (space is None or each.space == space)
                and (before is None or each.id < before)
            ]
            return tuple(found[:limit])


def _bare(membership: Membership) -> Membership:
    """Returns a membership without the spaces in which it has no permission. The other spaces are sorted by id."""
    kept = {space: names for space, names in sorted(membership.permissions.items()) if names}
    return replace(membership, permissions=kept)
