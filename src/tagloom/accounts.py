"""Accounts: the first run, signing in, joining by invitation, passwords.

What a page does: `needs_set_up` leads to `begin_set_up` and `set_up`; otherwise `sign_in`. `get_invitation` and `join`
or `join_as` stand behind the link of an invitation, `check_reset` and `reset_password` behind that of a new password.
"""

import secrets
import time
from collections.abc import Callable

import msgspec

from tagloom.attempts import Attempts
from tagloom.model import Account, Invitation, Organization
from tagloom.passwords import Passwords
from tagloom.sessions import Opened, Sessions, SignedIn
from tagloom.store.port import Control


class Invited(msgspec.Struct, frozen=True):
    """What the bearer of an invitation's link may know of it."""

    invitation: Invitation
    organization: Organization


class Visitor(msgspec.Struct, frozen=True):
    """From where somebody asks who is not signed in yet: address, browser, and the cookie they still have."""

    address: str
    agent: str = ""
    cookie: str | None = None


class Accounts:
    """Accounts of one installation. Methods with a password take 0.1 s of a core: call them in a thread.

    `now` tells Unix seconds.
    """

    def __init__(
        self,
        control: Control,
        passwords: Passwords,
        *,
        attempts: Attempts | None = None,
        now: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None: ...

    # The first run.

    def needs_set_up(self) -> bool:
        """Whether nobody has an account yet."""

    def new_set_up_code(self) -> str | None:
        """A new code, which ends every earlier one; None when there is an account. For the start of the server."""

    def begin_set_up(self, code: str) -> None:
        """Raises: SetUpDone; SetUpCodeWrong."""

    def set_up(
        self, code: str, *, email: str, name: str, password: str, organization: str, space: str, visitor: Visitor
    ) -> Opened:
        """Makes the first account, an administrator, and names the organization and its space. One of many wins.

        Raises: SetUpDone, SetUpCodeWrong, EmailInvalid, PasswordInvalid, BodyInvalid (a name).
        """

    # Signing in.

    def sign_in(self, email: str, password: str, visitor: Visitor) -> Opened:
        """Raises: SignInFailed, the same whether the account exists or not; TooManyAttempts; NoOrganization."""

    def sign_in_by_identity(
        self, issuer: str, subject: str, *, email: str | None, email_verified: bool, name: str, visitor: Visitor
    ) -> Opened:
        """Signs in whom an OpenID Connect provider vouches for.

        A known identity opens its account. Else a verified e-mail opens the account that has it, or a new one for its
        pending invitations, and the identity is remembered; a password that was set before is dropped then.

        Raises: IdentityRefused, NoOrganization.
        """

    # Joining.

    def get_invitation(self, secret: str) -> Invited:
        """What the link of an invitation leads to. Raises: InvitationNotFound: wrong, used, revoked or expired."""

    def join(self, secret: str, *, name: str, password: str, visitor: Visitor) -> Opened:
        """Accepts an invitation with a password: a new one makes the account, that of an existing account is asked for.

        Raises:
            InvitationNotFound; PasswordInvalid, BodyInvalid (the name): for a new account;
            SignInFailed, TooManyAttempts: the e-mail has an account, and this is not its password.
        """

    def join_as(self, by: SignedIn, secret: str) -> SignedIn:
        """Accepts an invitation to the e-mail of who is signed in, and chooses its organization.

        Raises: InvitationNotFound, also when it is for another e-mail.
        """

    # Passwords and names.

    def change_password(self, by: SignedIn, *, current: str, new: str, visitor: Visitor) -> Opened:
        """Sets a new password, ends the account's other sessions, and gives this one a new secret for its cookie.

        An account without a password (it signs in by an identity) gives an empty `current`.
        Raises: SignInFailed (the current one), TooManyAttempts, PasswordInvalid.
        """

    def check_reset(self, secret: str) -> Account:
        """Whose password the link changes. Raises: ResetNotFound: wrong, used or expired."""

    def reset_password(self, secret: str, password: str) -> Account:
        """Sets the password, ends the link and every session of the account; then one signs in.

        Raises: ResetNotFound, PasswordInvalid.
        """

    def rename(self, by: SignedIn, name: str) -> SignedIn:
        """Changes the account's name. Raises: BodyInvalid."""
