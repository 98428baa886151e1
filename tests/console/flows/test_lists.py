"""Lists: made from pasted ids and from a file, changed, searched, replaced and deleted."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Open
from tests.console.flows.seen import tags_of, toast
from tests.console.serving import CUSTOMER, PLACE, Served


def test_a_list_is_made_from_a_file_after_its_preview(open_page: Open, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "beta.txt"
    file.write_text(f"{CUSTOMER}\nnew-1\nnew-1\n")
    page = open_page("developer")
    page.goto(f"{PLACE}/tribes")
    page.get_by_role("link", name="New list").click()
    page.get_by_label("Name", exact=True).fill("Beta testers")
    page.set_input_files("#list-file", file)
    expect(page.get_by_label("Ids, one a line")).to_have_value(f"{CUSTOMER}\nnew-1\nnew-1\n")
    page.get_by_role("button", name="Preview").click()

    effect = page.locator("#list-effect")
    expect(effect).to_contain_text("Unknown, to be created")
    expect(effect.locator("dd")).to_have_text(["0", "2", "1", "1", "1"])
    assert "lists/beta-testers" not in tags_of(served, CUSTOMER)
    page.get_by_role("button", name="Create list").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Beta testers")
    expect(page.locator("#list-members li")).to_have_count(2)
    assert "lists/beta-testers" in tags_of(served, CUSTOMER)
    page.goto(f"{PLACE}/tribes")
    expect(page.locator("article", has_text="Beta testers")).to_contain_text("List")
    expect(page.get_by_role("article", name="At risk")).not_to_contain_text("List")


def test_people_are_added_searched_removed_and_replaced_and_the_list_goes_with_its_tag(
    open_page: Open, served: Served
) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/lists/new")
    page.get_by_label("Name", exact=True).fill("Callers")
    page.get_by_label("Tag (optional)").fill("crm/callers")
    page.get_by_role("button", name="Create list").click()
    expect(page.locator("#list-members")).to_contain_text("Nobody is on the list.")

    page.get_by_label("Ids, one a line").fill("v-1\nv-2\nx-3")
    page.get_by_label("The ids are of").select_option("visitors")
    page.get_by_role("button", name="Change list").click()
    expect(toast(page)).to_contain_text("“Callers”: 3 people added.")
    page.get_by_label("Text in an id").fill("v-")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#list-members li")).to_have_count(2)
    page.get_by_role("button", name="Remove v-1").click()
    expect(toast(page)).to_contain_text("1 person removed.")
    expect(page.locator("#list-members li")).to_have_count(2)

    page.get_by_label("What to do").select_option("Replace the list: only these people")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#list-effect")).to_contain_text("would remove every tag")
    page.get_by_label("Ids, one a line").fill(CUSTOMER)
    page.get_by_role("button", name="Change list").click()
    expect(page.locator("#list-members li")).to_have_count(1)
    assert "crm/callers" in tags_of(served, CUSTOMER)
    toast(page).get_by_role("button", name="Undo").click()
    expect(page.locator("#list-members li")).to_have_count(2)

    page.get_by_role("link", name="Delete").click()
    page.get_by_label("Also delete the tag").check()
    page.get_by_role("button", name="Delete tribe").click()
    expect(toast(page)).to_contain_text("The list “Callers” was deleted with its tag. 2 people had it.")
    assert "callers" not in [tribe.id for tribe in served.services.tribes.list_tribes("main")]


@pytest.mark.parametrize("role", ["tribes", "view"])
def test_who_may_not_write_tags_sees_the_list_without_its_form(open_page: Open, served: Served, role: str) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/lists/new")
    page.get_by_label("Name", exact=True).fill(f"For {role}")
    page.get_by_label("Ids, one a line").fill(CUSTOMER)
    page.get_by_role("button", name="Create list").click()
    expect(page.locator("#list-members li")).to_have_count(1)

    other = open_page(role)  # type: ignore[arg-type]  # One of the roles.
    other.goto(f"{PLACE}/tribe/for-{role}")

    expect(other.locator("#list-members li")).to_have_count(1 if role == "tribes" else 0)
    expect(other.get_by_role("button", name="Change list")).to_have_count(0)
    other.goto(f"{PLACE}/tribes")
    expect(other.get_by_role("link", name="New list")).to_have_count(0)
