"""Scheduled taggings: made, shown, cancelled and undone in a real browser, with pictures."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tagloom.ports.population import Population
from tagloom.words.changes import Origin
from tagloom.words.expiry import moment_now
from tagloom.words.people import Person
from tagloom.words.tags import TagPath
from tests.bodies import part, user
from tests.console.conftest import Open
from tests.console.serving import CUSTOMER, PLACE, Served
from tests.console.test_looks import look_at, settled
from tests.writing import Batch, write_parts


@pytest.fixture
def population(served: Served) -> Population:
    """The telecoms company's customers."""
    return served.installation.population(served.installation.control.get_environment("main", "production"))


def shown(moment: datetime) -> str:
    """A time as the console shows it."""
    return f"{moment.day} {moment:%b %Y, %H:%M}"


def test_a_tag_is_scheduled_moved_and_cancelled_in_the_panel(open_page: Open, population: Population) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    panel = page.locator("#panel")
    entry, start, toast = panel.get_by_label("Add a tag"), panel.get_by_label("From"), page.locator("#toasts .toast")
    chip = panel.locator(".person-tags .chip").filter(has_text="trial")
    first = (datetime.now(UTC) + timedelta(days=9)).replace(hour=9, minute=0, second=0, microsecond=0)

    entry.fill("plan/trial")
    start.fill("soon")
    panel.get_by_role("button", name="Add tag").click()
    expect(panel.locator("#tag-status")).to_contain_text("is not a time")
    start.fill(shown(first))
    panel.get_by_label("For", exact=True).select_option("7 days")
    panel.get_by_role("button", name="Add tag").click()
    expect(toast.last).to_contain_text(f"plan/trial of {CUSTOMER} starts on {shown(first)} UTC.")
    expect(chip).to_contain_text(f"starts {shown(first)} UTC, until {shown(first + timedelta(days=7))} UTC")
    expect(panel.locator(".timeline")).to_contain_text("scheduled")
    record = population.find_person(Person("user", CUSTOMER))
    assert record is not None
    assert TagPath("plan/trial") not in record.tags
    assert record.scheduled[TagPath("plan/trial")].starts_at == f"{first:%Y-%m-%dT%H:%M:%SZ}"

    chip.get_by_role("button", name="Cancel plan/trial").click()
    expect(toast.last).to_contain_text("is no longer scheduled")
    expect(chip).to_have_count(0)
    toast.last.get_by_role("button", name="Undo").click()
    expect(chip).to_contain_text(f"starts {shown(first)} UTC")

    page.goto(f"{PLACE}/tag?tag=plan/trial")
    expect(page.locator(".grid-3")).to_contain_text("1 person gets it later")
    page.goto(f"{PLACE}/activity")
    expect(page.locator("#activity-rows")).to_contain_text("1 scheduled")


def test_schedules_are_accessible_and_fit_wide_screens_and_phones(open_page: Open, population: Population) -> None:
    start = moment_now(datetime.now(UTC).timestamp()) + 10 * 1_440
    for tag, ttl in (("plan/trial", 3 * 86_400), ("offers/a-rather-long-name-of-an-offer/for-spring", 0), ("beta", 0)):
        batch = Batch(mode="add", origin=Origin("ada", "trials.csv"), expiry=-ttl, start=start)
        write_parts(population, [part([user(CUSTOMER, tag)])], batch)
    page = open_page("administrator")

    settled(page, f"{PLACE}/people?user={CUSTOMER}")
    look_at(page, "person-starts")
    assert page.locator("#panel").evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    assert page.locator(".person-tags > form").evaluate("form => form.scrollWidth <= form.clientWidth")
    settled(page, f"{PLACE}/tag?tag=plan/trial")
    look_at(page, "tag-starts")
    settled(page, f"{PLACE}/tags")
    look_at(page, "tags-starts")
