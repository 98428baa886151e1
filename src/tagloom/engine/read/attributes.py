"""Reads of the catalogue of attributes. Call them inside `EnvironmentState.read`."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tagloom.engine.attributes.attribute_leaves import rows_of
from tagloom.engine.attributes.codes import code_of_rank, is_textual, value_of_code, value_of_text
from tagloom.engine.attributes.conditions import AttributeRows, counted, decoded, extremes
from tagloom.engine.bitmaps import BitMap, buckets_of, chunk_of, ordinals_of
from tagloom.engine.keys.hashing import person_of
from tagloom.engine.read import rule_bitmaps
from tagloom.engine.read.computed_attributes import ComputedValues, list_computed, most_frequent, values_of_computed
from tagloom.engine.state.dictionary import attribute_type
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.storage import Row
from tagloom.engine.write.attribute_values import find_attribute
from tagloom.ports.audiences import MembersWithAttributes
from tagloom.words import limits
from tagloom.words.attributes import (
    Attribute,
    AttributeName,
    Attributes,
    AttributeValue,
    AttributeValues,
    ValueCount,
    plain,
)
from tagloom.words.changes import Version
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.people import Person
from tagloom.words.rules import Definition


def list_attributes(environment: EnvironmentState) -> tuple[Attribute, ...]:
    """Returns all attributes by name, with the computed ones if anybody has events."""
    stored = [_attribute(environment, row) for row in environment.dictionary.live_attributes().values()]
    return tuple(sorted([*stored, *list_computed(environment)], key=lambda each: each.name))


def _attribute(environment: EnvironmentState, row: Row) -> Attribute:
    return Attribute(
        name=AttributeName(row.path),
        type=attribute_type(row),
        description=row.description,
        people=len(environment.row(row.id)),
    )


def values_of_attribute(environment: EnvironmentState, name: AttributeName, limit: int) -> AttributeValues:
    """Returns the most frequent values of an attribute. Cost: see `conditions.counted`."""
    if name in COMPUTED_ATTRIBUTES:
        return values_of_computed(environment, name, limit)
    row = find_attribute(name, environment.dictionary.live_attributes())
    type, rows = attribute_type(row), rows_of(row.id, environment.dictionary, environment.row)
    found = counted(rows, limits.ATTRIBUTE_VALUES_COUNTED_MAX)
    least = greatest = None
    if type in ("number", "time") and (ends := extremes(rows)) is not None:
        least, greatest = (plain(value_of_code(type, code_of_rank(rank))) for rank in ends)
    values: list[ValueCount] = []
    if found is not None and is_textual(type):
        texts = environment.snapshot().values_numbered(row.id, [code for code, _ in found])
        values = [
            ValueCount(plain(value_of_text(type, texts[code])), people) for code, people in found if code in texts
        ]
    elif found is not None:
        values = [ValueCount(plain(value_of_code(type, code)), people) for code, people in found]
    return AttributeValues(
        attribute=_attribute(environment, row),
        version=environment.stamp.version,
        distinct=None if found is None else len(values),
        values=most_frequent(values, limit),
        least=least,
        greatest=greatest,
    )


def stream_members(
    environment: EnvironmentState,
    tribe: Definition,
    tribes: Mapping[str, Definition],
    names: Sequence[AttributeName],
) -> MembersWithAttributes:
    """Returns the members of a tribe with some of their attributes, a chunk at a time.

    It takes the read lock itself, for each chunk. Memory: a bitmap for each bit of the attributes.
    """

    is_computed = not COMPUTED_ATTRIBUTES.keys().isdisjoint(names)

    def begin() -> tuple[Version, BitMap, dict[AttributeName, tuple[int, AttributeRows]], ComputedValues | None]:
        known = environment.dictionary.live_attributes()
        people = BitMap(rule_bitmaps.members(tribe, tribes, environment))
        found = {}
        for name in names:
            if name in COMPUTED_ATTRIBUTES:
                continue
            row = find_attribute(name, known)
            # Later commits change the bitmaps in memory, so these are copies.
            rows = rows_of(row.id, environment.dictionary, lambda each: environment.row(each) & people)
            found[name] = row.id, rows
        computed = ComputedValues(environment, people) if is_computed else None
        return environment.stamp.version, people, found, computed

    version, people, attributes, computed = environment.read(begin)

    def chunk(bucket: int) -> list[tuple[Person, Attributes]]:
        inside = chunk_of(people, bucket)
        values: dict[int, dict[AttributeName, AttributeValue]] = {ordinal: {} for ordinal in inside}
        for name, (row, rows) in attributes.items():
            ordinals, codes = decoded(rows, inside)
            texts = {}
            if is_textual(rows.type):
                texts = environment.snapshot().values_numbered(row, np.unique(codes).tolist())
            for ordinal, code in zip(ordinals.tolist(), codes.tolist(), strict=True):
                if not is_textual(rows.type):
                    values[ordinal][name] = value_of_code(rows.type, code)
                elif code in texts:
                    values[ordinal][name] = value_of_text(rows.type, texts[code])
        for ordinal, of_person in computed.inside(bucket) if computed is not None else ():
            values[ordinal].update((name, value) for name, value in of_person.items() if name in names)
        found = list[tuple[Person, Attributes]]()
        for ordinals, keys in environment.directory.keys_of(ordinals_of(inside), environment.snapshot):
            pairs = zip(ordinals.tolist(), keys.to_pylist(), strict=True)
            found += [(person_of(key), values[ordinal]) for ordinal, key in pairs if key]
        return found

    def chunks() -> Iterator[Sequence[tuple[Person, Attributes]]]:
        for bucket in buckets_of(people):
            yield environment.read(lambda bucket=bucket: chunk(bucket))  # type: ignore[misc]  # Bound at once.

    types = {name: attributes[name][1].type if name in attributes else COMPUTED_ATTRIBUTES[name].type for name in names}
    return MembersWithAttributes(version, types, chunks())
