# ruff: noqa: RUF001 - numbers lost are shown with a minus sign.
"""Imports: upload, mapping, preview, apply, pause, corrected rows, undo."""

import re
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tagloom.console import limits as console_limits
from tagloom.imports import limits
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tagloom.words.tags import TagPath
from tests.bodies import Line, part
from tests.console.conftest import Open
from tests.console.flows.seen import tags_of, toast, upload
from tests.console.serving import CUSTOMER, PLACE, Served
from tests.egress.places import web
from tests.writing import Batch, write_parts


def test_a_file_is_uploaded_mapped_previewed_applied_corrected_and_undone(
    open_page: Open, served: Served, tmp_path: Path
) -> None:
    file = tmp_path / "crm.csv"
    file.write_text(
        "customer_id,Plan Name,Interests,Active,Score\n"
        f"{CUSTOMER},Gold Plan,football;opera,yes,17\nnew-1,Trial,,no,3\nnew-2,,opera,perhaps,9\n"
    )
    page = open_page("developer")
    upload(page, file)
    expect(page.get_by_label("What customer_id means")).to_have_value("user")
    expect(page.get_by_label("What Plan Name means")).to_have_value("value")
    expect(page.get_by_label("What Interests means")).to_have_value("list")
    expect(page.get_by_label("Separator of the list in Interests")).to_be_visible()
    expect(page.get_by_label("Branch above the tags of Interests")).to_be_hidden()
    page.get_by_label("What Active means").select_option("flag")
    page.get_by_label("What Score means").select_option("bands")
    page.get_by_label("Upper bounds of the bands of Score").fill("5, 10")
    page.get_by_label("Prefix of every tag").fill("crm")
    page.get_by_role("button", name="Read the first rows").click()
    expect(page.locator("tr", has_text="new-1")).to_contain_text("crm/score/up-to-5")
    expect(page.locator("tr", has_text="is neither yes nor no")).to_be_visible()
    page.get_by_text("More: start and expiry").click()
    page.get_by_label("Save this mapping as").fill("customers")
    page.get_by_role("button", name="Preview").click()

    effect = page.locator(".effect")
    expect(effect).to_contain_text("+7")
    expect(effect).to_contain_text("crm/plan-name/gold-plan")
    expect(page.get_by_text("1 row is rejected")).to_be_visible()
    expect(page.locator("table", has_text="Reason")).to_contain_text("'perhaps' is neither yes nor no")
    assert tags_of(served, "new-1") == ()
    page.get_by_role("button", name="Apply to production").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()
    assert tags_of(served, "new-1") == ("crm/plan-name/trial", "crm/score/up-to-5")
    with page.expect_download() as begun:
        page.get_by_role("link", name="Download").click()
    rejected = tmp_path / begun.value.suggested_filename
    begun.value.save_as(rejected)
    first = page.url

    # The rejected rows are corrected, and uploaded with the saved mapping.
    assert rejected.name == "rejected-crm.csv"
    expect(page.locator("main")).to_contain_text("your columns and four more")
    rejected.write_text(rejected.read_text().replace("perhaps", "yes"))
    upload(page, rejected)
    page.get_by_label("Start from a saved mapping").select_option("customers")
    page.get_by_role("button", name="Use mapping").click()
    expect(page.get_by_label("What Active means")).to_have_value("flag")
    expect(page.get_by_label("What tagloom_problem means")).to_have_value("ignore")
    expect(page.get_by_label("Prefix of every tag")).to_have_value("crm")
    page.get_by_role("button", name="Preview").click()
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


def test_a_list_of_ids_gives_everybody_in_it_one_tag(open_page: Open, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text(f"{CUSTOMER}\nnew-1\n")
    page = open_page("developer")
    upload(page, file)
    expect(page.get_by_label("What user means")).to_have_value("user")
    page.get_by_label("One tag for everyone in this file").fill("campaigns/spring")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".effect")).to_contain_text("campaigns/spring")
    page.get_by_role("button", name="Apply to production").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()

    # The first line is a person too.
    assert "campaigns/spring" in tags_of(served, CUSTOMER)
    assert tags_of(served, "new-1") == ("campaigns/spring",)


def test_warnings_about_a_file_are_shown_before_it_runs(open_page: Open, tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_bytes("user,city\nNULL,Köln\nnew-1,Bonn\n".encode("windows-1252"))
    page = open_page("developer")
    upload(page, file)
    expect(page.get_by_text("such as NULL or N/A")).to_be_visible()
    expect(page.get_by_label("Text encoding")).to_have_value("windows-1252")
    page.get_by_role("button", name="Preview").click()

    expect(page.get_by_role("button", name="Apply to production")).to_be_visible()
    expect(page.locator(".note", has_text="such as NULL or N/A").first).to_be_visible()
    expect(page.locator(".effect")).to_contain_text("city/köln")


def test_a_mirror_with_unreadable_lines_says_so_and_has_its_next_step_as_a_button(
    open_page: Open, served: Served, tmp_path: Path
) -> None:
    environment = served.installation.control.get_environment("main", "production")
    lines = [Line(Person("user", f"crm-{n}"), ("crm/a",)) for n in range(3)]
    write_parts(
        served.installation.population(environment), [part(lines)], Batch(mode="add", origin=Origin("night-job"))
    )
    file = tmp_path / "crm.csv"
    file.write_text("user,tag\ncrm-0,crm/a\ncrm-1,crm/a\n,x,y,z\n")
    page = open_page("developer")
    upload(page, file)
    page.get_by_label("What tag means").select_option("tag")
    page.get_by_label("Mode").select_option("mirror")
    page.get_by_label("Only tags at or below").fill("crm")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".note", has_text="Nothing was applied")).to_contain_text("Correct the file.")
    expect(page.locator("main")).not_to_contain_text("allow_unreadable")
    expect(page.get_by_role("link", name="Download these lines with their reasons")).to_be_visible()
    page.get_by_role("button", name="Apply without these lines").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()

    assert tags_of(served, "crm-2") == ()
    assert tags_of(served, "crm-1") == ("crm/a",)


def test_what_a_file_gives_can_end_by_itself(open_page: Open, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "trial.csv"
    file.write_text("user,tag\nnew-1,trial\n")
    page = open_page("developer")
    upload(page, file)
    lasts, until = page.get_by_label("Taggings expire after"), page.get_by_label("Or expire at (UTC)")
    page.get_by_text("More: start and expiry").click()
    lasts.fill("a while")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("'a while' is not a ttl")).to_be_visible()
    expect(lasts).to_have_value("a while")
    lasts.fill("14d")
    until.fill("2999-01-01T00:00")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("not both")).to_be_visible()
    until.fill("")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Its taggings expire after 14 days.")).to_be_visible()
    page.get_by_role("button", name="Apply to production").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()
    environment = served.installation.control.get_environment("main", "production")
    found = served.installation.population(environment).find_person(Person("user", "new-1"))
    assert found is not None
    assert set(found.expires_at) == {"trial"}


def test_the_taggings_of_a_file_can_start_later(open_page: Open, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "contract.csv"
    file.write_text("user,tag\nlater-1,contract\n")
    page = open_page("developer")
    upload(page, file)
    page.get_by_text("More: start and expiry").click()
    start = page.get_by_label("Taggings start at (UTC)")
    start.fill("soon")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("is not a time such as")).to_be_visible()
    start.fill("1 Jan 2030, 09:00")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Its taggings start on 1 Jan 2030, 09:00 UTC.")).to_be_visible()
    expect(page.locator(".totals")).to_contain_text("Scheduled")
    page.get_by_role("button", name="Apply to production").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()
    environment = served.installation.control.get_environment("main", "production")
    found = served.installation.population(environment).find_person(Person("user", "later-1"))
    assert found is not None
    assert (found.tags, found.scheduled[TagPath("contract")].starts_at) == ((), "2030-01-01T09:00:00Z")


def test_a_file_that_takes_much_asks_before_it_does(open_page: Open, served: Served, tmp_path: Path) -> None:
    environment = served.installation.control.get_environment("main", "production")
    population = served.installation.population(environment)
    lines = [Line(Person("user", f"held-{n}"), ("held/a",)) for n in range(10)]
    write_parts(population, iter([part(lines)]), Batch(mode="add", origin=Origin("night-job")))
    file = tmp_path / "held.ndjson"
    file.write_text('{"user": "held-1", "tags": ["held/a"]}\n')
    page = open_page("developer")
    upload(page, file)
    expect(page.get_by_label("What tags means")).to_have_value("list")
    page.get_by_label("Mode").select_option("mirror")
    page.get_by_label("Only tags at or below").fill("held")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("90.0 % of the 10 taggings at or below held would be removed")).to_be_visible()
    page.get_by_role("button", name="Apply to production").click()

    expect(page.get_by_text("Nothing was applied.")).to_be_visible()
    assert tags_of(served, "held-9") == ("held/a",)
    page.get_by_role("button", name="Apply anyway").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible()
    assert tags_of(served, "held-9") == ()


def test_a_mapping_that_cannot_be_carried_out_says_why_and_keeps_what_was_typed(
    open_page: Open, tmp_path: Path
) -> None:
    file = tmp_path / "crm.csv"
    file.write_text("user,plan\nu1,Gold\nu2,Free\n")
    page = open_page("developer")
    upload(page, file)
    page.get_by_label("Branch above the tags of plan").fill("Plan")
    page.get_by_role("button", name="Preview").click()

    expect(page.locator(".error")).to_contain_text("capital")
    expect(page.get_by_label("Branch above the tags of plan")).to_have_value("Plan")
    page.get_by_label("What plan means").select_option("user")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".error")).to_contain_text("Only one column can be the user id")


def test_a_column_becomes_an_attribute_and_the_first_rows_show_its_values(open_page: Open, tmp_path: Path) -> None:
    file = tmp_path / "crm.csv"
    file.write_text("user,Seats,Labels\nu1,3,a|b\nu2,,c\nu3,many,d\n")
    page = open_page("developer")
    upload(page, file)
    for column, type in (("Seats", "number"), ("Labels", "list")):
        page.get_by_label(f"What {column} means").select_option("attribute")
        page.get_by_label(f"Type of the values in {column}").select_option(type)
    page.get_by_label("Name of the attribute in Seats").fill("seats")
    expect(page.get_by_label("Separator of the list in Seats")).to_be_hidden()
    expect(page.get_by_label("Spelling of the tags of Labels")).to_be_hidden()
    page.get_by_label("Separator of the list in Labels").fill("|")
    page.get_by_role("button", name="Read the first rows").click()

    expect(page.locator("tr", has_text="u1")).to_contain_text('Labels ["a","b"]')
    expect(page.locator("tr", has_text="u1")).to_contain_text("seats 3")
    expect(page.locator("tr", has_text="u2")).not_to_contain_text("seats")
    expect(page.locator("tr", has_text="'many' is not a number")).to_be_visible()
    expect(page.get_by_label("Type of the values in Seats")).to_have_value("number")


def test_a_large_import_shows_its_progress_through_a_reload_and_may_be_paused(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "IMPORT_ROWS_PER_STEP", 1_000_000)
    file = tmp_path / "large.csv"
    rows = "".join(f"large-{n},segment/{n % 7}\n" for n in range(2_500_000))
    file.write_text("user,tag\n" + rows)
    page = open_page("developer")
    upload(page, file, "/s/main/staging")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#progress")).to_contain_text("rows read")
    page.reload()

    expect(page.locator(".effect")).to_contain_text("+2,500,000", timeout=60_000)
    page.get_by_role("button", name="Apply to staging").click()
    expect(page.locator("#progress")).to_contain_text("2,500,000")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as 3 versions"))).to_be_visible(timeout=60_000)


def test_a_file_is_fetched_from_its_address_previewed_and_applied(open_page: Open, served: Served) -> None:
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
        expect(page.get_by_text(f"of {place.url}/moods.csv fetched")).to_be_visible()
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        may_end.set()
        expect(page.get_by_role("button", name="Preview")).to_be_visible(timeout=20_000)
        assert "page=2" not in page.content()

        # The page of a broken file shows the problem, and can delete it.
        place.serve("/broken.parquet", b"no parquet at all")
        page.goto(f"{PLACE}/imports")
        page.get_by_label("Address").fill(f"{place.url}/broken.parquet")
        page.get_by_role("button", name="Fetch").click()
        expect(page.get_by_role("button", name="Delete file")).to_be_visible(timeout=20_000)
        page.get_by_role("button", name="Delete file").click()
        expect(toast(page)).to_contain_text("The file was deleted")

    page.get_by_role("link", name="moods.csv").click()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Apply to production").click()
    expect(page.get_by_role("heading", name=re.compile("Applied as version"))).to_be_visible(timeout=20_000)
    assert "mood/happy" in tags_of(served, CUSTOMER)


def test_an_import_is_cancelled_and_its_file_removed(open_page: Open, served: Served, tmp_path: Path) -> None:
    file = tmp_path / "away.csv"
    file.write_text("user,tag\naway,a\n")
    page = open_page("developer")
    upload(page, file)
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_text("added by")).to_contain_text("cancelled")
    page.get_by_role("button", name="Delete file").click()
    expect(page.locator("tbody", has_text="away.csv")).to_have_count(0)
    assert tags_of(served, "away") == ()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_limits, "UPLOAD_BYTES_MAX", 10)
    file = tmp_path / "crm.csv"
    file.write_text("user,tag\nu1,a\n")
    page = open_page("developer")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(f"{PLACE}/imports")
    page.get_by_label("Drag a file here, or choose one").set_input_files(file)
    page.get_by_role("button", name="Upload").click()

    expect(page.get_by_text("crm.csv has 14 bytes; 10 are allowed.")).to_be_visible()
    assert "POST" not in sent
