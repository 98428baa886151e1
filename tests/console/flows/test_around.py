"""Sign-in, navigation, and the console without scripts."""

import re

from playwright.sync_api import Browser, expect

from tagloom.ports.writes import PutTag
from tagloom.words.changes import Origin
from tagloom.words.rules import All, HasTag
from tagloom.words.tags import TagPath
from tests.console.conftest import Open
from tests.console.serving import CUSTOMER, EMAILS, HERE, PASSWORD, PLACE, Served


def test_a_teammate_signs_in_looks_around_and_signs_out(open_page: Open) -> None:
    page = open_page("anyone")
    page.goto(f"{PLACE}/tags?search=fiber")
    page.get_by_label("E-mail").fill(EMAILS["developer"])
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The e-mail or the password is wrong")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()

    # It goes on where it began.
    expect(page).to_have_url(re.compile(r"/tags\?search=fiber"))
    expect(page.get_by_role("link", name="internet/fiber-optic")).to_be_visible()
    page.get_by_text("Your account").locator("xpath=..").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_new_space_says_what_to_do_first_until_it_is_done(open_page: Open) -> None:
    page = open_page()
    page.goto(f"{PLACE}/settings")
    page.locator("#new-space").fill("Shop")
    page.get_by_role("button", name="Create space").click()
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    page.get_by_role("link", name="Import a file").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Imports")

    page.goto(f"{PLACE}/overview")
    expect(page.get_by_role("heading", name="Largest tribes")).to_be_visible()
    expect(page.get_by_role("heading", name="First steps")).to_have_count(0)


def test_sample_tribes_are_added_on_request_and_deleted_like_any_other(open_page: Open, served: Served) -> None:
    by = served.services.accounts.sign_in(EMAILS["administrator"], PASSWORD, HERE).signed_in
    space = served.services.teammates.create_space(by, "Shop").id
    page = open_page()
    page.goto(f"/s/{space}/production/overview")
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    assert served.services.tribes.list_tribes(space) == ()
    page.get_by_role("button", name="Add sample tribes").click()
    expect(page.locator("#toasts")).to_contain_text("3 sample tribes were added.")
    expect(page.locator(".step").nth(1).get_by_label("Done")).to_be_visible()
    expect(page.get_by_role("button", name="Add sample tribes")).to_have_count(0)
    # A second page that was opened before still has the button.
    answer = page.request.post(f"/s/{space}/production/tribes/samples", headers={"Origin": served.url})
    assert answer.ok

    tribes = {each.name: (each.rule, each.audience) for each in served.services.tribes.list_tribes(space)}
    assert tribes == {
        "Everyone": (All(()), "everyone"),
        "Users in trial": (HasTag(TagPath("plan/trial")), "users"),
        "Football fans in Australia": (HasTag(TagPath("sports/football/australia")), "everyone"),
    }
    for name in tribes:
        page.goto(f"/s/{space}/production/overview")
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("button", name="Delete tribe").click()
        expect(page.locator("#toasts")).to_contain_text(f"The tribe “{name}” was deleted")
    assert served.services.tribes.list_tribes(space) == ()
    page.goto(f"/s/{space}/production/overview")
    expect(page.get_by_role("button", name="Add sample tribes")).to_be_visible()


def test_sample_tribes_are_offered_only_to_who_may_create_tribes_in_an_empty_environment(
    open_page: Open, served: Served
) -> None:
    by = served.services.accounts.sign_in(EMAILS["administrator"], PASSWORD, HERE).signed_in
    space = served.services.teammates.create_space(by, "Shop").id
    accounts = {each.account.email: each.account.id for each in served.services.teammates.list_teammates(by)}
    served.services.teammates.set_permissions(by, accounts[EMAILS["view"]], space, ("view",))
    served.services.teammates.set_permissions(by, accounts[EMAILS["tribes"]], space, ("tribes",))
    button = "Add sample tribes"

    for role, count in (("view", 0), ("tribes", 1), ("administrator", 1)):
        page = open_page(role)
        page.goto(f"/s/{space}/production/overview")
        expect(page.get_by_role("heading", name="First steps")).to_be_visible()
        expect(page.get_by_role("button", name=button)).to_have_count(count)

    environment = served.installation.control.get_environment(space, "production")
    served.services.catalogue.put_tag(environment, PutTag(TagPath("plan/trial")), Origin("dana", "test"))
    page.reload()
    expect(page.get_by_role("link", name="Create a tribe")).to_be_visible()
    expect(page.get_by_role("button", name=button)).to_have_count(0)


def test_the_environment_is_always_visible_and_switched_in_place(open_page: Open) -> None:
    page = open_page()
    page.goto(f"{PLACE}/tags")
    pill = page.locator(".environment summary")
    expect(pill).to_contain_text("production")

    pill.click()
    page.get_by_role("link", name="staging").click()

    expect(page).to_have_url(re.compile("/s/main/staging/tags$"))
    expect(pill).to_contain_text("staging")
    expect(page.get_by_role("heading", name="No tags yet")).to_be_visible()


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
