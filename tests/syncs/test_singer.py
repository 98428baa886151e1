"""The messages of a Singer tap become records, and its last state is kept."""

import json
from typing import Any

import pytest

from tagloom.base.problems import BodyInvalid
from tagloom.syncs.singer import Tap

CONTACTS = {"type": "SCHEMA", "stream": "contacts", "schema": {}, "key_properties": ["id"]}


def lines(*messages: dict[str, Any]) -> list[bytes]:
    return [json.dumps(message).encode() + b"\n" for message in messages]


def record(stream: str, **fields: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": fields, "time_extracted": "2026-03-01T00:00:00Z"}


def read(tap: Tap) -> list[Any]:
    """The records that count of a tap that is read to its end."""
    tap.read()
    return [json.loads(line) for line in tap.records()]


def test_records_come_as_they_were_and_the_last_state_is_kept() -> None:
    tap = Tap(
        lines(
            {"type": "SCHEMA", "stream": "contacts", "schema": {}, "key_properties": ["id"]},
            record("contacts", id="c1", profile={"plan": "gold"}),
            {"type": "STATE", "value": {"page": 1}},
            record("contacts", id="c2", profile=None),
            {"type": "ACTIVATE_VERSION", "stream": "contacts", "version": 1},
            {"type": "STATE", "value": {"page": 2}},
        )
    )

    found = read(tap)

    assert found == [{"id": "c1", "profile": {"plan": "gold"}}, {"id": "c2", "profile": None}]
    assert tap.state == {"page": 2}
    assert tap.records_count == 2


def test_of_several_streams_the_one_that_is_named_is_taken() -> None:
    tap = Tap(lines(record("deals", id="d1"), record("contacts", id="c1")), stream="contacts")

    assert read(tap) == [{"id": "c1"}]
    assert tap.passed_over == {"deals": 1}


def test_several_streams_of_which_none_is_named_are_refused() -> None:
    with pytest.raises(BodyInvalid, match="'deals' and 'contacts'"):
        Tap(lines(record("deals", id="d1"), record("contacts", id="c1"))).read()


@pytest.mark.parametrize("line", [b"INFO starting\n", b"[]\n", b"{}\n", b'{"type": 7}\n', b"\xff\n"])
def test_what_is_no_message_is_told_with_its_line(line: bytes) -> None:
    with pytest.raises(BodyInvalid) as caught:
        Tap([*lines(record("contacts", id="c1")), line]).read()
    assert caught.value.members["line"] == 2


def test_the_last_record_of_a_key_counts_and_one_that_was_deleted_gives_nothing() -> None:
    deleted = record("contacts", id="c2", plan="gold", _sdc_deleted_at="2026-03-01T00:00:00Z")
    tap = Tap(
        lines(
            CONTACTS,
            record("contacts", id="c1", plan="gold"),
            record("contacts", id="c2", plan="gold"),
            record("contacts", id="c3", plan="free", _sdc_deleted_at=None),
            record("contacts", id="c1", plan="free"),
            deleted,
        )
    )

    assert [(each["id"], each["plan"]) for each in read(tap)] == [("c3", "free"), ("c1", "free")]
    assert (tap.records_count, tap.replaced_count, tap.deleted_count) == (2, 2, 1)


def test_a_key_of_several_fields_is_all_of_them() -> None:
    keyed = {**CONTACTS, "key_properties": ["id", "region"]}
    tap = Tap(
        lines(
            keyed,
            record("contacts", id=1, region="eu", n=1),
            record("contacts", id=1, region="us", n=2),
            record("contacts", region="us", id=1, n=3),
        )
    )

    assert [each["n"] for each in read(tap)] == [1, 3]


def test_records_without_a_key_all_count() -> None:
    tap = Tap(lines(record("contacts", id="c1"), record("contacts", id="c1")))

    assert read(tap) == [{"id": "c1"}, {"id": "c1"}]


def test_a_tap_is_complete_when_a_state_follows_its_last_record() -> None:
    state = {"type": "STATE", "value": {"bookmarks": {}}}
    for messages, expected in (
        ([record("contacts", id="c1"), state], True),
        ([record("contacts", id="c1"), state, record("contacts", id="c2")], False),
        ([record("contacts", id="c1"), state, record("deals", id="d1")], False),
        ([record("contacts", id="c1")], False),
        ([], False),
    ):
        tap = Tap(lines(*messages), stream="contacts")
        tap.read()
        assert tap.is_complete is expected


@pytest.mark.parametrize(
    ("state", "key"),
    [
        (None, None),
        ({"bookmarks": {}}, None),
        ({"bookmarks": {"contacts": {}}}, None),
        ({"bookmarks": {"contacts": {"version": 1700000000}, "deals": {"replication_key_value": "x"}}}, None),
        ({"bookmarks": {"contacts": {"replication_key": "updated", "replication_key_value": 7}}}, "updated"),
        ({"bookmarks": {"contacts": {"replication_key": None, "replication_key_value": None}}}, None),
        ({"bookmarks": {"contacts": {"lastmodifieddate": "2026-01-31T00:00:00Z"}}}, "lastmodifieddate"),
        ({"contacts": "2026-01-31"}, "contacts"),
        ([], None),
    ],
)
def test_the_bookmark_of_a_stream_says_that_its_tap_reads_on(state: Any, key: str | None) -> None:
    tap = Tap(lines(record("contacts", id="c1"), {"type": "STATE", "value": state}))
    tap.read()

    assert tap.incremental_key() == key
