"""Reads a body of events: NDJSON with one event a line, or JSON with a list of events."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias, assert_never

from msgspec.structs import replace

from tagloom.base.problems import BodyTooLarge
from tagloom.events import limits
from tagloom.events.event_lines import EventReader
from tagloom.files.decoding import opened
from tagloom.files.json_body import items_of_json
from tagloom.files.ndjson import lines_in
from tagloom.files.part_columns import LineFault
from tagloom.files.sliding_buffer import Stream
from tagloom.ports import limits as ports_limits
from tagloom.words.events import Event
from tagloom.words.mappings import Encoding
from tagloom.words.receipts import Receipt, Rejected
from tagloom.words.rejections import rejected

EventFormat: TypeAlias = Literal["ndjson", "json"]


class EventBody(NamedTuple):
    """The events of a body with their lines, and the rejected lines, as far as a receipt lists them."""

    events: list[Event]
    lines: list[int]
    rejected: list[Rejected]
    rejected_count: int

    def receipt(self, receipt: Receipt) -> Receipt:
        """Returns the receipt of the write with the lines of this body. `receipt` has the places of events as lines."""
        if not self.rejected_count and not receipt.rejected_count and not receipt.ignored:
            return receipt
        both = sorted([*self.rejected, *self._with_lines(receipt.rejected)], key=lambda each: each.line)
        return replace(
            receipt,
            rejected=tuple(both[: ports_limits.REJECTED_PER_RECEIPT_MAX]),
            rejected_count=receipt.rejected_count + self.rejected_count,
            ignored=tuple(self._with_lines(receipt.ignored)),
        )

    def _with_lines(self, of_write: Sequence[Rejected]) -> list[Rejected]:
        return [replace(each, line=self.lines[each.line - 1]) for each in of_write]


def read_events(
    source: Iterator[bytes],
    format: EventFormat,
    *,
    now: int,
    new_id: Callable[[], str],
    compression: str | None = None,
    encoding: Encoding = "utf-8",
) -> EventBody:
    """Reads a whole body. A bad event is rejected alone. Blank lines are skipped, and count as events for the limit.

    `now` is in milliseconds since 1970. It is the time of events without a time. `new_id` makes the ids of events
    without an id. `compression` and `encoding` are the ones that the sender declares.

    Raises: BodyInvalid, BodyTooLarge, and the errors of `source`.
    """
    reader = EventReader(now=now, new_id=new_id)
    body = EventBody([], [], [], 0)
    events, lines, refused, refused_count = body.events, body.lines, body.rejected, 0
    text_of_body = _bounded(opened(source, encoding=encoding, compression=compression))
    for count, (number, text) in enumerate(_lines(text_of_body, format), 1):
        if count > limits.EVENTS_PER_REQUEST_MAX:
            raise BodyTooLarge(
                f"A body has at most {limits.EVENTS_PER_REQUEST_MAX:,} events. Send the others in another request.",
                rule=f"at most {limits.EVENTS_PER_REQUEST_MAX} events",
            )
        if not text.strip(b" \t\r"):
            continue
        try:
            events.append(reader.event(text, number))
            lines.append(number)
        except LineFault as fault:
            refused_count += 1
            if len(refused) < ports_limits.REJECTED_PER_RECEIPT_MAX:
                refused.append(rejected(number, fault.value, fault.problem))
    return body._replace(rejected_count=refused_count)


def _lines(text: Iterator[bytes], format: EventFormat) -> Iterator[tuple[int, bytes]]:
    """Yields the number and the text of each event, and of blank lines."""
    match format:
        case "ndjson":
            return lines_in(Stream(text))
        case "json":
            return items_of_json(text, "events")
        case _:
            assert_never(format)


def _bounded(text: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the chunks of a decompressed body. Raises: BodyTooLarge."""
    size = 0
    for chunk in text:
        size += len(chunk)
        if size > limits.EVENTS_BODY_BYTES_MAX:
            raise BodyTooLarge(
                f"A body of events has at most {limits.EVENTS_BODY_BYTES_MAX:,} bytes when it is decompressed. Send it "
                "as several requests.",
                rule=f"at most {limits.EVENTS_BODY_BYTES_MAX} bytes",
            )
        yield chunk
