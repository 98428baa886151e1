"""Deliveries: create, run, see the parts, try again after a failure, pause, edit, delete."""

from pathlib import Path

import pyarrow.dataset as ds
from playwright.sync_api import expect

from tests.console.conftest import Open
from tests.console.flows.seen import record_days, toast
from tests.console.serving import PLACE, Served


def lake_of(served: Served, name: str) -> Path:
    return served.data.parent / "files" / "main" / name


def test_events_are_delivered_from_the_form_to_the_parts(open_page: Open, served: Served) -> None:
    record_days(served, "flow", environment="production")
    lake = lake_of(served, "lake")
    page = open_page("administrator")
    page.goto(f"{PLACE}/deliveries")
    page.get_by_role("link", name="New delivery").first.click()
    page.get_by_label("Name").fill("lake")
    page.get_by_label("Address").fill(f"file://{lake}")
    page.get_by_label("Event types").fill("lake")
    page.get_by_label("Format", exact=True).select_option("csv")
    page.get_by_label("Schedule").fill("daily")
    page.get_by_role("button", name="Create delivery").click()
    expect(page.locator(".error")).to_contain_text("is not a cron expression")
    expect(page.get_by_label("Format", exact=True)).to_have_value("csv")
    page.get_by_label("Schedule").fill("@daily")
    page.get_by_role("button", name="Create delivery").click()
    expect(toast(page)).to_contain_text("It has not run yet")
    expect(page.get_by_text("every day, UTC; next")).to_be_visible()

    page.get_by_role("button", name="Run now").click()

    expect(page.get_by_text("2 events in 2 parts")).to_be_visible(timeout=30_000)
    page.locator("details.more summary").first.click()
    expect(page.get_by_text("day=2026-03-01/part-")).to_be_visible()
    table = ds.dataset(lake, format="csv", partitioning="hive").to_table(columns=["id", "day"])
    assert sorted(table["id"].to_pylist()) == ["flow-0", "flow-1"]


def test_a_delivery_is_paused_edited_and_deleted(open_page: Open, served: Served) -> None:
    lake = lake_of(served, "pond")
    page = open_page("administrator")
    page.goto(f"{PLACE}/deliveries/new")
    page.get_by_label("Name").fill("pond")
    page.get_by_label("Address").fill(f"file://{lake}")
    page.get_by_label("Schedule").fill("@hourly")
    page.get_by_role("button", name="Create delivery").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. It runs only when you start it.")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(toast(page)).to_contain_text("resumed")
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Schedule")).to_have_value("@hourly")
    page.get_by_label("E-mail").fill("data@example.com")
    page.get_by_role("button", name="Save delivery").click()
    expect(page.get_by_text("data@example.com, when a run fails")).to_be_visible()

    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete delivery").click()

    expect(toast(page)).to_contain_text("Its parts stay")
    expect(page.get_by_role("link", name="pond")).to_have_count(0)


def test_a_developer_runs_a_delivery_and_cannot_change_it(open_page: Open, served: Served) -> None:
    page = open_page("administrator")
    page.goto(f"{PLACE}/deliveries/new")
    page.get_by_label("Name").fill("river")
    page.get_by_label("Address").fill(f"file://{lake_of(served, 'river')}")
    page.get_by_role("button", name="Create delivery").click()

    page = open_page("developer")
    page.goto(f"{PLACE}/delivery/river")

    expect(page.get_by_role("link", name="Edit")).to_have_count(0)
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("The last run ended")).to_be_visible(timeout=30_000)
