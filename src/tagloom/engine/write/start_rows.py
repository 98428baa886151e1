"""Start rows: for each tag and term, a row of the people whose tagging of the tag is scheduled to start then.

A person is in one start row of a tag at most, and may have the tag already. For tags without scheduled taggings, the
cost is one look-up in a dict.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tagloom.engine.bitmaps import BitMap
from tagloom.words.periods import ALWAYS, Term, start_order

if TYPE_CHECKING:
    from tagloom.engine.write.draft import Draft, View

_NOBODY = BitMap()


def schedule(tag: int, terms: Mapping[Term, BitMap], view: "View", draft: "Draft") -> int:
    """Sets the terms of people's taggings of a tag, a row. Replaces earlier schedules.

    A term without a start only removes the schedule. A person has one of the terms. Returns how many of the taggings
    had the same schedule before. Call it once for a person and a tag.
    """
    known = view.periods.starts_of(tag)
    if not known and not any(term.start for term in terms):
        return 0
    people = BitMap.union(_NOBODY, *terms.values())
    for term, row in known.items():
        draft.starts.leave(tag, row, (view.near(row, people) & people) - terms.get(term, _NOBODY))
    unchanged = 0
    for term, some in terms.items():
        if term.start and some:
            row = view.periods.row(tag, term)
            staying = view.near(row, some) & some
            draft.starts.enter(tag, row, some - staying)
            unchanged += len(staying)
    return unchanged


def unschedule(tag: int, people: BitMap, view: "View", draft: "Draft") -> None:
    """Removes the schedules of these people's taggings of a tag, a row."""
    schedule(tag, {ALWAYS: people}, view, draft)


def unschedule_all(tag: int, view: "View", draft: "Draft") -> None:
    """Removes all schedules of a tag, a row."""
    for row in view.periods.starts_of(tag).values():
        draft.starts.leave(tag, row, BitMap(view.whole(row)))


def unschedule_everywhere(people: BitMap, view: "View", draft: "Draft") -> None:
    """Removes the schedules of these people's taggings of all tags."""
    for tag in view.periods.tags_with_starts():
        unschedule(tag, people, view, draft)


def scheduled_people(tag: int, view: "View") -> BitMap:
    """Returns the people with a scheduled tagging of a tag, a row."""
    return BitMap.union(_NOBODY, *map(view.whole, view.periods.starts_of(tag).values()))


def scheduled_among(tag: int, people: BitMap, view: "View") -> BitMap:
    """Returns those of these people who have a scheduled tagging of a tag, a row."""
    return BitMap.union(_NOBODY, *(view.near(row, people) & people for row in view.periods.starts_of(tag).values()))


def scheduled_after(tag: int, view: "View", draft: "Draft") -> BitMap:
    """Returns the people with a scheduled tagging of a tag, a row, after the draft."""
    if not view.periods.starts_of(tag):
        return _NOBODY
    return (scheduled_people(tag, view) - draft.starts.left(tag)) | draft.starts.entered(tag)


def merge_starts(tag: int, into: int, view: "View", draft: "Draft") -> None:
    """Moves the schedules of a merge. For a person with one of each tag, the earlier start counts.

    If both start at one moment, the later expiry counts.
    """
    ours, theirs = view.periods.starts_of(tag), view.periods.starts_of(into)
    if not ours:
        return
    terms, decided = dict[Term, BitMap](), BitMap()
    for term in sorted({*ours, *theirs}, key=start_order):
        rows = [starts[term] for starts in (ours, theirs) if term in starts]
        terms[term] = BitMap.union(_NOBODY, *map(view.whole, rows)) - decided
        decided |= terms[term]
    schedule(into, terms, view, draft)
    unschedule_all(tag, view, draft)
