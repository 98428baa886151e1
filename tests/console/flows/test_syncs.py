"""Syncs: create from first rows, preview, apply, approval, pause, edit, delete."""

import re

from msgspec.structs import replace
from playwright.sync_api import Page, expect

from tagloom.words.mappings import Mapping, ValueColumn
from tagloom.words.syncs import FilesSource, PushSource, SyncDraft
from tests.console.conftest import Open
from tests.console.flows.seen import put_crm, tags_of, toast
from tests.console.serving import PLACE, Served

PLANS = Mapping(user="id", columns=(ValueColumn(column="plan", branch="plan"),), prefix="crm")


def make(served: Served, draft: SyncDraft, sync: str = "crm") -> None:
    """A sync by the mapping `plans`, which the space keeps."""
    services = served.services
    environment = served.installation.control.get_environment("main", "production")
    services.mappings.put_mapping("main", "plans", PLANS, by="ada")
    services.syncs.create_sync(environment, sync, draft, by="ada")


def ran(page: Page, sync: str = "crm") -> None:
    """Goes to a sync whose run has ended."""
    page.goto(f"{PLACE}/sync/{sync}")
    expect(page.get_by_role("button", name="Run now")).to_be_visible(timeout=30_000)


def test_a_database_is_kept_in_step_from_its_first_rows_to_its_members(open_page: Open, served: Served) -> None:
    put_crm(served, **{"new-1": "Gold", "new-2": "Free trial"})
    page = open_page("administrator")
    page.goto(f"{PLACE}/syncs")
    page.get_by_role("link", name="New sync").first.click()
    page.get_by_label("Name").fill("crm")
    page.get_by_label("Secret with the address").fill("crm")
    page.get_by_label("Query").fill("SELECT id, plan FROM nowhere")
    page.get_by_role("button", name="Create sync").click()
    # Nothing is made before somebody has seen what the columns mean.
    expect(page.locator(".error")).to_contain_text("no such table: nowhere")
    page.get_by_label("Query").fill("SELECT id, plan FROM customer")
    page.get_by_label("Branch", exact=True).fill("crm")
    page.get_by_role("button", name="Create sync").click()
    expect(page.locator("tr", has_text="new-2")).to_contain_text("crm/plan/free-trial")
    page.get_by_label("Branch above the tags of plan").fill("tier")
    page.get_by_label("Schedule").fill("0 6 * *")
    page.get_by_role("button", name="Create sync").click()
    expect(page.locator(".error")).to_contain_text("is not a cron expression")
    expect(page.get_by_label("Branch above the tags of plan")).to_have_value("tier")
    page.get_by_label("Schedule").fill("0 6 * * 1-5")
    page.get_by_role("button", name="Create sync").click()
    expect(toast(page)).to_contain_text("It has not run yet")
    expect(page.get_by_text("At 06:00 on Monday through Friday, UTC")).to_be_visible()

    page.get_by_role("button", name="Preview a run").click()
    expect(page.get_by_text("Nothing was applied")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Run now")).to_have_count(0)
    assert tags_of(served, "new-1") == ()
    page.get_by_role("link", name="Open, apply or cancel").click()
    expect(page.locator(".effect")).to_contain_text("crm/tier/gold")
    page.get_by_role("button", name="Apply to production").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()
    assert (tags_of(served, "new-1"), tags_of(served, "new-2")) == (("crm/tier/gold",), ("crm/tier/free-trial",))
    page.get_by_role("link", name="crm", exact=True).click()
    expect(page.get_by_text("The last run ended")).to_be_visible(timeout=30_000)
    expect(page.locator("tbody tr", has_text="done")).to_contain_text("+2")

    put_crm(served, **{"new-1": "Gold", "new-2": "Gold"})
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("waits for approval").first).to_be_visible(timeout=30_000)
    expect(page.get_by_text("It would remove 1 of the 2 taggings")).to_be_visible()
    page.get_by_role("link", name="Open, apply or cancel").click()
    page.get_by_role("button", name="Apply anyway").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()
    assert tags_of(served, "new-2") == ("crm/tier/gold",)
    ran(page)
    expect(page.locator("tbody tr")).to_have_count(2)


def test_one_is_paused_resumed_changed_and_deleted(open_page: Open, served: Served) -> None:
    put_crm(served, **{"new-1": "Gold"})
    make(served, SyncDraft(source=FilesSource(glob="*.csv"), mapping="plans", prefix="crm"))
    page = open_page("administrator")
    ran(page)
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Schedule").fill("30 5 * * *")
    page.get_by_label("E-mail").fill("ada@example.com, data@example.com")
    page.get_by_label("Require approval above").fill("0")
    page.get_by_role("button", name="Save sync").click()
    expect(toast(page)).to_contain_text("was saved")
    expect(page.get_by_text("ada@example.com, data@example.com")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. It runs only when you start it.")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("At 05:30 every day")).to_be_visible()

    # The mapping is changed where the first rows are read, and kept as a further version.
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Read the first rows").click()
    expect(page.locator("tr", has_text="new-1")).to_contain_text("crm/plan/gold")
    page.get_by_label("Branch above the tags of plan").fill("tier")
    page.get_by_role("button", name="Save sync").click()
    expect(toast(page)).to_contain_text("was saved")
    assert served.services.mappings.get_mapping("main", "plans").version == 2
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("button", name="Save sync").click()
    expect(toast(page)).to_contain_text("was saved")
    assert served.services.mappings.get_mapping("main", "plans").version == 2
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("The last run ended")).to_be_visible(timeout=30_000)
    assert tags_of(served, "new-1") == ("crm/tier/gold",)

    page.goto(f"{PLACE}/tag?tag=crm")
    page.get_by_role("link", name="crm", exact=True).first.click()
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text("1 person has a tag at or below crm")
    page.get_by_role("button", name="Delete sync").click()
    expect(page.get_by_text("No syncs yet")).to_be_visible()
    page.locator("tr", has_text="plans").get_by_text("Delete", exact=True).click()
    page.get_by_role("button", name="Delete mapping").click()
    expect(toast(page)).to_contain_text("was deleted")
    expect(page.locator("tr", has_text="plans")).to_have_count(0)
    assert tags_of(served, "new-1") == ("crm/tier/gold",)


def test_somebody_who_saved_meanwhile_is_not_overruled(open_page: Open, served: Served) -> None:
    draft = SyncDraft(source=FilesSource(glob="*.csv"), mapping="plans", prefix="crm")
    make(served, draft)
    page = open_page("administrator")
    page.goto(f"{PLACE}/sync/crm/edit")
    environment = served.installation.control.get_environment("main", "production")
    served.services.syncs.put_sync(environment, "crm", replace(draft, is_paused=True), revision=1, by="bob")

    page.get_by_label("Files", exact=True).last.fill("other/*.csv")
    page.get_by_role("button", name="Save sync").click()

    expect(page.get_by_role("link", name="Load the saved sync")).to_be_visible()
    assert served.services.syncs.get_sync(environment, "crm").draft.source == FilesSource(glob="*.csv")


def test_developers_run_syncs_and_administrators_make_them(open_page: Open, served: Served) -> None:
    make(served, SyncDraft(source=FilesSource(glob="*.csv"), mapping="plans", prefix="crm"))
    page = open_page("developer")
    page.goto(f"{PLACE}/syncs")
    expect(page.get_by_role("link", name="New sync")).to_have_count(0)
    page.get_by_role("link", name="crm", exact=True).first.click()
    expect(page.get_by_role("link", name="Edit")).to_have_count(0)
    page.get_by_role("button", name="Run now").click()
    # There are no such files.
    expect(page.get_by_text("The last run failed.")).to_be_visible(timeout=30_000)
    expect(page.locator("tbody tr")).to_contain_text("No file matches")
    page.goto(f"{PLACE}/overview")
    page.keyboard.press("/")
    entry = page.locator("#palette input")
    expect(entry).to_be_focused()
    entry.press_sequentially("crm", delay=20)
    page.get_by_role("group", name="Syncs").get_by_role("option", name="crm").click()
    expect(page).to_have_url(re.compile("/sync/crm"))


def test_what_is_pushed_is_mapped_by_some_records_that_are_pasted(open_page: Open, served: Served) -> None:
    page = open_page("administrator")
    page.goto(f"{PLACE}/syncs/new")
    page.get_by_label("Name").fill("shop")
    page.get_by_text("Pushed", exact=True).click()
    expect(page.get_by_label("Query")).to_be_hidden()
    expect(page.get_by_label("Schedule")).to_be_hidden()
    page.get_by_label("Branch", exact=True).fill("shop")
    page.get_by_role("button", name="Read the first rows").click()
    expect(page.locator(".error")).to_contain_text("Paste one or two example records")
    page.get_by_label("Example records").fill('{"id": "new-1", "plan": "Gold"}\n{"id": "new-2", "plan": "Silver"}')
    page.get_by_role("button", name="Read the first rows").click()
    expect(page.locator("tr", has_text="new-1")).to_contain_text("shop/plan/gold")
    page.get_by_label("Save this mapping as").fill("orders")
    page.get_by_role("button", name="Create sync").click()
    expect(page.get_by_text("It runs when records arrive.").first).to_be_visible()
    environment = served.installation.control.get_environment("main", "production")
    assert served.services.syncs.get_sync(environment, "shop").draft.source == PushSource()
    assert served.services.mappings.get_mapping("main", "orders").mapping.prefix == "shop"

    served.services.runner.push(environment, "shop", iter([b'{"id": "new-1", "plan": "Gold"}\n']), by="tap")
    page.reload()
    expect(page.locator("tbody tr", has_text="done")).to_contain_text("+1", timeout=30_000)
    assert tags_of(served, "new-1") == ("shop/plan/gold",)
