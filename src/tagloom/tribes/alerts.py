"""The use cases of alerts of tribes: set, delete and read them."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from tagloom.accounts.audit_entries import environment_entry
from tagloom.alerts.sending import check_receivers
from tagloom.base.problems import BodyInvalid
from tagloom.base.times import rfc3339
from tagloom.ports.problems import TribeAlertNotFound
from tagloom.ports.tenants import TenantStore
from tagloom.ports.tribe_alerts import TribeAlertStore
from tagloom.tribes import limits
from tagloom.tribes.definitions import Tribes
from tagloom.words.accounts import AuditEntry
from tagloom.words.tenants import Environment
from tagloom.words.tribe_alerts import AlertStatus, TribeAlert, TribeAlertSettings


class AlertStores(TribeAlertStore, TenantStore, Protocol):
    """The stores that alerts of tribes need."""


class TribeAlerts:
    """The alerts of the tribes of all environments. `now` returns Unix seconds."""

    def __init__(self, control: AlertStores, tribes: Tribes, now: Callable[[], float] = time.time) -> None:
        self._control = control
        self._tribes = tribes
        self._now = now

    def list_alerts(self, environment: Environment) -> tuple[TribeAlert, ...]:
        """Returns the alerts of an environment, ordered by tribe."""
        return self._control.list_tribe_alerts(environment.key)

    def get_alert(self, environment: Environment, tribe: str) -> TribeAlert:
        """Returns the alert of a tribe. Raises: TribeNotFound, TribeAlertNotFound."""
        self._tribes.get_tribe(environment.space, tribe)
        return self._control.get_tribe_alert(environment.key, tribe)

    def find_alert(self, environment: Environment, tribe: str) -> TribeAlert | None:
        """Returns the alert of a tribe, or None if it has none here."""
        try:
            return self._control.get_tribe_alert(environment.key, tribe)
        except TribeAlertNotFound:
            return None

    def put_alert(self, environment: Environment, tribe: str, settings: TribeAlertSettings, *, by: str) -> TribeAlert:
        """Sets the alert of a tribe. It is quiet until its first check, which is due at once.

        Raises: TribeNotFound, TribeNeedsContext, BodyInvalid, EmailInvalid.
        """
        _check(settings)
        self._tribes.renew(environment.space)
        self._tribes.get_countable(environment.space, tribe)
        alert = TribeAlert(tribe=tribe, settings=settings)
        entry = self._entry(environment, by, "alert of a tribe set", tribe)
        self._control.put_tribe_alert(environment.key, alert, next_check_at=rfc3339(self._now()), audit=[entry])
        return alert

    def delete_alert(self, environment: Environment, tribe: str, *, by: str) -> None:
        """Deletes the alert of a tribe. Raises: TribeAlertNotFound."""
        entry = self._entry(environment, by, "alert of a tribe deleted", tribe)
        self._control.delete_tribe_alert(environment.key, tribe, [entry])

    def count_alerts(self) -> Mapping[AlertStatus, int]:
        """Returns how many alerts of all environments have each status."""
        return self._control.count_tribe_alerts()

    def _entry(self, environment: Environment, by: str, action: str, tribe: str) -> AuditEntry:
        at = rfc3339(self._now())
        return environment_entry(self._control, environment, at=at, by=by, action=action, subject=tribe)


def _check(settings: TribeAlertSettings) -> None:
    """Checks the settings of an alert. Raises: BodyInvalid, EmailInvalid."""
    for field, least, most in (
        ("share_percent", 1, limits.ALERT_SHARE_PERCENT_MAX),
        ("window_hours", 1, limits.ALERT_WINDOW_HOURS_MAX),
        ("people_min", 1, limits.ALERT_PEOPLE_MIN_MAX),
    ):
        if not least <= getattr(settings, field) <= most:
            raise BodyInvalid(f"{field} must lie between {least:,} and {most:,}.", field=f"$.{field}")
    if settings.direction == "down" and settings.share_percent >= 100:
        raise BodyInvalid("A tribe cannot lose more than 100 % of its members.", field="$.share_percent")
    check_receivers(settings, lambda says, field: BodyInvalid(says, field=f"$.{field}"))
