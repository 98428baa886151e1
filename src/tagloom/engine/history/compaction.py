"""Compaction: removes the history up to the horizon, except the changes that added what existed at the horizon.

Each step is one short transaction that keeps every invariant and stores its progress, so any process can take the next
step, also after a crash. Repeating a step changes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tagloom.engine import limits
from tagloom.engine.bitmaps import BitMap, from_bytes, to_bytes
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.storage import (
    AFTER_ROWS,
    BatchRecord,
    ChunkChange,
    Compacted,
    Footprint,
    RowTotal,
    Snapshot,
    Span,
    Transaction,
    place_numbers,
)
from tagloom.ports.problems import ChangeNotFound
from tagloom.words.changes import Freed, Horizon, Version
from tagloom.words.retention import HistoryCompacted

# A chunk is compacted in groups of its first changes, limited by their number and size. A compacted chunk has at most
# one change per person, so each group leaves further changes to read.
_CHANGES_OF_CHUNK_MAX = ORDINALS_PER_CHUNK + 10_000
_BYTES_OF_CHUNK_MAX = 67_108_864
_ROWS_AT_ONCE = 64
_VERSIONS_AT_ONCE = 256


def horizon_of(snapshot: Snapshot) -> Horizon:
    """Returns the horizon, from which on all history is kept."""
    version = snapshot.state().horizon
    if not version:
        return Horizon()
    batch = snapshot.batch(version)
    assert batch is not None, "batches of versions are never deleted"
    return Horizon(version=version, at=batch.at)


def compacted(version: Version, horizon: Horizon) -> HistoryCompacted:
    """Returns the problem of a version below the horizon, or of an undo of the version at it."""
    return HistoryCompacted(
        f"History is kept from version {horizon.version} on, of {horizon.at}, and version {version} is older. "
        "Ask for that version or a later one. Only later versions can be undone.",
        version=version,
        kept_from_version=horizon.version,
        kept_since=horizon.at,
    )


def raise_horizon(version: Version, tx: Transaction) -> bool:
    """Raises the horizon, so that readers refuse older versions. Returns whether it changed. Raises: ChangeNotFound."""
    state = tx.state()
    if not 0 <= version <= state.version:
        raise ChangeNotFound(f"There is no version {version}. The newest is {state.version}.", version=version)
    if version <= state.horizon:
        return False
    # An unfinished compaction continues up to the new horizon, from the first chunk on.
    tx.put_compacted(Compacted(tx.compacted().version))
    tx.put_horizon(version)
    return True


class _Kept(NamedTuple):
    """A change before and after its compaction; its people are roaring bytes."""

    before: ChunkChange
    after: ChunkChange

    @property
    def is_changed(self) -> bool:
        return self.after != self.before

    @property
    def bytes_freed(self) -> int:
        return sum(map(len, self.before[-2:])) - sum(map(len, self.after[-2:]))


def kept_of(changes: Sequence[ChunkChange]) -> list[_Kept]:
    """Returns each change of one chunk with its compacted form: the last addition of each person who is still there."""
    read = [(from_bytes(change.added), from_bytes(change.removed)) for change in changes]
    left = BitMap()
    for added, removed in read:
        left -= removed
        left |= added
    found: list[_Kept] = []
    for change, (added, _) in zip(reversed(changes), reversed(read), strict=True):
        kept = added & left
        left -= kept
        # Unchanged bytes stay as they are.
        same = kept == added and not change.removed
        found.append(_Kept(change, change if same else change._replace(added=to_bytes(kept), removed=b"")))
    return found[::-1]


def _first_changes(snapshot: Snapshot, row: int, bucket: int, until: int) -> tuple[list[ChunkChange], bool]:
    """Reads the first changes of a chunk as one group. Also returns whether the group has all changes up to `until`."""
    found, size = list[ChunkChange](), 0
    for change in snapshot.changes_until(row, bucket, until):
        if len(found) >= _CHANGES_OF_CHUNK_MAX or size > _BYTES_OF_CHUNK_MAX:
            return found, False
        found.append(change)
        size += len(change.added) + len(change.removed)
    return found, True


def step(tx: Transaction) -> Freed:
    """Compacts a part of the history up to the horizon. Cost: COMPACTION_CHANGES_MAX changes, or those of one chunk."""
    state, at = tx.state(), tx.compacted()
    changes = size = read = 0
    while at.version < state.horizon and read < limits.COMPACTION_CHANGES_MAX:
        since = Span(0, after=at.version, before=state.horizon + 1)
        if at.bucket >= state.buckets:
            tx.delete_period_rows()
            at = Compacted(state.horizon)
        elif at.row == AFTER_ROWS:
            seen, at = _rewrite_footprints(tx, at, state.horizon)
            read += seen
        elif next(iter(tx.footprints(at.bucket, since)), None) is None:
            at = Compacted(at.version, at.bucket + 1)
        else:
            rows = tx.rows_changed(at.bucket, at.row, at.version, state.horizon, _ROWS_AT_ONCE)
            for row in rows:
                seen, gone, freed, is_all = _compact_chunk(tx, row, at.bucket, state.horizon)
                read, changes, size = read + seen, changes + gone, size + freed
                at = at._replace(row=row + is_all)
                if read >= limits.COMPACTION_CHANGES_MAX:
                    break
            if not rows:
                at = at._replace(row=AFTER_ROWS)
    tx.put_compacted(at)
    return Freed(horizon=horizon_of(tx), changes=changes, bytes=size, is_all=at.version >= state.horizon)


def _compact_chunk(tx: Transaction, row: int, bucket: int, horizon: int) -> tuple[int, int, int, bool]:
    """Compacts one group of a chunk.

    Returns the changes read and deleted, the bytes freed, and whether it was the last group.
    """
    first, is_all = _first_changes(tx, row, bucket, horizon)
    changed = [each for each in kept_of(first) if each.is_changed]
    if changed:
        tx.rewrite_changes([each.after for each in changed])
        # Facts and expiries have no totals, so nothing is subtracted for them.
        tx.lower_totals([_lost(each) for each in changed])
    gone = sum(not each.after.added for each in changed)
    return len(first), gone, sum(each.bytes_freed for each in changed), is_all


def _lost(kept: _Kept) -> RowTotal:
    before, after = kept
    added = len(from_bytes(before.added)) - len(from_bytes(after.added))
    return RowTotal(before.version, before.row, added, len(from_bytes(before.removed)))


def _rewrite_footprints(tx: Transaction, at: Compacted, horizon: int) -> tuple[int, Compacted]:
    """Rewrites footprints of a bucket for the changes that are left. Returns the places read, and the progress."""
    some, places = list[Footprint](), 0
    for each in tx.footprints(at.bucket, Span(0, after=at.footprinted, before=horizon + 1)):
        is_much = len(some) >= _VERSIONS_AT_ONCE or places >= limits.COMPACTION_CHANGES_MAX
        # All parts of a version are rewritten together, in the same step.
        if is_much and each.version != some[-1].version:
            break
        some.append(each)
        places += len(each.places) // 4
    if not some:
        return 0, Compacted(at.version, at.bucket + 1)
    left = {
        (version, place): from_bytes(added) | from_bytes(removed)
        for version, place, added, removed in tx.changes_placed(at.bucket, some)
    }
    changed = list[Footprint]()
    for each in some:
        staying = [place for place in place_numbers(each.places) if (each.version, place) in left]
        people = BitMap.union(BitMap(), *(left[each.version, place] for place in staying))
        if len(staying) * 4 == len(each.places) and people == from_bytes(each.people):
            continue
        changed.append(each.placed(to_bytes(people), staying))
    if changed:
        tx.rewrite_footprints(at.bucket, changed)
    return places, at._replace(footprinted=some[-1].version)


def preview(version: Version, snapshot: Snapshot) -> Freed:
    """Previews what a horizon at `version` would free. Raises: ChangeNotFound.

    It reads at most COMPACTION_PREVIEWED_MAX changes; `is_all` is False when there are more.
    """
    state, done = snapshot.state(), snapshot.compacted().version
    batch: BatchRecord | None = snapshot.batch(version) if version else None
    if version > state.version or version < 0:
        raise ChangeNotFound(f"There is no version {version}. The newest is {state.version}.", version=version)
    if version <= state.horizon or batch is None:
        return Freed(horizon=horizon_of(snapshot))
    read = changes = size = 0
    for row, bucket in _chunks_changed(snapshot, done, version):
        first, is_all = _first_changes(snapshot, row, bucket, version)
        kept = kept_of(first)
        read += len(first)
        changes += sum(not each.after.added for each in kept)
        size += sum(each.bytes_freed for each in kept)
        if not is_all or read >= limits.COMPACTION_PREVIEWED_MAX:
            break
    else:
        is_all = True
    return Freed(
        horizon=Horizon(version=version, at=batch.at),
        versions=version - state.horizon,
        changes=changes,
        bytes=size,
        is_all=is_all and read < limits.COMPACTION_PREVIEWED_MAX,
    )


def _chunks_changed(snapshot: Snapshot, after: int, until: int) -> Iterator[tuple[int, int]]:
    """Yields (row, bucket) of the chunks that versions above `after` up to `until` changed."""
    for bucket in range(snapshot.state().buckets):
        row = 0
        while rows := snapshot.rows_changed(bucket, row, after, until, _ROWS_AT_ONCE):
            yield from ((each, bucket) for each in rows)
            row = rows[-1] + 1
