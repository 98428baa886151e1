"""The use cases of deliveries for people and tokens: create, change, delete, run on request, and read."""

import time
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from tagloom.accounts.audit_entries import environment_entry
from tagloom.alerts.sending import check_receivers
from tagloom.base import limits as base_limits
from tagloom.base.slugs import parse_slug
from tagloom.base.text import printable
from tagloom.base.times import rfc3339
from tagloom.deliveries import limits
from tagloom.deliveries.problems import DeliveryBusy, DeliveryInvalid
from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.remotes import Remotes
from tagloom.jobs.schedules import check_schedule, next_after
from tagloom.ports.deliveries import DeliveryStore
from tagloom.ports.population import Population
from tagloom.ports.tenants import TenantStore
from tagloom.tribes.definitions import Tribes
from tagloom.words.accounts import AuditEntry
from tagloom.words.deliveries import Delivery, DeliveryDraft, DeliveryPosition, DeliveryRun
from tagloom.words.event_rules import fault_of_event_name
from tagloom.words.source_addresses import AddressRefused, Remote
from tagloom.words.tenants import Environment


class DefinitionStores(DeliveryStore, TenantStore, Protocol):
    """The stores that the definitions of deliveries need."""


class Deliveries:
    """The deliveries of an installation. Every method that takes a delivery's id raises DeliveryNotFound."""

    def __init__(
        self,
        control: DefinitionStores,
        tribes: Tribes,
        population_of: Callable[[Environment], Population],
        remotes: Remotes,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._control = control
        self._tribes = tribes
        self._population_of = population_of
        self._remotes = remotes
        self._now = now

    def list_deliveries(self, environment: Environment) -> tuple[Delivery, ...]:
        """Returns all deliveries of an environment, by id."""
        return self._control.list_deliveries(environment.key)

    def list_newest_runs(self) -> tuple[DeliveryRun, ...]:
        """Returns the newest run of every delivery, in all environments."""
        return self._control.list_newest_delivery_runs()

    def find_due_at(self) -> str | None:
        """Returns when the delivery that waits longest was due; None if none is due."""
        due = self._control.list_due_deliveries(rfc3339(self._now()), 1)
        return due[0].definition.next_run_at if due else None

    def get_delivery(self, environment: Environment, delivery: str) -> Delivery:
        """Returns one delivery."""
        return self._control.get_delivery(environment.key, delivery)

    def create_delivery(
        self, environment: Environment, delivery: str, draft: DeliveryDraft, *, with_history: bool = True, by: str
    ) -> Delivery:
        """Creates a delivery. Without `with_history`, it delivers only events that are recorded from now on.

        Raises: BodyInvalid: the id is invalid; DeliveryInvalid, EmailInvalid, TribeNotFound, TribeNeedsContext,
        ExtraMissing, DeliveryExists, TooManyDeliveries.
        """
        self._check(environment, draft)
        first = 1 if with_history else self._population_of(environment).version() + 1
        created = Delivery(
            id=parse_slug(delivery),
            draft=draft,
            position=DeliveryPosition(next_version=first),
            next_run_at=self._next(draft),
        )
        entry = self._entry(environment, by, "delivery created", created.id)
        self._control.add_delivery(environment.key, created, [entry])
        return created

    def put_delivery(
        self, environment: Environment, delivery: str, draft: DeliveryDraft, *, revision: int | None, by: str
    ) -> Delivery:
        """Replaces the draft of a delivery. If `revision` is given, it must be the stored revision.

        The delivery continues at its position. Pausing and resuming work even if the secret or the tribe was deleted.

        Raises: DeliveryChanged, DeliveryInvalid, EmailInvalid, TribeNotFound, TribeNeedsContext, ExtraMissing.
        """
        stored = self.get_delivery(environment, delivery)
        if draft != replace(stored.draft, is_paused=not stored.draft.is_paused):
            self._check(environment, draft)
        expected = stored.revision if revision is None else revision
        put = Delivery(id=delivery, draft=draft, revision=expected + 1, next_run_at=self._next(draft))
        entry = self._entry(environment, by, "delivery changed", delivery)
        self._control.put_delivery(environment.key, put, revision=expected, audit=[entry])
        return self.get_delivery(environment, delivery)

    def pause_delivery(self, environment: Environment, delivery: str, *, is_paused: bool, by: str) -> Delivery:
        """Pauses or resumes the schedule of a delivery. A run that has begun goes on. Raises: DeliveryChanged."""
        stored = self.get_delivery(environment, delivery)
        draft = replace(stored.draft, is_paused=is_paused)
        return self.put_delivery(environment, delivery, draft, revision=stored.revision, by=by)

    def delete_delivery(self, environment: Environment, delivery: str, *, by: str) -> None:
        """Deletes a delivery and its runs. The parts stay at the destination."""
        entry = self._entry(environment, by, "delivery deleted", delivery)
        self._control.delete_delivery(environment.key, delivery, [entry])

    def run_delivery(self, environment: Environment, delivery: str, *, by: str) -> DeliveryRun:
        """Begins a run, which a server process carries out. A run that waits for its next try is tried at once.

        Raises: DeliveryBusy: another run is being carried out.
        """
        stored = self.get_delivery(environment, delivery)
        at = rfc3339(self._now())
        run = DeliveryRun(delivery=delivery, trigger="call", by=by, began_at=at)
        begun = self._control.begin_delivery_run(environment.key, run, due_at=None, next_run_at=stored.next_run_at)
        if begun is not None:
            return begun
        for seen in self._control.list_open_delivery_runs():
            is_it = (seen.space, seen.environment) == (environment.space, environment.name)
            if is_it and seen.run.delivery == delivery and seen.run.state == "waiting":
                hurried = replace(seen.run, retry_at=at)
                if self._control.put_delivery_run(seen, hurried, held_until=at):
                    return hurried
        raise DeliveryBusy(f"A run of '{delivery}' has not ended. Wait for its end.")

    def newest_runs(self, environment: Environment) -> dict[str, DeliveryRun]:
        """Returns the newest run of each delivery that ever ran, by the delivery's id."""
        return {run.delivery: run for run in self._control.list_newest_delivery_runs(environment.key)}

    def list_runs(
        self,
        environment: Environment,
        delivery: str,
        *,
        before: int | None = None,
        limit: int = base_limits.PAGE_ITEMS_DEFAULT,
    ) -> tuple[DeliveryRun, ...]:
        """Returns the runs with ids below `before`, newest first."""
        self.get_delivery(environment, delivery)
        return self._control.list_delivery_runs(environment.key, delivery, before=before, limit=limit)

    def _next(self, draft: DeliveryDraft) -> str | None:
        if draft.schedule is None or draft.is_paused:
            return None
        return rfc3339(next_after(draft.schedule, self._now()))

    def _entry(self, environment: Environment, by: str, action: str, delivery: str) -> AuditEntry:
        at = rfc3339(self._now())
        return environment_entry(self._control, environment, at=at, by=by, action=action, subject=delivery)

    def _check(self, environment: Environment, draft: DeliveryDraft) -> None:
        organization = self._control.get_space(environment.space).organization
        try:
            self._remotes.check_destination(organization, Remote(url=draft.url, secret=draft.secret))
        except AddressRefused as problem:
            raise _invalid(problem.detail, "url") from problem
        except SourceUnreadable as problem:
            raise _invalid(problem.detail, "secret") from problem
        if draft.format == "parquet" and draft.compression != "none":
            raise _invalid("A Parquet file is compressed inside, by zstd. Leave out the compression.", "compression")
        if len(draft.events) > limits.EVENT_NAMES_PER_DELIVERY_MAX:
            raise _invalid(f"A delivery has at most {limits.EVENT_NAMES_PER_DELIVERY_MAX} names of events.", "events")
        for event in draft.events:
            if fault := fault_of_event_name(event):
                raise _invalid(f"'{printable(event)}': {fault}", "events")
        if draft.tribe is not None:
            self._tribes.get_countable(environment.space, draft.tribe)
        if draft.schedule is not None:
            check_schedule(draft.schedule, DeliveryInvalid)
        check_receivers(draft.alerts, lambda says, field: _invalid(says, f"alerts.{field}"))
        if draft.alerts.late_minutes < 1:
            raise _invalid("The least time until a delivery is late is one minute.", "alerts.late_minutes")


def _invalid(says: str, field: str) -> DeliveryInvalid:
    """Returns the problem of an invalid field of a draft. `says` is the detail of the problem."""
    return DeliveryInvalid(says, field=f"$.{field}")
