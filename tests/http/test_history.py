"""History at the door: what was done, by whom, and back."""

import httpx
import pytest

from tagloom_client import Tagloom, problems, rules


def test_history_names_versions_of_a_person_and_of_a_tag(tagloom: Tagloom) -> None:
    tagloom.add_tag("sports/golf", user="u1")
    tagloom.add_tag("tier/gold", user="u1")
    tagloom.add_tag("tier/gold", visitor="u1")

    assert [each.version for each in tagloom.list_changes(limit=1)] == [1, 2, 3]
    assert [each.version for each in tagloom.list_changes(newest_first=True, limit=1)] == [3, 2, 1]
    assert [each.version for each in tagloom.list_changes(newest_first=True, after=1)] == [3, 2]
    assert [each.version for each in tagloom.list_changes(user="u1")] == [1, 2]
    assert [each.version for each in tagloom.list_changes(visitor="u1")] == [3]
    assert [each.version for each in tagloom.list_changes(tag="tier", after=2)] == [3]
    assert [each.tags_added for each in tagloom.list_changes(user="u1")] == [("sports/golf",), ("tier/gold",)]
    change = tagloom.get_change(1)
    assert (change.actor, change.source, change.action, change.added) == ("tester", "api", "tagging", 1)


def test_undo_takes_back_what_a_version_did(tagloom: Tagloom) -> None:
    receipt = tagloom.tag_people([{"user": f"u{number}", "tags": ["a"]} for number in range(5)])

    rehearsal = tagloom.undo(receipt.version, dry_run=True)
    assert (rehearsal.removed, rehearsal.people_removed, rehearsal.dry_run) == (5, 5, True)
    assert tagloom.undo(receipt.version).undoes == receipt.version

    assert list(tagloom.list_people()) == []
    assert tagloom.get_change(receipt.version).undone_by == receipt.version + 1


@pytest.mark.parametrize("version", ["0", "x", "-1", "1.0", "999999999999999999", "9" * 30, "%31%32%33%34"])
def test_a_version_that_is_not_there_is_no_fault(tagloom: Tagloom, http: httpx.Client, version: str) -> None:
    assert http.get(f"{tagloom.place.address}/changes/{version}").status_code in (404, 422)
    assert http.post(f"{tagloom.place.address}/changes/{version}/undo").status_code in (404, 422)


def test_user_and_visitor_at_once_are_refused(tagloom: Tagloom) -> None:
    with pytest.raises(problems.Invalid, match="parameter-invalid"):
        list(tagloom.list_changes(user="a", visitor="b"))


def test_several_versions_are_undone_together(tagloom: Tagloom, http: httpx.Client) -> None:
    for number in range(4):
        tagloom.tag_people([{"user": "u1", "tags": [f"t{number}"]}], source_name="crm.csv" if number % 2 else "app")

    assert tagloom.undo_all([1, 2], dry_run=True).removed == 2
    assert (
        tagloom.undo_all(actor="tester", source="crm.csv", since="2020-01-01T00:00:00+02:00", dry_run=True).removed == 2
    )
    assert tagloom.undo_all(source="app", until="2020-01-01T00:00:00Z").version == 4
    done = tagloom.undo_all(source="app", override=True)
    assert (done.version, done.removed, done.undoes_count) == (5, 2, 2)
    assert [each.undone_by for each in tagloom.list_changes()] == [5, None, 5, None, None]
    for body in ({}, {"versions": [1], "actor": "a"}, {"from": "2020-01-01T00:00:00Z"}, {"actor": "a", "until": "now"}):
        answer = http.post(f"{tagloom.place.address}/changes/undo", json=body)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/body-invalid"), answer.text
    with pytest.raises(problems.NotFound, match="change-not-found"):
        tagloom.undo_all([99])


def test_an_undo_by_source_skips_what_is_undone_already(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": "u1", "tags": ["plan/pro"]}], source_name="crm.csv")
    tagloom.tag_people([{"user": "u2", "tags": ["other/x"]}], source_name="crm.csv")
    tagloom.undo(2)

    done = tagloom.undo_all(source="crm.csv")

    assert (done.undoes, done.removed) == (1, 1)
    assert tagloom.undo_all(source="crm.csv").version == done.version, "nothing was left to undo"


def test_a_version_whose_undo_was_undone_is_not_skipped(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": "u1", "tags": ["plan/pro"]}], source_name="crm.csv")
    tagloom.undo(1)
    tagloom.undo(2)
    assert tagloom.get_tags_of(user="u1").tags == ("plan/pro",)

    # The later versions changed the same tagging.
    assert tagloom.undo_all(source="crm.csv", dry_run=True).skipped == 1
    done = tagloom.undo_all(source="crm.csv", override=True)

    assert (done.undoes, done.removed) == (1, 1)


@pytest.mark.parametrize("version", [2**63 - 1, 2**63, 10**30])
def test_a_version_beyond_every_version_is_not_found(tagloom: Tagloom, http: httpx.Client, version: int) -> None:
    for query in ({}, {"dry_run": "true"}):
        answer = http.post(f"{tagloom.place.address}/changes/undo", json={"versions": [version]}, params=query)
        assert answer.json()["type"] in ("/problems/change-not-found", "/problems/body-invalid"), answer.text


def test_a_second_undo_of_a_version_names_the_first(tagloom: Tagloom) -> None:
    tagloom.tag_people([{"user": "u1", "tags": ["plan/pro"]}])
    tagloom.undo(1)

    with pytest.raises(problems.Conflict, match="Version 1 was already undone by version 2"):
        tagloom.undo(1)


def test_answers_are_given_as_of_a_version_or_a_time(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.tag_people([{"user": "u1", "tags": ["a", "b"]}, {"user": "u2", "tags": ["a"]}])
    tagloom.create_tribe("Those of a", rules.tag("a"), id="of-a")
    tagloom.remove_tag("a", user="u1")
    since = tagloom.get_change(1).at

    assert (tagloom.count_tribe("of-a").count, tagloom.count_tribe("of-a", as_of=1).count) == (1, 2)
    assert tagloom.count_tribe("of-a", as_of="2020-01-01T00:00:00Z").version == 0
    assert tagloom.count_tribe("of-a", as_of=since).version == 1
    assert [each.id for each in tagloom.export_members("of-a", as_of=1)] == ["u1", "u2"]
    assert b"".join(tagloom.download_members("of-a", format="csv", as_of=1)).split() == [
        b"user,visitor",
        b"u1,",
        b"u2,",
    ]
    assert [each.id for each in tagloom.export_people_with("a", as_of=1)] == ["u1", "u2"]
    assert b"u1" in b"".join(tagloom.download_people_with("a", format="csv", as_of=1))
    assert tagloom.preview_rule(rules.tag("a"), as_of=1).count == 2
    assert tagloom.get_person(user="u1", as_of=1).tags == ("a", "b")
    assert tagloom.get_tags_of(user="u1", as_of=1).tags == ("a", "b")
    with pytest.raises(problems.NotFound, match="change-not-found"):
        tagloom.count_tribe("of-a", as_of=3)
    with pytest.raises(problems.Invalid, match="parameter-invalid"):
        tagloom.count_tribe("of-a", as_of="yesterday")
