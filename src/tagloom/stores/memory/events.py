"""The event log of the oracle: a tuple in the order of recording, which each read scans."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from tagloom.stores.memory.state import LoggedEvent, State
from tagloom.words import limits, rejections
from tagloom.words.events import ALIASED, FIXED_TYPES, Event, EventTypeRecord, RecordedEvent, day_of
from tagloom.words.people import Ordinal, Person
from tagloom.words.receipts import Rejected


class Recorded(NamedTuple):
    """The state after some events were recorded, the numbers of repeats and of events of suppressed people, the
    rejected events, and the others by line.
    """

    draft: State
    repeats: int
    suppressed: int
    rejected: tuple[Rejected, ...]
    events: dict[int, Event]


def recorded(
    state: State, events: Sequence[Event], now: int, types_max: int, suppressed: Collection[Person] = ()
) -> Recorded:
    """Records events. `now` is in milliseconds since 1970. The version of the draft is the next one."""
    draft, today = state.copy(), day_of(now)
    log, repeats, rejected, kept = list[LoggedEvent](), 0, list[Rejected](), dict[int, Event]()
    dropped = 0
    for line, event in enumerate(events, 1):
        if event.person in suppressed:
            dropped += 1
            continue
        earlier = [Person("visitor", event.visitor or ""), Person("user", event.visitor or "")]
        if any(each in suppressed for each in earlier[: 2 if event.type == ALIASED else 1]):
            event = msgspec.structs.replace(event, visitor=None)
        day = draft.event_ids.get(event.id)
        if day is not None and today - day <= limits.EVENT_ID_DAYS:
            repeats += 1
            continue
        is_new = event.type not in draft.event_types and event.type not in FIXED_TYPES
        if is_new and len(draft.event_types) >= types_max:
            rejected.append(rejections.rejected(line, event.type, rejections.too_many_event_types(types_max)))
            continue
        draft.event_ids[event.id] = today
        kept[line] = event
        found = _clamped(event, now, version=state.version + 1)
        _count(draft, found)
        log.append(LoggedEvent(state.events_ever + len(log), draft.create_person(event.person), found))
    draft.events += tuple(log)
    draft.events_ever += len(log)
    return Recorded(draft, repeats, dropped, tuple(rejected), kept)


def _clamped(event: Event, now: int, *, version: int) -> RecordedEvent:
    """Returns an event as the log has it. An event that is later than now gets the time of now."""
    is_late = event.at > now
    return RecordedEvent(
        type=event.type,
        at=min(event.at, now),
        id=event.id,
        properties=event.properties,
        received_at=now,
        version=version,
        original_at=event.at if is_late and event.original_at is None else event.original_at,
        sent_at=event.sent_at,
    )


def _count(draft: State, event: RecordedEvent) -> None:
    """Adds an event to the record of its type."""
    before = draft.event_types.get(event.type)
    draft.event_types[event.type] = EventTypeRecord(
        type=event.type,
        events=1 if before is None else before.events + 1,
        first_at=event.at if before is None else min(before.first_at, event.at),
        last_at=event.at if before is None else max(before.last_at, event.at),
    )


def events_of(state: State, ordinal: Ordinal) -> list[LoggedEvent]:
    """Returns the events of a person and of everybody linked to them, the last recorded first."""
    return [each for each in reversed(state.events) if state.user_of(each.ordinal) == ordinal]
