"""Users and visitors of an environment, with their tags."""

from collections.abc import Callable, Iterator, Sequence

from tagloom.ports.pages import Page
from tagloom.ports.population import Population
from tagloom.ports.problems import PersonNotFound
from tagloom.ports.writes import ErasePerson, PutPerson, WriteOptions
from tagloom.words.catalogue import Match
from tagloom.words.changes import Origin, Version
from tagloom.words.people import Kind, Person, PersonRecord
from tagloom.words.receipts import Receipt
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Environment


class People:
    """Reads, creates and erases the people of an environment.

    `delete_messages` deletes the rejected messages of an environment that contain the id of a person.
    """

    def __init__(
        self,
        population_of: Callable[[Environment], Population],
        delete_messages: Callable[[int, Person], None],
    ) -> None:
        self._population_of = population_of
        self._delete_messages = delete_messages

    def find_person(
        self, environment: Environment, person: Person, *, as_of: Version | None = None
    ) -> PersonRecord | None:
        """Returns the person with their tags, or None. Raises: HistoryCompacted: `as_of` is before the horizon."""
        return self._population_of(environment).find_person(person, as_of=as_of)

    def get_person(self, environment: Environment, person: Person, *, as_of: Version | None = None) -> PersonRecord:
        """Returns the person with their tags. Raises: PersonNotFound; HistoryCompacted."""
        found = self.find_person(environment, person, as_of=as_of)
        if found is None:
            raise PersonNotFound(f"No such {person.kind} is known in this environment.")
        return found

    def list_people(
        self,
        environment: Environment,
        *,
        kind: Kind | None,
        search: str = "",
        search_match: str = "substring",
        tag: TagPath | None = None,
        match: Match = "subtree",
        limit: int,
        cursor: str | None = None,
    ) -> Page[PersonRecord]:
        """Returns a page of people in the order of their creation, filtered by id and tag.

        `search_match` is exact, prefix or substring. Raises: TagNotFound, CursorInvalid.
        """
        return self._population_of(environment).list_people(
            kind=kind,
            search=search,
            search_match=search_match,
            tag=tag,
            match=match,
            limit=limit,
            cursor=cursor,
        )

    def people_with(
        self, environment: Environment, tag: TagPath, match: Match, *, as_of: Version | None = None
    ) -> tuple[Version, Iterator[Sequence[Person]]]:
        """Returns a version, and all people with the tag at that version, a chunk at a time.

        Raises: TagNotFound; with `as_of`, only if the path never was a tag.
        """
        return self._population_of(environment).people_with(tag, match, as_of=as_of)

    def put_person(self, environment: Environment, person: Person, origin: Origin) -> Receipt:
        """Creates the person. Changes nothing for a person who exists."""
        return self._population_of(environment).write(PutPerson(person), WriteOptions(origin))

    def erase_person(self, environment: Environment, person: Person, origin: Origin) -> Receipt:
        """Erases the person from the tags, the history, the events and the receipts. Cannot be undone.

        Raises: PersonNotFound.
        """
        # First, so that a failure is repeated with the erasure, and for people who have nothing else.
        self._delete_messages(environment.key, person)
        return self._population_of(environment).write(ErasePerson(person), WriteOptions(origin))
