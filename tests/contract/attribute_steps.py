"""The short words in which contract tests speak of attributes."""

from collections.abc import Sequence
from typing import Any

from tagloom.ports.population import Population
from tagloom.ports.writes import DeleteAttribute, PutAttribute, Undo, WriteOptions
from tagloom.words.attribute_rules import AttributeOperator, HasAttribute
from tagloom.words.attributes import AttributeName, AttributeType
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.receipts import Receipt
from tests.bodies import Line
from tests.contract.steps import ADA, BOB, user_of

PLAN = AttributeName("plan")


def line(id: str, *values: tuple[str, Any], tags: Sequence[str] = ()) -> Line:
    """A line of one user, with values of attributes that need not be keywords."""
    return Line(user_of(id), tags, values=values)


def values_of(population: Population, id: str, *, as_of: int | None = None) -> dict[str, Any] | None:
    """The attributes of a user that somebody set, or None for nobody."""
    record = population.find_person(user_of(id), as_of=as_of)
    if record is None:
        return None
    return {name: value for name, value in record.attributes.items() if name not in COMPUTED_ATTRIBUTES}


def attributes(population: Population) -> dict[str, tuple[str, int]]:
    """The type and the people of each attribute."""
    return {each.name: (each.type, each.people) for each in population.list_attributes()}


def put(population: Population, name: str, type: AttributeType, description: str | None = None) -> Receipt:
    return population.write(PutAttribute(AttributeName(name), type, description), WriteOptions(ADA))


def delete(population: Population, name: str = "plan") -> Receipt:
    return population.write(DeleteAttribute(AttributeName(name)), WriteOptions(BOB))


def undo(population: Population, *versions: int, override: bool = False) -> Receipt:
    return population.write(Undo(versions, override), WriteOptions(BOB))


def faults(receipt: Receipt) -> list[tuple[int, str, str]]:
    return [(each.line, each.value, each.problem) for each in receipt.rejected]


def attribute(name: str, op: AttributeOperator, *value: Any) -> HasAttribute:
    return HasAttribute(AttributeName(name), op, *value)
