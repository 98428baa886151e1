"""The dashboard and the pages name metrics that are there, and its panels lie side by side."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tagloom.accounts.access_tokens import Access
from tagloom.words.mappings import REASON_COLUMNS, REASON_FIELD
from tagloom_client import Tagloom
from tests.docs.pages import DOCS, name_of, pages
from tests.http.serving import INSTALLATIONS, serve

DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana" / "tagloom.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
NAME = re.compile(r"\b(?:tagloom|process)_[a-z_]+\b")
COLUMNS = 24
# What pages name that begins like a metric.
OTHERS = {"tagloom_client", "tagloom_destination", REASON_FIELD, *REASON_COLUMNS}


@pytest.fixture(scope="module")
def served_names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """The families and samples of a server on PostgreSQL, which has all of them."""
    installation = INSTALLATIONS["postgres"](tmp_path_factory.mktemp("data"))
    token = Access(installation.control).create_token("main", "tester", ["admin"], days=1)[1]
    for url in serve(installation):
        with Tagloom(url, token) as client:
            client.add_tag("a", user="u1")
        families = list(text_string_to_metric_families(httpx.get(f"{url}/metrics").text))
        yield {family.name for family in families} | {sample.name for each in families for sample in each.samples}


def expressions(panel: dict[str, Any]) -> list[str]:
    """What a panel asks Prometheus."""
    return [target["expr"] for target in panel.get("targets", ())]


def variables() -> dict[str, dict[str, Any]]:
    """The variables of the dashboard by name."""
    return {each["name"]: each for each in DASHBOARD["templating"]["list"]}


def test_every_metric_of_the_dashboard_is_served(served_names: set[str]) -> None:
    asked = [text for panel in PANELS for text in expressions(panel)]
    asked += [str(each["query"]) for each in variables().values()]

    named = {name for text in asked for name in NAME.findall(text)}
    assert len(named) > 20
    assert named <= served_names


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_metric_that_a_page_names_is_served(page: Path, served_names: set[str]) -> None:
    named = set(NAME.findall(page.read_text(encoding="utf-8"))) - OTHERS
    assert {name for name in named if not name.endswith("_")} <= served_names


def test_every_panel_asks_the_data_source_that_was_chosen() -> None:
    assert variables()["datasource"]["type"] == "datasource"
    for panel in PANELS:
        if panel["type"] == "row":
            continue
        assert expressions(panel), panel["title"]
        assert panel["title"]
        assert panel["description"]
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for text in expressions(panel):
            assert set(re.findall(r"\$([a-z]+)", text)) == {"job", "instance"}


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in PANELS]
    for place in places:
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= COLUMNS
        assert min(place["w"], place["h"]) > 0
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_the_dashboard_has_a_row_for_each_side_of_the_product() -> None:
    rows = [panel["title"] for panel in PANELS if panel["type"] == "row"]
    assert rows == ["Traffic", "Writes", "Reads", "Store", "Imports and syncs"]
