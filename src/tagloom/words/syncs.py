"""The values of syncs as immutable structs.

The source of a sync is a closed union that may only grow: the tag and the fields of a kind never change, and a new
field comes last with a default.
"""

from typing import Literal, TypeAlias

import msgspec

from tagloom.words.receipts import Mode
from tagloom.words.runs import Alerts, Schedule, Trigger

RunState = Literal["reading", "importing", "held", "done", "failed", "cancelled"]
RUN_STATES: tuple[RunState, ...] = ("reading", "importing", "held", "done", "failed", "cancelled")
OPEN: tuple[RunState, ...] = ("reading", "importing", "held")


class SqlSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="sql"):
    """The rows of a query. `secret` is the name of the secret with the SQLAlchemy URL, which is never stored.

    `cursor` is the name of a column. With it, the query reads only new rows: its parameter `:cursor` is the greatest
    value of this column in the rows that were read so far. The first time, the parameter is `cursor_start`. A whole
    number as `cursor_start` becomes its text.
    """

    secret: str
    query: str
    cursor: str | None = None
    cursor_start: str | int = ""


class FilesSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="files"):
    """The rows of all files that a glob matches, in the order of their names. The files are CSV, NDJSON or Parquet.

    The glob is relative to the organization's folder on the server.
    """

    glob: str


class PushSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="push"):
    """Records that a Singer tap sends on standard input. `stream` selects one of its streams."""

    stream: str | None = None


class UrlSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="url"):
    """The rows of a file that is fetched from an address, or of all files of its glob in order of their names.

    `secret` is the name of the secret with the credentials. Without a format, the names of the files decide.
    """

    url: str
    secret: str | None = None
    format: Literal["csv", "ndjson", "parquet"] | None = None


SyncSource: TypeAlias = SqlSource | FilesSource | PushSource | UrlSource


class SyncDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The definition of a sync.

    `mapping` is the name of a saved mapping of the space. All its tags are at or below `prefix`. With `owns`, only the
    sync can write to that branch. A run that would remove more than `share_removed_max` percent of the taggings there
    waits for approval. With a `ttl`, a tagging expires this long after the last run that added it. With `expires_at`, a
    tagging expires at that time, and later runs fail. Only one of `ttl` and `expires_at` can be set. With `starts_at`,
    runs before that time schedule the taggings.
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
    starts_at: str = ""


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """A sync of one environment. `revision` counts its saves from 1. Times are RFC 3339 UTC.

    `cursor` is how far an incremental source has been applied. `next_run_at` is the time of the next scheduled run.
    """

    id: str
    draft: SyncDraft
    revision: int = 1
    cursor: str | None = None
    next_run_at: str | None = None


def owner_name(sync: str) -> str:
    """Returns the name that a sync has as the owner of its branch."""
    return f"sync {sync}"


def sync_named(owner: str) -> str | None:
    """Returns the id of the sync with this owner name, or None if the owner is not a sync.

    >>> sync_named(owner_name("crm")), sync_named("ada")
    ('crm', None)
    """
    before, _, sync = owner.partition("sync ")
    return sync if sync and not before else None


class SyncRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a sync: the source is read, and an import applies the rows. Ids ascend; the id of a new run is 0.

    `cursor` is the cursor after the rows of this run. `alerts_sent` has the alerts that must not be sent again. With
    `requires_approval`, the run is held when its plan is ready.
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
    alerts_sent: tuple[str, ...] = ()
    requires_approval: bool = False
