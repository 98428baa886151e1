"""Percentages and values of requests in the rule builder, and the pages of tribes that depend on the request."""

import csv
import io

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tagloom.tribes.definitions import Draft
from tagloom.words.changes import Origin
from tagloom.words.context_rules import HasContext
from tagloom.words.percent_rules import InPercent, point_of
from tagloom.words.rules import All, InTribe, Not, Rule
from tests.console.conftest import Open
from tests.console.flows.seen import explain, toast
from tests.console.serving import CUSTOMER, EMAILS, PASSWORD, PLACE, Served


def rule_of(served: Served, tribe: str) -> Rule:
    return served.services.tribes.get_tribe("main", tribe).rule


def create(served: Served, name: str, rule: Rule) -> str:
    draft = Draft(name=name, rule=rule, audience="users")
    return served.services.tribes.create_tribe("main", draft, origin=Origin("bob")).id


def counted(served: Served, tribe: str) -> int:
    environment = served.services.access.get_environment("main", "production")
    return served.services.targeting.count(environment, tribe).count


def test_a_percentage_is_built_and_counted_before_it_is_saved(open_page: Open, served: Served) -> None:
    # Before the server has read the tribes, which it reads again only after a second.
    served_people = list(csv.reader(io.StringIO(members_of(served, open_page, "everyone-of-telco"))))[1:]
    page = open_page("developer")
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_label("Name", exact=True).fill("Spring sale")
    page.get_by_role("button", name="Percent", exact=True).click()
    expect(page.get_by_label("Percent of all people")).to_be_focused()
    finding = page.locator("#finding")
    expect(finding).to_contain_text("Enter a number")
    page.keyboard.type("20")
    expect(finding).to_contain_text("A salt has 1 to 64 characters")
    page.get_by_label("Name of the share").fill("spring")
    inside = [row[0] for row in served_people if point_of("spring", "user", row[0]) < 2_000]
    expect(finding.locator(".figure-number")).to_have_text(f"{len(inside):,}")
    page.get_by_label("In the share or not").select_option("is not in")
    expect(finding.locator(".figure-number")).to_have_text(f"{len(served_people) - len(inside):,}")
    page.get_by_label("Percent at which the share begins").fill("85")
    expect(finding).to_contain_text("must not exceed 100 percent")
    page.get_by_label("Percent at which the share begins").fill("79.5")
    page.get_by_role("button", name="Create tribe").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Spring sale")
    assert rule_of(served, "spring-sale") == Not(InPercent(20, "spring", 79.5))
    expect(page.get_by_label("Percent at which the share begins")).to_have_value("79.5")


def members_of(served: Served, open_page: Open, id: str) -> str:
    """The members of a tribe of all users, as CSV."""
    create(served, "Everyone of Telco", All(()))
    cookies = {each["name"]: each["value"] for each in open_page().context.cookies()}
    return httpx.get(f"{served.url}{PLACE}/tribe/{id}/members?format=csv", cookies=cookies).text


@pytest.mark.parametrize(
    ("operator", "value", "type", "rule"),
    [
        ("is", "ios", "text", HasContext("platform", "is", "ios")),
        ("is", "7", "text", HasContext("platform", "is", "7")),
        ("is", "7", "number", HasContext("platform", "is", 7)),
        ("is not", "yes", "true or false", HasContext("platform", "is-not", True)),
        ("is one of", "ios, android", "text", HasContext("platform", "one-of", ("ios", "android"))),
        ("is one of", '["a,b", 1]', "JSON", HasContext("platform", "one-of", ("a,b", 1))),
        ("contains", "beta", None, HasContext("platform", "contains", "beta")),
        ("is greater than", "4.5", None, HasContext("platform", "greater", 4.5)),
        ("is not, or is missing", "ios", "text", Not(HasContext("platform", "is", "ios"))),
        ("is missing", None, None, Not(HasContext("platform", "is-set"))),
    ],
)
def test_a_value_of_a_request_is_built_with_its_operator_and_type(
    open_page: Open, served: Served, operator: str, value: str | None, type: str | None, rule: Rule
) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tribes/new")
    name = f"{operator} {value} {type}"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Request", exact=True).click()
    expect(page.get_by_label("Field of the context")).to_be_focused()
    page.keyboard.type("platform")
    page.get_by_label("How the value must match").select_option(label=operator)
    for label, chosen in (("Value of the field", value), ("Type of the value", type)):
        if chosen is None:
            expect(page.get_by_label(label)).to_be_hidden()
    if value is not None:
        page.get_by_label("Value of the field").fill(value)
    if type is not None:
        page.get_by_label("Type of the value").select_option(label=type)
    expect(page.locator("#finding")).to_contain_text("Depends on the request")
    page.get_by_role("button", name="Create tribe").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert rule_of(served, page.url.rpartition("/")[2]) == rule
    if value is not None and value != "yes":
        expect(page.get_by_label("Value of the field")).to_have_value(value.replace('", 1', '",1'))


def test_a_mistake_in_a_value_is_told_before_it_is_saved(open_page: Open) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_role("button", name="Request", exact=True).click()
    finding = page.locator("#finding")
    expect(finding).to_contain_text("Enter a value")
    page.get_by_label("Value of the field").fill("seven")
    expect(finding).to_contain_text("The name of a context field")
    page.get_by_label("Field of the context").fill("version")
    expect(finding).to_contain_text("Depends on the request")
    page.get_by_label("Type of the value").select_option("number")
    expect(finding).to_contain_text("'seven' is not a number.")
    page.get_by_label("Type of the value").select_option("json")
    expect(finding).to_contain_text("Enter JSON")


def test_the_pages_with_many_tribes_show_one_that_depends_on_the_request(open_page: Open, served: Served) -> None:
    ios = create(served, "iPhone owners", HasContext("platform", "is", "ios"))
    through = create(served, "Others", All((InTribe("at-risk"), Not(InTribe(ios)))))
    page = open_page("developer")
    page.goto(f"{PLACE}/tribes")
    for name in ("iPhone owners", "Others"):
        expect(page.locator("article", has_text=name)).to_contain_text("Depends on the request")
    expect(page.locator("article[data-tribe='at-risk'] .figure-number")).to_have_count(1)
    page.goto(f"{PLACE}/overview")
    expect(page.get_by_role("heading", name="Largest tribes")).to_be_visible()
    page.goto(f"{PLACE}/tribes/overlap")
    expect(page.get_by_label("At risk")).to_have_count(1)
    expect(page.get_by_label("iPhone owners")).to_have_count(0)
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    expect(page.locator("body")).to_contain_text("Some tribes depend on values of a request.")

    page.goto(f"{PLACE}/tribe/{through}")
    expect(page.locator("#finding")).to_contain_text("Depends on the request")
    expect(page.locator("#finding")).to_contain_text(f"At most {counted(served, 'at-risk'):,}")
    for name in ("Export", "Tag people"):
        expect(page.get_by_text(name, exact=True)).to_have_count(0)
    page.goto(f"{PLACE}/tribe/{ios}/pictures")
    expect(page.locator("body")).to_contain_text("the tribe has no members without one")
    page.goto(f"{PLACE}/tribe/{ios}/as-of?as_of=1")
    expect(page.locator(".error")).to_contain_text("depends on the context of each decision")
    page.goto(f"{PLACE}/tribe/{ios}/tag?tag=spring")
    expect(page.locator("body")).to_contain_text("depends on the context of each decision")
    assert page.goto(f"{PLACE}/tribe/{ios}/members?format=csv").status == 422  # type: ignore[union-attr]  # It answers.
    page.goto(f"{PLACE}/tribe/{through}/delete")
    page.get_by_role("button", name="Delete tribe").click()
    expect(toast(page)).to_contain_text("was deleted")


def test_why_reads_a_context_and_says_what_decided(open_page: Open, served: Served) -> None:
    rule = All((HasContext("platform", "is", "ios"), Not(InPercent(100, "spring"))))
    tribe = create(served, "Nobody yet", rule)
    page = open_page("developer")
    rows = explain(page, tribe)
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("request field platform is ios")
    expect(rows.first).to_contain_text("does not match")
    page.get_by_label("Context of the request, as JSON").fill('{"platform": "ios"}')
    page.get_by_role("button", name="Explain").click()
    expect(rows.first).to_contain_text("person is not in 100 % of spring")
    expect(rows.first).to_contain_text("the hash of the id")
    page.goto(f"{PLACE}/tribe/{tribe}/why?kind=user&person={CUSTOMER}&context=ios")
    expect(page.locator("body")).to_contain_text("The context must be JSON")


def test_a_change_of_such_a_rule_is_told_in_sentences(open_page: Open, served: Served) -> None:
    create(served, "Told", All((InPercent(12.5, "told", 50), HasContext("version", "greater", 4))))
    page = open_page("developer")
    page.goto(f"{PLACE}/activity?shows=tribes")
    row = page.locator("#activity-rows tr").first
    row.get_by_text("Rule", exact=True).click()

    expect(row).to_contain_text("person is in 12.5 % of told, from 50 %")
    expect(row).to_contain_text("request field version is greater than 4")


def test_a_rule_with_both_is_built_without_any_script(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(base_url=served.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_label("Name", exact=True).fill("Without a script")
    page.get_by_role("button", name="Percent", exact=True).click()
    page.get_by_label("Percent of all people").fill("5")
    page.get_by_label("Name of the share").fill("spring")
    page.get_by_role("button", name="Request", exact=True).click()
    page.get_by_label("Field of the context").fill("version")
    page.get_by_label("How the value must match").select_option("greater")
    page.get_by_label("Value of the field").fill("6")
    page.get_by_role("button", name="Create tribe").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Without a script")
    assert rule_of(served, "without-a-script") == All((InPercent(5, "spring"), HasContext("version", "greater", 6)))
    context.close()


def sign_in(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(EMAILS["developer"])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
