"""Identities in the panel of a person: linked with a preview, separated, undone."""

import re

from playwright.sync_api import expect

from tagloom.ports.writes import LinkVisitor, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tests import bodies
from tests.bodies import part
from tests.console.conftest import Open
from tests.console.flows.seen import toast
from tests.console.serving import CUSTOMER, PLACE, Served
from tests.writing import Batch, write_parts


def population(served: Served):  # type: ignore[no-untyped-def]  # The type is that of the installation.
    return served.installation.population(served.installation.control.get_environment("main", "production"))


def test_a_visitor_is_linked_with_a_preview_and_separated_again(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?kind=user&user={CUSTOMER}")
    section = page.locator(".person-identities")
    expect(section).to_contain_text("No visitor and no other user is linked to this user.")

    section.get_by_role("link", name="Link somebody to this user").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Their id").press_sequentially("browser-7", delay=10)
    expect(dialog.locator("#effect")).to_contain_text(re.compile(r"Links changed\s*1"))
    dialog.get_by_role("button", name="Link", exact=True).click()

    expect(toast(page)).to_contain_text(f"browser-7 is linked to {CUSTOMER}.")
    expect(section.locator("li")).to_have_text([re.compile(r"browser-7\s*linked on")])
    page.goto(f"{PLACE}/people?kind=visitor&visitor=browser-7")
    expect(page.locator("#panel .panel-head")).to_contain_text(CUSTOMER)
    expect(page.locator("#panel")).to_contain_text("The visitor browser-7 is linked to this user.")

    page.goto(f"{PLACE}/person/erase?user={CUSTOMER}")
    expect(page.locator("main")).to_contain_text("It also deletes the 1 visitor or user linked to this user")
    page.goto(f"{PLACE}/people?kind=visitor&visitor=browser-7")
    page.get_by_role("searchbox").fill("browser-7")
    expect(page.locator("#people")).to_contain_text(f"The visitor browser-7 is linked to the user {CUSTOMER}.")
    page.goto(f"{PLACE}/people?kind=visitor&visitor=browser-7")
    section.get_by_role("button", name="Separate browser-7").click()
    expect(toast(page)).to_contain_text(f"browser-7 is no longer linked to {CUSTOMER}.")
    expect(section).to_contain_text("No visitor and no other user is linked to this user.")


def test_a_link_that_is_refused_says_why_before_it_is_sent(open_page: Open, served: Served) -> None:
    population(served).write(LinkVisitor("v1", "somebody"), WriteOptions(Origin("app")))
    page = open_page("developer")
    page.goto(f"{PLACE}/person/link?user={CUSTOMER}")

    page.get_by_label("Their id").press_sequentially("v1", delay=10)
    expect(page.locator("#effect")).to_contain_text("The visitor is linked to another user. Separate them first.")
    page.get_by_label("Who is the same person?").select_option("user")
    page.get_by_label("Their id").fill("nobody-here")
    expect(page.locator("#effect")).to_contain_text("One of the users is unknown.")
    assert population(served).find_person(Person("visitor", "v1")).id == "somebody"


def test_open_links_are_decided_one_by_one(open_page: Open, served: Served) -> None:
    for visitor, tag in (("v1", "sports/golf"), ("v2", "news")):
        write_parts(population(served), [part([bodies.visitor(visitor, tag)])], Batch(mode="add", origin=Origin("app")))
        population(served).write(LinkVisitor(visitor, CUSTOMER, "ask"), WriteOptions(Origin("app")))
    page = open_page("developer")
    page.goto(f"{PLACE}/people")
    page.get_by_role("link", name="Open links").click()
    links = page.locator(".open-links > li")
    expect(links).to_contain_text([re.compile("v1.*sports/golf", re.S), re.compile("v2.*news", re.S)])

    page.get_by_role("button", name="Give the user what v1 had").click()
    expect(toast(page)).to_contain_text("The user got what v1 had.")
    expect(links).to_have_count(1)

    page.goto(f"{PLACE}/people?kind=user&user={CUSTOMER}")
    expect(page.locator(".person-identities")).to_contain_text("What it had waits for a decision.")
    page.get_by_role("button", name="Leave out what v2 had").click()
    expect(toast(page)).to_contain_text("What v2 had was left out.")
    expect(page.locator(".person-tags")).to_contain_text("sports/golf")
    page.goto(f"{PLACE}/people/open-links")
    expect(page.locator("main")).to_contain_text("No link waits for a decision.")
