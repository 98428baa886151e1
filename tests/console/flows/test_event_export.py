"""The export of events: a form that selects them, and a file that has them."""

import csv
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tagloom.ports.writes import RecordEvents, WriteOptions
from tagloom.tribes.definitions import Draft
from tagloom.words.changes import Origin
from tagloom.words.event_rules import HasEvent
from tagloom.words.events import Event, EventType
from tagloom.words.people import Person
from tests.console.conftest import Open
from tests.console.serving import PLACE, Served

DAY_MS = 86_400_000
MARCH = 1_772_323_200_000  # 2026-03-01T00:00:00Z


@pytest.fixture
def recorded(served: Served) -> None:
    """Four events of two people, and a tribe of those who clicked."""
    environment = served.services.access.get_environment("main", "production")
    ada, someone = Person("user", "exporting-ada"), Person("visitor", "exporting-v1")
    rows = [(ada, "ad/clicked", 0), (someone, "ad/seen", DAY_MS - 1), (ada, "page/viewed", DAY_MS), (ada, "ad/seen", 0)]
    events = [
        Event(person=person, type=EventType(type), at=MARCH + after, id=f"x{number}")
        for number, (person, type, after) in enumerate(rows)
    ]
    served.installation.population(environment).write(RecordEvents(events), WriteOptions(Origin("ada")))
    rule = HasEvent("ad/clicked", days=366)
    served.services.tribes.create_tribe("main", Draft(name="Exported clickers", rule=rule), origin=Origin("ada"))


def exported(page: Page, folder: Path) -> str:
    """The file that the button downloads."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path.read_text(encoding="utf-8")


@pytest.mark.usefixtures("recorded")
def test_selected_events_are_downloaded(open_page: Open, tmp_path: Path) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/events")
    page.get_by_role("link", name="Export", exact=True).click()
    expect(page.get_by_role("heading", name="Export events")).to_be_visible()

    page.get_by_label("Event type").fill("ad")
    page.get_by_label("First day").fill("1 Mar 2026")
    page.get_by_label("Last day").fill("2026-03-01")
    rows = list(csv.DictReader(exported(page, tmp_path).splitlines()))
    assert [(row["user"] or row["visitor"], row["event"]) for row in rows] == [
        ("exporting-ada", "ad/clicked"),
        ("exporting-v1", "ad/seen"),
        ("exporting-ada", "ad/seen"),
    ]

    page.get_by_label("Event type").fill("")
    page.get_by_label("First day").fill("2 March 2026")
    page.get_by_label("Last day").fill("")
    page.get_by_label("Tribe").select_option(label="Exported clickers")
    page.get_by_label("Format", exact=True).select_option("ndjson")
    lines = [json.loads(line) for line in exported(page, tmp_path).splitlines()]
    assert [(line["user"], line["event"]) for line in lines] == [("exporting-ada", "page/viewed")]


@pytest.mark.parametrize(
    ("label", "typed", "says"),
    [
        ("Event type", "Ad Clicked", "Use 'ad/clicked'"),
        ("First day", "someday", "is not a day such as 1 Mar 2026"),
        ("Id of one person", "nobody-of-this-id", "no user with this id"),
    ],
)
@pytest.mark.usefixtures("recorded")
def test_a_wrong_field_is_told_where_it_is(open_page: Open, label: str, typed: str, says: str) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/events/export")
    page.get_by_label(label).fill(typed)
    page.get_by_role("button", name="Download").click()

    field = page.get_by_label(label)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value(typed)
    problem = page.locator(f"#{field.get_attribute('aria-describedby')}")
    expect(problem).to_contain_text(says)


@pytest.mark.usefixtures("recorded")
def test_the_last_day_is_not_before_the_first(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/events/file?first_day=2026-03-02&last_day=2026-03-01")

    expect(page.locator("#last_day-problem")).to_contain_text("before the first day")


def test_only_developers_export_events(open_page: Open) -> None:
    page = open_page("view")

    for address in ("events/export", "events/file"):
        answer = page.goto(f"{PLACE}/{address}")
        assert answer is not None
        assert answer.status == 403
