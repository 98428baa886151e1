"""Imports and mappings over HTTP: a file is brought, planned, run, held, approved, and undone."""

import gzip
import time
from typing import Any

import httpx
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


FILE = b"user,tag\nu1,a\n"


def ended(tagloom: Tagloom, run: Import, *states: str) -> Import:
    """The import, once it is in one of these states."""
    deadline = time.monotonic() + 30
    while (found := tagloom.get_import(run.id)).state not in states:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_a_file_is_planned_looked_at_run_and_undone(tagloom: Tagloom) -> None:
    tagloom.put_mapping("plans", PLANS)
    brought = tagloom.create_import([b"id,plan\nu1,Gold\nu2,Silver\n"], format="csv", mapping="plans", name="crm.csv")
    assert (brought.state, brought.name) == ("waiting", "crm.csv")

    tagloom.ask_import(brought.id, "plan")
    planned = ended(tagloom, brought, "planned")
    assert planned.plan is not None
    assert planned.plan["preview"]["receipt"]["added"] == 2
    assert tagloom.get_environment().version == 0
    tagloom.ask_import(brought.id, "run")
    done = ended(tagloom, brought, "done")

    assert (done.tally["added"], done.rows_total) == (2, 2)
    assert tagloom.get_person(user="u1").tags == ("crm/plan/gold",)
    undone = tagloom.ask_import(brought.id, "undo")
    assert len(undone.undone) == 1
    with pytest.raises(ProblemError):
        tagloom.get_person(user="u1")
    assert [each.id for each in tagloom.list_imports()] == [brought.id]
    tagloom.delete_import(brought.id)
    assert tagloom.list_imports() == ()


def test_an_import_that_takes_much_is_held_until_it_is_approved(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": f"u{number}", "tags": ["crm/a"]} for number in range(10)])
    brought = tagloom.create_import([b"user,tag\nu1,crm/a\n"], format="csv", mode="mirror", prefix="crm")

    tagloom.ask_import(brought.id, "run")
    held = ended(tagloom, brought, "held")
    assert held.hold == "removes-much"
    tagloom.ask_import(brought.id, "approve")

    assert ended(tagloom, brought, "done").tally["removed"] == 9


def test_a_held_import_may_be_cancelled_instead(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": f"u{number}", "tags": ["crm/a"]} for number in range(10)])
    brought = tagloom.create_import([b"user,tag\nu1,crm/a\n"], format="csv", mode="mirror", prefix="crm")
    tagloom.ask_import(brought.id, "run")
    ended(tagloom, brought, "held")

    assert tagloom.cancel_import(brought.id, undo=True).state == "cancelled"
    assert tagloom.get_person(user="u9").tags == ("crm/a",)
    with pytest.raises(ProblemError) as caught:
        tagloom.ask_import(brought.id, "approve")
    assert caught.value.name == "import-state-wrong"


def test_rejected_lines_are_streamed_with_their_reasons(tagloom: Tagloom, served: Served) -> None:
    brought = tagloom.create_import([b"user,tag\nu1,A\nu2,b\nu3,C\n"], format="csv")
    tagloom.ask_import(brought.id, "run")
    ended(tagloom, brought, "done")

    found = list(tagloom.list_rejected(brought.id))
    assert [(each.line, each.problem, each.suggestion) for each in found] == [
        (2, "tag-has-capital", "a"),
        (4, "tag-has-capital", "c"),
    ]
    rows = b"".join(tagloom.download_rejected(brought.id))
    assert rows.startswith(b"user,tag,tagloom_line,")
    with served.http() as http:
        answer = http.get(f"{tagloom.place.address}/imports/{brought.id}/rejected", params={"shape": "rows"})
    assert (answer.headers["content-type"], answer.content) == ("text/csv", rows)
    again = tagloom.create_import(rows.replace(b"u1,A,", b"u1,a,").replace(b"u3,C,", b"u3,c,"), format="csv")
    tagloom.ask_import(again.id, "run")
    assert ended(tagloom, again, "done").tally["added"] == 2


def test_a_mapping_is_kept_in_its_forms(tagloom: Tagloom) -> None:
    first = tagloom.put_mapping("plans", PLANS, version=0)
    second = tagloom.put_mapping("plans", {**PLANS, "prefix": "erp"}, version=1)

    assert (first.version, second.version) == (1, 2)
    assert tagloom.get_mapping("plans").mapping["prefix"] == "erp"
    assert tagloom.get_mapping("plans", version=1).mapping["prefix"] == "crm"
    with pytest.raises(ProblemError) as caught:
        tagloom.put_mapping("plans", PLANS, version=1)
    assert caught.value.name == "mapping-changed"
    with pytest.raises(ProblemError) as caught:
        tagloom.put_mapping("other", {"columns": []})
    assert caught.value.name == "mapping-invalid"
    tagloom.delete_mapping("plans")
    assert tagloom.list_mappings() == ()


def test_an_import_of_another_environment_is_not_known(tagloom: Tagloom) -> None:
    brought = tagloom.create_import([b"user,tag\nu1,a\n"], format="csv")

    with pytest.raises(ProblemError) as caught:
        tagloom.at(environment="staging").get_import(brought.id)
    assert caught.value.name == "import-not-found"


def test_a_mapping_is_proposed_for_the_beginning_of_a_file(tagloom: Tagloom) -> None:
    body = b"customer_id,Plan\nu1,Gold\nu2,Silver\nu3,Gol"

    found = tagloom.infer_mapping(body, format="csv")

    (column,) = found.mapping["columns"]
    assert found.mapping["user"] == "customer_id"
    assert (column["type"], column["column"], column["branch"]) == ("value", "Plan", "plan")
    assert found.columns[1] == {"column": "Plan", "samples": ["Gold", "Silver"]}
    assert found.rows == (
        {"line": 2, "user": "u1", "tags": ["plan/gold"]},
        {"line": 3, "user": "u2", "tags": ["plan/silver"]},
    )
    # What was proposed is taken as it is.
    assert tagloom.put_mapping("plans", found.mapping).version == 1
    with pytest.raises(ProblemError) as caught:
        tagloom.infer_mapping(b"a,a\n1,2\n", format="csv")
    assert caught.value.name == "columns-invalid"
    with pytest.raises(ProblemError) as caught:
        tagloom.infer_mapping(b"\0" * (16_777_216 + 1), format="parquet")
    assert caught.value.name == "body-too-large"


def test_a_mapping_may_be_given_to_an_import_that_waits(tagloom: Tagloom) -> None:
    brought = tagloom.create_import([b"id,plan\nu1,Gold\n"], format="csv")

    tagloom.put_import_mapping(brought.id, PLANS)
    tagloom.ask_import(brought.id, "run")
    assert ended(tagloom, brought, "done").tally["added"] == 1

    with pytest.raises(ProblemError) as caught:
        tagloom.put_import_mapping(brought.id, PLANS)
    assert caught.value.name == "import-state-wrong"
    assert tagloom.get_person(user="u1").tags == ("crm/plan/gold",)


def test_the_file_of_an_ended_import_is_forgotten_and_the_import_stays(tagloom: Tagloom) -> None:
    brought = tagloom.create_import([b"user,tag\nu1,A\n"], format="csv")
    with pytest.raises(ProblemError) as caught:
        tagloom.delete_import_file(brought.id)
    assert caught.value.name == "import-state-wrong"
    tagloom.ask_import(brought.id, "run")
    ended(tagloom, brought, "done")

    tagloom.delete_import_file(brought.id)

    assert tagloom.get_import(brought.id).state == "done"
    assert [each.line for each in tagloom.list_rejected(brought.id)] == [2]
    with pytest.raises(ProblemError) as caught:
        list(tagloom.download_rejected(brought.id))
    assert caught.value.name == "import-file-gone"


def test_an_empty_mirror_may_be_allowed_beforehand(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": "u1", "tags": ["crm/a"]}])
    how: dict[str, Any] = {"format": "csv", "mode": "mirror", "prefix": "crm", "share_removed_max": 100}

    held = tagloom.create_import([b"user,tag\n"], **how)
    tagloom.ask_import(held.id, "run")
    assert ended(tagloom, held, "held").hold == "source-empty"
    brought = tagloom.create_import([b"user,tag\n"], **how, allow_empty=True)
    tagloom.ask_import(brought.id, "run")

    assert ended(tagloom, brought, "done").tally["removed"] == 1


def test_an_import_is_watched_until_it_ends(tagloom: Tagloom, served: Served) -> None:
    brought = tagloom.create_import([b"user,tag\nu1,a\n"], format="csv")
    forms = tagloom.watch_import(brought.id)
    assert next(forms).state == "waiting"

    tagloom.ask_import(brought.id, "run")

    *_, last = forms
    assert (last.state, last.tally["added"]) == ("done", 1)
    # One that has ended is told once.
    assert [form.state for form in tagloom.watch_import(brought.id)] == ["done"]
    with served.http() as http:
        address = f"{tagloom.place.address}/imports/{brought.id}/events"
        assert http.get(address).headers["content-type"] == "text/event-stream"
        assert http.head(address).status_code == 200


def test_many_watch_one_import_and_each_may_leave(tagloom: Tagloom) -> None:
    brought = tagloom.create_import([b"user,tag\nu1,a\n"], format="csv")
    watched = [tagloom.watch_import(brought.id) for _ in range(50)]
    assert {next(forms).state for forms in watched} == {"waiting"}

    for forms in watched[:40]:
        forms.close()  # type: ignore[attr-defined]  # A generator.
    tagloom.ask_import(brought.id, "run")

    assert {list(forms)[-1].state for forms in watched[40:]} == {"done"}


def test_a_watched_import_that_is_dropped_lets_everybody_go(tagloom: Tagloom) -> None:
    brought = tagloom.create_import([b"user,tag\nu1,a\n"], format="csv")
    forms = tagloom.watch_import(brought.id)
    next(forms)

    tagloom.delete_import(brought.id)

    assert {form.state for form in forms} == {"waiting"}


def test_no_more_watch_than_a_process_can_bear(tagloom: Tagloom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EVENT_STREAMS_AT_ONCE_MAX", 1)
    brought = tagloom.create_import([b"user,tag\nu1,a\n"], format="csv")
    forms = tagloom.watch_import(brought.id)
    next(forms)
    patient = Tagloom(str(tagloom._http.base_url), tagloom._http.headers["Authorization"][7:], retries=Retries(tries=1))

    with patient as other, pytest.raises(ProblemError) as caught:
        next(other.at(space=tagloom.place.space, environment=tagloom.place.environment).watch_import(brought.id))

    assert (caught.value.name, caught.value.status) == ("too-many-watchers", 503)
    forms.close()  # type: ignore[attr-defined]  # A generator.


def test_a_stream_of_events_ends_after_its_time_and_says_meanwhile_that_it_lives(
    tagloom: Tagloom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EVENT_SECONDS_BETWEEN_MAX", 0.05)
    monkeypatch.setattr(limits, "EVENT_STREAM_SECONDS_MAX", 0.3)
    brought = tagloom.create_import([b"user,tag\nu1,a\n"], format="csv")

    states = [form.state for form in tagloom.watch_import(brought.id)]

    assert len(states) > 1
    assert set(states) == {"waiting"}


def test_a_file_is_fetched_from_its_address(tagloom: Tagloom, served: Served) -> None:
    with web() as place:
        url = place.serve("/crm.ndjson", b'{"user": "u1", "tags": ["crm/gold"]}\n', ETag='"1"')
        brought = tagloom.create_import_from_url(f"{url}?page=2", mode="mirror", prefix="crm", share_removed_max=100)
        assert (brought.state, brought.name) == ("fetching", "crm.ndjson")
        waiting = ended(tagloom, brought, "waiting")
    assert waiting.remote == {"url": url, "secret": None, "etag": '"1"', "modified_at": None}
    tagloom.ask_import(brought.id, "run")
    assert ended(tagloom, brought, "done").tally["added"] == 1


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
    tagloom: Tagloom, served: Served, body: dict[str, Any], status: int, problem: str
) -> None:
    with served.http() as http:
        answer = http.post(f"{tagloom.place.address}/imports", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")
    assert "sesame" not in answer.text
    assert tagloom.list_imports() == ()


def test_a_key_brings_one_import_however_often_it_is_sent(tagloom: Tagloom, served: Served) -> None:
    first = tagloom.create_import(b"user,tag\nu1,a\n", format="csv", idempotency_key="load 1")
    assert tagloom.create_import(b"user,tag\nu1,a\n", format="csv", idempotency_key="load 1").id == first.id
    with pytest.raises(ProblemError) as caught:
        tagloom.create_import(b"user,tag\nu2,a\n", format="csv", idempotency_key="load 1")
    assert caught.value.name == "idempotency-key-reused"
    headers = {"Idempotency-Key": "form 1"}
    with served.http() as http:
        sent = [
            http.post(f"{tagloom.place.address}/imports", files={"file": ("a.csv", b"user,tag\n")}, headers=headers)
            for _ in range(2)
        ]
        url = {"url": "https://localhost:1/a.csv"}
        asked = [
            http.post(f"{tagloom.place.address}/imports", json=url, headers={"Idempotency-Key": "u"}) for _ in "ab"
        ]
    assert [each.status_code for each in (*sent, *asked)] == [201] * 4
    assert sent[0].json()["id"] == sent[1].json()["id"]
    assert asked[0].json()["id"] == asked[1].json()["id"]
    assert len(tagloom.list_imports()) == 3


@pytest.mark.parametrize("door", ["taggings", "imports"])
@pytest.mark.parametrize(
    ("headers", "body", "status", "says"),
    [
        ({"Content-Type": "text/csv; charset=zzz"}, FILE, 415, "not in 'zzz'"),
        ({"Content-Type": "text/csv", "Content-Encoding": "br"}, FILE, 415, "not by 'br'"),
        ({"Content-Type": "text/csv", "Content-Encoding": "gzip"}, FILE, 422, "announced as gzip but is not"),
    ],
    ids=["charset", "unknown", "uncompressed"],
)
def test_both_doors_judge_the_headers_of_a_body_alike(
    tagloom: Tagloom, served: Served, door: str, headers: dict[str, str], body: bytes, status: int, says: str
) -> None:
    with served.http() as http:
        answer = http.post(f"{tagloom.place.address}/{door}", content=body, headers=headers)

    assert answer.status_code == status
    assert says in answer.json()["detail"]


def test_a_body_that_is_compressed_twice_is_refused_at_both_doors(tagloom: Tagloom, served: Served) -> None:
    twice = gzip.compress(gzip.compress(FILE))
    with served.http() as http:
        answer = http.post(f"{tagloom.place.address}/taggings", content=twice, headers={"Content-Type": "text/csv"})
    brought = tagloom.create_import(twice, format="csv")
    tagloom.ask_import(brought.id, "run")
    failed = ended(tagloom, brought, "failed", "done")

    assert answer.status_code == 422
    assert "compressed twice" in answer.json()["detail"]
    assert failed.state == "failed"
    assert "compressed twice" in failed.detail


@pytest.mark.parametrize("as_form", [False, True])
def test_an_import_is_read_in_the_charset_of_its_content_type(tagloom: Tagloom, served: Served, as_form: bool) -> None:
    body, kind = "ü\n".encode("cp1252"), "text/csv; charset=windows-1252"
    address = f"{tagloom.place.address}/imports"
    with served.http() as http:

        def post(query: str) -> httpx.Response:
            if as_form:
                return http.post(address + query, files={"file": ("a.csv", body, kind)})
            return http.post(address + query, content=body, headers={"Content-Type": kind})

        brought, refused = post("?tag=a"), post("")

    assert brought.status_code == 201
    run = tagloom.get_import(brought.json()["id"])
    tagloom.ask_import(run.id, "run")
    ended(tagloom, run, "done")
    assert tagloom.get_person(user="ü").tags == ("a",)
    assert refused.status_code == 415
    assert "without a mapping cannot be read as windows-1252" in refused.json()["detail"]
