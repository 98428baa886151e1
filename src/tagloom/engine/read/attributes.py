"""Reads of the catalogue of attributes. Call them inside `EnvironmentState.read`."""

import msgspec

from tagloom.engine.attributes.attribute_leaves import rows_of
from tagloom.engine.attributes.codes import code_of_rank, is_textual, value_of_code, value_of_text
from tagloom.engine.attributes.conditions import counted, extremes
from tagloom.engine.state.dictionary import attribute_type
from tagloom.engine.state.environment import EnvironmentState
from tagloom.engine.write.attribute_values import find_attribute
from tagloom.words import limits
from tagloom.words.attributes import Attribute, AttributeName, AttributeValues, ValueCount, plain


def list_attributes(environment: EnvironmentState) -> tuple[Attribute, ...]:
    """Returns all attributes by name."""
    known = environment.dictionary.attributes
    return tuple(_attribute(environment, known[name]) for name in sorted(known))


def _attribute(environment: EnvironmentState, row: int) -> Attribute:
    known = environment.dictionary.rows[row]
    return Attribute(
        name=AttributeName(known.path),
        type=attribute_type(known),
        description=known.description,
        people=len(environment.row(row)),
    )


def values_of_attribute(environment: EnvironmentState, name: AttributeName, limit: int) -> AttributeValues:
    """Returns the most frequent values of an attribute. Cost: see `conditions.counted`."""
    known = {each: environment.dictionary.rows[row] for each, row in environment.dictionary.attributes.items()}
    row = find_attribute(name, known)
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
    values.sort(key=lambda each: (-each.people, msgspec.json.encode(each.value).decode()))
    return AttributeValues(
        attribute=_attribute(environment, row.id),
        version=environment.stamp.version,
        distinct=None if found is None else len(values),
        values=tuple(values[:limit]),
        least=least,
        greatest=greatest,
    )
