"""Aggregation: turns the parts of a body into one resolved batch: a bitmap per tag, and the rejected lines.

It runs without any lock, in the thread that reads the body. Unknown people get provisional ordinals; the commit
assigns the final ones (`engine/write/diff.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, starmap
from typing import Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagloom.base.problems import Problem
from tagloom.engine.bitmaps import BitMap, bitmap_of, per_tag
from tagloom.engine.keys.hash_set import NO_HASHES, HashSet
from tagloom.engine.keys.hashing import Hashed, Keyed, KeyHash, KeyTable, binary_array
from tagloom.engine.storage import State
from tagloom.engine.write.attribute_cells import (
    REMOVED,
    AttributeLookups,
    AttributeMeaning,
    Cells,
    ReadCells,
    ResolvedAttribute,
)
from tagloom.ports.writes import BatchRules, Doubt, Part
from tagloom.words import rejections
from tagloom.words.periods import Period
from tagloom.words.problems import FAULTS_OF_A_TEXT, TagProblem
from tagloom.words.receipts import Rejected
from tagloom.words.tags import TagPath, is_at_or_below, lowercased, parse_tag

_TAGGINGS_PER_FOLD = 4_000_000  # 32 MB of columns at most wait to become bitmaps, and as many are being converted.
# Sorting taggings into bitmaps releases the interpreter's lock, so it runs beside the reading of the next parts.
_FOLDING: Final = ThreadPoolExecutor(2, "tagloom-folding")
_NOBODY = np.empty(0, np.int64)


class Newcomers(NamedTuple):
    """The people who were unknown when the body was read, in blocks.

    Number i of all of them has the provisional ordinal `base + i`.
    """

    base: int
    blocks: Sequence[Keyed]

    @property
    def people(self) -> int:
        """The number of newcomers."""
        return sum(len(block.keys) for block in self.blocks)


class Doubtful(NamedTuple):
    """The doubtful lines of a body: unreadable lines that may name people.

    `strangers` are the hashes of possible people who were unknown when the body was read. `unknown_lines` counts the
    lines without any possible known person, and `first` is the number of the first such line.
    """

    strangers: Hashed
    unknown_lines: int = 0
    first: int = 0


NO_DOUBT = Doubtful(Hashed(np.empty(0, np.uint64), np.empty(0, np.uint32)))


class ResolvedBatch(NamedTuple):
    """A body with its tags and people looked up. Bitmaps have ordinals, provisional ones for newcomers.

    `bare` are people without tags. `periods` are those of added taggings, for people whose last line for the tag
    has one. `meanings` are the meanings of all written paths, or the error of one without. `begun` is the state of the
    population before the first look-up; None when all look-ups were made in the transaction that applies the batch.
    `attribute_meanings` has the meaning of each attribute that was named. `suppressed` is the suppression list with
    which the lines were read, and `suppressed_lines` is the number of lines that were rejected for it.
    """

    added: dict[TagPath, BitMap]
    removed: dict[TagPath, BitMap]
    bare: BitMap
    held: BitMap
    newcomers: Newcomers
    accepted_lines: int
    rejected: tuple[Rejected, ...]
    rejected_count: int
    normalized: int
    aliases: dict[str, str]
    periods: Mapping[TagPath, Mapping[Period, BitMap]]
    meanings: "Mapping[TagPath, Meaning | str]"
    begun: State | None
    doubtful: Doubtful = NO_DOUBT
    attributes: tuple[ResolvedAttribute, ...] = ()
    attribute_meanings: Mapping[str, AttributeMeaning] = {}
    suppressed: HashSet = NO_HASHES
    suppressed_lines: int = 0


class Meaning(NamedTuple):
    """The meaning of a written path.

    It is the current path, whether a closed catalogue lacks it, the exclusive branches at or above it, and the nearest
    branch at or above it with an owner.
    """

    today: TagPath
    is_unknown: bool
    branches: tuple[TagPath, ...]
    owned: tuple[TagPath, str] | None


class Lookups(AttributeLookups, Protocol):
    """The look-ups in the population that aggregation needs. Each answer is consistent in itself."""

    @property
    def key_hash(self) -> KeyHash: ...
    def state(self) -> State: ...
    def suppressed(self) -> HashSet: ...
    def ordinals_of(self, hashes: Hashed) -> NDArray[np.int64]: ...
    def nearest(self, tag: str) -> list[str]: ...
    def understand(self, path: TagPath) -> Meaning: ...


class Texts:
    """The texts of a body, each looked up once. Valid ones are numbered by first use; invalid ones are negative."""

    def __init__(self, rules: BatchRules, lookups: Lookups) -> None:
        self._rules = rules
        self._lookups = lookups
        self.meanings: dict[TagPath, Meaning | str] = {}
        self._prefix = None if rules.prefix is None else self._meaning(parse_tag(rules.prefix)).today
        self._numbers: dict[str, int] = {}
        self._path_numbers: dict[TagPath, int] = {}
        self.paths: list[TagPath] = []
        self.branches: list[tuple[TagPath, ...]] = []
        self.faults: list[tuple[str, Problem]] = []
        self.lowered: set[str] = set()
        self.aliases: dict[str, str] = {}

    def number(self, text: str) -> int:
        """Returns the number of the tag that a text means; -1 - n for the fault n."""
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = self._understand(text)
        return number

    def _meaning(self, path: TagPath) -> Meaning:
        try:
            meaning = self.meanings[path] = self._lookups.understand(path)
        except TagProblem as problem:
            self.meanings[path] = problem.detail
            raise
        return meaning

    def _understand(self, text: str) -> int:
        try:
            path = parse_tag(lowercased(text) if self._rules.lowercase else text)
            if self._rules.lowercase and text.lower() != text:
                self.lowered.add(text)
            today, is_unknown, branches, owned = self._meaning(path)
            if self._prefix and not is_at_or_below(today, self._prefix):
                raise rejections.outside_prefix(today, self._prefix)
            if is_unknown:
                raise rejections.unknown_tag(today, self._lookups.nearest(today))
            if owned and owned[1] != self._rules.owner:
                raise rejections.owned(today, *owned)
        except FAULTS_OF_A_TEXT as problem:
            self.faults.append((text, problem))
            return -len(self.faults)
        if today != path:
            self.aliases[path] = today
        number = self._path_numbers.get(today)
        if number is None:
            number = self._path_numbers[today] = len(self.paths)
            self.paths.append(today)
            self.branches.append(branches)
        return number


def holds_people(rules: BatchRules) -> bool:
    """Returns whether the people of rejected lines must keep what their lines do not name."""
    return rules.mode in ("set", "mirror") or rules.replaces_attributes


class Aggregator:
    """An aggregator, which aggregates parts one after another; `finish` returns the resolved batch.

    Memory: about 2 bytes per tagging, and 100 bytes per newcomer. Lines that might contradict each other (mode
    `change`, exclusive branches) are kept as columns until the end: 17 bytes per tagging.
    """

    def __init__(self, rules: BatchRules, lookups: Lookups) -> None:
        self._rules = rules
        self._holds = holds_people(rules)
        self._lookups = lookups
        self._begun = lookups.state()
        self._suppressed, self._suppressed_lines = lookups.suppressed(), 0
        self._base = self._begun.next_ordinal
        self._texts = Texts(rules, lookups)
        self._table = KeyTable()
        self._new: list[Keyed] = []
        self._new_count = 0
        self._waiting: list[tuple[NDArray[np.int32], NDArray[np.uint32]]] = []
        self._waiting_count = 0
        self._folding: Future[None] | None = None
        self._added: dict[int, BitMap] = defaultdict(BitMap)
        self._removed: dict[int, BitMap] = defaultdict(BitMap)
        self._bare, self._held = BitMap(), BitMap()
        self._held_keys: list[bytes] = []
        self._strangers: list[Hashed] = []
        self._unknown_lines: list[int] = []
        self._deferred: list[_Columns] = []
        self._contradicting = _NOBODY
        self._cells = Cells(lookups)
        # From the first part with periods on, taggings are kept as columns, and lines with their starts and expiries.
        self._periods: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
        self._with_periods: list[_Columns] = []
        self._accepted_lines = 0
        self._rejected: list[Rejected] = []
        self._rejected_count = 0

    def add(self, part: Part) -> None:
        """Aggregates one part."""
        assert part.attributes is None or self._rules.mode != "remove", "lines of mode remove have no attributes"
        self._reject(part.rejected)
        if self._rules.mode != "remove" and (part.has_periods or self._periods):
            starts, expiries = (
                np.zeros(len(part.lines), np.int64) if each is None else each for each in (part.starts, part.expiries)
            )
            self._periods.append((part.lines, starts, expiries))
        if self._holds:
            self._held_keys.extend(part.held)
            if part.doubts:
                self._doubt(part.doubts)
        keyed = self._hashed(part.key_column())
        ordinals = self._ordinals(keyed)
        # A file with one tagging per line is the hot path: nothing has to be mapped from taggings to lines.
        is_plain = len(part.lines) == len(part.tagging_line) and bool(
            np.array_equal(part.tagging_line, np.arange(len(part.lines), dtype=np.int32))
        )
        columns = _Columns(
            part.lines if is_plain else part.lines[part.tagging_line],
            ordinals if is_plain else ordinals[part.tagging_line],
            self._number(part.texts)[part.tagging_text],
            part.is_removal if self._rules.mode == "change" else None,
        )
        # Without a suppression list, this costs nothing.
        bad_line = self._suppressed.among(keyed.hashes)
        bad: NDArray[np.int64] = np.flatnonzero(columns.number < 0)
        if self._suppressed and bad_line.any():
            self._reject_suppressed(part, bad_line)
            bad = bad[~bad_line[part.tagging_line[bad]]]
        if len(bad):
            bad_line[part.tagging_line[bad]] = True
            self._reject_faulty(part, bad, columns.number)
        cells = None if part.attributes is None else self._cells.read(part.attributes, len(part.lines))
        if cells is not None:
            self._reject_cells(part, cells, bad_line)
        if bad_line.any():
            self._hold(ordinals[bad_line])
            columns = columns.where(~bad_line[part.tagging_line])
        late_line = self._may_contradict(part, columns, bad_line)
        good_line = ~bad_line
        if late_line is not None:
            tagging_late = np.isin(columns.line, part.lines[late_line])
            self._deferred.append(columns.where(tagging_late))
            columns = columns.where(~tagging_late)
            good_line &= ~late_line
        self._accepted_lines += int(np.count_nonzero(good_line))
        if cells is not None:
            kept = cells.of_lines(~bad_line)
            self._cells.keep(kept, part.lines, ordinals)
            # A line that sets a value creates its person, also if it only removes tags.
            with_cells = np.zeros(len(part.lines), np.bool_)
            with_cells[kept.line[kept.place != REMOVED]] = True
            self._bare |= bitmap_of(np.unique(ordinals[with_cells & good_line]))
        # A line without a tag still names a person, who is `bare`. The taggings name the people of the other lines.
        if not is_plain:
            good_line[part.tagging_line] = False
            if good_line.any():
                self._bare |= bitmap_of(np.unique(ordinals[good_line]))
        self._wait(columns)

    def _hashed(self, keys: pa.BinaryArray) -> Keyed:
        return Keyed(keys, self._lookups.key_hash.many(keys))

    def _ordinals(self, keyed: Keyed) -> NDArray[np.uint32]:
        """Returns the ordinal of each key, a provisional one for a newcomer."""
        hashes = keyed.hashes
        if not len(hashes.high):
            return np.empty(0, np.uint32)
        slots, fresh = self._table.claim(hashes)
        if len(fresh):
            unmet = Hashed(hashes.high[fresh], hashes.low[fresh])
            ordinals = self._lookups.ordinals_of(unmet)
            # People who were added after the body began may have a newcomer's provisional ordinal. They count as
            # newcomers here, and the commit, which sees that people were added, finds them again.
            new = np.flatnonzero((ordinals < 0) | (ordinals >= self._base))
            ordinals[new] = np.arange(len(new)) + self._base + self._new_count
            if len(new):
                self._new_count += len(new)
                self._new.append(keyed.take(fresh[new]))
            self._table.settle(slots[fresh], ordinals)
        return self._table.ordinals(slots)

    def _number(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Returns the tag number of each text."""
        return np.fromiter(map(self._texts.number, texts), np.int32, len(texts))

    # Rejected lines.

    def _doubt(self, doubts: Sequence[Doubt]) -> None:
        """Holds all known people that these lines may name.

        Unknown people cost a hash each and are not newcomers.
        """
        places: dict[bytes, int] = {}
        for doubt in doubts:
            for key in doubt.keys:
                places.setdefault(key, len(places))
        hashes = self._lookups.key_hash.many(binary_array(list(places)))
        ordinals = self._lookups.ordinals_of(hashes)
        is_known = (ordinals >= 0) & (ordinals < self._base)
        self._hold(ordinals[is_known].astype(np.uint32))
        self._strangers.append(Hashed(hashes.high[~is_known], hashes.low[~is_known]))
        for doubt in doubts:
            if not any(is_known[places[key]] for key in doubt.keys):
                self._unknown_lines.append(doubt.line)

    def _doubtful(self) -> Doubtful:
        if not self._strangers:
            return NO_DOUBT
        high = np.concatenate([each.high for each in self._strangers])
        low = np.concatenate([each.low for each in self._strangers])
        # Both halves together are the hash of 96 bits. The sort places equal hashes next to each other.
        order = np.lexsort((low, high))
        high, low = high[order], low[order]
        is_first = np.ones(len(high), np.bool_)
        is_first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        return Doubtful(
            Hashed(high[is_first], low[is_first]), len(self._unknown_lines), min(self._unknown_lines, default=0)
        )

    def _reject(self, rejected: Iterable[Rejected]) -> None:
        for line in rejected:
            self._rejected_count += 1
            if len(self._rejected) < self._rules.rejected_max:
                self._rejected.append(line)

    def _reject_suppressed(self, part: Part, bad_line: NDArray[np.bool_]) -> None:
        """Rejects the lines of people on the suppression list."""
        lines: list[int] = part.lines[bad_line].tolist()
        self._suppressed_lines += len(lines)
        self._reject_each(len(lines), map(rejections.suppressed, lines))

    def _reject_faulty(self, part: Part, bad: NDArray[np.int64], number: NDArray[np.int32]) -> None:
        """Rejects each line with a bad tag, for its first one. `bad` are taggings in order."""
        lines, firsts = np.unique(part.tagging_line[bad], return_index=True)

        def rejected() -> Iterator[Rejected]:
            for line, first in zip(lines.tolist(), firsts.tolist(), strict=True):
                text, problem = self._texts.faults[-int(number[bad[first]]) - 1]
                yield rejections.rejected(int(part.lines[line]), text, problem)

        self._reject_each(len(lines), rejected())

    def _reject_each(self, count: int, rejected: Iterator[Rejected]) -> None:
        """Rejects `count` lines of one kind, in order."""
        self._rejected_count += count
        # Other lines are rejected elsewhere: the earliest of each kind are kept, then sorted.
        room = self._rules.rejected_max
        self._rejected.extend(islice(rejected, room))
        if len(self._rejected) > 4 * room:
            self._rejected = sorted(self._rejected, key=lambda line: line.line)[:room]

    def _reject_cells(self, part: Part, cells: ReadCells, bad_line: NDArray[np.bool_]) -> None:
        """Rejects each line with a bad attribute, unless it is rejected for a tag. Marks these lines as bad."""
        for line, (name, problem) in cells.faults.items():
            if not bad_line[line]:
                bad_line[line] = True
                self._reject([rejections.rejected(int(part.lines[line]), name, problem)])

    def _hold(self, ordinals: NDArray[np.uint32]) -> None:
        if self._holds and len(ordinals):
            self._held |= bitmap_of(np.unique(ordinals))

    def _may_contradict(self, part: Part, columns: "_Columns", bad_line: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """Returns the lines whose taggings are decided only at the end; None for none."""
        if self._rules.mode == "change":
            late = np.zeros(len(part.lines), np.bool_)
            late[part.tagging_line] = True
            return late & ~bad_line
        if self._rules.mode == "remove" or not any(self._texts.branches):
            return None
        exclusive = np.fromiter(map(bool, self._texts.branches), np.bool_, len(self._texts.branches))
        lines = np.unique(columns.line[exclusive[columns.number]])
        return np.isin(part.lines, lines) & ~bad_line if len(lines) else None

    # Taggings that wait to become bitmaps.

    def _wait(self, columns: "_Columns") -> None:
        if self._periods:
            self._with_periods.append(columns)
        self._waiting.append((columns.number, columns.ordinal))
        self._waiting_count += len(columns.number)
        if self._waiting_count >= _TAGGINGS_PER_FOLD:
            self._end_folding()
            waiting, self._waiting, self._waiting_count = self._waiting, [], 0
            self._folding = _FOLDING.submit(self._fold, waiting)

    def _end_folding(self) -> None:
        if self._folding is not None:
            self._folding.result()
            self._folding = None

    def _fold(self, waiting: list[tuple[NDArray[np.int32], NDArray[np.uint32]]]) -> None:
        if not waiting:
            return
        numbers = np.concatenate([numbers for numbers, _ in waiting])
        ordinals = np.concatenate([ordinals for _, ordinals in waiting])
        waiting.clear()
        target = self._removed if self._rules.mode == "remove" else self._added
        for number, bitmap in per_tag(numbers, ordinals):
            target[number] |= bitmap

    def _settle(self) -> None:
        """Decides the deferred lines in order.

        A line is accepted unless it contradicts itself or a line that was accepted before.
        """
        columns = _Columns.joined(self._deferred)
        self._deferred = []
        rejected = _contradictions(columns, self._texts.branches, self._texts.paths) if len(columns.line) else {}
        self._rejected_count += len(rejected)
        for line, (number, problem) in sorted(rejected.items())[: self._rules.rejected_max]:
            self._rejected.append(rejections.rejected(line, self._texts.paths[number], problem))
        self._contradicting = np.fromiter(rejected, np.int64, len(rejected))
        is_out = np.isin(columns.line, self._contradicting)
        self._hold(columns.ordinal[is_out])
        taken = columns.where(~is_out)
        self._bare |= self._cells.people_of_lines(taken.line)
        self._accepted_lines += len(np.unique(taken.line))
        if taken.removal is None:
            self._wait(taken)
            return
        self._wait(taken.where(~taken.removal))
        removals = taken.where(taken.removal)
        for number, bitmap in per_tag(removals.number, removals.ordinal):
            self._removed[number] |= bitmap

    def _last_periods(self) -> dict[TagPath, dict[Period, BitMap]]:
        """Returns the periods of the taggings, each from the last line of the tagging, if that line has one."""
        found: dict[TagPath, dict[Period, BitMap]] = {}
        if not self._with_periods:
            return found
        columns = _Columns.joined([each._replace(removal=None) for each in self._with_periods])
        lines, starts, expiries = (np.concatenate(each) for each in zip(*self._periods, strict=True))
        order = np.lexsort((columns.line, columns.ordinal, columns.number))
        number, ordinal = columns.number[order], columns.ordinal[order]
        is_last = np.ones(len(order), np.bool_)
        is_last[:-1] = (number[1:] != number[:-1]) | (ordinal[1:] != ordinal[:-1])
        # A part before the first one with periods has no line in `lines`, so its taggings have no period.
        line = columns.line[order]
        place = np.minimum(np.searchsorted(lines, line), len(lines) - 1)
        is_known = lines[place] == line
        start, expiry = np.where(is_known, starts[place], 0), np.where(is_known, expiries[place], 0)
        is_wanted = is_last & ((start != 0) | (expiry != 0))
        number, ordinal, start, expiry = (each[is_wanted] for each in (number, ordinal, start, expiry))
        for period in starmap(Period, np.unique(np.stack([start, expiry], axis=1), axis=0).tolist()):
            some = (start == period.start) & (expiry == period.expiry)
            for tag, people in per_tag(number[some], ordinal[some]):
                found.setdefault(self._texts.paths[tag], {})[period] = people
        return found

    def finish(self) -> ResolvedBatch:
        """Returns the resolved batch of all parts."""
        if self._deferred:
            self._settle()
        self._end_folding()
        self._fold(self._waiting)
        # Newcomers are numbered in the order of readable lines, so the people of unreadable lines are looked up last.
        self._hold(self._ordinals(self._hashed(binary_array(self._held_keys))))
        rejected = sorted(self._rejected, key=lambda line: line.line)[: self._rules.rejected_max]
        return ResolvedBatch(
            added={self._texts.paths[number]: bitmap for number, bitmap in self._added.items()},
            removed={self._texts.paths[number]: bitmap for number, bitmap in self._removed.items()},
            bare=self._bare,
            held=self._held,
            newcomers=Newcomers(self._base, self._new),
            accepted_lines=self._accepted_lines,
            rejected=tuple(rejected),
            rejected_count=self._rejected_count,
            normalized=len(self._texts.lowered),
            aliases=self._texts.aliases,
            periods=self._last_periods(),
            meanings=self._texts.meanings,
            begun=self._begun,
            doubtful=self._doubtful(),
            attributes=self._cells.finish(self._contradicting),
            attribute_meanings=self._cells.meanings(),
            suppressed=self._suppressed,
            suppressed_lines=self._suppressed_lines,
        )


class _Columns(NamedTuple):
    """Some taggings as parallel columns."""

    line: NDArray[np.int64]
    ordinal: NDArray[np.uint32]
    number: NDArray[np.int32]
    removal: NDArray[np.bool_] | None

    def where(self, kept: NDArray[np.bool_]) -> "_Columns":
        removal = None if self.removal is None else self.removal[kept]
        return _Columns(self.line[kept], self.ordinal[kept], self.number[kept], removal)

    @staticmethod
    def joined(pieces: Sequence["_Columns"]) -> "_Columns":
        removals = [
            piece.removal if piece.removal is not None else np.zeros(len(piece.line), np.bool_) for piece in pieces
        ]
        return _Columns(
            np.concatenate([piece.line for piece in pieces]),
            np.concatenate([piece.ordinal for piece in pieces]),
            np.concatenate([piece.number for piece in pieces]),
            np.concatenate(removals) if any(removal.any() for removal in removals) else None,
        )


def _contradictions(
    columns: _Columns, branches: Sequence[tuple[TagPath, ...]], paths: Sequence[TagPath]
) -> Mapping[int, tuple[int, Problem]]:
    """Returns the lines that contradict themselves or an earlier accepted line of the person, with tag and problem."""
    suspects = _suspects(columns, branches)
    if not len(suspects):
        return {}
    among = np.flatnonzero(np.isin(columns.ordinal, suspects))
    lines: dict[int, list[tuple[int, int, bool]]] = {}
    for at in among.tolist():
        is_removal = columns.removal is not None and bool(columns.removal[at])
        lines.setdefault(int(columns.line[at]), []).append(
            (int(columns.ordinal[at]), int(columns.number[at]), is_removal)
        )
    return decide_in_order(lines, branches, paths)


def decide_in_order(
    lines: Mapping[int, Sequence[tuple[int, int, bool]]],
    branches: Sequence[tuple[TagPath, ...]],
    paths: Sequence[TagPath],
) -> dict[int, tuple[int, Problem]]:
    """Returns the lines of taggings (ordinal, tag number, is removal) that contradict themselves or an earlier line."""
    # The accepted taggings of each person: by tag, whether it is a removal; by exclusive branch, its tag.
    taken: dict[tuple[int, int], bool] = {}
    chosen: dict[tuple[int, TagPath], int] = {}
    rejected: dict[int, tuple[int, Problem]] = {}
    for line in sorted(lines):
        here_taken: dict[tuple[int, int], bool] = {}
        here_chosen: dict[tuple[int, TagPath], int] = {}
        for ordinal, number, is_removal in lines[line]:
            path, tag = paths[number], (ordinal, number)
            if here_taken.get(tag, taken.get(tag, is_removal)) is not is_removal:
                rejected[line] = number, rejections.added_and_removed(path)
                break
            here_taken[tag] = is_removal
            for branch in () if is_removal else branches[number]:
                place = ordinal, branch
                other = here_chosen.get(place, chosen.get(place, number))
                if other != number:
                    rejected[line] = number, rejections.second_of_branch(path, branch, paths[other])
                    break
                here_chosen[place] = number
            if line in rejected:
                break
        else:
            taken |= here_taken
            chosen |= here_chosen
    return rejected


def _suspects(columns: _Columns, branches: Sequence[tuple[TagPath, ...]]) -> NDArray[np.uint32]:
    """Returns the ordinals with a tag that is added and removed, or with two tags of an exclusive branch."""
    found = []
    if columns.removal is not None:
        found.append(_torn(columns.ordinal, columns.number.astype(np.uint64), columns.removal.astype(np.int32)))
    places = {branch: place for place, branch in enumerate({branch for each in branches for branch in each})}
    ordinals, groups, options = [], [], []
    for depth in range(max(map(len, branches), default=0)):
        at_depth = [places[each[depth]] if depth < len(each) else -1 for each in branches]
        branch = np.array(at_depth, np.int64)[columns.number]
        is_relevant = branch >= 0 if columns.removal is None else (branch >= 0) & ~columns.removal
        ordinals.append(columns.ordinal[is_relevant])
        groups.append(branch[is_relevant].astype(np.uint64))
        options.append(columns.number[is_relevant])
    if ordinals:
        found.append(_torn(np.concatenate(ordinals), np.concatenate(groups), np.concatenate(options)))
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.uint32)


def _torn(ordinal: NDArray[np.uint32], group: NDArray[np.uint64], option: NDArray[np.int32]) -> NDArray[np.uint32]:
    """Returns the ordinals with more than one option in a group."""
    pair = ordinal.astype(np.uint64) << np.uint64(32) | group
    order = np.lexsort((option, pair))
    same = pair[order][1:] == pair[order][:-1]
    differs = option[order][1:] != option[order][:-1]
    torn: NDArray[np.uint32] = ordinal[order][1:][same & differs]
    return torn
