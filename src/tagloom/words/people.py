"""Users and visitors, and the tags of one of them."""

from typing import Any, Literal, NewType

import msgspec

from tagloom.words.changes import Version
from tagloom.words.expiry import moment_text
from tagloom.words.periods import Term
from tagloom.words.tags import TagPath

Kind = Literal["user", "visitor"]
KINDS: tuple[Kind, Kind] = ("user", "visitor")
Ordinal = NewType("Ordinal", int)


class Person(msgspec.Struct, frozen=True, order=True):
    """One end user, signed in or anonymous. User ids and visitor ids are separate name spaces."""

    kind: Kind
    id: str


def user_and_visitor(person: Person) -> tuple[str | None, str | None]:
    """Returns the cells of a person in the columns `user` and `visitor` of a table. One of them is None.

    >>> user_and_visitor(Person("visitor", "v1"))
    (None, 'v1')
    """
    return (person.id, None) if person.kind == "user" else (None, person.id)


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A person who is linked to a user: a visitor, or a user who was joined.

    `linked_on` is the day (UTC) of the link, such as `2026-11-30`. `is_proven` tells that the sender of the event
    proved the id of the user. `is_open` tells that a teammate must decide about the tags and attributes that the person
    had, see `LinkPolicy`.
    """

    kind: Kind
    id: str
    linked_on: str
    is_proven: bool = False
    is_open: bool = False


class OpenLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link about which a teammate must decide, with the tags and attributes that the person had.

    `scheduled` are the tags that the person was to get later. All are empty if the history of the link is compacted.
    """

    person: Person
    user: Person
    linked_on: str
    tags: tuple[TagPath, ...] = ()
    attributes: dict[str, Any] = {}
    scheduled: tuple[TagPath, ...] = ()


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """When a tagging starts, and when it then expires; empty for never. Times are RFC 3339 UTC."""

    starts_at: str
    expires_at: str = ""


def scheduled_from(term: Term) -> Scheduled:
    """Returns the times of a term."""
    return Scheduled(starts_at=moment_text(term.start), expires_at=moment_text(term.expires) if term.expires else "")


class PersonRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person with their tags and attributes in alphabetical order, as of `version`.

    `expires_at` has the expiry of the taggings that have one, and `scheduled` the tags that the person gets later. Both
    are empty for an earlier version. `attributes` has
    plain JSON values by name. `identities` has the people who are linked to a user, by kind and id. A list of people
    has neither. `joined_at` is the attribute of this name, for the record of one person. The record of a linked person
    is that of the user.
    """

    kind: Kind
    id: str
    tags: tuple[TagPath, ...]
    version: Version
    expires_at: dict[TagPath, str] = {}
    attributes: dict[str, Any] = {}
    identities: tuple[Identity, ...] = ()
    joined_at: str | None = None
    scheduled: dict[TagPath, Scheduled] = {}
