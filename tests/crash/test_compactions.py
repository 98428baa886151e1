"""Servers killed while they compact and others write: the log is sound, and everything that is so now is as it was."""

import random
import signal
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import check, open_installation
from tagloom.words.changes import Origin
from tagloom.words.decisions import Decision
from tagloom.words.people import Person
from tagloom.words.rules import Definition, HasTag
from tagloom_client import Tagloom
from tagloom_client.models import Receipt
from tests.bodies import part, user
from tests.crash.kills import kills
from tests.crash.test_kill import PATIENCE_SECONDS, Writer, server
from tests.crash.test_sweeps import Place, place, postgres
from tests.writing import Batch, write_parts

__all__ = ["place", "postgres"]

KILLS = kills(4)
TRIBES = {f"t{n}": Definition("everyone", HasTag(f"old/t{n}")) for n in range(7)}
# Every step is one chunk, so that a kill falls between the steps of a compaction, or into one.
HURRIED = (
    "from tagloom.engine import limits; limits.COMPACTION_CHANGES_MAX = 1; "
    "from tagloom.history import limits; limits.COMPACTION_SECONDS_BETWEEN_POLLS = 0.05; "
)


def write_long_ago(place: Place, round_number: int) -> None:
    """Batches that give and take, at a time that is older than the retention when the round begins."""
    at = datetime.now(UTC) - timedelta(days=30 - round_number)
    chance = random.Random(round_number)
    with closing(open_installation(place.settings, create=True, now=lambda: at)) as installation:
        population = installation.population(installation.control.get_environment("main", "production"))
        for _ in range(20):
            lines = [user(f"p{n}", f"old/t{chance.randrange(7)}") for n in chance.sample(range(200), 60)]
            mode = "set" if chance.random() < 0.5 else "add"
            write_parts(population, [part(lines)], Batch(mode=mode, origin=Origin("ada", f"file {round_number}")))  # type: ignore[arg-type]  # One of two modes.


def decisions(place: Place) -> list[Decision]:
    """Of everybody of old, with who gave each tag; the version is what writers move."""
    with closing(place.opened()) as installation:
        population = installation.population(installation.control.get_environment("main", "production"))
        found = [population.decide(Person("user", f"p{n}"), TRIBES, because=True) for n in range(200)]
        return [Decision(tribes=each.tribes, version=0, because=each.because) for each in found]


def progress(place: Place) -> tuple[int, int]:
    """How far the log is compacted, and how far it is to be."""
    with closing(place.opened()) as installation:
        environment = installation.control.get_environment("main", "production")
        with installation.database.storage(environment.key).reading() as snapshot:
            return snapshot.compacted().version, snapshot.state().horizon


@pytest.mark.slow
def test_killed_compactions_leave_a_sound_log_and_change_no_answer(place: Place) -> None:
    with closing(place.opened()) as installation:
        token = Access(installation.control).create_token("main", "writers", ("admin",), days=1)[1]
    chance = random.Random(23)
    acknowledged: dict[str, Receipt] = {}
    killed_between_steps = 0
    write_long_ago(place, 0)
    with closing(place.opened()) as installation:
        installation.control.put_retention("main", "production", 86_400)
    for round_number in range(KILLS):
        before = decisions(place)
        with server(place.data, place.environ, beginning=HURRIED) as (url, process):
            writers = [Writer(url, token, f"r{round_number:02}w{number}") for number in range(2)]
            for writer in writers:
                writer.start()
            time.sleep(chance.uniform(0.05, 0.4))
            process.send_signal(signal.SIGKILL)
            for writer in writers:
                writer.join()
        for writer in writers:
            acknowledged |= writer.acknowledged
        done, horizon = progress(place)
        killed_between_steps += done < horizon
        assert decisions(place) == before
        with closing(place.opened()) as installation:
            assert list(check(installation)) == []
            # More is given up: what the writers of this round wrote, and what gives again what was given long ago.
            population = installation.population(installation.control.get_environment("main", "production"))
            population.raise_horizon(population.version())
    assert acknowledged
    assert killed_between_steps, "no kill fell between the steps of a compaction"

    with server(place.data, place.environ, beginning=HURRIED) as (url, process):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while progress(place)[0] < max(1, progress(place)[1]):
            assert time.monotonic() < deadline, "the compaction does not end"
            time.sleep(0.05)
        with Tagloom(url, token) as client:
            for key, receipt in acknowledged.items():
                assert Writer.write(client, key) == receipt
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    assert decisions(place) == before
    with closing(place.opened()) as installation:
        assert list(check(installation)) == []
