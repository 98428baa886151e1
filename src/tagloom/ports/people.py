"""Reads about people and their taggings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from tagloom.ports.pages import Page
from tagloom.words.model import (
    Kind,
    Match,
    Person,
    PersonRecord,
    Version,
)
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath


class PeopleReads(Protocol):
    """The people of one environment."""

    # `as_of` is an earlier version, 0 for before the first: the taggings and the people of that version, with the
    # current paths of the tags. An erased person is counted and has no id. Raises ChangeNotFound if there is no such
    # version.

    def find_person(self, person: Person, *, as_of: Version | None = None) -> PersonRecord | None:
        """Returns the person with their tags, or None."""

    def list_people(
        self,
        *,
        kind: Kind | None,
        search: str = "",
        search_match: str = "substring",
        tag: TagPath | None = None,
        match: Match = "subtree",
        tribe: Definition | None = None,
        tribes: Mapping[str, Definition] = {},
        limit: int,
        cursor: str | None = None,
    ) -> Page[PersonRecord]:
        """Returns people in the order of their creation whose id equals, begins with or contains `search`.

        `search_match` is exact, prefix or substring. Without a `kind`, users and visitors; with a `tribe`, only its
        members, by the definitions in `tribes`.
        """

    def people_with(
        self, tag: TagPath, match: Match, *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """Returns all people with the tag, a chunk at a time.

        Raises: TagNotFound; with `as_of`, only if the path never was a tag.
        """

    def taggings(self) -> tuple[Version, Iterator[Sequence[tuple[Person, TagPath]]]]:
        """Returns every tagging, person by person, a chunk of people at a time."""
