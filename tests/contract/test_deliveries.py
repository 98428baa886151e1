"""Deliveries agree with a list of events: every event is in exactly one part, whatever fails and whoever dies."""

import csv
import gzip
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tagloom.base.times import rfc3339
from tagloom.deliveries import limits
from tagloom.deliveries.definitions import Deliveries
from tagloom.deliveries.problems import DeliveryBusy, DeliveryInvalid
from tagloom.deliveries.runner import DeliveryRunner
from tagloom.egress.object_writes import Destination
from tagloom.egress.policy import EgressPolicy
from tagloom.egress.problems import DestinationUnwritable
from tagloom.egress.remotes import Remotes
from tagloom.ports.population import Population
from tagloom.ports.problems import DeliveryChanged, DeliveryNotFound, TribeNotFound
from tagloom.ports.writes import ErasePerson, RecordEvents, WriteOptions
from tagloom.stores.memory import MemoryControl
from tagloom.tribes.definitions import Draft, Tribes
from tagloom.words.deliveries import Delivery, DeliveryDraft, DeliveryFormat, DeliveryRun, PartCompression
from tagloom.words.event_rules import is_of
from tagloom.words.events import DAY_MS, Event, EventType
from tagloom.words.people import Person
from tagloom.words.rules import HasTag
from tagloom.words.runs import Alerts, Schedule
from tagloom.words.source_addresses import Remote
from tagloom.words.tenants import Environment, Organization, Space
from tests.around import around
from tests.bodies import user
from tests.contract.conftest import ADAPTERS, Subject, make_population
from tests.contract.steps import ADA, apply
from tests.contract.test_tribe_alerts import Told

TYPES = ("ad/clicked", "ad/seen", "page/viewed")
Put = Callable[[Destination, str, Path], None]


class Row(NamedTuple):
    """An event of a part: the part's name, and what the part says of the event."""

    part: str
    id: str
    day: str
    version: int


class World:
    """One environment, a folder to which its events are delivered, and any number of serving processes."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject, self.control, self.told = subject, MemoryControl(), Told()
        self.control.put_organization(Organization("main", "Main"))
        self.control.put_space(Space("main", "main", "Main"))
        self.environment = self.control.get_environment("main", "production")
        self.folder = folder / "files" / "main" / "lake"
        self.remotes = Remotes(EgressPolicy(files=folder / "files"))
        self.tribes = Tribes(self.control, clock=self.now)
        self.deliveries = Deliveries(self.control, self.tribes, self._population, self.remotes, self.now)
        self.runner = self.process()

    def now(self) -> float:
        return self.subject.clock().timestamp()

    def _population(self, environment: Environment) -> Population:
        return self.subject.population

    def process(self, put: Put | None = None, put_run: Callable[..., bool] | None = None) -> DeliveryRunner:
        """What a further serving process has. It writes by `put`, and stores runs by `put_run`."""
        control = self.control if put_run is None else around(self.control, put_delivery_run=put_run)
        remotes = self.remotes if put is None else around(self.remotes, open_destination=self._opening(put))
        return DeliveryRunner(control, self.tribes, self._population, remotes, self.told, self.now)

    def _opening(self, put: Put) -> Callable[..., Any]:
        @contextmanager
        def opened(organization: str, remote: Remote) -> Iterator[Destination]:
            with self.remotes.open_destination(organization, remote) as real:
                yield around(real, put=lambda name, source: put(real, name, source))

        return opened

    def create(self, **draft: Any) -> Delivery:
        wanted = DeliveryDraft(url=f"file://{self.folder}", **draft)
        return self.deliveries.create_delivery(self.environment, "lake", wanted, by="ada")

    def record(self, *events: tuple[str, int, str], person: str = "u1") -> int:
        """Records events: the id, how many days ago it happened, and the type. Returns the version."""
        now = round(self.now() * 1000)
        made = [
            Event(person=Person("user", person), type=EventType(type), at=now - ago * DAY_MS, id=id)
            for id, ago, type in events
        ]
        return self.subject.population.write(RecordEvents(tuple(made)), WriteOptions(ADA)).version

    def run(self, runner: DeliveryRunner | None = None) -> DeliveryRun:
        """Starts a run, lets a process work on it, and returns it as it is then."""
        self.deliveries.run_delivery(self.environment, "lake", by="ada")
        return self.work(runner)

    def work(self, runner: DeliveryRunner | None = None) -> DeliveryRun:
        (runner or self.runner).work_once(waits=True)
        return self.newest()

    def newest(self) -> DeliveryRun:
        return self.deliveries.list_runs(self.environment, "lake", limit=1)[0]

    def rows(self) -> list[Row]:
        """The events of all parts, as other programs read them."""
        return [row for path in sorted(self.folder.glob("*/part-*")) for row in _rows(path)]


def _rows(path: Path) -> Iterator[Row]:
    name = f"{path.parent.name}/{path.name}"
    for found in _records(path):
        yield Row(name, found["id"], str(found["at"])[:10], int(found["version"]))


def _records(path: Path) -> Sequence[dict[str, Any]]:
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pq.read_table(path, partitioning=None).to_pylist()
        return rows
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zst":
        data = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    if ".csv" in path.name:
        return list(csv.DictReader(io.StringIO(data.decode())))
    return [json.loads(line) for line in data.splitlines()]


@contextmanager
def opened(adapter: str) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        subject = make_population(adapter, Path(folder))
        world = World(subject, Path(folder))
        yield world
        world.runner.stop()
        subject.shut()


@pytest.fixture(params=ADAPTERS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with opened(request.param) as found:
        yield found


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of few events, and runs that fail at their first failure, so that the next run repeats their last step."""
    monkeypatch.setattr(limits, "DELIVERY_STEP_EVENTS_MAX", 3)
    monkeypatch.setattr(limits, "DELIVERY_TRIES_MAX", 1)


# The events of one version: how many days ago each happened, and its type.
batches = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(TYPES)), min_size=1, max_size=4)
# A step records a batch, or runs the delivery. The run fails at a part, dies at a part or when it is stored, or works.
trouble = st.sampled_from(["none", "fails", "dies writing", "dies storing"])
steps = st.lists(st.one_of(batches, st.tuples(trouble, st.integers(1, 3))), min_size=4, max_size=14)
# The first run fails behind its first part, and the next run finds more events.
MORE_EVENTS_AFTER_A_FAILURE = [[(0, "ad/seen"), (1, "ad/seen")], ("fails", 2), [(0, "ad/seen"), (1, "ad/seen")]]
formats = st.sampled_from(
    [("parquet", "none"), ("csv", "none"), ("csv", "gzip"), ("ndjson", "none"), ("ndjson", "zstd")]
)


class Died(BaseException):
    """The process that worked on a run is gone."""


def troubled(world: World, kind: str, at: int) -> DeliveryRunner:
    """A process that writes `at` parts, or stores `at` states of a run, and then fails or dies for good."""
    done = {"parts": 0, "states": 0}

    def put(real: Destination, name: str, source: Path) -> None:
        done["parts"] += 1
        if kind == "fails" and done["parts"] == at:
            raise DestinationUnwritable("The disk is full.")
        if kind == "dies writing" and done["parts"] >= at:
            raise Died
        real.put(name, source)

    def put_run(*seen: Any, **asked: Any) -> bool:
        done["states"] += 1
        if kind == "dies storing" and done["states"] > at:
            raise Died
        return world.control.put_delivery_run(*seen, **asked)

    return world.process(put, put_run)


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=50, deadline=None)
@example(history=MORE_EVENTS_AFTER_A_FAILURE, format=("csv", "none"), events=())
@given(history=steps, format=formats, events=st.sampled_from([(), ("ad",), ("ad/seen", "page")]))
@pytest.mark.usefixtures("small_steps")
def test_every_event_is_in_exactly_one_part_of_its_day_whatever_fails(
    adapter: str,
    history: list[Any],
    format: tuple[DeliveryFormat, PartCompression],
    events: tuple[str, ...],
) -> None:
    with opened(adapter) as world:
        world.create(format=format[0], compression=format[1], events=events)
        expected: dict[str, tuple[str, int]] = {}
        number = 0
        for step in history:
            if isinstance(step, tuple):
                with suppress(DeliveryBusy):
                    world.deliveries.run_delivery(world.environment, "lake", by="ada")
                with suppress(Died):
                    troubled(world, *step).work_once(waits=True)
                # The lease of a process that died expires, and so does the wait of a run that failed.
                world.subject.clock.advance(timedelta(hours=1))
            else:
                batch = [(f"m{number + place}", *each) for place, each in enumerate(step)]
                number += len(step)
                version = world.record(*batch)
                for id, ago, type in batch:
                    day = rfc3339(world.now() - ago * 86_400)[:10]
                    if not events or any(is_of(type, each) for each in events):
                        expected[id] = (day, version)

        finish(world)

        rows = world.rows()
        assert {row.id: (row.day, row.version) for row in rows} == expected
        assert len(rows) == len(expected)
        for row in rows:
            first, last = row.part.partition("part-")[2].partition(".")[0].split("-")
            assert row.part.startswith(f"day={row.day}/")
            assert int(first) <= row.version <= int(last)
        delivery = world.deliveries.get_delivery(world.environment, "lake")
        assert delivery.position.next_version == world.subject.population.version() + 1
        assert delivery.position.step_end is None
        assert not list(world.folder.glob("*/.*"))


def finish(world: World) -> None:
    """Works on what is open, and then runs once more without trouble."""
    runner = world.process()
    runner.work_once(waits=True)
    world.deliveries.run_delivery(world.environment, "lake", by="ada")
    runner.work_once(waits=True)
    assert world.newest().state == "done"
    runner.stop()


def test_a_run_delivers_what_was_recorded_since_the_last_one_and_late_events_to_their_day(world: World) -> None:
    world.create()
    world.record(("m1", 0, "ad/seen"), ("m2", 1, "ad/seen"))

    run = world.run()
    world.record(("m3", 1, "ad/seen"))
    later = world.run()

    first, last = f"{1:012}", f"{2:012}"
    assert (run.state, run.events, run.parts, run.until_version) == ("done", 2, 2, 1)
    assert [part.name for part in run.written] == [
        f"day=2026-02-28/part-{first}-{first}.parquet",
        f"day=2026-03-01/part-{first}-{first}.parquet",
    ]
    assert [(part.name, part.events) for part in later.written] == [(f"day=2026-02-28/part-{last}-{last}.parquet", 1)]
    assert later.bytes == (world.folder / later.written[0].name).stat().st_size
    assert world.run().parts == 0


def test_a_delivery_without_history_begins_with_the_next_event(world: World) -> None:
    world.record(("m1", 0, "ad/seen"))
    draft = DeliveryDraft(url=f"file://{world.folder}")
    world.deliveries.create_delivery(world.environment, "lake", draft, with_history=False, by="ada")
    world.record(("m2", 0, "ad/seen"))

    world.run()

    assert [row.id for row in world.rows()] == ["m2"]


def test_only_the_members_of_a_tribe_are_delivered(world: World) -> None:
    world.tribes.create_tribe("main", Draft(name="Gold", rule=HasTag("gold", "exact")), "gold", origin=ADA)
    apply(world.subject.population, "add", user("u1", "gold"), user("u2", "other"))
    world.record(("m1", 0, "ad/seen"), person="u1")
    world.record(("m2", 0, "ad/seen"), person="u2")
    world.create(tribe="gold")

    world.run()

    assert [row.id for row in world.rows()] == ["m1"]


def test_a_repeated_step_writes_the_same_names_and_the_same_bytes(world: World) -> None:
    world.create(format="ndjson", compression="gzip")
    world.record(*((f"m{number}", number % 2, "ad/seen") for number in range(50)))
    dies = troubled(world, "dies writing", 2)
    with pytest.raises(Died):
        world.run(dies)
    (part,) = world.folder.glob("*/part-*")
    before = part.read_bytes()
    world.record(("later", 1, "ad/seen"))
    world.subject.clock.advance(timedelta(seconds=limits.DELIVERY_HELD_SECONDS + 1))

    world.work()

    assert part.read_bytes() == before
    assert world.newest().state == "done"
    assert len(world.rows()) == 50


def test_a_process_that_lost_its_lease_stores_nothing_more(world: World) -> None:
    world.create()
    world.record(("m1", 0, "ad/seen"), ("m2", 1, "ad/seen"))

    def slow(real: Destination, name: str, source: Path) -> None:
        # Meanwhile the lease expires, and another process does all the work.
        if name.startswith("day=2026-03-01"):
            world.subject.clock.advance(timedelta(seconds=limits.DELIVERY_HELD_SECONDS + 1))
            assert world.work(other).state == "done"
            world.record(("m3", 0, "ad/seen"))
            assert world.run(other).state == "done"
        real.put(name, source)

    other = world.process()
    world.run(world.process(slow))

    assert sorted(row.id for row in world.rows()) == ["m1", "m2", "m3"]
    assert world.deliveries.get_delivery(world.environment, "lake").position.next_version == 3
    assert [run.events for run in world.deliveries.list_runs(world.environment, "lake")] == [1, 2]


def test_a_failed_try_is_repeated_with_longer_waits_and_then_an_alert_is_sent(world: World) -> None:
    world.create(alerts=Alerts(emails=("data@example.com",), late_minutes=1_000))
    world.record(("m1", 0, "ad/seen"))

    def full(real: Destination, name: str, source: Path) -> None:
        raise DestinationUnwritable("The disk is full.")

    failing = world.process(full)
    run, waits = world.run(failing), []
    while run.state == "waiting":
        assert run.retry_at is not None
        waits.append(run.retry_at[14:16])
        world.subject.clock.advance(timedelta(seconds=limits.DELIVERY_RETRY_SECONDS * 2 ** (run.tries - 1)))
        run = world.work(failing)

    assert waits == ["01", "03", "07", "15", "31"]
    assert (run.state, run.tries, run.problem) == ("failed", limits.DELIVERY_TRIES_MAX, "The disk is full.")
    (alert,) = world.told.alerts
    assert (alert.fields["type"], alert.fields["delivery"], alert.fields["kind"]) == ("delivery", "lake", "failed")
    assert world.run().state == "done"
    assert [row.id for row in world.rows()] == ["m1"]


def test_a_waiting_run_is_tried_at_once_on_request(world: World) -> None:
    world.create()
    world.record(("m1", 0, "ad/seen"))
    failing = troubled(world, "fails", 1)
    assert world.run(failing).state == "waiting"
    world.subject.clock.advance(timedelta(seconds=59))
    world.work()
    assert world.newest().state == "waiting"

    assert world.run().state == "done"

    assert [row.id for row in world.rows()] == ["m1"]


def test_a_run_that_takes_too_long_is_told_once(world: World) -> None:
    world.create(alerts=Alerts(late_minutes=2))
    world.record(("m1", 0, "ad/seen"))

    def away(real: Destination, name: str, source: Path) -> None:
        raise DestinationUnwritable("It is away.")

    failing = world.process(away)
    for _ in range(3):
        world.run(failing)
        world.subject.clock.advance(timedelta(seconds=50))
    for _ in range(2):
        failing.work_once(waits=True)

    assert [alert.fields["kind"] for alert in world.told.alerts] == ["late"]


def test_what_only_people_can_repair_fails_at_once(world: World) -> None:
    world.tribes.create_tribe("main", Draft(name="Gold", rule=HasTag("gold", "exact")), "gold", origin=ADA)
    world.create(tribe="gold")
    world.record(("m1", 0, "ad/seen"))
    world.tribes.delete_tribe("main", "gold", origin=ADA)

    run = world.run()

    assert (run.state, run.tries) == ("failed", 1)
    assert "gold" in (run.problem or "")
    with pytest.raises(TribeNotFound):
        world.create(tribe="gold")


def test_a_schedule_runs_it_and_a_pause_stops_the_schedule(world: World) -> None:
    world.create(schedule=Schedule(cron="@hourly"))
    world.record(("m1", 0, "ad/seen"))
    world.subject.clock.advance(timedelta(hours=1))
    assert (world.work().trigger, world.newest().state) == ("schedule", "done")

    paused = world.deliveries.pause_delivery(world.environment, "lake", is_paused=True, by="ada")
    world.subject.clock.advance(timedelta(hours=2))
    world.work()

    assert (paused.next_run_at, len(world.deliveries.list_runs(world.environment, "lake"))) == (None, 1)
    resumed = world.deliveries.pause_delivery(world.environment, "lake", is_paused=False, by="ada")
    assert resumed.next_run_at == "2026-03-01T13:00:00Z"
    assert [each.action for each in world.control.list_audit_log("main", limit=9)] == [
        *("delivery changed", "delivery changed", "delivery created"),
    ]


def test_events_of_people_who_were_erased_are_not_delivered(world: World) -> None:
    world.create()
    world.record(("m1", 0, "ad/seen"), person="u1")
    world.record(("m2", 0, "ad/seen"), person="u2")
    world.subject.population.write(ErasePerson(Person("user", "u1")), WriteOptions(ADA))

    world.run()

    assert [row.id for row in world.rows()] == ["m2"]


def test_a_deleted_delivery_leaves_its_parts_and_ends_its_run(world: World) -> None:
    world.create()
    world.record(("m1", 0, "ad/seen"), ("m2", 1, "ad/seen"))

    def deleting(real: Destination, name: str, source: Path) -> None:
        real.put(name, source)
        with suppress(DeliveryNotFound):
            world.deliveries.delete_delivery(world.environment, "lake", by="ada")

    world.deliveries.run_delivery(world.environment, "lake", by="ada")
    world.process(deleting).work_once(waits=True)

    assert world.control.list_open_delivery_runs() == ()
    assert len(world.rows()) == 2
    with pytest.raises(DeliveryNotFound):
        world.deliveries.get_delivery(world.environment, "lake")


def test_what_cannot_be_delivered_is_refused(world: World) -> None:
    here = f"file://{world.folder}"
    for field, draft in (
        ("$.url", DeliveryDraft(url="https://example.com/events")),
        ("$.url", DeliveryDraft(url="file:///etc/events")),
        ("$.url", DeliveryDraft(url=f"{here}/*")),
        ("$.secret", DeliveryDraft(url="s3://exports/events", secret="none")),
        ("$.compression", DeliveryDraft(url=here, compression="gzip")),
        ("$.events", DeliveryDraft(url=here, events=("Ad Clicked!",))),
        ("$.events", DeliveryDraft(url=here, events=("ad",) * 101)),
        ("$.schedule.cron", DeliveryDraft(url=here, schedule=Schedule(cron="daily"))),
        ("$.alerts.webhook", DeliveryDraft(url=here, alerts=Alerts(webhook="ftp://example.com"))),
        ("$.alerts.late_minutes", DeliveryDraft(url=here, alerts=Alerts(late_minutes=0))),
    ):
        with pytest.raises(DeliveryInvalid) as caught:
            world.deliveries.create_delivery(world.environment, "lake", draft, by="ada")
        assert caught.value.members["field"] == field
    made = world.create()
    with pytest.raises(DeliveryChanged):
        world.deliveries.put_delivery(world.environment, "lake", made.draft, revision=7, by="ada")


def test_a_delivery_whose_folder_is_gone_can_still_be_paused(world: World) -> None:
    world.create()
    shutil.rmtree(world.folder.parent, ignore_errors=True)
    gone = Deliveries(world.control, world.tribes, world._population, Remotes(EgressPolicy()), world.now)

    assert gone.pause_delivery(world.environment, "lake", is_paused=True, by="ada").draft.is_paused
