"""The tracking API at the door: keys, origins, answers, and what becomes of bad messages."""

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tagloom.engine import limits as engine_limits
from tagloom.tracking.event_sources import EventSources
from tagloom.words import limits as words_limits
from tagloom.words.event_sources import EventSourceDraft
from tagloom_client import Tagloom
from tests.http.serving import INSTALLATIONS, Served, serve

PAGE = "https://shop.example"
CLICK = {"type": "track", "userId": "u1", "event": "Ad Clicked", "messageId": "m1", "properties": {"ad": 7}}


class Source:
    """An event source of a space of its own, and the requests of its apps."""

    def __init__(self, tagloom: Tagloom, http: httpx.Client, served: Served, **settings: Any) -> None:
        self.place = tagloom.place.address
        self.http = http
        self.address = f"{self.place}/event-sources/web"
        made = http.post(f"{self.place}/event-sources", json={"id": "web", "name": "Web", **settings})
        made.raise_for_status()
        self.key: str = made.json()["write_key"]
        self.app = httpx.Client(base_url=served.url, auth=(self.key, ""))

    def attributes(self) -> dict[str, Any]:
        """The attributes of the user u1 that somebody set."""
        found = self.http.get(f"{self.place}/users/u1").json()["attributes"]
        return {name: value for name, value in found.items() if not name.startswith("$")}

    def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The recorded events, the first one first."""
        found = self.http.get(f"{self.place}/events", params={"event_source": "web"}).json()["items"]
        return [(each["event"], each["user"] or each["visitor"], each["properties"]) for each in reversed(found)]

    def rejected(self, count: int) -> list[str]:
        """The reasons of the rejected messages, once there are so many."""
        for _ in range(200):
            found = self.http.get(f"{self.address}/rejected-messages").json()["items"]
            if len(found) >= count:
                break
            time.sleep(0.05)
        return [each["reason"] for each in found]


@pytest.fixture
def make_source(tagloom: Tagloom, http: httpx.Client, served: Served) -> Iterator[Callable[..., Source]]:
    made = list[Source]()

    def make(**settings: Any) -> Source:
        made.append(Source(tagloom, http, served, **settings))
        return made[-1]

    yield make
    for each in made:
        each.app.close()


@pytest.fixture
def source(make_source: Callable[..., Source]) -> Source:
    return make_source()


def test_a_batch_is_recorded_and_a_repeat_is_not(source: Source) -> None:
    for _ in range(2):
        answer = source.app.post("/v1/batch", json={"batch": [CLICK, {**CLICK, "messageId": "m2", "type": "page"}]})
        assert (answer.status_code, answer.json()) == (200, {"success": True})

    assert source.events() == [("ad/clicked", "u1", {"ad": 7}), ("page/viewed", "u1", {"ad": 7})]


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("/v1/track", "ad/clicked"),
        ("/v1/t", "ad/clicked"),
        ("/v1/p", "page/viewed"),
        ("/v1/screen", "screen/viewed"),
        ("/v1/i", "identity/identified"),
        ("/v1/group", "group/identified"),
        ("/v1/a/", "identity/aliased"),
    ],
)
def test_a_single_message_is_recorded_at_each_address(source: Source, path: str, type: str) -> None:
    assert source.app.post(path, json=CLICK).status_code == 200

    assert [event for event, _, _ in source.events()] == [type]


KEYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "basic authentication": lambda key: {"auth": (key, "")},
    "the query": lambda key: {"params": {"writeKey": key}},
    "the body": lambda key: {"content": json.dumps({**CLICK, "writeKey": key})},
    "a compressed body": lambda key: {"content": gzip.compress(json.dumps({**CLICK, "writeKey": key}).encode())},
    "a body that says it is a form": lambda key: {
        "content": gzip.compress(json.dumps({**CLICK, "writeKey": key}).encode()),
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    },
}


@pytest.mark.parametrize("where", KEYS)
def test_the_key_is_found_wherever_libraries_put_it(source: Source, served: Served, where: str) -> None:
    request = {"content": json.dumps(CLICK), **KEYS[where](source.key)}

    answer = httpx.post(f"{served.url}/v1/track", **request)

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert len(source.events()) == 1


@pytest.mark.parametrize("key", ["", "tw_unknown", "\x00", "a" * 500])
def test_a_request_without_a_valid_key_is_refused(served: Served, key: str) -> None:
    answer = httpx.post(f"{served.url}/v1/track", json=CLICK, auth=(key, ""))

    assert answer.status_code == 401
    assert answer.json()["success"] is False
    assert answer.json()["code"] == "write-key-unknown"
    assert "write key" in answer.json()["message"]


def test_a_token_is_no_write_key(served: Served) -> None:
    answer = httpx.post(f"{served.url}/v1/track", json=CLICK, headers={"Authorization": f"Bearer {served.token}"})

    assert answer.status_code == 401


def test_a_replaced_key_and_a_deleted_source_send_no_more(source: Source) -> None:
    new = source.http.post(f"{source.address}/write-key").json()["write_key"]
    assert source.app.post("/v1/track", json=CLICK).status_code == 401
    assert source.app.post("/v1/track", json=CLICK, auth=(new, "")).status_code == 200

    source.http.delete(source.address).raise_for_status()

    assert source.app.post("/v1/track", json=CLICK, auth=(new, "")).status_code == 401


def test_a_secret_key_sends_larger_bodies_until_it_is_revoked(source: Source) -> None:
    key = source.http.post(f"{source.address}/secret-key").json()["secret_key"]
    messages = [{**CLICK, "messageId": str(number), "properties": {"text": "a" * 30_000}} for number in range(20)]

    refused = source.app.post("/v1/batch", json={"batch": messages})
    assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")
    assert source.app.post("/v1/batch", json={"batch": messages}, auth=(key, "")).status_code == 200
    assert len(source.events()) == 20

    source.http.delete(f"{source.address}/secret-key").raise_for_status()
    assert source.app.post("/v1/batch", json={"batch": messages}, auth=(key, "")).status_code == 401


def test_pages_of_all_origins_can_send(source: Source) -> None:
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,anonymousid,sentat,rsa-version",
    }

    preflight = httpx.options(source.app.base_url.join("/v1/batch"), headers=asked)
    answer = source.app.post("/v1/track", json=CLICK, headers={"Origin": PAGE})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert preflight.headers["access-control-allow-headers"] == asked["Access-Control-Request-Headers"]
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)


def test_origins_are_compared_as_browsers_send_them(make_source: Callable[..., Source]) -> None:
    source = make_source(origins=["HTTPS://Shop.Example:443/", "http://localhost:80", "capacitor://localhost", "null"])

    found = source.http.get(source.address).json()["origins"]

    assert found == ["https://shop.example", "http://localhost", "capacitor://localhost", "null"]


def test_a_source_with_origins_takes_events_of_no_other_page(make_source: Callable[..., Source]) -> None:
    source = make_source(origins=[PAGE])
    key = source.http.post(f"{source.address}/secret-key").json()["secret_key"]

    def status_from(origin: str | None, **request: Any) -> int:
        headers = {} if origin is None else {"Origin": origin}
        return source.app.post("/v1/track", json=CLICK, headers=headers, **request).status_code

    assert status_from("https://evil.example") == 403
    assert source.events() == []
    assert source.rejected(1) == ["page-origin-refused"]
    assert [status_from(PAGE), status_from(None), status_from("https://evil.example", auth=(key, ""))] == [200] * 3


def test_a_bad_message_is_shown_with_its_reason_and_the_others_are_recorded(source: Source) -> None:
    bad = [{**CLICK, "userId": None}, {**CLICK, "properties": {"a": "b" * 40_000}}, {**CLICK, "userId": "a" * 300}]

    answer = source.app.post("/v1/batch", json={"batch": [bad[0], CLICK, *bad[1:]]})

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert len(source.events()) == 1
    assert source.rejected(3) == ["person-id-invalid", "message-too-large", "message-invalid"]


IDENTIFY = {"type": "identify", "userId": "u1", "messageId": "i1", "traits": {"plan": "gold", "company": {"size": 3}}}


def test_the_traits_of_a_message_are_attributes_of_the_person(source: Source) -> None:
    source.app.post("/v1/batch", json={"batch": [IDENTIFY, {**IDENTIFY, "userId": None, "anonymousId": "v1"}]})
    source.app.post(
        "/v1/identify", json={"userId": "u1", "traits": {"plan": None, "vip": True, "company": {"size": 4}}}
    )

    assert source.attributes() == {"company.size": 4, "vip": True}
    assert source.events()[0] == ("identity/identified", "u1", IDENTIFY["traits"])


def test_traits_are_set_by_a_version_that_can_be_undone(source: Source, tagloom: Tagloom) -> None:
    source.app.post("/v1/batch", json={"batch": [IDENTIFY]})
    source.app.post("/v1/batch", json={"batch": [{**IDENTIFY, "messageId": "i2"}, CLICK]})

    (change,) = tagloom.list_changes()
    assert (change.action, change.actor, change.attributes, change.events) == ("identify", "source web", 2, 0)
    tagloom.undo(change.version)
    assert source.attributes() == {}
    assert len(source.events()) == 3


def test_a_repeated_message_sets_no_trait_again(source: Source) -> None:
    source.app.post("/v1/batch", json={"batch": [IDENTIFY]})
    source.app.post("/v1/identify", json={"userId": "u1", "traits": {"plan": "silver"}})
    source.app.post("/v1/batch", json={"batch": [IDENTIFY]})

    assert source.http.get(f"{source.place}/users/u1").json()["attributes"]["plan"] == "silver"


def test_a_trait_that_cannot_be_set_is_shown_and_the_others_are_set(source: Source) -> None:
    source.app.post("/v1/batch", json={"batch": [IDENTIFY]})
    traits = {"plan": 5, "company": {"size": 9}, "friends": [{"id": 1}], "": "x", **{f"n{n}": n for n in range(210)}}
    source.app.post("/v1/batch", json={"batch": [CLICK, {"type": "identify", "userId": "u1", "traits": traits}]})

    attributes = source.attributes()
    assert (attributes["plan"], attributes["company.size"], len(attributes)) == ("gold", 9, 198)
    assert sorted(source.rejected(4)) == [
        "attribute-name-invalid",
        "attribute-type-conflict",
        "attribute-value-invalid",
        "too-many-attributes",
    ]
    assert len(source.events()) == 3


def test_traits_leave_attributes_for_the_platform(
    source: Source, tagloom: Tagloom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words_limits, "ATTRIBUTES_OF_SOURCES_MAX", 1)
    source.app.post("/v1/batch", json={"batch": [IDENTIFY]})

    assert source.attributes() == {"plan": "gold"}
    assert source.rejected(1) == ["too-many-attributes"]
    assert tagloom.set_attributes({"age": 3}, user="u1").new_attributes == 1


def test_ignored_properties_are_no_attributes(make_source: Callable[..., Source]) -> None:
    source = make_source(ignored_properties=["plan"])
    source.app.post("/v1/batch", json={"batch": [IDENTIFY]})

    assert source.attributes() == {"company.size": 3}


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\x1f\x8bnonsense"])
def test_a_body_that_cannot_be_read_is_refused_whole(source: Source, body: bytes) -> None:
    answer = source.app.post("/v1/batch", content=body)

    assert (answer.status_code, answer.json()["success"], answer.json()["code"]) == (400, False, "body-invalid")


def test_a_body_that_cannot_be_read_is_shown_among_the_rejected_messages(source: Source) -> None:
    source.app.post("/v1/track", content=b'{"userId":"u1","event":"Ad \\ud83d"}')

    assert source.rejected(1) == ["body-invalid"]


def test_an_erasure_deletes_the_rejected_messages_about_the_person(source: Source) -> None:
    nameless = {**CLICK, "event": ""}
    source.app.post("/v1/batch", json={"batch": [CLICK, nameless, {**nameless, "userId": "u2"}]})
    assert len(source.rejected(2)) == 2

    source.http.delete(f"{source.place}/users/u1").raise_for_status()

    left = source.http.get(f"{source.address}/rejected-messages").json()["items"]
    assert ["u2" in each["message"] and "u1" not in each["message"] for each in left] == [True]


def test_keys_and_ignored_properties_are_not_among_the_rejected_messages(make_source: Callable[..., Source]) -> None:
    source = make_source(ignored_properties=["password"])
    key = source.http.post(f"{source.address}/secret-key").json()["secret_key"]
    message = {"writeKey": key, "userId": "null", "event": "Foo", "properties": {"password": "hunter2"}}
    httpx.post(source.app.base_url.join("/v1/track"), json=message)
    httpx.get(source.app.base_url.join("/pixel/v1/track"), params={"writeKey": key, "event": "x"})

    assert len(source.rejected(2)) == 2
    shown = source.http.get(f"{source.address}/rejected-messages").text
    assert key not in shown
    assert "hunter2" not in shown


def test_sources_leave_event_types_for_the_platform(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words_limits, "EVENT_TYPES_OF_SOURCES_MAX", 1)
    names = [{**CLICK, "event": f"Name {number}", "messageId": f"m{number}"} for number in (1, 2)]

    source.app.post("/v1/batch", json={"batch": [*names, {"type": "page", "userId": "u1"}]})

    assert [type for type, _, _ in source.events()] == ["name/1", "page/viewed"]
    assert source.rejected(1) == ["too-many-event-types"]


def test_a_compressed_body_that_grows_too_large_is_refused(source: Source) -> None:
    bomb = gzip.compress(b'{"batch":[' + b" " * 50_000_000 + b"]}")

    assert source.app.post("/v1/batch", content=bomb).status_code == 413


def test_an_address_tells_the_methods_that_it_takes(source: Source) -> None:
    assert source.app.get("/v1/batch").status_code == 405
    assert source.app.get("/v1/batch").headers["allow"] == "POST"
    assert source.app.post("/pixel/v1/track").status_code == 405


def test_pixels_record_a_message_of_the_query(source: Source) -> None:
    data = base64.urlsafe_b64encode(json.dumps({"anonymousId": "v1", "event": "Mail Opened"}).encode()).decode()
    fields = {"userId": "u1", "name": "Letter", "properties.mail.id": "m7"}

    answers = [
        source.app.get("/pixel/v1/track", params={"writeKey": source.key, "data": data.rstrip("=")}),
        source.app.get("/pixel/v1/page", params={"writeKey": source.key, **fields}),
    ]

    assert [(each.status_code, each.headers["content-type"]) for each in answers] == [(200, "image/gif")] * 2
    page = {"mail": {"id": "m7"}, "name": "Letter"}
    assert source.events() == [("mail/opened", "v1", {}), ("page/viewed", "u1", page)]
    for wrong in ({"data": "%%%"}, {"data": "😀"}, {"a": "1", "a.b": "2"}, {".".join("a" * 50): "1"}):
        assert source.app.get("/pixel/v1/track", params=wrong).status_code == 400


def test_a_question_for_the_headers_of_a_pixel_records_nothing(source: Source) -> None:
    answer = source.app.head("/pixel/v1/track", params={"userId": "u1", "event": "Mail Opened"})

    assert (answer.status_code, answer.content, source.events()) == (200, b"", [])


def test_beacons_and_telemetry_are_answered(source: Source, served: Served) -> None:
    beacon = httpx.post(
        f"{served.url}/beacon/v1/batch?writeKey={source.key}",
        content=json.dumps({"batch": [CLICK]}),
        headers={"Content-Type": "text/plain"},
    )

    assert beacon.status_code == 200
    assert len(source.events()) == 1
    assert [httpx.post(f"{served.url}{path}", content=b"x").status_code for path in ("/v1/m", "/rsaMetrics")] == [
        204
    ] * 2


def test_settings_tell_libraries_where_to_send(source: Source, served: Served) -> None:
    segment = httpx.get(f"{served.url}/v1/projects/{source.key}/settings").json()
    older = httpx.get(f"{served.url}/projects/{source.key}/settings").json()
    rudderstack = source.app.get("/sourceConfig/").json()

    settings = segment["integrations"]["Segment.io"]
    assert f"{settings['protocol']}://{settings['apiHost']}" == f"{served.url}/v1"
    assert (settings["apiKey"], older) == (source.key, segment)
    assert rudderstack["source"]["writeKey"] == source.key
    assert httpx.get(f"{served.url}/v1/projects/tw_unknown/settings").status_code == 401
    assert httpx.get(f"{served.url}/sourceConfig/?writeKey=tw_unknown").status_code == 401


def test_a_source_names_types_and_ignores_properties(make_source: Callable[..., Source]) -> None:
    source = make_source(event_types={"Ad Clicked": "banner/clicked"}, ignored_properties=["email"])

    source.app.post("/v1/track", json={**CLICK, "properties": {"ad": 7, "email": "a@b.example"}})

    assert source.events() == [("banner/clicked", "u1", {"ad": 7})]


def test_events_of_other_writers_are_not_those_of_the_source(source: Source, tagloom: Tagloom) -> None:
    source.app.post("/v1/track", json=CLICK)
    tagloom.record_events([{"user": "u2", "event": "a/b"}])

    everything = source.http.get(f"{source.place}/events").json()
    assert [each["event"] for each in everything["items"]] == ["a/b", "ad/clicked"]
    assert [event for event, _, _ in source.events()] == ["ad/clicked"]
    assert source.http.get(f"{source.place}/events", params={"event_source": "app"}).status_code == 404
    first = source.http.get(f"{source.place}/events", params={"limit": 1}).json()
    assert [each["event"] for each in first["items"]] == ["a/b"]
    second = source.http.get(f"{source.place}/events", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [each["event"] for each in second["items"]] == ["ad/clicked"]


def test_the_receipt_of_a_message_is_a_version_of_its_source(source: Source, tagloom: Tagloom) -> None:
    source.app.post("/v1/track", json=CLICK)

    (change,) = tagloom.list_changes(action="events")
    assert (change.actor, change.source, change.events) == ("source web", "tracking", 1)


def test_an_overload_is_told_with_the_time_to_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installation = INSTALLATIONS["sqlite"](tmp_path / "data")
    environment = installation.control.get_environment("main", "production")
    draft = EventSourceDraft(name="Web")
    key = EventSources(installation.control).create_source(environment, "web", draft, by="ada").write_key
    for url in serve(installation):
        monkeypatch.setattr(engine_limits, "WRITERS_WAITING_MAX", 0)
        answer = httpx.post(f"{url}/v1/track", json=CLICK, auth=(key, ""))
    installation.close()

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert (answer.json()["success"], answer.json()["code"]) == (False, "too-many-writes")
