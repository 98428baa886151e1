"""Reads the records of a file with any columns one after another, before a mapping is applied."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import assert_never

import pyarrow as pa

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid
from tagloom.base.text import plural
from tagloom.files.decoding import Remark, opened
from tagloom.files.decompression import FileFormat, Records, Row, Squeezed, open_plain, parquet_records, read_bytes
from tagloom.files.delimited_records import Record, columns_missing, read_record
from tagloom.files.headers import Table, open_table
from tagloom.files.json_objects import object_of
from tagloom.files.json_values import Unfit, cell_of, decoder, finder_of, paths_in
from tagloom.files.ndjson import lines_in
from tagloom.files.part_columns import LineFault
from tagloom.files.problems import ColumnsInvalid
from tagloom.files.sliding_buffer import Stream
from tagloom.words import limits as words_limits
from tagloom.words.cells import Cell
from tagloom.words.mappings import Encoding

_PIECE_BYTES = 8_192  # A read that fails in a damaged file loses at most this many bytes.


def read_records(
    path: Path,
    format: FileFormat,
    squeezed: Squeezed,
    names: Sequence[str] | None = None,
    *,
    encoding: Encoding = "utf-8",
    remark: Remark | None = None,
    is_cut: bool = False,
) -> Records:
    """Returns the records of a file, in order, with the cells of these columns, or of all columns that have a name.

    If `is_cut`, the file is only the beginning of a larger file, and the text stops where the compression breaks off.
    Without `names`, the columns of NDJSON are those of the first objects. A record that cannot be read has a `fault`.

    Raises:
        BodyInvalid: the file is damaged; also raised while rows are read.
        ColumnsInvalid: a column is missing or repeated.
    """
    if format == "parquet":
        return parquet_records(path, names)

    def text(remark: Remark | None) -> Generator[bytes, None, None]:
        chunks = bytes_of_beginning(path, squeezed) if is_cut else read_bytes(path, squeezed)
        return opened(chunks, encoding=encoding, remark=remark)

    match format:
        case "csv":
            return _table_records(text(remark), names)
        case "ndjson":
            if names is None:
                with closing(text(None)) as beginning:
                    names = _names_seen(beginning)
            return Records(tuple(names), _object_rows(text(remark), names))
        case _:
            assert_never(format)


def bytes_of_beginning(path: Path, squeezed: Squeezed) -> Generator[bytes, None, None]:
    """Yields the bytes of a file up to where its compression is damaged or cut off."""
    with open_plain(path, squeezed) as file:
        while True:
            try:
                chunk = file.read(_PIECE_BYTES)
            except (pa.ArrowException, OSError):
                return
            if not chunk:
                return
            yield chunk


# Tables.


def _table_records(text: Generator[bytes, None, None], names: Sequence[str] | None) -> Records:
    table = open_table(text, None)
    counts = Counter(table.names)
    # A column needs a name that no other column has. Any other column cannot be mapped, and is left out.
    shown = [name for name in table.names if name.strip() and counts[name] == 1] if names is None else list(names)
    if not shown:
        raise ColumnsInvalid(
            "No column of the file has a name of its own. Give each column a name in the header.",
            line=1,
            rule="each column once",
        )
    for name in shown:
        if not counts[name]:
            raise columns_missing(table.names, [[name]])
    place_of = {name: place for place, name in enumerate(table.names)}
    return Records(tuple(shown), _table_rows(text, table, [place_of[name] for name in shown]))


def _table_rows(text: Generator[bytes, None, None], table: Table, places: Sequence[int]) -> Generator[Row, None, None]:
    stream, form, line = table.stream, table.form, table.line
    with closing(text):
        while True:
            stream.top_up()
            if not len(stream):
                return
            begin = stream.begin
            record = read_record(stream.buffer, begin, stream.end, form, is_whole=stream.is_whole)
            number, cells = line, [] if record is None else record.cells
            if isinstance(record, Record):
                raw = bytes(stream.buffer[begin : min(record.end, begin + 2)])
                line += stream.buffer.count(b"\n", begin, record.end)
                stream.begin = record.end
                if raw not in (b"\n", b"\r\n", b"\r"):
                    yield _table_row(table, number, cells, places)
            else:
                says = "cannot be read" if record is None else record.says
                stream.skip_line()
                line += 1
                yield Row(number, _texts(cells, places), None, f"Line {number} {says}.")


def _table_row(table: Table, number: int, cells: list[bytes], places: Sequence[int]) -> Row:
    fault = None
    if table.is_header(cells):
        fault = f"Line {number} repeats the header, as files that were joined do."
    elif len(cells) != len(table.names):
        columns = plural(len(table.names), "column")
        fault = f"Line {number} has {plural(len(cells), 'cell')}, but the header has {columns}."
    else:
        try:
            return Row(number, [cells[place].decode() for place in places], None)
        except UnicodeDecodeError:
            fault = f"Line {number} is not UTF-8; save the file as UTF-8, or name its encoding."
    return Row(number, _texts(cells, places), None, fault)


def _texts(cells: Sequence[bytes], places: Sequence[int]) -> list[str]:
    return [cells[place].decode("utf-8", "replace") if place < len(cells) else "" for place in places]


# Objects.


def _names_seen(text: Iterator[bytes]) -> list[str]:
    """Returns the paths to texts, numbers and lists in the first objects of a file."""
    seen: dict[str, None] = {}
    reader = decoder()
    for number, line in islice(lines_in(Stream(text)), base_limits.PAGE_ITEMS_DEFAULT):
        try:
            found = object_of(line, number, reader) if line.strip() else {}
        except LineFault:
            continue
        seen.update(dict.fromkeys(islice(paths_in(found), words_limits.COLUMNS_PER_MAPPING_MAX)))
    if not seen:
        raise BodyInvalid("No line of the file is an object.", line=1, rule="an object on each line")
    return list(seen)[: words_limits.COLUMNS_PER_MAPPING_MAX]


def _object_rows(text: Generator[bytes, None, None], names: Sequence[str]) -> Generator[Row, None, None]:
    finders = [finder_of(name) for name in names]
    reader = decoder()
    with closing(text):
        for number, line in lines_in(Stream(text)):
            if not line.strip():
                continue
            try:
                found = object_of(line, number, reader)
            except LineFault as fault:
                yield Row(number, [""] * len(names), line, fault.problem.detail)
                continue
            yield Row(number, [_shown(find(found)) for find in finders], line)


def _shown(value: object) -> Cell:
    """Returns a value as a cell. A value that cannot be a cell becomes blank, because most columns are not mapped."""
    try:
        return cell_of(value)
    except Unfit:
        return ""
