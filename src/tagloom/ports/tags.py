"""Reads about the tag catalogue."""

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
        """The catalogue in code point order, implied branches included.

        `search` is a substring of the path; its capitals do not count.
        """

    def children(self, prefix: TagPath | None, *, limit: int, cursor: str | None = None) -> Page[Branch]:
        """The entries one level below a branch (None: the first level) in code point order, with their number.

        A branch that is not there has none.
        """

    def get_tag(self, tag: TagPath) -> Tag:
        """One entry. Raises: TagNotFound, with the nearest; TagIsAlias, with the path it is now."""

    def resolve(self, tag: TagPath) -> TagPath:
        """The path that this one stands for after renames."""

    def aliases(self) -> Mapping[TagPath, TagPath]:
        """Every alias and the path it was given for."""

    def nearest(self, tag: str) -> list[str]:
        """Known tags that look like this text."""

    def sources(self, tag: TagPath, *, limit: int) -> tuple[Source, ...]:
        """Which actors gave and took the tag and what is below it, and from what: the last to do so first."""

    def users_at(self, tags: Sequence[TagPath], moments: Sequence[str]) -> dict[TagPath, tuple[int | None, ...]]:
        """How many people bore each tag itself just before each of these moments, and now; see `trend`."""

    def owned_branch(self, tag: TagPath) -> tuple[TagPath, str] | None:
        """The nearest branch at or above the tag that somebody owns, and the owner. Costs no count."""

    def exclusive_branches(self, tag: TagPath) -> tuple[TagPath, ...]:
        """The branches at or above a path that allow a person one tag only, the nearest first."""
