# ruff: noqa: RUF001 - what is removed is shown with a minus sign.
"""Attributes of a person: set by hand, changed, removed, undone, and told of by every page about a person."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName, AttributeValue
from tagloom.words.changes import Origin
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person
from tests.console.conftest import Open
from tests.console.flows.seen import attributes_of, put_attributes, toast
from tests.console.flows.test_rule_nodes import create, sign_in
from tests.console.serving import CUSTOMER, EMAILS, PLACE, Served

PLAN = AttributeName("plan")
VALUES: dict[str, Any] = {"plan": "silver", "interests": ["football", "slow, cooking"], "trial.ends": "2026-12-24"}


def line_of(panel: Locator, name: str) -> Locator:
    """The line of an attribute in the panel of a person."""
    return panel.locator(".attribute-list > li").filter(has=panel.page.get_by_role("link", name=name, exact=True))


def set_by_hand(page: Page, name: str, value: str) -> None:
    """Types an attribute and its value, and sends them."""
    page.get_by_label("Set an attribute", exact=True).first.fill(name)
    page.get_by_label("Value", exact=True).fill(value)
    page.keyboard.press("Enter")


def test_attributes_of_a_person_are_set_changed_removed_and_undone_by_hand(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, **VALUES)
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    page.evaluate("window.isFirstPage = true")
    panel = page.locator("#panel")
    expect(line_of(panel, "plan").locator(".value")).to_have_text("silver")
    expect(line_of(panel, "trial.ends").locator(".value")).to_have_text("24 Dec 2026")
    expect(line_of(panel, "interests").locator(".chip")).to_have_text(["football", "slow, cooking"])

    set_by_hand(page, "plan", "gold")
    expect(line_of(panel, "plan").locator(".value")).to_have_text("gold")
    expect(toast(page)).to_contain_text(f"plan of {CUSTOMER} was set.")
    expect(panel.get_by_label("Set an attribute", exact=True).first).to_be_focused()
    assert attributes_of(served, CUSTOMER)["plan"] == "gold"
    expect(panel.locator(".timeline")).to_contain_text(re.compile(r"plan:\s*silver\s*gold"))
    expect(panel.locator(".timeline")).to_contain_text(EMAILS["developer"])

    toast(page).get_by_role("button", name="Undo").click()
    expect(toast(page)).to_contain_text("was undone: 1 value changed.")
    assert attributes_of(served, CUSTOMER)["plan"] == "silver"

    panel.get_by_role("button", name="Remove plan").click()
    expect(line_of(panel, "plan")).to_have_count(0)
    expect(toast(page)).to_contain_text(f"plan was removed from {CUSTOMER}.")
    assert "plan" not in attributes_of(served, CUSTOMER)
    toast(page).get_by_role("button", name="Undo").click()
    expect(line_of(panel, "plan").locator(".value")).to_have_text("silver")


def test_a_value_is_sent_without_a_new_page(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    page.evaluate("window.isFirstPage = true")
    set_by_hand(page, "plan", "gold")
    expect(line_of(page.locator("#panel"), "plan").locator(".value")).to_have_text("gold")
    # The next attribute is typed without a click between.
    page.keyboard.type("city")
    page.keyboard.press("Tab")
    page.keyboard.type("Bonn")
    page.keyboard.press("Enter")

    expect(line_of(page.locator("#panel"), "city").locator(".value")).to_have_text("Bonn")
    assert page.evaluate("window.isFirstPage === true"), "the form loaded a new page"


@pytest.mark.parametrize(
    ("type", "typed", "value", "shown"),
    [
        ("Text", "2026-12-24", "2026-12-24", "2026-12-24"),
        ("Number", "12000", 12_000, "12,000"),
        ("Yes or no", "yes", True, "yes"),
        ("Time", "24 Dec 2026, 10:05", "2026-12-24T10:05:00.000Z", "24 Dec 2026, 10:05 UTC"),
        ("List of texts", 'red, "a, b"', ["red", "a, b"], "red a, b"),
    ],
)
def test_a_new_attribute_gets_the_chosen_type(
    open_page: Open, served: Served, type: str, typed: str, value: Any, shown: str
) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    choice = page.get_by_label("Type, if the attribute is new")
    expect(choice).to_be_hidden()
    page.get_by_label("Set an attribute", exact=True).first.fill("brand.new")
    choice.select_option(label=type)
    page.get_by_label("Value", exact=True).fill(typed)
    page.keyboard.press("Enter")

    found = line_of(page.locator("#panel"), "brand.new").locator(".value")
    expect(found).to_have_text(re.compile(r"\s*".join(map(re.escape, shown.split()))))
    assert attributes_of(served, CUSTOMER)["brand.new"] == value


def test_a_value_is_typed_by_the_type_of_its_attribute(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, seats=7, zip=AttributeValue("text", "50667"))
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    panel = page.locator("#panel")
    page.get_by_label("Set an attribute", exact=True).first.fill("seats")
    expect(panel.locator("#attribute-hint")).to_have_text("A number, such as 7 or 2.5.")
    expect(page.get_by_label("Type, if the attribute is new")).to_be_hidden()
    set_by_hand(page, "seats", "many")
    expect(panel.locator("#attribute-problem")).to_contain_text("'many' is not a number")
    expect(page.get_by_label("Value", exact=True)).to_be_focused()
    expect(page.get_by_label("Value", exact=True)).to_have_value("many")
    set_by_hand(page, "seats", "8")
    expect(line_of(panel, "seats").locator(".value")).to_have_text("8")
    set_by_hand(page, "zip", "50668")

    expect(line_of(panel, "zip").locator(".value")).to_have_text("50668")
    assert attributes_of(served, CUSTOMER) == {"seats": 8, "zip": "50668"}
    set_by_hand(page, "zip", "50668")
    expect(toast(page)).to_contain_text(f"{CUSTOMER} already has this value of zip.")


def test_a_value_is_changed_from_its_line(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, **VALUES)
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    page.get_by_role("link", name="Change interests").click()
    value = page.get_by_label("Value", exact=True)
    expect(value).to_be_focused()
    expect(value).to_have_value('football, "slow, cooking"')
    value.fill("football")
    page.keyboard.press("Enter")

    expect(line_of(page.locator("#panel"), "interests").locator(".chip")).to_have_text(["football"])
    assert attributes_of(served, CUSTOMER)["interests"] == ["football"]


def test_the_day_on_which_a_person_joined_is_set_from_its_line(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    page.get_by_role("link", name="Set joined_at").click()
    value = page.get_by_label("Value", exact=True)
    expect(value).to_be_focused()
    value.fill("1 Mar 2026")
    page.keyboard.press("Enter")

    expect(line_of(page.locator("#panel"), "joined_at").locator(".value")).to_have_text("1 Mar 2026")
    assert attributes_of(served, CUSTOMER)["joined_at"] == "2026-03-01T00:00:00.000Z"
    page.get_by_role("link", name="Change joined_at").click()
    expect(page.get_by_label("Value", exact=True)).to_have_value("1 Mar 2026")


def test_attributes_that_tagloom_derives_are_shown_and_cannot_be_changed(open_page: Open, served: Served) -> None:
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    seen = Event(
        person=Person("user", CUSTOMER), type=EventType("page/viewed"), at=0, id="m1", derived={"$country": "DE"}
    )
    population.write(RecordEvents([seen]), WriteOptions(Origin("source web", "tracking")))
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    panel = page.locator("#panel")

    expect(line_of(panel, "$country").locator(".value")).to_have_text("DE")
    expect(line_of(panel, "$country").locator(".does")).to_have_count(0)
    set_by_hand(page, "$country", "FR")
    expect(panel).to_contain_text("Only Tagloom sets the attribute")
    assert attributes_of(served, CUSTOMER)["$country"] == "DE"
    page.goto(f"{PLACE}/attributes?attribute=$country")
    expect(page.locator("#panel")).to_contain_text("Built in.")
    expect(page.locator("#panel").get_by_text("Change description")).to_have_count(0)


def test_a_new_person_is_created_with_an_attribute(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user=brand-new")
    expect(page.locator("#panel")).to_contain_text("set an attribute to create them")
    set_by_hand(page, "plan", "gold")

    expect(line_of(page.locator("#panel"), "plan").locator(".value")).to_have_text("gold")
    assert attributes_of(served, "brand-new") == {"plan": "gold"}


def test_an_attribute_is_set_without_any_script(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(base_url=served.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    page.get_by_label("Set an attribute", exact=True).first.fill("vip")
    page.get_by_label("Value", exact=True).fill("yes")
    page.get_by_label("Type, if the attribute is new").select_option("boolean")
    page.get_by_role("button", name="Set attribute").click()

    expect(line_of(page.locator("#panel"), "vip").locator(".value")).to_have_text("yes")
    assert attributes_of(served, CUSTOMER) == {"vip": True}
    context.close()


def test_a_closed_catalogue_refuses_a_new_attribute_with_the_reason(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, plan="silver")
    served.services.access.put_catalogue(served.services.access.get_environment("main", "production"), "closed")
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    set_by_hand(page, "plam", "gold")

    expect(page.locator("#attribute-problem")).to_contain_text("plam")
    assert attributes_of(served, CUSTOMER) == {"plan": "silver"}


def test_activity_tells_of_values_and_undoes_them(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, plan="silver")
    put_attributes(served, CUSTOMER, plan="gold", seats=7)
    page = open_page("developer")
    page.goto(f"{PLACE}/activity")
    row = page.locator("#activity-rows tr").first
    expect(row).to_contain_text("Set attributes")
    expect(row).to_contain_text("2 values")
    row.get_by_role("link", name="Set attributes").click()
    expect(page.locator(".facts")).to_contain_text(re.compile(r"Values changed\s*2"))
    expect(page.locator("#undo .totals")).to_contain_text(re.compile(r"Values changed\s*2"))
    expect(page.locator("#undo .totals")).not_to_contain_text("Taggings")
    page.get_by_role("button", name="Undo this version").click()

    expect(toast(page)).to_contain_text("was undone: 2 values changed.")
    assert attributes_of(served, CUSTOMER) == {"plan": "silver"}


def test_attributes_of_identified_people_are_named_and_undone(open_page: Open, served: Served) -> None:
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    event = Event(
        person=Person("user", CUSTOMER),
        type=EventType("identity/identified"),
        at=0,
        id="m1",
        attributes={"plan": "gold", "trial.ends": "2026-12-24T10:05:00Z"},
    )
    population.write(RecordEvents([event]), WriteOptions(Origin("web", "source web")))
    page = open_page("developer")
    page.goto(f"{PLACE}/activity?action=identify")
    row = page.locator("#activity-rows tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(re.compile(r"Set attributes of identified people\s*2 values\s*web"))
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    changes = page.locator("#panel .timeline .attribute-change")
    expect(changes).to_have_text([re.compile(r"plan:\s*gold"), re.compile(r"trial.ends:\s*24 Dec 2026, 10:05 UTC")])

    page.goto(f"{PLACE}/activity/undo?source=source+web&preview=yes")
    page.get_by_role("button", name="Undo 1 version").click()
    expect(toast(page)).to_contain_text("2 values changed.")
    assert attributes_of(served, CUSTOMER).keys() == COMPUTED_ATTRIBUTES.keys()


def test_the_attributes_at_a_given_time_are_compared_with_today(open_page: Open, served: Served) -> None:
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    put_attributes(served, CUSTOMER, plan="silver", seats=7)
    then = population.version()
    put_attributes(served, CUSTOMER, plan="gold", seats=None, vip=True)
    page = open_page("developer")
    page.goto(f"{PLACE}/person/as-of?user={CUSTOMER}&as_of={then}")

    expect(page.locator(".attribute-list > li")).to_have_text([re.compile(r"plan\s*silver"), re.compile(r"seats\s*7")])
    changes = page.locator(".attribute-change")
    expected = [re.compile(r"plan:\s*silver\s*gold"), re.compile(r"−\s*seats:\s*7"), re.compile(r"\+\s*vip:\s*yes")]
    expect(changes).to_have_text(expected)


def test_the_tribes_of_a_person_name_the_value(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, plan="gold")
    create(served, "Not silver", HasAttribute(PLAN, "is-not", "silver"))
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    page.locator("#panel").get_by_text("Not silver, why").click()

    reason = page.locator("#panel .sentence-list").filter(has_text="attribute plan is not silver")
    expect(reason).to_contain_text('has the value "gold"')


def test_why_shows_a_time_as_every_page_shows_times(open_page: Open, served: Served) -> None:
    put_attributes(served, CUSTOMER, **VALUES)
    tribe = create(served, "Past March", HasAttribute(AttributeName("trial.ends"), "after", "2026-03-01"))
    page = open_page("developer")
    page.goto(f"{PLACE}/tribe/{tribe}/why?kind=user&person={CUSTOMER}")

    expect(page.locator("tbody tr")).to_contain_text("the value 24 Dec 2026")


def test_an_import_tells_of_the_values_it_set(open_page: Open, served: Served, tmp_path: Any) -> None:
    file = tmp_path / "people.ndjson"
    file.write_text(
        f'{{"user": "{CUSTOMER}", "attributes": {{"plan": "gold", "seats": 7}}}}\n'
        '{"user": "someone", "attributes": {"plan": "silver"}}\n'
    )
    environment = served.services.access.get_environment("main", "production")
    with file.open("rb") as opened:
        stored = served.services.imports.store(environment, iter(lambda: opened.read(65_536), b""))
    run = served.services.imports.create_import(environment, stored, name=file.name, by="ada")
    served.services.imports.run(environment, run.id)
    page = open_page("developer")
    page.goto(f"{PLACE}/import/{run.id}")

    expect(page.locator(".totals")).to_contain_text(re.compile(r"Values changed\s*3\s*New attributes\s*2"))
    page.get_by_role("link", name="Show attributes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Attributes")
