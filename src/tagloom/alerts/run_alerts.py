"""The alerts about runs of syncs and deliveries that failed, are held or are late."""

from typing import Literal, TypeAlias

import msgspec

from tagloom.alerts.sending import Alert

AlertKind: TypeAlias = Literal["failed", "held", "late"]

SAYS: dict[AlertKind, str] = {"failed": "failed", "held": "is held and waits for an approval", "late": "is late"}


class RunAlert(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert about a run says. It has no secret and no person.

    `type` tells whether the run is one of a sync or of a delivery, and `id` is the id of that sync or delivery.
    """

    type: Literal["sync", "delivery"]
    id: str
    kind: AlertKind
    space: str
    environment: str
    run: int
    at: str
    detail: str
    import_id: str | None = None

    def alert(self) -> Alert:
        """Returns the alert for a webhook and for e-mails. The JSON has the id in a field with the name of the type."""
        subject = f"Tagloom: the {self.type} '{self.id}' of {self.space}/{self.environment} {SAYS[self.kind]}"
        fields = msgspec.structs.asdict(self)
        if self.type == "delivery":
            del fields["import_id"]
        return Alert(
            subject=subject,
            text=f"{subject}.\n\n{self.detail}\n\nRun {self.run}, {self.at}.\n",
            fields={self.type if name == "id" else name: value for name, value in fields.items()},
            logged={self.type: self.id, "kind": self.kind},
        )
