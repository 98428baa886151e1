"""A stream of chunks that is read through one sliding buffer."""

from collections.abc import Iterator

from tagloom.files import limits
from tagloom.words import limits as words_limits

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIRST_BYTES = 65_536  # Most bodies are small. Larger bodies get the whole buffer.


class Stream:
    """The bytes of a stream, from `begin` to `end` of `buffer`. If `is_whole`, the stream ends at `end`.

    The byte before `begin` exists and may be overwritten. Memory: PART_BYTES, whatever the sizes of the chunks. A line
    or record of up to LINE_BYTES_MAX always fits.
    """

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._chunk = memoryview(b"")
        self._capacity = max(limits.PART_BYTES, 2 * (words_limits.LINE_BYTES_MAX + 2)) + 1
        self.buffer = bytearray(min(_FIRST_BYTES, self._capacity))
        self.begin = self.end = 1
        self.is_whole = False
        self.fill()
        if self.buffer.startswith(BYTE_ORDER_MARK, 1):
            self.begin += len(BYTE_ORDER_MARK)

    def __len__(self) -> int:
        return self.end - self.begin

    def fill(self) -> None:
        """Moves the unread bytes to the front, and reads until the buffer is full or the stream ends."""
        rest = len(self)
        if self.begin > 1:
            self.buffer[1 : 1 + rest] = self.buffer[self.begin : self.end]
            self.begin, self.end = 1, 1 + rest
        while not self.is_whole:
            if not self._chunk:
                # An empty chunk does not end the stream. Only the end of the iterator does.
                try:
                    self._chunk = memoryview(next(self._source))
                except StopIteration:
                    self.is_whole = True
                continue
            if self.end == len(self.buffer) and not self._grow():
                return
            taken = self._chunk[: len(self.buffer) - self.end]
            self.buffer[self.end : self.end + len(taken)] = taken
            self.end += len(taken)
            self._chunk = self._chunk[len(taken) :]

    def _grow(self) -> bool:
        if len(self.buffer) == self._capacity:
            return False
        larger = bytearray(self._capacity)
        larger[: self.end] = self.buffer[: self.end]
        self.buffer = larger
        return True

    def top_up(self) -> None:
        """Fills the buffer if it may not hold the whole next line."""
        if not self.is_whole and len(self) < words_limits.LINE_BYTES_MAX + 2:
            self.fill()

    def skip_line(self) -> None:
        """Skips the current line, however long it is."""
        while (at := self.buffer.find(b"\n", self.begin, self.end)) < 0:
            self.begin = self.end
            if self.is_whole:
                return
            self.fill()
        self.begin = at + 1
