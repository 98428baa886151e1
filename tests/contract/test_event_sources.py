"""Event sources and their rejected messages, as every store must keep them."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tagloom.ports import limits
from tagloom.ports.control import Control
from tagloom.ports.event_sources import KeyOwner, RejectedIn
from tagloom.ports.problems import (
    EventSourceChanged,
    EventSourceExists,
    EventSourceNotFound,
    IdentitySecretNotFound,
    TooManyEventSources,
    TooManyIdentitySecrets,
)
from tagloom.words.accounts import AuditEntry
from tagloom.words.event_sources import EventSource, NewIdentitySecret, RejectedMessage
from tagloom.words.tenants import Organization, Space
from tests.contract.conftest import ADAPTERS, make_control

CREATED = "2026-03-01T09:00:00Z"
WEB = EventSource(
    id="web",
    name="Web shop",
    write_key="tw_web",
    created_at=CREATED,
    origins=("https://shop.example",),
    event_types={"Checkout Done": "order/placed"},
    ignored_properties=("email",),
)
APP = EventSource(id="app", name="App", write_key="tw_app", created_at=CREATED)
HASH = b"h" * 32


@pytest.fixture(params=ADAPTERS)
def control(request: pytest.FixtureRequest, tmp_path: Path) -> Control:
    made = make_control(request.param, tmp_path)
    made.put_organization(Organization("acme", "Acme"))
    made.put_space(Space("shop", "acme", "Shop"))
    return made


@pytest.fixture
def key(control: Control) -> int:
    return control.get_environment("shop", "production").key


def message(text: str, source: str = "web") -> RejectedMessage:
    return RejectedMessage(source=source, at=CREATED, reason="message-invalid", detail="It is bad.", message=text)


def test_a_source_is_kept_as_it_was_given_and_listed_by_id(control: Control, key: int) -> None:
    created = AuditEntry(organization="acme", at=CREATED, actor="ada", action="event source created", subject="web")
    control.add_event_source(key, WEB, [created])
    control.add_event_source(key, APP)

    assert control.get_event_source(key, "web") == WEB
    assert control.list_event_sources(key) == (APP, WEB)
    assert control.list_event_sources(control.get_environment("shop", "staging").key) == ()
    assert [each.action for each in control.list_audit_log("acme", limit=9)] == ["event source created"]
    with pytest.raises(EventSourceExists):
        control.add_event_source(key, replace(APP, write_key="tw_other"))
    with pytest.raises(EventSourceNotFound):
        control.get_event_source(key, "mobile")


def test_a_change_needs_the_revision_that_is_stored(control: Control, key: int) -> None:
    control.add_event_source(key, WEB)
    changed = replace(WEB, name="Shop", write_key="tw_new", revision=2)

    control.put_event_source(key, changed, revision=1)

    assert control.get_event_source(key, "web") == changed
    with pytest.raises(EventSourceChanged):
        control.put_event_source(key, replace(WEB, revision=2), revision=1)
    with pytest.raises(EventSourceNotFound):
        control.put_event_source(key, replace(APP, revision=2), revision=1)


def test_a_source_is_found_by_each_of_its_keys_until_it_is_revoked(control: Control, key: int) -> None:
    control.add_event_source(key, WEB)
    place = control.get_environment("shop", "production")
    with_secret = replace(WEB, has_secret_key=True)

    control.put_secret_key(key, "web", HASH)

    assert control.find_key_owner("tw_web", b"") == KeyOwner("acme", place, with_secret, is_secret=False)
    assert control.find_key_owner("ts_web", HASH) == KeyOwner("acme", place, with_secret, is_secret=True)
    control.put_event_source(key, replace(with_secret, name="Shop", revision=2), revision=1)
    assert control.get_event_source(key, "web").has_secret_key
    control.put_event_source(key, replace(WEB, write_key="tw_new", revision=3), revision=2)
    assert control.find_key_owner("tw_web", b"") is None
    control.put_secret_key(key, "web", None)
    assert control.find_key_owner("ts_web", HASH) is None
    with pytest.raises(EventSourceNotFound):
        control.put_secret_key(key, "app", HASH)


def secret(id: str) -> NewIdentitySecret:
    return NewIdentitySecret(id=id, created_at=CREATED, hmac_secret=f"ti_{id}", token_secret=f"tt_{id}")


def test_a_source_has_two_identity_secrets_at_most_and_only_its_owner_shows_them(control: Control, key: int) -> None:
    control.add_event_source(key, WEB)
    made = AuditEntry(organization="acme", at=CREATED, actor="ada", action="identity secret created", subject="web")

    control.add_identity_secret(key, "web", secret("a"), [made])
    control.add_identity_secret(key, "web", secret("b"))

    shown = control.get_event_source(key, "web")
    assert shown == replace(WEB, identity_secrets=(secret("a").shown(), secret("b").shown()))
    assert control.list_event_sources(key) == (shown,)
    place = control.get_environment("shop", "production")
    both = KeyOwner("acme", place, shown, is_secret=False, identity_secrets=(secret("a"), secret("b")))
    assert control.find_key_owner("tw_web", b"") == both
    assert [each.action for each in control.list_audit_log("acme", limit=9)] == ["identity secret created"]
    with pytest.raises(TooManyIdentitySecrets):
        control.add_identity_secret(key, "web", secret("c"))
    control.put_event_source(key, replace(shown, name="Shop", revision=2), revision=1)
    control.delete_identity_secret(key, "web", "a")
    assert control.get_event_source(key, "web").identity_secrets == (secret("b").shown(),)
    with pytest.raises(IdentitySecretNotFound):
        control.delete_identity_secret(key, "web", "a")
    for change in (
        lambda: control.add_identity_secret(key, "app", secret("c")),
        lambda: control.delete_identity_secret(key, "app", "b"),
    ):
        with pytest.raises(EventSourceNotFound):
            change()
    control.delete_event_source(key, "web")
    control.add_event_source(key, WEB)
    assert control.get_event_source(key, "web") == WEB


def test_an_environment_has_a_bounded_number_of_sources(
    control: Control, key: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_SOURCES_PER_ENVIRONMENT_MAX", 1)
    control.add_event_source(key, WEB)

    with pytest.raises(TooManyEventSources):
        control.add_event_source(key, APP)


def test_the_newest_rejected_messages_of_each_source_are_kept(
    control: Control, key: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REJECTED_MESSAGES_PER_SOURCE_MAX", 3)
    control.add_event_source(key, WEB)
    control.add_event_source(key, APP)

    control.add_rejected_messages([RejectedIn(key, message("a")), RejectedIn(key, message("z", "app"))])
    control.add_rejected_messages([RejectedIn(key, message(text)) for text in "bcde"])
    control.add_rejected_messages([RejectedIn(key, message("x", "mobile"))])

    found = control.list_rejected_messages(key, "web", limit=9)
    assert [each.message for each in found] == ["e", "d", "c"]
    assert found[0] == replace(message("e"), id=found[0].id)
    assert [each.message for each in control.list_rejected_messages(key, "web", before=found[0].id, limit=1)] == ["d"]
    assert [each.message for each in control.list_rejected_messages(key, "app", limit=9)] == ["z"]
    assert control.list_rejected_messages(key, "mobile", limit=9) == ()


def test_a_deleted_source_takes_its_keys_and_its_rejected_messages_with_it(control: Control, key: int) -> None:
    control.add_event_source(key, WEB)
    control.put_secret_key(key, "web", HASH)
    control.add_rejected_messages([RejectedIn(key, message("a"))])

    control.delete_event_source(key, "web")

    assert control.list_event_sources(key) == ()
    assert control.find_key_owner("tw_web", HASH) is None
    control.add_event_source(key, WEB)
    assert control.list_rejected_messages(key, "web", limit=9) == ()
    assert not control.get_event_source(key, "web").has_secret_key
    with pytest.raises(EventSourceNotFound):
        control.delete_event_source(key, "app")


def test_rejected_messages_are_deleted_by_their_people_and_their_age(control: Control, key: int) -> None:
    other = control.get_environment("shop", "staging").key
    for environment in (key, other):
        control.add_event_source(environment, replace(WEB, write_key=f"tw_{environment}"))
        for number, ids in enumerate([("u1",), ("u2", "v2"), ("u20",), ()]):
            found = replace(message(f"about {ids or 'v2'}"), at=f"2026-03-0{number + 1}T09:00:00Z", ids=ids)
            control.add_rejected_messages([RejectedIn(environment, found)])

    control.delete_rejected_messages(key, ["v9", "v2"])
    control.delete_rejected_messages_before("2026-03-02T09:00:00Z")

    found = [[each.ids for each in control.list_rejected_messages(each, "web", limit=9)] for each in (key, other)]
    assert found == [[("u20",)], [(), ("u20",), ("u2", "v2")]]
