"""The situations of `percent`, `context`, `event` and `attribute` nodes: which nodes of one group can hold together.

A group is one salt, one field, one window of an event predicate, or one attribute.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import assert_never

from tagloom.words import comparisons
from tagloom.words.attribute_rules import TIME_OPERATORS, HasAttribute, bounds_of, depends_on_day, holds_for_value
from tagloom.words.attributes import AttributeType, AttributeValue
from tagloom.words.comparisons import is_number
from tagloom.words.context_rules import Context, ContextValue, HasContext, holds_in, values_of
from tagloom.words.event_rules import HasEvent, holds_for
from tagloom.words.percent_rules import POINTS, InPercent
from tagloom.words.rules import OtherLeaf

_SITUATIONS_MAX = 64  # The situations of one group. Reading one takes about as long as reading a tag node.
_COMPARISONS_MAX = 10_000  # Comparisons of a node with a value, for one group. They take some milliseconds.
_DAY = 86_400_000  # Milliseconds.
_TEXTS_CONTAINED_MAX = 6  # `contains` nodes of one group. Each combination of them is a situation.


class TooManySituations(Exception):
    """The nodes have more situations than are examined."""


def group_of(node: OtherLeaf) -> tuple[str, str]:
    """Returns the group of a node. Nodes of different groups are independent of each other."""
    match node:
        case InPercent():
            return "percent", node.salt
        case HasContext():
            return "context", node.field
        case HasEvent():
            # Windows of different lengths count as independent, although they are not. So some hints are missing.
            return f"event in {node.window} periods", repr(node.predicate)
        case HasAttribute():
            return "attribute", node.attribute
        case _:
            assert_never(node)


def situations_of(nodes: Sequence[OtherLeaf]) -> list[frozenset[OtherLeaf]]:
    """Returns the different sets of nodes of one group that hold together and without the others.

    Raises: TooManySituations.
    """
    percents = [node for node in nodes if isinstance(node, InPercent)]
    contexts = [node for node in nodes if isinstance(node, HasContext)]
    found: dict[frozenset[OtherLeaf], None] = {}
    if percents:
        shares = [(node, *node.points()) for node in percents]
        edges = sorted({0, *(edge for _, begin, end in shares for edge in (begin, end))} - {POINTS})
        for point in edges:
            found[frozenset(node for node, begin, end in shares if begin <= point < end)] = None
    for context in _contexts(contexts):
        found[frozenset(node for node in contexts if holds_in(node, context))] = None
    events = [node for node in nodes if isinstance(node, HasEvent)]
    for count in sorted({0, *(bound for node in events for bound in (node.least, node.less_than))}) if events else ():
        found[frozenset(node for node in events if holds_for(node, lambda _, __, count=count: count))] = None  # type: ignore[misc]  # Bound at once.
    attributes = [node for node in nodes if isinstance(node, HasAttribute)]
    for value, today in _attribute_values(attributes):
        held = (node for node in attributes if value is not None and holds_for_value(node, value, today))
        found[frozenset(held)] = None
    if len(found) > _SITUATIONS_MAX:
        raise TooManySituations
    return list(found)


def _contexts(nodes: Sequence[HasContext]) -> Iterator[Context]:
    """Yields contexts that stand for all contexts: two contexts in which the same nodes hold need only one."""
    if not nodes:
        return
    yield {}
    contained = _contained(nodes)
    for value in _values([value for node in nodes for value in values_of(node)], contained, len(nodes)):
        yield {nodes[0].field: value}


def _contained(nodes: Sequence[HasContext] | Sequence[HasAttribute]) -> list[str]:
    """Returns the texts that `contains` nodes look for. Raises: TooManySituations."""
    found = {str(value) for node in nodes if node.op == "contains" for value in comparisons.values_of(node.value)}
    if len(found) > _TEXTS_CONTAINED_MAX:
        raise TooManySituations
    return sorted(found)


def _values(compared: Sequence[ContextValue], contained: Sequence[str], nodes: int) -> Iterator[ContextValue]:
    """Yields booleans, texts and numbers that stand for all of them, if nodes compare with these values.

    Raises: TooManySituations.
    """
    # Python takes True for 1, so a set of all values could lose the number.
    plain = {value for value in compared if not isinstance(value, bool)}
    if len(plain) * nodes > _COMPARISONS_MAX:
        raise TooManySituations
    texts = [value for value in plain if isinstance(value, str)]
    yield from (True, False, *texts, *_other_texts(texts, contained), *_numbers(plain))


def _other_texts(texts: Sequence[str], contained: Sequence[str]) -> Iterator[str]:
    """Yields texts that equal none of `texts`, with each combination of the texts that `contains` nodes look for."""
    characters = set("".join(texts))
    separator = next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in characters)
    for chosen in range(1 << len(contained)):
        yield separator + separator.join(text for place, text in enumerate(contained) if chosen >> place & 1)


def _numbers(values: set[str | int | float]) -> Iterator[ContextValue]:
    """Yields the numbers among the values, one number between each two of them, and one on either side."""
    numbers = sorted(value for value in values if is_number(value))
    yield -math.inf
    yield from numbers
    yield from (low / 2 + high / 2 for low, high in pairwise(numbers))
    yield math.inf


def _attribute_values(nodes: Sequence[HasAttribute]) -> Iterator[tuple[AttributeValue | None, int]]:
    """Yields values, and days as today, that stand for all of them. No value is None.

    An attribute of a rule can have any type, because its type can differ between environments.
    """
    if not nodes:
        return
    yield None, 0
    contained = _contained(nodes)
    compared = [value for node in nodes if node.op not in TIME_OPERATORS for value in comparisons.values_of(node.value)]
    for value in _values(compared, contained, len(nodes)):
        type: AttributeType = "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
        yield AttributeValue(type, value), 0
    for chosen in range(1 << len(contained)):
        items = tuple(text for place, text in enumerate(contained) if chosen >> place & 1)
        yield AttributeValue("list", items), 0
    yield from _times(nodes)


def _times(nodes: Sequence[HasAttribute]) -> Iterator[tuple[AttributeValue, int]]:
    """Yields times, and days as today, that stand for all of them.

    Each distance of a time from today can occur together with each time, because a rule is read on different days.
    """
    moments, distances = {0}, {0}
    for node in nodes:
        if depends_on_day(node):
            # With the day 0 as today, the bounds are distances.
            distances |= {edge // _DAY - before for edge in bounds_of(node, 0) for before in (0, 1)}
        elif node.op == "before":
            end = bounds_of(node, 0).end
            moments |= {end - 1, end}
        elif node.op == "after":
            first = bounds_of(node, 0).first
            moments |= {first - 1, first}
    if len(moments) * len(distances) * len(nodes) > _COMPARISONS_MAX:
        raise TooManySituations
    for moment, distance in product(sorted(moments), sorted(distances)):
        yield AttributeValue("time", moment), moment // _DAY - distance
