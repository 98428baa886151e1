"""The port of deliveries and their runs. `Control` includes this port.

The runs begin, and are leased, as those of syncs are; see `tagloom.ports.syncs`.
"""

from collections.abc import Sequence
from typing import Protocol

from tagloom.ports.runs import Due, OpenRun
from tagloom.words.accounts import AuditEntry
from tagloom.words.deliveries import Delivery, DeliveryPosition, DeliveryRun


class DeliveryStore(Protocol):
    """The store of the deliveries of all environments, and of their runs. `environment` is the key of one."""

    def list_deliveries(self, environment: int) -> tuple[Delivery, ...]:
        """Returns the deliveries of an environment, ordered by id."""

    def get_delivery(self, environment: int, delivery: str) -> Delivery:
        """Returns a delivery. Raises: DeliveryNotFound."""

    def add_delivery(self, environment: int, delivery: Delivery, audit: Sequence[AuditEntry] = ()) -> None:
        """Stores a new delivery. Raises: DeliveryExists, TooManyDeliveries."""

    def put_delivery(
        self, environment: int, delivery: Delivery, *, revision: int, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Replaces the draft, the revision and the next time of a delivery. The position stays.

        Raises: DeliveryNotFound; DeliveryChanged: the stored revision is not `revision`.
        """

    def delete_delivery(self, environment: int, delivery: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Deletes a delivery and its runs. Raises: DeliveryNotFound."""

    def list_due_deliveries(self, now: str, limit: int) -> tuple[Due[Delivery], ...]:
        """Returns the deliveries whose next time is `now` or earlier, the earliest first."""

    def begin_delivery_run(
        self, environment: int, run: DeliveryRun, *, due_at: str | None, next_run_at: str | None
    ) -> DeliveryRun | None:
        """Stores a new run without a lease, and the next scheduled time of the delivery.

        Returns None if another process was faster: the next time of the delivery is no longer `due_at` (unless that is
        None), or the delivery has a run that has not ended. Raises: DeliveryNotFound.
        """

    def put_delivery_run(
        self,
        seen: OpenRun[DeliveryRun],
        run: DeliveryRun,
        *,
        held_until: str,
        position: DeliveryPosition | None = None,
    ) -> bool:
        """Replaces a run and its lease, and with `position` also the position of its delivery, in one transaction.

        Returns False, and changes nothing, if another process changed the run or its lease since `seen` was read.
        """

    def list_open_delivery_runs(self) -> tuple[OpenRun[DeliveryRun], ...]:
        """Returns the open runs of all environments, ordered by id."""

    def list_newest_delivery_runs(self, environment: int | None = None) -> tuple[DeliveryRun, ...]:
        """Returns the newest run of each delivery, of one environment or of all environments, in any order."""

    def list_delivery_runs(
        self, environment: int, delivery: str, *, before: int | None = None, limit: int
    ) -> tuple[DeliveryRun, ...]:
        """Returns the runs of a delivery with ids below `before`, the newest first."""
