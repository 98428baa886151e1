"""What Tagloom answers. Fields that a newer server adds are ignored, those that an older one lacks have defaults."""

from typing import Any, Generic, Literal, TypeVar

import msgspec

Item = TypeVar("Item")

Kind = Literal["user", "visitor"]
Mode = Literal["add", "remove", "change", "set", "mirror"]
Audience = Literal["users", "visitors", "everyone"]
Match = Literal["subtree", "exact"]
Scope = Literal[
    "tags:read",
    "tags:write",
    "people:read",
    "people:write",
    "tribes:read",
    "tribes:write",
    "decisions",
    "admin",
]
ExportFormat = Literal["ndjson", "csv", "parquet"]
UploadFormat = Literal["json", "ndjson", "csv", "parquet"]
Rule = dict[str, Any]
"""Rule JSON, for example `{"type": "tag", "tag": "sports"}`; see `tagloom_client.rules`."""


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """Some items, and where the next ones begin; None at the end."""

    items: tuple[Item, ...]
    next_cursor: str | None = None


class Person(msgspec.Struct, frozen=True, order=True):
    """A signed-in user or an anonymous visitor."""

    kind: Kind
    id: str


class PersonRecord(msgspec.Struct, frozen=True):
    """A person with their tags, true for `version`. `expires_at` says when those end that do."""

    kind: Kind
    id: str
    tags: tuple[str, ...]
    version: int
    expires_at: dict[str, str] = {}


class PersonTags(msgspec.Struct, frozen=True):
    """The tags of one person. `expires_at` says when those end that do."""

    tags: tuple[str, ...]
    version: int
    expires_at: dict[str, str] = {}


class PersonTagging(msgspec.Struct, frozen=True):
    """One person with all their tags, as an export gives them."""

    person: Person
    tags: tuple[str, ...]


class Rejected(msgspec.Struct, frozen=True):
    """A line that was left out of a batch, alone, and why."""

    line: int
    value: str
    problem: str
    detail: str
    suggestion: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What one batch did, exactly. Give `version` as `at_least` to read your own write."""

    version: int
    added: int
    removed: int
    unchanged: int
    new_people: int
    rejected_count: int = 0
    rejected: tuple[Rejected, ...] = ()
    new_tags: int = 0
    normalized: int = 0
    aliases: dict[str, str] = {}
    people_removed: int = 0
    skipped: int = 0
    undoes: int | None = None
    dry_run: bool = False
    conflicts: tuple[int, ...] = ()
    undoes_count: int = 0
    renewed: int = 0


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue. What is given of it ends after `ttl`, and it itself at `expires_at`, unless empty."""

    tag: str
    users: int
    subtree_users: int
    description: str = ""
    exclusive: bool = False
    implied: bool = False
    tribes: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    syncs: tuple[str, ...] = ()
    owner: str = ""
    ttl: str = ""
    expires_at: str = ""


class Alias(msgspec.Struct, frozen=True):
    """An old path, and the one it was given for."""

    alias: str
    tag: str


class Tribe(msgspec.Struct, frozen=True, kw_only=True):
    """A named audience. `revision` is what `put_tribe` asks for, so that nobody's change is lost."""

    id: str
    name: str
    rule: Rule
    description: str = ""
    category: str = ""
    audience: Audience = "everyone"
    revision: int = 1


class Count(msgspec.Struct, frozen=True):
    """How many people are in a tribe, of how many of its audience."""

    count: int
    of: int
    version: int


class UnknownInRule(msgspec.Struct, frozen=True):
    """A tag in a rule that nobody ever bore, and known ones that look like it."""

    tag: str
    nearest: tuple[str, ...] = ()


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule would find."""

    count: int
    of: int
    version: int
    sample: tuple[Person, ...] = ()
    unknown_tags: tuple[UnknownInRule, ...] = ()


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that a person bears, and the batch that gave it."""

    tag: str
    version: int
    at: str
    actor: str
    source: str


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """One node of a rule that decided: its place as a JSON pointer, what it asks, and what made it so."""

    node: str
    tag: str
    match: Match
    holds: bool
    by: tuple[Provenance, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The tribes that one person is in, and for each why."""

    tribes: tuple[str, ...]
    version: int
    because: dict[str, tuple[Because, ...]] = {}


class PersonDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The tribes that one person is in, and for each why. Either `user` or `visitor` names the person."""

    user: str | None = None
    visitor: str | None = None
    tribes: tuple[str, ...]
    because: dict[str, tuple[Because, ...]] = {}


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions for several people in the order of the request, true for `version`."""

    decisions: tuple[PersonDecision, ...]
    version: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a tribe, named by `user` or by `visitor`; `tags` when they were asked for."""

    user: str | None = None
    visitor: str | None = None
    tags: tuple[str, ...] | None = None


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a person is in a tribe, true for `version`."""

    tribe: str
    is_member: bool
    version: int


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a person is in one tribe, and what decided it."""

    tribe: str
    is_member: bool
    audience_holds: bool
    version: int
    because: tuple[Because, ...] = ()


class OverlapRegion(msgspec.Struct, frozen=True):
    """People who are in exactly these of the tribes asked about."""

    tribes: tuple[str, ...]
    count: int


class Overlap(msgspec.Struct, frozen=True):
    """The regions that hold people."""

    regions: tuple[OverlapRegion, ...]
    version: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One version: what was done, by whom, and its effect."""

    version: int
    at: str
    action: str
    actor: str
    source: str
    added: int
    removed: int
    new_people: int
    undoes: int | None = None
    undone_by: int | None = None
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    undoes_count: int = 0
    tags_renewed: tuple[str, ...] = ()
    is_compacted: bool = False


class Organization(msgspec.Struct, frozen=True):
    """One tenant."""

    id: str
    name: str


class Space(msgspec.Struct, frozen=True):
    """A self-contained project of an organization."""

    id: str
    organization: str
    name: str


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """From which version on, and since when, all history is kept; version 0 when all of it is."""

    version: int = 0
    at: str | None = None


class Freed(msgspec.Struct, frozen=True, kw_only=True):
    """What is given up of the history: versions up to the horizon, and so many changes and bytes of the log.

    Unless `is_all`, there are more changes than were counted.
    """

    horizon: Horizon
    versions: int = 0
    changes: int = 0
    bytes: int = 0
    is_all: bool = True


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One population of a space. In a list the version and the horizon are left out."""

    space: str
    name: str
    catalogue: Literal["open", "closed"]
    retention: str = "forever"
    version: int | None = None
    horizon: Horizon | None = None
    forgets: Freed | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A personal access token; `secret` is there only in the answer that created it.

    `account` and `teammate`, an e-mail, say whose it is, if it belongs to a teammate.
    """

    id: str
    organization: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str
    last_used_at: str | None = None
    secret: str | None = None
    account: str | None = None
    teammate: str | None = None


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was brought, and how far it has come. `plan`, `tally` and `remote` are as the API has them."""

    id: str
    name: str
    state: Literal[
        "fetching", "waiting", "looking", "planned", "held", "running", "paused", "cancelled", "done", "failed"
    ]
    mode: Mode
    tally: dict[str, Any]
    plan: dict[str, Any] | None = None
    hold: str | None = None
    problem: str | None = None
    detail: str | None = None
    rows_read: int = 0
    rows_total: int | None = None
    undone: tuple[int, ...] = ()
    size_bytes: int = 0
    remote: dict[str, Any] | None = None


class InferredMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping for a file, its columns with samples, and its first rows as they would be read, as the API has them."""

    mapping: dict[str, Any]
    columns: tuple[dict[str, Any], ...]
    rows: tuple[dict[str, Any], ...]


class KeptMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping that a space keeps by name. `version` counts its forms from 1."""

    name: str
    version: int
    at: str
    by: str
    mapping: dict[str, Any]


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """A source that the server reads into the environment. `draft` is what `put_sync` takes."""

    id: str
    draft: dict[str, Any]
    revision: int
    cursor: str | None = None
    next_run_at: str | None = None


class SyncRun(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a source, and the import that it became."""

    id: int
    sync: str
    trigger: str
    by: str
    began_at: str
    state: Literal["reading", "importing", "held", "done", "failed", "cancelled"]
    ended_at: str | None = None
    rows: int = 0
    import_id: str | None = None
    cursor: str | None = None
    problem: str | None = None
    asks_first: bool = False
