"""Sessions of those who are signed in: opened, found by their cookie, switched between organizations, ended."""

import secrets
import time
from collections.abc import Callable, Sequence

import msgspec

from tagloom import limits, problems
from tagloom.model import Account, Event, Membership, Organization, Permission, Session, Space, Teammate
from tagloom.secrecy import hashed, new_id, new_secret
from tagloom.store.port import Control
from tagloom.tags import printable
from tagloom.times import rfc3339, seconds_of


class SignedIn(msgspec.Struct, frozen=True):
    """Who looks at a page: what a view needs to know of its session. `spaces` are those that exist for them."""

    session: Session
    account: Account
    organization: Organization
    membership: Membership
    spaces: tuple[Space, ...]

    @property
    def is_administrator(self) -> bool:
        """May everything in the organization."""
        return self.membership.is_administrator

    @property
    def actor(self) -> str:
        """How events and batches name them."""
        return self.account.email

    def may(self, space: str, permission: Permission) -> bool:
        """Whether they have this permission in this space of the organization; False when there is no such space."""
        if all(space != each.id for each in self.spaces):
            return False
        return self.is_administrator or permission in self.membership.permissions.get(space, ())

    def require(self, space: str, permission: Permission = "view") -> Space:
        """The space, when they may. Raises: SpaceNotFound: it does not exist for them; NotPermitted."""
        for each in self.spaces:
            if each.id == space:
                if self.may(space, permission):
                    return each
                raise problems.NotPermitted(
                    f"This needs the permission {permission} in '{each.name}'. An administrator can give it.",
                    permission=permission,
                )
        raise problems.SpaceNotFound(f"No space '{printable(space)}' is known.")

    def require_administrator(self) -> None:
        """Raises: NotPermitted."""
        if not self.is_administrator:
            raise problems.NotPermitted("Only an administrator may do this.", permission="administrator")


class Opened(msgspec.Struct, frozen=True):
    """A session that has just begun or was given a new secret: `secret` goes into the cookie, and nowhere else."""

    signed_in: SignedIn
    secret: str


class Sessions:
    """The sessions of an installation. `now` tells Unix seconds. Nothing is cached: who is deactivated is out at once.

    Every method reads or writes the store; call them in a thread.
    """

    def __init__(
        self,
        control: Control,
        now: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None: ...

    def find(self, secret: str) -> SignedIn | None:
        """Who has this cookie; None when the session has ended, expired or is idle for too long: show the sign-in page.

        When the organization that the session has chosen is gone for the account, another one of theirs is chosen.
        Notes that the session was seen, once a minute at most.
        """

    def get(self, secret: str | None) -> SignedIn:
        """`find`, for pages that nobody sees unless signed in. Raises: SignInNeeded."""

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
        """A new session; the one of the `previous` cookie ends. For `accounts.py`, which knows that they may.

        Raises: NoOrganization.
        """

    def end(self, secret: str) -> None:
        """Signs out. An unknown secret is no problem."""

    def list_own(self, by: SignedIn) -> tuple[Session, ...]:
        """The account's sessions, the one seen last first."""

    def end_own(self, by: SignedIn, session: str) -> None:
        """Ends one of the account's sessions, by its id. Raises: SessionNotFound."""

    def end_others(self, by: SignedIn) -> None:
        """Ends every session of the account but this one."""

    def list_organizations(self, by: SignedIn) -> tuple[Organization, ...]:
        """Those in which the account is active, by name: the switcher."""

    def switch(self, by: SignedIn, organization: str) -> SignedIn:
        """Chooses another organization for this session. Raises: OrganizationNotFound, also when it is not theirs."""
