"""Links at the door: visitors and users are linked, read, separated and joined, and events link them."""

import time

import httpx
import pytest

from tagloom_client import ProblemError, Tagloom, rules
from tagloom_client.models import Identity, Person


def base(tagloom: Tagloom) -> str:
    """The address of the environment."""
    return tagloom.place.address


def test_a_linked_visitor_is_its_user_at_every_address(tagloom: Tagloom, http: httpx.Client) -> None:
    tagloom.add_tag("sports/golf", visitor="v1")
    tagloom.set_attributes({"plan": "gold"}, visitor="v1")
    tagloom.create_tribe("Golfers", rules.tag("sports"), audience="users")

    receipt = tagloom.link_person("u1", visitor="v1")

    assert (receipt.linked, receipt.added, receipt.removed, receipt.attributes, receipt.new_people) == (1, 1, 1, 2, 1)
    found = tagloom.get_person(visitor="v1", at_least=receipt.version)
    assert (found.kind, found.id, found.tags, found.attributes) == ("user", "u1", ("sports/golf",), {"plan": "gold"})
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert found.identities == (Identity(kind="visitor", id="v1", linked_on=today),)
    assert tagloom.decide(visitor="v1").tribes == ("golfers",)
    tagloom.add_tag("news", visitor="v1")
    assert tagloom.get_tags_of(user="u1").tags == ("news", "sports/golf")
    assert http.get(f"{base(tagloom)}/visitors").json()["items"] == []
    assert http.get(f"{base(tagloom)}/users/u1?as_of=2").status_code == 404


def test_a_separated_visitor_gets_back_what_it_had(tagloom: Tagloom) -> None:
    tagloom.add_tag("sports/golf", visitor="v1")
    tagloom.record_events([{"visitor": "v1", "event": "ad/clicked", "id": "m1"}])
    tagloom.link_person("u1", visitor="v1")
    assert [event.id for event in tagloom.list_events(user="u1")] == ["m1"]

    preview = tagloom.separate_person(visitor="v1", dry_run=True)
    receipt = tagloom.separate_person(visitor="v1")

    assert (preview.dry_run, preview.linked, preview.added, preview.removed) == (True, 1, 1, 1)
    assert (receipt.linked, receipt.added, receipt.removed) == (1, 1, 1)
    assert tagloom.get_person(visitor="v1").tags == ("sports/golf",)
    assert [event.id for event in tagloom.list_events(visitor="v1")] == ["m1"]
    with pytest.raises(ProblemError) as raised:
        tagloom.separate_person(visitor="v1")
    assert raised.value.name == "person-not-linked"


def test_users_are_joined_with_everybody_who_is_linked_to_them(tagloom: Tagloom) -> None:
    tagloom.add_tag("tier/gold", user="u1")
    tagloom.put_person(user="u2")
    tagloom.link_person("u1", visitor="v1")

    joined = tagloom.link_person("u2", user="u1", policy="leave")

    assert (joined.linked, joined.added, joined.removed) == (2, 0, 1)
    assert [(each.kind, each.id) for each in tagloom.get_person(user="u2").identities] == [
        ("user", "u1"),
        ("visitor", "v1"),
    ]
    for refused, problem in (
        (lambda: tagloom.link_person("u3", visitor="v1"), "person-linked"),
        (lambda: tagloom.link_person("u2", user="u2"), "link-invalid"),
        (lambda: tagloom.link_person("u2", user="nobody"), "person-not-found"),
        (lambda: tagloom.erase_person(visitor="v1"), "person-linked"),
    ):
        with pytest.raises(ProblemError) as raised:
            refused()
        assert raised.value.name == problem
    tagloom.separate_person(user="u1")
    assert tagloom.get_person(visitor="v1").id == "u1"


def test_events_that_name_a_visitor_link_it_by_the_rules_of_the_environment(tagloom: Tagloom) -> None:
    tagloom.set_identity(policy="leave", visitors_per_day_max=1)
    tagloom.add_tag("a", visitor="v1")

    receipt = tagloom.record_events(
        [
            {"user": "u1", "visitor": "v1", "event": "ad/clicked", "id": "m1"},
            {"user": "u1", "visitor": "v2", "event": "ad/clicked", "id": "m2"},
        ]
    )

    assert (receipt.events, receipt.linked, receipt.added, receipt.removed) == (2, 1, 0, 1)
    assert [(each.line, each.value, each.problem) for each in receipt.ignored] == [(2, "v2", "too-many-visitors")]
    assert tagloom.get_person(visitor="v1").tags == ()


def test_a_link_is_made_once_for_an_idempotency_key(tagloom: Tagloom, http: httpx.Client) -> None:
    address, headers = f"{base(tagloom)}/visitors/v1/link", {"Idempotency-Key": "k"}
    first = http.put(address, json={"user": "u1"}, headers=headers).json()
    tagloom.separate_person(visitor="v1")

    assert http.put(address, json={"user": "u1"}, headers=headers).json() == first
    assert http.get(f"{base(tagloom)}/users/u1").status_code == 404
    assert http.put(address, json={"user": "u2"}, headers=headers).status_code == 422
    assert http.put(address, json={"user": ""}).status_code == 422
    assert http.put(address, json={"user": "u1", "policy": "no"}).status_code == 422


def test_an_open_link_waits_for_a_decision(tagloom: Tagloom) -> None:
    tagloom.add_tag("sports/golf", visitor="v1")
    tagloom.set_attributes({"plan": "gold"}, visitor="v1")
    tagloom.link_person("u1", visitor="v1", policy="ask")

    (link,) = tagloom.list_open_links()

    assert (link.person, link.user, link.tags, link.attributes) == (
        Person("visitor", "v1"),
        Person("user", "u1"),
        ("sports/golf",),
        {"plan": "gold"},
    )
    assert tagloom.settle_link("take", visitor="v1", dry_run=True).added == 1
    receipt = tagloom.settle_link("take", visitor="v1")
    assert (receipt.linked, receipt.added, receipt.attributes) == (1, 1, 1)
    assert tagloom.get_person(user="u1").tags == ("sports/golf",)
    assert list(tagloom.list_open_links()) == []
    with pytest.raises(ProblemError) as raised:
        tagloom.settle_link("leave", visitor="v1")
    assert raised.value.name == "link-settled"
