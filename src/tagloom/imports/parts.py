"""The file of an import as parts: of the plain form, or by its mapping."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from tagloom.base.times import seconds_of
from tagloom.files import read_parts
from tagloom.files.decoding import Remark
from tagloom.files.decompression import read_bytes
from tagloom.files.mapped import read_mapped
from tagloom.imports.problems import ImportFileGone
from tagloom.ports.imports import Import
from tagloom.ports.writes import Part


def parts_of(path: Path, run: Import, remark: Remark | None = None) -> Generator[Part, None, None]:
    """The parts of an import's file, in order and each time the same. Raises: BodyInvalid, ColumnsInvalid, as reading.

    `remark` hears of what was done to read it. Raises: ImportFileGone: it was forgotten, or lies in another process's
    folder.
    """
    if not path.exists():
        raise ImportFileGone("The file is not here; bring it again.")
    if run.mapping is not None:
        yield from read_mapped(path, run.format, run.compression, run.mapping, remark)
        return
    with closing(read_bytes(path, run.compression)) as chunks:
        # Read again later, after a crash, the lines say the same: times are told from when the file came.
        now = seconds_of(run.created_at)
        yield from read_parts(chunks, run.format, allow_change=run.mode == "change", now=now, remark=remark)
