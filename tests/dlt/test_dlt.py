"""Pipelines of dlt into a real server: each load package once, also when it was cut off, and guarded as any import."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import httpx
import pytest

from tagloom_client import Tagloom
from tests.alerts.test_sending import serving
from tests.cli.running import ask
from tests.crash.between import HOP
from tests.crash.test_kill import server

KILLED = -signal.SIGKILL
PROGRAM = Path(__file__).parent / "pipeline.py"
MAPPING = {
    "user": "id",
    "prefix": "crm",
    "columns": [
        {"type": "value", "column": "plan", "branch": "plan"},
        {"type": "list", "column": "interests", "steps": ["slug"]},
    ],
}
MIRROR = {"mapping": "customers", "prefix": "crm", "mode": "mirror"}
ROWS: list[list[dict[str, Any]]] = [
    [{"id": f"u{number}", "plan": "Gold", "interests": ["Golf", "Chess"]} for number in range(5)],
    [{"id": f"u{number}", "plan": "Silver", "interests": []} for number in range(5, 10)],
]


class Moment(NamedTuple):
    """The first request of a method and a path whose answer has these words."""

    method: str
    path: str
    says: str = ""


MOMENTS = {
    "behind the file": Moment("POST", r"/imports"),
    "behind the run": Moment("POST", r"/imports/\w+/run"),
    "behind the end": Moment("GET", r"/imports/\w+", says='"state":"done"'),
}


@contextmanager
def killing_proxy(url: str, at: Moment) -> Iterator[tuple[str, "SimpleQueue[Callable[[], None]]"]]:
    """A proxy before a server, which kills a process at a moment. Yields its address, and a queue for the kill."""
    kills: SimpleQueue[Callable[[], None]] = SimpleQueue()

    class Proxy(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            is_it = self.command == at.method and re.search(rf"{at.path}(\?|$)", self.path)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            answer = httpx.request(self.command, url + self.path, content=body, headers=headers, timeout=60)
            if is_it and at.says in answer.text:
                kills.get()()
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in {*HOP, "content-encoding"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = pass_on

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Proxy)) as port:
        yield f"http://127.0.0.1:{port}", kills


class World:
    """A server, a client of it, and the folder in which dlt keeps what is pending."""

    def __init__(self, url: str, token: str, folder: Path) -> None:
        self._url, self._token, self.folder = url, token, folder
        self.tagloom = Tagloom(url, token)

    def load(self, expected: int = 0, **options: Any) -> str:
        """Runs the pipeline as a process of its own, which ends with this code; what it said."""
        with self._started(self._url, options) as process:
            out, err = process.communicate(timeout=120)
        assert process.returncode == expected, out + err
        return out + err

    def load_killed(self, at: Moment, **options: Any) -> None:
        """Runs the pipeline, and kills its process at a moment, before it hears the answer to its request."""
        with killing_proxy(self._url, at) as (url, may_kill), self._started(url, options) as process:
            may_kill.put(process.kill)
            out, err = process.communicate(timeout=120)
        assert process.returncode == KILLED, out + err

    def _started(self, url: str, options: dict[str, Any]) -> "subprocess.Popen[str]":
        command = [sys.executable, str(PROGRAM), url, self._token, str(self.folder), json.dumps(options)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def versions(self) -> int:
        """How many there are, beside those that made the mapping's tags."""
        return self.tagloom.get_environment().version or 0

    def tags(self, user: str) -> tuple[str, ...]:
        """What a user bears."""
        return self.tagloom.get_person(user=user).tags


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    token = ask("init", "--data", tmp_path / "data")["token"]
    with server(tmp_path / "data") as (url, _):
        found = World(url, token, tmp_path / "pipelines")
        with found.tagloom as tagloom:
            tagloom.put_mapping("customers", MAPPING)
            yield found


@pytest.mark.slow
def test_a_pipeline_mirrors_its_source_and_follows_its_changes(world: World) -> None:
    world.load(rows=ROWS, how=MIRROR)
    assert (world.versions(), world.tags("u1")) == (1, ("crm/chess", "crm/golf", "crm/plan/gold"))
    assert world.tags("u9") == ("crm/plan/silver",)

    changed = [[{**row, "plan": "Silver"} if row["id"] == "u1" else row for row in page] for page in ROWS]
    changed[1] = changed[1][:-1]
    world.load(rows=changed, how=MIRROR)
    assert (world.versions(), world.tags("u1")[-1], world.tags("u9")) == (2, "crm/plan/silver", ())

    # The same again is a package of its own, and changes nothing.
    world.load(rows=changed, how=MIRROR)
    assert (world.versions(), len(world.tagloom.list_imports())) == (2, 3)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["at a file", *MOMENTS])
def test_a_load_that_was_killed_anywhere_is_loaded_again_and_applied_once(world: World, moment: str) -> None:
    how = {"mapping": "customers", "mode": "add"}
    if moment in MOMENTS:
        world.load_killed(MOMENTS[moment], rows=ROWS, how=how)
    else:
        world.load(KILLED, rows=ROWS, how=how, is_killed_at_file=True)

    world.load(how=how)

    (run,) = world.tagloom.list_imports()
    assert (run.state, run.tally["added"], run.rows_total) == ("done", 20, 10)
    assert world.versions() == 1
    assert len(list(world.tagloom.list_people())) == 10
    # Nothing is pending any more.
    world.load(how=how)
    assert len(world.tagloom.list_imports()) == 1


@pytest.mark.slow
def test_a_package_that_would_take_much_is_held_until_somebody_says_so(world: World) -> None:
    world.load(rows=ROWS, how=MIRROR)
    said = world.load(1, rows=[ROWS[0][:2]], how=MIRROR)
    assert "LoadHeld" in said
    assert "It would remove" in said
    assert world.tags("u9") == ("crm/plan/silver",)
    assert "LoadHeld" in world.load(1, how=MIRROR)

    held = world.tagloom.list_imports()[0]
    world.tagloom.ask_import(held.id, "approve")
    world.load(how=MIRROR)
    assert (world.tags("u9"), world.versions(), len(world.tagloom.list_imports())) == ((), 2, 2)

    world.load(1, rows=[ROWS[0][:1]], how={**MIRROR, "share_removed_max": 0})
    world.tagloom.cancel_import(world.tagloom.list_imports()[0].id)
    assert "was cancelled" in world.load(how={**MIRROR, "share_removed_max": 0})
    assert world.versions() == 2


@pytest.mark.slow
def test_a_mirror_takes_one_table_and_says_so(world: World) -> None:
    others = [{"id": "x", "plan": "None"}]
    assert "others" in world.load(1, rows=ROWS, more=others, how=MIRROR)
    assert world.versions() == 0

    world.load(how={**MIRROR, "tables": ["customers"]})
    assert world.versions() == 1
    assert [run.name for run in world.tagloom.list_imports()] == ["dlt crm customers"]


@pytest.mark.slow
def test_tables_of_arrow_are_loaded_as_rows_are(world: World) -> None:
    world.load(rows=ROWS, how=MIRROR, is_arrow=True)

    assert (world.versions(), world.tags("u1")) == (1, ("crm/chess", "crm/golf", "crm/plan/gold"))
    assert world.tags("u9") == ("crm/plan/silver",)


@pytest.mark.slow
@pytest.mark.parametrize("is_arrow", [False, True])
def test_a_package_that_cannot_be_read_fails_with_a_sentence(world: World, is_arrow: bool) -> None:
    # Its files are there, and it was cut off before they were brought.
    world.load(KILLED, rows=ROWS, how=MIRROR, is_arrow=is_arrow, is_killed_at_file=True)
    files = [path for path in world.folder.rglob("*_jobs/customers.*") if path.is_file()]
    assert files
    for file in files:
        file.write_bytes(b"no rows at all")

    said = world.load(1, how=MIRROR)

    assert "LoadRefused" in said
    assert "cannot be read" in said
    assert "drop-pending-packages" in said
    assert world.versions() == 0
