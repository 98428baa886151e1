"""The environment state: the index, dictionary and directory of an environment in this process, all at one version.

Every read runs inside `read`: with the lock, after all commits of this process and of others are applied.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tagloom.base.times import milliseconds_at
from tagloom.engine import limits
from tagloom.engine.attributes.attribute_leaves import AttributeLeaves
from tagloom.engine.attributes.codes import is_textual, value_of_code, value_of_text
from tagloom.engine.attributes.conditions import decoded_bits
from tagloom.engine.attributes.text_numbers import TextNumbers
from tagloom.engine.bitmaps import BitMap, buckets_of, chunk_of, from_bytes, holding
from tagloom.engine.events.counts import Moving, NotCounted, count_periods, merged
from tagloom.engine.events.log import EventLog, events_of_people
from tagloom.engine.keys.directory import Directory
from tagloom.engine.keys.hash_set import NO_HASHES, HashSet
from tagloom.engine.keys.hashing import Hashed, KeyHash
from tagloom.engine.keys.points import PointCache, Share
from tagloom.engine.limits import ORDINALS_PER_CHUNK
from tagloom.engine.links.links import Links, moves_of
from tagloom.engine.seen.seen_leaves import SeenLeaves
from tagloom.engine.state.bitmap_cache import Index
from tagloom.engine.state.dictionary import Dictionary, attribute_type, sliced_row_of
from tagloom.engine.storage import Moved, Row, Snapshot, Stamp, State, Storage, Transaction
from tagloom.engine.write.draft import View
from tagloom.ports.problems import StoreUnavailable
from tagloom.words.attribute_rules import HasAttribute, depends_on_day
from tagloom.words.attributes import AttributeName, AttributeValue
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES, SeenDays, computed_attributes, seen_together
from tagloom.words.event_rules import EventPredicate
from tagloom.words.problems import TagProblem
from tagloom.words.tags import TagPath, branches_above

Answer = TypeVar("Answer")

_TRIES = 100  # A read fails after so many attempts that commits of other processes interrupted.
_ROWS_AT_ONCE = 4_096  # Rows whose chunks are read together: some megabytes at most, unless they are dense.
_ROWS_WARMED_AT_ONCE = 128
_TEXTS_CACHED_MAX = 65_536  # Texts of attributes: 64 MB at most.
_PUBLISHED_SECONDS = 0.2  # A waiting read checks again after this time when it is not notified.
EVENTS = -1
"""The place of the people whose event counts changed, among the rows that watchers receive."""
_NOBODY = BitMap()
_UNKNOWN = Stamp(-1, -1, -1)


class WouldWait(Exception):
    """A read in `find` needs the store or takes long, so it cannot be answered at once."""


class EnvironmentState:
    """The in-memory state of one environment. `lock` guards all of it."""

    def __init__(
        self,
        key: int,
        storage: Storage,
        now: Callable[[], datetime],
        index_bytes_max: int = limits.INDEX_BYTES_DEFAULT,
    ) -> None:
        self.key = key
        self.today: Callable[[], int] = lambda: self.state.calendar.day_of(milliseconds_at(now()))
        self.lock = threading.RLock()
        self._published = threading.Condition(self.lock)
        self._is_committing = False
        self._is_at_once = False
        self._storage = storage
        self.index = Index(index_bytes_max)
        self.dictionary = Dictionary((), ())
        with storage.reading() as snapshot:
            self.state: State = snapshot.state()
        self.event_log = EventLog(lambda: milliseconds_at(now()), index_bytes_max // 4, self.state.calendar)
        self.key_hash = KeyHash(self.state.secret)
        self.directory = Directory(self.key_hash)
        self.suppressed = NO_HASHES
        """The suppression list: the hashes of the keys of people whom no write may name."""
        self._points = PointCache()
        self.texts = TextNumbers()
        self.links = Links()
        computed = SeenLeaves(self.links, self.row, self.index.peek, self.seen_days_of)
        self._leaves_of_attributes = AttributeLeaves(
            self.texts, self.row, self.index.peek, computed, index_bytes_max // 4
        )
        self._known_texts: dict[tuple[int, int], str] = {}
        self.stamp = _UNKNOWN
        self._open: AbstractContextManager[Snapshot] | None = None
        self._snapshot: Snapshot | None = None
        self._leaves: dict[tuple[str, str], BitMap] = {}
        self._union_bytes = 0
        self._union_bytes_max = index_bytes_max // 4
        self._unions: dict[int, set[str]] = {}
        self._requested: set[str] = set()
        self.epoch = 0
        """A counter that grows when bitmaps that `tag` returned are no longer updated."""
        self.beginnings = 0
        """A counter that grows when the state is read from the start, after changes that watchers did not receive."""
        self._watchers: list[Callable[[Mapping[int, BitMap]], None]] = []

    def watch(self, watcher: Callable[[Mapping[int, BitMap]], None]) -> None:
        """Adds a watcher.

        It is called under the lock after each commit, with the people that the commit changed, by row.
        """
        self._watchers.append(watcher)

    # Reading.

    def reading(self) -> AbstractContextManager[Snapshot]:
        """Opens one committed state of the store, for data that is not in memory."""
        return self._storage.reading()

    def read(self, answer: Callable[[], Answer]) -> Answer:
        """Returns what `answer` returns at the newest version. Calls `answer` again if the store changed meanwhile.

        Events that are not counted yet are counted without the lock, so other reads go on.
        """
        for _ in range(limits.EVENT_PREDICATES_MAX):
            try:
                return self._read(answer)
            except NotCounted as missing:
                self._count_events(missing.since)
        raise StoreUnavailable("The events of these rules are counted again and again.", retry_after=1)

    def _read(self, answer: Callable[[], Answer]) -> Answer:
        with self.lock:
            for _ in range(_TRIES):
                try:
                    # Unfinished commits of this process are not read: they are published when they are durable.
                    if not self._is_committing and self._storage.stamp() != self.stamp:
                        self._follow()
                    self._move_windows()
                    return answer()
                except Moved:
                    if self._is_committing:
                        self._published.wait(_PUBLISHED_SECONDS)
                finally:
                    self._close_snapshot()
        raise StoreUnavailable("The store changes faster than it can be read.", retry_after=1)

    def find(self, answer: Callable[[], Answer]) -> Answer | None:
        """Returns what `read` returns, or None when another thread has the lock or the store is needed.

        It is for the event loop, which must not wait for the lock or the store.
        """
        if not self.lock.acquire(blocking=False):
            return None
        try:
            if not self._is_committing and self._storage.find_stamp() != self.stamp:
                return None
            if not self.event_log.counts.is_current() or not self._leaves_of_attributes.is_of_today(self.today):
                return None
            self._is_at_once = True
            return answer()
        except WouldWait:
            return None
        finally:
            self._is_at_once = False
            self.lock.release()

    def check_may_wait(self) -> None:
        """Refuses slow work inside `find`. Call it before such work. Raises: WouldWait."""
        if self._is_at_once:
            raise WouldWait

    def snapshot(self) -> Snapshot:
        """Returns a snapshot of exactly the version in memory, for use inside `read`."""
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
        """Updates the index, dictionary and directory to the version of a snapshot.

        Cost: in proportion to the changes of the versions in between.
        """
        with self.lock:
            state = snapshot.state()
            now, before = _stamp(state), self.stamp
            if now == before:
                return
            if before.version < state.horizon:
                # The changes in between are compacted. They no longer lead from the version in memory to the newest
                # one, so everything is read again.
                before = _UNKNOWN
            if now.catalogue_generation != before.catalogue_generation:
                self.dictionary = Dictionary(snapshot.rows(), snapshot.aliases())
                self._clear_leaves()
                if self.event_log.counts.put_calendar(state.calendar):
                    self.beginnings += 1
            if now.keys_generation != before.keys_generation:
                self.directory.load(snapshot, now.keys_generation)
            if before is _UNKNOWN or state.suppressed_generation != self.state.suppressed_generation:
                # An environment that never had a list is not asked for it.
                self.suppressed = HashSet.of(snapshot.suppressed()) if state.suppressed_generation else NO_HASHES
            if before is _UNKNOWN or now.version < before.version:
                self.index.clear()
                self.event_log.clear()
                self._points.clear()
                self._clear_leaves()
                self._load_links(snapshot, now.version)
                self.beginnings += 1
            else:
                changed: dict[int, BitMap] = {}
                for change in snapshot.changes_after(before.version):
                    self._change(change.row, from_bytes(change.added), from_bytes(change.removed), changed)
                # A row that is not in the dictionary is a period row, which may have become live or not live.
                if periods := changed.keys() - self.dictionary.rows.keys():
                    self.dictionary.put_period_rows(snapshot.period_rows_of_ids(sorted(periods)))
                changed[EVENTS] = self.event_log.catch_up(snapshot, before.version, self.links)
                people_of_bits = self._add_people_of_bits(changed)
                if self.dictionary.facts["superseded"] in changed:
                    self.links.relinked_at = now.version
                if people := changed.get(self.dictionary.link):
                    links = self._links_of(people, snapshot)
                    moves = moves_of(self.links, links)
                    alone = BitMap([move.person for move in moves.parts])
                    changed[EVENTS] |= self._relink(
                        links, Moving(moves, events_of_people(snapshot, alone)), now.version
                    )
                self._change_attributes(changed, people_of_bits)
                self._notify(changed)
            self.state, self.stamp = state, now

    def _load_links(self, snapshot: Snapshot, version: int) -> None:
        rows = {row: BitMap() for row in self.dictionary.rows_of_links()}
        for row, data in snapshot.chunks_of([*rows]):
            rows[row] |= from_bytes(data)
        bits = self.dictionary.people_by_bit(self.dictionary.link, rows.__getitem__)
        people, codes = decoded_bits(rows[self.dictionary.link], bits)
        self.links.load(people, codes, version)

    def _links_of(self, people: BitMap, snapshot: Snapshot) -> dict[int, int | None]:
        """Returns the codes of the links of people, None for those who are not linked."""
        found: dict[int, int | None] = {}
        for bucket in buckets_of(people):
            inside = chunk_of(people, bucket)
            rows = {row: BitMap() for row in self.dictionary.rows_of_links()}
            rows.update((row, from_bytes(data)) for row, data in snapshot.chunks_in(bucket, [*rows]))
            linked = rows[self.dictionary.link] & inside
            found.update(dict.fromkeys(inside))
            bits = self.dictionary.people_by_bit(self.dictionary.link, rows.__getitem__)
            some, codes = decoded_bits(linked, bits)
            found.update(zip(some.tolist(), codes.tolist(), strict=True))
        return found

    def _relink(self, links: Mapping[int, int | None], moving: Moving, version: int) -> BitMap:
        """Changes links in memory, and moves the event counts. Returns the people whose counts may have changed."""
        self.links.change(links, version)
        return self.event_log.counts.move_people(moving)

    def _add_people_of_bits(self, changed: dict[int, BitMap]) -> dict[int, BitMap]:
        """Adds and returns the people with a change in any row of an attribute, of links or of seen days."""
        people: dict[int, BitMap] = {}
        for row_id, some in changed.items():
            attribute = sliced_row_of(self.dictionary.rows.get(row_id))
            if attribute is not None:
                people[attribute] = people[attribute] | some if attribute in people else some
        changed.update(people)
        return people

    def _change_attributes(self, changed: dict[int, BitMap], people: Mapping[int, BitMap]) -> None:
        """Updates the leaves of attributes, after links changed. `people` are those of `_add_people_of_bits`.

        The people whose computed attributes change are added to those with other event counts.
        """
        seen = BitMap.union(_NOBODY, *(people.get(row, _NOBODY) for row in self.dictionary.seen_rows()))
        seen = self.links.roots_of(seen)
        if self.dictionary.link in people:
            seen = seen | changed[EVENTS]
        changed[EVENTS] = changed[EVENTS] | seen
        if self.dictionary.facts["erased"] in changed:
            # A text that was erased gets a new number when somebody else has it.
            self._known_texts.clear()
            self._leaves_of_attributes.clear()
            self.epoch += 1
        elif people and not self._leaves_of_attributes.change(people, seen, self.dictionary):
            self.epoch += 1

    def _notify(self, changed: Mapping[int, BitMap]) -> None:
        for watcher in self._watchers:
            watcher(changed)

    def _change(self, row: int, added: BitMap, removed: BitMap, changed: dict[int, BitMap]) -> None:
        changed[row] = BitMap.union(added, removed, changed.get(row, _NOBODY))
        if row == self.dictionary.facts["erased"]:
            self.event_log.counts.remove(added)
        self.index.change(row, added, removed)
        for path in self._unions.get(row, ()):
            union = self._leaves[path, "subtree"]
            if removed:
                union -= removed
                for other in self.dictionary.subtree(self.dictionary.resolve(TagPath(path))):
                    union |= self.row(other.id) & removed
            union |= added

    def _clear_leaves(self) -> None:
        self.epoch += 1
        self._union_bytes = 0
        self._leaves.clear()
        self._requested.clear()
        self._unions.clear()
        self._leaves_of_attributes.clear()

    def row(self, row: int) -> BitMap:
        """Returns the people of a row. The bitmap must not be changed, nor kept after `read`."""
        return self._load(row, lambda: self.snapshot().chunks(row))

    def find_newest(self, key: bytes) -> int | None:
        """Returns the person whom a key means, linked or not; None for an unknown one. Cost: see `Directory.find`."""
        found = self.directory.find(key, self.snapshot)
        if found is None or key[:1] != b"v":
            return found
        superseded = self.fact("superseded")
        if found not in superseded:
            return found
        self.check_may_wait()
        every = BitMap(self.directory.find_all(key, self.snapshot)) - superseded
        return every.max() if every else None

    def find_root(self, key: bytes) -> int | None:
        """Returns the root of the person whom a key means: the user, if the person is linked."""
        found = self.find_newest(key)
        return None if found is None else self.links.root(found)

    def find_roots(self, hashes: Hashed) -> NDArray[np.int64]:
        """Returns the roots of the people whom keys mean, by the hashes of the keys; -1 for unknown ones."""
        found = self.directory.find_many(hashes, self.snapshot)
        return self.links.roots(self.directory.newest(found, self.fact("superseded"), hashes, self.snapshot))

    def rows_of_person(self, ordinal: int, rows: Iterable[int]) -> set[int]:
        """Returns which of these rows an ordinal has. Cost: 0.1 us per row in memory, and one query for all others.

        Rows that it reads are not added to the index.
        """
        own_rows, missing, peek = set[int](), list[int](), self.index.peek
        for row in rows:
            held = peek(row)
            if held is None:
                missing.append(row)
            elif ordinal in held:
                own_rows.add(row)
        for start in range(0, len(missing), _ROWS_AT_ONCE):
            some = missing[start : start + _ROWS_AT_ONCE]
            found = self.snapshot().chunks_in(ordinal // ORDINALS_PER_CHUNK, some)
            own_rows.update(found[place][0] for place in holding([data for _, data in found], ordinal))
        return own_rows

    def near(self, rows: Sequence[int], people: BitMap) -> Iterator[tuple[int, BitMap]]:
        """Yields each row with its people, complete at least in the buckets of `people`; see `row`.

        For people of one bucket it makes one query for all rows, so that a look-up does not fill the index.
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
        """Loads rows into the index while there is room. Returns the bytes of the index.

        Loads a few rows at a time, so that other reads can run in between. Cost: about 10 us per chunk on SQLite.
        """

        def take(rows: Sequence[int]) -> bool:
            chunks: dict[int, list[bytes]] = {row: [] for row in rows}
            for row, data in self.snapshot().chunks_of(rows):
                chunks[row].append(data)
            return all(self.index.fill(row, found) for row, found in chunks.items())

        rows = self.read(lambda: [row.id for row in self.dictionary.rows.values() if row.is_live])
        for start in range(0, len(rows), _ROWS_WARMED_AT_ONCE):
            some = rows[start : start + _ROWS_WARMED_AT_ONCE]
            if not self.read(lambda some=some: take([row for row in some if self.index.peek(row) is None])):  # type: ignore[misc]  # Bound at once.
                break
        return self.index.bytes_held

    def _load(self, row: int, chunks: Callable[[], list[tuple[int, bytes]]]) -> BitMap:
        before = len(self.index)
        is_here = self.index.peek(row) is not None
        bitmap = self.index.row(row, chunks)
        if is_here:
            return bitmap
        if len(self.index) <= before:
            # Rows were evicted. The leaves are deleted, because they would keep the rows in memory outside of the
            # index.
            self._clear_leaves()
        return bitmap

    def fact(self, name: str) -> BitMap:
        """Returns the people of `everyone`, `users`, `visitors` or `erased`."""
        return self.row(self.dictionary.facts[name])

    def tag(self, path: str, match: str) -> BitMap:
        """Returns the people with a tag (a current path or an alias), or with one at or below it; see `row`."""
        held = self._leaves.get((path, match))
        if held is not None:
            return held
        try:
            today = self.dictionary.resolve(TagPath(path))
        except TagProblem:
            # An alias can lead to a path that is not a valid tag, which nobody has. A rule with this path stays valid.
            return BitMap()
        if match == "exact":
            live = self.dictionary.live(today)
            bitmap = BitMap() if live is None else self.row(live.id)
            if live is not None:
                self._leaves[path, match] = bitmap
            self._requested.add(today)
            return bitmap
        rows = self.dictionary.subtree(today)
        if len(rows) == 1:
            bitmap = self.row(rows[0].id)
        else:
            bitmap = BitMap.union(BitMap(), *[self.row(row.id) for row in rows])
            self._union_bytes += 64 + min(2 * len(bitmap), self.state.next_ordinal // 8)
            if self._union_bytes > self._union_bytes_max:
                self._clear_leaves()
            for row in rows:
                self._unions.setdefault(row.id, set()).add(path)
        self._leaves[path, match] = bitmap
        self._requested.add(today)
        return bitmap

    def attribute(self, node: HasAttribute) -> BitMap:
        """Returns the people whose value of an attribute satisfies a node; see `row`.

        Cost: nothing if it was called before; otherwise see `conditions.people_of`.
        """
        leaves, today = self._leaves_of_attributes, self.today() if depends_on_day(node) else 0
        if leaves.is_ready(node, today):
            return leaves.people(node, today, self.state.calendar, self.dictionary, self.snapshot)
        self.check_may_wait()
        people = leaves.people(node, today, self.state.calendar, self.dictionary, self.snapshot)
        if leaves.is_full():
            self._clear_leaves()
        return people

    def attributes_of(self, ordinal: int, names: Iterable[str] | None = None) -> dict[AttributeName, AttributeValue]:
        """Returns the values of a person, of all attributes or of some. Cost: as `rows_of_person`, for all bits."""
        known = self.dictionary.attributes
        wanted = {name: known[name] for name in (known if names is None else names) if name in known}
        bits = {row: self.dictionary.bits[row] for row in wanted.values()}
        own_rows = self.rows_of_person(ordinal, [each for row in bits for each in (row, *bits[row].values())])
        found: dict[AttributeName, AttributeValue] = {}
        for name, row in wanted.items():
            if (value := self.value_in(row, own_rows)) is not None:
                found[AttributeName(name)] = value
        if names is None or any(name in COMPUTED_ATTRIBUTES for name in names):
            found |= computed_attributes(self.seen_days_of(ordinal), self.today(), self.state.calendar)
        return found

    def seen_days_of(self, ordinal: int) -> SeenDays | None:
        """Returns the days on which a person was seen, with those of everybody who is linked to them."""
        rows = self.dictionary.rows_of_seen_days()
        group = [ordinal, *(each.person for each in self.links.linked_to(ordinal))]
        return self.seen_days_in([self.rows_of_person(person, rows) for person in group])

    def seen_days_in(self, group: Iterable[Collection[int]]) -> SeenDays | None:
        """Returns the days on which people were seen who are in these rows, each of the people in some."""
        first, last = self.dictionary.seen_rows()
        return seen_together(
            SeenDays(self.code_in(first, own_rows), self.code_in(last, own_rows))
            for own_rows in group
            if last in own_rows
        )

    def code_in(self, attribute: int, own_rows: Collection[int]) -> int:
        """Returns the code of an attribute, or of the link, of a person who is in these rows."""
        return sum(1 << bit for bit, row in self.dictionary.bits[attribute].items() if row in own_rows)

    def value_in(self, attribute: int, own_rows: Collection[int]) -> AttributeValue | None:
        """Returns the value of an attribute of a person who is in these rows.

        None for no value, and for a text that only an erased person had.
        """
        if attribute not in own_rows:
            return None
        code = self.code_in(attribute, own_rows)
        type = attribute_type(self.dictionary.rows[attribute])
        if not is_textual(type):
            return value_of_code(type, code)
        text = self._known_texts.get((attribute, code))
        if text is None:
            text = self.snapshot().values_numbered(attribute, [code]).get(code)
            if text is None:
                return None
            if len(self._known_texts) >= _TEXTS_CACHED_MAX:
                self._known_texts.clear()
            self._known_texts[attribute, code] = text
        return value_of_text(type, text)

    def events(self, predicate: EventPredicate, times: int, window: int) -> BitMap:
        """Returns the people with at least `times` events of a predicate in a window; see `EventCounts.people`.

        Call it inside `read` or `find`. Raises: NotCounted.
        """
        if not self.event_log.counts.is_ready(predicate, times, window):
            self.check_may_wait()
        return self.event_log.counts.people(predicate, times, window)

    def follow_events(self, predicate: EventPredicate, times: int, window: int) -> BitMap:
        """Returns the same people as a bitmap that follows later changes, until `epoch` grows. Raises: NotCounted."""
        self.check_may_wait()
        return self.event_log.counts.follow(predicate, times, window)

    def count_of_events(self, ordinal: int, predicate: EventPredicate, window: int) -> int:
        """Returns how many events of a predicate a person has in the last days or hours. Call it inside `read`."""
        self.check_may_wait()
        return self.event_log.counts.count_of(ordinal, predicate, window)

    def check_counted(self, windows: Mapping[EventPredicate, int]) -> None:
        """Checks that the events of predicates are counted for windows of so many days or hours. Raises: NotCounted."""
        self.event_log.counts.check_counted(windows)

    def _move_windows(self) -> None:
        """Moves the windows of event counts to today and to this hour, if a new one has begun."""
        if not self._leaves_of_attributes.is_of_today(self.today):
            self._replace_followed()
        counts = self.event_log.counts
        if counts.is_current():
            return
        if counts.is_later_than_today():
            counts.clear()
            self._replace_followed()
        else:
            self._notify({EVENTS: counts.move()})

    def _replace_followed(self) -> None:
        """Makes the tribes be compiled again, and everything that was computed from them be deleted."""
        self._clear_leaves()
        self.beginnings += 1

    def _count_events(self, wanted: Mapping[EventPredicate, int]) -> None:
        """Counts the events of predicates, each from a day or an hour on. The log is read without the lock."""
        with self._storage.reading() as snapshot:
            version = snapshot.state().version
            counted = count_periods(snapshot, wanted, self.state.calendar)

        def adopt() -> None:
            if self.stamp.version < version:
                raise Moved("the version")
            later = count_periods(self.snapshot(), wanted, self.state.calendar, after=version)
            together = {predicate: merged(periods, later[predicate]) for predicate, periods in counted.items()}
            erased = self.fact("erased")
            for each in (slices for periods in together.values() for slices in periods.values()):
                each.remove(erased)
                each.move(self.links)
            if not self.event_log.counts.adopt(wanted, together):
                self._replace_followed()

        self.read(adopt)

    def share(self, share: Share) -> BitMap:
        """Returns the people of a share, without those who were erased; see `row`."""
        self.check_may_wait()
        people = self._points.people(share, self.state.next_ordinal, self.directory, self.snapshot)
        erased = self.fact("erased")
        return people - erased if erased else people

    def is_in_share(self, share: Share, ordinal: int) -> bool:
        """Returns whether a person is in a share. Cost: 0.5 us, or 7 ms for the first person of a bucket."""
        is_inside = self._points.find(share, ordinal)
        if is_inside is None:
            self.check_may_wait()
            bucket = ordinal // ORDINALS_PER_CHUNK
            size = min(self.state.next_ordinal - bucket * ORDINALS_PER_CHUNK, ORDINALS_PER_CHUNK)
            is_inside = ordinal in self._points.part(share, bucket, size, self.directory, self.snapshot)
        return is_inside

    # Writing.

    def view(self, tx: Transaction, *, loads_rows: bool) -> View:
        """Returns this environment inside a transaction, at the newest version, which no other writer can change.

        With `loads_rows`, rows that are read are added to the index, for the next small batch.
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

            self._move_windows()

            def share(share: Share) -> BitMap:
                with self.lock:
                    return self._points.people(share, self.state.next_ordinal, self.directory, lambda: tx)

            committed = load if loads_rows else peek
            return View(
                tx,
                self.state,
                committed,
                self.dictionary,
                self.directory,
                share,
                self.event_log,
                self.lock,
                self.texts,
                self.today,
                self.links,
                peek,
                self.suppressed,
            )

    def _is_requested(self, row: Row) -> bool:
        """Returns whether `tag` was called for the tag or a branch above it, by its current or its new path."""
        before = self.dictionary.rows.get(row.id, row)
        nodes = {before.path, row.path, *branches_above(before.path), *branches_above(row.path)}
        return not self._requested.isdisjoint(nodes)

    def begin_commit(self) -> None:
        """Marks that a transaction of this process is about to become visible to others, before `publish` is called."""
        with self.lock:
            self._is_committing = True

    def publish(self, view: View) -> None:
        """Applies a committed transaction to the state in memory."""
        with self.lock:
            self._is_committing = False
            self._published.notify_all()
            is_renamed = view.aliases or any(self._is_requested(row) for row in view.rows.values())
            if is_renamed or view.attribute_rows:
                self._clear_leaves()
            self.dictionary.put(view.rows.values())
            self.dictionary.put(view.attribute_rows.values())
            self.dictionary.put_period_rows(view.periods.changed.values())
            for path, target in view.aliases.items():
                self.dictionary.put_alias(path, target)
            if view.growth is not None:
                self.directory.adopt(view.state.keys_generation, view.growth)
            elif view.rewrote_keys:
                self.directory.generation = -1
            changed: dict[int, BitMap] = {}
            for draft in view.drafts:
                for row_id, added, removed in (*draft.rows(), *draft.period_shifts(), *draft.attribute_shifts()):
                    self._change(row_id, added, removed, changed)
            changed[EVENTS] = self.event_log.add(view.recorded, self.links) if view.recorded else BitMap()
            if self.dictionary.facts["superseded"] in changed:
                self.links.relinked_at = view.state.version
            if view.links.changed:
                changed[EVENTS] |= self._relink(view.links.changed, view.moving, view.state.version)
            self._change_attributes(changed, self._add_people_of_bits(changed))
            self._notify(changed)
            self.suppressed = view.suppressed
            self.state, self.stamp = view.state, _stamp(view.state)
            if self.directory.generation == -1:
                self.stamp = self.stamp._replace(keys_generation=-1)

    def invalidate(self) -> None:
        """Makes the next read load the state from the store again, after a commit with an unknown outcome."""
        with self.lock:
            self._is_committing = False
            self._published.notify_all()
            self.stamp = _UNKNOWN


def _stamp(state: State) -> Stamp:
    return Stamp(state.version, state.catalogue_generation, state.keys_generation)
