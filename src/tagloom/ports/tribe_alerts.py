"""The port of alerts of tribes. `Control` includes this port.

If several processes find the same due alert, one of them checks it: `take_tribe_alert` changes the time of the next
check, and fails if another process already changed it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from tagloom.words.accounts import AuditEntry
from tagloom.words.tribe_alerts import AlertStatus, TribeAlert, TribeAlertState


class DueAlert(NamedTuple):
    """An alert whose check is due, with its environment. `next_check_at` is the time of the check."""

    space: str
    environment: str
    alert: TribeAlert
    next_check_at: str


class TribeAlertStore(Protocol):
    """The store of the alerts of all tribes. `environment` is the key of an environment.

    Deleting a tribe deletes its alerts in all environments.
    """

    def list_tribe_alerts(self, environment: int) -> tuple[TribeAlert, ...]:
        """Returns the alerts of an environment, ordered by tribe."""

    def get_tribe_alert(self, environment: int, tribe: str) -> TribeAlert:
        """Returns the alert of a tribe. Raises: TribeAlertNotFound."""

    def put_tribe_alert(
        self, environment: int, alert: TribeAlert, *, next_check_at: str, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """Creates or replaces the alert of a tribe, with the time of its next check."""

    def delete_tribe_alert(self, environment: int, tribe: str, audit: Sequence[AuditEntry] = ()) -> None:
        """Deletes the alert of a tribe. Raises: TribeAlertNotFound."""

    def list_due_tribe_alerts(self, now: str, limit: int) -> tuple[DueAlert, ...]:
        """Returns the alerts whose next check is at `now` or earlier, the earliest first."""

    def take_tribe_alert(self, seen: DueAlert, next_check_at: str) -> DueAlert | None:
        """Sets the time of the next check. Returns None if somebody changed the alert since `seen` was read."""

    def put_tribe_alert_state(self, seen: DueAlert, state: TribeAlertState) -> bool:
        """Replaces the state of an alert. Returns False if somebody changed the alert since `seen` was taken."""

    def count_tribe_alerts(self) -> Mapping[AlertStatus, int]:
        """Returns how many alerts of all environments have each status."""
