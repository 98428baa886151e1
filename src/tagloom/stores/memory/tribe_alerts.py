"""The oracle's alerts of tribes, in plain dicts."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from tagloom.base.text import printable
from tagloom.ports.problems import TribeAlertNotFound
from tagloom.ports.tribe_alerts import DueAlert
from tagloom.stores.memory.accounts import MemoryRoster
from tagloom.words.accounts import AuditEntry
from tagloom.words.tribe_alerts import ALERT_STATUSES, AlertStatus, TribeAlert, TribeAlertState


class MemoryTribeAlerts(MemoryRoster):
    """A `TribeAlertStore` in memory, without any storage on the disk."""

    def __init__(self) -> None:
        super().__init__()
        # By the key of the environment and the tribe: the alert, and the time of its next check.
        self._alerts: dict[tuple[int, str], tuple[TribeAlert, str]] = {}

    def list_tribe_alerts(self, environment: int) -> tuple[TribeAlert, ...]:
        with self._lock:
            return tuple(self._alerts[key][0] for key in sorted(self._alerts) if key[0] == environment)

    def get_tribe_alert(self, environment: int, tribe: str) -> TribeAlert:
        with self._lock:
            if (environment, tribe) not in self._alerts:
                raise TribeAlertNotFound(f"The tribe '{printable(tribe)}' has no alert here.", value=printable(tribe))
            return self._alerts[environment, tribe][0]

    def put_tribe_alert(
        self, environment: int, alert: TribeAlert, *, next_check_at: str, audit: Sequence[AuditEntry] = ()
    ) -> None:
        with self._lock:
            self._alerts[environment, alert.tribe] = alert, next_check_at
            self._tell(audit)

    def delete_tribe_alert(self, environment: int, tribe: str, audit: Sequence[AuditEntry] = ()) -> None:
        with self._lock:
            self.get_tribe_alert(environment, tribe)
            del self._alerts[environment, tribe]
            self._tell(audit)

    def list_due_tribe_alerts(self, now: str, limit: int) -> tuple[DueAlert, ...]:
        with self._lock:
            due = sorted((at, *key) for key, (_, at) in self._alerts.items() if at <= now)
            return tuple(
                DueAlert(*self._place_of(environment), self._alerts[environment, tribe][0], at)
                for at, environment, tribe in due[:limit]
            )

    def take_tribe_alert(self, seen: DueAlert, next_check_at: str) -> DueAlert | None:
        with self._lock:
            key = self._find_unchanged(seen)
            if key is None:
                return None
            self._alerts[key] = seen.alert, next_check_at
            return seen._replace(next_check_at=next_check_at)

    def put_tribe_alert_state(self, seen: DueAlert, state: TribeAlertState) -> bool:
        with self._lock:
            key = self._find_unchanged(seen)
            if key is None:
                return False
            self._alerts[key] = replace(seen.alert, state=state), seen.next_check_at
            return True

    def count_tribe_alerts(self) -> Mapping[AlertStatus, int]:
        with self._lock:
            found = Counter(alert.state.status for alert, _ in self._alerts.values())
            return {status: found[status] for status in ALERT_STATUSES}

    def _delete_alerts_of_tribe(self, environments: Sequence[int], tribe: str) -> None:
        self._alerts = {
            key: each for key, each in self._alerts.items() if key[1] != tribe or key[0] not in environments
        }

    def _find_unchanged(self, seen: DueAlert) -> tuple[int, str] | None:
        """Returns the key of an alert, or None if it no longer is as it was seen."""
        for key, kept in self._alerts.items():
            if self._place_of(key[0]) == (seen.space, seen.environment) and key[1] == seen.alert.tribe:
                return key if kept == (seen.alert, seen.next_check_at) else None
        return None

    def _place_of(self, environment: int) -> tuple[str, str]:
        found = self._environment(environment)
        return found.space, found.name
