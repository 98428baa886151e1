# ruff: noqa: RUF001 - numbers lost are shown with a minus sign.
"""Activity and undo."""

import re

import pytest
from playwright.sync_api import expect

from tagloom.console.views import history
from tagloom.ports.writes import PutTag, RecordEvents, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person
from tagloom.words.tags import parse_tag
from tests.bodies import Line, part
from tests.console.conftest import Open
from tests.console.flows.seen import tags_of, toast
from tests.console.serving import CUSTOMER, PLACE, Served
from tests.writing import Batch, write_parts


def test_activity_is_filtered_and_a_batch_is_undone_from_it(open_page: Open, served: Served) -> None:
    environment = served.installation.control.get_environment("main", "production")
    population = served.installation.population(environment)
    name = "night-job"
    write_parts(
        population, iter([part([Line(Person("user", "new"), ("a",))])]), Batch(mode="add", origin=Origin(name, "cron"))
    )
    page = open_page("developer")
    page.goto(f"{PLACE}/activity")
    page.get_by_label("Source: console, api, or a file").fill("telco-customer-churn.csv")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#activity-rows tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("source=telco-customer-churn.csv"))
    page.locator("#activity-rows tr a").first.click()

    expect(page.get_by_role("heading", name="Preview of the undo")).to_be_visible()
    expect(page.locator(".effect")).to_contain_text("People affected")
    page.goto(f"{PLACE}/activity")
    page.get_by_label("Author: an e-mail or a token's name").fill(name)
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#activity-rows tr")).to_have_count(1)
    page.locator("#activity-rows tr a").first.click()
    page.get_by_role("button", name="Undo this version").click()
    expect(toast(page)).to_contain_text("was undone")
    assert tags_of(served, "new") == ()


def test_versions_of_events_are_listed_when_asked_for_and_cannot_be_undone(open_page: Open, served: Served) -> None:
    environment = served.installation.control.get_environment("main", "production")
    person, type = Person("user", "u1"), EventType("ad/clicked")
    events = [Event(person=person, type=type, at=1, id=f"m{number}") for number in range(3)]
    write = RecordEvents(events)
    receipt = served.installation.population(environment).write(write, WriteOptions(Origin("app", "backend")))
    page = open_page("developer")
    page.goto(f"{PLACE}/activity")
    expect(page.locator("#activity-rows")).not_to_contain_text("Recorded")

    page.goto(f"{PLACE}/activity?action=events")
    expect(page.locator("#activity-rows tr")).to_have_count(1)
    page.get_by_role("link", name="Recorded 3 events").click()

    expect(page).to_have_url(re.compile(f"version={receipt.version}"))
    expect(page.locator("#undo")).to_contain_text("Recorded events cannot be undone.")
    expect(page.get_by_role("button", name="Undo this version")).to_have_count(0)


def test_a_toast_of_an_undo_says_nothing_of_what_it_did_not_do(open_page: Open, served: Served) -> None:
    environment = served.installation.control.get_environment("main", "production")
    receipt = served.services.catalogue.put_tag(
        environment, PutTag(tag=parse_tag("new/tag"), description=""), Origin("bob")
    )
    page = open_page("developer")
    page.goto(f"{PLACE}/activity/batch?version={receipt.version}")
    page.get_by_role("button", name="Undo this version").click()

    expect(toast(page)).to_have_text(re.compile(rf"^\s*Version {receipt.version} was undone\.\s"))


def test_the_undo_of_a_large_batch_is_counted_after_the_page_is_there(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "TAGGINGS_PREVIEWED_AT_ONCE", 1_000)
    page = open_page("developer")
    page.goto(f"{PLACE}/activity/batch?version=1")

    expect(page.locator("#undo .effect")).to_contain_text("−77,091")
    expect(page.get_by_role("button", name="Undo this version")).to_be_visible()


def test_the_undo_of_all_from_a_source_is_counted_after_the_page_is_there(
    open_page: Open, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = served.installation.control
    source = served.installation.population(control.get_environment("main", "production")).get_change(1).source
    monkeypatch.setattr(history, "TAGGINGS_PREVIEWED_AT_ONCE", 1_000)
    page = open_page("developer")
    page.goto(f"{PLACE}/activity/undo")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("alert")).to_have_text("Enter an author or a source.")
    page.get_by_label("From", exact=True).fill(source)
    page.get_by_role("button", name="Preview").click()

    expect(page.locator("#effect .effect")).to_contain_text("−77,091")
    page.get_by_role("button", name="Undo 1 version").click()
    expect(toast(page)).to_contain_text("77,091 taggings removed")
    assert tags_of(served, CUSTOMER) == ()
