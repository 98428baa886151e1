"""Sets the attributes of recorded events: the traits of `identify` messages, and what was derived from the context."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.keys.hashing import KeyHash
from tagloom.engine.write.attribute_cells import Cells
from tagloom.engine.write.attribute_values import set_attributes
from tagloom.engine.write.derived_attributes import set_derived
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.lookups import TransactionLookups
from tagloom.ports import limits as ports_limits
from tagloom.ports.writes import AttributeCells
from tagloom.words import limits
from tagloom.words.events import Event
from tagloom.words.receipts import Rejected
from tagloom.words.rejections import rejected, too_many_in_line


def attributes_of_events(
    events: Sequence[Event], lines: Sequence[int], ordinals: NDArray[np.uint32], view: View, key_hash: KeyHash
) -> tuple[Draft, tuple[Rejected, ...]]:
    """Returns the draft that sets the attributes of events, in order, and the values that cannot be set.

    `lines` and `ordinals` are those of the events. Cost: 100 us, and some microseconds per value; without traits, see
    `set_derived`.
    """
    draft = Draft()
    ignored = (
        _set_traits(events, lines, ordinals, view, key_hash, draft) if any(each.attributes for each in events) else []
    )
    ignored += set_derived(events, lines, ordinals, view, draft)
    ignored.sort(key=lambda each: each.line)
    return draft, tuple(ignored[: ports_limits.REJECTED_PER_RECEIPT_MAX])


def _set_traits(
    events: Sequence[Event],
    lines: Sequence[int],
    ordinals: NDArray[np.uint32],
    view: View,
    key_hash: KeyHash,
    draft: Draft,
) -> list[Rejected]:
    """Sets the attributes that senders named, and returns the values that cannot be set."""
    cells = [
        (number, name, value)
        for number, event in enumerate(events)
        for name, value in list(event.attributes.items())[: limits.ATTRIBUTES_PER_PERSON_MAX]
    ]
    names = list(dict.fromkeys(name for _, name, _ in cells))
    numbers = {name: number for number, name in enumerate(names)}
    columns = AttributeCells(
        line=np.array([number for number, _, _ in cells], np.int32),
        name=np.array([numbers[name] for _, name, _ in cells], np.int32),
        value=np.arange(len(cells), dtype=np.int32),
        names=names,
        values=[value for _, _, value in cells],
    )
    reader = Cells(TransactionLookups(view, key_hash), limits.ATTRIBUTES_OF_SOURCES_MAX)
    read = reader.read(columns, len(events))
    ignored = [
        rejected(lines[int(read.line[at])], *read.every_fault[-int(read.number[at]) - 1])
        for at in np.flatnonzero(read.number < 0).tolist()
    ]
    for line, event in zip(lines, events, strict=True):
        if len(event.attributes) > limits.ATTRIBUTES_PER_PERSON_MAX:
            first_over = list(event.attributes)[limits.ATTRIBUTES_PER_PERSON_MAX]
            ignored.append(rejected(line, first_over, too_many_in_line(len(event.attributes))))
    reader.keep(read.without_faults(), np.array(lines, np.int64), ordinals)
    resolved = reader.finish(np.empty(0, np.int64))
    set_attributes([(each, each.ordinals.astype(np.int64)) for each in resolved], None, view, draft)
    return ignored
