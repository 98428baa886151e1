"""The job that merges small blocks of the event log, in a thread of every serving process."""

from collections.abc import Callable, Sequence

import structlog

from tagloom.events import limits
from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports import limits as ports_limits
from tagloom.ports.population import Population
from tagloom.words.tenants import Environment

log = structlog.get_logger("tagloom.events.merging_job")


class EventMerger:
    """A job that merges the event blocks of all environments.

    `with_blocks` returns the environments with at least so many event blocks.
    """

    def __init__(
        self, with_blocks: Callable[[int], Sequence[Environment]], population_of: Callable[[Environment], Population]
    ) -> None:
        self._with_blocks = with_blocks
        self._population_of = population_of
        self._loop = BackgroundLoop(
            self.merge, seconds=limits.EVENT_MERGE_SECONDS_BETWEEN_POLLS, name="tagloom-event-merger"
        )

    def start(self) -> None:
        """Starts the thread of the job."""
        self._loop.start()

    def stop(self) -> None:
        """Stops after the current merge."""
        self._loop.stop()

    def merge(self) -> tuple[tuple[Environment, int], ...]:
        """Merges blocks until there is nothing to merge. Returns the environments with the number of merged blocks.

        If an environment fails, the others are still merged, and the first failure is raised at the end.
        """
        done: list[tuple[Environment, int]] = []
        failed: list[Exception] = []
        for environment in self._with_blocks(ports_limits.EVENT_BLOCKS_PER_MERGE_MIN):
            try:
                merged = self._merge(environment)
            except Exception as error:
                failed.append(error)
                continue
            if merged:
                done.append((environment, merged))
                log.info("events.merged", space=environment.space, environment=environment.name, blocks=merged)
        if failed:
            raise failed[0]
        return tuple(done)

    def _merge(self, environment: Environment) -> int:
        """Returns the number of merged blocks."""
        population, merged = self._population_of(environment), 0
        while not self._loop.is_stopped and (count := population.merge_event_blocks()):
            merged += count
        return merged
