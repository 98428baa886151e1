"""Deletions at the door: people erased and suppressed many at once, and everything about one person as a file."""

import json
from urllib.parse import unquote

import httpx
import pytest

from tagloom_client import Tagloom, problems
from tests.http.serving import Served


def data_of(tagloom: Tagloom, **who: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(b"".join(tagloom.download_person_data(**who)))
    return found


# Deletions.


def test_people_are_deleted_and_refused_in_one_request(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": "u1", "tags": ["a"]}, {"visitor": "v1", "tags": ["a"]}, {"user": "u2", "tags": ["a"]}])

    receipt = tagloom.delete_people("both", users=["u1", "ghost"], visitors=["v1"])

    assert (receipt.erased, receipt.suppressed, receipt.removed, receipt.version) == (2, 3, 2, 2)
    assert [each.id for each in tagloom.list_people(at_least=receipt.version)] == ["u2"]
    sent = tagloom.tag_people([{"user": "u1", "tags": ["b"]}, {"user": "u2", "tags": ["b"]}])
    assert (sent.added, [(each.line, each.problem, each.value) for each in sent.rejected]) == (
        1,
        [(1, "person-suppressed", "")],
    )
    for write in (
        lambda: tagloom.put_person(user="u1"),
        lambda: tagloom.add_tag("a", user="u1"),
        lambda: tagloom.set_tags_of(["a"], visitor="v1"),
        lambda: tagloom.set_attributes({"plan": "gold"}, user="ghost"),
    ):
        with pytest.raises(problems.Invalid) as raised:
            write()
        assert raised.value.name == "person-suppressed"
    events = tagloom.record_events([{"user": id, "event": "ad/clicked"} for id in ("u1", "u2", "ghost")])
    assert (events.events, events.suppressed, events.rejected_count) == (1, 2, 0)


def test_a_suppression_ends(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="u1")
    assert tagloom.delete_people("suppress", users=["u1"]).suppressed == 1
    assert tagloom.get_person(user="u1").tags == ("a",)

    assert tagloom.delete_people("unsuppress", users=["u1"]).suppressed == 1
    assert tagloom.add_tag("b", user="u1").added == 1


def test_a_dry_run_changes_nothing(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="u1")

    receipt = tagloom.delete_people("both", users=["u1"], dry_run=True)

    assert (receipt.dry_run, receipt.erased, receipt.suppressed) == (True, 1, 1)
    assert tagloom.add_tag("b", user="u1").added == 1


def test_a_repeated_deletion_returns_the_first_receipt(tagloom: Tagloom) -> None:
    first = tagloom.delete_people("suppress", users=["u1"], idempotency_key="k1")

    assert tagloom.delete_people("suppress", users=["u1"], idempotency_key="k1") == first
    assert tagloom.delete_people("suppress", users=["u1"]).suppressed == 0
    with pytest.raises(problems.Invalid, match="idempotency-key-reused"):
        tagloom.delete_people("both", users=["u1"], idempotency_key="k1")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"kind": "delete"}, "body-invalid"),
        ({"kind": "forget", "users": ["u1"]}, "body-invalid"),
        ({"kind": "delete", "users": ["u"] * 5_001}, "body-invalid"),
        ({"kind": "delete", "users": ["u"] * 2_501, "visitors": ["v"] * 2_500}, "body-invalid"),
        ({"kind": "delete", "users": ["a\nb"]}, "person-id-invalid"),
    ],
)
def test_a_body_that_names_nobody_or_too_many_is_refused(
    tagloom: Tagloom, http: httpx.Client, body: dict[str, object], problem: str
) -> None:
    answer = http.post(f"{tagloom.place.address}/deletions", json=body)

    assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{problem}")


def test_a_token_that_may_not_write_people_may_not_delete_them(served: Served, tagloom: Tagloom) -> None:
    with served.http(served.token_of("people:read", "tags:write")) as reader:
        assert (
            reader.post(f"{tagloom.place.address}/deletions", json={"kind": "delete", "users": ["u1"]}).status_code
            == 403
        )


def test_a_deletion_is_in_the_audit_log_without_ids(served: Served, tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="secret-id")
    tagloom.delete_people("both", users=["secret-id", "ghost"], dry_run=True)
    tagloom.delete_people("both", users=["secret-id", "ghost"])
    tagloom.delete_people("delete", users=["secret-id"])

    *found, _ = served.installation.control.list_audit_log("main", space=tagloom.place.space, limit=9)

    assert [(each.action, each.subject, each.actor) for each in found] == [
        ("people deleted and suppressed", "2 ids", "tester")
    ]
    assert found[0].detail == {"environment": tagloom.place.environment, "deleted": "1", "suppressed": "2"}


# Everything about one person.


@pytest.fixture
def known(tagloom: Tagloom) -> Tagloom:
    """An environment in which a user has everything that can be stored about one."""
    tagloom.set_attributes({"plan": "gold"}, user="u/1")
    tagloom.tag_people([{"user": "u/1", "tags": ["a", "b"], "ttl": "14d"}, {"user": "u2", "tags": ["a"]}])
    tagloom.record_events(
        [
            {"user": "u/1", "event": "ad/clicked", "id": "m1", "properties": {"genre": "news"}},
            {"user": "u2", "event": "ad/clicked", "id": "m2"},
            {"user": "u/1", "event": "ad/seen", "id": "m3"},
        ]
    )
    tagloom.remove_tag("b", user="u/1")
    return tagloom


def test_everything_about_a_person_is_one_document(known: Tagloom) -> None:
    found = data_of(known, user="u/1")

    assert found.keys() == {"version", "record", "events", "changes", "rejected_messages"}
    record = found["record"]
    assert isinstance(record, dict)
    assert (found["version"], record["version"]) == (4, 4)
    assert (record["id"], record["tags"], record["attributes"]["plan"]) == ("u/1", ["a"], "gold")
    assert record["expires_at"].keys() == {"a"}
    assert [(each["id"], each["user"], each["properties"]) for each in found["events"]] == [  # type: ignore[attr-defined]
        ("m1", "u/1", {"genre": "news"}),
        ("m3", "u/1", {}),
    ]
    assert [
        (each["version"], each["tags_added"], each["tags_removed"], each["actor"], each["attribute_changes"])
        for each in found["changes"]  # type: ignore[attr-defined]
    ] == [
        (1, [], [], "tester", [{"attribute": "plan", "before": None, "after": "gold"}]),
        (2, ["a", "b"], [], "tester", []),
        (4, [], ["b"], "tester", []),
    ]
    assert found["rejected_messages"] == []


def test_the_document_is_a_download_with_its_version(known: Tagloom, http: httpx.Client) -> None:
    answer = http.get(f"{known.place.address}/users/u%2F1/data")

    name = unquote(answer.headers["content-disposition"].removeprefix("attachment; filename*=UTF-8''"))
    assert name == f"{known.place.environment}-user-u-1-v4.json"
    assert answer.headers["tagloom-version"] == "4"
    assert answer.headers["content-type"] == "application/json"


def test_rejected_messages_that_name_the_person_are_in_the_document(served: Served, known: Tagloom) -> None:
    source = known.create_event_source("web", name="Web")
    with served.http() as browser:
        for user in ("u/1", "u10", "u2"):
            message = {"type": "track", "event": " ", "userId": user, "writeKey": source.write_key}
            browser.post("/v1/track", json=message)

    found = data_of(known, user="u/1")["rejected_messages"]

    assert isinstance(found, list)
    assert [(each["source"], each["ids"]) for each in found] == [("web", ["u/1"])]
    known.delete_people("suppress", users=["u/1", "u10"])
    assert len(known.list_rejected_messages("web")) == 3
    known.delete_people("both", users=["u/1", "u10"])
    assert [each.ids for each in known.list_rejected_messages("web")] == [("u2",)]


def test_messages_of_suppressed_people_are_accepted_and_not_stored(served: Served, tagloom: Tagloom) -> None:
    source = tagloom.create_event_source("web", name="Web")
    tagloom.delete_people("suppress", users=["u1"])

    with served.http() as browser:
        for user in ("u1", "u2"):
            message = {"type": "track", "event": "Ad Clicked", "userId": user, "writeKey": source.write_key}
            assert browser.post("/v1/track", json=message).status_code == 200

    assert [each.user for each in tagloom.list_recent_events()] == ["u2"]
    assert list(tagloom.list_rejected_messages("web")) == []


def test_the_document_of_somebody_unknown_is_not_found(known: Tagloom) -> None:
    with pytest.raises(problems.NotFound):
        data_of(known, visitor="u/1")


def test_the_document_has_what_came_from_linked_visitors(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", visitor="v1")
    tagloom.record_events([{"visitor": "v1", "event": "ad/clicked", "id": "m1"}])
    tagloom.record_events([{"user": "u1", "visitor": "v1", "event": "ad/clicked", "id": "m2"}])

    for who in ({"user": "u1"}, {"visitor": "v1"}):
        found = data_of(tagloom, **who)
        assert [(each["id"], each["user"], each["visitor"]) for each in found["events"]] == [  # type: ignore[attr-defined]
            ("m1", None, "v1"),
            ("m2", "u1", None),
        ]
        assert ("visitor", "v1", ["a"]) in [
            (each["kind"], each["id"], each["tags_added"])
            for each in found["changes"]  # type: ignore[attr-defined]
        ]
