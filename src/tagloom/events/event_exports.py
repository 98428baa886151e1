"""Streams the events of an environment that a caller selects by type, time, person or tribe."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import printable
from tagloom.base.times import milliseconds_at, utc_of
from tagloom.ports.events import EventSelection
from tagloom.ports.population import Population
from tagloom.tribes.definitions import Tribes
from tagloom.words.changes import Version
from tagloom.words.event_rules import fault_of_event_name
from tagloom.words.events import PersonEvent
from tagloom.words.people import Person
from tagloom.words.rules import Definition
from tagloom.words.tenants import Environment


class EventQuery(NamedTuple):
    """The events to export. A field that is None selects all.

    `event` is a type, a category, or `*` for all types. `since` and `until` are RFC 3339 times: the events happened at
    `since` or later, and before `until`. `tribe` is the id of a tribe.
    """

    event: str | None = None
    since: str | None = None
    until: str | None = None
    person: Person | None = None
    tribe: str | None = None


def check_query(query: EventQuery) -> None:
    """Checks all that needs no store. Raises: ParameterInvalid."""
    if query.person is not None and query.tribe is not None:
        raise ParameterInvalid("Give a person or a tribe, not both.", parameter="tribe")
    if query.event is not None and (fault := fault_of_event_name(query.event)):
        raise ParameterInvalid(fault, parameter="event", value=printable(query.event))
    _time("since", query.since)
    _time("until", query.until)


class EventExports:
    """The exports of events."""

    def __init__(self, tribes: Tribes, population_of: Callable[[Environment], Population]) -> None:
        self._tribes = tribes
        self._population_of = population_of

    def stream(self, environment: Environment, query: EventQuery) -> tuple[Version, Iterator[Sequence[PersonEvent]]]:
        """Returns a version, and the events up to it in the order of recording, a chunk at a time.

        Raises: ParameterInvalid, PersonNotFound, TribeNotFound, TribeNeedsContext, EventsNotCounted.
        """
        check_query(query)
        wanted, definitions = self._definitions(environment, query.tribe)
        selection = EventSelection(
            events=() if query.event is None else (query.event,),
            since=_time("since", query.since),
            until=_time("until", query.until),
            person=query.person,
            tribe=wanted,
        )
        return self._population_of(environment).stream_events(selection, definitions)

    def _definitions(
        self, environment: Environment, tribe: str | None
    ) -> tuple[Definition | None, Mapping[str, Definition]]:
        """Returns the definition of the tribe, if there is one, and those that it may refer to."""
        return (None, {}) if tribe is None else self._tribes.get_countable(environment.space, tribe)


def _time(parameter: str, text: str | None) -> int | None:
    """Returns a time in milliseconds since 1970. Raises: ParameterInvalid."""
    if text is None:
        return None
    try:
        return milliseconds_at(utc_of(text))
    except (ValueError, OverflowError) as error:
        raise ParameterInvalid(
            f"'{printable(text)}' is not a time with a zone, such as 2026-03-01T09:00:00Z.",
            parameter=parameter,
            value=printable(text),
        ) from error
