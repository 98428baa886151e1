"""The rule language and its meaning.

`matches` defines the meaning. Bitmaps are a second interpreter of the same rules (`engine/read/rule_bitmaps.py`), and
tests compare the two.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, assert_never

import msgspec

from tagloom.words import limits
from tagloom.words.attribute_rules import HasAttribute, check_attribute_node, holds_for_attributes
from tagloom.words.attributes import NO_ATTRIBUTES, AttributeName, Attributes
from tagloom.words.calendars import UTC_DAYS, Calendar
from tagloom.words.context_rules import ContextValue, HasContext, check_context_node, holds_in
from tagloom.words.event_rules import EventCounter, HasEvent, check_event_node, holds_for, no_events
from tagloom.words.percent_rules import InPercent, check_percent_node, is_in_percent
from tagloom.words.problems import RuleInvalid, RuleTooDeep, RuleTooLarge, TagProblem, TribeCycle, TribeUnknown
from tagloom.words.tags import TagPath, is_at_or_below, parse_tag


class All(msgspec.Struct, frozen=True, tag="all", forbid_unknown_fields=True):
    """Holds if every part holds. Without parts, always holds."""

    of: tuple["Rule", ...]


class AnyOf(msgspec.Struct, frozen=True, tag="any", forbid_unknown_fields=True):
    """Holds if at least one part holds. Without parts, never holds."""

    of: tuple["Rule", ...]


class Not(msgspec.Struct, frozen=True, tag="not", forbid_unknown_fields=True):
    """Holds if the part does not hold."""

    of: "Rule"


class HasTag(msgspec.Struct, frozen=True, tag="tag", forbid_unknown_fields=True):
    """Holds if the person has the tag, or, with `subtree`, has a tag below it."""

    tag: str
    match: Literal["subtree", "exact"] = "subtree"


class InTribe(msgspec.Struct, frozen=True, tag="tribe", forbid_unknown_fields=True):
    """Holds if the person is in another tribe of the space: in its audience, and its rule holds."""

    tribe: str


OtherLeaf = InPercent | HasContext | HasEvent | HasAttribute
"""A leaf that does not depend on the tags of a person."""
Leaf = HasTag | OtherLeaf
"""A node that decides about a person without other nodes."""
Rule = All | AnyOf | Not | InTribe | Leaf


class Facts(msgspec.Struct, frozen=True):
    """The facts about one person that rules read, and the context that the caller of a decision sends.

    `id` is None for an erased person, who is in no percent. `today` is the day of the decision in the calendar.
    """

    kind: Literal["user", "visitor"]
    tags: frozenset[TagPath]
    id: str | None = None
    context: Mapping[str, ContextValue] = {}
    count_events: EventCounter = no_events
    attributes: Attributes = NO_ATTRIBUTES
    today: int = 0
    calendar: Calendar = UTC_DAYS


class Definition(msgspec.Struct, frozen=True):
    """The audience and the rule of a tribe."""

    audience: Literal["users", "visitors", "everyone"]
    rule: Rule


def matches(rule: Rule, facts: Facts, tribes: Mapping[str, Definition]) -> bool:
    """Returns whether the rule holds for a person with these facts.

    `tribes` has every tribe that the rule refers to, also through other tribes, without a cycle.
    """
    match rule:
        case All(of=parts):
            return all(matches(part, facts, tribes) for part in parts)
        case AnyOf(of=parts):
            return any(matches(part, facts, tribes) for part in parts)
        case Not(of=part):
            return not matches(part, facts, tribes)
        case HasTag(tag=tag, match="exact"):
            return tag in facts.tags
        case HasTag(tag=tag):
            return any(is_at_or_below(each, tag) for each in facts.tags)
        case InTribe(tribe=tribe):
            return is_member(tribes[tribe], facts, tribes)
        case InPercent():
            return facts.id is not None and is_in_percent(rule, facts.kind, facts.id)
        case HasContext():
            return holds_in(rule, facts.context)
        case HasEvent():
            return holds_for(rule, facts.count_events)
        case HasAttribute():
            return holds_for_attributes(rule, facts.attributes, facts.today, facts.calendar)
        case _:
            assert_never(rule)


def is_member(tribe: Definition, facts: Facts, tribes: Mapping[str, Definition]) -> bool:
    """Returns whether a person with these facts is in the tribe: in its audience, and the rule holds."""
    return takes(tribe, facts.kind) and matches(tribe.rule, facts, tribes)


def takes(tribe: Definition, kind: Literal["user", "visitor"]) -> bool:
    """Returns whether people of this kind are in the audience of the tribe."""
    return tribe.audience in ("everyone", f"{kind}s")


def parse_rule(body: bytes | str) -> Rule:
    """Parses a rule from JSON.

    Raises:
        RuleInvalid: the text is not a rule; RuleTooDeep, RuleTooLarge: the rule exceeds a limit;
        TagProblem: the rule names an invalid tag.
    """
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    if len(data) > limits.RULE_BYTES_MAX:
        raise RuleTooLarge(f"The rule has {len(data)} bytes; at most {limits.RULE_BYTES_MAX} are allowed.")
    check_depth(data)
    try:
        rule: Rule = msgspec.json.decode(data, type=Rule)
    except msgspec.ValidationError as error:
        raise RuleInvalid(f"The rule cannot be read: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RuleInvalid(f"The rule is not JSON: {error}.") from error
    check_rule(rule)
    return rule


def check_depth(data: bytes) -> None:
    """Checks that JSON is not nested deeper than a rule can be, before a recursive parser reads it. Cost: one pass.

    Raises: RuleTooDeep.
    """
    depth, in_string, escaped = 0, False, False
    # Each node has two brackets, `{` and `[`. The body around the rule has some more.
    most = 2 * limits.LEVELS_PER_RULE_MAX + 8
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"{[":
            depth += 1
            if depth > most:
                raise RuleTooDeep(
                    f"The rule is nested deeper than {limits.LEVELS_PER_RULE_MAX} levels.",
                    levels_max=limits.LEVELS_PER_RULE_MAX,
                )
        elif byte in b"}]":
            depth -= 1


def check_rule(rule: Rule) -> None:
    """Checks the limits of a rule, and its tags. Raises: RuleInvalid, RuleTooDeep, RuleTooLarge, TagProblem."""
    for count, (node, pointer, level) in enumerate(walk(rule), 1):
        if level > limits.LEVELS_PER_RULE_MAX:
            raise RuleTooDeep(
                f"The rule is nested deeper than {limits.LEVELS_PER_RULE_MAX} levels.",
                node=pointer,
                levels_max=limits.LEVELS_PER_RULE_MAX,
            )
        if count > limits.NODES_PER_RULE_MAX:
            raise RuleTooLarge(
                f"The rule has more than {limits.NODES_PER_RULE_MAX} nodes.",
                nodes_max=limits.NODES_PER_RULE_MAX,
            )
        _check_leaf(node, pointer)


def _check_leaf(node: Rule, pointer: str) -> None:
    if isinstance(node, InPercent):
        check_percent_node(node, pointer)
    elif isinstance(node, HasContext):
        check_context_node(node, pointer)
    elif isinstance(node, HasEvent):
        check_event_node(node, pointer)
    elif isinstance(node, HasAttribute):
        check_attribute_node(node, pointer)
    elif isinstance(node, HasTag):
        try:
            canonical = parse_tag(node.tag)
        except TagProblem as problem:
            problem.members["node"] = pointer
            raise
        if canonical != node.tag:
            raise RuleInvalid(f"The tag '{node.tag}' is not in Unicode form NFC.", node=pointer, suggestion=canonical)


def walk(rule: Rule) -> Iterator[tuple[Rule, str, int]]:
    """Yields every node with its JSON pointer and its level, parents first. Uses no recursion."""
    waiting: list[tuple[Rule, str, int]] = [(rule, "", 1)]
    while waiting:
        node, pointer, level = waiting.pop()
        yield node, pointer, level
        match node:
            case All(of=parts) | AnyOf(of=parts):
                waiting.extend((parts[i], f"{pointer}/of/{i}", level + 1) for i in reversed(range(len(parts))))
            case Not(of=part):
                waiting.append((part, f"{pointer}/of", level + 1))
            case HasTag() | InTribe() | InPercent() | HasContext() | HasEvent() | HasAttribute():
                pass
            case _:
                assert_never(node)


def tags_named(rule: Rule) -> set[TagPath]:
    """Returns the tag paths in the rule itself, without those of the tribes that it names."""
    return {TagPath(node.tag) for node, _, _ in walk(rule) if isinstance(node, HasTag)}


def tribes_named(rule: Rule) -> set[str]:
    """Returns the ids of the tribes that the rule itself names."""
    return {node.tribe for node, _, _ in walk(rule) if isinstance(node, InTribe)}


def needing_context(tribes: Mapping[str, Definition]) -> frozenset[str]:
    """Returns the tribes whose rules depend on the context of a decision, also through the tribes that they name.

    Cost: one pass over the nodes of all tribes.
    """
    above: dict[str, list[str]] = {}
    waiting: list[str] = []
    for name, tribe in tribes.items():
        if _has(tribe.rule, HasContext):
            waiting.append(name)
        for named in tribes_named(tribe.rule):
            above.setdefault(named, []).append(name)
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(above.get(name, ()))
    return frozenset(found)


def reached_nodes(rules: Iterable[Rule], tribes: Mapping[str, Definition]) -> Iterator[Rule]:
    """Yields every node of rules, and of the tribes that they name, also through other tribes. Reads a tribe once."""
    waiting, seen = list(rules), set[str]()
    while waiting:
        named: list[str] = []
        for node, _, _ in walk(waiting.pop()):
            yield node
            if isinstance(node, InTribe) and node.tribe not in seen:
                seen.add(node.tribe)
                named.append(node.tribe)
        waiting.extend(tribes[name].rule for name in named)


def reaches(rule: Rule, tribes: Mapping[str, Definition], leaf: type[Leaf]) -> bool:
    """Returns whether a rule has a leaf of this type, also through the tribes that it names."""
    return any(isinstance(node, leaf) for node in reached_nodes([rule], tribes))


def event_nodes(wanted: Iterable[Definition], tribes: Mapping[str, Definition]) -> set[HasEvent]:
    """Returns the event nodes that definitions reach, also through the tribes that they name."""
    return {node for node in reached_nodes((each.rule for each in wanted), tribes) if isinstance(node, HasEvent)}


def attributes_named(wanted: Iterable[Definition], tribes: Mapping[str, Definition]) -> set[AttributeName]:
    """Returns the attributes that definitions name, also through the tribes that they name."""
    nodes = reached_nodes((each.rule for each in wanted), tribes)
    return {node.attribute for node in nodes if isinstance(node, HasAttribute)}


def _has(rule: Rule, leaf: type[Leaf]) -> bool:
    return any(isinstance(node, leaf) for node, _, _ in walk(rule))


def bound(rule: Rule, tribes: Mapping[str, Definition], *, is_upper: bool = True) -> tuple[Rule, dict[str, Definition]]:
    """Returns a rule without context nodes that holds whenever `rule` can hold, and the tribes that it names.

    With `is_upper` false, the returned rule holds only if `rule` holds in every context.
    """
    found = dict(tribes)
    dependent = needing_context(tribes)

    def bounded(rule: Rule, is_upper: bool) -> Rule:
        match rule:
            case HasContext():
                return All(()) if is_upper else AnyOf(())
            case All(of=parts):
                return All(tuple(bounded(part, is_upper) for part in parts))
            case AnyOf(of=parts):
                return AnyOf(tuple(bounded(part, is_upper) for part in parts))
            case Not(of=part):
                return Not(bounded(part, not is_upper))
            case InTribe(tribe=tribe) if tribe in dependent:
                # No id of a tribe has a space.
                name = f"{tribe} {'at most' if is_upper else 'at least'}"
                if name not in found:
                    found[name] = Definition(tribes[tribe].audience, bounded(tribes[tribe].rule, is_upper))
                return InTribe(name)
            case HasTag() | InPercent() | HasEvent() | HasAttribute() | InTribe():
                return rule
            case _:
                assert_never(rule)

    result = bounded(rule, is_upper)
    return result, {name: tribe for name, tribe in found.items() if name not in dependent}


def check_tribes(tribe: str, rule: Rule, others: Mapping[str, Rule]) -> None:
    """Checks that all tribes that a rule refers to exist, and that none of them is the tribe itself.

    Also follows the references of these tribes. The limit of references applies to the whole chain: the tribes that
    this tribe refers to, and the tribes that refer to this tribe.

    Raises:
        TribeUnknown, TribeCycle; RuleTooDeep: the chain of references is longer than REFERENCES_DEEP_MAX;
        RuleTooLarge: a tribe would reach more than NODES_REACHED_MAX nodes.
    """
    known = {**others, tribe: rule}
    below = {name: sorted(tribes_named(each)) for name, each in known.items()}
    above: dict[str, list[str]] = {}
    for name, references in below.items():
        for reference in references:
            above.setdefault(reference, []).append(name)
    reached: dict[str, int] = {}
    depth = _longest_chain(tribe, below, (), reached)
    for unknown in sorted(reached.keys() - known.keys()):
        raise TribeUnknown(f"The rule names the tribe '{unknown}', which does not exist.", tribe=unknown)
    if depth + _longest_chain(tribe, above, (), {}) > limits.REFERENCES_DEEP_MAX:
        raise _references_too_deep()
    for name, nodes in _reached_nodes(known, below).items():
        if nodes > limits.NODES_REACHED_MAX:
            raise RuleTooLarge(
                f"With the tribes that it refers to, the tribe '{name}' would have {nodes} nodes; at most "
                f"{limits.NODES_REACHED_MAX} are allowed.",
                nodes_max=limits.NODES_REACHED_MAX,
            )


def _reached_nodes(known: Mapping[str, Rule], below: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Returns the number of nodes of each tribe with the tribes that it refers to, counted once per reference."""
    found: dict[str, int] = {}

    def reached(name: str) -> int:
        if name not in found:
            references = [node.tribe for node, _, _ in walk(known[name]) if isinstance(node, InTribe)]
            found[name] = sum(1 for _ in walk(known[name])) + sum(map(reached, references))
        return found[name]

    for name in known:
        if set(below[name]) <= known.keys():
            reached(name)
    return found


def _longest_chain(name: str, edges: Mapping[str, Sequence[str]], trail: tuple[str, ...], found: dict[str, int]) -> int:
    """Returns the length of the longest chain of references from a tribe. Reads each tribe once.

    Raises: TribeCycle; RuleTooDeep.
    """
    if name in trail:
        circle = list(trail[trail.index(name) :])
        raise TribeCycle(f"The tribes name each other in a circle: {' -> '.join([*circle, name])}.", tribes=circle)
    if len(trail) > limits.REFERENCES_DEEP_MAX:
        raise _references_too_deep()
    if name not in found:
        chains = (_longest_chain(next_name, edges, (*trail, name), found) for next_name in edges.get(name, ()))
        found[name] = max((1 + chain for chain in chains), default=0)
    return found[name]


def _references_too_deep() -> RuleTooDeep:
    return RuleTooDeep(
        f"Tribes refer to tribes more than {limits.REFERENCES_DEEP_MAX} deep.",
        references_max=limits.REFERENCES_DEEP_MAX,
    )


class Reason(msgspec.Struct, frozen=True):
    """A leaf that decided a rule: the JSON pointer of the node in the rule, the node, and whether it holds."""

    node: str
    asks: Leaf
    holds: bool


def reasons(rule: Rule, facts: Facts, tribes: Mapping[str, Definition], pointer: str = "") -> list[Reason]:
    """Returns the leaves that decide the rule for a person, as few as suffice, in the order of the rule.

    If an `all` holds, all its parts decide. If it does not hold, its first part that does not hold decides. For `any`,
    the opposite is true. The nodes of a tribe's rule decide about a reference to the tribe. Their pointers have the
    form `…/tribe:ID/of/0`. If the person is not in the audience of the tribe, no node decides.
    """
    match rule:
        case All(of=parts) | AnyOf(of=parts):
            whole = isinstance(rule, All)
            for index, part in enumerate(parts):
                if matches(part, facts, tribes) is not whole:
                    return reasons(part, facts, tribes, f"{pointer}/of/{index}")
            found = (reasons(part, facts, tribes, f"{pointer}/of/{index}") for index, part in enumerate(parts))
            return [reason for each in found for reason in each]
        case Not(of=part):
            return reasons(part, facts, tribes, f"{pointer}/of")
        case HasTag() | InPercent() | HasContext() | HasEvent() | HasAttribute():
            return [Reason(pointer, rule, matches(rule, facts, tribes))]
        case InTribe(tribe=tribe):
            if not takes(tribes[tribe], facts.kind):
                return []
            return reasons(tribes[tribe].rule, facts, tribes, f"{pointer}/tribe:{tribe}")
        case _:
            assert_never(rule)


def is_refused(rule: Rule, pointer: str, tribes: Mapping[str, Rule]) -> bool:
    """Returns whether a node is inside an odd number of `not`. Then the rule needs that the node does not hold.

    >>> is_refused(All((HasTag("a"), Not(HasTag("b")))), "/of/1/of", {})
    True
    """
    refused = False
    steps = iter(pointer.split("/")[1:])
    for step in steps:
        match rule:
            case Not(of=part):
                refused, rule = not refused, part
            case All(of=parts) | AnyOf(of=parts):
                rule = parts[int(next(steps))]
            case InTribe():
                rule = tribes[step.removeprefix("tribe:")]
            case HasTag() | InPercent() | HasContext() | HasEvent() | HasAttribute():
                raise AssertionError("a pointer ends at a leaf")
    return refused


def rule_json(rule: Rule) -> Any:
    """Returns the rule as plain JSON values."""
    return msgspec.to_builtins(rule)


def resolved(rule: Rule, resolve: Callable[[TagPath], TagPath]) -> Rule:
    """Returns the rule with the current path of every tag, so that `matches` can evaluate rules with old paths."""
    match rule:
        case All(of=parts):
            return All(tuple(resolved(part, resolve) for part in parts))
        case AnyOf(of=parts):
            return AnyOf(tuple(resolved(part, resolve) for part in parts))
        case Not(of=part):
            return Not(resolved(part, resolve))
        case HasTag(tag=tag, match=match):
            try:
                return HasTag(resolve(TagPath(tag)), match)
            except TagProblem:
                # The alias leads to an invalid path. Nobody has this tag, so the node stays as it is.
                return rule
        case InTribe() | InPercent() | HasContext() | HasEvent() | HasAttribute():
            return rule
        case _:
            assert_never(rule)
