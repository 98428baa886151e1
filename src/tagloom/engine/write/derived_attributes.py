"""Sets the built-in attributes that were derived from the context of events. Most people have them already."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tagloom.base.problems import Problem
from tagloom.engine.attributes.conditions import equal
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.state.dictionary import attribute_type
from tagloom.engine.storage import SEVERAL, Row
from tagloom.engine.write.attribute_values import change_values
from tagloom.engine.write.draft import Draft, View
from tagloom.ports import limits as ports_limits
from tagloom.words import limits
from tagloom.words.attributes import parse_value
from tagloom.words.builtin_attributes import BUILTIN_ATTRIBUTES, BuiltinAttribute
from tagloom.words.events import Event
from tagloom.words.problems import FAULTS_OF_AN_ATTRIBUTE
from tagloom.words.receipts import Rejected
from tagloom.words.rejections import rejected, too_many_attributes

_People: TypeAlias = Mapping[str | None, Sequence[int]]
"""The people of each text of an attribute, and of None for no value."""


def set_derived(
    events: Sequence[Event], lines: Sequence[int], ordinals: NDArray[np.uint32], view: View, draft: Draft
) -> list[Rejected]:
    """Sets the attributes that were derived from events, in order, and returns those that cannot be set.

    `lines` and `ordinals` are those of the events. Neither a closed catalogue nor the limit of attributes of sources
    keeps a built-in attribute from being created.

    Cost if the people have the values already: 0.3 us per person, and some microseconds per different value.
    """
    wanted = _wanted(_last_of_people(events, ordinals.tolist()))
    known, ignored = view.attributes() if wanted else {}, list[Rejected]()
    for name, builtin in BUILTIN_ATTRIBUTES.items():
        people_of, row = wanted.get(name, {}), known.get(name)
        if not people_of:
            continue
        if row is None and people_of.keys() == {None}:
            continue
        fault = _fault(builtin, row, people_of, len(known))
        if fault is not None:
            line = next(line for line, event in zip(lines, events, strict=True) if name in event.derived)
            ignored.append(rejected(line, name, fault))
            continue
        if row is None:
            row = view.make_attribute(name, builtin.type, builtin.description, draft)
            known = view.attributes()
        _set(row, people_of, view, draft)
    return ignored[: ports_limits.REJECTED_PER_RECEIPT_MAX]


def _last_of_people(events: Sequence[Event], ordinals: Sequence[int]) -> Mapping[int, Mapping[str, str | None]]:
    """Returns the last texts that events derive for each person, by attribute."""
    found = dict[int, Mapping[str, str | None]]()
    for event, ordinal in zip(events, ordinals, strict=True):
        derived = event.derived
        if derived:
            before = found.get(ordinal)
            if before is not derived:
                found[ordinal] = derived if before is None else {**before, **derived}
    return found


def _wanted(last: Mapping[int, Mapping[str, str | None]]) -> Mapping[str, _People]:
    """Returns the people of each text of each attribute. Many people have the same object, which is read once."""
    groups = dict[int, list[int]]()
    for ordinal, derived in last.items():
        groups.setdefault(id(derived), []).append(ordinal)
    found = dict[str, dict[str | None, list[int]]]()
    for people in groups.values():
        for name, text in last[people[0]].items():
            found.setdefault(name, {}).setdefault(text, []).extend(people)
    return found


def _fault(builtin: BuiltinAttribute, row: Row | None, people_of: _People, attributes: int) -> Problem | None:
    """Returns why an attribute cannot be set, or None. An older attribute of the name may have another type."""
    if row is None:
        return too_many_attributes() if attributes >= limits.ATTRIBUTES_PER_ENVIRONMENT_MAX else None
    text = next(filter(None, people_of), None)
    if text is None or row.type == builtin.type:
        return None
    try:
        parse_value(text, attribute_type(row))
    except FAULTS_OF_AN_ATTRIBUTE as problem:
        return problem
    return None


def _set(row: Row, people_of: _People, view: View, draft: Draft) -> None:
    """Gives people their texts of an attribute, None for no value. Changes nothing for people who have them."""
    numbers = view.text_numbers(row.id, dict.fromkeys((text for text in people_of if text is not None), SEVERAL))
    people = {text: BitMap(ordinals) for text, ordinals in people_of.items()}
    everybody = BitMap.union(*people.values())
    having = view.near(row.id, everybody)
    bits = {bit: view.near(each, everybody) for bit, each in view.bits_of(row.id).items()}
    removed = people.pop(None, BitMap()) & having
    changing = [
        (ordinal, numbers[text])
        for text, wanted in people.items()
        if text is not None and equal(numbers[text], wanted & having, bits) != wanted
        for ordinal in wanted
    ]
    if removed or changing:
        changing.sort()
        ordinals = np.array([ordinal for ordinal, _ in changing], np.uint32)
        codes = np.array([code for _, code in changing], np.uint64)
        change_values(row, ordinals, codes, removed, view, draft)
