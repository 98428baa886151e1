"""Runs deliveries: writes the events that were recorded since the last run as parts.

Every server process has a runner, and one process at a time works on a run. A run has steps. A step begins when the
last version of its events is stored, and ends when the next version is stored, in the transaction that counts its
parts. So a step that was interrupted is repeated with the same versions, and its parts replace those of the first try.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Literal, Protocol

import structlog
from msgspec.structs import replace

from tagloom.alerts.run_alerts import RunAlert
from tagloom.alerts.sending import Alerting
from tagloom.base.problems import Problem
from tagloom.base.times import rfc3339, seconds_of
from tagloom.base.tracing import span
from tagloom.deliveries import limits
from tagloom.deliveries.parts import StepEvents, write_part
from tagloom.egress.object_writes import Destination
from tagloom.egress.remotes import Remotes
from tagloom.jobs.leases import Lease, LeasedRuns, Lost, PutRun
from tagloom.jobs.loop import BackgroundLoop
from tagloom.jobs.schedules import next_after
from tagloom.ports import limits as ports_limits
from tagloom.ports.deliveries import DeliveryStore
from tagloom.ports.events import EventSelection
from tagloom.ports.population import Population
from tagloom.ports.problems import DeliveryNotFound, TribeNotFound
from tagloom.ports.runs import Due, OpenRun
from tagloom.ports.tenants import TenantStore
from tagloom.tribes.definitions import Tribes
from tagloom.words.deliveries import (
    DeliveredPart,
    Delivery,
    DeliveryDraft,
    DeliveryPosition,
    DeliveryRun,
    part_name,
)
from tagloom.words.events import PersonEvent
from tagloom.words.problems import TribeNeedsContext
from tagloom.words.rules import Definition
from tagloom.words.source_addresses import AddressRefused, ExtraMissing, Remote
from tagloom.words.tenants import Environment

log = structlog.get_logger("tagloom.deliveries")

_SECONDS_BETWEEN_READS = 0.2
# Another try cannot help: somebody must change the delivery or the server.
_FINAL = (AddressRefused, ExtraMissing, TribeNotFound, TribeNeedsContext)


class RunnerStores(DeliveryStore, TenantStore, Protocol):
    """The stores that a runner of deliveries needs."""


class DeliveryRunner:
    """A runner of the deliveries of an installation. One thread looks for work, and a pool of threads writes the parts.

    `now` returns Unix seconds.
    """

    def __init__(
        self,
        control: RunnerStores,
        tribes: Tribes,
        population_of: Callable[[Environment], Population],
        remotes: Remotes,
        alerting: Alerting,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._control = control
        self._tribes = tribes
        self._population_of = population_of
        self._remotes = remotes
        self._alerting = alerting
        self._now = now
        self._writing = LeasedRuns[DeliveryRun](
            at_once_max=limits.DELIVERIES_AT_ONCE_MAX,
            per_organization_max=limits.DELIVERIES_PER_ORGANIZATION_MAX,
            name="tagloom-delivery",
        )
        self._loop = BackgroundLoop(
            self.work_once, seconds=limits.DELIVERY_SECONDS_BETWEEN_POLLS, name="tagloom-deliveries"
        )

    def start(self) -> None:
        """Starts the thread that looks for work."""
        self._loop.start()

    def stop(self) -> None:
        """Stops at the next part. Another process repeats the steps that were not complete."""
        self._loop.stop()
        self._writing.stop()

    def work_once(self, *, waits: bool = False) -> None:
        """Begins runs that are due, and takes open runs. With `waits`, returns after the taken runs were worked on."""
        for due in self._control.list_due_deliveries(rfc3339(self._now()), ports_limits.DELIVERIES_PER_ENVIRONMENT_MAX):
            self._begin(due)
        self._look_after(self._control.list_open_delivery_runs())
        self._writing.sweep(waits=waits)

    def work_on(self, run: int) -> None:
        """Works on one open run, unless another process has it. Returns after that, or after a renewal is due."""
        self._look_after([seen for seen in self._control.list_open_delivery_runs() if seen.run.id == run])
        self._loop.pause(_SECONDS_BETWEEN_READS)
        self._writing.sweep()

    # Steps of the loop.

    def _begin(self, due: Due[Delivery]) -> None:
        draft, at, id = due.definition.draft, self._now(), due.definition.id
        following = None if draft.schedule is None else rfc3339(next_after(draft.schedule, at))
        run = DeliveryRun(delivery=id, trigger="schedule", by="schedule", began_at=rfc3339(at))
        key = self._control.get_environment(due.space, due.environment).key
        begun = self._control.begin_delivery_run(key, run, due_at=due.definition.next_run_at, next_run_at=following)
        if begun is None:
            # Another process began the run, or the run before has not ended. In both cases this run is skipped.
            log.info("delivery.passed_over", space=due.space, environment=due.environment, delivery=id)

    def _look_after(self, open_runs: Sequence[OpenRun[DeliveryRun]]) -> None:
        self._writing.renew()
        for lease in self._writing.leases():
            if self._is_late(lease.held) and not lease.is_over():
                with suppress(Lost):
                    lease.change(_told_late)
                    self._alert(lease.held, "late", f"It began at {lease.held.run.began_at} and has not ended.")
        for seen in open_runs:
            if self._writing.has(seen.run.id):
                continue
            if seen.held_until <= rfc3339(self._now()):
                self._take(seen)
            elif seen.run.state == "waiting" and self._is_late(seen):
                told = self._put(seen, _told_late(seen.run), seen.held_until)
                if told is not None:
                    self._alert(told, "late", f"It waits for its next try. {seen.run.problem or ''}".strip())

    def _take(self, seen: OpenRun[DeliveryRun]) -> None:
        # If there is no room, the run stays open until a thread of this or another process is free.
        organization = self._control.get_space(seen.space).organization
        if not self._writing.has_room(organization):
            return
        held = self._hold(seen, replace(seen.run, state="writing", retry_at=None))
        if held is not None:
            lease = Lease(held, organization, self._hold, lambda: self._loop.is_stopped)
            self._writing.begin(seen.run.id, lease, self._deliver)

    # Steps of a thread.

    def _deliver(self, lease: Lease[DeliveryRun]) -> None:
        """Carries out a run that this process has leased."""
        held, began = lease.held, time.monotonic()
        try:
            environment = self._control.get_environment(held.space, held.environment)
            delivery = self._control.get_delivery(environment.key, held.run.delivery)
            with span("deliver events", delivery=delivery.id):
                self._deliver_steps(lease, environment, delivery)
        except (Lost, DeliveryNotFound):
            return
        except Problem as problem:
            if not lease.is_over():
                log.warning("delivery.failed", delivery=held.run.delivery, problem=problem.slug())
                self._fail(lease.give_up(), problem.detail, is_final=isinstance(problem, _FINAL))
            return
        except Exception as error:
            log.exception("delivery.failed", delivery=held.run.delivery)
            self._fail(lease.give_up(), f"Tagloom failed at this delivery: {type(error).__name__}.", is_final=False)
            return
        ended = lease.give_up()
        at = rfc3339(self._now())
        self._put(ended, replace(ended.run, state="done", ended_at=at, problem=None), at)
        seconds = round(time.monotonic() - began, 2)
        log.info("delivery.done", delivery=delivery.id, events=ended.run.events, seconds=seconds)

    def _deliver_steps(self, lease: Lease[DeliveryRun], environment: Environment, delivery: Delivery) -> None:
        population, draft, position = self._population_of(environment), delivery.draft, delivery.position
        if lease.run.until_version is None:
            newest = population.version()
            lease.change(lambda run: replace(run, until_version=newest))
        until = lease.run.until_version or 0
        remote = Remote(url=draft.url, secret=draft.secret)
        with self._remotes.open_destination(lease.organization, remote) as destination:
            while position.next_version <= until:
                position = self._deliver_step(lease, environment, draft, position, destination)

    def _deliver_step(
        self,
        lease: Lease[DeliveryRun],
        environment: Environment,
        draft: DeliveryDraft,
        position: DeliveryPosition,
        destination: Destination,
    ) -> DeliveryPosition:
        """Writes the parts of one step. Returns the position after it. Raises: Lost."""
        with (
            tempfile.TemporaryDirectory(prefix="tagloom-delivery-") as folder,
            StepEvents(Path(folder) / "events") as events,
        ):
            end = self._read(lease, environment, draft, position, events)
            if position.step_end is None and events.events:
                begun = replace(position, step_end=end)
                lease.change(lambda run: run, self._with_position(begun))
            parts = list(self._write(lease, draft, (position.next_version, end), events, destination, Path(folder)))
        following = DeliveryPosition(next_version=end + 1)
        lease.change(lambda run: _counted(run, events.events, parts), self._with_position(following))
        return following

    def _read(
        self,
        lease: Lease[DeliveryRun],
        environment: Environment,
        draft: DeliveryDraft,
        position: DeliveryPosition,
        events: StepEvents,
    ) -> int:
        """Adds the events of a step to `events`. Returns the last version of the step.

        The first try of a step ends between two versions when it has enough events. Another try ends where that did.
        """
        last = lease.run.until_version if position.step_end is None else position.step_end
        assert last is not None, "the run has stored how far it goes"
        for chunk in self._chunks(lease, environment, draft, position.next_version, last):
            lease.check()
            if position.step_end is None and _is_full(events):
                rest = list(takewhile(lambda each: each.event.version == events.last_version, chunk))
                events.add(rest)
                if len(rest) < len(chunk):
                    return events.last_version
            else:
                events.add(chunk)
        return last

    def _chunks(
        self, lease: Lease[DeliveryRun], environment: Environment, draft: DeliveryDraft, first: int, last: int
    ) -> Iterator[Sequence[PersonEvent]]:
        population = self._population_of(environment)
        while population.version() < last:
            # Another process stored this version, and this process has not read it yet.
            lease.check()
            self._loop.pause(_SECONDS_BETWEEN_READS)
        tribe, known = self._definitions(environment, draft)
        selection = EventSelection(events=draft.events, tribe=tribe, first_version=first, last_version=last)
        return population.stream_events(selection, known)[1]

    def _definitions(
        self, environment: Environment, draft: DeliveryDraft
    ) -> tuple[Definition | None, Mapping[str, Definition]]:
        """Returns the definition of the tribe, if there is one, and those that it may refer to."""
        return (None, {}) if draft.tribe is None else self._tribes.get_countable(environment.space, draft.tribe)

    def _write(
        self,
        lease: Lease[DeliveryRun],
        draft: DeliveryDraft,
        versions: tuple[int, int],
        events: StepEvents,
        destination: Destination,
        folder: Path,
    ) -> Iterator[DeliveredPart]:
        """Writes one part for each day. Yields what was written. Raises: Lost, DestinationUnwritable."""
        for day in events.days():
            lease.check()
            path = folder / "part"
            write_part(path, events.of_day(day), draft.format, draft.compression)
            name = part_name(day, *versions, draft.format, draft.compression)
            destination.put(name, path)
            yield DeliveredPart(name=name, events=events.count(day), bytes=path.stat().st_size)

    # Ends.

    def _fail(self, seen: OpenRun[DeliveryRun], detail: str, *, is_final: bool) -> None:
        """Stores a failure. The run waits for its next try, or it has failed and an alert is sent."""
        at, tries = self._now(), seen.run.tries + 1
        if is_final or tries >= limits.DELIVERY_TRIES_MAX:
            ended = replace(seen.run, state="failed", ended_at=rfc3339(at), tries=tries, problem=detail)
            if self._put(seen, ended, rfc3339(at)) is not None:
                self._alert(seen, "failed", detail)
            return
        retry_at = rfc3339(at + limits.DELIVERY_RETRY_SECONDS * 2 ** (tries - 1))
        waiting = replace(seen.run, state="waiting", tries=tries, problem=detail, retry_at=retry_at)
        self._put(seen, waiting, retry_at)

    def _is_late(self, seen: OpenRun[DeliveryRun]) -> bool:
        """Returns whether the run takes too long and no alert about that was sent yet."""
        draft = None if "late" in seen.run.alerts_sent else self._find_draft(seen)
        return draft is not None and self._now() - seconds_of(seen.run.began_at) >= draft.alerts.late_minutes * 60

    def _alert(self, seen: OpenRun[DeliveryRun], kind: Literal["failed", "late"], detail: str) -> None:
        draft = self._find_draft(seen)
        if draft is None:
            return
        alert = RunAlert(
            type="delivery",
            id=seen.run.delivery,
            kind=kind,
            space=seen.space,
            environment=seen.environment,
            run=seen.run.id,
            at=rfc3339(self._now()),
            detail=detail,
        )
        self._alerting.send(alert.alert(), draft.alerts)

    def _find_draft(self, seen: OpenRun[DeliveryRun]) -> DeliveryDraft | None:
        """Returns the draft of the delivery of a run; None if the delivery was deleted."""
        environment = self._control.get_environment(seen.space, seen.environment)
        try:
            return self._control.get_delivery(environment.key, seen.run.delivery).draft
        except DeliveryNotFound:
            return None

    # Leases.

    def _hold(self, seen: OpenRun[DeliveryRun], run: DeliveryRun) -> OpenRun[DeliveryRun] | None:
        """Renews this process's lease of a run. Returns None if another process has the run."""
        return self._put(seen, run, self._until())

    def _with_position(self, position: DeliveryPosition) -> PutRun[DeliveryRun]:
        """Returns a function that stores a run, and in the same transaction the position of its delivery."""
        return lambda seen, run: self._put(seen, run, self._until(), position)

    def _until(self) -> str:
        return rfc3339(self._now() + limits.DELIVERY_HELD_SECONDS)

    def _put(
        self,
        seen: OpenRun[DeliveryRun],
        run: DeliveryRun,
        held_until: str,
        position: DeliveryPosition | None = None,
    ) -> OpenRun[DeliveryRun] | None:
        """Stores a run with its lease. Returns None if another process changed the run first."""
        if not self._control.put_delivery_run(seen, run, held_until=held_until, position=position):
            return None
        return seen._replace(run=run, held_until=held_until)


def _is_full(events: StepEvents) -> bool:
    return events.events >= limits.DELIVERY_STEP_EVENTS_MAX or events.properties_bytes >= limits.DELIVERY_STEP_BYTES_MAX


def _counted(run: DeliveryRun, events: int, parts: Sequence[DeliveredPart]) -> DeliveryRun:
    """Returns a run after a complete step."""
    return replace(
        run,
        events=run.events + events,
        parts=run.parts + len(parts),
        bytes=run.bytes + sum(part.bytes for part in parts),
        written=(*run.written, *parts)[-limits.DELIVERY_PARTS_SHOWN_MAX :],
        tries=0,
        problem=None,
    )


def _told_late(run: DeliveryRun) -> DeliveryRun:
    return replace(run, alerts_sent=(*run.alerts_sent, "late"))
