"""The bitmap cache of one process, at one version, with eviction of the least recently used rows."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from tagloom.engine.bitmaps import BitMap, from_bytes


class Index:
    """A cache of rows as whole bitmaps. It is not thread-safe: its owner holds a lock around each use.

    The returned bitmaps belong to the index. A caller that keeps one after a change must copy it.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._rows: OrderedDict[int, BitMap] = OrderedDict()
        self._sizes: dict[int, int] = {}
        self.bytes_held = 0

    def row(self, row: int, load: Callable[[], Iterable[tuple[int, bytes]]]) -> BitMap:
        """Returns the people of a row; `load` returns its chunks when it is not cached."""
        bitmap = self._rows.get(row)
        if bitmap is not None:
            self._rows.move_to_end(row)
            return bitmap
        chunks = [data for _, data in load()]
        bitmap = self._take(row, chunks, _size(chunks))
        self._evict(row)
        return bitmap

    def fill(self, row: int, chunks: Sequence[bytes]) -> bool:
        """Caches a row if there is room for it. Returns whether there was room."""
        size = _size(chunks)
        if self.bytes_held + size > self._bytes_max:
            return False
        if row not in self._rows:
            self._take(row, chunks, size)
        return True

    def _take(self, row: int, chunks: Sequence[bytes], size: int) -> BitMap:
        bitmap = self._rows[row] = BitMap.union(*map(from_bytes, chunks)) if chunks else BitMap()
        self._resize(row, size)
        return bitmap

    def __len__(self) -> int:
        return len(self._rows)

    def peek(self, row: int) -> BitMap | None:
        """Returns the people of a row if it is cached. Safe without the lock for the thread that changes rows."""
        return self._rows.get(row)

    def change(self, row: int, added: BitMap, removed: BitMap) -> None:
        """Applies a committed change to a cached row."""
        bitmap = self._rows.get(row)
        if bitmap is None:
            return
        if removed:
            bitmap -= removed
        if added:
            bitmap |= added
            self._resize(row, self._sizes[row] + min(2 * len(added), 8_192))

    def clear(self) -> None:
        """Evicts all rows. They are loaded again when they are needed."""
        self._rows.clear()
        self._sizes.clear()
        self.bytes_held = 0

    def _resize(self, row: int, size: int) -> None:
        self.bytes_held += size - self._sizes.get(row, 0)
        self._sizes[row] = size

    def _evict(self, kept: int) -> None:
        while self.bytes_held > self._bytes_max and len(self._rows) > 1:
            row = next(iter(self._rows))
            if row == kept:
                self._rows.move_to_end(row)
                continue
            del self._rows[row]
            self.bytes_held -= self._sizes.pop(row)


def _size(chunks: Sequence[bytes]) -> int:
    """Returns the approximate memory of a row with these chunks."""
    return 64 + sum(map(len, chunks))
