"""Access tokens: their principals, scopes and tenants."""

import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

import msgspec

from tagloom.accounts import limits
from tagloom.accounts.problems import NotAllowed, NotSignedIn, TooManyTokens
from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid
from tagloom.base.secrets import hashed, new_id, new_secret
from tagloom.base.slugs import free_slug, parse_name, parse_slug
from tagloom.base.text import printable
from tagloom.base.times import rfc3339, seconds_of
from tagloom.ports import limits as ports_limits
from tagloom.ports.accounts import AccountStore
from tagloom.ports.problems import (
    EnvironmentNotFound,
    OrganizationNotFound,
    SpaceExists,
    SpaceNotFound,
    StoreUnavailable,
)
from tagloom.ports.teammates import AuditLog, MembershipStore
from tagloom.ports.tenants import TenantStore
from tagloom.ports.tokens import TokenStore
from tagloom.words.accounts import SCOPES, AuditEntry, Permission, Scope, Token
from tagloom.words.calendars import ZONE_RULE, find_zone
from tagloom.words.identity import IdentitySettings
from tagloom.words.retention import retention_text
from tagloom.words.tenants import Environment, Organization, Space

SECRET_PREFIX = "tagloom_"
DAY_SECONDS = 86_400


# The scopes that a token of a teammate can have in a space, by the teammate's permission.
VIEW: tuple[Scope, ...] = ("tags:read", "tribes:read", "decisions")
SCOPES_PERMITTED: dict[Permission, frozenset[Scope]] = {
    "view": frozenset(VIEW),
    "tribes": frozenset((*VIEW, "tribes:write", "people:read")),
    "developer": frozenset((*VIEW, "tags:write", "people:read", "people:write", "events:read", "events:write")),
}
COMMAND_LINE = "command line"  # The actor of the operator.


class Principal(msgspec.Struct, frozen=True):
    """The owner of a valid token. `scopes` has every scope if the token has `admin`.

    `spaces` has the scopes of a teammate's token in each space; the token cannot see other spaces. None means all
    scopes in all spaces.
    """

    token: str
    name: str
    organization: str
    scopes: frozenset[Scope]
    account: str | None = None
    spaces: dict[str, frozenset[Scope]] | None = None

    def sees(self, space: str) -> bool:
        """Returns whether the principal can see this space of the organization."""
        return self.spaces is None or space in self.spaces

    def scopes_in(self, space: str) -> frozenset[Scope]:
        """Returns the scopes of the token in the space."""
        return self.scopes if self.spaces is None else self.spaces.get(space, frozenset())

    def require(self, *scopes: Scope, space: str | None = None) -> None:
        """Raises NotAllowed, with the scopes that are missing in the space, or everywhere."""
        given = self.scopes if space is None else self.scopes_in(space)
        missing = [scope for scope in scopes if scope not in given]
        if missing:
            raise NotAllowed(
                f"This needs the scope {' and '.join(missing)}, which the token '{self.name}' does not have"
                f"{' in this space' if set(missing) <= self.scopes else ''}.",
                scopes=list[str](missing),
            )


class Place(msgspec.Struct, frozen=True):
    """A space, and the environment of a URL in it."""

    space: Space
    environment: Environment


class _Known(msgspec.Struct, frozen=True):
    principal: Principal
    expires: float
    read: float


class AccessStores(AccountStore, MembershipStore, TenantStore, TokenStore, AuditLog, Protocol):
    """The stores that access tokens need."""


class Access:
    """Tokens and tenants of one installation. `now` returns Unix seconds.

    Reads are cached for TOKEN_SECONDS_CACHED_MAX at most. Changes by this object are visible at once.
    """

    def __init__(
        self,
        control: AccessStores,
        now: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._control = control
        self._now = now
        self._random_bytes = random_bytes
        self._known: dict[bytes, _Known] = {}
        self._touched: dict[str, float] = {}
        self._places: dict[tuple[str, str], tuple[Place, float]] = {}

    # Tokens.

    def find_principal(self, secret: str) -> Principal | None:
        """Returns the cached principal of this secret, or None: then call `authenticate`. Costs no query.

        Raises: NotSignedIn: the token has expired since.
        """
        known = self._known.get(hashed(secret))
        if known is None:
            return None
        now = self._now()
        if now >= known.expires:
            raise _expired(known.principal.name)
        return known.principal if 0 <= now - known.read < limits.TOKEN_SECONDS_CACHED_MAX else None

    def authenticate(self, secret: str) -> Principal:
        """Returns the principal of this secret.

        Raises: NotSignedIn: no token has it, or it has expired or was revoked.
        """
        found = self.find_principal(secret)
        return found if found is not None else self._read_principal(secret)

    def renew(self, principal: Principal, secret: str, space: str, environment: str) -> None:
        """Reads a cached token and place again before they expire. Raises: as `authenticate` and `get_place`."""
        self._read_principal(secret)
        self._read_place(principal, space, environment)

    def _read_principal(self, secret: str) -> Principal:
        digest, now = hashed(secret), self._now()
        token = self._control.find_token(digest)
        if token is None:
            self._known.pop(digest, None)
            raise NotSignedIn("The access token is unknown. It may have been revoked.")
        expires = seconds_of(token.expires_at)
        if now >= expires:
            raise _expired(token.name)
        try:
            principal = self._principal(token)
        except NotSignedIn:
            self._known.pop(digest, None)
            raise
        if len(self._known) >= limits.TOKENS_CACHED_MAX:
            self._known.clear()
        self._known[digest] = _Known(principal, expires, now)
        self._touch(token, now)
        return principal

    def _principal(self, token: Token) -> Principal:
        """Returns the principal of a token, limited to its teammate's permissions.

        Raises: NotSignedIn: the teammate is not active.
        """
        scopes = frozenset(SCOPES if "admin" in token.scopes else token.scopes)
        if token.account is None:
            return Principal(token.id, token.name, token.organization, scopes)
        membership = self._control.find_membership(token.organization, token.account)
        if membership is None or membership.state != "active":
            raise NotSignedIn(f"The teammate whose token '{token.name}' is, is not active.")
        if membership.is_administrator:
            return Principal(token.id, token.name, token.organization, scopes, token.account)
        spaces = {space: scopes & scopes_of(names) for space, names in membership.permissions.items()}
        anywhere = frozenset[Scope]().union(*spaces.values())
        return Principal(token.id, token.name, token.organization, anywhere, token.account, spaces)

    def _touch(self, token: Token, now: float) -> None:
        last = self._touched.get(token.id)
        if last is None:
            last = seconds_of(token.last_used_at) if token.last_used_at else 0.0
        if now - last >= limits.TOKEN_SECONDS_BETWEEN_TOUCHES:
            self._touched[token.id] = now
            # A full disk and the migration of a newer release refuse writes. Reads with the token continue.
            with suppress(StoreUnavailable):
                self._control.touch_token(token.id, rfc3339(now))

    def create_token(
        self,
        organization: str,
        name: str,
        scopes: Iterable[Scope],
        *,
        days: int,
        account: str | None = None,
        actor: str = COMMAND_LINE,
    ) -> tuple[Token, str]:
        """Creates a token, and returns it with its secret, which cannot be read again.

        A token with an account can never do more than its owner. The caller checks that the owner can have it.
        Raises: BodyInvalid, TooManyTokens.
        """
        parse_name(name, field="$.name", characters_max=base_limits.CHARACTERS_PER_NAME_MAX)
        wanted = frozenset(scopes)
        if not wanted:
            raise BodyInvalid("A token needs at least one scope.", field="$.scopes")
        if not 1 <= days <= limits.TOKEN_DAYS_MAX:
            raise BodyInvalid(
                f"A token lasts 1 to {limits.TOKEN_DAYS_MAX} days, not {days}.", field="$.expires_in_days"
            )
        if len(self._control.list_tokens(organization)) >= limits.TOKENS_PER_ORGANIZATION_MAX:
            raise TooManyTokens(
                f"The organization has {limits.TOKENS_PER_ORGANIZATION_MAX} tokens; revoke one first.",
                tokens_max=limits.TOKENS_PER_ORGANIZATION_MAX,
            )
        now = self._now()
        secret = SECRET_PREFIX + new_secret(self._random_bytes)
        token = Token(
            id=new_id(self._random_bytes),
            organization=organization,
            name=name,
            scopes=tuple(scope for scope in SCOPES if scope in wanted),
            created_at=rfc3339(now),
            expires_at=rfc3339(now + days * DAY_SECONDS),
            account=account,
        )
        detail = {"name": name, "scopes": " ".join(token.scopes), "expires_at": token.expires_at}
        created = self._event(organization, actor, "token created", token.id, detail)
        self._control.add_token(token, hashed(secret), [created])
        return token, secret

    def list_tokens(self, organization: str) -> tuple[Token, ...]:
        """Returns the tokens of the organization by creation, without their secrets."""
        return self._control.list_tokens(organization)

    def emails_of(self, tokens: Iterable[Token]) -> dict[str, str]:
        """Returns the e-mails of the owners of tokens, by account."""
        accounts = (self._control.find_account(each) for each in {token.account for token in tokens} if each)
        return {account.id: account.email for account in accounts if account is not None}

    def revoke_token(self, organization: str, token: str, *, actor: str = COMMAND_LINE) -> None:
        """Revokes a token: in this process at once, in others after TOKEN_SECONDS_CACHED_MAX at most.

        Raises: TokenNotFound.
        """
        self._control.revoke_token(organization, token, [self._event(organization, actor, "token revoked", token)])
        for digest, known in list(self._known.items()):
            if known.principal.token == token:
                self._known.pop(digest, None)

    def clear_cache_of(self, account: str) -> None:
        """Removes the account's tokens from the cache, because its permissions changed."""
        for digest, known in list(self._known.items()):
            if known.principal.account == account:
                self._known.pop(digest, None)

    def _event(
        self,
        organization: str,
        actor: str,
        action: str,
        subject: str,
        detail: dict[str, str] | None = None,
        space: str | None = None,
    ) -> AuditEntry:
        return AuditEntry(
            organization=organization,
            space=space,
            at=rfc3339(self._now()),
            actor=actor,
            action=action,
            subject=subject,
            detail=detail or {},
        )

    # Tenants. A principal cannot see other organizations.

    def get_organization(self, principal: Principal, organization: str) -> Organization:
        """Returns an organization by its id.

        Raises: OrganizationNotFound, also if it is not the organization of the principal.
        """
        for found in self._control.list_organizations():
            if found.id == organization == principal.organization:
                return found
        raise OrganizationNotFound(f"No organization '{printable(organization)}' is known.")

    def list_spaces(self, organization: str, principal: Principal | None = None) -> tuple[Space, ...]:
        """Returns the spaces by id; with a principal, only those that it can see."""
        spaces = self._control.list_spaces(organization)
        return spaces if principal is None else tuple(each for each in spaces if principal.sees(each.id))

    def create_space(
        self, organization: str, name: str, space: str | None = None, *, actor: str = COMMAND_LINE
    ) -> Space:
        """Creates a space with its three environments. Without `space`, the id is made from the name.

        An id is unique in the installation. The problem does not tell whether another organization has it.
        Raises: BodyInvalid, SpaceExists.
        """
        parse_name(name, field="$.name", characters_max=base_limits.CHARACTERS_PER_NAME_MAX)
        own = {known.id for known in self._control.list_spaces(organization)}
        others = [each.id for each in self._control.list_organizations() if each.id != organization]
        taken = own | {known.id for other in others for known in self._control.list_spaces(other)}
        chosen = free_slug(name, taken, otherwise="space") if space is None else parse_slug(space)
        created = Space(chosen, organization, name)
        entry = self._event(organization, actor, "space created", chosen, {"name": name}, space=chosen)
        try:
            self._control.put_space(created, [entry])
        except SpaceExists as problem:
            if chosen in own:
                raise
            raise SpaceExists(
                f"The id '{chosen}' is not free. Choose another, or leave it out.", value=chosen
            ) from problem
        return created

    def get_space(self, principal: Principal, space: str) -> Space:
        """Returns a space by its id.

        Raises: SpaceNotFound, also if the space belongs to another organization, or the token cannot see it.
        """
        try:
            found = self._control.get_space(space)
        except SpaceNotFound:
            found = None
        if found is None or found.organization != principal.organization or not principal.sees(space):
            raise SpaceNotFound(f"No space '{printable(space)}' is known.")
        return found

    def list_environments(self, space: str) -> tuple[Environment, ...]:
        """Returns the environments of a space: development, staging, production."""
        return self._control.list_environments(space)

    def find_place(self, principal: Principal, space: str, environment: str) -> Place | None:
        """Returns the cached place, or None: then call `get_place`. Costs no query.

        Raises: SpaceNotFound: the space belongs to another organization, or the token cannot see it.
        """
        place, read = self._places.get((space, environment), (None, 0.0))
        if place is None or not 0 <= self._now() - read < ports_limits.SECONDS_BETWEEN_READS_OF_TRIBES:
            return None
        if place.space.organization != principal.organization or not principal.sees(space):
            raise SpaceNotFound(f"No space '{printable(space)}' is known.")
        return place

    def get_place(self, principal: Principal, space: str, environment: str) -> Place:
        """Returns a space and one of its environments, from the cache if possible.

        Raises: SpaceNotFound, as `get_space`; EnvironmentNotFound.
        """
        place = self.find_place(principal, space, environment)
        return place if place is not None else self._read_place(principal, space, environment)

    def get_environment(self, space: str, environment: str) -> Environment:
        """Returns an environment. Does not check whether the caller may use it. Raises: EnvironmentNotFound."""
        return self._control.get_environment(space, environment)

    def _read_place(self, principal: Principal, space: str, environment: str) -> Place:
        found = self.get_space(principal, space)
        try:
            place = Place(found, self._control.get_environment(space, environment))
        except EnvironmentNotFound as problem:
            raise EnvironmentNotFound(
                f"The space '{found.id}' has no environment '{printable(environment)}'."
            ) from problem
        if len(self._places) >= limits.TOKENS_CACHED_MAX:
            self._places.clear()
        self._places[space, environment] = (place, self._now())
        return place

    def put_catalogue(self, environment: Environment, catalogue: str, *, actor: str = COMMAND_LINE) -> Environment:
        """Opens or closes the catalogue of an environment."""
        space, name = environment.space, environment.name
        organization = self._control.get_space(space).organization
        action = "catalogue closed" if catalogue == "closed" else "catalogue opened"
        changed = self._control.put_catalogue(
            space, name, catalogue, [self._event(organization, actor, action, name, space=space)]
        )
        self._places.pop((space, name), None)
        return changed

    def add_audit_entry(
        self, environment: Environment, action: str, subject: str, detail: dict[str, str], *, actor: str
    ) -> None:
        """Adds an entry about an environment to the audit log."""
        organization, space = self._control.get_space(environment.space).organization, environment.space
        told = {"environment": environment.name, **detail}
        self._control.add_audit_entry(self._event(organization, actor, action, subject, told, space=space))

    def put_retention(self, environment: Environment, seconds: int, *, actor: str = COMMAND_LINE) -> Environment:
        """Sets the retention of history in seconds, 0 for ever. The caller confirms what this deletes."""
        space, name = environment.space, environment.name
        organization = self._control.get_space(space).organization
        detail = {"retention": retention_text(seconds)}
        event = self._event(organization, actor, "retention changed", name, detail, space=space)
        changed = self._control.put_retention(space, name, seconds, [event])
        self._places.pop((space, name), None)
        return changed

    def put_identity(
        self, environment: Environment, settings: IdentitySettings, *, actor: str = COMMAND_LINE
    ) -> Environment:
        """Replaces the settings of links between visitors and users."""
        space, name = environment.space, environment.name
        organization = self._control.get_space(space).organization
        detail = {field: str(value) for field, value in msgspec.structs.asdict(settings).items()}
        event = self._event(organization, actor, "identity settings changed", name, detail, space=space)
        changed = self._control.put_identity(space, name, settings, [event])
        self._places.pop((space, name), None)
        return changed

    def put_time_zone(self, environment: Environment, zone: str, *, actor: str = COMMAND_LINE) -> Environment:
        """Sets the time zone whose days the environment counts. Raises: BodyInvalid, TimeZoneFixed."""
        space, name = environment.space, environment.name
        if find_zone(zone) is None:
            text = printable(zone)
            raise BodyInvalid(f"No time zone is called '{text}'.", field="$.time_zone", value=text, rule=ZONE_RULE)
        if zone == environment.time_zone:
            return environment
        organization = self._control.get_space(space).organization
        detail = {"time_zone": zone, "before": environment.time_zone}
        event = self._event(organization, actor, "time zone changed", name, detail, space=space)
        changed = self._control.put_time_zone(space, name, zone, [event])
        self._places.pop((space, name), None)
        return changed


def scopes_of(permissions: Iterable[Permission]) -> frozenset[Scope]:
    """Returns the scopes that a token can have where its teammate has these permissions."""
    return frozenset[Scope]().union(*(SCOPES_PERMITTED[each] for each in permissions))


def _expired(name: str) -> NotSignedIn:
    return NotSignedIn(f"The access token '{name}' has expired.")
