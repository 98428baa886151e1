"""What a page has said, and what the store says."""

from playwright.sync_api import Locator, Page

from tagloom.model import Person
from tests.console.serving import Served


def toast(page: Page) -> Locator:
    """What was said last about what was done."""
    return page.locator("#toasts .toast").last


def tags_of(served: Served, customer: str) -> tuple[str, ...]:
    """What the store says a customer bears."""
    control = served.loom.installation.control
    record = served.loom.population(control.get_environment("main", "production")).find_person(Person("user", customer))
    return record.tags if record is not None else ()
