"""The job that starts scheduled taggings and removes expired tags, in a thread of every serving process."""

from collections.abc import Callable, Iterator, Sequence

import structlog

from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports.population import Population
from tagloom.ports.writes import Expire, StartTaggings, WriteOptions
from tagloom.tagging import limits
from tagloom.words.changes import Origin
from tagloom.words.expiry import Moment, moment_now
from tagloom.words.receipts import Receipt
from tagloom.words.tenants import Environment

STARTS = StartTaggings(), WriteOptions(Origin("tagloom", "start"))
EXPIRIES = Expire(), WriteOptions(Origin("tagloom", "expiry"))

log = structlog.get_logger("tagloom.tagging.expiry_job")


class Sweeper:
    """A job that starts scheduled taggings and removes expired ones in all environments.

    `find_due` returns the environments with taggings that start or expire at or before a moment.
    """

    def __init__(
        self,
        find_due: Callable[[Moment], Sequence[Environment]],
        population_of: Callable[[Environment], Population],
        now: Callable[[], float],
    ) -> None:
        self._find_due = find_due
        self._population_of = population_of
        self._now = now
        self._loop = BackgroundLoop(self.sweep, seconds=limits.SWEEP_SECONDS_BETWEEN_POLLS, name="tagloom-sweeper")

    def start(self) -> None:
        """Starts the thread of the job."""
        self._loop.start()

    def stop(self) -> None:
        """Stops after the current batch."""
        self._loop.stop()

    def sweep(self) -> tuple[tuple[Environment, Receipt], ...]:
        """Starts all scheduled taggings that are due, and removes all expired ones, batch by batch.

        Returns the changed environments with their receipts.

        If an environment fails, the others are still swept, and the first failure is raised at the end.
        """
        moment = moment_now(self._now())
        done: list[tuple[Environment, Receipt]] = []
        failed: dict[int, Exception] = {}
        while due := [each for each in self._find_due(moment) if each.key not in failed]:
            for environment in due:
                if self._loop.is_stopped:
                    return tuple(done)
                try:
                    for receipt in self._sweep_one(environment):
                        done.append((environment, receipt))
                except Exception as error:
                    failed[environment.key] = error
        if failed:
            raise next(iter(failed.values()))
        return tuple(done)

    def _sweep_one(self, environment: Environment) -> Iterator[Receipt]:
        """Makes the next batch of starts and the next batch of expiries. Yields the receipts of those with a change."""
        population = self._population_of(environment)
        for write, options in (STARTS, EXPIRIES):
            receipt = population.write(write, options)
            # If another process swept first, the batch changes nothing.
            if receipt.removed or receipt.unscheduled:
                log.info(
                    "taggings.started" if isinstance(write, StartTaggings) else "taggings.ended",
                    space=environment.space,
                    environment=environment.name,
                    version=receipt.version,
                    added=receipt.added,
                    removed=receipt.removed,
                )
                yield receipt
