"""The directory: maps people's keys to ordinals by sorted runs of hashes, and back by segments of keys.

Runs and segments are log-structured: a commit appends a small one, and four of one size are merged into one of four
times that size. So each key is rewritten about eight times in its life, and the cost per new person does not grow.
"""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tagloom.engine import limits
from tagloom.engine.bitmaps import BitMap, ordinals_of
from tagloom.engine.keys.hashing import Hashed, Keyed, KeyHash, Ordinals
from tagloom.engine.storage import Run, Segment, Snapshot, Transaction

_ENTRIES_PER_PAGE: Final = 8_192  # 128 KB per page: one read finds a key, and a bulk look-up stays in the cache.
_MERGED_AT_ONCE: Final = 4  # Runs of one size that are merged. Fewer cost more rewriting, more cost slower look-ups.
_YOUNG_MAX: Final = 4_096  # Runs up to this size are kept in one dict.
_ENTRIES_PER_BLOCK: Final = 1 << 20  # 16 MB, so that random access to a block stays in the cache.
_RADIX_FROM: Final = 65_536  # With fewer hashes, sorting by comparison is as fast.
_PAGES_KEPT: Final = 2_048  # 256 MB at most.
_SEGMENTS_KEPT: Final = 64  # About 1 MB each when full.
_RECENT_KEPT: Final = 131_072  # The keys whose ordinals are cached: some 20 MB.
_ZSTD: Final = pa.Codec("zstd", compression_level=1)


Opener: TypeAlias = Callable[[], Snapshot]
"""A function that returns the open snapshot or opens one. It is called only for data that is not in memory."""


class Page(NamedTuple):
    """Some entries of a run. A stored page is sorted by hash."""

    high: NDArray[np.uint64]
    low: NDArray[np.uint32]
    ordinal: NDArray[np.uint32]


def pack_page(page: Page) -> bytes:
    """Packs a page column by column, 16 bytes per entry."""
    return page.high.tobytes() + page.low.tobytes() + page.ordinal.tobytes()


def unpack_page(data: bytes) -> Page:
    """Unpacks a page as views of `data`."""
    count = len(data) // 16
    return Page(
        np.frombuffer(data, "<u8", count),
        np.frombuffer(data, "<u4", count, 8 * count),
        np.frombuffer(data, "<u4", count, 12 * count),
    )


def pack_keys(keys: pa.BinaryArray) -> bytes:
    """Packs keys: lengths as uint16, then all bytes, in one zstd frame after the uncompressed size."""
    offsets = np.frombuffer(keys.buffers()[1], np.int32)[keys.offset : keys.offset + len(keys) + 1]
    data = keys.buffers()[2]
    # Slices the buffer before copying, because a segment is a small part of a large column.
    text = b"" if data is None else data.slice(int(offsets[0]), int(offsets[-1] - offsets[0])).to_pybytes()
    plain = len(keys).to_bytes(4, "little") + np.diff(offsets).astype("<u2").tobytes() + text
    return len(plain).to_bytes(4, "little") + bytes(_ZSTD.compress(plain, asbytes=True))


def unpack_keys(data: bytes) -> pa.BinaryArray:
    """Unpacks the column that `pack_keys` packed."""
    plain = _ZSTD.decompress(data[4:], int.from_bytes(data[:4], "little"), asbytes=True)
    count = int.from_bytes(plain[:4], "little")
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(np.frombuffer(plain, "<u2", count, 4), out=offsets[1:])
    text = pa.py_buffer(plain).slice(4 + 2 * count)
    return pa.BinaryArray.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), text])


class Directory:
    """The keys of one environment at one keys generation. Reads from the snapshot of the caller."""

    def __init__(self, key_hash: KeyHash) -> None:
        self._hash = key_hash
        self._lock = threading.Lock()
        self.generation = -1
        self.runs: tuple[Run, ...] = ()
        self.segments: tuple[Segment, ...] = ()
        self._young: dict[int, dict[tuple[int, int], int]] = {}
        self._recent: dict[bytes, int] = {}
        self._pages: OrderedDict[tuple[int, int], Page] = OrderedDict()
        self._columns: OrderedDict[Segment, pa.BinaryArray] = OrderedDict()

    def load(self, snapshot: Snapshot, generation: int) -> None:
        """Loads the runs and segments of a snapshot, and clears all caches."""
        runs, segments = tuple(snapshot.runs()), tuple(snapshot.segments())
        young = {run.id: _as_dict([unpack_page(snapshot.page(run.id, 0))]) for run in runs if run.keys <= _YOUNG_MAX}
        with self._lock:
            self.runs, self.segments, self._young, self.generation = runs, segments, young, generation
            self._recent.clear()
            self._pages.clear()
            self._columns.clear()

    def adopt(self, generation: int, growth: "Growth") -> None:
        """Adds the keys that this process has just committed, without reading them from the store."""
        newest = growth.runs[-1]
        with self._lock:
            self.runs, self.segments, self.generation = growth.runs, growth.segments, generation
            gone = {run.id for run in growth.deleted}
            for run in gone:
                self._young.pop(run, None)
            for place in [place for place in self._pages if place[0] in gone]:
                del self._pages[place]
            if newest.keys <= _YOUNG_MAX:
                self._young[newest.id] = _as_dict(growth.entries)

    # Keys to ordinals.

    def find(self, key: bytes, snapshot: "Opener") -> int | None:
        """Returns the ordinal of one key. Cost: 1 us for a recently used key, otherwise about 5 us per run."""
        known = self._recent.get(key)
        if known is not None:
            return known
        found = self.find_hash(*self._hash.one(key), snapshot)
        if found is not None:
            if len(self._recent) >= _RECENT_KEPT:
                # Only the oldest eighth is evicted; clearing all would empty a hot cache.
                for old in list(itertools.islice(self._recent, _RECENT_KEPT // 8)):
                    self._recent.pop(old, None)
            self._recent[key] = found
        return found

    def find_hash(self, high: int, low: int, snapshot: "Opener") -> int | None:
        """Returns the ordinal of the key with this hash."""
        for young in list(self._young.values()):
            found = young.get((high, low))
            if found is not None:
                return found
        for run in self.runs:
            if run.keys <= _YOUNG_MAX:
                continue
            page = self._page(run, high * run.pages >> 64, snapshot)
            at = int(page.high.searchsorted(np.uint64(high)))
            while at < len(page.high) and page.high.item(at) == high:
                if page.low.item(at) == low:
                    return page.ordinal.item(at)
                at += 1
        return None

    def find_all(self, key: bytes, snapshot: "Opener") -> list[int]:
        """Returns all ordinals of a key: an id that began again has several. Cost: about 5 us per run."""
        return self.find_hashed(*self._hash.one(key), snapshot)

    def find_hashed(self, high: int, low: int, snapshot: "Opener") -> list[int]:
        """Returns all ordinals of the key with this hash."""
        found = list[int]()
        for run in self.runs:
            page = self._page(run, high * run.pages >> 64, snapshot)
            alike = np.flatnonzero((page.high == np.uint64(high)) & (page.low == np.uint32(low)))
            found += page.ordinal[alike].tolist()
        return found

    def newest(
        self, found: NDArray[np.int64], superseded: BitMap, hashes: Hashed, snapshot: "Opener"
    ) -> NDArray[np.int64]:
        """Returns the newest ordinals of keys instead of those in `superseded`. `found` has one of each key, or -1.

        The result has -1 for a key whose newest person was erased, too. Cost: nothing if nobody is in `superseded`,
        else about 0.1 us per key.
        """
        if not superseded:
            return found
        places = np.flatnonzero(np.isin(found, ordinals_of(superseded)))
        if not len(places):
            return found
        found = found.copy()
        for place in places.tolist():
            every = self.find_hashed(int(hashes.high[place]), int(hashes.low[place]), snapshot)
            left = BitMap(every) - superseded
            found[place] = left.max() if left else -1
        return found

    def find_many(self, keys: Hashed, snapshot: "Opener") -> NDArray[np.int64]:
        """Returns the ordinals of distinct keys, -1 for unknown ones. Cost: a sort, and a search in each run."""
        found = np.full(len(keys.high), -1, np.int64)
        if not self.runs or not len(found):
            return found
        order = _order(keys.high)
        high, low = keys.high[order], keys.low[order]
        sorted_found = np.full(len(found), -1, np.int64)
        for run in self.runs:
            for number, begin, end in _pages_needed(high, run.pages):
                page = self._page(run, number, snapshot)
                _search(page, high[begin:end], low[begin:end], sorted_found[begin:end])
        found[order] = sorted_found
        return found

    def _page(self, run: Run, number: int, snapshot: "Opener") -> Page:
        place = (run.id, number)
        with self._lock:
            page = self._pages.get(place)
            if page is not None:
                self._pages.move_to_end(place)
                return page
        page = unpack_page(snapshot().page(run.id, number))
        with self._lock:
            self._pages[place] = page
            while len(self._pages) > _PAGES_KEPT:
                self._pages.popitem(last=False)
        return page

    # Ordinals to keys.

    def column(self, segment: Segment, snapshot: "Opener") -> pa.BinaryArray:
        """Returns the keys of one segment, by ordinal; the key of an erased person is empty."""
        with self._lock:
            keys = self._columns.get(segment)
            if keys is not None:
                self._columns.move_to_end(segment)
                return keys
        keys = unpack_keys(snapshot().segment(segment.first))
        with self._lock:
            self._columns[segment] = keys
            while len(self._columns) > _SEGMENTS_KEPT:
                self._columns.popitem(last=False)
        return keys

    def keys_of(self, ordinals: Ordinals, snapshot: "Opener") -> Iterator[tuple[Ordinals, pa.BinaryArray]]:
        """Yields the keys of ascending ordinals, one segment at a time."""
        for segment in self.segments:
            begin, end = np.searchsorted(ordinals, (segment.first, segment.first + segment.size))
            if begin < end:
                wanted = ordinals[begin:end]
                yield wanted, self.column(segment, snapshot).take(pa.array(wanted.astype(np.int64) - segment.first))

    def key_at(self, ordinal: int, snapshot: "Opener") -> bytes:
        """Returns the key of an assigned ordinal."""
        for segment in reversed(self.segments):
            if segment.first <= ordinal:
                return bytes(self.column(segment, snapshot)[ordinal - segment.first].as_py())
        raise KeyError(ordinal)


def _pages_needed(high: NDArray[np.uint64], pages: int) -> Iterator[tuple[int, int, int]]:
    """Yields (page, begin, end) for each page that has some of the sorted hashes."""
    shift = 64 - (pages.bit_length() - 1)
    edges = [0, len(high)]
    if pages > 1:
        starts = np.arange(1, pages, dtype=np.uint64) << np.uint64(shift)
        edges[1:1] = np.searchsorted(high, starts).tolist()
    for number in range(pages):
        if edges[number] < edges[number + 1]:
            yield number, edges[number], edges[number + 1]


def _search(page: Page, high: NDArray[np.uint64], low: NDArray[np.uint32], found: NDArray[np.int64]) -> None:
    """Sets `found` where a key of the sorted `high` is in the page."""
    if not len(page.high):
        return
    at = np.searchsorted(page.high, high)
    wanted = np.arange(len(high))
    while len(wanted):
        inside = at < len(page.high)
        wanted, at = wanted[inside], at[inside]
        same = page.high[at] == high[wanted]
        wanted, at = wanted[same], at[same]
        hit = page.low[at] == low[wanted]
        found[wanted[hit]] = page.ordinal[at[hit]]
        # The loop continues only for keys that share 64 bits with another key.
        wanted, at = wanted[~hit], at[~hit] + 1


def _as_dict(pages: Sequence[Page]) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for high, low, ordinal in pages:
        found.update(zip(zip(high.tolist(), low.tolist(), strict=True), ordinal.tolist(), strict=True))
    return found


def _order(high: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns the order that sorts the hashes."""
    if len(high) < _RADIX_FROM:
        return np.argsort(high)
    return _by_radix(high)


def _by_radix(high: NDArray[np.uint64], shared_bits: int = 0) -> NDArray[np.int64]:
    """Returns the order that sorts many hashes whose first `shared_bits` bits are equal.

    Sorts by radix of the next 16 bits, then by comparison, which is fast on nearly sorted data: half the time of a sort
    by comparison alone.
    """
    telling = (high << np.uint64(shared_bits)) >> np.uint64(48)
    nearly = np.argsort(telling.astype(np.uint16), kind="stable")
    return nearly[np.argsort(high[nearly], kind="stable")]


def _pages_for(keys: int) -> int:
    """Returns a power of two of pages, each of about 8,192 entries."""
    return 1 << max(0, (keys - 1) // _ENTRIES_PER_PAGE).bit_length()


def cut_pages(entries: Sequence[Page]) -> Iterator[bytes]:
    """Yields a run's packed pages from blocks of entries in any order, one page at a time.

    Each block is sorted by its leading bits, within the cache; a page is then merged from its part of each block. So
    the cost per entry of a large run is that of a small one.
    """
    pages = _pages_for(sum(len(block.high) for block in entries))
    page_bits = pages.bit_length() - 1
    blocks = [_by_page(block, page_bits) for block in _joined(entries)]
    begins = [0] * len(blocks)
    for number in range(pages):
        pieces = []
        for at, (block, ends) in enumerate(blocks):
            piece = slice(begins[at], ends[number])
            pieces.append(Page(block.high[piece], block.low[piece], block.ordinal[piece]))
            begins[at] = ends[number]
        yield pack_page(_in_order(pieces, page_bits))


def _joined(entries: Sequence[Page]) -> Iterator[Page]:
    """Yields the same entries in blocks of about a million."""
    waiting: list[Page] = []
    count = 0
    for number, page in enumerate(entries, 1):
        waiting.append(page)
        count += len(page.high)
        if number == len(entries) or count >= _ENTRIES_PER_BLOCK:
            yield waiting[0] if len(waiting) == 1 else Page(*map(np.concatenate, zip(*waiting, strict=True)))
            waiting, count = [], 0


def _by_page(block: Page, page_bits: int) -> tuple[Page, list[int]]:
    """Sorts a block by its leading bits, 16 or more. Returns the sorted block, and the end of the part of each page."""
    bits = max(16, page_bits)
    leading: NDArray[np.uint16] | NDArray[np.uint32] = (block.high >> np.uint64(64 - bits)).astype(np.uint32)
    if bits == 16:
        leading = leading.astype(np.uint16)
    order = np.argsort(leading, kind="stable")
    sizes = np.bincount(leading >> (bits - page_bits), minlength=1 << page_bits)
    return _taken(block, order), np.cumsum(sizes).tolist()


def _in_order(pieces: Sequence[Page], page_bits: int) -> Page:
    """Merges the parts of one page, sorted by hash."""
    if len(pieces) == 1:
        # A single block is already sorted by its leading bits.
        return _taken(pieces[0], np.argsort(pieces[0].high, kind="stable"))
    page = Page(*map(np.concatenate, zip(*pieces, strict=True)))
    return _taken(page, _by_radix(page.high, page_bits))


def _taken(page: Page, places: NDArray[np.int64]) -> Page:
    return Page(page.high[places], page.low[places], page.ordinal[places])


def _tier(count: int) -> int:
    return max(0, (count - 1).bit_length() // 2)


class Growth(NamedTuple):
    """The runs and segments after keys were added. `entries` are those of the newest run, in any order."""

    runs: tuple[Run, ...]
    segments: tuple[Segment, ...]
    deleted: tuple[Run, ...]
    entries: Sequence[Page]


def add_keys(directory: Directory, tx: Transaction, first: int, new: Sequence[Keyed]) -> Growth:
    """Writes the keys of new ordinals from `first` on, and merges runs and segments of similar size."""
    entries: list[Page] = []
    count = 0
    for block in new:
        ordinals = np.arange(first + count, first + count + len(block.keys), dtype=np.uint32)
        entries.append(Page(block.hashes.high, block.hashes.low, ordinals))
        count += len(block.keys)
    keys = pa.chunked_array([block.keys for block in new], pa.binary())
    runs, deleted = list(directory.runs), []
    while True:
        same = [run for run in runs if _tier(run.keys) <= _tier(count)]
        if len(same) < _MERGED_AT_ONCE - 1:
            break
        for run in same:
            pages = [unpack_page(tx.page(run.id, number)) for number in range(run.pages)]
            count += sum(len(page.high) for page in pages)
            entries.extend(pages)
            tx.delete_run(run.id)
            deleted.append(run)
            runs.remove(run)
    runs.append(tx.add_run(count, _pages_for(count), cut_pages(entries)))
    segments = _add_segments(directory, tx, first, keys)
    return Growth(tuple(runs), segments, tuple(deleted), entries)


def _add_segments(directory: Directory, tx: Transaction, first: int, keys: pa.ChunkedArray) -> tuple[Segment, ...]:
    segments = list(directory.segments)
    at = 0
    while at < len(keys):
        room = limits.ORDINALS_PER_CHUNK - (first + at) % limits.ORDINALS_PER_CHUNK
        piece = _one(keys.slice(at, room))
        segment = Segment(first + at, len(piece))
        at += len(piece)
        bucket = segment.first // limits.ORDINALS_PER_CHUNK
        while True:
            same = []
            for earlier in reversed(segments):
                if earlier.first // limits.ORDINALS_PER_CHUNK != bucket or _tier(earlier.size) > _tier(segment.size):
                    break
                same.append(earlier)
            if (
                len(same) < _MERGED_AT_ONCE - 1
                and segment.first + segment.size < (bucket + 1) * limits.ORDINALS_PER_CHUNK
            ):
                break
            if not same:
                break
            columns = [unpack_keys(tx.segment(earlier.first)) for earlier in reversed(same)]
            piece = pa.concat_arrays([*columns, piece])
            segment = Segment(same[-1].first, len(piece))
            del segments[-len(same) :]
        tx.put_segment(segment, pack_keys(piece))
        segments.append(segment)
    return tuple(segments)


def _one(keys: pa.ChunkedArray) -> pa.BinaryArray:
    return keys.chunk(0) if keys.num_chunks == 1 else pa.concat_arrays(keys.chunks)
