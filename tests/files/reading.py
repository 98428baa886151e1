"""What parts say, in plain values, so that a reader can be compared with its slow twin."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import pytest

from tagloom.files import Line, read_parts
from tagloom.files import limits as files_limits
from tagloom.ports.writes import Part
from tagloom.words import limits as words_limits
from tagloom.words.receipts import Rejected

Format = Literal["json", "ndjson", "csv", "parquet"]


class Said(NamedTuple):
    """The good lines, the bad ones by number and problem, and the people held, in any order."""

    lines: list[Line]
    rejected: list[tuple[int, str]]
    held: list[bytes]


def said_by(parts: Iterable[Part]) -> Said:
    """All of them together; each is checked to keep the promises of a part."""
    lines: list[Line] = []
    rejected: list[Rejected] = []
    held: list[bytes] = []
    newest = 0
    for part in parts:
        assert len(part.lines) == len(part.keys)
        assert len(part.tagging_line) == len(part.tagging_text)
        assert list(part.tagging_line) == sorted(part.tagging_line)
        if part.attributes is not None:
            cells = part.attributes
            assert len(cells.line) == len(cells.name) == len(cells.value) > 0
            assert cells.line.tolist() == sorted(cells.line.tolist())
            assert 0 <= cells.line[0] <= cells.line[-1] < len(part.lines)
        assert part.is_removal is None or (len(part.is_removal) == len(part.tagging_line) and part.is_removal.any())
        numbers = [*part.lines.tolist(), *(each.line for each in part.rejected)]
        assert len(set(numbers)) == len(numbers)
        assert part.lines.tolist() == sorted(part.lines.tolist())
        assert [each.line for each in part.rejected] == sorted(each.line for each in part.rejected)
        assert min(numbers, default=newest + 1) > newest
        newest = max([newest, *numbers])
        lines += lines_of(part)
        rejected += part.rejected
        held += part.held
    return Said(lines, [(each.line, each.problem) for each in rejected], sorted(held))


def lines_of(part: Part) -> list[Line]:
    """The good lines of a part."""
    added: list[list[str]] = [[] for _ in range(len(part.lines))]
    removed: list[list[str]] = [[] for _ in range(len(part.lines))]
    for at, (line, text) in enumerate(zip(part.tagging_line.tolist(), part.tagging_text.tolist(), strict=True)):
        is_removal = part.is_removal is not None and bool(part.is_removal[at])
        (removed if is_removal else added)[line].append(part.texts[text])
    attributes: list[dict[str, object]] = [{} for _ in range(len(part.lines))]
    if (cells := part.attributes) is not None:
        for line, name, value in zip(cells.line.tolist(), cells.name.tolist(), cells.value.tolist(), strict=True):
            assert cells.names[name] not in attributes[line]
            attributes[line][cells.names[name]] = cells.values[value]
    return [
        Line(number, key, tuple(add), tuple(remove), attributes=values)
        for number, key, add, remove, values in zip(
            part.lines.tolist(), part.key_list(), added, removed, attributes, strict=True
        )
    ]


def read(
    body: bytes,
    format: Format,
    *,
    chunks: Sequence[int] = (),
    allow_change: bool = False,
    allow_attributes: bool = True,
) -> Said:
    """What the reader makes of the body; `chunks` are the sizes in which it comes, the rest comes at once."""
    parts = read_parts(chunked(body, chunks), format, allow_change=allow_change, allow_attributes=allow_attributes)
    return said_by(parts)


def rejections(body: bytes, format: Format, *, allow_change: bool = False) -> list[Rejected]:
    """The rejected lines of a body."""
    parts = read_parts(iter([body]), format, allow_change=allow_change)
    return [each for part in parts for each in part.rejected]


def chunked(body: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """The body in chunks of these sizes, some of them empty, and what is left over."""
    at = 0
    for size in sizes:
        yield body[at : at + size]
        at += size
    yield body[at:]


@contextmanager
def small_limits(*, line_bytes: int = 24, part_bytes: int = 96) -> Iterator[None]:
    """Bounds so small that a short body meets every one of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words_limits, "LINE_BYTES_MAX", line_bytes)
        patch.setattr(files_limits, "PART_BYTES", part_bytes)
        patch.setattr("tagloom.files.delimited._WINDOW_BYTES_AFTER_BROKEN", part_bytes // 4)
        patch.setattr("tagloom.files.delimited._RECORDS_AFTER_BROKEN", 2)
        patch.setattr("tagloom.files.delimited.REJECTED_PER_PART_MAX", 3)
        patch.setattr("tagloom.files.part_columns.REJECTED_PER_PART_MAX", 3)
        patch.setattr("tagloom.files.ndjson._BLOCK_BYTES", part_bytes // 4)
        yield
