"""The job that checks the alerts of tribes, in a thread of every serving process."""

import time
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec
import structlog

from tagloom.alerts.sending import Alert, Alerting
from tagloom.base.problems import Problem
from tagloom.base.times import rfc3339, seconds_of, text_of_milliseconds
from tagloom.jobs.loop import BackgroundLoop
from tagloom.ports.population import Population
from tagloom.ports.problems import StoreUnavailable, TribeAlertNotFound, TribeNotFound
from tagloom.ports.tribe_alerts import DueAlert
from tagloom.tribes import limits
from tagloom.tribes.alerts import AlertStores
from tagloom.tribes.definitions import Tribes
from tagloom.words.changes import Change, Version
from tagloom.words.rules import Definition
from tagloom.words.tenants import Environment
from tagloom.words.tribe_alerts import (
    Cause,
    Sizes,
    TribeAlertSettings,
    TribeAlertState,
    alert_text,
    checked,
    described_window,
    unchecked,
)

log = structlog.get_logger("tagloom.tribes.alert_job")

_Definitions: TypeAlias = tuple[Definition, Mapping[str, Definition]]


class TribeWatcher:
    """A job that compares the sizes of tribes with those at the beginning of a window, and sends alerts.

    Today's rule is counted twice: now, and for the taggings, people and days of the moment when the window began, as in
    the chart of a tribe. So a change of the rule never fires, and events and attributes that move at midnight do. An
    alert is checked by the process that moves the time of its next check. `now` returns Unix seconds.
    """

    def __init__(
        self,
        control: AlertStores,
        tribes: Tribes,
        population_of: Callable[[Environment], Population],
        alerting: Alerting,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._control = control
        self._tribes = tribes
        self._population_of = population_of
        self._alerting = alerting
        self._now = now
        self._loop = BackgroundLoop(
            self.work_once, seconds=limits.ALERT_SECONDS_BETWEEN_POLLS, name="tagloom-tribe-alerts"
        )

    def start(self) -> None:
        """Starts the thread of the job."""
        self._loop.start()

    def stop(self) -> None:
        """Stops after the current check."""
        self._loop.stop()

    def work_once(self) -> bool:
        """Checks the alerts that are due. Returns whether there may be more of them."""
        due = self._control.list_due_tribe_alerts(rfc3339(self._now()), limits.ALERTS_CHECKED_AT_ONCE_MAX)
        for each in due:
            if self._loop.is_stopped:
                return False
            next_check_at = rfc3339(self._now() + seconds_between_checks(each.alert.settings))
            taken = self._control.take_tribe_alert(each, next_check_at)
            if taken is not None:
                self._check(taken)
        return len(due) == limits.ALERTS_CHECKED_AT_ONCE_MAX

    def _check(self, seen: DueAlert) -> None:
        """Compares the sizes, stores the state, and sends the alert if it fires."""
        environment = self._control.get_environment(seen.space, seen.environment)
        now, settings, before = self._now(), seen.alert.settings, seen.alert.state
        at, window_seconds = rfc3339(now), settings.window_hours * 3_600
        has_passed = before.since is not None and now - seconds_of(before.since) >= window_seconds
        problem = f"The kept history does not go back {described_window(settings.window_hours)}."
        begun_at = text_of_milliseconds(int((now - window_seconds) * 1_000))
        sizes = None
        try:
            definitions = self._tribes.get_countable(environment.space, seen.alert.tribe)
            population = self._population_of(environment)
            sizes = _sizes(population, definitions, begun_at)
        except StoreUnavailable:
            raise
        except TribeNotFound:
            self._delete(environment, seen.alert.tribe)
            return
        except Problem as error:
            # The rule cannot be counted any more. The state says so, and the next check tries again.
            problem = error.detail
        if sizes is None:
            state = unchecked(before, problem, at=at, has_passed=has_passed)
            self._control.put_tribe_alert_state(seen, state)
            return
        state, fires = checked(settings, before, sizes, at=at, has_passed=has_passed)
        if fires:
            cause = _find_cause(population, definitions, sizes, population.version_at(begun_at))
            state = msgspec.structs.replace(state, cause=cause)
        # The state is stored first: if another process was faster, it sends the alert.
        if self._control.put_tribe_alert_state(seen, state) and fires:
            self._send(seen, state)

    def _send(self, seen: DueAlert, state: TribeAlertState) -> None:
        stored = self._tribes.get_tribe(seen.space, seen.alert.tribe)
        place = f"{seen.space}/{seen.environment}"
        text = alert_text(stored.name, seen.alert.settings, state)
        alert = Alert(
            subject=f"Tagloom: the size of the tribe '{stored.name}' in {place} has changed",
            text=f"{text}\n\nTribe {stored.id} in {place}, {state.since}.\n",
            fields={
                "type": "tribe",
                "space": seen.space,
                "environment": seen.environment,
                "tribe": stored.id,
                "name": stored.name,
                "at": state.since,
                "detail": text,
                "before": state.before,
                "after": state.after,
                "version": state.version,
                "cause": None if state.cause is None else msgspec.structs.asdict(state.cause),
            },
            logged={"tribe": stored.id},
        )
        log.info("tribe.moved", space=seen.space, environment=seen.environment, tribe=stored.id, version=state.version)
        self._alerting.send(alert, seen.alert.settings)

    def _delete(self, environment: Environment, tribe: str) -> None:
        """Deletes the alert of a tribe that was deleted while the alert was set."""
        try:
            self._control.delete_tribe_alert(environment.key, tribe)
        except TribeAlertNotFound:
            log.info("alert.deleted_already", space=environment.space, tribe=tribe)


def seconds_between_checks(settings: TribeAlertSettings) -> int:
    """Returns the time from one check of an alert to the next: a share of its window, within bounds."""
    wanted = settings.window_hours * 3_600 // limits.ALERT_CHECKS_PER_WINDOW
    return min(max(wanted, limits.ALERT_SECONDS_BETWEEN_CHECKS), limits.ALERT_SECONDS_BETWEEN_CHECKS_MAX)


def _sizes(population: Population, definitions: _Definitions, begun_at: str) -> Sizes | None:
    """Returns the sizes now and at the time when the window began; None if that time is before the horizon.

    Raises: TribeNeedsContext, RuleInvalid and its subclasses.
    """
    wanted, others = definitions
    version = population.version()
    ((before, after),) = population.trend([wanted], others, [begun_at])
    if before is None or after is None:
        return None
    return Sizes(before=before, after=after, version=version)


def _find_cause(population: Population, definitions: _Definitions, sizes: Sizes, begun: Version) -> Cause | None:
    """Returns the version after `begun` that moved the size most in its direction; None if no version did.

    Counts members before and after the few versions with the most changes among the newest ones.
    """
    changes = population.list_changes(
        after=begun, before=sizes.version + 1, newest_first=True, limit=limits.ALERT_CHANGES_READ_MAX
    )
    largest = sorted(changes, key=_changes_of, reverse=True)[: limits.ALERT_CAUSES_COUNTED_MAX]
    moves = [(_moved(population, definitions, each.version), each) for each in largest]
    sign = 1 if sizes.after > sizes.before else -1
    moved, change = max(moves, key=lambda each: sign * each[0], default=(0, None))
    if change is None or moved * sign <= 0:
        return None
    return Cause(
        version=change.version,
        action=change.action,
        source=change.source,
        added=change.added,
        removed=change.removed,
        moved=moved,
    )


def _moved(population: Population, definitions: _Definitions, version: Version) -> int:
    wanted, others = definitions
    after = population.count(wanted, others, as_of=version).count
    return after - population.count(wanted, others, as_of=version - 1).count


def _changes_of(change: Change) -> int:
    return change.added + change.removed + change.new_people + change.attributes + change.events
