"""Event sources through the clients: settings, keys, recent events, rejected messages, refusals."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tagloom_client import AsyncTagloom, EventSource, ProblemError, Retries, Tagloom, problems
from tests.http.serving import STRANGERS, Served, plain_client

TYPES = {"Order Completed": "order/completed"}


def send(served: Served, key: str, *, origin: str | None = None, **message: Any) -> httpx.Response:
    """Sends a `track` call, as the client libraries do."""
    headers = {} if origin is None else {"Origin": origin}
    with plain_client(served.url) as app:
        return app.post("/v1/track", json=message, auth=(key, ""), headers=headers)


def test_an_event_source_is_created_read_changed_and_deleted(tagloom: Tagloom) -> None:
    created = tagloom.create_event_source(
        "web", "Web shop", origins=["https://Shop.example/"], event_types=TYPES, ignored_properties=["email"]
    )

    assert created.write_key.startswith("tw_")
    assert (created.name, created.origins, created.revision) == ("Web shop", ("https://shop.example",), 1)
    assert (created.event_types, created.ignored_properties) == (TYPES, ("email",))
    assert tagloom.get_event_source("web") == created
    changed = tagloom.put_event_source("web", "Shop", revision=1)
    assert (changed.name, changed.origins, changed.event_types, changed.revision) == ("Shop", (), {}, 2)
    assert (changed.write_key, changed.created_at) == (created.write_key, created.created_at)
    assert tagloom.put_event_source("web", "Shop 3").revision == 3
    tagloom.delete_event_source("web")
    assert list(tagloom.list_event_sources()) == []


def test_event_sources_are_listed_by_id_in_pages_and_belong_to_one_environment(tagloom: Tagloom) -> None:
    for id in ("web", "ios", "android"):
        tagloom.create_event_source(id, id.upper())

    assert [each.id for each in tagloom.list_event_sources(limit=2)] == ["android", "ios", "web"]
    assert list(tagloom.at(environment="staging").list_event_sources()) == []


@pytest.mark.parametrize(
    ("ask", "status", "name"),
    [
        (lambda client: client.get_event_source("nope"), 404, "event-source-not-found"),
        (lambda client: client.put_event_source("nope", "Nope"), 404, "event-source-not-found"),
        (lambda client: client.delete_event_source("nope"), 404, "event-source-not-found"),
        (lambda client: client.replace_write_key("nope"), 404, "event-source-not-found"),
        (lambda client: client.create_secret_key("nope"), 404, "event-source-not-found"),
        (lambda client: client.revoke_secret_key("nope"), 404, "event-source-not-found"),
        (lambda client: client.list_rejected_messages("nope"), 404, "event-source-not-found"),
        (lambda client: list(client.list_recent_events(event_source="nope")), 404, "event-source-not-found"),
        (lambda client: client.create_event_source("web", "Again"), 409, "event-source-exists"),
        (lambda client: client.put_event_source("web", "Web", revision=7), 412, "event-source-changed"),
    ],
)
def test_what_does_not_fit_the_stored_event_sources_is_refused(
    tagloom: Tagloom, ask: Callable[[Tagloom], object], status: int, name: str
) -> None:
    stored = tagloom.create_event_source("web", "Web")

    with pytest.raises(ProblemError) as caught:
        ask(tagloom)

    assert (caught.value.status, caught.value.name) == (status, name)
    assert list(tagloom.list_event_sources()) == [stored]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"origins": ["shop.example"]}, "$.origins"),
        ({"origins": ["https://shop.example/cart"]}, "$.origins"),
        ({"origins": [f"https://s{number}.example" for number in range(51)]}, "$.origins"),
        ({"event_types": {"Signed In": "identity/linked"}}, "$.event_types"),
        ({"event_types": {"": "a/b"}}, "$.event_types"),
        ({"event_types": {"Signed In": "signed-in"}}, "$.event_types"),
        ({"ignored_properties": [""]}, "$.ignored_properties"),
    ],
)
def test_invalid_settings_are_refused_with_their_field(tagloom: Tagloom, settings: dict[str, Any], field: str) -> None:
    tagloom.create_event_source("web", "Web")

    for write in (tagloom.create_event_source, tagloom.put_event_source):
        with pytest.raises(problems.Invalid) as caught:
            write("ios" if write == tagloom.create_event_source else "web", "Name", **settings)
        assert caught.value.members["field"] == field

    assert [(each.id, each.revision) for each in tagloom.list_event_sources()] == [("web", 1)]


@pytest.mark.parametrize("id", ["", "Web", "web shop", "a" * 200])
def test_an_id_that_is_no_slug_is_refused(tagloom: Tagloom, id: str) -> None:
    with pytest.raises(problems.Invalid):
        tagloom.create_event_source(id, "Web")


def test_settings_are_not_replaced_without_if_match(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.create_event_source("web", "Web")

    answer = http.put(f"{tagloom.place.address}/event-sources/web", json={"name": "Shop"})

    assert (answer.status_code, tagloom.get_event_source("web").revision) == (428, 1)


def test_each_request_needs_its_scopes(served: Served, tagloom: Tagloom) -> None:
    tagloom.create_event_source("web", "Web")

    def client(*scopes: Any) -> Tagloom:
        return Tagloom(served.url, served.token_of(*scopes), space=tagloom.place.space, retries=Retries(tries=1))

    with client("events:read") as reader:
        assert [each.id for each in reader.list_event_sources()] == ["web"]
        for ask in (
            lambda: reader.create_event_source("ios", "iOS"),
            lambda: reader.put_event_source("web", "Shop"),
            lambda: reader.delete_event_source("web"),
            lambda: reader.replace_write_key("web"),
            lambda: reader.create_secret_key("web"),
            lambda: reader.revoke_secret_key("web"),
            lambda: reader.list_rejected_messages("web"),
            lambda: list(reader.list_recent_events()),
        ):
            with pytest.raises(problems.NotAllowed):
                ask()
    with client("events:write") as writer, pytest.raises(problems.NotAllowed):
        writer.get_event_source("web")
    with client("events:read", "people:read") as reader:
        assert (reader.list_rejected_messages("web"), list(reader.list_recent_events())) == ((), [])


def test_event_sources_of_another_organization_are_not_found(served: Served, tagloom: Tagloom) -> None:
    tagloom.create_event_source("web", "Web")
    secret = served.token_of("admin", organization=STRANGERS)

    with Tagloom(served.url, secret, space=tagloom.place.space) as stranger, pytest.raises(problems.NotFound):
        stranger.get_event_source("web")


def test_events_that_an_app_sends_are_listed_with_their_people(served: Served, tagloom: Tagloom) -> None:
    web, ios = tagloom.create_event_source("web", "Web"), tagloom.create_event_source("ios", "iOS")
    sent = send(served, web.write_key, userId="u1", event="Order Completed", messageId="m1", properties={"total": 7})
    assert (sent.status_code, sent.json()) == (200, {"success": True})
    assert send(served, ios.write_key, anonymousId="v1", event="App Opened", messageId="m2").status_code == 200
    tagloom.record_events([{"user": "u2", "event": "ad/clicked", "id": "m3"}])

    found = list(tagloom.list_recent_events(limit=1))

    people = [(each.id, each.user, each.visitor) for each in found]
    assert people == [("m3", "u2", None), ("m2", None, "v1"), ("m1", "u1", None)]
    assert found[2].properties == {"total": 7}
    assert list(tagloom.list_recent_events(event_source="web")) == [found[2]]
    assert list(tagloom.list_recent_events(event_source="ios")) == [found[1]]
    assert list(tagloom.at(environment="staging").list_recent_events()) == []


def test_a_replaced_write_key_sends_nothing_more(served: Served, tagloom: Tagloom) -> None:
    created = tagloom.create_event_source("web", "Web")
    assert send(served, created.write_key, userId="u1", event="A B").status_code == 200

    changed = tagloom.replace_write_key("web")

    assert (changed.revision, changed.write_key != created.write_key) == (2, True)
    assert send(served, created.write_key, userId="u1", event="A B").status_code == 401
    assert send(served, changed.write_key, userId="u1", event="A B").status_code == 200
    tagloom.delete_event_source("web")
    assert send(served, changed.write_key, userId="u1", event="A B").status_code == 401
    assert len(list(tagloom.list_recent_events())) == 2


def test_a_secret_key_sends_until_it_is_replaced_or_revoked(served: Served, tagloom: Tagloom) -> None:
    tagloom.create_event_source("web", "Web", origins=["https://shop.example"])
    first = tagloom.create_secret_key("web")
    assert first.startswith("ts_")
    assert tagloom.get_event_source("web").has_secret_key
    assert send(served, first, userId="u1", event="A B", origin="https://other.example").status_code == 200

    second = tagloom.create_secret_key("web")
    assert [send(served, key, userId="u1", event="A B").status_code for key in (first, second)] == [401, 200]
    assert tagloom.put_event_source("web", "Shop").has_secret_key

    tagloom.revoke_secret_key("web")
    tagloom.revoke_secret_key("web")
    assert send(served, second, userId="u1", event="A B").status_code == 401
    assert not tagloom.get_event_source("web").has_secret_key


def test_rejected_messages_are_listed_the_newest_first(served: Served, tagloom: Tagloom) -> None:
    web = tagloom.create_event_source("web", "Web")
    for number in range(3):
        send(served, web.write_key, userId="u1", messageId=f"m{number}", properties={"number": number})

    deadline = time.monotonic() + 20
    while len(found := tagloom.list_rejected_messages("web")) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)

    assert [f'"m{number}"' in each.message for number, each in zip((2, 1, 0), found, strict=True)] == [True] * 3
    assert {each.source for each in found} == {"web"}
    assert all(each.reason and each.detail for each in found)
    assert tagloom.list_rejected_messages("web", limit=2) == found[:2]
    assert tagloom.list_rejected_messages("web", before=found[1].id) == found[2:]


def test_the_async_client_does_the_same(served: Served) -> None:
    async def use() -> None:
        async with AsyncTagloom(served.url, served.token, space=served.new_space()) as tagloom:
            created = await tagloom.create_event_source("web", "Web")
            assert [each async for each in tagloom.list_event_sources()] == [created]
            changed: EventSource = await tagloom.put_event_source("web", "Shop", revision=created.revision)
            assert await tagloom.get_event_source("web") == changed
            assert (await tagloom.replace_write_key("web")).revision == 3
            assert (await tagloom.create_secret_key("web")).startswith("ts_")
            await tagloom.revoke_secret_key("web")
            assert await tagloom.list_rejected_messages("web") == ()
            await tagloom.record_events([{"user": "u1", "event": "a/b"}])
            assert [each.user async for each in tagloom.list_recent_events()] == ["u1"]
            assert [each async for each in tagloom.list_recent_events(event_source="web")] == []
            await tagloom.delete_event_source("web")

    asyncio.run(use())


def test_ids_that_no_source_can_have_are_not_found(tagloom: Tagloom, http: httpx.Client) -> None:
    sources = f"{tagloom.place.address}/event-sources"

    assert [http.get(f"{sources}/{id}").status_code for id in ("%00", "%F0%9F%98%80", "Web")] == [404] * 3
    assert http.get(f"{tagloom.place.address}/events", params={"event_source": "\x00"}).status_code == 404
    http.post(sources, json={"id": "web", "name": "Web"}).raise_for_status()
    assert http.get(f"{sources}/web/rejected-messages", params={"before": 2**40}).status_code == 200
    assert http.get(f"{sources}/web/rejected-messages", params={"before": 2**60}).status_code == 422
