"""A rule that is being edited: a tree of groups and filters, which can be incomplete.

The form contains the tree: its shape as JSON, and the value of each node in fields with the name of the node.
Every button of the builder is a step that the server executes, so the builder also works without scripts.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, assert_never, get_args

import msgspec
from msgspec import UNSET, UnsetType

from tagloom.console.forms import attribute_conditions, context_values, event_conditions
from tagloom.console.forms.context_values import ValueType
from tagloom.words import limits
from tagloom.words.attribute_rules import TIME_OPERATORS, AttributeOperator, HasAttribute, check_attribute_node
from tagloom.words.attributes import AttributeName
from tagloom.words.context_rules import ContextOp, HasContext, check_context_node
from tagloom.words.decisions import Because
from tagloom.words.event_rules import HasEvent, Unit, check_event_node
from tagloom.words.percent_rules import InPercent, check_percent_node
from tagloom.words.problems import RuleInvalid, RuleTooLarge, TagProblem
from tagloom.words.rules import All, AnyOf, HasTag, InTribe, Not, Rule, check_depth
from tagloom.words.tags import parse_tag

Join = Literal["all", "any"]
Subject = Literal["tag", "tribe", "attribute", "event", "percent", "context"]
Step = Literal[
    "add-tag",
    "add-tribe",
    "add-attribute",
    "add-event",
    "add-percent",
    "add-context",
    "add-group",
    "remove",
    "up",
    "down",
    "ungroup",
]
EventCount = Literal["at-least", "at-most", "exactly"]
STEPS: dict[str, Step] = {step: step for step in get_args(Step)}
CONTEXT_OPS: dict[str, ContextOp] = {op: op for op in get_args(ContextOp)}
OPS: dict[str, AttributeOperator] = {op: op for op in (*get_args(ContextOp), *TIME_OPERATORS)}
COUNTS: dict[str, EventCount] = {count: count for count in get_args(EventCount)}
UNITS: dict[str, Unit] = {unit: unit for unit in get_args(Unit)}
TYPES: dict[str, ValueType] = {type: type for type in get_args(ValueType)}


class Filter(msgspec.Struct, frozen=True, tag="filter"):
    """One line: a tag, a tribe, an attribute, an event, a percentage of people or a value of the context.

    `is_not` negates it. `value` can still be empty. `salt` and `start` belong to a percentage; `field`, `op` and
    `value_type` to a context. Of an attribute, `field` is the name. Of an event, `field` is the type, `value` the
    number of times, `days` the size of the window in its `unit`, and `where` the conditions as text.
    """

    subject: Subject
    value: str = ""
    match: Literal["subtree", "exact"] = "subtree"
    is_not: bool = False
    salt: str = ""
    start: str = "0"
    field: str = ""
    op: AttributeOperator = "is"
    value_type: ValueType = "text"
    count: EventCount = "at-least"
    days: str = "7"
    where: str = ""
    unit: Unit = "day"

    @property
    def operator(self) -> str:
        """The operator that the form shows: the match, the operator of a value, or the comparison of a count.

        It begins with `not-` if the line is negated.
        """
        operators = {"context": self.op, "attribute": self.op, "event": self.count}
        return ("not-" if self.is_not else "") + operators.get(self.subject, self.match)


class Group(msgspec.Struct, frozen=True, tag="group"):
    """Filters and groups of which all or any must match. `is_not` negates the group."""

    join: Join = "all"
    of: "tuple[Filter | Group, ...]" = ()
    is_not: bool = False


Node = Filter | Group
Place = tuple[int, ...]
Change = Callable[[tuple[Node, ...]], tuple[Node, ...]]


def opened(rule: Rule) -> Group:
    """Returns the tree of a rule. `closed` returns a rule with the same meaning."""
    node = _opened(rule)
    return node if isinstance(node, Group) else Group("all", (node,))


def _opened(rule: Rule) -> Node:
    match rule:
        case All(of=parts):
            return Group("all", tuple(_opened(part) for part in parts))
        case AnyOf(of=parts):
            return Group("any", tuple(_opened(part) for part in parts))
        case HasTag(tag=tag, match=match):
            return Filter("tag", tag, match)
        case InTribe(tribe=tribe):
            return Filter("tribe", tribe)
        case InPercent():
            return Filter("percent", f"{rule.of:g}", salt=rule.salt, start=f"{rule.start:g}")
        case HasContext():
            type, value = context_values.text_of(rule)
            return Filter("context", value, field=rule.field, op=rule.op, value_type=type)
        case HasAttribute():
            return Filter("attribute", attribute_conditions.text_of(rule), field=rule.attribute, op=rule.op)
        case HasEvent():
            where = event_conditions.text_of(rule.where)
            return Filter(
                "event",
                f"{rule.times}",
                field=rule.event,
                count=rule.count,
                days=f"{rule.window}",
                where=where,
                unit=rule.predicate.unit,
            )
        case Not(of=part):
            node = _opened(part)
            # One line has only one "not". A second one becomes a group around the first.
            return Group("all", (node,), is_not=True) if node.is_not else msgspec.structs.replace(node, is_not=True)


def line_of(reason: Because, holds: bool) -> Filter:
    """Returns the node of a reason as a line; its negation if `holds` is False."""
    asks = HasTag(reason.tag, reason.match or "subtree") if reason.tag else reason.asks
    if isinstance(asks, UnsetType):
        raise AssertionError("a reason has a tag or asks something else")
    line = _opened(asks)
    assert isinstance(line, Filter), "a leaf is one line"
    return line if holds else msgspec.structs.replace(line, is_not=True)


def closed(group: Group) -> Rule:
    """Returns the rule of a tree.

    Raises: TagProblem; RuleInvalid: a line has no tag or tribe. Both have `node`, the name of the line.
    """
    if len(group.of) == 1 and not group.is_not and group.join == "all":
        # A group of one line is the same as the line.
        return _closed(group.of[0], (0,))
    return _closed(group, ())


def _closed(node: Node, place: Place) -> Rule:
    rule: Rule
    match node:
        case Group(join=join, of=parts):
            rules = tuple(_closed(part, (*place, index)) for index, part in enumerate(parts))
            rule = All(rules) if join == "all" else AnyOf(rules)
        case Filter():
            try:
                rule = _leaf(node)
            except (TagProblem, RuleInvalid) as problem:
                problem.members["node"] = name_of(place)
                raise
    return Not(rule) if node.is_not else rule


def _leaf(line: Filter) -> Rule:
    match line.subject:
        case "tag" | "tribe" if not line.value:
            raise RuleInvalid(f"Choose a {line.subject}, or remove the line.")
        case "tag":
            return HasTag(parse_tag(line.value), line.match)
        case "tribe":
            return InTribe(line.value)
        case "percent":
            percent = InPercent(
                context_values.number_of(line.value), line.salt, context_values.number_of(line.start or "0")
            )
            check_percent_node(percent, "")
            return percent
        case "context":
            op = CONTEXT_OPS.get(line.op)
            if op is None:
                raise RuleInvalid("Choose how the value must match.")
            node = HasContext(line.field, op, context_values.value_of(op, line.value_type, line.value))
            check_context_node(node, "")
            return node
        case "attribute":
            name = AttributeName(unicodedata.normalize("NFC", line.field))
            attribute = HasAttribute(name, line.op, attribute_conditions.value_of(line.op, line.value))
            check_attribute_node(attribute, "")
            return attribute
        case "event":
            times, window = context_values.whole_number_of(line.value), context_values.whole_number_of(line.days)
            days, hours = (window, UNSET) if line.unit == "day" else (UNSET, window)
            where = event_conditions.conditions_of(line.where)
            event = HasEvent(line.field, days, where, line.count, times, hours)
            check_event_node(event, "")
            return event
        case _:
            assert_never(line.subject)


def name_of(place: Place) -> str:
    """Returns the name of a node in fields and steps: `0.2` is the third part of the first part.

    >>> name_of((0, 2)), name_of(())
    ('0.2', '')
    """
    return ".".join(map(str, place))


def place_of(name: str) -> Place:
    """Returns the place of a name. Raises: RuleInvalid."""
    parts = name.split(".") if name else []
    if len(parts) > limits.LEVELS_PER_RULE_MAX or not all(part.isascii() and part.isdigit() for part in parts):
        raise RuleInvalid("The form names a line that does not exist.")
    return tuple(int(part[:6]) for part in parts)


def walk(node: Node, place: Place = ()) -> Iterator[tuple[Place, Node]]:
    """Yields every node with its place, parents first."""
    yield place, node
    if isinstance(node, Group):
        for index, part in enumerate(node.of):
            yield from walk(part, (*place, index))


def read(fields: Mapping[str, Sequence[str]]) -> Group:
    """Reads the tree of a form. Raises: RuleInvalid, RuleTooLarge."""
    shape_text = fields.get("shape", [""])[0].encode("utf-8", "surrogatepass")
    check_depth(shape_text)
    try:
        shape = msgspec.json.decode(shape_text, type=Group)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RuleInvalid("The form does not contain a rule.") from error
    if sum(1 for _ in walk(shape)) > limits.NODES_PER_RULE_MAX:
        raise RuleTooLarge(
            f"A rule has at most {limits.NODES_PER_RULE_MAX} filters and groups.", nodes_max=limits.NODES_PER_RULE_MAX
        )
    return _filled(shape, (), fields)


def _filled(group: Group, place: Place, fields: Mapping[str, Sequence[str]]) -> Group:
    def field(place: Place, name: str, otherwise: str) -> str:
        return fields.get(f"{name}:{name_of(place)}", [otherwise])[0]

    parts: list[Node] = []
    for index, part in enumerate(group.of):
        inner = (*place, index)
        if isinstance(part, Group):
            parts.append(_filled(part, inner, fields))
            continue
        operator = field(inner, "operator", part.operator)
        value = field(inner, "value", part.value).strip()
        parts.append(
            Filter(
                part.subject,
                # Tab completes a level of a tag and leaves a slash for the next level.
                value.removesuffix("/") if part.subject == "tag" else value,
                "exact" if operator.endswith("exact") else "subtree",
                operator.startswith("not-"),
                field(inner, "salt", part.salt).strip(),
                field(inner, "from", part.start).strip(),
                field(inner, "field", part.field).strip(),
                OPS.get(operator.removeprefix("not-"), part.op),
                TYPES.get(field(inner, "type", part.value_type), part.value_type),
                COUNTS.get(operator.removeprefix("not-"), part.count),
                field(inner, "days", part.days).strip(),
                field(inner, "where", part.where).strip(),
                UNITS.get(field(inner, "unit", part.unit), part.unit),
            )
        )
    join = field(place, "join", ("not-" if group.is_not else "") + group.join)
    return Group("any" if join.endswith("any") else "all", tuple(parts), join.startswith("not-"))


def stepped(group: Group, step: Step, at: Place) -> Group:
    """Returns the tree after one step at a node. `at` is the group to add to, or the node to remove or move.

    Raises: RuleInvalid: there is no such node.
    """
    match step:
        case "add-tag":
            return _changed(group, at, lambda of: (*of, Filter("tag")))
        case "add-tribe":
            return _changed(group, at, lambda of: (*of, Filter("tribe")))
        case "add-attribute":
            return _changed(group, at, lambda of: (*of, Filter("attribute")))
        case "add-event":
            return _changed(group, at, lambda of: (*of, Filter("event", "1")))
        case "add-percent":
            return _changed(group, at, lambda of: (*of, Filter("percent")))
        case "add-context":
            return _changed(group, at, lambda of: (*of, Filter("context")))
        case "add-group":
            return _changed(group, at, lambda of: (*of, Group("any", (Filter("tag"),))))
    if not at:
        raise RuleInvalid("The outermost group cannot be moved or removed.")
    *above, index = at

    def moved(of: tuple[Node, ...]) -> tuple[Node, ...]:
        if index >= len(of):
            raise RuleInvalid("The form names a line that does not exist.")
        rest = (*of[:index], *of[index + 1 :])
        if step == "remove":
            return rest
        if step == "ungroup":
            node = of[index]
            return (*of[:index], *(node.of if isinstance(node, Group) else (node,)), *of[index + 1 :])
        to = max(0, index - 1) if step == "up" else min(len(rest), index + 1)
        return (*rest[:to], of[index], *rest[to:])

    return _changed(group, tuple(above), moved)


def focus_after(group: Group, step: Step, at: Place) -> str:
    """Returns the field or button that gets the focus after a step.

    It is the field of a new line, the same button of a moved line, or the button that adds to the group.
    """
    match step:
        case "add-tag" | "add-tribe" | "add-attribute" | "add-event" | "add-percent" | "add-context" | "add-group":
            inner = (*at, len(_group_at(group, at).of) - 1)
            field = "field" if step in ("add-context", "add-attribute", "add-event") else "value"
            return f"{field}:{name_of((*inner, 0) if step == 'add-group' else inner)}"
        case "up" | "down":
            last = len(_group_at(group, at[:-1]).of) - 1
            index = max(0, at[-1] - 1) if step == "up" else min(last, at[-1] + 1)
            # At the end of the list this button is disabled, so the button of the other direction gets the focus.
            end, other = (0, "down") if step == "up" else (last, "up")
            return f"{other if index == end else step}:{name_of((*at[:-1], index))}"
        case "remove" | "ungroup":
            return f"add-tag:{name_of(at[:-1])}"
        case _:
            assert_never(step)


def _group_at(group: Group, at: Place) -> Group:
    for index in at:
        part = group.of[index]
        assert isinstance(part, Group), "the step was applied to a group"
        group = part
    return group


def _changed(group: Group, at: Place, change: Change) -> Group:
    if not at:
        return msgspec.structs.replace(group, of=change(group.of))
    index, *rest = at
    inner = group.of[index] if index < len(group.of) else None
    if not isinstance(inner, Group):
        raise RuleInvalid("The form names a group that does not exist.")
    changed = _changed(inner, tuple(rest), change)
    return msgspec.structs.replace(group, of=(*group.of[:index], changed, *group.of[index + 1 :]))


def shape_json(group: Group) -> str:
    """Returns the tree as JSON for the form."""
    return msgspec.json.encode(group).decode("utf-8")
