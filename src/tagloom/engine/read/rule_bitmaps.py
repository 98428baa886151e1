"""Rules as bitmaps: evaluates rules for everybody at once, or compiled for one person; `rules.matches` is the twin."""

from collections.abc import Callable, Mapping
from typing import Protocol, assert_never

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.keys.points import Share
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.context_rules import Context, HasContext, holds_in
from tagloom.words.event_rules import EventPredicate, HasEvent
from tagloom.words.percent_rules import InPercent
from tagloom.words.rules import All, AnyOf, Definition, HasTag, InTribe, Not, Rule

Test = Callable[[int], bool]
_SPARSE = 16  # Below a sixteenth of everybody, roaring uses arrays instead of bits.


class Source(Protocol):
    """A source of bitmaps, which the evaluator must not change."""

    def tag(self, path: str, match: str) -> BitMap: ...
    def fact(self, name: str) -> BitMap: ...
    def share(self, share: Share) -> BitMap: ...
    def events(self, predicate: EventPredicate, times: int, window: int) -> BitMap: ...
    def attribute(self, node: HasAttribute) -> BitMap: ...


class TestSource(Source, Protocol):
    """A source that can also test one person for a share, and has people of events as bitmaps that follow changes."""

    def is_in_share(self, share: Share, ordinal: int) -> bool: ...
    def follow_events(self, predicate: EventPredicate, times: int, window: int) -> BitMap: ...


def share_of(node: InPercent) -> Share:
    """Returns the share of a percent node."""
    return Share(node.salt, *node.points())


def members(tribe: Definition, tribes: Mapping[str, Definition], source: Source) -> BitMap:
    """Returns the members of a tribe, as a bitmap that must not be changed. Cost: one bitmap operation per node."""
    return _Evaluation(tribes, source).members(tribe)


def count(tribe: Definition, tribes: Mapping[str, Definition], source: Source) -> int:
    """Counts the members of a tribe without making the last bitmap, at a third of the cost."""
    evaluation = _Evaluation(tribes, source)
    parts = tribe.rule.of if isinstance(tribe.rule, All) else (tribe.rule,)
    wanted = [evaluation.holds(part) for part in parts if not isinstance(part, Not)]
    if tribe.audience != "everyone" or not wanted:
        wanted.append(source.fact(tribe.audience))
    unwanted = [evaluation.holds(part.of) for part in parts if isinstance(part, Not)]
    return _count_of_all(sorted(wanted, key=len), unwanted, source)


def _count_of_all(wanted: list[BitMap], unwanted: list[BitMap], source: Source) -> int:
    """Counts who is in all of `wanted`, the smallest first, and in none of `unwanted`."""
    left, right = wanted[0], source.fact("everyone")
    if len(wanted) > 1 and len(left) * _SPARSE < len(right):
        # With sparse bitmaps, each step is cheap.
        for other in wanted[1:-1]:
            left = left & other
        right = wanted[-1]
    elif len(wanted) > 1:
        # Two dense halves are intersected by counting bits. Making one bitmap of them all would create costly arrays.
        right = wanted[1]
        for place, other in enumerate(wanted[2:]):
            if place % 2:
                left = left & other
            else:
                right = right & other
    for other in unwanted:
        right = right - other
    return left.intersection_cardinality(right)


class _Evaluation:
    def __init__(self, tribes: Mapping[str, Definition], source: Source) -> None:
        self._tribes = tribes
        self._source = source
        self._known: dict[str, BitMap] = {}

    def members(self, tribe: Definition) -> BitMap:
        held = self.holds(tribe.rule)
        return held if tribe.audience == "everyone" else held & self._source.fact(tribe.audience)

    def holds(self, rule: Rule) -> BitMap:
        match rule:
            case HasTag(tag=tag, match=match):
                return self._source.tag(tag, match)
            case All(of=parts):
                return self._all(parts)
            case AnyOf(of=parts):
                return self.holds(parts[0]) if len(parts) == 1 else BitMap.union(BitMap(), *map(self.holds, parts))
            case Not(of=part):
                return self._source.fact("everyone") - self.holds(part)
            case InTribe(tribe=tribe):
                if tribe not in self._known:
                    self._known[tribe] = self.members(self._tribes[tribe])
                return self._known[tribe]
            case InPercent():
                # A share has everybody who ever was in the environment.
                return self._source.fact("everyone") & self._source.share(share_of(rule))
            case HasContext():
                raise AssertionError("a rule that needs the context of a decision has no members")
            case HasEvent():
                return self._events(rule)
            case HasAttribute():
                return self._source.attribute(rule)
            case _:
                assert_never(rule)

    def _events(self, node: HasEvent) -> BitMap:
        """Returns the people whose number of events is within the bounds of the node."""
        source = self._source
        found = source.events(node.predicate, node.least, node.window) if node.least else source.fact("everyone")
        return found - source.events(node.predicate, node.less_than, node.window) if node.less_than else found

    def _all(self, parts: tuple[Rule, ...]) -> BitMap:
        """Intersects the parts, the smallest first, so that each further step has a small bitmap."""
        wanted = sorted((self.holds(part) for part in parts if not isinstance(part, Not)), key=len)
        held = wanted[0] if wanted else self._source.fact("everyone")
        for other in wanted[1:]:
            held = held & other
        for part in parts:
            if isinstance(part, Not):
                held = held - self.holds(part.of)
        return held


def compiled(tribes: Mapping[str, Definition], source: TestSource, context: Callable[[], Context]) -> dict[str, Test]:
    """Returns a test by ordinal for each tribe, valid while no row enters or leaves the index.

    The tests use the bitmaps of the source and follow their changes. `context` returns the context of the decision for
    which a test runs.
    """
    tests: dict[str, Test] = {}

    def of_tribe(name: str) -> Test:
        if name not in tests:
            tribe = tribes[name]
            holds = of_rule(tribe.rule)
            if tribe.audience == "everyone":
                tests[name] = holds
            else:
                audience = source.fact(tribe.audience).__contains__
                tests[name] = lambda ordinal: audience(ordinal) and holds(ordinal)
        return tests[name]

    def of_rule(rule: Rule) -> Test:
        match rule:
            case HasTag(tag=tag, match=match):
                return source.tag(tag, match).__contains__
            case All(of=parts):
                every = tuple(map(of_rule, parts))
                return lambda ordinal: all_hold(every, ordinal)
            case AnyOf(of=parts):
                some = tuple(map(of_rule, parts))
                return lambda ordinal: any_holds(some, ordinal)
            case Not(of=part):
                one = of_rule(part)
                return lambda ordinal: not one(ordinal)
            case InTribe(tribe=tribe):
                return of_tribe(tribe)
            case InPercent():
                share = share_of(rule)
                return lambda ordinal: source.is_in_share(share, ordinal)
            case HasContext():
                return lambda _: holds_in(rule, context())
            case HasEvent():
                return _test_of_events(rule, source)
            case HasAttribute():
                return source.attribute(rule).__contains__
            case _:
                assert_never(rule)

    for name in tribes:
        of_tribe(name)
    return tests


def _test_of_events(node: HasEvent, source: TestSource) -> Test:
    """Returns the test of an event node, on bitmaps that follow later events."""
    follow, predicate, window = source.follow_events, node.predicate, node.window
    has_least = follow(predicate, node.least, window).__contains__ if node.least else None
    has_too_many = follow(predicate, node.less_than, window).__contains__ if node.less_than else None
    if has_too_many is None:
        return has_least or (lambda _: True)
    if has_least is None:
        return lambda ordinal: not has_too_many(ordinal)
    return lambda ordinal: has_least(ordinal) and not has_too_many(ordinal)


def all_hold(tests: tuple[Test, ...], ordinal: int) -> bool:
    """Returns whether every test holds; stops at the first that does not."""
    for test in tests:  # noqa: SIM110  # A generator inside `all` costs three times as much here.
        if not test(ordinal):
            return False
    return True


def any_holds(tests: tuple[Test, ...], ordinal: int) -> bool:
    """Returns whether any test holds; stops at the first that does."""
    for test in tests:  # noqa: SIM110  # See `all_hold`.
        if test(ordinal):
            return True
    return False
