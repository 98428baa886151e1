"""Sessions of browsers: opens them, finds them by cookie, switches their organization, and deletes them."""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec
from msgspec.structs import replace

from tagloom.accounts import limits
from tagloom.accounts.access_tokens import scopes_of
from tagloom.accounts.problems import NoOrganization, NotPermitted, SignInNeeded
from tagloom.base.secrets import hashed, new_id, new_secret
from tagloom.base.text import printable
from tagloom.base.times import rfc3339, seconds_of
from tagloom.ports.accounts import AccountStore
from tagloom.ports.problems import OrganizationNotFound, SessionNotFound, SpaceNotFound, StoreUnavailable
from tagloom.ports.sessions import SessionStore
from tagloom.ports.teammates import MembershipStore
from tagloom.ports.tenants import TenantStore
from tagloom.words.accounts import SCOPES, Account, AuditEntry, Membership, Permission, Scope, Session
from tagloom.words.tenants import Organization, Space


class SignedIn(msgspec.Struct, frozen=True):
    """The signed-in teammate of a page. `spaces` are the spaces that the teammate can see."""

    session: Session
    account: Account
    organization: Organization
    membership: Membership
    spaces: tuple[Space, ...]

    @property
    def is_administrator(self) -> bool:
        """Whether the teammate can do everything in the organization."""
        return self.membership.is_administrator

    @property
    def actor(self) -> str:
        """The name of the teammate in batches and in the audit log."""
        return self.account.email

    def may(self, space: str, permission: Permission) -> bool:
        """Returns whether the teammate has this permission in this space. False if the teammate sees no such space."""
        if all(space != each.id for each in self.spaces):
            return False
        return self.is_administrator or permission in self.membership.permissions.get(space, ())

    def scopes_in(self, space: str) -> frozenset[Scope]:
        """Returns the scopes that a token of this teammate can have in the space."""
        if all(space != each.id for each in self.spaces):
            return frozenset()
        return frozenset(SCOPES) if self.is_administrator else scopes_of(self.membership.permissions.get(space, ()))

    def require(self, space: str, permission: Permission = "view") -> Space:
        """Returns the space if the teammate has the permission in it.

        Raises: SpaceNotFound: the teammate sees no such space; NotPermitted.
        """
        for each in self.spaces:
            if each.id == space:
                if self.may(space, permission):
                    return each
                raise NotPermitted(
                    f"This needs the permission {permission} in '{each.name}'. An administrator can give it.",
                    permission=permission,
                )
        raise SpaceNotFound(f"No space '{printable(space)}' is known.")

    def require_administrator(self) -> None:
        """Checks that the teammate is an administrator. Raises: NotPermitted."""
        if not self.is_administrator:
            raise NotPermitted("Only an administrator can do this.", permission="administrator")


class Opened(msgspec.Struct, frozen=True):
    """A session with a new secret. Only the cookie has `secret`."""

    signed_in: SignedIn
    secret: str


class SessionStores(AccountStore, MembershipStore, SessionStore, TenantStore, Protocol):
    """The stores that sessions need."""


class Sessions:
    """The sessions of an installation. `now` returns Unix seconds. Nothing is cached: a deactivation works at once.

    Every method reads or writes the store; call them in a thread.
    """

    def __init__(
        self,
        control: SessionStores,
        now: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._control = control
        self._now = now
        self._random_bytes = random_bytes

    def find(self, secret: str) -> SignedIn | None:
        """Returns the teammate of a cookie, or None: then show the sign-in page.

        None means that the session was deleted, has expired or is idle for too long, or that the account is not active
        in any organization. If the account is not active any more in the organization of the session, the session gets
        another organization of the account. Stores that the session was seen, once a minute at most.
        """
        session = self._control.find_session(hashed(secret))
        now = self._now()
        if session is None or not _is_live(session, now):
            return None
        found = self._signed_in(session)
        if found is None:
            # A teammate who is not active in any organization has nothing to see.
            return None
        if now - seconds_of(session.last_seen_at) >= limits.SESSION_SECONDS_BETWEEN_TOUCHES:
            # A full disk and the migration of a newer release refuse writes. The console can still be read.
            with suppress(StoreUnavailable):
                self._control.touch_session(found.session, rfc3339(now))
        return found

    def get(self, secret: str | None) -> SignedIn:
        """Returns the teammate of a cookie, for pages that need one. Raises: SignInNeeded."""
        found = self.find(secret) if secret else None
        if found is None:
            raise SignInNeeded("There is no session, or it has ended.")
        return found

    def open(
        self,
        account: Account,
        *,
        how: str,
        address: str = "",
        agent: str = "",
        previous: str | None = None,
        organization: str | None = None,
    ) -> Opened:
        """Opens a session, and deletes the session of the cookie `previous`. For `accounts.py`: checks no password.

        Raises: NoOrganization.
        """
        active = self._active(account.id)
        if not active:
            raise NoOrganization(
                "This account is not active in any organization. An administrator can invite or reactivate it."
            )
        now = self._now()
        chosen = next((each for each in active if each.organization == organization), None) or _seen_last(active)
        session = Session(
            id=new_id(self._random_bytes),
            account=account.id,
            organization=chosen.organization,
            created_at=rfc3339(now),
            last_seen_at=rfc3339(now),
            expires_at=rfc3339(now + limits.SESSION_SECONDS_MAX),
            address=printable(address)[: limits.CHARACTERS_PER_AGENT_MAX],
            agent=printable(agent)[: limits.CHARACTERS_PER_AGENT_MAX],
        )
        secret = new_secret(self._random_bytes)
        entry = AuditEntry(
            organization=chosen.organization,
            at=session.created_at,
            actor=account.email,
            action=f"signed in by {how}",
            subject=account.email,
            detail={"address": session.address},
        )
        replaces = None if previous is None else hashed(previous)
        self._control.add_session(session, hashed(secret), replaces=replaces, audit=[entry])
        self._control.touch_session(session, session.created_at)
        found = self._signed_in(session)
        if found is None:
            raise NoOrganization("This account was deactivated at this moment.")
        return Opened(found, secret)

    def end(self, secret: str) -> None:
        """Deletes the session of this secret, if there is one."""
        session = self._control.find_session(hashed(secret))
        if session is not None:
            with suppress(SessionNotFound):  # Another request has just deleted it.
                self._control.end_session(session.account, session.id)

    def list_own(self, by: SignedIn) -> tuple[Session, ...]:
        """Returns the account's sessions, the one seen last first."""
        now = self._now()
        return tuple(each for each in self._control.list_sessions(by.account.id) if _is_live(each, now))

    def end_own(self, by: SignedIn, session: str) -> None:
        """Deletes one of the account's sessions, by its id. Raises: SessionNotFound."""
        self._control.end_session(by.account.id, session)

    def end_others(self, by: SignedIn) -> None:
        """Deletes every session of the account except this one."""
        self._control.end_sessions(by.account.id, keeps=by.session.id)

    def list_organizations(self, by: SignedIn) -> tuple[Organization, ...]:
        """Returns the organizations in which the account is active, by name, for the switcher."""
        own = {each.organization for each in self._active(by.account.id)}
        found = [each for each in self._control.list_organizations() if each.id in own]
        return tuple(sorted(found, key=lambda each: (each.name.casefold(), each.id)))

    def switch(self, by: SignedIn, organization: str) -> SignedIn:
        """Chooses another organization for this session.

        Raises: OrganizationNotFound, also if the account is not active in it.
        """
        if all(each.organization != organization for each in self._active(by.account.id)):
            raise OrganizationNotFound(f"No organization '{printable(organization)}' is known.")
        self._control.put_session_organization(by.session.id, organization)
        return self.renewed(by, organization)

    def renewed(self, by: SignedIn, organization: str | None = None) -> SignedIn:
        """Reads the teammate of a session again after a change. Raises: SignInNeeded: the session ended meanwhile."""
        account = self._control.find_account(by.account.id)
        session = by.session if organization is None else replace(by.session, organization=organization)
        found = None if account is None else self._signed_in(session)
        if found is None:
            raise SignInNeeded("The session has ended.")
        return found

    def _active(self, account: str) -> list[Membership]:
        return [each for each in self._control.list_memberships(account) if each.state == "active"]

    def _signed_in(self, session: Session) -> SignedIn | None:
        account = self._control.find_account(session.account)
        active = self._active(session.account)
        if account is None or not active:
            return None
        membership = next((each for each in active if each.organization == session.organization), None)
        if membership is None:
            membership = _seen_last(active)
            session = replace(session, organization=membership.organization)
            self._control.put_session_organization(session.id, session.organization)
        organizations = {each.id: each for each in self._control.list_organizations()}
        spaces = tuple(
            each
            for each in self._control.list_spaces(membership.organization)
            if membership.is_administrator or each.id in membership.permissions
        )
        return SignedIn(session, account, organizations[membership.organization], membership, spaces)


def _is_live(session: Session, now: float) -> bool:
    idle = now - seconds_of(session.last_seen_at)
    return now < seconds_of(session.expires_at) and idle < limits.SESSION_SECONDS_IDLE_MAX


def _seen_last(memberships: list[Membership]) -> Membership:
    return max(memberships, key=lambda each: (each.last_seen_at or "", each.joined_at, each.organization))
