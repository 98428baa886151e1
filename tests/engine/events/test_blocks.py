"""Blocks of the event log: what is packed is unpacked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.events.blocks import EventColumns, columns_of, find_time, joined, pack, unpack, without
from tagloom.engine.storage import EventBlock
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person

TIMES = st.integers(-(2**40), 2**45)
EVENTS = st.builds(
    Event,
    person=st.just(Person("user", "u")),
    type=st.sampled_from([EventType("ad/clicked"), EventType("ad/seen"), EventType("überweisung/getätigt")]),
    at=TIMES,
    id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9),
    properties=st.binary(max_size=30),
    original_at=st.none() | TIMES,
    sent_at=st.none() | TIMES,
)


def stored(columns: EventColumns) -> EventBlock:
    """A block of version 9 with these columns."""
    packed = pack(columns, version=9, recorded_at=2_000)
    return EventBlock(9, 7, 2_000, 0, 0, len(columns.ordinals), b"", b"", packed)


@pytest.mark.hypothesis
@given(events=st.lists(EVENTS, max_size=8), data=st.data())
def test_a_block_returns_its_events_and_those_of_others_after_an_erasure(
    events: list[Event], data: st.DataObject
) -> None:
    ordinals = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(events), max_size=len(events))), np.uint32)

    kept = unpack(stored(columns_of(events, ordinals, versions=np.full(len(events), 7), recorded_at=1_000)))
    others = unpack(stored(without(kept, BitMap([1]))))
    both = unpack(stored(joined([kept, others])))

    for columns, expected in (
        (kept, events),
        (others, [event for event, ordinal in zip(events, ordinals, strict=True) if ordinal != 1]),
        (both, [*events, *(event for event, ordinal in zip(events, ordinals, strict=True) if ordinal != 1)]),
    ):
        assert [columns.types[number] for number in columns.type_numbers] == [event.type for event in expected]
        assert columns.at.tolist() == [event.at for event in expected]
        assert columns.ids == [event.id for event in expected]
        assert columns.properties == [event.properties for event in expected]
        places = range(len(expected))
        assert [find_time(columns.originals, place) for place in places] == [event.original_at for event in expected]
        assert [find_time(columns.sent, place) for place in places] == [event.sent_at for event in expected]
    assert others.ordinals.tolist() == [ordinal for ordinal in ordinals.tolist() if ordinal != 1]
    assert set(kept.versions.tolist()) | set(both.versions.tolist()) <= {7}
    assert set(kept.recorded.tolist()) | set(both.recorded.tolist()) <= {1_000}
