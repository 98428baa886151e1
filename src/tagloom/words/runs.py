"""What syncs and deliveries have in common: schedules, alerts, and what begins a run."""

from typing import Literal

import msgspec

Trigger = Literal["schedule", "call", "push"]


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The times of runs. `cron` has minute, hour, day of the month, month and day of the week, in the zone `zone`."""

    cron: str
    zone: str = "UTC"


class Alerts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The webhook and the e-mails to which alerts are sent.

    An alert is sent if a run fails, if it is held, or if it has not ended after `late_minutes`.
    """

    webhook: str | None = None
    emails: tuple[str, ...] = ()
    late_minutes: int = 60
