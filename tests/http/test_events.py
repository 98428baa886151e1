"""Events at the door: recorded in every form, read back, and what becomes of bad ones."""

import csv
import gzip
import io
import json
from collections.abc import Callable

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tagloom.events import limits
from tagloom_client import AsyncTagloom, Tagloom, problems, rules
from tests.http.serving import Served

NDJSON = {"Content-Type": "application/x-ndjson"}
LINES = [
    {"user": "u1", "event": "ad/clicked", "id": "m1", "at": "2026-03-01T10:00:00.250+01:00", "properties": {"ad": 7}},
    {"visitor": "v1", "event": "ad/seen", "id": "m2", "at": "2026-03-01T09:00:00Z"},
    {"user": "u1", "event": "article/viewed", "id": "m3", "at": "2026-02-01T00:00:00Z"},
]


def body_of(*lines: object) -> bytes:
    return b"\n".join(json.dumps(line).encode() for line in lines)


def test_events_are_recorded_and_read_back_the_last_recorded_first(tagloom: Tagloom) -> None:
    receipt = tagloom.record_events(LINES, source_name="backend")

    assert (receipt.version, receipt.events, receipt.repeats, receipt.new_people) == (1, 3, 0, 2)
    found = list(tagloom.list_events(user="u1", at_least=receipt.version))
    assert [(each.event, each.at, each.id) for each in found] == [
        ("article/viewed", "2026-02-01T00:00:00.000Z", "m3"),
        ("ad/clicked", "2026-03-01T09:00:00.250Z", "m1"),
    ]
    assert (found[1].properties, found[1].version, found[1].original_at) == ({"ad": 7}, 1, None)
    assert [each.id for each in tagloom.list_events(visitor="v1")] == ["m2"]
    types = {each.event: (each.events, each.first_at, each.last_at) for each in tagloom.list_event_types()}
    assert types == {
        "ad/clicked": (1, "2026-03-01T09:00:00.250Z", "2026-03-01T09:00:00.250Z"),
        "ad/seen": (1, "2026-03-01T09:00:00.000Z", "2026-03-01T09:00:00.000Z"),
        "article/viewed": (1, "2026-02-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z"),
    }


def test_properties_come_back_with_the_bytes_that_were_sent(tagloom: Tagloom, http: httpx.Client) -> None:
    written = '{ "n": 9007199254740993, "d": 12.50, "t": "\\ud83c\\udfc8" }'
    place = tagloom.place.address
    http.post(
        f"{place}/events", content=f'{{"user":"u1","event":"a/b","properties":{written}}}', headers=NDJSON
    ).raise_for_status()

    assert f'"properties":{written}' in http.get(f"{place}/users/u1/events").text


SENDS: dict[str, Callable[[bytes], tuple[bytes, dict[str, str]]]] = {
    "ndjson": lambda plain: (plain, NDJSON),
    "a JSON object": lambda plain: (
        b'{"events":[' + plain.replace(b"\n", b",") + b"]}",
        {"Content-Type": "application/json"},
    ),
    "a JSON list": lambda plain: (
        b"[" + plain.replace(b"\n", b",") + b"]",
        {"Content-Type": "application/json; charset=utf-8"},
    ),
    "gzip by its header": lambda plain: (gzip.compress(plain), {**NDJSON, "Content-Encoding": "gzip"}),
    "gzip by its bytes": lambda plain: (gzip.compress(plain), NDJSON),
    "zstd by its header": lambda plain: (
        pa.compress(plain, "zstd", asbytes=True),
        {**NDJSON, "Content-Encoding": "zstd"},
    ),
    "a large body": lambda plain: (plain + b"\n" + b" " * limits.EVENTS_BODY_SHARED_BYTES_MAX, NDJSON),
    "UTF-16": lambda plain: (plain.decode().encode("utf-16"), NDJSON),
}


@pytest.mark.parametrize("send", SENDS)
def test_every_form_says_the_same(tagloom: Tagloom, http: httpx.Client, send: str) -> None:
    body, headers = SENDS[send](body_of(LINES[0], {"user": "u1", "event": "Ad Clicked"}, LINES[1], LINES[0]))

    answer = http.post(f"{tagloom.place.address}/events", content=body, headers=headers)

    receipt = answer.json()
    assert (receipt["events"], receipt["repeats"], receipt["new_people"], receipt["rejected_count"]) == (2, 1, 2, 1)
    (rejected,) = receipt["rejected"]
    assert (rejected["line"], rejected["value"]) == (2, "Ad Clicked")
    assert (rejected["problem"], rejected["suggestion"]) == ("event-type-invalid", "ad/clicked")


def test_a_body_in_chunks_is_recorded(tagloom: Tagloom) -> None:
    events = ({"user": f"u{number % 100}", "event": "a/b", "id": f"m{number}"} for number in range(5_000))

    receipt = tagloom.record_events(events)

    assert (receipt.events, receipt.new_people) == (5_000, 100)
    found = [each.id for each in tagloom.list_events(user="u7", limit=20)]
    assert found == [f"m{number}" for number in range(4_907, 0, -100)]


def test_many_small_bodies_at_once_are_all_recorded(served: Served, tagloom: Tagloom) -> None:
    import asyncio

    async def use() -> list[int]:
        async with AsyncTagloom(served.url, served.token, space=tagloom.place.space) as client:
            made = await asyncio.gather(
                *(client.record_events([{"user": f"u{n % 5}", "event": "a/b", "id": f"m{n}"}]) for n in range(60))
            )
            assert [each.id async for each in client.list_events(user="u0", limit=5)]
            return [each.events for each in made]

    assert asyncio.run(use()) == [1] * 60
    assert sum(each.events for each in tagloom.list_event_types()) == 60


def test_a_repeat_is_counted_and_not_recorded_again(tagloom: Tagloom) -> None:
    tagloom.record_events(LINES)

    receipt = tagloom.record_events(LINES)

    assert (receipt.version, receipt.events, receipt.repeats) == (1, 0, 3)


def test_an_event_without_an_id_is_recorded_each_time_unless_the_key_repeats(tagloom: Tagloom) -> None:
    event = {"user": "u1", "event": "a/b"}
    first = tagloom.record_events([event], idempotency_key="k")

    assert tagloom.record_events([event], idempotency_key="k") == first
    assert tagloom.record_events([event]).events == 1
    assert len(list(tagloom.list_events(user="u1"))) == 2
    with pytest.raises(problems.ProblemError, match="idempotency-key-reused"):
        tagloom.record_events([event, event], idempotency_key="k")


def test_a_dry_run_records_nothing(tagloom: Tagloom) -> None:
    receipt = tagloom.record_events(LINES, dry_run=True)

    assert (receipt.version, receipt.events, receipt.new_people, receipt.dry_run) == (0, 3, 2, True)
    assert list(tagloom.list_event_types()) == []


def test_an_event_from_the_future_gets_the_time_of_now(tagloom: Tagloom) -> None:
    tagloom.record_events([{"user": "u1", "event": "a/b", "at": "2999-01-01T00:00:00Z"}])

    (event,) = tagloom.list_events(user="u1")
    assert event.original_at == "2999-01-01T00:00:00.000Z"
    assert event.at == event.received_at < "2900"


def test_a_version_that_recorded_events_is_in_the_history_only_when_asked_for(tagloom: Tagloom) -> None:
    tagloom.record_events(LINES, source_name="backend")
    tagloom.add_tag("a", user="u1")

    assert [each.version for each in tagloom.list_changes()] == [2]
    (change,) = tagloom.list_changes(action="events")
    assert (change.version, change.events, change.new_people, change.source) == (1, 3, 2, "backend")
    assert tagloom.get_change(1) == change
    with pytest.raises(problems.Conflict, match="undo-conflict"):
        tagloom.undo(1)


def test_the_erasure_of_a_person_deletes_their_events(tagloom: Tagloom) -> None:
    tagloom.record_events(LINES)

    tagloom.erase_person(user="u1")

    with pytest.raises(problems.NotFound, match="person-not-found"):
        list(tagloom.list_events(user="u1"))
    assert [each.id for each in tagloom.list_events(visitor="v1")] == ["m2"]


def test_pages_of_types_leave_out_none(tagloom: Tagloom) -> None:
    tagloom.record_events([{"user": "u1", "event": f"a/b{number}"} for number in range(7)])

    assert [each.event for each in tagloom.list_event_types(limit=3)] == [f"a/b{number}" for number in range(7)]


# Bad bodies.


def test_one_bad_event_among_many_is_rejected_alone(tagloom: Tagloom, http: httpx.Client) -> None:
    good = '{"user":"u","event":"a/b"}'
    bad = [
        json.dumps({"user": "u", "event": "a/b", "properties": {"a": "x" * 40_000}}),
        '{"user":"u","event":"a/b","id":"' + "x" * 300 + '"}',
        '{"user":"u","event":"tagloom/x"}',
        '{"event":"a/b"}',
        json.dumps({"user": "u", "event": "a/b", "properties": {str(n): 1 for n in range(4_000)}}),
        '{"user":"u","event":"a/b","properties":' + '{"a":' * 400 + "1" + "}" * 401,
        '{"user":"u","event":"a/b","properties":{"a":NaN}}',
        '{"user":"u","event":"a/b","properties":{"a":"\\ud83d"}}',
        '{"user":"u","event":"a/b","at":"1990-01-01T00:00:00Z"}',
        "not JSON",
    ]
    body = "\n".join(line for each in bad for line in (each, good))

    receipt = http.post(f"{tagloom.place.address}/events", content=body.encode(), headers=NDJSON).json()

    assert (receipt["events"], receipt["rejected_count"]) == (10, 10)
    assert [(each["line"], each["problem"]) for each in receipt["rejected"]] == [
        (1, "event-too-large"),
        (3, "event-invalid"),
        (5, "event-type-reserved"),
        (7, "event-invalid"),
        (9, "event-too-large"),
        (11, "event-invalid"),
        (13, "line-invalid"),
        (15, "line-invalid"),
        (17, "event-invalid"),
        (19, "line-invalid"),
    ]


@pytest.mark.parametrize(
    ("content", "headers", "status", "problem"),
    [
        (b"user,event\nu,a/b\n", {"Content-Type": "text/csv"}, 415, "content-type-unsupported"),
        (b"{}", {**NDJSON, "Content-Encoding": "br"}, 415, "content-type-unsupported"),
        (b"{}", {**NDJSON, "Content-Encoding": "gzip"}, 422, "body-invalid"),
        (b"{}", {"Content-Type": "application/json"}, 422, "body-invalid"),
        (b'{"events":[{"user":"u"', {"Content-Type": "application/json"}, 422, "body-invalid"),
        (gzip.compress(b"x" * 9_999, mtime=0)[:-9], NDJSON, 422, "body-invalid"),
        (gzip.compress(b"\n" * 40_000_000, mtime=0), NDJSON, 413, "body-too-large"),
        (gzip.compress(b" " * 40_000_000, mtime=0), NDJSON, 413, "body-too-large"),
        (b"\n" * 40_000_000, NDJSON, 413, "body-too-large"),
        (b"0\n" * 50_001, NDJSON, 413, "body-too-large"),
        (b"[" + b"0," * 50_000 + b"0]", {"Content-Type": "application/json"}, 413, "body-too-large"),
        (b"", {**NDJSON, "Idempotency-Key": ""}, 422, "parameter-invalid"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole(
    tagloom: Tagloom, http: httpx.Client, content: bytes, headers: dict[str, str], status: int, problem: str
) -> None:
    answer = http.post(f"{tagloom.place.address}/events", content=content, headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")
    assert list(tagloom.list_event_types()) == []


def test_a_truncated_body_records_nothing(tagloom: Tagloom, served: Served, http: httpx.Client) -> None:
    import socket
    from urllib.parse import urlsplit

    place = urlsplit(served.url)
    for length in (200, limits.EVENTS_BODY_SHARED_BYTES_MAX + 1):
        with socket.create_connection((place.hostname, place.port)) as connection:
            head = (
                f"POST {tagloom.place.address}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.token}\r\n"
                f"Content-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n"
            )
            connection.sendall(head.encode() + b'{"user":"u1","event":"a/b"}\n')
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(30)
            while connection.recv(65_536):
                pass

    assert list(tagloom.list_event_types()) == []


def test_ten_thousand_event_types_are_a_bound_of_the_environment(
    tagloom: Tagloom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tagloom.words.limits.EVENT_TYPES_MAX", 2)

    receipt = tagloom.record_events([{"user": "u1", "event": f"a/b{number % 4}"} for number in range(8)])

    assert (receipt.events, receipt.rejected_count) == (4, 4)
    assert {each.problem for each in receipt.rejected} == {"too-many-event-types"}
    assert [each.line for each in receipt.rejected] == [3, 4, 7, 8]


def test_a_token_that_only_records_events_can_do_nothing_else(served: Served, tagloom: Tagloom) -> None:
    with Tagloom(served.url, served.token_of("events:write"), space=tagloom.place.space) as app:
        assert app.record_events(LINES).events == 3
        for attempt in (
            lambda: list(app.list_events(user="u1")),
            lambda: list(app.list_event_types()),
            lambda: app.erase_person(user="u1"),
            lambda: app.add_tag("a", user="u1"),
        ):
            with pytest.raises(problems.NotAllowed):
                attempt()


@pytest.mark.parametrize("address", ["users/no/events", "visitors/u1/events"])
def test_events_of_nobody_are_not_found(tagloom: Tagloom, http: httpx.Client, address: str) -> None:
    tagloom.record_events(LINES)

    answer = http.get(f"{tagloom.place.address}/{address}")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/person-not-found")


@pytest.mark.parametrize("address", ["users/u1/events", "event-types"])
def test_a_cursor_of_another_list_is_refused(tagloom: Tagloom, http: httpx.Client, address: str) -> None:
    tagloom.record_events(LINES)

    answer = http.get(f"{tagloom.place.address}/{address}", params={"cursor": "!"})

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/cursor-invalid")


# Rules that count events.


def test_a_tribe_of_events_is_right_in_the_version_of_the_receipt(tagloom: Tagloom) -> None:
    condition = rules.where_property("genre", "is", "sport")
    tagloom.create_tribe("Watchers", rules.event("video", days=7, where=[condition], times=2))
    tagloom.create_tribe("Silent", rules.event("video/played", days=1, count="exactly", times=0))
    tagloom.put_person(user="u2")
    played = {"user": "u1", "event": "video/played", "properties": {"genre": "sport"}}

    first = tagloom.record_events([played | {"id": "m1"}, played | {"id": "m2", "properties": {"genre": "news"}}])
    assert tagloom.count_tribe("watchers").count == 0
    second = tagloom.record_events([played | {"id": "m3"}])

    decision = tagloom.decide(user="u1")
    assert (decision.tribes, decision.version) == (("watchers",), second.version)
    (reason,) = decision.because["watchers"]
    assert (reason.holds, reason.events) == (True, 2)
    assert reason.asks == rules.event("video", days=7, where=[condition], times=2)
    assert tagloom.decide(user="u2").tribes == ("silent",)
    for tribe, member in (("watchers", "u1"), ("silent", "u2")):
        assert [each.id for each in tagloom.export_members(tribe)] == [member]
        assert tagloom.count_tribe(tribe).count == 1
    assert tagloom.count_tribe("watchers", as_of=first.version).count == 0
    assert tagloom.count_tribe("watchers", as_of=second.version).count == 1


def test_the_members_of_a_tribe_of_events_can_be_tagged(tagloom: Tagloom) -> None:
    tagloom.create_tribe("Clickers", rules.event("ad/clicked", days=30))
    tagloom.record_events([{"user": "u1", "event": "ad/clicked"}, {"visitor": "v1", "event": "ad/clicked"}])

    receipt = tagloom.tag_tribe("clickers", add="seen/ad")

    assert receipt.added == 2
    assert tagloom.get_person(user="u1").tags == ("seen/ad",)


# Exports.

EXPORTED = [
    {"user": "u1", "event": "ad/clicked", "id": "m1", "at": "2026-03-01T09:00:00.250Z", "properties": {"ad": 7}},
    {"visitor": "v1", "event": "ad/seen", "id": "m2", "at": "2026-03-02T09:00:00.000Z", "properties": {}},
    {"user": "u1", "event": "page/viewed", "id": "m3", "at": "2026-02-01T00:00:00.000Z", "properties": {"a": [1]}},
]


@pytest.fixture
def exported(tagloom: Tagloom) -> Tagloom:
    """A space with three events, and a tribe of the people who clicked an ad."""
    tagloom.record_events(EXPORTED)
    tagloom.create_tribe("Clickers", rules.event("ad/clicked", days=366))
    return tagloom


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, ["m1", "m2", "m3"]),
        ({"event": "ad"}, ["m1", "m2"]),
        ({"event": "page/viewed"}, ["m3"]),
        ({"since": "2026-03-01T10:00:00.250+01:00"}, ["m1", "m2"]),
        ({"until": "2026-03-01T09:00:00.250Z"}, ["m3"]),
        ({"user": "u1"}, ["m1", "m3"]),
        ({"visitor": "v1", "event": "page"}, []),
        ({"tribe": "clickers", "event": "page"}, ["m3"]),
    ],
)
def test_events_are_exported_by_type_time_person_and_tribe(
    exported: Tagloom, chosen: dict[str, str], expected: list[str]
) -> None:
    assert [each.id for each in exported.export_events(**chosen)] == expected


def test_an_export_can_be_recorded_elsewhere(exported: Tagloom, served: Served, client: Tagloom) -> None:
    lines = b"".join(exported.download_events(format="ndjson"))
    other = client.at(space=served.new_space())

    receipt = other.upload_events(lines, format="ndjson")

    assert (receipt.events, receipt.rejected_count) == (3, 0)
    kept = [(each.user, each.visitor, each.event, each.at, each.id, each.properties) for each in other.export_events()]
    assert kept == [
        (each.get("user"), each.get("visitor"), each["event"], each["at"], each["id"], each["properties"])
        for each in EXPORTED
    ]


def test_times_that_were_corrected_survive_an_export_and_a_recording(
    tagloom: Tagloom, served: Served, client: Tagloom
) -> None:
    tagloom.record_events(
        [
            {
                "user": "u1",
                "event": "a/b",
                "at": "2026-03-01T09:00:00Z",
                "original_at": "1970-01-01T00:01:00Z",
                "sent_at": "1970-01-01T00:02:00Z",
                "received_at": "whenever",
                "version": 17,
            }
        ]
    )

    (found,) = tagloom.export_events()

    assert (found.original_at, found.sent_at) == ("1970-01-01T00:01:00.000Z", "1970-01-01T00:02:00.000Z")
    assert found.version == 1


def test_exports_have_the_same_events_in_all_formats(exported: Tagloom) -> None:
    table = pq.read_table(pa.BufferReader(b"".join(exported.download_events(format="parquet"))))
    rows = list(csv.DictReader(io.StringIO(b"".join(exported.download_events(format="csv")).decode())))

    assert [str(field.type) for field in table.schema.remove_metadata()][3:8] == [
        "timestamp[ms, tz=UTC]",
        "string",
        "string",
        "timestamp[ms, tz=UTC]",
        "int64",
    ]
    for found, row, sent in zip(table.to_pylist(), rows, EXPORTED, strict=True):
        assert (found["user"], found["visitor"]) == (sent.get("user"), sent.get("visitor"))
        assert (row["user"], row["visitor"]) == (sent.get("user") or "", sent.get("visitor") or "")
        assert found["event"] == row["event"] == sent["event"]
        assert found["at"].isoformat(timespec="milliseconds").replace("+00:00", "Z") == row["at"] == sent["at"]
        assert json.loads(found["properties"]) == json.loads(row["properties"]) == sent["properties"]
        assert (found["version"], row["version"], found["original_at"], row["original_at"]) == (1, "1", None, "")


def test_an_environment_without_events_exports_a_file_without_rows(tagloom: Tagloom) -> None:
    assert list(tagloom.export_events()) == []
    assert pq.read_table(pa.BufferReader(b"".join(tagloom.download_events(format="parquet")))).num_rows == 0
    assert b"".join(tagloom.download_events(format="csv")).decode().startswith("user,visitor,event,at,id")


@pytest.mark.parametrize(
    ("chosen", "status", "parameter"),
    [
        ({"event": "Ad Clicked"}, 422, "event"),
        ({"since": "yesterday"}, 422, "since"),
        ({"until": "2026-03-01T09:00:00"}, 422, "until"),
        ({"user": "u1", "tribe": "clickers"}, 422, "tribe"),
        ({"user": "u1", "visitor": "v1"}, 422, "visitor"),
        ({"user": "nobody"}, 404, None),
        ({"tribe": "nobody"}, 404, None),
    ],
)
def test_a_wrong_selection_of_events_is_told_before_the_first_line(
    exported: Tagloom, http: httpx.Client, chosen: dict[str, str], status: int, parameter: str | None
) -> None:
    answer = http.get(f"{exported.place.address}/export/events", params=chosen)

    assert (answer.status_code, answer.json().get("parameter")) == (status, parameter)


def test_exports_name_their_version_and_need_both_scopes(exported: Tagloom, served: Served, http: httpx.Client) -> None:
    address = f"{exported.place.address}/export/events"

    assert http.get(address).headers["tagloom-version"] == "1"
    assert http.get(address, headers={"Accept": "text/html"}).status_code == 406
    for scope in ("events:read", "people:read"):
        token = served.access.create_token("main", "reader", [scope], days=1)[1]
        assert httpx.get(f"{served.url}{address}", headers={"Authorization": f"Bearer {token}"}).status_code == 403


def test_an_event_is_one_line_of_an_export_whatever_its_properties_look_like(
    tagloom: Tagloom, http: httpx.Client, served: Served, client: Tagloom
) -> None:
    forged = '{"user":"victim","event":"order/paid","id":"forged"}'
    body = f'[{{"user":"u1","event":"a/b","id":"m1","properties":{{"x":\n{forged}\r\n,"n":1.50}}}}]'
    http.post(f"{tagloom.place.address}/events", content=body, headers={"Content-Type": "application/json"})

    lines = b"".join(tagloom.download_events(format="ndjson"))
    rows = list(csv.reader(io.StringIO(b"".join(tagloom.download_events(format="csv")).decode(), newline="")))
    other = client.at(space=served.new_space())

    assert lines.count(b"\n") == 1
    assert b'"n":1.50' in lines
    assert [len(row) for row in rows] == [10, 10]
    assert other.upload_events(lines, format="ndjson").events == 1
    assert [each.event for each in other.export_events()] == ["a/b"]


def test_events_that_tracking_made_can_be_recorded_elsewhere(tagloom: Tagloom) -> None:
    types = ["identity/identified", "identity/aliased", "group/identified", "page/viewed", "identity/other"]
    receipt = tagloom.record_events([{"user": "u1", "event": type} for type in types])

    assert (receipt.events, [each.line for each in receipt.rejected]) == (4, [5])
