"""Tells of runs that failed, are held or are late: a webhook and e-mail, each tried once."""

import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit

import httpx
import msgspec
import structlog

from tagloom import limits
from tagloom.emails import MailServer
from tagloom.syncs import Alerts

log = structlog.get_logger("tagloom.syncs")

AlertKind: TypeAlias = Literal["failed", "held", "late"]
CheckAddress = Callable[[str], None]
"""Raises a Problem for an address that the server may not call."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a run, in words for people and fields for programs. It holds no secret and no person."""

    kind: AlertKind
    space: str
    environment: str
    sync: str
    run: int
    at: str
    detail: str
    import_id: str | None = None

    def subject(self) -> str:
        """One line."""
        return f"Tagloom: the sync '{self.sync}' of {self.space}/{self.environment} {SAYS[self.kind]}"


SAYS: dict[AlertKind, str] = {"failed": "failed", "held": "is held and waits for an approval", "late": "is late"}


class Alerting:
    """Sends alerts. What cannot be delivered is told in the log, and nothing else waits for it."""

    def __init__(self, mail: MailServer | None, check_address: CheckAddress) -> None:
        self._mail = mail
        self._check_address = check_address

    def send(self, alert: Alert, to: Alerts) -> None:
        """Calls the webhook with the alert as JSON, and mails everybody. Takes twenty seconds at most."""
        if to.webhook is not None:
            self._deliver("webhook", alert, lambda: self._call(to.webhook or "", alert))
        if to.emails:
            self._deliver("e-mail", alert, lambda: self._post(alert, to.emails))

    def _deliver(self, way: str, alert: Alert, send: Callable[[], None]) -> None:
        try:
            send()
        except Exception as error:
            # Whatever a server far away does, the sync itself goes on; who runs Tagloom reads it here.
            log.error("alert.undelivered", way=way, sync=alert.sync, kind=alert.kind, error=type(error).__name__)
        else:
            log.info("alert.delivered", way=way, sync=alert.sync, kind=alert.kind)

    def _call(self, address: str, alert: Alert) -> None:
        self._check_address(address)
        answer = httpx.post(
            address,
            content=msgspec.json.encode({"type": "sync", **msgspec.structs.asdict(alert)}),
            headers={"Content-Type": "application/json"},
            timeout=limits.SYNC_ALERT_SECONDS_MAX,
        )
        answer.raise_for_status()

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
