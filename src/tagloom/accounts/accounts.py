"""Accounts: the first run, signing in, joining by invitation, passwords.

A page calls `needs_set_up`, then `begin_set_up` and `set_up`, or else `sign_in`. The link of an invitation leads to
`get_invitation` and `join` or `join_as`; the link to a new password leads to `check_reset` and `reset_password`.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec
from msgspec.structs import replace

from tagloom.accounts.access_tokens import COMMAND_LINE
from tagloom.accounts.login_throttle import UNKNOWN, LoginThrottle, network_of
from tagloom.accounts.passwords import Passwords
from tagloom.accounts.problems import SignInFailed, SignInNeeded, TooManyAttempts
from tagloom.accounts.sessions import Opened, Sessions, SignedIn
from tagloom.base import limits
from tagloom.base.secrets import hashed, new_id, new_secret
from tagloom.base.slugs import parse_name
from tagloom.base.text import printable
from tagloom.base.times import rfc3339
from tagloom.ports.accounts import AccountStore
from tagloom.ports.problems import (
    IdentityRefused,
    InvitationNotFound,
    ResetNotFound,
    SetUpCodeWrong,
    SetUpDone,
    TeammateExists,
)
from tagloom.ports.sessions import SessionStore
from tagloom.ports.teammates import InvitationStore, MembershipStore
from tagloom.ports.tenants import TenantStore
from tagloom.words.accounts import Account, AuditEntry, Invitation, Membership
from tagloom.words.emails import email_key, parse_email
from tagloom.words.problems import EmailInvalid
from tagloom.words.tenants import Organization

NO_EMAIL = "none"


class Invited(msgspec.Struct, frozen=True):
    """The parts of an invitation that the page of its link shows."""

    invitation: Invitation
    organization: Organization


class ClientInfo(msgspec.Struct, frozen=True):
    """The origin of a request without a session: address, browser, and an old cookie."""

    address: str
    agent: str = ""
    cookie: str | None = None


class AccountStores(AccountStore, InvitationStore, MembershipStore, SessionStore, TenantStore, Protocol):
    """The stores that signing in needs."""


class Accounts:
    """Accounts of one installation. Methods with a password take 0.1 s of a core: call them in a thread.

    `now` returns Unix seconds.
    """

    def __init__(
        self,
        control: AccountStores,
        passwords: Passwords,
        *,
        throttle: LoginThrottle | None = None,
        now: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._control = control
        self._passwords = passwords
        self._throttle = throttle or LoginThrottle(now)
        self._sessions = Sessions(control, now, random_bytes)
        self._now = now
        self._random_bytes = random_bytes

    # The first run.

    def needs_set_up(self) -> bool:
        """Returns whether there is no account yet."""
        return not self._control.has_accounts()

    def new_set_up_code(self) -> str | None:
        """Returns a new set-up code, and invalidates earlier ones. None if there is an account."""
        code = new_secret(self._random_bytes)
        try:
            self._control.put_set_up_code(hashed(code))
        except SetUpDone:
            return None
        return code

    def begin_set_up(self, code: str) -> None:
        """Checks that an installation can be set up with this code. Raises: SetUpDone; SetUpCodeWrong."""
        # The code must be read before the accounts. In the other order, a set-up that completes between the two reads
        # would raise SetUpCodeWrong instead of SetUpDone.
        is_right = self._control.is_set_up_code(hashed(code))
        if self._control.has_accounts():
            raise SetUpDone("There is an account already. Sign in, or ask for an invitation.")
        if not is_right:
            raise SetUpCodeWrong("The server prints an address with a new code at each start; use the newest one.")

    def set_up(
        self, code: str, *, email: str, name: str, password: str, organization: str, space: str, client: ClientInfo
    ) -> Opened:
        """Creates the first account, an administrator, and names the organization and its space.

        If several callers do this at once, one succeeds.
        Raises: SetUpDone, SetUpCodeWrong, EmailInvalid, PasswordInvalid, BodyInvalid (a name).
        """
        self.begin_set_up(code)
        account = self._new_account(email, name)
        for text, field in ((organization, "$.organization"), (space, "$.space")):
            parse_name(text, field=field, characters_max=limits.CHARACTERS_PER_NAME_MAX)
        own = (organization, space)
        self._passwords.check(password, email=account.email, name=account.name, organizations=own)
        home = self._control.list_organizations()[0]
        first = self._control.list_spaces(home.id)[0]
        membership = Membership(
            organization=home.id,
            account=account.id,
            is_administrator=True,
            state="active",
            joined_at=account.created_at,
        )
        self._control.set_up(
            hashed(code),
            account,
            self._passwords.hash(password),
            membership,
            organization=replace(home, name=organization),
            space=replace(first, name=space),
            audit=[self._event(home.id, account.email, "set up", organization, {"space": space})],
        )
        return self._open(account, "password", client)

    # Signing in.

    def sign_in(self, email: str, password: str, client: ClientInfo) -> Opened:
        """Signs in with an e-mail and a password.

        Raises: SignInFailed, the same whether the account exists or not; TooManyAttempts; NoOrganization.
        """
        return self._open(self._verified(email, password, client), "password", client)

    def sign_in_by_identity(
        self, issuer: str, subject: str, *, email: str | None, email_verified: bool, name: str, client: ClientInfo
    ) -> Opened:
        """Signs in with an identity of an OpenID Connect provider.

        A known identity belongs to an account. For an unknown identity, the verified e-mail selects the account: the
        account with this e-mail, or a new account if the e-mail has pending invitations. Then the identity is stored,
        and a password of the account is deleted, because its owner never proved that the e-mail is theirs.

        Raises: IdentityRefused, NoOrganization.
        """
        known = self._control.find_identity(issuer, subject)
        account = None if known is None else self._control.find_account(known)
        if account is None:
            account = self._linked(issuer, subject, email if email_verified else None, name)
        return self._open(account, "identity", client)

    def _linked(self, issuer: str, subject: str, email: str | None, name: str) -> Account:
        """Returns the account of a verified e-mail; creates one if there are invitations. Raises: IdentityRefused."""
        if email is None:
            raise IdentityRefused("The provider does not confirm the e-mail. Ask its operator.")
        account = self._control.find_account_of(parse_email(email))
        now = rfc3339(self._now())
        pending = [each for each in self._control.list_invitations_to(email) if each.expires_at > now]
        if account is None and not pending:
            raise IdentityRefused(
                f"Nobody has invited '{printable(email)}'. Ask an administrator for an invitation.", value=email
            )
        if account is None:
            account = self._new_account(email, name.strip() or email.partition("@")[0], has_password=False)
        for invitation in pending:
            # The invitation may have been used, revoked or replaced meanwhile. The search for the account below decides
            # then.
            with suppress(InvitationNotFound, TeammateExists):
                self._accept(invitation, account, None)
        found = self._control.find_account_of(email)
        if found is None:
            raise IdentityRefused("The invitation was revoked at this moment.")
        linked = [
            self._event(each.organization, found.email, "identity linked", found.email, {"issuer": issuer})
            for each in self._control.list_memberships(found.id)
        ]
        self._control.add_identity(issuer, subject, found.id, now, linked)
        return found

    # Joining.

    def get_invitation(self, secret: str) -> Invited:
        """Returns the invitation of a link. Raises: InvitationNotFound: the link is wrong, used, revoked or expired."""
        invitation = self._control.find_invitation(hashed(secret))
        if invitation is None or invitation.expires_at <= rfc3339(self._now()):
            raise InvitationNotFound("Ask who has invited you for a new link.")
        organizations = {each.id: each for each in self._control.list_organizations()}
        return Invited(invitation, organizations[invitation.organization])

    def join(self, secret: str, *, name: str, password: str, client: ClientInfo) -> Opened:
        """Accepts an invitation with a password: that of the existing account, or a new one for a new account.

        Raises:
            InvitationNotFound; PasswordInvalid, BodyInvalid (the name): for a new account;
            SignInFailed, TooManyAttempts: the e-mail has an account, and this is not its password.
        """
        invited = self.get_invitation(secret)
        invitation = invited.invitation
        if self._control.find_account_of(invitation.email) is not None:
            account = self._verified(invitation.email, password, client)
            self._accept(invitation, account, None)
        else:
            account = self._new_account(invitation.email, name)
            own = (invited.organization.name,)
            self._passwords.check(password, email=account.email, name=account.name, organizations=own)
            self._accept(invitation, account, self._passwords.hash(password))
        return self._open(account, "password", client, invitation.organization)

    def join_as(self, by: SignedIn, secret: str) -> SignedIn:
        """Accepts an invitation to the e-mail of the session's account, and chooses its organization.

        Raises: InvitationNotFound, also when it is for another e-mail.
        """
        invitation = self.get_invitation(secret).invitation
        if email_key(invitation.email) != email_key(by.account.email):
            raise InvitationNotFound(f"This invitation is not for {by.account.email}.")
        self._accept(invitation, by.account, None)
        return self._sessions.switch(by, invitation.organization)

    def _accept(self, invitation: Invitation, account: Account, password_hash: str | None) -> None:
        now = rfc3339(self._now())
        joined = self._event(
            invitation.organization, account.email, "joined", account.email, {"invited_by": invitation.invited_by}
        )
        self._control.accept_invitation(invitation.id, account, password_hash, now, [joined])

    # Passwords and names.

    def change_password(self, by: SignedIn, *, current: str, new: str, client: ClientInfo) -> Opened:
        """Sets a new password, deletes the account's other sessions, and renews the secret of this session.

        For an account without a password, `current` is empty.
        Raises: SignInFailed: `current` is wrong; TooManyAttempts, PasswordInvalid.
        """
        account = self._control.find_account(by.account.id)
        if account is None:
            raise SignInNeeded("The account is gone.")
        self._check_password(new, account)
        if account.has_password:
            self._verified(account.email, current, client)
        secret = new_secret(self._random_bytes)
        self._control.put_password(
            account.id,
            self._passwords.hash(new),
            keeps=by.session.id,
            secret_hash=hashed(secret),
            audit=self._audit(account, "password changed", by.actor),
        )
        return Opened(self._sessions.renewed(by), secret)

    def check_reset(self, secret: str) -> Account:
        """Returns the account of a reset link. Raises: ResetNotFound: the link is wrong, used or expired."""
        reset = self._control.find_reset(hashed(secret))
        account = None
        if reset is not None and reset.expires_at > rfc3339(self._now()):
            account = self._control.find_account(reset.account)
        if account is None:
            raise ResetNotFound("Ask an administrator for a new link.")
        return account

    def reset_password(self, secret: str, password: str) -> Account:
        """Sets the password, and deletes the link and every session of the account.

        Raises: ResetNotFound, PasswordInvalid.
        """
        account = self.check_reset(secret)
        self._check_password(password, account)
        entry = self._audit(account, "password reset", account.email)
        self._control.use_reset(hashed(secret), self._passwords.hash(password), rfc3339(self._now()), entry)
        return account

    def rename(self, by: SignedIn, name: str) -> SignedIn:
        """Renames the account. Raises: BodyInvalid."""
        self._control.put_account_name(by.account.id, _parse_person_name(name))
        return self._sessions.renewed(by)

    # For the operator.

    def put_administrator(self, organization: str, *, email: str, name: str, password: str) -> Account:
        """Creates or updates an active administrator with this e-mail and password, for the demonstration.

        Raises: EmailInvalid, PasswordInvalid, BodyInvalid (the name).
        """
        self._passwords.check(password, email=email, name=name)
        password_hash = self._passwords.hash(password)
        account = self._control.find_account_of(email)
        if account is None:
            account = self._new_account(email, name)
            membership = Membership(
                organization=organization,
                account=account.id,
                is_administrator=True,
                state="active",
                joined_at=account.created_at,
            )
            made = self._event(organization, COMMAND_LINE, "administrator made", account.email)
            self._control.add_account(account, password_hash, membership, [made])
            return account
        changed = self._audit(account, "password changed", COMMAND_LINE)
        self._control.put_password(account.id, password_hash, audit=changed)
        self._control.put_administrator(organization, account.id, True)
        self._control.put_state(organization, account.id, "active")
        return account

    # Helpers of several methods above.

    def _check_password(self, password: str, account: Account) -> None:
        """Checks a new password. Raises: PasswordInvalid, PasswordTooEasy."""
        joined = {each.organization for each in self._control.list_memberships(account.id)}
        names = [each.name for each in self._control.list_organizations() if each.id in joined]
        self._passwords.check(password, email=account.email, name=account.name, organizations=names)

    def _verified(self, email: str, password: str, client: ClientInfo) -> Account:
        """Returns the account of an e-mail and a password. Raises: SignInFailed, TooManyAttempts."""
        try:
            key = email_key(parse_email(email))
        except EmailInvalid:
            key = NO_EMAIL  # No account has this e-mail. The attempt fails like one with any unknown e-mail.
        # The queries and the hashing are the same with and without an account, so that the duration does not reveal
        # whether an account exists.
        account = self._control.find_account_of(key)
        known = self._control.list_sessions("" if account is None else account.id)
        network = network_of(client.address)
        is_familiar = network != UNKNOWN and any(network_of(each.address) == network for each in known)
        self._throttle.begin(key, client.address, is_familiar=is_familiar)
        password_hash = self._control.find_password_hash("" if account is None else account.id)
        try:
            is_right = self._passwords.verify(password, password_hash)
        except TooManyAttempts:
            self._throttle.withdraw(key, client.address, is_familiar=is_familiar)
            raise
        if account is None or password_hash is None or not is_right:
            raise SignInFailed("The e-mail or the password is wrong.")
        self._throttle.succeed(key, client.address, is_familiar=is_familiar)
        if self._passwords.is_outdated(password_hash):
            self._control.replace_password_hash(account.id, password_hash, self._passwords.hash(password))
        return account

    def _open(self, account: Account, how: str, client: ClientInfo, organization: str | None = None) -> Opened:
        return self._sessions.open(
            account,
            how=how,
            address=client.address,
            agent=client.agent,
            previous=client.cookie,
            organization=organization,
        )

    def _new_account(self, email: str, name: str, *, has_password: bool = True) -> Account:
        return Account(
            id=new_id(self._random_bytes),
            email=parse_email(email),
            name=_parse_person_name(name),
            created_at=rfc3339(self._now()),
            has_password=has_password,
        )

    def _audit(self, account: Account, action: str, actor: str) -> list[AuditEntry]:
        """Returns the audit entries of an account, one for each of its organizations."""
        memberships = self._control.list_memberships(account.id)
        return [self._event(each.organization, actor, action, account.email) for each in memberships]

    def _event(
        self, organization: str, actor: str, action: str, subject: str, detail: dict[str, str] | None = None
    ) -> AuditEntry:
        at = rfc3339(self._now())
        return AuditEntry(
            organization=organization, at=at, actor=actor, action=action, subject=subject, detail=detail or {}
        )


def _parse_person_name(name: str) -> str:
    return parse_name(name.strip(), field="$.name", characters_max=limits.CHARACTERS_PER_NAME_MAX)
