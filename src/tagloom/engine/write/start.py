"""Starts the scheduled taggings that are due, as one version."""

from collections.abc import Iterator
from datetime import datetime

from tagloom.base.times import with_milliseconds
from tagloom.engine.bitmaps import BitMap
from tagloom.engine.write.diff import record_draft
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.expiry_rows import TagExpiry, set_expiries, settle
from tagloom.ports import limits
from tagloom.words.changes import START, Origin
from tagloom.words.expiry import Moment, moment_now
from tagloom.words.periods import Term, is_due, is_over
from tagloom.words.receipts import Receipt


def start(view: View, now: datetime, origin: Origin) -> Receipt:
    """Adds the taggings of start rows that are due, and empties these rows.

    It carries out at most STARTS_PER_RUN_MAX starts: the taggings of one tag with one term are one start.
    """
    moment, draft, gains = moment_now(now.timestamp()), Draft(), dict[int, BitMap]()
    due = sorted(_due(view, moment), key=lambda each: (each[0], view.row(each[1]).path))[: limits.STARTS_PER_RUN_MAX]
    expiries = list[TagExpiry]()
    # For a person with several of these taggings in an exclusive branch, the last one counts. So the last one is first.
    for term, tag, row in reversed(due):
        people = BitMap(view.whole(row))
        draft.starts.leave(tag, row, people)
        if is_over(term, moment):
            continue
        rivals = view.rivals_of(tag)
        people -= BitMap.union(BitMap(), *(gains[rival] for rival in rivals if rival in gains))
        gains[tag] = gains[tag] | people if tag in gains else people
        expiries.append(TagExpiry(tag, term.expires, people))
        draft.add(tag, people - view.near(tag, people))
        for rival in rivals:
            draft.remove(rival, view.near(rival, people) & people)
    set_expiries(expiries, view, draft)
    settle(view, draft)
    return record_draft(draft, view, origin, START, with_milliseconds(now))


def _due(view: View, moment: Moment) -> Iterator[tuple[Term, int, int]]:
    """Yields (term, tag, row) of the start rows that are due at a moment."""
    for tag, rows in view.dictionary.starts.items():
        for term, row in rows.items():
            if is_due(term, moment):
                yield term, tag, row
