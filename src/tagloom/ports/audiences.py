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
    """Whom the rules of tribes find in one environment. Each answer is true for one version."""

    # `as_of` asks about an earlier version, 0 for before the first: today's rule on the taggings and the people of that
    # version, with the names that their tags have today. An erased person is counted and has no name.
    # Raises ChangeNotFound when there is no such version.

    def count(self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None) -> Count:
        """How many are in the tribe, and in its audience."""

    def sample(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, limit: int, as_of: Version | None = None
    ) -> tuple[Person, ...]:
        """Some members, spread over the population, the same ones for the same version."""

    def members(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """All members in the order they came, a chunk at a time, as of the version given."""

    def overlap(
        self, chosen: Sequence[str], tribes: Mapping[str, Definition]
    ) -> tuple[Version, tuple[OverlapRegion, ...]]:
        """How many people are in exactly which of the chosen tribes, the largest regions first.

        Regions without people are left out, and so are the people in none of the tribes.
        """

    def compare(
        self, wanted: Definition, saved: Definition | None, tribes: Mapping[str, Definition], *, limit: int
    ) -> Difference:
        """Whom a wanted rule finds and a saved one does not, and the other way round; `saved` None finds nobody.

        Of each group up to `limit` people are shown, the same ones for the same version.
        """

    def make_up(self, wanted: Definition, tribes: Mapping[str, Definition], *, limit: int) -> MakeUp:
        """The `limit` tags most borne by those whom the rule finds, by the tag itself; none that nobody bears.

        Costs one intersection a tag that has enough bearers to be among them.
        """

    def trend(
        self, wanted: Sequence[Definition], tribes: Mapping[str, Definition], moments: Sequence[str]
    ) -> tuple[tuple[int | None, ...], ...]:
        """For each rule, how many people it found just before each of these moments, and now: one number more.

        None stands for a moment before the horizon, of which nothing is known.

        Moments are RFC 3339 UTC with milliseconds, ascending. Asked is today's rule about the taggings and the people
        of that time. Tags are called what they are called today: a merged one by what it was merged into, a dropped
        one by its last name. Costs one walk backwards through the changes of the rows that the rules need.
        """

    def decide_many(
        self, people: Sequence[Person], tribes: Mapping[str, Definition], *, because: bool
    ) -> tuple[Version, tuple[Decision, ...]]:
        """The decisions for several people in their order, all as of one version."""

    def decide(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision:
        """The tribes the person is in. A person not known is decided as one who bears nothing.

        In every question about tribes, a rule's tag is what its path stands for after renames.
        """

    def find_decision(self, person: Person, tribes: Mapping[str, Definition], *, because: bool) -> Decision | None:
        """What `decide` would answer, when that can be told without waiting for the store or for another thread."""
