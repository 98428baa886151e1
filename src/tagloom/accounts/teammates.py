"""Teammates of an organization: invitations, permissions, deactivation, and the audit log."""

import secrets
import time
from collections.abc import Callable, Iterable
from typing import Literal, Protocol

import msgspec
from msgspec.structs import replace

from tagloom.accounts import limits
from tagloom.accounts.access_tokens import COMMAND_LINE, DAY_SECONDS, Access, scopes_of
from tagloom.accounts.problems import NotPermitted
from tagloom.accounts.sessions import SignedIn
from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid
from tagloom.base.secrets import hashed, new_id, new_secret
from tagloom.base.slugs import free_slug, parse_name
from tagloom.base.text import printable
from tagloom.base.times import rfc3339
from tagloom.ports.accounts import AccountStore
from tagloom.ports.problems import (
    InvitationNotFound,
    SpaceNotFound,
    TeammateExists,
    TeammateNotFound,
    TokenNotFound,
    TooManyTeammates,
)
from tagloom.ports.teammates import AuditLog, InvitationStore, MembershipStore
from tagloom.ports.tenants import TenantStore
from tagloom.words.accounts import (
    PERMISSIONS,
    SCOPES,
    AuditEntry,
    Invitation,
    Membership,
    Permission,
    Scope,
    Teammate,
    Token,
)
from tagloom.words.emails import email_key, parse_email, split_emails
from tagloom.words.identity import IdentitySettings
from tagloom.words.problems import EmailInvalid
from tagloom.words.tenants import Environment, Organization, Space


class Operator(msgspec.Struct, frozen=True):
    """The operator on the command line, who can do everything in the organization."""

    organization: Organization
    actor: str = COMMAND_LINE

    def require_administrator(self) -> None:
        """Does nothing, because the operator can do everything."""

    def require(self, space: str, permission: Permission = "view") -> None:
        """Does nothing, because the operator can do everything."""


By = SignedIn | Operator
Outcome = Literal["invited", "invited again", "teammate already", "inactive teammate", "not an e-mail", "too many"]


class InviteOutcome(msgspec.Struct, frozen=True):
    """The outcome for one address of a list. `secret` is for the link, if an invitation was created."""

    email: str
    outcome: Outcome
    invitation: Invitation | None = None
    secret: str | None = None


class TeammateStores(AccountStore, AuditLog, InvitationStore, MembershipStore, TenantStore, Protocol):
    """The stores that the administration of teammates needs."""


class Teammates:
    """Administration of an organization, and of a teammate's own membership.

    `by` is the caller. Methods for administrators raise NotPermitted for others. Call methods in a thread.
    """

    def __init__(
        self,
        control: TeammateStores,
        access: Access,
        *,
        now: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._control = control
        self._access = access
        self._now = now
        self._random_bytes = random_bytes

    def list_teammates(self, by: By) -> tuple[Teammate, ...]:
        """Returns the active and inactive teammates by name. For administrators."""
        by.require_administrator()
        found = self._control.list_teammates(by.organization.id)
        return tuple(sorted(found, key=lambda each: (each.account.name.casefold(), each.account.id)))

    def list_invitations(self, by: By) -> tuple[Invitation, ...]:
        """Returns the pending invitations by e-mail, also expired ones until they are revoked. For administrators."""
        by.require_administrator()
        return self._control.list_invitations(by.organization.id)

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
        """Invites all addresses of a list, separated by commas, spaces or lines. Returns one outcome each, in order.

        A new invitation with these permissions replaces a pending one to the same address. The old link does not work
        any more.
        Raises: SpaceNotFound; BodyInvalid: no address, or more than INVITATIONS_PER_REQUEST_MAX.
        """
        by.require_administrator()
        wanted = {} if space is None else {self._space(by, space).id: _closed(permissions)}
        emails = split_emails(addresses)
        if not 1 <= len(emails) <= limits.INVITATIONS_PER_REQUEST_MAX:
            raise BodyInvalid(
                f"Name 1 to {limits.INVITATIONS_PER_REQUEST_MAX} e-mail addresses, not {len(emails)}.",
                field="$.addresses",
            )
        pending = self._control.list_invitations(by.organization.id)
        known = {email_key(each.email) for each in pending}
        return tuple(
            self._invite(by, email, wanted, is_administrator, is_again=email_key(email) in known) for email in emails
        )

    def _invite(
        self,
        by: By,
        text: str,
        permissions: dict[str, tuple[Permission, ...]],
        is_administrator: bool,
        *,
        is_again: bool,
    ) -> InviteOutcome:
        now, secret = self._now(), new_secret(self._random_bytes)
        try:
            invitation = Invitation(
                id=new_id(self._random_bytes),
                organization=by.organization.id,
                email=parse_email(text),
                is_administrator=is_administrator,
                permissions=permissions,
                invited_by=by.actor,
                created_at=rfc3339(now),
                expires_at=rfc3339(now + limits.INVITATION_DAYS * DAY_SECONDS),
            )
            detail = _permissions_told(permissions) | ({"administrator": "yes"} if is_administrator else {})
            entry = self._event(by, "invited again" if is_again else "invited", invitation.email, detail)
            self._control.put_invitation(invitation, hashed(secret), [entry])
        except EmailInvalid:
            return InviteOutcome(printable(text), "not an e-mail")
        except TooManyTeammates:
            return InviteOutcome(text, "too many")
        except TeammateExists:
            account = self._control.find_account_of(text)
            member = None if account is None else self._control.find_membership(by.organization.id, account.id)
            is_inactive = member is not None and member.state == "inactive"
            return InviteOutcome(text, "inactive teammate" if is_inactive else "teammate already")
        return InviteOutcome(invitation.email, "invited again" if is_again else "invited", invitation, secret)

    def resend(self, by: By, invitation: str) -> InviteOutcome:
        """Replaces an invitation by one with a new id, link and expiry. Raises: InvitationNotFound."""
        found = self._invitation(by, invitation)
        return self._invite(by, found.email, found.permissions, found.is_administrator, is_again=True)

    def revoke(self, by: By, invitation: str) -> None:
        """Revokes an invitation: its link does not work any more. Raises: InvitationNotFound."""
        found = self._invitation(by, invitation)
        entry = self._event(by, "invitation revoked", found.email)
        self._control.revoke_invitation(by.organization.id, found.id, [entry])

    def _invitation(self, by: By, invitation: str) -> Invitation:
        by.require_administrator()
        for each in self._control.list_invitations(by.organization.id):
            if each.id == invitation:
                return each
        raise InvitationNotFound("It was accepted, revoked or sent again meanwhile.")

    # Permissions. For administrators. All raise TeammateNotFound.

    def get_teammate(self, by: By, account: str) -> Teammate:
        """Returns one teammate of the organization, by the account's id."""
        by.require_administrator()
        membership = self._control.find_membership(by.organization.id, account)
        found = None if membership is None else self._control.find_account(account)
        if membership is None or found is None:
            raise TeammateNotFound("There is no such teammate.", value=printable(account))
        return Teammate(found, membership)

    def set_permissions(self, by: By, account: str, space: str, permissions: Iterable[Permission]) -> Teammate:
        """Sets the permissions of a teammate in a space. Without any, the teammate loses the space.

        Raises: SpaceNotFound.
        """
        teammate = self.get_teammate(by, account)
        before = teammate.membership.permissions.get(self._space(by, space).id, ())
        after = _closed(permissions)
        detail = {"before": " ".join(before), "after": " ".join(after)}
        entry = self._event(by, "permissions changed", teammate.account.email, detail, space=space)
        self._control.put_permissions(by.organization.id, account, space, after, [entry])
        return self._changed(by, account)

    def set_administrator(self, by: By, account: str, is_administrator: bool) -> Teammate:
        """Makes or removes an administrator. Raises: LastAdministrator."""
        email = self.get_teammate(by, account).account.email
        entry = self._event(by, "administrator made" if is_administrator else "administrator removed", email)
        self._control.put_administrator(by.organization.id, account, is_administrator, [entry])
        return self._changed(by, account)

    def deactivate(self, by: By, account: str) -> Teammate:
        """Deletes the teammate's sessions in the organization and disables their tokens, until they are reactivated.

        Raises: LastAdministrator.
        """
        entry = self._event(by, "deactivated", self.get_teammate(by, account).account.email)
        self._control.put_state(by.organization.id, account, "inactive", [entry])
        return self._changed(by, account)

    def reactivate(self, by: By, account: str) -> Teammate:
        """Activates a teammate again. Permissions and tokens are as before, but the teammate must sign in again."""
        entry = self._event(by, "reactivated", self.get_teammate(by, account).account.email)
        self._control.put_state(by.organization.id, account, "active", [entry])
        return self._changed(by, account)

    def new_reset(self, by: By, account: str) -> str:
        """Returns the secret of a link with which the teammate sets a new password, once, within RESET_HOURS.

        Raises: NotPermitted: the account is in other organizations too, whose data the administrators of this one must
        not reach. The command line of the operator can create the link.
        """
        teammate = self.get_teammate(by, account)
        if len(self._control.list_memberships(account)) > 1 and not isinstance(by, Operator):
            raise NotPermitted(
                "This account belongs to other organizations too. Who runs Tagloom can make the link: "
                "tagloom teammate reset."
            )
        secret = new_secret(self._random_bytes)
        expires_at = rfc3339(self._now() + limits.RESET_HOURS * 3_600)
        entry = self._event(by, "password link made", teammate.account.email)
        self._control.put_reset(account, hashed(secret), expires_at, [entry])
        return secret

    def leave(self, by: SignedIn) -> None:
        """Removes the caller from the organization, and deletes their tokens of it. Raises: LastAdministrator."""
        entry = self._event(by, "left", by.account.email)
        self._control.delete_membership(by.organization.id, by.account.id, [entry])
        self._access.clear_cache_of(by.account.id)

    def _changed(self, by: By, account: str) -> Teammate:
        self._access.clear_cache_of(account)
        return self.get_teammate(by, account)

    # Tokens.

    def create_token(self, by: SignedIn, name: str, scopes: Iterable[Scope], *, days: int) -> tuple[Token, str]:
        """Creates a personal access token of the caller. Returns it with its secret, which cannot be read again.

        Raises: BodyInvalid, TooManyTokens; NotPermitted: the caller has one of the scopes in no space.
        """
        wanted, allowed = frozenset(scopes), self.scopes_allowed(by)
        beyond = [scope for scope in SCOPES if scope in wanted and scope not in allowed]
        if beyond:
            raise NotPermitted(
                f"Your permissions do not allow a token with {' and '.join(beyond)}.", scopes=list[str](beyond)
            )
        return self._access.create_token(
            by.organization.id, name, wanted, days=days, account=by.account.id, actor=by.actor
        )

    def scopes_allowed(self, by: SignedIn) -> tuple[Scope, ...]:
        """Returns the scopes that a token of the caller can have, which the form offers."""
        if by.is_administrator:
            return SCOPES
        allowed = frozenset[Scope]().union(*map(scopes_of, by.membership.permissions.values()))
        return tuple(scope for scope in SCOPES if scope in allowed)

    def list_own_tokens(self, by: By) -> tuple[Token, ...]:
        """Returns the caller's tokens by creation. The tokens of an operator are those without an account."""
        own = by.account.id if isinstance(by, SignedIn) else None
        return tuple(each for each in self._access.list_tokens(by.organization.id) if each.account == own)

    def list_all_tokens(self, by: By) -> tuple[Token, ...]:
        """Returns all tokens of the organization by creation; `account` is the owner. For administrators."""
        by.require_administrator()
        return self._access.list_tokens(by.organization.id)

    def revoke_token(self, by: By, token: str) -> None:
        """Revokes a token of the caller, or any token if the caller is an administrator. Raises: TokenNotFound."""
        is_bound = isinstance(by, SignedIn) and not by.is_administrator
        if is_bound and all(each.id != token for each in self.list_own_tokens(by)):
            raise TokenNotFound(f"There is no token '{printable(token)}' of yours.", value=printable(token))
        self._access.revoke_token(by.organization.id, token, actor=by.actor)

    # The organization. For administrators.

    def rename_organization(self, by: By, name: str) -> Organization:
        """Renames the organization. Raises: BodyInvalid."""
        by.require_administrator()
        renamed = Organization(by.organization.id, _parse_name(name))
        entry = self._event(by, "organization renamed", name, {"before": by.organization.name})
        self._control.put_organization(renamed, [entry])
        return renamed

    def create_organization(self, by: SignedIn, name: str, space: str) -> Organization:
        """Creates an organization with a first space, whose name is `space`, and makes the caller its administrator.

        The session keeps its organization: call `Sessions.switch` to change it.
        Raises: BodyInvalid; SpaceExists: another caller took the id at this moment.
        """
        by.require_administrator()
        known = self._control.list_organizations()
        made = Organization(free_slug(_parse_name(name), {each.id for each in known}, otherwise="organization"), name)
        taken = {each.id for other in known for each in self._control.list_spaces(other.id)}
        first = Space(free_slug(_parse_name(space), taken, otherwise="space"), made.id, space)
        membership = Membership(
            organization=made.id,
            account=by.account.id,
            is_administrator=True,
            state="active",
            joined_at=rfc3339(self._now()),
        )
        entry = replace(self._event(by, "organization created", name, {"space": space}), organization=made.id)
        self._control.add_organization(made, first, membership, [entry])
        return made

    def create_space(self, by: By, name: str) -> Space:
        """Creates a space with its three environments.

        Raises: BodyInvalid; SpaceExists: its id was taken at this moment.
        """
        by.require_administrator()
        # An id is unique in the installation. An id that another organization has must not cause an error, because the
        # error would reveal that it exists.
        known = self._control.list_organizations()
        taken = {each.id for other in known for each in self._control.list_spaces(other.id)}
        chosen = free_slug(_parse_name(name), taken, otherwise="space")
        return self._access.create_space(by.organization.id, name, chosen, actor=by.actor)

    def rename_space(self, by: By, space: str, name: str) -> Space:
        """Renames a space. Raises: BodyInvalid, SpaceNotFound."""
        by.require_administrator()
        before = self._space(by, space)
        entry = self._event(by, "space renamed", _parse_name(name), {"before": before.name}, space=space)
        self._control.rename_space(space, name, [entry])
        return Space(before.id, before.organization, name)

    def put_catalogue(self, by: By, space: str, environment: str, catalogue: Literal["open", "closed"]) -> Environment:
        """Opens or closes the catalogue. Raises: SpaceNotFound, EnvironmentNotFound."""
        by.require_administrator()
        found = self._control.get_environment(self._space(by, space).id, environment)
        return self._access.put_catalogue(found, catalogue, actor=by.actor)

    def put_identity(self, by: By, space: str, environment: str, settings: IdentitySettings) -> Environment:
        """Replaces the settings of links between visitors and users. Raises: SpaceNotFound, EnvironmentNotFound."""
        by.require_administrator()
        found = self._control.get_environment(self._space(by, space).id, environment)
        return self._access.put_identity(found, settings, actor=by.actor)

    def put_time_zone(self, by: By, space: str, environment: str, zone: str) -> Environment:
        """Sets the time zone whose days an environment counts.

        Raises: SpaceNotFound, EnvironmentNotFound, BodyInvalid, TimeZoneFixed.
        """
        by.require_administrator()
        found = self._control.get_environment(self._space(by, space).id, environment)
        return self._access.put_time_zone(found, zone, actor=by.actor)

    def list_audit_log(
        self,
        by: By,
        *,
        space: str | None = None,
        before: int | None = None,
        limit: int = base_limits.PAGE_ITEMS_DEFAULT,
    ) -> tuple[AuditEntry, ...]:
        """Returns the audit entries of the organization, the newest first.

        `space` selects the entries of one space, `before` those with a lower id. Everybody who sees a space can read
        its entries. Only administrators can read without `space`.
        """
        if space is None:
            by.require_administrator()
        else:
            by.require(space)
        wanted = max(1, min(limit, base_limits.PAGE_ITEMS_MAX))
        return self._control.list_audit_log(by.organization.id, space=space, before=before, limit=wanted)

    def _space(self, by: By, space: str) -> Space:
        """Returns a space of the organization. Raises: SpaceNotFound."""
        for each in self._control.list_spaces(by.organization.id):
            if each.id == space:
                return each
        raise SpaceNotFound(f"No space '{printable(space)}' is known.")

    def _event(
        self, by: By, action: str, subject: str, detail: dict[str, str] | None = None, *, space: str | None = None
    ) -> AuditEntry:
        return AuditEntry(
            organization=by.organization.id,
            space=space,
            at=rfc3339(self._now()),
            actor=by.actor,
            action=action,
            subject=subject,
            detail=detail or {},
        )


def _closed(permissions: Iterable[Permission]) -> tuple[Permission, ...]:
    """Returns the permissions in order, with `view` if there is any other. Raises: BodyInvalid."""
    wanted = set(permissions)
    unknown = sorted(wanted - set(PERMISSIONS))
    if unknown:
        raise BodyInvalid(f"There is no permission '{printable(unknown[0])}'.", field="$.permissions")
    return tuple(each for each in PERMISSIONS if each in wanted or (wanted and each == "view"))


def _permissions_told(permissions: dict[str, tuple[Permission, ...]]) -> dict[str, str]:
    return {space: " ".join(names) for space, names in permissions.items()}


def _parse_name(name: str) -> str:
    return parse_name(name, field="$.name", characters_max=base_limits.CHARACTERS_PER_NAME_MAX)
