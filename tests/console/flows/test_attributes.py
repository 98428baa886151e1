# ruff: noqa: RUF001 - what is removed is shown with a minus sign.
"""The attributes of an environment: listed, created, described, deleted, undone."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tagloom.ports.problems import AttributeNotFound
from tagloom.ports.writes import Apply, BatchRules, PutAttribute, WriteOptions
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName
from tagloom.words.changes import Origin
from tagloom.words.limits import ATTRIBUTE_VALUES_COUNTED_MAX
from tests import bodies
from tests.console.conftest import Open
from tests.console.flows.seen import attributes_of, put_attributes, toast
from tests.console.flows.test_rule_nodes import create
from tests.console.serving import CUSTOMER, PLACE, Served

PLAN = AttributeName("plan")
VALUES: dict[str, Any] = {"plan": "silver", "interests": ["football", "slow, cooking"], "trial.ends": "2026-12-24"}


def test_the_attributes_are_listed_searched_and_opened(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, **VALUES, seats=7)
    put_attributes(served, "someone", plan="gold", seats=9)
    put_attributes(served, "another", plan="gold")
    tribe = create(served, "Gold owners", HasAttribute(PLAN, "is", "gold"))
    page = open_page("developer")
    page.goto(f"{PLACE}/tags")
    page.locator(".rail").get_by_role("link", name="Attributes").click()
    rows = page.locator("#attribute-rows tr")
    expect(rows.locator(".row-link")).to_have_text(["interests", "plan", "seats", "trial.ends"])
    expect(rows.nth(1)).to_contain_text(re.compile(r"text\s*3\s*<0.1 %"))
    page.get_by_label("Search attributes").press_sequentially("PLA", delay=20)
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile("search=PLA"))

    rows.get_by_role("link", name="plan").click()
    panel = page.locator("#panel")
    expect(panel.get_by_role("heading", level=2)).to_have_text("plan")
    expect(panel.locator(".frequent tbody tr")).to_have_text([re.compile(r"gold\s*2\s*66.7 %"), re.compile("silver")])
    expect(panel.get_by_role("link", name="Gold owners")).to_have_attribute("href", f"{PLACE}/tribe/{tribe}")
    expect(rows.locator("[aria-current]")).to_have_text("plan")
    page.keyboard.press("Escape")
    expect(panel).to_be_empty()
    expect(page).to_have_url(re.compile(r"attributes\?search=PLA$"))

    page.goto(f"{PLACE}/attributes?attribute=seats")
    expect(panel.locator(".facts")).to_contain_text(re.compile(r"Least\s*7\s*Greatest\s*9\s*Different values\s*2"))
    page.goto(f"{PLACE}/attributes?attribute=trial.ends")
    expect(panel.locator(".frequent")).to_contain_text("24 Dec 2026")


def test_too_many_different_values_are_not_counted_one_by_one(open_page: Open, served: Served) -> None:
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    lines = [bodies.user(f"u{n}", score=n) for n in range(ATTRIBUTE_VALUES_COUNTED_MAX + 1)]
    population.write(Apply([bodies.part(lines)], BatchRules(mode="add")), WriteOptions(Origin("app")))
    page = open_page("developer")
    page.goto(f"{PLACE}/attributes?attribute=score")

    panel = page.locator("#panel")
    expect(panel).to_contain_text("There are more than 10,000 different values. They are not counted one by one.")
    expect(panel.locator(".facts")).to_contain_text(re.compile(r"Least\s*0\s*Greatest\s*10,000"))
    expect(panel.locator(".frequent")).to_have_count(0)


def test_more_attributes_than_fit_are_listed_each_once(open_page: Open, served: Served) -> None:
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    names = sorted([*(f"a{n:03}" for n in range(130)), *(f"A{n:03}.x" for n in range(90))], key=str.casefold)
    for name in names:
        population.write(PutAttribute(AttributeName(name), "text"), WriteOptions(Origin("ada")))
    page = open_page("developer")
    page.goto(f"{PLACE}/attributes")
    links = page.locator("#attribute-rows .row-link")
    for count in (200, 220):
        page.get_by_role("link", name="Show more").click()
        expect(links).to_have_count(count)

    assert links.all_inner_texts() == names


def test_an_attribute_is_created_described_and_its_description_undone(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/attributes")
    expect(page.locator("main")).to_contain_text("No attributes yet")
    page.get_by_role("link", name="New attribute").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_label("Name").fill("born")
    dialog.get_by_label("Type").select_option(label="Time")
    dialog.get_by_label("Description").fill("The day of birth.")
    dialog.get_by_role("button", name="Create attribute").click()
    panel = page.locator("#panel")
    expect(panel.get_by_role("heading", level=2)).to_have_text("born")
    expect(panel).to_contain_text("The day of birth.")
    expect(panel).to_contain_text("Nobody has a value.")
    expect(toast(page)).to_contain_text("The attribute “born” was created.")

    page.get_by_role("link", name="New attribute").click()
    dialog.get_by_label("Name").fill("born")
    dialog.get_by_role("button", name="Create attribute").click()
    expect(dialog.get_by_role("alert")).to_contain_text("time")
    dialog.get_by_role("button", name="Cancel").click()

    panel.get_by_text("Change description").click()
    panel.get_by_label("What does it mean").fill("From the passport.")
    panel.get_by_role("button", name="Save description").click()
    expect(panel).to_contain_text("From the passport.")
    toast(page).get_by_role("button", name="Undo").click()
    expect(panel).to_contain_text("The day of birth.")
    environment = served.services.access.get_environment("main", "production")
    found = served.services.attributes.get_attribute(environment, AttributeName("born")).attribute
    assert (found.type, found.description) == ("time", "The day of birth.")


def test_an_attribute_is_deleted_after_its_effect_was_shown_and_undone(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, plan="gold")
    put_attributes(served, "someone", plan="silver")
    create(served, "Gold owners", HasAttribute(PLAN, "is", "gold"))
    environment = served.services.access.get_environment("main", "production")
    page = open_page("developer")
    page.goto(f"{PLACE}/attributes?attribute=plan")
    page.get_by_role("link", name="Delete this attribute").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("removed from 2 people")
    expect(dialog.locator(".effect")).to_contain_text(re.compile(r"Gold owners\s*0\s*−1\s*0"))
    expect(dialog).to_contain_text("1 tribe uses it: Gold owners.")
    dialog.get_by_label("Delete it anyway").check()
    dialog.get_by_role("button", name="Delete attribute").click()
    expect(toast(page)).to_contain_text("“plan” was deleted.")
    with pytest.raises(AttributeNotFound):
        served.services.attributes.get_attribute(environment, PLAN)

    toast(page).get_by_role("button", name="Undo").click()
    expect(page.locator("#panel").get_by_role("heading", level=2)).to_have_text("plan")
    assert attributes_of(served, CUSTOMER) == {"plan": "gold"}


def test_a_filter_suggests_the_attributes_with_their_types(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, **VALUES)
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_role("button", name="Attribute", exact=True).click()

    options = page.locator("#known-attributes option")
    expect(options).to_have_count(3)
    found = options.evaluate_all("all => all.map(each => [each.value, each.textContent])")
    assert found == [["interests", "list of texts"], ["plan", "text"], ["trial.ends", "time"]]


def test_the_search_jumps_to_an_attribute(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, plan="gold")
    page = open_page("developer")
    page.goto(f"{PLACE}/overview")
    page.keyboard.press("/")
    page.get_by_role("dialog").get_by_role("textbox").or_(page.get_by_role("dialog").get_by_role("combobox")).fill(
        "plan"
    )
    page.get_by_role("dialog").locator(".option").filter(has_text=re.compile(r"^\s*plan\s*1\s*$")).click()

    expect(page.locator("#panel").get_by_role("heading", level=2)).to_have_text("plan")
