"""`tagloom import`: each format, each mode, each option, each exit code."""

import csv
import gzip
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tagloom.bootstrap import open_installation
from tagloom.cli.import_progress import Wanted, imported
from tagloom.cli.interrupts import stop_message
from tagloom.cli.options import at_site
from tagloom.imports import limits
from tagloom.imports.saved_mappings import Mappings
from tagloom.ports.imports import Import
from tagloom.settings import read_settings
from tagloom.words.mappings import parse_mapping
from tests.cli.running import PATIENCE_SECONDS, TAGLOOM, Said, ask, run, write

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

    def imports(self) -> list[Import]:
        """Those that the installation knows, the newest first."""
        with closing(open_installation(read_settings(self.data))) as installation:
            return list(installation.control.list_imports("main", "production", limit=10))

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
    load("user,tag\nu1,crm/d\n", "--mode", "set", "--prefix", "crm")
    assert (load.tags("u1"), load.tags("u2")) == (["crm/d"], ["crm/a"])
    load("user,tag\nu1,other\n", "--mode", "add")
    load("user,tag\nu1,crm/e\n", "--mode", "mirror", "--prefix", "crm")
    assert (load.tags("u1"), load.tags("u2"), load.tags("u3")) == (["crm/e", "other"], [], [])


def test_an_empty_mirror_takes_everything_only_when_that_is_allowed(load: Loader) -> None:
    load("user,tag\nu1,a\n")

    refused = load("user,tag\n", "--mode", "mirror")
    assert (refused.code, "--allow-empty" in refused.err, "allow_empty" in refused.err) == (1, True, False), refused
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
    assert said.out.count("has a capital letter") == 10
    assert "… and 2 more. Use --rejected FILE to list them." in said.out


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


PLANS = '{"user": "id", "columns": [{"type": "value", "column": "plan", "branch": "plan"}]}'


def test_a_mapping_may_be_json_or_the_name_of_one_that_the_space_keeps(load: Loader, tmp_path: Path) -> None:
    mapping = write(tmp_path / "plans.json", PLANS)
    assert load("id,plan\nu1,Gold\n", "--mapping", mapping, "--json").json["added"] == 1
    with closing(open_installation(read_settings(load.data))) as installation:
        Mappings(installation.control).put_mapping("main", "plans", parse_mapping(PLANS), by="ada")

    assert load("id,plan\nu2,Free\n", "--mapping", "plans", "--json").json["added"] == 1
    assert load.tags("u2") == ["plan/free"]
    said = load("id,plan\nu2,Free\n", "--mapping", "other")
    assert (said.code, said.out) == (1, "")


def test_a_plan_says_tag_by_tag_what_would_happen_and_nothing_of_it_stays(load: Loader) -> None:
    load("user,tag\nu1,crm/a\nu2,crm/a\nu3,crm/b\n")

    text = "user,tag\nu1,crm/a\nu2,crm/c\n"
    said = load(text, "--mode", "mirror", "--prefix", "crm", "--plan")
    as_json = load(text, "--mode", "mirror", "--prefix", "crm", "--plan", "--json").json

    assert said.code == 0
    assert "people.csv would be imported (mirror)" in said.out
    assert [line.split() for line in said.out.splitlines() if line.startswith("crm/")] == [
        ["crm/a", "0", "1"],
        ["crm/b", "0", "1"],
        ["crm/c", "1", "0"],
    ]
    assert "Nobody would still have these tags: crm/b." in said.out
    assert "66.7 % of 3 taggings would be removed." in said.out
    assert (as_json["receipt"]["removed"], as_json["plan"]["taggings"]) == (2, 3)
    assert load.tags("u3") == ["crm/b"]
    assert len(load.imports()) == 1


def test_an_import_that_would_take_too_much_is_not_applied(load: Loader) -> None:
    load("user,tag\n" + "".join(f"u{n},crm/a\n" for n in range(10)))
    text = "user,tag\n" + "".join(f"u{n},crm/a\n" for n in range(7))
    mirror = ("--mode", "mirror", "--prefix", "crm", "--share-removed-max")

    held = load(text, *mirror, 20)

    assert (held.code, held.out) == (1, "")
    assert "3 of the 10 taggings" in held.err
    assert load.tags("u9") == ["crm/a"]
    assert "more than the 20 % allowed" in load(text, *mirror, 20, "--plan").out
    assert load(text, *mirror, 30).code == 0
    assert load.tags("u9") == []


@pytest.mark.parametrize("name", ["p.csv", "p.ndjson", "p.json"])
def test_rejected_rows_are_mended_and_imported_in_the_same_way(load: Loader, tmp_path: Path, name: str) -> None:
    text = {
        "p.csv": "user,tag\nu1,a\nu2,B\n",
        "p.ndjson": '{"user":"u1","tags":["a"]}\n{"user":"u2","tags":["B"]}\n',
        "p.json": '{"taggings":[{"user":"u1",\n"tags":["a"]},\n{"user":"u2",\n"tags":["B"]}]}',
    }[name]
    rows = tmp_path / name.replace(".json", ".ndjson").replace("p.", "bad.")
    said = load(text, "--rejected-rows", rows, name=name)

    assert said.code == 3
    assert f"Correct the rows in {rows}" in said.out
    assert load(rows.read_text().replace("B", "b"), name=rows.name).code == 0
    assert load.tags("u2") == ["b"]


def test_a_large_file_is_applied_in_steps_of_which_each_is_a_version(
    load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "IMPORT_ROWS_PER_STEP", 10)
    monkeypatch.setattr("tagloom.files.delimited.ROWS_PER_PART", 10)
    write(load.data / "plans.json", PLANS)
    text = "id,plan\n" + "".join(f"u{n},Plan {n}\n" for n in range(25))

    said = load(text, "--mapping", load.data / "plans.json", "--json")

    assert (said.json["versions"], said.json["version"], said.json["added"]) == ([1, 2, 3], 3, 25)


def test_nothing_is_left_of_a_file_once_it_was_imported(load: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UPLOADS_KEPT_MAX", 2)
    for number in range(4):
        assert load(f"user,tag\nu{number},a\nu,A\n").code == 3
    assert load("id;tag\nu1;a\n").code == 1

    assert list((load.data / "uploads").iterdir()) == []
    # What was applied is still known, and can be undone as any import.
    assert [(run.name, run.state, run.has_file) for run in load.imports()] == [("people.csv", "done", False)] * 4


@pytest.mark.skipif(os.name != "posix", reason="Interrupts are sent on POSIX only.")
def test_an_import_that_is_interrupted_ends_behind_its_step_and_never_goes_on(load: Loader, tmp_path: Path) -> None:
    text = "user,tag\n" + "".join(f"u{n},branch/{n % 100}\n" for n in range(3_000_000))
    file = write(tmp_path / "large.csv", text)
    command = subprocess.Popen([*TAGLOOM, "import", str(file), "--data", str(load.data)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE_SECONDS
    # Opening the installation takes longer than a part of the import: the test could see the state when it is past.
    with closing(sqlite3.connect(load.data / "tagloom.sqlite")) as database:
        while not database.execute("SELECT 1 FROM import WHERE state='running'").fetchall():
            assert command.poll() is None
            assert time.monotonic() < deadline

    command.send_signal(signal.SIGINT)

    assert command.wait(PATIENCE_SECONDS) != 0
    assert command.stderr is not None
    command.stderr.close()
    (run,) = load.imports() or [None]
    assert run is None or (run.state, run.has_file) == ("cancelled", False)
    assert list((load.data / "uploads").iterdir()) == []


@pytest.mark.parametrize("versions", [0, 2])
def test_an_interrupted_import_says_what_it_applied(
    load: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: int
) -> None:
    monkeypatch.setattr(limits, "IMPORT_ROWS_PER_STEP", 10)
    monkeypatch.setattr("tagloom.files.delimited.ROWS_PER_PART", 10)
    file = write(tmp_path / "people.csv", "user,tag\n" + "".join(f"u{n},a\n" for n in range(20_000)))

    with at_site(load.data, None, None, "main", "production") as site:

        def interrupt(rows: int, total: int | None) -> None:
            if site.version() >= versions:
                raise KeyboardInterrupt

        wanted = Wanted(file=file, format="csv")
        with pytest.raises(KeyboardInterrupt), imported(site, wanted, lambda count: None, interrupt):
            pass
        added = site.history(person=None, tag=None, action=None, after=None, limit=2_000)

    said = stop_message()
    assert said.startswith("Stopped. Applied: " if added else "Stopped. Nothing was applied.")
    if added:
        steps = f"{len(added):,} steps, {sum(each['added'] for each in added):,} taggings added, 0 removed."
        assert f"{steps} Versions: 1, 2" in said
    assert bool(added) or versions == 0


def test_a_file_on_standard_input_is_imported_when_its_format_is_named(load: Loader) -> None:
    text = b"user,tag\nu1,a\nu2,b\n"

    said = run("import", "-", "--format", "csv", "--data", load.data, typed=text)
    assert (said.code, said.out.splitlines()[0]) == (0, "standard input imported (add)  version 1"), said
    assert load.tags("u2") == ["b"]
    unnamed = run("import", "-", "--data", load.data, typed=text)
    assert (unnamed.code, "Use --format" in unnamed.err) == (2, True)


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_file_of_which_no_line_was_taken_is_not_called_imported(load: Loader, options: tuple[str, ...]) -> None:
    said = load("user,tag\nu1,A\nu2,B B\n", *options, name="own.csv")

    assert said.code == 3
    would = "would not be" if options else "was not"
    assert said.out.splitlines()[0] == f"own.csv {would} imported: every line was rejected  version 0"
    assert "suggest" not in said.err


CRM = "customer_id,Plan,Country,Email,Newsletter\n1001,Gold,DE,ada@example.com,yes\n1002,Silver,US,bob@example.com,no\n"


def commands_in(said: str) -> list[list[str]]:
    """The commands that a text names, each as its words."""
    return [shlex.split(line) for line in said.splitlines() if line.startswith("  tagloom ")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("crm.csv", CRM),
        ("crm.ndjson", '{"customer_id":"1001","Plan":"Gold","Country":"DE","Email":"a@b.co","Newsletter":true}\n'),
        ("crm.json", '[{"customer_id":"1001","Plan":"Gold","Country":"DE","Email":"a@b.co","Newsletter":true}]'),
    ],
)
def test_a_file_without_the_plain_columns_is_told_the_mapping_and_the_commands_that_apply_it(
    load: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    said = run("import", name, "--data", load.data, "--normalize", "lowercase")

    assert said.code == (1 if name == "crm.csv" else 3)
    shown = [
        line.split(maxsplit=1) for line in said.err.splitlines() if line.startswith("  ") and "tagloom" not in line
    ]
    assert shown == [
        ["customer_id", "the user's id"],
        ["Plan", "tags plan/…, such as plan/gold"],
        ["Country", "tags country/…, such as country/de"],
        ["Email", "ignored"],
        ["Newsletter", "the tag newsletter"],
    ]
    infer, apply, *others = commands_in(said.err)
    assert infer == ["tagloom", "mapping", "infer", name, ">", "mapping.json"]
    (tmp_path / "mapping.json").write_text(run(*infer[1:4]).out)
    assert run(*apply[1:]).code == 0
    assert load.tags("1001") == ["country/de", "newsletter", "plan/gold"]
    assert [words[-2] for words in others] == (["--tag-column", "--tag"] if name == "crm.csv" else [])
    if others:
        assert run(*others[1][1:-1], "seen/crm").code == 0
        assert "seen/crm" in load.tags("1002")


def test_a_mapping_is_proposed_without_a_server(tmp_path: Path) -> None:
    file = write(tmp_path / "crm.csv", CRM)

    assert run("mapping", "infer", file).json["user"] == "customer_id"
    assert run("mapping", "infer", file, "--user-column", "Email", "--prefix", "crm").json["user"] == "Email"
    piped = run("mapping", "infer", "-", "--format", "csv", "--json", typed=CRM.encode())
    assert [each["column"] for each in piped.json["columns"]] == CRM.splitlines()[0].split(",")
    draft = write(tmp_path / "draft.json", '{"source":{"type":"files","glob":"*.csv"},"mapping":"crm"}')
    refused = run("mapping", "infer", draft)
    assert (refused.code, "use --url" in refused.err) == (2, True)
    named = run("mapping", "infer", file, "--user-column", "Mail")
    assert (named.code, "'Mail'" in named.err) == (1, True)


def test_a_file_may_be_compressed(load: Loader, tmp_path: Path) -> None:
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(b"user,tag\nu1,a\n"))

    assert ask("import", tmp_path / "p.csv.gz", "--data", load.data)["added"] == 1


@pytest.mark.skipif(os.name != "posix", reason="Named pipes are POSIX's.")
def test_what_comes_through_a_pipe_may_have_columns_of_other_names(load: Loader, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pipe.write_text, "id,tag\nu1,a\n")

        said = ask("import", pipe, "--format", "csv", "--user-column", "id", "--data", load.data)

    assert said["added"] == 1


def test_columns_of_parquet_may_be_named_beside_a_list_of_tags(load: Loader, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1, 2], "tags": [["a", "b"], []]}), tmp_path / "p.parquet")

    assert ask("import", tmp_path / "p.parquet", "--user-column", "id", "--data", load.data)["added"] == 2
    assert load.tags("1") == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--share-removed-max", "101"], "--share-removed-max"),
        (["--mode", "replace"], "--mode"),
        (["--normalize", "upper"], "--normalize"),
        (["--format", "xml"], "--format"),
        (["--prefix"], "--prefix"),
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
    said = load("user,tag\nu1,a\n", "--mode", "set", "--prefix", "Crm")

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


@pytest.mark.parametrize("text", ["u1\nu2\n", "user\nu1\nu2\n", "customer_id;note\nu1;x\nu2;y\n"])
def test_everybody_in_a_file_gets_the_tag_that_is_named(load: Loader, text: str) -> None:
    options = ("--user-column", "customer_id") if ";" in text else ()

    assert load(text, "--tag", "campaign/spring", *options).code == 0

    assert [load.tags("u1"), load.tags("u2")] == [["campaign/spring"]] * 2


def test_a_tag_beside_a_mapping_and_a_tag_that_is_none_are_wrong_usage(load: Loader) -> None:
    assert load("u1\n", "--tag", "a", "--mapping", "plans").code == 2
    assert "cannot contain capital letters" in load("u1\n", "--tag", "A").err


def test_a_text_of_excel_on_windows_is_read_by_its_encoding(load: Loader, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes("user,tag\nMüller,a\n".encode("windows-1252"))

    assert run("import", path, "--data", load.data, "--encoding", "windows-1252").code == 0

    assert load.tags("Müller") == ["a"]


def test_a_mirror_with_an_unreadable_line_asks_and_goes_on_when_that_is_allowed(load: Loader) -> None:
    load("user,tag\nu1,a\nu2,a\n")
    text = 'user,tag\nu1,a\n"damaged\n'

    said = load(text, "--mode", "mirror")

    assert (said.code, load.tags("u2")) == (1, ["a"])
    assert "--allow-unreadable" in said.err
    assert load(text, "--mode", "mirror", "--allow-unreadable").code == 3
    assert load.tags("u2") == []


def test_a_list_of_ids_as_json_gets_the_tag_that_is_named(load: Loader) -> None:
    assert load('["u1", 1001]', "--tag", "a", name="ids.json").code == 0

    assert [load.tags("u1"), load.tags("1001")] == [["a"]] * 2


@pytest.mark.parametrize("option", ["--rejected", "--rejected-rows"])
def test_the_imported_file_is_never_written_over(load: Loader, tmp_path: Path, option: str) -> None:
    file = write(tmp_path / "a.csv", BAD)
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    before = file.read_bytes()

    for source, target in ((file, file), (file, link), (link, file)):
        said = run("import", source, "--data", load.data, option, target)
        assert (said.code, file.read_bytes()) == (2, before), said
        assert "Choose another name" in said.err


def test_one_file_is_not_used_for_both_lists_of_rejected_lines(load: Loader, tmp_path: Path) -> None:
    file, both = write(tmp_path / "a.csv", BAD), tmp_path / "both.csv"

    said = run("import", file, "--data", load.data, "--rejected", both, "--rejected-rows", both)

    assert said.code == 2
    assert not both.exists()


def test_a_list_of_rejected_lines_is_kept_when_nothing_was_imported(load: Loader, tmp_path: Path) -> None:
    kept = write(tmp_path / "kept.csv", "from yesterday")
    empty = write(tmp_path / "a.csv", "")

    assert run("import", empty, "--data", load.data, "--rejected", kept).code == 1
    assert kept.read_text() == "from yesterday"


def test_an_interrupt_after_the_end_of_an_import_says_what_was_applied(load: Loader, tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "user,tag\nu1,a\n")

    with at_site(load.data, None, None, "main", "production") as site:
        wanted = Wanted(file=file, format="csv")

        def interrupt(read: int, total: int | None) -> None:
            while load.imports()[0].state != "done":
                time.sleep(0.01)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), imported(site, wanted, lambda count: None, interrupt):
            pass

        assert "Stopped after the end of the import. Applied: 1 step, 1 tagging added" in stop_message()
        assert site.version() == 1
