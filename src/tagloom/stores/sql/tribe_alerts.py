"""Alerts of tribes in SQL."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sql

from tagloom.base.text import printable
from tagloom.ports.problems import TribeAlertNotFound
from tagloom.ports.tribe_alerts import DueAlert
from tagloom.stores import schema
from tagloom.stores.sql.transactions import SqlConnecting
from tagloom.words.accounts import AuditEntry
from tagloom.words.tribe_alerts import (
    ALERT_STATUSES,
    AlertStatus,
    TribeAlert,
    TribeAlertSettings,
    TribeAlertState,
)

_ALERT = schema.tribe_alert
_COLUMNS = (_ALERT.c.tribe, _ALERT.c.settings, _ALERT.c.state)


class SqlTribeAlerts(SqlConnecting):
    """Implements `tagloom.ports.tribe_alerts.TribeAlertStore`."""

    def list_tribe_alerts(self, environment: int) -> tuple[TribeAlert, ...]:
        """See the port."""
        found = self._run(sql.select(*_COLUMNS).where(_ALERT.c.environment == environment).order_by(_ALERT.c.tribe))
        return tuple(_alert(*each) for each in found)

    def get_tribe_alert(self, environment: int, tribe: str) -> TribeAlert:
        """See the port."""
        found = self._run(sql.select(*_COLUMNS).where(*_is(environment, tribe)))
        if not found:
            raise _not_found(tribe)
        return _alert(*found[0])

    def put_tribe_alert(
        self, environment: int, alert: TribeAlert, *, next_check_at: str, audit: Sequence[AuditEntry] = ()
    ) -> None:
        """See the port."""
        values = {**_values(alert), "next_check_at": next_check_at}
        with self._writing(audit) as connection:
            changing = sql.update(_ALERT).where(*_is(environment, alert.tribe)).values(values)
            if connection.execute(changing).rowcount == 0:
                connection.execute(sql.insert(_ALERT).values(environment=environment, tribe=alert.tribe, **values))

    def delete_tribe_alert(self, environment: int, tribe: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        with self._writing(audit) as connection:
            if not connection.execute(sql.delete(_ALERT).where(*_is(environment, tribe))).rowcount:
                raise _not_found(tribe)

    def list_due_tribe_alerts(self, now: str, limit: int) -> tuple[DueAlert, ...]:
        """See the port."""
        place = schema.environment
        found = self._run(
            sql.select(place.c.space, place.c.name, _ALERT.c.next_check_at, *_COLUMNS)
            .join(place, place.c.key == _ALERT.c.environment)
            .where(_ALERT.c.next_check_at <= now)
            .order_by(_ALERT.c.next_check_at, _ALERT.c.environment, _ALERT.c.tribe)
            .limit(limit)
        )
        return tuple(DueAlert(space, name, _alert(*columns), at) for space, name, at, *columns in found)

    def take_tribe_alert(self, seen: DueAlert, next_check_at: str) -> DueAlert | None:
        """See the port."""
        taken = self._run(_unchanged(seen).values(next_check_at=next_check_at))[0]
        return seen._replace(next_check_at=next_check_at) if taken else None

    def put_tribe_alert_state(self, seen: DueAlert, state: TribeAlertState) -> bool:
        """See the port."""
        values = _values(msgspec.structs.replace(seen.alert, state=state))
        return bool(self._run(_unchanged(seen).values(values))[0])

    def count_tribe_alerts(self) -> Mapping[AlertStatus, int]:
        """See the port."""
        found = dict(
            tuple(each) for each in self._run(sql.select(_ALERT.c.status, sql.func.count()).group_by(_ALERT.c.status))
        )
        return {status: found.get(status, 0) for status in ALERT_STATUSES}


def delete_alerts_of_tribe(connection: sql.Connection, space: str, tribe: str) -> None:
    """Deletes the alerts of a tribe in all environments of its space, in the transaction that deletes the tribe."""
    place = schema.environment
    keys = sql.select(place.c.key).where(place.c.space == space)
    connection.execute(sql.delete(_ALERT).where(_ALERT.c.tribe == tribe, _ALERT.c.environment.in_(keys)))


def _is(environment: int, tribe: str) -> tuple[sql.ColumnElement[bool], sql.ColumnElement[bool]]:
    return _ALERT.c.environment == environment, _ALERT.c.tribe == tribe


def _unchanged(seen: DueAlert) -> sql.Update:
    """Returns an update of an alert, if it still is as it was seen."""
    place, values = schema.environment, _values(seen.alert)
    key = sql.select(place.c.key).where(place.c.space == seen.space, place.c.name == seen.environment)
    return sql.update(_ALERT).where(
        _ALERT.c.environment == key.scalar_subquery(),
        _ALERT.c.tribe == seen.alert.tribe,
        _ALERT.c.next_check_at == seen.next_check_at,
        _ALERT.c.settings == values["settings"],
        _ALERT.c.state == values["state"],
    )


def _not_found(tribe: str) -> TribeAlertNotFound:
    return TribeAlertNotFound(f"The tribe '{printable(tribe)}' has no alert here.", value=printable(tribe))


def _values(alert: TribeAlert) -> dict[str, Any]:
    return {
        "settings": msgspec.json.encode(alert.settings).decode(),
        "state": msgspec.json.encode(alert.state).decode(),
        "status": alert.state.status,
    }


def _alert(tribe: str, settings: str, state: str) -> TribeAlert:
    return TribeAlert(
        tribe=tribe,
        settings=msgspec.json.decode(settings, type=TribeAlertSettings),
        state=msgspec.json.decode(state, type=TribeAlertState),
    )
