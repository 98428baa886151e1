"""Each command that works on a directory and against a server says the same on both."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tagloom.imports.saved_mappings import Mappings
from tagloom.words.mappings import parse_mapping
from tests.cli.conftest import Twins
from tests.cli.running import Said, run, write

# What differs by nature: the clock, and who is said to have written.
ITS_OWN = {"at", "actor", "space"}


def both(twins: Twins, pair: list[tuple[str, ...]], *arguments: object) -> Said:
    """Runs a command both ways and gives what the one on the directory said."""
    local, remote = (run(*arguments, *where) for where in pair)
    assert (local.code, _plain(local)) == (remote.code, _plain(remote)), (local, remote)
    return local


def _plain(said: Said) -> Any:
    try:
        return without_its_own(json.loads(said.out))
    except ValueError:
        return said.out_bytes


def without_its_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_its_own(each) for name, each in value.items() if name not in ITS_OWN}
    return [without_its_own(each) for each in value] if isinstance(value, list) else value


def test_each_command_says_the_same_on_a_directory_and_on_a_server(twins: Twins, tmp_path: Path) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> Said:
        return both(twins, pair, *arguments)

    people = write(tmp_path / "p.csv", "user,tag\nu1,sports/football\nu2,sports/tennis\nu2,News\n,x\n")
    lines = write(tmp_path / "p.ndjson", '{"visitor":"v 1/ü","tags":["sports"]}\n{"user":"u3","tags":["news"]}\n')
    assert say("import", people, "--dry-run", "--json").code == 3
    assert say("import", people, "--json").json["added"] == 2
    assert say("import", people, "--json", "--normalize", "lowercase").json["added"] == 1
    assert say("import", lines, "--json").json["new_people"] == 2
    assert say("import", lines, "--mode", "mirror", "--prefix", "sports", "--json").json["removed"] == 2
    assert say("import", people, "--mode", "set", "--prefix", "sports", "--user-column", "user", "--json").code == 3
    assert say("tag", "u9", "a/b", "c", "--json").json["added"] == 2
    assert say("tag", "u9", "c", "--remove", "--json").json["removed"] == 1
    assert say("tag", "u9", "C", "--json").code == 1
    assert say("show", "u9", "--json").json["tags"] == ["a/b"]
    assert say("show", "v 1/ü", "--visitor", "--json").json["tags"] == ["sports"]
    assert say("show", "nobody", "--json").code == 1
    rule = '{"type":"all","of":[{"type":"tag","tag":"sports"},{"type":"not","of":{"type":"tag","tag":"news"}}]}'
    assert say("tribe", "create", "Ball games", rule, "--audience", "users", "--json").json["id"] == "ball-games"
    assert say("tribe", "create", "Ball games", rule, "--id", "ball-games", "--json").code == 1
    assert say("tribe", "create", "Bad", "not json", "--json").code == 1
    assert say("tribe", "create", "Bad", '{"type":"tag","tag":"A"}', "--json").code == 1
    assert say("tribe", "count", "ball-games", "--json").json["count"] == 1
    assert say("tribe", "count", "ball-games").out.startswith("1 of 4 (25.0 %), as of version ")
    assert say("tribe", "metrics", "ball-games", "--json").json["users"] == 1
    assert say("tribe", "metrics", "--json").json["new"] == 5
    assert say("tribe", "metrics").out.startswith("5 people, as of version ")
    assert say("tribe", "metrics", "nope").code == 1
    assert [tribe["id"] for tribe in say("tribe", "list", "--json").json] == ["ball-games"]
    assert say("show", "u1", "--json").json["tribes"] == ["ball-games"]
    ios = '{"type":"context","field":"platform","op":"is","value":"ios"}'
    say("tribe", "create", "No iOS", f'{{"type":"not","of":{ios}}}', "--json")
    say("tribe", "create", "All", '{"type":"percent","of":100,"salt":"spring"}', "--json")
    gold = '{"type":"attribute","attribute":"plan","op":"is","value":"gold"}'
    say("tribe", "create", "Not gold", f'{{"type":"not","of":{gold}}}', "--json")
    assert say("tribe", "count", "no-ios").code == 1
    assert [tribe["count"] for tribe in say("tribe", "list", "--json").json if tribe["id"] == "no-ios"] == [None]
    assert "by request" in say("tribe", "list").out
    assert say("show", "u1", "--json").json["because"]["all"][0]["asks"]["type"] == "percent"
    for where in pair:
        shown = run("show", "u1", *where).out
        assert "no-ios: has no context in which 'platform' is 'ios'" in shown
        assert "all: is in the 0 to 100 percent of 'spring'" in shown
        assert "not-gold: is not a person whose attribute 'plan' is 'gold'  [no value]" in shown
    for id in ("no-ios", "not-gold", "all"):
        say("tribe", "delete", id)
    for format in ("csv", "ndjson", "parquet"):
        say("export", "tribe", "ball-games", "--format", format)
        say("export", "tag", "sports", "--format", format)
        say("export", "taggings", "--format", format)
    assert say("export", "tribe", "nope").code == 1
    assert say("export", "tribe", "ball-games", "--attribute", "no such attribute").code == 1
    assert say("export", "tag", "sports", "--attribute", "plan").code == 2
    assert say("tribe", "tag", "ball-games", "trial", "--dry-run", "--json").json["added"] == 1
    assert say("tribe", "tag", "ball-games", "trial", "--remove", "--json").json["unchanged"] == 1
    assert say("tribe", "tag", "ball-games", "trial", "--snapshot", "--remove").code == 2
    assert say("tribe", "tag", "nope", "trial").code == 1
    assert len(say("history", "--json").json) == 7
    assert len(say("history", "--person", "u9", "--json").json) == 2
    assert len(say("history", "--tag", "sports", "--json").json) == 4
    assert [change["version"] for change in say("history", "--after", "2", "--limit", "3", "--json").json] == [3, 4, 5]
    assert [change["version"] for change in say("history", "--limit", "3", "--json").json] == [5, 6, 7]
    assert say("show", "u9", "--as-of", "6", "--json").json["tags"] == ["a/b", "c"]
    assert say("show", "u9", "--as-of", "6").out.endswith("a/b, c\n")
    assert say("show", "u9", "--as-of", "2020-01-01T00:00:00Z").code == 1
    assert say("tribe", "count", "ball-games", "--as-of", "1", "--json").json == {"count": 2, "of": 2, "version": 1}
    assert say("tribe", "count", "ball-games", "--as-of", "99").code == 1
    assert say("export", "tag", "sports", "--as-of", "1").code == 0
    assert say("export", "tribe", "ball-games", "--as-of", "1").code == 0
    assert say("export", "taggings", "--as-of", "1").code == 2
    assert say("undo", "3", "--dry-run", "--json").json["dry_run"] is True
    assert say("undo", "3", "--json").json["undoes"] == 3
    assert say("undo", "99", "--json").code == 1
    assert say("undo", "1", "2", "--dry-run", "--json").json["undoes_count"] == 2
    assert say("undo", "1", "2", "--dry-run").code == 0
    assert say("undo", "--source", "p.csv", "--from", "2020-01-01T00:00:00Z", "--dry-run", "--json").code == 0
    assert say("undo", "1", "--source", "p.csv").code == 2
    assert say("undo", "--from", "2020-01-01T00:00:00Z").code == 2
    assert say("tribe", "delete", "ball-games").out == "Tribe ball-games was deleted.\n"
    assert say("tribe", "delete", "ball-games").code == 1
    assert say("tribe", "list", "--json").json == []


def test_commands_about_attributes_say_the_same_on_a_directory_and_on_a_server(twins: Twins) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> Said:
        return both(twins, pair, *arguments)

    assert say("attributes", "list").out.split() == ["attribute", "type", "people", "description"]
    put = ("attributes", "put", "plan", "--type", "text")
    assert say(*put, "--description", "What they pay.", "--dry-run", "--json").json["dry_run"] is True
    assert say(*put, "--description", "What they pay.").out == "Attribute plan has the type text.\n"
    assert say("attributes", "put", "plan", "--type", "number").code == 1
    assert say("attributes", "put", "plan", "--type", "color").code == 2
    receipt = say("attributes", "set", "u1", "plan=2026-03-01", "age:=42", 'a/b c:=["x"]', "seen=2026-03-01", "--json")
    assert (receipt.json["attributes"], receipt.json["new_attributes"], receipt.json["new_people"]) == (4, 3, 1)
    shown = {"a/b c": ["x"], "age": 42, "plan": "2026-03-01", "seen": "2026-03-01T00:00:00.000Z"}
    assert say("show", "u1", "--json").json["attributes"] == shown
    assert '\nattributes\n  a/b c: ["x"]\n  age: 42\n  plan: "2026-03-01"\n' in say("show", "u1").out
    assert say("attributes", "set", "u1", "plan=free", "age=old").code == 1
    assert say("attributes", "set", "u1", "plan=free", "plan:=1").code == 2
    assert say("attributes", "set", "u1", "plan").code == 2
    assert say("attributes", "set", "u1", "age:=x").code == 2
    assert say("attributes", "set", "u1").code == 2
    assert say("attributes", "set", "u1", 'company:={"size": 3}', "--dry-run", "--json").json["attributes"] == 1
    assert say("attributes", "set", "v1", "age:=7", "--visitor", "--json").json["new_people"] == 1
    assert "attribute values" in say("attributes", "set", "u1", "age:=43", "plan:=null", "--replace").out
    assert say("show", "u1", "--json").json["attributes"] == {"age": 43}
    (change,) = say("history", "--person", "u1", "--limit", "1", "--json").json
    assert (change["source"], len(change["attribute_changes"])) == ("attributes", 4)
    for where in pair:
        assert 'age: 42 -> 43, plan: "2026-03-01" -> none, seen: ' in run("history", "--person", "u1", *where).out
    assert say("attributes", "list", "--json").json[1] == {
        "name": "age",
        "type": "number",
        "description": "",
        "people": 2,
    }
    assert "from 7 to 43" in say("attributes", "show", "age").out
    assert "… and 1 more values." in say("attributes", "show", "age", "--limit", "1").out
    assert say("attributes", "show", "age", "--json").json["distinct"] == 2
    assert say("attributes", "show", "none").code == 1
    say("tribe", "create", "Old", '{"type":"attribute","attribute":"age","op":"greater","value":40}', "--json")
    assert say("attributes", "show", "age", "--json").json["tribes"] == ["old"]
    assert say("attributes", "delete", "age").code == 1
    assert say("attributes", "delete", "age", "--force", "--json").json["attributes"] == 2
    assert "Nothing was deleted." in say("attributes", "delete", "seen").out
    assert say("attributes", "delete", "age", "--force", "--yes", "--json").json["dry_run"] is False
    assert say("show", "u1", "--json").json["attributes"] == {}
    assert say("attributes", "set", "u1", "--replace", "--json").json["attributes"] == 0


def test_an_export_from_a_server_that_fails_leaves_no_file(twins: Twins, tmp_path: Path) -> None:
    said = run("export", "tribe", "nope", *twins.pair()[1], "--out", tmp_path / "out.csv")

    assert said.code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_mapped_file_goes_to_a_server_line_for_line(twins: Twins, tmp_path: Path) -> None:
    mapping = write(tmp_path / "m.toml", 'user = "id"\n[columns.plan]\nvalues = { "Free" = "plan/free", "No" = "" }\n')
    file = write(tmp_path / "p.csv", "id,plan\nu1,Free\nu2,Gold\nu3,No\n,Free\nu5,Free\n")

    said = both(twins, twins.pair(), "import", file, "--mapping", mapping, "--json")

    assert said.code == 3
    assert [line["line"] for line in said.json["rejected"]] == [3, 5]


def test_all_rejected_lines_and_rows_come_from_a_server_too(twins: Twins, tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "user,tag\n" + "".join(f"u{n},A\n" for n in range(1_200)))
    pair = twins.pair()

    for where, name in ((pair[0], "local"), (pair[1], "remote")):
        to_files = ("--rejected", tmp_path / f"{name}.csv", "--rejected-rows", tmp_path / f"{name}-rows.csv")
        said = run("import", file, *where, *to_files)
        assert said.code == 3
        assert "1,200 of 1,200 rejected lines are listed in" in said.out

    with (tmp_path / "remote.csv").open(encoding="utf-8") as bad:
        assert len(list(csv.DictReader(bad))) == 1_200
    for name in (".csv", "-rows.csv"):
        assert (tmp_path / f"remote{name}").read_bytes() == (tmp_path / f"local{name}").read_bytes()


def test_guards_plans_and_kept_mappings_are_the_same_both_ways(twins: Twins, tmp_path: Path) -> None:
    pair = twins.pair()
    mapping = parse_mapping('{"user": "id", "columns": [{"type": "value", "column": "plan", "branch": "plan"}]}')
    for where in pair:
        Mappings(twins.installation.control).put_mapping(where[-1], "plans", mapping, by="ada")
    ten = write(tmp_path / "ten.csv", "id,plan\n" + "".join(f"u{n},Gold\n" for n in range(10)))
    one = write(tmp_path / "one.csv", "id,plan\nu1,Gold\n")
    mapped = ("--mapping", "plans", "--mode", "mirror", "--prefix", "plan")

    assert both(twins, pair, "import", ten, "--mapping", "plans", "--json").json["added"] == 10
    assert both(twins, pair, "import", one, *mapped, "--plan").code == 0
    assert both(twins, pair, "import", one, *mapped, "--share-removed-max", "20").code == 1
    assert both(twins, pair, "import", one, *mapped, "--json").json["removed"] == 9
    assert both(twins, pair, "import", one, "--mapping", "none").code == 1
    assert both(twins, pair, "import", write(tmp_path / "e.ndjson", ""), "--json").json["version"] == 2


def test_a_token_comes_from_the_environment(twins: Twins) -> None:
    at_server = ("tribe", "list", "--url", twins.url, "--json")

    assert run(*at_server, environ={"TAGLOOM_TOKEN": twins.token}).code == 0
    missing = run(*at_server, environ={"TAGLOOM_TOKEN": ""})
    assert (missing.code, missing.out) == (2, "")
    assert "TAGLOOM_TOKEN" in missing.err
    refused = run(*at_server, "--token", "wrong")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "TAGLOOM_TOKEN" in run("tag", "--help").out


def test_a_server_that_does_not_answer_is_told_in_one_line() -> None:
    said = run("tribe", "list", "--url", "http://127.0.0.1:1", "--token", "t")

    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert "does not answer" in said.err


def test_a_list_is_made_and_changed_alike(twins: Twins, tmp_path: Path) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> Said:
        return both(twins, pair, "list", *arguments, "--json")

    ids = write(tmp_path / "ids.txt", "u1\nu2\nu2\n")
    people = write(tmp_path / "people.ndjson", '{"user":"u3"}\n{"visitor":"v1"}\n{}\n')
    assert say("create", "Beta testers", "--file", ids, "--dry-run").json["duplicates"] == 1
    made = say("create", "Beta testers", "--file", ids).json
    assert (made["unknown"], made["tag"], made["tribe"]["list"]) == (2, "lists/beta-testers", "lists/beta-testers")
    assert say("create", "Beta testers", "--id", "beta-testers").code == 1
    assert say("create", "Nobody", "--tag", "groups/nobody", "--audience", "users").json["after"] == 0
    assert say("create", "Bad", "--audience", "all").code == 2
    assert say("create", "Bad", "--tag", "A").code == 1
    found = say("add", "beta-testers", "--file", people)
    assert (found.code, found.json["after"], found.json["invalid"]) == (3, 4, 1)
    assert say("add", "beta-testers", "u9", "--file", ids).code == 2
    assert say("add", "beta-testers", "v2", "--visitor").json["unknown"] == 1
    assert say("remove", "beta-testers", "u1", "u7").json["receipt"]["removed"] == 1
    assert say("members", "beta-testers", "--search", "u").json == [
        {"kind": "user", "id": "u2"},
        {"kind": "user", "id": "u3"},
    ]
    visitors = write(tmp_path / "visitors.csv", "v7\nv8\n")
    assert say("replace", "beta-testers", "--file", visitors, "--visitor").json["after"] == 2
    empty = write(tmp_path / "empty.csv", "user\n")
    assert say("replace", "beta-testers", "--file", empty).code == 1
    assert say("replace", "beta-testers", "--file", empty, "--allow-empty").json["after"] == 0
    both(twins, pair, "tribe", "create", "Sports", '{"type":"tag","tag":"sports"}')
    assert say("add", "sports", "u1").code == 1
    assert both(twins, pair, "list", "add", "nobody", "u1").out.startswith("People added to list nobody")
    assert both(twins, pair, "list", "members", "nobody").out.splitlines()[-1].split() == ["user", "u1"]
    assert say("delete", "nobody").json["removed"] == 1
    assert say("delete", "nobody").code == 1


def test_an_alert_of_a_tribe_is_set_and_shown_alike(twins: Twins) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> Said:
        return both(twins, pair, "alert", *arguments)

    both(twins, pair, "tribe", "create", "Gold", '{"type":"tag","tag":"gold"}')
    assert say("show", "gold").code == 1
    assert say("set", "gold", "--share", 0).code == 1
    assert say("set", "gold", "--direction", "left").code == 2
    said = say("set", "gold", "--share", 30, "--direction", "down", "--hours", 48, "--email", "data@example.com")
    assert said.out.strip() == "Tribe gold: fires at over 30 % less than 2 days ago, from 100 people."
    assert run("alert", "show", "gold", *pair[0]).out.startswith("quiet: fires at over 30 % less than 2 days ago")
    found = json.loads(run("alert", "show", "gold", "--json", *pair[1]).out)
    assert found["settings"]["emails"] == ["data@example.com"]
    assert [each["tribe"] for each in json.loads(run("alert", "list", "--json", *pair[0]).out)] == ["gold"]
    assert [tribe["alert"] for tribe in both(twins, pair, "tribe", "list", "--json").json] == ["quiet"]
    assert say("delete", "gold").code == 0
    assert say("delete", "gold").code == 1
    assert say("list", "--json").json == []


def test_a_delivery_is_created_run_paused_and_deleted_alike(twins: Twins) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> Said:
        return both(twins, pair, "deliveries", *arguments)

    assert say("create", "lake", "https://example.com/events").code == 1
    assert say("create", "lake", "s3://exports/events", "--secret", "none").code == 1
    assert say("create", "lake", "s3://exports/events", "--format", "xml").code == 2
    made = say(
        *("create", "lake", "s3://exports/events", "--format", "csv", "--compression", "gzip"),
        *("--event", "ad", "--event", "page/viewed", "--email", "data@example.com", "--no-history", "--json"),
    )
    assert made.json["draft"]["events"] == ["ad", "page/viewed"]
    assert made.json["position"] == {"next_version": 1, "step_end": None}
    assert say("create", "lake", "s3://exports/events").code == 1
    assert say("pause", "lake").out == "Delivery lake was paused. It runs only when you start it.\n"
    assert "is paused" in say("show", "lake").out
    assert say("resume", "lake").code == 0
    assert [(each["id"], each["newest_run"]) for each in say("list", "--json").json] == [("lake", None)]
    assert say("delete", "lake").code == 0
    assert say("show", "lake").code == 1


def test_a_command_delivers_by_itself_or_waits_for_the_server(
    twins: Twins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAGLOOM_FILES_FOLDER", str(twins.data / "files"))
    pair = twins.pair()
    events = write(tmp_path / "e.ndjson", '{"user":"u1","event":"ad/clicked","at":"2026-03-01T09:00:00Z","id":"m1"}\n')
    for number, where in enumerate(pair):
        folder = twins.data / "files" / "main" / f"lake-{number}"
        assert run("events", "record", events, *where).code == 0
        assert run("deliveries", "create", "lake", f"file://{folder}", *where).code == 0

        said = run("deliveries", "run", "lake", "--wait", *where)

        assert said.code == 0, said
        assert said.out.startswith(("Run 1 of lake is done: 1 event in 1 part", "Run 2 of lake is done: 1 event in 1"))
        name = f"day=2026-03-01/part-{1:012}-{1:012}.parquet"
        assert (folder / name).is_file()
        shown = json.loads(run("deliveries", "show", "lake", "--json", *where).out)
        assert [each["written"][0]["name"] for each in shown["runs"]] == [name]
