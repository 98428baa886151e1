"""Expiry rows: for each tag and minute, a row of the people whose tagging of the tag expires then.

A draft is settled before it is recorded, so that everybody in an expiry row has the tag, and has one expiry. For tags
and batches without expiries, the cost is one look-up in a dict.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tagloom.engine.bitmaps import BitMap
from tagloom.words.periods import Term

if TYPE_CHECKING:
    from tagloom.engine.write.draft import Draft, View

_NOBODY = BitMap()


class TagExpiry(NamedTuple):
    """The people whose taggings of a tag, a row, expire at a moment; 0 for never."""

    tag: int
    moment: int
    people: BitMap


def set_expiries(tag_expiries: Sequence[TagExpiry], view: "View", draft: "Draft") -> None:
    """Sets all of these expiries, with one query for missing expiry rows."""
    view.periods.ensure((each.tag, Term(0, each.moment)) for each in tag_expiries if each.people and each.moment)
    for each in tag_expiries:
        set_expiry(each.tag, each.people, each.moment, view, draft)


def set_expiry(tag: int, people: BitMap, moment: int, view: "View", draft: "Draft") -> None:
    """Sets the expiry of these people's taggings of a tag, a row; 0 for never. Replaces earlier expiries."""
    expiries = view.periods.expiries_of(tag)
    if not people or not (moment or expiries):
        return
    _leave(tag, people, expiries, moment, view, draft)
    if moment:
        row = view.periods.row(tag, Term(0, moment))
        draft.expiries.enter(tag, row, people - view.near(row, people))


def settle(view: "View", draft: "Draft") -> None:
    """Removes the expiries of taggings that the draft removes."""
    for tag, people in draft.removed.items():
        if expiries := view.periods.expiries_of(tag):
            _leave(tag, people, expiries, 0, view, draft)


def _leave(tag: int, people: BitMap, expiries: Mapping[int, int], but: int, view: "View", draft: "Draft") -> None:
    for moment, row in expiries.items():
        if moment != but:
            draft.expiries.leave(tag, row, view.near(row, people) & people)


def renewed_count(draft: "Draft") -> int:
    """Counts the taggings that stay and whose expiry is changed, added or removed."""
    count = 0
    for tag in draft.expiries.by_tag:
        moved = draft.expiries.entered(tag) | draft.expiries.left(tag)
        count += len(moved - draft.added.get(tag, _NOBODY) - draft.removed.get(tag, _NOBODY))
    return count


def merge_expiries(people: BitMap, tag: int, into: int, view: "View", draft: "Draft") -> None:
    """Sets the expiries of a merge: people who have `tag` get `into` with the later of the two expiries.

    Call it before the draft adds `into` to these people or removes `tag` from them.
    """
    ours, theirs = view.periods.expiries_of(tag), view.periods.expiries_of(into)
    if not ours and not theirs:
        return
    both = view.near(into, people) & people
    waiting = BitMap(people)
    # The loop runs in order of expiry. For a person with both tags, the later expiry counts. The people who are left at
    # the end have no expiry.
    for moment in sorted({*ours, *theirs}):
        mine, other = (
            view.near(expiries[moment], waiting) & waiting if moment in expiries else _NOBODY
            for expiries in (ours, theirs)
        )
        early = ((mine | other) & both) - (mine & other)
        both -= early
        decided = (mine | other) - early
        set_expiry(into, decided, moment, view, draft)
        waiting -= decided
    set_expiry(into, waiting, 0, view, draft)
