"""Reads of the tag catalogue."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tagloom.ports.pages import Page
from tagloom.words.model import (
    Branch,
    Source,
    Tag,
)
from tagloom.words.tags import TagPath


class TagReads(Protocol):
    """The tag catalogue of one environment, with the number of people for each tag."""

    def list_tags(
        self, *, search: str = "", prefix: TagPath | None = None, limit: int, cursor: str | None = None
    ) -> Page[Tag]:
        """Returns the catalogue in code point order, with implied branches.

        `search` is a substring of the path, in any case.
        """

    def children(self, prefix: TagPath | None, *, limit: int, cursor: str | None = None) -> Page[Branch]:
        """Returns the entries one level below a branch (None: the first level) in code point order, with their number.

        An unknown branch has none.
        """

    def get_tag(self, tag: TagPath) -> Tag:
        """Returns one entry. Raises: TagNotFound, with similar tags; TagIsAlias, with the current path."""

    def resolve(self, tag: TagPath) -> TagPath:
        """Returns the current path of a tag after renames."""

    def aliases(self) -> Mapping[TagPath, TagPath]:
        """Returns every alias with its target."""

    def nearest(self, tag: str) -> list[str]:
        """Returns known tags that are similar to this text."""

    def sources(self, tag: TagPath, *, limit: int) -> tuple[Source, ...]:
        """Returns who added and removed tags at or below `tag`, by actor and source, the most recent first."""

    def users_at(self, tags: Sequence[TagPath], moments: Sequence[str]) -> dict[TagPath, tuple[int | None, ...]]:
        """Returns how many people had exactly each tag just before each of these moments, and now; see `trend`."""

    def owned_branch(self, tag: TagPath) -> tuple[TagPath, str] | None:
        """Returns the nearest branch at or above the tag that has an owner, and the owner. Counts nothing."""

    def exclusive_branches(self, tag: TagPath) -> tuple[TagPath, ...]:
        """Returns the exclusive branches at or above a path, the nearest first."""
