"""Files of events of any size: what becomes of the columns of a table, and how a file is cut into bodies."""

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tagloom.base.problems import BodyInvalid
from tagloom.events import event_files
from tagloom.events.event_files import EventsPart, parts_of_lines, parts_of_table
from tagloom.files.problems import ColumnsInvalid


def lines_of(parts: Iterable[EventsPart]) -> list[tuple[int, Any]]:
    """The lines of all parts, parsed, with their numbers in the file."""
    return [
        (number, json.loads(line))
        for part in parts
        for number, line in zip(part.numbers, part.body.split(b"\n") if part.body else [], strict=True)
    ]


def csv_of(folder: Path, text: str) -> Path:
    file = folder / "events.csv"
    file.write_text(text)
    return file


def test_columns_of_csv_are_fields_and_all_others_are_properties(tmp_path: Path) -> None:
    file = csv_of(
        tmp_path,
        "user,visitor,event,at,id,genre,price,vip,zip,note\n"
        "1001,,ad/clicked,2026-03-01T09:00:00Z,7,football,12.50,true,007,\n"
        ",v1,ad/seen,,,,-3,false,1234567890123456,NaN\n",
    )

    assert lines_of(parts_of_table(file, "csv")) == [
        (
            2,
            {
                "user": "1001",
                "event": "ad/clicked",
                "at": "2026-03-01T09:00:00Z",
                "id": "7",
                "properties": {"genre": "football", "price": 12.5, "vip": True, "zip": "007"},
            },
        ),
        (
            3,
            {
                "visitor": "v1",
                "event": "ad/seen",
                "properties": {"price": -3, "vip": False, "zip": "1234567890123456", "note": "NaN"},
            },
        ),
    ]


def test_a_column_of_properties_is_json_and_other_columns_join_it(tmp_path: Path) -> None:
    header, first = "user,event,properties,genre\n", 'u1,a/b,"{""n"":\n 1.50}",\n'
    rows = header + first + 'u2,a/b,"{""n"": 1}",news\nu3,a/b,oops,\nu4,a/b,"[1]",news\n'
    bodies = b"".join(part.body for part in parts_of_table(csv_of(tmp_path, rows), "csv")).split(b"\n")

    assert bodies[0] == b'{"user":"u1","event":"a/b","properties":{"n":1.50}}'
    assert json.loads(bodies[1])["properties"] == {"n": 1, "genre": "news"}
    assert bodies[2] == b'{"user":"u3","event":"a/b","properties":"oops"}'
    assert json.loads(bodies[3])["properties"] == [1]


def test_a_row_that_cannot_be_read_is_rejected_alone(tmp_path: Path) -> None:
    (part,) = parts_of_table(csv_of(tmp_path, "user,event\nu1,a/b\nu2\nu3,a/b\n"), "csv")

    assert part.numbers == [2, 4]
    assert [(each.line, each.problem) for each in part.rejected] == [(3, "line-invalid")]


def test_columns_of_parquet_keep_their_types(tmp_path: Path) -> None:
    file = tmp_path / "events.parquet"
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    columns = {
        "user": pa.array([1001, 1002]),
        "event": pa.array(["a/b", "a/b"]),
        "at": pa.array([at, None], pa.timestamp("ms", "UTC")),
        "price": pa.array([Decimal("12.50"), None]),
        "day": pa.array([date(2026, 3, 1), None]),
        "seen": pa.array([at.replace(tzinfo=None), None]),
        "tags": pa.array([["a", "b"], None]),
        "more": pa.array([{"x": 1.5}, None]),
        "properties": pa.array(['{"n": 9007199254740993}', None]),
    }
    pq.write_table(pa.table(columns), file)

    first, second = lines_of(parts_of_table(file, "parquet"))

    assert first == (
        1,
        {
            "user": 1001,
            "event": "a/b",
            "at": "2026-03-01T09:00:00Z",
            "properties": {
                "n": 9007199254740993,
                "price": 12.5,
                "day": "2026-03-01",
                "seen": "2026-03-01T09:00:00Z",
                "tags": ["a", "b"],
                "more": {"x": 1.5},
            },
        },
    )
    assert second == (2, {"user": 1002, "event": "a/b"})


def test_a_file_is_cut_into_bodies_with_the_numbers_of_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "_LINES_PER_BODY", 2)
    text = b'{"a":1}\n\n{"a":2}\n  \n{"a":3}\n{"a":4}\n{"a":5}'

    parts = list(parts_of_lines(iter([gzip.compress(text)])))

    assert [part.numbers for part in parts] == [[1, 3], [5, 6], [7]]
    assert lines_of(parts) == [(1, {"a": 1}), (3, {"a": 2}), (5, {"a": 3}), (6, {"a": 4}), (7, {"a": 5})]


def test_a_body_has_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "_BYTES_PER_BODY", 20)

    parts = list(parts_of_lines(iter([b'{"a":"1234567890"}\n' * 3])))

    assert [part.numbers for part in parts] == [[1, 2], [3]]


def test_an_empty_file_has_one_empty_body() -> None:
    assert list(parts_of_lines(iter([b""]))) == [EventsPart(b"", [], [])]


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing more")

    with pytest.raises(BodyInvalid):
        list(parts_of_table(broken, "parquet"))
    with pytest.raises(BodyInvalid):
        list(parts_of_lines(iter([gzip.compress(b"{}\n" * 1_000)[:-10]])))


def test_a_column_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.parquet"
    pq.write_table(pa.table([pa.array(["u1"]), pa.array(["u2"])], names=["user", "user"]), file)

    with pytest.raises(ColumnsInvalid):
        list(parts_of_table(file, "parquet"))


@pytest.mark.parametrize("header", ["user,type", "customer,event", "a,b"])
def test_a_table_without_people_or_types_is_refused(tmp_path: Path, header: str) -> None:
    with pytest.raises(ColumnsInvalid, match="no column"):
        list(parts_of_table(csv_of(tmp_path, f"{header}\n1,2\n"), "csv"))


def test_a_cell_of_properties_cannot_set_other_fields(tmp_path: Path) -> None:
    rows = 'user,event,properties\nu1,a/b,"{},""at"":""2001-01-01T00:00:00Z"",""id"":""forged"""\n'

    ((_, line),) = lines_of(parts_of_table(csv_of(tmp_path, rows), "csv"))

    assert sorted(line) == ["event", "properties", "user"]
    assert isinstance(line["properties"], str)


def test_columns_of_the_recording_are_left_out_and_empty_texts_are_absent(tmp_path: Path) -> None:
    file = tmp_path / "events.parquet"
    names = ["user", "visitor", "event", "version", "received_at", "note"]
    pq.write_table(pa.table([["u1"], [""], ["a/b"], ["7"], ["now"], [""]], names=names), file)

    assert lines_of(parts_of_table(file, "parquet")) == [(1, {"user": "u1", "event": "a/b"})]


def test_times_of_any_unit_are_read_and_impossible_ones_are_rejected_alone(tmp_path: Path) -> None:
    file = tmp_path / "events.parquet"
    at = pa.array([1_772_355_600_000_000_001, 1_772_355_600_000_000_000], pa.timestamp("ns", "UTC"))
    far = pa.array([0, 9_000_000_000_000], pa.timestamp("s", "UTC"))
    pq.write_table(pa.table([["u1", "u2"], ["a/b", "a/b"], at, far], names=["user", "event", "at", "seen"]), file)

    (part,) = parts_of_table(file, "parquet")

    assert json.loads(part.body)["at"].startswith("2026-03-01T09:00:00")
    assert [each.line for each in part.rejected] == [2]


def test_rejected_rows_are_passed_on_before_there_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_files, "_LINES_PER_BODY", 2)

    parts = list(parts_of_table(csv_of(tmp_path, "user,event\n" + "u1\n" * 5), "csv"))

    assert [len(part.rejected) for part in parts] == [2, 2, 1]
