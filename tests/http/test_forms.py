"""Files that come in a form beside their options: as curl sends them, whole or cut off, and larger than memory."""

import gzip
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tagloom.server import limits
from tagloom_client import Tagloom
from tests.cli.running import ask
from tests.crash.test_kill import server
from tests.http.serving import Served
from tests.http.test_imports import PLANS, ended

FILE = b"user,tag\nu1,crm/gold\nu2,crm/silver\n"
LARGE_BYTES = 768 * 1_048_576
GROWTH_BYTES_MAX = 128 * 1_048_576  # What the server may take for it: a chunk here and there, and the allocator's air.


def curl(served: Served, tagloom: Tagloom, *arguments: object) -> Any:
    """What the server answers to curl, as a newcomer types it."""
    done = subprocess.run(
        [
            *("curl", "-s", "-H", f"Authorization: Bearer {served.token}", *map(str, arguments)),
            f"{served.url}{tagloom.place.address}/imports",
        ],
        capture_output=True,
        timeout=60,
        check=True,
    )
    return httpx.Response(200, content=done.stdout).json()


def test_a_file_comes_as_curl_sends_a_form(served: Served, tagloom: Tagloom, tmp_path: Path) -> None:
    file = tmp_path / "Kunden “Süd”.csv.gz"
    file.write_bytes(gzip.compress(FILE))

    brought = curl(served, tagloom, "-F", f"file=@{file}", "-F", "mode=mirror", "-F", "prefix=crm")

    assert (brought["name"], brought["format"], brought["compression"]) == (file.name, "csv", "gzip")
    assert (brought["mode"], brought["prefix"], brought["state"]) == ("mirror", "crm", "waiting")
    tagloom.ask_import(brought["id"], "run")
    assert ended(tagloom, tagloom.get_import(brought["id"]), "done").tally["added"] == 2


def test_options_may_be_one_json_and_win_over_the_query(served: Served, tagloom: Tagloom, tmp_path: Path) -> None:
    tagloom.put_mapping("plans", PLANS)
    file = tmp_path / "export"
    file.write_bytes(b"id,plan\nu1,Gold\n")
    options = '{"mapping": "plans", "format": "csv", "share_removed_max": 5, "name": "from the CRM"}'

    brought = curl(served, tagloom, "-F", f"options={options}", "-F", f"file=@{file}", "-F", "share_removed_max=7")

    assert (brought["mapping_name"], brought["name"]) == ("plans, version 1", "from the CRM")
    assert brought["share_removed_max"] == 7
    with served.http() as http:
        files = {"file": ("a.csv", FILE, "text/csv")}
        answer = http.post(f"{tagloom.place.address}/imports?mode=remove&prefix=x", files=files, data={"prefix": "crm"})
    assert (answer.status_code, answer.json()["mode"], answer.json()["prefix"]) == (201, "remove", "crm")


@pytest.mark.parametrize(
    ("arguments", "problem", "says"),
    [
        (["-F", "file=customers.csv"], "body-invalid", "-F file=@customers.csv"),
        (["-F", "file=@{file}", "-F", "other=@{file}"], "body-invalid", "one file"),
        (["-F", "file=@{file}", "-F", "mode=all"], "body-invalid", "$.mode"),
        (["-F", "file=@{file}", "-F", "colour=red"], "body-invalid", "colour"),
        (["-F", "file=@{file}", "-F", "mode=add", "-F", "mode=set"], "body-invalid", "once"),
        (["-F", "file=@{file}", "-F", "options={{"], "body-invalid", "JSON"),
        (["-F", "file=@{file}", "-F", "prefix=CRM"], "tag-has-capital", "capital"),
        (["-F", "file=@{file}", "-F", "mapping=nowhere"], "mapping-not-found", "mapping"),
        (["-F", "file=@{file};filename=a.pdf;type=application/pdf"], "body-invalid", ".csv"),
        (["-F", "file=@/dev/null;filename=a.csv"], "body-invalid", "empty"),
        (["-F", "options=<{large}", "-F", "file=@{file}"], "body-invalid", "65,536"),
        (["-H", "Content-Type: multipart/form-data", "--data-binary", "x"], "body-invalid", "boundary"),
        (["-H", "Content-Type: multipart/form-data; boundary=x", "--data-binary", "y"], "body-invalid", "no form"),
    ],
)
def test_what_is_wrong_with_a_form_is_said_and_nothing_stays(
    served: Served, tagloom: Tagloom, tmp_path: Path, arguments: list[str], problem: str, says: str
) -> None:
    file, large = tmp_path / "a.csv", tmp_path / "large"
    file.write_bytes(FILE)
    large.write_bytes(b"x" * (limits.UPLOAD_FIELD_BYTES_MAX + 1))
    before = sorted(served.installation.uploads.glob("*"))

    answer = curl(served, tagloom, *(each.format(file=file, large=large) for each in arguments))

    assert answer["type"] == f"/problems/{problem}", answer
    assert says in answer["detail"]
    assert tagloom.list_imports() == ()
    assert sorted(served.installation.uploads.glob("*")) == before


def _sent(served: Served, tagloom: Tagloom, body: bytes, announced: int) -> bytes:
    """What the server says to a body; to one that is shorter than announced nobody waits for the answer."""
    address = urlsplit(served.url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as connection:
        head = (
            f"POST {tagloom.place.address}/imports HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {served.token}\r\n"
            f"Content-Type: multipart/form-data; boundary=end\r\n"
            f"Content-Length: {announced}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        found = b""
        if len(body) < announced:
            return found
        while chunk := connection.recv(65_536):
            found += chunk
    return found


def test_a_form_that_is_cut_off_stores_nothing(served: Served, tagloom: Tagloom) -> None:
    whole = (
        b'--end\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + FILE + b"\r\n--end--\r\n"
    )
    before = sorted(served.installation.uploads.glob("*"))

    # Its announced length says that something is missing.
    _sent(served, tagloom, whole[:-20], len(whole))
    # It is all that was announced, and has no last boundary.
    answer = _sent(served, tagloom, whole[:-9], len(whole) - 9)

    assert b"/problems/body-truncated" in answer
    deadline = time.monotonic() + 10
    while sorted(served.installation.uploads.glob("*")) != before:
        assert time.monotonic() < deadline, "the file of a form that was cut off stays"
        time.sleep(0.02)
    assert tagloom.list_imports() == ()
    assert b" 201 " in _sent(served, tagloom, whole, len(whole))


def _high_water(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.slow
def test_a_file_larger_than_what_the_server_may_hold_goes_through(tmp_path: Path) -> None:
    token = ask("init", "--data", tmp_path)["token"]
    chunk = os.urandom(1_048_576)
    head = b'--end\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    tail = b'\r\n--end\r\nContent-Disposition: form-data; name="mode"\r\n\r\nremove\r\n--end--\r\n'

    def body() -> Iterator[bytes]:
        yield head
        yield from (chunk for _ in range(LARGE_BYTES // len(chunk)))
        yield tail

    with server(tmp_path) as (url, process), Tagloom(url, token) as tagloom:
        tagloom.list_imports()
        before = _high_water(process.pid)
        answer = httpx.post(
            f"{url}{tagloom.place.address}/imports",
            content=body(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "multipart/form-data; boundary=end"},
            timeout=300,
        )
        grown = _high_water(process.pid) - before

        assert answer.status_code == 201, answer.text
        assert (answer.json()["size_bytes"], answer.json()["mode"]) == (LARGE_BYTES, "remove")
        assert grown < GROWTH_BYTES_MAX, grown
        stored = tmp_path / "uploads" / answer.json()["id"] / "file"
        with stored.open("rb") as file:
            assert all(file.read(len(chunk)) == chunk for _ in range(LARGE_BYTES // len(chunk)))
