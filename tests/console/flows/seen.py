"""What a page has said, and what the store says; and how a file is brought."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from tagloom.events.recording import EventOrder
from tagloom.ports.writes import Apply, BatchRules, WriteOptions
from tagloom.words.changes import Origin
from tagloom.words.people import Person
from tests import bodies
from tests.console.serving import CUSTOMER, PLACE, Served


def toast(page: Page) -> Locator:
    """What was said last about what was done."""
    return page.locator("#toasts .toast").last


def explain(page: Page, tribe: str) -> Locator:
    """Asks on the page of a tribe why the customer is in it or not. Returns the rows of the reasons."""
    page.goto(f"{PLACE}/tribe/{tribe}")
    page.get_by_label("Id", exact=True).fill(CUSTOMER)
    page.get_by_role("button", name="Explain").click()
    return page.locator("#why tbody tr")


def upload(page: Page, file: Path, place: str = PLACE) -> None:
    """Brings a file in the browser, which goes on to what its columns mean."""
    page.goto(f"{place}/imports")
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Upload").click()


def put_crm(served: Served, **plans: str) -> None:
    """A CRM of the organization from now on: a database that its secret `crm` leads to, and a file of the server."""
    folder = served.data.parent
    for name in ("secrets", "files"):
        (folder / name / "main").mkdir(parents=True, exist_ok=True)
    (folder / "secrets/main/crm").write_text(f"sqlite:///{folder}/crm.sqlite\n")
    rows = "".join(f"{id},{plan}\n" for id, plan in plans.items())
    (folder / "files/main/crm.csv").write_text(f"id,plan\n{rows}")
    with closing(sqlite3.connect(folder / "crm.sqlite")) as crm, crm:
        crm.execute("DROP TABLE IF EXISTS customer")
        crm.execute("CREATE TABLE customer (id TEXT, plan TEXT)")
        crm.executemany("INSERT INTO customer VALUES (?, ?)", plans.items())


def tags_of(served: Served, customer: str) -> tuple[str, ...]:
    """What the store says a customer bears."""
    control = served.installation.control
    record = served.installation.population(control.get_environment("main", "production")).find_person(
        Person("user", customer)
    )
    return record.tags if record is not None else ()


def put_attributes(served: Served, user: str, **values: Any) -> None:
    """Sets attributes of a user, as an app would."""
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    line = bodies.user(user, **values)
    population.write(Apply([bodies.part([line])], BatchRules(mode="add")), WriteOptions(Origin("app", "api")))


def attributes_of(served: Served, user: str) -> dict[str, Any]:
    """What the store has about a user."""
    population = served.installation.population(served.installation.control.get_environment("main", "production"))
    record = population.find_person(Person("user", user))
    return record.attributes if record is not None else {}


def record_days(served: Served, name: str, *, environment: str = "staging") -> None:
    """Records two events of the type `lake/filled`, each on a day of its own, with the ids `name-0` and `name-1`."""
    where = served.services.access.get_environment("main", environment)
    lines = [
        f'{{"user":"u1","event":"lake/filled","at":"2026-03-0{day + 1}T09:00:00Z","id":"{name}-{day}"}}\n'
        for day in range(2)
    ]
    order = EventOrder(format="ndjson", origin=Origin("ada", "test"))
    served.services.events.record(where, iter(["".join(lines).encode()]), order)
