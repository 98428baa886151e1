"""Where one environment stands in this process: its index, dictionary and directory, all at one version.

Every read runs inside `read`: under the lock, after following what was committed since, by this process or another.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from tagloom.engine import limits
from tagloom.engine.bitmaps import BitMap, buckets_of, from_bytes, holding
from tagloom.engine.keys.directory import Directory
from tagloom.engine.keys.hashing import KeyHash
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.state.bitmap_cache import Index
from tagloom.engine.state.dictionary import Dictionary
from tagloom.engine.storage import Moved, Row, Snapshot, Stamp, State, Storage, Transaction
from tagloom.engine.write.draft import View
from tagloom.ports.problems import StoreUnavailable
from tagloom.words.problems import TagProblem
from tagloom.words.tags import TagPath, branches_above

Answer = TypeVar("Answer")

_TRIES = 100  # Reads that lose the race against other processes' commits so often are refused.
_ROWS_AT_ONCE = 4_096  # Of so many rows chunks are looked through together: some megabytes at most, unless dense.
_ROWS_WARMED_AT_ONCE = 128
_PUBLISHED_SECONDS = 0.2  # A waiting read looks again so often, should nobody wake it.
_NOBODY = BitMap()
_UNKNOWN = Stamp(-1, -1, -1)


class WouldWait(Exception):
    """What is read at once needs the store, or takes its time."""


class EnvironmentState:
    """The in-memory side of one environment. `lock` guards all of it."""

    def __init__(self, key: int, storage: Storage, index_bytes_max: int = limits.INDEX_BYTES_DEFAULT) -> None:
        self.key = key
        self.lock = threading.RLock()
        self._published = threading.Condition(self.lock)
        self._is_committing = False
        self._is_at_once = False
        self._storage = storage
        self.index = Index(index_bytes_max)
        self.dictionary = Dictionary((), ())
        with storage.reading() as snapshot:
            self.state: State = snapshot.state()
        self.key_hash = KeyHash(self.state.secret)
        self.directory = Directory(self.key_hash)
        self.stamp = _UNKNOWN
        self._open: AbstractContextManager[Snapshot] | None = None
        self._snapshot: Snapshot | None = None
        self._leaves: dict[tuple[str, str], BitMap] = {}
        self._union_bytes = 0
        self._union_bytes_max = index_bytes_max // 4
        self._unions: dict[int, set[str]] = {}
        self._asked: set[str] = set()
        self.epoch = 0
        """Grows when bitmaps that `tag` gave are followed no more."""
        self.beginnings = 0
        """Grows when the store is read from the start: watchers were not told what came between."""
        self._watchers: list[Callable[[Mapping[int, BitMap]], None]] = []

    def watch(self, watcher: Callable[[Mapping[int, BitMap]], None]) -> None:
        """Has the watcher told, under the lock, whom each followed commit touched, by row."""
        self._watchers.append(watcher)

    # Reading.

    def reading(self) -> AbstractContextManager[Snapshot]:
        """One committed state as it is stored, for what does not stand in memory."""
        return self._storage.reading()

    def read(self, answer: Callable[[], Answer]) -> Answer:
        """What `answer` finds at the newest version; it is called again when the store moves on under it."""
        with self.lock:
            for _ in range(_TRIES):
                try:
                    # What this process is committing is not followed: it is published when it is durable.
                    if not self._is_committing and self._storage.stamp() != self.stamp:
                        self._follow()
                    return answer()
                except Moved:
                    if self._is_committing:
                        self._published.wait(_PUBLISHED_SECONDS)
                finally:
                    self._close_snapshot()
        raise StoreUnavailable("The store changes faster than it can be read.", retry_after=1)

    def find(self, answer: Callable[[], Answer]) -> Answer | None:
        """What `read` gives, when it can be told at once; None when another thread has the lock or the store is needed.

        For the event loop, which waits for neither.
        """
        if not self.lock.acquire(blocking=False):
            return None
        try:
            if not self._is_committing and self._storage.find_stamp() != self.stamp:
                return None
            self._is_at_once = True
            return answer()
        except WouldWait:
            return None
        finally:
            self._is_at_once = False
            self.lock.release()

    def check_may_wait(self) -> None:
        """For use before what takes its time. Raises: WouldWait, inside `find`."""
        if self._is_at_once:
            raise WouldWait

    def snapshot(self) -> Snapshot:
        """A snapshot of just the version that stands here, for use inside `read`."""
        self.check_may_wait()
        if self._snapshot is None:
            opened = self._storage.reading()
            snapshot = opened.__enter__()
            self._open, self._snapshot = opened, snapshot
            if _stamp(snapshot.state()) != self.stamp:
                raise Moved("the version")
        return self._snapshot

    def _close_snapshot(self) -> None:
        if self._open is not None:
            opened, self._open, self._snapshot = self._open, None, None
            opened.__exit__(None, None, None)

    def _follow(self) -> None:
        with self._storage.reading() as snapshot:
            self.catch_up(snapshot)

    def catch_up(self, snapshot: Snapshot) -> None:
        """Brings everything to the version of a snapshot. Costs what the versions between changed."""
        with self.lock:
            state = snapshot.state()
            now, before = _stamp(state), self.stamp
            if now == before:
                return
            if before.version < state.horizon:
                # What came between is compacted: it leads to where the horizon was, but not from where this stands.
                before = _UNKNOWN
            if now.catalogue_generation != before.catalogue_generation:
                self.dictionary = Dictionary(snapshot.rows(), snapshot.aliases())
                self._forget_leaves()
            if now.keys_generation != before.keys_generation:
                self.directory.load(snapshot, now.keys_generation)
            if before is _UNKNOWN or now.version < before.version:
                self.index.clear()
                self._forget_leaves()
                self.beginnings += 1
            else:
                touched: dict[int, BitMap] = {}
                for change in snapshot.changes_after(before.version):
                    self._change(change.row, from_bytes(change.added), from_bytes(change.removed), touched)
                # A row that the dictionary does not hold is an end, and lives or not since somebody came or left.
                if expiries := touched.keys() - self.dictionary.rows.keys():
                    self.dictionary.put_expiries(snapshot.expiries_of_ids(sorted(expiries)))
                self._tell(touched)
            self.state, self.stamp = state, now

    def _tell(self, touched: Mapping[int, BitMap]) -> None:
        for watcher in self._watchers:
            watcher(touched)

    def _change(self, row: int, added: BitMap, removed: BitMap, touched: dict[int, BitMap]) -> None:
        touched[row] = BitMap.union(added, removed, touched.get(row, _NOBODY))
        self.index.change(row, added, removed)
        for path in self._unions.get(row, ()):
            union = self._leaves[path, "subtree"]
            if removed:
                union -= removed
                for other in self.dictionary.subtree(self.dictionary.resolve(TagPath(path))):
                    union |= self.row(other.id) & removed
            union |= added

    def _forget_leaves(self) -> None:
        self.epoch += 1
        self._union_bytes = 0
        self._leaves.clear()
        self._asked.clear()
        self._unions.clear()

    def row(self, row: int) -> BitMap:
        """The bearers of a row; not the caller's to change, nor to keep beyond `read`."""
        return self._load(row, lambda: self.snapshot().chunks(row))

    def rows_of_person(self, ordinal: int, rows: Iterable[int]) -> set[int]:
        """Those of these rows that an ordinal bears. Costs 0.1 us a row in memory, and one question for all others.

        What is read for it does not fill the index.
        """
        borne, missing, peek = set[int](), list[int](), self.index.peek
        for row in rows:
            held = peek(row)
            if held is None:
                missing.append(row)
            elif ordinal in held:
                borne.add(row)
        for start in range(0, len(missing), _ROWS_AT_ONCE):
            asked = missing[start : start + _ROWS_AT_ONCE]
            found = self.snapshot().chunks_in(ordinal // ORDINALS_PER_CHUNK, asked)
            borne.update(found[place][0] for place in holding([data for _, data in found], ordinal))
        return borne

    def near(self, rows: Sequence[int], people: BitMap) -> Iterator[tuple[int, BitMap]]:
        """Each of these rows with its bearers, at least in the buckets of these people; see `row`.

        One question is asked for people of one bucket, so that a look-up does not fill the index.
        """
        bucket, *others = buckets_of(people) if people else (0,)
        missing = [] if others else [row for row in rows if self.index.peek(row) is None]
        found = dict(self.snapshot().chunks_in(bucket, missing)) if missing else {}
        for row in rows:
            held = self.index.peek(row)
            if held is not None:
                yield row, held
            else:
                yield row, self.row(row) if others else from_bytes(found.get(row, b""))

    def warm(self) -> int:
        """Brings rows into the index for as long as there is room; returns the bytes it holds then.

        They come a few at a time, so that other reads go between. Costs some 10 us a chunk on SQLite.
        """

        def take(rows: Sequence[int]) -> bool:
            chunks: dict[int, list[bytes]] = {row: [] for row in rows}
            for row, data in self.snapshot().chunks_of(rows):
                chunks[row].append(data)
            return all(self.index.fill(row, found) for row, found in chunks.items())

        rows = self.read(lambda: [row.id for row in self.dictionary.rows.values() if row.is_live])
        for start in range(0, len(rows), _ROWS_WARMED_AT_ONCE):
            asked = rows[start : start + _ROWS_WARMED_AT_ONCE]
            if not self.read(lambda asked=asked: take([row for row in asked if self.index.peek(row) is None])):  # type: ignore[misc]  # Bound at once.
                break
        return self.index.bytes_held

    def _load(self, row: int, chunks: Callable[[], list[tuple[int, bytes]]]) -> BitMap:
        before = len(self.index)
        is_here = self.index.peek(row) is not None
        bitmap = self.index.row(row, chunks)
        if is_here:
            return bitmap
        if len(self.index) <= before:
            # Rows left to make room: no leaf may keep them alive beside the index.
            self._forget_leaves()
        return bitmap

    def fact(self, name: str) -> BitMap:
        """The bearers of `everyone`, `users`, `visitors` or `erased`."""
        return self.row(self.dictionary.facts[name])

    def tag(self, path: str, match: str) -> BitMap:
        """The bearers of a tag (by its path of today or an alias), or of anything at or below it; see `row`."""
        held = self._leaves.get((path, match))
        if held is not None:
            return held
        try:
            today = self.dictionary.resolve(TagPath(path))
        except TagProblem:
            # What an alias leads out of the tags is borne by nobody; a rule that names it still has its meaning.
            return BitMap()
        if match == "exact":
            live = self.dictionary.live(today)
            bitmap = BitMap() if live is None else self.row(live.id)
            if live is not None:
                self._leaves[path, match] = bitmap
            self._asked.add(today)
            return bitmap
        rows = self.dictionary.subtree(today)
        if len(rows) == 1:
            bitmap = self.row(rows[0].id)
        else:
            bitmap = BitMap.union(BitMap(), *[self.row(row.id) for row in rows])
            self._union_bytes += 64 + min(2 * len(bitmap), self.state.next_ordinal // 8)
            if self._union_bytes > self._union_bytes_max:
                self._forget_leaves()
            for row in rows:
                self._unions.setdefault(row.id, set()).add(path)
        self._leaves[path, match] = bitmap
        self._asked.add(today)
        return bitmap

    # Writing.

    def view(self, tx: Transaction, *, loads_rows: bool) -> View:
        """This environment inside a transaction, which nobody else can overtake.

        With `loads_rows`, rows that are looked into come to stay in the index, for the next small batch.
        """
        with self.lock:
            self.catch_up(tx)

            peek = self.index.peek

            def load(row: int) -> BitMap:
                held = peek(row)
                if held is not None:
                    return held
                with self.lock:
                    return self._load(row, lambda: tx.chunks(row))

            return View(tx, self.state, load if loads_rows else peek, self.dictionary, self.directory)

    def _is_asked(self, row: Row) -> bool:
        """Whether `tag` was asked for the tag or a branch above it, as it is called now or is about to be."""
        before = self.dictionary.rows.get(row.id, row)
        nodes = {before.path, row.path, *branches_above(before.path), *branches_above(row.path)}
        return not self._asked.isdisjoint(nodes)

    def begin_commit(self) -> None:
        """Notes that a transaction of this process is about to become visible to others, and is not published yet."""
        with self.lock:
            self._is_committing = True

    def publish(self, view: View) -> None:
        """Takes over what a transaction has committed."""
        with self.lock:
            self._is_committing = False
            self._published.notify_all()
            if view.aliases or any(self._is_asked(row) for row in view.rows.values()):
                self._forget_leaves()
            self.dictionary.put(view.rows.values())
            self.dictionary.put_expiries(view.expiries.values())
            for path, target in view.aliases.items():
                self.dictionary.put_alias(path, target)
            if view.growth is not None:
                self.directory.adopt(view.state.keys_generation, view.growth)
            elif view.rewrote_keys:
                self.directory.generation = -1
            touched: dict[int, BitMap] = {}
            for draft in view.drafts:
                for row_id, added, removed in (*draft.rows(), *draft.expiry_shifts()):
                    self._change(row_id, added, removed, touched)
            self._tell(touched)
            self.state, self.stamp = view.state, _stamp(view.state)
            if self.directory.generation == -1:
                self.stamp = self.stamp._replace(keys_generation=-1)

    def forget(self) -> None:
        """Starts from the store again, after a commit whose outcome is not known."""
        with self.lock:
            self._is_committing = False
            self._published.notify_all()
            self.stamp = _UNKNOWN


def _stamp(state: State) -> Stamp:
    return Stamp(state.version, state.catalogue_generation, state.keys_generation)
