"""Shares and contexts at the door: decisions with a context, and tribes that have no members without one."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tagloom.words import limits
from tagloom.words.percent_rules import point_of
from tagloom_client import Tagloom, problems, rules
from tagloom_client.models import Person

IOS = rules.context("platform", "is", "ios")


@pytest.fixture
def tribal(tagloom: Tagloom) -> Tagloom:
    """Some users, and tribes that do and do not need a context."""
    tagloom.tag_people([{"user": f"u{number}", "tags": ["sports"]} for number in range(20)])
    tagloom.create_tribe("Fans", rules.tag("sports"))
    tagloom.create_tribe("Half", rules.percent(50, salt="spring"))
    tagloom.create_tribe("On iOS", IOS)
    tagloom.create_tribe("Mobile fans", rules.all_of(rules.tribe("fans"), rules.not_(rules.tribe("on-ios"))))
    return tagloom


def in_half(kind: Any, id: str) -> bool:
    return point_of("spring", kind, id) < 5_000


def test_a_decision_reads_the_context_that_comes_with_it(tribal: Tagloom) -> None:
    halves = ("half",) if in_half("user", "u1") else ()

    for _ in range(2):
        assert tribal.decide(user="u1").tribes == ("fans", *halves, "mobile-fans")
        assert tribal.decide(user="u1", context={"platform": "ios"}).tribes == ("fans", *halves, "on-ios")
        assert tribal.decide(user="u1", context={"platform": None}).tribes == ("fans", *halves, "mobile-fans")
        assert tribal.decide(user="u1", because=False, context={"platform": "iOS"}).tribes[-1] == "mobile-fans"
    stranger = ("half",) if in_half("visitor", "new") else ()
    assert tribal.decide(visitor="new", context={"platform": "ios"}).tribes == (*stranger, "on-ios")


def test_a_share_is_the_same_in_a_count_a_list_and_decisions(tribal: Tagloom) -> None:
    expected = {f"u{number}" for number in range(20) if in_half("user", f"u{number}")}

    assert tribal.count_tribe("half").count == len(expected)
    assert {each.id for each in tribal.export_members("half")} == expected
    decided = tribal.decide_many([Person("user", f"u{number}") for number in range(20)]).decisions
    assert {each.user for each in decided if "half" in each.tribes} == expected


def test_a_context_for_all_people_gives_way_to_that_of_one(tribal: Tagloom) -> None:
    people = [Person("user", "u1"), Person("user", "u2"), Person("visitor", "new")]

    found = tribal.decide_many(
        people, context={"platform": "ios", "version": 1}, contexts=[{}, {"platform": "web"}, {"platform": None}]
    )

    assert ["on-ios" in each.tribes for each in found.decisions] == [True, False, True]
    alone = tribal.decide_many(people, contexts=[{"platform": "ios"}, {}, {}])
    assert ["on-ios" in each.tribes for each in alone.decisions] == [True, False, False]


def test_the_reasons_of_a_decision_have_the_nodes_that_decided(tribal: Tagloom, http: httpx.Client) -> None:
    decided = tribal.decide(user="u1", context={"platform": "ios"}).because
    assert [(each.node, each.asks, each.tag, each.holds) for each in decided["on-ios"]] == [("", IOS, None, True)]

    answer = http.post(f"{tribal.place.address}/decisions", json={"user": "u1", "context": {"platform": "web"}})
    assert answer.json()["because"]["mobile-fans"][1] == {
        "node": "/of/1/of/tribe:on-ios",
        "holds": False,
        "by": [],
        "asks": IOS,
    }
    why = tribal.explain("mobile-fans", user="u1", context={"platform": "ios"})
    assert (why.is_member, [each.node for each in why.because]) == (False, ["/of/1/of/tribe:on-ios"])
    assert tribal.explain("mobile-fans", user="u1").is_member


ASKED: list[Callable[[Tagloom, str], object]] = [
    lambda client, tribe: client.count_tribe(tribe),
    lambda client, tribe: client.count_tribe(tribe, as_of="1"),
    lambda client, tribe: client.get_metrics(tribe),
    lambda client, tribe: list(client.export_members(tribe)),
    lambda client, tribe: list(client.list_members(tribe)),
    lambda client, tribe: client.get_membership(tribe, user="u1"),
    lambda client, tribe: client.overlap_of(["fans", tribe]),
    lambda client, tribe: client.preview_rule(rules.tribe(tribe)),
    lambda client, tribe: client.tag_tribe(tribe, add="spring"),
    lambda client, tribe: client.tag_tribe(tribe, snapshot="spring", dry_run=True),
]


@pytest.mark.parametrize("tribe", ["on-ios", "mobile-fans"])
@pytest.mark.parametrize("ask", ASKED)
def test_a_tribe_that_needs_a_context_has_no_members(
    tribal: Tagloom, ask: Callable[[Tagloom, str], object], tribe: str
) -> None:
    with pytest.raises(problems.Invalid, match="tribe-needs-context") as raised:
        ask(tribal, tribe)

    assert "Ask for a decision about one person, with a context" in raised.value.detail
    assert raised.value.members["tribe"] in (tribe, "")


def test_other_tribes_are_listed_beside_one_that_needs_a_context(tribal: Tagloom) -> None:
    assert [each.id for each in tribal.list_tribes()] == ["fans", "half", "mobile-fans", "on-ios"]
    assert tribal.count_tribe("fans").count == 20
    assert tribal.overlap_of(["fans", "half"]).regions


@pytest.mark.parametrize(
    "context",
    [
        [],
        "ios",
        {"platform": ["ios"]},
        {"platform": {"name": "ios"}},
        {"": "ios"},
        {" platform": "ios"},
        {"p" * (limits.CHARACTERS_PER_CONTEXT_FIELD_MAX + 1): "ios"},
        {"platform": "x" * (limits.CHARACTERS_PER_COMPARED_VALUE_MAX + 1)},
        {"version": 1 << 63},
        {f"f{number}": number for number in range(limits.FIELDS_PER_CONTEXT_MAX + 1)},
    ],
)
def test_a_context_is_refused_where_it_is_bad(tribal: Tagloom, http: httpx.Client, context: object) -> None:
    for path, body, field in (
        ("decisions", {"user": "u1", "context": context}, "$.context"),
        ("decisions/many", {"people": [{"user": "u1"}], "context": context}, "$.context"),
        ("decisions/many", {"people": [{"user": "u1", "context": context}]}, "$.people[0].context"),
    ):
        answer = http.post(f"{tribal.place.address}/{path}", json=body)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/body-invalid")
        assert answer.json()["field"].replace("[...]", "[0]").startswith(field)


@pytest.mark.parametrize("context", ["{", "[]", '{"platform": []}', '{" p": 1}', "ios"])
def test_the_context_of_why_is_json(tribal: Tagloom, http: httpx.Client, context: str) -> None:
    answer = http.get(f"{tribal.place.address}/tribes/on-ios/why", params={"user": "u1", "context": context})

    assert (answer.json()["type"], answer.json()["parameter"]) == ("/problems/parameter-invalid", "context")


def test_the_fast_answer_and_the_route_read_a_context_alike(tribal: Tagloom, http: httpx.Client) -> None:
    address, body = f"{tribal.place.address}/decisions", {"user": "u1", "context": {"platform": "ios", "beta": True}}

    for _ in range(2):
        fast = http.post(address, json=body)
        route = http.post(address, json=body, params={"at_least": 1}, headers={"X-Request-Id": "mine"})
        assert fast.json() == route.json()
        assert "on-ios" in fast.json()["tribes"]
