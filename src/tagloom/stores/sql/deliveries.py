"""Deliveries and their runs in SQL."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tagloom.ports import limits
from tagloom.ports.problems import DeliveryChanged, DeliveryExists, DeliveryNotFound, TooManyDeliveries
from tagloom.ports.runs import Due, OpenRun
from tagloom.stores import schema
from tagloom.stores.sql.scheduled_runs import RunTables, SqlScheduledRuns
from tagloom.words.accounts import AuditEntry
from tagloom.words.deliveries import OPEN_STATES, Delivery, DeliveryDraft, DeliveryPosition, DeliveryRun


class SqlDeliveries(SqlScheduledRuns):
    """Implements `tagloom.ports.deliveries.DeliveryStore`."""

    def list_deliveries(self, environment: int) -> tuple[Delivery, ...]:
        """See the port."""
        return self._list_definitions(_TABLES, environment)

    def get_delivery(self, environment: int, delivery: str) -> Delivery:
        """See the port."""
        return self._get_definition(_TABLES, environment, delivery)

    def add_delivery(self, environment: int, delivery: Delivery, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        self._add_definition(_TABLES, environment, delivery, limits.DELIVERIES_PER_ENVIRONMENT_MAX, audit)

    def put_delivery(
        self, environment: int, delivery: Delivery, *, revision: int, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        self._put_definition(_TABLES, environment, delivery, revision, audit)

    def delete_delivery(self, environment: int, delivery: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        self._delete_definition(_TABLES, environment, delivery, audit)

    def list_due_deliveries(self, now: str, limit: int) -> tuple[Due[Delivery], ...]:
        """See the port."""
        return self._list_due(_TABLES, now, limit)

    def begin_delivery_run(
        self, environment: int, run: DeliveryRun, *, due_at: str | None, next_run_at: str | None
    ) -> DeliveryRun | None:
        """See the port."""
        return self._begin(_TABLES, environment, run, due_at, next_run_at)

    def put_delivery_run(
        self,
        seen: OpenRun[DeliveryRun],
        run: DeliveryRun,
        *,
        held_until: str,
        position: DeliveryPosition | None = None,
    ) -> bool:
        """See the port."""
        return self._put(_TABLES, seen, run, held_until, None if position is None else msgspec.structs.asdict(position))

    def list_open_delivery_runs(self) -> tuple[OpenRun[DeliveryRun], ...]:
        """See the port."""
        return self._list_open(_TABLES)

    def list_newest_delivery_runs(self, environment: int | None = None) -> tuple[DeliveryRun, ...]:
        """See the port."""
        return self._list_newest(_TABLES, environment)

    def list_delivery_runs(
        self, environment: int, delivery: str, *, before: int | None = None, limit: int
    ) -> tuple[DeliveryRun, ...]:
        """See the port."""
        return self._list_runs(_TABLES, environment, delivery, before, limit)


def _values(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "draft": msgspec.json.encode(delivery.draft).decode(),
        "revision": delivery.revision,
        "next_run_at": delivery.next_run_at,
    }


def _delivery(
    id: str, draft: str, revision: int, next_version: int, step_end: int | None, next_run_at: str | None
) -> Delivery:
    return Delivery(
        id=id,
        draft=msgspec.json.decode(draft, type=DeliveryDraft),
        revision=revision,
        position=DeliveryPosition(next_version=next_version, step_end=step_end),
        next_run_at=next_run_at,
    )


_COLUMNS = ("id", "draft", "revision", "next_version", "step_end", "next_run_at")
_TABLES = RunTables(
    word="delivery",
    words="deliveries",
    definitions=schema.delivery,
    runs=schema.delivery_run,
    columns=[schema.delivery.c[name] for name in _COLUMNS],
    definition_of=_delivery,
    values_of=_values,
    first_values_of=lambda delivery: msgspec.structs.asdict(delivery.position),
    run_type=DeliveryRun,
    open_states=OPEN_STATES,
    not_found=DeliveryNotFound,
    exists=DeliveryExists,
    changed=DeliveryChanged,
    too_many=TooManyDeliveries,
)
