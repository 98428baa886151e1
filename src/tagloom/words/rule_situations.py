"""The situations of `percent`, `context` and `event` nodes: which nodes of one group can hold together.

A group is one salt, one field, or one window of an event predicate.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import assert_never

from tagloom.words.comparisons import is_number
from tagloom.words.context_rules import Context, ContextValue, HasContext, holds_in, values_of
from tagloom.words.event_rules import HasEvent, holds_for
from tagloom.words.percent_rules import POINTS, InPercent
from tagloom.words.rules import OtherLeaf

_SITUATIONS_MAX = 64  # The situations of one salt or field. Reading one takes about as long as reading a tag node.
_COMPARISONS_MAX = 10_000  # Comparisons of a node with a value, for one field. They take some milliseconds.
_TEXTS_CONTAINED_MAX = 6  # `contains` nodes of one field. Each combination of them is a situation.


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
            return f"event in {node.days} days", repr(node.predicate)
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
    if len(found) > _SITUATIONS_MAX:
        raise TooManySituations
    return list(found)


def _contexts(nodes: Sequence[HasContext]) -> Iterator[Context]:
    """Yields contexts that stand for all contexts: two contexts in which the same nodes hold need only one."""
    if not nodes:
        return
    values = {value for node in nodes for value in values_of(node) if not isinstance(value, bool)}
    contained = sorted({str(value) for node in nodes if node.op == "contains" for value in values_of(node)})
    if len(contained) > _TEXTS_CONTAINED_MAX or len(values) * len(nodes) > _COMPARISONS_MAX:
        raise TooManySituations
    texts = [value for value in values if isinstance(value, str)]
    yield {}
    for value in (True, False, *texts, *_other_texts(texts, contained), *_numbers(values)):
        yield {nodes[0].field: value}


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
