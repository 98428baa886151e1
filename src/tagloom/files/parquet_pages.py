"""Reads the sizes and encodings of the pages of a Parquet file, from its footer and the page headers alone.

A reader must hold a page whole, and some kilobytes of a file may unpack to gigabytes. Footer and headers are structs of
Thrift's compact protocol, of which only the sizes are read here. Arrow's own reader of the footer is not used, because
it ends the whole process if a footer is damaged in certain ways.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import IO, NamedTuple

DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY = 6, 7
FOOTER_BYTES_MAX = 67_108_864  # About 500,000 column chunks; wider files need fewer row groups.
_TAIL_BYTES = 8  # The footer's length, and the magic.
_HEADER_BYTES_MAX = 65_536  # A header with long statistics has some kilobytes.
_PAGES_MAX = 100_000  # Pages of one column in one row group. Writers make some hundreds.
_DEEP_MAX = 16
_INTEGERS, _BINARY, _LISTS, _STRUCT = (4, 5, 6), 8, (9, 10), 12
# The fields of a page header. _ENCODING_IN has, for the headers of data pages in versions 1 and 2, the field inside the
# header that has the encoding.
_PLAIN_SIZE, _COMPRESSED_SIZE = 2, 3
_ENCODING_IN = {5: 2, 8: 4}
# The fields of the footer, of a row group, and of a column chunk in the row group.
_GROUPS = 4
_COLUMNS, _ROWS = 1, 3
_CHUNK = 3
_CHUNK_PLAIN_SIZE, _CHUNK_SIZE, _DATA_AT, _DICTIONARY_AT = 6, 7, 9, 11


class Chunk(NamedTuple):
    """One column of one row group: the start of its pages, their bytes, and their bytes without compression."""

    start: int
    size: int
    plain: int


class Group(NamedTuple):
    """A row group, and some of its columns by place."""

    rows: int
    chunks: Mapping[int, Chunk]


class Pages(NamedTuple):
    """The pages of a chunk: the uncompressed bytes of the largest one, and all encodings."""

    largest: int
    encodings: frozenset[int]


def read_groups(file: IO[bytes], places: Collection[int]) -> list[Group]:
    """Reads the row groups of a file, with the columns at these places. Raises: ValueError: the footer is damaged.

    Cost: about 20 us per column and group, including columns that are not requested.
    """
    end = file.seek(0, 2)
    file.seek(max(0, end - _TAIL_BYTES))
    size = int.from_bytes(file.read(_TAIL_BYTES)[:4], "little")
    if size > min(FOOTER_BYTES_MAX, end - _TAIL_BYTES):
        raise ValueError(f"the footer has {size:,} bytes; at most {FOOTER_BYTES_MAX:,} of a whole file are read")
    file.seek(end - _TAIL_BYTES - size)
    footer = _Compact(file.read(size))
    for field, kind in footer.fields():
        if field == _GROUPS and kind in _LISTS:
            return [_group(footer, places) for _ in range(footer.count_of(_STRUCT))]
        footer.skip_value(kind)
    return []


def _group(footer: "_Compact", places: Collection[int]) -> Group:
    rows, chunks = 0, dict[int, Chunk]()
    for field, kind in footer.fields():
        if field == _ROWS and kind in _INTEGERS:
            rows = footer.signed()
        elif field == _COLUMNS and kind in _LISTS:
            for place in range(footer.count_of(_STRUCT)):
                if place in places:
                    chunks[place] = _chunk(footer)
                else:
                    footer.skip_value(_STRUCT)
        else:
            footer.skip_value(kind)
    return Group(rows, chunks)


def _chunk(footer: "_Compact") -> Chunk:
    found = dict[int, int]()
    for field, kind in footer.fields():
        if field != _CHUNK or kind != _STRUCT:
            footer.skip_value(kind)
            continue
        for below, kind_below in footer.fields():
            if kind_below in _INTEGERS:
                found[below] = footer.signed()
            else:
                footer.skip_value(kind_below)
    data = found.get(_DATA_AT, 0)
    dictionary = found.get(_DICTIONARY_AT, 0)
    start = min(data, dictionary) if dictionary > 0 else data
    return Chunk(start, found.get(_CHUNK_SIZE, 0), found.get(_CHUNK_PLAIN_SIZE, 0))


def look_at_pages(file: IO[bytes], chunk: Chunk) -> Pages:
    """Reads the headers of a chunk's pages. Raises: ValueError: they are invalid.

    Cost: a read of some bytes and 20 us per page.
    """
    largest, at, encodings = 0, chunk.start, set[int]()
    end = chunk.start + chunk.size
    for _ in range(_PAGES_MAX):
        if at >= end:
            return Pages(largest, frozenset(encodings))
        if at < 0:
            raise ValueError("a page lies before the file")
        file.seek(at)
        header = _Compact(file.read(min(_HEADER_BYTES_MAX, end - at)))
        plain, compressed, encoding = _page(header)
        if plain < 0 or compressed < 0:
            raise ValueError("a page has no size")
        largest = max(largest, plain)
        encodings.add(encoding)
        at += header.at + compressed
    raise ValueError(f"a column has more than {_PAGES_MAX:,} pages in one group of rows")


def _page(header: "_Compact") -> tuple[int, int, int]:
    """Returns the size of a page, without and with compression, and the encoding of its values; -1 for missing ones."""
    plain = compressed = encoding = -1
    for field, kind in header.fields():
        if field == _PLAIN_SIZE and kind in _INTEGERS:
            plain = header.signed()
        elif field == _COMPRESSED_SIZE and kind in _INTEGERS:
            compressed = header.signed()
        elif field in _ENCODING_IN and kind == _STRUCT:
            for below, kind_below in header.fields():
                if below == _ENCODING_IN[field] and kind_below in _INTEGERS:
                    encoding = header.signed()
                else:
                    header.skip_value(kind_below)
        else:
            header.skip_value(kind)
    return plain, compressed, encoding


class _Compact:
    """A reader of Thrift's compact protocol. `at` is the place of the next byte.

    Every method raises ValueError if the bytes end.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yields the number and kind of each field of a struct.

        The caller must read or skip the value of each field.
        """
        field = 0
        while (byte := self._byte()) != 0:
            step = byte >> 4
            field = field + step if step else self.signed()
            yield field, byte & 0x0F

    def count_of(self, kind: int) -> int:
        """Returns the number of items of a list of this kind."""
        count, found = self._list()
        if count and found != kind:
            raise ValueError("a list holds something else")
        return count

    def signed(self) -> int:
        """Reads an integer."""
        value = self._number()
        return (value >> 1) ^ -(value & 1)

    def skip_value(self, kind: int, deep: int = 0, *, in_list: bool = False) -> None:
        """Skips a value."""
        if kind in _INTEGERS:
            self._number()
        elif kind == _BINARY:
            size = self._number()
            self.at += size
        elif kind == _STRUCT:
            self._skip_struct(deep)
        elif kind in (1, 2):  # A boolean takes a byte only in a list.
            self.at += in_list
        elif kind in _LISTS:
            count, below = self._list()
            for _ in range(count):
                self.skip_value(below, deep + 1, in_list=True)
        elif kind in (3, 7):
            self.at += 1 if kind == 3 else 8
        else:
            raise ValueError("a value is of no known kind")

    def _skip_struct(self, deep: int) -> None:
        if deep > _DEEP_MAX:
            raise ValueError("a struct is nested too deep")
        # Most of a footer is skipped, so the usual kinds are skipped without a call.
        data, at = self._data, self.at
        try:
            while (byte := data[at]) != 0:
                at += 1
                kind = byte & 0x0F
                if byte >> 4 and kind in _INTEGERS:
                    while data[at] >= 0x80:
                        at += 1
                    at += 1
                elif not byte >> 4 or kind > 2:
                    self.at = at
                    if not byte >> 4:
                        self._number()
                    self.skip_value(kind, deep + 1)
                    at = self.at
        except IndexError as error:
            raise ValueError("a struct has no end") from error
        self.at = at + 1

    def _list(self) -> tuple[int, int]:
        byte = self._byte()
        count = byte >> 4 if byte >> 4 < 15 else self._number()
        if count > len(self._data):
            raise ValueError("a list has more items than bytes")
        return count, byte & 0x0F

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise ValueError("a struct has no end")
        self.at += 1
        return self._data[self.at - 1]

    def _number(self) -> int:
        value = shift = 0
        while shift < 64:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
        raise ValueError("a number has no end")
