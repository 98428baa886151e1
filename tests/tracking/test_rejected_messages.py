"""Rejected messages: bounded for each source, without secrets, and not longer than needed."""

import json

import pytest
from msgspec.structs import replace

from tagloom.ports.event_sources import RejectedIn
from tagloom.ports.problems import StoreUnavailable
from tagloom.stores.memory import MemoryControl
from tagloom.tracking import limits
from tagloom.tracking.rejected_messages import RejectedMessages, shown_message
from tagloom.words.event_sources import EventSource, RejectedMessage
from tagloom.words.people import Person
from tagloom.words.tenants import Organization, Space

AT = "2026-03-01T09:00:00Z"
NOW = 1_772_355_600.0


class Store(MemoryControl):
    """A store that can be away."""

    is_away = False

    def add_rejected_messages(self, rejected: object) -> None:
        if self.is_away:
            raise StoreUnavailable("It is away.")
        super().add_rejected_messages(rejected)  # type: ignore[arg-type]


@pytest.fixture
def store() -> Store:
    made = Store()
    made.put_organization(Organization("acme", "Acme"))
    made.put_space(Space("shop", "acme", "Shop"))
    for id in ("web", "app"):
        key = made.get_environment("shop", "production").key
        made.add_event_source(key, EventSource(id=id, name=id, write_key=f"tw_{id}", created_at=AT))
    return made


def key_of(store: Store) -> int:
    return store.get_environment("shop", "production").key


def rejected(store: Store, message: str, source: str = "web", at: str = AT) -> RejectedIn:
    found = RejectedMessage(source=source, at=at, reason="message-invalid", detail="It is bad.", message=message)
    return RejectedIn(key_of(store), found)


def messages(store: Store, source: str = "web") -> list[str]:
    return [each.message for each in store.list_rejected_messages(key_of(store), source, limit=9)]


def test_of_each_source_the_newest_messages_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REJECTED_MESSAGES_WAITING_MAX", 2)
    job = RejectedMessages(store, lambda: NOW)
    job.add(rejected(store, "of the app", "app"))
    for text in "abc":
        job.add(rejected(store, text))

    job.flush()

    assert (messages(store), messages(store, "app")) == (["c", "b"], ["of the app"])


def test_messages_wait_while_the_store_is_away(store: Store) -> None:
    job = RejectedMessages(store, lambda: NOW)
    job.add(rejected(store, "a"))
    store.is_away = True
    with pytest.raises(StoreUnavailable):
        job.flush()
    job.add(rejected(store, "b"))

    store.is_away = False
    job.stop()

    assert messages(store) == ["b", "a"]


def test_messages_are_deleted_after_some_days(store: Store) -> None:
    job = RejectedMessages(store, lambda: NOW)
    job.add(rejected(store, "old", at="2026-02-22T08:59:59Z"))
    job.add(rejected(store, "new", at="2026-02-22T09:00:00Z"))

    job.flush()

    assert messages(store) == ["new"]


@pytest.mark.parametrize("id", ["eraseme", 'quo"te', "über/ü", "back\\slash", "u1"])
def test_messages_about_a_person_are_deleted_also_those_that_wait(store: Store, id: str) -> None:
    job = RejectedMessages(store, lambda: NOW)

    def add(message: str, source: str = "web") -> None:
        shown = shown_message(message.encode(), frozenset())
        found = rejected(store, shown.text, source)
        job.add(found._replace(message=replace(found.message, ids=shown.ids)))

    for is_ascii in (True, False):
        add(json.dumps({"userId": id}, ensure_ascii=is_ascii))
    add(json.dumps({"userId": "u10"}))
    job.flush()
    add(json.dumps({"anonymousId": id}), "app")
    add(f"no JSON of {id}", "app")

    job.delete_about(key_of(store), [Person("user", id)])

    assert (messages(store), messages(store, "app")) == (['{"userId": "u10"}'], [])


@pytest.mark.parametrize(
    "message",
    [
        '{"writeKey":"WRONG one","event":""}',
        '{"writeKey" : "ts_0123456789012345678901234567890123456789012","event":""}',
        '{"event":"ts_0123456789012345678901234567890123456789012"}',
        '{"writeKey":"cut off',
    ],
)
def test_no_key_is_shown(message: str) -> None:
    shown = shown_message(message.encode(), frozenset()).text

    assert "(key)" in shown
    assert not any(secret in shown for secret in ("ts_", "WRONG", "cut off"))


def test_ignored_properties_are_not_shown() -> None:
    inside = {"properties": {"email": "a@b.example", "ad": 7}, "context": {"traits": {"email": "a@b.example"}}}

    for message in (inside, {"batch": [inside, 5]}):
        shown = shown_message(json.dumps(message).encode(), frozenset({"email"})).text
        assert "a@b.example" not in shown
        assert '"ad":7' in shown
    assert shown_message(b'{"properties":{"email":"a@b.example"}', frozenset({"email"})).text == ""


def test_messages_of_many_levels_are_shown_and_fail_nothing() -> None:
    deep = b'{"batch":' + b'{"batch":' * 5_000 + b"1" + b"}" * 5_001

    assert shown_message(deep, frozenset({"email"})) == ("", ())
    assert shown_message(deep, frozenset()).text.startswith('{"batch":{"batch":')


def test_the_ids_of_people_are_found_however_they_are_written() -> None:
    body = b'{"batch":[{"userId":"acme\\/42"},{"anonymousId":"o\\u0027brien","previousId":7},5],"userId":"\\u00E9"}'

    assert shown_message(body, frozenset()).ids == ("é", "acme/42", "o'brien", "7")


def test_controls_are_escaped_and_the_text_is_bounded() -> None:
    shown = shown_message(b"\x00\xff\xe2\x80\xa8" + "ü".encode() * 5_000, frozenset()).text

    assert shown.startswith("\\x00\ufffd\\u2028ü")
    assert len(shown) <= limits.REJECTED_MESSAGE_CHARACTERS_MAX
