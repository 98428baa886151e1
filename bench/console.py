"""The console's pages on a million people and 20,000 tags: what a browser waits for, from one server process."""

import html
import json
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np

from bench.http import served
from bench.product import ORIGIN
from bench.run import Run
from tagloom.accounts.accounts import Accounts
from tagloom.bootstrap import open_installation
from tagloom.files import read_parts
from tagloom.ports.writes import Apply, BatchRules, WriteOptions
from tagloom.settings import Settings
from tagloom.tribes.definitions import Draft, Tribes
from tagloom.words.rules import All, HasTag, Not

TRIBES = 30
TAGS_A_PERSON = 6
PEOPLE_AT_ONCE = 50_000
EMAIL, PASSWORD = "bench@tagloom.example", "violet-otter-74-canoe"
PLACE = "/s/main/production"
PAGES = (
    "overview",
    "tribes",
    "tribes/new",
    "tribe/t0",
    "tribe/t0/delete",
    "tribe/t0/tag",
    "tribe/t0/pictures",
    "tribe/t0/as-of?as_of=1",
    "tribe/t0/why?kind=user&person=user-0000001",
    "tribes/overlap?tribe=t0&tribe=t1&tribe=t2&tribe=t3&tribe=t4",
    "tags",
    "tags?search=t77",
    "tags?view=tree",
    "tags?view=map",
    "tags/branch?prefix=b1",
    "tags/new",
    "tag?tag=b1",
    "tag/move?tag=b1&to=b999",
    "tag/merge?tag=b1/g0&to=b2/g0",
    "tag/delete?tag=b1",
    "people",
    "people?search=0012345",
    "people?user=user-0000001",
    "person/history?user=user-0000001",
    "person/erase?user=user-0000001",
    "imports",
    "activity",
    "activity/batch?version=1",
    "suggest?text=b1/g",
    "palette?text=t77",
    "settings",
)


def measure(run: Run) -> None:
    """Every page once with nothing in memory, and then the median of some rounds."""
    folder = run.workdir / "console"
    people = run.pick(smoke=2_000, quick=1_000_000, full=1_000_000)
    tags = run.pick(smoke=1_000, quick=20_000, full=20_000)
    _fill(folder, people, tags)
    data = f"{people:,} people, {tags:,} tags, {TRIBES} tribes"
    with served(folder) as url, httpx.Client(base_url=url, headers={"Origin": url}, timeout=60) as browser:
        browser.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
        for page in PAGES:
            _note(run, page, _timed(run, lambda page=page: browser.get(f"{PLACE}/{page}")), data)  # type: ignore[misc]
        file = {"file": ("crm.csv", "id,plan,interests\n" + "user-0000001,b1,b2/g1;b3\n" * 5_000)}
        imported = browser.post(f"{PLACE}/imports", files=file)
        _note(run, "a file of 5,000 rows brought", _timed(run, lambda: browser.get(imported.headers["location"])), data)
        for page in ("/account", "/account/tokens/new", "/teammates", "/teammates/invite"):
            _note(run, page, _timed(run, lambda page=page: browser.get(page)), data)  # type: ignore[misc]
        form = _rule_form(browser.get(f"{PLACE}/tribe/t0").text)
        branches = iter(range(10_000))

        def look() -> httpx.Response:
            changed = {f"value:{place}": f"b{(next(branches) * 7 + place) % 40}" for place in range(3)}
            part = {"HX-Batch": "true", "HX-Target": "finding"}
            return browser.post(f"{PLACE}/tribe/t0", data=form | changed, headers=part)

        first, median = _timed(run, look)
        run.report.note("Console", "count while a rule is edited, first", first, "ms")
        run.report.note("Console", "count while a rule is edited, another each time", median, "ms")
    shutil.rmtree(folder)


def _note(run: Run, page: str, taken: tuple[float, float], data: str) -> None:
    run.report.note("Console", f"{page}, first ({data})", taken[0], "ms")
    run.report.note("Console", f"{page}, again", taken[1], "ms")


def _timed(run: Run, ask: Callable[[], httpx.Response]) -> tuple[float, float]:
    taken = []
    for _ in range(run.report.rounds + 1):
        began = time.perf_counter()
        answer = ask()
        taken.append((time.perf_counter() - began) * 1_000)
        if answer.status_code != 200:
            raise AssertionError(f"{answer.request.url} answered {answer.status_code}")
    return taken[0], statistics.median(taken[1:])


def _rule_form(page: str) -> dict[str, str]:
    """The form of a tribe's page as a browser would send it."""
    shape = re.search(r'name="shape" value="([^"]*)"', page)
    if shape is None:
        raise AssertionError("the page of a tribe has no rule")
    form = {"name": "T", "category": "", "description": "", "audience": "users", "join:": "all", "revision": "1"}
    return form | {"shape": html.unescape(shape[1]), "do": "preview"} | {f"operator:{n}": "subtree" for n in range(3)}


def _fill(folder: Path, people: int, tags: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    installation = open_installation(Settings(database=folder / "tagloom.sqlite"), create=True)
    environment = installation.control.get_environment("main", "production")
    parts = read_parts(_lines(people, tags), "csv")
    receipt = installation.population(environment).write(Apply(parts, BatchRules(mode="add")), WriteOptions(ORIGIN))
    if (receipt.new_people, receipt.new_tags) != (people, tags):
        raise AssertionError(f"the file gave {json.dumps(receipt.new_tags)} tags")
    tribes = Tribes(installation.control)
    for number in range(TRIBES):
        rule = All(
            (
                HasTag(_branch(number)),
                HasTag(f"{_branch(number + 1)}/g1"),
                Not(HasTag(_branch(number + 2))),
            )
        )
        draft = Draft(name=f"T{number}", category=f"C{number % 5}", audience="users", rule=rule)
        tribes.create_tribe("main", draft, origin=ORIGIN)
    Accounts(installation.control, installation.passwords).put_administrator(
        "main", email=EMAIL, name="Bench", password=PASSWORD
    )
    installation.close()


def _branch(number: int) -> str:
    return f"b{number % 40}"


def _tag(number: int) -> str:
    return f"{_branch(number)}/g{number // 40 % 25}/t{number}"


def _lines(people: int, count: int) -> Iterator[bytes]:
    """The file in chunks: a few tags are borne by many, many by a few; each by somebody."""
    random = np.random.default_rng(5)
    tags = [_tag(number) for number in range(count)]
    yield b"user,tag\n"
    yield "".join(f"user-{number:07d},{tag}\n" for number, tag in enumerate(tags)).encode()
    for start in range(0, people, PEOPLE_AT_ONCE):
        size = min(PEOPLE_AT_ONCE, people - start)
        drawn = np.minimum(random.pareto(1.1, (size, TAGS_A_PERSON)) * 20, count - 1).astype(int).tolist()
        yield "".join(
            f"user-{start + number:07d},{tags[tag]}\n" for number, row in enumerate(drawn) for tag in dict.fromkeys(row)
        ).encode()
