"""Files that a browser uploads: they stream into the folder of imports, within the limits of all bodies."""

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest

from tagloom.console import limits
from tagloom.server import limits as server_limits
from tagloom.server.body_pace import Paces
from tests.console.serving import PLACE, Role, Served, serving

HEAD = b'--end\r\nContent-Disposition: form-data; name="file"; filename="crm.csv"\r\n\r\n'
FILE = b"user,tag\n" + b"u1,crm/gold\n" * 100_000
TAIL = b"\r\n--end--\r\n"
WHOLE = HEAD + FILE + TAIL

Visitors = Callable[[Role], httpx.Client]


@pytest.fixture
def impatient(telco_data: Path, tmp_path: Path) -> Iterator[Served]:
    """A console whose senders may not be silent for long."""
    shutil.copytree(telco_data, tmp_path / "data")
    with serving(tmp_path / "data", paces=Paces(idle_seconds=0.3)) as served:
        yield served


def begun(
    served: Served, browser: httpx.Client, body: bytes = WHOLE, *, size: int | None = None, origin: str | None = None
) -> socket.socket:
    """A connection on which the head of an upload was sent, and this much of its body."""
    host, port = served.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    connection.sendall(
        (
            f"POST {PLACE}/imports HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {origin or served.url}\r\n"
            f"Cookie: {cookies}\r\nContent-Type: multipart/form-data; boundary=end\r\nConnection: close\r\n"
            f"Content-Length: {len(body) if size is None else size}\r\n\r\n"
        ).encode()
        + body
    )
    return connection


def answer_of(connection: socket.socket) -> httpx.Response:
    """The answer, which may come before the end of the body."""
    with connection, HTTPResponse(connection, method="POST") as found:
        found.begin()
        return httpx.Response(found.status, headers=found.getheaders(), content=found.read())


def stored(served: Served) -> list[Path]:
    """The folders of uploaded files."""
    return sorted(served.installation.uploads.glob("*"))


def waits_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def test_a_file_streams_into_the_folder_of_imports_while_it_arrives(served: Served, visitors: Visitors) -> None:
    before = stored(served)
    connection = begun(served, visitors("developer"), HEAD + FILE, size=len(WHOLE))

    waits_until(lambda: sum(part.stat().st_size for part in served.installation.uploads.glob("*/part-*")) > 500_000)
    connection.sendall(TAIL)

    assert answer_of(connection).headers["location"].startswith(f"{PLACE}/import/")
    (folder,) = set(stored(served)) - set(before)
    assert (folder / "file").read_bytes() == FILE


def test_a_refused_upload_is_answered_before_its_body_arrives(served: Served, visitors: Visitors) -> None:
    before = stored(served)

    refused: dict[Role, int] = {"view": 403, "tribes": 403, "outsider": 404, "anyone": 303}
    for role, status in refused.items():
        answer = answer_of(begun(served, visitors(role), HEAD, size=len(WHOLE)))
        assert answer.status_code == status, answer.text
        assert answer.headers.get("location") == ("/sign-in" if role == "anyone" else None)
    foreign = answer_of(begun(served, visitors("developer"), HEAD, size=len(WHOLE), origin="https://evil.example"))
    assert (foreign.status_code, "another site" in foreign.text) == (403, True)
    assert stored(served) == before


def test_a_file_over_the_limit_is_refused_before_it_arrives(served: Served, visitors: Visitors) -> None:
    size = limits.UPLOAD_BYTES_MAX + limits.FORM_BYTES_MAX + 1

    answer = answer_of(begun(served, visitors("developer"), HEAD, size=size))

    assert answer.status_code == 413
    assert f"files of up to {limits.UPLOAD_BYTES_MAX:,} bytes" in answer.text
    assert "text/html" in answer.headers["content-type"]


def test_a_file_over_the_limit_of_unknown_size_is_refused(
    served: Served, visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UPLOAD_BYTES_MAX", 100_000)
    monkeypatch.setattr(limits, "FORM_BYTES_MAX", 1_000)
    before = stored(served)

    answer = visitors("developer").post(
        f"{PLACE}/imports", content=iter([WHOLE]), headers={"Content-Type": "multipart/form-data; boundary=end"}
    )

    assert answer.status_code == 413
    assert "files of up to 100,000 bytes" in answer.text
    assert stored(served) == before


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (TAIL, 422, "Choose a CSV, NDJSON or Parquet file."),
        (b'--end\r\nContent-Disposition: form-data; name="file"\r\n\r\nx' + TAIL, 422, "Choose a CSV, NDJSON"),
        (HEAD.replace(b"crm.csv", b"") + TAIL, 422, "Choose a CSV, NDJSON or Parquet file."),
        (HEAD.replace(b".csv", b".pdf") + FILE + TAIL, 422, ".csv"),
        (HEAD + TAIL, 422, "empty"),
        (HEAD + FILE + b"\r\n" + WHOLE, 422, "brings one file"),
        (HEAD + FILE, 400, "before its last boundary"),
        (b"no form at all", 422, "no form"),
        (HEAD.replace(b"crm.csv", b"crm.parquet") + FILE + TAIL, 422, "Parquet"),
    ],
)
def test_what_is_wrong_with_an_upload_is_said_on_a_page_and_nothing_stays(
    served: Served, visitors: Visitors, body: bytes, status: int, says: str
) -> None:
    before = stored(served)

    answer = visitors("developer").post(
        f"{PLACE}/imports", content=body, headers={"Content-Type": "multipart/form-data; boundary=end"}
    )

    assert (answer.status_code, "text/html" in answer.headers["content-type"]) == (status, True), answer.text
    assert says in answer.text
    assert stored(served) == before


def test_a_form_of_another_type_has_no_file(visitors: Visitors) -> None:
    answer = visitors("developer").post(f"{PLACE}/imports", data={"file": "crm.csv"})

    assert answer.status_code == 422
    assert "Choose a CSV, NDJSON or Parquet file." in answer.text


def test_an_upload_that_breaks_off_leaves_nothing(served: Served, visitors: Visitors) -> None:
    before = stored(served)
    connection = begun(served, visitors("developer"), HEAD + FILE, size=len(WHOLE))
    waits_until(lambda: len(stored(served)) > len(before))

    connection.close()

    waits_until(lambda: stored(served) == before)


def test_a_session_that_ends_during_an_upload_stores_nothing(served: Served) -> None:
    before = stored(served)
    with closing(served.sign_in("developer")) as browser:
        connection = begun(served, browser, HEAD + FILE, size=len(WHOLE))
        waits_until(lambda: len(stored(served)) > len(before))
        browser.post("/sign-out")
    connection.sendall(TAIL)

    answer = answer_of(connection)

    assert (answer.status_code, "Sign in" in answer.text) == (401, True)
    assert stored(served) == before


def test_an_upload_that_stands_still_ends_and_leaves_nothing(impatient: Served) -> None:
    before = stored(impatient)
    with closing(impatient.sign_in("developer")) as browser:
        answer = answer_of(begun(impatient, browser, HEAD + FILE, size=len(WHOLE)))

    assert answer.status_code == 408
    assert "too slowly" in answer.text
    assert stored(impatient) == before


def test_uploads_of_the_console_and_the_api_share_the_places_of_an_organization(
    served: Served, visitors: Visitors
) -> None:
    def uploads() -> str:
        text = httpx.get(f"{served.url}/metrics").text
        return next(line for line in text.splitlines() if line.startswith("tagloom_uploads "))

    with ExitStack() as stack:
        for role in ("developer", "administrator"):
            for _ in range(server_limits.UPLOADS_AT_ONCE_MAX):
                stack.enter_context(begun(served, visitors(role), HEAD, size=len(WHOLE)))
            if role == "developer":
                # One teammate leaves a place for another.
                waits_until(lambda: uploads() == f"tagloom_uploads {server_limits.UPLOADS_PER_TOKEN_MAX}.0")
        waits_until(lambda: uploads() == f"tagloom_uploads {server_limits.UPLOADS_PER_ORGANIZATION_MAX}.0")

        # The pages of the organization do not wait.
        assert visitors("developer").get(f"{PLACE}/imports").status_code == 200
    waits_until(lambda: uploads() == "tagloom_uploads 0.0")
