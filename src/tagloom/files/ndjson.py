"""Reads NDJSON as parts.

Thousands of lines are decoded at once, and only lines near a bad line are decoded one by one.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from numpy.typing import NDArray

from tagloom.files import limits
from tagloom.files.json_lines import DECODE_ERRORS, Changed, Decoded, Id, LineReader, Tagged, Text, too_long
from tagloom.files.json_values import WHOLE_MAX
from tagloom.files.part_columns import Building, LineFault, Mask, Positions, doubtful_ids, keys_of, merged
from tagloom.files.sliding_buffer import Stream
from tagloom.ports.writes import Part
from tagloom.words import limits as words_limits
from tagloom.words.expiry import ExpiryInvalid
from tagloom.words.periods import StartInvalid

# Decoded lines are Python objects of ten times their bytes, so parts of lines are smaller than parts of columns.
_WINDOWS_PER_PART = 4
_BLOCK_BYTES = 131_072  # Near a bad line, this many bytes are read line by line, three times as slowly.
_NEWLINE = 10
_USUAL = frozenset((str, UnsetType))
_NO_TAGS: tuple[str, ...] = ("",)  # This marks a line for the slow reader. An empty tag is never valid.
_FAULTY = np.iinfo(np.int64).min  # No line can have this value.


def read_ndjson(source: Iterator[bytes], reader: LineReader) -> Iterator[Part]:
    """Yields the parts of an NDJSON body; skips blank lines."""
    stream = Stream(source)
    line = 1
    while True:
        stream.top_up()
        if not len(stream):
            return
        lines = _find_lines(stream)
        if lines is None:
            building = Building()
            head = bytes(stream.buffer[stream.begin : stream.begin + words_limits.LINE_BYTES_MAX])
            building.reject(line, too_long(head, line))
            stream.skip_line()
            line += 1
            yield building.part()
        else:
            part, count = _read_lines(stream, lines, reader, line)
            stream.begin = int(lines.begin[count]) if count < len(lines.begin) else lines.after
            line += count
            yield part


def lines_in(stream: Stream) -> Iterator[tuple[int, bytes]]:
    """Yields the number and the bytes of each line of a stream. For a line that is too long, yields its beginning."""
    line = 1
    while True:
        stream.top_up()
        if not len(stream):
            return
        lines = _find_lines(stream)
        if lines is None:
            yield line, bytes(stream.buffer[stream.begin : stream.begin + words_limits.LINE_BYTES_MAX + 1])
            stream.skip_line()
            line += 1
            continue
        for begin, end in zip(lines.begin.tolist(), lines.end.tolist(), strict=True):
            yield line, bytes(stream.buffer[begin:end])
            line += 1
        stream.begin = lines.after


class _Lines(NamedTuple):
    """The places of complete lines in the buffer. The next line begins at `after`."""

    begin: Positions
    end: Positions
    after: int


def _find_lines(stream: Stream) -> _Lines | None:
    """Returns the lines of the next window, or None if the first line is too long to have an end in the window."""
    stop = min(stream.end, stream.begin + max(limits.PART_BYTES // _WINDOWS_PER_PART, words_limits.LINE_BYTES_MAX + 2))
    window = np.frombuffer(stream.buffer, np.uint8)[stream.begin : stop]
    ends = np.flatnonzero(window == _NEWLINE) + stream.begin
    if stream.is_whole and stop == stream.end and (not len(ends) or ends[-1] != stop - 1):
        # The last line has no line end.
        ends = np.append(ends, stop)
    if not len(ends):
        return None
    begins = np.concatenate([[stream.begin], ends[:-1] + 1])
    return _Lines(begins, ends, min(int(ends[-1]) + 1, stop))


def _read_lines(stream: Stream, lines: _Lines, reader: LineReader, first_line: int) -> tuple[Part, int]:
    """Returns a part with as many of the lines as fit into it, and the number of these lines."""
    building = Building()
    decoded: list[Decoded] = []
    numbers: list[Positions] = []
    has_periods = False
    start, count = 0, len(lines.begin)
    while start < count and not building.is_full:
        stop = max(start + 1, int(np.searchsorted(lines.end, lines.begin[start] + _BLOCK_BYTES)))
        block = slice(start, stop)
        found = _decoded(stream.buffer, lines.begin[block], lines.end[block], reader)
        if found is not None:
            good, is_blank = found.lines, found.is_blank
            has_periods |= found.has_periods
            decoded += good
            numbers.append(np.flatnonzero(~is_blank) + start)
        else:
            for at in range(start, stop):
                _read_line(stream.buffer, lines, at, reader, first_line, building)
        start = stop
    places = np.concatenate([*numbers, np.empty(0, np.int64)])
    periods = _periods(decoded, reader) if has_periods else None
    part, odd = _columns(decoded, places + first_line, periods)
    doubtful = Building()
    for at in places[odd].tolist():
        _read_line(stream.buffer, lines, at, reader, first_line, doubtful)
    for other in (building, doubtful):
        if len(other):
            part = merged(part, other.part())
    return part, start


def _read_line(
    buffer: bytearray, lines: _Lines, at: int, reader: LineReader, first_line: int, building: Building
) -> None:
    text = bytes(buffer[lines.begin[at] : lines.end[at]])
    if not text.strip(b" \t\r"):
        return
    try:
        building.add(reader.line(text, first_line + at))
    except LineFault as fault:
        building.reject(first_line + at, fault)


class _Block(NamedTuple):
    """The decoded lines of a block.

    `is_blank` marks the blank lines, and `has_periods` is True if a line may have a start or an expiry.
    """

    lines: list[Decoded]
    is_blank: Mask
    has_periods: bool


def _decoded(buffer: bytearray, begin: Positions, end: Positions, reader: LineReader) -> _Block | None:
    """Decodes all lines of a block except the blank lines. Returns None if a line may be bad.

    A decoder of many lines accepts two objects on one line, and one object on two lines. But if every line begins with
    a brace and there are as many objects as lines, each line is one object, because no field holds another object. The
    number of colons after quotes shows a repeated field.
    """
    data = np.frombuffer(buffer, np.uint8)
    lengths = end - begin
    first = data[np.minimum(begin, len(data) - 1)]
    is_blank = (lengths == 0) | ((lengths == 1) & (first == ord("\r")))
    if lengths.max() > words_limits.LINE_BYTES_MAX or not ((first == ord("{")) | is_blank).all():
        return None
    text = bytes(buffer[begin[0] : end[-1]])
    try:
        decoded = reader.decoder.decode_lines(text)
    except DECODE_ERRORS:
        return None
    if len(decoded) != len(begin) - np.count_nonzero(is_blank):
        return None
    if any(space in text and space + b":" in text for space in (b" ", b"\t", b"\r")):
        return None
    has_periods = any(name in text for name in (b'"ttl":', b'"expires_at":', b'"starts_at":'))
    fields = _field_count(decoded) + (_period_count(decoded) if has_periods else 0)
    return _Block(decoded, is_blank, has_periods) if text.count(b'":') == fields else None


def _period_count(decoded: Sequence[Decoded]) -> int:
    """Returns the number of fields that have a start or an expiry."""
    absent = [each.expires_at for each in decoded].count(UNSET) + [each.ttl for each in decoded].count(UNSET)
    absent += [each.starts_at for each in decoded].count(UNSET)
    return 3 * len(decoded) - absent


def _periods(decoded: Sequence[Decoded], reader: LineReader) -> NDArray[np.int64]:
    """Returns the start and the expiry of each line, or _FAULTY for a line that the slow reader must read."""
    known: dict[tuple[Text, Text, Text], tuple[int, int]] = {}
    for each in decoded:
        asked = each.starts_at, each.expires_at, each.ttl
        if asked not in known:
            try:
                known[asked] = reader.period(*asked)
            except (ExpiryInvalid, StartInvalid):
                known[asked] = _FAULTY, _FAULTY
    found = (known[each.starts_at, each.expires_at, each.ttl] for each in decoded)
    return np.array(list(found), np.int64).reshape(-1, 2)


def _field_count(decoded: Sequence[Decoded]) -> int:
    """Returns the number of fields that these lines have, without those that have a start or an expiry."""
    absent = [each.user for each in decoded].count(UNSET) + [each.visitor for each in decoded].count(UNSET)
    if not decoded or isinstance(decoded[0], Tagged):
        tagged = [each for each in decoded if isinstance(each, Tagged)]
        absent += [each.tags for each in tagged].count(UNSET) + [each.tag for each in tagged].count(UNSET)
    else:
        changed = [each for each in decoded if isinstance(each, Changed)]
        absent += [each.add for each in changed].count(UNSET) + [each.remove for each in changed].count(UNSET)
    return 4 * len(decoded) - absent


def _columns(decoded: list[Decoded], lines: Positions, periods: NDArray[np.int64] | None) -> tuple[Part, Positions]:
    """Returns the part of all lines that are certainly good, and the places of the others."""
    users, visitors = _ids([each.user for each in decoded]), _ids([each.visitor for each in decoded])
    added, removed = _tags(decoded)
    is_user: Mask | bool = True
    ids = [user or "" for user in users]
    is_odd = np.zeros(len(decoded), np.bool_)
    if UNSET in users or visitors.count(UNSET) != len(visitors):
        is_user = np.fromiter((user is not UNSET for user in users), np.bool_, len(users))
        is_odd = is_user == np.fromiter((visitor is not UNSET for visitor in visitors), np.bool_, len(visitors))
        ids = [user or visitor or "" for user, visitor in zip(users, visitors, strict=True)]
    id_column = pa.array(ids, pa.string()).cast(pa.binary())
    is_odd |= doubtful_ids(id_column)
    lacks = added.count(_NO_TAGS)
    if lacks:
        is_odd |= np.fromiter((each is _NO_TAGS for each in added), np.bool_, len(added))
    counts = _counts(added)
    is_odd |= counts > limits.TAGS_PER_LINE_MAX
    if removed is not None:
        is_odd |= _counts(removed) > limits.TAGS_PER_LINE_MAX
        # Only the slow reader finds out which lists are present.
        is_odd |= (counts == 0) & (_counts(removed) == 0)
    if periods is not None:
        is_odd |= periods[:, 0] == _FAULTY
    odd = np.flatnonzero(is_odd)
    if len(odd):
        kept = np.flatnonzero(~is_odd)
        added = [added[at] for at in kept.tolist()]
        removed = [removed[at] for at in kept.tolist()] if removed is not None else None
        id_column, lines = id_column.take(pa.array(kept)), lines[kept]
        is_user = is_user if isinstance(is_user, bool) else is_user[kept]
        periods = None if periods is None else periods[kept]
    part = _part(lines, keys_of(id_column, is_user), added, removed)
    if periods is not None:
        starts, expiries = (column if column.any() else None for column in periods.T)
        part = replace(part, starts=starts, expiries=expiries)
    return part, odd


def _ids(found: list[Id]) -> list[str | UnsetType]:
    """Returns ids as texts. An id becomes empty if the slow reader must read it."""
    if all(map(_USUAL.__contains__, map(type, found))):
        return found  # type: ignore[return-value]  # Nothing else is among them.
    return [
        UNSET if each is None else each if not isinstance(each, int) else str(each) if abs(each) <= WHOLE_MAX else ""
        for each in found
    ]


def _part(
    lines: Positions, keys: pa.BinaryArray, added: list[Sequence[str]], removed: list[Sequence[str]] | None
) -> Part:
    """Makes a part of lines. If `removed` is None, no line removes tags."""
    is_removal: Mask | None = None
    if removed is None:
        tagged, counts = chain.from_iterable(added), _counts(added)
        line = np.arange(len(lines), dtype=np.int32)
    else:
        both = list(chain.from_iterable(zip(added, removed, strict=True)))
        tagged, counts = chain.from_iterable(both), _counts(both)
        line = np.repeat(np.arange(len(lines), dtype=np.int32), 2)
        is_removal = np.repeat(np.tile(np.array([False, True]), len(lines)), counts)
    numbers: defaultdict[str, int] = defaultdict()
    # A new text gets the number of texts so far, in half the time of a Python loop.
    numbers.default_factory = numbers.__len__
    tagging_text = np.fromiter(map(numbers.__getitem__, tagged), np.int32, int(counts.sum()))
    # Without this line, the dictionary would refer to itself until the next garbage collection.
    numbers.default_factory = None
    return Part(
        lines=lines,
        keys=keys,
        tagging_line=np.repeat(line, counts),
        tagging_text=tagging_text,
        texts=tuple(numbers),
        is_removal=is_removal if is_removal is not None and is_removal.any() else None,
    )


def _tags(decoded: Sequence[Decoded]) -> tuple[list[Sequence[str]], list[Sequence[str]] | None]:
    """Returns the tags that each line adds, and the tags that each line removes.

    A line that has neither `tags` nor `tag`, or has both, gets `_NO_TAGS`. The second value is None if lines cannot
    remove tags.
    """
    if not decoded or isinstance(decoded[0], Tagged):
        tagged = [each for each in decoded if isinstance(each, Tagged)]
        lists, single = [each.tags for each in tagged], [each.tag for each in tagged]
        if UNSET not in lists and single.count(UNSET) == len(single):
            return lists, None  # type: ignore[return-value]  # None of them is absent.
        return [_either(many, one) for many, one in zip(lists, single, strict=True)], None
    changed = [each for each in decoded if isinstance(each, Changed)]
    return [each.add or () for each in changed], [each.remove or () for each in changed]


def _either(many: list[str] | UnsetType, one: str | UnsetType) -> Sequence[str]:
    """Returns the tags of a line that has a list or one tag, or `_NO_TAGS` if it has neither or both."""
    if isinstance(many, UnsetType):
        return _NO_TAGS if isinstance(one, UnsetType) else (one,)
    return many if isinstance(one, UnsetType) else _NO_TAGS


def _counts(lists: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    return np.fromiter(map(len, lists), np.int64, len(lists))
