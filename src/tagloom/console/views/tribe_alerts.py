"""The alert of a tribe: its form, and what a firing alert says."""

from typing import Any, get_args

import msgspec

from tagloom.base.problems import ParameterInvalid
from tagloom.console.framework.context import Answer, PageRequest, Redirect, Toast
from tagloom.words.tribe_alerts import Direction, TribeAlertSettings, alert_text, described_window
from tagloom.words.tribes import Tribe

WINDOWS = (1, 6, 12, 24, 48, 168, 720)
DIRECTIONS: dict[Direction, str] = {"both": "more or less", "up": "more", "down": "less"}


class Notice(msgspec.Struct, frozen=True):
    """What a firing alert says about a tribe."""

    tribe: str
    text: str
    since: str
    version: int | None


def alert_context(request: PageRequest, tribe: Tribe) -> dict[str, Any]:
    """Returns the values of the alert of a tribe. A new tribe has none."""
    found = request.services.tribe_alerts.find_alert(request.environment, tribe.id) if tribe.id else None
    settings = TribeAlertSettings() if found is None else found.settings
    return {
        "alert": found,
        "alert_settings": settings,
        "alert_text": alert_text(tribe.name, settings, found.state) if found and found.state.since else None,
        "alert_directions": DIRECTIONS,
        "alert_windows": {hours: described_window(hours) for hours in sorted({*WINDOWS, settings.window_hours})},
    }


def list_notices(request: PageRequest) -> list[Notice]:
    """Returns what the firing alerts of the environment say, ordered by tribe."""
    names = {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)}
    return [
        Notice(
            each.tribe,
            alert_text(names[each.tribe], each.settings, each.state),
            each.state.since,
            None if each.state.cause is None else each.state.cause.version,
        )
        for each in request.services.tribe_alerts.list_alerts(request.environment)
        if each.state.since is not None and each.tribe in names
    ]


def put_alert(request: PageRequest) -> Answer:
    """Sets the alert of a tribe."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    direction = next((each for each in get_args(Direction) if each == request.text("direction")), None)
    if direction is None:
        raise ParameterInvalid("The direction must be up, down or both.", parameter="direction")
    settings = TribeAlertSettings(
        share_percent=request.integer("share_percent"),
        direction=direction,
        window_hours=request.integer("window_hours"),
        people_min=request.integer("people_min"),
        webhook=request.text("webhook").strip() or None,
        emails=tuple(request.text("emails").replace(",", " ").split()),
    )
    request.services.tribe_alerts.put_alert(request.environment, tribe.id, settings, by=request.signed.actor)
    return Redirect(request.to(f"tribe/{tribe.id}"), Toast(f"The alert of “{tribe.name}” was set."))


def delete_alert(request: PageRequest) -> Answer:
    """Deletes the alert of a tribe."""
    tribe = request.services.tribes.get_tribe(request.space.id, request.values["tribe"])
    request.services.tribe_alerts.delete_alert(request.environment, tribe.id, by=request.signed.actor)
    return Redirect(request.to(f"tribe/{tribe.id}"), Toast(f"The alert of “{tribe.name}” was deleted."))
