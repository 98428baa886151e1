"""Events: recording them in batches, their bytes on disk, windows of days, and the change of the day."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import http
from bench.counts import TRIBES, tribe_of
from bench.peers import NotInstalled, find_module
from bench.product import ORIGIN, Tagloom
from bench.report import Contender
from bench.run import Run
from tagloom.bootstrap import open_installation
from tagloom.engine.events.bit_slices import BitSlices, total
from tagloom.engine.events.counts import EventCounts
from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.settings import Settings
from tagloom.tracking.event_sources import EventSources
from tagloom.words.event_rules import Condition, EventPredicate, HasEvent
from tagloom.words.event_sources import EventSourceDraft
from tagloom.words.events import DAY_MS, Event, EventType
from tagloom.words.people import Person
from tagloom.words.rules import Definition

BATCH = 100
GENRES = ("football", "news", "drama", "comedy", "kids")
TIMES = 4  # "More than three times."
PREDICATES = 20
EVENT_TRIBES = 30
# Requests of one or many events. Each event has an id of its own, also in the next run.
SEND = """
local n, run, headers = 0, os.time() .. "-" .. math.random(1000000), nil
function request()
  if headers == nil then
    headers = {{}}
    for name, value in pairs(wrk.headers) do headers[name] = value end
    headers["Content-Type"] = "application/x-ndjson"
  end
  local lines = {{}}
  for i = 1, {events} do
    n = n + 1
    lines[i] = string.format('{{"visitor":"v%08d","event":"video/played","id":"%s-%d","properties":' ..
      '{{"genre":"football","title":"Show %d","seconds":%d,"page":"https://example.com/watch/%d"}}}}',
      (n * 7919) % 200000, run, n, n % 900, n % 3600, n % 900)
  end
  return wrk.format("POST", "/v2/spaces/main/environments/production/events", headers, table.concat(lines, "\\n"))
end
"""
# Messages as Segment's library for browsers sends them, of 420 bytes each.
TRACK = """
local n, run = 0, os.time() .. "-" .. math.random(1000000)
function request()
  local messages = {{}}
  for i = 1, {events} do
    n = n + 1
    messages[i] = string.format('{{"type":"track","anonymousId":"v%08d","event":"Video Played",' ..
      '"messageId":"ajs-next-%s-%d","properties":{{"genre":"football","title":"Show %d","seconds":%d}},' ..
      '"context":{{"library":{{"name":"analytics.js","version":"npm:next-1.84.3"}},"locale":"en-US",' ..
      '"page":{{"path":"/watch/%d","referrer":"","search":"","title":"Watch",' ..
      '"url":"https://example.com/watch/%d"}}}}}}',
      (n * 7919) % 200000, run, n, n % 900, n % 3600, n % 900, n % 900)
  end
  local body = '{{"batch":[' .. table.concat(messages, ",") .. ']}}'
  return wrk.format("POST", "/v1/batch?writeKey={key}", nil, body)
end
"""


def measure(run: Run) -> None:
    _measure_recording(run)
    _measure_over_http(run)
    people = run.pick(smoke=1_000, quick=1_000_000, full=10_000_000)
    _measure_windows(run, people, people // 10)
    if run.scale == "full":
        _measure_windows(run, people, people // 200)


def _events(count: int, people: int) -> list[Event]:
    """Events as a video app sends them: 130 bytes of properties, ids that no two events share."""
    rng = np.random.default_rng(3)
    who, ids = rng.integers(0, people, count).tolist(), rng.bytes(16 * count)
    begin = (int(time.time()) - 86_400) * 1_000
    found = []
    for number, person in enumerate(who):
        properties = {
            "genre": GENRES[number % len(GENRES)],
            "title": f"Show {number % 900}",
            "seconds": number % 3_600,
            "page": f"https://example.com/watch/{number % 900}",
            "agent": "Mozilla/5.0 (iPhone)",
        }
        found.append(
            Event(
                person=Person("visitor", f"v{person:08d}"),
                type=EventType("video/played" if number % 3 else "ad/clicked"),
                at=begin + 7 * number % 80_000_000,
                id=ids[16 * number : 16 * number + 16].hex(),
                properties=json.dumps(properties, separators=(",", ":")).encode(),
            )
        )
    return found


def _measure_recording(run: Run) -> None:
    count = run.pick(smoke=1_000, quick=100_000, full=1_000_000)
    events = _events(count, count // 5)
    batches = [events[begin : begin + BATCH] for begin in range(0, count, BATCH)]
    product, rows = Tagloom(run.workdir), _SqliteEvents(run.workdir)

    def record() -> int:
        return sum(product.people.write(RecordEvents(batch), WriteOptions(ORIGIN)).events for batch in batches)

    data = f"{count:,} events of {count // 5:,} people, each batch durable, one writer"
    run.report.compare(
        f"Record events in batches of {BATCH}",
        [Contender(product.name, record), Contender(rows.name, partial(rows.record, batches))],
        data=data,
        unit="events",
        units=count,
        rounds=1,
    )
    predicate = EventPredicate("video/played", (Condition("genre", "is", "football"),))
    environment = product.people._environment
    run.report.compare(
        "The people with more than three football videos in 7 days",
        [
            Contender(
                f"{product.name}, from counts",
                lambda: len(environment.read(lambda: environment.follow_events(predicate, TIMES, 7))),
            ),
            Contender(rows.name, rows.count_football),
        ],
        data=data,
    )
    for name, size in ((product.name, product.disk_bytes()), (rows.name, rows.disk_bytes())):
        run.report.note(
            "Bytes an event on disk, unsealed, with its properties", f"{name} ({data})", size / count, "bytes"
        )
    product.close()
    rows.close()


def _measure_over_http(run: Run) -> None:
    """One server process with 100 tribes, of which 30 count events, and all load from the other core."""
    if shutil.which("wrk") is None:
        run.report.say("Events over HTTP: wrk, the load generator, is not installed (Debian's package wrk)\n")
        return
    people = run.pick(smoke=1_000, quick=1_000_000, full=1_000_000)
    seconds = run.pick(smoke=1, quick=http.SECONDS, full=http.SECONDS)
    tribes = [tribe_of(number) for number in range(TRIBES - EVENT_TRIBES)]
    tribes += [
        Definition("everyone", HasEvent("video", 1 + number % 30, times=1 + number % 4))
        for number in range(EVENT_TRIBES)
    ]
    folder = run.workdir / "events-served"
    token = http.fill(folder, people, tribes, _events(run.pick(smoke=500, quick=50_000, full=50_000), people))
    data = f"{people:,} people, {TRIBES} tribes, {EVENT_TRIBES} of them count events, {http.CONNECTIONS} connections"
    decide = http.DECIDE.format(people=people, place=http.PLACE, because="false")
    asked = {"decision": decide, "one event": SEND.format(events=1), f"{BATCH} events": SEND.format(events=BATCH)}
    key = _write_key(folder)
    asked |= {
        "one message": TRACK.format(events=1, key=key),
        f"{BATCH} messages": TRACK.format(events=BATCH, key=key),
    }
    found: dict[str, list[http.Rate]] = {name: [] for name in ("bare ASGI handler", *asked)}
    with http.bare() as bare, http.served(folder) as url:
        for _ in range(run.report.rounds):
            plain = http.DECIDE.format(people=people, place="", because="false")
            found["bare ASGI handler"].append(http.load(run.workdir, bare, token, plain, seconds))
            for name, script in asked.items():
                found[name].append(http.load(run.workdir, url, token, script, seconds))
    for name, rates in found.items():
        http.note(run, "Events over HTTP", f"{name} ({data})", [rate.per_second for rate in rates], "requests/s")
        http.note(run, "Events over HTTP", f"{name}, 99th percentile", [rate.p99_ms for rate in rates], "ms")
    pairs = zip(found["decision"], found["bare ASGI handler"], strict=True)
    ratios = [ours.per_second / other.per_second for ours, other in pairs]
    http.note(run, "Events over HTTP", "decision / bare ASGI handler", ratios, "")
    shutil.rmtree(folder)


def _write_key(folder: Path) -> str:
    """Creates an event source. Returns its write key."""
    installation = open_installation(Settings(database=folder / "tagloom.sqlite"))
    environment = installation.control.get_environment("main", "production")
    draft = EventSourceDraft(name="Web")
    key = EventSources(installation.control).create_source(environment, "web", draft, by="bench").write_key
    installation.close()
    return key


def _measure_windows(run: Run, people: int, active: int) -> None:
    days = list(_drawn_days(people, active, 31))
    counted = [_sliced(each) for each in days]
    data = f"{people:,} people, {active:,} of them active a day, {len(days[0]):,} events a day"
    for length in (7, 30):
        contenders = [Contender("Tagloom's daily counts", partial(_window_count, counted, length))]
        absent = {}
        try:
            duckdb = _DuckDbEvents(days[:length])
            contenders.append(Contender(duckdb.name, duckdb.count))
        except NotInstalled as missing:
            absent["DuckDB table"] = str(missing)
        run.report.compare(
            f"More than three events in {length} days, from the counts of the days",
            contenders,
            data=data,
            absent=absent,
        )
    today = [30]
    counts = EventCounts(lambda: today[0] * DAY_MS, 1 << 40)
    for number in range(PREDICATES):
        predicate = EventPredicate("ad", (Condition("number", "is", number),))
        counts.adopt({predicate: 0}, {predicate: {30 - place: day for place, day in enumerate(counted)}})
        counts.follow(predicate, TIMES, 7)

    def move() -> None:
        today[0] = 59 - today[0]
        counts.move()

    run.report.compare(
        f"The change of the day for {PREDICATES} predicates with windows of 7 days",
        [Contender("Tagloom's daily counts", move)],
        data=data,
        rounds=1,
    )


def _window_count(counted: list[BitSlices], length: int) -> int:
    return len(total(counted[:length]).at_least(TIMES))


def _drawn_days(people: int, active: int, count: int) -> Iterator[NDArray[np.uint32]]:
    """The people of the events of each day: one to five events for each active person."""
    rng = np.random.default_rng(people)
    for _ in range(count):
        some = rng.integers(0, people, active).astype(np.uint32)
        yield np.repeat(some, rng.integers(1, 6, active))


def _sliced(people: NDArray[np.uint32]) -> BitSlices:
    slices = BitSlices()
    slices.add(people)
    return slices


class _SqliteEvents:
    """One row an event, WAL and FULL, with the indexes that a product needs: by id, and by person."""

    name = "SQLite rows"

    def __init__(self, folder: Path) -> None:
        self._file = folder / "events.sqlite"
        self._database = sqlite3.connect(self._file, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(
            "CREATE TABLE event (person TEXT, type TEXT, at INTEGER, id TEXT UNIQUE, properties TEXT)"
        )
        self._database.execute("CREATE INDEX by_person ON event (person, at)")

    def record(self, batches: list[list[Event]]) -> int:
        query = "INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?)"
        count = 0
        for batch in batches:
            self._database.execute("BEGIN")
            rows = [(event.person.id, event.type, event.at, event.id, event.properties.decode()) for event in batch]
            count += self._database.executemany(query, rows).rowcount
            self._database.execute("COMMIT")
        return count

    def count_football(self) -> int:
        query = (
            "SELECT count(*) FROM (SELECT person FROM event WHERE type = 'video/played' AND at >= ? "
            "AND properties ->> 'genre' = 'football' GROUP BY person HAVING count(*) >= ?)"
        )
        since = (int(time.time() * 1_000) // DAY_MS - 6) * DAY_MS
        (number,) = self._database.execute(query, (since, TIMES)).fetchone()
        return int(number)

    def disk_bytes(self) -> int:
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return self._file.stat().st_size

    def close(self) -> None:
        self._database.close()
        self._file.unlink()


class _DuckDbEvents:
    """A table of the people of some days' events, in memory."""

    name = "DuckDB table"

    def __init__(self, days: list[NDArray[np.uint32]]) -> None:
        duckdb, arrow = find_module("duckdb"), find_module("pyarrow")
        self._database = duckdb.connect()
        people = arrow.table({"person": np.concatenate(days)})
        self._database.register("drawn", people)
        self._database.execute("CREATE TABLE event AS SELECT person FROM drawn")
        self._database.unregister("drawn")

    def count(self) -> int:
        query = "SELECT count(*) FROM (SELECT person FROM event GROUP BY person HAVING count(*) >= ?)"
        (number,) = self._database.execute(query, [TIMES]).fetchone()
        return int(number)
