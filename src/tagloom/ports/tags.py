"""The port that reads the catalogue of tags."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tagloom.ports.pages import Page
from tagloom.words.catalogue import Branch, Source, Tag
from tagloom.words.tags import TagPath


class TagReads(Protocol):
    """The reads of the catalogue of one environment. Each tag has the number of people with the tag."""

    def list_tags(
        self, *, search: str = "", prefix: TagPath | None = None, limit: int, cursor: str | None = None
    ) -> Page[Tag]:
        """Returns a page of the catalogue in code point order, with implied branches.

        `search` is a substring of the path, in upper or lower case. With `prefix`, only tags at or below it are listed.
        """

    def children(self, prefix: TagPath | None, *, limit: int, cursor: str | None = None) -> Page[Branch]:
        """Returns the entries one level below a branch in code point order, and their number.

        If `prefix` is None, returns the first level. An unknown branch has no entries.
        """

    def get_tag(self, tag: TagPath) -> Tag:
        """Returns one entry.

        Raises: TagNotFound, which has similar tags; TagIsAlias, which has the current path.
        """

    def resolve(self, tag: TagPath) -> TagPath:
        """Returns the current path of a tag after renames."""

    def aliases(self) -> Mapping[TagPath, TagPath]:
        """Returns every alias with its target."""

    def nearest(self, tag: str) -> list[str]:
        """Returns known tags that are similar to this text."""

    def sources(self, tag: TagPath, *, limit: int) -> tuple[Source, ...]:
        """Returns the sources that added and removed tags at or below `tag`, the most recent first."""

    def users_at(self, tags: Sequence[TagPath], moments: Sequence[str]) -> dict[TagPath, tuple[int | None, ...]]:
        """Returns how many people had exactly each tag just before each moment, and how many have it now.

        The moments and the results have the form of `trend`.
        """

    def owned_branch(self, tag: TagPath) -> tuple[TagPath, str] | None:
        """Returns the nearest branch at or above a tag that has an owner, and the owner. Does not count people."""

    def exclusive_branches(self, tag: TagPath) -> tuple[TagPath, ...]:
        """Returns the exclusive branches at or above a path, the nearest first."""
