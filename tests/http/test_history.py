"""History at the door: what was done, by whom, and back."""

import httpx
import pytest

from tagloom_client import Tagloom, problems, rules


def test_history_names_versions_of_a_person_and_of_a_tag(loom: Tagloom) -> None:
    loom.give_tag("sports/golf", user="u1")
    loom.give_tag("tier/gold", user="u1")
    loom.give_tag("tier/gold", visitor="u1")

    assert [each.version for each in loom.list_changes(limit=1)] == [1, 2, 3]
    assert [each.version for each in loom.list_changes(newest_first=True, limit=1)] == [3, 2, 1]
    assert [each.version for each in loom.list_changes(newest_first=True, after=1)] == [3, 2]
    assert [each.version for each in loom.list_changes(user="u1")] == [1, 2]
    assert [each.version for each in loom.list_changes(visitor="u1")] == [3]
    assert [each.version for each in loom.list_changes(tag="tier", after=2)] == [3]
    assert [each.tags_added for each in loom.list_changes(user="u1")] == [("sports/golf",), ("tier/gold",)]
    change = loom.get_change(1)
    assert (change.actor, change.source, change.action, change.added) == ("tester", "api", "tagging", 1)


def test_undo_takes_back_what_a_version_did(loom: Tagloom) -> None:
    receipt = loom.tag_people([{"user": f"u{number}", "tags": ["a"]} for number in range(5)])

    rehearsal = loom.undo(receipt.version, dry_run=True)
    assert (rehearsal.removed, rehearsal.people_removed, rehearsal.dry_run) == (5, 5, True)
    assert loom.undo(receipt.version).undoes == receipt.version

    assert list(loom.list_people()) == []
    assert loom.get_change(receipt.version).undone_by == receipt.version + 1


@pytest.mark.parametrize("version", ["0", "x", "-1", "1.0", "999999999999999999", "9" * 30, "%31%32%33%34"])
def test_a_version_that_is_not_there_is_no_fault(loom: Tagloom, http: httpx.Client, version: str) -> None:
    assert http.get(f"{loom.place.address}/changes/{version}").status_code in (404, 422)
    assert http.post(f"{loom.place.address}/changes/{version}/undo").status_code in (404, 422)


def test_user_and_visitor_at_once_are_refused(loom: Tagloom) -> None:
    with pytest.raises(problems.Invalid, match="parameter-invalid"):
        list(loom.list_changes(user="a", visitor="b"))


def test_several_versions_are_undone_together(loom: Tagloom, http: httpx.Client) -> None:
    for number in range(4):
        loom.tag_people([{"user": "u1", "tags": [f"t{number}"]}], source_name="crm.csv" if number % 2 else "app")

    assert loom.undo_all([1, 2], dry_run=True).removed == 2
    assert loom.undo_all(actor="tester", source="crm.csv", since="2020-01-01T00:00:00+02:00", dry_run=True).removed == 2
    assert loom.undo_all(source="app", until="2020-01-01T00:00:00Z").version == 4
    done = loom.undo_all(source="app", override=True)
    assert (done.version, done.removed, done.undoes_count) == (5, 2, 2)
    assert [each.undone_by for each in loom.list_changes()] == [5, None, 5, None, None]
    for body in ({}, {"versions": [1], "actor": "a"}, {"from": "2020-01-01T00:00:00Z"}, {"actor": "a", "until": "now"}):
        answer = http.post(f"{loom.place.address}/changes/undo", json=body)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/body-invalid"), answer.text
    with pytest.raises(problems.NotFound, match="change-not-found"):
        loom.undo_all([99])


def test_answers_are_given_as_of_a_version_or_a_time(loom: Tagloom, http: httpx.Client) -> None:
    loom.tag_people([{"user": "u1", "tags": ["a", "b"]}, {"user": "u2", "tags": ["a"]}])
    loom.create_tribe("Those of a", rules.tag("a"), id="of-a")
    loom.take_tag("a", user="u1")
    since = loom.get_change(1).at

    assert (loom.count_tribe("of-a").count, loom.count_tribe("of-a", as_of=1).count) == (1, 2)
    assert loom.count_tribe("of-a", as_of="2020-01-01T00:00:00Z").version == 0
    assert loom.count_tribe("of-a", as_of=since).version == 1
    assert [each.id for each in loom.export_members("of-a", as_of=1)] == ["u1", "u2"]
    assert b"".join(loom.download_members("of-a", format="csv", as_of=1)).split() == [b"user,visitor", b"u1,", b"u2,"]
    assert [each.id for each in loom.export_bearers("a", as_of=1)] == ["u1", "u2"]
    assert b"u1" in b"".join(loom.download_bearers("a", format="csv", as_of=1))
    assert loom.preview_rule(rules.tag("a"), as_of=1).count == 2
    assert loom.get_person(user="u1", as_of=1).tags == ("a", "b")
    assert loom.get_tags_of(user="u1", as_of=1).tags == ("a", "b")
    with pytest.raises(problems.NotFound, match="change-not-found"):
        loom.count_tribe("of-a", as_of=3)
    with pytest.raises(problems.Invalid, match="parameter-invalid"):
        loom.count_tribe("of-a", as_of="yesterday")
