"""The client libraries of Segment and RudderStack send to a server with nothing changed but their host."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from playwright.sync_api import sync_playwright

from tagloom.tracking.event_sources import EventSources
from tagloom.words.builtin_attributes import RESERVED_NAMES
from tagloom.words.computed_attributes import COMPUTED_ATTRIBUTES
from tagloom.words.event_sources import EventSource, EventSourceDraft, NewIdentitySecret, actor_name
from tagloom.words.events import PersonEvent
from tagloom.words.identity import IdentitySettings, ProofMode
from tagloom.words.people import Person
from tests.console.serving import find_chromium
from tests.http.serving import INSTALLATIONS, serve
from tests.tracking.unreliable import unreliable

SECONDS = 60


class Message(NamedTuple):
    """What is known of an event before it is sent: its type, its person, and some of its properties."""

    type: str
    person: str
    properties: dict[str, Any]


COMMON = (
    Message("ad/clicked", "u1", {"ad": 7}),
    Message("group/identified", "u1", {"name": "Acme", "groupId": "g1"}),
    Message("identity/aliased", "u1", {"previousId": "v1"}),
    Message("identity/identified", "u1", {"plan": "gold"}),
)
HOME, START = {"path": "/", "name": "Home"}, {"name": "Start"}
# Libraries for servers are told whose message it is. Libraries for pages make a visitor id, and know the user later.
OF_SERVERS = (*COMMON, Message("page/viewed", "v1", HOME), Message("screen/viewed", "v1", START))
OF_SEGMENT_IN_PAGES = (*COMMON, Message("page/viewed", "", HOME), Message("screen/viewed", "u1", START))
OF_RUDDERSTACK_IN_PAGES = (*COMMON, Message("page/viewed", "", HOME))

Send = partial[None]


def by_process(
    program: str,
    script: str,
    source: EventSource,
    secret: NewIdentitySecret,
    url: str,
    folder: Path,
    _: Callable[[], bool],
) -> None:
    """Runs a script that sends the messages."""
    keys = {"WRITE_KEY": source.write_key, "HMAC_SECRET": secret.hmac_secret}
    environ = {**os.environ, **keys, "TAGLOOM_URL": url}
    done = subprocess.run(
        (program, script), cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr


def in_a_page(
    script: str,
    source: EventSource,
    secret: NewIdentitySecret,
    url: str,
    folder: Path,
    has_arrived: Callable[[], bool],
) -> None:
    """Opens a page of another origin with a script that sends the messages, until they have arrived."""
    esbuild = (folder / "node_modules/.bin/esbuild", script, "--bundle", "--outfile=page/page.js", "--log-level=error")
    subprocess.run(esbuild, cwd=folder, check=True, timeout=SECONDS)
    (folder / "page" / "index.html").write_text("<!doctype html><title>Shop</title><script src='page.js'></script>")
    pages = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "page")))
    serving = Thread(target=pages.serve_forever)
    serving.start()
    claims = {"sub": "u1", "exp": int(time.time()) + 3_600}
    token = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret.token_secret))

    def browse() -> None:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{pages.server_port}/")
            page.evaluate("([key, url, token]) => { window.send(key, url, token) }", [source.write_key, url, token])
            began = time.monotonic()
            while not has_arrived() and time.monotonic() - began < SECONDS:
                page.wait_for_timeout(100)
            browser.close()

    try:
        # In a thread of its own: the browser of the console's tests may be open in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(browse).result()
    finally:
        pages.shutdown()
        serving.join()
        pages.server_close()


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *args: object) -> None:
        """Writes nothing."""


SENDERS: dict[str, tuple[Send, tuple[Message, ...]]] = {
    "segment-analytics-python": (partial(by_process, sys.executable, "segment_python.py"), OF_SERVERS),
    "rudder-sdk-python": (partial(by_process, sys.executable, "rudderstack_python.py"), OF_SERVERS),
    "@segment/analytics-node": (partial(by_process, "node", "segment_node.mjs"), OF_SERVERS),
    "@rudderstack/rudder-sdk-node": (partial(by_process, "node", "rudderstack_node.mjs"), OF_SERVERS),
    "@segment/analytics-next": (partial(in_a_page, "segment_browser.mjs"), OF_SEGMENT_IN_PAGES),
    "@rudderstack/analytics-js": (partial(in_a_page, "rudderstack_browser.mjs"), OF_RUDDERSTACK_IN_PAGES),
}


# These scripts prove the id of their user: by an HMAC on a server, and by a token in a page.
PROVING = {"@segment/analytics-node", "@segment/analytics-next"}


@pytest.mark.slow
@pytest.mark.parametrize("library", SENDERS)
def test_every_message_of_a_library_is_recorded_once_although_answers_are_lost(
    library: str, folder: Path, tmp_path: Path
) -> None:
    send, messages = SENDERS[library]
    installation = INSTALLATIONS["sqlite"](tmp_path / "data")
    environment = installation.control.get_environment("main", "production")
    proof: ProofMode = "require" if library in PROVING else "off"
    installation.control.put_identity("main", "production", IdentitySettings(proof=proof))
    sources = EventSources(installation.control)
    source = sources.create_source(environment, "web", EventSourceDraft(name="Web"), by="ada")
    secret = sources.create_identity_secret(environment, "web", by="ada")

    def recorded() -> tuple[PersonEvent, ...]:
        return installation.population(environment).list_recent_events(actor_name("web"), limit=100).items

    began = time.time()
    for url in serve(installation):
        with unreliable(url) as proxy:
            send(source, secret, proxy.url, folder, lambda: len(recorded()) >= len(messages))
        found = sorted(recorded(), key=lambda each: each.event.type)
        rejected = installation.control.list_rejected_messages(environment.key, "web", limit=10)
        user = installation.population(environment).find_person(Person("user", "u1"))
    installation.close()

    assert proxy.failures == ["too many requests", "answer lost"]
    assert [each.event.type for each in found] == sorted(message.type for message in messages)
    for (person, event), message in zip(found, sorted(messages), strict=True):
        properties = json.loads(event.properties)
        assert {name: properties.get(name) for name in message.properties} == message.properties
        # A page is that of a visitor, or of the user who signed in before the library sent it again.
        is_of_page = not message.person and (person.kind == "visitor" or person.id == "u1")
        assert message.person == person.id or is_of_page
        assert began - 1 <= event.at / 1_000 <= event.received_at / 1_000
    assert rejected == ()
    # The page runs in Chromium on Linux. A server sends for people whose device it does not know.
    assert user is not None
    derived = RESERVED_NAMES - COMPUTED_ATTRIBUTES.keys()
    built_in = {name: value for name, value in user.attributes.items() if name in derived}
    device = {"$browser": "Chrome", "$device_type": "desktop", "$language": "en", "$os": "Linux"}
    assert built_in == (device if send.func is in_a_page else {})
