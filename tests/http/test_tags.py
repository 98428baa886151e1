"""The catalogue at the door."""

import httpx
import pytest

from tagloom_client import Tagloom, problems, rules
from tagloom_client.models import Alias, Person


def test_the_catalogue_shows_branches_and_the_tribes_that_use_them(loom: Tagloom) -> None:
    loom.give_tag("sports/football", user="u1")
    loom.create_tribe("Fans", rules.tag("sports"))
    loom.create_tribe("Golfers", rules.tag("sports/golf", match="exact"))

    found = {each.tag: each for each in loom.list_tags()}

    assert found["sports"].implied
    assert (found["sports"].users, found["sports"].subtree_users) == (0, 1)
    assert found["sports/football"].tribes == ("fans",)
    assert [each.tag for each in loom.list_tags(search="foot", limit=1)] == ["sports/football"]
    assert [each.tag for each in loom.list_tags(under="sports", limit=1)] == ["sports", "sports/football"]


def test_a_tag_whose_last_level_is_a_word_of_the_api_has_an_address(loom: Tagloom, http: httpx.Client) -> None:
    for tag in ("sports/users", "sports/merge", "users", "merge/users"):
        loom.give_tag(tag, user="u1")
        assert loom.get_tag(tag).users == 1
        assert list(loom.export_bearers(tag)) == [Person("user", "u1")]

    # With a plain slash the last segment is the word; every other spelling is the tag.
    tags = f"{loom.place.address}/tags"
    assert http.get(f"{tags}/sports/users").headers["content-type"] == "application/x-ndjson"
    assert http.get(f"{tags}/sports/merge").status_code == 405
    assert http.get(f"{tags}/users").json()["tag"] == "users"
    assert http.get(f"{tags}/sports%2Fusers").json()["tag"] == "sports/users"


def test_levels_are_segments_or_one_segment_with_encoded_slashes(loom: Tagloom, http: httpx.Client) -> None:
    loom.give_tag("a b/ü/c", user="u1")
    tags = f"{loom.place.address}/tags"

    for path in ("a%20b/%C3%BC/c", "a%20b%2F%C3%BC%2Fc", "a%20b%2F%C3%BC/c"):
        assert http.get(f"{tags}/{path}").json()["tag"] == "a b/ü/c"
    assert http.get(f"{tags}/a/b/c/d").json()["type"] == "/problems/tag-has-too-many-levels"
    assert http.get(f"{tags}/a/").json()["type"] == "/problems/tag-has-empty-level"


def test_a_renamed_tag_keeps_its_people_and_its_old_name(loom: Tagloom) -> None:
    loom.give_tag("old/golf", user="u1")

    loom.move_tag("old", "sports", description="What people play.")

    assert loom.get_person(user="u1").tags == ("sports/golf",)
    assert loom.get_tag("sports").description == "What people play."
    assert Alias("old", "sports") in list(loom.list_aliases()) or Alias("old/golf", "sports/golf") in list(
        loom.list_aliases()
    )
    receipt = loom.give_tag("old/golf", user="u2")
    assert receipt.aliases
    assert loom.get_person(user="u2").tags == ("sports/golf",)
    with pytest.raises(problems.Conflict, match="tag-is-alias"):
        loom.get_tag("old/golf")


def test_merged_tags_are_one(loom: Tagloom) -> None:
    loom.give_tag("soccer", user="u1")
    loom.give_tag("football", user="u2")

    loom.merge_tags("soccer", into="football")

    assert loom.get_tag("football").users == 2


def test_a_tag_in_use_is_dropped_only_by_force(loom: Tagloom) -> None:
    loom.give_tag("sports/golf", user="u1")
    loom.create_tribe("Golfers", rules.tag("sports/golf"))

    for tag in ("sports/golf", "sports"):
        with pytest.raises(problems.Conflict) as raised:
            loom.drop_tag(tag)
        assert raised.value.members["tribes"] == ["golfers"]
    assert loom.drop_tag("sports", force=True).removed == 1
    with pytest.raises(problems.NotFound, match="tag-not-found"):
        loom.get_tag("sports/golf")


def test_a_branch_is_used_by_what_names_a_tag_below_it(loom: Tagloom) -> None:
    loom.give_tag("sports/golf", user="u1")
    loom.give_tag("sports/golf/links", user="u1")
    loom.create_tribe("Exact", rules.tag("sports/golf", match="exact"))
    loom.create_tribe("Below", rules.tag("sports/golf/links"))
    loom.create_tribe("Above", rules.tag("sports"))
    loom.create_tribe("Others", rules.tag("news"))
    loom.put_mapping("crm", {"user": "id", "columns": [{"type": "value", "column": "plan", "branch": "crm/plan"}]})
    loom.put_mapping("all", {"user": "id", "prefix": "sports", "columns": [{"type": "tag", "column": "tag"}]})

    assert loom.get_tag("sports").tribes == ("above", "below", "exact")
    assert loom.get_tag("sports/golf").tribes == ("above", "below", "exact")
    assert loom.get_tag("sports/golf/links").tribes == ("above", "below")
    assert loom.get_tag("sports/golf").mappings == ("all",)
    loom.put_tag("crm")
    assert (loom.get_tag("crm").mappings, loom.get_tag("crm").tribes) == (("crm",), ())
    assert {each.tag: each.tribes for each in loom.list_tags()}["sports"] == ("above", "below", "exact")


def test_an_exclusive_branch_lets_one_tag_stand(loom: Tagloom) -> None:
    loom.put_tag("tier", description="What they pay.", exclusive=True)
    loom.give_tag("tier/silver", user="u1")

    receipt = loom.give_tag("tier/gold", user="u1")

    assert (receipt.added, receipt.removed) == (1, 1)
    with pytest.raises(problems.Invalid, match="exclusive-branch"):
        loom.set_tags_of(["tier/gold", "tier/silver"], user="u1")


def test_a_description_is_bounded_and_plain(loom: Tagloom) -> None:
    for text in ("x" * 2_001, "a\x00b"):
        with pytest.raises(problems.Invalid, match="body-invalid"):
            loom.put_tag("a", description=text)
    loom.put_tag("a", description="Two\nlines.")
    assert loom.get_tag("a").description == "Two\nlines."


def test_a_patch_needs_something_to_change(loom: Tagloom, http: httpx.Client) -> None:
    loom.give_tag("a", user="u1")

    assert http.patch(f"{loom.place.address}/tags/a", json={}).status_code == 422
    assert http.patch(f"{loom.place.address}/tags/b", json={"description": "x"}).status_code == 404
    assert http.patch(f"{loom.place.address}/tags/a", json={"tag": "B"}).json()["field"] == "$.tag"


def test_a_patch_is_one_version_or_none(loom: Tagloom, http: httpx.Client) -> None:
    loom.give_tag("a", user="u1")
    before = loom.give_tag("b", user="u2").version
    address = f"{loom.place.address}/tags/a"

    refused = http.patch(address, json={"tag": "b", "description": "x", "exclusive": True, "owner": None})
    assert (refused.status_code, loom.get_tag("a").description) == (409, "")

    done = http.patch(address, json={"tag": "c", "description": "x", "exclusive": True, "owner": None, "ttl": "1d"})
    assert done.json()["version"] == before + 1
    assert loom.get_tag("c").description == "x"
