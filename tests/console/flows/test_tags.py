# ruff: noqa: RUF001 - numbers lost are shown with a minus sign.
"""User tags: search, create, rename, merge, delete, tag a tribe, release a branch."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tagloom.ports.problems import TagNotFound
from tagloom.ports.writes import DeleteTag, MoveTag, PutTag, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.tags import TagPath, parse_tag
from tests.console.conftest import Open
from tests.console.flows.seen import toast
from tests.console.serving import PLACE, Served


def test_tags_are_searched_as_one_types_and_the_back_button_goes_back(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tags")
    expect(page.locator("#tags-rows tr")).to_have_count(48)

    page.get_by_label("Search tags").press_sequentially("stream", delay=20)
    expect(page.locator("#tags-rows tr")).to_have_count(3)
    expect(page).to_have_url(re.compile("search=stream"))
    page.get_by_role("link", name="services/streaming/tv").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("services/streaming/tv")
    page.go_back()

    expect(page.locator("#tags-rows tr")).to_have_count(3)
    expect(page.get_by_label("Search tags")).to_have_value("stream")


def test_a_tags_page_looks_back_at_who_bore_it(open_page: Open, served: Served, tmp_path: Path) -> None:
    environment = served.installation.control.get_environment("main", "production")
    population = served.installation.population(environment)
    branch, below = TagPath("services/streaming"), TagPath("services/streaming/tv")
    version, was = population.version(), population.get_tag(branch).subtree_users
    population.write(DeleteTag(below), WriteOptions(Origin("bob", "test")))
    now = population.get_tag(branch).subtree_users
    population.write(MoveTag(branch, TagPath("services/video")), WriteOptions(Origin("bob", "test")))
    page = open_page("developer")
    page.goto(f"{PLACE}/tag?tag=services/video")
    page.get_by_label("Time (UTC)").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#as-of")).to_contain_text("before the first version")
    expect(page.locator("#as-of .figure-number")).to_have_text("0")

    # By its name of today, or an older one; those below it that are gone count, since they were below it.
    page.goto(f"{PLACE}/tag/as-of?tag=services/streaming&as_of={version}")
    expect(page.locator("main .figure-number")).to_have_text(f"{was:,}")
    expect(page.locator("main")).to_contain_text(f"{now:,} are at or below it now, −{was - now:,} since")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="All of them as CSV").click()
    downloading.value.save_as(tmp_path / "then.csv")
    assert len((tmp_path / "then.csv").read_text().splitlines()) == was + 1


def test_the_tree_opens_branch_by_branch_by_keyboard_and_the_map_leads_to_a_tag(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tags?view=tree")
    toggle = page.get_by_role("button", name="Open services", exact=True)
    toggle.focus()
    page.keyboard.press("ArrowRight")
    streaming = page.get_by_role("button", name="Open services/streaming")
    expect(streaming).to_be_visible()
    streaming.click()
    expect(page.get_by_role("link", name="services/streaming/movies")).to_be_visible()
    toggle.focus()
    page.keyboard.press("ArrowLeft")
    expect(streaming).to_be_hidden()

    page.get_by_role("link", name="Map").click()
    page.locator("svg.treemap a").filter(has=page.locator("title", has_text="internet/fiber-optic")).click()
    expect(page).to_have_url(re.compile(r"tag=internet%2Ffiber-optic"))


def test_a_tag_is_created_with_its_rules_explained_while_typing(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tags")
    page.get_by_role("link", name="New tag").click()
    entry = page.get_by_label("Path")
    entry.press_sequentially("Sports/Football", delay=10)
    fix = page.get_by_role("button", name="Use sports/football")
    expect(fix).to_be_visible()
    fix.click()
    expect(entry).to_have_value("sports/football")
    page.get_by_label("Description").fill("Watches football.")
    page.get_by_role("button", name="Create tag").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("sports/football")
    expect(page.locator(".explain").first).to_have_text("Watches football.")


def test_a_tag_is_renamed_after_its_effect_was_shown_and_undone(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tag?tag=payment/mailed-check")
    page.get_by_role("link", name="Rename or move").click()
    dialog = page.get_by_role("dialog")
    entry = dialog.get_by_label("New path")
    expect(entry).to_be_focused()
    entry.clear()
    entry.press_sequentially("payment/Letter", delay=20)
    expect(dialog.locator("#effect")).to_contain_text("capital")
    entry.fill("payment/letter")
    expect(dialog.locator("#effect")).to_contain_text("Renamed tags")
    dialog.get_by_role("button", name="Move tag").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("payment/letter")
    expect(page.get_by_text("payment/mailed-check", exact=True).first).to_be_visible()
    toast(page).get_by_role("button", name="Undo").click()
    expect(toast(page)).to_contain_text("was undone")
    expect(page.get_by_role("heading", level=1)).to_contain_text("payment/mailed-check")
    control = served.installation.control
    environment = control.get_environment("main", "production")
    assert served.services.catalogue.get_tag(environment, "payment/mailed-check").users == 1612


def test_a_tribe_is_tagged_after_its_effect_was_shown_and_undone(open_page: Open, served: Served) -> None:
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    page = open_page("developer")
    page.goto(f"{PLACE}/tribe/families")
    page.get_by_role("link", name="Tag people").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Tag", exact=True).press_sequentially("Spring", delay=20)
    expect(dialog.locator("#effect")).to_contain_text("capital")
    dialog.get_by_label("Tag", exact=True).fill("campaigns/spring")
    expect(dialog.locator("#effect")).to_contain_text("New tags")
    dialog.get_by_label("Mode").select_option("remove")
    expect(dialog.locator("#effect")).to_contain_text("Unchanged")
    dialog.get_by_label("Mode").select_option("snapshot")
    expect(dialog.locator("#effect")).to_contain_text("New tags")
    dialog.get_by_role("button", name="Tag people").click()

    expect(toast(page)).to_contain_text("taggings added")
    members = served.services.targeting.count(
        served.installation.control.get_environment("main", "production"), "families"
    )
    assert population.get_tag(parse_tag("campaigns/spring")).users == members.count
    toast(page).get_by_role("button", name="Undo").click()
    expect(toast(page)).to_contain_text("was undone")
    with pytest.raises(TagNotFound):
        population.get_tag(parse_tag("campaigns/spring"))


def test_two_tags_are_merged_and_one_is_deleted_each_with_its_exact_effect(open_page: Open, served: Served) -> None:
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    both = population.get_tag("payment").subtree_users
    page = open_page("developer")
    page.goto(f"{PLACE}/tag?tag=payment/bank-transfer")
    page.get_by_role("link", name="Merge").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Into which tag").press_sequentially("payment/credit", delay=20)
    dialog.get_by_role("option", name="payment/credit-card").click()
    expect(dialog.locator("#effect")).to_contain_text("+1,544")
    expect(dialog.locator("#effect")).to_contain_text("−1,544")
    dialog.get_by_role("button", name="Merge tags").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("payment/credit-card")
    assert population.get_tag("payment/credit-card").users == 1544 + 1522

    page.goto(f"{PLACE}/tag?tag=churn/left")
    page.get_by_role("link", name="Delete").click()
    expect(dialog.locator("#effect")).to_contain_text("−1,869")
    expect(dialog.locator("#effect")).to_contain_text("At risk")
    dialog.get_by_label("Delete it anyway").check()
    dialog.get_by_role("button", name="Delete tag").click()
    expect(toast(page)).to_contain_text("“churn/left” was deleted")
    toast(page).get_by_role("button", name="Undo").click()
    expect(toast(page)).to_contain_text("was undone")
    assert population.get_tag("churn/left").users == 1869
    assert population.get_tag("payment").subtree_users == both


def test_a_tag_is_described(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tag?tag=senior")
    page.get_by_text("Add description").click()
    page.locator("#description").fill("Aged 65 or older, says the CRM.")
    page.get_by_role("button", name="Save description").click()

    expect(page.locator(".explain").first).to_have_text("Aged 65 or older, says the CRM.")


def test_a_branch_that_a_sync_owns_says_so_and_is_given_back(open_page: Open, served: Served) -> None:
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    population.write(PutTag(tag=TagPath("payment"), owner="sync billing"), WriteOptions(Origin("ada", "sync billing")))
    page = open_page("developer")
    page.goto(f"{PLACE}/tag?tag=payment/mailed-check")
    expect(page.get_by_role("heading", name="Owned by the sync billing")).to_be_visible()

    page.get_by_role("button", name="Release the branch").click()

    expect(page.locator("#toasts")).to_contain_text("The branch “payment” was released.")
    expect(page.get_by_role("heading", name="Owned by")).to_have_count(0)
    assert population.get_tag(TagPath("payment")).owner == ""
