"""The words of syncs as frozen structs. Nothing here computes but the name of an owner.

What a sync reads is a closed union that grows by law: a kind's tag and fields are for ever, a new field comes last with
a default.
"""

from typing import Literal, TypeAlias

import msgspec

from tagloom.words.model import Mode

RunState = Literal["reading", "importing", "held", "done", "failed", "cancelled"]
RUN_STATES: tuple[RunState, ...] = ("reading", "importing", "held", "done", "failed", "cancelled")
OPEN: tuple[RunState, ...] = ("reading", "importing", "held")
Trigger = Literal["schedule", "call", "push"]


class SqlSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sql"):
    """The rows of a query. `secret` names what holds the SQLAlchemy URL; it is read when it is used, never stored.

    With `cursor` the query is asked for what is new: it says `:cursor`, which stands for the greatest value of that
    column in the rows read so far, and for `cursor_start` the first time. A whole number there is taken as its text.
    """

    secret: str
    query: str
    cursor: str | None = None
    cursor_start: str | int = ""


class FilesSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="files"):
    """The rows of all files that a glob matches, in order of their names; CSV, NDJSON or Parquet.

    It is relative to the folder that the server keeps for the organization.
    """

    glob: str


class PushSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="push"):
    """Records that come by themselves: from a Singer tap on standard input. `stream` is the one that is meant."""

    stream: str | None = None


class UrlSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="url"):
    """The rows of a file that is fetched from an address, or of all that its glob matches, in order of their names.

    `secret` names what opens the place. Without a format the files' names tell it.
    """

    url: str
    secret: str | None = None
    format: Literal["csv", "ndjson", "parquet"] | None = None


SyncSource: TypeAlias = SqlSource | FilesSource | PushSource | UrlSource


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When to run: `cron` is minute, hour, day of the month, month, day of the week, in the time of `zone`."""

    cron: str
    zone: str = "UTC"


class Alerts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told when a run fails, is held, or is `late_minutes` behind its schedule."""

    webhook: str | None = None
    emails: tuple[str, ...] = ()
    late_minutes: int = 60


class SyncDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants a sync to be.

    `mapping` names one that the space keeps; every tag of it lies at or below `prefix`. With `owns` that branch belongs
    to the source, and nobody else writes there; without, the two share it. A run that would take more than
    `share_removed_max` percent of what is below waits to be approved. With a `ttl` what it gives ends so long after the
    last run that gave it, with `expires_at` at that time, behind which a run fails; of the two, one.
    """

    source: SyncSource
    mapping: str
    prefix: str = ""
    mode: Mode = "mirror"
    schedule: Schedule | None = None
    share_removed_max: int = 20
    alerts: Alerts = Alerts()
    is_paused: bool = False
    owns: bool = True
    ttl: str = ""
    expires_at: str = ""


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """A sync of one environment. `revision` counts its saved forms from 1; times are RFC 3339 UTC.

    `cursor` is how far an incremental source has been applied; `next_run_at` when it runs by itself next.
    """

    id: str
    draft: SyncDraft
    revision: int = 1
    cursor: str | None = None
    next_run_at: str | None = None


def owner_name(sync: str) -> str:
    """How a branch says that it belongs to a sync."""
    return f"sync {sync}"


def sync_named(owner: str) -> str | None:
    """The sync that owns so, if one does.

    >>> sync_named(owner_name("crm")), sync_named("ada")
    ('crm', None)
    """
    before, _, sync = owner.partition("sync ")
    return sync if sync and not before else None


class SyncRun(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a source and the import that it became. Ids ascend; 0 before it is stored.

    `cursor` is how far the rows of this run reach. `told` are the alerts that went out. With
    `requires_approval` the run is held when its plan is ready, whatever the plan is.
    """

    sync: str
    trigger: Trigger
    by: str
    began_at: str
    state: RunState = "reading"
    id: int = 0
    ended_at: str | None = None
    rows: int = 0
    import_id: str | None = None
    cursor: str | None = None
    problem: str | None = None
    told: tuple[str, ...] = ()
    requires_approval: bool = False
