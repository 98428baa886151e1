"""A real server, killed while it fetches a file: the next one fetches it from the beginning, and it is applied once."""

import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tagloom_client import Tagloom
from tagloom_client.models import Import
from tests.cli.running import ask
from tests.crash.test_kill import server
from tests.egress.places import web

FILE = b"user,tag\n" + b"".join(b"u%d,crm/gold\n" % number for number in range(1_000))
ENVIRON = {"TAGLOOM_SOURCE_SCHEMES": "http", "TAGLOOM_SOURCE_HOSTS": "localhost"}
# Leases of a second, so that what was lost is soon found.
BEGINNING = "from tagloom.imports import limits; limits.IMPORT_LEASE_SECONDS = 1; "
PATIENCE_SECONDS = 30


def in_state(tagloom: Tagloom, run: Import, state: str) -> Import:
    """The import, once it is in this state."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := tagloom.get_import(run.id)).state != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


@pytest.mark.slow
def test_a_fetch_survives_the_kill_of_its_server(tmp_path: Path) -> None:
    token = ask("init", "--data", tmp_path)["token"]
    has_begun, may_end = threading.Event(), threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(FILE)))
        handler.end_headers()
        handler.wfile.write(FILE[:5_000])
        handler.wfile.flush()
        has_begun.set()
        may_end.wait(PATIENCE_SECONDS)

    with web() as place:
        place.answers["/crm.csv"] = drip
        with (
            server(tmp_path, ENVIRON, beginning=BEGINNING) as (url, process),
            Tagloom(url, token) as tagloom,
        ):
            coming = tagloom.create_import_from_url(f"{place.url}/crm.csv")
            assert has_begun.wait(PATIENCE_SECONDS)
            process.kill()
        may_end.set()
        place.serve("/crm.csv", FILE)
        with server(tmp_path, ENVIRON, beginning=BEGINNING) as (url, _), Tagloom(url, token) as tagloom:
            here = in_state(tagloom, coming, "waiting")
            tagloom.ask_import(here.id, "run")
            done = in_state(tagloom, coming, "done")

    assert (here.size_bytes, done.tally["added"]) == (len(FILE), 1_000)
    # Nothing is left of the first fetch; the lock is that of who worked on the import last.
    assert {each.name for each in (tmp_path / "uploads" / coming.id).iterdir()} == {"file", "lock"}
    assert len(place.asked) == 2
