"""The oracle's deliveries and their runs, in plain dicts."""

from collections.abc import Sequence

from msgspec.structs import replace

from tagloom.ports import limits
from tagloom.ports.problems import DeliveryChanged, DeliveryExists, DeliveryNotFound, TooManyDeliveries
from tagloom.ports.runs import Due, OpenRun
from tagloom.stores.memory.accounts import MemoryRoster
from tagloom.stores.memory.scheduled_runs import ScheduledRuns
from tagloom.words.accounts import AuditEntry
from tagloom.words.deliveries import OPEN_STATES, Delivery, DeliveryPosition, DeliveryRun


class MemoryDeliveries(MemoryRoster):
    """A `DeliveryStore` in memory, without any storage on the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._deliveries = ScheduledRuns[Delivery, DeliveryRun](
            "delivery",
            open_states=OPEN_STATES,
            kept_of=lambda delivery: {"position": delivery.position},
            place_of=self._place_of_delivery,
            not_found=DeliveryNotFound,
            exists=DeliveryExists,
            changed=DeliveryChanged,
            too_many=TooManyDeliveries,
        )

    def _place_of_delivery(self, environment: int) -> tuple[str, str]:
        found = self._environment(environment)
        return found.space, found.name

    def list_deliveries(self, environment: int) -> tuple[Delivery, ...]:
        with self._lock:
            return self._deliveries.list(environment)

    def get_delivery(self, environment: int, delivery: str) -> Delivery:
        with self._lock:
            return self._deliveries.get(environment, delivery)

    def add_delivery(self, environment: int, delivery: Delivery, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._deliveries.add(environment, delivery, limits.DELIVERIES_PER_ENVIRONMENT_MAX)
            self._tell(audit)

    def put_delivery(
        self, environment: int, delivery: Delivery, *, revision: int, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            self._deliveries.put(environment, delivery, revision)
            self._tell(audit)

    def delete_delivery(self, environment: int, delivery: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self._deliveries.delete(environment, delivery)
            self._tell(audit)

    def list_due_deliveries(self, now: str, limit: int) -> tuple[Due[Delivery], ...]:
        with self._lock:
            return self._deliveries.list_due(now, limit)

    def begin_delivery_run(
        self, environment: int, run: DeliveryRun, *, due_at: str | None, next_run_at: str | None
    ) -> DeliveryRun | None:
        with self._lock:
            return self._deliveries.begin(environment, run, due_at, next_run_at)

    def put_delivery_run(
        self,
        seen: OpenRun[DeliveryRun],
        run: DeliveryRun,
        *,
        held_until: str,
        position: DeliveryPosition | None = None,
    ) -> bool:
        with self._lock:
            is_put = self._deliveries.put_run(seen, run, held_until)
            if is_put and position is not None:
                environment = self._deliveries.environment_of(run.id)
                stored = self._deliveries.get(environment, run.delivery)
                self._deliveries.change(environment, run.delivery, replace(stored, position=position))
            return is_put

    def list_open_delivery_runs(self) -> tuple[OpenRun[DeliveryRun], ...]:
        with self._lock:
            return self._deliveries.list_open()

    def list_newest_delivery_runs(self, environment: int | None = None) -> tuple[DeliveryRun, ...]:
        with self._lock:
            return self._deliveries.list_newest(environment)

    def list_delivery_runs(
        self, environment: int, delivery: str, *, before: int | None = None, limit: int
    ) -> tuple[DeliveryRun, ...]:
        with self._lock:
            return self._deliveries.list_runs(environment, delivery, before, limit)
