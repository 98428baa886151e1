"""What the use cases need from a store about imports and mappings. `Control` is this too."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

import msgspec

from tagloom.ports import limits
from tagloom.words.mappings import Mapping
from tagloom.words.model import Mode, Preview, Version
from tagloom.words.source_addresses import Remote

ImportState: TypeAlias = Literal[
    "fetching", "waiting", "looking", "planned", "held", "running", "paused", "cancelled", "done", "failed"
]
IMPORT_STATES: tuple[ImportState, ...] = (
    "fetching",
    "waiting",
    "looking",
    "planned",
    "held",
    "running",
    "paused",
    "cancelled",
    "done",
    "failed",
)
FETCHED: tuple[ImportState, ...] = ("fetching",)
APPLIED: tuple[ImportState, ...] = ("looking", "running")
WORKED_ON: tuple[ImportState, ...] = (*FETCHED, *APPLIED)
# Nothing goes on before somebody approves or cancels it.
ASKING: tuple[ImportState, ...] = ("planned", "held")
ENDED: tuple[ImportState, ...] = ("cancelled", "done", "failed")
ImportFormat: TypeAlias = Literal["csv", "ndjson", "parquet"]
Compression: TypeAlias = Literal["none", "gzip", "zstd"]
Hold: TypeAlias = Literal["removes-much", "source-empty", "plan-changed", "lines-unreadable"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an import would do, computed at a version.

    `share_removed` is how many percent of the `taggings` under its prefix it removes.
    `emptied_tags` are those of `preview.by_tag` that nobody would bear any more. `warnings` are sentences about the
    file: what was done to read it, and ids that look wrong.
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
    """What the committed steps of an import did, summed."""

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


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is brought into an environment, and how far it has come. Times are RFC 3339 UTC.

    `mapping` says how its records become taggings; without one they are of the plain form. `prefix`, `mode` and
    `lowercase` are those of a batch. A run that would remove more than `share_removed_max` percent of the taggings
    under the prefix is held; None never is. `is_approved` lets the next run pass, and a mirror that `allows_empty` may
    take every tag. `rows_total` is known once the file was read to its end; `began_at` is when it was set to work last.
    `revision` counts the stored forms. `owner` is whose branches it may write, beside everybody's. What it gives ends
    at `expires_at`, as it was rounded, or after `ttl`, where its lines do not say otherwise; empty for never. `remote`
    is where the file is fetched from, unless it was sent; while it is, `size_bytes` is how much of it is here.
    `fingerprint` is a hash of the file and of how it was to be applied, by which a repeated idempotency key is known.
    `digest` is a hash of the file's bytes, against which it is checked before it is planned or run.
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


class KeptMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping that is kept by name in a space. `version` counts its saved forms from 1."""

    name: str
    version: int
    at: str
    by: str
    mapping: Mapping


class ImportCount(NamedTuple):
    """How many imports are in a state, and when the oldest of them was brought."""

    state: ImportState
    imports: int
    oldest_at: str


class ImportStore(Protocol):
    """The imports of an installation, who works on them, and the mappings that are kept."""

    def add_import(self, run: Import) -> None:
        """Stores a new one, at revision 0. Raises: EnvironmentNotFound; ImportChanged: there is one of this id."""

    def get_import(self, id: str) -> Import:
        """Raises: ImportNotFound."""

    def list_imports(
        self, space: str, environment: str, *, limit: int, before: str | None = None
    ) -> tuple[Import, ...]:
        """Those of an environment, the newest first; `before` is the id of the last one that was seen."""

    def count_imports(self) -> tuple[ImportCount, ...]:
        """Those of all environments, by state; a state that none is in is left out."""

    def put_import(self, run: Import) -> Import:
        """Replaces the one of the same revision; it gets the next one, and nobody works on it any more.

        What is stored as `rows_read` is the number given. Raises: ImportNotFound, ImportChanged.
        """

    def delete_import(self, id: str) -> None:
        """Forgets it. Raises: ImportNotFound."""

    def lease_import(
        self, owner: str, *, now: str, until: str, only: str | None = None, states: Sequence[ImportState] = APPLIED
    ) -> Import | None:
        """Gives one that is in such a state and that nobody works on at `now`, the oldest first, to `owner`.

        Of many who ask at once, one gets it. With an id, only that one is given.
        """

    def tell_progress(self, id: str, owner: str, *, rows_read: int | None, until: str) -> ImportState | None:
        """Notes how many rows were read, and works on until then; None when the import is not the owner's any more."""

    def release_import(self, id: str, owner: str) -> None:
        """Ends the owner's work, so that another may go on at once; does nothing when it is not the owner's."""


class MappingStore(Protocol):
    """The mappings that a space keeps by name, with every version of each."""

    def put_mapping(self, space: str, kept: KeptMapping) -> None:
        """Adds a version: the next one. Raises: MappingChanged: it is not the next; TooManyMappings, SpaceNotFound."""

    def get_mapping(self, space: str, name: str, *, version: int | None = None) -> KeptMapping:
        """The newest version, or this one. Raises: MappingNotFound."""

    def list_mappings(self, space: str) -> tuple[KeptMapping, ...]:
        """The newest version of each, by name."""

    def delete_mapping(self, space: str, name: str) -> None:
        """Forgets all its versions. Raises: MappingNotFound."""
