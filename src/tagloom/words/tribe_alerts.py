"""Alerts of tribes: when the size of a tribe has moved too far, and the text that says so."""

from typing import Literal

import msgspec

from tagloom.base.text import plural
from tagloom.words.changes import Version

Direction = Literal["up", "down", "both"]
AlertStatus = Literal["quiet", "firing"]
ALERT_STATUSES: tuple[AlertStatus, ...] = ("quiet", "firing")
HOURS_PER_DAY = 24


class TribeAlertSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    """The version that moved the size of a tribe most: by `moved` people, which is negative if they left.

    `added` and `removed` count all taggings of the version.
    """

    version: Version
    action: str
    source: str
    added: int
    removed: int
    moved: int


class TribeAlertState(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the last check of an alert. `checked_at` is None before the first check.

    The tribe had `before` members when the window began, and `after` members at `version`. If they could not be
    compared, `problem` says why, and both are None. While the alert is firing, `since` is when it fired, and `before`,
    `after`, `version` and `cause` are those of that moment.
    """

    status: AlertStatus = "quiet"
    checked_at: str | None = None
    since: str | None = None
    before: int | None = None
    after: int | None = None
    version: Version | None = None
    cause: Cause | None = None
    problem: str | None = None


class TribeAlert(msgspec.Struct, frozen=True, kw_only=True):
    """The alert of a tribe in one environment."""

    tribe: str
    settings: TribeAlertSettings
    state: TribeAlertState = TribeAlertState()


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """The size of a tribe at the beginning of the window and at `version`."""

    before: int
    after: int
    version: Version


def is_outside(settings: TribeAlertSettings, before: int, after: int) -> bool:
    """Returns whether a size has moved by more than the share, in the direction of the alert.

    >>> settings = TribeAlertSettings(share_percent=20, people_min=10)
    >>> is_outside(settings, 100, 80), is_outside(settings, 100, 79), is_outside(settings, 5, 9)
    (False, True, False)
    """
    if max(before, after) < settings.people_min or before == after:
        return False
    if settings.direction not in ("both", "up" if after > before else "down"):
        return False
    return abs(after - before) * 100 > settings.share_percent * before


def checked(
    settings: TribeAlertSettings, state: TribeAlertState, seen: Sizes, *, at: str, has_passed: bool
) -> tuple[TribeAlertState, bool]:
    """Returns the state after a check, and whether the alert fires now.

    `has_passed` is whether the window has passed since the alert fired. A firing alert does not fire again until the
    size is inside again, or until the window has passed.
    """
    if not is_outside(settings, seen.before, seen.after):
        quiet = TribeAlertState(checked_at=at, before=seen.before, after=seen.after, version=seen.version)
        return quiet, False
    if state.status == "firing" and not has_passed:
        return msgspec.structs.replace(state, checked_at=at, problem=None), False
    firing = TribeAlertState(
        status="firing", checked_at=at, since=at, before=seen.before, after=seen.after, version=seen.version
    )
    return firing, True


def unchecked(state: TribeAlertState, problem: str, *, at: str, has_passed: bool) -> TribeAlertState:
    """Returns the state after a check that could not compare the sizes.

    A firing alert goes on until its window has passed.
    """
    if state.status == "firing" and not has_passed:
        return msgspec.structs.replace(state, checked_at=at, problem=problem)
    return TribeAlertState(checked_at=at, problem=problem)


def described_window(hours: int) -> str:
    """Returns a window in words.

    >>> described_window(1), described_window(24), described_window(168)
    ('1 hour', '24 hours', '7 days')
    """
    if hours > HOURS_PER_DAY and hours % HOURS_PER_DAY == 0:
        return plural(hours // HOURS_PER_DAY, "day")
    return plural(hours, "hour")


def alert_text(name: str, settings: TribeAlertSettings, state: TribeAlertState) -> str:
    """Returns what a firing alert says.

    >>> alert_text("gold", TribeAlertSettings(), TribeAlertState(status="firing", before=1_942, after=1_204))
    "Tribe 'gold' has 1,204 members, 38 % less than 24 hours ago (1,942)."
    """
    before, after = state.before or 0, state.after or 0
    window = described_window(settings.window_hours)
    if before:
        percent = round(100 * abs(after - before) / before)
        moved = f"{percent:,} % {'more' if after > before else 'less'} than {window} ago ({before:,})"
    else:
        moved = f"and had none {window} ago"
    return f"Tribe '{name}' has {plural(after, 'member')}, {moved}.{_cause_text(state.cause)}"


def _cause_text(cause: Cause | None) -> str:
    if cause is None:
        return ""
    parts = [f"{cause.action} {cause.source}".strip()]
    parts += [f"added {cause.added:,}"] if cause.added else []
    parts += [f"removed {cause.removed:,}"] if cause.removed else []
    return f" Version {cause.version} ({', '.join(parts)}) moved most."
