"""Imports and mappings over HTTP: a file is brought, planned, run, held, approved, and undone."""

import time
from typing import Any

import pytest

from tagloom.http import limits
from tagloom_client import ProblemError, Retries, Tagloom
from tagloom_client.models import Import
from tests.egress.places import web
from tests.http.serving import Served

PLANS: dict[str, Any] = {
    "user": "id",
    "columns": [{"type": "value", "column": "plan", "branch": "plan"}],
    "prefix": "crm",
}


def ended(loom: Tagloom, run: Import, *states: str) -> Import:
    """The import, once it is in one of these states."""
    deadline = time.monotonic() + 30
    while (found := loom.get_import(run.id)).state not in states:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_a_file_is_planned_looked_at_run_and_undone(loom: Tagloom) -> None:
    loom.put_mapping("plans", PLANS)
    brought = loom.bring_file([b"id,plan\nu1,Gold\nu2,Silver\n"], format="csv", mapping="plans", name="crm.csv")
    assert (brought.state, brought.name) == ("waiting", "crm.csv")

    loom.ask_import(brought.id, "plan")
    planned = ended(loom, brought, "planned")
    assert planned.plan is not None
    assert planned.plan["foreseen"]["receipt"]["added"] == 2
    assert loom.get_environment().version == 0
    loom.ask_import(brought.id, "run")
    done = ended(loom, brought, "done")

    assert (done.tally["added"], done.rows_total) == (2, 2)
    assert loom.get_person(user="u1").tags == ("crm/plan/gold",)
    undone = loom.ask_import(brought.id, "undo")
    assert len(undone.undone) == 1
    with pytest.raises(ProblemError):
        loom.get_person(user="u1")
    assert [each.id for each in loom.list_imports()] == [brought.id]
    loom.drop_import(brought.id)
    assert loom.list_imports() == ()


def test_an_import_that_takes_much_is_held_until_it_is_approved(loom: Tagloom) -> None:
    loom.tag_people([{"user": f"u{number}", "tags": ["crm/a"]} for number in range(10)])
    brought = loom.bring_file([b"user,tag\nu1,crm/a\n"], format="csv", mode="mirror", under="crm")

    loom.ask_import(brought.id, "run")
    held = ended(loom, brought, "held")
    assert held.hold == "removes-much"
    loom.ask_import(brought.id, "approve")

    assert ended(loom, brought, "done").tally["removed"] == 9


def test_a_held_import_may_be_cancelled_instead(loom: Tagloom) -> None:
    loom.tag_people([{"user": f"u{number}", "tags": ["crm/a"]} for number in range(10)])
    brought = loom.bring_file([b"user,tag\nu1,crm/a\n"], format="csv", mode="mirror", under="crm")
    loom.ask_import(brought.id, "run")
    ended(loom, brought, "held")

    assert loom.cancel_import(brought.id, undo=True).state == "cancelled"
    assert loom.get_person(user="u9").tags == ("crm/a",)
    with pytest.raises(ProblemError) as caught:
        loom.ask_import(brought.id, "approve")
    assert caught.value.name == "import-state-wrong"


def test_rejected_lines_are_streamed_with_their_reasons(loom: Tagloom, served: Served) -> None:
    brought = loom.bring_file([b"user,tag\nu1,A\nu2,b\nu3,C\n"], format="csv")
    loom.ask_import(brought.id, "run")
    ended(loom, brought, "done")

    found = list(loom.list_rejected(brought.id))
    assert [(each.line, each.problem, each.suggestion) for each in found] == [
        (2, "tag-has-capital", "a"),
        (4, "tag-has-capital", "c"),
    ]
    rows = b"".join(loom.download_rejected(brought.id))
    assert rows.startswith(b"user,tag,tagloom_line,")
    with served.http() as http:
        answer = http.get(f"{loom.place.address}/imports/{brought.id}/rejected", params={"shape": "rows"})
    assert (answer.headers["content-type"], answer.content) == ("text/csv", rows)
    again = loom.bring_file(rows.replace(b"u1,A,", b"u1,a,").replace(b"u3,C,", b"u3,c,"), format="csv")
    loom.ask_import(again.id, "run")
    assert ended(loom, again, "done").tally["added"] == 2


def test_a_mapping_is_kept_in_its_forms(loom: Tagloom) -> None:
    first = loom.put_mapping("plans", PLANS, version=0)
    second = loom.put_mapping("plans", {**PLANS, "prefix": "erp"}, version=1)

    assert (first.version, second.version) == (1, 2)
    assert loom.get_mapping("plans").mapping["prefix"] == "erp"
    assert loom.get_mapping("plans", version=1).mapping["prefix"] == "crm"
    with pytest.raises(ProblemError) as caught:
        loom.put_mapping("plans", PLANS, version=1)
    assert caught.value.name == "mapping-changed"
    with pytest.raises(ProblemError) as caught:
        loom.put_mapping("other", {"columns": []})
    assert caught.value.name == "mapping-invalid"
    loom.drop_mapping("plans")
    assert loom.list_mappings() == ()


def test_an_import_of_another_environment_is_not_known(loom: Tagloom) -> None:
    brought = loom.bring_file([b"user,tag\nu1,a\n"], format="csv")

    with pytest.raises(ProblemError) as caught:
        loom.at(environment="staging").get_import(brought.id)
    assert caught.value.name == "import-not-found"


def test_a_mapping_is_proposed_for_the_beginning_of_a_file(loom: Tagloom) -> None:
    body = b"customer_id,Plan\nu1,Gold\nu2,Silver\nu3,Gol"

    found = loom.propose_mapping(body, format="csv")

    (column,) = found.mapping["columns"]
    assert found.mapping["user"] == "customer_id"
    assert (column["type"], column["column"], column["branch"]) == ("value", "Plan", "plan")
    assert found.columns[1] == {"column": "Plan", "samples": ["Gold", "Silver"]}
    assert found.rows == (
        {"line": 2, "user": "u1", "tags": ["plan/gold"]},
        {"line": 3, "user": "u2", "tags": ["plan/silver"]},
    )
    # What was proposed is taken as it is.
    assert loom.put_mapping("plans", found.mapping).version == 1
    with pytest.raises(ProblemError) as caught:
        loom.propose_mapping(b"a,a\n1,2\n", format="csv")
    assert caught.value.name == "columns-invalid"
    with pytest.raises(ProblemError) as caught:
        loom.propose_mapping(b"\0" * (16_777_216 + 1), format="parquet")
    assert caught.value.name == "body-too-large"


def test_a_mapping_may_be_given_to_an_import_that_waits(loom: Tagloom) -> None:
    brought = loom.bring_file([b"id,plan\nu1,Gold\n"], format="csv")

    loom.put_import_mapping(brought.id, PLANS)
    loom.ask_import(brought.id, "run")
    assert ended(loom, brought, "done").tally["added"] == 1

    with pytest.raises(ProblemError) as caught:
        loom.put_import_mapping(brought.id, PLANS)
    assert caught.value.name == "import-state-wrong"
    assert loom.get_person(user="u1").tags == ("crm/plan/gold",)


def test_the_file_of_an_ended_import_is_forgotten_and_the_import_stays(loom: Tagloom) -> None:
    brought = loom.bring_file([b"user,tag\nu1,A\n"], format="csv")
    with pytest.raises(ProblemError) as caught:
        loom.drop_import_file(brought.id)
    assert caught.value.name == "import-state-wrong"
    loom.ask_import(brought.id, "run")
    ended(loom, brought, "done")

    loom.drop_import_file(brought.id)

    assert loom.get_import(brought.id).state == "done"
    assert [each.line for each in loom.list_rejected(brought.id)] == [2]
    with pytest.raises(ProblemError) as caught:
        list(loom.download_rejected(brought.id))
    assert caught.value.name == "import-file-gone"


def test_an_empty_mirror_may_be_allowed_beforehand(loom: Tagloom) -> None:
    loom.tag_people([{"user": "u1", "tags": ["crm/a"]}])
    how: dict[str, Any] = {"format": "csv", "mode": "mirror", "under": "crm", "share_removed_max": 100}

    held = loom.bring_file([b"user,tag\n"], **how)
    loom.ask_import(held.id, "run")
    assert ended(loom, held, "held").hold == "source-empty"
    brought = loom.bring_file([b"user,tag\n"], **how, allow_empty=True)
    loom.ask_import(brought.id, "run")

    assert ended(loom, brought, "done").tally["removed"] == 1


def test_an_import_is_watched_until_it_ends(loom: Tagloom, served: Served) -> None:
    brought = loom.bring_file([b"user,tag\nu1,a\n"], format="csv")
    forms = loom.watch_import(brought.id)
    assert next(forms).state == "waiting"

    loom.ask_import(brought.id, "run")

    *_, last = forms
    assert (last.state, last.tally["added"]) == ("done", 1)
    # One that has ended is told once.
    assert [form.state for form in loom.watch_import(brought.id)] == ["done"]
    with served.http() as http:
        address = f"{loom.place.address}/imports/{brought.id}/events"
        assert http.get(address).headers["content-type"] == "text/event-stream"
        assert http.head(address).status_code == 200


def test_many_watch_one_import_and_each_may_leave(loom: Tagloom) -> None:
    brought = loom.bring_file([b"user,tag\nu1,a\n"], format="csv")
    watched = [loom.watch_import(brought.id) for _ in range(50)]
    assert {next(forms).state for forms in watched} == {"waiting"}

    for forms in watched[:40]:
        forms.close()  # type: ignore[attr-defined]  # A generator.
    loom.ask_import(brought.id, "run")

    assert {list(forms)[-1].state for forms in watched[40:]} == {"done"}


def test_a_watched_import_that_is_dropped_lets_everybody_go(loom: Tagloom) -> None:
    brought = loom.bring_file([b"user,tag\nu1,a\n"], format="csv")
    forms = loom.watch_import(brought.id)
    next(forms)

    loom.drop_import(brought.id)

    assert {form.state for form in forms} == {"waiting"}


def test_no_more_watch_than_a_process_can_bear(loom: Tagloom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENT_STREAMS_AT_ONCE_MAX", 1)
    brought = loom.bring_file([b"user,tag\nu1,a\n"], format="csv")
    forms = loom.watch_import(brought.id)
    next(forms)
    patient = Tagloom(str(loom._http.base_url), loom._http.headers["Authorization"][7:], retries=Retries(tries=1))

    with patient as other, pytest.raises(ProblemError) as caught:
        next(other.at(space=loom.place.space, environment=loom.place.environment).watch_import(brought.id))

    assert (caught.value.name, caught.value.status) == ("too-many-watchers", 503)
    forms.close()  # type: ignore[attr-defined]  # A generator.


def test_a_stream_of_events_ends_after_its_time_and_says_meanwhile_that_it_lives(
    loom: Tagloom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_SECONDS_BETWEEN_MAX", 0.05)
    monkeypatch.setattr(limits, "EVENT_STREAM_SECONDS_MAX", 0.3)
    brought = loom.bring_file([b"user,tag\nu1,a\n"], format="csv")

    states = [form.state for form in loom.watch_import(brought.id)]

    assert len(states) > 1
    assert set(states) == {"waiting"}


def test_a_file_is_fetched_from_its_address(loom: Tagloom, served: Served) -> None:
    with web() as place:
        url = place.serve("/crm.ndjson", b'{"user": "u1", "tags": ["crm/gold"]}\n', ETag='"1"')
        brought = loom.bring_address(f"{url}?page=2", mode="mirror", under="crm", share_removed_max=100)
        assert (brought.state, brought.name) == ("fetching", "crm.ndjson")
        waiting = ended(loom, brought, "waiting")
    assert waiting.remote == {"url": url, "secret": None, "etag": '"1"', "modified_at": None}
    loom.ask_import(brought.id, "run")
    assert ended(loom, brought, "done").tally["added"] == 1


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({"url": "https://ada:sesame@example.com/a.csv"}, 422, "address-refused"),
        ({"url": "https://127.0.0.1/a.csv", "mode": "all"}, 422, "body-invalid"),
        ({"url": "https://example.com/a.csv", "token": "x"}, 422, "body-invalid"),
        ({"url": "https://example.com/a.csv", "share_removed_max": "5"}, 422, "body-invalid"),
        ({"url": "s3://bucket/a.csv", "secret": "crm"}, 422, "source-unreadable"),
        ({"url": "file:///etc/passwd", "format": "csv"}, 422, "address-refused"),
        ({"url": "https://example.com/a.csv", "mapping": "nowhere"}, 404, "mapping-not-found"),
        ({}, 422, "body-invalid"),
    ],
)
def test_an_address_that_cannot_be_fetched_is_refused_at_once(
    loom: Tagloom, served: Served, body: dict[str, Any], status: int, problem: str
) -> None:
    with served.http() as http:
        answer = http.post(f"{loom.place.address}/imports", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")
    assert "sesame" not in answer.text
    assert loom.list_imports() == ()


def test_a_key_brings_one_import_however_often_it_is_sent(loom: Tagloom, served: Served) -> None:
    first = loom.bring_file(b"user,tag\nu1,a\n", format="csv", idempotency_key="load 1")
    assert loom.bring_file(b"user,tag\nu1,a\n", format="csv", idempotency_key="load 1").id == first.id
    with pytest.raises(ProblemError) as caught:
        loom.bring_file(b"user,tag\nu2,a\n", format="csv", idempotency_key="load 1")
    assert caught.value.name == "idempotency-key-reused"
    headers = {"Idempotency-Key": "form 1"}
    with served.http() as http:
        sent = [
            http.post(f"{loom.place.address}/imports", files={"file": ("a.csv", b"user,tag\n")}, headers=headers)
            for _ in range(2)
        ]
        url = {"url": "https://localhost:1/a.csv"}
        asked = [http.post(f"{loom.place.address}/imports", json=url, headers={"Idempotency-Key": "u"}) for _ in "ab"]
    assert [each.status_code for each in (*sent, *asked)] == [201] * 4
    assert sent[0].json()["id"] == sent[1].json()["id"]
    assert asked[0].json()["id"] == asked[1].json()["id"]
    assert len(loom.list_imports()) == 3
