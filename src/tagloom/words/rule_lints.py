"""Finds the lints of a rule without data: the rule can never match, always matches, or equals the rule of a tribe.

The lints are exact for rules with up to VARIABLES_PER_EXAMINATION_MAX variables. Rules with more variables have no
lints. Every combination of the values of the variables is one bit of a number. Impossible combinations are left out:
a person with `a/b` has a tag at or below `a/b`, and so at or below `a`. A person is at one point of a salt. A field of
a context and an attribute have one value.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, assert_never

import msgspec

from tagloom.base.text import plural
from tagloom.words import limits
from tagloom.words.attribute_rules import HasAttribute, described_attribute
from tagloom.words.context_rules import HasContext, described_context
from tagloom.words.event_rules import HasEvent, described_event
from tagloom.words.people import KINDS, Kind
from tagloom.words.percent_rules import InPercent, described_share
from tagloom.words.rule_situations import TooManySituations, group_of, situations_of
from tagloom.words.rules import (
    All,
    AnyOf,
    Definition,
    HasTag,
    InTribe,
    Leaf,
    Not,
    OtherLeaf,
    Rule,
    reached_nodes,
    takes,
    walk,
)
from tagloom.words.tags import TagPath, is_at_or_below

Table: TypeAlias = int
"""A number whose bit n is 1 if a rule holds in combination n."""

_TRIBES_NAMED_MAX = 3  # The tribes that one hint lists.


class Hint(msgspec.Struct, frozen=True):
    """A sentence about a rule, and the JSON pointers of the nodes that it is about. No nodes mean the whole rule."""

    text: str
    nodes: tuple[str, ...]


class _TooMany(Exception):
    """Raised if a rule has more variables than are examined."""


class _Worlds:
    """All combinations of the values of the variables of some rules.

    A variable is true if the person has exactly a path, or if the person has a tag at or below a path that no other
    variable covers. The variables are independent of each other. A tag node is a disjunction (`or`) of variables.
    The situations of a group, such as a salt or a field, are numbered, and each bit of the number is a variable.
    """

    def __init__(self, asked: set[Leaf]) -> None:
        tags = [node for node in asked if isinstance(node, HasTag)]
        subtrees = {TagPath(node.tag) for node in tags if node.match == "subtree"}
        exacts = {TagPath(node.tag) for node in tags if node.match == "exact"}
        # No tag is below the last level, so `exact` and `subtree` are the same there.
        leaves = {path for path in subtrees | exacts if path.count("/") == limits.LEVELS_PER_TAG_MAX - 1}
        self.places: list[TagPath] = sorted(exacts | leaves)
        self._itself = {path: number for number, path in enumerate(self.places)}
        self._below: dict[TagPath, int] = {}
        for path in sorted(subtrees - leaves):
            self._below[path] = len(self.places)
            self.places.append(path)
        groups: dict[tuple[str, str], list[OtherLeaf]] = {}
        for node in asked:
            if not isinstance(node, HasTag):
                groups.setdefault(group_of(node), []).append(node)
        try:
            self._situations = {group: situations_of(nodes) for group, nodes in sorted(groups.items())}
        except TooManySituations:
            raise _TooMany from None
        self._first_bit: dict[tuple[str, str], int] = {}
        variables = len(self.places)
        for group, situations in self._situations.items():
            self._first_bit[group] = variables
            variables += (len(situations) - 1).bit_length()
        if variables > limits.VARIABLES_PER_EXAMINATION_MAX:
            raise _TooMany
        self.size = 1 << variables
        self.all = (1 << self.size) - 1

    def variable(self, number: int) -> Table:
        """Returns the table of one variable, in which runs of zeros and ones of the same length alternate."""
        width = 1 << number
        period = ((1 << width) - 1) << width
        return period * (self.all // ((1 << 2 * width) - 1))

    def answers(self, node: Leaf) -> Table:
        """Returns the table of a leaf."""
        if not isinstance(node, HasTag):
            return self._answers_by_situation(node)
        path = TagPath(node.tag)
        if node.match == "exact":
            return self.variable(self._itself[path])
        table = 0
        for number, place in enumerate(self.places):
            if is_at_or_below(place, path):
                table |= self.variable(number)
        return table

    def _answers_by_situation(self, node: OtherLeaf) -> Table:
        group = group_of(node)
        situations, first = self._situations[group], self._first_bit[group]
        bits = (len(situations) - 1).bit_length()
        table = 0
        for number in range(1 << bits):
            # Numbers beyond the last situation mean the last one, so every combination is possible.
            if node in situations[min(number, len(situations) - 1)]:
                world = self.all
                for bit in range(bits):
                    variable = self.variable(first + bit)
                    world &= variable if number >> bit & 1 else ~variable
                table |= world
        return table

    def keeping(self, branches: Sequence[TagPath]) -> Table:
        """Returns the table of the combinations without two tags of an exclusive branch."""
        table = self.all
        for branch in branches:
            inside = [self.variable(n) for n, place in enumerate(self.places) if is_at_or_below(place, branch)]
            seen = 0
            for variable in inside:
                table &= ~(seen & variable)
                seen |= variable
        return table


class _Reading:
    """An evaluator of rules as tables, for one kind of person. Caches the tables."""

    def __init__(self, worlds: _Worlds, tribes: Mapping[str, Definition], kind: Kind) -> None:
        self._worlds = worlds
        self._tribes = tribes
        self._kind = kind
        self._known: dict[Rule, Table] = {}

    def table(self, rule: Rule) -> Table:
        """Returns the table of a rule."""
        found = self._known.get(rule)
        if found is None:
            found = self._known[rule] = self._read(rule)
        return found

    def members(self, tribe: Definition) -> Table:
        """Returns the table of a tribe for people of this kind. It is 0 if they are not in the tribe's audience."""
        return self.table(tribe.rule) if takes(tribe, self._kind) else 0

    def _read(self, rule: Rule) -> Table:
        match rule:
            case All(of=parts):
                held = self._worlds.all
                for part in parts:
                    held &= self.table(part)
                return held
            case AnyOf(of=parts):
                held = 0
                for part in parts:
                    held |= self.table(part)
                return held
            case Not(of=part):
                return self._worlds.all & ~self.table(part)
            case HasTag() | InPercent() | HasContext() | HasEvent() | HasAttribute():
                return self._worlds.answers(rule)
            case InTribe(tribe=tribe):
                return self.members(self._tribes[tribe])
            case _:
                assert_never(rule)


def examine(
    wanted: Definition,
    tribes: Mapping[str, Definition],
    *,
    itself: str | None = None,
    exclusive_branches: Callable[[TagPath], Sequence[TagPath]] = lambda _: (),
) -> tuple[Hint, ...]:
    """Returns the lints of a definition. `itself` is the tribe whose draft it is, which is not compared with it.

    Tags have their current paths. Cost: one operation for each node, on 65,536 bits at most, and the same for each
    tribe with tags in the same branches.
    """
    try:
        worlds = _Worlds(_asked(wanted.rule, tribes))
    except _TooMany:
        return ()
    readings = [_Reading(worlds, tribes, kind) for kind in KINDS if takes(wanted, kind)]
    if not any(reading.table(wanted.rule) for reading in readings):
        return (_never(wanted.rule, readings, 0, worlds.all),)
    if all(reading.table(wanted.rule) == worlds.all for reading in readings):
        return () if wanted.rule == All(()) else (_always(wanted),)
    hints = list(_odd_parts(wanted.rule, readings, worlds))
    branches = sorted({branch for place in worlds.places for branch in exclusive_branches(place)})
    keeping = worlds.keeping(branches)
    if keeping != worlds.all and not any(reading.table(wanted.rule) & keeping for reading in readings):
        hints.append(_never(wanted.rule, readings, worlds.all & ~keeping, worlds.all, branches))
    same = _same(wanted, tribes, itself)
    if same:
        hints.append(Hint(f"This rule means the same as {_listed(same)}.", ()))
    return tuple(hints)


def _asked(rule: Rule, tribes: Mapping[str, Definition]) -> set[Leaf]:
    """Returns all leaves of a rule and of the tribes that the rule refers to. Raises: _TooMany."""
    found = set[Leaf]()
    for node in reached_nodes([rule], tribes):
        if isinstance(node, Leaf):
            found.add(node)
        if len(found) > 2 * limits.VARIABLES_PER_EXAMINATION_MAX:
            raise _TooMany
    return found


def _never(
    rule: Rule, readings: Sequence[_Reading], barred: Table, everything: Table, branches: Sequence[TagPath] = ()
) -> Hint:
    """Returns the lint of a rule that holds in no combination outside of `barred`. Names as few parts as cause this."""
    parts = {f"/of/{n}": part for n, part in enumerate(rule.of)} if isinstance(rule, All) else {"": rule}
    for pointer in list(parts):
        others = [part for each, part in parts.items() if each != pointer]
        if others and not any(_together(reading, others, everything) & ~barred for reading in readings):
            del parts[pointer]
    why = " and ".join(map(_described, parts.values()))
    text = f"This rule can never match: nobody can {why}."
    if branches:
        named = ", ".join(f"'{branch}'" for branch in branches)
        text = f"This rule can never match while {named} is exclusive: nobody can {why}."
    return Hint(text, tuple(parts))


def _together(reading: _Reading, parts: Sequence[Rule], everything: Table) -> Table:
    held = everything
    for part in parts:
        held &= reading.table(part)
    return held


def _always(wanted: Definition) -> Hint:
    whom = {"everyone": "everyone", "users": "every user", "visitors": "every visitor"}[wanted.audience]
    return Hint(f"This rule always matches: it finds {whom}.", ("",))


def _odd_parts(rule: Rule, readings: Sequence[_Reading], worlds: _Worlds) -> Iterator[Hint]:
    """Yields a lint for each part that never or always holds. For nested parts, yields only the outermost part."""
    odd: list[str] = []
    for node, pointer, _ in walk(rule):
        if any(is_at_or_below(pointer, other) for other in odd):
            continue
        tables = [reading.table(node) for reading in readings]
        if not any(tables):
            odd.append(pointer)
            yield Hint("This part can never match.", (pointer,))
        elif all(table == worlds.all for table in tables):
            odd.append(pointer)
            yield Hint("This part always matches.", (pointer,))


def _described(rule: Rule) -> str:
    match rule:
        case HasTag(tag=tag, match="exact"):
            return f"have '{tag}' itself"
        case HasTag(tag=tag):
            return f"have '{tag}' or a tag below it"
        case InTribe(tribe=tribe):
            return f"be in the tribe '{tribe}'"
        case Not(of=HasTag(tag=tag, match="exact")):
            return f"not have '{tag}' itself"
        case Not(of=HasTag(tag=tag)):
            return f"have neither '{tag}' nor a tag below it"
        case InPercent():
            return f"be in {described_share(rule)}"
        case HasContext():
            return f"have a context in which {described_context(rule)}"
        case HasEvent():
            return f"have {described_event(rule)}"
        case HasAttribute():
            return f"be a person whose {described_attribute(rule)}"
        case Not(of=InTribe(tribe=tribe)):
            return f"be outside of the tribe '{tribe}'"
        case Not(of=InPercent() as part):
            return f"be outside of {described_share(part)}"
        case Not(of=HasContext() as part):
            return f"have no context in which {described_context(part)}"
        case Not(of=HasEvent() as part):
            return f"not have {described_event(part)}"
        case Not(of=HasAttribute() as part):
            return f"not be a person whose {described_attribute(part)}"
        case AnyOf(of=()):
            return "satisfy an empty list of alternatives"
        case All() | AnyOf() | Not():
            return "satisfy one of its groups" if not isinstance(rule, Not) else "fail one of its groups"
        case _:
            assert_never(rule)


def _same(wanted: Definition, tribes: Mapping[str, Definition], itself: str | None) -> list[str]:
    """Returns the ids of the tribes that always have the same members as a definition."""
    asked = _asked(wanted.rule, tribes)
    roots = set(map(_root, asked))
    found = []
    for name, tribe in sorted(tribes.items()):
        if name == itself or wanted.rule == InTribe(name):
            continue
        try:
            others = _asked(tribe.rule, tribes)
            if roots.isdisjoint(map(_root, others)):
                continue
            worlds = _Worlds(asked | others)
        except _TooMany:
            continue
        readings = [_Reading(worlds, tribes, kind) for kind in KINDS]
        if all(reading.members(tribe) == reading.members(wanted) for reading in readings):
            found.append(name)
    return found


def _root(node: Leaf) -> tuple[str, str]:
    """Returns what rules with the same meaning have in common: the first level of a tag, or a group."""
    return ("tag", node.tag.split("/")[0]) if isinstance(node, HasTag) else group_of(node)


def _listed(tribes: Sequence[str]) -> str:
    named = " and ".join(f"'{tribe}'" for tribe in tribes[:_TRIBES_NAMED_MAX])
    more = f" and {plural(len(tribes) - _TRIBES_NAMED_MAX, 'other')}" if len(tribes) > _TRIBES_NAMED_MAX else ""
    return f"the tribe{'s' if len(tribes) > 1 else ''} {named}{more}"
