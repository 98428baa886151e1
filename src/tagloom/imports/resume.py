"""Finds the part of a file after the applied lines, without parsing the applied lines as rows.

If an import of a hundred million rows continues after the ninetieth million, the applied rows are not parsed again. The
line ends are counted, at about a gigabyte per second, or row groups of Parquet are skipped by the footer. The rest is
written to a file beside the original.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import replace

from tagloom.base.durable_files import DiskFull, raising_disk_full
from tagloom.files.decompression import read_bytes
from tagloom.files.parquet_file import ParquetFile, in_kind
from tagloom.ports.imports import Compression, Import
from tagloom.ports.writes import Part
from tagloom.words import limits
from tagloom.words.receipts import Rejected

# The first bytes of UTF-16 and of workbooks. In these files, the bytes between two line ends are not a line.
_NOT_CUT = (b"\xff\xfe", b"\xfe\xff", b"PK\x03\x04")


class Rest(NamedTuple):
    """A file that has the rest of another file. Its line n is line n + `shift` of the other file."""

    path: Path
    compression: Compression
    shift: int


@contextmanager
def rest_of(path: Path, run: Import, through: int) -> Iterator[Rest]:
    """Writes the rest of an import's file from about line `through` on. The rest exists until the block ends.

    The whole file is used if `through` is 0, if the file cannot be cut safely, or if the disk has no room for the rest.

    Raises: BodyInvalid.
    """
    whole = Rest(path, run.compression, 0)
    if not through:
        yield whole
        return
    with TemporaryDirectory(prefix="rest-", dir=path.parent) as folder:
        target = Path(folder, "rest")
        try:
            shift = _write_rest(path, run, through, target)
        except (DiskFull, pa.ArrowException):
            shift = None
        yield whole if shift is None else Rest(target, "none", shift)


def _write_rest(path: Path, run: Import, through: int, target: Path) -> int | None:
    if run.format == "parquet":
        return _write_groups(path, through, target)
    with closing(read_bytes(path, run.compression)) as chunks, raising_disk_full(), target.open("xb") as file:
        begun = next(chunks, b"")
        if begun.startswith(_NOT_CUT):
            return None
        header = b""
        if run.format == "csv":
            header = begun[: begun.find(b"\n") + 1]
            if not _is_plain_header(header):
                return None
            file.write(header)
        left, held = through - 1, None
        for chunk in chain((begun,), chunks):
            count = chunk.count(b"\n")
            if count >= left:
                held = _behind(chunk, left)
                break
            left -= count
        if held is None:
            return None
        while b"\n" not in held and len(held) <= limits.LINE_BYTES_MAX and (chunk := next(chunks, b"")):
            held += chunk
        # The line itself was applied. If its record may continue on the next line, the line is read again and skipped
        # later.
        line = held[: held.find(b"\n") + 1]
        is_skipped = bool(line) and (run.format == "ndjson" or _is_closed(line))
        file.write(held[len(line) :] if is_skipped else held)
        for chunk in chunks:
            file.write(chunk)
    return through - 1 - bool(header) + is_skipped


def _behind(chunk: bytes, lines: int) -> bytes:
    """Returns the part of a chunk after this many line ends."""
    at = 0
    for _ in range(lines):
        at = chunk.index(b"\n", at) + 1
    return chunk[at:]


def _is_plain_header(line: bytes) -> bool:
    """Returns whether a line is certainly the whole header, and the file has the line ends that are counted."""
    return (
        bool(line.strip()) and _is_closed(line) and b"\r" not in line.rstrip(b"\r\n") and not line.startswith(b"sep=")
    )


def _is_closed(line: bytes) -> bool:
    """Returns whether no quoted cell can continue on the next line, whichever quote the file uses."""
    return not line.count(b'"') % 2 and not line.count(b"'") % 2


def _write_groups(path: Path, through: int, target: Path) -> int | None:
    """Writes the row groups that are not wholly applied. Returns the number of rows before them.

    Returns None if no row group is wholly applied, or if two columns have the same name.
    """
    with ParquetFile(path) as file:
        rows, before, first = file.rows_of_groups(), 0, 0
        while first < len(rows) and before + rows[first] <= through:
            before += rows[first]
            first += 1
        if not first or len(set(file.names)) < len(file.names):
            return None
        schema = file.schema.remove_metadata()
        with raising_disk_full(), pq.ParquetWriter(target, schema) as writer:
            for batch in file.batches(file.names, groups=list(range(first, len(rows)))):
                columns = [in_kind(batch.column(field.name), field.type) for field in schema]
                writer.write_batch(pa.record_batch(columns, schema=schema))
    return before


def shifted(part: Part, shift: int) -> Part:
    """Returns a part of the rest, with the line numbers of the original file."""
    if not shift:
        return part
    return replace(part, lines=part.lines + shift, rejected=tuple(_shifted_line(each, shift) for each in part.rejected))


def _shifted_line(rejected: Rejected, shift: int) -> Rejected:
    line, detail = rejected.line + shift, rejected.detail
    for word in ("Row", "Line"):
        detail = detail.replace(f"{word} {rejected.line} ", f"{word} {line} ")
    return replace(rejected, line=line, detail=detail)
