"""The short words in which contract tests speak of the links of visitors to users."""

from typing import Any

from tagloom.ports.population import Population
from tagloom.ports.writes import JoinUsers, LinkVisitor, RecordEvents, Separate, WriteOptions
from tagloom.words.events import Event, EventType
from tagloom.words.identity import LinkPolicy, LinkRules
from tagloom.words.people import Person
from tagloom.words.receipts import Receipt
from tests.contract.steps import ADA, user_of, visitor_of

NOW = 1_772_355_600_000  # 2026-03-01T09:00:00Z, when the clock of a test begins.
TODAY = "2026-03-01"


def link(population: Population, visitor: str, user: str, policy: LinkPolicy = "take", **options: Any) -> Receipt:
    return population.write(LinkVisitor(visitor, user, policy), WriteOptions(ADA, **options))


def join(population: Population, user: str, into: str, policy: LinkPolicy = "take", **options: Any) -> Receipt:
    return population.write(JoinUsers(user, into, policy), WriteOptions(ADA, **options))


def separate(population: Population, person: Person, **options: Any) -> Receipt:
    return population.write(Separate(person), WriteOptions(ADA, **options))


def event(id: str, person: str | Person = "u1", visitor: str | None = None, **fields: Any) -> Event:
    """An event of a user, or of anybody, that can name a visitor."""
    about = user_of(person) if isinstance(person, str) else person
    type = EventType(fields.pop("type", "ad/clicked"))
    return Event(**{"person": about, "type": type, "at": NOW - 1, "id": id, "visitor": visitor} | fields)


def record(population: Population, *events: Event, rules: LinkRules | None = None, **options: Any) -> Receipt:
    return population.write(RecordEvents(events, links=rules or LinkRules()), WriteOptions(ADA, **options))


def identities(population: Population, id: str, *, as_of: int | None = None) -> list[tuple[str, str]] | None:
    """The kinds and ids of the people who are linked to a user, or None for nobody."""
    found = population.find_person(user_of(id), as_of=as_of)
    return None if found is None else [(each.kind, each.id) for each in found.identities]


def tags(population: Population, person: Person, *, as_of: int | None = None) -> tuple[str, ...] | None:
    """The tags of the person that an id means, or None for nobody."""
    found = population.find_person(person, as_of=as_of)
    return None if found is None else found.tags


def user_meant(population: Population, visitor: str, *, as_of: int | None = None) -> str | None:
    """The id of the user that the id of a visitor means, or None if it means no user."""
    found = population.find_person(visitor_of(visitor), as_of=as_of)
    return found.id if found is not None and found.kind == "user" else None
