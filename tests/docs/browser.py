"""A visitor of a page: `python -m tests.docs.browser ADDRESS` opens it and clicks each of its buttons twice.

A page of the documentation tells its reader to open an address, and `test_snippets.py` does it by this module. Each
click must send a request, and the next click waits for the answer. The browser keeps its cookies in the folder
`browser` of the working directory, so it is the same visitor when it opens the address again.
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.console.serving import find_chromium

CLICKS = 2


def click_buttons(address: str, profile: Path) -> None:
    """Opens a page and clicks its buttons in their order. Raises: an error of Playwright if a click sends nothing."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=find_chromium(), args=["--no-sandbox"]
        )
        page = context.new_page()
        page.on("console", lambda message: print(message.text))
        page.on("pageerror", lambda error: print(error))
        # No request for half a second: the page has sent everything that it sends by itself.
        page.goto(address, wait_until="networkidle")
        for button in page.get_by_role("button").all():
            for _ in range(CLICKS):
                with page.expect_event("requestfinished"):
                    button.click()
        context.close()


if __name__ == "__main__":
    click_buttons(sys.argv[1], Path.cwd() / "browser")
