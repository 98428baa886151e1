"""Account, teammates and settings in a real browser: who comes in, what they may, and what they can take back."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect

from tagloom.bootstrap import open_installation
from tagloom.cli.demo import EMAIL
from tagloom.services import make_services
from tagloom.settings import Settings
from tests.console.conftest import Open
from tests.console.serving import EMAILS, HERE, PASSWORD, PLACE, Role, Served, serving_empty

NEW_PASSWORD = "granite teapot 9 sails"


def toast(page: Page, text: str) -> None:
    """What is said about what was done."""
    expect(page.locator("#toasts")).to_contain_text(text)


def shown_once(page: Page) -> str:
    """The secret or link on the page."""
    return page.locator(".secret").first.inner_text()


def test_the_first_visit_creates_the_administrator_the_organization_and_the_space(
    chromium: Browser, tmp_path: Path
) -> None:
    with serving_empty(tmp_path / "data") as (served, code):
        context = chromium.new_context(base_url=served.url)
        page = context.new_page()
        page.goto("/")
        expect(page.get_by_role("heading", name="Set up Tagloom")).to_be_visible()
        fields = {
            "Set-up code": "wrong",
            "Organization": "Acme",
            "First space": "Shop",
            "Your name": "Ada",
            "E-mail": "ada@example.com",
            "Password": PASSWORD,
        }
        for label, value in fields.items():
            page.get_by_label(label).fill(value)
        page.get_by_role("button", name="Create and sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.get_by_label("Set-up code").fill(code)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create and sign in").click()

        expect(page).to_have_url(re.compile(r"/s/[a-z0-9-]+/production/overview"))
        expect(page.locator(".rail")).to_contain_text("Shop")
        for environment in ("development", "staging", "production"):
            page.locator(".environment summary").click()
            page.get_by_role("link", name=environment, exact=True).click()
            expect(page.locator(".environment summary")).to_contain_text(environment)
        # Nobody else can set it up again.
        assert httpx.get(f"{served.url}/setup?code={code}").headers["location"] == "/sign-in"
        context.close()


def test_a_password_is_changed_and_ends_the_other_sessions(open_page: Open, served: Served) -> None:
    page, other = open_page("view"), served.sign_in("view")
    page.goto("/account")
    page.get_by_label("Current password").fill("not-this-one-12")
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("#password-problem")).to_be_visible()
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill("password1234")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("#password-problem")).to_contain_text("easy to guess")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()

    toast(page, "The password was changed")
    assert other.get("/account").status_code == 303
    page.reload()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    served.services.accounts.sign_in(EMAILS["view"], NEW_PASSWORD, HERE)
    other.close()


def test_sessions_are_listed_and_ended(open_page: Open, served: Served) -> None:
    page, other = open_page("view"), served.sign_in("view")
    page.goto("/account")
    sessions = page.locator("section", has_text="Where you are signed in")
    count = sessions.locator("tbody tr").count()
    expect(sessions.get_by_text("this one")).to_have_count(1)
    sessions.get_by_role("button", name="Sign out", exact=True).first.click()
    toast(page, "The session ended")
    expect(sessions.locator("tbody tr")).to_have_count(count - 1)
    if count > 2:
        sessions.get_by_role("button", name="Sign out everywhere else").click()
    expect(sessions.locator("tbody tr")).to_have_count(1)
    assert other.get("/account").status_code == 303
    other.close()


def test_a_token_is_shown_once_works_and_is_revoked(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.goto("/account")
    page.get_by_role("link", name="New token").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Name").fill("Night job")
    dialog.get_by_role("button", name="Create token").click()
    expect(dialog).to_contain_text("at least one scope")
    expect(dialog.get_by_label("Name")).to_have_value("Night job")
    # What a teammate may not do, no token of theirs may.
    expect(dialog.get_by_label("admin")).to_have_count(0)
    dialog.get_by_label("tags:read").check()
    dialog.get_by_role("button", name="Create token").click()
    secret = shown_once(page)

    headers = {"Authorization": f"Bearer {secret}"}
    address = f"{served.url}/v2/spaces/main/environments/production/tags"
    assert httpx.get(address, headers=headers).status_code == 200
    dialog.get_by_role("link", name="Done").click()
    row = page.locator("#tokens tr", has_text="Night job")
    expect(row).to_contain_text("tags:read")
    assert secret not in page.content()
    row.locator("summary").click()
    row.get_by_role("button", name="Revoke token").click()
    toast(page, "revoked")
    assert httpx.get(address, headers=headers).status_code == 401


def test_some_are_invited_at_once_and_one_joins_with_the_permissions_given(
    open_page: Open, chromium: Browser, served: Served
) -> None:
    page = open_page()
    page.goto("/teammates")
    page.get_by_role("link", name="Invite", exact=True).click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("E-mail addresses").fill("new@example.com, other@example.com\nnonsense devi@example.com")
    dialog.get_by_label("tribes create").check()
    dialog.get_by_role("button", name="Invite", exact=True).click()
    expect(dialog).to_contain_text("2 invitations")
    expect(dialog).to_contain_text("not an e-mail")
    expect(dialog).to_contain_text("teammate already")
    link = shown_once(page)
    dialog.get_by_role("link", name="Done").click()
    expect(page.locator("tbody tr")).to_have_count(2)

    context = chromium.new_context(base_url=served.url)
    joining = context.new_page()
    joining.goto(link)
    joining.get_by_label("Your name").fill("New Comer")
    joining.get_by_label("Password").fill(NEW_PASSWORD)
    joining.get_by_role("button", name="Join").click()
    expect(joining.get_by_role("link", name="Tribes", exact=True)).to_be_visible()
    expect(joining.get_by_role("link", name="Developer")).to_have_count(0)
    joining.goto(f"{PLACE}/tags")
    expect(joining.get_by_role("main")).to_contain_text("developer")
    # The link works once.
    joining.context.clear_cookies()
    joining.goto(link)
    expect(joining.get_by_role("main")).to_contain_text("Ask who has invited you")
    context.close()

    page.goto("/teammates?shows=invited")
    page.get_by_role("button", name="Revoke").click()
    toast(page, "revoked")
    expect(page.get_by_role("heading", name="Nobody is invited")).to_be_visible()


def test_permissions_are_changed_and_hold_at_once(open_page: Open, visitors: Callable[[Role], httpx.Client]) -> None:
    page, devi = open_page(), visitors("developer")
    assert devi.get(f"{PLACE}/tags").status_code == 200
    page.goto("/teammates")
    page.get_by_role("link", name="Devi").click()
    panel = page.locator("#panel")
    panel.get_by_label("developer open").uncheck()
    panel.get_by_role("button", name="Save for Main").click()

    toast(page, "permissions of Devi were changed")
    assert devi.get(f"{PLACE}/tags").status_code == 403
    assert devi.get(f"{PLACE}/tribes").status_code == 200


def test_somebody_is_deactivated_comes_back_and_gets_a_new_password(
    open_page: Open, visitors: Callable[[Role], httpx.Client], served: Served
) -> None:
    page, tom = open_page(), visitors("tribes")
    page.goto("/teammates")
    page.get_by_role("link", name="Tom").click()
    panel = page.locator("#panel")
    panel.get_by_role("button", name="Deactivate").click()
    toast(page, "Tom was deactivated")
    assert tom.get(f"{PLACE}/tribes").status_code == 303
    expect(page.get_by_role("navigation", name="Which teammates")).to_contain_text("Inactive 1")
    panel.get_by_role("button", name="Reactivate").click()
    toast(page, "Tom was reactivated")
    panel.get_by_role("button", name="Create password link").click()
    expect(page.locator("#dialog")).to_contain_text("Password link for Tom")
    link = shown_once(page)
    with httpx.Client(headers={"Origin": served.url}) as browser:
        answer = browser.post(link, data={"link": link.partition("link=")[2], "password": NEW_PASSWORD})
    assert answer.status_code == 303
    served.services.accounts.sign_in(EMAILS["tribes"], NEW_PASSWORD, HERE)


def test_the_last_administrator_cannot_be_locked_out(open_page: Open, served: Served) -> None:
    page = open_page()
    page.goto("/teammates")
    page.get_by_role("link", name="Demo administrator").click()
    panel = page.locator("#panel")
    for button in ("Make a teammate", "Deactivate"):
        panel.get_by_role("button", name=button).click()
        expect(panel.locator(".error")).to_contain_text("administrator")
    page.goto("/account")
    page.get_by_text("Leave Main").first.click()
    page.get_by_role("button", name="Leave Main").click()
    expect(page.locator("#leave-problem")).to_contain_text("administrator")

    page.goto("/teammates")
    page.get_by_role("link", name="Devi").click()
    panel.get_by_role("button", name="Make an administrator").click()
    toast(page, "Devi is now an administrator")
    page.goto("/teammates")
    page.get_by_role("link", name="Demo administrator").click()
    panel.get_by_role("button", name="Make a teammate").click()
    expect(page.get_by_role("main")).to_contain_text("Only an administrator")
    assert not served.services.accounts.sign_in(EMAIL, PASSWORD, HERE).signed_in.is_administrator


def test_another_organization_is_made_and_switched_to_and_back(open_page: Open) -> None:
    page = open_page()
    page.goto("/account")
    page.get_by_text("Create another organization").click()
    page.get_by_label("Organization", exact=True).fill("Second")
    page.get_by_label("First space").fill("Website")
    page.get_by_role("button", name="Create organization").click()
    expect(page.locator(".rail")).to_contain_text("Website")
    page.locator(".rail > .menu summary").click()
    page.get_by_role("button", name="Main").click()

    expect(page.locator(".rail > .menu summary")).to_contain_text("Main")


def test_names_spaces_and_the_catalogue_are_set(open_page: Open, served: Served) -> None:
    page = open_page()
    page.goto(f"{PLACE}/settings")
    page.get_by_label("Catalogue of production").select_option("closed")
    page.locator("tr", has_text="production").get_by_role("button", name="Save").click()
    toast(page, "The catalogue of production is now closed")
    page.goto(f"{PLACE}/people?user=5575-GNVDE")
    page.get_by_label("Add a tag").fill("brand/new")
    page.get_by_role("button", name="Add tag").click()
    expect(page.locator("#panel .error")).to_contain_text("closed")
    page.goto(f"{PLACE}/settings")
    page.get_by_label("Name").first.fill("Telco")
    page.get_by_role("button", name="Save space").click()
    toast(page, "renamed to “Telco”")
    page.locator("#new-space").fill("Second app")
    page.get_by_role("button", name="Create space").click()
    expect(page).to_have_url(re.compile("/s/second-app/production/overview"))
    page.goto(f"{PLACE}/settings")
    expect(page.locator("#event-rows")).to_contain_text("Telco")
    assert served.installation.control.get_environment("main", "production").catalogue == "closed"


def test_who_is_no_administrator_reads_the_settings_and_changes_nothing(open_page: Open) -> None:
    page = open_page("view")
    page.goto(f"{PLACE}/settings")

    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    expect(page.locator("main form")).to_have_count(0)
    expect(page.get_by_role("main")).not_to_contain_text("Access tokens of all teammates")


def test_a_session_knows_the_installation_it_belongs_to(served: Served, tmp_path: Path) -> None:
    """A cookie of one installation is worth nothing at another."""
    other = open_installation(Settings(database=tmp_path / "other" / "tagloom.sqlite"), create=True)
    cookie = served.sign_in("administrator")
    assert make_services(other).sessions.find(cookie.cookies["tagloom"]) is None
    cookie.close()
    other.close()
