"""Imports by an address: fetched once, whole, by whoever is there, and then as any other."""

import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tagloom.base.problems import BodyInvalid
from tagloom.egress.policy import EgressPolicy
from tagloom.egress.problems import SourceUnreadable
from tagloom.egress.remotes import Remotes
from tagloom.egress.secrets import Secrets
from tagloom.imports import limits
from tagloom.imports.fetch import Fetcher
from tagloom.imports.lifecycle import How
from tagloom.imports.problems import ImportFileGone, ImportStateWrong
from tagloom.ports.imports import Import
from tagloom.words.problems import TagProblem
from tagloom.words.source_addresses import SCHEMES, AddressRefused, Remote
from tests.egress.places import Web, web
from tests.imports.conftest import Desk

FILE = b"user,tag\nu1,crm/gold\nu2,crm/silver\n"


@pytest.fixture
def place() -> Web:  # type: ignore[misc]  # A generator, as every fixture with an end.
    with web() as found:
        yield found


def fetcher(desk: Desk, **egress_policy: object) -> Fetcher:
    """One that may call this machine."""
    allowed = EgressPolicy(**{"schemes": SCHEMES, "hosts": ("localhost",), **egress_policy})  # type: ignore[arg-type]
    return Fetcher(desk.imports, desk.installation.control, Remotes(allowed), desk.now)


def brought(desk: Desk, by: Fetcher, url: str, secret: str | None = None, **how: object) -> Import:
    given: How = {"name": "", "by": "ada", **how}  # type: ignore[typeddict-item]
    return by.create_import_from_url(desk.environment, Remote(url=url, secret=secret), **given)


def test_a_file_is_fetched_and_then_waits_as_one_that_was_sent(desk: Desk, place: Web) -> None:
    url = place.serve("/exports/crm.csv.gz", gzip.compress(FILE), ETag='"7"')
    by = fetcher(desk)

    coming = brought(desk, by, f"{url}?page=2")
    assert (coming.state, coming.name, coming.format) == ("fetching", "crm.csv.gz", "csv")
    assert not desk.worker.work_once()
    with pytest.raises(ImportStateWrong):
        desk.imports.run(desk.environment, coming.id)
    assert by.work_once()
    assert not by.work_once()

    here = desk.get(coming)
    assert (here.state, here.compression, here.size_bytes) == ("waiting", "gzip", len(gzip.compress(FILE)))
    assert here.remote == Remote(url=url, etag='"7"')
    desk.imports.run(desk.environment, here.id)
    desk.work()
    assert (desk.get(here).state, desk.get(here).tally.added) == ("done", 2)


def test_what_was_planned_is_what_is_applied_whatever_becomes_of_the_file(desk: Desk, place: Web) -> None:
    url = place.serve("/crm.csv", FILE)
    coming = brought(desk, by := fetcher(desk), url)
    by.work_once()
    desk.imports.plan(desk.environment, coming.id)
    desk.work()

    place.serve("/crm.csv", b"user,tag\nu3,crm/other\n")
    desk.imports.run(desk.environment, coming.id)
    desk.work()

    assert desk.tags("u1") == ("crm/gold",)
    assert desk.tags("u3") == ()
    assert len(place.asked) == 1


def test_a_file_that_cannot_be_had_ends_the_import_with_what_is_wrong(desk: Desk, place: Web) -> None:
    by = fetcher(desk)
    cases = {
        place.url + "/missing.csv": ("source-unreadable", "answers 404"),
        place.serve("/empty.csv", b""): ("body-invalid", "empty"),
        place.serve("/short.csv", FILE, announced=99): ("source-unreadable", "breaks off"),
        place.lead("/inner.csv", "http://127.0.0.1:1/"): ("address-refused", "private network"),
        place.serve("/a.parquet", gzip.compress(b"x")): ("body-invalid", "compressed internally"),
    }
    for url, (problem, says) in cases.items():
        coming = brought(desk, by, f"{url}?page=sesame")
        by.work_once()

        failed = desk.get(coming)
        assert (failed.state, failed.problem) == ("failed", problem)
        assert says in (failed.detail or "")
        assert "sesame" not in json.dumps([failed.detail, failed.remote.url if failed.remote else ""])
        assert not desk.imports.folder.path(coming.id).parent.exists()
        with pytest.raises(ImportFileGone):
            desk.imports.run(desk.environment, coming.id)
        desk.imports.delete(desk.environment, coming.id)


def test_what_can_be_said_at_once_is_said_before_anything_is_stored(desk: Desk, place: Web) -> None:
    url = place.serve("/export", FILE)

    with pytest.raises(BodyInvalid, match=r"\.csv"):
        brought(desk, fetcher(desk), url)
    with pytest.raises(AddressRefused, match="TAGLOOM_SOURCE_SCHEMES"):
        brought(desk, fetcher(desk, schemes=("https",)), url, format="csv")
    with pytest.raises(SourceUnreadable, match="secret"):
        brought(desk, fetcher(desk), url, "crm", format="csv")
    with pytest.raises(TagProblem):
        brought(desk, fetcher(desk), url, format="csv", prefix="CRM")
    assert desk.imports.list(desk.environment, limit=9) == ()
    assert brought(desk, fetcher(desk), url, format="csv", name="from there").name == "from there"
    assert place.asked == []


class Dripping:
    """An answer that comes in two halves, the second when it is let go."""

    def __init__(self, place: Web, path: str) -> None:
        self.has_begun, self.may_end = threading.Event(), threading.Event()
        self.url = place.url + path
        place.answers[path] = self.answer

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(FILE)))
        handler.end_headers()
        handler.wfile.write(FILE[:10])
        handler.wfile.flush()
        self.has_begun.set()
        self.may_end.wait(20)
        handler.wfile.write(FILE[10:])

    def wait_until_written(self, desk: Desk, coming: Import) -> None:
        """Until what was sent first lies in the folder: its place is chosen after the answer has begun."""
        self.has_begun.wait(20)
        deadline = time.monotonic() + 20
        while not desk.get(coming).size_bytes:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_fetch_says_how_far_it_is_and_is_cancelled(desk: Desk, place: Web) -> None:
    dripping, by = Dripping(place, "/crm.csv"), fetcher(desk)
    coming = brought(desk, by, dripping.url)
    thread = threading.Thread(target=by.work_once)
    thread.start()
    dripping.wait_until_written(desk, coming)
    assert (desk.get(coming).state, desk.get(coming).size_bytes) == ("fetching", 10)

    cancelled = desk.imports.cancel(desk.environment, coming.id, by="ada")
    dripping.may_end.set()
    thread.join()

    assert (cancelled.state, cancelled.has_file, desk.get(coming).state) == ("cancelled", False, "cancelled")
    assert not desk.imports.folder.path(coming.id).parent.exists()
    assert not by.work_once()


def test_a_fetch_that_was_lost_is_begun_again_by_another(desk: Desk, place: Web) -> None:
    dripping, lost, other = Dripping(place, "/crm.csv"), fetcher(desk), fetcher(desk)
    coming = brought(desk, lost, dripping.url)
    thread = threading.Thread(target=lost.work_once)
    thread.start()
    dripping.wait_until_written(desk, coming)
    assert not other.work_once()

    # To the store it looks as if the first process were gone: its lease has run out, and nobody renewed it.
    desk.now.seconds += limits.IMPORT_LEASE_SECONDS + 1
    place.serve("/crm.csv", FILE)
    assert other.work_once()
    assert desk.get(coming).state == "waiting"
    dripping.may_end.set()
    thread.join()

    here = desk.get(coming)
    assert (here.state, here.size_bytes) == ("waiting", len(FILE))
    assert desk.imports.folder.path(coming.id).read_bytes() == FILE
    assert [each.name for each in desk.imports.folder.path(coming.id).parent.iterdir()] == ["file"]


def test_a_file_of_the_folder_is_taken_and_none_outside_it(desk: Desk, tmp_path: Path) -> None:
    home = tmp_path / "files" / "main"
    home.mkdir(parents=True)
    (home / "crm.csv").write_bytes(FILE)
    (tmp_path / "files" / "other").mkdir()
    (tmp_path / "files" / "other" / "theirs.csv").write_bytes(FILE)
    (home / "link.csv").symlink_to(tmp_path / "files" / "other" / "theirs.csv")
    by = fetcher(desk, files=tmp_path / "files", secrets=Secrets(None, {}))

    coming = brought(desk, by, f"file://{home}/crm.csv")
    by.work_once()
    here = desk.get(coming)
    assert (here.state, here.size_bytes) == ("waiting", len(FILE))
    assert here.remote is not None
    assert here.remote.modified_at is not None
    for outside in (tmp_path / "files" / "other" / "theirs.csv", home / "link.csv", Path("/etc/passwd")):
        with pytest.raises(AddressRefused, match="outside"):
            brought(desk, by, f"file://{outside}", format="csv")
    with pytest.raises(AddressRefused, match="TAGLOOM_FILES_FOLDER"):
        brought(desk, fetcher(desk), f"file://{home}/crm.csv")
    missing = brought(desk, by, f"file://{home}/missing.csv")
    by.work_once()
    assert (desk.get(missing).problem, "no file" in (desk.get(missing).detail or "")) == ("source-unreadable", True)
