"""The console that the tests of one module share, and who visits it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect, sync_playwright
from playwright.sync_api import Page as PlaywrightPage

from tests.console.serving import Role, Served, find_chromium, serving, signed_in, telco


@pytest.fixture(scope="session")
def telco_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The telecoms company, never written to."""
    return telco(tmp_path_factory.mktemp("telco"))


@pytest.fixture(scope="module")
def served(telco_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A console over a copy of it."""
    data = tmp_path_factory.mktemp("console") / "data"
    shutil.copytree(telco_data, data)
    with serving(data) as served:
        yield served


@pytest.fixture(scope="module")
def visitors(served: Served) -> Iterator[Callable[[Role], httpx.Client]]:
    """A browser of sorts for each role, signed in once."""
    with signed_in(served) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def admin(visitors: Callable[[Role], httpx.Client]) -> httpx.Client:
    """The administrator's."""
    return visitors("administrator")


# A machine that does other work at the same time answers later, and just as right.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A real browser without a window, that asks nobody but the server of the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()


Open = Callable[..., PlaywrightPage]


@pytest.fixture
def open_page(served: Served, visitors: Callable[[Role], httpx.Client], chromium: Browser) -> Iterator[Open]:
    """Opens a browser of its own, signed in as a role; at the end no script may have failed in it."""
    failures: list[str] = []
    contexts = []

    def opened(
        role: Role = "administrator", *, width: int = 1360, theme: Literal["light", "dark"] = "light"
    ) -> PlaywrightPage:
        context = chromium.new_context(
            base_url=served.url,
            viewport={"width": width, "height": 860},
            color_scheme=theme,
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        if role != "anyone":
            cookie = visitors(role).cookies["tagloom"]
            context.add_cookies([{"name": "tagloom", "value": cookie, "url": served.url}])
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(f"{page.url}: {error}"))
        page.on("console", lambda said: failures.append(f"{page.url}: {said.text}") if _is_failure(said) else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert failures == []


def _is_failure(said: ConsoleMessage) -> bool:
    """A refused policy, a broken script, an unreachable server; problems and replaced requests are the page's affair.

    htmx calls a request that a later one replaced an error, and tells of its end once more as `htmx:afterRequest`; a
    request that was not answered at all is told as `htmx:sendError` too.
    """
    return said.type == "error" and not said.text.startswith(
        ("Failed to load resource", "htmx:sendAbort", "htmx:afterRequest")
    )
