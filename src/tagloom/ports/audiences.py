"""Reads about the people whom rules find."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from tagloom.words.model import (
    Count,
    Decision,
    Difference,
    MakeUp,
    OverlapRegion,
    Person,
    Version,
)
from tagloom.words.rules import Definition


class AudienceReads(Protocol):
    """The members of tribes in one environment. Each answer is of one version."""

    # `as_of` is an earlier version, 0 for before the first: the current rule is applied to the taggings and the people
    # of that version, with the current paths of the tags. An erased person is counted and has no id. Raises
    # ChangeNotFound if there is no such version.

    def count(self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None) -> Count:
        """Counts the members of the tribe, and the people in its audience."""

    def sample(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, limit: int, as_of: Version | None = None
    ) -> tuple[Person, ...]:
        """Returns some members, spread over the population; the same ones for the same version."""

    def members(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """Returns a version, and all members as of it in the order of their creation, a chunk at a time."""

    def overlap(
        self, chosen: Sequence[str], tribes: Mapping[str, Definition]
    ) -> tuple[Version, tuple[OverlapRegion, ...]]:
        """Counts the people in each combination of the chosen tribes, the largest regions first.

        Regions without people are left out, and so are the people in none of the tribes.
        """

    def compare(
        self, wanted: Definition, saved: Definition | None, tribes: Mapping[str, Definition], *, limit: int
    ) -> Difference:
        """Compares the members of a draft rule with those of a saved one; `saved` None has no members.

        Lists up to `limit` people of each group, the same ones for the same version.
        """

    def make_up(self, wanted: Definition, tribes: Mapping[str, Definition], *, limit: int) -> MakeUp:
        """Returns the `limit` most frequent tags of the members of the rule, counted by exact tag.

        Cost: one intersection for each tag with enough people to be among them.
        """

    def trend(
        self, wanted: Sequence[Definition], tribes: Mapping[str, Definition], moments: Sequence[str]
    ) -> tuple[tuple[int | None, ...], ...]:
        """Returns for each rule the number of members just before each of these moments, and one number more for now.

        The number is None for a moment before the horizon.

        Moments are RFC 3339 UTC with milliseconds, ascending. The current rule is applied to the taggings and the
        people of that time, with the current paths of the tags: that of the merge for a merged tag, the last one for a
        deleted tag. Cost: one pass backwards through the changes of the rows that the rules need.
        """

    def decide_many(
        self, people: Sequence[Person], tribes: Mapping[str, Definition], *, because: bool
    ) -> tuple[Version, tuple[Decision, ...]]:
        """Returns the decisions for several people in their order, all of one version."""

    def decide(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision:
        """Returns the tribes of the person. An unknown person is one without tags.

        All reads about tribes resolve the tags of rules after renames.
        """

    def find_decision(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision | None:
        """Returns what `decide` returns, or None if that would wait for the store or for another thread."""
