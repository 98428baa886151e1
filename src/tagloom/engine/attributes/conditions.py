"""The people whose values satisfy attribute nodes, on the bitmaps of an attribute; `attribute_rules` is the twin.

O'Neil and Quass, "Improved Query Performance with Variant Indexes" (1997), compare bit-sliced values in this way.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.attributes.codes import RANK_MAX, SIGN_BIT, rank_of_number
from tagloom.engine.bitmaps import BitMap, bitmap_of, ordinals_of
from tagloom.words.attribute_rules import TIME_OPERATORS, HasAttribute, bounds_of, holds_for_value
from tagloom.words.attributes import AttributeType, AttributeValue
from tagloom.words.calendars import Calendar
from tagloom.words.comparisons import is_number, values_of

_FEW_NUMBERS = 32  # Up to this many texts, each is looked up by its bits. With more, all values are decoded.
_NOBODY = BitMap()


class AttributeRows(NamedTuple):
    """The bitmaps of one attribute: the people who have a value, and those of each bit. They must not be changed."""

    type: AttributeType
    people: BitMap
    bits: Mapping[int, BitMap]


class Ranks(NamedTuple):
    """Ranks from `first` to `last`, both included."""

    first: int
    last: int


class Meaning(NamedTuple):
    """The values that satisfy a node, as ranks; with `is_inverted`, all other values."""

    ranks: tuple[Ranks, ...]
    is_inverted: bool = False

    def has(self, rank: int) -> bool:
        """Returns whether the value with a rank satisfies the node."""
        return any(first <= rank <= last for first, last in self.ranks) is not self.is_inverted


NOTHING, ANYTHING = Meaning(()), Meaning((), is_inverted=True)


def meaning_of(node: HasAttribute, type: AttributeType, today: int, calendar: Calendar) -> Meaning:
    """Returns the meaning of a node for an attribute of booleans, numbers or times."""
    if node.op == "is-set":
        return ANYTHING
    if node.op in TIME_OPERATORS:
        if type != "time":
            return NOTHING
        bounds = bounds_of(node, today, calendar)
        return Meaning((Ranks(max(bounds.first, -RANK_MAX), min(bounds.end - 1, RANK_MAX)),))
    values = values_of(node.value)
    if node.op in ("is", "is-not", "one-of"):
        equal = (rank for value in values if (rank := _rank_of(value, type)) is not None)
        return Meaning(tuple(Ranks(rank, rank) for rank in sorted(set(equal))), is_inverted=node.op == "is-not")
    if node.op in ("greater", "less") and type == "number":
        (value,) = values
        assert is_number(value), "the rule was checked"
        near = float(value)
        rank = rank_of_number(near)
        # A whole number of 64 bits may lie between two doubles, of which `near` is one.
        if node.op == "greater":
            return Meaning((Ranks(rank if near > value else rank + 1, RANK_MAX),))
        return Meaning((Ranks(-RANK_MAX, rank if near < value else rank - 1),))
    return NOTHING


def _rank_of(value: str | int | float | bool, type: AttributeType) -> int | None:
    """Returns the rank of a value of a rule, or None if no value of the attribute equals it."""
    if isinstance(value, bool):
        return int(value) if type == "boolean" else None
    if isinstance(value, str) or type != "number":
        return None
    return rank_of_number(value) if float(value) == value else None


def meaning_of_numbers(numbers: Iterable[int], *, is_inverted: bool) -> Meaning:
    """Returns the meaning of a node that holds for the texts with these numbers, in ascending order."""
    ranks: list[Ranks] = []
    for number in numbers:
        if ranks and ranks[-1].last == number - 1:
            ranks[-1] = Ranks(ranks[-1].first, number)
        else:
            ranks.append(Ranks(number, number))
    return Meaning(tuple(ranks), is_inverted)


def texts_of(node: HasAttribute, type: AttributeType) -> Sequence[str] | None:
    """Returns the texts that alone can satisfy a node, or its negation for `is-not`; None if all must be tested."""
    if type == "text" and node.op in ("is", "is-not", "one-of"):
        return [value for value in values_of(node.value) if isinstance(value, str)]
    return None if node.op == "contains" else []


def holds_for_text(node: HasAttribute, value: AttributeValue) -> bool:
    """Returns whether a text or a list satisfies a node. No operator of texts depends on the day."""
    return holds_for_value(node, value, 0)


def people_of(meaning: Meaning, rows: AttributeRows) -> BitMap:
    """Returns the people whose values have a meaning. Cost: two bitmap operations per bit and range of ranks."""
    if len(meaning.ranks) > _FEW_NUMBERS:
        found = _people_by_decoding(meaning.ranks, rows)
    else:
        found = BitMap.union(_NOBODY, *(_between(ranks, rows) for ranks in meaning.ranks))
    return rows.people - found if meaning.is_inverted else found


def _people_by_decoding(ranks: Sequence[Ranks], rows: AttributeRows) -> BitMap:
    """Returns the people of many ranges of numbers of texts. Cost: 20 ns per person and bit."""
    ordinals, codes = decoded(rows)
    firsts, lasts = (np.array(each, np.uint64) for each in zip(*ranks, strict=True))
    places = np.searchsorted(firsts, codes, side="right")
    inside = (places > 0) & (codes <= lasts[np.maximum(places, 1) - 1])
    return bitmap_of(ordinals[inside])


def decoded(rows: AttributeRows, among: BitMap | None = None) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """Returns the people who have a value, ascending, and the code of each. `among` limits the people."""
    return decoded_bits(rows.people if among is None else rows.people & among, rows.bits)


def decoded_bits(people: BitMap, bits: Mapping[int, BitMap]) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """Returns people, ascending, and the code of each, by the people of each bit."""
    ordinals = ordinals_of(people)
    codes = np.zeros(len(ordinals), np.uint64)
    for bit, bitmap in bits.items():
        having = ordinals_of(bitmap & people)
        if len(having):
            codes[np.searchsorted(ordinals, having)] |= np.uint64(1 << bit)
    return ordinals, codes


def code_at(ordinal: int, rows: AttributeRows) -> int:
    """Returns the code of a person who has a value. Cost: 0.1 us per bit."""
    code = 0
    for bit, bitmap in rows.bits.items():
        if ordinal in bitmap:
            code |= 1 << bit
    return code


def ranks_of(people: BitMap, rows: AttributeRows) -> dict[int, int]:
    """Returns the ranks of those of these people who have a value. Cost: 0.1 us per person and bit."""
    codes = ((ordinal, code_at(ordinal, rows)) for ordinal in people & rows.people)
    return {ordinal: code if code <= RANK_MAX else RANK_MAX + 1 - code for ordinal, code in codes}


def _between(ranks: Ranks, rows: AttributeRows) -> BitMap:
    """Returns the people whose rank is in a range."""
    first, last = ranks
    if first > last:
        return _NOBODY
    negative = rows.bits.get(SIGN_BIT, _NOBODY)
    found: list[BitMap] = []
    if last >= 0:
        found.append(_magnitudes(max(first, 0), last, rows.people - negative if negative else rows.people, rows.bits))
    if first < 0 and negative:
        found.append(_magnitudes(max(-last, 1), -first, negative, rows.bits))
    return found[0] if len(found) == 1 else BitMap.union(_NOBODY, *found)


def _magnitudes(first: int, last: int, within: BitMap, bits: Mapping[int, BitMap]) -> BitMap:
    """Returns the people of `within` whose code without its sign is in a range."""
    if first == last:
        return equal(first, within, bits)
    found = at_least(first, within, bits)
    return found - at_least(last + 1, within, bits) if last < RANK_MAX else found


def equal(code: int, within: BitMap, bits: Mapping[int, BitMap]) -> BitMap:
    """Returns the people of `within` whose code without its sign is this one."""
    wanted = [bit for bit in range(SIGN_BIT) if code >> bit & 1]
    if any(bit not in bits for bit in wanted):
        return _NOBODY
    # The smallest bitmaps come first, so that each further step is cheap.
    for bitmap in sorted((bits[bit] for bit in wanted), key=len):
        within = within & bitmap
    for bit, bitmap in bits.items():
        if bit != SIGN_BIT and not code >> bit & 1:
            if not within:
                break
            within = within - bitmap
    return within


def at_least(code: int, within: BitMap, bits: Mapping[int, BitMap]) -> BitMap:
    """Returns the people of `within` whose code without its sign is at least this one; `within` itself for 0."""
    if code == 0:
        return within
    equal, greater = within, list[BitMap]()
    for bit in reversed(range(SIGN_BIT)):
        bitmap = bits.get(bit)
        if code >> bit & 1:
            equal = equal & bitmap if bitmap is not None else _NOBODY
        elif bitmap is not None:
            above = equal & bitmap
            if above:
                greater.append(above)
                equal = equal - above
        if not equal:
            break
    return BitMap.union(equal, *greater)


def counted(rows: AttributeRows, distinct_max: int) -> list[tuple[int, int]] | None:
    """Returns each code that somebody has, with the number of people; None for more than `distinct_max` codes.

    Cost: one bitmap operation per bit and distinct code.
    """
    found: list[tuple[int, int]] = []
    bits = sorted(rows.bits, reverse=True)
    waiting: list[tuple[int, int, BitMap]] = [(0, 0, rows.people)] if rows.people else []
    while waiting:
        place, code, people = waiting.pop()
        if place == len(bits):
            found.append((code, len(people)))
        else:
            having = people & rows.bits[bits[place]]
            if others := people - having if having else people:
                waiting.append((place + 1, code, others))
            if having:
                waiting.append((place + 1, code | 1 << bits[place], having))
        if len(found) + len(waiting) > distinct_max:
            return None
    return found


def extremes(rows: AttributeRows) -> tuple[int, int] | None:
    """Returns the least and the greatest rank that somebody has, or None if nobody has a value."""
    if not rows.people:
        return None
    negative = rows.bits.get(SIGN_BIT, _NOBODY)
    positive = rows.people - negative
    least = -_extreme(negative, rows.bits, is_least=False) if negative else _extreme(positive, rows.bits, is_least=True)
    greatest = (
        _extreme(positive, rows.bits, is_least=False) if positive else -_extreme(negative, rows.bits, is_least=True)
    )
    return least, greatest


def _extreme(within: BitMap, bits: Mapping[int, BitMap], *, is_least: bool) -> int:
    code = 0
    for bit in reversed(range(SIGN_BIT)):
        if bit in bits:
            having = within & bits[bit]
            chosen = within - having if is_least else having
            if chosen:
                within = chosen
            if bool(chosen) is not is_least:
                code |= 1 << bit
    return code
