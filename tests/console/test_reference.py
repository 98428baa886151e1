"""The API reference: everything that the API can do, in a page that loads nothing from anywhere else."""

import re
from typing import Literal
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from tagloom.http.routes import ROUTES
from tests.console.conftest import Open
from tests.console.serving import Served
from tests.console.test_looks import overhang, photograph, violations

Theme = Literal["light", "dark"]
LOADED_SECONDS = 60


def opened(page: Page) -> Page:
    """The reference with all that it loads. It has more requests than Swagger UI shows at a time."""
    page.goto("/docs")
    expect(page.locator(".opblock").first).to_be_visible(timeout=LOADED_SECONDS * 1_000)
    return page


def show_group(page: Page, group: str) -> set[str]:
    """Shows the requests of a group, by the filter. Returns all summaries that are shown, which can be more."""
    page.locator(".operation-filter-input").fill(group)
    summaries = page.locator(".opblock-summary-description")
    for route in ROUTES:
        if route.group == group:
            expect(summaries.get_by_text(route.summary, exact=True).first).to_be_visible()
    return set(summaries.all_inner_texts())


def lightness(page: Page, selector: str, what: str) -> float:
    """How light a colour of an element is, from 0 to 255."""
    text: str = page.locator(selector).first.evaluate(f"(each) => getComputedStyle(each).{what}")
    return sum(map(float, re.findall(r"[\d.]+", text)[:3])) / 3


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_the_reference_shows_every_request_and_shape_and_asks_no_other_server(
    open_page: Open, served: Served, width: int, theme: Theme
) -> None:
    page = open_page("anyone", width=width, theme=theme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page)

    shown = set[str]().union(*(show_group(page, group) for group in dict.fromkeys(route.group for route in ROUTES)))
    assert shown == {route.summary for route in ROUTES}
    show_group(page, "People")
    is_dark = lightness(page, "html", "backgroundColor") < lightness(page, ".opblock-tag", "color")
    assert is_dark == (theme == "dark")
    operation = page.locator(".opblock", has_text="Read the tags of a user").first
    operation.locator(".opblock-summary-control").click()
    expect(operation.get_by_text("x-scopes")).to_be_visible()
    expect(operation.locator(".responses-table").get_by_text("A valid access token is needed").first).to_be_visible()
    photograph(page, f"reference-{width}-{theme}", full_page=False)
    shapes = page.locator("section.models")
    shapes.get_by_role("button", name="Schemas").click()
    shape = shapes.locator(".json-schema-2020-12", has_text="PersonTags").first
    shape.locator(".json-schema-2020-12-accordion").first.click()
    expect(shape.get_by_text("version", exact=True).first).to_be_visible()

    assert overhang(page) == []
    # Swagger UI nests buttons, and names no list of values: markup that is not ours.
    assert violations(page, "color-contrast") == []
    here = urlsplit(served.url).netloc
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {here}


def test_the_reference_takes_the_theme_that_was_chosen_in_the_console(open_page: Open, served: Served) -> None:
    page = open_page("administrator", theme="light")
    page.context.add_cookies([{"name": "tagloom_theme", "value": "dark", "url": served.url}])
    opened(page)

    assert lightness(page, "html", "backgroundColor") < lightness(page, ".opblock-tag", "color")


def test_a_request_can_be_tried_in_the_reference_with_a_token(open_page: Open, served: Served) -> None:
    secret = served.services.access.create_token("main", "app", ("decisions",), days=1)[1]
    page = opened(open_page("anyone"))
    page.get_by_role("button", name="Authorize").click()
    page.locator("#auth-bearer-value").fill(secret)
    page.get_by_role("button", name="Apply credentials").click()
    page.locator(".modal-ux .btn-done").click()
    show_group(page, "Installation")
    operation = page.locator(".opblock", has_text="/v2/limits")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()

    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("200")


def test_the_policy_of_the_reference_allows_no_inline_script_and_no_inline_style(admin: httpx.Client) -> None:
    answer = admin.get("/docs")

    policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert (policy["script-src"], policy["style-src"], policy["connect-src"]) == ("'self'", "'self'", "'self'")
    assert "<style" not in answer.text
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", answer.text))
