# ruff: noqa: RUF001 - numbers lost are shown with a minus sign.
"""Each thing that people come for, done as they would do it: a real browser, the real server, the telco customers."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tagloom import problems
from tagloom.console.views import activity, activity_undo
from tagloom.model import Origin, Person
from tagloom.store.port import Request
from tagloom.tags import TagPath, parse_tag
from tests.bodies import Line, part
from tests.console.conftest import Open
from tests.console.serving import CUSTOMER, EMAILS, PASSWORD, PLACE, Role, Served, serving, signed_in
from tests.fetching.places import web


@pytest.fixture
def served(telco_data: Path, tmp_path: Path) -> Iterator[Served]:
    """A console of its own for each test, since they change what is in it."""
    shutil.copytree(telco_data, tmp_path / "data")
    with serving(tmp_path / "data") as served:
        yield served


@pytest.fixture
def visitors(served: Served) -> Iterator[Callable[[Role], httpx.Client]]:
    """Sessions in it."""
    with signed_in(served) as visitor:
        yield visitor


def toast(page: Page) -> Locator:
    """What was said last about what was done."""
    return page.locator("#toasts .toast").last


def tags_of(served: Served, customer: str) -> tuple[str, ...]:
    """What the store says a customer bears."""
    control = served.loom.installation.control
    record = served.loom.population(control.get_environment("main", "production")).find_person(Person("user", customer))
    return record.tags if record is not None else ()


# Coming in.


def test_a_teammate_signs_in_looks_around_and_signs_out(open_page: Open) -> None:
    page = open_page("anyone")
    page.goto(f"{PLACE}/tags?search=fiber")
    page.get_by_label("E-mail").fill(EMAILS["developer"])
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    # It goes on where it began.
    expect(page).to_have_url(re.compile(r"/tags\?search=fiber"))
    expect(page.get_by_role("link", name="internet/fiber-optic")).to_be_visible()
    page.get_by_text("Your account").locator("xpath=..").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_environment_is_always_visible_and_switched_in_place(open_page: Open) -> None:
    page = open_page()
    page.goto(f"{PLACE}/tags")
    pill = page.locator(".environment summary")
    expect(pill).to_contain_text("production")

    pill.click()
    page.get_by_role("link", name="staging").click()

    expect(page).to_have_url(re.compile("/s/main/staging/tags$"))
    expect(pill).to_contain_text("staging")
    expect(page.get_by_role("heading", name="No tag yet")).to_be_visible()


def test_the_palette_jumps_to_a_tag_a_tribe_a_person_and_a_page(open_page: Open) -> None:
    page = open_page()
    for text, lands in (
        ("fiber", r"/tag\?tag=internet%2Ffiber-optic"),
        ("At ris", "/tribe/at-risk"),
        (CUSTOMER, rf"user={CUSTOMER}"),
        ("Activ", "/activity"),
    ):
        page.goto(f"{PLACE}/overview")
        page.keyboard.press("/")
        entry = page.locator("#palette input")
        expect(entry).to_be_focused()
        entry.press_sequentially(text, delay=20)
        expect(page.locator("#palette [role=option]").first).to_contain_text(text, ignore_case=True)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(lands))


# Developer: user tags.


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
    expect(dialog.locator("#effect")).to_contain_text("New names")
    dialog.get_by_role("button", name="Move tag").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("payment/letter")
    expect(page.get_by_text("payment/mailed-check", exact=True).first).to_be_visible()
    toast(page).get_by_role("button", name="Undo").click()
    expect(toast(page)).to_contain_text("was undone")
    expect(page.get_by_role("heading", level=1)).to_contain_text("payment/mailed-check")
    control = served.loom.installation.control
    environment = control.get_environment("main", "production")
    assert served.loom.catalogue.get_tag(environment, "payment/mailed-check").users == 1612


def test_a_tribe_is_tagged_after_its_effect_was_shown_and_undone(open_page: Open, served: Served) -> None:
    population = served.loom.population(served.loom.installation.control.get_environment("main", "production"))
    page = open_page("developer")
    page.goto(f"{PLACE}/tribe/families")
    page.get_by_role("link", name="Tag them").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Tag", exact=True).press_sequentially("Spring", delay=20)
    expect(dialog.locator("#effect")).to_contain_text("capital")
    dialog.get_by_label("Tag", exact=True).fill("campaigns/spring")
    expect(dialog.locator("#effect")).to_contain_text("New tags")
    dialog.get_by_label("What to do").select_option("remove")
    expect(dialog.locator("#effect")).to_contain_text("Unchanged")
    dialog.get_by_label("What to do").select_option("freeze")
    expect(dialog.locator("#effect")).to_contain_text("New tags")
    dialog.get_by_role("button", name="Tag them").click()

    expect(toast(page)).to_contain_text("taggings added")
    members = served.loom.targeting.count(
        served.loom.installation.control.get_environment("main", "production"), "families"
    )
    assert population.get_tag(parse_tag("campaigns/spring")).users == members.count
    toast(page).get_by_role("button", name="Undo").click()
    expect(toast(page)).to_contain_text("was undone")
    with pytest.raises(problems.TagNotFound):
        population.get_tag(parse_tag("campaigns/spring"))


def test_two_tags_are_merged_and_one_is_deleted_each_with_its_exact_effect(open_page: Open, served: Served) -> None:
    population = served.loom.population(served.loom.installation.control.get_environment("main", "production"))
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
    dialog.get_by_label("Delete it all the same").check()
    dialog.get_by_role("button", name="Delete tag").click()
    expect(toast(page)).to_contain_text("“churn/left” was deleted")
    toast(page).get_by_role("button", name="Undo").click()
    expect(toast(page)).to_contain_text("was undone")
    assert population.get_tag("churn/left").users == 1869
    assert population.get_tag("payment").subtree_users == both


def test_a_tag_is_described(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/tag?tag=senior")
    page.locator("#description").fill("Aged 65 or older, says the CRM.")
    page.get_by_role("button", name="Save description").click()

    expect(page.locator(".explain").first).to_have_text("Aged 65 or older, says the CRM.")


# Developer: users and visitors.


def test_a_branch_that_a_sync_owns_says_so_and_is_given_back(open_page: Open, served: Served) -> None:
    population = served.loom.population(served.loom.installation.control.get_environment("main", "production"))
    population.put_tag(TagPath("payment"), Origin("ada", "sync billing"), owner="sync billing")
    page = open_page("developer")
    page.goto(f"{PLACE}/tag?tag=payment/mailed-check")
    expect(page.get_by_role("heading", name="Owned by the sync billing")).to_be_visible()

    page.get_by_role("button", name="Give it back to everybody").click()

    expect(page.locator("#toasts")).to_contain_text("“payment” belongs to everybody again.")
    expect(page.get_by_role("heading", name="Owned by")).to_have_count(0)
    assert population.get_tag(TagPath("payment")).owner == ""


def test_a_click_is_not_lost_while_the_list_under_it_is_renewed(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?search={CUSTOMER[:6]}")
    page.get_by_role("link", name=CUSTOMER).hover()
    page.mouse.down()
    page.get_by_label("Search by id").fill(CUSTOMER[:7])
    expect(page).to_have_url(re.compile(f"search={CUSTOMER[:7]}"))
    page.mouse.up()

    expect(page.locator("#panel").get_by_role("heading", level=2)).to_have_text(CUSTOMER)


def test_a_person_is_found_and_their_tags_are_changed_by_hand(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people")
    page.get_by_label("Search by id").press_sequentially(CUSTOMER[:6], delay=20)
    page.get_by_role("link", name=CUSTOMER).click()
    panel = page.locator("#panel")
    expect(panel.get_by_role("heading", level=2)).to_have_text(CUSTOMER)
    expect(page).to_have_url(re.compile(f"user={CUSTOMER}"))
    entry = panel.get_by_label("Add a tag")

    entry.press_sequentially("tier/Gold", delay=20)
    expect(panel.locator("#tag-said")).to_contain_text("capital")
    panel.get_by_role("button", name="Use tier/gold").click()
    expect(panel.locator("#tag-said")).to_contain_text("A new tag")
    panel.get_by_role("button", name="Add tag").click()
    expect(panel.locator(".person-tags .chips")).to_contain_text("tier/gold")
    assert "tier/gold" in tags_of(served, CUSTOMER)

    # Tab completes a level.
    entry.press_sequentially("services/str", delay=20)
    expect(panel.get_by_role("option").first).to_be_visible()
    expect(panel.get_by_role("option").first).to_have_text(re.compile("services/streaming"))
    page.keyboard.press("Tab")
    expect(entry).to_have_value("services/streaming")
    entry.press_sequentially("/t", delay=20)
    expect(panel.locator("#tag-options").get_by_role("option")).to_have_text([re.compile("services/streaming/tv")])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(panel.locator(".person-tags .chips")).to_contain_text("services/streaming/tv")

    panel.get_by_role("button", name="Remove tier/gold").click()
    expect(panel.locator(".person-tags .chips")).not_to_contain_text("tier/gold")
    assert "tier/gold" not in tags_of(served, CUSTOMER)
    toast(page).get_by_role("button", name="Undo").click()
    expect(toast(page)).to_contain_text("was undone")
    assert "tier/gold" in tags_of(served, CUSTOMER)
    expect(panel.locator(".timeline")).to_contain_text(EMAILS["developer"])

    page.keyboard.press("Escape")
    expect(panel).to_be_empty()
    expect(page).not_to_have_url(re.compile("user="))


def test_the_panel_says_which_tribes_and_why(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user=3655-SNQYZ")
    tribe = page.locator("#panel details").filter(has_text="Families")
    tribe.locator("summary > .icon").click()

    expect(tribe).to_contain_text("bears household/partner")
    expect(tribe).to_contain_text("telco-customer-churn.csv")


def test_a_person_is_erased_only_after_the_id_was_typed(open_page: Open, served: Served) -> None:
    customer = "9237-HQITU"
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={customer}")
    page.get_by_role("link", name="Erase this person").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Type the id to confirm").fill("somebody else")
    dialog.get_by_role("button", name="Erase").click()
    expect(dialog).to_contain_text("is not the id of this person")
    assert tags_of(served, customer)
    dialog.get_by_label("Type the id to confirm").fill(customer)
    dialog.get_by_role("button", name="Erase").click()

    expect(toast(page)).to_contain_text("erased")
    assert tags_of(served, customer) == ()


# Tribes.


def add_filter(page: Page, tag: str, operator: str = "is at or below") -> None:
    """Adds a line to the rule and chooses a tag for it."""
    count = page.locator(".filter").count()
    page.get_by_role("button", name="Tag", exact=True).first.click()
    row = page.locator(".filter").nth(count)
    row.get_by_label("How the tag must match").select_option(label=operator)
    row.get_by_role("combobox", name="Tag", exact=True).press_sequentially(tag, delay=10)
    row.get_by_role("option", name=tag, exact=False).first.click()


def test_a_tribe_is_made_with_its_count_before_it_is_saved(open_page: Open, served: Served) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribes")
    page.get_by_role("link", name="New tribe").click()
    page.get_by_label("Name", exact=True).fill("Fibre without support")
    page.get_by_label("Category").fill("Retention")
    finding = page.locator("#finding")
    expect(finding).to_contain_text("7,042")
    add_filter(page, "internet/fiber-optic")
    expect(finding.locator(".figure-number")).to_have_text("3,096")
    add_filter(page, "services/support", "is not at or below")
    expect(finding.locator(".figure-number")).to_have_text("2,230")
    expect(finding.locator("li")).to_have_count(10)
    assert len(served.loom.tribes.list_tribes("main")) == 4
    page.get_by_role("button", name="Create tribe").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Fibre without support")
    expect(page.locator("#finding .figure-number")).to_have_text("2,230")
    page.goto(f"{PLACE}/tribes")
    expect(page.locator("article", has_text="Fibre without support")).to_contain_text("2,230")


def test_saving_a_changed_rule_shows_who_enters_and_who_leaves(open_page: Open) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribe/streamers")
    row = page.locator(".filter").first
    row.get_by_role("combobox", name="Tag", exact=True).fill("services/streaming/tv")
    page.keyboard.press("Escape")
    finding = page.locator("#finding")
    expect(finding).to_contain_text("−792 leave")
    page.get_by_role("button", name="Save tribe").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("−792")
    expect(dialog).to_contain_text("Some who leave")
    dialog.get_by_role("button", name="Save").click()

    expect(toast(page)).to_contain_text("Streamers")
    expect(page.locator("#finding .figure-number")).to_have_text("2,707")
    page.goto(f"{PLACE}/activity?shows=tribes")
    expect(page.locator("tbody tr").first).to_contain_text(EMAILS["tribes"])


def test_a_rule_that_can_never_match_is_pointed_out(open_page: Open) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribes/new")
    add_filter(page, "senior")
    add_filter(page, "senior", "is not at or below")

    expect(page.locator("#finding .note")).to_contain_text("never")


def test_groups_move_and_remove_by_keyboard_alone_and_as_json(open_page: Open) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribe/at-risk")
    page.get_by_role("button", name="Move filter 2 up").press("Enter")
    first = page.locator(".filter").first
    expect(first.get_by_role("combobox", name="Tag", exact=True)).to_have_value("internet/fiber-optic")
    page.get_by_role("button", name="Remove filter 4").press("Enter")
    expect(page.locator(".filter")).to_have_count(3)
    page.get_by_role("button", name="Group").press("Enter")
    expect(page.locator(".group .group")).to_have_count(2)
    page.get_by_text("As JSON", exact=True).click()
    box = page.get_by_label("The rule as JSON")
    box.fill('{"type":"tag","tag":"Senior"}')
    page.get_by_role("button", name="Use this JSON").click()
    expect(page.locator("#builder")).to_contain_text("capital")
    box.fill('{"type":"tag","tag":"senior"}')
    page.get_by_role("button", name="Use this JSON").click()

    expect(page.locator("#finding .figure-number")).to_have_text("1,142")
    # Nothing was saved.
    page.goto(f"{PLACE}/tribe/at-risk")
    expect(page.locator(".filter")).to_have_count(4)


def test_two_people_edit_one_tribe_and_nothing_is_lost(open_page: Open, served: Served) -> None:
    mine, theirs = open_page("tribes"), open_page("developer")
    for page in (mine, theirs):
        page.goto(f"{PLACE}/tribe/families")
    theirs.get_by_label("Description").fill("Theirs.")
    theirs.get_by_role("button", name="Save tribe").click()
    expect(toast(theirs)).to_be_visible()
    mine.get_by_label("Description").fill("Mine.")
    mine.get_by_role("button", name="Save tribe").click()

    dialog = mine.get_by_role("dialog")
    expect(dialog).to_contain_text("Somebody saved this tribe meanwhile")
    expect(dialog).to_contain_text(EMAILS["developer"])
    expect(dialog).to_contain_text("Mine.")
    expect(dialog).to_contain_text("Theirs.")
    assert served.loom.tribes.get_tribe("main", "families").description == "Theirs."
    dialog.get_by_role("button", name="Save mine over it").click()
    expect(toast(mine)).to_be_visible()
    assert served.loom.tribes.get_tribe("main", "families").description == "Mine."


def test_why_a_person_is_in_or_out(open_page: Open) -> None:
    page = open_page("view")
    page.goto(f"{PLACE}/tribe/at-risk")
    page.get_by_placeholder("Id of a person").fill(CUSTOMER)
    page.get_by_role("button", name="Explain").click()

    expect(page.locator("#why")).to_contain_text("is not in “At risk”")
    expect(page.locator("#why")).to_contain_text("contract/month-to-month")


def test_who_was_in_a_tribe_at_an_earlier_time(open_page: Open, served: Served, tmp_path: Path) -> None:
    environment = served.loom.installation.control.get_environment("main", "production")
    population, was = served.loom.population(environment), served.loom.targeting.count(environment, "at-risk").count
    version = population.version()
    population.drop_tag(TagPath("contract/month-to-month"), Origin("bob", "test"))
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribe/at-risk")
    page.get_by_label("Time (UTC)").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Look back").click()
    expect(page.locator("#earlier")).to_contain_text("before the first version")

    page.goto(f"{PLACE}/tribe/at-risk/earlier?as_of={version}")
    expect(page.locator("main .figure-number")).to_have_text(f"{was:,}")
    expect(page.locator("main")).to_contain_text(f"0 are in it now, −{was:,} since")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="CSV").click()
    downloading.value.save_as(tmp_path / "then.csv")
    assert len((tmp_path / "then.csv").read_text().splitlines()) == was + 1


def test_members_are_exported_in_each_format(open_page: Open, tmp_path: Path) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribe/at-risk")
    for name, ending in (("CSV", "csv"), ("NDJSON", "ndjson"), ("Parquet", "parquet")):
        page.get_by_text("Export").click()
        with page.expect_download() as begun:
            page.get_by_role("link", name=name, exact=True).click()
        file = tmp_path / begun.value.suggested_filename
        begun.value.save_as(file)
        assert file.suffix == f".{ending}"
        if ending == "parquet":
            assert pq.read_table(file).num_rows == 763
        else:
            assert len(file.read_text().splitlines()) == 763 + (ending == "csv")
        page.reload()


def test_a_card_is_moved_by_keyboard_and_by_hand_duplicated_and_painted(open_page: Open, served: Served) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribes")
    page.get_by_role("button", name="Move Film night").press(" ")
    page.keyboard.press("ArrowDown")
    with page.expect_response("**/tribes/move"):
        page.keyboard.press(" ")
    page.reload()
    expect(page.locator("[data-category=Household] [data-tribe=film-night]")).to_be_visible()
    assert served.loom.tribes.get_tribe("main", "film-night").category == "Household"

    grip = page.get_by_role("button", name="Move Film night")
    place = page.locator("[data-tribe=at-risk]").bounding_box()
    at = grip.bounding_box()
    assert place is not None
    assert at is not None
    page.mouse.move(at["x"] + 8, at["y"] + 8)
    page.mouse.down()
    # The browser begins to drag after some moves, as slow as a hand's.
    for x, y, steps in (
        (at["x"] + 8, at["y"] + 30, 5),
        (place["x"] + 60, place["y"] + 40, 20),
        (place["x"] + 62, place["y"] + 60, 5),
    ):
        page.wait_for_timeout(100)
        page.mouse.move(x, y, steps=steps)
    page.wait_for_timeout(100)
    with page.expect_response("**/tribes/move"):
        page.mouse.up()
    expect(page.locator("[data-category=Retention] [data-tribe=film-night]")).to_be_visible()
    assert served.loom.tribes.get_tribe("main", "film-night").category == "Retention"

    card = page.locator("[data-tribe=film-night]")
    before = card.get_attribute("class")
    card.locator("summary").click()
    card.get_by_label("Colour 3").check(force=True)
    expect(card).not_to_have_class(before or "")
    card.locator("summary").click()
    card.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Film night")
    assert len([each for each in served.loom.tribes.list_tribes("main") if each.name.startswith("Film night")]) == 2


def test_categories_are_moved_by_keyboard(open_page: Open) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribes")
    first = page.locator("[data-category]").first.get_attribute("data-category")
    page.get_by_role("button", name=f"Move category {first}").press(" ")
    page.keyboard.press("ArrowDown")
    with page.expect_response("**/tribes/move-category"):
        page.keyboard.press(" ")
    page.reload()

    assert page.locator("[data-category]").nth(1).get_attribute("data-category") == first


def test_overlap_is_drawn_and_written(open_page: Open) -> None:
    page = open_page("view")
    page.goto(f"{PLACE}/tribes/overlap")
    page.get_by_label("At risk").check()
    page.get_by_label("Families").check()

    expect(page.locator("#upset svg")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(3)


def test_a_tribe_is_deleted_unless_another_asks_it(open_page: Open, served: Served) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribe/families")
    page.get_by_role("link", name="Delete").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Take it out there first")
    dialog.get_by_role("button", name="Keep it").click()
    made = served.loom.tribes.get_tribe("main", "at-risk")
    assert made.name == "At risk"
    page.goto(f"{PLACE}/tribe/at-risk")
    page.get_by_role("button", name="Duplicate").click()
    expect(page).not_to_have_url(re.compile("at-risk$"))
    page.get_by_role("link", name="Delete").click()
    dialog.get_by_role("button", name="Delete tribe").click()
    expect(toast(page)).to_contain_text("deleted")


# Imports and activity.


def test_a_file_is_dropped_mapped_looked_at_applied_mended_and_undone(
    open_page: Open, served: Served, tmp_path: Path
) -> None:
    file = tmp_path / "crm.csv"
    file.write_text(
        "customer_id,Plan Name,Interests,Active,Score\n"
        f"{CUSTOMER},Gold Plan,football;opera,yes,17\nnew-1,Trial,,no,3\nnew-2,,opera,perhaps,9\n"
    )
    page = open_page("developer")
    page.goto(f"{PLACE}/imports")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_label("What customer_id means")).to_have_value("user")
    expect(page.get_by_label("What Plan Name means")).to_have_value("value")
    expect(page.get_by_label("What Interests means")).to_have_value("list")
    expect(page.get_by_label("Separator of the list in Interests")).to_be_visible()
    expect(page.get_by_label("Branch above the tags of Interests")).to_be_hidden()
    page.get_by_label("What Active means").select_option("flag")
    page.get_by_label("What Score means").select_option("bands")
    page.get_by_label("Upper bounds of the bands of Score").fill("5, 10")
    page.get_by_label("Put in front of every tag").fill("crm")
    page.get_by_role("button", name="Read the first rows").click()
    expect(page.locator("tr", has_text="new-1")).to_contain_text("crm/score/up-to-5")
    expect(page.locator("tr", has_text="is neither yes nor no")).to_be_visible()
    page.get_by_label("Keep this mapping as").fill("customers")
    page.get_by_role("button", name="See what it would do").click()

    effect = page.locator(".effect")
    expect(effect).to_contain_text("+7")
    expect(effect).to_contain_text("crm/plan-name/gold-plan")
    expect(page.get_by_text("1 row is rejected")).to_be_visible()
    expect(page.locator("table", has_text="Why")).to_contain_text("'perhaps' is neither yes nor no")
    assert tags_of(served, "new-1") == ()
    page.get_by_role("button", name="Apply to production").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()
    assert tags_of(served, "new-1") == ("crm/plan-name/trial", "crm/score/up-to-5")
    with page.expect_download() as begun:
        page.get_by_role("link", name="Rows with reasons").click()
    rejected = tmp_path / begun.value.suggested_filename
    begun.value.save_as(rejected)
    first = page.url

    # The rows that were rejected are mended, and brought again by the mapping that was kept.
    assert rejected.name == "rejected-crm.csv"
    rejected.write_text(rejected.read_text().replace("perhaps", "yes"))
    page.goto(f"{PLACE}/imports")
    page.set_input_files("#file", rejected)
    page.get_by_role("button", name="Upload").click()
    page.get_by_label("Begin with a mapping that was kept").select_option("customers")
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_label("What Active means")).to_have_value("flag")
    expect(page.get_by_label("What tagloom_problem means")).to_have_value("ignore")
    expect(page.get_by_label("Put in front of every tag")).to_have_value("crm")
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_role("button", name="Apply to production").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()
    assert tags_of(served, "new-2") == ("crm/active", "crm/opera", "crm/score/over-5-to-10")

    page.goto(first)
    page.get_by_role("link", name="Undo this import").click()
    expect(page.locator(".effect")).to_contain_text("−7")
    page.get_by_role("button", name="Undo this import").click()
    expect(toast(page)).to_contain_text("was undone")
    assert not [tag for tag in tags_of(served, CUSTOMER) if tag.startswith("crm")]
    page.goto(f"{PLACE}/imports")
    expect(page.locator("tbody tr").nth(1)).to_contain_text("applied and undone")


def test_a_file_that_takes_much_asks_before_it_does(open_page: Open, served: Served, tmp_path: Path) -> None:
    environment = served.loom.installation.control.get_environment("main", "production")
    population = served.loom.population(environment)
    lines = [Line(Person("user", f"held-{n}"), ("held/a",)) for n in range(10)]
    population.apply(iter([part(lines)]), Request(mode="add", origin=Origin("night-job")))
    file = tmp_path / "held.ndjson"
    file.write_text('{"user": "held-1", "tags": ["held/a"]}\n')
    page = open_page("developer")
    page.goto(f"{PLACE}/imports")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_label("What tags means")).to_have_value("list")
    page.get_by_label("What to do").select_option("mirror")
    page.get_by_label("Only at or below").fill("held")
    page.get_by_role("button", name="See what it would do").click()
    expect(page.get_by_text("90.0 % of the 10 taggings at or below held would go")).to_be_visible()
    page.get_by_role("button", name="Apply to production").click()

    expect(page.get_by_text("It was not applied.")).to_be_visible()
    assert tags_of(served, "held-9") == ("held/a",)
    page.get_by_role("button", name="Apply all the same").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()
    assert tags_of(served, "held-9") == ()


def test_a_mapping_that_cannot_be_carried_out_says_why_and_keeps_what_was_typed(
    open_page: Open, tmp_path: Path
) -> None:
    file = tmp_path / "crm.csv"
    file.write_text("user,plan\nu1,Gold\nu2,Free\n")
    page = open_page("developer")
    page.goto(f"{PLACE}/imports")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()
    page.get_by_label("Branch above the tags of plan").fill("Plan")
    page.get_by_role("button", name="See what it would do").click()

    expect(page.locator(".error")).to_contain_text("capital")
    expect(page.get_by_label("Branch above the tags of plan")).to_have_value("Plan")
    page.get_by_label("What plan means").select_option("user")
    page.get_by_role("button", name="See what it would do").click()
    expect(page.locator(".error")).to_contain_text("Only one column can be the user id")


def test_a_large_import_shows_its_progress_through_a_reload_and_may_be_paused(open_page: Open, tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    rows = "".join(f"large-{n},segment/{n % 7}\n" for n in range(2_500_000))
    file.write_text("user,tag\n" + rows)
    page = open_page("developer")
    page.goto("/s/main/staging/imports")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="See what it would do").click()
    expect(page.locator("#progress")).to_contain_text("rows read")
    page.reload()

    expect(page.locator(".effect")).to_contain_text("+2,500,000", timeout=60_000)
    page.get_by_role("button", name="Apply to staging").click()
    expect(page.locator("#progress")).to_contain_text("2,500,000")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as 3 versions"))).to_be_visible(timeout=60_000)


def test_a_file_is_fetched_from_its_address_looked_at_and_applied(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/imports")
    with web() as place:
        may_end = threading.Event()

        def drip(handler: BaseHTTPRequestHandler) -> None:
            body = f"id,mood\n{CUSTOMER},Happy\n".encode()
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[:8])
            handler.wfile.flush()
            may_end.wait(20)
            handler.wfile.write(body[8:])

        place.answers["/moods.csv"] = drip
        page.get_by_label("Address").fill(f"https://ada:sesame@localhost:{place.port}/moods.csv")
        page.get_by_role("button", name="Fetch").click()
        expect(page.get_by_text("has a user or a password")).to_be_visible()
        expect(page.get_by_label("Address")).to_have_value(re.compile("moods"))
        page.get_by_label("Address").fill(f"{place.url}/moods.csv?page=2")
        page.get_by_role("button", name="Fetch").click()
        expect(page.get_by_role("heading", name="Fetching the file")).to_be_visible()
        expect(page.get_by_text(f"of {place.url}/moods.csv are here")).to_be_visible()
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        may_end.set()
        expect(page.get_by_role("button", name="See what it would do")).to_be_visible(timeout=20_000)
        assert "page=2" not in page.content()

        # What is no such file is said where it can be removed.
        place.serve("/broken.parquet", b"no parquet at all")
        page.goto(f"{PLACE}/imports")
        page.get_by_label("Address").fill(f"{place.url}/broken.parquet")
        page.get_by_role("button", name="Fetch").click()
        expect(page.get_by_role("button", name="Remove file")).to_be_visible(timeout=20_000)
        page.get_by_role("button", name="Remove file").click()
        expect(toast(page)).to_contain_text("removed")

    page.get_by_role("link", name="moods.csv").click()
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_role("button", name="Apply to production").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible(timeout=20_000)
    assert "mood/happy" in tags_of(served, CUSTOMER)


def test_an_import_is_cancelled_and_its_file_removed(open_page: Open, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "away.csv"
    file.write_text("user,tag\naway,a\n")
    page = open_page("developer")
    page.goto(f"{PLACE}/imports")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("button", name="See what it would do").click()
    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_text("brought by")).to_contain_text("cancelled")
    page.get_by_role("button", name="Remove file").click()
    expect(page.locator("tbody", has_text="away.csv")).to_have_count(0)
    assert tags_of(served, "away") == ()


def test_activity_is_filtered_and_a_batch_is_undone_from_it(open_page: Open, served: Served) -> None:
    environment = served.loom.installation.control.get_environment("main", "production")
    population = served.loom.population(environment)
    name = "night-job"
    population.apply(
        iter([part([Line(Person("user", "new"), ("a",))])]), Request(mode="add", origin=Origin(name, "cron"))
    )
    page = open_page("developer")
    page.goto(f"{PLACE}/activity")
    page.get_by_label("Source: console, api, or a file").fill("telco-customer-churn.csv")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#activity-rows tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("source=telco-customer-churn.csv"))
    page.locator("#activity-rows tr a").first.click()

    expect(page.get_by_role("heading", name="What undoing it would do")).to_be_visible()
    expect(page.locator(".effect")).to_contain_text("People touched")
    page.goto(f"{PLACE}/activity")
    page.get_by_label("Actor: an e-mail or a token's name").fill(name)
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#activity-rows tr")).to_have_count(1)
    page.locator("#activity-rows tr a").first.click()
    page.get_by_role("button", name="Undo this version").click()
    expect(toast(page)).to_contain_text("was undone")
    assert tags_of(served, "new") == ()


# Without a script.


def test_the_main_things_work_without_any_script(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(base_url=served.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(EMAILS["developer"])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(f"{PLACE}/people?user=6713-OKOMC")
    page.get_by_label("Add a tag").fill("tier/silver")
    page.get_by_role("button", name="Add tag").click()
    expect(page.locator(".person-tags .chips")).to_contain_text("tier/silver")
    page.goto(f"{PLACE}/tribe/at-risk")
    page.get_by_role("button", name="Tag", exact=True).first.click()
    expect(page.locator(".filter")).to_have_count(5)
    page.goto(f"{PLACE}/tag/move?tag=tier/silver")
    page.get_by_label("New path").fill("tier/steel")
    page.get_by_role("button", name="Move tag").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("tier/steel")
    context.close()


def test_the_undo_of_a_large_batch_is_counted_after_the_page_is_there(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "TAGGINGS_FORESEEN_AT_ONCE", 1_000)
    page = open_page("developer")
    page.goto(f"{PLACE}/activity/batch?version=1")

    expect(page.locator("#undo .effect")).to_contain_text("−77,091")
    expect(page.get_by_role("button", name="Undo this version")).to_be_visible()


def test_the_undo_of_all_from_a_source_is_counted_after_the_page_is_there(
    open_page: Open, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = served.loom.installation.control
    source = served.loom.population(control.get_environment("main", "production")).get_change(1).source
    monkeypatch.setattr(activity_undo, "TAGGINGS_FORESEEN_AT_ONCE", 1_000)
    page = open_page("developer")
    page.goto(f"{PLACE}/activity/undo")
    page.get_by_label("From", exact=True).fill(source)
    page.get_by_role("button", name="Show what it would do").click()

    expect(page.locator("#effect .effect")).to_contain_text("−77,091")
    page.get_by_role("button", name="Undo them").click()
    expect(toast(page)).to_contain_text("77,091 removed")
    assert tags_of(served, CUSTOMER) == ()
