"""The alerts about runs that failed, are held or are late."""

from typing import Literal, TypeAlias

import msgspec

from tagloom.alerts.sending import Alert

AlertKind: TypeAlias = Literal["failed", "held", "late"]

SAYS: dict[AlertKind, str] = {"failed": "failed", "held": "is held and waits for an approval", "late": "is late"}


class RunAlert(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert about a run says. It has no secret and no person. A webhook gets these fields as JSON."""

    kind: AlertKind
    space: str
    environment: str
    sync: str
    run: int
    at: str
    detail: str
    import_id: str | None = None

    def alert(self) -> Alert:
        """Returns the alert for a webhook and for e-mails."""
        subject = f"Tagloom: the sync '{self.sync}' of {self.space}/{self.environment} {SAYS[self.kind]}"
        return Alert(
            subject=subject,
            text=f"{subject}.\n\n{self.detail}\n\nRun {self.run}, {self.at}.\n",
            fields={"type": "sync", **msgspec.structs.asdict(self)},
            logged={"sync": self.sync, "kind": self.kind},
        )
