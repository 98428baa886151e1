"""The diff of a bulk write: what it changes, as a draft, in each of the five modes."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tagloom.engine.bitmaps import BitMap, bitmap_of, ordinals_of
from tagloom.engine.keys.hashing import visitors_among
from tagloom.engine.write import expiry_rows, start_rows
from tagloom.engine.write.aggregate import Newcomers, ResolvedBatch
from tagloom.engine.write.attribute_values import set_attributes
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.shifts import scheduled_counts
from tagloom.ports.writes import BatchRules
from tagloom.words.changes import Origin
from tagloom.words.periods import Period, Term, term_of
from tagloom.words.receipts import Receipt
from tagloom.words.tags import TagPath

_NOBODY_NEW = np.empty(0, np.int64)


class Diff(NamedTuple):
    """A draft, and the counts of its receipt that are not in it."""

    draft: Draft
    added: int
    removed: int
    unchanged: int
    new_tags: int
    skipped: int = 0
    conflicts: tuple[int, ...] = ()


def receipt_of(diff: Diff, version: int, batch: ResolvedBatch | None = None, **more: object) -> Receipt:
    """Returns the receipt of a diff."""
    told = (
        {}
        if batch is None
        else {
            "rejected_count": batch.rejected_count,
            "rejected": batch.rejected,
            "normalized": batch.normalized,
            "aliases": batch.aliases,
        }
    )
    schedules = scheduled_counts(diff.draft.starts)
    return Receipt(
        version=version,
        added=diff.added,
        removed=diff.removed,
        unchanged=diff.unchanged,
        new_people=diff.draft.new_people,
        people_removed=diff.draft.people_removed,
        new_tags=diff.new_tags,
        skipped=diff.skipped,
        conflicts=diff.conflicts,
        scheduled=schedules.scheduled,
        unscheduled=schedules.unscheduled,
        renewed=expiry_rows.renewed_count(diff.draft) if diff.draft.expiries else 0,
        attributes=diff.draft.attributes_changed,
        linked=len(diff.draft.links),
        new_attributes=sum(1 for entry in diff.draft.entries if entry.kind == "attribute" and not entry.before),
        **told,  # type: ignore[arg-type]  # The values are the fields' own types.
        **more,  # type: ignore[arg-type]  # The values are the fields' own types.
    )


def tagging_counts(draft: Draft, view: View) -> tuple[int, int]:
    """Returns how many taggings a draft adds and removes."""
    facts = set(view.dictionary.facts.values())
    added = sum(len(people) for row, people in draft.added.items() if row not in facts)
    removed = sum(len(people) for row, people in draft.removed.items() if row not in facts)
    return added, removed


def record_draft(draft: Draft, view: View, origin: Origin, action: str, at: str, *, new_tags: int = 0) -> Receipt:
    """Records a draft as a version, unless it is empty. Returns its receipt."""
    added, removed = tagging_counts(draft, view)
    version = view.state.version if draft.is_empty() else view.record(draft, origin, action, at)
    return receipt_of(Diff(draft, added, removed, 0, new_tags), version)


def diff_of(batch: ResolvedBatch, rules: BatchRules, view: View, now: float) -> Diff:
    """Returns what a batch changes in the population of the view. `now` is in Unix seconds."""
    draft = Draft()
    places = _places(batch, rules, view)
    is_adding = rules.mode != "remove"
    # The people for whom the batch adds a tag, and among them those who get it now.
    named: dict[int, BitMap] = {}
    own_periods: dict[int, dict[Period, BitMap]] = {}
    losses: dict[int, BitMap] = {}
    unchanged = 0
    for path, people in batch.added.items():
        row = view.tag_row(view.dictionary.resolve(path), draft)
        moved = places.final(people)
        named[row.id] = named[row.id] | moved if row.id in named else moved
        for period, some in batch.periods.get(path, {}).items():
            earlier = own_periods.setdefault(row.id, {})
            earlier[period] = earlier.get(period, BitMap()) | places.final(some)
    for path, people in batch.removed.items():
        known = view.live(view.dictionary.resolve(path))
        if known is None:
            unchanged += len(people)
            continue
        moved = places.final(people)
        lost = view.near(known.id, moved) & moved
        unscheduled = start_rows.scheduled_among(known.id, moved, view)
        unchanged += len(people) - len(lost | unscheduled)
        start_rows.unschedule(known.id, unscheduled - named.get(known.id, BitMap()), view, draft)
        losses[known.id] = losses[known.id] | lost if known.id in losses else lost
    bare = places.final(batch.bare)
    if is_adding and (batch.attributes or rules.replaces_attributes):
        replaced = None
        if rules.replaces_attributes:
            replaced = BitMap.union(bare, *named.values()) - places.final(batch.held)
        resolved = [(each, places.final_ordinals(each.ordinals)) for each in batch.attributes]
        set_attributes(resolved, replaced, view, draft)
    if is_adding:
        _create(BitMap.union(bare, *named.values()), places, view, draft)
    if rules.mode in ("set", "mirror"):
        _remove_the_rest(batch, rules, view, draft, named, losses, bare, places)
    terms = {
        row: _terms_of_tag(row, people, own_periods.get(row, {}), rules, now, view) for row, people in named.items()
    }
    gains, already_planned = _plan(named, terms, view, draft)
    unchanged += already_planned
    _displace(view, gains, losses)
    tag_expiries: list[expiry_rows.TagExpiry] = []
    for row_id, people in gains.items():
        new = people - view.near(row_id, people)
        unchanged += len(people) - len(new)
        draft.add(row_id, new)
        for term, some in terms[row_id].items():
            if not term.start:
                tag_expiries.append(expiry_rows.TagExpiry(row_id, term.expires, some))
    expiry_rows.set_expiries(tag_expiries, view, draft)
    for row_id, people in losses.items():
        draft.remove(row_id, people - gains[row_id] if row_id in gains else people)
    expiry_rows.settle(view, draft)
    added, removed = tagging_counts(draft, view)
    new_tags = sum(1 for entry in draft.entries if entry.kind == "tag")
    return Diff(draft, added, removed, unchanged, new_tags)


def _terms_of_tag(
    tag: int, people: BitMap, own_periods: Mapping[Period, BitMap], rules: BatchRules, now: float, view: View
) -> dict[Term, BitMap]:
    """Returns the terms of the taggings that a batch adds to one tag; an empty dict if there is nothing to store.

    Starts and expiries come from the lines, or else from the batch, and expiries also from the ttl of the tag.
    """
    ttl, otherwise = view.row(tag).ttl_seconds, rules.period
    is_stored = view.periods.expiries_of(tag) or view.periods.starts_of(tag)
    if not (own_periods or any(otherwise) or ttl or is_stored):
        return {}
    by_term: dict[Term, BitMap] = {}
    waiting = people
    # Two names of a tag that were merged meanwhile may have two periods for one tagging. The first one counts.
    for period, some in (*own_periods.items(), (otherwise, people)):
        term = term_of(period, otherwise, ttl, now)
        by_term[term] = by_term.get(term, BitMap()) | (some & waiting)
        waiting = waiting - some
    return by_term


def _plan(
    named: Mapping[int, BitMap], terms: Mapping[int, Mapping[Term, BitMap]], view: View, draft: Draft
) -> tuple[dict[int, BitMap], int]:
    """Schedules the taggings that start later, and removes the schedules of those that start now.

    Returns the people who get each tag now, and the number of taggings that have the same schedule already.
    """
    gains, unchanged = dict(named), 0
    later = ((row, term) for row, by_term in terms.items() for term, people in by_term.items() if term.start and people)
    view.periods.ensure(later)
    for row, by_term in terms.items():
        unchanged += start_rows.schedule(row, by_term, view, draft)
        for term, people in by_term.items():
            if term.start:
                gains[row] = gains[row] - people
    return gains, unchanged


class _Places:
    """The final ordinals of newcomers by their provisional ones: -1 for people who are not added.

    When `final` is empty, both are equal. `made` are the people whom the batch added, and `visitors` are the visitors
    among them.
    """

    def __init__(self, batch: ResolvedBatch, final: NDArray[np.int64], made: BitMap, visitors: BitMap) -> None:
        self._base = batch.newcomers.base
        self._final = final
        self.made = made
        self.visitors = visitors

    def final_ordinals(self, ordinals: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Returns the final ordinal of each of these people; -1 for people who stay unknown."""
        found = ordinals.astype(np.int64)
        if len(self._final):
            new = found >= self._base
            found[new] = self._final[found[new] - self._base]
        return found

    def final(self, people: BitMap) -> BitMap:
        """Returns the same people by their final ordinals, without people who stay unknown."""
        if not len(self._final) or not people or people.max() < self._base:
            return people
        ordinals = ordinals_of(people).astype(np.int64)
        new = ordinals >= self._base
        moved = self._final[ordinals[new] - self._base]
        return bitmap_of(np.sort(np.concatenate([ordinals[~new], moved[moved >= 0]])).astype(np.uint32))


def _places(batch: ResolvedBatch, rules: BatchRules, view: View) -> _Places:
    """Assigns ordinals to the newcomers who are really added."""
    newcomers, count = batch.newcomers, batch.newcomers.people
    if not count:
        return _Places(batch, _NOBODY_NEW, BitMap(), BitMap())
    base, first = newcomers.base, view.state.next_ordinal
    named = BitMap.union(batch.bare, *batch.added.values()) if rules.mode != "remove" else BitMap()
    named &= BitMap(range(base, base + count))
    is_new = np.ones(count, np.bool_)
    if len(named) < count:
        is_new[:] = False
        is_new[ordinals_of(named).astype(np.int64) - base] = True
    final = _NOBODY_NEW
    if first != base:
        # Another batch added people after the body was read: some newcomers may be among them.
        final = np.concatenate([view.find_hashes(block.hashes) for block in newcomers.blocks])
        is_new &= final < 0
    elif len(named) < count:
        final = np.full(count, -1, np.int64)
    visitors = _admit(newcomers, is_new, view)
    if len(final):
        final[is_new] = np.arange(first, view.state.next_ordinal)
    return _Places(batch, final, BitMap(range(first, view.state.next_ordinal)), visitors)


def _admit(newcomers: Newcomers, is_new: NDArray[np.bool_], view: View) -> BitMap:
    """Assigns ordinals to new people. Returns the visitors among them."""
    begin, visitors = 0, [_NOBODY_NEW]
    for block in newcomers.blocks:
        places = np.flatnonzero(is_new[begin : begin + len(block.keys)])
        begin += len(block.keys)
        if len(places):
            new = block if len(places) == len(block.keys) else block.take(places)
            visitors.append(visitors_among(new.keys) + view.admit(new))
    return bitmap_of(np.concatenate(visitors).astype(np.uint32))


def _create(people: BitMap, places: _Places, view: View, draft: Draft) -> None:
    """Adds unknown people to the facts: newcomers, and people whose first batch was undone."""
    everyone = view.fact("everyone")
    missing = people - view.near(everyone, people)
    if not missing:
        return
    visitors = missing & places.visitors
    for ordinal in missing - places.made:
        if view.key_at(ordinal)[:1] == b"v":
            visitors.add(ordinal)
    view.put_people(missing, visitors, draft)


def _remove_the_rest(
    batch: ResolvedBatch,
    rules: BatchRules,
    view: View,
    draft: Draft,
    named: Mapping[int, BitMap],
    losses: dict[int, BitMap],
    bare: BitMap,
    places: _Places,
) -> None:
    """Removes what set and mirror must remove: all other tags at or below `prefix` that have no other owner.

    Schedules are removed in the same way. `named` has the people for whom the batch adds a tag.
    """
    held = places.final(batch.held) | _made_known_since(batch, view)
    people = BitMap.union(bare, *named.values()) - held
    prefix = "" if rules.prefix is None else view.dictionary.resolve(rules.prefix)
    for row in view.subtree(prefix):
        owned = view.dictionary.owned_branch(TagPath(row.path))
        if owned and owned[1] != rules.owner:
            continue
        scheduled = start_rows.scheduled_people(row.id, view)
        if rules.mode == "set":
            lost, unscheduled = view.near(row.id, people) & people, scheduled & people
        else:
            lost, unscheduled = view.whole(row.id) - held, scheduled - held
        if row.id in named:
            lost, unscheduled = lost - named[row.id], unscheduled - named[row.id]
        start_rows.unschedule(row.id, unscheduled, view, draft)
        if lost:
            losses[row.id] = losses[row.id] | lost if row.id in losses else lost


def _made_known_since(batch: ResolvedBatch, view: View) -> BitMap:
    """Returns the people that doubtful lines may name and who were added after the body was read."""
    strangers, begun = batch.doubtful.strangers, batch.begun
    if not len(strangers.high) or begun is None or begun.next_ordinal == view.state.next_ordinal:
        return BitMap()
    found = view.find_hashes(strangers)
    return bitmap_of(np.unique(found[found >= 0]).astype(np.uint32))


def _displace(view: View, gains: dict[int, BitMap], losses: dict[int, BitMap]) -> None:
    """Removes the other tags of exclusive branches from people who get a new tag of the branch."""
    for gained_row, people in gains.items():
        for row in view.rivals_of(gained_row):
            if lost := view.near(row, people) & people:
                losses[row] = losses[row] | lost if row in losses else lost
