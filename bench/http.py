"""Over HTTP, one server process: decisions against a bare ASGI handler under the same server; durable single writes."""

import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from bench.counts import TRIBES, parts, people_with, tribe_of
from bench.product import ORIGIN
from bench.run import Run
from tagloom.accounts.access_tokens import Access
from tagloom.bootstrap import open_installation
from tagloom.ports.writes import Apply, BatchRules, RecordEvents, WriteOptions
from tagloom.settings import Settings
from tagloom.tribes.definitions import Draft, Tribes
from tagloom.words.events import Event
from tagloom.words.rules import Definition

CONNECTIONS = 64
EVENTS_PER_BATCH = 10_000
SECONDS = 5
PLACE = "/v2/spaces/main/environments/production"
DECIDE = """
local n = 0
function request()
  n = n + 1
  local user = string.format("%09d", (n * 7919) % {people})
  return wrk.format("POST", "{place}/decisions", nil, '{{"user":"' .. user .. '","because":{because}}}')
end
"""
# Each run gives other tags, so that every write changes something and is synced.
WRITE = """
local n, run = 0, os.time()
function request()
  n = n + 1
  local user = string.format("%09d", (n * 7919) % {people})
  local tag = "written/" .. run .. "/tag-" .. math.floor(n / {people})
  return wrk.format("PUT", "{place}/users/" .. user .. "/tags/" .. tag)
end
"""


def measure(run: Run) -> None:
    people = run.pick(smoke=1_000, quick=1_000_000, full=10_000_000)
    seconds = run.pick(smoke=1, quick=SECONDS, full=SECONDS)
    if shutil.which("wrk") is None:
        run.report.say("HTTP: wrk, the load generator, is not installed (Debian's package wrk)\n")
        return
    folder = run.workdir / "served"
    token = fill(folder, people, [tribe_of(number) for number in range(TRIBES)])
    data = f"{people:,} people, {TRIBES} tribes of 5 filters, {CONNECTIONS} connections, {seconds} s"
    asked = {
        "decision": DECIDE.format(people=people, place=PLACE, because="false"),
        "decision with because": DECIDE.format(people=people, place=PLACE, because="true"),
        "one tag on one person, durable": WRITE.format(people=5_000, place=PLACE),
    }
    found: dict[str, list[Rate]] = {name: [] for name in ("bare ASGI handler", *asked)}
    # Round by round, so that what else the machine does meets the two sides of a ratio alike.
    with bare() as bare_url, served(folder) as url:
        for _ in range(run.report.rounds):
            script = DECIDE.format(people=people, place="", because="false")
            found["bare ASGI handler"].append(load(run.workdir, bare_url, token, script, seconds))
            for name, script in asked.items():
                found[name].append(load(run.workdir, url, token, script, seconds))
    for name, rates in found.items():
        note(run, "HTTP", f"{name} ({data})", [rate.per_second for rate in rates], "requests/s")
        note(run, "HTTP", f"{name}, 99th percentile", [rate.p99_ms for rate in rates], "ms")
    pairs = zip(found["decision"], found["bare ASGI handler"], strict=True)
    note(run, "HTTP", "decision / bare ASGI handler", [ours.per_second / bare.per_second for ours, bare in pairs], "")
    shutil.rmtree(folder)


def note(run: Run, question: str, name: str, values: Sequence[float], unit: str) -> None:
    """The median of the rounds, with the lowest and the highest."""
    spread = f"median of {len(values)} rounds, {min(values):,.3g} to {max(values):,.3g}"
    run.report.note(question, f"{name}; {spread}", statistics.median(values), unit)


def fill(folder: Path, people: int, definitions: Sequence[Definition], events: Sequence[Event] = ()) -> str:
    """Makes an installation with people, tribes and events. Returns a token of it."""
    shutil.rmtree(folder, ignore_errors=True)
    installation = open_installation(Settings(database=folder / "tagloom.sqlite"), create=True)
    environment = installation.control.get_environment("main", "production")
    population = installation.population(environment)
    population.write(Apply(parts(people, people_with(people)), BatchRules(mode="add")), WriteOptions(ORIGIN))
    for begin in range(0, len(events), EVENTS_PER_BATCH):
        population.write(RecordEvents(events[begin : begin + EVENTS_PER_BATCH]), WriteOptions(ORIGIN))
    tribes = Tribes(installation.control)
    for number, definition in enumerate(definitions):
        draft = Draft(name=f"Tribe {number}", audience=definition.audience, rule=definition.rule)
        tribes.create_tribe("main", draft, origin=ORIGIN)
    token = Access(installation.control).create_token("main", "bench", ("admin",), days=1)[1]
    installation.close()
    return token


class Rate(msgspec.Struct, frozen=True):
    """What the load generator saw."""

    per_second: float
    p99_ms: float


def load(folder: Path, url: str, token: str, script: str, seconds: int) -> Rate:
    """Sends what a script of wrk says for some seconds, over 64 connections."""
    lua = folder / "load.lua"
    lua.write_text(script)
    headers = ["-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json"]
    common = ["wrk", "-t1", f"-c{CONNECTIONS}", "--latency", "-s", str(lua), *headers]
    # A first second warms up what the answers need.
    subprocess.run([*common, "-d1s", url], capture_output=True, check=True)
    said = subprocess.run([*common, f"-d{seconds}s", url], capture_output=True, check=True, text=True).stdout
    if "Non-2xx" in said:
        raise AssertionError(f"some requests failed:\n{said}")
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    p99 = re.search(r"99%\s+([0-9.]+)(us|ms|s)", said)
    if rate is None or p99 is None:
        raise AssertionError(f"wrk said:\n{said}")
    return Rate(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[p99[2]])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """The address of a process that listens on the port which is its last argument."""
    port = _free_port()
    started = subprocess.Popen([sys.executable, *arguments, str(port)], stdout=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(1_000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        started.terminate()
        started.wait()


def served(folder: Path) -> AbstractContextManager[str]:
    """The address of a server process over a data directory."""
    run = "from tagloom.cli import main; main()"
    return process("-c", run, "serve", "--data", str(folder), "--port")


def bare() -> AbstractContextManager[str]:
    """The address of the bare ASGI handler."""
    return process("-m", "bench.bare")
