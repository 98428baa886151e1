"""The records of a file of any columns: rows of CSV and Parquet, objects of NDJSON, plain or compressed."""

import csv
import io
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
import pyarrow as pa

from tagloom import limits, problems
from tagloom.cells import Cell, cell_of
from tagloom.intake.parquet_file import ParquetFile
from tagloom.intake.parquet_rows import KIND_PREFIX, parquet_cells, parquet_names
from tagloom.intake.texts import is_text
from tagloom.tags import printable

FileFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]
Squeezed: TypeAlias = Literal["none", "gzip", "zstd"]

DELIMITERS = ",;\t|"


class Row(NamedTuple):
    """One record: its line (rows of Parquet count from 1), the cells of the columns asked for, and what it was.

    `fault` says why it cannot be understood; then `cells` are those that stand where they should, as far as they go.
    """

    number: int
    cells: Sequence[Cell]
    original: Any
    fault: str | None = None


class Records(NamedTuple):
    """The columns of a file and its records, of which one is held at a time.

    Of NDJSON, whose objects may all differ, `names` are the columns that were asked for.
    """

    names: tuple[str, ...]
    rows: Generator[Row, None, None]


def open_plain(path: Path, squeezed: Squeezed) -> pa.NativeFile:
    """The file's bytes, without their compression. Raises: BodyInvalid while it is read, by `read_bytes`."""
    return pa.input_stream(str(path), compression=None if squeezed == "none" else squeezed)


def read_bytes(path: Path, squeezed: Squeezed) -> Generator[bytes, None, None]:
    """The file in chunks, without its compression. Raises: BodyInvalid: it is cut off or damaged."""
    try:
        with open_plain(path, squeezed) as file:
            while chunk := file.read(limits.UPLOAD_CHUNK_BYTES):
                yield chunk
    except (pa.ArrowException, OSError) as error:
        raise _damaged(squeezed, error) from error


def read_records(path: Path, format: FileFormat, squeezed: Squeezed, names: Sequence[str] | None = None) -> Records:
    """The records of a file, in order, with the cells of these columns, or of all that there are.

    Raises: BodyInvalid, ColumnsInvalid: a column is missing or there twice; BodyInvalid also while rows are read: what
    cannot be cut into rows is refused whole, for nobody knows whom the rest of such a file names.
    """
    match format:
        case "csv":
            return _csv_records(path, squeezed, names)
        case "parquet":
            return _parquet_records(path, names)
        case "ndjson":
            return _json_records(path, squeezed, names)


def _damaged(squeezed: Squeezed, error: Exception) -> problems.BodyInvalid:
    said = printable(str(error))
    return problems.BodyInvalid(f"The file cannot be read: {said}.", rule="a whole file", value=squeezed)


# CSV.


def _csv_records(path: Path, squeezed: Squeezed, names: Sequence[str] | None) -> Records:
    rows = _csv_rows(path, squeezed)
    header: list[str] = []
    while not header:
        found = next(rows, None)
        if found is None:
            raise problems.BodyInvalid("The file has no header.", line=1, rule="a header with a name for each column")
        header = found[1]
    places = _places(header, names)
    return Records(tuple(header[place] for place in places), _cut(rows, places, len(header)))


def _cut(rows: Iterator[tuple[int, list[str]]], places: Sequence[int], width: int) -> Generator[Row, None, None]:
    for number, cells in rows:
        if len(cells) == width:
            yield Row(number, [cells[place] for place in places], cells)
        elif cells:
            fault = f"The row has {len(cells)} cells, and the header names {width} columns."
            yield Row(number, [cells[place] if place < len(cells) else "" for place in places], cells, fault)


def _csv_rows(path: Path, squeezed: Squeezed) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        with closing(_opened_text(path, squeezed)) as file:
            first = file.readline(limits.LINE_BYTES_MAX)
            reader = csv.reader(_bounded(first, file), delimiter=_delimiter_of(first), strict=True)
            for row in reader:
                yield number + 1, row
                number = reader.line_num
    except (csv.Error, UnicodeDecodeError) as error:
        raise problems.BodyInvalid(
            f"The file cannot be read as CSV behind line {number}: {error}.", line=number + 1, rule="CSV in UTF-8"
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise _damaged(squeezed, error) from error


def _delimiter_of(first: str) -> str:
    return max(DELIMITERS, key=first.count)


def find_delimiter(path: Path, squeezed: Squeezed) -> str:
    """What divides the cells of a CSV file that can be read."""
    with closing(_opened_text(path, squeezed)) as file:
        return _delimiter_of(file.readline(limits.LINE_BYTES_MAX))


def _opened_text(path: Path, squeezed: Squeezed) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedReader(open_plain(path, squeezed)), encoding="utf-8-sig", newline="")


def _bounded(first: str, file: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a file, none of which may be endless."""
    line = first
    while line:
        if len(line) >= limits.LINE_BYTES_MAX:
            raise problems.BodyInvalid(f"A line has more than {limits.LINE_BYTES_MAX} characters.")
        yield line
        line = file.readline(limits.LINE_BYTES_MAX)


def _places(header: Sequence[str], names: Sequence[str] | None) -> list[int]:
    """Where the columns stand. Raises: BodyInvalid, ColumnsInvalid."""
    if not any(name.strip() for name in header):
        raise problems.BodyInvalid("The file has no header.", line=1, rule="a header with a name for each column")
    for name in header:
        if header.count(name) > 1:
            shown = printable(name)
            raise problems.ColumnsInvalid(f"The file has two columns '{shown}'.", value=shown, rule="each column once")
    for name in names or ():
        if name not in header:
            shown = printable(name)
            raise problems.ColumnsInvalid(f"The file has no column '{shown}'.", value=shown, rule="every mapped column")
    return [header.index(name) for name in (header if names is None else names)]


# Parquet.


def _parquet_records(path: Path, names: Sequence[str] | None) -> Records:
    found = parquet_names(path)
    if names is None:
        wanted = list(dict.fromkeys(found))
    else:
        with ParquetFile(path) as file:
            file.check_once(names)
        wanted = list(names)
    return Records(tuple(wanted), _parquet_rows(path, wanted))


def holds_texts(path: Path, names: Sequence[str]) -> bool:
    """Whether a Parquet file has these columns, each once and of texts only. Raises: BodyInvalid."""
    with ParquetFile(path) as file:
        is_plain = not any(name.startswith(KIND_PREFIX) for name in file.names)
        return is_plain and all(file.names.count(name) == 1 and is_text(file.kind(name)) for name in names)


def _parquet_rows(path: Path, names: Sequence[str]) -> Generator[Row, None, None]:
    with closing(parquet_cells(path, names)) as rows:
        for number, cells in enumerate(rows, 1):
            yield Row(number, cells, None)


# NDJSON.


def _json_records(path: Path, squeezed: Squeezed, names: Sequence[str] | None) -> Records:
    if names is None:
        names = _names_seen(path, squeezed)
    finders = [finder_of(name) for name in names]
    return Records(tuple(names), _json_rows(path, squeezed, finders))


def _names_seen(path: Path, squeezed: Squeezed) -> list[str]:
    """The paths to texts, numbers and lists in the first objects of a file."""
    seen: dict[str, None] = {}
    for (_, line), _ in zip(json_lines(path, squeezed), range(limits.PAGE_ITEMS_DEFAULT), strict=False):
        found = decoded_line(line)
        if isinstance(found, dict):
            seen.update(dict.fromkeys(_paths(found, "")))
    if not seen:
        raise problems.BodyInvalid("No line of the file is an object.", line=1, rule="an object on each line")
    return list(seen)


def _paths(value: dict[str, Any], above: str) -> Iterator[str]:
    for name, below in value.items():
        if isinstance(below, dict):
            yield from _paths(below, f"{above}{name}.")
        elif isinstance(below, list) and below and isinstance(below[0], dict):
            yield from _paths(below[0], f"{above}{name}[*].")
        else:
            yield above + name


def finder_of(path: str) -> Callable[[Any], Cell]:
    """What finds a path's cell in an object: `a.b` is b of a, `a[*].b` every b of the list a; `a.b` itself comes first.

    >>> finder_of("plan.name")({"plan": {"name": "Pro"}}), finder_of("tags[*].id")({"tags": [{"id": "a"}, {"id": "b"}]})
    ('Pro', ('a', 'b'))
    """
    steps = path.split(".")

    def find(value: Any, depth: int) -> Any:
        if depth == len(steps):
            return value
        name = steps[depth]
        if name.endswith("[*]"):
            listed = value.get(name[:-3]) if isinstance(value, dict) else None
            if not isinstance(listed, list):
                return None
            return [below for each in listed if (below := find(each, depth + 1)) is not None]
        return find(value.get(name), depth + 1) if isinstance(value, dict) else None

    return lambda value: cell_of(value[path] if isinstance(value, dict) and path in value else find(value, 0))


def json_lines(path: Path, squeezed: Squeezed) -> Iterator[tuple[int, bytes]]:
    """Every line with its number; one that is too long comes cut off."""
    number = 0
    try:
        with io.BufferedReader(open_plain(path, squeezed)) as file:
            while line := file.readline(limits.LINE_BYTES_MAX + 1):
                number += 1
                yield number, line
                while len(line) > limits.LINE_BYTES_MAX and not line.endswith(b"\n"):
                    line = file.readline(limits.LINE_BYTES_MAX + 1)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(squeezed, error) from error


def decoded_line(line: bytes) -> Any:
    """What a line of NDJSON is; None when it is no JSON."""
    try:
        return msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _json_rows(path: Path, squeezed: Squeezed, finders: Sequence[Callable[[Any], Cell]]) -> Generator[Row, None, None]:
    for number, line in json_lines(path, squeezed):
        if not line.strip():
            continue
        found = decoded_line(line)
        if isinstance(found, dict):
            yield Row(number, [find(found) for find in finders], line)
        else:
            yield Row(number, [""] * len(finders), line, "The line is no JSON object.")
