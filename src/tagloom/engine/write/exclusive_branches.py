"""Exclusive branches: nobody may have two tags at or below one. This module checks all writes except bulk writes.

A bulk write removes a person's other tags of the branch. A change of the catalogue that would break the rule is
refused. An undo skips the additions that would break the rule.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from tagloom.engine.bitmaps import BitMap
from tagloom.engine.storage import Row
from tagloom.engine.write.draft import Draft, View
from tagloom.words import rejections
from tagloom.words.tags import TagPath, is_at_or_below

Rows = Mapping[int, Row]


def refuse_several(draft: Draft, view: View) -> None:
    """Refuses a change of the catalogue after which a person would have two tags of an exclusive branch.

    Cost: nothing, unless a tag became exclusive, was moved, or is added to people: then one intersection per tag of the
    branches concerned.

    Raises:
        ExclusiveBranch: with the branch and the number of people.
    """
    known = view.dictionary.rows
    changed = {row.id for row in view.rows.values() if row.is_live and _is_new_there(row, known.get(row.id))}
    changed |= draft.added.keys() - view.dictionary.facts.values()
    if not changed:
        return
    rows = {row.id: row for row in view.subtree("")}
    paths = [rows[row].path for row in changed]
    for branch in _branches(rows.values()):
        if any(is_at_or_below(path, branch) for path in paths):
            several = _people_with_several(branch, rows, draft, view, None)
            if several:
                raise rejections.several_of_branch(branch, len(several))


def spare_several(draft: Draft, rows: Rows, view: View) -> tuple[int, tuple[TagPath, int] | None]:
    """Removes from an undo's draft the additions that would leave a person with two tags of an exclusive branch.

    `rows` are the live tags after the undo. A person who would have two tags keeps their present tags, and gets none of
    the branch back. Returns how many taggings are skipped for this reason. When the undo changes the catalogue so that
    present tags alone break the rule, it also returns the first such branch with the number of people.
    """
    spared = 0
    for branch in _branches(rows.values()):
        below = [row.id for row in rows.values() if is_at_or_below(row.path, branch)]
        among = BitMap.union(BitMap(), *(draft.added[row] for row in below if row in draft.added))
        is_new = any(_is_new_there(rows[row], view.dictionary.rows.get(row)) for row in below)
        if not among and not is_new:
            continue
        several = _people_with_several(branch, rows, draft, view, None if is_new else among)
        for row in below if several else ():
            left = draft.added.get(row, BitMap()) & several
            if left:
                spared += len(left)
                draft.exclude(row, left)
        if several and is_new and (broken := _people_with_several(branch, rows, draft, view, None)):
            return spared, (branch, len(broken))
    return spared, None


def broken_branches(rows: Iterable[Row], whole: Callable[[int], BitMap]) -> Iterator[tuple[TagPath, int]]:
    """Yields each exclusive branch of which people have two tags, with their number. `whole` returns a tag's people."""
    live = {row.id: row for row in rows if row.is_live}
    for branch in _branches(live.values()):
        if several := _in_two([whole(row.id) for row in live.values() if is_at_or_below(row.path, branch)]):
            yield branch, len(several)


def _is_new_there(row: Row, before: Row | None) -> bool:
    """Returns whether a tag was moved, became live, or became exclusive."""
    if before is None or not before.is_live:
        return True
    return row.path != before.path or (row.exclusive and not before.exclusive)


def _branches(rows: Iterable[Row]) -> list[TagPath]:
    return sorted(TagPath(row.path) for row in rows if row.exclusive)


def _people_with_several(branch: TagPath, rows: Rows, draft: Draft, view: View, among: BitMap | None) -> BitMap:
    """Returns the people who would have two tags at or below the branch after the draft, only those in `among`."""
    nobody = BitMap()
    found = []
    for row in rows.values():
        if is_at_or_below(row.path, branch):
            people = view.whole(row.id) if among is None else view.near(row.id, among) & among
            people = people - draft.removed.get(row.id, nobody)
            added = draft.added.get(row.id, nobody)
            found.append(people | (added if among is None else added & among))
    return _in_two(found)


def _in_two(each: Iterable[BitMap]) -> BitMap:
    """Returns the people who are in at least two of these bitmaps."""
    once, twice = BitMap(), BitMap()
    for people in each:
        twice |= once & people
        once |= people
    return twice
