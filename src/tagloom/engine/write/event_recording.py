"""Records events: skips repeats, creates unknown people, and adds the events to the log."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tagloom.base.times import milliseconds_at, with_milliseconds
from tagloom.engine.bitmaps import BitMap, bitmap_of
from tagloom.engine.events.blocks import columns_of
from tagloom.engine.events.local_days import days_of
from tagloom.engine.events.log import Recorded
from tagloom.engine.keys.hashing import Hashed, Keyed, KeyHash, binary_array, key_of, visitors_among
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.event_attributes import attributes_of_events
from tagloom.engine.write.linking import Naming, link_events
from tagloom.engine.write.seen_days import SeenRecorder
from tagloom.ports import limits as ports_limits
from tagloom.words import limits
from tagloom.words.changes import EVENTS, IDENTIFY, Origin
from tagloom.words.events import ALIASED, FIXED_TYPES, Event, day_of
from tagloom.words.identity import LinkRules
from tagloom.words.people import KINDS, Ordinal, Person
from tagloom.words.receipts import Receipt, Rejected
from tagloom.words.rejections import rejected, too_many_event_types


class EventWrite(NamedTuple):
    """The events of one version, and who records them.

    `types_max` is the number of types from which on new types are rejected. `links` are the rules of links.
    """

    events: Sequence[Event]
    origin: Origin
    types_max: int
    links: LinkRules


class _Chosen(NamedTuple):
    """The places of the events of a write to record, its rejected events, and the numbers of those not recorded.

    These are the repeats, and the events of people on the suppression list.
    """

    places: list[int]
    refused: list[Rejected]
    repeats: int
    suppressed: int


def record_events(writes: Sequence[EventWrite], view: View, key_hash: KeyHash, now: datetime) -> list[Receipt]:
    """Records events: each write as one version, in order. See `tagloom.ports.writes.RecordEvents`.

    Cost: about 4 us per event, 20 us per write, and 100 us per call.
    """
    now_ms = milliseconds_at(now)
    events = [event for write in writes for event in write.events]
    ids = key_hash.of([event.id.encode() for event in events])
    is_suppressed = _which_suppressed([event.person for event in events], view, key_hash)
    chosen = _choose(writes, events, ids, is_suppressed, view, now_ms)
    places = [place for each in chosen for place in each.places]
    kept = [_clamped(events[place], now_ms) for place in places]
    kept = _without_suppressed_visitors(kept, view, key_hash)
    people, first = _People(kept, view, key_hash), 0
    ordinals = people.ordinals.copy()
    days = days_of(np.array([event.at for event in kept], np.int64), view.state.calendar)
    seen = SeenRecorder(ordinals, days, view)
    at, begin, offset, versions, receipts = with_milliseconds(now), 0, 0, list[int](), list[Receipt]()
    for write, (of_write, refused, repeats, suppressed) in zip(writes, chosen, strict=True):
        draft, end, version = Draft(), begin + len(of_write), view.state.version
        if of_write:
            people.put(begin - first, end - first, draft)
            seen.put(begin - first, end - first, draft)
            version = view.record(draft, write.origin, EVENTS, at, events=len(of_write))
        versions += [version] * len(of_write)
        receipt = _receipt(version, len(of_write), repeats, draft.new_people, refused)
        if suppressed:
            receipt = msgspec.structs.replace(receipt, suppressed=suppressed)
        lines = [place - offset + 1 for place in of_write]
        if any(event.attributes or event.derived for event in kept[begin:end]):
            roots = view.links.roots(ordinals[begin:end].astype(np.int64)).astype(np.uint32)
            draft, ignored = attributes_of_events(kept[begin:end], lines, roots, view, key_hash)
            if not draft.is_empty():
                version = view.record(draft, write.origin, IDENTIFY, at)
            receipt = msgspec.structs.replace(
                receipt,
                version=version,
                attributes=draft.attributes_changed,
                new_attributes=len(draft.entries),
                ignored=ignored,
            )
        naming = [
            Naming(line, event, Ordinal(ordinal))
            for line, event, ordinal in zip(lines, kept[begin:end], ordinals[begin:end].tolist(), strict=True)
            if event.visitor is not None and event.person.kind == "user"
        ]
        if naming:
            receipt = link_events(naming, write.links, write.origin, now, receipt, view, key_hash)
            if receipt.linked and end < len(kept):
                # The ids of later writes may mean other people now, and linked people do not become known.
                people, first = _People(kept[end:], view, key_hash), end
                ordinals[end:] = people.ordinals
                seen = SeenRecorder(people.ordinals, days[end:], view)
        receipts.append(receipt)
        offset += len(write.events)
        begin = end
    if kept:
        columns = columns_of(kept, ordinals, versions=np.array(versions, np.int64), recorded_at=now_ms)
        view.add_events(Recorded(now_ms, columns, Hashed(ids.high[places], ids.low[places])))
    return receipts


def _receipt(version: int, events: int, repeats: int, new_people: int, refused: Sequence[Rejected]) -> Receipt:
    return Receipt(
        version=version,
        added=0,
        removed=0,
        unchanged=0,
        new_people=new_people,
        rejected_count=len(refused),
        rejected=tuple(refused[: ports_limits.REJECTED_PER_RECEIPT_MAX]),
        events=events,
        repeats=repeats,
    )


def _which_suppressed(people: Sequence[Person], view: View, key_hash: KeyHash) -> Sequence[bool]:
    """Returns which of these people are on the suppression list. Returns nothing if the list is empty."""
    if not view.suppressed:
        return ()
    found: list[bool] = view.suppressed.among(key_hash.of([key_of(person) for person in people])).tolist()
    return found


def _without_suppressed_visitors(events: list[Event], view: View, key_hash: KeyHash) -> list[Event]:
    """Returns the events without the visitors beside their users who are on the suppression list.

    The earlier id in an alias may also be the id of a user.
    """
    visitors = {event.visitor for event in events if event.visitor is not None} if view.suppressed else ()
    if not visitors:
        return events
    named = [Person(kind, visitor) for visitor in visitors for kind in KINDS]
    which = _which_suppressed(named, view, key_hash)
    on_list = {person for person, is_on in zip(named, which, strict=True) if is_on}
    return [msgspec.structs.replace(each, visitor=None) if _names_any(each, on_list) else each for each in events]


def _names_any(event: Event, people: set[Person]) -> bool:
    """Returns whether the visitor beside the user of an event is one of these people."""
    if event.visitor is None:
        return False
    return Person("visitor", event.visitor) in people or (
        event.type == ALIASED and Person("user", event.visitor) in people
    )


def _choose(
    writes: Sequence[EventWrite],
    events: Sequence[Event],
    ids: Hashed,
    is_suppressed: Sequence[bool],
    view: View,
    now_ms: int,
) -> list[_Chosen]:
    """Returns what each write records. `events` are those of all writes, and `ids` the hashes of their ids."""
    with view.lock:
        view.event_log.load(view.tx, day_of(now_ms) - limits.EVENT_ID_DAYS)
        is_repeat = view.event_log.recent.which(ids)
        types = view.event_log.types
    new_types = set[str](type for recorded in view.recorded for type in recorded.columns.types) - types
    before, seen = view.event_ids, set[tuple[int, int]]()
    pairs = zip(ids.high.tolist(), ids.low.tolist(), strict=True)
    numbered = zip(range(len(events)), pairs, is_repeat.tolist(), strict=True)
    found = list[_Chosen]()
    for write in writes:
        places, refused, repeats, suppressed = list[int](), list[Rejected](), 0, 0
        for line, (place, pair, is_known) in enumerate(islice(numbered, len(write.events)), 1):
            if is_suppressed and is_suppressed[place]:
                suppressed += 1
                continue
            if is_known or pair in seen or pair in before:
                repeats += 1
                continue
            type = events[place].type
            if type not in types and type not in new_types:
                if len(types) + len(new_types) >= write.types_max and type not in FIXED_TYPES:
                    refused.append(rejected(line, type, too_many_event_types(write.types_max)))
                    continue
                new_types.add(type)
            seen.add(pair)
            places.append(place)
        found.append(_Chosen(places, refused, repeats, suppressed))
    return found


def _clamped(event: Event, now: int) -> Event:
    if event.at <= now:
        return event
    original = event.at if event.original_at is None else event.original_at
    return msgspec.structs.replace(event, at=now, original_at=original)


class _People:
    """The people of some events. Unknown people are created. `ordinals` has the person of each event."""

    def __init__(self, events: Sequence[Event], view: View, key_hash: KeyHash) -> None:
        self._view = view
        numbers: dict[bytes, int] = {}
        of_events = [numbers.setdefault(key_of(event.person), len(numbers)) for event in events]
        keys = list(numbers)
        hashes = key_hash.of(keys)
        found = view.find_hashes(hashes)
        new = np.flatnonzero(found < 0)
        made = BitMap()
        if len(new):
            first = view.admit(
                Keyed(binary_array([keys[place] for place in new]), Hashed(hashes.high[new], hashes.low[new]))
            )
            found[new] = np.arange(first, first + len(new))
            made = BitMap(range(first, first + len(new)))
        self.ordinals: NDArray[np.uint32] = found[np.array(of_events, np.int64)].astype(np.uint32)
        people = bitmap_of(np.sort(found).astype(np.uint32))
        everyone, with_events = view.fact("everyone"), view.fact("with_events")
        self._missing = ((people - view.near(everyone, people)) | made) - view.links.linked_among(people)
        self._without_events = people - view.near(with_events, people)
        self._visitors = BitMap()
        if self._missing:
            self._visitors = bitmap_of(np.sort(found[visitors_among(binary_array(keys))]).astype(np.uint32))

    def put(self, begin: int, end: int, draft: Draft) -> None:
        """Adds the people of the events from `begin` to `end` to the facts, unless an earlier call has done so."""
        if not self._missing and not self._without_events:
            return
        people = bitmap_of(np.unique(self.ordinals[begin:end]))
        if missing := people & self._missing:
            self._view.put_people(missing, self._visitors & missing, draft)
            self._missing -= missing
        if first := people & self._without_events:
            draft.add(self._view.fact("with_events"), first)
            self._without_events -= first
