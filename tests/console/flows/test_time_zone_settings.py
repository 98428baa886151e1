"""The time zone of an environment, set in the console until the environment has events."""

import httpx
from playwright.sync_api import expect

from tagloom.words.event_sources import EventSourceDraft
from tests.console.conftest import Open
from tests.console.serving import Served

SETTINGS = "/s/main/staging/settings"


def test_a_time_zone_is_checked_and_set_until_there_are_events(open_page: Open, served: Served) -> None:
    page = open_page("administrator")
    page.goto(SETTINGS)
    page.get_by_role("link", name="Change the time zone of staging").click()
    field = page.get_by_label("Time zone")
    expect(field).to_have_value("UTC")
    field.fill("Europe/Atlantis")
    page.get_by_role("button", name="Save time zone").click()
    page.get_by_text("No time zone is called 'Europe/Atlantis'.").wait_for()

    field.fill("Europe/Berlin")
    page.get_by_role("button", name="Save time zone").click()

    page.get_by_text("staging now counts the days of Europe/Berlin.").wait_for()
    change = page.get_by_role("link", name="Change the time zone of staging")
    expect(page.get_by_role("row").filter(has=change)).to_contain_text("Europe/Berlin")
    expect(page.locator("#event-rows tr").first).to_contain_text("Time zone changed staging")
    assert served.services.access.get_environment("main", "staging").time_zone == "Europe/Berlin"


def test_a_time_zone_of_an_environment_with_events_stays(open_page: Open, served: Served) -> None:
    environment = served.services.access.get_environment("main", "staging")
    draft = EventSourceDraft(name="Shop", origins=())
    source = served.services.event_sources.create_source(environment, "shop", draft, by="ada")
    message = {"userId": "u1", "event": "Ad Clicked"}
    httpx.post(f"{served.url}/v1/track", auth=(source.write_key, ""), json=message).raise_for_status()
    page = open_page("administrator")

    page.goto(f"{SETTINGS}/time-zone?of=staging")

    page.get_by_text("the time zone does not change any more").wait_for()
    expect(page.get_by_label("Time zone")).to_be_disabled()
    expect(page.get_by_role("button", name="Save time zone")).to_have_count(0)
