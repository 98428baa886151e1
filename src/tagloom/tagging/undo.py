"""Undo of one version or of several: those of a list, or everything that one author or source wrote in a period."""

from collections.abc import Callable, Sequence

import msgspec

from tagloom.base.problems import BodyInvalid
from tagloom.base.times import moment_of
from tagloom.ports.population import Population
from tagloom.ports.problems import ChangeNotFound, UndoConflict
from tagloom.ports.writes import Undo, WriteOptions
from tagloom.tagging import limits
from tagloom.tagging.problems import UndoTooLarge
from tagloom.words.changes import VERSION_MAX, Origin, Version
from tagloom.words.receipts import Receipt
from tagloom.words.tenants import Environment


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """The versions to undo: by number; or by actor or source, at `since` or later and before `until` (RFC 3339)."""

    versions: Sequence[Version] | None = None
    actor: str | None = None
    source: str | None = None
    since: str | None = None
    until: str | None = None


class Undos:
    """Undoes versions of an environment. An undo is itself a version, and can be undone."""

    def __init__(self, population_of: Callable[[Environment], Population]) -> None:
        self._population_of = population_of

    def choose(self, environment: Environment, chosen: Chosen) -> tuple[Version, ...]:
        """Returns the chosen versions, ascending, each once.

        By author, erasures are left out, because they cannot be undone, and so are versions that are undone already.

        Raises: BodyInvalid, UndoTooLarge.
        """
        is_by_author = chosen.actor is not None or chosen.source is not None
        if (chosen.versions is not None) == is_by_author or ((chosen.since or chosen.until) and not is_by_author):
            raise BodyInvalid("Set versions, or set actor, source or both. from and until are optional.", field="$")
        population = self._population_of(environment)
        if chosen.versions is not None:
            found = tuple(sorted(set(chosen.versions)))
            if found and found[-1] > VERSION_MAX:
                raise ChangeNotFound(f"There is no version {found[-1]}.")
        else:
            found = population.find_versions(
                actor=chosen.actor,
                source=chosen.source,
                since=None if chosen.since is None else moment_of(chosen.since, field="$.from"),
                until=None if chosen.until is None else moment_of(chosen.until, field="$.until"),
                limit=limits.VERSIONS_PER_UNDO_MAX + 1,
            )
        if len(found) > limits.VERSIONS_PER_UNDO_MAX:
            raise UndoTooLarge(
                f"At most {limits.VERSIONS_PER_UNDO_MAX} versions are undone at once; choose a shorter span.",
                versions_max=limits.VERSIONS_PER_UNDO_MAX,
            )
        if chosen.versions is not None:
            return found
        return _without_undone(population, found, chosen)

    def undo(
        self,
        environment: Environment,
        versions: Sequence[Version],
        origin: Origin,
        *,
        override: bool = False,
        dry_run: bool = False,
    ) -> Receipt:
        """Undoes versions as one new version. Changes that others made since are skipped, unless `override` is true.

        Raises: ChangeNotFound, UndoConflict, HistoryCompacted.
        """
        population = self._population_of(environment)
        try:
            return population.write(Undo(tuple(versions), override), WriteOptions(origin, dry_run))
        except UndoConflict as problem:
            for version in versions:
                if (by := undone_by(population, version)) is not None and by not in versions:
                    raise UndoConflict(
                        f"Version {version} was already undone by version {by}. Undo version {by} to restore it.",
                        version=version,
                    ) from problem
            raise


def _without_undone(population: Population, versions: tuple[Version, ...], chosen: Chosen) -> tuple[Version, ...]:
    """Returns the chosen versions that are not undone. `versions` ascend, and `chosen` names their author.

    A version stays if its undo is chosen too, because both are then undone together. Cost: one read for all versions,
    and one more for each undone version.
    """
    if not versions:
        return ()
    first, last, together = versions[0], versions[-1], set(versions)
    changes = population.list_changes(
        after=first - 1, before=last + 1, actor=chosen.actor, source=chosen.source, limit=last - first + 1
    )
    undone = {
        change.version
        for change in changes
        if change.undone_by is not None
        and change.version in together
        and (by := undone_by(population, change.version)) is not None
        and by not in together
    }
    return tuple(each for each in versions if each not in undone)


def undone_by(population: Population, version: Version) -> Version | None:
    """Returns the version that undid a version; None if none did, or if that undo was undone itself."""
    by = population.get_change(version).undone_by
    return None if by is None or undone_by(population, by) is not None else by
