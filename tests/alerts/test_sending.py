"""Alerts reach a real web server and a real mail server; what cannot be reached holds nothing up."""

import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from tagloom.alerts.run_alerts import RunAlert
from tagloom.alerts.sending import Alerting
from tagloom.egress.http import Egress
from tagloom.egress.policy import EgressPolicy
from tagloom.words.emails import MailServer
from tagloom.words.runs import Alerts
from tagloom.words.source_addresses import AddressRefused

RUN = RunAlert(
    type="sync",
    id="crm",
    kind="held",
    space="main",
    environment="production",
    run=7,
    at="2026-03-01T06:00:00Z",
    detail="It would remove 40 % of crm.",
    import_id="abc",
)
ALERT = RUN.alert()


ANYWHERE = EgressPolicy(private_addresses=True)
PUBLIC = EgressPolicy()


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    bodies: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


class Mail(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as one client needs."""

    messages: ClassVar[list[str]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 test\r\n")
        while line := self.rfile.readline():
            command = line[:4].upper()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                body = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.messages.append(body.decode())
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_gets_the_alert_as_json() -> None:
    Hook.bodies.clear()
    with serving(HTTPServer(("127.0.0.1", 0), Hook)) as port:
        Alerting(None, Egress(ANYWHERE.webhooks_guard())).deliver(
            ALERT, Alerts(webhook=f"http://127.0.0.1:{port}/hook")
        )

    (body,) = Hook.bodies
    assert body["type"] == "sync"
    assert (body["kind"], body["sync"], body["run"]) == ("held", "crm", 7)
    assert body["detail"] == "It would remove 40 % of crm."


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "0.0.0.0"),
        *("[::1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[::ffff:127.0.0.1]", "[fd00::1]"),
        *("[ff02::1]", "[fe80::1]", "2130706433"),
    ],
)
def test_no_webhook_reaches_a_private_network_in_whatever_form(host: str) -> None:
    Hook.bodies.clear()
    with serving(HTTPServer(("127.0.0.1", 0), Hook)) as port, pytest.raises(AddressRefused, match="PRIVATE_ADDRESSES"):
        Egress(PUBLIC.webhooks_guard()).call("POST", f"http://{host}:{port}/hook", headers={}, content=b"{}")

    assert Hook.bodies == []


def test_everybody_gets_a_mail_that_says_what_happened() -> None:
    Mail.messages.clear()
    with serving(socketserver.TCPServer(("127.0.0.1", 0), Mail)) as port:
        mail = MailServer(f"smtp://127.0.0.1:{port}", "tagloom@example.com")
        Alerting(mail, Egress(ANYWHERE.webhooks_guard())).deliver(
            ALERT, Alerts(emails=("ada@example.com", "bob@example.com"))
        )

    (message,) = Mail.messages
    assert "To: ada@example.com, bob@example.com" in message
    assert "the sync 'crm' of main/production is held" in message.replace("\r\n ", " ")
    assert "It would remove 40 % of crm." in message


@pytest.mark.usefixtures("debug_logs")
def test_what_cannot_be_delivered_is_told_in_the_log_and_holds_nothing_up() -> None:
    with capture_logs() as entries:
        Alerting(None, Egress(PUBLIC.webhooks_guard())).deliver(
            ALERT, Alerts(webhook="http://127.0.0.1:1/", emails=("ada@example.com",))
        )

    assert [entry["event"] for entry in entries] == ["alert.undelivered"] * 2
    assert "ada@example.com" not in str(entries)


def test_alerts_are_sent_in_the_background_one_after_another() -> None:
    Hook.bodies.clear()
    with serving(HTTPServer(("127.0.0.1", 0), Hook)) as port:
        alerting = Alerting(None, Egress(ANYWHERE.webhooks_guard()))
        to = Alerts(webhook=f"http://127.0.0.1:{port}/hook")
        alerting.send(replace(RUN, run=1).alert(), to)
        alerting.start()
        alerting.send(replace(RUN, run=2).alert(), to)
        alerting.send(replace(RUN, run=3).alert(), to)
        deadline = time.monotonic() + 10
        while len(Hook.bodies) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        alerting.stop()

    assert [body["run"] for body in Hook.bodies] == [1, 2, 3]


def test_alerts_that_wait_when_the_server_stops_are_told_in_the_log(debug_logs: None) -> None:
    alerting = Alerting(None, Egress(PUBLIC.webhooks_guard()))
    alerting.send(ALERT, Alerts(emails=("ada@example.com",)))
    alerting.send(ALERT, Alerts(emails=("ada@example.com",)))

    with capture_logs() as told:
        alerting.stop()

    assert [(entry["event"], entry["error"]) for entry in told] == [("alert.undelivered", "the server stops")] * 2


def test_a_mail_server_shows_no_password() -> None:
    assert "hush" not in repr(MailServer("smtps://ada:hush@mail.example.com", "tagloom@example.com"))
