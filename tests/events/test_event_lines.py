"""One event a line: the fast reader agrees with a slow one, and a bad event gets exactly what is promised."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.events import limits
from tagloom.events.event_lines import EventReader
from tagloom.files.part_columns import LineFault
from tagloom.words import limits as words_limits
from tagloom.words.events import RESERVED_CATEGORIES, Event, EventType, parse_event_type
from tagloom.words.people import Kind, Person
from tagloom.words.person_ids import is_no_id, parse_id
from tagloom.words.problems import EventTypeInvalid, PersonIdInvalid

NOW = 1_772_355_600_000  # 2026-03-01T09:00:00Z


def read(text: bytes | str) -> Event:
    reader = EventReader(now=NOW, new_id=lambda: "new")
    return reader.event(text if isinstance(text, bytes) else text.encode(), 7)


def outcome(text: bytes) -> Event | str:
    """The event, or the problem's name."""
    try:
        return read(text)
    except LineFault as fault:
        return fault.problem.slug()


# The slow twin: the standard library, and one check after another.


TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)", re.ASCII)


class Refused(Exception):
    """The problem of an event."""


class Pairs(list[tuple[str, object]]):
    """An object with all its fields, in order."""


class Number(str):
    """A number as it is written."""


def slowly(text: bytes) -> Event | str:
    try:
        return slow_event(text)
    except Refused as refused:
        return str(refused)


def refuse(name: str) -> None:
    raise ValueError(name)


def slow_event(text: bytes) -> Event:
    """Raises: Refused."""
    try:
        found = json.loads(
            text.decode(), object_pairs_hook=Pairs, parse_int=Number, parse_float=Number, parse_constant=refuse
        )
        found = plain(found)
        text.decode().encode().decode("utf-8")
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refused("line-invalid") from error
    if not isinstance(found, dict):
        raise Refused("line-invalid")
    fields = {name: value for name, value in found.items() if value is not None}
    if not set(found) <= {"user", "visitor", "event", "properties", "at", "id"}:
        raise Refused("event-invalid")
    ids = {name: slow_id(fields[name]) for name in ("user", "visitor", "id") if name in fields}
    properties = fields.get("properties", {})
    if not isinstance(fields.get("event", ""), Text) or not isinstance(fields.get("at", ""), Text):
        raise Refused("event-invalid")
    at = slow_time(str(fields["at"])) if "at" in fields else NOW
    written = raw_properties(text)
    if len(written) > words_limits.EVENT_BYTES_MAX:
        raise Refused("event-too-large")
    if not isinstance(properties, dict) or count(properties) > limits.PROPERTIES_PER_EVENT_MAX:
        raise Refused("event-invalid")
    people = [ids[kind] for kind in ("user", "visitor") if kind in ids]
    if depth(properties) > limits.LEVELS_PER_PROPERTY_MAX or not people:
        raise Refused("event-invalid")
    kind: Kind = "user" if "user" in ids else "visitor"
    try:
        for id in people:
            parse_id(id)
    except PersonIdInvalid as problem:
        raise Refused(problem.slug()) from problem
    if len(people) == 2 and any(is_no_id(id) for id in people):
        raise Refused("event-invalid")
    person, names = Person(kind, ids[kind]), ids.get("visitor") if kind == "user" else None
    type = slow_type(fields)
    if at < int(datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1_000):
        raise Refused("event-invalid")
    id = ids.get("id", "new")
    if not 1 <= len(id) <= words_limits.CHARACTERS_PER_EVENT_ID_MAX or not id.isprintable():
        raise Refused("event-invalid")
    return Event(person=person, type=type, at=at, id=id, properties=written, visitor=names, is_proven=kind == "user")


Text = str


def plain(value: Any) -> Any:
    """The value without repeated fields. Raises: ValueError."""
    if isinstance(value, Pairs):
        if len({name for name, _ in value}) != len(value):
            raise ValueError("twice")
        return {name: plain(each) for name, each in value}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, Number):
        number = json.loads(value)
        if number in (float("inf"), float("-inf")):
            raise ValueError("out of range")
        return number
    return value


def slow_id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return str(value)
    if not isinstance(value, str):
        raise Refused("event-invalid")
    return value


def slow_time(text: str) -> int:
    if not TIME.fullmatch(text):
        raise Refused("event-invalid")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused("event-invalid") from error
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def slow_type(fields: dict[str, Any]) -> EventType:
    if "event" not in fields:
        raise Refused("event-invalid")
    try:
        found = parse_event_type(fields["event"])
    except EventTypeInvalid as problem:
        raise Refused(problem.slug()) from problem
    if found.split("/")[0] in RESERVED_CATEGORIES:
        raise Refused("event-type-reserved")
    return found


def raw_properties(text: bytes) -> bytes:
    """The bytes of the properties, by the standard library's scanner."""
    whole = text.decode()
    at = whole.find('"properties"')
    if at < 0:
        return b"{}"
    begin = whole.index(":", at + len('"properties"')) + 1
    while whole[begin] in " \t\r\n":
        begin += 1
    _, end = json.JSONDecoder().raw_decode(whole, begin)
    found = whole[begin:end]
    return b"{}" if found == "null" else found.encode()


def count(value: Any) -> int:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (len(value) if isinstance(value, dict) else 0) + sum(count(each) for each in below)


def depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max((depth(each) for each in (value.values() if isinstance(value, dict) else value)), default=0)


# Generated events: mostly good ones, with a field at a time that is not.

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(['":', '\\":', " :", "ü", "\x7f", "\ud83d", '","a":1']),
)
values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(["a", "price", 'x":', "ü"]), values, max_size=4)
types = st.sampled_from(
    ["ad/clicked", "a/b", "Ad Clicked", "page/viewed", "a", "a/b/c", "", "ü/é", "tagloom/x", "a/B", " a/b"]
)
times = st.sampled_from(
    [
        *(
            "2026-03-01T09:00:00Z",
            "2026-03-01T09:00:00.123456+05:30",
            "1999-12-31T23:59:59.999Z",
            "2000-01-01T00:00:00Z",
        ),
        *("2026-03-01T09:00:00", "2026-03-01", "yesterday", "", "2099-01-01T00:00:00-12:00", "2026-03-01T09:00Z"),
    ]
)
ids = st.one_of(
    st.sampled_from(["u1", "m-1", "x" * 256, "x" * 257, "", "a\x00b", "ü", "\ud800"]),
    st.integers(-3, 3),
    st.sampled_from([2**53, 2**53 - 1, 10**30, True, 1.5, [], {}]),
)
odd = st.one_of(ids, values)
good_ids = st.sampled_from(["u1", "ü/1", "42", 'a":b'])
events = st.fixed_dictionaries(
    {},
    optional={
        "user": good_ids | ids,
        "visitor": good_ids | ids | st.none(),
        "event": types | odd,
        "properties": objects | values,
        "at": times | odd,
        "id": ids | st.none(),
        "timestamp": times,
    },
)
likely = st.fixed_dictionaries(
    {"user": good_ids, "event": st.sampled_from(["ad/clicked", "a/b"])},
    optional={"properties": objects, "at": times, "id": good_ids, "visitor": st.sampled_from([None, "v1", "0"])},
)
layouts = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")])


def assert_same(text: bytes) -> None:
    """Both readers give the same event, or both reject it; which of two faults they name is their affair."""
    found, expected = outcome(text), slowly(text)
    assert isinstance(found, Event) == isinstance(expected, Event), (text, found, expected)
    if isinstance(found, Event):
        assert found == expected


@given(events | likely, layouts, st.booleans())
def test_an_event_is_read_as_the_standard_library_reads_it(
    event: dict[str, object], layout: tuple[str, str], is_ascii: bool
) -> None:
    text = json.dumps(event, separators=layout, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")

    assert_same(text)


@given(likely, st.data())
def test_a_field_that_occurs_twice_is_found_at_any_depth(event: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(event)
    name = data.draw(st.sampled_from(sorted(event)))
    places = [at for at in range(len(text)) if text.startswith("{", at)]
    at = data.draw(st.sampled_from(places))
    twice = f'{text[: at + 1]}"{name}":1,"{name}":2{"" if text[at + 1] == "}" else ","}{text[at + 1 :]}'.encode()

    assert_same(twice)


@given(likely, st.data())
def test_a_line_that_was_cut_or_changed_is_read_as_the_standard_library_reads_it(
    event: dict[str, object], data: st.DataObject
) -> None:
    text = json.dumps(event).encode()
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.binary(max_size=2)) + text[at + data.draw(st.integers(0, 2)) :]

    assert_same(changed)


# Examples.

GOOD = '{"user":"u1","event":"ad/clicked","id":"m1","at":"2026-03-01T09:00:00Z","properties":%s}'


@pytest.mark.parametrize(
    "written",
    [
        '{"price":12.50,"n":9007199254740993,"d":0.10000000000000000555,"e":1E+2}',
        '{ "a" : [ 1 , {"b":null} ] }',
        '{"text":"a\\":b","emoji":"\\ud83c\\udfc8","null":"\\u0000"}',
        "{}",
    ],
)
def test_properties_keep_exactly_what_was_written(written: str) -> None:
    assert read(GOOD % written) == Event(
        person=Person("user", "u1"),
        type=EventType("ad/clicked"),
        at=NOW,
        id="m1",
        properties=written.encode(),
        is_proven=True,
    )


def test_an_event_with_both_ids_is_one_of_the_user_and_names_the_visitor() -> None:
    both, visitors = read('{"user":7,"visitor":"v1","event":"a/b"}'), read('{"visitor":"v1","event":"a/b"}')

    assert (both.person, both.visitor, both.is_proven) == (Person("user", "7"), "v1", True)
    assert (visitors.person, visitors.visitor, visitors.is_proven) == (Person("visitor", "v1"), None, False)
    # An id that means nothing links nobody. Alone, it is an id as any other.
    assert read('{"user":"guest","event":"a/b"}').person.id == "guest"


def test_an_event_without_time_and_id_gets_the_time_of_now_and_a_new_id() -> None:
    event = read('{"visitor":17,"user":null,"event":"a/b","at":null}')

    assert (event.person, event.at, event.id, event.properties) == (Person("visitor", "17"), NOW, "new", b"{}")


@pytest.mark.parametrize(
    ("text", "problem", "says", "suggestion"),
    [
        (
            '{"user":"u","event":"Ad Clicked"}',
            "event-type-invalid",
            "'Ad Clicked' is not a category",
            "ad/clicked",
        ),
        ('{"user":"u","event":"clicked"}', "event-type-invalid", "Use 'event/clicked'.", "event/clicked"),
        ('{"user":"u","event":"a/b","at":"9999-12-31T23:00:00-02:00"}', "event-invalid", "after the year 9999", None),
        ('{"user":"u","event":"session/began"}', "event-type-reserved", "of the category 'session'", None),
        ('{"user":"u","event":"Session Started"}', "event-type-reserved", "'session/started' is of", None),
        ('{"user":"u","event":"🏈"}', "event-type-invalid", "is not a category", None),
        ('{"user":"u","timestamp":"2026"}', "event-invalid", "unknown field 'timestamp'", "at"),
        ('{"userId":"u"}', "event-invalid", "unknown field 'userId'", "user"),
        ('{"user":"u","evnt":"a/b"}', "event-invalid", "unknown field 'evnt'", "event"),
        ('{"event":"a/b"}', "event-invalid", "names neither a user nor a visitor", None),
        ('{"user":"u","visitor":"0","event":"a/b"}', "event-invalid", "'0' is no id of a visitor", None),
        ('{"user":" NULL","visitor":"v","event":"a/b"}', "event-invalid", "' NULL' is no id of a user", None),
        ('{"user":"u","visitor":"","event":"a/b"}', "person-id-invalid", "is empty", None),
        ('{"user":"u"}', "event-invalid", "has no 'event'", None),
        ('{"user":"u\\u0000","event":"a/b"}', "person-id-invalid", "control character", None),
        ('{"user":1.5,"event":"a/b"}', "event-invalid", "'user' that is a number with a fraction", None),
        ('{"user":"u","event":"a/b","id":""}', "event-invalid", "'id' of 0 characters", None),
        (f'{{"user":"u","event":"a/b","id":"{"x" * 257}"}}', "event-invalid", "'id' of 257 characters", None),
        ('{"user":"u","event":"a/b","at":"2026-03-01T09:00:00"}', "event-invalid", "no RFC 3339 time", None),
        ('{"user":"u","event":"a/b","at":1772355600}', "event-invalid", "'at' that is no text", None),
        ('{"user":"u","event":"a/b","at":"1999-12-31T00:00:00Z"}', "event-invalid", "before the year 2000", None),
        (GOOD % '{"a":NaN}', "line-invalid", "is not JSON", None),
        (GOOD % '{"a":"\\ud83d"}', "line-invalid", "half of a character", None),
        (GOOD % '{"a":1,"a":2}', "line-invalid", "has the field 'a' more than once", None),
        (GOOD % '{"a":1e400}', "line-invalid", "Number out of range", None),
        (GOOD % "[1]", "event-invalid", "'properties' that are no object", None),
        (GOOD % json.dumps({f"p{n}": n for n in range(10_000)})[:30_000], "line-invalid", "is not JSON", None),
        (GOOD % json.dumps({f"p{n}": 1 for n in range(501)}), "event-invalid", "has 501 properties", None),
        (GOOD % json.dumps({f"p{n}": n for n in range(10_000)}), "event-too-large", "at most 32,768", None),
        (GOOD % ('{"a":' * 400 + "1" + "}" * 400), "event-invalid", "on 400 levels; at most 16", None),
        (GOOD % ('{"a":' * 100_000 + "1" + "}" * 100_000), "line-invalid", "nested too deeply", None),
        (GOOD % '{"a":"' + "x" * 1_100_000, "line-too-long", "more than 1048576 bytes", None),
        ("[]", "line-invalid", "is no JSON object", None),
        ('{"user":"u"', "line-invalid", "is not JSON at character 11", None),
    ],
)
def test_a_bad_event_is_told_what_is_wrong(text: str, problem: str, says: str, suggestion: str | None) -> None:
    with pytest.raises(LineFault) as raised:
        read(text)

    fault = raised.value
    assert (fault.problem.slug(), fault.problem.members.get("suggestion")) == (problem, suggestion)
    assert says in fault.problem.detail


def test_bytes_that_are_not_utf8_are_found() -> None:
    assert outcome(GOOD.encode() % b'{"a":"\xff"}') == "line-invalid"
    assert outcome(b"\xff" + GOOD.encode() % b"{}") == "line-invalid"
