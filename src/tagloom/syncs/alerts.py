"""Sends alerts about runs that failed, are held or are late, by a webhook and by e-mail. Each is tried once."""

import queue
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit

import msgspec
import structlog

from tagloom.egress.http import Egress, NoAnswer
from tagloom.jobs.loop import BackgroundLoop
from tagloom.syncs import limits
from tagloom.words.emails import MailServer
from tagloom.words.syncs import Alerts

log = structlog.get_logger("tagloom.syncs")

_SECONDS_TO_STOP = 2.0

AlertKind: TypeAlias = Literal["failed", "held", "late"]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert about a run, with words for people and fields for programs. The alert has no secret and no person."""

    kind: AlertKind
    space: str
    environment: str
    sync: str
    run: int
    at: str
    detail: str
    import_id: str | None = None

    def subject(self) -> str:
        """Returns the subject in one line."""
        return f"Tagloom: the sync '{self.sync}' of {self.space}/{self.environment} {SAYS[self.kind]}"


SAYS: dict[AlertKind, str] = {"failed": "failed", "held": "is held and waits for an approval", "late": "is late"}


class Alerting:
    """A sender of alerts in the background. If an alert cannot be delivered, the failure is only logged."""

    def __init__(self, mail: MailServer | None, egress: Egress) -> None:
        self._mail = mail
        self._egress = egress
        self._waiting: queue.Queue[tuple[Alert, Alerts]] = queue.Queue(limits.ALERTS_WAITING_MAX)
        self._loop = BackgroundLoop(self._deliver_next, seconds=None, name="tagloom-alerts")

    def start(self) -> None:
        """Starts a thread that sends the waiting alerts."""
        self._loop.start()

    def stop(self) -> None:
        """Stops after the current alert, without waiting for a silent server. Logs the alerts that still wait."""
        self._loop.stop(_SECONDS_TO_STOP)
        while (found := self._next()) is not None:
            _log_undelivered(found[0], "any", "the server stops")

    def send(self, alert: Alert, to: Alerts) -> None:
        """Adds an alert to the queue. A webhook that hangs delays other alerts, but no sync."""
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

    def _next(self) -> tuple[Alert, Alerts] | None:
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def deliver(self, alert: Alert, to: Alerts) -> None:
        """Calls the webhook with the alert as JSON, and sends an e-mail to all addresses of `to`.

        Waits at most SYNC_ALERT_SECONDS_MAX for other calls to the host of the webhook, for the webhook itself, and for
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
            # A failure of the other server must not stop the sync. The log shows the failure to the operator.
            _log_undelivered(alert, way, type(error).__name__)
        else:
            log.info("alert.delivered", way=way, sync=alert.sync, kind=alert.kind)

    def _call(self, address: str, alert: Alert) -> None:
        answer = self._egress.call(
            "POST",
            address,
            content=msgspec.json.encode({"type": "sync", **msgspec.structs.asdict(alert)}),
            headers={"Content-Type": "application/json"},
            seconds=limits.SYNC_ALERT_SECONDS_MAX,
        )
        if not 200 <= answer.status < 300:
            raise NoAnswer(f"answers {answer.status}")

    def _post(self, alert: Alert, emails: tuple[str, ...]) -> None:
        if self._mail is None:
            raise LookupError("no mail server is set")
        message = EmailMessage()
        message["Subject"] = alert.subject()
        message["From"] = self._mail.sender
        message["To"] = ", ".join(emails)
        message.set_content(f"{alert.subject()}.\n\n{alert.detail}\n\nRun {alert.run}, {alert.at}.\n")
        parts = urlsplit(self._mail.url)
        secure = ssl.create_default_context()
        host, timeout = parts.hostname or "localhost", limits.SYNC_ALERT_SECONDS_MAX
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
    log.error("alert.undelivered", way=way, sync=alert.sync, kind=alert.kind, error=error)
