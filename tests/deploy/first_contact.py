"""The first contact of an administrator with a server: set up by the printed address, then a sign-in to the console."""

import re
import sys
import time

import httpx

EMAIL = "ada@example.com"
PASSWORD = "violet-otter-74-canoe"
PATIENCE_SECONDS = 30


def set_up(browser: httpx.Client, printed: str) -> None:
    """Becomes the administrator through the address that `tagloom serve` printed, and leaves again."""
    code = code_in(printed)
    form = {"code": code, "organization": "Acme", "space": "Acme app", "name": "Ada", "email": EMAIL}
    page = browser.get("/setup", params={"code": code})
    assert page.status_code == 200, page.text
    made = browser.post("/setup", data=form | {"password": PASSWORD})
    assert made.status_code == 303, made.text
    assert browser.post("/sign-out").status_code == 303
    browser.cookies.clear()


def sign_in(browser: httpx.Client) -> str:
    """Signs in as the administrator, and returns the first page of the console."""
    answer = browser.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    page = browser.get(answer.headers["location"])
    assert page.status_code == 200, page.text
    assert "Acme app" in page.text
    return page.text


def code_in(printed: str) -> str:
    """The set-up code in what `tagloom serve` printed."""
    found = re.search(r"/setup\?code=([\w-]+)", printed)
    assert found is not None, printed
    return found[1]


def wait_until_ready(url: str) -> None:
    """Waits until the server says that it welcomes requests."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the server is not ready"
        time.sleep(0.05)


def main(url: str, printed: str) -> None:
    """Does all this against a server at an address."""
    with httpx.Client(base_url=url, headers={"Origin": url}, timeout=30) as browser:
        set_up(browser, printed)
        sign_in(browser)


if __name__ == "__main__":
    main(*sys.argv[1:])
