"""The port that reads the members of rules."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from tagloom.words.attributes import AttributeName, Attributes, AttributeType
from tagloom.words.changes import Version
from tagloom.words.context_rules import NO_CONTEXT, Context
from tagloom.words.decisions import Decision
from tagloom.words.people import Person
from tagloom.words.rules import Definition
from tagloom.words.tribes import Count, Difference, MakeUp, OverlapRegion, TribeMetrics


class MembersWithAttributes(NamedTuple):
    """Members and their attributes as of a version, a chunk at a time, and the types of the attributes by name."""

    version: Version
    types: Mapping[AttributeName, AttributeType]
    chunks: Iterator[Sequence[tuple[Person, Attributes]]]


class AudienceReads(Protocol):
    """The reads about the members of tribes in one environment. Each answer is of one version."""

    # `as_of` is an earlier version. 0 is the state before the first version. The current rule is applied to the
    # taggings and the people of that version, with the current paths of the tags. An erased person is counted and has
    # no id, so the person is in no percent. If there is no such version, ChangeNotFound is raised.
    #
    # Only the decisions read rules that need a context. No other read may get such a rule.

    def count(self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None) -> Count:
        """Counts the members of the tribe, and the people in its audience."""

    def metrics(self, tribe: Definition, tribes: Mapping[str, Definition]) -> TribeMetrics:
        """Counts the members of the tribe who are active, new, at risk and lost.

        Events count for a person as they do for event nodes: those of a linked visitor count for the user. A person is
        new if the person was not known when the last ACTIVE_DAYS days began. The visitors who were linked to a user
        since then do not matter. If there was no version before these days, everybody is new.

        Cost: some bitmap operations. The first call of a process counts the events of AT_RISK_DAYS days, and the
        first call of a day reads who became known since the first of these days.
        """

    def sample(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, limit: int, as_of: Version | None = None
    ) -> tuple[Person, ...]:
        """Returns some members, spread over the population. The result is the same for the same version."""

    def members(
        self, tribe: Definition, tribes: Mapping[str, Definition], *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """Returns a version, and all members as of that version in the order of their creation, a chunk at a time."""

    def members_with_attributes(
        self, tribe: Definition, tribes: Mapping[str, Definition], names: Sequence[AttributeName]
    ) -> MembersWithAttributes:
        """Returns all members in the order of their creation, with some of their attributes.

        Raises: AttributeNotFound.
        """

    def overlap(
        self, chosen: Sequence[str], tribes: Mapping[str, Definition]
    ) -> tuple[Version, tuple[OverlapRegion, ...]]:
        """Counts the people in each combination of the chosen tribes, the largest regions first.

        Regions without people are left out. People in none of the tribes are not counted.
        """

    def compare(
        self, wanted: Definition, saved: Definition | None, tribes: Mapping[str, Definition], *, limit: int
    ) -> Difference:
        """Compares the members of a draft rule with those of a saved rule. If `saved` is None, it has no members.

        Lists up to `limit` people of each group. The result is the same for the same version.
        """

    def make_up(self, wanted: Definition, tribes: Mapping[str, Definition], *, limit: int) -> MakeUp:
        """Returns the `limit` most frequent tags of the members of the rule, counted by exact tag.

        Cost: one intersection for each tag that has enough people to be among the most frequent tags.
        """

    def trend(
        self, wanted: Sequence[Definition], tribes: Mapping[str, Definition], moments: Sequence[str]
    ) -> tuple[tuple[int | None, ...], ...]:
        """Returns for each rule the number of members just before each of these moments, and then the current number.

        The number is None for a moment before the horizon. Moments are RFC 3339 UTC with milliseconds, ascending. The
        current rule is applied to the taggings and the people of each moment, with the current paths of the tags. The
        current path of a merged tag is the path of the tag that it was merged into. The current path of a deleted tag
        is its last path.

        Cost: one pass backwards through the changes of the rows that the rules need.
        """

    def decide_many(
        self,
        people: Sequence[Person],
        tribes: Mapping[str, Definition],
        *,
        because: bool,
        contexts: Sequence[Context] | None = None,
    ) -> tuple[Version, tuple[Decision, ...]]:
        """Returns the decisions for several people in their order, all of one version.

        `contexts` has the context of each person; None if no context was sent.
        """

    def decide(
        self, person: Person, tribes: Mapping[str, Definition], *, because: bool, context: Context = NO_CONTEXT
    ) -> Decision:
        """Returns the tribes of a person. An unknown person counts as a person without tags.

        If a rule names the old path of a renamed tag, the current tag is used. This holds for all reads about tribes.
        """

    def find_decision(
        self, person: Person, tribes: Mapping[str, Definition], *, because: bool, context: Context = NO_CONTEXT
    ) -> Decision | None:
        """Returns the result of `decide`, or None if `decide` would wait for the store or for another thread."""
