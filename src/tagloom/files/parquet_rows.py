"""Reads the rows of a Parquet file with any columns, as cells for a mapping.

Tagloom writes the rows of a database as texts, because a column may have values of several types. The original type of
a text is in a second column, whose name begins with KIND_PREFIX.
"""

from collections.abc import Generator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tagloom.files.parquet_file import ROWS_PER_BATCH, ParquetFile
from tagloom.files.parquet_texts import column_cells
from tagloom.words.cells import Cell, OddCell, cell_of
from tagloom.words.mappings import REASON_PREFIX

KIND_PREFIX: Final = f"{REASON_PREFIX}kind."
LIST: Final = "list"


def parquet_names(path: Path) -> tuple[str, ...]:
    """Returns the columns of a file, including repeated names. Raises: BodyInvalid."""
    with ParquetFile(path) as file:
        return tuple(name for name in file.names if not name.startswith(KIND_PREFIX))


def parquet_cells(path: Path, names: Sequence[str]) -> Generator[list[Cell], None, None]:
    """Yields the cells of these columns, one row at a time. Of a repeated column, the first one is read.

    Raises: BodyInvalid: the file is damaged.
    """
    with ParquetFile(path) as file:
        there = frozenset(file.names)
        kinds = [f"{KIND_PREFIX}{name}" for name in names if f"{KIND_PREFIX}{name}" in there]
        for batch in file.batches([*names, *kinds]):
            # The first column of each name is used.
            arrays = dict(zip(reversed(batch.schema.names), reversed(batch.columns), strict=True))
            columns = [_cells(arrays[name], arrays.get(f"{KIND_PREFIX}{name}")) for name in names]
            for cells in zip(*columns, strict=True) if columns else ((),) * len(batch):
                yield list(cells)


def _cells(column: pa.Array, kinds: pa.Array | None) -> list[Cell]:
    cells = column_cells(column)
    if kinds is None:
        return cells
    return [_with_kind(cell, kind) if kind else cell for cell, kind in zip(cells, column_cells(kinds), strict=True)]


def _with_kind(cell: Cell, kind: Cell) -> Cell:
    if kind != LIST:
        return OddCell(str(cell), str(kind))
    items = msgspec.json.decode(str(cell), type=list[tuple[str, str]])
    return tuple(OddCell(text, found) if found else text for text, found in items)


class CellsWriter:
    """A writer of rows of typed values to a file of cells.

    The columns of kinds are added when the first value needs one.
    """

    def __init__(self, target: Path, names: Sequence[str]) -> None:
        self._target = target
        self._names = tuple(names)
        self._has_kinds = False
        self._writer = self._opened(target)

    def _opened(self, target: Path) -> pq.ParquetWriter:
        kinds = [f"{KIND_PREFIX}{name}" for name in self._names] if self._has_kinds else []
        schema = pa.schema([(name, pa.string()) for name in (*self._names, *kinds)])
        return pq.ParquetWriter(target, schema, compression="zstd")

    def __enter__(self) -> "CellsWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.close()

    def write(self, rows: Sequence[Sequence[object]]) -> None:
        """Writes some rows. Cost: about 1 us per value; the first odd value costs a copy of the file so far."""
        kept = [_kept_cells([row[at] for row in rows]) for at in range(len(self._names))]
        texts, kinds = [texts for texts, _ in kept], [kinds for _, kinds in kept]
        if not self._has_kinds and any(each is not None for each in kinds):
            self._add_kinds()
        self._put(texts, kinds, len(rows))

    def _put(self, texts: Sequence[pa.Array], kinds: Sequence[pa.Array | None], count: int) -> None:
        nothing = pa.nulls(count, pa.string())
        also = [nothing if each is None else each for each in kinds] if self._has_kinds else []
        self._writer.write_table(pa.table([*texts, *also], schema=self._writer.schema))

    def _add_kinds(self) -> None:
        """Rewrites the file with columns for kinds, and copies its rows."""
        self._writer.close()
        before = self._target.with_name(f"{self._target.name}.before")
        self._target.rename(before)
        self._has_kinds = True
        self._writer = self._opened(self._target)
        with before.open("rb") as file:
            for batch in pq.ParquetFile(file).iter_batches(ROWS_PER_BATCH, use_threads=False):
                self._put(batch.columns, [None] * len(self._names), len(batch))
        before.unlink()


def _kept_cells(values: Sequence[object]) -> tuple[pa.Array, pa.Array | None]:
    """Returns the texts to store and their kinds. The kinds are None if all values are texts or null."""
    texts, kinds, has_kind = list[str | None](), list[str | None](), False
    for value in values:
        text, kind = (None, None) if value is None else _kept_cell(cell_of(value))
        has_kind = has_kind or kind is not None
        texts.append(text)
        kinds.append(kind)
    return pa.array(texts, pa.string()), pa.array(kinds, pa.string()) if has_kind else None


def _kept_cell(cell: Cell) -> tuple[str, str | None]:
    if isinstance(cell, str):
        text, kind = _kept(cell)
        return text, kind or None
    return msgspec.json.encode([_kept(each) for each in cell]).decode(), LIST


def _kept(text: str) -> tuple[str, str]:
    return (_storable(str(text)), text.found) if isinstance(text, OddCell) else (_storable(text), "")


def _storable(text: str) -> str:
    """Returns a text as UTF-8. Replaces half a character, which SQLite may hold."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
