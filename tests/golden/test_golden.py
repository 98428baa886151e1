"""The golden cases, which readers of tags and rules in other languages are to share, held against this one."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tagloom.engine.keys.hashing import binary_array
from tagloom.engine.keys.points import points_of
from tagloom.words import rules, tags
from tagloom.words.event_rules import EventFact, counter_of
from tagloom.words.events import DAY_MS
from tagloom.words.percent_rules import murmur3, point_of
from tagloom.words.problems import TagProblem
from tagloom.words.rules import Definition, Facts, HasTag, Leaf

HERE = Path(__file__).parent
RULES: list[dict[str, Any]] = json.loads((HERE / "rules.json").read_text("utf-8"))["cases"]
PERCENTS: list[dict[str, Any]] = json.loads((HERE / "percent.json").read_text("utf-8"))["cases"]
TAGS: dict[str, list[dict[str, Any]]] = json.loads((HERE / "tags.json").read_text("utf-8"))


@pytest.mark.parametrize("case", RULES, ids=lambda case: case["name"])
def test_a_rule_means_what_the_golden_case_says(case: dict[str, Any]) -> None:
    rule = rules.parse_rule(json.dumps(case["rule"]))
    facts = _facts(case["facts"])
    tribes = msgspec.convert(case["tribes"], dict[str, Definition])

    assert rules.matches(rule, facts, tribes) is case["expected"]
    assert [
        {"node": reason.node, "holds": reason.holds} | _asked(reason.asks)
        for reason in rules.reasons(rule, facts, tribes)
    ] == case["reasons"]


def _facts(case: dict[str, Any]) -> Facts:
    events = [
        EventFact(event["type"], event["day"] * DAY_MS, json.dumps(event.get("properties", {})).encode())
        for event in case.get("events", [])
    ]
    known = {name: value for name, value in case.items() if name not in ("events", "today")}
    return msgspec.structs.replace(
        msgspec.convert(known, Facts), count_events=counter_of(events, case.get("today", 0) * DAY_MS)
    )


def _asked(node: Leaf) -> dict[str, Any]:
    if isinstance(node, HasTag):
        return {"tag": node.tag, "match": node.match}
    return {"asks": json.loads(msgspec.json.encode(node))}


@pytest.mark.parametrize("case", PERCENTS, ids=lambda case: ascii(f"{case['salt']}/{case['kind']}/{case['id']}"))
def test_the_point_of_a_person_is_that_of_the_golden_case(case: dict[str, Any]) -> None:
    data = f"{case['salt']}/{case['kind']}/{case['id']}".encode()

    assert murmur3(data) == case["hash"]
    assert point_of(case["salt"], case["kind"], case["id"]) == case["point"]
    assert points_of(binary_array([f"{case['kind'][0]}{case['id']}".encode()]), case["salt"]).tolist() == [
        case["point"]
    ]


@pytest.mark.parametrize("case", TAGS["valid"], ids=lambda case: ascii(case["path"]))
def test_a_valid_text_is_the_path_of_the_golden_case(case: dict[str, Any]) -> None:
    assert tags.parse_tag(case["text"]) == case["path"]


@pytest.mark.parametrize("case", TAGS["invalid"], ids=lambda case: ascii(case["text"]))
def test_an_invalid_text_has_the_problem_of_the_golden_case(case: dict[str, Any]) -> None:
    with pytest.raises(TagProblem) as caught:
        tags.parse_tag(case["text"])

    assert caught.value.slug() == case["problem"]
    assert caught.value.members["position"] == case["position"]
    assert caught.value.members.get("suggestion") == case["suggestion"]


def test_every_golden_case_has_a_name_of_its_own() -> None:
    assert len({case["name"] for case in RULES}) == len(RULES)


def test_every_rule_about_tags_has_a_golden_case() -> None:
    named = {case["problem"] for case in TAGS["invalid"]}

    assert named == {each.slug() for each in TagProblem.__subclasses__()}
