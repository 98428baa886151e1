"""The words of Tagloom as frozen structs. Nothing here computes."""

from typing import Literal, NewType, TypeAlias, TypedDict

import msgspec

from tagloom.words.rules import Rule
from tagloom.words.tags import TagPath

Kind = Literal["user", "visitor"]
KINDS: tuple[Kind, Kind] = ("user", "visitor")
Mode = Literal["add", "remove", "change", "set", "mirror"]
Audience = Literal["users", "visitors", "everyone"]
Match = Literal["subtree", "exact"]
TribeMode = Literal["add", "remove", "snapshot"]
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
SCOPES: tuple[Scope, ...] = (
    "tags:read",
    "tags:write",
    "people:read",
    "people:write",
    "tribes:read",
    "tribes:write",
    "decisions",
    "admin",
)
Permission = Literal["view", "tribes", "developer"]
PERMISSIONS: tuple[Permission, ...] = ("view", "tribes", "developer")
ENVIRONMENT_NAMES = ("development", "staging", "production")

Version: TypeAlias = int
Ordinal = NewType("Ordinal", int)


class Person(msgspec.Struct, frozen=True, order=True):
    """One end user, signed in or anonymous. User ids and visitor ids are separate name spaces."""

    kind: Kind
    id: str


class Origin(msgspec.Struct, frozen=True):
    """Who wrote a batch, and from what: `actor` is a token's or teammate's name, `source` a file or a door."""

    actor: str
    source: str = ""


class Rejected(msgspec.Struct, frozen=True):
    """A line that was left out of a batch, alone. `line` counts from 1; a header line counts too."""

    line: int
    value: str
    problem: str
    detail: str
    suggestion: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What one batch did, exactly.

    `added`, `removed` and `unchanged` count distinct taggings: unchanged ones were asked for and were so already.
    `version` is the batch's own; when nothing changed (or `dry_run`), no version was made and it is the newest one.
    `people_removed` counts people whom the undo of their first batch took away again. `skipped` are taggings that an
    undo spared, `conflicts` the versions for whose sake, the oldest first, up to VERSIONS_NAMED_MAX. `undoes_count`
    says how many versions were undone at once, where it was not one alone. `renewed` are taggings that were there
    already, and are among those unchanged where they were asked for, of which it changed when they end.
    """

    version: Version
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
    undoes: Version | None = None
    dry_run: bool = False
    conflicts: tuple[Version, ...] = ()
    undoes_count: int = 0
    renewed: int = 0


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """One committed step of an import: it covers the lines up to `through`, and did what its receipt says.

    The receipt lists no rejected lines. `version` is None when nothing changed.
    """

    number: int
    through: int
    version: Version | None
    receipt: Receipt


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue. `implied` ones exist only as a branch above others.

    `owner` is who alone gives and takes the tag and what is below it, such as `sync crm`; empty for everybody.
    `ttl` says how long what is given from now on lasts, such as `14d`; at `expires_at` the tag and everything below it
    is taken from everybody. Both are empty for what has no end.
    """

    tag: TagPath
    users: int
    subtree_users: int
    description: str = ""
    exclusive: bool = False
    implied: bool = False
    tribes: tuple[str, ...] = ()
    owner: str = ""
    ttl: str = ""
    expires_at: str = ""


class TagFields(TypedDict, total=False):
    """The fields of a tag that are to be set; None, or a field that is left out, leaves one as it is.

    `ttl_seconds` and `expires_at` are 0 for none, an empty `owner` releases the tag.
    """

    description: str | None
    exclusive: bool | None
    owner: str | None
    ttl_seconds: int | None
    expires_at: int | None


class Branch(msgspec.Struct, frozen=True):
    """An entry of the catalogue seen in its tree."""

    tag: Tag
    has_children: bool


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What one actor did to a tag, and what is below it, from one source: taggings, and the last version that did."""

    actor: str
    source: str
    added: int
    removed: int
    last_version: Version
    last_at: str


class PersonRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person with their tags in alphabetical order, true for `version`.

    `expires_at` says when those taggings end that do; about an earlier version it says nothing.
    """

    kind: Kind
    id: str
    tags: tuple[TagPath, ...]
    version: Version
    expires_at: dict[TagPath, str] = {}


class Tribe(msgspec.Struct, frozen=True, kw_only=True):
    """A named audience in a space. `revision` counts its saved forms from 1 and is the base of its ETag."""

    id: str
    name: str
    rule: Rule
    description: str = ""
    category: str = ""
    audience: Audience = "everyone"
    revision: int = 1


class TribeChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one save did to a tribe: its forms before and after, None where there was none. Ids ascend."""

    id: int
    at: str
    actor: str
    source: str
    tribe: str
    action: Literal["create", "change", "delete"]
    before: Tribe | None
    after: Tribe | None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many people are in a tribe, of how many of its audience, as of a version."""

    count: int
    of: int
    version: Version


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How a wanted rule differs from the saved one in whom it finds, as of a version.

    `count` people it would find, of `of` in its audience; `entered` come in and `left` go. The people are some of
    each, spread over the population.
    """

    count: int
    of: int
    version: Version
    sample: tuple[Person, ...]
    entered: int
    left: int
    entering: tuple[Person, ...]
    leaving: tuple[Person, ...]


class TagShare(msgspec.Struct, frozen=True):
    """How many of some people bear a tag itself, and how many of everyone in their audience do."""

    tag: TagPath
    count: int
    everyone: int


class MakeUp(msgspec.Struct, frozen=True, kw_only=True):
    """What `of` people, of `population` in their audience, bear: the tags most borne first, then by path."""

    of: int
    population: int
    version: Version
    tags: tuple[TagShare, ...]


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a rule that decided: `node` is its JSON pointer, `by` are the tags borne that made it so."""

    node: str
    tag: str
    match: Match
    holds: bool
    by: tuple["Provenance", ...] = ()


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that a person bears, and the batch that gave it."""

    tag: TagPath
    version: Version
    at: str
    actor: str
    source: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The tribes one person is in now, in order of id, and for each why."""

    tribes: tuple[str, ...]
    version: Version
    because: dict[str, tuple[Because, ...]] = {}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One version: what was done, by whom, and its effect. With a person in the question, `tags_*` name theirs.

    `tags_renewed` are those that they bore before and after, and of which it changed when they end.
    `undoes` is the one version that it took back; when there were several, `undoes_count` is their number.
    One that `is_compacted` cannot be undone, and names only those of the tags that were still borne at the horizon.
    """

    version: Version
    at: str
    action: str
    actor: str
    source: str
    added: int
    removed: int
    new_people: int
    undoes: Version | None = None
    undone_by: Version | None = None
    tags_added: tuple[str, ...] = ()
    tags_removed: tuple[str, ...] = ()
    undoes_count: int = 0
    tags_renewed: tuple[str, ...] = ()
    is_compacted: bool = False


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """From which version on, and since when, all history is kept; version 0, at no time, when all of it is."""

    version: Version = 0
    at: str | None = None


class Freed(msgspec.Struct, frozen=True, kw_only=True):
    """What a compaction takes from the log, or would take: changes, and bytes of their bitmaps.

    `versions` are those that come to lie at or below the horizon. `is_all` is False when there is more than was looked
    at, or done.
    """

    horizon: Horizon
    versions: int = 0
    changes: int = 0
    bytes: int = 0
    is_all: bool = True


class OverlapRegion(msgspec.Struct, frozen=True):
    """People who are in exactly these of the tribes asked about, and in none of the others."""

    tribes: tuple[str, ...]
    count: int


class Organization(msgspec.Struct, frozen=True):
    """One tenant."""

    id: str
    name: str


class Space(msgspec.Struct, frozen=True):
    """A self-contained project of an organization. Addresses begin with its id, which no other tenant has."""

    id: str
    organization: str
    name: str


class Environment(msgspec.Struct, frozen=True):
    """One population of a space. `key` is its number in the store, never shown.

    History is kept for `retention_seconds`, 0 for ever.
    """

    key: int
    space: str
    name: str
    catalogue: Literal["open", "closed"] = "open"
    retention_seconds: int = 0


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A personal access token without its secret. Times are RFC 3339 UTC."""

    id: str
    organization: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: str
    expires_at: str
    last_used_at: str | None = None
    account: str | None = None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One person who signs in, in however many organizations. The e-mail is kept as it was typed."""

    id: str
    email: str
    name: str
    created_at: str
    last_signed_in_at: str | None = None
    has_password: bool = True


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """An account in an organization. `permissions` names the rights in each space; an administrator can do everything.

    Permissions are closed: `tribes` and `developer` come with `view`. A space that is not named does not exist for it.
    """

    organization: str
    account: str
    is_administrator: bool
    state: Literal["active", "inactive"]
    joined_at: str
    last_seen_at: str | None = None
    permissions: dict[str, tuple[Permission, ...]] = {}


class Teammate(msgspec.Struct, frozen=True):
    """An account with its membership of one organization."""

    account: Account
    membership: Membership


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A teammate to be. `invited_by` is an actor; the secret of its link is stored as a hash and shown once."""

    id: str
    organization: str
    email: str
    is_administrator: bool
    permissions: dict[str, tuple[Permission, ...]]
    invited_by: str
    created_at: str
    expires_at: str


class Reset(msgspec.Struct, frozen=True):
    """A link with which an account gets a new password, once. Its secret is stored as a hash."""

    account: str
    expires_at: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One browser that is signed in, and the organization that it has chosen. `agent` is what the browser calls itself.

    It ends at `expires_at`, or when it was not used for SESSION_SECONDS_IDLE_MAX.
    """

    id: str
    account: str
    organization: str
    created_at: str
    last_seen_at: str
    expires_at: str
    address: str = ""
    agent: str = ""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did to the organization itself. `id` is the store's, and ascends; 0 before it is stored.

    `action` is a past-tense word such as `invited`; `subject` whom or what it was done to.
    """

    organization: str
    at: str
    actor: str
    action: str
    subject: str
    space: str | None = None
    detail: dict[str, str] = {}
    id: int = 0


class Board(msgspec.Struct, frozen=True):
    """How the tribes of a space are laid out: categories and cards in order, and the hue that a card was given."""

    categories: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    colours: dict[str, int] = {}


class TagDiff(msgspec.Struct, frozen=True):
    """How many taggings of one tag a write adds and removes."""

    tag: str
    added: int
    removed: int


class TribeDiff(msgspec.Struct, frozen=True, kw_only=True):
    """How a write moves a tribe: how many are in it before and after, how many enter, how many leave."""

    tribe: str
    before: int
    after: int
    entered: int
    left: int


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a write would do, exactly, if it were made now: its receipt, and its effect.

    `people` counts whoever gains or loses a tag, comes or goes. `by_tag` has the tags with the most changes, of
    `tags_changed` in all. `renamed` are live paths before and after. `tribes` are those that somebody would enter or
    leave; `tribes_not_counted` counts those beyond TRIBES_PREVIEWED_MAX, about which nothing is said.
    """

    receipt: Receipt
    people: int
    by_tag: tuple[TagDiff, ...] = ()
    tags_changed: int = 0
    new_tags: tuple[str, ...] = ()
    removed_tags: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    tribes: tuple[TribeDiff, ...] = ()
    tribes_not_counted: int = 0
