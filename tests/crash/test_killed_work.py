"""Real servers, killed at random moments of imports, syncs and sweeps at once: all goes on, nothing is done twice.

`TAGLOOM_TEST_KILLS` says how often each store's server is killed (`make soak` says 50), `TAGLOOM_TEST_SEED` when.
"""

import http.client
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import Installation, check, open_installation
from tagloom.imports.lifecycle import Imports
from tagloom.ports.imports import SavedMapping
from tagloom.settings import PostgresUrl, Settings
from tagloom.syncs.definitions import Syncs
from tagloom.words.changes import Origin
from tagloom.words.mappings import ListColumn, Mapping
from tagloom.words.syncs import FilesSource, SyncDraft
from tagloom_client import ProblemError, Retries, Tagloom, TagloomError
from tagloom_client.models import Import
from tests.bodies import Line, part, user
from tests.crash.kills import kills
from tests.crash.replaying import Replay, all_imports
from tests.crash.test_kill import PATIENCE_SECONDS, server
from tests.postgres import Server
from tests.writing import Batch, write_parts

KILLS = kills(6)
SEED = int(os.environ.get("TAGLOOM_TEST_SEED", "23"))
ROWS = 600
PEOPLE_OF_SYNCS = 120
# Steps of few rows, leases of a second and looks all the time, so that kills fall into work and are soon made up for.
HURRIED = (
    "from tagloom.imports import limits; limits.IMPORT_ROWS_PER_STEP = 1; limits.IMPORT_LEASE_SECONDS = 1; "
    "limits.IMPORT_SECONDS_BETWEEN_POLLS = 0.05; "
    "from tagloom.syncs import limits; limits.SYNC_SECONDS_BETWEEN_POLLS = 0.05; "
    "limits.SYNC_HELD_SECONDS = 1; "
    "from tagloom.tagging import limits; limits.SWEEP_SECONDS_BETWEEN_POLLS = 0.05; "
    "import tagloom.files.delimited as delimited; delimited.ROWS_PER_PART = {rows_per_step}; "
)
Intent = Literal["run", "pause", "undo"]
# What is answered when the state of an import has changed by itself, or a run has not ended.
OVERTAKEN = {"import-state-wrong", "import-changed", "sync-busy"}
SHARED = ("load/all", "load/some")


@dataclass
class World:
    """An installation that a process of ours and the servers share, with the files that it reads."""

    settings: Settings
    data: Path | None
    environ: dict[str, str]
    folder: Path
    # A server is killed within about the time that an import takes.
    rows_per_step: int
    seconds_of_life_max: float
    fed: dict[str, list[Line]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.installation: Installation = open_installation(self.settings, create=True)
        control = self.installation.control
        self.environment = control.get_environment("main", "production")
        self.token = Access(control).create_token("main", "driver", ("admin",), days=1)[1]
        syncs = Syncs(control, self.installation.population)
        tags = ListColumn(column="tags")
        control.put_mapping("main", kept("plain", Mapping(user="user", columns=(tags,))))
        for name, share in (("crm", 99), ("erp", 5)):
            control.put_mapping("main", kept(name, Mapping(user="user", columns=(tags,), prefix=name)))
            draft = SyncDraft(
                source=FilesSource(glob=f"{name}/*.csv"), mapping=name, prefix=name, share_removed_max=share
            )
            syncs.create_sync(self.environment, name, draft, by="ada")

    @property
    def beginning(self) -> str:
        """What its servers do first."""
        return HURRIED.format(rows_per_step=self.rows_per_step)

    def put_source(self, sync: str, rows: dict[str, str]) -> None:
        """What the sync reads from now on, whole at every moment."""
        place = self.folder / "files" / "main" / sync
        place.mkdir(parents=True, exist_ok=True)
        text = "user,tags\n" + "".join(f"{id},{tags}\n" for id, tags in rows.items())
        (place / "new").write_text(text)
        (place / "new").replace(place / "rows.csv")

    def feed(self, name: str, lines: list[Line]) -> None:
        """Taggings that have ended already, by a process of our own."""
        population = self.installation.population(self.environment)
        self.fed[name] = lines
        write_parts(population, [part(lines)], Batch(mode="add", origin=Origin("feeder", name)))

    def has_ended(self) -> bool:
        """Whether something waits to be swept."""
        return bool(self.installation.list_with_due_taggings(int(time.time()) // 60))


def kept(name: str, mapping: Mapping) -> SavedMapping:
    return SavedMapping(name=name, version=1, at="2026-03-01T00:00:00Z", by="ada", mapping=mapping)


@pytest.fixture(params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    environ = {"TAGLOOM_UPLOADS": str(tmp_path / "uploads"), "TAGLOOM_FILES_FOLDER": str(tmp_path / "files")}
    database = Server(is_durable=True) if request.param == "postgres" else None
    try:
        if database is None:
            settings = Settings(database=tmp_path / "tagloom.sqlite", uploads=tmp_path / "uploads")
            made = World(settings, tmp_path, environ, tmp_path, 10, 0.4)
        else:
            url = database.new_database()
            settings = Settings(database=PostgresUrl(url), uploads=tmp_path / "uploads")
            made = World(settings, None, {**environ, "TAGLOOM_DATABASE_URL": url}, tmp_path, 20, 0.8)
        with closing(made.installation):
            yield made
    finally:
        if database is not None:
            database.stop()


@dataclass
class Job:
    """A file that is to be imported, and how far we know that to have come."""

    number: int
    intent: Intent
    body: bytes
    mode: Literal["add", "mirror"]
    id: str | None = None
    was_paused: bool = False
    is_over: bool = False

    @property
    def key(self) -> str:
        return f"file-{self.number}"


def job_of(number: int, chance: random.Random) -> Job:
    """Everybody once, with a tag of the file's own and some that files share; a mirror has a branch of its own."""
    mode: Literal["add", "mirror"] = "mirror" if number % 7 == 6 else "add"
    intent: Intent = ("run", "pause", "undo", "run")[number % 4]
    rows = []
    for row in range(ROWS):
        tags = [f"load/i{number:02}"] if mode == "mirror" else [f"load/i{number:02}", chance.choice(SHARED)]
        rows.append(f"u{row},{';'.join(tags)}" if row % 50 else f"u{row},Load")
    return Job(number, intent, "\n".join(["user,tags", *rows, ""]).encode(), mode)


class Driver(threading.Thread):
    """Asks one server for whatever is still to be done, again and again, until it is gone or nothing is left."""

    def __init__(self, world: World, url: str, jobs: Sequence[Job], syncs: Sequence[str]) -> None:
        super().__init__()
        self._world, self._jobs, self._syncs = world, jobs, list(syncs)
        self._client = Tagloom(url, world.token, retries=Retries(tries=1))
        self.is_done = False
        self.trouble: BaseException | None = None

    def run(self) -> None:
        with self._client:
            try:
                while not self.is_done:
                    for job in self._jobs:
                        job.is_over = job.is_over or self._further(job)
                    left = [job for job in self._jobs if not job.is_over]
                    self._syncs = [sync for sync in self._syncs if not self._begun(sync)]
                    is_open = [sync for sync in ("crm", "erp") if not self._is_over(sync)]
                    self.is_done = not left and not self._syncs and not is_open
                    time.sleep(0.01)
            except TagloomError as error:
                if isinstance(error, ProblemError) and error.status != 503:
                    self.trouble = error
            except Exception as error:
                self.trouble = error

    def _further(self, job: Job) -> bool:
        """Asks for what comes next of one; True when nothing does."""
        if job.id is None:
            prefix = f"load/i{job.number:02}" if job.mode == "mirror" else None
            # A share makes a mirror look before it runs.
            job.id = self._client.create_import(
                job.body,
                format="csv",
                name=f"{job.number}.csv",
                mode=job.mode,
                prefix=prefix,
                mapping="plain",
                share_removed_max=90,
                idempotency_key=job.key,
            ).id
        found = self._client.get_import(job.id)
        try:
            return self._asked(job, found)
        except ProblemError as error:
            if error.name not in OVERTAKEN:
                raise
            return False

    def _asked(self, job: Job, found: Import) -> bool:
        if found.state == "waiting":
            self._client.ask_import(found.id, "run")
        elif found.state == "held":
            assert found.hold == "plan-changed", found
            self._client.ask_import(found.id, "approve")
        elif job.intent == "pause" and found.state == "running" and not job.was_paused:
            self._client.ask_import(found.id, "pause")
            job.was_paused = True
        elif found.state == "paused":
            self._client.ask_import(found.id, "resume")
        elif job.intent == "undo" and found.state == "running" and found.tally["steps"] > 2:
            self._client.cancel_import(found.id, undo=True)
        elif job.intent == "undo" and found.state in ("done", "cancelled") and not found.undone:
            # Whoever is cut off while something is taken back asks again.
            self._client.ask_import(found.id, "undo")
        else:
            return found.state == "done" or (found.state == "cancelled" and bool(found.undone))
        return False

    def _begun(self, sync: str) -> bool:
        try:
            self._client.run_sync(sync)
        except ProblemError as error:
            if error.name != "sync-busy":
                raise
            # One that is held stays so; others end.
            return False
        return True

    def _is_over(self, sync: str) -> bool:
        """Whether a sync's newest run has ended, or asks what only the test's end answers."""
        for run in self._client.list_sync_runs(sync, limit=1):
            if run.state != "held":
                return run.state in ("done", "failed", "cancelled")
            found = self._client.get_import(run.import_id or "")
            if found.hold == "removes-much":
                self._syncs = [each for each in self._syncs if each != sync]
                return True
            with suppress(ProblemError):
                self._client.ask_import(found.id, "approve")
            return False
        return True


class HalfSent(threading.Thread):
    """Sends the first half of a file under the key of its job, and the rest never."""

    def __init__(self, world: World, url: str, job: Job) -> None:
        super().__init__()
        self._world, self._url, self._job = world, url, job
        self.answers = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection(urlsplit(self._url).netloc, timeout=PATIENCE_SECONDS)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            path = "/v2/spaces/main/environments/production/imports?name=half.csv&mapping=plain"
            connection.putrequest("POST", path)
            connection.putheader("Authorization", f"Bearer {self._world.token}")
            connection.putheader("Content-Type", "text/csv")
            connection.putheader("Idempotency-Key", self._job.key)
            connection.putheader("Content-Length", str(len(self._job.body)))
            connection.endheaders(self._job.body[: len(self._job.body) // 2])
            connection.getresponse()
            self.answers += 1


class Feeder(threading.Thread):
    """Gives taggings that have ended already, until told to stop."""

    def __init__(self, world: World, name: str, chance: random.Random) -> None:
        super().__init__()
        self._world, self._name, self._chance = world, name, chance
        self.stopped = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopped.wait(0.08):
            number += 1
            ended = int(time.time()) // 60 - self._chance.randrange(3)
            some = self._chance.sample(range(ROWS), 12)
            lines = [user(f"u{n}", f"trial/t{n % 3}", f"load/i{n % 9:02}")._replace(expiry=ended) for n in some]
            self._world.feed(f"{self._name}-{number}", lines)


def crm_rows(chance: random.Random) -> dict[str, str]:
    """Some of the customers, each on one of few plans."""
    some = chance.sample(range(PEOPLE_OF_SYNCS), chance.randrange(60, PEOPLE_OF_SYNCS))
    return {f"c{n}": chance.choice(("gold", "silver", "bronze;vip")) for n in some}


def wait_until(is_so: Callable[[], bool], says: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, says
        time.sleep(0.05)


@pytest.mark.slow
def test_imports_syncs_and_sweeps_go_on_behind_kills_and_nothing_is_done_twice(world: World) -> None:
    print(f"{KILLS} kills, seed {SEED}")
    chance = random.Random(SEED)
    jobs: list[Job] = []
    erp = {f"e{n}": "paid" for n in range(PEOPLE_OF_SYNCS)}
    world.put_source("erp", erp)
    with server(world.data, world.environ, beginning=world.beginning) as (url, _), Tagloom(url, world.token) as client:
        client.run_sync("erp")
        wait_until(lambda: client.list_sync_runs("erp", limit=1)[0].state == "done", "the first run is never done")
    interrupted = dict.fromkeys(("imports", "syncs", "sweeps"), 0)
    for number in range(KILLS):
        rows = crm_rows(chance)
        world.put_source("crm", rows)
        if number == KILLS // 3:
            # Half of them left, which is more than a run may take: it asks, and nobody answers until the end.
            world.put_source("erp", dict(list(erp.items())[::2]))
        jobs.append(job_of(number, chance))
        is_half_sent = number % 3 == 1
        syncs = ["crm", "erp"] if number >= KILLS // 3 else ["crm"]
        with server(world.data, world.environ, beginning=world.beginning) as (url, process):
            driver = Driver(world, url, jobs[:-1] if is_half_sent else jobs, syncs)
            feeder = Feeder(world, f"fed-{number}", random.Random(chance.random()))
            half = HalfSent(world, url, jobs[-1])
            threads = [driver, feeder, *([half] if is_half_sent else [])]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.0, world.seconds_of_life_max))
            process.send_signal(signal.SIGKILL)
            process.wait()
            feeder.stopped.set()
            for thread in threads:
                thread.join()
        assert driver.trouble is None, driver.trouble
        assert half.answers == 0
        count_interrupted(world, interrupted)
    print(f"interrupted: {interrupted}")

    with server(world.data, world.environ, beginning=world.beginning) as (url, process):
        finish(world, url, jobs)
        approve_erp(world, url)
        wait_until(lambda: not world.has_ended(), "what has ended is not taken")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    hold_to_account(world, jobs, rows)
    # Kills met work that was under way; how much of each kind depends on how fast the machine is.
    assert sum(interrupted.values()) >= KILLS // 3, interrupted


def count_interrupted(world: World, interrupted: dict[str, int]) -> None:
    """Counts what the kill found under way."""
    control = world.installation.control
    states = [run.state for run in all_imports(world.installation, world.environment) if not run.owner]
    interrupted["imports"] += any(state in ("planning", "running") for state in states)
    interrupted["syncs"] += any(seen.run.state in ("reading", "importing") for seen in control.list_open_runs())
    interrupted["sweeps"] += world.has_ended()


def finish(world: World, url: str, jobs: Sequence[Job]) -> None:
    """Everything that was asked for, by a server that is left in peace."""
    driver = Driver(world, url, jobs, ["crm", "erp"])
    population, version = world.installation.population(world.environment), 0
    driver.start()
    # As long as anything is done, the rest may be, too.
    while driver.is_alive() and version < (version := population.version()):
        driver.join(PATIENCE_SECONDS / 3)
    assert not driver.is_alive(), "it is never done"
    assert driver.trouble is None, driver.trouble
    assert driver.is_done


def approve_erp(world: World, url: str) -> None:
    """The run that asks has stood still behind each kill, and goes on when it is told to."""
    with Tagloom(url, world.token) as client:
        run = client.list_sync_runs("erp", limit=1)[0]
        held = client.get_import(run.import_id or "")
        assert (run.state, held.state, held.hold) == ("held", "held", "removes-much")
        assert client.get_tag("erp/paid").users == PEOPLE_OF_SYNCS
        client.ask_import(held.id, "approve")
        wait_until(lambda: client.list_sync_runs("erp", limit=1)[0].state == "done", "the run is never done")
        assert client.get_tag("erp/paid").users == PEOPLE_OF_SYNCS // 2


def hold_to_account(world: World, jobs: Sequence[Job], crm: dict[str, str]) -> None:
    """Each row was applied once, by one step; what steps say is what changed; and what stands is whole."""
    assert list(check(world.installation)) == []
    control = world.installation.control
    population = world.installation.population(world.environment)
    told = Imports(control, world.folder / "uploads", world.installation.population)
    imports = {
        run.id: told.get(world.environment, run.id) for run in all_imports(world.installation, world.environment)
    }
    # A key makes one import, however often its file was sent.
    assert len({job.id for job in jobs}) == len(jobs)
    assert sum(not run.owner for run in imports.values()) == len(jobs)
    for job in jobs:
        run, steps = imports[job.id or ""], population.steps(job.id or "")
        assert [step.number for step in steps] == list(range(1, len(steps) + 1))
        assert [step.through for step in steps] == sorted({step.through for step in steps})
        assert run.tally.steps == len(steps)
        assert run.tally.added == sum(step.receipt.added for step in steps)
        assert run.tally.versions == tuple(step.version for step in steps if step.version is not None)
        if run.state == "done":
            assert (run.rows_read, steps[-1].through) == (ROWS, ROWS + 1)
            assert sum(step.receipt.rejected_count for step in steps) == ROWS // 50
        undone = {population.get_change(version).undone_by for version in run.tally.versions}
        assert run.state == "done" or job.intent == "undo", run
        assert undone == (set(run.undone) if job.intent == "undo" else {None})
    followed: list[str | None] = []
    for sync in ("crm", "erp"):
        runs = control.list_runs(world.environment.key, sync, before=None, limit=1_000)
        assert {run.state for run in runs} == {"done"}
        followed += [run.import_id for run in runs]
    # Each run is one import, and nothing is left of those that no run came to name.
    assert sorted(map(str, followed)) == sorted(run.id for run in imports.values() if run.owner)
    customers = {
        person.id: ";".join(tag.removeprefix("crm/") for tag in person.tags)
        for person in population.list_people(kind="user", search="c", search_match="prefix", limit=1_000).items
    }
    assert {id: tags for id, tags in customers.items() if tags} == crm
    Replay(world.installation, world.environment, world.folder / "uploads", world.fed).hold_to_account()
