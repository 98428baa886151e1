"""The port that reads people and their taggings."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from tagloom.ports.pages import Page
from tagloom.words.catalogue import Match
from tagloom.words.changes import Version
from tagloom.words.people import Kind, OpenLink, Person, PersonRecord
from tagloom.words.rules import Definition
from tagloom.words.tags import TagPath


class PeopleReads(Protocol):
    """The reads about the people of one environment."""

    # `as_of` is an earlier version. 0 is the state before the first version. The answer has the taggings and the people
    # of that version, with the current paths of the tags. An erased person is counted and has no id. If there is no
    # such version, ChangeNotFound is raised.
    #
    # A linked person is no person of its own: lists, counts and tribes leave it out, and its id means the user, in
    # every read that names a person. Only `list_changes` reads the changes of the id itself. With `as_of`, the links
    # are those of the version.

    def find_person(self, person: Person, *, as_of: Version | None = None) -> PersonRecord | None:
        """Returns a person with their tags, or None if the person is unknown."""

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

        `search_match` is exact, prefix or substring. If they are given, `kind` selects users or visitors, `tag` selects
        the people with a tag, and `tribe` selects its members, by the definitions in `tribes`.
        """

    def list_open_links(self, *, limit: int, cursor: str | None = None) -> Page[OpenLink]:
        """Returns the links about which a teammate must decide, in the order of creation of the linked people.

        Raises: CursorInvalid.
        """

    def people_with(
        self, tag: TagPath, match: Match, *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """Returns a version, and all people with a tag as of that version, a chunk at a time.

        Raises: TagNotFound. With `as_of`, it is raised only if the path never was a tag.
        """

    def taggings(self) -> tuple[Version, Iterator[Sequence[tuple[Person, TagPath]]]]:
        """Returns a version, and all taggings as of that version, person by person, a chunk of people at a time."""
