"""The messages of a Singer tap become records, and its last state is kept."""

import json
from typing import Any

import pytest

from tagloom import problems
from tagloom.syncing.singer import Tap


def lines(*messages: dict[str, Any]) -> list[bytes]:
    return [json.dumps(message).encode() + b"\n" for message in messages]


def record(stream: str, **fields: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": fields, "time_extracted": "2026-03-01T00:00:00Z"}


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

    found = [json.loads(line) for line in tap.records()]

    assert found == [{"id": "c1", "profile": {"plan": "gold"}}, {"id": "c2", "profile": None}]
    assert tap.state == {"page": 2}
    assert tap.records_count == 2


def test_of_several_streams_the_one_that_is_named_is_taken() -> None:
    tap = Tap(lines(record("deals", id="d1"), record("contacts", id="c1")), stream="contacts")

    assert [json.loads(line) for line in tap.records()] == [{"id": "c1"}]
    assert tap.passed_over == {"deals": 1}


def test_several_streams_of_which_none_is_named_are_refused() -> None:
    with pytest.raises(problems.BodyInvalid, match="'deals' and of 'contacts'"):
        list(Tap(lines(record("deals", id="d1"), record("contacts", id="c1"))).records())


@pytest.mark.parametrize("line", [b"INFO starting\n", b"[]\n", b"{}\n", b'{"type": 7}\n', b"\xff\n"])
def test_what_is_no_message_is_told_with_its_line(line: bytes) -> None:
    with pytest.raises(problems.BodyInvalid) as caught:
        list(Tap([*lines(record("contacts", id="c1")), line]).records())
    assert caught.value.members["line"] == 2
