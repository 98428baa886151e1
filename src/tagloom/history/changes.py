"""The changes of an environment, and its versions at earlier times."""

from collections.abc import Callable

from tagloom.base.problems import BodyInvalid, ParameterInvalid
from tagloom.base.times import moment_of
from tagloom.ports.population import Population
from tagloom.ports.problems import ChangeNotFound
from tagloom.words.changes import VERSION_MAX, Change, Horizon, Version
from tagloom.words.people import Person
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Environment

_DIGITS_MAX = 18  # Versions are 64-bit numbers.


class Changes:
    """Reads the changes of an environment."""

    def __init__(self, population_of: Callable[[Environment], Population]) -> None:
        self._population_of = population_of

    def version(self, environment: Environment) -> Version:
        """Returns the newest committed version that this process has read; 0 before the first."""
        return self._population_of(environment).version()

    def horizon(self, environment: Environment) -> Horizon:
        """Returns the version from which on the history is complete."""
        return self._population_of(environment).horizon()

    def list_changes(
        self,
        environment: Environment,
        *,
        person: Person | None = None,
        tag: TagPath | None = None,
        after: Version = 0,
        before: Version | None = None,
        newest_first: bool = False,
        actor: str | None = None,
        source: str | None = None,
        action: str | None = None,
        limit: int,
    ) -> tuple[Change, ...]:
        """Returns versions above `after` and below `before`, ascending, or the newest first.

        Only those that changed the person, or a tag at or below `tag`, with exactly this actor, source and action.
        """
        return self._population_of(environment).list_changes(
            person=person,
            tag=tag,
            after=min(after, VERSION_MAX),
            before=None if before is None else min(before, VERSION_MAX),
            newest_first=newest_first,
            actor=actor,
            source=source,
            action=action,
            limit=limit,
        )

    def get_change(self, environment: Environment, version: Version) -> Change:
        """Returns one version. Raises: ChangeNotFound."""
        if version > VERSION_MAX:
            raise ChangeNotFound(f"There is no version {version}.")
        return self._population_of(environment).get_change(version)

    def version_as_of(self, environment: Environment, text: str | None) -> Version | None:
        """Returns the version that `as_of` names: a number, or the newest at an RFC 3339 time. None is now.

        Raises: ParameterInvalid; ChangeNotFound: the environment never was at this version.
        """
        if text is None:
            return None
        population = self._population_of(environment)
        if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX:
            version, newest = int(text), population.version()
            if version > newest:
                raise ChangeNotFound(f"There is no version {version}; the newest is {newest}.", version=version)
            return version
        try:
            return population.version_at(moment_of(text, field="as_of"))
        except BodyInvalid as problem:
            raise ParameterInvalid(
                "as_of must be the number of a version, or a time such as 2026-03-01T09:00:00Z.", parameter="as_of"
            ) from problem
