"""Reads a source into one file, which an import then applies. Memory is bounded, whatever the size of the source."""

import tempfile
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from datetime import date, datetime, time
from pathlib import Path
from time import monotonic
from typing import Any, assert_never

import msgspec
import pyarrow as pa
import sqlalchemy as sql

from tagloom.base.problems import BodyInvalid
from tagloom.base.text import printable
from tagloom.egress.problems import SourceUnreadable
from tagloom.files.parquet_rows import CellsWriter
from tagloom.imports import limits as imports_limits
from tagloom.imports.folder import compression_at
from tagloom.imports.mapping_inference import Beginning, FirstRow, beginning_in, beginning_of
from tagloom.ports import limits as ports_limits
from tagloom.syncs import limits
from tagloom.syncs.concatenation import FileFormat, join
from tagloom.syncs.problems import SyncInvalid
from tagloom.syncs.queries import IsOver, never, queried
from tagloom.words.cells import cell_of
from tagloom.words.source_addresses import Remote
from tagloom.words.syncs import FilesSource, PushSource, SqlSource, SyncSource, UrlSource

OnRows = Callable[[int], None]
# A function that yields the name and the chunks of each file of an address, one file after the other.
Fetch = Callable[[Remote], Generator[tuple[str, Iterator[bytes]], None, None]]

FORMATS: Mapping[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
}
COMPRESSIONS = (".gz", ".zst")
ROWS_AT_ONCE = 10_000
# A fetched file keeps this many characters at the end of its name, where the suffix is. A character takes up to four
# bytes.
_NAME_CHARACTERS_MAX = 60


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """The result of reading a source: the format of the file, the number of rows, and the new cursor.

    `rows` is None if the number is not known. `cursor` is None if the source is not incremental.
    """

    format: FileFormat
    rows: int | None = None
    cursor: str | None = None


def pull(
    source: SyncSource,
    target: Path,
    *,
    cursor: str | None,
    read_secret: Callable[[str], str],
    folder: Path | None,
    fetch: Fetch,
    on_rows: OnRows,
    is_over: IsOver = never,
) -> Pulled:
    """Writes the rows of a source into the new file `target`.

    Files are read only from `folder` and its subfolders. `fetch` fetches the files of addresses. `on_rows` is called
    with the number of rows that were read so far. If `is_over` returns True, a query is cancelled.

    Raises: SourceUnreadable: with the source's message, without secrets; SyncInvalid: the source is a push source; the
    errors of `fetch` and `on_rows`.
    """
    match source:
        case SqlSource():
            return _pull_query(source, target, cursor, read_secret(source.secret), on_rows, is_over)
        case FilesSource():
            return _pull_files(source, target, folder)
        case UrlSource():
            return _pull_addresses(source, target, fetch, on_rows)
        case PushSource():
            raise SyncInvalid("A push source cannot be run: its records are pushed to the sync.")
        case _:
            assert_never(source)


def begin(
    source: SyncSource,
    *,
    read_secret: Callable[[str], str],
    folder: Path | None,
    fetch: Fetch,
    is_over: IsOver = never,
) -> Beginning:
    """Returns the columns and first rows of a source. Does not read the rest of the source.

    Raises: the errors of `pull`; BodyInvalid, ColumnsInvalid: the source has no rows that can be read.
    """
    match source:
        case SqlSource():
            return _begin_query(source, read_secret(source.secret), is_over)
        case FilesSource():
            path = _matched(source, folder)[0]
            return beginning_of(path, _format_of(path), compression_at(path))
        case UrlSource():
            return _begin_address(source, fetch)
        case PushSource():
            raise SyncInvalid("A push source has no rows to preview: its records are pushed to the sync.")
        case _:
            assert_never(source)


# Databases.


def _pull_query(
    source: SqlSource, target: Path, cursor: str | None, url: str, on_rows: OnRows, is_over: IsOver
) -> Pulled:
    with _queried(source, url, cursor, ROWS_AT_ONCE, limits.SYNC_QUERY_SECONDS_MAX, is_over) as found:
        names = list(found.keys())
        place = None if source.cursor is None else _place_of(source.cursor, names)
        return _written(found.partitions(ROWS_AT_ONCE), names, place, cursor, target, on_rows)


def _begin_query(source: SqlSource, url: str, is_over: IsOver) -> Beginning:
    with _queried(source, url, None, imports_limits.PROPOSAL_ROWS_MAX, limits.BEGINNING_SECONDS_MAX, is_over) as found:
        names = list(found.keys())
        if source.cursor is not None:
            _place_of(source.cursor, names)
        rows = found.fetchmany(imports_limits.PROPOSAL_ROWS_MAX)
    cells = ([cell_of(cell) for cell in row] for row in rows)
    return Beginning(tuple(names), [FirstRow(line, each, None) for line, each in enumerate(cells, 1)])


def _queried(
    source: SqlSource, url: str, cursor: str | None, rows_at_once: int, seconds: int, is_over: IsOver
) -> AbstractContextManager[sql.CursorResult[Any]]:
    """Runs the query of a source. The result can be read until the block ends. Raises: SourceUnreadable."""
    given = {} if source.cursor is None else {"cursor": cursor if cursor is not None else str(source.cursor_start)}
    return queried(source.query, url, given, rows_at_once=rows_at_once, seconds=seconds, is_over=is_over)


def _place_of(cursor: str, names: Sequence[str]) -> int:
    if cursor not in names:
        raise SourceUnreadable(
            f"The query has no column '{printable(cursor)}' for its cursor; it has {', '.join(map(printable, names))}.",
            value=printable(cursor),
        )
    return names.index(cursor)


def _written(
    parts: Iterator[Sequence[Sequence[Any]]],
    names: Sequence[str],
    place: int | None,
    cursor: str | None,
    target: Path,
    on_rows: OnRows,
) -> Pulled:
    """Writes rows as a Parquet file of cells. The new cursor is the greatest value of the column at `place`.

    If no row has a value in that column, the cursor stays as it was.
    """
    rows, newest = 0, None
    with CellsWriter(target, names) as writer:
        for part in parts:
            writer.write(part)
            rows += len(part)
            if place is not None:
                values = [row[place] for row in part if row[place] is not None]
                newest = max([*values, *([] if newest is None else [newest])], default=None)
            on_rows(rows)
    return Pulled(format="parquet", rows=rows, cursor=cursor if newest is None else cursor_text(newest))


def cursor_text(value: Any) -> str:
    """Returns a value of the cursor's column as text. The next query receives this text.

    >>> cursor_text(7), cursor_text(date(2026, 1, 2)), cursor_text(b"\\x07")
    ('7', '2026-01-02', '07')
    """
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | memoryview():
            return bytes(value).hex()
        case _:
            return str(value)


# Files.


def _pull_files(source: FilesSource, target: Path, folder: Path | None) -> Pulled:
    paths = _matched(source, folder)
    return _joined(paths, {_format_of(path) for path in paths}, target)


def _matched(source: FilesSource, folder: Path | None) -> list[Path]:
    """Returns the files of a source in the order of their paths.

    Raises: SourceUnreadable: there is no folder, no file matches, or a file is outside of the folder.
    """
    if folder is None:
        raise SourceUnreadable("The server has no folder of files for syncs; see TAGLOOM_FILES_FOLDER.")
    home = folder.resolve()
    try:
        paths = sorted(path for path in home.glob(source.glob) if path.is_file())
    except (ValueError, NotImplementedError) as error:
        raise SourceUnreadable(f"'{printable(source.glob)}' is no glob: {error}.") from error
    for path in paths:
        # The resolved path is checked, because a link or `..` may lead out of the folder.
        if not path.resolve().is_relative_to(home):
            raise SourceUnreadable(
                f"'{printable(path.name)}' is outside the folder of the organization.", value=printable(path.name)
            )
    if not paths:
        raise SourceUnreadable(f"No file matches '{printable(source.glob)}'.", value=printable(source.glob))
    return paths


def _pull_addresses(source: UrlSource, target: Path, fetch: Fetch, on_rows: OnRows) -> Pulled:
    with tempfile.TemporaryDirectory(prefix="fetched-", dir=target.parent) as folder:
        paths, formats, size = list[Path](), set[FileFormat](), 0
        for name, chunks in fetch(Remote(url=source.url, secret=source.secret)):
            formats.add(source.format or _format_of(Path(name)))
            path = Path(folder, str(len(paths)), name[-_NAME_CHARACTERS_MAX:])
            path.parent.mkdir()
            with path.open("xb") as file:
                for chunk in chunks:
                    # The number of rows is not known yet. The call checks that this process still has the run.
                    on_rows(0)
                    size += file.write(chunk)
                    if size > ports_limits.IMPORT_BYTES_MAX:
                        raise SourceUnreadable(f"The files have more than {ports_limits.IMPORT_BYTES_MAX:,} bytes.")
            paths.append(_named_by_content(path))
        return _joined(paths, formats, target)


def _begin_address(source: UrlSource, fetch: Fetch) -> Beginning:
    with closing(fetch(Remote(url=source.url, secret=source.secret))) as files:
        name, chunks = next(files)
        format = source.format or _format_of(Path(name))
        return beginning_in(_first_chunks(chunks, name, format), format)


def _first_chunks(chunks: Iterable[bytes], name: str, format: FileFormat) -> Iterator[bytes]:
    """Yields the beginning of a file, up to PROPOSAL_BYTES_MAX or BEGINNING_SECONDS_MAX.

    Raises: SourceUnreadable: a Parquet file is larger, because its columns are at its end.
    """
    size, until = 0, monotonic() + limits.BEGINNING_SECONDS_MAX
    for chunk in chunks:
        if size >= limits.PROPOSAL_BYTES_MAX or monotonic() > until:
            if format == "parquet":
                raise SourceUnreadable(
                    f"The columns of a Parquet file are at its end, and '{printable(name)}' is too large for a "
                    "preview. Choose a saved mapping."
                )
            return
        size += len(chunk)
        yield chunk


def _named_by_content(path: Path) -> Path:
    """Renames a file so that its suffix shows its compression. The name in the address may lack this suffix."""
    suffix = {"gzip": ".gz", "zstd": ".zst", "none": ""}[compression_at(path)]
    if path.suffix.lower() == suffix or (not suffix and path.suffix.lower() not in COMPRESSIONS):
        return path
    return path.rename(path.with_name(f"{path.name.removesuffix(path.suffix) if not suffix else path.name}{suffix}"))


def _joined(paths: Sequence[Path], formats: Collection[FileFormat], target: Path) -> Pulled:
    """Joins several files, which must have one format. Raises: SourceUnreadable."""
    if len(formats) > 1:
        raise SourceUnreadable(f"The files have several formats: {', '.join(sorted(formats))}.")
    (format,) = formats
    try:
        join(paths, format, target)
    except (OSError, pa.ArrowException) as error:
        raise SourceUnreadable(f"The files cannot be read: {printable(str(error))}.") from error
    except BodyInvalid as problem:
        raise SourceUnreadable(f"The files cannot be read: {problem.detail}") from problem
    return Pulled(format=format)


def _format_of(path: Path) -> FileFormat:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    found = FORMATS.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise SourceUnreadable(
            f"'{printable(path.name)}' does not end with one of {', '.join(FORMATS)}.", value=printable(path.name)
        )
    return found
