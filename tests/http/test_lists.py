"""Static lists at the door: made, changed, replaced and deleted by ids and by files."""

import httpx
import pytest

from tagloom_client import Tagloom, problems, rules
from tagloom_client.models import Member


def members_of(tagloom: Tagloom, tribe: str) -> list[Member]:
    return list(tagloom.list_members(tribe))


def test_a_list_is_previewed_made_and_changed(tagloom: Tagloom) -> None:
    tagloom.put_person(user="u1")

    seen = tagloom.create_list("Beta testers", users=["u1", "u2", "u2"], visitors=["v1"], dry_run=True)
    assert list(tagloom.list_tribes()) == []
    made = tagloom.create_list("Beta testers", users=["u1", "u2", "u2"], visitors=["v1"])

    for found in (seen, made):
        assert (found.known, found.unknown, found.invalid, found.duplicates) == (1, 2, 0, 1)
        assert (found.tag, found.before, found.after) == ("lists/beta-testers", 0, 3)
    assert made.tribe == tagloom.get_tribe("beta-testers") == next(tagloom.list_tribes())
    assert made.tribe.list == "lists/beta-testers"
    assert tagloom.change_list("beta-testers", "add", users=["u3"]).after == 4
    removed = tagloom.change_list("beta-testers", "remove", users=["u1", "u2"])
    assert members_of(tagloom, "beta-testers") == [Member(visitor="v1"), Member(user="u3")]
    tagloom.undo(removed.receipt.version)
    assert tagloom.count_tribe("beta-testers").count == 4


def test_a_file_of_ids_replaces_a_list(tagloom: Tagloom) -> None:
    tagloom.upload_list("Calls", b"u1\nu2\n", tag="crm/calls", audience="users")
    replaced = tagloom.upload_to_list("calls", "replace", b"v1\nv2\nv2\n", kind="visitor", dry_run=True)
    assert (replaced.receipt.added, replaced.receipt.removed, replaced.duplicates) == (2, 2, 1)

    tagloom.upload_to_list("calls", "replace", b'["u2", "u9"]', format="json")

    assert members_of(tagloom, "calls") == [Member(user="u2"), Member(user="u9")]
    with pytest.raises(problems.Invalid, match="mirror-empty"):
        tagloom.change_list("calls", "replace")
    assert tagloom.change_list("calls", "replace", allow_empty=True).after == 0


def test_bad_lines_are_told_and_the_others_are_on_the_list(tagloom: Tagloom) -> None:
    body = b'{"user": "u1"}\n{"user": ""}\nnonsense\n{"visitor": "v1"}\n'

    found = tagloom.upload_list("Some", body, format="ndjson")

    assert (found.invalid, found.after) == (2, 2)
    assert [line.line for line in found.receipt.rejected] == [2, 3]


def test_a_tribe_with_another_rule_is_no_list(tagloom: Tagloom) -> None:
    tribe = tagloom.create_tribe("Sports", rules.tag("sports"))

    assert tribe.list is None
    with pytest.raises(problems.Conflict, match="tribe-not-list"):
        tagloom.change_list("sports", "add", users=["u1"])
    with pytest.raises(problems.Conflict, match="tribe-not-list"):
        tagloom.delete_list("sports")
    with pytest.raises(problems.NotFound):
        tagloom.change_list("nope", "add", users=["u1"])


def test_a_list_is_deleted_with_its_tag_or_without(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.create_list("One", users=["u1"])
    tagloom.create_list("Two", users=["u1"])

    tagloom.delete_tribe("one")
    address = f"{tagloom.place.address}/lists/two"
    assert http.delete(address, headers={"If-Match": '"7"'}).status_code == 412
    assert tagloom.delete_list("two").removed == 1

    assert [tag.tag for tag in tagloom.list_tags() if not tag.implied] == ["lists/one"]
    assert list(tagloom.list_tribes()) == []


def test_the_request_names_what_is_wrong_before_the_body_is_read(tagloom: Tagloom, http: httpx.Client) -> None:
    address = f"{tagloom.place.address}/lists"
    csv = {"Content-Type": "text/csv"}

    assert http.post(address, content=b"u1\n", headers=csv).json()["parameter"] == "name"
    assert http.post(address, params={"name": " "}, content=b"u1\n", headers=csv).json()["type"] == (
        "/problems/body-invalid"
    )
    answer = http.post(address, params={"name": "x", "tag": "A"}, content=b"u1\n", headers=csv)
    assert answer.json()["type"] == "/problems/tag-has-capital"
    assert http.post(
        address, params={"name": "x"}, content=b"", headers={"Content-Type": "text/plain"}
    ).status_code == (415)
    assert next(tagloom.list_tags(), None) is None
