"""The job that removes expired tags, in a thread of every serving process."""

from collections.abc import Callable, Sequence

import structlog

from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports.population import Population
from tagloom.ports.writes import Expire, WriteOptions
from tagloom.tagging import limits
from tagloom.words.changes import Origin
from tagloom.words.expiry import Moment, moment_now
from tagloom.words.receipts import Receipt
from tagloom.words.tenants import Environment

ORIGIN = Origin("tagloom", "expiry")

log = structlog.get_logger("tagloom.tagging.expiry_job")


class Sweeper:
    """A job that removes expired taggings from all environments.

    `ending` returns the environments with taggings that expire at or before a moment.
    """

    def __init__(
        self,
        ending: Callable[[Moment], Sequence[Environment]],
        population_of: Callable[[Environment], Population],
        now: Callable[[], float],
    ) -> None:
        self._ending = ending
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
        """Removes all expired taggings, batch by batch. Returns the changed environments with their receipts.

        If an environment fails, the others are still swept, and the first failure is raised at the end.
        """
        moment = moment_now(self._now())
        done: list[tuple[Environment, Receipt]] = []
        failed: dict[int, Exception] = {}
        while ending := [each for each in self._ending(moment) if each.key not in failed]:
            for environment in ending:
                if self._loop.is_stopped:
                    return tuple(done)
                try:
                    receipt = self._population_of(environment).write(Expire(), WriteOptions(ORIGIN))
                except Exception as error:
                    failed[environment.key] = error
                    continue
                # If another process removed the taggings first, the batch removes nothing.
                if receipt.removed:
                    done.append((environment, receipt))
                    log.info(
                        "taggings.ended",
                        space=environment.space,
                        environment=environment.name,
                        version=receipt.version,
                        removed=receipt.removed,
                    )
        if failed:
            raise next(iter(failed.values()))
        return tuple(done)
