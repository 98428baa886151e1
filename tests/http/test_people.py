"""People at the door: ids of any script, tags one by one and as a set."""

import httpx
import pytest

from tagloom_client import Tagloom, problems
from tagloom_client.models import PersonRecord

IDS = ["u1", "a/b", "ü ber", "100%", "日本", "..", "a?b#c&d", "+", "%2F", "x" * 256, "ﬃ", "'\"\\"]


@pytest.mark.parametrize("id", IDS)
def test_an_id_comes_back_as_it_was_given(tagloom: Tagloom, id: str) -> None:
    tagloom.add_tag("sports/golf", user=id)

    found = tagloom.get_person(user=id)

    assert (found.kind, found.id, found.tags) == ("user", id, ("sports/golf",))
    assert [each.id for each in tagloom.list_people(search=id, search_match="exact")] == [id]


@pytest.mark.parametrize("id", ["x" * 257, "a\nb", "a\u2028b", "a\x7fb"])
def test_what_is_no_id_is_refused_with_the_rule(tagloom: Tagloom, id: str) -> None:
    with pytest.raises(problems.Invalid) as raised:
        tagloom.put_person(user=id)

    assert raised.value.name == "person-id-invalid"
    assert raised.value.members["rule"] == "1 to 256 characters without controls"


def test_an_empty_id_is_refused(http: httpx.Client) -> None:
    answer = http.put("/v2/spaces/main/environments/staging/users/")

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/person-id-invalid"


@pytest.mark.parametrize("path", ["%FF", "a%ZZ", "a%", "%C3", "%ED%A0%80"])
def test_an_address_that_is_no_utf8_is_refused(http: httpx.Client, path: str) -> None:
    raw_path = b"/v2/spaces/main/environments/staging/users/" + path.encode()
    answer = http.send(http.build_request("GET", httpx.URL(http.base_url, raw_path=raw_path)))

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/parameter-invalid"


def test_users_and_visitors_are_separate_name_spaces(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="x")
    tagloom.add_tag("b", visitor="x")

    assert tagloom.get_person(user="x").tags == ("a",)
    assert tagloom.get_person(visitor="x").tags == ("b",)
    assert [each.kind for each in tagloom.list_people(kind="visitor")] == ["visitor"]


def test_a_set_of_tags_replaces_the_old_one(tagloom: Tagloom) -> None:
    tagloom.set_tags_of(["a", "b"], user="u1")

    receipt = tagloom.set_tags_of(["b", "c"], user="u1")

    assert (receipt.added, receipt.removed, receipt.unchanged) == (1, 1, 1)
    assert tagloom.get_tags_of(user="u1", at_least=receipt.version).tags == ("b", "c")
    assert tagloom.set_tags_of([], user="u1").removed == 2


def test_taking_a_tag_is_idempotent_and_creates_nobody(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="u1")

    assert tagloom.remove_tag("a", user="u1").removed == 1
    assert tagloom.remove_tag("a", user="u1").removed == 0
    assert tagloom.remove_tag("a", user="u2").new_people == 0
    with pytest.raises(problems.NotFound):
        tagloom.get_person(user="u2")


def test_a_bad_tag_is_a_problem_with_its_suggestion(tagloom: Tagloom) -> None:
    with pytest.raises(problems.Invalid) as raised:
        tagloom.add_tag("Sports/Golf", user="u1")

    assert raised.value.name == "tag-has-capital"
    assert raised.value.members["suggestion"] == "sports/golf"
    with pytest.raises(problems.Invalid, match="tag-has-capital"):
        tagloom.set_tags_of(["fine", "Bad"], user="u1")
    assert list(tagloom.list_changes()) == []


def test_an_unknown_tag_of_a_closed_catalogue_is_a_problem_with_the_nearest(tagloom: Tagloom) -> None:
    tagloom.put_tag("sports/football")
    tagloom.set_catalogue("closed")

    with pytest.raises(problems.Invalid) as raised:
        tagloom.add_tag("sports/footbal", user="u1")

    assert raised.value.name == "unknown-tag"
    assert raised.value.members["suggestion"] == "sports/football"


def test_erasing_a_person_leaves_nothing(tagloom: Tagloom) -> None:
    tagloom.add_tag("a", user="u1")

    receipt = tagloom.erase_person(user="u1")

    assert receipt.removed == 1
    with pytest.raises(problems.NotFound):
        tagloom.get_person(user="u1")
    with pytest.raises(problems.NotFound):
        tagloom.erase_person(user="u1")


def test_pages_of_people_give_everybody_once(tagloom: Tagloom) -> None:
    ids = [f"u{number}" for number in range(25)]
    tagloom.tag_people([{"user": id, "tags": ["a/b"]} for id in ids])

    assert [each.id for each in tagloom.list_people(limit=7)] == ids
    assert [each.id for each in tagloom.list_people(limit=7, tag="a")] == ids
    assert list(tagloom.list_people(limit=7, tag="a", match="exact")) == []
    assert next(tagloom.list_people(search="u2", limit=3)) == PersonRecord("user", "u2", ("a/b",), 1)


def test_a_cursor_of_another_list_is_refused(http: httpx.Client, tagloom: Tagloom) -> None:
    answer = http.get(f"{tagloom.place.address}/users", params={"cursor": "bm9uc2Vuc2U"})

    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/cursor-invalid"


def test_a_version_that_has_not_come_is_waited_for_and_then_refused(tagloom: Tagloom) -> None:
    receipt = tagloom.add_tag("a", user="u1")
    assert tagloom.get_person(user="u1", at_least=receipt.version).version >= receipt.version

    with pytest.raises(problems.Unavailable) as raised:
        tagloom.get_person(user="u1", at_least=receipt.version + 1)

    assert raised.value.name == "version-not-reached"


def test_a_person_is_made_known_by_an_empty_object_and_no_field_is_ignored(
    tagloom: Tagloom, http: httpx.Client
) -> None:
    address = f"{tagloom.place.address}/users/u1"

    assert http.put(address).json()["new_people"] == 1
    assert http.put(address, json={}).status_code == 200
    refused = http.put(address, json={"tags": ["a"]})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/body-invalid")
    assert "tags" in refused.json()["detail"]
