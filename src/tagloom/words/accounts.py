"""Access tokens, teammates, sessions and the audit log."""

from typing import Literal, get_args

import msgspec

Scope = Literal[
    "tags:read",
    "tags:write",
    "people:read",
    "people:write",
    "tribes:read",
    "tribes:write",
    "events:read",
    "events:write",
    "decisions",
    "admin",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
Permission = Literal["view", "tribes", "developer"]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A personal access token without its secret. Times are RFC 3339 UTC."""

    id: str
    organization: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: str
    expires_at: str
    last_used_at: str | None = None
    account: str | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One person who signs in, to one or more organizations. The e-mail is stored as it was typed."""

    id: str
    email: str
    name: str
    created_at: str
    last_signed_in_at: str | None = None
    has_password: bool = True


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """An account in an organization, with its permissions in each space. An administrator can do everything.

    `tribes` and `developer` always come with `view`. The account does not see a space without permissions.
    """

    organization: str
    account: str
    is_administrator: bool
    state: Literal["active", "inactive"]
    joined_at: str
    last_seen_at: str | None = None
    permissions: dict[str, tuple[Permission, ...]] = {}


class Teammate(msgspec.Struct, frozen=True):
    """An account with its membership of one organization."""

    account: Account
    membership: Membership


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation of a teammate. `invited_by` is an actor. The secret of its link is shown once and stored hashed."""

    id: str
    organization: str
    email: str
    is_administrator: bool
    permissions: dict[str, tuple[Permission, ...]]
    invited_by: str
    created_at: str
    expires_at: str


class Reset(msgspec.Struct, frozen=True):
    """A link that sets a new password of an account, once. Its secret is stored as a hash."""

    account: str
    expires_at: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One browser that is signed in, with the organization that is selected in it. `agent` is its User-Agent.

    The session expires at `expires_at`, or if it was not used for SESSION_SECONDS_IDLE_MAX.
    """

    id: str
    account: str
    organization: str
    created_at: str
    last_seen_at: str
    expires_at: str
    address: str = ""
    agent: str = ""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One action of a teammate on the organization. Ids ascend; the id is 0 before the entry is stored.

    `action` is a past-tense word such as `invited`; `subject` is its object.
    """

    organization: str
    at: str
    actor: str
    action: str
    subject: str
    space: str | None = None
    detail: dict[str, str] = {}
    id: int = 0
