"""What becomes of each tracking message: its event, or the reason for which it is refused."""

import gzip
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.base.problems import BodyInvalid, BodyTooLarge
from tagloom.base.times import text_of_milliseconds
from tagloom.tracking import limits
from tagloom.tracking.identity_proof import Proof, Unproven
from tagloom.tracking.messages import Call, MessageReader, ProofRules, TrackingBody, find_write_key, plain_body
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person

NOW = 1_772_355_600_000  # 2026-03-01T09:00:00Z
HOUR = 3_600_000
GOOD = {"type": "track", "userId": "u1", "event": "Ad Clicked", "messageId": "m1"}


def read(body: object, call: Call = "batch", *, ignored: frozenset[str] = frozenset()) -> TrackingBody:
    reader = MessageReader(
        now=NOW,
        new_id=lambda: "new",
        event_types={"Checkout Done": EventType("order/placed")},
        ignored=ignored,
    )
    return reader.read(body if isinstance(body, bytes) else json.dumps(body).encode(), call)


def event_of(message: dict[str, Any], call: Call = "batch", *, sent_at: object = None) -> Event:
    found = read({"batch": [message], "sentAt": sent_at}, call)
    assert found.refused == []
    return found.events[0]


def reason_of(message: object) -> str:
    found = read({"batch": [message]})
    assert found.events == []
    return found.refused[0].problem.detail


@pytest.mark.parametrize(
    ("message", "type", "properties"),
    [
        ({"type": "track", "event": "Ad Clicked", "properties": {"ad": 7}}, "ad/clicked", {"ad": 7}),
        ({"type": "track", "event": "Ad Clicked", "properties": None}, "ad/clicked", {}),
        ({"type": "track", "event": "Checkout Done"}, "order/placed", {}),
        ({"type": "track", "event": "signup"}, "event/signup", {}),
        ({"type": "track", "event": "Group Joined"}, "event/group-joined", {}),
        ({"type": "track", "event": "session/started"}, "event/session-started", {}),
        ({"type": "page", "name": "Home", "properties": {"url": "/"}}, "page/viewed", {"url": "/", "name": "Home"}),
        ({"type": "page", "name": "Home", "properties": {"name": "A"}}, "page/viewed", {"name": "A"}),
        ({"type": "page", "name": 7, "category": True}, "page/viewed", {"name": 7, "category": True}),
        ({"type": "screen", "category": "Docs", "name": None}, "screen/viewed", {"category": "Docs"}),
        ({"type": "identify", "traits": {"plan": "gold"}}, "identity/identified", {"plan": "gold"}),
        ({"type": "identify", "context": {"traits": {"plan": "gold"}}}, "identity/identified", {"plan": "gold"}),
        ({"type": "identify", "traits": None, "context": {"traits": None}}, "identity/identified", {}),
        ({"type": "identify", "context": "web", "anonymousId": "v1"}, "identity/identified", {"anonymousId": "v1"}),
        ({"type": "group", "groupId": 5, "traits": {"name": "A"}}, "group/identified", {"name": "A", "groupId": 5}),
        ({"type": "alias", "previousId": "v1"}, "identity/aliased", {"previousId": "v1"}),
    ],
)
def test_each_message_is_the_event_of_its_kind(message: dict[str, Any], type: str, properties: dict[str, Any]) -> None:
    event = event_of({"userId": "u1", **message})

    assert (event.type, json.loads(event.properties)) == (type, properties)
    assert (event.person, event.at, event.original_at, event.id) == (Person("user", "u1"), NOW, None, "new")


@pytest.mark.parametrize("call", ["track", "page", "screen", "identify", "group", "alias"])
def test_the_type_of_a_single_message_is_that_of_its_call(call: Call) -> None:
    found = read({"userId": "u1", "event": "ad/clicked", "type": "page"}, call)

    assert (len(found.events), found.refused) == (1, [])
    assert found.events[0].type == event_of({"userId": "u1", "event": "ad/clicked", "type": call}).type


def test_properties_are_recorded_with_the_bytes_that_were_sent() -> None:
    written = b'{ "n": 9007199254740993, "d": 12.50, "t": "\\ud83c\\udfc8" }'
    body = b'{"batch":[{"type":"track","userId":"u1","event":"a b","properties":%b}]}' % written

    assert read(body).events[0].properties == written


def test_ignored_properties_are_not_recorded() -> None:
    message = {**GOOD, "properties": {"email": "a@b.example", "ad": 7}}

    assert json.loads(read({"batch": [message]}, ignored=frozenset({"email"})).events[0].properties) == {"ad": 7}


@pytest.mark.parametrize(
    ("user", "visitor", "person"),
    [
        ("u1", "v1", Person("user", "u1")),
        (None, "v1", Person("visitor", "v1")),
        ("", "v1", Person("visitor", "v1")),
        (17, None, Person("user", "17")),
        ("null", "v1", Person("visitor", "v1")),
        ("Undefined", 9, Person("visitor", "9")),
        ("0", "v1", Person("visitor", "v1")),
        ("[object Object]", "v1", Person("visitor", "v1")),
    ],
)
def test_a_message_belongs_to_its_user_or_else_to_its_visitor(user: object, visitor: object, person: Person) -> None:
    assert event_of({**GOOD, "userId": user, "anonymousId": visitor}).person == person


@pytest.mark.parametrize(
    ("message", "user", "visitor"),
    [
        ({"userId": "u1", "anonymousId": "v1"}, "u1", "v1"),
        ({"userId": 17, "anonymousId": 9}, "17", "9"),
        ({"userId": "u1"}, "u1", None),
        ({"userId": "u1", "anonymousId": "undefined"}, "u1", None),
        ({"userId": "u1", "anonymousId": "a" * 257}, "u1", None),
        # Only `alias` has a previous id.
        ({"userId": "u1", "anonymousId": "v1", "previousId": "v0"}, "u1", "v1"),
        ({"type": "identify", "userId": "u1", "anonymousId": "v1"}, "u1", "v1"),
        ({"type": "alias", "userId": "u1", "anonymousId": "v1", "previousId": "v0"}, "u1", "v0"),
        ({"type": "alias", "userId": "u1", "anonymousId": "v1", "previousId": "0"}, "u1", "v1"),
        ({"type": "alias", "userId": "u1", "anonymousId": "v1"}, "u1", "v1"),
        ({"type": "alias", "userId": "u1"}, "u1", None),
        ({"type": "alias", "userId": "null", "anonymousId": "v1", "previousId": "v0"}, None, "v1"),
    ],
)
def test_a_message_of_a_user_names_its_visitor_if_both_ids_are_valid(
    message: dict[str, Any], user: str | None, visitor: str | None
) -> None:
    event = event_of({"type": "track", "event": "Ad Clicked", **message})

    if user is None:
        assert (event.person, event.visitor) == (Person("visitor", str(visitor)), None)
    else:
        assert (event.person, event.visitor) == (Person("user", user), visitor)


@pytest.mark.parametrize(
    ("original", "sent", "expected", "is_corrected"),
    [
        (None, None, NOW, False),
        (NOW - HOUR, None, NOW - HOUR, False),
        (NOW - HOUR, NOW - 30_000, NOW - HOUR, False),
        # The sender's clock is two hours late: the message waited for one hour there.
        (NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR, True),
        # The sender's clock is ten years ahead.
        (NOW + 87_600 * HOUR, NOW + 87_601 * HOUR, NOW - HOUR, True),
        # A phone whose clock begins in 1970.
        (60_000, 120_000, NOW - 60_000, True),
        # A library that rounds the time of sending to seconds.
        (NOW - 2 * HOUR + 400, NOW - 2 * HOUR, NOW + 400, True),
        # A message that happened after it was sent has no order that could be trusted.
        (NOW - HOUR, NOW - 2 * HOUR, NOW - HOUR, False),
    ],
)
def test_times_of_a_wrong_clock_are_corrected(
    original: int | None, sent: int | None, expected: int, is_corrected: bool
) -> None:
    event = event_of({**GOOD, "timestamp": _text(original)}, sent_at=_text(sent))

    assert (event.at, event.original_at) == (expected, original if is_corrected else None)
    assert event.sent_at == sent


def _text(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else text_of_milliseconds(milliseconds)


def test_an_import_keeps_the_times_of_the_past() -> None:
    event = event_of({**GOOD, "timestamp": _text(NOW - 9_000 * HOUR)}, "import", sent_at=_text(NOW - 5_000 * HOUR))

    assert (event.at, event.original_at) == (NOW - 9_000 * HOUR, None)


@pytest.mark.parametrize(
    "time", ["2026-03-01T09:00:00Z", "2026-03-01T10:00:00.000+01:00", "2026-03-01 09:00:00", NOW, NOW // 1_000]
)
def test_times_are_read_in_the_forms_that_libraries_send(time: object) -> None:
    assert event_of({**GOOD, "originalTimestamp": time, "timestamp": "2001-01-01T00:00:00Z"}).at == NOW


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({**GOOD, "userId": None}, "neither a 'userId' nor an 'anonymousId'"),
        ({**GOOD, "userId": "null"}, "'null' is no userId"),
        ({**GOOD, "userId": "a" * 257}, "256"),
        ({**GOOD, "userId": {"id": 1}}, "Expected `int | str | null`"),
        ({**GOOD, "type": "trak"}, "unknown type 'trak'"),
        ({"userId": "u1"}, "no 'type'"),
        ({**GOOD, "event": None}, "no 'event'"),
        ({**GOOD, "event": "!!!"}, "no letter"),
        ({**GOOD, "event": 5}, "Expected `str | null`"),
        ({**GOOD, "messageId": "m" * 257}, "'messageId' has 257 characters"),
        ({**GOOD, "timestamp": "yesterday"}, "'timestamp' is no time"),
        ({**GOOD, "timestamp": "1999-12-31T23:59:59Z"}, "not between the years 2000 and 9999"),
        ({**GOOD, "timestamp": 1e300}, "'timestamp' is not between"),
        ({**GOOD, "properties": [1]}, "properties or traits cannot be read"),
        ({**GOOD, "properties": {"a": "b" * 40_000}}, "at most 32,768 are allowed"),
        ({**GOOD, "properties": {str(number): 1 for number in range(501)}}, "501 properties"),
        ({**GOOD, "properties": json.loads('{"a":' * 400 + "1" + "}" * 400)}, "levels"),
        ({**GOOD, "type": "page", "name": {"a": 1}}, "'name' of the message is no text"),
        ({**GOOD, "type": "page", "category": ["a"]}, "'category' of the message is no text"),
        ({**GOOD, "type": "identify", "traits": {str(n): 1 for n in range(500)}, "anonymousId": "v"}, "501 properties"),
        (5, "Expected `object`"),
    ],
)
def test_a_message_that_cannot_be_recorded_is_refused_with_its_reason(message: object, reason: str) -> None:
    assert reason in reason_of(message)


BAD: dict[str, bytes] = {
    "not a number": b'{"type":"track","userId":"u1","event":"a b","properties":{"x":NaN}}',
    "half of a character": b'{"type":"track","userId":"u1","event":"a b","properties":{"x":"\\ud800"}}',
    "no UTF-8": b'{"type":"track","userId":"u1","event":"a \xff"}',
    "very deep": b'{"type":"track","userId":"u1","event":"a b","properties":' + b'{"a":' * 3_000 + b"1" + b"}" * 3_001,
    "signs of JSON in a text": b'{"type":"track","userId":"u1","event":"a ]},{\\"[", "x": nan}',
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_message_that_is_no_json_does_not_keep_the_others_from_being_recorded(bad: str, place: int) -> None:
    good = [json.dumps({**GOOD, "messageId": f"m{number}"}).encode() for number in (1, 2)]
    messages = [*good[:place], BAD[bad], *good[place:]]
    body = b'{"writeKey": "k", "batch" : [%b], "sentAt":"2026-03-01T09:00:00Z"}' % b" ,\n".join(messages)

    found = read(body)

    assert [event.id for event in found.events] == ["m1", "m2"]
    assert [refusal.message for refusal in found.refused] == [BAD[bad]]
    assert {event.sent_at for event in found.events} == {NOW}
    assert find_write_key(body) == "k"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.hypothesis
@given(messages=st.lists(JSON, max_size=4), rest=st.dictionaries(st.text(max_size=3), JSON, max_size=2))
def test_bodies_are_cut_into_the_same_messages_with_and_without_a_broken_one(
    messages: list[Any], rest: dict[str, Any]
) -> None:
    after = {name: value for name, value in rest.items() if name not in ("batch", "sentAt", "writeKey")}
    whole = json.dumps({**after, "batch": messages}).encode()
    broken = json.dumps({**after, "batch": [*messages, float("nan")]}).encode()

    usual, cut = read(whole), read(broken)

    assert [refusal.message for refusal in cut.refused] == [*(each.message for each in usual.refused), b"NaN"]
    assert cut.events == usual.events


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"batch":[{"type":"track"}', b'{"batch":{}}', b"\xff", b"nonsense"]
)
def test_a_body_that_is_not_whole_is_refused(body: bytes) -> None:
    with pytest.raises(BodyInvalid):
        read(body)


def test_an_empty_batch_is_no_fault() -> None:
    assert read(b'{"batch":[]}') == TrackingBody([], [], [], [], Counter())


def test_a_body_of_too_many_messages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TRACKING_MESSAGES_PER_BODY_MAX", 2)

    with pytest.raises(BodyTooLarge):
        read({"batch": [GOOD] * 3})


def test_gzip_is_recognized_by_its_first_bytes() -> None:
    body = json.dumps({"batch": [GOOD]}).encode()

    assert plain_body(gzip.compress(body), 1_000) == body
    assert plain_body(body, 1_000) == body


def test_a_gzip_body_that_is_cut_or_grows_too_large_is_refused() -> None:
    with pytest.raises(BodyInvalid):
        plain_body(gzip.compress(b"a" * 100)[:-9], 1_000)
    with pytest.raises(BodyInvalid):
        plain_body(b"\x1f\x8b" + b"a" * 100, 1_000)
    with pytest.raises(BodyTooLarge):
        plain_body(gzip.compress(b"a" * 10_000_000), 1_000)
    with pytest.raises(BodyTooLarge):
        plain_body(b"a" * 1_001, 1_000)


def test_all_members_of_a_gzip_body_are_read() -> None:
    body = json.dumps({"batch": [GOOD]}).encode()

    assert plain_body(gzip.compress(body[:20]) + gzip.compress(body[20:]), 1_000) == body
    with pytest.raises(BodyInvalid):
        plain_body(gzip.compress(body) + b"garbage", 1_000)
    with pytest.raises(BodyTooLarge):
        plain_body(gzip.compress(b"a" * 600) * 2, 1_000)


@pytest.mark.parametrize("text", [b'"' + b'\\"' * 200_000, b'"a" ' * 100_000 + b'"' + b"\\" * 100_001, b"[" * 400_000])
def test_a_broken_body_of_many_quotes_is_scanned_once(text: bytes) -> None:
    # If each quote were tried again, this would take some hours.
    with pytest.raises(BodyInvalid):
        read(b'{"batch":[' + text)
    assert find_write_key(b'{"writeKey":"k", "batch":[' + text) == "k"


def test_fields_that_only_help_do_not_make_a_body_unreadable() -> None:
    found = read({"batch": [{**GOOD, "sentAt": {}}], "sentAt": [], "writeKey": 5})

    assert (len(found.events), found.events[0].sent_at) == (1, None)
    assert find_write_key(b'{"writeKey": 5}') is None


def test_names_that_begin_alike_have_one_type() -> None:
    found = read({"batch": [{**GOOD, "event": "ad " + "x" * 300 + end} for end in "ab"]})

    assert len({event.type for event in found.events}) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"type":"track","userId":"u1","event":"a \\ud83d"}', "half of a character"),
        (b'{"type":"track","userId":"u1","event":NaN}', "NaN and Infinity are no JSON"),
        (b'{"type":"track","userId":"u1",}', "cannot be read"),
    ],
)
def test_the_reason_of_a_broken_message_says_what_is_wrong(text: bytes, reason: str) -> None:
    found = read(b'{"batch":[%b,{"type":"track"}]}' % text)

    assert reason in found.refused[0].problem.detail


def test_of_a_property_that_occurs_twice_the_last_one_counts() -> None:
    body = b'{"batch":[{"type":"track","userId":"u1","event":"a b","properties":{"a":1,"a":2,"b":{"c":1,"c":3}}}]}'

    assert read(body).events[0].properties == b'{"a":2,"b":{"c":3}}'


def check(mode: str, *messages: dict[str, Any]) -> TrackingBody:
    """Reads messages whose user ids are checked. The proof of a user is an HMAC that is the id."""

    def find_fault(user: str, proof: Proof | None) -> Unproven | None:
        if proof is None:
            return Unproven("missing", "It has none.")
        return None if proof.hmac == user else Unproven("invalid", "It is wrong.")

    reader = MessageReader(
        now=NOW,
        new_id=lambda: "new",
        event_types={},
        ignored=frozenset(),
        proof=None if mode == "off" else ProofRules(find_fault, is_required=mode == "require"),
    )
    return reader.read(json.dumps({"batch": messages}).encode(), "batch")


IDENTIFY = {"type": "identify", "userId": "u1", "anonymousId": "v1", "traits": {"plan": "gold"}}
PROVEN = {**IDENTIFY, "context": {"ip": "192.0.2.1", "identity": {"hmac": "u1"}}}


@pytest.mark.parametrize("mode", ["observe", "require"])
def test_a_proven_message_is_one_of_its_user(mode: str) -> None:
    found = check(mode, PROVEN)

    (event,) = found.events
    assert (event.person, event.visitor, event.is_proven) == (Person("user", "u1"), "v1", True)
    assert (event.attributes, found.unproven, found.proofs) == ({"plan": "gold"}, [], {"valid": 1})


@pytest.mark.parametrize(
    "context", [None, "web", {}, {"identity": None}, {"identity": 5}, {"identity": {"hmac": "u2"}}]
)
def test_an_unproven_message_changes_nothing_unless_a_proof_is_required(context: object) -> None:
    sent = {**IDENTIFY, "context": context}
    unchecked, observed, required = (check(mode, sent) for mode in ("off", "observe", "require"))

    assert observed.events == unchecked.events
    assert (unchecked.unproven, unchecked.proofs, unchecked.events[0].is_proven) == ([], {}, False)
    (event,) = required.events
    assert (event.person, event.visitor, event.is_proven) == (Person("visitor", "v1"), None, False)
    assert (event.attributes, event.type) == ({}, "identity/identified")
    for found in (observed, required):
        assert [json.loads(each.message) for each in found.unproven] == [sent]
        assert found.proofs.total() == 1


def test_an_unproven_alias_links_nobody_if_a_proof_is_required() -> None:
    sent = {"type": "alias", "userId": "u1", "previousId": "v1"}

    (event,) = check("require", sent).events

    assert (event.person, event.visitor) == (Person("visitor", "v1"), None)


def test_a_visitor_needs_no_proof() -> None:
    found = check("require", {**IDENTIFY, "userId": None})

    assert [each.attributes for each in found.events] == [{"plan": "gold"}]
    assert (found.unproven, found.proofs) == ([], {})


def test_an_unproven_message_without_a_visitor_is_refused_if_a_proof_is_required() -> None:
    found = check("require", {**IDENTIFY, "anonymousId": None}, PROVEN)

    assert [each.problem.slug() for each in found.refused] == ["user-id-not-proven"]
    assert (len(found.events), found.unproven) == (1, [])
