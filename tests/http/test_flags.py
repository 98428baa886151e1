"""Tribes as feature flags, by the OpenFeature Remote Evaluation Protocol."""

from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagloom_client import Tagloom, rules

TAGS = ("sports", "tier/gold", "vip")


@pytest.fixture
def flagged(tagloom: Tagloom) -> Tagloom:
    """Three users and a visitor, two tribes that are flags and one that is none."""
    tagloom.tag_people(
        [
            {"user": "u1", "tags": ["sports/golf", "tier/gold"]},
            {"user": "u2", "tags": ["sports/golf"]},
            {"visitor": "v1", "tags": ["sports/tennis"]},
        ]
    )
    tagloom.create_tribe("Fans", rules.tag("sports"), flag="servers")
    tagloom.create_tribe("Best", rules.tag("tier/gold"), flag="servers")
    tagloom.create_tribe("Secret", rules.tag("tier"))
    return tagloom


def evaluate(tagloom: Tagloom, http: httpx.Client, context: object, key: str = "", **headers: str) -> httpx.Response:
    """Sends one evaluation: of the flag `key`, or of all flags."""
    path = f"{tagloom.place.address}/ofrep/v1/evaluate/flags{'/' + key if key else ''}"
    return http.post(path, json={"context": context}, headers=headers)


def values(answer: httpx.Response) -> dict[str, bool]:
    """Returns the values of a bulk evaluation by key."""
    return {flag["key"]: flag["value"] for flag in answer.json()["flags"]}


def test_only_tribes_that_are_switched_on_are_flags(flagged: Tagloom, http: httpx.Client) -> None:
    assert values(evaluate(flagged, http, {"targetingKey": "u1"})) == {"tribe/best": True, "tribe/fans": True}
    assert values(evaluate(flagged, http, {"targetingKey": "u2"})) == {"tribe/best": False, "tribe/fans": True}
    assert values(evaluate(flagged, http, {"targetingKey": "nobody"})) == {"tribe/best": False, "tribe/fans": False}
    assert evaluate(flagged, http, {"targetingKey": "u1"}, "tribe/secret").status_code == 404


def test_a_flag_has_its_variant_reason_version_and_why(flagged: Tagloom, http: httpx.Client) -> None:
    for key in ("tribe/fans", "tribe%2Ffans"):
        assert evaluate(flagged, http, {"targetingKey": "u1"}, key).json() == {
            "key": "tribe/fans",
            "value": True,
            "variant": "on",
            "reason": "TARGETING_MATCH",
            "metadata": {
                "flagSetId": f"{flagged.place.space}/production",
                "version": "1",
                "why": "tag sports holds",
            },
        }


def test_a_visitor_counts_only_without_a_targeting_key(flagged: Tagloom, http: httpx.Client) -> None:
    assert evaluate(flagged, http, {"visitor": "v1"}, "tribe/fans").json()["value"] is True
    assert evaluate(flagged, http, {"targetingKey": "", "visitor": "v1"}, "tribe/fans").json()["value"] is True
    assert evaluate(flagged, http, {"targetingKey": "u9", "visitor": "v1"}, "tribe/fans").json()["value"] is False


def test_the_context_reaches_the_rules_and_what_no_rule_reads_is_ignored(tagloom: Tagloom, http: httpx.Client) -> None:
    node = {"type": "context", "field": "platform", "op": "is", "value": "ios"}
    tagloom.create_tribe("Ios", node, flag="servers")

    shared = {"targetingKey": "u1", "nested": {"a": [1]}, "list": ["x"], "none": None}
    assert evaluate(tagloom, http, {**shared, "platform": "ios"}, "tribe/ios").json()["value"] is True
    assert evaluate(tagloom, http, {**shared, "platform": "web"}, "tribe/ios").json()["value"] is False


@pytest.mark.parametrize(
    ("context", "code"),
    [
        ({}, "TARGETING_KEY_MISSING"),
        ({"targetingKey": 7}, "INVALID_CONTEXT"),
        ({"targetingKey": "a\nb"}, "INVALID_CONTEXT"),
        ({"targetingKey": "u1", " ": "x"}, "INVALID_CONTEXT"),
        ([], "PARSE_ERROR"),
    ],
)
def test_errors_have_the_fields_of_the_protocol(
    flagged: Tagloom, http: httpx.Client, context: object, code: str
) -> None:
    one, bulk = evaluate(flagged, http, context, "tribe/fans"), evaluate(flagged, http, context)

    assert (one.status_code, one.json()["errorCode"], one.json()["key"]) == (400, code, "tribe/fans")
    assert (bulk.status_code, bulk.json()["errorCode"]) == (400, code)
    assert one.json()["errorDetails"] == one.json()["detail"]
    assert one.headers["content-type"] == bulk.headers["content-type"] == "application/json"


def test_an_unknown_flag_is_not_found(flagged: Tagloom, http: httpx.Client) -> None:
    for key in ("tribe/none", "fans", "tribe/fans/more"):
        answer = evaluate(flagged, http, {"targetingKey": "u1"}, key)
        assert (answer.status_code, answer.json()["errorCode"], answer.json()["key"]) == (404, "FLAG_NOT_FOUND", key)
        assert answer.headers["content-type"] == "application/json"


def test_the_etag_changes_exactly_with_the_answer(flagged: Tagloom, http: httpx.Client) -> None:
    first = evaluate(flagged, http, {"targetingKey": "u2"})
    tag = first.headers["etag"]

    flagged.tag_people([{"user": "u1", "tags": ["vip"]}])
    same = evaluate(flagged, http, {"targetingKey": "u2"}, **{"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)

    flagged.tag_people([{"user": "u2", "tags": ["tier/gold"]}])
    other = evaluate(flagged, http, {"targetingKey": "u2"}, **{"If-None-Match": tag})
    assert (other.status_code, values(other)["tribe/best"]) == (200, True)
    assert other.headers["etag"] != tag


def test_switching_a_flag_off_hides_it_and_saving_keeps_it(flagged: Tagloom, http: httpx.Client) -> None:
    fans = flagged.put_tribe(msgspec.structs.replace(flagged.get_tribe("fans"), name="Friends"))
    assert fans.flag == "servers"

    flagged.put_tribe(msgspec.structs.replace(fans, flag="off"))

    assert values(evaluate(flagged, http, {"targetingKey": "u1"})) == {"tribe/best": True}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(tags=st.sets(st.sampled_from(TAGS)), unknown=st.booleans())
def test_flags_say_what_decisions_say(flagged: Tagloom, http: httpx.Client, tags: set[str], unknown: bool) -> None:
    if not unknown:
        flagged.set_tags_of(sorted(tags), user="u5")
    user = "unknown" if unknown else "u5"

    found = values(evaluate(flagged, http, {"targetingKey": user}))

    decided: Any = flagged.decide(user=user).tribes
    assert found == {f"tribe/{each}": each in decided for each in ("best", "fans")}
