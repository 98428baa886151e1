"""Undoes several versions at once, as a draft.

The undo is exact, except for the taggings that other versions changed since.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import NamedTuple

from tagloom.engine.bitmaps import BitMap, from_bytes
from tagloom.engine.history.compaction import compacted, horizon_of
from tagloom.engine.state.dictionary import sliced_row_of
from tagloom.engine.storage import ChunkChange, Entry, Row
from tagloom.engine.write import start_rows
from tagloom.engine.write.attribute_undo import undo_values, wanted_rows
from tagloom.engine.write.diff import Diff, tagging_counts
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.exclusive_branches import spare_several
from tagloom.engine.write.expiry_rows import set_expiry
from tagloom.engine.write.link_undo import check_links, linked_after, strip_linked, users_after
from tagloom.engine.write.row_states import attribute_from, attribute_state, row_from, row_state
from tagloom.engine.write.shifts import PeriodShifts, Shift
from tagloom.ports import limits
from tagloom.ports.problems import ChangeNotFound, UndoConflict
from tagloom.words import limits as words_limits
from tagloom.words import rejections
from tagloom.words.changes import EVENTS, EXPIRY, START
from tagloom.words.periods import Term
from tagloom.words.tags import TagPath, branches_above

_NOBODY = BitMap()
_PLACES_AT_ONCE = 256  # Chunks whose changes are read together.


class _ChunkUndo(NamedTuple):
    """The people that an undo removes from one chunk, adds to it, and skips because of later changes.

    `expiries` and `starts` are the period rows of people before the undone versions.
    """

    lost: BitMap
    won: BitMap
    spared: BitMap
    expiries: "_PeriodsBefore"
    starts: "_PeriodsBefore"
    is_alone: bool = False
    """True if one change is the only one of the chunk, so that the chunk now has exactly what that change did."""


class _PeriodsBefore:
    """The rows of one kind, expiry rows or start rows, that people were in before the undone versions.

    They are known for the people in `settled`: a row of `rows`, or none.
    """

    def __init__(self) -> None:
        self.settled = BitMap()
        self.rows: dict[int, BitMap] = {}

    def settle(self, people: BitMap, left: Iterable[tuple[int, BitMap]]) -> None:
        """Goes back before a version that changed these people. `left` has the rows and those whom it removed."""
        self.settled |= people
        self.rows = {row: inside - people for row, inside in self.rows.items()}
        for row, removed in left:
            self.rows[row] = self.rows.get(row, BitMap()) | (removed & people)


class _Origin(NamedTuple):
    """A dictionary entry before and after some versions. `alive` is its last live state in them."""

    before: str
    after: str
    alive: str


def check_versions(versions: Sequence[int], view: View) -> None:
    """Checks that ascending versions can be undone. Raises: ChangeNotFound, HistoryCompacted, UndoConflict."""
    finals, events = list[int](), list[int]()
    for version in versions:
        batch = view.tx.batch(version)
        if batch is None:
            raise ChangeNotFound(f"There is no version {version}.", version=version)
        if batch.action == EVENTS:
            events.append(version)
        elif batch.is_final:
            finals.append(version)
    if versions and versions[0] <= view.tx.state().horizon:
        raise compacted(versions[0], horizon_of(view.tx))
    if finals:
        raise UndoConflict(f"Version {finals[0]} erased a person, which cannot be undone.", version=finals[0])
    if events:
        raise UndoConflict(f"Version {events[0]} recorded events, which cannot be undone.", version=events[0])


def undo_diff(versions: Collection[int], view: View, *, override: bool = False, among: BitMap | None = None) -> Diff:
    """Returns the diff that undoes these versions, for all people or for those in `among`.

    Each tagging goes back to before the first undone version after the last other version that changed it; with
    `override`, to before the first undone version of all. Cost: the changes of the affected chunks, from the first of
    the versions on. Raises: UndoConflict.
    """
    undone = frozenset(versions)
    actions = {version: batch.action for version in undone if (batch := view.tx.batch(version)) is not None}
    sweeps = frozenset(version for version, action in actions.items() if action == EXPIRY)
    draft = Draft()
    entries = _composed(sorted(undone), sweeps, view) if among is None else {}
    back, born = _rows_back(entries, view)
    facts = {row: name for name, row in view.dictionary.facts.items()}
    gone = view.whole(view.fact("erased"))
    candidates = BitMap()
    terms = dict[int, Term]()
    attributes = _attribute_entries(entries, view)
    live = {row: alive.is_live for row, (_, alive) in attributes.items()}
    places = {place for version in undone for place in view.tx.places_of(version)}
    rows_of_links = set(view.dictionary.rows_of_links())
    of_links = {place for place in places if place >> 16 in rows_of_links}
    values = undo_values(undone, of_links, {}, gone, view, draft, override=override, among=among)
    skipped, conflicts = values.skipped, set(values.conflicts)
    # Linked people have no tags and no attributes.
    linked = linked_after(draft, view)
    gone = gone | linked
    values = undo_values(undone, places - of_links, live, gone, view, draft, override=override, among=among)
    skipped += values.skipped
    conflicts |= values.conflicts
    for (bucket, row), changes in _changes_by_chunk(undone, places, view, terms):
        fact = facts.get(row)
        if fact not in (None, "everyone"):
            continue
        # Other changes of the fact `everyone` are no conflict: a person's tags decide whether they stay.
        spoiling = set[int]() if fact else conflicts
        taken = _walk_back(row, changes, actions, terms, spoiling, among, override=override)
        lost, won, held = taken.lost, taken.won, _NOBODY
        if not taken.is_alone:
            held = view.chunk(row, bucket)
            lost, won = lost & held, won - held
        if fact:
            candidates |= lost
            draft.add(row, won - gone)
            continue
        state = back.get(row) or born.get(row) or view.dictionary.rows[row]
        unable = won & gone if state.is_live else won
        won = won - unable
        draft.remove(row, lost)
        draft.add(row, won)
        set_expiry(row, taken.expiries.settled, 0, view, draft)
        for expiry, people in taken.expiries.rows.items():
            _restore(draft.expiries, row, expiry, people & ((held - lost) | won), view)
        start_rows.unschedule(row, taken.starts.settled, view, draft)
        for start, people in taken.starts.rows.items():
            unable |= people & gone if state.is_live else people
            _restore(draft.starts, row, start, people - unable, view)
        skipped += len(taken.spared | unable)
    spared, broken = spare_several(draft, _rows_after(back, born, view, draft), view)
    if broken is not None:
        raise UndoConflict(f"This cannot be undone: {rejections.several_of_branch(*broken).detail}")
    skipped += spared
    _put_entries_back(entries, back, born, view, draft)
    _put_attributes_back(attributes, view, draft)
    strip_linked(linked, draft, view)
    _update_facts(candidates, linked, view, draft)
    check_links(linked, draft, view)
    added, removed = tagging_counts(draft, view)
    named = tuple(sorted(conflicts)[: limits.VERSIONS_NAMED_MAX])
    return Diff(draft, added, removed, 0, 0, skipped, named)


def _restore(shifts: PeriodShifts, tag: int, row: int, people: BitMap, view: View) -> None:
    """Puts people back into a period row. The draft already removes them from all their present rows of the kind."""
    staying = view.near(row, people) & people
    shifts.stay(tag, row, staying)
    shifts.enter(tag, row, people - staying)


def _changes_by_chunk(
    undone: frozenset[int], places: Collection[int], view: View, terms: dict[int, Term]
) -> Iterator[tuple[tuple[int, int], Iterator[ChunkChange]]]:
    """Yields (bucket, row) of tags and facts with all changes from the first of these versions on, newest first.

    `places` are those that the versions changed. The changes of a tag include those of its period rows. `terms`
    receives the term of each of these rows.
    """
    known = view.dictionary.rows
    # A row that is not in the dictionary is a period row.
    places = {place for place in places if sliced_row_of(known.get(place >> 16)) is None}
    if periods := {place >> 16 for place in places} - known.keys():
        tags = {row.id: row.tag for row in view.tx.period_rows_of_ids(sorted(periods))}
        places = {tags.get(place >> 16, place >> 16) << 16 | place & 0xFFFF for place in places}
    rows, buckets = {place >> 16 for place in places}, {place & 0xFFFF for place in places}
    periods_of: dict[int, list[int]] = {}
    for period in view.tx.period_rows_changed(sorted(rows), sorted(buckets), min(undone)) if undone else ():
        terms[period.id] = period.term
        periods_of.setdefault(period.tag, []).append(period.id)
    view.periods.ensure((tag, terms[row]) for tag, rows_of_tag in periods_of.items() for row in rows_of_tag)
    plain = sorted(place for place in places if place >> 16 not in periods_of)
    for start in range(0, len(plain), _PLACES_AT_ONCE):
        found = view.tx.changes_of_places(plain[start : start + _PLACES_AT_ONCE], min(undone))
        yield from groupby(found, lambda change: (change.bucket, change.row))
    for place in sorted(place for place in places if place >> 16 in periods_of):
        row, bucket = place >> 16, place & 0xFFFF
        together = [one << 16 | bucket for one in (row, *periods_of[row])]
        found = view.tx.changes_of_places(together, min(undone))
        yield (bucket, row), iter(sorted(found, key=lambda change: -change.version))


def _walk_back(
    row: int,
    changes: Iterator[ChunkChange],
    actions: Mapping[int, str],
    terms: Mapping[int, Term],
    conflicts: set[int],
    among: BitMap | None,
    *,
    override: bool,
) -> _ChunkUndo:
    """Walks one chunk and its period rows back, by the changes of each version. `actions` are those of undone ones."""
    newest = next(changes)
    before = next(changes, None)
    if before is None and newest.version in actions and newest.row == row and among is None:
        periods = _PeriodsBefore(), _PeriodsBefore()
        return _ChunkUndo(from_bytes(newest.added), from_bytes(newest.removed), _NOBODY, *periods, is_alone=True)
    lost, won, spared, others = BitMap(), BitMap(), BitMap(), BitMap()
    expiries, starts = _PeriodsBefore(), _PeriodsBefore()
    later: list[tuple[int, BitMap]] = []
    every = chain((newest,), () if before is None else (before,), changes)
    for version, group in groupby(every, lambda change: change.version):
        each = [(change.row, from_bytes(change.added), from_bytes(change.removed)) for change in group]
        changed_people = _people_of(each)
        if among is not None:
            changed_people &= among
        if version not in actions:
            if not override:
                others |= changed_people
                later.append((version, changed_people))
            continue
        if met := changed_people & others:
            spared |= met
            conflicts |= {other for other, people in later if other not in conflicts and people & met}
        changed_people -= others
        of_starts = [change for change in each if change[0] in terms and terms[change[0]].start]
        of_tag = [change for change in each if change[0] not in terms or not terms[change[0]].start]
        given = next((added for changed, added, _ in of_tag if changed == row), BitMap()) & changed_people
        # A person to whom the version did not add the tag had it before, if the version removed the tag or changed its
        # expiry. A version that only changed the schedule of a person tells nothing about the tag.
        moved = _people_of(of_tag) & changed_people
        lost, won = (lost - moved) | given, (won - moved) | (moved - given)
        is_expiry, is_start = actions[version] == EXPIRY, actions[version] == START
        expiries.settle(moved, [(at, removed) for at, _, removed in of_tag if at != row and not is_expiry])
        planned = _people_of(of_starts) & changed_people
        starts.settle(planned, [(at, removed) for at, _, removed in of_starts if not is_start])
    return _ChunkUndo(lost, won, spared, expiries, starts)


def _people_of(changes: Iterable[tuple[int, BitMap, BitMap]]) -> BitMap:
    """Returns all people of changes (row, added, removed)."""
    return BitMap.union(BitMap(), *(people for _, added, removed in changes for people in (added, removed)))


def _composed(versions: Sequence[int], sweeps: frozenset[int], view: View) -> dict[tuple[str, str], _Origin]:
    """Returns the combined change of each dictionary entry by the versions, without those that end as they began.

    The expiry of a tag that a sweep removed is not put back, because the next sweep would remove the tag again.
    Raises: UndoConflict: another version changed the entry in between.
    """
    found: dict[tuple[str, str], _Origin] = {}
    for version in versions:
        for entry in view.tx.entries(version):
            place = entry.kind, entry.name
            known = found.get(place)
            if known is not None and known.after != entry.before:
                raise _changed_since(entry, view)
            alive = next((each for each in (entry.after, entry.before) if _is_live(entry.kind, each)), "")
            first = _without_expiry(entry.before) if version in sweeps else entry.before
            found[place] = _Origin(
                first if known is None else known.before,
                entry.after,
                alive or (known.alive if known is not None else ""),
            )
    for (kind, name), origin in found.items():
        if kind == "alias":
            now = view.dictionary.aliases.get(TagPath(name), "")
        elif kind == "attribute":
            now = attribute_state(view.dictionary.rows[int(name)])
        else:
            now = row_state(view.dictionary.rows[int(name)])
        if now != origin.after:
            raise _changed_since(Entry(kind, name, origin.before, origin.after), view)
    return {place: origin for place, origin in found.items() if origin.before != origin.after}


def _without_expiry(state: str) -> str:
    return row_state(row_from(0, state)._replace(expires_at=0))


def _is_live(kind: str, state: str) -> bool:
    if not state or kind == "alias":
        return False
    return (attribute_from if kind == "attribute" else row_from)(0, state).is_live


def _changed_since(entry: Entry, view: View) -> UndoConflict:
    if entry.kind == "alias":
        return UndoConflict(f"The alias '{entry.name}' was changed after these versions.", value=entry.name)
    path = view.dictionary.rows[int(entry.name)].path
    if entry.kind == "attribute":
        return UndoConflict(f"The attribute '{path}' was changed after these versions.", value=path)
    return UndoConflict(f"The tag '{path}' was changed after these versions.", value=path)


def _rows_back(entries: dict[tuple[str, str], _Origin], view: View) -> tuple[dict[int, Row], dict[int, Row]]:
    """Returns the rows that were live before and are put back, and the other rows, in their last live state.

    Whether the latter are deleted depends on whether people still have them.
    """
    back, born = {}, {}
    for (kind, name), origin in entries.items():
        if kind != "tag":
            continue
        before = row_from(int(name), origin.before) if origin.before else None
        if before is not None and before.is_live:
            back[int(name)] = before
        else:
            now = view.dictionary.rows[int(name)]
            born[int(name)] = now if now.is_live or not origin.alive else row_from(int(name), origin.alive)
    return back, born


def _rows_after(back: dict[int, Row], born: dict[int, Row], view: View, draft: Draft) -> dict[int, Row]:
    """Returns the live tags after the undo, by its draft so far.

    A tag that the versions made stays while people have it, or get it later.
    """
    rows = {row.id: row for row in view.subtree("") if row.id not in born}
    rows.update(back)
    for row in born.values():
        if _is_used(row.id, view, draft):
            rows[row.id] = row
    return rows


def _is_used(tag: int, view: View, draft: Draft) -> bool:
    """Returns whether people have a tag after the draft, or get it later."""
    is_held = tag in draft.added or view.whole(tag) - draft.removed.get(tag, _NOBODY)
    return bool(is_held or start_rows.scheduled_after(tag, view, draft))


def _put_entries_back(
    entries: dict[tuple[str, str], _Origin], back: dict[int, Row], born: dict[int, Row], view: View, draft: Draft
) -> None:
    """Restores the dictionary. A tag that the versions made stays while people have it, or get it later."""
    aliases = dict(view.dictionary.aliases)
    for (kind, name), origin in entries.items():
        if kind == "alias":
            path = TagPath(name)
            aliases.pop(path, None)
            if origin.before:
                aliases[path] = TagPath(origin.before)
            view.put_alias(path, TagPath(origin.before) if origin.before else None, draft)
        if kind != "tag":
            continue
        now = view.dictionary.rows[int(name)]
        wanted = back.get(now.id)
        if wanted is None:
            if _is_used(now.id, view, draft):
                wanted = born[now.id]
            else:
                wanted = row_from(now.id, origin.before) if origin.before else now._replace(is_live=False)
        if wanted != now:
            view.put_row(wanted, draft)
    paths: set[str] = set()
    for row in view.subtree(""):
        shadow = next((path for path in (row.path, *branches_above(row.path)) if path in aliases), None)
        if row.path in paths or shadow is not None:
            wrong = f"'{shadow}' is now an alias" if shadow else f"the path '{row.path}' is now another tag"
            raise UndoConflict(f"This cannot be undone: {wrong}.", value=row.path)
        paths.add(row.path)


def _attribute_entries(entries: dict[tuple[str, str], _Origin], view: View) -> dict[int, tuple[Row | None, Row]]:
    """Returns the attributes whose entries the undo changes: before the versions, and in their last live state."""
    found = dict[int, tuple[Row | None, Row]]()
    for (kind, name), origin in entries.items():
        if kind == "attribute":
            before = attribute_from(int(name), origin.before) if origin.before else None
            now = view.attribute(int(name))
            alive = now if now.is_live or not origin.alive else attribute_from(int(name), origin.alive)
            found[int(name)] = before, before if before is not None and before.is_live else alive
    return found


def _put_attributes_back(attributes: dict[int, tuple[Row | None, Row]], view: View, draft: Draft) -> None:
    """Restores the attributes.

    Raises: UndoConflict: another attribute has the name of one now; TooManyAttributes.
    """
    names = {row.path: row.id for row in view.attributes().values() if row.id not in attributes}
    for row in wanted_rows(attributes, view, draft):
        if row.is_live and names.setdefault(row.path, row.id) != row.id:
            raise UndoConflict(
                f"This cannot be undone: the name '{row.path}' is now another attribute.", value=row.path
            )
        if row != view.attribute(row.id):
            view.put_attribute(row, draft)
    if attributes and len(view.attributes()) > words_limits.ATTRIBUTES_PER_ENVIRONMENT_MAX:
        raise rejections.too_many_attributes()


def _update_facts(candidates: BitMap, linked: BitMap, view: View, draft: Draft) -> None:
    """Updates the facts after an undo. `linked` are the people who are linked then.

    Removes the people who are linked, and those who have no tags and no attributes after the undo, no events, and
    nobody who is linked to them, and no schedules. Adds the people whose tags, schedules or attributes come back, and
    those with events who are no longer linked.
    """
    everyone, users, visitors = (view.fact(name) for name in ("everyone", "users", "visitors"))
    facts = set(view.dictionary.facts.values())
    staying = BitMap()
    if candidates:
        for row in view.subtree(""):
            having = view.near(row.id, candidates) & candidates
            staying |= having - draft.removed[row.id] if row.id in draft.removed else having
        for tag in view.periods.tags_with_starts():
            staying |= start_rows.scheduled_after(tag, view, draft) & candidates
        with_events = view.fact("with_events")
        staying |= view.near(with_events, candidates) & candidates
        for each in view.attributes().values():
            staying |= (view.near(each.id, candidates) & candidates) - _shift_of(each.id, draft).removed
        staying |= users_after(candidates, draft, view)
    coming = BitMap(draft.added.pop(everyone, BitMap()))
    alone = BitMap(draft.links) - linked
    active = view.near(view.fact("with_events"), alone) & alone
    coming |= active - view.near(everyone, active) - view.near(view.fact("erased"), active)
    newly_linked = BitMap(draft.links) & linked
    leaving = (candidates - staying) | (view.near(everyone, newly_linked) & newly_linked)
    for row_id, people in draft.added.items():
        if row_id not in facts:
            coming |= people - view.near(everyone, people)
            leaving -= people
    for tag in draft.starts.by_tag:
        entered = draft.starts.entered(tag)
        coming |= entered - view.near(everyone, entered)
        leaving -= entered
    for attribute in draft.attributes.keys() - {view.dictionary.link}:
        added = _shift_of(attribute, draft).added
        coming |= added - view.near(everyone, added)
        leaving -= added
    draft.remove(everyone, leaving)
    draft.remove(users, leaving & view.near(users, leaving))
    draft.remove(visitors, leaving & view.near(visitors, leaving))
    draft.people_removed = len(leaving)
    view.put_people(coming, BitMap(o for o in coming if view.key_at(o)[:1] == b"v"), draft)


def _shift_of(attribute: int, draft: Draft) -> Shift:
    """Returns how the people with a value of an attribute change."""
    return draft.attributes.get(attribute, {}).get(attribute, Shift(_NOBODY, _NOBODY))
