"""The requests about alerts of tribes."""

from collections.abc import Sequence

from tagloom_client.alert_models import Direction, TribeAlert
from tagloom_client.asking import Ask, Place, check, json_body, query_of, reading, segment, without_none
from tagloom_client.models import Page


def list_tribe_alerts(place: Place, *, limit: int | None = None) -> Ask[Page[TribeAlert]]:
    """Lists the alerts of the environment, ordered by tribe."""
    path = f"{place.address}/tribes/alerts"
    return Ask("GET", path, reading(Page[TribeAlert]), query=query_of(limit=limit))


def get_tribe_alert(place: Place, tribe: str) -> Ask[TribeAlert]:
    """Returns the alert of a tribe with its state."""
    return Ask("GET", _alert(place, tribe), reading(TribeAlert))


def put_tribe_alert(
    place: Place,
    tribe: str,
    *,
    share_percent: int = 20,
    direction: Direction = "both",
    window_hours: int = 24,
    people_min: int = 100,
    webhook: str | None = None,
    emails: Sequence[str] = (),
) -> Ask[TribeAlert]:
    """Sets the alert of a tribe: it fires if the size moves by more than a share within the window.

    A tribe that had and has fewer than `people_min` members stays quiet.
    """
    body = without_none(
        share_percent=share_percent,
        direction=direction,
        window_hours=window_hours,
        people_min=people_min,
        webhook=webhook,
        emails=list(emails),
    )
    return Ask("PUT", _alert(place, tribe), reading(TribeAlert), body=json_body(body))


def delete_tribe_alert(place: Place, tribe: str) -> Ask[None]:
    """Deletes the alert of a tribe."""
    return Ask("DELETE", _alert(place, tribe), check, is_repeatable=False)


def _alert(place: Place, tribe: str) -> str:
    return f"{place.address}/tribes/{segment(tribe)}/alert"
