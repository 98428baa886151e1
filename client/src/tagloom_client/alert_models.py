"""The alerts of tribes, as the API returns them."""

from typing import Literal

import msgspec

AlertStatus = Literal["quiet", "firing"]
Direction = Literal["up", "down", "both"]


class TribeAlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When an alert of a tribe fires, and who is told.

    It fires if the size has changed by more than `share_percent` of the size `window_hours` ago, in the direction. A
    tribe that had and has fewer than `people_min` members stays quiet.
    """

    share_percent: int = 20
    direction: Direction = "both"
    window_hours: int = 24
    people_min: int = 100
    webhook: str | None = None
    emails: tuple[str, ...] = ()


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """The version that moved the size of a tribe most, by `moved` people. The other numbers count its taggings."""

    version: int
    action: str
    source: str
    added: int
    removed: int
    moved: int


class TribeAlertState(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the last check of an alert: the sizes before and after, or the `problem` that prevented it.

    While the alert is firing, `since` is when it fired, and the sizes are those of that moment.
    """

    status: AlertStatus = "quiet"
    checked_at: str | None = None
    since: str | None = None
    before: int | None = None
    after: int | None = None
    version: int | None = None
    cause: Cause | None = None
    problem: str | None = None


class TribeAlert(msgspec.Struct, frozen=True, kw_only=True):
    """The alert of a tribe in one environment."""

    tribe: str
    settings: TribeAlertSettings
    state: TribeAlertState
