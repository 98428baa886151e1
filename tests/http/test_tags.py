"""The catalogue at the door."""

import httpx
import pytest

from tagloom_client import Tagloom, problems, rules
from tagloom_client.models import Alias, Person


def test_the_catalogue_shows_branches_and_the_tribes_that_use_them(tagloom: Tagloom) -> None:
    tagloom.add_tag("sports/football", user="u1")
    tagloom.create_tribe("Fans", rules.tag("sports"))
    tagloom.create_tribe("Golfers", rules.tag("sports/golf", match="exact"))

    found = {each.tag: each for each in tagloom.list_tags()}

    assert found["sports"].implied
    assert (found["sports"].users, found["sports"].subtree_users) == (0, 1)
    assert found["sports/football"].tribes == ("fans",)
    assert [each.tag for each in tagloom.list_tags(search="foot", limit=1)] == ["sports/football"]
    assert [each.tag for each in tagloom.list_tags(prefix="sports", limit=1)] == ["sports", "sports/football"]


def test_a_tag_whose_last_level_is_a_word_of_the_api_has_an_address(tagloom: Tagloom, http: httpx.Client) -> None:
    for tag in ("sports/users", "sports/merge", "users", "merge/users"):
        tagloom.add_tag(tag, user="u1")
        assert tagloom.get_tag(tag).users == 1
        assert list(tagloom.export_people_with(tag)) == [Person("user", "u1")]

    # With a plain slash the last segment is the word; every other spelling is the tag.
    tags = f"{tagloom.place.address}/tags"
    assert http.get(f"{tags}/sports/users").headers["content-type"] == "application/x-ndjson"
    assert http.get(f"{tags}/sports/merge").status_code == 405
    assert http.get(f"{tags}/users").json()["tag"] == "users"
    assert http.get(f"{tags}/sports%2Fusers").json()["tag"] == "sports/users"


def test_levels_are_segments_or_one_segment_with_encoded_slashes(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.add_tag("a b/ü/c", user="u1")
    tags = f"{tagloom.place.address}/tags"

    for path in ("a%20b/%C3%BC/c", "a%20b%2F%C3%BC%2Fc", "a%20b%2F%C3%BC/c"):
        assert http.get(f"{tags}/{path}").json()["tag"] == "a b/ü/c"
    assert http.get(f"{tags}/a/b/c/d").json()["type"] == "/problems/tag-has-too-many-levels"
    assert http.get(f"{tags}/a/").json()["type"] == "/problems/tag-has-empty-level"


def test_a_renamed_tag_keeps_its_people_and_its_old_name(tagloom: Tagloom) -> None:
    tagloom.add_tag("old/golf", user="u1")

    tagloom.move_tag("old", "sports", description="What people play.")

    assert tagloom.get_person(user="u1").tags == ("sports/golf",)
    assert tagloom.get_tag("sports").description == "What people play."
    assert Alias("old", "sports") in list(tagloom.list_aliases()) or Alias("old/golf", "sports/golf") in list(
        tagloom.list_aliases()
    )
    receipt = tagloom.add_tag("old/golf", user="u2")
    assert receipt.aliases
    assert tagloom.get_person(user="u2").tags == ("sports/golf",)
    with pytest.raises(problems.Conflict, match="tag-is-alias"):
        tagloom.get_tag("old/golf")


def test_merged_tags_are_one(tagloom: Tagloom) -> None:
    tagloom.add_tag("soccer", user="u1")
    tagloom.add_tag("football", user="u2")

    tagloom.merge_tags("soccer", into="football")

    assert tagloom.get_tag("football").users == 2


def test_a_tag_in_use_is_dropped_only_by_force(tagloom: Tagloom) -> None:
    tagloom.add_tag("sports/golf", user="u1")
    tagloom.create_tribe("Golfers", rules.tag("sports/golf"))

    for tag in ("sports/golf", "sports"):
        with pytest.raises(problems.Conflict) as raised:
            tagloom.delete_tag(tag)
        assert raised.value.members["tribes"] == ["golfers"]
    assert tagloom.delete_tag("sports", force=True).removed == 1
    with pytest.raises(problems.NotFound, match="tag-not-found"):
        tagloom.get_tag("sports/golf")


def test_a_branch_is_used_by_what_names_a_tag_below_it(tagloom: Tagloom) -> None:
    tagloom.add_tag("sports/golf", user="u1")
    tagloom.add_tag("sports/golf/links", user="u1")
    tagloom.create_tribe("Exact", rules.tag("sports/golf", match="exact"))
    tagloom.create_tribe("Below", rules.tag("sports/golf/links"))
    tagloom.create_tribe("Above", rules.tag("sports"))
    tagloom.create_tribe("Others", rules.tag("news"))
    tagloom.put_mapping("crm", {"user": "id", "columns": [{"type": "value", "column": "plan", "branch": "crm/plan"}]})
    tagloom.put_mapping("all", {"user": "id", "prefix": "sports", "columns": [{"type": "tag", "column": "tag"}]})

    assert tagloom.get_tag("sports").tribes == ("above", "below", "exact")
    assert tagloom.get_tag("sports/golf").tribes == ("above", "below", "exact")
    assert tagloom.get_tag("sports/golf/links").tribes == ("above", "below")
    assert tagloom.get_tag("sports/golf").mappings == ("all",)
    tagloom.put_tag("crm")
    assert (tagloom.get_tag("crm").mappings, tagloom.get_tag("crm").tribes) == (("crm",), ())
    assert {each.tag: each.tribes for each in tagloom.list_tags()}["sports"] == ("above", "below", "exact")


def test_an_exclusive_branch_lets_one_tag_stand(tagloom: Tagloom) -> None:
    tagloom.put_tag("tier", description="What they pay.", exclusive=True)
    tagloom.add_tag("tier/silver", user="u1")

    receipt = tagloom.add_tag("tier/gold", user="u1")

    assert (receipt.added, receipt.removed) == (1, 1)
    with pytest.raises(problems.Invalid, match="exclusive-branch"):
        tagloom.set_tags_of(["tier/gold", "tier/silver"], user="u1")


def test_a_description_is_bounded_and_plain(tagloom: Tagloom) -> None:
    for text in ("x" * 2_001, "a\x00b"):
        with pytest.raises(problems.Invalid, match="body-invalid"):
            tagloom.put_tag("a", description=text)
    tagloom.put_tag("a", description="Two\nlines.")
    assert tagloom.get_tag("a").description == "Two\nlines."


def test_a_patch_needs_something_to_change(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.add_tag("a", user="u1")

    assert http.patch(f"{tagloom.place.address}/tags/a", json={}).status_code == 422
    assert http.patch(f"{tagloom.place.address}/tags/b", json={"description": "x"}).status_code == 404
    assert http.patch(f"{tagloom.place.address}/tags/a", json={"tag": "B"}).json()["field"] == "$.tag"


def test_a_patch_is_one_version_or_none(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.add_tag("a", user="u1")
    before = tagloom.add_tag("b", user="u2").version
    address = f"{tagloom.place.address}/tags/a"

    refused = http.patch(address, json={"tag": "b", "description": "x", "exclusive": True, "owner": None})
    assert (refused.status_code, tagloom.get_tag("a").description) == (409, "")

    done = http.patch(address, json={"tag": "c", "description": "x", "exclusive": True, "owner": None, "ttl": "1d"})
    assert done.json()["version"] == before + 1
    assert tagloom.get_tag("c").description == "x"
