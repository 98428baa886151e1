"""Files as imports, over HTTP and durable: against the bare bulk write, planned, undone, and what memory they take."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.data import Population
from bench.http import served
from bench.load import expect
from bench.report import Comparison, Contender, Timing
from bench.run import Run
from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import open_installation
from tagloom.settings import Settings
from tagloom_client import Retries, Tagloom
from tagloom_client.models import Import
from tagloom_client.sending import settings

SECONDS_BETWEEN_POLLS = 0.02
RESIDENT = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)
UNDER_WAY = ("planning", "running")


def measure(run: Run) -> None:
    population = run.population()
    data = f"{population.people:,} new people x 10 tags, a CSV file sent over HTTP, durable"
    with _serving(run.workdir / "imported") as desk:
        load = _load_both_ways(run, desk, population, data)
        done = desk.brought[-1]
        plan = _timed("plan of a mirror of it", lambda: desk.plan_mirror(population))
        undo = _timed("undo of the import", lambda: desk.undo(done, population))
    run.report.add(
        Comparison(
            "A file is planned as a mirror, and undone", data, (load, plan, undo), "taggings", population.taggings
        )
    )
    _note_memory(run)


def _load_both_ways(run: Run, desk: "Desk", population: Population, data: str) -> Timing:
    """The timing of the import."""
    bulk = desk.client.at(environment="development")

    def post() -> None:
        expect(bulk.upload(population.csv_path, format="csv").added, population.taggings)

    def bring() -> None:
        done = desk.run(population)
        expect(done.tally["added"], population.taggings)

    compared = run.report.compare(
        "A CSV file: as one body, and as an import",
        [Contender("POST taggings", post), Contender("import: sent, and run", bring)],
        data=data,
        unit="taggings",
        units=population.taggings,
        rounds=1,
    )
    return compared.timings[1]


def _note_memory(run: Run) -> None:
    """What the server holds when a tenth of a large file was read, and when all of it is applied."""
    population = run.population(10 * run.people)
    with _serving(run.workdir / "imported") as desk:
        early: list[int] = []

        def look(seen: Import) -> None:
            if not early and seen.rows_read >= population.taggings / 10:
                early.append(desk.resident_bytes())

        before = desk.resident_bytes()
        done = desk.run(population, look)
        expect(done.tally["added"], population.taggings)
        late = desk.resident_bytes()
    name = f"an import of {population.taggings:,} taggings of {population.people:,} people"
    for when, value in (("before", before), ("at a tenth", early[0]), ("at its end", late)):
        run.report.note("Resident memory of the server", f"{name}, {when}", value, "bytes")
    run.report.note("Resident memory of the server", f"{name}, at its end / at a tenth", late / early[0], "")


@dataclass
class Desk:
    """A server, and one who brings files to it."""

    client: Tagloom
    watching: httpx.Client
    brought: list[Import] = field(default_factory=list)

    def run(self, population: Population, look: Callable[[Import], None] = lambda _: None) -> Import:
        """A file as an import, from its first byte to its end."""
        brought = self.client.create_import(population.csv_path, format="csv", mode="add")
        self.brought.append(brought)
        self.client.ask_import(brought.id, "run")
        return self._ended(brought, "done", look)

    def plan_mirror(self, population: Population) -> None:
        """What a mirror of the same file would do, which is nothing."""
        brought = self.client.create_import(population.csv_path, format="csv", mode="mirror")
        self.client.ask_import(brought.id, "plan")
        planned = self._ended(brought, "planned")
        receipt = (planned.plan or {})["preview"]["receipt"]
        expect(receipt["unchanged"], population.taggings)
        expect(receipt["removed"], 0)

    def undo(self, done: Import, population: Population) -> None:
        """Takes back all its versions at once."""
        (version,) = self.client.ask_import(done.id, "undo").undone
        expect(self.client.get_change(version).removed, population.taggings)

    def resident_bytes(self) -> int:
        """What the server tells of itself."""
        found = RESIDENT.search(self.watching.get("/metrics").raise_for_status().text)
        if found is None:
            raise AssertionError("the server tells no memory")
        return int(float(found[1]))

    def _ended(self, brought: Import, state: str, look: Callable[[Import], None] = lambda _: None) -> Import:
        while (found := self.client.get_import(brought.id)).state in UNDER_WAY:
            look(found)
            time.sleep(SECONDS_BETWEEN_POLLS)
        if found.state != state:
            raise AssertionError(f"the import is {found.state}: {found.detail}")
        look(found)
        return found


@contextmanager
def _serving(folder: Path) -> Iterator[Desk]:
    """A server over an empty installation, which goes again."""
    shutil.rmtree(folder, ignore_errors=True)
    installation = open_installation(Settings(database=folder / "tagloom.sqlite"), create=True)
    token = Access(installation.control).create_token("main", "bench", ("admin",), days=1)[1]
    installation.close()
    # An answer about a large file may take its time.
    with (
        served(folder) as url,
        httpx.Client(**{**settings(url, token), "timeout": None}) as http,
        Tagloom(url, token, http=http, retries=Retries(tries=1)) as client,
    ):
        yield Desk(client, http)
    shutil.rmtree(folder)


def _timed(name: str, do: Callable[[], None]) -> Timing:
    started = time.perf_counter()
    do()
    return Timing(name, (time.perf_counter() - started,))
