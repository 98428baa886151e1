"""`tagloom export`: each kind in each format, to a file and to standard output; an import of it changes nothing."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.running import Said, ask, run, run_process

FORMATS = ("csv", "ndjson", "parquet")


@pytest.fixture
def filled(data: Path) -> Path:
    """Two users and a visitor; the tribe `ball` holds one of each."""
    ask("tag", "u1", "sports/football", "a, b", "--data", data)
    ask("tag", "ü2", "news", "--data", data)
    ask("tag", "v1", "sports", "--visitor", "--data", data)
    ask("tribe", "create", "Ball", '{"type":"tag","tag":"sports"}', "--data", data)
    return data


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("what", [("taggings",), ("tribe", "ball"), ("tag", "sports")])
def test_a_file_holds_what_standard_output_says(
    filled: Path, tmp_path: Path, what: tuple[str, ...], format: str
) -> None:
    to_file = run("export", *what, "--data", filled, "--format", format, "--out", tmp_path / "out")
    to_output = run("export", *what, "--data", filled, "--format", format)

    assert (to_file.code, to_output.code, to_output.err) == (0, 0, "")
    assert to_file.out == f"Wrote {tmp_path / 'out'} ({len(to_output.out_bytes):,} bytes).\n"
    assert (tmp_path / "out").read_bytes() == to_output.out_bytes
    assert not list(tmp_path.glob("*.partial"))
    people = _people(to_output, format)
    assert people == {("u1", None), (None, "v1")} | ({("ü2", None)} if what == ("taggings",) else set())


def _people(said: Said, format: str) -> set[tuple[str | None, str | None]]:
    if format == "parquet":
        rows = pq.read_table(io.BytesIO(said.out_bytes)).to_pylist()
        return {(row["user"], row["visitor"]) for row in rows}
    if format == "csv":
        cells = [line.split(",") for line in said.out.splitlines()[1:]]
        return {(line[0] or None, line[1] or None) for line in cells}
    return {
        (id_of["user"], None) if "user" in id_of else (None, id_of["visitor"])
        for id_of in map(json.loads, said.out.splitlines())
    }


@pytest.mark.parametrize("mode", ["add", "mirror"])
@pytest.mark.parametrize("format", FORMATS)
def test_importing_an_export_changes_nothing(filled: Path, tmp_path: Path, format: str, mode: str) -> None:
    file = tmp_path / f"all.{format}"
    run("export", "taggings", "--data", filled, "--format", format, "--out", file)

    said = run("import", file, "--mode", mode, "--data", filled)

    assert said.code == 0
    assert "nothing changed, version 3" in said.out
    assert ask("import", file, "--data", filled)["unchanged"] == 4


def test_an_export_moves_an_installation(filled: Path, tmp_path: Path) -> None:
    run("export", "taggings", "--data", filled, "--format", "parquet", "--out", tmp_path / "all.parquet")
    ask("init", "--data", tmp_path / "other")

    assert ask("import", tmp_path / "all.parquet", "--data", tmp_path / "other")["added"] == 4
    assert ask("show", "u1", "--data", tmp_path / "other")["tags"] == ["a, b", "sports/football"]


def test_an_export_of_what_is_not_there_leaves_no_file(filled: Path, tmp_path: Path) -> None:
    for what in (("tribe", "nope"), ("tag", "no/such")):
        said = run("export", *what, "--data", filled, "--out", tmp_path / "out")

        assert (said.code, said.out) == (1, "")
        assert said.err.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("what", [("taggings", "x"), ("tribe",), ("tag",), ("people", "x"), ()])
def test_wrong_usage_is_code_2(filled: Path, what: tuple[str, ...]) -> None:
    said = run("export", *what, "--data", filled)

    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1


def test_a_process_writes_nothing_but_the_export_to_standard_output(filled: Path) -> None:
    said = run_process("export", "taggings", "--data", filled, "--format", "parquet")

    assert (said.code, said.err) == (0, "")
    assert pq.read_table(io.BytesIO(said.out_bytes)).num_rows == 4
