"""The use cases that read tribes: their members, their sizes, and the reasons why a person is a member."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid, ParameterInvalid
from tagloom.base.text import printable
from tagloom.base.times import rfc3339
from tagloom.ports.audiences import MembersWithAttributes
from tagloom.ports.pages import Page
from tagloom.ports.population import Population
from tagloom.ports.problems import TagNotFound
from tagloom.tribes import limits
from tagloom.tribes.definitions import Tribes, check, check_has_members
from tagloom.words import rule_lints
from tagloom.words.attribute_lints import attribute_hints
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName
from tagloom.words.calendars import Calendar, day_ends
from tagloom.words.changes import Version
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.context_rules import NO_CONTEXT, Context, HasContext
from tagloom.words.decisions import Because, Decision
from tagloom.words.people import Person, PersonRecord
from tagloom.words.problems import TribeNeedsContext
from tagloom.words.rule_lints import Hint
from tagloom.words.rules import All, Definition, Not, Rule, bound, reaches, resolved, tags_named, tribes_named, walk
from tagloom.words.tenants import Environment
from tagloom.words.tribes import Count, MakeUp, OverlapRegion, TribeMetrics


class UnknownInRule(msgspec.Struct, frozen=True):
    """A tag of a rule that the catalogue does not have, with similar tags that it has."""

    tag: str
    nearest: tuple[str, ...]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a rule that is not saved: `count` members of the `of` people in its audience.

    `sample` has some members. `unknown_tags` are tags of the rule that may be mistyped.
    """

    count: int
    of: int
    version: Version
    sample: tuple[Person, ...]
    unknown_tags: tuple[UnknownInRule, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a rule that is not saved, compared with the members of the saved tribe.

    The rule has `count` members of the `of` people in its audience. `entered` people would become members, and `left`
    people would lose their membership. `sample`, `entering` and `leaving` have some people of these three groups.
    """

    count: int
    of: int
    version: Version
    sample: tuple[Person, ...]
    entered: int
    left: int
    entering: tuple[Person, ...]
    leaving: tuple[Person, ...]
    unknown_tags: tuple[UnknownInRule, ...] = ()


class Point(msgspec.Struct, frozen=True):
    """The number of members of a rule at a moment."""

    at: str
    count: int


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """The reasons why a person is in one tribe or is not in it: the nodes of the tribe's rule that decide it.

    `audience_holds` is True if the audience of the tribe includes this kind of person. Otherwise the person cannot be
    in the tribe, whatever the rule says.
    """

    tribe: str
    is_member: bool
    audience_holds: bool
    because: tuple[Because, ...]
    version: Version


class Targeting:
    """The use cases that read tribes and their members, in all environments. `now` returns Unix seconds."""

    def __init__(
        self,
        tribes: Tribes,
        population_of: Callable[[Environment], Population],
        now: Callable[[], float] = time.time,
        *,
        find_population: Callable[[Environment], Population | None] | None = None,
    ) -> None:
        """Creates the use cases. `find_population` returns a population only if it is open, without waiting."""
        self._tribes = tribes
        self._population_of = population_of
        self._find_population = find_population or population_of
        self._now = now

    def preview(self, environment: Environment, wanted: Definition, *, as_of: Version | None = None) -> Preview:
        """Returns the members that a rule would have if it were saved.

        Raises: RuleInvalid and its subclasses, TagProblem, TribeNeedsContext.
        """
        definitions = self._tribes.definitions(environment.space)
        check(wanted.rule, {tribe: each.rule for tribe, each in definitions.items()})
        check_has_members(wanted, definitions)
        population = self._population_of(environment)
        counted = population.count(wanted, definitions, as_of=as_of)
        return Preview(
            count=counted.count,
            of=counted.of,
            version=counted.version,
            sample=population.sample(wanted, definitions, limit=limits.SAMPLE_PEOPLE_MAX, as_of=as_of),
            unknown_tags=_unknown_tags(wanted.rule, population),
        )

    def compare(self, environment: Environment, wanted: Definition, tribe: str | None) -> Comparison:
        """Returns how the members of a tribe would change if its rule were replaced. Without a tribe, all enter.

        If the saved members depend on the context of decisions, nobody enters or leaves.

        Raises: TribeNotFound, RuleInvalid and its subclasses, TagProblem, TribeNeedsContext.
        """
        saved = None if tribe is None else self._tribes.get_definition(environment.space, tribe)
        definitions = self._checked(environment, wanted, tribe)
        check_has_members(wanted, definitions)
        if saved is not None and reaches(saved.rule, definitions, HasContext):
            saved = wanted
        population = self._population_of(environment)
        found = population.compare(wanted, saved, definitions, limit=limits.SAMPLE_PEOPLE_MAX)
        return Comparison(**msgspec.structs.asdict(found), unknown_tags=_unknown_tags(wanted.rule, population))

    def make_up(
        self, environment: Environment, wanted: Definition, *, limit: int = base_limits.PAGE_ITEMS_DEFAULT
    ) -> MakeUp:
        """Returns the most frequent tags of the members of a rule.

        Raises: ParameterInvalid, RuleInvalid and its subclasses, TagProblem, TribeNeedsContext.
        """
        _check_between(limit, limits.TAGS_PER_MAKE_UP_MAX, "limit")
        definitions = self._checked(environment, wanted, None)
        check_has_members(wanted, definitions)
        return self._population_of(environment).make_up(wanted, definitions, limit=limit)

    def trend(self, environment: Environment, wanted: Definition, *, days: int = 30) -> tuple[Point, ...]:
        """Returns the number of members of a rule at the end of each of the last `days` days, and now.

        The current rule is applied to the taggings of each time. Days before the horizon are left out.

        Raises: ParameterInvalid, RuleInvalid and its subclasses, TagProblem, TribeNeedsContext.
        """
        _check_between(days, limits.DAYS_PER_TREND_MAX, "days")
        definitions = self._checked(environment, wanted, None)
        check_has_members(wanted, definitions)
        now = self._now()
        moments = day_ends(now, days, Calendar(environment.time_zone))
        (counts,) = self._population_of(environment).trend([wanted], definitions, moments)
        points = zip((*moments, rfc3339(now)), counts, strict=True)
        return tuple(Point(at, count) for at, count in points if count is not None)

    def examine(self, environment: Environment, wanted: Definition, tribe: str | None) -> tuple[Hint, ...]:
        """Returns the lints of a rule: it never or always matches, or it equals the rule of another tribe.

        Also returns lints about attributes that the environment does not have, or that have another type.

        `tribe` is the saved tribe whose rule is edited, or None for a new tribe. The rule is not compared with that
        tribe.

        Raises: RuleInvalid and its subclasses, TagProblem.
        """
        definitions = self._checked(environment, wanted, tribe)
        population = self._population_of(environment)
        today = {name: _today(each, population) for name, each in definitions.items()}
        hints = rule_lints.examine(
            _today(wanted, population), today, itself=tribe, exclusive_branches=population.exclusive_branches
        )
        if any(isinstance(node, HasAttribute) for node, _, _ in walk(wanted.rule)):
            types = {name: each.type for name, each in COMPUTED_ATTRIBUTES.items()}
            types |= {each.name: each.type for each in population.list_attributes()}
            hints += attribute_hints(wanted.rule, types)
        return hints

    def unknown_tags(self, environment: Environment, rule: Rule) -> tuple[UnknownInRule, ...]:
        """Returns the tags of a rule that the catalogue does not have, with similar tags."""
        return _unknown_tags(rule, self._population_of(environment))

    def _checked(self, environment: Environment, wanted: Definition, tribe: str | None) -> Mapping[str, Definition]:
        """Checks a rule as the rule of a tribe. Returns the definitions of the space. Raises: the errors of `check`."""
        definitions = self._tribes.definitions(environment.space)
        others = {name: each.rule for name, each in definitions.items() if name != tribe}
        check(wanted.rule, others, tribe=tribe or "")
        return definitions

    def count(self, environment: Environment, tribe: str, *, as_of: Version | None = None) -> Count:
        """Counts the members of a tribe, and the people in its audience. Raises: TribeNotFound, TribeNeedsContext."""
        wanted, others = self._tribes.get_countable(environment.space, tribe)
        return self._population_of(environment).count(wanted, others, as_of=as_of)

    def count_at_most(self, environment: Environment, wanted: Definition) -> Count:
        """Counts the people whom a rule finds in some context: nobody else can be found, whatever the caller sends.

        Raises: RuleInvalid and its subclasses, TagProblem.
        """
        rule, others = bound(wanted.rule, self._checked(environment, wanted, None))
        return self._population_of(environment).count(Definition(wanted.audience, rule), others)

    def find_count(self, environment: Environment, tribe: str) -> Count | None:
        """Returns what `count` returns, or None if the members depend on the context of decisions.

        Raises: TribeNotFound.
        """
        try:
            return self.count(environment, tribe)
        except TribeNeedsContext:
            return None

    def count_rule(self, environment: Environment, wanted: Definition, *, as_of: Version | None = None) -> Count:
        """Counts the people whom a rule without references to tribes finds."""
        return self._population_of(environment).count(wanted, {}, as_of=as_of)

    def metrics(self, environment: Environment, tribe: str | None = None) -> TribeMetrics:
        """Counts the members of a tribe who are active, new, at risk and lost. Without a tribe, counts everyone.

        Raises: TribeNotFound, TribeNeedsContext.
        """
        population = self._population_of(environment)
        if tribe is None:
            return population.metrics(Definition("everyone", All(())), {})
        return population.metrics(*self._tribes.get_countable(environment.space, tribe))

    def members(
        self, environment: Environment, tribe: str, *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """Returns a version, and all members as of that version, a chunk at a time.

        Raises: TribeNotFound, TribeNeedsContext.
        """
        wanted, others = self._tribes.get_countable(environment.space, tribe)
        return self._population_of(environment).members(wanted, others, as_of=as_of)

    def members_with_attributes(
        self, environment: Environment, tribe: str, names: Sequence[AttributeName]
    ) -> MembersWithAttributes:
        """Returns all members with some of their attributes, a chunk at a time.

        Raises: TribeNotFound, TribeNeedsContext, AttributeNotFound.
        """
        wanted, others = self._tribes.get_countable(environment.space, tribe)
        return self._population_of(environment).members_with_attributes(wanted, others, names)

    def list_members(
        self,
        environment: Environment,
        tribe: str,
        *,
        search: str = "",
        search_match: str = "substring",
        limit: int = base_limits.PAGE_ITEMS_DEFAULT,
        cursor: str | None = None,
    ) -> Page[PersonRecord]:
        """Returns a page of the members with their tags, in the order in which the people were created.

        With `search`, only members whose id matches it are listed. `search_match` is how the id is compared.

        Raises: TribeNotFound, TribeNeedsContext, CursorInvalid.
        """
        wanted, others = self._tribes.get_countable(environment.space, tribe)
        return self._population_of(environment).list_people(
            kind=None,
            search=search,
            search_match=search_match,
            tribe=wanted,
            tribes=others,
            limit=limit,
            cursor=cursor,
        )

    def is_member(self, environment: Environment, tribe: str, person: Person) -> tuple[Version, bool]:
        """Returns whether a person is in a tribe, and the version of this answer.

        Raises: TribeNotFound, TribeNeedsContext.
        """
        self._tribes.get_countable(environment.space, tribe)
        decision = self.decide(environment, person, because=False)
        return decision.version, tribe in decision.tribes

    def overlap(self, environment: Environment, chosen: Sequence[str]) -> tuple[Version, tuple[OverlapRegion, ...]]:
        """Counts the people in each combination of the chosen tribes.

        Raises: BodyInvalid, TribeNotFound, TribeNeedsContext.
        """
        if not 1 <= len(chosen) <= limits.TRIBES_PER_OVERLAP_MAX or len(set(chosen)) < len(chosen):
            raise BodyInvalid(
                f"An overlap is of 1 to {limits.TRIBES_PER_OVERLAP_MAX} different tribes.", field="$.tribes"
            )
        for tribe in chosen:
            self._tribes.get_countable(environment.space, tribe)
        return self._population_of(environment).overlap(chosen, self._tribes.definitions(environment.space))

    def decide(
        self, environment: Environment, person: Person, *, because: bool, context: Context = NO_CONTEXT
    ) -> Decision:
        """Returns the tribes of the space that the person is in now. With `because`, also returns the reasons.

        `context` has the values that the caller knows of the request. They are not stored.
        """
        definitions = self._tribes.definitions(environment.space)
        return self._population_of(environment).decide(person, definitions, because=because, context=context)

    def find_decision(
        self, environment: Environment, person: Person, *, because: bool, context: Context = NO_CONTEXT
    ) -> Decision | None:
        """Returns what `decide` returns, or None if that would wait for a store or for another thread."""
        definitions = self._tribes.find_definitions(environment.space)
        population = self._find_population(environment)
        if definitions is None or population is None:
            return None
        return population.find_decision(person, definitions, because=because, context=context)

    def decide_many(
        self,
        environment: Environment,
        people: Sequence[Person],
        *,
        because: bool,
        contexts: Sequence[Context] | None = None,
    ) -> tuple[Version, tuple[Decision, ...]]:
        """Returns the decisions for several people in their order, all of one version.

        `contexts` has the context of each person; None if no context was sent.

        Raises: BodyInvalid: there are no people, or too many.
        """
        most = limits.DECISIONS_WITH_REASONS_MAX if because else limits.DECISIONS_PER_REQUEST_MAX
        if not 1 <= len(people) <= most:
            reasons = " with reasons" if because else ""
            raise BodyInvalid(f"A request decides for 1 to {most:,} people{reasons}.", field="$.people")
        definitions = self._tribes.definitions(environment.space)
        return self._population_of(environment).decide_many(people, definitions, because=because, contexts=contexts)

    def why(self, environment: Environment, tribe: str, person: Person, context: Context = NO_CONTEXT) -> Why:
        """Returns why a person is in a tribe, or why the person is not in it. Raises: TribeNotFound."""
        definitions = self._tribes.definitions(environment.space)
        wanted = self._tribes.get_definition(environment.space, tribe)
        # A person who is not in the tribe satisfies `not rule`, for the same reasons. The nodes of these reasons lie
        # one level deeper, at `/of`. The negated rule gets the empty id, which no tribe of the space has.
        asked = _reachable(wanted.rule, definitions)
        asked |= {tribe: wanted, "": Definition("everyone", Not(wanted.rule))}
        decision = self._population_of(environment).decide(person, asked, because=True, context=context)
        holds_not = "" in decision.tribes
        because = decision.because[""] if holds_not else decision.because.get(tribe, ())
        if holds_not:
            because = tuple(msgspec.structs.replace(each, node=each.node.removeprefix("/of")) for each in because)
        return Why(
            tribe=tribe,
            is_member=tribe in decision.tribes,
            audience_holds=wanted.audience in ("everyone", f"{person.kind}s"),
            because=because,
            version=decision.version,
        )


def _check_between(number: int, most: int, parameter: str) -> None:
    if not 1 <= number <= most:
        raise ParameterInvalid(f"{parameter} must lie between 1 and {most}.", parameter=parameter)


def _today(tribe: Definition, population: Population) -> Definition:
    return Definition(tribe.audience, resolved(tribe.rule, population.resolve))


def _reachable(rule: Rule, definitions: Mapping[str, Definition]) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    waiting = [*tribes_named(rule)]
    while waiting:
        tribe = waiting.pop()
        if tribe not in found:
            found[tribe] = definitions[tribe]
            waiting.extend(tribes_named(definitions[tribe].rule))
    return found


def _unknown_tags(rule: Rule, population: Population) -> tuple[UnknownInRule, ...]:
    unknown = []
    for tag in sorted(tags_named(rule)):
        try:
            population.get_tag(population.resolve(tag))
        except TagNotFound:
            unknown.append(UnknownInRule(printable(tag), tuple(population.nearest(tag))))
    return tuple(unknown)
