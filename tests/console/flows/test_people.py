# ruff: noqa: RUF001 - tags that were taken are shown with a minus sign.
"""Users and visitors: found, tagged by hand, explained, erased."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from tagloom.words.changes import Origin
from tests.bodies import part, user
from tests.console.conftest import Open
from tests.console.flows.seen import tags_of, toast
from tests.console.serving import CUSTOMER, EMAILS, PLACE, Served
from tests.writing import Batch, write_parts


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
    expect(panel.locator("#tag-status")).to_contain_text("capital")
    panel.get_by_role("button", name="Use tier/gold").click()
    expect(panel.locator("#tag-status")).to_contain_text("A new tag: it will be created")
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


def test_tag_after_tag_is_added_without_a_click_between(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    entry = page.get_by_label("Add a tag")

    entry.fill("tier/gold")
    page.get_by_role("button", name="Add tag").click()
    expect(page.locator(".person-tags .chips")).to_contain_text("tier/gold")
    expect(entry).to_be_focused()
    page.keyboard.type("beta")
    page.keyboard.press("Enter")
    expect(page.locator(".person-tags .chips")).to_contain_text("beta")
    expect(entry).to_be_focused()

    assert {"tier/gold", "beta"} <= set(tags_of(served, CUSTOMER))


def test_a_form_is_sent_by_the_page_as_soon_as_it_is_shown(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    page.evaluate(
        """() => {
            window.isFirstPage = true;
            document.addEventListener("htmx:afterSwap", () => setTimeout(() => {
                document.getElementById("tag-entry").value = "beta";
                document.getElementById("tag-entry").form.requestSubmit();
            }), { once: true });
        }"""
    )

    page.get_by_label("Add a tag").fill("tier/gold")
    page.get_by_role("button", name="Add tag").click()

    expect(page.locator(".person-tags .chips")).to_contain_text("beta")
    expect(page.get_by_label("Add a tag")).to_be_focused()
    assert page.evaluate("window.isFirstPage === true"), "the form loaded a new page"


def test_the_row_whose_panel_is_open_is_marked_until_it_closes(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?search={CUSTOMER[:2]}")
    row = page.get_by_role("link", name=CUSTOMER)
    row.click()
    expect(row).to_have_attribute("aria-current", "true")
    expect(page.locator("[data-opens][aria-current]")).to_have_count(1)
    page.reload()
    expect(page.locator("[data-opens][aria-current]")).to_have_text(CUSTOMER)

    page.keyboard.press("Escape")
    expect(page.locator("[data-opens][aria-current]")).to_have_count(0)


def test_a_panel_has_one_scroll(open_page: Open, served: Served) -> None:
    environment = served.installation.control.get_environment("main", "production")
    tags = [f"many/t{n}" for n in range(80)]
    write_parts(
        served.installation.population(environment),
        [part([user(CUSTOMER, *tags)])],
        Batch(mode="add", origin=Origin("bob")),
    )
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    expect(page.locator(".person-tags .chips")).to_contain_text("t79")

    scrolls = page.evaluate(
        """() => [...document.querySelectorAll("#panel, #panel *")]
        .filter((each) => each.scrollHeight > each.clientHeight + 1
          && ["auto", "scroll"].includes(getComputedStyle(each).overflowY)).map((each) => each.id)"""
    )

    assert scrolls == ["panel"]


def test_the_panel_shows_the_tags_of_a_person_at_a_given_time(open_page: Open, served: Served) -> None:
    environment = served.installation.control.get_environment("main", "production")
    population, before = served.installation.population(environment), tags_of(served, CUSTOMER)
    version = population.version()
    changed = part([user(CUSTOMER, "tier/gold", remove=before[:1])])
    write_parts(population, [changed], Batch(mode="change", origin=Origin("bob")))
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    panel = page.locator("#panel")
    found = panel.locator("#as-of")

    panel.get_by_label("Time (UTC)").fill("2020-01-01T00:00")
    panel.get_by_role("button", name="Show", exact=True).click()
    expect(found).to_contain_text("There was no person with this id, before the first version.")
    panel.get_by_label("Time (UTC)").fill("2090-01-01T00:00")
    panel.get_by_role("button", name="Show", exact=True).click()
    expect(found).to_contain_text("The same tags as now.")

    page.goto(f"{PLACE}/person/as-of?user={CUSTOMER}&as_of={version}")
    then, since = page.locator("main .chips").all()
    assert [each.inner_text() for each in then.locator(".chip").all()] == list(before)
    expect(since).to_contain_text(re.compile(rf"\+\s*tier/gold\s*−\s*{before[0]}"))
    expect(page.locator("main")).to_contain_text(f"as of version {version:,}")


def test_the_panel_says_which_tribes_and_why(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user=3655-SNQYZ")
    tribe = page.locator("#panel details").filter(has_text="Families")
    tribe.locator("summary > .icon").click()

    expect(tribe).to_contain_text("has household/partner")
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


def test_an_erased_id_is_refused_from_now_on_if_this_was_chosen(open_page: Open, served: Served) -> None:
    customer = "3655-SNQYZ"
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={customer}")
    page.get_by_role("link", name="Erase this person").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Also refuse this id from now on").check()
    dialog.get_by_label("Type the id to confirm").fill("somebody else")
    dialog.get_by_role("button", name="Erase").click()
    expect(dialog.get_by_label("Also refuse this id from now on")).to_be_checked()
    dialog.get_by_label("Type the id to confirm").fill(customer)
    dialog.get_by_role("button", name="Erase").click()
    expect(toast(page)).to_contain_text("The id is refused from now on")

    page.goto(f"{PLACE}/people?user={customer}")
    panel = page.locator("#panel")
    panel.get_by_label("Add a tag").fill("tier/gold")
    panel.get_by_role("button", name="Add tag").click()
    expect(panel.locator(".person-tags")).to_contain_text("is on the suppression list")
    page.goto(f"{PLACE}/activity")
    expect(page.locator("#activity")).to_contain_text("Deleted people")
    page.goto(f"{PLACE}/settings")
    expect(page.locator("#event-rows")).to_contain_text("People deleted and suppressed 1 id")


def test_the_data_of_a_person_is_downloaded(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/people?user={CUSTOMER}")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download data").click()

    found = json.loads(Path(downloading.value.path()).read_bytes())
    assert re.fullmatch(rf"production-user-{CUSTOMER}-v\d+\.json", downloading.value.suggested_filename)
    assert (found["record"]["id"], found["record"]["tags"]) == (CUSTOMER, list(tags_of(served, CUSTOMER)))
