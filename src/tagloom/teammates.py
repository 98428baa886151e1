"""Teammates of an organization: invited, given permissions, made administrators, deactivated. And what they did."""

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from tagloom.access import Access
from tagloom.model import Environment, Event, Invitation, Organization, Permission, Scope, Space, Teammate, Token
from tagloom.sessions import SignedIn
from tagloom.store.port import Control


class Operator(msgspec.Struct, frozen=True):
    """Who has the machine: the command line. May everything in the organization."""

    organization: Organization
    actor: str = "command line"

    def require_administrator(self) -> None:
        """Raises nothing."""


By = SignedIn | Operator
Outcome = Literal["invited", "invited again", "teammate already", "inactive teammate", "not an e-mail", "too many"]


class InviteOutcome(msgspec.Struct, frozen=True):
    """What became of one address of a list. `secret` stands in the link, and is there when an invitation was made."""

    email: str
    outcome: Outcome
    invitation: Invitation | None = None
    secret: str | None = None


class Teammates:
    """What administrators do to their organization, and teammates to their own part in it.

    `by` is who asks. What only administrators may raises NotPermitted for others. Call methods in a thread.
    """

    def __init__(
        self,
        control: Control,
        access: Access,
        *,
        now: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None: ...

    def list_teammates(self, by: By) -> tuple[Teammate, ...]:
        """Active and inactive ones, by name. For administrators."""

    def list_invitations(self, by: By) -> tuple[Invitation, ...]:
        """The pending ones, by e-mail; those that have expired too, until they are revoked. For administrators."""

    # Invitations. For administrators.

    def invite(
        self,
        by: By,
        addresses: str,
        *,
        space: str | None,
        permissions: Iterable[Permission] = ("view",),
        is_administrator: bool = False,
    ) -> tuple[InviteOutcome, ...]:
        """Invites everybody in a list of addresses, separated by commas, spaces or lines; one outcome each, in order.

        Who has a pending invitation gets a new one with these permissions; the old link does not work any more.
        Raises: SpaceNotFound; BodyInvalid: no address, or more than INVITATIONS_PER_REQUEST_MAX.
        """

    def resend(self, by: By, invitation: str) -> InviteOutcome:
        """The same invitation with a new id, link and expiry. Raises: InvitationNotFound."""

    def revoke(self, by: By, invitation: str) -> None:
        """Its link does not work any more. Raises: InvitationNotFound."""

    # What a teammate may. For administrators. All raise TeammateNotFound.

    def get_teammate(self, by: By, account: str) -> Teammate:
        """One teammate of the organization, by the account's id."""

    def set_permissions(self, by: By, account: str, space: str, permissions: Iterable[Permission]) -> Teammate:
        """Exactly these in the space; none takes the space away from them. Raises: SpaceNotFound."""

    def set_administrator(self, by: By, account: str, is_administrator: bool) -> Teammate:
        """Makes or removes an administrator. Raises: LastAdministrator."""

    def deactivate(self, by: By, account: str) -> Teammate:
        """Ends their sessions in the organization and stops their tokens, until reactivated. Raises: LastAdministrator."""

    def reactivate(self, by: By, account: str) -> Teammate:
        """Everything is as it was before, but they sign in again."""

    def new_reset(self, by: By, account: str) -> str:
        """The secret of a link with which the teammate sets a new password, once, within RESET_HOURS.

        Raises: NotPermitted: the account is in other organizations too, whose data this one's administrators must not
        reach; the operator's command line can do it.
        """

    def leave(self, by: SignedIn) -> None:
        """Leaves the organization, with the own tokens of it. Raises: LastAdministrator."""

    # Tokens.

    def create_token(self, by: SignedIn, name: str, scopes: Iterable[Scope], *, days: int) -> tuple[Token, str]:
        """A personal access token of who is signed in, and its secret, which nobody can read again.

        Raises: BodyInvalid, TooManyTokens; NotPermitted: scopes that they have in no space.
        """

    def scopes_allowed(self, by: SignedIn) -> tuple[Scope, ...]:
        """Those that a token of theirs can have: what the form offers."""

    def list_own_tokens(self, by: SignedIn) -> tuple[Token, ...]:
        """By creation."""

    def list_all_tokens(self, by: By) -> tuple[Token, ...]:
        """Everybody's in the organization, by creation; `account` says whose. For administrators."""

    def revoke_token(self, by: By, token: str) -> None:
        """An own one; administrators anybody's. Raises: TokenNotFound."""

    # The organization. For administrators.

    def rename_organization(self, by: By, name: str) -> Organization:
        """Raises: BodyInvalid."""

    def create_organization(self, by: SignedIn, name: str, space: str) -> Organization:
        """Another organization with a first space (by its name), whose administrator is who asks. Switch to it then.

        Raises: BodyInvalid.
        """

    def create_space(self, by: By, name: str) -> Space:
        """A space with its three environments. Raises: BodyInvalid."""

    def rename_space(self, by: By, space: str, name: str) -> Space:
        """Raises: BodyInvalid, SpaceNotFound."""

    def put_catalogue(self, by: By, space: str, environment: str, catalogue: Literal["open", "closed"]) -> Environment:
        """Opens or closes the catalogue. Raises: SpaceNotFound, EnvironmentNotFound."""

    def list_events(
        self, by: By, *, space: str | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[Event, ...]:
        """What was done to the organization, the newest first; only a space's, only those below the id `before`."""
