"""Bodies of events: both formats, every compression, and limits that bound what is in memory."""

import gzip
import json
from collections.abc import Iterator
from itertools import count

import pyarrow as pa
import pytest

from tagloom.base.problems import BodyInvalid, BodyTooLarge
from tagloom.events import limits
from tagloom.events.event_bodies import EventBody, EventFormat, read_events
from tagloom.files import limits as files_limits
from tagloom.ports import limits as ports_limits
from tagloom.words.receipts import Receipt, Rejected

NOW = 1_772_355_600_000
LINES = [
    '{"user":"u1","event":"ad/clicked","id":"m1","properties":{"a":1.0}}',
    '{"user":"u1","event":"Ad Clicked"}',
    '{"visitor":"v1","event":"ad/seen"}',
    "nonsense",
]
GOOD = [("u1", "ad/clicked", "m1", b'{"a":1.0}', 1), ("v1", "ad/seen", "new-1", b"{}", 3)]
BAD = [(2, "Ad Clicked", "event-type-invalid", "ad/clicked"), (4, "nonsense", "line-invalid", None)]


def read(
    body: bytes, format: EventFormat = "ndjson", *, chunk: int = 1 << 16, compression: str | None = None
) -> EventBody:
    numbers = count(1)
    return read_events(
        iter([body[at : at + chunk] for at in range(0, len(body), chunk)]),
        format,
        now=NOW,
        new_id=lambda: f"new-{next(numbers)}",
        compression=compression,
    )


def said(body: EventBody) -> tuple[list[tuple[str, str, str, bytes, int]], list[tuple[int, str, str, str | None]]]:
    events = [
        (event.person.id, event.type, event.id, event.properties, line)
        for event, line in zip(body.events, body.lines, strict=True)
    ]
    return events, [(each.line, each.value, each.problem, each.suggestion) for each in body.rejected]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
def test_each_line_of_ndjson_is_an_event_or_is_rejected_alone(end: str, chunk: int) -> None:
    body = read(end.join(LINES).encode(), chunk=chunk)

    assert (said(body), body.rejected_count) == ((GOOD, BAD), 2)


def test_blank_lines_count_as_lines_and_are_no_events() -> None:
    body = read(f"\n{LINES[0]}\n  \n\n{LINES[3]}\n".encode())

    assert (body.lines, [each.line for each in body.rejected]) == ([2], [5])


@pytest.mark.parametrize("template", ['{"events":[%s]}', "[%s]", ' { "events" : [ %s ] } '])
def test_each_item_of_a_json_list_is_an_event_or_is_rejected_alone(template: str) -> None:
    items = [*LINES[:3], '"nonsense"']
    body = read((template % " ,\n".join(items)).encode(), "json")

    assert said(body) == (GOOD, [BAD[0], (4, '"nonsense"', "line-invalid", None)])


def test_properties_of_a_json_body_keep_what_was_written() -> None:
    body = read(b'[{"user":"u","event":"a/b","properties":{\n  "n": 9007199254740993,\n  "d": 1.50}}]', "json")

    assert body.events[0].properties == b'{\n  "n": 9007199254740993,\n  "d": 1.50}'


@pytest.mark.parametrize("text", ['{"taggings":[]}', '{"events":[]', '{"events":[1 2]}', "{}", "", "null", "[1],"])
def test_a_json_body_of_another_form_is_refused_with_the_form_it_must_have(text: str) -> None:
    with pytest.raises(BodyInvalid, match=r"of the form \{\"events\": \[...\]\} or a list"):
        read(text.encode(), "json")


@pytest.mark.parametrize("format", ["ndjson", "json"])
def test_an_empty_body_has_no_events(format: EventFormat) -> None:
    assert said(read(b"" if format == "ndjson" else b"[]", format)) == ([], [])


@pytest.mark.parametrize("is_declared", [True, False])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_body_may_be_compressed(compression: str, is_declared: bool) -> None:
    plain = "\n".join(LINES).encode()
    squeezed = gzip.compress(plain) if compression == "gzip" else pa.compress(plain, "zstd", asbytes=True)

    assert said(read(squeezed, compression=compression if is_declared else None)) == (GOOD, BAD)


def test_a_body_that_is_cut_in_the_middle_of_its_compression_is_refused() -> None:
    with pytest.raises(BodyInvalid, match="not complete gzip"):
        read(gzip.compress("\n".join(LINES).encode())[:-9])


def test_a_decompression_bomb_is_refused_before_it_is_read() -> None:
    read_bytes = 0

    def bomb() -> Iterator[bytes]:
        nonlocal read_bytes
        for _ in range(1_000):
            chunk = gzip.compress(b" " * 4_194_304)
            read_bytes += 4_194_304
            yield chunk

    with pytest.raises(BodyTooLarge):
        read_events(bomb(), "ndjson", now=NOW, new_id=str)
    assert read_bytes <= 4 * limits.EVENTS_BODY_BYTES_MAX


@pytest.mark.parametrize("format", ["ndjson", "json"])
def test_a_body_with_too_many_bytes_is_refused(format: EventFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENTS_BODY_BYTES_MAX", 100)
    line = '{"user":"u","event":"a/b"}'
    template = "%s" if format == "ndjson" else "[%s]"

    assert len(read((template % line).encode(), format).events) == 1
    with pytest.raises(BodyTooLarge):
        read((template % (line + " " * 100)).encode(), format)


@pytest.mark.parametrize("format", ["ndjson", "json"])
def test_a_body_with_too_many_events_is_refused(format: EventFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENTS_PER_REQUEST_MAX", 3)
    line = '{"user":"u","event":"a/b"}'
    between, template = ("\n", "%s") if format == "ndjson" else (",", "[%s]")

    assert len(read((template % between.join([line] * 3)).encode(), format).events) == 3
    with pytest.raises(BodyTooLarge, match="at most 3 events"):
        read((template % between.join([line] * 3 + ["0"])).encode(), format)


def test_blank_lines_count_for_the_limit_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENTS_PER_REQUEST_MAX", 3)

    assert read(b"\n \n\n").events == []
    with pytest.raises(BodyTooLarge):
        read(b"\n" * 4)


def test_a_json_body_is_bounded_like_every_json_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_limits, "JSON_BODY_BYTES_MAX", 10)

    with pytest.raises(BodyTooLarge, match="NDJSON"):
        read(b'[{"user":"u"}]', "json")


def test_one_bad_event_among_many_loses_no_other() -> None:
    bad = [
        json.dumps({"user": "u", "event": "a/b", "properties": {"a": "x" * 40_000}}),
        '{"user":"u","event":"a/b","properties":' + '{"a":' * 400 + "1" + "}" * 401,
        '{"user":"u","event":"a/b","properties":{"a":NaN}}',
        '{"user":"u","event":"a/b","properties":{"a":"\\ud83d"}}',
        json.dumps({"user": "u", "event": "a/b", "properties": {str(n): n for n in range(10_000)}}),
        "x" * 2_000_000,
    ]
    good = '{"user":"u","event":"a/b"}'
    lines = [line for each in bad for line in (good, each)] + [good]

    body = read("\n".join(lines).encode())

    assert (len(body.events), body.rejected_count) == (7, 6)
    assert [each.line for each in body.rejected] == [2, 4, 6, 8, 10, 12]


def test_the_rejected_lines_are_counted_exactly_and_listed_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports_limits, "REJECTED_PER_RECEIPT_MAX", 2)

    body = read(b"1\n2\n3\n4\n")

    assert (body.rejected_count, [each.line for each in body.rejected]) == (4, [1, 2])


def test_the_receipt_has_the_lines_of_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    body = read("\n".join([*LINES, LINES[0], LINES[2]]).encode())
    assert body.lines == [1, 3, 5, 6]
    of_write = (
        Rejected(2, "ad/seen", "too-many-event-types", "…"),
        Rejected(4, "ad/seen", "too-many-event-types", "…"),
    )
    receipt = Receipt(
        version=1, added=0, removed=0, unchanged=0, new_people=1, events=2, rejected_count=2, rejected=of_write
    )

    found = body.receipt(receipt)

    assert (found.events, found.new_people, found.rejected_count) == (2, 1, 4)
    assert [(each.line, each.problem) for each in found.rejected] == [
        (2, "event-type-invalid"),
        (3, "too-many-event-types"),
        (4, "line-invalid"),
        (6, "too-many-event-types"),
    ]
    monkeypatch.setattr(ports_limits, "REJECTED_PER_RECEIPT_MAX", 3)
    assert [each.line for each in body.receipt(receipt).rejected] == [2, 3, 4]
