"""Mappings and syncs of a server from the command line: kept, run, held, approved, cancelled, forgotten."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tagloom_client import Tagloom
from tests.cli.conftest import Twins
from tests.cli.running import ask, run, write
from tests.egress.places import web

PLANS = """
user = "id"
ignore = ["name"]

[columns.plan]
values = { "gold" = "plan/gold", "free" = "" }
"""
CRM = {"source": {"type": "push"}, "mapping": "plans", "prefix": "crm"}


@pytest.fixture
def where(twins: Twins, tmp_path: Path) -> tuple[str, ...]:
    """A space of the server that keeps the mapping `plans` and has the sync `crm`."""
    options = twins.pair()[1]
    said = run("mapping", "put", "plans", write(tmp_path / "plans.toml", PLANS), "--prefix", "crm", *options)
    assert said.out == "Mapping plans was saved as version 1.\n"
    said = run("sync", "put", "crm", write(tmp_path / "crm.json", json.dumps(CRM)), *options)
    assert said.out == "Sync crm was saved as revision 1. It runs when you start it.\n"
    return options


@pytest.fixture
def client(twins: Twins, where: tuple[str, ...]) -> Iterator[Tagloom]:
    """A client at that space."""
    with Tagloom(twins.url, twins.token, space=where[-1]) as client:
        yield client


def push(client: Tagloom, count: int, state: str, *, requires_approval: bool = False) -> None:
    """So many customers of the plan gold; waits until the run has come so far."""
    records = [{"id": f"u{number}", "plan": "gold"} for number in range(count)]
    body = "".join(json.dumps(record) + "\n" for record in records).encode()
    pushed = client.push_records("crm", body, requires_approval=requires_approval)
    deadline = time.monotonic() + 60
    while next(run.state for run in client.list_sync_runs("crm") if run.id == pushed.id) != state:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_mappings_are_kept_in_versions_shown_and_forgotten(where: tuple[str, ...], tmp_path: Path) -> None:
    shown = json.loads(run("mapping", "show", "plans", *where).out)
    assert (shown["prefix"], shown["columns"][0]["values"]) == ("crm", {"gold": "plan/gold", "free": ""})

    again = write(tmp_path / "plans.json", json.dumps({**shown, "prefix": "erp"}))
    assert run("mapping", "put", "plans", again, *where).out == "Mapping plans was saved as version 2.\n"
    assert [(each["name"], each["version"]) for each in ask("mapping", "list", *where)] == [("plans", 2)]
    assert "plans" in run("mapping", "list", *where).out
    assert json.loads(run("mapping", "show", "plans", "--version", 1, *where).out) == shown

    assert run("mapping", "delete", "plans", *where).out == "Mapping plans was deleted.\n"
    assert ask("mapping", "list", *where) == []
    assert run("mapping", "show", "plans", *where).code == 1


def test_a_mapping_is_proposed_for_a_file_and_for_the_source_of_a_sync(where: tuple[str, ...], tmp_path: Path) -> None:
    rows = "customer_id,Plan\nu1,Gold\nu2,Silver\n"
    column = {"type": "value", "column": "Plan", "branch": "plan", "steps": ["slug"]}

    file = write(tmp_path / "customers.csv", rows)
    inferred = run("mapping", "infer", file, "--prefix", "crm", *where)

    assert inferred.code == 0, inferred
    assert (inferred.json["user"], inferred.json["prefix"]) == ("customer_id", "crm")
    assert column.items() <= inferred.json["columns"][0].items()
    kept = write(tmp_path / "customers.json", inferred.out)
    assert run("mapping", "put", "customers", kept, *where).out == "Mapping customers was saved as version 1.\n"
    with web() as place:
        place.serve("/customers.csv", rows.encode())
        draft = {**CRM, "source": {"type": "url", "url": f"{place.url}/customers.csv"}}
        found = ask("mapping", "infer", write(tmp_path / "draft.json", json.dumps(draft)), *where)
    assert (found["mapping"]["user"], len(found["rows"])) == ("customer_id", 2)


def test_a_file_that_is_no_mapping_is_refused_before_the_server_is_asked(tmp_path: Path) -> None:
    broken = write(tmp_path / "plans.toml", "user = 3")
    said = run("mapping", "put", "plans", broken, "--url", "http://127.0.0.1:1", "--token", "t")
    assert (said.code, "plans.toml: Expected `str | null`" in said.err) == (1, True), said


def test_a_held_run_is_approved_or_cancelled(client: Tagloom, where: tuple[str, ...]) -> None:
    push(client, 10, "done")
    push(client, 2, "held")
    held = client.list_sync_runs("crm")[0].id
    assert run("sync", "cancel", "crm", *where).out == f"Run {held} of crm was cancelled.\n"
    assert client.get_tag("crm/plan/gold").users == 10

    push(client, 2, "held")
    said = run("sync", "approve", "crm", *where)

    assert said.code == 0, said
    assert "is done: 2 rows, 0 taggings added, 8 removed, 0 new people, 0 rejected; version" in said.out
    assert client.get_tag("crm/plan/gold").users == 2
    assert run("sync", "approve", "crm", *where).code == 1
    assert "'crm' has no held run." in run("sync", "cancel", "crm", *where).err


def test_a_run_that_failed_is_told_so_with_exit_code_1(where: tuple[str, ...], tmp_path: Path) -> None:
    pulled = CRM | {"source": {"type": "url", "url": "http://nowhere.invalid/crm.csv"}}
    assert run("sync", "put", "crm", write(tmp_path / "crm.json", json.dumps(pulled)), *where).code == 0

    said = run("sync", "run", "crm", "--wait", *where)

    assert (said.code, " of crm has failed. The host" in said.out) == (1, True), said


def test_a_run_that_requires_approval_waits_with_its_plan_until_it_is_approved(
    client: Tagloom, where: tuple[str, ...]
) -> None:
    push(client, 1, "held", requires_approval=True)
    held = client.list_sync_runs("crm")[0]
    assert (held.requires_approval, list(client.list_tags(prefix="crm/plan"))) == (True, [])

    said = run("sync", "approve", "crm", *where)

    assert said.out.startswith(f"Run {held.id} of crm is done: 1 row, 1 tagging added, 0 removed"), said


def test_a_sync_is_paused_and_resumed(client: Tagloom, where: tuple[str, ...], tmp_path: Path) -> None:
    draft = {**CRM, "source": {"type": "files", "glob": "*.csv"}, "schedule": {"cron": "0 6 * * *"}}
    run("sync", "put", "crm", write(tmp_path / "files.json", json.dumps(draft)), *where)

    assert run("sync", "pause", "crm", *where).out == "Sync crm was paused. It runs only when you start it.\n"
    assert client.get_sync("crm").next_run_at is None
    said = run("sync", "resume", "crm", *where)
    assert said.out == f"Sync crm was resumed. It runs next at {client.get_sync('crm').next_run_at}.\n"


def test_a_sync_that_records_come_to_by_themselves_is_not_run(where: tuple[str, ...]) -> None:
    assert "cannot be run" in run("sync", "run", "crm", "--wait", *where).err


def test_a_sync_is_listed_and_forgotten(client: Tagloom, where: tuple[str, ...]) -> None:
    push(client, 1, "done")
    assert [(each["id"], each["newest_run"]["state"]) for each in ask("sync", "list", *where)] == [("crm", "done")]
    assert [each["rows"] for each in ask("sync", "runs", "crm", *where)] == [1]
    assert run("sync", "delete", "crm", *where).out == "Sync crm was deleted.\n"
    assert ask("sync", "list", *where) == []


STATE = {"type": "STATE", "value": {"bookmarks": {}}}


def tapped(count: int, *more: dict[str, object]) -> bytes:
    """What a tap writes of so many customers."""
    schema = {"type": "SCHEMA", "stream": "c", "schema": {}, "key_properties": ["id"]}
    records = [
        {"type": "RECORD", "stream": "c", "record": {"id": f"u{number}", "plan": "gold"}} for number in range(count)
    ]
    return b"".join(json.dumps(message).encode() + b"\n" for message in (schema, *records, *more))


def newest_run(client: Tagloom, *states: str) -> str:
    """The state of the newest run, once it is one of these."""
    deadline = time.monotonic() + 60
    while (found := client.list_sync_runs("crm", limit=1)[0].state) not in states:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_a_tap_that_dies_midway_takes_nobodys_tags(client: Tagloom, where: tuple[str, ...]) -> None:
    said = run("sync", "singer", "crm", *where, typed=tapped(10, STATE))
    assert (said.code, json.loads(said.out)) == (0, {"bookmarks": {}})
    assert newest_run(client, "done") == "done"

    said = run("sync", "singer", "crm", *where, typed=tapped(9))

    assert (said.code, said.out) == (1, "")
    assert "the tap ended without a last STATE" in said.err.replace("\n", " ")
    assert newest_run(client, "held", "done", "failed") == "held"
    assert client.get_person(user="u9").tags == ("crm/plan/gold",)
    run("sync", "cancel", "crm", *where)


def test_a_tap_that_gives_nothing_pushes_nothing_and_fails(client: Tagloom, where: tuple[str, ...]) -> None:
    for typed in (b"", tapped(0, STATE)):
        said = run("sync", "singer", "crm", *where, typed=typed)
        assert said.code == 1
        assert "wrote no record" in said.err.replace("\n", " ")
    assert list(client.list_sync_runs("crm")) == []


def test_a_tap_that_gives_what_changed_is_held_in_a_mirror(client: Tagloom, where: tuple[str, ...]) -> None:
    bookmarks = {"bookmarks": {"c": {"replication_key": "updated_at", "replication_key_value": "2026-01-01"}}}

    said = run("sync", "singer", "crm", *where, typed=tapped(2, {"type": "STATE", "value": bookmarks}))

    assert said.code == 1
    assert "a bookmark 'updated_at'" in said.err.replace("\n", " ")
    assert newest_run(client, "held", "done", "failed") == "held"
    run("sync", "cancel", "crm", *where)
