"""The settings of links between visitors and users: who can change them, and what is stored."""

from playwright.sync_api import expect

from tagloom.words.identity import IdentitySettings
from tests.console.conftest import Open
from tests.console.flows.seen import toast
from tests.console.serving import PLACE, Served


def test_an_administrator_changes_how_visitors_of_an_environment_are_linked(open_page: Open, served: Served) -> None:
    page = open_page("administrator")
    page.goto(f"{PLACE}/settings")
    page.get_by_role("link", name="Change how visitors of staging are linked").click()
    expect(page.get_by_role("radio", name="Take them")).to_be_checked()
    page.get_by_role("radio", name="Leave them").check()
    page.get_by_role("radio", name="Not needed, but checked").check()
    visitors = page.get_by_label("Visitors that can be linked to one user on one day")
    visitors.evaluate("each => { each.form.noValidate = true }")
    visitors.fill("1001")
    page.get_by_role("button", name="Save settings").click()
    expect(page.locator("main")).to_contain_text("Enter a whole number from 1 to 1,000.")
    expect(page.get_by_role("radio", name="Leave them")).to_be_checked()
    visitors.fill("7")
    page.get_by_role("button", name="Save settings").click()

    expect(toast(page)).to_contain_text("The settings of staging were saved.")
    row = page.get_by_role("row").filter(has_text="are left out")
    expect(row).to_contain_text("not needed, but checked")
    expect(row).to_contain_text("staging")
    expected = IdentitySettings(policy="leave", proof="observe", visitors_per_day_max=7)
    stored = {name: served.services.access.get_environment("main", name).identity for name in ("staging", "production")}
    assert stored == {"staging": expected, "production": IdentitySettings()}
    expect(page.locator("#event-rows tr").first).to_contain_text("Identity settings changed staging")


def test_a_developer_sees_the_settings_and_cannot_change_them(open_page: Open) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/settings")

    expect(page.get_by_role("heading", name="Visitors and users")).to_be_visible()
    expect(page.get_by_role("link", name="Change how visitors")).to_have_count(0)
