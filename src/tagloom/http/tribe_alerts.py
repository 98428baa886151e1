"""Alerts of tribes."""

import msgspec

from tagloom.http.framework.bodies import read_json
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.paging import page_of
from tagloom.words.tribe_alerts import TribeAlert, TribeAlertSettings


class TribeAlertsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of alerts of tribes, ordered by tribe."""

    items: tuple[TribeAlert, ...]
    next_cursor: str | None = None


async def list_alerts(call: Call) -> Answer:
    """Returns a page of the alerts of the environment."""
    environment, alerts = call.environment, call.services.tribe_alerts
    found = await call.in_thread(lambda: alerts.list_alerts(environment))
    items, next_cursor = page_of(call, found, lambda alert: alert.tribe)
    return Answer(TribeAlertsPage(items=items, next_cursor=next_cursor))


async def get_alert(call: Call) -> Answer:
    """Returns the alert of a tribe with its state."""
    environment, tribe, alerts = call.environment, call.values["tribe"], call.services.tribe_alerts
    return Answer(await call.in_thread(lambda: alerts.get_alert(environment, tribe)))


async def put_alert(call: Call) -> Answer:
    """Sets the alert of a tribe."""
    environment, tribe, by = call.environment, call.values["tribe"], call.principal.name
    settings = await read_json(call, TribeAlertSettings)
    alerts = call.services.tribe_alerts
    return Answer(await call.in_thread(lambda: alerts.put_alert(environment, tribe, settings, by=by)))


async def delete_alert(call: Call) -> Answer:
    """Deletes the alert of a tribe."""
    environment, tribe, by = call.environment, call.values["tribe"], call.principal.name
    await call.in_thread(lambda: call.services.tribe_alerts.delete_alert(environment, tribe, by=by))
    return Answer(None, status=204)
