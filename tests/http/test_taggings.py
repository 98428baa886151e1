"""Bulk bodies at the door: every format, every mode, and what becomes of broken ones."""

import gzip
import io
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tagloom_client import Tagloom, problems
from tagloom_client.models import Person, PersonTagging, UploadFormat
from tests.http.serving import Served


def _parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"user": ["u1", "u1", "u2"], "tag": ["a", "b/c", "a"]}), file)
    return file.getvalue()


BODIES: dict[UploadFormat, bytes] = {
    "json": b'{"taggings": [{"user": "u1", "tags": ["a", "b/c"]}, {"user": "u2", "tags": ["a"]}]}',
    "ndjson": b'{"user": "u1", "tags": ["a", "b/c"]}\n{"user": "u2", "tags": ["a"]}\n',
    "csv": b"user,tag\nu1,a\nu1,b/c\nu2,a\n",
    "parquet": _parquet(),
}


@pytest.mark.parametrize("format", BODIES)
def test_every_format_says_the_same(tagloom: Tagloom, format: UploadFormat) -> None:
    receipt = tagloom.upload(BODIES[format], format=format, source_name="crm")

    assert (receipt.added, receipt.new_people, receipt.rejected_count) == (3, 2, 0)
    assert list(tagloom.export_taggings(at_least=receipt.version)) == [
        PersonTagging(Person("user", "u1"), ("a", "b/c")),
        PersonTagging(Person("user", "u2"), ("a",)),
    ]
    assert [each.source for each in tagloom.list_changes()] == ["crm"]
    assert tagloom.upload(BODIES[format], format=format).unchanged == 3


@pytest.mark.parametrize("format", ["ndjson", "csv", "parquet"])
def test_an_export_can_be_imported_again(tagloom: Tagloom, served: Served, format: UploadFormat) -> None:
    tagloom.tag_people([{"user": "u,1", "tags": ["a", "b"]}, {"visitor": 'v"1', "tags": ["a"]}])
    assert format != "json"
    body = b"".join(tagloom.download_taggings(format=format))
    other = tagloom.at(space=served.new_space())

    assert other.upload(body, format=format).added == 3

    assert list(other.export_taggings()) == list(tagloom.export_taggings())


def test_modes_do_what_they_say(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": "u1", "tags": ["crm/a", "own/x"]}, {"user": "u2", "tags": ["crm/a"]}])

    tagloom.tag_people([{"user": "u1", "add": ["crm/b"], "remove": ["crm/a"]}], mode="change")
    assert tagloom.get_person(user="u1").tags == ("crm/b", "own/x")
    tagloom.tag_people([{"user": "u1", "tags": ["crm/c"]}], mode="set", prefix="crm")
    assert tagloom.get_person(user="u1").tags == ("crm/c", "own/x")
    receipt = tagloom.tag_people([{"user": "u1", "tags": ["crm/d"]}], mode="mirror", prefix="crm", dry_run=True)
    assert (receipt.added, receipt.removed, receipt.dry_run) == (1, 2, True)
    assert tagloom.get_person(user="u2").tags == ("crm/a",)
    tagloom.tag_people([{"user": "u1", "tags": ["crm/d"]}], mode="mirror", prefix="crm")
    assert tagloom.get_person(user="u2").tags == ()
    assert tagloom.tag_people([{"user": "u1", "tags": ["crm/d"]}], mode="remove").removed == 1


def test_an_empty_mirror_is_meant_or_refused(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="u1")

    with pytest.raises(problems.Invalid, match="mirror-empty"):
        tagloom.tag_people([], mode="mirror")

    assert tagloom.tag_people([], mode="mirror", allow_empty=True).removed == 1


def test_a_bad_line_is_rejected_alone_with_its_number(tagloom: Tagloom) -> None:
    receipt = tagloom.upload(
        b'{"user": "u1", "tags": ["a"]}\n{"user": "u2", "tags": ["Bad"]}\nnonsense\n{"user": "u3", "tags": ["a"]}\n',
        format="ndjson",
    )

    assert (receipt.added, receipt.rejected_count) == (2, 2)
    assert [(each.line, each.problem) for each in receipt.rejected] == [(2, "tag-has-capital"), (3, "line-invalid")]
    assert receipt.rejected[0].suggestion == "bad"


def test_capitals_are_lowered_on_request_and_counted(tagloom: Tagloom) -> None:
    receipt = tagloom.tag_people([{"user": "u1", "tags": ["Sports/Golf"]}], normalize="lowercase")

    assert (receipt.added, receipt.normalized) == (1, 1)


def test_a_repeated_key_applies_once_and_answers_the_same(tagloom: Tagloom) -> None:
    lines = [{"user": "u1", "tags": ["a"]}]
    first = tagloom.tag_people(lines, idempotency_key="k1")
    tagloom.remove_tag("a", user="u1")

    assert tagloom.tag_people(lines, idempotency_key="k1") == first

    assert tagloom.get_person(user="u1").tags == ()
    with pytest.raises(problems.Invalid, match="idempotency-key-reused"):
        tagloom.tag_people([{"user": "u1", "tags": ["b"]}], idempotency_key="k1")
    with pytest.raises(problems.Invalid, match="idempotency-key-reused"):
        tagloom.tag_people(lines, mode="remove", idempotency_key="k1")


def test_a_mirror_with_a_line_that_names_nobody_known_is_refused_unless_that_is_allowed(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="u1")
    body = b'{"user":"u2","tags":["a"]}\n{"user":"dam'

    with pytest.raises(problems.Invalid, match="mirror-unreadable"):
        tagloom.upload(body, format="ndjson", mode="mirror")

    assert tagloom.get_person(user="u1").tags == ("a",)
    assert tagloom.upload(body, format="ndjson", mode="mirror", allow_unreadable=True).removed == 1


CSV = b"user,tag\nu1,a\nu2,b\n"


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.parametrize("is_announced", [True, False])
@pytest.mark.parametrize(
    ("kind", "body"), [("text/csv", CSV), ("application/json", b'[{"user":"u1","tag":"a"},{"user":"u2","tag":"b"}]')]
)
def test_a_body_may_be_compressed(
    tagloom: Tagloom, http: httpx.Client, name: str, is_announced: bool, kind: str, body: bytes
) -> None:
    packed = gzip.compress(body) if name == "gzip" else pa.compress(body, codec="zstd", asbytes=True)
    headers = {"Content-Type": kind} | ({"Content-Encoding": name} if is_announced else {})

    answer = http.post(f"{tagloom.place.address}/taggings", content=packed, headers=headers)

    assert (answer.status_code, answer.json()["added"]) == (200, 2)


@pytest.mark.parametrize(("charset", "status"), [("windows-1252", 200), ('"ISO-8859-1"', 200), ("koi8-r", 415)])
def test_the_content_type_may_name_the_encoding(
    tagloom: Tagloom, http: httpx.Client, charset: str, status: int
) -> None:
    headers = {"Content-Type": f"text/csv; charset={charset}"}

    answer = http.post(f"{tagloom.place.address}/taggings", content="user,tag\nü,ä\n".encode("cp1252"), headers=headers)

    assert answer.status_code == status
    assert status != 200 or tagloom.get_person(user="ü").tags == ("ä",)


@pytest.mark.parametrize(
    ("encoding", "body", "status", "problem"),
    [
        ("br", CSV, 415, "content-type-unsupported"),
        ("gzip", CSV, 422, "body-invalid"),
        ("gzip", gzip.compress(CSV, mtime=0)[:-4], 422, "body-invalid"),
        ("gzip", gzip.compress(CSV + b"x" * 100_000_000, mtime=0), 413, "body-too-large"),
    ],
    ids=["unknown", "none", "cut", "bomb"],
)
def test_a_body_that_is_not_compressed_as_it_says_is_a_problem(
    tagloom: Tagloom, http: httpx.Client, encoding: str, body: bytes, status: int, problem: str
) -> None:
    headers = {"Content-Type": "text/csv", "Content-Encoding": encoding}

    answer = http.post(f"{tagloom.place.address}/taggings", content=body, headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")


@pytest.mark.parametrize(
    ("format", "body"), [("csv", b"u1\n1001\n"), ("ndjson", b'"u1"\n1001\n'), ("json", b'["u1",1001]')]
)
def test_everybody_in_a_body_gets_one_tag(tagloom: Tagloom, format: UploadFormat, body: bytes) -> None:
    assert tagloom.upload(body, format=format, tag="a/b").added == 2

    assert tagloom.get_person(user="1001").tags == ("a/b",)


def test_everybody_in_a_file_gets_one_tag(tagloom: Tagloom) -> None:
    run = tagloom.create_import(b"u1\n1001\n", format="csv", name="ids.csv", tag="a/b")

    tagloom.ask_import(run.id, "run")
    deadline = time.monotonic() + 30
    while tagloom.get_import(run.id).state != "done":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert tagloom.get_person(user="1001").tags == ("a/b",)
    with pytest.raises(problems.Invalid, match="parameter-invalid"):
        tagloom.create_import(b"u1\n", format="csv", name="ids.csv", tag="a/b", mapping="plans")


def test_a_content_type_that_nobody_reads_is_refused(tagloom: Tagloom, http: httpx.Client) -> None:
    answer = http.post(f"{tagloom.place.address}/taggings", content=b"<a/>", headers={"Content-Type": "text/xml"})

    assert answer.status_code == 415
    assert "text/csv" in answer.json()["supported"]


@pytest.mark.parametrize(
    ("format", "body", "problem"),
    [
        ("json", b"[]}", "body-invalid"),
        ("json", b"{", "body-invalid"),
        ("json", b"[" * 100_000, "body-invalid"),
        ("csv", b"name,label\na,b\n", "columns-invalid"),
        ("parquet", b"PAR1nonsense", "body-invalid"),
    ],
)
def test_a_body_that_cannot_be_read_applies_nothing(
    tagloom: Tagloom, format: UploadFormat, body: bytes, problem: str
) -> None:
    with pytest.raises(problems.Invalid, match=problem):
        tagloom.upload(body, format=format)

    assert list(tagloom.list_changes()) == []


def test_a_large_body_streams_through(tagloom: Tagloom) -> None:
    count = 3_000

    def chunks() -> Iterator[bytes]:
        for number in range(count):
            yield b'{"user": "u%d", "tags": ["a", "b/%d"]}\n' % (number, number % 7)

    receipt = tagloom.upload(chunks(), format="ndjson")

    assert (receipt.added, receipt.new_people) == (2 * count, count)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_breaks_off_applies_nothing(served: Served, tagloom: Tagloom, framing: str) -> None:
    line = b'{"user": "u1", "tags": ["a"]}\n' * 10_000
    address = urlsplit(served.url)
    for is_keyed in (False, True):
        with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
            connection.sendall(
                f"POST {tagloom.place.address}/taggings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n"
                f"Content-Type: application/x-ndjson\r\n".encode()
                + (b"Idempotency-Key: k\r\n" if is_keyed else b"")
                + (b"Content-Length: 99999999\r\n" if framing == "length" else b"Transfer-Encoding: chunked\r\n")
                + b"\r\n"
                + (line if framing == "length" else b"%x\r\n%s\r\n" % (len(line), line))
            )
            time.sleep(0.05)

    time.sleep(0.2)
    assert list(tagloom.list_changes()) == []
    assert tagloom.tag_people([{"user": "u1", "tags": ["a"]}], idempotency_key="k").added == 1


def test_a_body_that_is_refused_early_still_gets_its_answer(tagloom: Tagloom) -> None:
    def endless() -> Iterator[bytes]:
        yield b"name,label\n"
        for _ in range(2_000):
            yield b"a,b\n" * 10_000

    with pytest.raises(problems.Invalid, match="columns-invalid"):
        tagloom.upload(endless(), format="csv")


def test_an_announced_body_beyond_the_limit_is_refused_unread(tagloom: Tagloom, http: httpx.Client) -> None:
    answer = http.post(
        f"{tagloom.place.address}/taggings",
        content=b" " * 17 * 2**20,
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 413
    assert answer.json()["bytes_max"] == 2**24


def test_exports_come_in_the_form_that_is_accepted(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.tag_people([{"user": "u1", "tags": ["a"]}, {"visitor": "v,1", "tags": ["a"]}])
    address = f"{tagloom.place.address}/tags/a/users"

    assert http.get(address).text == '{"user":"u1"}\n{"visitor":"v,1"}\n'
    assert http.get(address).headers["tagloom-version"] == "1"
    assert http.get(address, headers={"Accept": "text/csv"}).text == 'user,visitor\nu1,\n,"v,1"\n'
    table = pq.read_table(io.BytesIO(b"".join(tagloom.download_people_with("a", format="parquet"))))
    assert table.to_pylist() == [{"user": "u1", "visitor": None}, {"user": None, "visitor": "v,1"}]
    wanted = {"Accept": "application/x-ndjson;q=0.1, text/*;q=0.5"}
    assert http.get(address, headers=wanted).headers["content-type"].startswith("text/csv")
    assert http.get(address, headers={"Accept": "image/png"}).status_code == 406
    assert http.head(address).headers["tagloom-version"] == "1"
