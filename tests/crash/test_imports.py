"""A real server, killed at fifty random moments of imports: resumed, nothing lost, nothing twice, nothing broken."""

import random
import signal
import time
from pathlib import Path

import pytest

from tagloom.bootstrap import check, open_installation
from tagloom.http.app import Installation
from tagloom.imports.lifecycle import Imports
from tagloom.ports.imports import Import
from tagloom.settings import PostgresUrl, Settings
from tagloom.words.mappings import ListColumn, Mapping
from tagloom.words.people import Person
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Environment
from tests.crash.kills import kills
from tests.crash.test_kill import server
from tests.postgres import Server

KILLS = {"sqlite": kills(10), "postgres": kills(6)}
ROWS = 3_000
PATIENCE_SECONDS = 120
# Steps of a hundred rows and leases of a second, so that kills come within steps and are soon made up for.
BEGINNING = (
    "from tagloom.imports import limits; limits.IMPORT_ROWS_PER_STEP = 1; limits.IMPORT_LEASE_SECONDS = 1; "
    "import tagloom.files.delimited as delimited; delimited.ROWS_PER_PART = 100; "
)
SLOWLY = Mapping(user="user", columns=(ListColumn(column="tags"),))


def is_mirror(number: int) -> bool:
    return number % 4 == 3


def tag_of(number: int) -> str:
    return f"load/i{number:02}"


def body(number: int) -> bytes:
    """Everybody once in each import, with a tag of its own and one that all but mirrors share; some lines are bad."""
    shared = "" if is_mirror(number) else ";load/all"
    rows = (f"u{row},{tag_of(number)}{shared}" if row % 100 else f"u{row},Load" for row in range(ROWS))
    return "\n".join(["user,tags", *rows]).encode()


def bring(installation: Installation, folder: Path, environment: Environment, number: int) -> Import:
    """One more import, which runs."""
    imports = Imports(installation.control, folder, installation.population)
    brought = imports.create_import(
        environment,
        [body(number)],
        name=f"{number}.csv",
        by="ada",
        mapping=SLOWLY,
        mode="mirror" if is_mirror(number) else "add",
        # A mirror's file is the whole truth about a branch that no other one writes.
        prefix=tag_of(number) if is_mirror(number) else "",
        share_removed_max=None,
    )
    return imports.run(environment, brought.id)


@pytest.mark.slow
@pytest.mark.parametrize("store", KILLS)
def test_imports_survive_the_kills_of_their_servers(tmp_path: Path, store: str) -> None:
    database = Server(is_durable=True) if store == "postgres" else None
    try:
        if database is None:
            place, data = Settings(database=tmp_path / "tagloom.sqlite"), tmp_path
            environ = {"TAGLOOM_UPLOADS": str(tmp_path / "uploads")}
        else:
            url = database.new_database()
            place, data = Settings(database=PostgresUrl(url), uploads=tmp_path / "uploads"), None
            environ = {"TAGLOOM_DATABASE_URL": url, "TAGLOOM_UPLOADS": str(tmp_path / "uploads")}
        kill_servers(place, data, environ, count=KILLS[store])
    finally:
        if database is not None:
            database.stop()


def kill_servers(place: Settings, data: Path | None, environ: dict[str, str], *, count: int) -> None:
    chance = random.Random(11)
    folder = Path(environ["TAGLOOM_UPLOADS"])
    installation = open_installation(place, create=True)
    environment = installation.control.get_environment("main", "production")
    brought: list[Import] = []
    interrupted = 0
    for number in range(count):
        brought.append(bring(installation, folder, environment, number))
        with server(data, environ, beginning=BEGINNING) as (_, process):
            time.sleep(chance.uniform(0.0, 0.35))
            process.send_signal(signal.SIGKILL)
            process.wait()
        states = [installation.control.get_import(run.id).state for run in brought]
        interrupted += any(state in ("planning", "running") for state in states)
    deadline = time.monotonic() + PATIENCE_SECONDS
    with server(data, environ, beginning=BEGINNING):
        while any(installation.control.get_import(run.id).state in ("planning", "running") for run in brought):
            assert time.monotonic() < deadline, "the imports were never done"
            time.sleep(0.1)
    installation.close()

    # Enough kills met an import that was under way; how many depends on how fast the machine is.
    assert interrupted > count // 10
    installation = open_installation(place)
    hold_to_account(installation, environment, brought)
    assert list(check(installation)) == []
    installation.close()


def hold_to_account(installation: Installation, environment: Environment, brought: list[Import]) -> None:
    population = installation.population(environment)
    good = ROWS - ROWS // 100
    versions: list[int] = []
    for number, run in enumerate(brought):
        found = installation.control.get_import(run.id)
        assert (found.state, found.rows_read) == ("done", ROWS)
        steps = population.steps(run.id)
        # Each line is covered by just one step, and each step is there once.
        assert [step.number for step in steps] == list(range(1, len(steps) + 1))
        assert [step.through for step in steps] == sorted({step.through for step in steps})
        assert sum(step.receipt.rejected_count for step in steps) == ROWS // 100
        versions += [step.version for step in steps if step.version is not None]
        assert population.get_tag(TagPath(tag_of(number))).users == good
    assert len(set(versions)) == len(versions)
    assert sorted(versions) == list(range(1, population.version() + 1))
    expected = {"load/all", *map(tag_of, range(len(brought)))}
    for row in (1, 99, ROWS - 1):
        person = population.find_person(Person("user", f"u{row}"))
        assert person is not None
        assert set(person.tags) == expected
    assert population.find_person(Person("user", "u100")) is None
    assert population.get_tag(TagPath("load/all")).users == good
