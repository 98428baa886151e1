"""The draft of a batch, and the view of an environment inside the transaction that commits the draft.

A `View` is an environment inside one transaction: the committed index, dictionary and directory, overlaid with the
changes of earlier batches in the same commit. A `Draft` collects what one batch changes. All checks are made before the
first write, so a refused batch changes nothing.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tagloom.engine import limits
from tagloom.engine.attributes.text_numbers import TextNumbers
from tagloom.engine.bitmaps import BitMap, buckets_of, chunk_of, from_bytes, to_bytes
from tagloom.engine.events.blocks import NO_EVENTS
from tagloom.engine.events.counts import Moving
from tagloom.engine.events.log import EventLog, Recorded, add_events, events_of_people
from tagloom.engine.keys.directory import Growth, add_keys
from tagloom.engine.keys.hash_set import HashSet
from tagloom.engine.keys.hashing import Hashed, Keyed
from tagloom.engine.keys.points import Finder, Share, people_from
from tagloom.engine.links.links import NO_MOVES, Links
from tagloom.engine.links.overlay import LinkOverlay
from tagloom.engine.state.dictionary import attribute_type, bit_of, bit_path
from tagloom.engine.storage import (
    SEVERAL,
    BatchRecord,
    ChunkChange,
    Entry,
    Footprint,
    NumberedText,
    Row,
    RowTotal,
    State,
    Transaction,
)
from tagloom.engine.write.footprints import Footprints
from tagloom.engine.write.period_rows import PeriodRows
from tagloom.engine.write.row_states import attribute_state, row_state
from tagloom.engine.write.shifts import PeriodShifts, Shift, scheduled_counts
from tagloom.ports import limits as ports_limits
from tagloom.ports.problems import StoreUnavailable, TooManyTags
from tagloom.words import limits as words_limits
from tagloom.words.attributes import AttributeType
from tagloom.words.changes import DELETE_PEOPLE, EVENTS, IDENTIFY, LINK, Origin
from tagloom.words.rejections import too_many_attributes
from tagloom.words.tags import TagPath, branches_above, is_at_or_below

if TYPE_CHECKING:
    from tagloom.engine.keys.directory import Directory
    from tagloom.engine.state.dictionary import Dictionary

PEOPLE_SHARED_MAX = 1_000  # Batches that share a commit have at most so many people each, whom later ones look up.
_FEW_SOUGHT = 64  # Up to this number, keys are looked up one by one.
_FINAL_ACTIONS = ("erase", DELETE_PEOPLE, EVENTS)  # Versions with these actions cannot be undone.
_SEVERAL_ACTIONS = (EVENTS, IDENTIFY, LINK)  # One write can make several versions with these actions.
_ROWS_AT_ONCE = 4_096
_FEW_BUCKETS = 8  # Up to this number, chunks are read one by one; beyond it, the whole row is read.


class Draft:
    """The changes of one batch: taggings by row, period rows by tag, dictionary entries, and counts."""

    def __init__(self) -> None:
        self.added: dict[int, BitMap] = {}
        self.removed: dict[int, BitMap] = {}
        self.expiries = PeriodShifts()
        self.starts = PeriodShifts()
        # The shifts of each attribute, by its row and those of its bits, and the people whose values change.
        self.attributes: dict[int, dict[int, Shift]] = {}
        self.attribute_people: dict[int, BitMap] = {}
        # The codes of the links that change, by person; None for no link.
        self.links: dict[int, int | None] = {}
        self.entries: list[Entry] = []
        self.new_people = 0
        self.people_removed = 0

    def add(self, row: int, people: BitMap) -> None:
        """Adds people to a row that they are not in yet."""
        if people:
            self.added[row] = self.added[row] | people if row in self.added else people

    def remove(self, row: int, people: BitMap) -> None:
        """Removes people from a row that they are in."""
        if people:
            self.removed[row] = self.removed[row] | people if row in self.removed else people

    def exclude(self, row: int, people: BitMap) -> None:
        """Takes these people out of the additions to a tag, with the expiries of these taggings."""
        self.added[row] = self.added[row] - people
        if not self.added[row]:
            del self.added[row]
        self.expiries.exclude(row, people)

    def is_empty(self) -> bool:
        """Returns whether the draft changes nothing."""
        is_same = not (self.added or self.removed or self.expiries or self.starts)
        return is_same and not (self.entries or self.attributes)

    def shift_attribute(self, attribute: int, shifts: Mapping[int, Shift]) -> None:
        """Sets the changes of the rows of an attribute. Call it once per attribute."""
        assert attribute not in self.attributes, "the values of an attribute change once"
        kept = {row: shift for row, shift in shifts.items() if shift.added or shift.removed}
        if kept:
            self.attributes[attribute] = kept
            self.attribute_people[attribute] = BitMap.union(*(people for shift in kept.values() for people in shift))

    def replace_attribute(self, attribute: int, shifts: Mapping[int, Shift]) -> None:
        """Replaces the changes of the rows of an attribute."""
        self.attributes.pop(attribute, None)
        self.attribute_people.pop(attribute, None)
        self.shift_attribute(attribute, shifts)

    def shift_bits(self, row: int, shifts: Mapping[int, Shift]) -> None:
        """Sets the changes of the rows of links or of seen days. Call it once per row."""
        assert row not in self.attributes, "a row with bits changes once"
        kept = {each: shift for each, shift in shifts.items() if shift.added or shift.removed}
        if kept:
            self.attributes[row] = kept

    def shift_links(self, row: int, shifts: Mapping[int, Shift], codes: Mapping[int, int | None]) -> None:
        """Sets the changes of the rows of links, and the code of each person whose link changes."""
        self.shift_bits(row, shifts)
        if row in self.attributes:
            self.links = dict(codes)

    @property
    def attributes_changed(self) -> int:
        """The number of values that change, counted once per person and attribute."""
        return sum(map(len, self.attribute_people.values()))

    def attribute_shifts(self) -> Iterator[tuple[int, BitMap, BitMap]]:
        """Yields (row, added, removed) of every row of an attribute that changes."""
        shifts = (each for attribute in sorted(self.attributes) for each in sorted(self.attributes[attribute].items()))
        return ((row, shift.added, shift.removed) for row, shift in shifts)

    def period_shifts(self) -> Iterator[tuple[int, BitMap, BitMap]]:
        """Yields (row, added, removed) of every period row that changes."""
        return chain(self.expiries.rows(), self.starts.rows())

    def rows(self) -> Iterator[tuple[int, BitMap, BitMap]]:
        """Yields (row, added, removed) of every tag and fact that changes."""
        nothing = BitMap()
        for row in sorted(self.added.keys() | self.removed.keys()):
            yield row, self.added.get(row, nothing), self.removed.get(row, nothing)


class View:
    """One environment inside one transaction."""

    # `lock` guards `event_log`, `texts` and `links`, which other threads read. `committed` returns the people of a row
    # before the transaction if they are in memory, or it loads them. `peek` never loads them. The bitmaps must not be
    # changed.
    def __init__(
        self,
        tx: Transaction,
        state: State,
        committed: Callable[[int], BitMap | None],
        dictionary: "Dictionary",
        directory: "Directory",
        share: Finder,
        event_log: EventLog,
        lock: AbstractContextManager[object],
        texts: TextNumbers,
        today: Callable[[], int],
        links: Links,
        peek: Callable[[int], BitMap | None],
        suppressed: HashSet,
    ) -> None:
        self.tx = tx
        self.suppressed = suppressed
        self.event_log = event_log
        self.lock = lock
        self.texts = texts
        self.today = today
        self.links = LinkOverlay(links, lock)
        self.state = state
        self.dictionary = dictionary
        self.directory = directory
        self._committed = committed
        self._peek = peek
        self._share = share
        self._chunks: dict[tuple[int, int], BitMap] = {}
        self._changed_rows: set[int] = set()
        self._new_rows: set[int] = set()
        self.rows: dict[int, Row] = {}
        self.periods = PeriodRows(dictionary, tx)
        self._made: dict[str, Row] = {}
        self.attribute_rows: dict[int, Row] = {}
        self._new_texts: dict[int, dict[str, NumberedText]] = {}
        self._texts_counts: dict[int, int] = {}
        self._has_new_bits = False
        self.aliases: dict[TagPath, TagPath | None] = {}
        self.newcomers: dict[tuple[int, int], int] = {}
        self._new: list[Keyed] = []
        self._first_new = state.next_ordinal
        self.drafts: list[Draft] = []
        self.is_dry_run = False
        self._log: list[tuple[BatchRecord, list[ChunkChange], list[Entry]]] = []
        self._totals: list[RowTotal] = []
        self._footprints: list[tuple[int, Footprint]] = []
        self._undone: list[tuple[int, Sequence[int]]] = []
        self.event_ids: set[tuple[int, int]] = set()
        self.recorded: list[Recorded] = []
        self.moving = Moving(NO_MOVES, NO_EVENTS)
        self.growth: Growth | None = None
        self.rewrote_keys = False

    # Reading through the overlay.

    def fact(self, name: str) -> int:
        """Returns the row of a fact; see `FACTS`."""
        return self.dictionary.facts[name]

    def has_fact(self, name: str, ordinal: int) -> bool:
        """Returns whether a fact is true of one person."""
        return ordinal in self.near(self.fact(name), BitMap([ordinal]))

    def live(self, path: str) -> Row | None:
        """Returns the live tag of a path, including those made in this transaction."""
        made = self._made.get(path)
        return made if made is not None else self.dictionary.live(path)

    def subtree(self, path: str) -> list[Row]:
        """Returns the live tags at or below a path."""
        known = [row for row in self.dictionary.subtree(path) if row.id not in self.rows]
        made = [row for row in self.rows.values() if row.is_live and is_at_or_below(row.path, path)]
        return [*known, *made]

    def rivals_of(self, tag: int) -> set[int]:
        """Returns the tags that nobody can have together with a tag, because of exclusive branches."""
        branches = self.dictionary.exclusive_branches(TagPath(self.row(tag).path))
        return {row.id for branch in branches for row in self.subtree(branch)} - {tag}

    def nodes_among(self, paths: Iterable[TagPath]) -> set[TagPath]:
        """Returns which of these paths are tags or branches now. Cost: in proportion to the changed rows."""
        gone, come = Counter[TagPath](), set[TagPath]()
        for row in self.rows.values():
            before = self.dictionary.rows.get(row.id)
            if before is not None and before.is_live:
                gone.update((TagPath(before.path), *branches_above(before.path)))
            if row.is_live:
                come.update((TagPath(row.path), *branches_above(row.path)))
        return {path for path in paths if path in come or self.dictionary.tags_count(path) > gone[path]}

    def attributes(self) -> dict[str, Row]:
        """Returns the live attributes by name, including those of this transaction."""
        known = {
            name: row for name, row in self.dictionary.live_attributes().items() if row.id not in self.attribute_rows
        }
        made = (row for row in self.attribute_rows.values() if row.kind == "attribute" and row.is_live)
        return known | {row.path: row for row in made}

    def attribute_types(self) -> dict[str, AttributeType]:
        """Returns the type of each live attribute by name."""
        return {name: attribute_type(row) for name, row in self.attributes().items()}

    def attribute(self, row: int) -> Row:
        """Returns an attribute in its present state."""
        return self.attribute_rows.get(row) or self.dictionary.rows[row]

    def bits_of(self, attribute: int) -> dict[int, int]:
        """Returns the rows of the bits of an attribute, by bit."""
        made = (row for row in self.attribute_rows.values() if row.kind == "bit" and row.tag == attribute)
        return {**self.dictionary.bits.get(attribute, {}), **{bit_of(row): row.id for row in made}}

    def row(self, row: int) -> Row:
        """Returns a tag in its present state."""
        return self.rows.get(row) or self.dictionary.rows[row]

    def chunk(self, row: int, bucket: int) -> BitMap:
        """Returns the people of a row in one bucket, now. The bitmap must not be changed."""
        laid_over = self._chunks.get((row, bucket))
        if laid_over is not None:
            return laid_over
        held = self._committed(row)
        if held is not None:
            return chunk_of(held, bucket)
        if self._is_new(row, bucket):
            return BitMap()
        return from_bytes(self.tx.chunk(row, bucket) or b"")

    def _is_new(self, row: int, bucket: int) -> bool:
        """Returns whether nobody can have been in the row and bucket before the transaction."""
        return row in self._new_rows or bucket * limits.ORDINALS_PER_CHUNK >= self._first_new

    def near(self, row: int, people: BitMap) -> BitMap:
        """Returns the people of a row now, complete in the buckets of `people`. The bitmap must not be changed."""
        held = self._committed(row)
        if held is not None and row not in self._changed_rows:
            return held
        buckets = []
        for bucket in buckets_of(people):
            buckets.append(bucket)
            if len(buckets) > _FEW_BUCKETS:
                return self.whole(row)
        return BitMap.union(BitMap(), *(self.chunk(row, bucket) for bucket in buckets))

    def having(self, rows: Iterable[int], people: BitMap) -> Iterator[tuple[int, BitMap]]:
        """Yields each of these rows that has some of these people now, with these. Adds no row to the index.

        Cost: 0.2 us per row in memory, and one query per bucket and 4,096 others.
        """
        missing = list[int]()
        for row in rows:
            held = None if row in self._changed_rows else self._peek(row)
            if held is not None:
                inside = held & people
            elif row in self._changed_rows:
                inside = self.near(row, people) & people
            else:
                missing.append(row)
                continue
            if inside:
                yield row, inside
        found: dict[int, BitMap] = {}
        for start in range(0, len(missing), _ROWS_AT_ONCE):
            for bucket in buckets_of(people):
                for row, data in self.tx.chunks_in(bucket, missing[start : start + _ROWS_AT_ONCE]):
                    if inside := from_bytes(data) & people:
                        found[row] = found[row] | inside if row in found else inside
        yield from found.items()

    def committed(self, row: int) -> BitMap:
        """Returns all people of a row before the transaction. The bitmap must not be changed."""
        bitmap = BitMap() if row in self._new_rows else self._committed(row)
        if bitmap is None:
            bitmap = BitMap.union(BitMap(), *(from_bytes(data) for _, data in self.tx.chunks(row)))
        return bitmap

    def whole(self, row: int) -> BitMap:
        """Returns all people of a row, now. The bitmap must not be changed."""
        bitmap = self.committed(row)
        if row in self._changed_rows:
            bitmap = bitmap.copy()
            for (changed, bucket), chunk in self._chunks.items():
                if changed == row:
                    bitmap -= chunk_of(bitmap, bucket)
                    bitmap |= chunk
        return bitmap

    def people_in(self, share: Share) -> BitMap:
        """Returns the people of a share, including those whom this transaction makes known."""
        parts, first = [self._share(share)], self._first_new
        for block in self._new:
            parts.append(people_from(first, block.keys, share))
            first += len(block.keys)
        return BitMap.union(*parts)

    def find_hash(self, high: int, low: int) -> int | None:
        """Returns the newest ordinal of a key by its hash, including those assigned in this transaction."""
        made = self.newcomers.get((high, low))
        if made is not None:
            return made
        found = self.directory.find_hash(high, low, lambda: self.tx)
        if found is None or not self.has_fact("superseded", found):
            return found
        every = BitMap(self.directory.find_hashed(high, low, lambda: self.tx))
        every -= self.near(self.fact("superseded"), every)
        return every.max() if every else None

    def find_hashes(self, hashes: Hashed) -> NDArray[np.int64]:
        """Returns the ordinals of keys by their hashes, including those assigned in this transaction; -1 for none."""
        pairs = zip(hashes.high.tolist(), hashes.low.tolist(), strict=True)
        if len(hashes.high) <= _FEW_SOUGHT:
            found = [self.find_hash(*pair) for pair in pairs]
            return np.array([-1 if ordinal is None else ordinal for ordinal in found], np.int64)
        ordinals = self.directory.find_many(hashes, lambda: self.tx)
        superseded = self.whole(self.fact("superseded"))
        ordinals = self.directory.newest(ordinals, superseded, hashes, lambda: self.tx)
        if self.newcomers:
            made = np.array([self.newcomers.get(pair, -1) for pair in pairs], np.int64)
            ordinals = np.where(made < 0, ordinals, made)
        return ordinals

    # Writing.

    def admit(self, new: Keyed) -> int:
        """Assigns ordinals to new keys, in order. Returns the first ordinal."""
        first = self.state.next_ordinal
        if first + len(new.keys) > limits.PEOPLE_PER_ENVIRONMENT_MAX:
            raise StoreUnavailable("The environment has reached its maximum number of people.")
        self._new.append(new)
        if len(new.keys) <= PEOPLE_SHARED_MAX:
            pairs = zip(new.hashes.high.tolist(), new.hashes.low.tolist(), strict=True)
            self.newcomers.update(zip(pairs, range(first, first + len(new.keys)), strict=True))
        self.state = self.state._replace(next_ordinal=first + len(new.keys))
        return first

    def tag_row(
        self,
        path: TagPath,
        draft: Draft,
        *,
        description: str = "",
        exclusive: bool = False,
        owner: str = "",
        ttl_seconds: int = 0,
        expires_at: int = 0,
    ) -> Row:
        """Returns the live tag of a path; creates it, or makes a deleted one live again, when there is none."""
        row = self.live(path)
        if row is not None:
            return row
        deleted = self.dictionary.deleted(path)
        if deleted is None and len(self.dictionary) + len(self._made) >= ports_limits.TAGS_PER_ENVIRONMENT_MAX:
            raise TooManyTags(f"An environment can have at most {ports_limits.TAGS_PER_ENVIRONMENT_MAX} tags.")
        said = path, True, description, exclusive, owner, ttl_seconds, expires_at
        if deleted is not None:
            row = Row(deleted.id, "tag", *said)
            draft.entries.append(Entry("tag", str(row.id), row_state(deleted), row_state(row)))
        else:
            row = Row(self.tx.add_row("tag", path), "tag", *said)
            self._new_rows.add(row.id)
            draft.entries.append(Entry("tag", str(row.id), "", row_state(row)))
        self.rows[row.id] = self._made[path] = row
        return row

    def make_attribute(self, name: str, type: AttributeType, description: str, draft: Draft) -> Row:
        """Creates an attribute, which must not exist. Raises: TooManyAttributes."""
        if len(self.attributes()) >= words_limits.ATTRIBUTES_PER_ENVIRONMENT_MAX:
            raise too_many_attributes()
        row = Row(self.tx.add_row("attribute", name, type=type), "attribute", name, True, description, False, type=type)
        self._new_rows.add(row.id)
        self.attribute_rows[row.id] = row
        draft.entries.append(Entry("attribute", str(row.id), "", attribute_state(row)))
        return row

    def put_attribute(self, row: Row, draft: Draft) -> None:
        """Changes an attribute of the dictionary."""
        before = self.attribute(row.id)
        draft.entries.append(Entry("attribute", str(row.id), attribute_state(before), attribute_state(row)))
        self.attribute_rows[row.id] = row

    def make_bits(self, attribute: int, bits: Iterable[int]) -> dict[int, int]:
        """Returns the rows of the bits of an attribute, by bit. Creates those of `bits` that are missing."""
        found = self.bits_of(attribute)
        for bit in bits:
            if bit not in found:
                path = bit_path(attribute, bit)
                row = Row(self.tx.add_row("bit", path, parent=attribute), "bit", path, True, "", False, tag=attribute)
                found[bit] = row.id
                self._new_rows.add(row.id)
                self.attribute_rows[row.id] = row
                self._has_new_bits = True
        return found

    def text_numbers(self, attribute: int, people: Mapping[str, int]) -> dict[str, int]:
        """Returns the number of each of these texts of an attribute, which people get. Adds those that are missing.

        `people` has the person who gets a text, or SEVERAL.
        """
        made = self._new_texts.setdefault(attribute, {})
        found = {text: made[text] for text in people if text in made}
        if attribute not in self._new_rows:
            # None of these texts is of this transaction, so all that are found are committed.
            found |= self.texts.shared.find(attribute, [each for each in people if each not in found], self.tx)
        missing = [text for text in people if text not in found]
        if missing:
            first = self._texts_counts.get(attribute)
            if first is None:
                first = 0 if attribute in self._new_rows else self.tx.values_count(attribute)
            self._texts_counts[attribute] = first + len(missing)
            self.tx.add_values(attribute, first, [(text, people[text]) for text in missing])
            new = {text: NumberedText(first + place, people[text]) for place, text in enumerate(missing)}
            found |= new
            made |= new
        shared = [text for text, each in found.items() if each.person not in (SEVERAL, people[text])]
        if shared:
            self.tx.share_values(attribute, [found[text].number for text in shared])
            made |= {text: found[text]._replace(person=SEVERAL) for text in shared}
        return {text: each.number for text, each in found.items()}

    def put_people(self, people: BitMap, visitors: BitMap, draft: Draft) -> None:
        """Adds people who are not in the environment now to its facts. `visitors` has those who are no users."""
        draft.add(self.fact("everyone"), people)
        draft.add(self.fact("visitors"), visitors)
        draft.add(self.fact("users"), people - visitors)
        draft.new_people = len(people)

    def put_row(self, row: Row, draft: Draft) -> None:
        """Changes a tag of the dictionary."""
        before = self.dictionary.rows[row.id]
        draft.entries.append(Entry("tag", str(row.id), row_state(before), row_state(row)))
        self.rows[row.id] = row

    def put_alias(self, path: TagPath, target: TagPath | None, draft: Draft) -> None:
        """Sets an alias, or deletes it."""
        before = self.dictionary.aliases.get(path, "")
        if (target or "") != before:
            draft.entries.append(Entry("alias", path, before, target or ""))
            self.aliases[path] = target

    def add_events(self, recorded: Recorded) -> None:
        """Adds the events that a version of this transaction recorded; `flush` writes all of them together."""
        self.event_ids.update(zip(recorded.hashes.high.tolist(), recorded.hashes.low.tolist(), strict=True))
        self.recorded.append(recorded)

    def record(
        self, draft: Draft, origin: Origin, action: str, at: str, undoes: Sequence[int] = (), *, events: int = 0
    ) -> int:
        """Overlays the view with a draft and logs it as the next version; `flush` writes it.

        In a dry run, the draft is only added to `drafts`, and no version is made.
        """
        self.links.change(draft.links, begins_again=self.fact("superseded") in draft.added)
        if self.is_dry_run:
            if action in _SEVERAL_ACTIONS:
                # The next version of the same write depends on this one.
                for row, added, removed in (*draft.rows(), *draft.period_shifts(), *draft.attribute_shifts()):
                    self._changed_rows.add(row)
                    deque(self._change_row(self.state.version, row, added, removed, Footprints()), maxlen=0)
            self.drafts.append(draft)
            return self.state.version
        facts = set(self.dictionary.facts.values())
        version = self.state.version + 1
        changes, footprints = list[ChunkChange](), Footprints()
        added_count = removed_count = 0
        for row, added, removed in draft.rows():
            if row not in facts:
                total = RowTotal(version, row, len(added), len(removed))
                added_count += total.added
                removed_count += total.removed
                self._totals.append(total)
            self._changed_rows.add(row)
            changes.extend(self._change_row(version, row, added, removed, footprints))
        for row, added, removed in (*draft.period_shifts(), *draft.attribute_shifts()):
            self._changed_rows.add(row)
            changes.extend(self._change_row(version, row, added, removed, footprints))
        batch = BatchRecord(
            version=version,
            at=at,
            action=action,
            actor=origin.actor,
            source=origin.source,
            added=added_count,
            removed=removed_count,
            new_people=draft.new_people,
            undoes=undoes[0] if len(undoes) == 1 else None,
            undone_by=None,
            is_final=action in _FINAL_ACTIONS,
            events=events,
            attributes=draft.attributes_changed,
            scheduled=scheduled_counts(draft.starts).scheduled,
        )
        self._log.append((batch, changes, draft.entries))
        self._footprints.extend(footprints.rows(version))
        if len(undoes) > 1:
            self._undone.append((version, undoes))
        generation = self.state.catalogue_generation + (bool(draft.entries) or self._has_new_bits)
        self._has_new_bits = False
        self.state = self.state._replace(version=version, catalogue_generation=generation)
        self.drafts.append(draft)
        return version

    def _change_row(
        self, version: int, row: int, added: BitMap, removed: BitMap, footprints: Footprints
    ) -> Iterator[ChunkChange]:
        nothing = BitMap()
        buckets = list(buckets_of(added | removed if added and removed else added or removed))
        self._lay_over(row, buckets)
        for bucket in buckets:
            plus = chunk_of(added, bucket) if added else nothing
            minus = chunk_of(removed, bucket) if removed else nothing
            chunk = self._chunks[row, bucket]
            chunk -= minus
            chunk |= plus
            footprints.add(bucket, plus, minus)
            yield ChunkChange(version, row, bucket, to_bytes(plus), to_bytes(minus))

    def _lay_over(self, row: int, buckets: Sequence[int]) -> None:
        """Copies chunks of a row, so that the transaction can change them. Many chunks are read with one query."""
        stored = [bucket for bucket in buckets if (row, bucket) not in self._chunks and not self._is_new(row, bucket)]
        if len(stored) > _FEW_BUCKETS and self._committed(row) is None:
            wanted = set(stored)
            for bucket, data in self.tx.chunks(row):
                if bucket in wanted:
                    self._chunks[row, bucket] = from_bytes(data)
                    wanted.remove(bucket)
            self._chunks.update(((row, bucket), BitMap()) for bucket in wanted)
        for bucket in buckets:
            if (row, bucket) not in self._chunks:
                self._chunks[row, bucket] = BitMap(self.chunk(row, bucket))

    def wiped_keys(self) -> None:
        """Marks that keys were replaced in the store, so that every process reads all keys again."""
        self.rewrote_keys = True
        self.state = self.state._replace(keys_generation=self.state.keys_generation + 1)

    def put_suppressed(self, suppressed: HashSet) -> None:
        """Replaces the suppression list, which every process loads again."""
        keys, own = self.state.keys_generation + 1, self.state.suppressed_generation + 1
        self.state = self.state._replace(keys_generation=keys, suppressed_generation=own)
        self.suppressed = suppressed

    def key_at(self, ordinal: int) -> bytes:
        """Returns the key of an ordinal that was assigned before this transaction."""
        return self.directory.key_at(ordinal, lambda: self.tx)

    def flush(self) -> None:
        """Writes the changes of all batches in the commit: keys, log, rows, aliases, chunks, state."""
        if self._new:
            self.growth = add_keys(self.directory, self.tx, self._first_new, self._new)
            self.state = self.state._replace(keys_generation=self.state.keys_generation + 1)
        self.tx.add_batches(self._log)
        if self._totals:
            self.tx.add_totals(self._totals)
        if self._footprints:
            self.tx.add_footprints(self._footprints)
        for version, undone in self._undone:
            self.tx.add_undone(version, undone)
        if self.recorded:
            add_events(self.recorded, self.tx)
        if self.links.changed:
            self.moving = self.moved()
        self.periods.settle((shifts for draft in self.drafts for shifts in (draft.expiries, draft.starts)), self.whole)
        self.tx.put_rows([*self.rows.values(), *self.periods.changed.values(), *self.attribute_rows.values()])
        for path, target in self.aliases.items():
            self.tx.put_alias(path, target)
        new, changed = list[tuple[int, int]](), list[tuple[int, int]]()
        for place in sorted(self._chunks):
            (new if self._is_new(*place) else changed).append(place)
        self.tx.add_chunks((*place, to_bytes(self._chunks[place])) for place in new)
        self.tx.put_chunks((*place, to_bytes(self._chunks[place])) for place in changed)
        self.tx.put_state(self.state)

    def moved(self) -> Moving:
        """Returns how event counts move by the links that changed.

        Cost: nothing to speak of if people only were linked, else that of `events_of_people`.
        """
        moves = self.links.moves()
        alone = BitMap([move.person for move in moves.parts])
        return Moving(moves, events_of_people(self.tx, alone))
