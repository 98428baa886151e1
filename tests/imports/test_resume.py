"""What is left of a file behind a line is what the whole file has there, whichever reader reads it."""

import gzip
import io
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tagloom.files import limits as files_limits
from tagloom.files import read_parts
from tagloom.imports import limits as imports_limits
from tagloom.imports.parts import parts_of
from tagloom.imports.resume import rest_of, shifted
from tagloom.ports.imports import Import, ImportState
from tagloom.ports.writes import Apply, Part, WriteOptions
from tagloom.words.mappings import AttributeColumn, ListColumn, Mapping, TagColumn
from tagloom.words.receipts import Receipt, Rejected
from tests.files.reading import lines_of
from tests.imports.conftest import Desk

MAPPINGS = [
    None,
    Mapping(user="user", columns=(TagColumn(column="tag"),)),
    Mapping(user="user", columns=(ListColumn(column="tag"),), tags=("always",)),
    Mapping(user="user", columns=(ListColumn(column="tag"), AttributeColumn(column="tag", attribute="tag"))),
]
ids = st.sampled_from(["u1", "u2", "", "x" * 300, 'a""b'])
tags = st.sampled_from(["a", "b/c", "", "two\nlines", "A", "a,b"])
rows = st.lists(st.tuples(ids, tags), max_size=8)
HEADERS = ["user,tag\n", "\ufeffuser,tag\r\n", "\nuser,tag\n", '"user","tag"\n', 'user,"tag","no\nte"\n', "tag,user\n"]


def a_run(format: str, mapping: Mapping | None, compression: str = "none") -> Import:
    return Import(
        id="f" * 24,
        space="main",
        environment="production",
        name="crm",
        format=format,  # type: ignore[arg-type]
        compression=compression,  # type: ignore[arg-type]
        size_bytes=1,
        by="ada",
        created_at="2026-01-01T00:00:00Z",
        mapping=mapping,
    )


Lines = list[tuple[int, Any]]


def behind(parts: Sequence[Part], through: int) -> Lines:
    """The lines behind one, good and rejected, in plain values."""
    found: Lines = []
    for part in parts:
        found += [(line.number, (line.key, line.add, line.attributes)) for line in lines_of(part)]
        found += [(each.line, (each.problem, each.detail, each.value)) for each in part.rejected]
    return sorted((line for line in found if line[0] > through), key=lambda line: line[0])


def check(path: Path, run: Import) -> None:
    whole = list(parts_of(path, run))
    numbers = [number for number, _ in behind(whole, 0)]
    for through in numbers:
        with rest_of(path, run, through) as rest:
            from_there = replace(run, compression=rest.compression)
            parts = [shifted(part, rest.shift) for part in parts_of(rest.path, from_there)]
        assert behind(parts, through) == behind(whole, through)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@given(rows, st.sampled_from(HEADERS), st.sampled_from(MAPPINGS), st.booleans(), st.sampled_from(["\n", "\n\n"]))
@settings(deadline=None, max_examples=150)
def test_csv_goes_on_behind_any_line(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    header: str,
    mapping: Mapping | None,
    is_squeezed: bool,
    end: str,
) -> None:
    width, is_turned = header.count(",") + 1, header.startswith("tag")
    cells = [(tag, user) if is_turned else (user, tag) for user, tag in rows]
    body = header + "".join(",".join([f'"{cell}"' for cell in row] + ["-"] * (width - 2)) + end for row in cells)
    path = tmp_path_factory.mktemp("rest") / "file"
    path.write_bytes(gzip.compress(body.encode()) if is_squeezed else body.encode())

    check(path, a_run("csv", mapping, "gzip" if is_squeezed else "none"))


@given(rows, st.sampled_from(MAPPINGS), st.sampled_from(["\n", "\r\n", "\n \n"]))
@settings(deadline=None, max_examples=60)
def test_ndjson_goes_on_behind_any_line(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], mapping: Mapping | None, end: str
) -> None:
    field = "tags" if mapping is None else "tag"
    body = "".join(
        f'{{"user": "{user[:40]}", "{field}": ["{tag[:3].strip()}"], "attributes": {{"n": {number}}}}}{end}'
        for number, (user, tag) in enumerate(rows)
    )
    path = tmp_path_factory.mktemp("rest") / "file"
    path.write_text(body + "no JSON\n")

    check(path, a_run("ndjson", mapping))


@given(rows, st.sampled_from(MAPPINGS), st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_parquet_goes_on_behind_any_row(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], mapping: Mapping | None, group: int
) -> None:
    table = pa.table(
        {
            "user": pa.array([user for user, _ in rows], pa.string()),
            "tag": pa.array([tag for _, tag in rows], pa.string()),
        }
    )
    path = tmp_path_factory.mktemp("rest") / "file"
    pq.write_table(table, path, row_group_size=group)

    check(path, a_run("parquet", mapping))


def test_what_was_applied_is_not_understood_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_limits, "IMPORT_ROWS_PER_STEP", 100)
    monkeypatch.setattr(files_limits, "PART_BYTES", 1_600)
    body = b"user,tag\n" + b"".join(b"user-%06d,gold\n" % number for number in range(1_000))
    brought = desk.bring(body)
    desk.imports.run(desk.environment, brought.id)
    applied = list[int]()

    def dying(write: Apply, options: WriteOptions) -> "Future[Receipt]":
        assert write.rules.step is not None
        if write.rules.step.number == 6:
            raise KeyboardInterrupt
        applied.append(write.rules.step.number)
        return desk.population.submit(write, options)

    with pytest.raises(KeyboardInterrupt):
        desk.new_worker(submit=dying).work_once()
    desk.now.seconds += imports_limits.IMPORT_LEASE_SECONDS + 1
    rows_told = list[int]()

    def told(run: str, owner: str, *, rows_read: int | None, until: str) -> ImportState | None:
        if rows_read is not None:
            rows_told.append(rows_read)
        return desk.installation.control.put_progress(run, owner, rows_read=rows_read, until=until)

    desk.work(desk.new_worker(put_progress=told))

    done = desk.get(brought)
    assert (done.state, done.tally.added, done.tally.unchanged, done.rows_total) == ("done", 1_000, 0, 1_000)
    assert applied == [1, 2, 3, 4, 5]
    # Before its first part, the worker tells how many rows are left out of what it parses.
    assert rows_told[0] > 400


def test_a_number_in_the_reason_of_a_line_is_that_of_the_file() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"user": [""], "tag": ["a"]}), file)
    (part,) = read_parts(iter([file.getvalue()]), "parquet")

    (moved,) = shifted(part, 10).rejected

    assert moved == Rejected(11, "", "person-id-invalid", "Row 11 names nobody.", None)
