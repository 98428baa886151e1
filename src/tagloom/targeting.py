"""Who is in a tribe, how many, and why."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from tagloom import limits, problems
from tagloom.model import Because, Count, Decision, Environment, OverlapRegion, Person, Version
from tagloom.rules import Definition, Not, Rule, tags_named, tribes_named
from tagloom.store.port import Population
from tagloom.tags import printable
from tagloom.tribes import Tribes, check


class UnknownInRule(msgspec.Struct, frozen=True):
    """A tag that the rule names and nobody ever bore, with the known tags that look like it."""

    tag: str
    nearest: tuple[str, ...]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """How many people a rule would find, of how many of the audience; some of them; and tags that may be mistyped."""

    count: int
    of: int
    version: Version
    sample: tuple[Person, ...]
    unknown_tags: tuple[UnknownInRule, ...] = ()


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a person is in one tribe, and the nodes of its rule that decide it.

    `audience_holds` says whether the tribe's audience takes this kind of person; without it no rule lets them in.
    """

    tribe: str
    is_member: bool
    audience_holds: bool
    because: tuple[Because, ...]
    version: Version


class Targeting:
    """Answers about tribes over the populations of an installation."""

    def __init__(self, tribes: Tribes, population_of: Callable[[Environment], Population]) -> None:
        self._tribes = tribes
        self._population_of = population_of

    def preview(self, environment: Environment, wanted: Definition) -> Preview:
        """What a rule would find, before it is saved.

        Raises: RuleInvalid and its kinds, TagProblem.
        """
        definitions = self._tribes.definitions(environment.space)
        check(wanted.rule, {tribe: each.rule for tribe, each in definitions.items()})
        population = self._population_of(environment)
        counted = population.count(wanted, definitions)
        return Preview(
            count=counted.count,
            of=counted.of,
            version=counted.version,
            sample=population.sample(wanted, definitions, limit=limits.SAMPLE_PEOPLE_MAX),
            unknown_tags=_unknown_tags(wanted.rule, population),
        )

    def count(self, environment: Environment, tribe: str) -> Count:
        """Raises: TribeNotFound."""
        wanted = self._tribes.get_definition(environment.space, tribe)
        return self._population_of(environment).count(wanted, self._tribes.definitions(environment.space))

    def members(self, environment: Environment, tribe: str) -> tuple[Version, Iterator[Sequence[Person]]]:
        """All members as of one version, a chunk at a time. Raises: TribeNotFound."""
        wanted = self._tribes.get_definition(environment.space, tribe)
        return self._population_of(environment).members(wanted, self._tribes.definitions(environment.space))

    def overlap(self, environment: Environment, chosen: Sequence[str]) -> tuple[Version, tuple[OverlapRegion, ...]]:
        """How many people are in exactly which of the chosen tribes. Raises: BodyInvalid, TribeNotFound."""
        if not 1 <= len(chosen) <= limits.TRIBES_PER_OVERLAP_MAX or len(set(chosen)) < len(chosen):
            raise problems.BodyInvalid(
                f"An overlap is of 1 to {limits.TRIBES_PER_OVERLAP_MAX} different tribes.", field="$.tribes"
            )
        for tribe in chosen:
            self._tribes.get_definition(environment.space, tribe)
        return self._population_of(environment).overlap(chosen, self._tribes.definitions(environment.space))

    def decide(self, environment: Environment, person: Person, *, because: bool) -> Decision:
        """The tribes of the space that the person is in now."""
        definitions = self._tribes.definitions(environment.space)
        return self._population_of(environment).decide(person, definitions, because=because)

    def why(self, environment: Environment, tribe: str, person: Person) -> Why:
        """What decides one tribe for one person, also when they are not in it. Raises: TribeNotFound."""
        definitions = self._tribes.definitions(environment.space)
        wanted = self._tribes.get_definition(environment.space, tribe)
        # Whoever is not in the tribe is in its opposite, for the same reasons: those of `not rule` are the rule's own,
        # one step further down. No tribe has the empty id, so the opposite gets in nobody's way.
        asked = _reachable(wanted.rule, definitions)
        asked |= {tribe: wanted, "": Definition("everyone", Not(wanted.rule))}
        decision = self._population_of(environment).decide(person, asked, because=True)
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
        except problems.TagNotFound:
            unknown.append(UnknownInRule(printable(tag), tuple(population.nearest(tag))))
    return tuple(unknown)
