"""Servers killed while they sweep and others write: each tagging starts and ends once, and nothing is broken."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import Installation, check, open_installation
from tagloom.settings import PostgresUrl, Settings
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom_client import Tagloom
from tagloom_client.models import Receipt
from tests.bodies import part, user
from tests.crash.kills import kills
from tests.crash.test_kill import PATIENCE_SECONDS, Writer, server
from tests.postgres import Server
from tests.writing import Batch, write_parts

KILLS = kills(4)
ENDS_PER_ROUND = 120
# A sweep takes one start and one end here, so that a kill falls between the sweeps of what ended together, or into one.
HURRIED = (
    "from tagloom.tagging import limits; limits.SWEEP_SECONDS_BETWEEN_POLLS = 0.01; "
    "from tagloom.ports import limits; limits.EXPIRIES_PER_RUN_MAX = 1; "
    "limits.STARTS_PER_RUN_MAX = 1; "
)


class Place(NamedTuple):
    """Where an installation is, for this process and for its servers."""

    settings: Settings
    data: Path | None
    environ: dict[str, str] | None

    def opened(self, *, ago: timedelta = timedelta()) -> Installation:
        """Opens the installation with a clock that is behind."""
        return open_installation(self.settings, create=True, now=lambda: datetime.now(UTC) - ago)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    started = Server(is_durable=True)
    yield started
    started.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place(Settings(database=tmp_path / "tagloom.sqlite"), tmp_path, None)
    url = request.getfixturevalue("postgres").new_database()
    return Place(Settings(database=PostgresUrl(url)), None, {"TAGLOOM_DATABASE_URL": url})


class Renewer(Writer):
    """Gives tags that end in an hour, and renews one of somebody who is shared, each under a key."""

    @staticmethod
    def write(client: Tagloom, key: str) -> Receipt:
        lines = [
            {"user": key, "tags": ["load/own", f"load/{key[:3]}"], "ttl": "1h"},
            {"user": "shared", "tags": ["trial/t0"], "ttl": f"{1 + len(key) % 7}h"},
        ]
        return client.tag_people(lines, idempotency_key=key)


def prepare(place: Place, round_number: int) -> dict[str, str]:
    """People each of whom bears one tag whose end is past by now; their ids, and what they bear."""
    now = int(datetime.now(UTC).timestamp()) // 60
    given = {f"r{round_number}p{n}": f"trial/t{n % 5}" for n in range(ENDS_PER_ROUND)}
    with closing(place.opened()) as installation:
        population = installation.population(installation.control.get_environment("main", "production"))
        lines = [user(id, tag)._replace(expiry=now - n) for n, (id, tag) in enumerate(given.items())]
        write_parts(population, [part(lines)], Batch(mode="add", origin=Origin("prepared")))
    # A start that has passed means now, so these are scheduled by a clock that is behind.
    with closing(place.opened(ago=timedelta(hours=3))) as installation:
        population = installation.population(installation.control.get_environment("main", "production"))
        lines = [user(f"later{id}", tag)._replace(start=now - n) for n, (id, tag) in enumerate(given.items())]
        receipt = write_parts(population, [part(lines)], Batch(mode="add", origin=Origin("prepared")))
        assert receipt.scheduled == len(given)
    return given


def until_swept(place: Place) -> None:
    with closing(place.opened()) as installation:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while installation.list_with_due_taggings(int(time.time()) // 60):
            assert time.monotonic() < deadline, "what has ended is not taken"
            time.sleep(0.05)


@pytest.mark.slow
def test_killed_sweeps_take_each_tagging_once_and_no_write_is_lost(place: Place) -> None:
    with closing(place.opened()) as installation:
        token = Access(installation.control).create_token("main", "writers", ("admin",), days=1)[1]
    chance = random.Random(17)
    given: dict[str, str] = {}
    acknowledged: dict[str, Receipt] = {}
    swept_behind_kills = 0
    for round_number in range(KILLS):
        given |= prepare(place, round_number)
        with server(place.data, place.environ, beginning=HURRIED) as (url, process):
            writers = [Renewer(url, token, f"r{round_number:02}w{number}") for number in range(2)]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.0, 0.5))
            process.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.join()
        for writer in writers:
            acknowledged |= writer.acknowledged
        with closing(place.opened()) as installation:
            swept_behind_kills += bool(installation.list_with_due_taggings(int(time.time()) // 60))
    assert acknowledged
    assert swept_behind_kills, "no kill fell between sweeps"

    with server(place.data, place.environ, beginning=HURRIED) as (url, process):
        until_swept(place)
        with Tagloom(url, token) as client:
            for key, receipt in acknowledged.items():
                assert Renewer.write(client, key) == receipt
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    hold_to_account(place, given, acknowledged)


def hold_to_account(place: Place, given: dict[str, str], acknowledged: dict[str, Receipt]) -> None:
    """What ended was removed, and what started was added, once; what was acknowledged stands, with its ends."""
    with closing(place.opened()) as installation:
        assert list(check(installation)) == []
        population = installation.population(installation.control.get_environment("main", "production"))
        sweeps = population.list_changes(action="expiry", limit=100_000)
        assert sum(change.removed for change in sweeps) == len(given)
        assert {(change.actor, change.source, change.added) for change in sweeps} == {("tagloom", "expiry", 0)}
        starts = population.list_changes(action="start", limit=100_000)
        assert sum(change.added for change in starts) == len(given)
        assert {(change.actor, change.source, change.removed) for change in starts} == {("tagloom", "start", 0)}
        # A person's history is a walk through that of all: some of them tell.
        for id, tag in list(given.items())[::11]:
            later = population.find_person(Person("user", f"later{id}"))
            assert later is not None
            assert (later.tags, later.scheduled) == ((tag,), {})
            (started,) = population.list_changes(person=Person("user", f"later{id}"), action="start", limit=10)
            assert started.tags_added == (tag,)
            found = population.find_person(Person("user", id))
            assert found is not None
            assert found.tags == ()
            (taken,) = population.list_changes(person=Person("user", id), action="expiry", limit=10)
            assert taken.tags_removed == (tag,)
        for key in acknowledged:
            found = population.find_person(Person("user", key))
            assert found is not None
            assert set(found.expires_at) == set(found.tags) == {"load/own", f"load/{key[:3]}"}
        shared = population.find_person(Person("user", "shared"))
        assert shared is not None
        assert set(shared.expires_at) == {"trial/t0"}


@pytest.mark.slow
def test_several_servers_that_sweep_one_environment_take_each_tagging_once(place: Place) -> None:
    with closing(place.opened()) as installation:
        token = Access(installation.control).create_token("main", "writers", ("admin",), days=1)[1]
    given: dict[str, str] = {}
    with (
        server(place.data, place.environ, beginning=HURRIED) as (url, _),
        server(place.data, place.environ, beginning=HURRIED),
    ):
        writers = [Renewer(url, token, f"s00w{number}") for number in range(2)]
        for writer in writers:
            writer.start()
        for round_number in range(4):
            given |= prepare(place, round_number)
        until_swept(place)
        with Tagloom(url, token) as client:
            tag = client.get_tag("trial/t1")
            assert (tag.users, tag.scheduled) == (len(given) // 5, 0)
    for writer in writers:
        writer.join()

    hold_to_account(place, given, {key: receipt for writer in writers for key, receipt in writer.acknowledged.items()})
