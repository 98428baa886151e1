"""Event sources: create, send with the snippet, watch events arrive, keys, settings, delete. And the list of events."""

import html
import re
import shlex
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tagloom.console.views.events import TYPES_PER_PAGE
from tagloom.words.event_sources import EventSource, EventSourceDraft
from tests.console.conftest import Open
from tests.console.flows.seen import toast
from tests.console.serving import EMAILS, PASSWORD, PLACE, Served, serving

DEVELOPMENT = "/s/main/development"
LONG = {"genre": "football", "title": "A very long title " * 8}


@pytest.fixture
def shop(served: Served) -> EventSource:
    """A source of production without events."""
    environment = served.services.access.get_environment("main", "production")
    return served.services.event_sources.create_source(environment, "shop", EventSourceDraft(name="Shop"), by="ada")


def send(served: Served, key: str, message: dict[str, object], origin: str = "") -> httpx.Response:
    """Sends a `track` message as a client library does: the key is the user name of basic authentication."""
    headers = {"Origin": origin} if origin else {}
    return httpx.post(f"{served.url}/v1/track", auth=(key, ""), json=message, headers=headers)


def run_curl(code: str) -> httpx.Response:
    """Sends the request of a curl snippet."""
    _, address, _, user, _, header, _, data = shlex.split(code.replace("\\\n", " "))
    name, _, value = header.partition(": ")
    key, _, password = user.partition(":")
    return httpx.post(address, auth=(key, password), headers={name: value}, content=data)


def write_key(page: Page) -> str:
    """The write key on the page of a source."""
    return page.locator("#write-key .secret").inner_text()


def test_a_source_is_created_and_what_its_app_sends_arrives_by_itself(open_page: Open, served: Served) -> None:
    page = open_page("developer")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{PLACE}/sources")
    expect(page.get_by_role("heading", name="No sources yet")).to_be_visible()
    page.get_by_role("link", name="New source").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Name").fill("Web shop")
    dialog.get_by_role("button", name="Create source").click()

    expect(page).to_have_url(re.compile(r"/source/web-shop$"))
    expect(toast(page)).to_contain_text("“Web shop” was created")
    key = write_key(page)
    page.locator("#write-key").get_by_role("button", name="Copy").click()
    expect(page.locator("#write-key")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == key
    code = page.locator("#snippets details[open] pre").last.inner_text()
    assert f"{served.url}/v1/track" in code
    assert run_curl(code).json() == {"success": True}

    # No reload: the live view polls.
    row = page.locator("#live tr", has_text="video/played")
    expect(row).to_contain_text("user-1")
    expect(row).to_contain_text('{"genre": "football"}')
    assert send(served, key, {"userId": "user-2", "event": "Ad Clicked", "properties": LONG}).status_code == 200
    assert send(served, key, {"event": "Ad Clicked", "userId": "null"}).status_code == 200
    rejected = page.locator("#rejected tbody tr")
    expect(rejected).to_contain_text("The message has neither a 'userId' nor an 'anonymousId': 'null' is no userId.")
    expect(rejected).to_contain_text('"event":"Ad Clicked"')

    opened = page.locator("#live tr", has_text="ad/clicked").first
    opened.locator("summary").click()
    assert send(served, key, {"anonymousId": "visitor-1", "event": "Signup"}).status_code == 200
    expect(page.locator("#live tr", has_text="event/signup")).to_contain_text("visitor")
    expect(opened.locator("pre")).to_be_visible()
    page.locator("#live").get_by_role("link", name="user-2").click()
    expect(page.locator("#panel")).to_contain_text("user-2")


def test_the_live_view_rests_in_a_hidden_tab(open_page: Open, served: Served, shop: EventSource) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/source/shop")
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.isAway, configurable: true })")
    page.evaluate("window.isAway = true")
    send(served, shop.write_key, {"userId": "user-1", "event": "Video Played"}).raise_for_status()
    page.wait_for_timeout(4_000)
    expect(page.locator("#live tr")).to_have_count(0)

    page.evaluate("window.isAway = false")
    expect(page.locator("#live tr", has_text="video/played")).to_be_visible()


def test_each_snippet_has_the_write_key_and_the_address(open_page: Open, served: Served, shop: EventSource) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/source/shop")
    snippets = page.locator("#snippets details")

    expect(snippets).to_have_count(6)
    for snippet in snippets.all():
        code = snippet.locator("pre").last.text_content() or ""
        assert shop.write_key in code
        assert served.url in code


def test_the_snippets_have_the_public_address_if_it_is_set(tmp_path: Path) -> None:
    with serving(tmp_path / "data", create=True, public_url="http://tags.example.com/") as served:
        environment = served.services.access.get_environment("main", "production")
        draft = EventSourceDraft(name="Shop")
        key = served.services.event_sources.create_source(environment, "shop", draft, by="ada").write_key
        with closing(served.sign_in("developer")) as browser:
            text = html.unescape(browser.get(f"{PLACE}/source/shop").text)

    assert f"curl http://tags.example.com/v1/track -u {key}:" in text
    assert f'analytics.load("{key}", "http://tags.example.com", {{' in text
    assert served.url not in text


def test_the_write_key_is_replaced_and_the_old_one_stops_working(
    open_page: Open, served: Served, shop: EventSource
) -> None:
    message: dict[str, object] = {"userId": "user-1", "event": "Video Played"}
    page = open_page("developer")
    page.goto(f"{PLACE}/source/shop")
    page.locator("#write-key").get_by_role("link", name="Replace").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The old key stops working within 5 seconds. Pages and apps that have it")
    dialog.get_by_role("button", name="Cancel").click()
    assert send(served, shop.write_key, message).status_code == 200
    page.locator("#write-key").get_by_role("link", name="Replace").click()
    dialog.get_by_role("button", name="Replace write key").click()

    expect(toast(page)).to_contain_text("The write key was replaced")
    new = write_key(page)
    assert new != shop.write_key
    assert send(served, shop.write_key, message).status_code == 401
    assert send(served, new, message).status_code == 200
    expect(page.locator("#snippets pre").last).to_contain_text(new)


def test_a_secret_key_is_shown_once_replaced_and_revoked(open_page: Open, served: Served, shop: EventSource) -> None:
    message: dict[str, object] = {"userId": "user-1", "event": "Video Played"}
    page = open_page("developer")
    page.goto(f"{PLACE}/source/{shop.id}")
    card, dialog = page.locator("#secret-key"), page.locator("#dialog")
    expect(card).to_contain_text("There is no secret key.")
    card.get_by_role("button", name="Create secret key").click()
    expect(dialog).to_contain_text("It is shown only once.")
    first = dialog.locator(".secret").inner_text()
    assert send(served, first, message).status_code == 200
    dialog.get_by_role("link", name="Done").click()
    expect(card).to_contain_text("There is a secret key.")
    assert first not in page.content()

    card.get_by_role("link", name="Replace").click()
    dialog.get_by_role("button", name="Replace secret key").click()
    expect(dialog.locator(".secret")).to_be_visible()
    second = dialog.locator(".secret").inner_text()
    assert [send(served, key, message).status_code for key in (first, second)] == [401, 200]
    dialog.get_by_role("link", name="Done").click()
    card.get_by_role("link", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke secret key").click()
    expect(toast(page)).to_contain_text("The secret key was revoked.")
    expect(card).to_contain_text("There is no secret key.")
    assert [send(served, key, message).status_code for key in (second, shop.write_key)] == [401, 200]


def test_settings_are_checked_at_each_field_and_apply_to_later_messages(
    open_page: Open, served: Served, shop: EventSource
) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/source/shop")
    page.get_by_role("link", name="Settings").nth(1).click()
    types, origins = page.get_by_label("Event names with their types"), page.get_by_label("Allowed origins")
    page.get_by_label("Name", exact=True).fill("Shop of Ada")
    origins.fill("shop.example")
    page.get_by_role("button", name="Save settings").click()
    expect(page.locator("#origins-problem")).to_contain_text("'shop.example' is not the origin of a page")
    origins.fill("https://shop.example")
    for lines, says in (
        ("Checkout Done", "Line 1: 'Checkout Done' is not a name and a type"),
        ("Checkout Done = order placed", "'order placed' is not a category and an action"),
        ("Checkout Done = session/begun", "which Tagloom reserves"),
    ):
        types.fill(lines)
        page.get_by_role("button", name="Save settings").click()
        expect(page.locator("#event_types-problem")).to_contain_text(says)
        expect(types).to_have_value(lines)
    types.fill("Checkout Done = order/placed")
    page.get_by_label("Properties that are not recorded").fill("email\nphone")
    page.get_by_role("button", name="Save settings").click()
    expect(toast(page)).to_contain_text("“Shop of Ada” was saved")
    expect(page.locator("main")).to_contain_text("email, phone")

    message: dict[str, object] = {
        "userId": "user-1",
        "event": "Checkout Done",
        "properties": {"email": "a@example.com", "sum": 9},
    }
    assert send(served, shop.write_key, message, "https://other.example").status_code == 403
    assert send(served, shop.write_key, message, "https://shop.example").status_code == 200
    row = page.locator("#live tr", has_text="order/placed")
    expect(row).to_contain_text('{"sum": 9}')


def test_a_source_derives_attributes_until_the_box_is_cleared(
    open_page: Open, served: Served, shop: EventSource
) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/source/shop/edit")
    box = page.get_by_label("Derive attributes from the context of events")
    expect(box).to_be_checked()
    box.uncheck()
    page.get_by_role("button", name="Save settings").click()

    expect(page.locator("main")).to_contain_text("not derived")
    environment = served.services.access.get_environment("main", "production")
    assert not served.services.event_sources.get_source(environment, "shop").derives_attributes
    page.goto(f"{PLACE}/source/shop/edit")
    expect(box).not_to_be_checked()


def test_settings_that_somebody_else_changed_are_not_overwritten(
    open_page: Open, served: Served, shop: EventSource
) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/source/shop/edit")
    environment = served.services.access.get_environment("main", "production")
    served.services.event_sources.put_source(
        environment, shop.id, EventSourceDraft(name="Shop of Bob"), revision=None, by="bob"
    )
    page.get_by_label("Name", exact=True).fill("Shop of Ada")
    for _ in range(2):
        page.get_by_role("button", name="Save settings").click()
        expect(page.get_by_role("alert")).to_contain_text("Load the saved settings")
    page.get_by_role("link", name="Load the saved settings").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Shop of Bob")


def test_a_deleted_source_can_no_longer_send_and_its_events_stay(
    open_page: Open, served: Served, shop: EventSource
) -> None:
    message: dict[str, object] = {"userId": "user-1", "event": "Video Played"}
    assert send(served, shop.write_key, message).status_code == 200
    page, watching = open_page("developer"), open_page("developer")
    watching.goto(f"{PLACE}/source/shop")
    page.goto(f"{PLACE}/source/shop")
    page.get_by_role("link", name="Delete").click()
    expect(page.get_by_role("dialog")).to_contain_text("Its events stay.")
    page.get_by_role("button", name="Delete source").click()

    expect(toast(page)).to_contain_text("“Shop” was deleted. Its events stay.")
    expect(page.get_by_role("heading", name="No sources yet")).to_be_visible()
    assert send(served, shop.write_key, message).status_code == 401
    # A live view of it leads to the list.
    expect(watching.get_by_role("heading", name="No sources yet")).to_be_visible()
    page.goto(f"{PLACE}/events")
    expect(page.locator("#event-types")).to_contain_text("video/played")


def test_names_can_be_equal_and_ids_cannot(open_page: Open, shop: EventSource) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/sources")
    page.get_by_role("link", name="New source").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Name").fill(" ")
    dialog.get_by_role("button", name="Create source").click()
    expect(dialog.locator("#name-problem")).to_contain_text("The name cannot be blank")
    dialog.get_by_label("Name").fill(shop.name)
    dialog.get_by_role("button", name="Create source").click()
    expect(page).to_have_url(re.compile(r"/source/shop-2$"))


def test_event_types_are_searched_and_the_last_events_are_listed(
    open_page: Open, served: Served, shop: EventSource
) -> None:
    batch = [{"type": "track", "userId": f"user-{n}", "event": "Video Played"} for n in range(30)]
    batch += [{"type": "page", "anonymousId": "visitor-1", "name": "Home"}]
    httpx.post(f"{served.url}/v1/batch", auth=(shop.write_key, ""), json={"batch": batch}).raise_for_status()
    page = open_page("developer")
    page.goto(f"{PLACE}/events")
    types, recent = page.locator("#event-type-rows tr"), page.locator("#recent-event-rows tr")
    expect(types).to_have_count(2)
    expect(types.filter(has_text="video/played").locator(".number")).to_have_text("30")
    page.get_by_label("Search event types").fill("PAGE")
    expect(types).to_have_count(1)
    expect(page).to_have_url(re.compile("search=PAGE"))
    page.get_by_label("Search event types").fill("nothing")
    expect(page.get_by_role("heading", name="No event type with “nothing”")).to_be_visible()

    expect(recent.first).to_contain_text("page/viewed")
    page.get_by_role("link", name="Show earlier").click()
    expect(recent.filter(has_text="video/played")).to_have_count(30)
    expect(page.get_by_role("link", name="Show earlier")).to_have_count(0)
    page.locator("#recent").get_by_role("link", name="visitor-1").click()
    expect(page.locator("#panel")).to_contain_text("visitor-1")


def test_a_long_list_of_event_types_goes_on(open_page: Open, served: Served, shop: EventSource) -> None:
    batch = [{"type": "track", "userId": "user-1", "event": f"Video Played{n:03}"} for n in range(TYPES_PER_PAGE + 5)]
    httpx.post(f"{served.url}/v1/batch", auth=(shop.write_key, ""), json={"batch": batch}).raise_for_status()
    page = open_page("developer")
    page.goto(f"{PLACE}/events")
    expect(page.get_by_text(f"{TYPES_PER_PAGE + 5} event types, in alphabetical order")).to_be_visible()
    page.get_by_role("link", name="Show more").click()

    types = page.locator("#event-type-rows tr")
    expect(types).to_have_count(TYPES_PER_PAGE + 5)
    expect(types.last).to_contain_text(f"video/played-{TYPES_PER_PAGE + 4}")


def test_the_overview_of_an_environment_with_events_alone_counts_them(open_page: Open, served: Served) -> None:
    environment = served.services.access.get_environment("main", "development")
    sources = served.services.event_sources
    key = sources.create_source(environment, "app", EventSourceDraft(name="App"), by="ada").write_key
    for number in range(2):
        send(served, key, {"userId": f"user-{number}", "event": "Signup"}).raise_for_status()
    page = open_page("developer")
    page.goto(f"{DEVELOPMENT}/overview")

    expect(page.locator("main")).to_contain_text("No changes of tags yet. 2 events were recorded.")
    page.get_by_role("link", name="Show events").click()
    expect(page.locator("#event-types")).to_contain_text("event/signup")
    viewer = open_page("view")
    viewer.goto(f"{DEVELOPMENT}/overview")
    expect(viewer.locator("main")).to_contain_text("No changes of tags yet.")
    expect(viewer.locator("main")).not_to_contain_text("were recorded")


def test_a_source_is_found_by_the_search(open_page: Open, shop: EventSource) -> None:
    page = open_page("developer")
    page.goto(f"{PLACE}/overview")
    page.keyboard.press("/")
    page.locator("#palette input").press_sequentially(shop.name, delay=20)
    page.locator("#palette").get_by_role("option", name="Shop").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Shop")


def test_sources_work_without_any_script(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(base_url=served.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(EMAILS["developer"])
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(f"{PLACE}/sources")
    page.get_by_role("link", name="New source").click()
    page.get_by_role("button", name="Create source").click()
    page.get_by_label("Name").fill("TV app")
    page.get_by_role("button", name="Create source").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("TV app")
    old = write_key(page)

    send(served, old, {"userId": "user-1", "event": "Video Played", "properties": LONG}).raise_for_status()
    send(served, old, {"userId": "user-1"}).raise_for_status()
    time.sleep(2)  # Rejected messages are stored once a second.
    page.locator("#live").get_by_role("link", name="Refresh").click()
    row = page.locator("#live tr", has_text="video/played")
    row.locator("summary").click()
    expect(row.locator("pre")).to_contain_text('"genre": "football"')
    expect(page.locator("#rejected")).to_contain_text("The message has no 'event'.")

    page.locator("#write-key").get_by_role("link", name="Replace").click()
    page.get_by_role("button", name="Replace write key").click()
    expect(page.locator("#write-key .secret")).not_to_have_text(old)
    page.get_by_role("button", name="Create secret key").click()
    expect(page.get_by_label("The secret key")).to_be_visible()
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="Change").click()
    page.get_by_label("Allowed origins").fill("https://tv.example")
    page.get_by_role("button", name="Save settings").click()
    expect(page.get_by_text("https://tv.example")).to_be_visible()
    page.goto(f"{PLACE}/events?search=video")
    expect(page.locator("#event-types")).to_contain_text("video/played")
    page.goto(f"{PLACE}/source/tv-app/delete")
    page.get_by_role("button", name="Delete source").click()
    expect(page.get_by_role("heading", name="No sources yet")).to_be_visible()
    context.close()
