"""One request to the console: who visits, where, what they ask; and what a view answers."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import UploadFile

from tagloom.accounts.sessions import SignedIn
from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import printable
from tagloom.console.forms.times import read_moment
from tagloom.console.framework.rendering import segment
from tagloom.ports.population import Population
from tagloom.ports.problems import EnvironmentNotFound
from tagloom.services import Services
from tagloom.words.model import ENVIRONMENT_NAMES, Environment, Organization, Origin, Permission, Receipt, Space
from tagloom.words.tags import TagPath, parse_tag

# Who may open a page: anyone at all, whoever is signed in, whoever has a permission in the space that the address
# names, or an administrator of the organization.
Role = Literal["anyone", "teammate", "view", "tribes", "developer", "administrator"]
SOURCE = "console"


class Toast(msgspec.Struct, frozen=True):
    """One line about what was done; with a version, an Undo beside it. It stays for one page."""

    text: str
    version: int | None = None
    # Where an Undo leads; None stays on the page.
    back: str | None = None


class Html(msgspec.Struct, frozen=True):
    """A page, or a part of one, by its template."""

    template: str
    context: dict[str, Any]
    status: int = 200
    toast: Toast | None = None
    # The address that the browser should show; None leaves it as it is.
    address: str | None = None
    # As of a redirect.
    ticket: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Redirect(msgspec.Struct, frozen=True):
    """Go there, in place of an answer."""

    to: str
    toast: Toast | None = None
    # The secret of a session that has begun; empty ends the one there is.
    session: str | None = None
    # What the browser keeps while it is at the identity provider; empty takes it away.
    ticket: str | None = None


class Download(msgspec.Struct, frozen=True):
    """A file, sent as it is made."""

    name: str
    content_type: str
    chunks: Iterator[bytes]


class Data(msgspec.Struct, frozen=True):
    """Plain JSON for a script of the page."""

    value: Any
    status: int = 200


Answer: TypeAlias = Html | Redirect | Download | Data


@dataclass
class PageRequest:
    """What a view may know of its request. The place is the visitor's, and the page's role is theirs."""

    services: Services
    path: str
    query_all: Mapping[str, Sequence[str]]
    form: Mapping[str, Sequence[str]]
    values: Mapping[str, str]
    # Of a request by htmx: the id of the element that will be replaced; None for a whole page.
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
    # Whether the browser has closed the connection before the answer.
    has_left: threading.Event = field(default_factory=threading.Event)
    # The file of an upload, spooled to disk.
    file: UploadFile | None = None

    # Who.

    def enter(self, role: Role) -> None:
        """Finds out who visits and where, and whether this role is theirs.

        Nobody is signed in afterwards when `found` is None. Raises: SpaceNotFound, EnvironmentNotFound, NotPermitted.
        """
        self.found = self.services.sessions.find(self.secret) if self.secret else None
        if role == "anyone" or self.found is None:
            return
        if "space" in self.values:
            permission: Permission = role if role in ("tribes", "developer") else "view"
            space = self.signed.require(self.values["space"], permission)
            name = self.values["environment"]
            if name not in ENVIRONMENT_NAMES:
                raise EnvironmentNotFound(f"No environment '{printable(name)}' is known.")
            self.found_place = (space, self.services.installation.control.get_environment(space.id, name))
        if role == "administrator":
            self.signed.require_administrator()

    @property
    def signed(self) -> SignedIn:
        """Who is signed in."""
        assert self.found is not None, "the page is for anyone"
        return self.found

    @property
    def origin(self) -> Origin:
        """Who writes, and from what."""
        return Origin(self.signed.actor, SOURCE)

    def may(self, permission: Permission) -> bool:
        """Whether the visitor has a permission in this space."""
        return self.found_place is not None and self.signed.may(self.space.id, permission)

    @property
    def may_read_people(self) -> bool:
        """Whether ids of people may be shown in this space: as the API has it, only with `people:read`."""
        return self.found_place is not None and "people:read" in self.signed.scopes_in(self.space.id)

    def organizations(self) -> tuple[Organization, ...]:
        """Those that the visitor may switch to."""
        return self.services.sessions.list_organizations(self.signed)

    # Where.

    @property
    def space(self) -> Space:
        """The space that the address names."""
        assert self.found_place is not None, "the address names no space"
        return self.found_place[0]

    @property
    def environment(self) -> Environment:
        """The environment that the address names."""
        assert self.found_place is not None, "the address names no environment"
        return self.found_place[1]

    @property
    def population(self) -> Population:
        """Its population."""
        return self.services.population(self.environment)

    def page_in_place(self) -> str:
        """The page of the address without its place; empty for a page of no place."""
        return "/".join(self.path.split("/")[4:]) if self.found_place is not None else ""

    def to(self, page: str, **query: str | int | None) -> str:
        """The address of a page of this environment. Parameters that are None or empty are left out."""
        return place_address(self.space.id, self.environment.name, page, **query)

    def now(self) -> datetime:
        """The time."""
        return datetime.fromtimestamp(self.services.now(), UTC)

    # What is asked.

    def text(self, name: str, default: str = "") -> str:
        """A field of the form, or else of the query, as it was typed."""
        if name in self.form:
            return self.form[name][0]
        return self.query_all[name][0] if name in self.query_all else default

    def texts(self, name: str) -> Sequence[str]:
        """Every value of a field."""
        return self.form.get(name, self.query_all.get(name, ()))

    def moment(self, name: str) -> str | None:
        """The time in a field, which has no zone and is meant in UTC; None when it is empty."""
        typed = read_moment(self.text(name).strip())
        return f"{typed}Z" if typed else None

    def integer(self, name: str) -> int:
        """A whole number. Raises: ParameterInvalid."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise ParameterInvalid(f"'{name}' must be a whole number.", parameter=name)
        return int(text)

    def tag(self, name: str = "tag") -> TagPath:
        """The tag in a field. Raises: TagProblem."""
        return parse_tag(self.text(name))


def place_address(space: str, environment: str, page: str, **query: str | int | None) -> str:
    """The address of a page in an environment."""
    kept = {key: str(value) for key, value in query.items() if value not in (None, "")}
    return f"/s/{segment(space)}/{segment(environment)}/{page}" + (f"?{urlencode(kept)}" if kept else "")


def told(receipt: Receipt, text: str) -> Toast:
    """A toast about a batch; without an Undo when nothing was done."""
    has_effect = bool(receipt.added or receipt.removed or receipt.new_people or receipt.new_tags or receipt.renewed)
    return Toast(text, receipt.version if has_effect else None)
