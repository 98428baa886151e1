"""The fields of a schedule and of alerts, which the forms of syncs and deliveries have."""

from tagloom.base.problems import Problem
from tagloom.words.runs import Alerts, Schedule


def shown_run_fields(schedule: Schedule | None, alerts: Alerts) -> dict[str, str]:
    """Returns the fields of a schedule and of alerts."""
    return {
        "cron": schedule.cron if schedule else "",
        "zone": schedule.zone if schedule else "UTC",
        "webhook": alerts.webhook or "",
        "emails": ", ".join(alerts.emails),
        "late_minutes": str(alerts.late_minutes),
    }


def schedule_of(cron: str, zone: str) -> Schedule | None:
    """Returns the schedule of the fields; None if there is no cron expression."""
    return Schedule(cron=cron, zone=zone or "UTC") if cron else None


def texts_of(typed: str) -> tuple[str, ...]:
    """Returns the texts of a field, which are separated by spaces, commas or semicolons."""
    return tuple(typed.replace(",", " ").replace(";", " ").split())


def whole_number_of(typed: str, field: str, refused: type[Problem]) -> int:
    """Returns the number in a field. Raises: `refused`: the text is no whole number, or has over nine digits."""
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 9):
        raise refused("Type a whole number.", field=f"$.{field}")
    return int(typed)
