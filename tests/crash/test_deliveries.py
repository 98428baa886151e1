"""Real servers, killed in the middle of runs of a delivery: every event is in exactly one part."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import Installation, open_installation
from tagloom.deliveries.definitions import Deliveries
from tagloom.egress.policy import EgressPolicy
from tagloom.egress.remotes import Remotes
from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.settings import PostgresUrl, Settings
from tagloom.tribes.definitions import Tribes
from tagloom.words.changes import Origin
from tagloom.words.deliveries import DeliveryDraft
from tagloom.words.events import DAY_MS, Event, EventType
from tagloom.words.people import Person
from tagloom_client import ProblemError, Retries, Tagloom
from tests.crash.kills import kills
from tests.crash.test_kill import server
from tests.postgres import Server

KILLS = kills(10)
SEED = int(os.environ.get("TAGLOOM_TEST_SEED", "29"))
EVENTS_PER_VERSION, DAYS = 40, 5
# Small steps, and a lease of a second, so that kills fall into steps and are soon made up for.
HURRIED = (
    "from tagloom.deliveries import limits; limits.DELIVERY_STEP_EVENTS_MAX = 60; limits.DELIVERY_HELD_SECONDS = 1; "
    "limits.DELIVERY_SECONDS_BETWEEN_POLLS = 0.05; "
)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Installation, Path | None, dict[str, str]]]:
    """An installation, its data directory if it has one, and the variables of its servers."""
    environ = {"TAGLOOM_FILES_FOLDER": str(tmp_path / "files")}
    database = Server(is_durable=True) if request.param == "postgres" else None
    try:
        if database is None:
            settings, data = Settings(database=tmp_path / "tagloom.sqlite"), tmp_path
        else:
            url = database.new_database()
            settings, data, environ = (
                Settings(database=PostgresUrl(url)),
                None,
                {**environ, "TAGLOOM_DATABASE_URL": url},
            )
        with closing(open_installation(settings, create=True)) as installation:
            yield installation, data, environ
    finally:
        if database is not None:
            database.stop()


def test_servers_that_are_killed_in_runs_deliver_every_event_once(
    place: tuple[Installation, Path | None, dict[str, str]], tmp_path: Path
) -> None:
    installation, data, environ = place
    chance, environment = random.Random(SEED), installation.control.get_environment("main", "production")
    population, lake = installation.population(environment), tmp_path / "files" / "main" / "lake"
    remotes = Remotes(EgressPolicy(files=tmp_path / "files"))
    deliveries = Deliveries(installation.control, Tribes(installation.control), installation.population, remotes)
    deliveries.create_delivery(environment, "lake", DeliveryDraft(url=f"file://{lake}"), by="ada")
    token = Access(installation.control).create_token("main", "driver", ("admin",), days=1)[1]
    recorded: dict[str, str] = {}

    def record() -> None:
        now = round(time.time() * 1000)
        events = [
            Event(
                person=Person("user", f"u{number % 7}"),
                type=EventType("ad/seen"),
                at=now - chance.randrange(DAYS) * DAY_MS - 1,
                id=f"m{len(recorded) + number}",
            )
            for number in range(EVENTS_PER_VERSION)
        ]
        population.write(RecordEvents(tuple(events)), WriteOptions(Origin("app", "test")))
        recorded.update({each.id: time.strftime("%Y-%m-%d", time.gmtime(each.at // 1000)) for each in events})

    interrupted = 0
    for _ in range(KILLS):
        for _ in range(6):
            record()
        with server(data, environ, beginning=HURRIED) as (url, process):
            with Tagloom(url, token, retries=Retries(tries=1)) as client:
                with suppress(ProblemError):
                    client.run_delivery("lake")
                time.sleep(chance.uniform(0.0, 0.25))
            process.send_signal(signal.SIGKILL)
            process.wait()
        runs = deliveries.list_runs(environment, "lake", limit=1)
        interrupted += bool(runs) and runs[0].state == "writing"
    with server(data, environ, beginning=HURRIED) as (url, _), Tagloom(url, token) as client:
        finish(client)

    assert interrupted, "no kill fell into a run"
    table = ds.dataset(lake, format="parquet", partitioning="hive").to_table(columns=["id", "at", "day"])
    assert sorted(table["id"].to_pylist()) == sorted(recorded)
    assert {row["id"]: str(row["day"]) for row in table.to_pylist()} == recorded
    assert [str(row["at"])[:10] for row in table.to_pylist()] == [str(row["day"]) for row in table.to_pylist()]


def finish(client: Tagloom) -> None:
    """Waits for the open run, and then delivers what is left."""
    deadline, last = time.monotonic() + 60, None
    while last is None:
        with suppress(ProblemError):
            last = client.run_delivery("lake")
        time.sleep(0.05)
        assert time.monotonic() < deadline, client.list_delivery_runs("lake")
    while client.list_delivery_runs("lake", limit=1)[0].state != "done":
        time.sleep(0.05)
        assert time.monotonic() < deadline, client.list_delivery_runs("lake")
