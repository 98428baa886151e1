"""The ports of imports and mappings. `Control` includes these ports."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from tagloom.ports import limits
from tagloom.words.changes import Version
from tagloom.words.mappings import Mapping
from tagloom.words.receipts import Mode, Preview
from tagloom.words.source_addresses import Remote

ImportState: TypeAlias = Literal[
    "fetching", "waiting", "planning", "planned", "held", "running", "paused", "cancelled", "done", "failed"
]
IMPORT_STATES: tuple[ImportState, ...] = (
    "fetching",
    "waiting",
    "planning",
    "planned",
    "held",
    "running",
    "paused",
    "cancelled",
    "done",
    "failed",
)
FETCHED: tuple[ImportState, ...] = ("fetching",)
APPLIED: tuple[ImportState, ...] = ("planning", "running")
WORKED_ON: tuple[ImportState, ...] = (*FETCHED, *APPLIED)
# In these states, the import waits until somebody approves or cancels it.
ASKING: tuple[ImportState, ...] = ("planned", "held")
ENDED: tuple[ImportState, ...] = ("cancelled", "done", "failed")
ImportFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]
Compression: TypeAlias = Literal["none", "gzip", "zstd"]
Hold: TypeAlias = Literal["removes-much", "source-empty", "plan-changed", "lines-unreadable"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The effect that an import would have, computed at a version.

    `taggings` is the number of taggings at or below the prefix of the import. `share_removed` is the percentage of
    them that the import would remove. `emptied_tags` are the tags of `preview.by_tag` that nobody would have any more.
    `warnings` are sentences about the file: how it was decoded, and which ids look wrong.
    """

    id: str
    version: Version
    at: str
    preview: Preview
    taggings: int
    share_removed: float
    emptied_tags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of the receipts of the committed steps of an import."""

    versions: tuple[Version, ...] = ()
    steps: int = 0
    added: int = 0
    removed: int = 0
    unchanged: int = 0
    new_people: int = 0
    new_tags: int = 0
    normalized: int = 0
    rejected_count: int = 0
    aliases: dict[str, str] = {}
    renewed: int = 0
    attributes: int = 0
    new_attributes: int = 0
    scheduled: int = 0
    unscheduled: int = 0


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """The import of a file into an environment, and its progress. Times are RFC 3339 UTC.

    `mapping` decides how records become taggings. Without a mapping, the records have the plain form. `prefix`, `mode`
    and `lowercase` are those of a batch. A run that would remove more than `share_removed_max` percent of the taggings
    below the prefix is held. If that is None, no run is held for this reason. With `is_approved`, the next run is not
    held. With `allows_empty`, a mirror may remove all tags. `rows_total` is known after the file was read once.
    `began_at` is the time at which the import was started last. `revision` counts the saves. The import can write to
    the branches of its `owner` and to branches without an owner. Taggings start at the rounded `starts_at`, and expire
    at the rounded `expires_at` or after `ttl`, unless their lines have a start or an expiry. Empty texts are none.
    `remote` is the address from which the file is fetched, or None for a file that was sent. During the fetch,
    `size_bytes` counts the bytes so far. `fingerprint` is a hash of the file and its options, to compare requests with
    the same idempotency key. `digest` is a hash of the file's bytes, which is verified before the import is planned or
    run.
    """

    id: str
    space: str
    environment: str
    name: str
    format: ImportFormat
    compression: Compression
    size_bytes: int
    by: str
    created_at: str
    mode: Mode = "add"
    prefix: str = ""
    lowercase: bool = False
    mapping: Mapping | None = None
    mapping_name: str | None = None
    share_removed_max: float | None = limits.IMPORT_SHARE_REMOVED_DEFAULT
    state: ImportState = "waiting"
    runs_after_plan: bool = False
    is_approved: bool = False
    has_file: bool = True
    plan: Plan | None = None
    hold: Hold | None = None
    problem: str | None = None
    detail: str | None = None
    rows_read: int = 0
    rows_total: int | None = None
    began_at: str | None = None
    ended_at: str | None = None
    tally: Tally = Tally()
    undone: tuple[Version, ...] = ()
    revision: int = 0
    owner: str = ""
    allows_empty: bool = False
    expires_at: str = ""
    ttl: str = ""
    remote: Remote | None = None
    fingerprint: str = ""
    digest: str = ""
    starts_at: str = ""


class SavedMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A named mapping of a space. `version` counts the saves of the mapping from 1."""

    name: str
    version: int
    at: str
    by: str
    mapping: Mapping


class ImportCount(NamedTuple):
    """The number of imports in a state, and the creation time of the oldest one."""

    state: ImportState
    imports: int
    oldest_at: str


class ImportStore(Protocol):
    """The store of the imports of an installation, and of their leases to workers."""

    def add_import(self, run: Import) -> None:
        """Stores a new import at revision 0. Raises: EnvironmentNotFound; ImportChanged: the id is in use."""

    def get_import(self, id: str) -> Import:
        """Returns an import. Raises: ImportNotFound."""

    def list_imports(
        self, space: str, environment: str, *, limit: int, before: str | None = None
    ) -> tuple[Import, ...]:
        """Returns the imports of an environment, the newest first. `before` is the last id of the previous page."""

    def count_imports(self) -> tuple[ImportCount, ...]:
        """Counts the imports of all environments by state. States without imports are left out."""

    def put_import(self, run: Import) -> Import:
        """Replaces an import, including `rows_read`. Raises the revision by one, and ends the lease of the import.

        Raises: ImportNotFound; ImportChanged: the stored revision is not that of `run`.
        """

    def delete_import(self, id: str) -> None:
        """Deletes an import. Raises: ImportNotFound."""

    def lease_import(
        self, owner: str, *, now: str, until: str, only: str | None = None, states: Sequence[ImportState] = APPLIED
    ) -> Import | None:
        """Leases to `owner` the oldest import in one of these states that has no lease at `now`.

        With `only`, leases only the import with this id. Returns None if there is no such import. If several callers
        do this at the same time, only one of them gets the lease.
        """

    def put_progress(self, id: str, owner: str, *, rows_read: int | None, until: str) -> ImportState | None:
        """Stores the number of rows that were read, unless it is None, and extends the lease to `until`.

        Returns the state of the import, or None if the owner lost the lease.
        """

    def release_import(self, id: str, owner: str) -> None:
        """Ends the lease of `owner`, so that another worker can continue at once. Does nothing without such a lease."""


class MappingStore(Protocol):
    """The store of the named mappings of spaces, with all their versions."""

    def put_mapping(self, space: str, kept: SavedMapping) -> None:
        """Adds the next version of a mapping.

        Raises: MappingChanged: `kept` is not the next version; TooManyMappings, SpaceNotFound.
        """

    def get_mapping(self, space: str, name: str, *, version: int | None = None) -> SavedMapping:
        """Returns the newest version of a mapping, or version `version`. Raises: MappingNotFound."""

    def list_mappings(self, space: str) -> tuple[SavedMapping, ...]:
        """Returns the newest version of each mapping, ordered by name."""

    def delete_mapping(self, space: str, name: str) -> None:
        """Deletes all versions of a mapping. Raises: MappingNotFound."""
