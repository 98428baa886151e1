"""`tagloom events`: on a directory and through a server, with the same answers."""

import gzip
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tagloom.events import event_files
from tests.cli.conftest import Twins
from tests.cli.running import Said, ask, run, write
from tests.cli.test_both_ways import both

LINES = (
    '{"user":"u1","event":"ad/clicked","id":"m1","at":"2026-03-01T09:00:00.5Z","properties":{"ad":7,"place":"top"}}\n'
    '{"user":"u1","event":"Ad Clicked"}\n'
    '{"visitor":"v1","event":"ad/seen","id":"m2","at":"2026-03-02T09:00:00Z"}\n'
    '{"user":"u1","event":"article/viewed","id":"m3","at":"2026-02-01T00:00:00+01:00","properties":{"tags":["a",1]}}\n'
)


def test_each_command_says_the_same_on_a_directory_and_on_a_server(twins: Twins, tmp_path: Path) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> Said:
        return both(twins, pair, *arguments)

    file = write(tmp_path / "day.ndjson", LINES)
    objects = LINES.strip().replace("\n", ",")
    whole = write(tmp_path / "day.json", f'{{"events":[{objects}]}}')

    dry = say("events", "record", file, "--dry-run", "--json")
    assert (dry.code, dry.json["events"], dry.json["dry_run"], dry.json["version"]) == (3, 3, True, 0)
    first = say("events", "record", file, "--json")
    assert (first.code, first.json["events"], first.json["new_people"], first.json["version"]) == (3, 3, 2, 1)
    assert [each["suggestion"] for each in first.json["rejected"]] == ["ad/clicked"]
    again = say("events", "record", whole, "--json")
    assert (again.json["repeats"], again.json["events"], again.json["version"]) == (3, 0, 1)
    assert say("events", "record", whole, "--source", "warehouse", "--json").json["repeats"] == 3
    assert say("events", "record", file, "--format", "json").code == 1
    assert say("events", "record", file, "--format", "csv").code == 1
    assert say("events", "record", tmp_path / "missing").code == 2
    assert say("events", "record", tmp_path).code == 2

    assert [each["event"] for each in say("events", "types", "--json").json] == [
        *("ad/clicked", "ad/seen", "article/viewed")
    ]
    listed = [[run("events", "list", "u1", "--json", *where).json[at] for where in pair] for at in range(2)]
    for local, remote in listed:
        assert local | {"received_at": ""} == remote | {"received_at": ""}
    assert [local["id"] for local, _ in listed] == ["m3", "m1"]
    assert listed[1][0]["properties"] == {"ad": 7, "place": "top"}
    assert len(run("events", "list", "u1", "--limit", "1", "--json", *pair[0]).json) == 1
    assert len(run("events", "list", "u1", "--limit", "1", "--json", *pair[1]).json) == 1
    assert say("events", "list", "nobody").code == 1
    assert say("events", "list", "v1").code == 1
    assert "m2" in say("events", "list", "v1", "--visitor").out

    assert say("history", "--json").json == []
    changes = say("history", "--action", "events", "--json").json
    assert [(each["version"], each["events"], each["source"]) for each in changes] == [(1, 3, "day.ndjson")]
    assert say("undo", "1").code == 1


def test_a_person_is_shown_with_the_event_that_decided_a_tribe(twins: Twins, tmp_path: Path) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> Said:
        return both(twins, pair, *arguments)

    file = write(
        tmp_path / "day.ndjson", '{"user":"u1","event":"ad/clicked"}\n' * 3 + '{"user":"u2","event":"ad/seen"}\n'
    )
    assert say("events", "record", file, "--json").json["events"] == 4
    clicked = '{"type":"event","event":"ad/clicked","days":7,"times":2}'
    say("tribe", "create", "Clicked", clicked, "--json")
    say("tribe", "create", "Not clicked", f'{{"type":"not","of":{clicked}}}', "--json")

    assert say("show", "u1", "--json").json["because"]["clicked"][0]["events"] == 3
    for where in pair:
        shown = run("show", "u1", *where).out
        assert "clicked: has at least 2 'ad/clicked' events in the last 7 days  [3 events]" in shown
        shown = run("show", "u2", *where).out
        assert "not-clicked: does not have at least 2 'ad/clicked' events in the last 7 days  [0 events]" in shown


def test_what_was_recorded_is_shown_to_people(data: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "day.ndjson", LINES)

    said = run("events", "record", file, "--data", data)

    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert lines[:5] == [
        "3 events recorded from day.ndjson version 1",
        "count",
        "events 3",
        "repeats 0",
        "new people 2",
    ]
    assert "2 Ad Clicked 'Ad Clicked' is not a category and an action" in " ".join(lines)
    assert "nothing changed" in run("events", "record", file, "--data", data).out
    shown = [" ".join(line.split()) for line in run("events", "list", "u1", "--data", data).out.splitlines()]
    assert shown[1:] == [
        '2026-01-31 23:00:00 article/viewed tags: ["a",1] m3',
        "2026-03-01 09:00:00 ad/clicked ad: 7, place: top m1",
    ]
    shown = [" ".join(line.split()) for line in run("events", "types", "--data", data).out.splitlines()]
    assert shown[1:] == [
        "ad/clicked 1 2026-03-01 2026-03-01",
        "ad/seen 1 2026-03-02 2026-03-02",
        "article/viewed 1 2026-01-31 2026-01-31",
    ]


@pytest.mark.parametrize("place", [0, 1])
def test_events_come_from_standard_input_too(twins: Twins, place: int) -> None:
    where = twins.pair()[place]
    body = "".join(json.dumps({"user": "u1", "event": "a/b", "id": f"m{n}"}) + "\n" for n in range(1_500))

    said = run("events", "record", "-", *where, "--json", typed=body.encode())

    assert (said.code, said.json["events"]) == (0, 1_500)
    events = ask("events", "list", "u1", "--limit", "1200", *where)
    assert [each["id"] for each in events] == [f"m{n}" for n in range(1_499, 299, -1)]


@pytest.mark.parametrize("name", ["day.ndjson.gz", "day.json.gz", "day"])
def test_a_compressed_file_is_read_as_what_it_is(data: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    text = f"[{LINES.strip().replace(chr(10), ',')}]" if ".json" in name else LINES
    file.write_bytes(gzip.compress(text.encode()))

    assert run("events", "record", file, "--data", data, "--json").json["events"] == 3


def test_exports_are_the_same_on_a_directory_and_on_a_server(twins: Twins, tmp_path: Path) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> list[str]:
        """The output of a command at each place, without the times of recording."""
        said = [run("events", "export", *arguments, *where) for where in pair]
        assert [each.code for each in said] == [0, 0]
        found = [
            re.sub(r"(received_at\D{3}|,)20\d\d-[^,]*Z(?=[,\"]\d|\",\"version)", r"\1now", each.out) for each in said
        ]
        assert found[0] == found[1]
        return found[0].splitlines()

    both(twins, pair, "events", "record", write(tmp_path / "day.ndjson", LINES))
    both(twins, pair, "tribe", "create", "Clickers", '{"type":"event","event":"ad/clicked","days":366}')

    assert [json.loads(line)["id"] for line in say()] == ["m1", "m2", "m3"]
    assert [json.loads(line)["id"] for line in say("u1", "--event", "ad")] == ["m1"]
    assert [json.loads(line)["id"] for line in say("v1", "--visitor")] == ["m2"]
    assert [json.loads(line)["id"] for line in say("--tribe", "clickers", "--event", "article")] == ["m3"]
    assert [json.loads(line)["id"] for line in say("--since", "2026-03-02T00:00:00Z")] == ["m2"]
    assert say("--until", "2026-02-15T00:00:00Z", "--format", "csv")[1].startswith("u1,,article/viewed,")
    for where in pair:
        file = tmp_path / "events.parquet"
        assert run("events", "export", "--out", file, *where).code == 0
        assert pq.read_table(file).num_rows == 3
    assert both(twins, pair, "events", "export", "--format", "xml").code == 2
    assert both(twins, pair, "events", "export", "--since", "yesterday").code == 2
    assert both(twins, pair, "events", "export", "u1", "--tribe", "clickers").code == 2
    assert both(twins, pair, "events", "export", "nobody").code == 1


def test_tables_and_files_of_many_batches_are_recorded_with_the_lines_of_the_file(
    twins: Twins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = twins.pair()
    monkeypatch.setattr(event_files, "_LINES_PER_BODY", 2)
    rows = "user,event,id,ad\nu1,a/b,m1,7\nu2,Ad Clicked,m2,\nu3,a/b,m3\nu4,a/b,m4,\nu5,a/b,m5,x\n"
    table = write(tmp_path / "events.csv", rows)

    first = both(twins, pair, "events", "record", table, "--json")
    again = both(twins, pair, "events", "record", table, "--json")

    assert (first.code, first.json["events"], first.json["new_people"], first.json["version"]) == (3, 3, 3, 3)
    assert [(each["line"], each["problem"]) for each in first.json["rejected"]] == [
        (3, "event-type-invalid"),
        (4, "line-invalid"),
    ]
    lines = write(tmp_path / "lines.ndjson", '{"user":"u9","event":"a/b","id":"n1"}\n' * 3 + "oops\n")
    broken = both(twins, pair, "events", "record", lines, "--json").json["rejected"][0]
    assert (broken["line"], broken["detail"][:7]) == (4, "Line 4 ")
    assert (again.json["events"], again.json["repeats"], again.json["rejected_count"]) == (0, 3, 2)
    exported = [run("events", "export", *where).out.splitlines() for where in pair]
    assert [[json.loads(line).get("properties") for line in lines] for lines in exported] == [
        [{"ad": 7}, {}, {"ad": "x"}, {}]
    ] * 2
    file = tmp_path / "events.parquet"
    run("events", "export", "--out", file, *pair[0])
    assert both(twins, pair, "events", "record", file, "--json").json["repeats"] == 4
