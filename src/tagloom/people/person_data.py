"""Everything that an environment stores about one person, as a JSON document that is streamed."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import msgspec

from tagloom.base.limits import PAGE_ITEMS_MAX
from tagloom.ports.events import EventSelection
from tagloom.ports.population import Population
from tagloom.ports.problems import PersonNotFound
from tagloom.words.attributes import AttributeChange
from tagloom.words.changes import Version
from tagloom.words.event_sources import RejectedMessage
from tagloom.words.events import PersonEvent
from tagloom.words.people import Kind, Person, PersonRecord
from tagloom.words.tenants import Environment

_TRIES = 5  # Others may write between the read of the record and that of the events.
_NAME_CHARACTERS_MAX = 64
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


class PersonChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one version changed for a person: a user, or somebody who is linked to the user."""

    kind: Kind
    id: str
    version: Version
    at: str
    action: str
    actor: str
    source: str
    tags_added: tuple[str, ...]
    tags_removed: tuple[str, ...]
    tags_renewed: tuple[str, ...]
    attribute_changes: tuple[AttributeChange, ...]


class PersonData(NamedTuple):
    """A document about one person: the name of its file, the version for which it is true, and its bytes."""

    file_name: str
    version: Version
    chunks: Iterator[bytes]


class PersonExports:
    """Exports what is stored about one person.

    `item_of` returns an event in the form of the API. `list_messages` yields the rejected messages of an environment
    that contain one of some ids.
    """

    def __init__(
        self,
        population_of: Callable[[Environment], Population],
        item_of: Callable[[PersonEvent], object],
        list_messages: Callable[[int, Collection[str]], Iterator[Sequence[RejectedMessage]]],
    ) -> None:
        self._population_of = population_of
        self._item_of = item_of
        self._list_messages = list_messages

    def export_person(self, environment: Environment, person: Person) -> PersonData:
        """Returns the document about a person, or about the user to whom the person is linked.

        It has the record, all events in the order of recording, the changes in the kept history, and the rejected
        messages of event sources, which have no version. Raises: PersonNotFound.
        """
        population = self._population_of(environment)
        for _ in range(_TRIES):
            version, events = population.stream_events(EventSelection(person=person), {})
            record = population.find_person(person)
            if record is None or record.version == version:
                break
        else:
            # The record of an earlier version is complete except for the expiry of tags.
            record = population.find_person(person, as_of=version)
        if record is None:
            raise PersonNotFound(f"No such {person.kind} is known in this environment.")
        name = _UNSAFE.sub("-", record.id).strip("-")[:_NAME_CHARACTERS_MAX] or "id"
        return PersonData(
            f"{environment.name}-{record.kind}-{name}-v{version}.json",
            version,
            self._chunks(environment, population, record, version, events),
        )

    def _chunks(
        self,
        environment: Environment,
        population: Population,
        record: PersonRecord,
        version: Version,
        events: Iterator[Sequence[PersonEvent]],
    ) -> Iterator[bytes]:
        ids = {record.id, *(each.id for each in record.identities)}
        encode = msgspec.json.encode
        yield b'{"version":%b,\n"record":%b,\n"events":[' % (encode(version), encode(record))
        yield from _joined([self._item_of(each) for each in chunk] for chunk in events)
        yield b'],\n"changes":['
        yield from _joined(_changes(population, record, version))
        yield b'],\n"rejected_messages":['
        yield from _joined(self._list_messages(environment.key, ids))
        yield b"]}\n"


def _changes(population: Population, record: PersonRecord, version: Version) -> Iterator[Sequence[PersonChange]]:
    user = Person(record.kind, record.id)
    for person in (user, *(Person(each.kind, each.id) for each in record.identities)):
        if person != user:
            # An id that began again means another person now. Their changes are not those of this user.
            meant = population.find_person(person)
            if meant is None or (meant.kind, meant.id) != (user.kind, user.id):
                continue
        after = 0
        while changes := population.list_changes(person=person, after=after, before=version + 1, limit=PAGE_ITEMS_MAX):
            after = changes[-1].version
            yield [
                PersonChange(
                    kind=person.kind,
                    id=person.id,
                    version=each.version,
                    at=each.at,
                    action=each.action,
                    actor=each.actor,
                    source=each.source,
                    tags_added=each.tags_added,
                    tags_removed=each.tags_removed,
                    tags_renewed=each.tags_renewed,
                    attribute_changes=each.attribute_changes,
                )
                for each in changes
            ]


def _joined(chunks: Iterator[Sequence[object]]) -> Iterator[bytes]:
    """Yields the items of a JSON list, one a line."""
    encode, before = msgspec.json.encode, b"\n"
    for chunk in chunks:
        if chunk:
            yield before + b",\n".join(map(encode, chunk))
            before = b",\n"
