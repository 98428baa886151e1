"""Reads the file of an import as parts, in the plain form or by its mapping."""

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
from tagloom.words.periods import PeriodTexts, period_of_texts


def parts_of(path: Path, run: Import, remark: Remark | None = None) -> Generator[Part, None, None]:
    """Yields the parts of an import's file, in the same order each time.

    `remark` is called with sentences about how the file was decoded.

    Raises:
        BodyInvalid, ColumnsInvalid: the file cannot be read.
        ImportFileGone: the file was deleted, or is in the folder of another machine.
    """
    if not path.exists():
        raise ImportFileGone("The file is not here. Upload it again.")
    if run.mapping is not None:
        blank_removes = run.mode in ("set", "mirror")
        yield from read_mapped(path, run.format, run.compression, run.mapping, remark, blank_removes=blank_removes)
        return
    with closing(read_bytes(path, run.compression)) as chunks:
        # Relative times count from the upload, so that a second reading after a crash returns the same parts.
        now = seconds_of(run.created_at)
        yield from read_parts(
            chunks,
            run.format,
            allow_change=run.mode == "change",
            allow_attributes=run.mode != "remove",
            period=period_of_texts(PeriodTexts(run.starts_at, run.expires_at, run.ttl)),
            now=now,
            remark=remark,
        )
