"""Alerts of tribes agree with a list of (time, size) pairs, and several processes send one alert."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagloom.alerts.sending import Alert, Alerting, Receivers
from tagloom.base.problems import BodyInvalid
from tagloom.base.times import rfc3339
from tagloom.egress.http import Egress
from tagloom.egress.policy import EgressPolicy
from tagloom.ports.control import Control
from tagloom.ports.population import Population
from tagloom.ports.problems import TribeAlertNotFound, TribeNotFound
from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.stores.memory import MemoryControl
from tagloom.tribes.alert_job import TribeWatcher, seconds_between_checks
from tagloom.tribes.alerts import TribeAlerts
from tagloom.tribes.definitions import Draft, Tribes
from tagloom.words.context_rules import HasContext
from tagloom.words.event_rules import HasEvent
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person
from tagloom.words.problems import EmailInvalid, TribeNeedsContext
from tagloom.words.rules import All, HasTag, Rule
from tagloom.words.tenants import Environment, Organization, Space
from tagloom.words.tribe_alerts import (
    ALERT_STATUSES,
    Direction,
    Sizes,
    TribeAlertSettings,
    TribeAlertState,
    alert_text,
    checked,
)
from tests.bodies import user
from tests.contract.conftest import ADAPTERS, Subject, make_population
from tests.contract.steps import ADA, apply

HOUR = 3_600


class Told(Alerting):
    """Keeps the alerts instead of sending them."""

    def __init__(self) -> None:
        super().__init__(None, Egress(EgressPolicy().webhooks_guard()))
        self.alerts: list[Alert] = []

    def send(self, alert: Alert, to: Receivers) -> None:
        self.alerts.append(alert)


class World:
    """One environment with a tribe `gold` of the people with the tag, and its alert."""

    def __init__(self, subject: Subject, wanted: TribeAlertSettings, *, rule: Rule | None = None) -> None:
        self.subject, self.control, self.told = subject, MemoryControl(), Told()
        self.control.put_organization(Organization("main", "Main"))
        self.control.put_space(Space("main", "main", "Main"))
        self.environment = self.control.get_environment("main", "production")
        self.tribes = Tribes(self.control, clock=self.now)
        self.alerts = TribeAlerts(self.control, self.tribes, self.now)
        self.tribes.create_tribe("main", Draft(name="Gold", rule=rule or HasTag("gold", "exact")), "gold", origin=ADA)
        self.watcher = self.another()
        self.alerts.put_alert(self.environment, "gold", wanted, by="ada")

    def another(self) -> TribeWatcher:
        return TribeWatcher(self.control, self.tribes, self._population, self.told, self.now)

    def _population(self, environment: Environment) -> Population:
        return self.subject.population

    def now(self) -> float:
        return self.subject.clock().timestamp()

    def check(self) -> TribeAlertState:
        """Checks as if the next check were due."""
        alert = self.alerts.get_alert(self.environment, "gold")
        self.control.put_tribe_alert(self.environment.key, alert, next_check_at=rfc3339(self.now()))
        self.watcher.work_once()
        return self.alerts.get_alert(self.environment, "gold").state

    def set_size(self, size: int) -> None:
        """Gives exactly so many people the tag."""
        lines = [user(f"u{number}", "gold") for number in range(size)]
        apply(self.subject.population, "mirror", *lines, prefix="gold", allow_empty=True)


class Twin:
    """The slow twin: all sizes with their times, and when the alert fired."""

    def __init__(self, wanted: TribeAlertSettings) -> None:
        self.wanted = wanted
        self.sizes: list[tuple[float, int]] = [(float("-inf"), 0)]
        self.fired_at: float | None = None

    def check(self, now: float) -> bool:
        """Returns whether the alert fires now."""
        begun = now - self.wanted.window_hours * HOUR
        before = [size for at, size in self.sizes if at < begun][-1]
        after = self.sizes[-1][1]
        is_tiny = before < self.wanted.people_min and after < self.wanted.people_min
        rises = after > before and self.wanted.direction in ("up", "both")
        falls = after < before and self.wanted.direction in ("down", "both")
        allowed = before * self.wanted.share_percent / 100
        if is_tiny or not (rises or falls) or abs(after - before) <= allowed:
            self.fired_at = None
            return False
        if self.fired_at is not None and now < self.fired_at + self.wanted.window_hours * HOUR:
            return False
        self.fired_at = now
        return True


wanted_settings = st.builds(
    TribeAlertSettings,
    share_percent=st.sampled_from([1, 20, 50, 100, 200]),
    direction=st.sampled_from(["up", "down", "both"]),
    window_hours=st.sampled_from([1, 3, 24]),
    people_min=st.sampled_from([1, 3, 6]),
    webhook=st.none(),
    emails=st.just(()),
).filter(lambda wanted: wanted.direction != "down" or wanted.share_percent < 100)
# The minutes until the next step, and the new size; None only checks.
steps = st.lists(
    st.tuples(st.sampled_from([1, 30, 59, 60, 61, 200, 1_500]), st.none() | st.integers(0, 12)), max_size=9
)


@contextmanager
def opened(adapter: str) -> Iterator[Subject]:
    with tempfile.TemporaryDirectory() as folder:
        subject = make_population(adapter, Path(folder))
        yield subject
        subject.shut()


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=25)
@given(wanted=wanted_settings, history=steps)
def test_an_alert_fires_when_a_list_of_sizes_says_so(
    adapter: str, wanted: TribeAlertSettings, history: list[tuple[int, int | None]]
) -> None:
    with opened(adapter) as subject:
        world, twin, told = World(subject, wanted), Twin(wanted), 0
        for minutes, size in history:
            subject.clock.advance(timedelta(minutes=minutes))
            if size is not None:
                world.set_size(size)
                twin.sizes.append((world.now(), size))
            told += twin.check(world.now())

            state = world.check()

            assert len(world.told.alerts) == told
            assert (state.status == "firing") == (twin.fired_at is not None)
            assert state.since == (None if twin.fired_at is None else rfc3339(twin.fired_at))


sizes = st.integers(0, 50)


@given(
    share=st.integers(1, 1_000),
    direction=st.sampled_from(["up", "down", "both"]),
    people_min=st.integers(1, 20),
    before=sizes,
    after=sizes,
)
def test_a_change_of_exactly_the_share_is_inside(
    share: int, direction: Direction, people_min: int, before: int, after: int
) -> None:
    wanted = TribeAlertSettings(share_percent=share, direction=direction, people_min=people_min)
    seen = Sizes(before=before, after=after, version=1)
    inside = before * (100 - share) <= 100 * after <= before * (100 + share)
    allowed = direction == "both" or (direction == "up") == (after > before)

    _, fires = checked(wanted, TribeAlertState(), seen, at="2026-03-01T09:00:00Z", has_passed=False)

    assert fires == (not inside and allowed and max(before, after) >= people_min)


def test_two_processes_send_one_alert_that_names_the_version_that_moved_most(subject: Subject) -> None:
    world = World(subject, TribeAlertSettings(people_min=5))
    world.set_size(20)
    subject.clock.advance(timedelta(hours=25))
    apply(subject.population, "add", *(user(f"x{number}", "other") for number in range(30)))
    world.set_size(10)
    world.set_size(9)
    due = world.control.list_due_tribe_alerts(rfc3339(world.now()), 10)

    world.watcher.work_once()
    world.another().work_once()

    (alert,) = world.told.alerts
    assert "Tribe 'Gold' has 9 members, 55 % less than 24 hours ago (20)." in alert.text
    assert "Version 3 (tagging crm.csv, removed 10) moved most." in alert.text
    assert (alert.fields["type"], alert.fields["before"], alert.fields["after"]) == ("tribe", 20, 9)
    assert alert.fields["cause"] == {
        "version": 3,
        "action": "tagging",
        "source": "crm.csv",
        "added": 0,
        "removed": 10,
        "moved": -10,
    }
    assert world.control.take_tribe_alert(due[0], rfc3339(world.now())) is None


def test_events_that_leave_their_window_at_midnight_fire_without_a_version(subject: Subject) -> None:
    world = World(subject, TribeAlertSettings(people_min=2, window_hours=12), rule=HasEvent("page/viewed", days=1))
    at = int(world.now() * 1_000)
    events = [
        Event(person=Person("user", f"u{number}"), type=EventType("page/viewed"), at=at, id=f"id-{number}")
        for number in range(4)
    ]
    subject.population.write(RecordEvents(events), WriteOptions(ADA))
    subject.clock.advance(timedelta(hours=13))
    assert world.check().status == "quiet"
    version = subject.population.version()

    subject.clock.advance(timedelta(hours=3))
    state = world.check()

    assert (state.status, state.before, state.after, state.version) == ("firing", 4, 0, version)
    assert state.cause is None
    assert "Tribe 'Gold' has 0 members, 100 % less than 12 hours ago (4)." in world.told.alerts[0].text


def test_a_new_rule_fires_nothing_and_one_of_a_context_says_why_it_cannot(subject: Subject) -> None:
    world = World(subject, TribeAlertSettings(people_min=1))
    world.set_size(5)
    subject.clock.advance(timedelta(hours=30))
    assert world.check().status == "quiet"
    tribe = world.tribes.get_tribe("main", "gold")
    draft = Draft(name=tribe.name, rule=HasTag("silver"))
    world.tribes.put_tribe("main", "gold", draft, revision=None, origin=ADA)

    assert (world.check().status, world.told.alerts) == ("quiet", [])

    context = Draft(name=tribe.name, rule=HasContext("platform", "is", "ios"))
    world.tribes.put_tribe("main", "gold", context, revision=None, origin=ADA)
    assert "depends on the context" in (world.check().problem or "")
    with pytest.raises(TribeNeedsContext):
        world.alerts.put_alert(world.environment, "gold", TribeAlertSettings(), by="ada")


def test_alerts_are_stored_taken_once_and_deleted_with_their_tribe(control: Control) -> None:
    control.put_organization(Organization("main", "Main"))
    control.put_space(Space("main", "main", "Main"))
    environment = control.get_environment("main", "production")
    tribes = Tribes(control)
    alerts = TribeAlerts(control, tribes, lambda: 1.8e9)
    for tribe in ("gold", "silver"):
        tribes.create_tribe("main", Draft(name=tribe, rule=All(())), tribe, origin=ADA)
        alerts.put_alert(environment, tribe, TribeAlertSettings(share_percent=30), by="ada")
    at = rfc3339(1.8e9)
    assert control.list_due_tribe_alerts(rfc3339(1.8e9 - 1), 10) == ()
    gold, silver = control.list_due_tribe_alerts(at, 10)
    assert control.list_due_tribe_alerts(at, 1) == (gold,)
    later = rfc3339(1.8e9 + 60)

    taken = control.take_tribe_alert(gold, later)

    assert taken is not None
    assert control.take_tribe_alert(gold, later) is None
    assert control.list_due_tribe_alerts(at, 10) == (silver,)
    firing = TribeAlertState(status="firing", since=at, before=2, after=9)
    assert not control.put_tribe_alert_state(gold, firing)
    assert control.put_tribe_alert_state(taken, firing)
    assert not control.put_tribe_alert_state(taken, firing)
    assert control.get_tribe_alert(environment.key, "gold").state == firing
    assert control.count_tribe_alerts() == dict.fromkeys(ALERT_STATUSES, 1)
    # A new setting makes the alert quiet, and what was seen before is outdated.
    alerts.put_alert(environment, "silver", TribeAlertSettings(share_percent=40), by="ada")
    assert control.take_tribe_alert(silver, later) is None

    tribes.delete_tribe("main", "gold", origin=ADA)

    assert [alert.tribe for alert in alerts.list_alerts(environment)] == ["silver"]
    alerts.delete_alert(environment, "silver", by="ada")
    with pytest.raises(TribeAlertNotFound):
        alerts.delete_alert(environment, "silver", by="ada")
    with pytest.raises(TribeNotFound):
        alerts.get_alert(environment, "gold")
    with pytest.raises(TribeAlertNotFound):
        alerts.get_alert(environment, "silver")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"share_percent": 0}, BodyInvalid),
        ({"share_percent": 1_001}, BodyInvalid),
        ({"share_percent": 100, "direction": "down"}, BodyInvalid),
        ({"window_hours": 0}, BodyInvalid),
        ({"window_hours": 721}, BodyInvalid),
        ({"people_min": 0}, BodyInvalid),
        ({"webhook": "file:///etc/passwd"}, BodyInvalid),
        ({"emails": ("nobody",)}, EmailInvalid),
        ({"emails": tuple(f"a{number}@example.com" for number in range(21))}, BodyInvalid),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, object], problem: type[Exception]) -> None:
    control = MemoryControl()
    control.put_organization(Organization("main", "Main"))
    control.put_space(Space("main", "main", "Main"))
    tribes = Tribes(control)
    tribes.create_tribe("main", Draft(name="Gold", rule=All(())), "gold", origin=ADA)
    alerts, environment = TribeAlerts(control, tribes), control.get_environment("main", "production")

    with pytest.raises(problem):
        alerts.put_alert(environment, "gold", msgspec.structs.replace(TribeAlertSettings(), **changes), by="ada")

    assert alerts.list_alerts(environment) == ()


def test_a_window_is_checked_some_hundred_times() -> None:
    assert [seconds_between_checks(TribeAlertSettings(window_hours=hours)) for hours in (1, 24, 720)] == [
        60,
        300,
        3_600,
    ]


def test_a_tribe_that_had_nobody_says_so() -> None:
    state = TribeAlertState(status="firing", before=0, after=1)

    assert alert_text("gold", TribeAlertSettings(window_hours=168), state) == (
        "Tribe 'gold' has 1 member, and had none 7 days ago."
    )
