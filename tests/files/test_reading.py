"""What all formats promise: bounded memory, nothing read that nobody asked for, errors where they are met."""

import threading
import tracemalloc
from collections.abc import Iterator
from itertools import repeat

import pyarrow as pa
import pytest

from tagloom.base.problems import BodyTruncated
from tagloom.files import Line, key_of, limits, lines_part, read_parts
from tagloom.words.problems import PersonIdInvalid
from tests.files.reading import Format, lines_of

BODIES: dict[Format, tuple[bytes, bytes]] = {
    "csv": (b"user,tag\n", b"user-0001,sports/football\n" * 2_000),
    "ndjson": (b"", b'{"user":"user-0001","tags":["sports/football","music"]}\n' * 1_000),
}


class Source:
    """Chunks without end, or `count` of them; counts what it gave."""

    def __init__(self, format: Format, count: int | None = None) -> None:
        self._head, self._chunk = BODIES[format]
        self._count = count
        self.bytes_given = 0
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        for _ in repeat(None) if self._count is None else range(self._count):
            assert not self.is_closed, "read after the end"
            self.bytes_given += len(self._chunk)
            yield self._chunk


@pytest.mark.parametrize("format", BODIES)
def test_a_long_body_takes_no_more_memory_than_its_parts(format: Format) -> None:
    count = 3 * limits.PART_BYTES // len(BODIES[format][1])
    source = Source(format, count)
    line_bytes = BODIES[format][1].index(b"\n") + 1
    bytes_read = lines = 0
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    try:
        for part in read_parts(iter(source), format):
            lines += len(part.lines)
            bytes_read += len(part.lines) * line_bytes
            # One buffer full, and the parts in flight, which are smaller.
            assert source.bytes_given - bytes_read <= 2 * limits.PART_BYTES
            assert pa.total_allocated_bytes() - before < 4 * limits.PART_BYTES
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert lines * line_bytes == source.bytes_given
    assert peak < 10 * limits.PART_BYTES


@pytest.mark.parametrize("format", BODIES)
def test_whoever_stops_early_leaves_the_source_alone(format: Format) -> None:
    source = Source(format)
    parts = read_parts(iter(source), format)
    for _ in range(4):
        next(parts)

    parts.close()  # type: ignore[attr-defined]  # Every reader is a generator.
    source.is_closed = True

    assert not any(thread.name == "reading-ahead" for thread in threading.enumerate())


def test_no_more_parts_than_the_bound_are_read_ahead() -> None:
    source = Source("csv")
    parts = read_parts(iter(source), "csv")

    for _ in range(8):
        part = next(parts)

    bytes_read = 8 * len(part.lines) * 26
    assert source.bytes_given - bytes_read <= limits.PARTS_IN_FLIGHT_MAX * limits.PART_BYTES


@pytest.mark.parametrize("chunks_before", [0, 1_200])
def test_an_error_of_the_source_reaches_the_caller(chunks_before: int) -> None:
    def broken() -> Iterator[bytes]:
        yield from Source("csv", chunks_before)
        raise BodyTruncated("The body ended early.")

    with pytest.raises(BodyTruncated):
        for _ in read_parts(broken(), "csv"):
            pass


def test_a_small_body_needs_no_thread() -> None:
    parts = read_parts(iter([b"user,tag\nu1,a\n"]), "csv")

    assert lines_of(next(parts)) == [Line(2, b"uu1", ("a",))]
    assert next(parts, None) is None
    assert not any(thread.name == "reading-ahead" for thread in threading.enumerate())


def test_lines_in_memory_become_a_part() -> None:
    lines = [
        Line(1, key_of("user", "u1"), ("a", "b")),
        Line(4, key_of("visitor", "é")),
        Line(5, b"uu2", ("b",), ("c", "a")),
        Line(6, b"uu3", ("a",)),
    ]

    part = lines_part(lines)

    assert lines_of(part) == lines
    assert list(part.key_list()) == [b"uu1", "vé".encode(), b"uu2", b"uu3"]
    assert list(part.texts) == ["a", "b", "c"]


def test_lines_that_remove_nothing_say_so() -> None:
    assert lines_part([Line(1, b"uu1", ("a",))]).is_removal is None
    assert lines_part([]).key_column().type == pa.binary()


def test_a_key_is_of_a_valid_id_only() -> None:
    with pytest.raises(PersonIdInvalid):
        key_of("user", "")
