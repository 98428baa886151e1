"""The undo of attribute values: all rows of an attribute go back together, person by person."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from tagloom.engine.attributes.conditions import decoded_bits
from tagloom.engine.bitmaps import BitMap, from_bytes
from tagloom.engine.state.dictionary import sliced_row_of
from tagloom.engine.storage import ChunkChange, Row
from tagloom.engine.write.draft import Draft, View
from tagloom.engine.write.shifts import Shift

_NOBODY = BitMap()


class _Places(NamedTuple):
    """The rows of an attribute, and the buckets in which some versions changed them."""

    rows: Sequence[int]
    buckets: Sequence[int]


class Undone(NamedTuple):
    """The number of values that an undo skips, and the versions that are the reason."""

    skipped: int
    conflicts: frozenset[int]


def undo_values(
    undone: frozenset[int],
    places: Collection[int],
    live: Mapping[int, bool],
    gone: BitMap,
    view: View,
    draft: Draft,
    *,
    override: bool,
    among: BitMap | None = None,
) -> Undone:
    """Adds the undo of attribute values, or of links, to a draft. Values of people in `gone` do not come back.

    `places` are those that the versions changed; see `Snapshot.places_of`. `live` has whether an attribute is live
    after the undo, if the undo changes that. If it is given, only the people in `among` change. Cost: as for the tags
    of an undo.
    """
    skipped, conflicts = 0, set[int]()
    for attribute, (rows, buckets) in _places(places, view).items():
        shifts: dict[int, list[Shift]] = {row: [] for row in rows}
        is_live = live.get(attribute, view.dictionary.rows[attribute].is_live)
        for bucket in buckets:
            places = sorted(row << 16 | bucket for row in rows)
            changes = sorted(view.tx.changes_of_places(places, min(undone)), key=lambda change: -change.version)
            lost, won, spared, settled = _walk_back(iter(changes), undone, conflicts, among, override=override)
            held = {row: view.chunk(row, bucket) for row in lost.keys() | won.keys()}
            # Who does not lose the row of the attribute itself had a value before the undone versions.
            back = settled - lost.get(attribute, _NOBODY)
            unable = back & gone if is_live else back
            skipped += len(spared | unable)
            for row, present in held.items():
                added, removed = won.get(row, _NOBODY) - present - unable, lost.get(row, _NOBODY) & present
                shifts[row].append(Shift(added, removed - unable))
        joined = {row: _joined(each) for row, each in shifts.items() if each}
        if attribute == view.dictionary.link:
            draft.shift_links(attribute, joined, _codes_after(joined, view))
        else:
            draft.shift_attribute(attribute, joined)
    return Undone(skipped, frozenset(conflicts))


def _codes_after(shifts: Mapping[int, Shift], view: View) -> dict[int, int | None]:
    """Returns the codes of the links that shifts change, by person; None for no link."""
    people = BitMap.union(_NOBODY, *(some for shift in shifts.values() for some in shift))
    after: dict[int, BitMap] = {}
    for row in view.dictionary.rows_of_links():
        added, removed = shifts.get(row, Shift(_NOBODY, _NOBODY))
        after[row] = ((view.near(row, people) & people) - removed) | added
    bits = {bit: after[row] for bit, row in view.dictionary.bits[view.dictionary.link].items()}
    linked, codes = decoded_bits(after[view.dictionary.link], bits)
    found: dict[int, int | None] = dict.fromkeys(people)
    found.update(zip(linked.tolist(), codes.tolist(), strict=True))
    return found


def _joined(shifts: Sequence[Shift]) -> Shift:
    added, removed = zip(*shifts, strict=True)
    return Shift(BitMap.union(_NOBODY, *added), BitMap.union(_NOBODY, *removed))


def _places(places: Collection[int], view: View) -> dict[int, _Places]:
    """Returns the attributes of changed places, with their rows and the changed buckets."""
    known, found = view.dictionary.rows, dict[int, set[int]]()
    for place in places:
        attribute = sliced_row_of(known.get(place >> 16))
        if attribute is not None:
            found.setdefault(attribute, set()).add(place & 0xFFFF)
    return {
        attribute: _Places((attribute, *view.bits_of(attribute).values()), sorted(buckets))
        for attribute, buckets in sorted(found.items())
    }


def _walk_back(
    changes: Iterator[ChunkChange],
    undone: frozenset[int],
    conflicts: set[int],
    among: BitMap | None,
    *,
    override: bool,
) -> tuple[dict[int, BitMap], dict[int, BitMap], BitMap, BitMap]:
    """Walks the rows of an attribute in one bucket back, by the changes of each version, newest first.

    Returns the people whom each row loses and gets, the people who are skipped because of later changes, and the people
    whose values before the undone versions are known.
    """
    lost, won = dict[int, BitMap](), dict[int, BitMap]()
    # The same for the changes of all versions so far, which an undo with `override` undoes too.
    every_lost, every_won = dict[int, BitMap](), dict[int, BitMap]()
    spared, others, settled = BitMap(), BitMap(), BitMap()
    later: list[tuple[int, BitMap]] = []
    for version, group in groupby(changes, lambda change: change.version):
        each = [(change.row, from_bytes(change.added), from_bytes(change.removed)) for change in group]
        people = BitMap.union(_NOBODY, *(some for _, added, removed in each for some in (added, removed)))
        if among is not None:
            people &= among
        for row, added, removed in each:
            every_lost[row] = (every_lost.get(row, _NOBODY) - removed) | added
            every_won[row] = (every_won.get(row, _NOBODY) - added) | removed
        if version not in undone:
            if not override:
                others |= people
                later.append((version, people))
            continue
        if met := people & others:
            spared |= met
            conflicts |= {other for other, some in later if other not in conflicts and some & met}
        people = people - others
        settled |= people
        for row in every_lost:
            lost[row] = (lost.get(row, _NOBODY) - people) | (every_lost[row] & people)
            won[row] = (won.get(row, _NOBODY) - people) | (every_won[row] & people)
    return lost, won, spared, settled


def wanted_rows(attributes: Mapping[int, tuple[Row | None, Row]], view: View, draft: Draft) -> Iterator[Row]:
    """Yields the attributes as the undo leaves them, from their states before the versions and their last live states.

    An attribute that the versions created stays while people have a value.
    """
    for before, alive in attributes.values():
        shift = draft.attributes.get(alive.id, {}).get(alive.id, Shift(_NOBODY, _NOBODY))
        if (before is not None and before.is_live) or (view.whole(alive.id) - shift.removed) or shift.added:
            yield alive
        else:
            yield view.attribute(alive.id)._replace(is_live=False) if before is None else before
