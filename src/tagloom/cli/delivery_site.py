"""The site of commands about deliveries."""

from typing import Protocol

from tagloom.cli.local_place import ACTOR, LocalPlace, Plain, plain
from tagloom.words.deliveries import DeliveryDraft, DeliveryRun

RUNS_SHOWN = 20


class DeliverySite(Protocol):
    """An environment in which commands change and run deliveries."""

    def list_deliveries(self) -> list[Plain]: ...
    def get_delivery(self, delivery: str) -> Plain: ...
    def create_delivery(self, delivery: str, draft: DeliveryDraft, *, with_history: bool) -> Plain: ...
    def pause_delivery(self, delivery: str, *, is_paused: bool) -> Plain: ...
    def delete_delivery(self, delivery: str) -> None: ...
    def run_delivery(self, delivery: str, *, waits: bool) -> Plain: ...
    def list_delivery_runs(self, delivery: str, *, limit: int = RUNS_SHOWN) -> list[Plain]: ...


class LocalDeliverySite(LocalPlace):
    """The deliveries of an environment that is open in this process."""

    def list_deliveries(self) -> list[Plain]:
        """Returns the deliveries by id."""
        return [plain(each) for each in self._services.deliveries.list_deliveries(self._environment)]

    def get_delivery(self, delivery: str) -> Plain:
        """Returns a delivery."""
        return plain(self._services.deliveries.get_delivery(self._environment, delivery))

    def create_delivery(self, delivery: str, draft: DeliveryDraft, *, with_history: bool) -> Plain:
        """Creates a delivery."""
        create = self._services.deliveries.create_delivery
        return plain(create(self._environment, delivery, draft, with_history=with_history, by=ACTOR))

    def pause_delivery(self, delivery: str, *, is_paused: bool) -> Plain:
        """Pauses or resumes the schedule of a delivery."""
        pause = self._services.deliveries.pause_delivery
        return plain(pause(self._environment, delivery, is_paused=is_paused, by=ACTOR))

    def delete_delivery(self, delivery: str) -> None:
        """Deletes a delivery and its runs."""
        self._services.deliveries.delete_delivery(self._environment, delivery, by=ACTOR)

    def run_delivery(self, delivery: str, *, waits: bool) -> Plain:
        """Runs a delivery in this process, to its end or to its first failure. So it always waits."""
        runner, run = (
            self._services.delivery_runner,
            self._services.deliveries.run_delivery(self._environment, delivery, by=ACTOR),
        )
        retry_at = run.retry_at
        try:
            while run.state == "writing" or (run.state == "waiting" and run.retry_at == retry_at):
                runner.work_on(run.id)
                run = self._run_of(run)
        finally:
            runner.stop()
        return plain(run)

    def list_delivery_runs(self, delivery: str, *, limit: int = RUNS_SHOWN) -> list[Plain]:
        """Returns the newest runs of a delivery."""
        return [plain(each) for each in self._services.deliveries.list_runs(self._environment, delivery, limit=limit)]

    def _run_of(self, run: DeliveryRun) -> DeliveryRun:
        """Returns a run as it is now."""
        found = self._services.deliveries.list_runs(self._environment, run.delivery, before=run.id + 1, limit=1)
        return found[0]
