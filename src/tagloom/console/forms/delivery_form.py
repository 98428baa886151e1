"""Converts between the draft of a delivery and the fields of a form."""

from collections.abc import Callable

import msgspec

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.console.forms.run_fields import schedule_of, shown_run_fields, texts_of, whole_number_of
from tagloom.deliveries.problems import DeliveryInvalid
from tagloom.ports.problems import DeliveryExists, TribeNotFound
from tagloom.words.deliveries import DeliveryDraft, DeliveryFormat, PartCompression
from tagloom.words.problems import EmailInvalid, TribeNeedsContext
from tagloom.words.runs import Alerts
from tagloom.words.source_addresses import ExtraMissing

PLACES: dict[type[Problem], str] = {
    DeliveryExists: "id",
    EmailInvalid: "emails",
    TribeNotFound: "tribe",
    TribeNeedsContext: "tribe",
    ExtraMissing: "url",
}


class DeliveryFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a draft as they were typed. `history` counts for a new delivery only."""

    url: str = ""
    secret: str = ""
    format: str = "parquet"
    compression: str = "none"
    events: str = ""
    tribe: str = ""
    history: str = ""
    cron: str = ""
    zone: str = "UTC"
    webhook: str = ""
    emails: str = ""
    late_minutes: str = "60"


def shown_fields(draft: DeliveryDraft) -> DeliveryFields:
    """Returns the fields of a draft."""
    return DeliveryFields(
        url=draft.url,
        secret=draft.secret or "",
        format=draft.format,
        compression=draft.compression,
        events=", ".join(draft.events),
        tribe=draft.tribe or "",
        **shown_run_fields(draft.schedule, draft.alerts),
    )


def read_fields(text: Callable[[str], str]) -> DeliveryFields:
    """Reads the fields as they were typed."""
    return DeliveryFields(**{name: text(name).strip() for name in DeliveryFields.__struct_fields__})


def draft_of(fields: DeliveryFields, *, is_paused: bool) -> DeliveryDraft:
    """Returns the draft of the fields. Raises: ParameterInvalid, DeliveryInvalid."""
    try:
        format: DeliveryFormat = msgspec.convert(fields.format, DeliveryFormat)
        compression: PartCompression = msgspec.convert(fields.compression, PartCompression)
    except msgspec.ValidationError as error:
        raise ParameterInvalid("The format or the compression is unknown.", parameter="format") from error
    return DeliveryDraft(
        url=fields.url,
        secret=fields.secret or None,
        format=format,
        compression=compression,
        events=texts_of(fields.events),
        tribe=fields.tribe or None,
        schedule=schedule_of(fields.cron, fields.zone),
        alerts=Alerts(
            webhook=fields.webhook or None,
            emails=texts_of(fields.emails),
            late_minutes=whole_number_of(fields.late_minutes, "alerts.late_minutes", DeliveryInvalid),
        ),
        is_paused=is_paused,
    )


def place_of(problem: Problem) -> str:
    """Returns the field of the form that a problem is about; empty for the whole form."""
    field = problem.members.get("field") or problem.members.get("parameter")
    if isinstance(field, str):
        return field.rpartition(".")[2]
    return next((place for kind, place in PLACES.items() if isinstance(problem, kind)), "")
