"""Every page in a real browser: usable without seeing it, and nothing over the edge of a phone.

If `TAGLOOM_TEST_PICTURES` is set, a picture of each page is saved in `build/screenshots`.
"""

import os
import re
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from joserfc.jwk import ECKey
from playwright.sync_api import Page, expect

from tagloom.console.framework.rendering import HUES
from tagloom.ports.writes import Apply, BatchRules, PutAttribute, WriteOptions
from tagloom.tagging.lists import ListDraft
from tagloom.tagging.taggings import Order
from tagloom.tribes.definitions import Draft
from tagloom.words.attribute_rules import HasAttribute
from tagloom.words.attributes import AttributeName
from tagloom.words.changes import Origin
from tagloom.words.context_rules import HasContext
from tagloom.words.event_rules import Condition, HasEvent
from tagloom.words.event_sources import EventSourceDraft
from tagloom.words.percent_rules import InPercent
from tagloom.words.rules import All, AnyOf, HasTag, Not
from tagloom.words.tags import TagPath
from tagloom.words.tribe_alerts import TribeAlertSettings
from tests import bodies
from tests.console.conftest import Open
from tests.console.flows.seen import put_crm, record_days, upload
from tests.console.serving import CUSTOMER, PLACE, Served

ROOT = Path(__file__).parents[2]
AXE = (ROOT / "src/tagloom/console/assets/node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
PICTURES = ROOT / "build" / "screenshots"
PAGES = {
    "overview": f"{PLACE}/overview",
    "tribes": f"{PLACE}/tribes",
    "tribe-new": f"{PLACE}/tribes/new",
    "tribe": f"{PLACE}/tribe/at-risk",
    "list-new": f"{PLACE}/lists/new",
    "tribe-delete": f"{PLACE}/tribe/families/delete",
    "tribe-tag": f"{PLACE}/tribe/families/tag?tag=campaigns/spring",
    "tribe-why": f"{PLACE}/tribe/at-risk/why?kind=user&person={CUSTOMER}",
    "tribe-as-of": f"{PLACE}/tribe/at-risk/as-of?as_of=1",
    "overlap": f"{PLACE}/tribes/overlap?tribe=streamers&tribe=at-risk&tribe=families",
    "tags-list": f"{PLACE}/tags",
    "tags-tree": f"{PLACE}/tags?view=tree",
    "tags-map": f"{PLACE}/tags?view=map",
    "tags-none-found": f"{PLACE}/tags?search=nothing-like-this",
    "tag": f"{PLACE}/tag?tag=services/streaming",
    "tag-as-of": f"{PLACE}/tag/as-of?tag=services/streaming&as_of=1",
    "tag-move": f"{PLACE}/tag/move?tag=churn",
    "tag-merge": f"{PLACE}/tag/merge?tag=churn/left",
    "tag-delete": f"{PLACE}/tag/delete?tag=churn",
    "attributes-none": "/s/main/development/attributes",
    "attribute-new": f"{PLACE}/attributes/new",
    "people": f"{PLACE}/people",
    "person": f"{PLACE}/people?user={CUSTOMER}",
    "person-as-of": f"{PLACE}/person/as-of?user={CUSTOMER}&as_of=1",
    "person-erase": f"{PLACE}/person/erase?user={CUSTOMER}",
    "imports": f"{PLACE}/imports",
    "sources-none": "/s/main/development/sources",
    "source-new": "/s/main/development/sources/new",
    "events-none": "/s/main/development/events",
    "events-export": "/s/main/development/events/file?event=Ad+Clicked",
    "syncs-none": "/s/main/development/syncs",
    "sync-new": f"{PLACE}/syncs/new",
    "deliveries-none": "/s/main/development/deliveries",
    "delivery-new": f"{PLACE}/deliveries/new",
    "activity": f"{PLACE}/activity",
    "activity-tribes": f"{PLACE}/activity?shows=tribes",
    "activity-undo": f"{PLACE}/activity/undo?source=customers.csv",
    "batch": f"{PLACE}/activity/batch?version=1",
    "account": "/account",
    "token-new": "/account/tokens/new",
    "teammates": "/teammates",
    "teammates-invited": "/teammates?shows=invited",
    "teammates-inactive": "/teammates?shows=inactive",
    "teammates-invite": "/teammates/invite",
    "settings": f"{PLACE}/settings",
    "settings-retention": f"{PLACE}/settings/retention?of=production&retention=90d",
    "settings-identity": f"{PLACE}/settings/identity?of=production",
    "settings-time-zone": f"{PLACE}/settings/time-zone?of=production",
    "empty-overview": "/s/main/development/overview",
    "empty-tags": "/s/main/development/tags",
    "empty-people": "/s/main/development/people",
    "empty-activity": "/s/main/development/activity",
    "problem": f"{PLACE}/tag?tag=no/such/tag",
}
STRANGERS_PAGES = {"sign-in": "/sign-in", "invitation": "/join?invitation=unknown", "reset": "/reset?link=unknown"}
Theme = Literal["light", "dark"]


def settled(page: Page, address: str) -> None:
    """The page, with everything that it fetches by itself."""
    page.goto(address)
    expect(page.locator(".htmx-request")).to_have_count(0)


def violations(page: Page, *rules: str) -> list[str]:
    """What axe finds serious or critical by these rules, or by all of them if none is named, in a line each."""
    if page.evaluate("() => typeof axe") == "undefined":
        page.evaluate(AXE)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    found: Any = page.evaluate("async (options) => (await axe.run(document, options)).violations", options)
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def overhang(page: Page) -> list[str]:
    """What makes the page wider than its window."""
    found: list[str] = page.evaluate(
        """() => {
        const wide = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= wide) return [];
        return [...document.querySelectorAll("body *")]
          .filter((each) => each.getBoundingClientRect().right > wide + 1)
          .map((each) => each.outerHTML.slice(0, 120));
        }"""
    )
    return found


def too_small(page: Page) -> list[str]:
    """Texts of less than 12 px, and what is pressed and is lower or narrower than 24 px."""
    found: list[str] = page.evaluate(
        """() => {
        const shown = (each) => each.checkVisibility({visibilityProperty: true}) && !each.closest(".visually-hidden");
        const line = (each, size) => `${size} px: ${each.outerHTML.slice(0, 120)}`;
        const texts = [...document.querySelectorAll("body *")].filter((each) => shown(each)
          && [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())
          && parseFloat(getComputedStyle(each).fontSize) < 12);
        const kinds = "button, summary, select, input, textarea, a.button, label.check";
        const pressed = [...document.querySelectorAll(kinds)]
          .filter((each) => shown(each) && each.type !== "hidden" && !["checkbox", "radio"].includes(each.type))
          .filter((each) => Math.min(each.offsetWidth, each.offsetHeight) < 24 && each.offsetWidth > 1);
        return [...texts.map((each) => line(each, getComputedStyle(each).fontSize)),
          ...pressed.map((each) => line(each, Math.min(each.offsetWidth, each.offsetHeight)))];
        }"""
    )
    return found


def untold_cells(page: Page) -> list[str]:
    """Cells of cards on a phone that are left out, or do not say what they are, or are a few letters wide."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("table.table:not(.figures) > tbody > tr > td")]
        .filter((each) => each.closest("table").checkVisibility() && !each.hasAttribute("data-empty"))
        .filter((each) => {
          const head = each.closest("table").tHead.rows[0].cells[each.cellIndex];
          const is_named = each.colSpan > 1 || head.querySelector(".visually-hidden")
            || each.dataset.label === head.textContent.trim();
          return !is_named || each.offsetWidth < 150;
        }).map((each) => each.outerHTML.slice(0, 120))"""
    )
    return found


def test_headings_stand_at_one_height_on_every_page(open_page: Open) -> None:
    page = open_page("administrator", width=1440)
    heights = {}
    for name in (
        "overview",
        "tribes",
        "tags-list",
        "attributes-none",
        "people",
        "imports",
        "sources-none",
        "events-none",
        "activity",
        "settings",
        "teammates",
        "account",
    ):
        page.goto(PAGES[name])
        heights[name] = page.locator("h1").first.bounding_box()["y"]  # type: ignore[index]

    assert set(heights.values()) == {heights["overview"]}, heights


def test_a_chip_on_a_phone_does_not_break_inside_a_level(open_page: Open) -> None:
    page = open_page("developer", width=390)
    settled(page, PAGES["people"])

    levels = page.locator(".chip .level:not(.long)")
    assert levels.count() > 20
    assert levels.evaluate_all("all => all.every(each => each.getClientRects().length === 1)")


def test_hues_of_tags_are_none_of_a_state() -> None:
    styles = (ROOT / "src/tagloom/console/assets/styles/tokens.css").read_text(encoding="utf-8")
    hues = [int(hue) for hue in re.findall(r"\.hue-\d+ { --hue: (\d+); }", styles)]
    # Red is 25, amber 70 to 85, green 152, of 360.
    assert len(hues) == HUES
    assert all(190 < hue < 345 for hue in hues)


@pytest.mark.parametrize("name", [*PAGES, *STRANGERS_PAGES])
def test_a_page_is_accessible_and_fits_wide_screens_and_phones(open_page: Open, name: str) -> None:
    role: Literal["anyone", "administrator"] = "anyone" if name in STRANGERS_PAGES else "administrator"
    address = {**PAGES, **STRANGERS_PAGES}[name]
    page = open_page(role)
    settled(page, address)
    look_at(page, f"{name}")
    assert re.search(r"\S", page.locator("h1").first.inner_text())


def photograph(page: Page, name: str, *, full_page: bool) -> None:
    """Saves a picture of a page if pictures are wanted. One takes 0.2 s of CPU time."""
    if "TAGLOOM_TEST_PICTURES" in os.environ:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=full_page)


def look_at(page: Page, name: str) -> None:
    """Checks a page, wide and narrow, light and dark. Only the contrast of colors differs between the themes."""
    for width in (1360, 360):
        page.set_viewport_size({"width": width, "height": 860})
        photograph(page, f"{name}-light-{width}", full_page=True)
        assert violations(page) == []
        assert overhang(page) == []
        assert too_small(page) == []
        page.emulate_media(color_scheme="dark")
        photograph(page, f"{name}-dark-{width}", full_page=True)
        assert violations(page, "color-contrast") == []
        page.emulate_media(color_scheme="light")
    assert untold_cells(page) == []


def test_an_import_is_accessible_and_fits_in_each_of_its_states(open_page: Open, tmp_path: Path) -> None:
    file = tmp_path / "customers.csv"
    file.write_text((ROOT / "examples/telco/telco-customer-churn.csv").read_text(encoding="utf-8"))
    page = open_page("administrator")
    upload(page, file, "/s/main/staging")
    page.get_by_role("button", name="Preview").wait_for()
    look_at(page, "import-columns")
    page.get_by_label("Prefix of every tag").fill("of")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Apply to staging").wait_for()
    look_at(page, "import-planned")
    page.get_by_role("button", name="Apply to staging").click()
    page.get_by_role("link", name="Undo this import").wait_for()
    look_at(page, "import-done")
    page.get_by_role("link", name="Undo this import").click()
    look_at(page, "import-undo")

    file.write_text("user,tag\n5575-GNVDE,of/contract/one-year\n")
    upload(page, file, "/s/main/staging")
    page.get_by_label("Mode").select_option("mirror")
    page.get_by_label("Only tags at or below").fill("of")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Apply to staging").click()
    page.get_by_role("button", name="Apply anyway").wait_for()
    look_at(page, "import-held")
    page.goto("/s/main/staging/imports")
    look_at(page, "imports-listed")


def test_a_sync_is_accessible_and_fits_in_each_of_its_states(open_page: Open, served: Served) -> None:
    place, plans = "/s/main/staging", {f"c-{n}": ("Gold", "Silver", "Free trial")[n % 3] for n in range(9)}
    put_crm(served, **plans)
    page = open_page("administrator")
    page.goto(f"{place}/syncs/new")
    page.get_by_label("Name").fill("crm")
    page.get_by_label("Secret with the address").fill("crm")
    page.get_by_label("Query").fill("SELECT id, plan FROM customer")
    page.get_by_label("Branch", exact=True).fill("crm")
    page.get_by_label("Schedule").fill("0 6 * * 1-5")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Read the first rows").click()
    page.get_by_label("What plan means").wait_for()
    look_at(page, "sync-columns")
    page.get_by_label("Time zone").fill("Europe/Atlantis")
    page.get_by_role("button", name="Create sync").click()
    page.get_by_text("No time zone is called").wait_for()
    look_at(page, "sync-wrong")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Create sync").click()
    page.get_by_role("button", name="Preview a run").wait_for()
    look_at(page, "sync-never-ran")
    page.get_by_role("button", name="Preview a run").click()
    page.get_by_role("link", name="Open, apply or cancel").wait_for()
    look_at(page, "sync-held")
    page.get_by_role("link", name="Open, apply or cancel").click()
    page.get_by_role("button", name="Apply to staging").click()
    page.get_by_role("link", name="Undo this import").wait_for()
    page.goto(f"{place}/sync/crm")
    page.get_by_role("button", name="Run now").wait_for()
    (served.data.parent / "crm.sqlite").unlink()
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("The last run failed.").wait_for()
    look_at(page, "sync-failed")
    page.get_by_role("link", name="Edit").click()
    look_at(page, "sync-edit")
    page.goto(f"{place}/sync/crm/delete")
    look_at(page, "sync-delete")
    page.goto(f"{place}/syncs")
    look_at(page, "syncs")


def test_a_delivery_is_accessible_and_fits_in_each_of_its_states(open_page: Open, served: Served) -> None:
    place, folder = "/s/main/staging", served.data.parent / "files" / "main" / "lake"
    record_days(served, "looks")
    page = open_page("administrator")
    page.goto(f"{place}/deliveries/new")
    page.get_by_label("Name").fill("lake")
    page.get_by_label("Address").fill("https://example.com/events")
    page.get_by_label("Schedule").fill("@daily")
    page.get_by_role("button", name="Create delivery").click()
    page.get_by_text("without wildcards").wait_for()
    look_at(page, "delivery-wrong")
    page.get_by_label("Address").fill(f"file://{folder}")
    page.get_by_role("button", name="Create delivery").click()
    page.get_by_role("button", name="Run now").wait_for()
    look_at(page, "delivery-never-ran")
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("The last run ended").wait_for(timeout=30_000)
    page.locator("details.more summary").first.click()
    look_at(page, "delivery")
    folder.rename(f"{folder}-away")
    folder.write_bytes(b"a file")
    record_days(served, "more")
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("Try 1 failed.").wait_for(timeout=30_000)
    look_at(page, "delivery-waiting")
    page.get_by_role("link", name="Edit").click()
    look_at(page, "delivery-edit")
    page.goto(f"{place}/delivery/lake/delete")
    look_at(page, "delivery-delete")
    page.goto(f"{place}/deliveries")
    look_at(page, "deliveries")


def test_a_source_and_its_events_are_accessible_and_fit(open_page: Open, served: Served) -> None:
    place, environment = "/s/main/staging", served.services.access.get_environment("main", "staging")
    draft = EventSourceDraft(
        name="Shop",
        origins=("https://shop.example", "https://www.shop.example"),
        event_types={"Checkout Done": "order/placed"},
        ignored_properties=("email",),
        identity_public_keys=(ECKey.generate_key("P-256").as_pem(private=False).decode(),),
    )
    source = served.services.event_sources.create_source(environment, "shop", draft, by="ada")
    page = open_page("administrator")
    page.goto(f"{place}/source/{source.id}")
    look_at(page, "source-unused")
    secret = served.services.event_sources.create_identity_secret(environment, source.id, by="ada").id
    long = {"title": "A very long title " * 9, "address": f"https://shop.example/{'x' * 300}"}
    batch: list[dict[str, Any]] = [
        {"type": "track", "userId": "user-1", "event": "Checkout Done", "properties": {"sum": 9}},
        {"type": "page", "anonymousId": "8f0e2b9c-5a9f-4b0e-9d1a-2f6c1e1a7b11", "properties": long},
        {"type": "track", "userId": "u" * 200, "event": f"Watched {'long' * 15}", "timestamp": "2026-01-01T10:00:00Z"},
        {"type": "track", "userId": None, "event": "Checkout Done", "properties": long},
    ]
    sent = httpx.post(f"{served.url}/v1/batch", auth=(source.write_key, ""), json={"batch": batch})
    sent.raise_for_status()
    page.locator("#rejected tbody tr").wait_for()
    for opened in page.locator("#live summary").all():
        opened.click()
    # The rows of a phone keep the names of their cells when the live view refreshes.
    with page.expect_response(re.compile("/live$")):
        pass
    look_at(page, "source")
    questions = ("edit", "write-key", "secret-key", "secret-key/revoke", "delete", f"identity-secret/{secret}/delete")
    for name in questions:
        page.goto(f"{place}/source/{source.id}/{name}")
        look_at(page, f"source-{name.replace(secret, 'id').replace('/', '-')}")
    for name in ("sources", "events", "overview"):
        page.goto(f"{place}/{name}")
        look_at(page, f"{name}-used")


def test_attributes_are_accessible_and_fit(open_page: Open, served: Served) -> None:
    place, environment = "/s/main/staging", served.services.access.get_environment("main", "staging")
    population = served.installation.population(environment)
    user = "owner"
    steps: tuple[dict[str, Any], ...] = (
        {"plan": "silver", "interests": ["football", "a long interest " * 9], "trial.ends": "2026-12-24T10:05:00Z"},
        {"plan": "gold", "interests": [], "note": "A long note. " * 70, "seats": 12_000, f"{'long' * 12}.name": "x"},
        {"seats": None, "vip": True, "empty": "", "born": "1990-05-01"},
    )
    for values in steps:
        line = bodies.user(user, "tier/gold", **values)
        population.write(
            Apply([bodies.part([line])], BatchRules(mode="add")), WriteOptions(Origin("app", "people.csv"))
        )
    described = PutAttribute(AttributeName("plan"), "text", "The plan that the person pays for. " * 9)
    population.write(described, WriteOptions(Origin("ada", "console")))
    rule = HasAttribute(AttributeName("plan"), "is", "gold")
    served.services.tribes.create_tribe("main", Draft(name="Gold", rule=rule), origin=Origin("bob"))
    page = open_page("administrator")
    for name, address in {
        "attributes": "attributes",
        "attributes-none-found": "attributes?search=nothing-like-this",
        "attribute-of-texts": "attributes?attribute=plan",
        "attribute-of-lists": "attributes?attribute=interests",
        "attribute-of-times": "attributes?attribute=born",
        "attribute-unknown": "attributes?attribute=unknown",
        "attribute-delete": "attribute/delete?attribute=plan",
        "person-with-attributes": f"people?user={user}",
        "person-attribute-change": f"people?user={user}&attribute=plan",
        "person-new": "people?user=nobody",
        "person-attributes-as-of": f"person/as-of?user={user}&as_of=1",
        "batch-of-attributes": f"activity/batch?version={population.version() - 1}",
        "activity-of-attributes": "activity",
    }.items():
        settled(page, f"{place}/{address}")
        look_at(page, f"{name}")


def test_a_list_and_a_firing_alert_are_accessible_and_fit(open_page: Open, served: Served) -> None:
    place, environment = "/s/main/staging", served.services.access.get_environment("main", "staging")
    ids = f"lister\n{'long' * 50}\n"
    order = Order(format="csv", mode="add", origin=Origin("ada", "ids.csv"))
    draft = ListDraft(name="Listers")
    tribe = served.services.lists.create_list(environment, draft, iter([ids.encode()]), order).tribe
    served.services.tribe_alerts.put_alert(environment, tribe.id, TribeAlertSettings(people_min=1), by="ada")
    served.services.tribe_watcher.work_once()
    page = open_page("administrator")
    for name, address in {
        "list": f"tribe/{tribe.id}",
        "list-members": f"list/{tribe.id}/members?search=l",
        "list-delete": f"tribe/{tribe.id}/delete",
        "tribes-with-a-list": "tribes",
        "overview-with-an-alert": "overview",
    }.items():
        settled(page, f"{place}/{address}")
        look_at(page, f"{name}")


def test_a_rule_of_each_kind_of_filter_is_accessible_and_fits(open_page: Open, served: Served) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    ios, some = HasContext("app_version", "greater", 4), InPercent(12.5, "spring-sale", 20)
    mobile = Not(HasContext("platform", "one-of", ("ios", "android")))
    played = HasEvent("video/played", 7, (Condition("genre", "is", "football"),), times=4)
    attributes = (
        HasAttribute(AttributeName("company.address.postalCode"), "one-of", ("50667", "50668", 7, True)),
        HasAttribute(AttributeName("trial.ends"), "in-next", 14),
        Not(HasAttribute(AttributeName("seats"), "greater", 9)),
        HasAttribute(AttributeName("born"), "before", "2000-01-01"),
        Not(HasAttribute(AttributeName("plan"), "is-set")),
    )
    rule = All((HasTag(TagPath("contract")), some, AnyOf((ios, mobile)), played, *attributes))
    draft = Draft(name="By request", rule=rule, audience="users")
    tribe = served.services.tribes.create_tribe("main", draft, origin=Origin("bob")).id
    draft = Draft(name="Percent", rule=some, audience="users", flag="servers")
    share = served.services.tribes.create_tribe("main", draft, origin=Origin("bob")).id
    page = open_page("administrator")
    for name, address in {
        "tribe-by-request": f"tribe/{tribe}",
        "tribe-percent": f"tribe/{share}",
        "tribes-by-request": "tribes",
        "tribe-by-request-why": f"tribe/{tribe}/why?kind=user&person={CUSTOMER}",
        "person-by-request": f"people?user={CUSTOMER}",
    }.items():
        settled(page, f"{PLACE}/{address}")
        look_at(page, f"{name}")
