# ruff: noqa: RUF001 - numbers lost are shown with a minus sign.
"""Tribes: create, edit, explain, time travel, move, compare, export, delete."""

import re
import time
from pathlib import Path

import pyarrow.parquet as pq
from playwright.sync_api import Page, expect

from tagloom.ports.writes import DeleteTag, RecordEvents, WriteOptions
from tagloom.tribes.definitions import Draft
from tagloom.words.changes import Origin
from tagloom.words.event_rules import HasEvent
from tagloom.words.events import DAY_MS, Event, EventType
from tagloom.words.people import Person
from tagloom.words.rules import All, HasTag, Not
from tagloom.words.tags import TagPath
from tests.console.conftest import Open
from tests.console.flows.seen import toast
from tests.console.serving import CUSTOMER, EMAILS, PLACE, Served


def add_filter(page: Page, tag: str, operator: str = "is at or below") -> None:
    """Adds a line to the rule and chooses a tag for it."""
    count = page.locator(".filter").count()
    page.get_by_role("button", name="Tag", exact=True).first.click()
    row = page.locator(".filter").nth(count)
    row.get_by_label("How the tag must match").select_option(label=operator)
    row.get_by_role("combobox", name="Tag", exact=True).press_sequentially(tag, delay=10)
    row.get_by_role("option", name=tag, exact=False).first.click()


def test_a_tribe_is_made_with_its_count_before_it_is_saved(open_page: Open, served: Served) -> None:
    page = open_page("developer")
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
    assert len(served.services.tribes.list_tribes("main")) == 4
    page.get_by_role("button", name="Create tribe").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Fibre without support")
    expect(page.locator("#finding .figure-number")).to_have_text("2,230")
    page.goto(f"{PLACE}/tribes")
    expect(page.locator("article", has_text="Fibre without support")).to_contain_text("2,230")


def test_filter_after_filter_is_added_without_a_click_between(open_page: Open) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_role("button", name="Tag", exact=True).click()
    fields = page.get_by_role("combobox", name="Tag", exact=True)
    expect(fields.first).to_be_focused()
    page.keyboard.type("churn/left")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Tag", exact=True).click()
    expect(fields.nth(1)).to_be_focused()
    page.keyboard.type("senior")
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Move filter 2 up").click()
    expect(fields.first).to_have_value("senior")
    expect(page.get_by_role("button", name="Move filter 1 down")).to_be_focused()
    page.get_by_role("button", name="Remove filter 1").click()
    expect(page.get_by_role("button", name="Tag", exact=True)).to_be_focused()
    page.get_by_role("button", name="Group", exact=True).click()
    expect(fields.nth(1)).to_be_focused()


def test_an_unfinished_tag_is_not_called_unknown_while_a_known_tag_contains_it(open_page: Open) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribes/new")
    page.get_by_role("button", name="Tag", exact=True).click()
    field, finding = page.get_by_role("combobox", name="Tag", exact=True), page.locator("#finding")

    for unfinished in ("inter", "fiber", "fiber-opt"):
        field.fill("")
        field.press_sequentially(unfinished, delay=10)
        expect(page.locator(".options .option").first).to_contain_text(unfinished)
        expect(finding).to_contain_text(f"“{unfinished}”. Choose one.")
        expect(finding).not_to_contain_text("There is no tag")
    field.fill("internet/")
    expect(finding.locator(".figure-number")).to_have_text("5,516")
    expect(finding.locator(".error, .note")).to_have_count(0)
    field.fill("internet/fibre-optic")
    expect(finding).to_contain_text("There is no tag “internet/fibre-optic” here. Did you mean “internet/fiber-optic”?")
    field.fill("zebra")
    expect(finding).to_contain_text("There is no tag “zebra” here.")
    field.fill("internet/fiber-optic")
    expect(finding).not_to_contain_text("tag “")


def test_a_closed_catalogue_does_not_call_an_unfinished_tag_unknown(open_page: Open) -> None:
    settings = open_page()
    settings.goto(f"{PLACE}/settings")
    settings.get_by_label("Catalogue of production").select_option("closed")
    settings.locator("tr", has_text="production").get_by_role("button", name="Save").click()
    expect(toast(settings)).to_contain_text("The catalogue of production is now closed")
    page = open_page("developer")
    page.goto(f"{PLACE}/people?kind=user&user={CUSTOMER}")
    field = page.get_by_label("Add a tag")

    field.press_sequentially("fiber", delay=10)
    expect(page.locator(".options .option").first).to_contain_text("fiber")
    expect(page.locator("#tag-status")).to_be_empty()
    field.fill("zebra")
    expect(page.locator("#tag-status")).to_contain_text("There is no such tag")


def test_a_tribes_history_is_told_in_sentences_with_json_on_demand(open_page: Open, served: Served) -> None:
    tribes, origin = served.services.tribes, Origin("bob", "night-job")
    tribe = tribes.get_tribe("main", "streamers")
    draft = Draft(name="Watchers", rule=Not(HasTag(TagPath("churn/left"))), category=tribe.category)
    tribes.put_tribe("main", tribe.id, draft, revision=tribe.revision, origin=origin)
    page = open_page("developer")
    page.goto(f"{PLACE}/activity?shows=tribes")
    row = page.locator("#activity-rows tr").first
    expect(row).to_contain_text("Renamed from “Streamers”")
    expect(row.locator("pre").first).to_be_hidden()
    row.get_by_text("Rule before and after").click()

    expect(row).to_contain_text("Users who match all of: tag is at or below services/streaming")
    expect(row).to_contain_text("tag is not at or below churn/left")
    expect(row.locator("pre").first).to_be_hidden()
    row.get_by_text("As JSON").last.click()
    expect(row.locator("pre").last).to_contain_text('"not"')


def test_why_says_of_what_was_asked_not_to_be_that_it_is_as_asked(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    draft = Draft(name="Stayed", rule=All((HasTag(TagPath("contract")), Not(HasTag(TagPath("churn/left"))))))
    served.services.tribes.create_tribe("main", draft, origin=Origin("bob"))
    page.goto(f"{PLACE}/tribe/stayed/why?kind=user&person={CUSTOMER}")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("tag is not at or below churn/left")

    expect(rows.locator(".badge.good")).to_have_text(["matches", "matches"])


def test_saving_a_changed_rule_shows_who_enters_and_who_leaves(open_page: Open) -> None:
    page = open_page("developer")
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
    expect(page.locator("tbody tr").first).to_contain_text(EMAILS["developer"])


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


def test_a_tribe_is_switched_on_as_a_feature_flag_and_stays_one_when_it_moves(open_page: Open, served: Served) -> None:
    category = served.services.tribes.get_tribe("main", "film-night").category
    draft = Draft(name="New checkout", rule=HasTag(TagPath("contract")), category=category)
    served.services.tribes.create_tribe("main", draft, origin=Origin("bob"))
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribe/new-checkout")
    expect(page.get_by_label("Feature flag for")).to_have_value("off")
    page.get_by_label("Feature flag for").select_option(label="Servers")
    page.get_by_role("button", name="Save tribe").click()
    expect(toast(page)).to_be_visible()
    assert [each.id for each in served.services.tribes.flags("main")] == ["new-checkout"]

    page.goto(f"{PLACE}/tribes")
    expect(page.locator("[data-tribe=new-checkout]")).to_contain_text("Flag")
    expect(page.locator("[data-tribe=families]")).not_to_contain_text("Flag")
    page.get_by_role("button", name="Move New checkout").press(" ")
    page.keyboard.press("ArrowDown")
    with page.expect_response("**/tribes/move"):
        page.keyboard.press(" ")
    page.reload()
    expect(page.locator("[data-tribe=new-checkout]")).to_contain_text("Flag")
    assert served.services.tribes.get_tribe("main", "new-checkout").category != category
    page.goto(f"{PLACE}/tribe/new-checkout")
    expect(page.get_by_label("Feature flag for")).to_have_value("servers")
    page.goto(f"{PLACE}/activity?shows=tribes")
    expect(page.locator("#activity-rows")).to_contain_text("feature flag for servers", ignore_case=True)


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
    expect(dialog).to_contain_text("Someone else saved this tribe")
    expect(dialog).to_contain_text(EMAILS["developer"])
    expect(dialog).to_contain_text("Mine.")
    expect(dialog).to_contain_text("Theirs.")
    assert served.services.tribes.get_tribe("main", "families").description == "Theirs."
    dialog.get_by_role("button", name="Overwrite with mine").click()
    expect(toast(mine)).to_be_visible()
    assert served.services.tribes.get_tribe("main", "families").description == "Mine."


def test_why_a_person_is_in_or_out(open_page: Open) -> None:
    page = open_page("tribes")
    page.goto(f"{PLACE}/tribe/at-risk")
    page.get_by_placeholder("Id of a person").fill(CUSTOMER)
    page.get_by_role("button", name="Explain").click()

    expect(page.locator("#why")).to_contain_text("is not in “At risk”")
    expect(page.locator("#why")).to_contain_text("contract/month-to-month")


def test_the_page_of_a_tribe_and_the_overview_show_who_is_active(open_page: Open, served: Served) -> None:
    environment = served.installation.control.get_environment("main", "production")
    now = int(time.time() * 1_000)
    events = [
        Event(person=Person("user", id), type=EventType("page/viewed"), at=now - days * DAY_MS, id=f"{id} {days}")
        for id, days in ((CUSTOMER, 1), ("somebody-else", 40), ("somebody-else", 100))
    ]
    write = RecordEvents(events)
    served.installation.population(environment).write(write, WriteOptions(Origin("bob", "test")))
    draft = Draft(name="Active", rule=HasEvent("page/viewed", 7))
    tribe = served.services.tribes.create_tribe("main", draft, origin=Origin("bob", "test"))
    page = open_page("view")

    page.goto(f"{PLACE}/overview")
    figures = page.locator(".metrics > div")
    expect(figures).to_have_count(4)
    expect(figures.filter(has_text="At risk")).to_contain_text("Last event 30 to 89 days ago")
    expect(figures.filter(has_text="At risk").locator("data")).to_have_text("1")
    expect(figures.filter(has_text="New").locator("data")).to_have_text("7,043")

    page.goto(f"{PLACE}/tribe/{tribe.id}")
    expect(figures).to_have_count(5)
    expect(figures.filter(has_text="Active").locator("data")).to_have_text("1")
    expect(figures.filter(has_text="Reach")).to_contain_text("100 %")


def test_who_was_in_a_tribe_at_an_earlier_time(open_page: Open, served: Served, tmp_path: Path) -> None:
    environment = served.installation.control.get_environment("main", "production")
    population, was = (
        served.installation.population(environment),
        served.services.targeting.count(environment, "at-risk").count,
    )
    version = population.version()
    population.write(DeleteTag(TagPath("contract/month-to-month")), WriteOptions(Origin("bob", "test")))
    page = open_page("developer")
    page.goto(f"{PLACE}/tribe/at-risk")
    page.get_by_label("Time (UTC)").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#as-of")).to_contain_text("before the first version")

    page.goto(f"{PLACE}/tribe/at-risk/as-of?as_of={version}")
    expect(page.locator("main .figure-number")).to_have_text(f"{was:,}")
    expect(page.locator("main")).to_contain_text(f"0 are in it now, −{was:,} since")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="CSV").click()
    downloading.value.save_as(tmp_path / "then.csv")
    assert len((tmp_path / "then.csv").read_text().splitlines()) == was + 1


def test_members_are_exported_in_each_format(open_page: Open, tmp_path: Path) -> None:
    page = open_page("developer")
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
    assert served.services.tribes.get_tribe("main", "film-night").category == "Household"

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
    assert served.services.tribes.get_tribe("main", "film-night").category == "Retention"

    card = page.locator("[data-tribe=film-night]")
    before = card.get_attribute("class")
    card.locator("summary").click()
    card.get_by_label("Colour 3").check(force=True)
    expect(card).not_to_have_class(before or "")
    card.locator("summary").click()
    card.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Film night")
    assert len([each for each in served.services.tribes.list_tribes("main") if each.name.startswith("Film night")]) == 2


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
    expect(dialog).to_contain_text("Remove it from the rule first")
    dialog.get_by_role("button", name="Cancel").click()
    made = served.services.tribes.get_tribe("main", "at-risk")
    assert made.name == "At risk"
    page.goto(f"{PLACE}/tribe/at-risk")
    page.get_by_role("button", name="Duplicate").click()
    expect(page).not_to_have_url(re.compile("at-risk$"))
    page.get_by_role("link", name="Delete").click()
    dialog.get_by_role("button", name="Delete tribe").click()
    expect(toast(page)).to_contain_text("deleted")
