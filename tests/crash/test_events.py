"""Servers that record events, killed at random moments: no acknowledged event is lost, and none is recorded twice."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import Installation, check, open_installation
from tagloom.ports import limits as ports_limits
from tagloom.settings import PostgresUrl, Settings, read_settings
from tagloom.tracking.event_sources import EventSources
from tagloom.words.event_rules import HasEvent
from tagloom.words.event_sources import EventSourceDraft
from tagloom.words.people import Person
from tagloom.words.rules import Definition
from tagloom_client import Retries, Tagloom, TagloomError
from tests.crash.kills import kills
from tests.crash.test_kill import server
from tests.postgres import Server

KILLS = kills(4)
SENDERS = 4
CLICKERS = Definition("everyone", HasEvent("ad/clicked", days=2))

Events = list[Mapping[str, Any]]


class Sender(threading.Thread):
    """Sends batch after batch until the server is gone. Each event has an id of its own.

    With a write key, it sends messages as client libraries do. Otherwise it uses the Platform API.
    """

    def __init__(self, url: str, token: str, name: str, write_key: str | None) -> None:
        super().__init__()
        self._client = Tagloom(url, token, retries=Retries(tries=1))
        self._tracking = None if write_key is None else httpx.Client(base_url=url, auth=(write_key, ""), timeout=30)
        self._name = name
        self.acknowledged: list[Events] = []
        self.unanswered: list[Events] = []
        self.has_begun = threading.Event()

    def run(self) -> None:
        with self._client, self._tracking or nullcontext():
            for number in count():
                batch = self._batch(number)
                try:
                    self._send(batch)
                except (TagloomError, httpx.TransportError):
                    self.unanswered.append(batch)
                    return
                self.acknowledged.append(batch)
                self.has_begun.set()

    def _send(self, batch: Events) -> None:
        if self._tracking is None:
            receipt = self._client.record_events(batch)
            assert (receipt.events, receipt.repeats) == (len(batch), 0)
            return
        messages = [
            {
                "type": "track",
                "userId": event.get("user"),
                "anonymousId": event.get("visitor"),
                "event": "Ad Clicked",
                "messageId": event["id"],
                "properties": event["properties"],
            }
            for event in batch
        ]
        self._tracking.post("/v1/batch", json={"batch": messages}).raise_for_status()

    def _batch(self, number: int) -> Events:
        """Events of a visitor, of the user who the visitor is, and of two others."""
        own = f"{self._name}-{number}"
        people = (
            {"visitor": own},
            {"user": own, "visitor": own},
            {"user": "shared"},
            {"user": f"{own[:4]}-{number % 3}"},
        )
        return [
            {**person, "event": "ad/clicked", "id": f"{own}-{place}", "properties": {"n": number}}
            for place, person in enumerate(people)
        ]


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    """A PostgreSQL that keeps what it says it keeps."""
    started = Server(is_durable=True)
    yield started
    started.stop()


@pytest.mark.slow
def test_a_killed_server_on_sqlite_records_each_acknowledged_event_once(tmp_path: Path) -> None:
    hold_to_account(read_settings(tmp_path), data=tmp_path, environ=None, processes=1)


@pytest.mark.slow
def test_killed_servers_on_postgresql_record_each_acknowledged_event_once(database: Server) -> None:
    url = database.new_database()
    hold_to_account(Settings(database=PostgresUrl(url)), data=None, environ={"TAGLOOM_DATABASE_URL": url}, processes=2)


@contextmanager
def opened(settings: Settings) -> Iterator[Installation]:
    installation = open_installation(settings, create=True)
    try:
        yield installation
    finally:
        installation.close()


def hold_to_account(
    settings: Settings, *, data: Path | None, environ: Mapping[str, str] | None, processes: int
) -> None:
    with opened(settings) as installation:
        token = Access(installation.control).create_token("main", "senders", ("admin",), days=1)[1]
        environment = installation.control.get_environment("main", "production")
        sources = EventSources(installation.control)
        key = sources.create_source(environment, "web", EventSourceDraft(name="Web"), by="ada").write_key
    chance, acknowledged, unanswered = random.Random(3), list[Events](), list[Events]()
    for round_number in range(KILLS):
        with ExitStack() as stack:
            served = [stack.enter_context(server(data, environ)) for _ in range(processes)]
            senders = [
                Sender(
                    served[number % processes][0],
                    token,
                    f"r{round_number}s{number}",
                    key if number >= SENDERS // 2 else None,
                )
                for number in range(SENDERS)
            ]
            for sender in senders:
                sender.start()
            assert senders[0].has_begun.wait(60)
            time.sleep(chance.uniform(0.0, 0.4))
            for _, process in served:
                process.send_signal(signal.SIGKILL)
            for sender in senders:
                sender.join()
        for sender in senders:
            acknowledged += sender.acknowledged
            unanswered += sender.unanswered
        merge(settings)
    assert acknowledged

    with server(data, environ) as (url, _), Tagloom(url, token) as client:
        for batch in acknowledged:
            receipt = client.record_events(batch)
            assert (receipt.events, receipt.repeats) == (0, len(batch))
        for batch in unanswered:
            receipt = client.record_events(batch)
            assert receipt.events + receipt.repeats == len(batch)
            assert receipt.events in (0, len(batch)), "a batch is recorded whole or not at all"
        sent = [event for batch in (*acknowledged, *unanswered) for event in batch]
        found = Counter(event.id for event in client.list_events(user="shared"))
        assert found == Counter(event["id"] for event in sent if event.get("user") == "shared")

    with opened(settings) as installation:
        assert list(check(installation)) == []
        population = installation.population(installation.control.get_environment("main", "production"))
        (total,) = population.list_event_types()
        assert total.events == len(sent)
        people = {str(event["user"]) for event in sent if "user" in event}
        # Each visitor is linked to the user of its batch, and counted as this user.
        assert population.count(CLICKERS, {}).count == len(people)
        assert all(population.find_person(Person("user", person)) is not None for person in people)
        for visitor in (str(event["visitor"]) for event in sent if "visitor" in event):
            meant = population.find_person(Person("visitor", visitor))
            assert meant is not None
            assert (meant.kind, meant.id) == ("user", visitor)


def merge(settings: Settings) -> None:
    """Merges small blocks of the log, as a server does from time to time."""
    with opened(settings) as installation, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports_limits, "EVENT_BLOCKS_PER_MERGE_MIN", 2)
        population = installation.population(installation.control.get_environment("main", "production"))
        while population.merge_event_blocks():
            pass
