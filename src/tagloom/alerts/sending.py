"""Sends alerts by a webhook and by e-mail. Each is tried once."""

import queue
import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import msgspec
import structlog

from tagloom.alerts import limits
from tagloom.base.problems import Problem
from tagloom.egress.http import Egress, NoAnswer
from tagloom.jobs.loop import BackgroundLoop
from tagloom.words.emails import MailServer, parse_email

log = structlog.get_logger("tagloom.alerts")

_SECONDS_TO_STOP = 2.0


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, with words for people and fields for programs. The alert has no secret and no person.

    An e-mail has the `subject` and the `text`. A webhook gets the `fields` as JSON. The log has the fields `logged`.
    """

    subject: str
    text: str
    fields: Mapping[str, Any]
    logged: Mapping[str, str]


class Receivers(Protocol):
    """The webhook and the e-mails to which an alert is sent."""

    @property
    def webhook(self) -> str | None: ...
    @property
    def emails(self) -> tuple[str, ...]: ...


def check_receivers(to: Receivers, refused: Callable[[str, str], Problem]) -> None:
    """Checks the addresses. `refused` returns the problem of a field, by its text and its name.

    Raises: what `refused` returns; EmailInvalid.
    """
    if to.webhook is not None and not to.webhook.startswith(("https://", "http://")):
        raise refused("A webhook is an http or https address.", "webhook")
    if len(to.emails) > limits.EMAILS_PER_ALERT_MAX:
        raise refused(f"At most {limits.EMAILS_PER_ALERT_MAX} addresses receive an alert.", "emails")
    for email in to.emails:
        parse_email(email)


class Alerting:
    """A sender of alerts in the background. If an alert cannot be delivered, the failure is only logged."""

    def __init__(self, mail: MailServer | None, egress: Egress) -> None:
        self._mail = mail
        self._egress = egress
        self._waiting: queue.Queue[tuple[Alert, Receivers]] = queue.Queue(limits.ALERTS_WAITING_MAX)
        self._loop = BackgroundLoop(self._deliver_next, seconds=None, name="tagloom-alerts")

    def start(self) -> None:
        """Starts a thread that sends the waiting alerts."""
        self._loop.start()

    def stop(self) -> None:
        """Stops after the current alert, without waiting for a silent server. Logs the alerts that still wait."""
        self._loop.stop(_SECONDS_TO_STOP)
        while (found := self._next()) is not None:
            _log_undelivered(found[0], "any", "the server stops")

    def send(self, alert: Alert, to: Receivers) -> None:
        """Adds an alert to the queue. A webhook that hangs delays other alerts, but nothing else."""
        try:
            self._waiting.put_nowait((alert, to))
        except queue.Full:
            _log_undelivered(alert, "any", "too many wait")
        else:
            self._loop.wake()

    def _deliver_next(self) -> bool:
        """Delivers the oldest alert. Returns False if none waits."""
        found = self._next()
        if found is None:
            return False
        self.deliver(*found)
        return True

    def _next(self) -> tuple[Alert, Receivers] | None:
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def deliver(self, alert: Alert, to: Receivers) -> None:
        """Calls the webhook with the alert as JSON, and sends an e-mail to all addresses of `to`.

        Waits at most ALERT_SECONDS_MAX for other calls to the host of the webhook, for the webhook itself, and for
        each response of the mail server.
        """
        if to.webhook is not None:
            self._deliver("webhook", alert, lambda: self._call(to.webhook or "", alert))
        if to.emails:
            self._deliver("e-mail", alert, lambda: self._post(alert, to.emails))

    def _deliver(self, way: str, alert: Alert, send: Callable[[], None]) -> None:
        try:
            send()
        except Exception as error:
            # A failure of the other server must not stop the work that the alert is about. The log shows it to the
            # operator.
            _log_undelivered(alert, way, type(error).__name__)
        else:
            log.info("alert.delivered", way=way, **alert.logged)

    def _call(self, address: str, alert: Alert) -> None:
        answer = self._egress.call(
            "POST",
            address,
            content=msgspec.json.encode(alert.fields),
            headers={"Content-Type": "application/json"},
            seconds=limits.ALERT_SECONDS_MAX,
        )
        if not 200 <= answer.status < 300:
            raise NoAnswer(f"answers {answer.status}")

    def _post(self, alert: Alert, emails: tuple[str, ...]) -> None:
        if self._mail is None:
            raise LookupError("no mail server is set")
        message = EmailMessage()
        message["Subject"] = alert.subject
        message["From"] = self._mail.sender
        message["To"] = ", ".join(emails)
        message.set_content(alert.text)
        parts = urlsplit(self._mail.url)
        secure = ssl.create_default_context()
        host, timeout = parts.hostname or "localhost", limits.ALERT_SECONDS_MAX
        with (
            smtplib.SMTP_SSL(host, parts.port or 465, timeout=timeout, context=secure)
            if parts.scheme == "smtps"
            else smtplib.SMTP(host, parts.port or 25, timeout=timeout)
        ) as server:
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=secure)
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)


def _log_undelivered(alert: Alert, way: str, error: str) -> None:
    log.error("alert.undelivered", way=way, **alert.logged, error=error)
