"""The request that a view gets, and the answers that a view can return."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode

import msgspec

from tagloom.accounts.sessions import SignedIn
from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import printable
from tagloom.console.forms.times import read_moment
from tagloom.console.framework.rendering import segment
from tagloom.ports.problems import EnvironmentNotFound
from tagloom.services import Services
from tagloom.words.accounts import Permission
from tagloom.words.changes import Origin
from tagloom.words.receipts import Receipt
from tagloom.words.tags import TagPath, parse_tag
from tagloom.words.tenants import ENVIRONMENT_NAMES, Environment, Organization, Space

# Who can open a page: anyone, a teammate who is signed in, a teammate with this permission in the space of the
# address, or an administrator of the organization.
Role = Literal["anyone", "teammate", "view", "tribes", "developer", "administrator"]
SOURCE = "console"


class Toast(msgspec.Struct, frozen=True):
    """One line about an action that was done. With a version it has an Undo button. It is shown on one page."""

    text: str
    version: int | None = None
    # The page after an Undo; None is the current page.
    back: str | None = None


class Html(msgspec.Struct, frozen=True):
    """A page or a part of a page: a template and its values."""

    template: str
    context: dict[str, Any]
    status: int = 200
    toast: Toast | None = None
    # The address that the browser shows afterwards; None keeps the current one.
    address: str | None = None
    # The cookie for the identity provider, as in `Redirect`.
    ticket: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Redirect(msgspec.Struct, frozen=True):
    """A redirect to another page."""

    to: str
    toast: Toast | None = None
    # The secret of a new session; empty ends the current session; None keeps it.
    session: str | None = None
    # The cookie that the browser keeps during a sign-in at the identity provider; empty deletes it; None keeps it.
    ticket: str | None = None


class Download(msgspec.Struct, frozen=True):
    """A file that is streamed."""

    name: str
    content_type: str
    chunks: Iterator[bytes]


class Data(msgspec.Struct, frozen=True):
    """JSON for a script of the page."""

    value: Any
    status: int = 200


Answer: TypeAlias = Html | Redirect | Download | Data


@dataclass
class PageRequest:
    """A request as views see it. `enter` has checked that the teammate can open the page."""

    services: Services
    path: str
    query_all: Mapping[str, Sequence[str]]
    form: Mapping[str, Sequence[str]]
    values: Mapping[str, str]
    # The id of the element that htmx will replace; None for a request of a whole page.
    target: str | None
    address: str
    cookies: Mapping[str, str]
    client: str
    agent: str
    secret: str
    ticket: str
    public_url: str
    found: SignedIn | None = None
    found_place: tuple[Space, Environment] | None = None
    # Is set when the browser closes the connection before the answer.
    has_left: threading.Event = field(default_factory=threading.Event)
    # The bytes of an upload as they arrive, and their content type. Other forms are in `form`.
    body: Iterator[bytes] = field(default_factory=lambda: iter(()))
    content_type: str = ""

    # The teammate.

    def enter(self, role: Role) -> None:
        """Finds the session, the space and the environment, and checks the role.

        `found` stays None if nobody is signed in. Raises: SpaceNotFound, EnvironmentNotFound, NotPermitted.
        """
        self.found = self.services.sessions.find(self.secret) if self.secret else None
        if role == "anyone" or self.found is None:
            return
        if "space" in self.values:
            permission: Permission = role if role in ("tribes", "developer") else "view"
            space = self.signed.require(self.values["space"], permission)
            name = self.values["environment"]
            if name not in ENVIRONMENT_NAMES:
                raise EnvironmentNotFound(f"There is no environment '{printable(name)}'.")
            self.found_place = (space, self.services.access.get_environment(space.id, name))
        if role == "administrator":
            self.signed.require_administrator()

    @property
    def signed(self) -> SignedIn:
        """The session of the teammate who is signed in."""
        assert self.found is not None, "the page is for anyone"
        return self.found

    @property
    def origin(self) -> Origin:
        """The actor and the source of writes by this request."""
        return Origin(self.signed.actor, SOURCE)

    def may(self, permission: Permission) -> bool:
        """Returns whether the teammate has `permission` in the space of the address."""
        return self.found_place is not None and self.signed.may(self.space.id, permission)

    @property
    def may_read_people(self) -> bool:
        """Whether the page can show ids of people. As in the API, this needs the scope `people:read`."""
        return self.found_place is not None and "people:read" in self.signed.scopes_in(self.space.id)

    def organizations(self) -> tuple[Organization, ...]:
        """Returns the organizations that the teammate can switch to."""
        return self.services.sessions.list_organizations(self.signed)

    # The space and environment.

    @property
    def space(self) -> Space:
        """The space of the address."""
        assert self.found_place is not None, "the address names no space"
        return self.found_place[0]

    @property
    def environment(self) -> Environment:
        """The environment of the address."""
        assert self.found_place is not None, "the address names no environment"
        return self.found_place[1]

    def page_in_place(self) -> str:
        """Returns the path without space and environment; empty for a page outside of environments."""
        return "/".join(self.path.split("/")[4:]) if self.found_place is not None else ""

    def to(self, page: str, **query: str | int | None) -> str:
        """Returns the address of a page of this environment, without query parameters that are None or empty."""
        return place_address(self.space.id, self.environment.name, page, **query)

    def now(self) -> datetime:
        """Returns the current time."""
        return datetime.fromtimestamp(self.services.now(), UTC)

    # Form and query.

    def text(self, name: str, default: str = "") -> str:
        """Returns a field of the form or, if the form has none, of the query."""
        if name in self.form:
            return self.form[name][0]
        return self.query_all[name][0] if name in self.query_all else default

    def texts(self, name: str) -> Sequence[str]:
        """Returns all values of a field."""
        return self.form.get(name, self.query_all.get(name, ()))

    def moment(self, name: str) -> str | None:
        """Returns the time in a field, which is in UTC; None if the field is empty."""
        typed = read_moment(self.text(name).strip())
        return f"{typed}Z" if typed else None

    def integer(self, name: str) -> int:
        """Returns the whole number in a field. Raises: ParameterInvalid."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise ParameterInvalid(f"'{name}' must be a whole number.", parameter=name)
        return int(text)

    def tag(self, name: str = "tag") -> TagPath:
        """Returns the tag in a field. Raises: TagProblem."""
        return parse_tag(self.text(name))


def place_address(space: str, environment: str, page: str, **query: str | int | None) -> str:
    """Returns the address of a page in an environment."""
    kept = {key: str(value) for key, value in query.items() if value not in (None, "")}
    return f"/s/{segment(space)}/{segment(environment)}/{page}" + (f"?{urlencode(kept)}" if kept else "")


def toast_of(receipt: Receipt, text: str) -> Toast:
    """Returns a toast about a write. It has an Undo if the write changed something."""
    counts = (receipt.added, receipt.removed, receipt.new_people, receipt.new_tags, receipt.renewed)
    more = receipt.attributes, receipt.new_attributes, receipt.scheduled, receipt.unscheduled
    has_effect = any((*counts, *more))
    return Toast(text, receipt.version if has_effect else None)
