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

    # `as_of` asks about an earlier version, 0 for before the first: today's rule on the taggings and the people of that
    # version, with the names that their tags have today. An erased person is counted and has no name.
    # Raises ChangeNotFound when there is no such version.

    def find_person(self, person: Person, *, as_of: Version | None = None) -> PersonRecord | None:
        """The person with their tags, or None."""

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
        """People in the order they came, whose id is, begins with or contains `search` (exact, prefix, substring).

        Without a `kind`, users and visitors; with a `tribe`, only its members, by the definitions in `tribes`.
        """

    def people_with(
        self, tag: TagPath, match: Match, *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """All who bear the tag, a chunk at a time. Raises: TagNotFound; of the past, when no tag was ever called so."""

    def taggings(self) -> tuple[Version, Iterator[Sequence[tuple[Person, TagPath]]]]:
        """Every tagging, person by person, a chunk of people at a time."""
