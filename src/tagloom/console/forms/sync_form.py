"""Converts between the draft of a sync and the fields of a form. A time that nobody edited stays the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TypeAlias, assert_never

import msgspec

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.console.forms.run_fields import schedule_of, shown_run_fields, texts_of, whole_number_of
from tagloom.console.forms.times import read_moment
from tagloom.egress.problems import SourceUnreadable
from tagloom.ports.problems import MappingNotFound, SyncExists
from tagloom.syncs.problems import SyncInvalid
from tagloom.syncs.sources import TooManyBeginnings
from tagloom.words.expiry import ExpiryInvalid, ExpiryPast
from tagloom.words.periods import StartInvalid
from tagloom.words.problems import EmailInvalid, MappingInvalid, TagOwned, TagProblem
from tagloom.words.receipts import Mode
from tagloom.words.runs import Alerts
from tagloom.words.source_addresses import AddressRefused, ExtraMissing
from tagloom.words.syncs import FilesSource, PushSource, SqlSource, SyncDraft, SyncSource, UrlSource

SourceKind: TypeAlias = Literal["sql", "files", "url", "push"]
SOURCE_KINDS: dict[SourceKind, str] = {
    "sql": "Database",
    "files": "Files",
    "url": "Address",
    "push": "Pushed",
}
SYNC_MODES: dict[Mode, str] = {
    "mirror": "Mirror: make the branch equal to the source",
    "set": "Set: each person gets exactly these tags",
    "add": "Add these tags",
    "remove": "Remove these tags",
}
PLACES: dict[type[Problem], str] = {
    SyncExists: "id",
    TagProblem: "mirror_prefix",
    TagOwned: "mirror_prefix",
    EmailInvalid: "emails",
    ExpiryPast: "expires_at",
    ExpiryInvalid: "ttl",
    StartInvalid: "starts_at",
    MappingNotFound: "mapping",
    MappingInvalid: "columns",
    SourceUnreadable: "source",
    TooManyBeginnings: "source",
    AddressRefused: "source",
    ExtraMissing: "source",
}


class DraftFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a draft. Of the source only the fields of its kind count."""

    kind: str = "sql"
    secret: str = ""
    query: str = ""
    cursor: str = ""
    cursor_start: str = ""
    glob: str = ""
    url: str = ""
    url_secret: str = ""
    format: str = ""
    stream: str = ""
    mapping: str = ""
    mirror_prefix: str = ""
    owns: str = ""
    mode: str = "mirror"
    cron: str = ""
    zone: str = "UTC"
    share_removed_max: str = "20"
    webhook: str = ""
    emails: str = ""
    late_minutes: str = "60"
    ttl: str = ""
    expires_at: str = ""
    starts_at: str = ""


def shown_draft(draft: SyncDraft) -> DraftFields:
    """Returns the fields of a draft."""
    return DraftFields(
        **_shown_source(draft.source),
        **shown_run_fields(draft.schedule, draft.alerts),
        mapping=draft.mapping,
        mirror_prefix=draft.prefix,
        owns="yes" if draft.owns else "",
        mode=draft.mode,
        share_removed_max=str(draft.share_removed_max),
        ttl=draft.ttl,
        expires_at=_shown_time(draft.expires_at),
        starts_at=_shown_time(draft.starts_at),
    )


def _shown_source(source: SyncSource) -> dict[str, str]:
    match source:
        case SqlSource():
            return {
                "kind": "sql",
                "secret": source.secret,
                "query": source.query,
                "cursor": source.cursor or "",
                "cursor_start": str(source.cursor_start),
            }
        case FilesSource():
            return {"kind": "files", "glob": source.glob}
        case UrlSource():
            return {
                "kind": "url",
                "url": source.url,
                "url_secret": source.secret or "",
                "format": source.format or "",
            }
        case PushSource():
            return {"kind": "push", "stream": source.stream or ""}
        case _:
            assert_never(source)


def _shown_time(stored: str) -> str:
    """Returns a time for a field of the form, in UTC without a zone; empty for none."""
    return datetime.fromisoformat(stored).astimezone(UTC).strftime("%Y-%m-%dT%H:%M") if stored else ""


def read_draft(text: Callable[[str], str]) -> DraftFields:
    """Reads the fields as they were typed."""
    typed = {name: text(name).strip() for name in DraftFields.__struct_fields__}
    return DraftFields(**typed | {name: read_moment(typed[name]) for name in ("starts_at", "expires_at")})


def source_of(fields: DraftFields) -> SyncSource:
    """Returns the source of the fields. Raises: ParameterInvalid: the kind is unknown."""
    match fields.kind:
        case "sql":
            return SqlSource(
                secret=fields.secret,
                query=fields.query,
                cursor=fields.cursor or None,
                cursor_start=fields.cursor_start,
            )
        case "files":
            return FilesSource(glob=fields.glob)
        case "url":
            found = next((each for each in ("csv", "ndjson", "parquet") if each == fields.format), None)
            return UrlSource(url=fields.url, secret=fields.url_secret or None, format=found)
        case "push":
            return PushSource(stream=fields.stream or None)
        case _:
            raise ParameterInvalid("The source has an unknown kind.", parameter="kind")


def draft_of(fields: DraftFields, mapping: str, base: SyncDraft | None) -> SyncDraft:
    """Returns the draft of the fields. `is_paused` comes from `base`. Raises: ParameterInvalid, SyncInvalid."""
    mode: Mode | None = next((each for each in SYNC_MODES if each == fields.mode), None)
    if mode is None:
        raise ParameterInvalid(f"The mode must be one of {', '.join(SYNC_MODES)}.", parameter="mode")
    return SyncDraft(
        source=source_of(fields),
        mapping=mapping,
        prefix=fields.mirror_prefix,
        mode=mode,
        schedule=schedule_of(fields.cron, fields.zone),
        share_removed_max=whole_number_of(fields.share_removed_max, "share_removed_max", SyncInvalid),
        alerts=Alerts(
            webhook=fields.webhook or None,
            emails=texts_of(fields.emails),
            late_minutes=whole_number_of(fields.late_minutes, "late_minutes", SyncInvalid),
        ),
        is_paused=base is not None and base.is_paused,
        owns=fields.owns == "yes",
        ttl=fields.ttl,
        expires_at=_time(fields.expires_at, "" if base is None else base.expires_at),
        starts_at=_time(fields.starts_at, "" if base is None else base.starts_at),
    )


def _time(typed: str, stored: str) -> str:
    if typed == _shown_time(stored):
        return stored
    return f"{typed}Z" if typed else ""


def place_of(problem: Problem, fields: DraftFields) -> str:
    """Returns the field of the form that a problem is about; empty for the whole form."""
    field = problem.members.get("field")
    if isinstance(field, str):
        name = field.rpartition(".")[2]
        return "url_secret" if name == "secret" and fields.kind == "url" else name
    return next((place for kind, place in PLACES.items() if isinstance(problem, kind)), "")
