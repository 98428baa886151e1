"""Makes the picture of the console for the README: `.venv/bin/python docs/images/screenshot.py`.

Loads the sample customers into a temporary directory, serves them, signs in with Chromium, and photographs the page of
a tribe.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).with_name("console.png")
PORT = "8329"
TAGLOOM = Path(sys.executable).with_name("tagloom")


def photograph(url: str, email: str, password: str) -> None:
    """Signs in to the console and saves a picture of one of its pages."""
    with sync_playwright() as playwright:
        program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(base_url=url, viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.goto("/sign-in")
        page.fill("input[name=email]", email)
        page.fill("input[name=password]", password)
        page.press("input[name=password]", "Enter")
        page.wait_for_load_state("networkidle")
        page.goto("/s/main/production/tribe/at-risk")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=PICTURE)
        browser.close()


def main() -> None:
    """Serves the sample customers until the picture is made."""
    with tempfile.TemporaryDirectory() as data:
        command = [str(TAGLOOM), "demo", "--data", data, "--port", PORT]
        with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server:
            assert server.stdout is not None
            try:
                for line in server.stdout:
                    print(line, end="")
                    found = re.search(r"Sign in at (\S+?)/? as (\S+) with password (\S+)", line)
                    if found:
                        photograph(found[1], found[2], found[3])
                        break
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
