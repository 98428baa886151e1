"""Filters on attributes in the rule builder, and the pages of a tribe that compares attributes."""

import time
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tagloom.base.times import text_of_milliseconds
from tagloom.ports.writes import Apply, BatchRules, WriteOptions
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName
from tagloom.words.changes import Origin
from tagloom.words.rules import All, Not, Rule
from tests import bodies
from tests.console.conftest import Open
from tests.console.flows.seen import explain
from tests.console.flows.test_rule_nodes import create, rule_of, sign_in
from tests.console.serving import CUSTOMER, PLACE, Served

PLAN, ENDS = AttributeName("plan"), AttributeName("trial.ends")
NAME, VALUE, OPERATOR = "Name of the attribute", "Value of the attribute", "How the attribute must match"


@pytest.fixture
def known(served: Served) -> None:
    """A customer with a plan and with the end of a trial, which is in two days."""
    in_two_days = text_of_milliseconds(int(time.time() * 1_000) + 2 * 86_400_000)
    values: dict[str, Any] = {"plan": "gold", "trial.ends": in_two_days}
    environment = served.services.access.get_environment("main", "production")
    population = served.installation.population(environment)
    line = bodies.user(CUSTOMER, **values)
    population.write(Apply([bodies.part([line])], BatchRules(mode="add")), WriteOptions(Origin("app")))


@pytest.mark.usefixtures("known")
def test_a_filter_on_an_attribute_is_built_and_counted_before_it_is_saved(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_label("Name", exact=True).fill("Gold owners")
    page.get_by_role("button", name="Attribute", exact=True).click()
    expect(page.get_by_label(NAME)).to_be_focused()
    finding = page.locator("#finding")
    expect(finding).to_contain_text("Enter a value")
    page.keyboard.type("plan")
    page.get_by_label(VALUE).fill("gold")
    expect(finding.locator(".figure-number")).to_have_text("1")
    page.get_by_label(VALUE).fill("7")
    expect(finding).to_contain_text('the attribute has the type text. A text has double quotes: "7".')
    page.get_by_label(NAME).fill("plans")
    expect(finding).to_contain_text("There is no attribute 'plans' here. Did you mean 'plan'?")
    page.get_by_label(NAME).fill("plan")
    page.get_by_label(OPERATOR).select_option(label="is one of")
    page.get_by_label(VALUE).fill('silver, 7, "7"')
    expect(finding.locator(".figure-number")).to_have_text("0")
    page.get_by_role("button", name="Create tribe").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Gold owners")
    assert rule_of(served, "gold-owners") == HasAttribute(PLAN, "one-of", ("silver", 7, "7"))
    expect(page.get_by_label(VALUE)).to_have_value('silver, 7, "7"')


@pytest.mark.parametrize(
    ("operator", "value", "rule", "people"),
    [
        ("is", "gold", HasAttribute(PLAN, "is", "gold"), 1),
        ("is", "7", HasAttribute(PLAN, "is", 7), 0),
        ("is not", '"7"', HasAttribute(PLAN, "is-not", "7"), 1),
        ("contains", "ol", HasAttribute(PLAN, "contains", "ol"), 1),
        ("is greater than", "4.5", HasAttribute(PLAN, "greater", 4.5), 0),
        ("is set", None, HasAttribute(PLAN, "is-set"), 1),
        ("is missing", None, Not(HasAttribute(PLAN, "is-set")), None),
        ("is before", "2026-03-01", HasAttribute(ENDS, "before", "2026-03-01"), 0),
        ("is after", "2026-03-01", HasAttribute(ENDS, "after", "2026-03-01"), 1),
        ("is in the last", "7", HasAttribute(ENDS, "in-last", 7), 0),
        ("is in the next", "7", HasAttribute(ENDS, "in-next", 7), 1),
        ("is not in the next, or is missing", "7", Not(HasAttribute(ENDS, "in-next", 7)), None),
    ],
)
@pytest.mark.usefixtures("known")
def test_an_attribute_is_compared_by_each_operator(
    open_page: Open, served: Served, operator: str, value: str | None, rule: Rule, people: int | None
) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tribes/new")
    name = f"{operator} {value}"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Attribute", exact=True).click()
    node = rule.of if isinstance(rule, Not) else rule
    assert isinstance(node, HasAttribute)
    page.get_by_label(NAME).fill(node.attribute)
    page.get_by_label(OPERATOR).select_option(label=operator)
    if value is None:
        expect(page.get_by_label(VALUE)).to_be_hidden()
    else:
        page.get_by_label(VALUE).fill(value)
    expect(page.get_by_text("days", exact=True)).to_be_visible(visible=node.op in ("in-last", "in-next"))
    if people is not None:
        expect(page.locator("#finding .figure-number")).to_have_text(str(people))
    page.get_by_role("button", name="Create tribe").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert rule_of(served, page.url.rpartition("/")[2]) == rule
    if value is not None:
        expect(page.get_by_label(VALUE)).to_have_value(value)


def test_a_mistake_in_an_attribute_is_told_before_it_is_saved(open_page: Open) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_role("button", name="Attribute", exact=True).click()
    finding = page.locator("#finding")
    expect(finding).to_contain_text("Enter a value")
    page.get_by_label(VALUE).fill("gold")
    expect(finding).to_contain_text("is not the name of an attribute")
    page.get_by_label(NAME).fill("plan")
    page.get_by_label(OPERATOR).select_option("greater")
    expect(finding).to_contain_text("'gold' is not a number.")
    page.get_by_label(OPERATOR).select_option("before")
    expect(finding).to_contain_text("a date such as 2026-03-01")
    page.get_by_label(OPERATOR).select_option("in-next")
    expect(finding).to_contain_text("'gold' is not a whole number.")
    page.get_by_label(VALUE).fill("40000")
    expect(finding).to_contain_text("a number of days from 1 to 36,500")


@pytest.mark.usefixtures("known")
def test_why_shows_the_value_of_the_person(open_page: Open, served: Served) -> None:
    rule = All((HasAttribute(PLAN, "is", "gold"), Not(HasAttribute(AttributeName("size"), "greater", 3))))
    tribe = create(served, "Small gold", rule)
    page = open_page("developer")
    rows = explain(page, tribe)
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("attribute plan is gold")
    expect(rows.nth(0)).to_contain_text('the value "gold"')
    expect(rows.nth(1)).to_contain_text("attribute size is not greater than 3, or is missing")
    expect(rows.nth(1)).to_contain_text("no value")


def test_a_change_of_a_rule_with_attributes_is_told_in_sentences(open_page: Open, served: Served) -> None:
    nodes = (
        HasAttribute(ENDS, "in-next", 7),
        HasAttribute(ENDS, "in-last", 1),
        HasAttribute(ENDS, "before", "2026-03-01"),
    )
    create(served, "Told", All(tuple(each for node in nodes for each in (node, Not(node)))))
    page = open_page("developer")
    page.goto(f"{PLACE}/activity?shows=tribes")
    row = page.locator("#activity-rows tr").first
    row.get_by_text("Rule", exact=True).click()

    for sentence in (
        "attribute trial.ends is in the next 7 days",
        "attribute trial.ends is not in the next 7 days, or is missing",
        "attribute trial.ends is today",
        "attribute trial.ends is not today, or is missing",
        "attribute trial.ends is before 2026-03-01",
        "attribute trial.ends is not before 2026-03-01, or is missing",
    ):
        expect(row.get_by_text(sentence, exact=True)).to_have_count(1)


def test_a_filter_on_an_attribute_is_built_without_any_script(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(base_url=served.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_label("Name", exact=True).fill("Without a script")
    page.get_by_role("button", name="Attribute", exact=True).click()
    page.get_by_label(NAME).fill("seats")
    page.get_by_label(OPERATOR).select_option("not-greater")
    page.get_by_label(VALUE).fill("6")
    page.get_by_role("button", name="Create tribe").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Without a script")
    assert rule_of(served, "without-a-script") == Not(HasAttribute(AttributeName("seats"), "greater", 6))
    context.close()
