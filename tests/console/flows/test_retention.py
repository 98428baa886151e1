"""How long history is kept: what a shorter time gives up is seen first, typed, and told of afterwards."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import expect

from tagloom.bootstrap import open_installation
from tagloom.ports.population import Population
from tagloom.settings import Settings
from tagloom.words.changes import Horizon, Origin
from tests.bodies import part, user
from tests.console.conftest import Open
from tests.console.flows.seen import toast
from tests.console.serving import Served
from tests.writing import Batch, write_parts

STAGING = "/s/main/staging"


def write_long_ago(data: Path) -> None:
    """Three versions in staging, thirty days ago: a tag given, taken, and given again."""
    at = datetime.now(UTC) - timedelta(days=30)
    with closing(open_installation(Settings(database=data / "tagloom.sqlite"), now=lambda: at)) as installation:
        population = installation.population(installation.control.get_environment("main", "staging"))
        for mode in ("add", "remove", "add"):
            write_parts(population, [part([user("u1", "plan/pro")])], Batch(mode=mode, origin=Origin("ada", "crm.csv")))


def staging(served: Served) -> Population:
    return served.installation.population(served.installation.control.get_environment("main", "staging"))


def test_history_is_given_up_once_it_was_seen_and_typed(open_page: Open, served: Served, tmp_path: Path) -> None:
    write_long_ago(tmp_path / "data")
    page = open_page("administrator")
    page.goto(f"{STAGING}/settings")
    kept = page.locator("section").filter(has=page.get_by_role("heading", name="How long history is kept"))
    row = kept.get_by_role("row").filter(has_text="staging")
    expect(row).to_contain_text("kept forever")

    row.get_by_role("link", name="Change").click()
    page.get_by_label("History is kept for").fill("soon")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#content, main").first).to_contain_text("not a retention such as")
    page.get_by_label("History is kept for").fill("7d")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="This deletes the history of 3 versions")).to_be_visible()
    page.get_by_label("Type staging to confirm").fill("production")
    page.get_by_role("button", name="Delete history").click()
    expect(page.locator("main")).to_contain_text("could not be undone any more")
    assert staging(served).horizon() == Horizon()
    page.get_by_label("History is kept for").fill("forever")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("No history is deleted.", exact=True)).to_be_visible()
    page.get_by_label("History is kept for").fill("1y")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("From now on, older history is deleted daily.")).to_be_visible()
    page.get_by_label("History is kept for").fill("7d")
    page.get_by_role("button", name="Preview").click()
    page.get_by_label("Type staging to confirm").fill("staging")
    page.get_by_role("button", name="Delete history").click()

    expect(toast(page)).to_contain_text("The retention of staging is now 7d.")
    expect(row).to_contain_text("kept for")
    ((_, freed),) = served.services.compactor.compact_all()
    assert (freed.versions, staging(served).horizon().version) == (3, 3)
    page.goto(f"{STAGING}/settings")
    expect(row).to_contain_text("complete since")

    page.goto(f"{STAGING}/people?user=u1")
    expect(page.locator("#panel")).to_contain_text("History is complete since")
    page.goto(f"{STAGING}/activity/batch?version=3")
    expect(page.locator("main")).to_contain_text("older than the kept history")
    expect(page.get_by_role("button", name="Undo this version")).to_have_count(0)
    page.goto(f"{STAGING}/tag?tag=plan/pro")
    expect(page.locator("main")).to_contain_text("History is complete since")
    page.goto(f"{STAGING}/activity/undo?actor=ada")
    expect(page.locator("#effect")).to_contain_text("History is kept from version 3 on")
    for address in ("person/as-of?user=u1&as_of=1", "tag/as-of?tag=plan/pro&as_of=1"):
        page.goto(f"{STAGING}/{address}")
        expect(page.locator("main")).to_contain_text("History is kept from version 3 on")
