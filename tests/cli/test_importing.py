"""`tagloom import`: each format, each mode, each option, each exit code."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.running import Said, ask, run, write

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "telco"
RECEIPT = {"version", "added", "removed", "unchanged", "new_people", "rejected_count", "rejected"}


@pytest.fixture
def load(data: Path, tmp_path: Path) -> "Loader":
    return Loader(data, tmp_path)


class Loader:
    """Imports texts into one installation and says who bears what."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.data = data
        self._folder = folder

    def __call__(self, text: str, *options: object, name: str = "people.csv") -> Said:
        return run("import", write(self._folder / name, text), "--data", self.data, *options)

    def tags(self, person: str) -> list[str]:
        tags: list[str] = ask("show", person, "--data", self.data)["tags"]
        return tags


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "user,tag\nu1,a/b\nu1,c\n"),
        ("p.ndjson", '{"user":"u1","tags":["a/b"]}\n{"user":"u1","tags":["c"]}\n'),
        ("p.jsonl", '{"user":"u1","tags":["a/b","c"]}\n'),
        ("p.json", '{"taggings":[{"user":"u1","tags":["a/b","c"]}]}'),
    ],
)
def test_the_name_of_a_file_says_its_format(load: Loader, name: str, text: str) -> None:
    said = load(text, "--json", name=name)

    assert (said.code, said.err) == (0, "")
    assert said.json.keys() >= RECEIPT
    assert (said.json["version"], said.json["added"], said.json["new_people"]) == (1, 2, 1)
    assert load.tags("u1") == ["a/b", "c"]


def test_a_parquet_file_is_imported(load: Loader, tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": ["u1", "u1"], "tag": ["a", "b"]}), tmp_path / "p.parquet")

    assert ask("import", tmp_path / "p.parquet", "--data", load.data)["added"] == 2
    assert load.tags("u1") == ["a", "b"]


def test_a_format_that_the_name_does_not_say_is_named(load: Loader) -> None:
    assert load("user,tag\nu1,a\n", name="export.txt").code == 2
    assert load("user,tag\nu1,a\n", "--format", "csv", name="export.txt").code == 0


def test_each_mode_does_what_it_says(load: Loader) -> None:
    load("user,tag\nu1,crm/a\nu1,own\nu2,crm/a\nu3,crm/b\n", "--mode", "add")

    assert load("user,tag\nu1,crm/a\nu9,crm/a\n", "--mode", "remove", "--json").json["removed"] == 1
    assert run("show", "u9", "--data", load.data).code == 1
    assert load.tags("u1") == ["own"]
    load('{"user":"u1","add":["crm/c"],"remove":["own"]}', "--mode", "change", name="p.ndjson")
    assert load.tags("u1") == ["crm/c"]
    load("user,tag\nu1,crm/d\n", "--mode", "set", "--under", "crm")
    assert (load.tags("u1"), load.tags("u2")) == (["crm/d"], ["crm/a"])
    load("user,tag\nu1,other\n", "--mode", "add")
    load("user,tag\nu1,crm/e\n", "--mode", "mirror", "--under", "crm")
    assert (load.tags("u1"), load.tags("u2"), load.tags("u3")) == (["crm/e", "other"], [], [])


def test_an_empty_mirror_takes_everything_only_when_that_is_allowed(load: Loader) -> None:
    load("user,tag\nu1,a\n")

    assert load("user,tag\n", "--mode", "mirror").code == 1
    assert load.tags("u1") == ["a"]
    assert load("user,tag\n", "--mode", "mirror", "--allow-empty").code == 0
    assert load.tags("u1") == []


def test_a_dry_run_says_what_would_change_and_changes_nothing(load: Loader) -> None:
    said = load("user,tag\nu1,a\nu2,a\n", "--dry-run")
    as_json = load("user,tag\nu1,a\nu2,a\n", "--dry-run", "--json").json

    assert said.code == 0
    assert "people.csv would be imported (add)" in said.out
    assert "would add" in said.out
    assert (as_json["added"], as_json["new_people"], as_json["dry_run"], as_json["version"]) == (2, 2, True, 0)
    assert ask("history", "--data", load.data) == []


def test_capitals_are_refused_with_their_line_or_folded_when_asked(load: Loader) -> None:
    text = "user,tag\nu1,Sports/Football\nu2,sports/football\n"
    refused = load(text, "--json")

    assert refused.code == 3
    assert refused.json["rejected_count"] == 1
    (line,) = refused.json["rejected"]
    assert (line["line"], line["value"], line["problem"]) == (2, "Sports/Football", "tag-has-capital")
    assert line["suggestion"] == "sports/football"
    folded = load(text, "--normalize", "lowercase")
    assert folded.code == 0
    assert "1 path was lower-cased." in folded.out
    assert load.tags("u1") == ["sports/football"]


def test_columns_of_other_names_are_named(load: Loader) -> None:
    said = load("id,what,note\nu1,a,x\n", "--user-column", "id", "--tag-column", "what", "--json")

    assert (said.code, said.json["added"]) == (0, 1)
    assert load("id,what\nu1,a\n").code == 1


def test_visitors_have_a_column_of_their_own(load: Loader) -> None:
    load("user,visitor,tag\nx,,a\n,x,b\n")
    load("cookie,tag\nx,c\n", "--visitor-column", "cookie")

    assert load.tags("x") == ["a"]
    assert ask("show", "x", "--visitor", "--data", load.data)["tags"] == ["b", "c"]


BAD = "user,tag\nu1,a\n,b\nu2,A\nu3,a//b\n"


@pytest.mark.parametrize("name", ["bad.csv", "bad.ndjson"])
def test_every_rejected_line_is_written_to_the_file_that_is_named(load: Loader, tmp_path: Path, name: str) -> None:
    said = load(BAD, "--rejected", tmp_path / name)

    assert said.code == 3
    assert f"3 of 3 rejected lines are listed in {tmp_path / name}." in said.out
    text = (tmp_path / name).read_text(encoding="utf-8")
    found: list[dict[str, Any]]
    if name.endswith("csv"):
        found = list(csv.DictReader(text.splitlines()))
    else:
        found = [json.loads(line) for line in text.splitlines()]
    assert [int(line["line"]) for line in found] == [3, 4, 5]
    assert found[1]["suggestion"] == "a"
    assert all(line["problem"] and line["detail"] for line in found)


def test_more_rejected_lines_than_a_receipt_lists_are_all_written_to_the_file(load: Loader, tmp_path: Path) -> None:
    text = "user,tag\n" + "".join(f"u{n},A\n" for n in range(1_500))
    said = load(text, "--rejected", tmp_path / "bad.csv", "--json")

    assert said.json["rejected_count"] == 1_500
    assert len(said.json["rejected"]) == 1_000
    assert len((tmp_path / "bad.csv").read_text().splitlines()) == 1_501


def test_rejected_lines_are_shown_and_the_rest_counted(load: Loader) -> None:
    said = load("user,tag\n" + "".join(f"u{n},A\n" for n in range(12)))

    assert said.code == 3
    assert said.out.count("has a capital") == 10
    assert "… and 2 more; --rejected FILE lists them." in said.out


def test_the_telecoms_example_is_imported_by_its_mapping(data: Path) -> None:
    file, mapping = EXAMPLES / "telco-customer-churn.csv", EXAMPLES / "mapping.toml"
    first = run("import", file, "--mapping", mapping, "--data", data, "--json")
    second = run("import", file, "--mapping", mapping, "--data", data)

    # One row of the file lacks a cell, as its README tells.
    assert first.code == 3
    assert (first.json["new_people"], first.json["rejected_count"], first.json["rejected"][0]["line"]) == (7_042, 1, 2)
    assert second.code == 3
    assert "nothing changed, version 1" in second.out


def test_a_row_that_the_mapping_cannot_read_is_rejected_with_the_line_of_the_file(load: Loader, tmp_path: Path) -> None:
    mapping = write(tmp_path / "m.toml", 'user = "id"\n[columns.plan]\nvalues = { "Free" = "plan/free", "No" = "" }\n')
    said = load("id,plan\nu1,Free\nu2,Gold\nu3,No\n,Free\nu5,Free\n", "--mapping", mapping, "--json")

    assert said.code == 3
    assert (said.json["added"], said.json["rejected_count"]) == (2, 2)
    assert [line["line"] for line in said.json["rejected"]] == [3, 5]
    assert load.tags("u5") == ["plan/free"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--mode", "replace"], "--mode"),
        (["--normalize", "upper"], "--normalize"),
        (["--format", "xml"], "--format"),
        (["--under"], "--under"),
        (["--colour"], "--colour"),
        (["--url", "http://127.0.0.1:1", "--token", "t"], "not both"),
    ],
)
def test_wrong_usage_is_code_2_and_one_line(load: Loader, options: list[str], says: str) -> None:
    said = load("user,tag\nu1,a\n", *options)

    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert said.err.count("\n") == 1


def test_a_tag_that_is_none_at_the_prefix_is_a_problem(load: Loader) -> None:
    said = load("user,tag\nu1,a\n", "--mode", "set", "--under", "Crm")

    assert (said.code, said.out) == (1, "")
    assert "capital" in said.err


def test_a_file_for_the_rejected_that_cannot_be_written_is_told_before_anything_is_done(load: Loader) -> None:
    said = load(BAD, "--rejected", load.data / "no" / "where.csv")

    assert (said.code, said.out) == (1, "")
    assert said.err.count("\n") == 1
    assert "where.csv" in said.err
    assert ask("history", "--data", load.data) == []


@pytest.mark.skipif(os.name != "posix", reason="Devices are files on POSIX only.")
def test_a_file_that_comes_through_a_pipe_needs_its_format(load: Loader) -> None:
    assert run("import", "/dev/null", "--format", "ndjson", "--data", load.data).code == 0
