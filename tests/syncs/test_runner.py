"""Syncs from the source to the tags: on a schedule, on call, pushed, held, failing, and by processes that are lost."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql
from msgspec.structs import replace

from tagloom.alerts.sending import Alert, Alerting, Receivers
from tagloom.base.times import rfc3339, seconds_of
from tagloom.bootstrap import check, open_installation
from tagloom.egress.policy import EgressPolicy
from tagloom.egress.remotes import Remotes
from tagloom.egress.secrets import Secrets
from tagloom.imports.lifecycle import Imports
from tagloom.imports.worker import Worker
from tagloom.ports.imports import SavedMapping
from tagloom.ports.problems import MappingNotFound, SyncChanged
from tagloom.ports.runs import OpenRun
from tagloom.settings import Settings
from tagloom.syncs import limits
from tagloom.syncs.definitions import Syncs
from tagloom.syncs.problems import SyncBusy, SyncInvalid
from tagloom.syncs.runner import Runner, RunnerStores
from tagloom.syncs.sources import Sources
from tagloom.tagging.preview import Previews
from tagloom.tribes.definitions import Tribes
from tagloom.words.expiry import ExpiryInvalid, ExpiryPast
from tagloom.words.mappings import AttributeColumn, Mapping, ValueColumn
from tagloom.words.people import Person
from tagloom.words.runs import Alerts, Schedule
from tagloom.words.source_addresses import SCHEMES
from tagloom.words.syncs import FilesSource, PushSource, SqlSource, SyncDraft, SyncRun, UrlSource
from tests.around import around
from tests.egress.places import web
from tests.sqlite import new_database

PLANS = Mapping(user="id", columns=(ValueColumn(column="plan", branch="plan"),), prefix="crm")
QUERY = "SELECT id, plan FROM customer ORDER BY id"
CRM = SyncDraft(
    source=SqlSource(secret="crm", query=QUERY),
    mapping="plans",
    prefix="crm",
    schedule=Schedule(cron="0 6 * * *"),
    share_removed_max=60,
)
START = 1_772_344_800.0  # 2026-03-01 06:00 UTC.
DAY = 86_400.0

PutRun = Callable[..., bool]


class Told(Alerting):
    """Keeps the alerts instead of sending them."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def send(self, alert: Alert, to: Receivers) -> None:
        self.alerts.append(alert)


class World:
    """An installation with a CRM beside it, and any number of serving processes on one clock."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.folder = folder
        self.files = folder / "files" / "main"
        self.files.mkdir(parents=True)
        self.url = f"sqlite:///{folder}/crm.sqlite"
        self.crm = sql.create_engine(self.url)
        self.installation = open_installation(
            Settings(database=new_database(folder / "data" / "tagloom.sqlite")), create=True
        )
        self.environment = self.installation.control.get_environment("main", "production")
        self.syncs = Syncs(self.installation.control, self.installation.population, lambda: self.now)
        self.told = Told()
        self.runner, self.worker = self.process()
        kept = SavedMapping(name="plans", version=1, at="2026-03-01T00:00:00Z", by="ada", mapping=PLANS)
        self.installation.control.put_mapping("main", kept)

    def process(self, put_run: PutRun | None = None) -> tuple[Runner, Worker]:
        """What a further serving process has. Its runner stores runs by `put_run`, which may call the real one."""
        control, population_of = self.installation.control, self.installation.population
        imports = Imports(control, self.folder / "uploads", population_of, lambda: self.now)
        secrets = Secrets(None, {"TAGLOOM_SECRET_MAIN__CRM": self.url})
        egress_policy = EgressPolicy(
            files=self.folder / "files", schemes=SCHEMES, hosts=("localhost",), secrets=secrets
        )
        stores: RunnerStores = control if put_run is None else around(control, put_run=put_run)
        runner = Runner(stores, imports, self.told, Sources(egress_policy, Remotes(egress_policy)), lambda: self.now)
        previews = Previews(Tribes(control), population_of)
        return runner, Worker(imports, control, previews, population_of, lambda: self.now)

    def put_customers(self, **plans: str) -> None:
        """What the CRM holds from now on."""
        with self.crm.begin() as connection:
            connection.execute(sql.text("DROP TABLE IF EXISTS customer"))
            connection.execute(sql.text("CREATE TABLE customer (id TEXT, plan TEXT)"))
            for id, plan in plans.items():
                connection.execute(sql.text("INSERT INTO customer VALUES (:id, :plan)"), {"id": id, "plan": plan})

    def work(self, runner: Runner | None = None) -> None:
        """As much as there is to do now."""
        for _ in range(4):
            (runner or self.runner).work_once(waits=True)
            while self.worker.work_once():
                continue

    def tags(self, user: str) -> tuple[str, ...]:
        """Of one user."""
        found = self.installation.population(self.environment).find_person(Person("user", user))
        return () if found is None else found.tags

    def runs(self) -> list[SyncRun]:
        """Of the CRM, the newest first."""
        return list(self.syncs.list_runs(self.environment, "crm"))

    def imports(self) -> Imports:
        """The use cases of imports."""
        return self.worker._imports


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.runner.stop()
    made.crm.dispose()
    broken = list(check(made.installation))
    made.installation.close()
    assert broken == []


def test_a_sync_runs_when_its_time_comes_and_the_branch_is_what_the_source_says(world: World) -> None:
    world.put_customers(u1="Gold", u2="Silver")
    world.syncs.create_sync(world.environment, "crm", CRM, by="ada")

    world.work()
    assert world.runs() == []
    world.now += DAY
    world.work()

    assert (world.tags("u1"), world.tags("u2")) == (("crm/plan/gold",), ("crm/plan/silver",))
    (run,) = world.runs()
    assert (run.state, run.trigger, run.rows) == ("done", "schedule", 2)
    assert world.syncs.get_sync(world.environment, "crm").next_run_at == "2026-03-03T06:00:00Z"
    world.put_customers(u1="Gold", u2="Gold")
    world.now += DAY
    world.work()
    assert world.tags("u2") == ("crm/plan/gold",)
    assert world.told.alerts == []


def test_one_whose_mapping_and_end_are_gone_can_still_be_paused_and_resumed(world: World) -> None:
    draft = replace(CRM, expires_at="2026-03-01T07:00:00Z")
    world.syncs.create_sync(world.environment, "crm", draft, by="ada")
    world.now += 2 * DAY
    world.installation.control.delete_mapping("main", "plans")

    paused = world.syncs.put_sync(world.environment, "crm", replace(draft, is_paused=True), revision=1, by="ada")
    assert (paused.draft.is_paused, paused.next_run_at) == (True, None)
    world.work()
    assert world.runs() == []
    with pytest.raises(MappingNotFound):
        world.syncs.put_sync(world.environment, "crm", replace(draft, share_removed_max=5), revision=2, by="ada")
    resumed = world.syncs.put_sync(world.environment, "crm", draft, revision=2, by="ada")
    assert (resumed.draft, resumed.next_run_at) == (draft, "2026-03-04T06:00:00Z")


def test_a_call_runs_it_at_once_and_two_runs_never_meet(world: World) -> None:
    world.put_customers(u1="Gold")
    world.syncs.create_sync(world.environment, "crm", replace(CRM, schedule=None), by="ada")

    world.syncs.run_sync(world.environment, "crm", by="bob")
    with pytest.raises(SyncBusy):
        world.syncs.run_sync(world.environment, "crm", by="eve")
    world.work()

    assert world.tags("u1") == ("crm/plan/gold",)
    assert [(run.state, run.by) for run in world.runs()] == [("done", "bob")]


def test_of_two_processes_one_runs_it_once(world: World) -> None:
    world.put_customers(u1="Gold")
    world.syncs.create_sync(world.environment, "crm", CRM, by="ada")
    other, _ = world.process()
    world.now += DAY

    world.runner.work_once()
    other.work_once()
    world.work(other)
    world.work()

    assert [run.state for run in world.runs()] == ["done"]
    assert len(world.imports().list(world.environment, limit=9)) == 1
    other.stop()


def test_a_process_that_follows_a_run_may_begin_its_import_first(world: World) -> None:
    world.put_customers(u1="Gold")
    world.syncs.create_sync(world.environment, "crm", CRM, by="ada")
    other, _ = world.process()
    world.now += DAY
    states = list[str]()

    def overtaken(seen: OpenRun[SyncRun], run: SyncRun, *, held_until: str) -> bool:
        is_put = world.installation.control.put_run(seen, run, held_until=held_until)
        if is_put and run.import_id is not None and not states:
            # The run names its import, and this process has not begun it yet.
            other.work_once()
            states.append(world.imports().get(world.environment, run.import_id).state)
        return is_put

    runner, _ = world.process(overtaken)
    world.work(runner)
    world.work()

    assert states == ["planning"]
    assert [run.state for run in world.runs()] == ["done"]
    assert len(world.imports().list(world.environment, limit=9)) == 1
    other.stop()
    runner.stop()


def test_a_run_that_requires_approval_is_held_with_its_plan_and_does_just_that(world: World) -> None:
    world.put_customers(u1="Gold", u2="Silver")
    world.syncs.create_sync(world.environment, "crm", replace(CRM, schedule=None), by="ada")

    world.syncs.run_sync(world.environment, "crm", by="ada", requires_approval=True)
    world.work()

    (run,) = world.runs()
    assert (run.state, world.tags("u1"), world.told.alerts) == ("held", (), [])
    brought = world.imports().get(world.environment, run.import_id or "")
    assert brought.plan is not None
    assert brought.plan.preview.receipt.added == 2
    with pytest.raises(SyncBusy):
        world.syncs.run_sync(world.environment, "crm", by="eve")

    world.imports().approve(world.environment, brought.id)
    world.work()
    assert (world.runs()[0].state, world.tags("u1")) == ("done", ("crm/plan/gold",))
    # The next one asks nobody.
    world.put_customers(u1="Gold", u2="Gold")
    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()
    assert (world.runs()[0].state, world.tags("u2")) == ("done", ("crm/plan/gold",))


def test_a_run_that_requires_approval_goes_on_with_its_plan_when_its_process_was_lost(world: World) -> None:
    world.put_customers(u1="Gold")
    world.syncs.create_sync(world.environment, "crm", replace(CRM, schedule=None), by="ada")
    world.syncs.run_sync(world.environment, "crm", by="ada", requires_approval=True)

    def end(seen: OpenRun[SyncRun], run: SyncRun, *, held_until: str) -> bool:
        is_put = world.installation.control.put_run(seen, run, held_until=held_until)
        if run.import_id is not None:
            raise SystemExit
        return is_put

    # The source is read and the run names its import, which nobody has begun: the process is lost there.
    lost, _ = world.process(end)
    with pytest.raises(SystemExit):
        lost.work_once(waits=True)
    lost.stop()
    assert world.imports().list(world.environment, limit=2)[0].state == "waiting"

    world.work()

    assert (world.runs()[0].state, world.tags("u1")) == ("held", ())


def test_a_source_that_came_back_small_is_held_until_somebody_approves(world: World) -> None:
    world.put_customers(u1="Gold", u2="Gold", u3="Gold")
    world.syncs.create_sync(world.environment, "crm", replace(CRM, schedule=None), by="ada")
    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()
    world.put_customers(u1="Gold")

    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()

    run = world.runs()[0]
    assert run.state == "held"
    assert world.tags("u2") == ("crm/plan/gold",)
    assert [alert.fields["kind"] for alert in world.told.alerts] == ["held"]
    world.imports().approve(world.environment, run.import_id or "")
    world.work()
    assert world.runs()[0].state == "done"
    assert (world.tags("u1"), world.tags("u2")) == (("crm/plan/gold",), ())


def test_an_empty_source_takes_nothing_from_anybody(world: World) -> None:
    world.put_customers(u1="Gold")
    world.syncs.create_sync(world.environment, "crm", replace(CRM, schedule=None, share_removed_max=100), by="ada")
    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()
    world.put_customers()

    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()

    assert world.runs()[0].state == "held"
    assert world.tags("u1") == ("crm/plan/gold",)


def test_a_source_that_is_away_fails_the_run_is_told_and_the_next_one_goes_well(world: World) -> None:
    world.syncs.create_sync(world.environment, "crm", CRM, by="ada")
    world.now += DAY
    world.work()

    (run,) = world.runs()
    assert run.state == "failed"
    assert "unable to open database file" in (run.problem or "")
    assert [alert.fields["kind"] for alert in world.told.alerts] == ["failed"]
    world.put_customers(u1="Gold")
    world.now += DAY
    world.work()
    assert world.tags("u1") == ("crm/plan/gold",)


def test_an_incremental_source_is_read_from_where_it_was_applied(world: World) -> None:
    source = SqlSource(secret="crm", query="SELECT id, plan FROM customer WHERE id > :cursor ORDER BY id", cursor="id")
    draft = replace(CRM, source=source, mode="set", schedule=None)
    world.put_customers(u1="Gold", u2="Gold")
    world.syncs.create_sync(world.environment, "crm", draft, by="ada")

    for _ in range(2):
        world.syncs.run_sync(world.environment, "crm", by="ada")
        world.work()
        world.put_customers(u1="Silver", u2="Silver", u3="Silver")

    assert [world.tags(user) for user in ("u1", "u2", "u3")] == [("crm/plan/gold",)] * 2 + [("crm/plan/silver",)]
    assert world.syncs.get_sync(world.environment, "crm").cursor == "u3"
    assert [run.rows for run in world.runs()] == [1, 2]


def test_files_are_read_from_the_folder_of_the_organization(world: World) -> None:
    (world.files / "monday.csv").write_text("id,plan\nu1,Gold\n")
    (world.files / "tuesday.csv").write_text("id,plan\nu2,Silver\n")
    draft = replace(CRM, source=FilesSource(glob="*.csv"), schedule=None)
    world.syncs.create_sync(world.environment, "crm", draft, by="ada")

    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()

    assert (world.tags("u1"), world.tags("u2")) == (("crm/plan/gold",), ("crm/plan/silver",))


def test_files_are_fetched_from_their_addresses(world: World) -> None:
    with web() as place:
        url = place.serve("/crm.csv", b"id,plan\nu1,Gold\n")
        draft = replace(CRM, source=UrlSource(url=f"{url}?day=today"), schedule=None)
        world.syncs.create_sync(world.environment, "crm", draft, by="ada")
        world.syncs.run_sync(world.environment, "crm", by="ada")
        world.work()
        assert world.tags("u1") == ("crm/plan/gold",)

        # What comes from elsewhere is guarded as what lies here.
        place.serve("/crm.csv", b"id,plan\n")
        world.syncs.run_sync(world.environment, "crm", by="ada")
        world.work()
        held = world.runs()[0]
        assert held.state == "held"
        world.imports().cancel(world.environment, held.import_id or "", by="ada")
        world.work()
        place.answers.clear()
        world.syncs.run_sync(world.environment, "crm", by="ada")
        world.work()

    assert world.tags("u1") == ("crm/plan/gold",)
    (failed,) = [run for run in world.runs() if run.state == "failed"]
    assert (failed.problem or "").endswith("/crm.csv answers 404.")


def test_a_pattern_of_addresses_is_one_run(world: World) -> None:
    for day, user in (("monday", "u1"), ("tuesday", "u2")):
        (world.files / f"{day}.csv").write_text(f"id,plan\n{user},Gold\n")
    draft = replace(CRM, source=UrlSource(url=f"file://{world.files}/*.csv"), schedule=None)
    world.syncs.create_sync(world.environment, "crm", draft, by="ada")

    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()

    assert world.tags("u1") == world.tags("u2") == ("crm/plan/gold",)


def test_records_that_are_pushed_become_an_import(world: World) -> None:
    draft = replace(CRM, source=PushSource(), schedule=None)
    world.syncs.create_sync(world.environment, "crm", draft, by="ada")

    run = world.runner.push(world.environment, "crm", [b'{"id": "u1", "plan": "Gold"}\n'], by="tap")
    world.work()

    assert run.state == "importing"
    assert [(each.state, each.trigger) for each in world.runs()] == [("done", "push")]
    assert world.tags("u1") == ("crm/plan/gold",)
    with pytest.raises(SyncInvalid):
        world.syncs.run_sync(world.environment, "crm", by="ada")


def test_a_run_whose_process_was_lost_is_begun_again_by_another(world: World) -> None:
    world.put_customers(u1="Gold")
    world.syncs.create_sync(world.environment, "crm", replace(CRM, schedule=None), by="ada")
    world.syncs.run_sync(world.environment, "crm", by="ada")
    (seen,) = world.installation.control.list_open_runs()
    lost = "2026-03-01T06:01:00Z"
    assert world.installation.control.put_run(seen, seen.run, held_until=lost)

    world.work()
    assert world.runs()[0].state == "reading"
    world.now += limits.SYNC_HELD_SECONDS
    world.work()

    assert world.runs()[0].state == "done"
    assert world.tags("u1") == ("crm/plan/gold",)


def test_what_a_lost_process_brought_and_no_run_names_is_forgotten_by_the_next_one(world: World) -> None:
    world.put_customers(u1="Gold")
    world.syncs.create_sync(world.environment, "crm", replace(CRM, schedule=None), by="ada")
    world.syncs.run_sync(world.environment, "crm", by="ada")

    def end(seen: OpenRun[SyncRun], run: SyncRun, *, held_until: str) -> bool:
        if run.import_id is not None:
            raise SystemExit
        return world.installation.control.put_run(seen, run, held_until=held_until)

    # It brought the file, and was killed before the run could name it.
    lost, _ = world.process(end)
    with pytest.raises(SystemExit):
        lost.work_once(waits=True)
    (left,) = world.imports().list(world.environment, limit=9)
    assert (left.state, world.runs()[0].state) == ("waiting", "reading")
    world.now += limits.SYNC_HELD_SECONDS + 1

    world.work()

    (done,) = world.imports().list(world.environment, limit=9)
    assert (done.state, world.runs()[0].import_id) == ("done", done.id)
    assert not world.imports().folder.path(left.id).parent.exists()
    lost.stop()


def test_a_process_that_lost_its_run_hands_nothing_over(world: World) -> None:
    world.put_customers(u1="Gold")
    world.syncs.create_sync(world.environment, "crm", replace(CRM, schedule=None), by="ada")
    world.syncs.run_sync(world.environment, "crm", by="ada")
    control, brought = world.installation.control, list[str]()

    def too_late(seen: OpenRun[SyncRun], run: SyncRun, *, held_until: str) -> bool:
        if run.import_id is not None:
            brought.append(run.import_id)
            # Meanwhile somebody else has taken the run.
            (found,) = control.list_open_runs()
            assert control.put_run(found, replace(found.run, rows=7), held_until="2030-01-01T00:00:00Z")
        return control.put_run(seen, run, held_until=held_until)

    slow, _ = world.process(too_late)
    slow.work_once(waits=True)
    slow.stop()

    assert len(brought) == 1
    assert world.imports().list(world.environment, limit=9) == ()
    assert world.runs()[0].rows == 7


def test_a_run_that_takes_too_long_is_told_once(world: World) -> None:
    world.put_customers(u1="Gold")
    world.syncs.create_sync(world.environment, "crm", replace(CRM, schedule=None), by="ada")
    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.runner.work_once(waits=True)

    world.now += 2 * 3_600
    world.runner.work_once()
    world.runner.work_once()

    assert [alert.fields["kind"] for alert in world.told.alerts] == ["late"]


def test_what_a_run_gives_ends_as_the_sync_says_and_behind_that_time_a_run_fails(world: World) -> None:
    world.put_customers(u1="Gold")
    # The population has the machine's time, which lies ahead of the world's or behind it.
    end = rfc3339((max(world.now, time.time()) // DAY + 3) * DAY)
    ending = replace(CRM, schedule=None, expires_at=end)
    world.syncs.create_sync(world.environment, "crm", ending, by="ada")

    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()

    found = world.installation.population(world.environment).find_person(Person("user", "u1"))
    assert found is not None
    assert found.expires_at == {"crm/plan/gold": end}
    world.now = seconds_of(end) + 1
    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()
    run = world.runs()[0]
    assert (run.state, run.problem) == ("failed", f"'{end}' is not later than now.")
    # It is not left so by saying the same again, and well again with a ttl.
    with pytest.raises(ExpiryPast):
        world.syncs.put_sync(world.environment, "crm", ending, revision=None, by="ada")
    lasting = replace(ending, expires_at="", ttl="14d")
    world.syncs.put_sync(world.environment, "crm", lasting, revision=None, by="ada")
    world.syncs.run_sync(world.environment, "crm", by="ada")
    world.work()
    assert world.runs()[0].state == "done"


@pytest.mark.parametrize(
    "ends", [{"ttl": "14"}, {"expires_at": "tomorrow"}, {"ttl": "14d", "expires_at": "2030-01-01T00:00:00Z"}]
)
def test_a_sync_that_says_no_end_that_can_be_is_refused(world: World, ends: dict[str, str]) -> None:
    with pytest.raises(ExpiryInvalid):
        world.syncs.create_sync(world.environment, "crm", replace(CRM, **ends), by="ada")
    assert world.syncs.list_syncs(world.environment) == ()


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (replace(CRM, prefix="erp"), "$.under"),
        (replace(CRM, prefix=""), "$.under"),
        (replace(CRM, schedule=Schedule(cron="daily")), "$.schedule.cron"),
        (replace(CRM, share_removed_max=101), "$.share_removed_max"),
        (replace(CRM, source=SqlSource(secret="../x", query="SELECT 1")), "$.source.secret"),
        (replace(CRM, source=SqlSource(secret="crm", query=" ")), "$.source.query"),
        (replace(CRM, source=SqlSource(secret="crm", query="SELECT 1", cursor="at")), "$.source.cursor"),
        (replace(CRM, source=SqlSource(secret="crm", query=":cursor", cursor="at")), "$.mode"),
        (replace(CRM, source=FilesSource(glob="/etc/*")), "$.source.glob"),
        (replace(CRM, source=FilesSource(glob="../*")), "$.source.glob"),
        (replace(CRM, source=UrlSource(url="https://ada:x@example.com/a.csv")), "$.source.url"),
        (replace(CRM, source=UrlSource(url="https://example.com/a.csv", secret="../x")), "$.source.secret"),
        (replace(CRM, source=PushSource()), "$.schedule"),
        (replace(CRM, alerts=Alerts(webhook="file:///etc/passwd")), "$.alerts.webhook"),
    ],
)
def test_what_could_not_run_is_refused_with_its_field(world: World, draft: SyncDraft, field: str) -> None:
    with pytest.raises(SyncInvalid) as caught:
        world.syncs.create_sync(world.environment, "crm", draft, by="ada")
    assert caught.value.members["field"] == field


def test_mode_remove_refuses_a_mapping_with_attributes(world: World) -> None:
    mapping = Mapping(user="id", prefix="crm", columns=(AttributeColumn(column="plan", attribute="plan"),))
    kept = SavedMapping(name="facts", version=1, at="2026-03-01T00:00:00Z", by="ada", mapping=mapping)
    world.installation.control.put_mapping("main", kept)

    world.syncs.create_sync(world.environment, "facts", replace(CRM, mapping="facts", owns=False), by="ada")
    with pytest.raises(SyncInvalid, match="Use a mapping without attributes") as caught:
        world.syncs.create_sync(world.environment, "crm", replace(CRM, mapping="facts", mode="remove"), by="ada")
    assert caught.value.members["field"] == "$.mode"


def test_changing_a_sync_sets_its_next_time_and_pausing_takes_it(world: World) -> None:
    made = world.syncs.create_sync(world.environment, "crm", CRM, by="ada")
    paused = replace(CRM, is_paused=True)

    put = world.syncs.put_sync(world.environment, "crm", paused, revision=made.revision, by="ada")

    assert (put.revision, put.next_run_at) == (2, None)
    with pytest.raises(SyncChanged):
        world.syncs.put_sync(world.environment, "crm", CRM, revision=1, by="bob")
    assert world.syncs.put_sync(world.environment, "crm", CRM, revision=None, by="bob").next_run_at is not None
