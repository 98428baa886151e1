"""The use cases of retention, and the thread of each server process that compacts older history."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog

from tagloom.accounts.access_tokens import Access
from tagloom.base.counters import Compactions
from tagloom.base.text import plural
from tagloom.base.times import seconds_of, with_milliseconds
from tagloom.history import limits
from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports.population import Population
from tagloom.words.changes import Freed, Version
from tagloom.words.retention import RetentionDeletesHistory, parse_retention
from tagloom.words.tenants import Environment

log = structlog.get_logger("tagloom.history.compaction")

_PAUSE_SHARE = 1.0  # The pause after a step, as a share of its duration. Other writers write during the pause.


class Compactor:
    """A job that compacts the history of all environments.

    `retained` returns the environments that have a retention, or whose compaction is not finished.
    """

    def __init__(
        self,
        retained: Callable[[], Sequence[Environment]],
        population_of: Callable[[Environment], Population],
        now: Callable[[], float],
    ) -> None:
        self._retained = retained
        self._population_of = population_of
        self._now = now
        self.done = Compactions()
        self._loop = BackgroundLoop(
            self.compact_all, seconds=limits.COMPACTION_SECONDS_BETWEEN_POLLS, name="tagloom-compactor"
        )

    def start(self) -> None:
        """Starts the thread of the job."""
        self._loop.start()

    def stop(self) -> None:
        """Stops after the current step. The next process continues at the following step."""
        self._loop.stop()

    def horizon_due(self, environment: Environment, retention_seconds: int) -> Version:
        """Returns the newest version that is at least `retention_seconds` old.

        Returns 0 if there is no such version, or if `retention_seconds` is 0, which means that all history is kept.
        """
        if not retention_seconds:
            return 0
        moment = datetime.fromtimestamp(self._now() - retention_seconds, UTC)
        return self._population_of(environment).version_at(with_milliseconds(moment))

    def preview(self, environment: Environment, retention_seconds: int) -> Freed:
        """Returns what a retention would delete now. Deletes nothing."""
        due = self.horizon_due(environment, retention_seconds)
        return self._population_of(environment).preview_compaction(due)

    def compact_all(self) -> tuple[tuple[Environment, Freed], ...]:
        """Compacts all environments whose history is older than their retention by a certain share.

        Continues compactions that are not finished. Returns the environments in which history was deleted. If an
        environment fails, the others are still compacted, and the first failure is raised at the end.
        """
        found, failures = [], list[Exception]()
        for environment in self._retained():
            try:
                due = self.horizon_due(environment, environment.retention_seconds)
                if not self._is_enough(environment):
                    due = 0
                freed = self.compact(environment, due)
            except Exception as error:
                failures.append(error)
                continue
            if freed.versions or freed.changes:
                found.append((environment, freed))
        if failures:
            raise failures[0]
        return tuple(found)

    def compact(self, environment: Environment, version: Version) -> Freed:
        """Raises the horizon to a version, unless it is there already, and deletes the history before the horizon.

        Other writers write between the steps of the compaction. If the process stops, the compaction ends early, and
        `is_all` of the result is False.
        """
        population = self._population_of(environment)
        before = population.horizon().version
        if population.raise_horizon(version):
            log.info("history.given_up", **_named(environment), before_version=version)
        changes = size = 0
        is_all = False
        while not is_all and not self._loop.is_stopped:
            began = time.monotonic()
            step = population.compact()
            changes, size, is_all = changes + step.changes, size + step.bytes, step.is_all
            self.done.changes += step.changes
            self.done.bytes += step.bytes
            if not is_all:
                self._loop.pause(_PAUSE_SHARE * (time.monotonic() - began))
        horizon = population.horizon()
        if horizon.at is not None:
            self.done.horizons[environment.space, environment.name] = horizon.at
        if changes or size:
            log.info("history.compacted", **_named(environment), horizon=horizon.version, changes=changes, bytes=size)
        return Freed(horizon=horizon, versions=horizon.version - before, changes=changes, bytes=size, is_all=is_all)

    def _is_enough(self, environment: Environment) -> bool:
        """Returns whether history is older than the retention by at least 1/COMPACTION_STEPS_PER_RETENTION of it.

        Without this condition, each new version would cause a compaction that reads all chunks again.
        """
        horizon = self._population_of(environment).horizon()
        if horizon.at is None:
            return True
        too_old = self._now() - seconds_of(horizon.at) - environment.retention_seconds
        return too_old * limits.COMPACTION_STEPS_PER_RETENTION >= environment.retention_seconds


class Retentions:
    """The use cases of the retention of environments."""

    def __init__(self, access: Access, compactor: Compactor) -> None:
        self._access = access
        self._compactor = compactor

    def put(
        self, environment: Environment, text: str, *, delete_history: bool = False, dry_run: bool = False, actor: str
    ) -> tuple[Environment, Freed]:
        """Changes the retention of an environment. Returns the environment, and what the next compaction deletes.

        A compaction begins within COMPACTION_SECONDS_BETWEEN_POLLS. A dry run changes nothing.

        Raises: RetentionInvalid; RetentionDeletesHistory: history would be deleted, and `delete_history` is False.
        """
        seconds = parse_retention(text)
        freed = self._compactor.preview(environment, seconds)
        if dry_run:
            return environment, freed
        if freed.versions and not delete_history:
            raise RetentionDeletesHistory(
                f"{plural(freed.versions, 'version is', 'versions are')} older, "
                f"up to version {freed.horizon.version} of {freed.horizon.at}. "
                "They could not be undone any more, and time travel could not reach them. "
                "Confirm with delete_history=true.",
                versions=freed.versions,
                changes=freed.changes,
                bytes=freed.bytes,
                kept_from_version=freed.horizon.version,
                kept_since=freed.horizon.at,
            )
        return self._access.put_retention(environment, seconds, actor=actor), freed


def _named(environment: Environment) -> dict[str, str]:
    return {"space": environment.space, "environment": environment.name}
