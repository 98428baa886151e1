"""Filters on events in the rule builder, and the pages of a tribe that counts events."""

import time

import pytest
from playwright.sync_api import expect

from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.event_rules import Condition, HasEvent
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person
from tagloom.words.rules import All, Not
from tests.console.conftest import Open
from tests.console.flows.seen import explain
from tests.console.flows.test_rule_nodes import create, rule_of
from tests.console.serving import CUSTOMER, PLACE, Served

PLAYED = EventType("video/played")
CONDITIONS = "Conditions on properties of the event"


@pytest.fixture
def watched(served: Served) -> None:
    """A customer who played two videos, one of them about football."""
    now = int(time.time() * 1_000)
    events = [
        Event(person=Person("user", CUSTOMER), type=PLAYED, at=now - 1_000, id=f"m{number}", properties=properties)
        for number, properties in enumerate((b'{"genre":"football"}', b'{"genre":"news"}'))
    ]
    environment = served.services.access.get_environment("main", "production")
    population = served.installation.population(environment)
    population.write(RecordEvents(events), WriteOptions(Origin("app")))


@pytest.mark.usefixtures("watched")
def test_a_filter_on_events_is_built_and_counted_before_it_is_saved(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_label("Name", exact=True).fill("Watchers")
    page.get_by_role("button", name="Event", exact=True).click()
    expect(page.get_by_label("Event type or category")).to_be_focused()
    finding = page.locator("#finding")
    expect(finding).to_contain_text("Enter an event type such as 'ad/clicked'")
    page.keyboard.type("video")
    expect(finding.locator(".figure-number")).to_have_text("1")
    page.get_by_label("Number of times").fill("2")
    page.get_by_label(CONDITIONS).fill("genre is football")
    expect(finding.locator(".figure-number")).to_have_text("0")
    page.get_by_label("How the number of events must compare").select_option("exactly")
    page.get_by_label("Number of times").fill("1")
    expect(finding.locator(".figure-number")).to_have_text("1")
    page.get_by_label("Length of the window").fill("400")
    expect(finding).to_contain_text("'days' is a number from 1 to 366.")
    page.get_by_label("Unit of the window").select_option("hour")
    expect(finding).to_contain_text("'hours' is a number from 1 to 48.")
    page.get_by_label("Length of the window").fill("3")
    expect(finding.locator(".figure-number")).to_have_text("1")
    page.get_by_label("Unit of the window").select_option("day")
    page.get_by_label("Length of the window").fill("30")
    page.get_by_label(CONDITIONS).fill("genre = football")
    expect(finding).to_contain_text("genre is football and seconds greater 60")
    page.get_by_label(CONDITIONS).fill('genre is "football" and live is-set')
    expect(finding.locator(".figure-number")).to_have_text("0")
    page.get_by_role("button", name="Create tribe").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Watchers")
    where = (Condition("genre", "is", "football"), Condition("live", "is-set"))
    assert rule_of(served, "watchers") == HasEvent("video", 30, where, "exactly", 1)
    expect(page.get_by_label(CONDITIONS)).to_have_value("genre is football and live is-set")


@pytest.mark.usefixtures("watched")
def test_a_window_in_hours_is_shown_and_kept(open_page: Open, served: Served) -> None:
    tribe = create(served, "Lately", HasEvent("video", hours=24))
    page = open_page("developer")
    page.goto(f"{PLACE}/tribe/{tribe}")

    expect(page.get_by_label("Length of the window")).to_have_value("24")
    expect(page.get_by_label("Unit of the window")).to_have_value("hour")
    page.get_by_label("Length of the window").fill("2")
    with page.expect_navigation():
        page.get_by_role("button", name="Save").first.click()
    assert rule_of(served, tribe) == HasEvent("video", hours=2)
    rows = explain(page, tribe)
    expect(rows.nth(0)).to_contain_text("at least 1 event video in 2 hours")


@pytest.mark.usefixtures("watched")
def test_why_says_how_often_a_person_did_it(open_page: Open, served: Served) -> None:
    tribe = create(served, "Often", All((HasEvent("video", 7), Not(HasEvent("video/played", 7, times=3)))))
    page = open_page("developer")
    rows = explain(page, tribe)
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("at least 1 event video in 7 days")
    expect(rows.nth(0)).to_contain_text("2 such events")
    expect(rows.nth(1)).to_contain_text("not at least 3 events video/played in 7 days")
    expect(rows.nth(1)).to_contain_text("matches")
