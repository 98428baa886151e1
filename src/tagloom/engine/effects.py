"""What each kind of batch does, as a draft: the five modes of a bulk write, and the undo of a version."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tagloom import problems
from tagloom.engine.batch import Draft, View, row_from, row_state
from tagloom.engine.chunks import BitMap, bitmap_of, from_bytes, ordinals_of
from tagloom.engine.gather import Asked
from tagloom.engine.keys import Hashed
from tagloom.engine.storage import Row
from tagloom.model import Receipt
from tagloom.store.port import Request
from tagloom.tags import TagPath, branches_above


class Effect(NamedTuple):
    """A draft, and the counts of its receipt that are not in it."""

    draft: Draft
    added: int
    removed: int
    unchanged: int
    new_tags: int
    left_alone: int = 0


def receipt_of(effect: Effect, version: int, asked: Asked | None = None, **more: object) -> Receipt:
    """The receipt of an effect."""
    told = (
        {}
        if asked is None
        else {
            "rejected_count": asked.rejected_count,
            "rejected": asked.rejected,
            "normalized": asked.normalized,
            "aliases": asked.aliases,
        }
    )
    return Receipt(
        version=version,
        added=effect.added,
        removed=effect.removed,
        unchanged=effect.unchanged,
        new_people=effect.draft.new_people,
        people_removed=effect.draft.people_removed,
        new_tags=effect.new_tags,
        left_alone=effect.left_alone,
        **told,  # type: ignore[arg-type]  # The values are the fields' own types.
        **more,  # type: ignore[arg-type]  # Likewise.
    )


def effect_of(asked: Asked, request: Request, view: View) -> Effect:
    """What a gathered body does to the population as the view shows it."""
    draft = Draft()
    places = _places(asked, request, view)
    is_giving = request.mode != "remove"
    gives: dict[int, BitMap] = {}
    losses: dict[int, BitMap] = {}
    unchanged = 0
    for path, people in asked.gives.items():
        row = view.tag_row(view.dictionary.resolve(path), draft)
        moved = places.final(people)
        gives[row.id] = gives[row.id] | moved if row.id in gives else moved
    for path, people in asked.takes.items():
        known = view.live(view.dictionary.resolve(path))
        if known is None:
            unchanged += len(people)
            continue
        moved = places.final(people)
        lost = view.near(known.id, moved) & moved
        unchanged += len(people) - len(lost)
        losses[known.id] = losses[known.id] | lost if known.id in losses else lost
    bare = places.final(asked.bare)
    if is_giving:
        _create(BitMap.union(bare, *gives.values()), places, view, draft)
    if request.mode in ("set", "mirror"):
        _lose_the_rest(asked, request, view, gives, losses, bare, places)
    _displace(view, gives, losses)
    for row_id, people in gives.items():
        new = people - view.near(row_id, people)
        unchanged += len(people) - len(new)
        draft.add(row_id, new)
    for row_id, people in losses.items():
        draft.remove(row_id, people - gives[row_id] if row_id in gives else people)
    facts = set(view.dictionary.facts.values())
    added = sum(len(people) for row_id, people in draft.added.items() if row_id not in facts)
    removed = sum(len(people) for row_id, people in draft.removed.items() if row_id not in facts)
    new_tags = sum(1 for entry in draft.entries if entry.kind == "tag")
    return Effect(draft, added, removed, unchanged, new_tags)


class _Places:
    """Provisional ordinals of newcomers, and the ordinals they get."""

    def __init__(self, asked: Asked, final: "np.ndarray[tuple[int], np.dtype[np.int64]]", made: BitMap) -> None:
        self._base = asked.newcomers.base
        self._final = final
        self._is_same = bool(np.array_equal(final, np.arange(self._base, self._base + len(final))))
        self.made = made
        self.visitors = BitMap()

    def final(self, people: BitMap) -> BitMap:
        """The same people by their ordinals; those who stay unknown are left out."""
        if self._is_same or not people or people.max() < self._base:
            return people
        ordinals = ordinals_of(people).astype(np.int64)
        new = ordinals >= self._base
        moved = self._final[ordinals[new] - self._base]
        return bitmap_of(np.sort(np.concatenate([ordinals[~new], moved[moved >= 0]])).astype(np.uint32))


def _places(asked: Asked, request: Request, view: View) -> _Places:
    """Gives the newcomers who are really given something their ordinals."""
    base, keys, hashes = asked.newcomers
    final = np.full(len(keys), -1, np.int64)
    if not len(keys):
        return _Places(asked, final, BitMap())
    named = BitMap.union(asked.bare, *asked.gives.values()) if request.mode != "remove" else BitMap()
    is_named = np.zeros(len(keys), np.bool_)
    named_new = ordinals_of(named)
    is_named[named_new[named_new >= base].astype(np.int64) - base] = True
    if view.state.next_ordinal != base:
        # Somebody else added people since the body was read: some newcomers may be among them.
        if len(keys) <= 64:
            found = [
                view.find_hash(high, low) for high, low in zip(hashes.high.tolist(), hashes.low.tolist(), strict=True)
            ]
            final[:] = [-1 if ordinal is None else ordinal for ordinal in found]
        else:
            final = view.directory.find_many(hashes, lambda: view.tx)
    new = np.flatnonzero((final < 0) & is_named)
    if not len(new):
        return _Places(asked, final, BitMap())
    everyone_is_new = len(new) == len(keys)
    new_keys = keys if everyone_is_new else keys.take(pa.array(new))
    new_hashes = Hashed(hashes.high[new], hashes.low[new])
    first = view.admit(new_keys, new_hashes)
    final[new] = np.arange(first, first + len(new))
    if len(new) <= 1_024:
        pairs = zip(new_hashes.high.tolist(), new_hashes.low.tolist(), strict=True)
        view.newcomers.update(zip(pairs, range(first, first + len(new)), strict=True))
    places = _Places(asked, final, BitMap(range(first, first + len(new))))
    initials = np.frombuffer(new_keys.buffers()[2], np.uint8)[
        np.frombuffer(new_keys.buffers()[1], np.int32)[new_keys.offset : new_keys.offset + len(new)]
    ]
    places.visitors = bitmap_of((np.flatnonzero(initials == ord("v")) + first).astype(np.uint32))
    return places


def _create(people: BitMap, places: _Places, view: View, draft: Draft) -> None:
    """Makes the people known who are not: newcomers, and those whose first batch was undone."""
    everyone = view.fact("everyone")
    missing = people - view.near(everyone, people)
    if not missing:
        return
    visitors = missing & places.visitors
    for ordinal in missing - places.made:
        if view.key_at(ordinal)[:1] == b"v":
            visitors.add(ordinal)
    draft.new_people = len(missing)
    draft.add(everyone, missing)
    draft.add(view.fact("visitors"), visitors)
    draft.add(view.fact("users"), missing - visitors)


def _lose_the_rest(
    asked: Asked,
    request: Request,
    view: View,
    gives: dict[int, BitMap],
    losses: dict[int, BitMap],
    bare: BitMap,
    places: _Places,
) -> None:
    """What set and mirror take: everything at or below `under` that was not asked for."""
    held = places.final(asked.held)
    named = BitMap.union(bare, *gives.values()) - held
    under = "" if request.under is None else view.dictionary.resolve(request.under)
    for row in view.subtree(under):
        lost = view.near(row.id, named) & named if request.mode == "set" else view.whole(row.id) - held
        if row.id in gives:
            lost -= gives[row.id]
        if lost:
            losses[row.id] = losses[row.id] | lost if row.id in losses else lost


def _displace(view: View, gives: dict[int, BitMap], losses: dict[int, BitMap]) -> None:
    """What exclusive branches take: every other tag of the branch."""
    for given, people in gives.items():
        path = TagPath((view.rows.get(given) or view.dictionary.rows[given]).path)
        for branch in view.dictionary.exclusive_branches(path):
            for row in view.subtree(branch):
                if row.id != given and (lost := view.near(row.id, people) & people):
                    losses[row.id] = losses[row.id] | lost if row.id in losses else lost


def undo_effect(version: int, view: View) -> Effect:
    """What takes back one version, sparing what later ones touched.

    Raises: UndoConflict.
    """
    draft = Draft()
    back = _rows_back(version, view)
    facts = {row: name for name, row in view.dictionary.facts.items()}
    later: dict[tuple[int, int], BitMap] = {}
    for change in view.tx.changes_since(version):
        place = change.row, change.bucket
        touched = from_bytes(change.added) | from_bytes(change.removed)
        later[place] = later[place] | touched if place in later else touched
    gone = view.whole(view.fact("erased"))
    nothing = BitMap()
    left_alone = 0
    candidates = BitMap()
    for change in view.tx.changes(version):
        spared = later.get((change.row, change.bucket), nothing) | gone
        given, taken = from_bytes(change.added), from_bytes(change.removed)
        is_fact = change.row in facts
        if not is_fact:
            is_live = back[change.row].is_live if change.row in back else view.dictionary.rows[change.row].is_live
            if not is_live:
                left_alone += len(given) + len(taken)
                continue
            left_alone += len(given & spared) + len(taken & spared)
        take, give = given - spared, taken - spared
        if facts.get(change.row) == "everyone":
            candidates |= take
            draft.add(change.row, give)
        elif not is_fact:
            draft.remove(change.row, take)
            draft.add(change.row, give)
    _put_entries_back(version, back, view, draft)
    _send_away(candidates, view, draft)
    tags = {row for row in draft.added.keys() | draft.removed.keys() if row not in facts}
    added = sum(len(draft.added[row]) for row in tags if row in draft.added)
    removed = sum(len(draft.removed[row]) for row in tags if row in draft.removed)
    return Effect(draft, added, removed, 0, 0, left_alone)


def _rows_back(version: int, view: View) -> dict[int, Row]:
    """The rows that were there before the version and are put back, as they were.

    Rows that it made are not among them: whether they go depends on who still bears them.
    """
    back = {}
    for entry in view.tx.entries(version):
        if entry.kind == "alias":
            if view.dictionary.aliases.get(TagPath(entry.name), "") != entry.after:
                raise problems.UndoConflict(f"The alias '{entry.name}' was changed since.", value=entry.name)
            continue
        row = view.dictionary.rows[int(entry.name)]
        if row_state(row) != entry.after:
            raise problems.UndoConflict(f"The tag '{row.path}' was changed since.", value=row.path)
        before = row_from(row.id, entry.before) if entry.before else None
        if before is not None and (before.is_live or not row.is_live):
            back[row.id] = before
    return back


def _put_entries_back(version: int, back: dict[int, Row], view: View, draft: Draft) -> None:
    """Puts the dictionary back; a tag that the version made stays while somebody bears it."""
    aliases = dict(view.dictionary.aliases)
    for entry in view.tx.entries(version):
        if entry.kind == "alias":
            path = TagPath(entry.name)
            aliases.pop(path, None)
            if entry.before:
                aliases[path] = TagPath(entry.before)
            view.put_alias(path, TagPath(entry.before) if entry.before else None, draft)
        elif int(entry.name) in back:
            view.put_row(back[int(entry.name)], draft)
        else:
            row = view.dictionary.rows[int(entry.name)]
            remaining = view.whole(row.id) - draft.removed.get(row.id, BitMap())
            if not remaining and row.id not in draft.added:
                before = row_from(row.id, entry.before) if entry.before else row._replace(is_live=False)
                view.put_row(before, draft)
    paths: set[str] = set()
    for row in view.subtree(""):
        shadow = next((path for path in (row.path, *branches_above(row.path)) if path in aliases), None)
        if row.path in paths or shadow is not None:
            wrong = f"'{shadow}' is an alias by now" if shadow else f"the path '{row.path}' is another tag by now"
            raise problems.UndoConflict(f"Version {version} cannot be undone: {wrong}.", value=row.path)
        paths.add(row.path)


def _send_away(candidates: BitMap, view: View, draft: Draft) -> None:
    """Takes away people who bear nothing after the undo; brings back those who are given a tag."""
    everyone, users, visitors = (view.fact(name) for name in ("everyone", "users", "visitors"))
    facts = set(view.dictionary.facts.values())
    staying = BitMap()
    if candidates:
        for row in view.subtree(""):
            bearing = view.near(row.id, candidates) & candidates
            staying |= bearing - draft.removed[row.id] if row.id in draft.removed else bearing
    leaving = candidates - staying
    coming = BitMap(draft.added.pop(everyone, BitMap()))
    for row_id, people in draft.added.items():
        if row_id not in facts:
            coming |= people - view.near(everyone, people)
            leaving -= people
    draft.remove(everyone, leaving)
    draft.remove(users, leaving & view.near(users, leaving))
    draft.remove(visitors, leaving & view.near(visitors, leaving))
    draft.people_removed = len(leaving)
    draft.add(everyone, coming)
    are_visitors = BitMap(o for o in coming if view.key_at(o)[:1] == b"v")
    draft.add(visitors, are_visitors)
    draft.add(users, coming - are_visitors)
    draft.new_people = len(coming)
