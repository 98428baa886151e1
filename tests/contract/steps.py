"""The short words in which contract tests speak to a population."""

from collections.abc import Mapping
from typing import Any

from tagloom.ports.population import Population
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom.words.receipts import Mode, Receipt
from tagloom.words.rules import Definition, Rule
from tagloom.words.tags import TagPath
from tests.bodies import Line, part
from tests.writing import Batch, write_parts

ADA = Origin("ada", "crm.csv")
BOB = Origin("bob", "console")


def path(text: str) -> TagPath:
    """A path that the test knows to be one."""
    return TagPath(text)


def user_of(id: str) -> Person:
    return Person("user", id)


def visitor_of(id: str) -> Person:
    return Person("visitor", id)


def apply(population: Population, mode: Mode, *lines: Line, prefix: str | None = None, **asked: Any) -> Receipt:
    """Applies the lines as one part."""
    prefix = None if prefix is None else TagPath(prefix)
    request = Batch(**{"mode": mode, "origin": ADA, "prefix": prefix} | asked)
    return write_parts(population, [part(lines)], request)


def tags_of(population: Population, id: str) -> tuple[str, ...] | None:
    """The tags of a user, or None for nobody."""
    record = population.find_person(user_of(id))
    return None if record is None else record.tags


def catalogue(population: Population) -> dict[str, tuple[int, int]]:
    """Every entry of the catalogue with its own users and those of its subtree."""
    return {tag.tag: (tag.users, tag.subtree_users) for tag in population.list_tags(limit=1_000).items}


def implied(population: Population) -> set[str]:
    return {tag.tag for tag in population.list_tags(limit=1_000).items if tag.implied}


def people(population: Population) -> list[str]:
    """The ids of everybody, users first, in the order they came."""
    users = population.list_people(kind="user", limit=1_000).items
    visitors = population.list_people(kind="visitor", limit=1_000).items
    return [record.id for record in (*users, *visitors)]


def count(population: Population, rule: Rule, audience: str = "everyone", **tribes: Definition) -> int:
    return population.count(definition(rule, audience), tribes).count


def definition(rule: Rule, audience: str = "everyone") -> Definition:
    match audience:
        case "users" | "visitors" | "everyone":
            return Definition(audience, rule)
        case _:
            raise AssertionError(audience)


def regions(population: Population, *chosen: str, tribes: Mapping[str, Definition]) -> dict[tuple[str, ...], int]:
    return {region.tribes: region.count for region in population.overlap(chosen, tribes)[1]}
