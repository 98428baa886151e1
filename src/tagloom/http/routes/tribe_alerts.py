"""The routes of alerts of tribes."""

from tagloom.http import tribe_alerts
from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import CURSOR, LIMIT
from tagloom.http.framework.routing import Route
from tagloom.ports.problems import CursorInvalid, TribeAlertNotFound, TribeNotFound
from tagloom.words.problems import EmailInvalid, TribeNeedsContext
from tagloom.words.tribe_alerts import TribeAlert, TribeAlertSettings

TRIBE_ALERTS: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{E}/tribes/alerts",
        handler=tribe_alerts.list_alerts,
        group="Tribes",
        summary="List the alerts of tribes",
        scopes=("tribes:read",),
        parameters=(LIMIT, CURSOR),
        answer=tribe_alerts.TribeAlertsPage,
        problems=(CursorInvalid,),
    ),
    Route(
        method="GET",
        path=f"{E}/tribes/{{tribe}}/alert",
        handler=tribe_alerts.get_alert,
        group="Tribes",
        summary="Read the alert of a tribe, and whether it is firing",
        scopes=("tribes:read",),
        answer=TribeAlert,
        problems=(TribeNotFound, TribeAlertNotFound),
    ),
    Route(
        method="PUT",
        path=f"{E}/tribes/{{tribe}}/alert",
        handler=tribe_alerts.put_alert,
        group="Tribes",
        summary="Set the alert of a tribe",
        description="The alert fires if the size of the tribe has changed by more than `share_percent` since the "
        "beginning of the window. It fires once, until the size is inside again or the window has passed.",
        scopes=("tribes:write",),
        body=TribeAlertSettings,
        answer=TribeAlert,
        problems=(TribeNotFound, TribeNeedsContext, EmailInvalid),
    ),
    Route(
        method="DELETE",
        path=f"{E}/tribes/{{tribe}}/alert",
        handler=tribe_alerts.delete_alert,
        group="Tribes",
        summary="Delete the alert of a tribe",
        scopes=("tribes:write",),
        status=204,
        problems=(TribeAlertNotFound,),
    ),
)
