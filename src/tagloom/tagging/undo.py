"""Selects the versions of an undo: a list of versions, or all versions that a writer made in a span of time."""

from collections.abc import Sequence

import msgspec

from tagloom.base.problems import BodyInvalid
from tagloom.base.times import moment_of
from tagloom.ports.population import Population
from tagloom.tagging import limits
from tagloom.tagging.problems import UndoTooLarge
from tagloom.words.model import Version


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A selection of versions: their numbers, or their actor and source, with times from `since` to before `until`."""

    versions: Sequence[Version] | None = None
    actor: str | None = None
    source: str | None = None
    since: str | None = None
    until: str | None = None


def chosen_versions(population: Population, chosen: Chosen) -> tuple[Version, ...]:
    """Returns the selected versions, ascending, without repetitions.

    If the versions are selected by actor or source, erasures are left out, because they cannot be undone.

    Raises: BodyInvalid: the selection is invalid; UndoTooLarge.
    """
    is_by_writer = chosen.actor is not None or chosen.source is not None
    if (chosen.versions is not None) == is_by_writer or ((chosen.since or chosen.until) and not is_by_writer):
        raise BodyInvalid("Give versions; or actor or source, and from and until if you like.", field="$")
    if chosen.versions is not None:
        found = tuple(sorted(set(chosen.versions)))
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
    return found
