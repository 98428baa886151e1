"""Users and visitors of an environment, with their tags and attributes."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from msgspec.structs import replace

from tagloom.base.problems import BodyInvalid
from tagloom.base.text import printable
from tagloom.files import Line, key_of, lines_part
from tagloom.files.json_values import TooMany, Unfit, attributes_of
from tagloom.ports.pages import Page
from tagloom.ports.population import Population
from tagloom.ports.problems import PersonNotFound
from tagloom.ports.writes import Apply, BatchRules, ErasePerson, PutPerson, WriteOptions
from tagloom.words import limits
from tagloom.words.attributes import time_of
from tagloom.words.builtin_attributes import JOINED_AT
from tagloom.words.catalogue import Match
from tagloom.words.changes import Origin, Version
from tagloom.words.people import Kind, Person, PersonRecord
from tagloom.words.problems import TooManyAttributes
from tagloom.words.receipts import Receipt
from tagloom.words.rejections import check_single
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Environment


class People:
    """Reads, creates and erases the people of an environment.

    `delete_messages` deletes the rejected messages of an environment that contain the id of one of these people.
    """

    def __init__(
        self,
        population_of: Callable[[Environment], Population],
        delete_messages: Callable[[int, Sequence[Person]], None],
    ) -> None:
        self._population_of = population_of
        self._delete_messages = delete_messages

    def find_person(
        self, environment: Environment, person: Person, *, as_of: Version | None = None
    ) -> PersonRecord | None:
        """Returns the person with their tags, or None. Raises: HistoryCompacted: `as_of` is before the horizon."""
        found = self._population_of(environment).find_person(person, as_of=as_of)
        return None if found is None else replace(found, joined_at=_time(found.attributes.get(JOINED_AT)))

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

    def put_person(
        self,
        environment: Environment,
        person: Person,
        origin: Origin,
        *,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Creates the person. Changes nothing for a person who exists."""
        options = write_options(person, origin, dry_run, idempotency_key)
        return self._population_of(environment).write(PutPerson(person), options)

    def submit_attributes(
        self,
        environment: Environment,
        person: Person,
        values: Mapping[str, Any],
        origin: Origin,
        *,
        is_replacing: bool = False,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Future[Receipt]":
        """Submits attributes of one person as a batch of one line, which creates the person.

        `values` is JSON. Null removes a value, and nested fields get names such as `company.size`. If `is_replacing`,
        the person loses all attributes that `values` does not name. `check_single` checks the receipt.

        Raises: TooManyAttributes; BodyInvalid: too many levels, a name twice, or a number with too many digits.
        """
        part = lines_part([Line(1, key_of(person.kind, person.id), attributes=_flat(values))])
        write = Apply([part], BatchRules(mode="add", replaces_attributes=is_replacing))
        options = write_options((person, values, is_replacing), origin, dry_run, idempotency_key)
        return self._population_of(environment).submit(write, options)

    def set_attributes(
        self,
        environment: Environment,
        person: Person,
        values: Mapping[str, Any],
        origin: Origin,
        *,
        is_replacing: bool = False,
        dry_run: bool = False,
    ) -> Receipt:
        """Sets attributes of one person, and waits for the commit.

        Raises: the errors of `submit_attributes`; AttributeNameInvalid, AttributeValueInvalid, AttributeTypeConflict,
        UnknownAttribute, TooManyAttributes.
        """
        future = self.submit_attributes(environment, person, values, origin, is_replacing=is_replacing, dry_run=dry_run)
        return check_single(future.result())

    def erase_person(self, environment: Environment, person: Person, origin: Origin) -> Receipt:
        """Erases the person from the tags, the history, the events and the receipts. Cannot be undone.

        Raises: PersonNotFound, PersonLinked.
        """
        # First, so that a failure is repeated with the erasure, and for people who have nothing else.
        self._delete_messages(environment.key, [person])
        return self._population_of(environment).write(ErasePerson(person), WriteOptions(origin))


def write_options(asked: object, origin: Origin, dry_run: bool, idempotency_key: str | None) -> WriteOptions:
    """Returns the options of a write. The digest of `asked` is compared when the idempotency key is used again."""
    digest = ""
    if idempotency_key is not None:
        digest = hashlib.blake2b(repr(asked).encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
    return WriteOptions(origin, dry_run, idempotency_key, digest)


def with_joined_at(values: Mapping[str, Any], joined_at: str | None) -> Mapping[str, Any]:
    """Returns attributes with the time at which the person joined; None removes it.

    Raises: BodyInvalid: it is no time, or `values` has it, too.
    """
    if JOINED_AT in values:
        raise BodyInvalid("The body has joined_at twice: as a field and as an attribute.", field="$.joined_at")
    if joined_at is not None and time_of(joined_at) is None:
        raise BodyInvalid(
            "joined_at is a time such as 2026-03-01T09:00:00Z, or a date.",
            field="$.joined_at",
            value=printable(joined_at[:64]),
        )
    return {**values, JOINED_AT: joined_at}


def _time(value: Any) -> str | None:
    """Returns a plain value if it is a time. An older attribute of the name may have another type."""
    return value if isinstance(value, str) and time_of(value) is not None else None


def _flat(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the attributes of a body. Raises: TooManyAttributes, BodyInvalid."""
    try:
        return attributes_of(dict(values))
    except TooMany as fault:
        most = limits.ATTRIBUTES_PER_PERSON_MAX
        raise TooManyAttributes(f"The body {fault}.", attributes_max=most) from fault
    except Unfit as fault:
        raise BodyInvalid(f"The body {fault}.", field="$.attributes") from fault
