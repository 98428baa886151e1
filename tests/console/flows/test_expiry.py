"""Expiry of taggings and tags: set, shown and undone in a real browser, with pictures."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tagloom.ports.population import Population
from tagloom.ports.writes import Expire, PutTag, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom.words.tags import TagPath
from tests.bodies import part, user
from tests.console.conftest import Open
from tests.console.serving import CUSTOMER, PLACE, Served
from tests.console.test_looks import look_at, settled
from tests.writing import EXPIRY, Batch, write_parts

TRIAL = TagPath("plan/trial")


@pytest.fixture
def population(served: Served) -> Population:
    """The telecoms company's customers."""
    return served.installation.population(served.installation.control.get_environment("main", "production"))


def end_of(population: Population, tag: TagPath = TRIAL) -> datetime | None:
    """When the customer's tagging ends."""
    record = population.find_person(Person("user", CUSTOMER))
    assert record is not None
    return datetime.fromisoformat(record.expires_at[tag]) if tag in record.expires_at else None


def test_a_tag_is_given_for_a_week_renewed_until_a_day_and_ends_never(open_page: Open, population: Population) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    panel = page.locator("#panel")
    entry, span, day = (
        panel.get_by_label("Add a tag"),
        panel.get_by_label("For", exact=True),
        panel.get_by_label("Last day"),
    )
    chip = panel.locator(".person-tags .chip").filter(has_text="trial")
    expect(day).to_be_hidden()

    entry.fill("plan/trial")
    span.select_option("7 days")
    panel.get_by_role("button", name="Add tag").click()
    expect(chip).to_contain_text("expires in 7 days")
    expiry = end_of(population)
    assert expiry is not None
    said = f"{expiry.day} {expiry:%b %Y}, {expiry:%H:%M} UTC"
    expect(chip.locator("time")).to_have_attribute("title", said)

    entry.fill("plan/trial")
    span.select_option("until a day")
    last = datetime.now(UTC).date() + timedelta(days=20)
    panel.get_by_role("button", name="Add tag").click()
    expect(panel.locator("#tag-status")).to_contain_text("Choose the last day")
    expect(day).to_be_visible()
    day.fill(last.isoformat())
    panel.get_by_role("button", name="Add tag").click()
    expect(page.locator("#toasts .toast").last).to_contain_text("now expires at another time")
    expect(panel.locator(".timeline")).to_contain_text("expiry changed")
    expiry = end_of(population)
    assert expiry is not None
    assert expiry.date() == last + timedelta(days=1)

    page.locator("#toasts .toast").last.get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts .toast").last).to_contain_text("was undone")
    expect(chip).to_contain_text("expires in 7 days")

    entry.fill("plan/trial")
    panel.get_by_role("button", name="Add tag").click()
    expect(chip.locator("time")).to_have_count(0)
    assert end_of(population) is None


def test_the_expiry_of_a_tag_is_set_on_its_page_and_a_wrong_duration_is_refused(
    open_page: Open, population: Population
) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tag?tag=senior")
    lasts, taken = page.get_by_label("Taggings expire after"), page.get_by_label("Remove from everyone at")
    save = page.get_by_role("button", name="Save expiry")

    lasts.fill("soon")
    save.click()
    expect(page.locator(".error")).to_contain_text("'soon' is not a ttl")
    expect(lasts).to_have_value("soon")
    lasts.fill("14d")
    expiry = (datetime.now(UTC) + timedelta(days=30)).replace(minute=0, second=0, microsecond=0)
    taken.fill(f"{expiry.day} {expiry:%b %Y, %H:%M}")
    save.click()

    expect(page.locator("#toasts .toast").last).to_contain_text("The expiry of “senior” was saved.")
    expect(page.locator(".page-head")).to_contain_text("Its taggings expire after 2 weeks.")
    tag = population.get_tag(TagPath("senior"))
    assert (tag.ttl, tag.expires_at) == ("2w", f"{expiry:%Y-%m-%dT%H:%M:%SZ}")
    # The field shows it in the form in which the page says it.
    expect(taken).to_have_value(f"{expiry.day} {expiry:%b %Y, %H:%M}")
    expect(page.locator(".page-head")).to_contain_text(f"on {expiry.day} {expiry:%b %Y, %H:%M} UTC")
    # What was there stays when only the other one is changed.
    lasts.fill("")
    save.click()
    expect(page.locator(".page-head")).not_to_contain_text("Its taggings expire")
    assert population.get_tag(TagPath("senior")).expires_at == f"{expiry:%Y-%m-%dT%H:%M:%SZ}"


def test_activity_names_what_ended_by_itself_and_undoes_it(open_page: Open, population: Population) -> None:
    past = int(datetime.now(UTC).timestamp()) // 60
    request = Batch(mode="add", origin=Origin("ada"), expiry=past)
    write_parts(population, [part([user(CUSTOMER, "plan/trial")])], request)
    version = population.write(Expire(), EXPIRY).version
    page = open_page("developer")
    page.goto(f"{PLACE}/activity?action=expiry")

    row = page.locator("#activity-rows tr").first
    expect(row).to_contain_text("Expired")
    expect(row).to_contain_text("tagloom")
    row.get_by_role("link", name=re.compile("Expired")).click()
    page.get_by_role("button", name=re.compile("Undo")).click()

    expect(page.locator("#toasts .toast").last).to_contain_text(f"Version {version} was undone")
    assert end_of(population) is None
    record = population.find_person(Person("user", CUSTOMER))
    assert record is not None
    assert TRIAL in record.tags


def test_ends_are_accessible_and_fit_wide_screens_and_phones(open_page: Open, population: Population) -> None:
    for tag, ttl in (
        ("plan/trial", 3 * 86_400),
        ("offers/a-rather-long-name-of-an-offer/for-spring", 3_600),
        ("beta", 0),
    ):
        request = Batch(mode="add", origin=Origin("ada", "trials.csv"), expiry=-ttl)
        write_parts(population, [part([user(CUSTOMER, tag)])], request)
    write_parts(
        population, [part([user(CUSTOMER, "plan/trial")])], Batch(mode="add", origin=Origin("ada"), expiry=-30 * 86_400)
    )
    population.write(
        PutTag(tag=TagPath("senior"), ttl_seconds=14 * 86_400, expires_at=2**31 // 60), WriteOptions(Origin("ada"))
    )
    page = open_page("administrator")

    settled(page, f"{PLACE}/people?user={CUSTOMER}")
    page.get_by_label("For", exact=True).select_option("until a day")
    look_at(page, "person-expiry")
    # The panel scrolls by itself: what is too wide for it does not make the page wider.
    assert page.locator("#panel").evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    assert page.locator(".person-tags > form").evaluate("form => form.scrollWidth <= form.clientWidth")
    settled(page, f"{PLACE}/tag?tag=senior")
    look_at(page, "tag-expiry")
