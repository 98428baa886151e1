"""What a page has said, and what the store says; and how a file is brought."""

from pathlib import Path

from playwright.sync_api import Locator, Page

from tagloom.model import Person
from tests.console.serving import PLACE, Served


def toast(page: Page) -> Locator:
    """What was said last about what was done."""
    return page.locator("#toasts .toast").last


def upload(page: Page, file: Path, place: str = PLACE) -> None:
    """Brings a file in the browser, which goes on to what its columns mean."""
    page.goto(f"{place}/imports")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()


def tags_of(served: Served, customer: str) -> tuple[str, ...]:
    """What the store says a customer bears."""
    control = served.loom.installation.control
    record = served.loom.population(control.get_environment("main", "production")).find_person(Person("user", customer))
    return record.tags if record is not None else ()
