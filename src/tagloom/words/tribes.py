"""Tribes, their sizes and their members."""

from typing import Literal

import msgspec

from tagloom.words.changes import Version
from tagloom.words.people import Person
from tagloom.words.rules import HasTag, Rule
from tagloom.words.tags import TagPath

Audience = Literal["users", "visitors", "everyone"]
# Who can read a tribe as a feature flag. `servers` have an access token.
FlagReaders = Literal["off", "servers"]


class Tribe(msgspec.Struct, frozen=True, kw_only=True):
    """A named audience in a space. `revision` counts the saves of the tribe from 1. The ETag is made of `revision`.

    `flag` says who can read the tribe as a feature flag.
    """

    id: str
    name: str
    rule: Rule
    description: str = ""
    category: str = ""
    audience: Audience = "everyone"
    revision: int = 1
    flag: FlagReaders = "off"


class TribeRecord(Tribe, frozen=True, kw_only=True):
    """A tribe as it is shown. `list` is the tag of a static list; None if the tribe is not a list."""

    list: TagPath | None = None


def list_tag(rule: Rule) -> TagPath | None:
    """Returns the tag of a static list: the rule is exactly this tag. Returns None if the rule is another one.

    >>> list_tag(HasTag("lists/beta", "exact")), list_tag(HasTag("lists/beta"))
    ('lists/beta', None)
    """
    return TagPath(rule.tag) if isinstance(rule, HasTag) and rule.match == "exact" else None


def record_of(tribe: Tribe) -> TribeRecord:
    """Returns a tribe as it is shown."""
    return TribeRecord(**msgspec.structs.asdict(tribe), list=list_tag(tribe.rule))


class TribeChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a tribe. `before` and `after` are None if the tribe did not exist then. Ids ascend."""

    id: int
    at: str
    actor: str
    source: str
    tribe: str
    action: Literal["create", "change", "delete"]
    before: Tribe | None
    after: Tribe | None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """The number of people in a tribe, as of a version. `of` is the number of people in the tribe's audience."""

    count: int
    of: int
    version: Version


class TribeMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """How many members of a tribe are active, new, at risk and lost, as of a version.

    The members are `users` and `visitors`. `active` ones have an event in the last ACTIVE_DAYS days. `at_risk` ones are
    not active, and have an event in the last AT_RISK_DAYS days. `lost` ones have all their events before that. `new`
    ones became known in the last ACTIVE_DAYS days; it is None if the history does not go back so far. `reach` is the
    share of the active people of the audience who are members; None if nobody is active. All days are days in UTC, and
    today is one of them.
    """

    users: int
    visitors: int
    active: int
    new: int | None
    at_risk: int
    lost: int
    reach: float | None
    version: Version


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The difference between the members of a draft rule and the members of the saved rule, as of a version.

    The draft has `count` members, of `of` people in its audience. `entered` people would enter the tribe, and `left`
    people would leave it. `sample`, `entering` and `leaving` list some people of each group, spread over the
    population.
    """

    count: int
    of: int
    version: Version
    sample: tuple[Person, ...]
    entered: int
    left: int
    entering: tuple[Person, ...]
    leaving: tuple[Person, ...]


class TagShare(msgspec.Struct, frozen=True):
    """The number of members who have exactly a tag. `everyone` counts all people of the audience who have the tag."""

    tag: TagPath
    count: int
    everyone: int


class MakeUp(msgspec.Struct, frozen=True, kw_only=True):
    """The tags of the `of` members of a rule. `population` is the number of people in its audience.

    The tags that most members have come first. Tags with equal numbers are ordered by path.
    """

    of: int
    population: int
    version: Version
    tags: tuple[TagShare, ...]


class OverlapRegion(msgspec.Struct, frozen=True):
    """The number of people who are in exactly these of the chosen tribes."""

    tribes: tuple[str, ...]
    count: int


class Board(msgspec.Struct, frozen=True):
    """The layout of the tribes of a space: categories and cards in order, and the hue of a card."""

    categories: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    colours: dict[str, int] = {}
