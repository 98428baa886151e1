"""The alert of a tribe: set, fired, shown where people look, and deleted."""

from playwright.sync_api import expect

from tests.console.conftest import Open
from tests.console.flows.seen import toast
from tests.console.serving import PLACE, Served


def test_an_alert_is_set_fires_and_is_shown_on_each_page(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tribe/at-risk")
    card = page.locator("#alert")
    card.get_by_text("Set an alert").click()
    card.get_by_label("Change in percent, above").fill("0")
    card.get_by_role("button", name="Set alert").click()
    expect(toast(page)).to_contain_text("share_percent must lie between 1 and 1,000.")
    card.get_by_label("Change in percent, above").fill("30")
    card.get_by_label("Within").select_option("1 hour")
    card.get_by_role("button", name="Set alert").click()
    expect(toast(page)).to_contain_text("The alert of “At risk” was set.")
    expect(card).to_contain_text("over 30 % more or less members than 1 hour ago, from 100 people")

    served.services.tribe_watcher.work_once()

    page.goto(f"{PLACE}/tribe/at-risk")
    note = page.locator(".note.warn").first
    expect(note).to_contain_text("Tribe 'At risk' has 763 members, and had none 1 hour ago.")
    expect(note).to_contain_text("moved most.")
    expect(card.locator(".badge")).to_have_text("Firing")
    page.goto(f"{PLACE}/tribes")
    expect(page.get_by_role("article", name="At risk")).to_contain_text("Alert: moved too far")
    page.goto(f"{PLACE}/overview")
    expect(page.locator(".note.warn").first).to_contain_text("Tribe 'At risk' has 763 members")

    viewer = open_page("view")
    viewer.goto(f"{PLACE}/tribe/at-risk")
    expect(viewer.locator("#alert")).to_contain_text("Firing")
    expect(viewer.get_by_role("button", name="Delete alert")).to_have_count(0)
    page.goto(f"{PLACE}/tribe/at-risk")
    page.get_by_role("button", name="Delete alert").click()
    expect(toast(page)).to_contain_text("The alert of “At risk” was deleted.")
    expect(page.locator(".note.warn")).to_have_count(0)
