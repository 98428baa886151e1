"""`tagloom people`: on a directory and through a server, with the same answers."""

import json
from pathlib import Path

from tests.cli.conftest import Twins
from tests.cli.running import Said, run, write
from tests.cli.test_both_ways import both


def test_each_command_says_the_same_on_a_directory_and_on_a_server(twins: Twins, tmp_path: Path) -> None:
    pair = twins.pair()

    def say(*arguments: object) -> Said:
        return both(twins, pair, *arguments)

    for id in ("u1", "u2", "u3"):
        say("tag", id, "a", "--json")
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"\xff\n")
    ids = write(tmp_path / "ids.txt", "\ufeffu1\r\n\nu2\nghost\nu2\n")

    tried = say("people", "delete", "--file", ids, "--kind", "both", "--json")
    assert (tried.json["dry_run"], tried.json["erased"], tried.json["suppressed"]) == (True, 2, 3)
    assert "Nothing was changed" in say("people", "delete", "u1").out
    assert say("show", "u1", "--json").code == 0
    done = say("people", "delete", "--file", ids, "--kind", "both", "--yes", "--json")
    assert (done.json["erased"], done.json["suppressed"], done.json["removed"]) == (2, 3, 2)
    assert say("show", "u1", "--json").code == 1
    assert say("tag", "u1", "a").code == 1
    assert "added to the list" in say("people", "delete", "u3", "--kind", "suppress", "--yes").out
    assert say("people", "delete", "u1", "u3", "--kind", "unsuppress", "--yes", "--json").json["suppressed"] == 2
    assert say("tag", "u1", "a", "--json").json["added"] == 1
    assert say("people", "delete", "--kind", "forget", "u1").code == 2
    assert say("people", "delete").code == 2
    assert say("people", "delete", "--file", tmp_path / "missing").code == 2
    assert say("people", "delete", "--file", bad).code == 2
    assert say("people", "data", "nobody").code == 1

    for number, where in enumerate(pair):
        file = tmp_path / f"u1-{number}.json"
        assert run("people", "data", "u1", "-o", file, *where).code == 0
        found = json.loads(file.read_bytes())
        assert (found["record"]["tags"], [each["tags_added"] for each in found["changes"]]) == (["a"], [["a"]])
        assert json.loads(run("people", "data", "u1", *where).out)["version"] == found["version"]


def test_more_ids_than_one_request_names_are_sent_in_several(twins: Twins, tmp_path: Path) -> None:
    (where, _) = twins.pair()
    ids = write(tmp_path / "ids.txt", "\n".join(f"u{number}" for number in range(5_001)))

    found = run("people", "delete", "--file", ids, "--visitor", "--kind", "suppress", "--yes", "--json", *where)

    assert found.json["suppressed"] == 5_001
