"""The values of Tagloom as immutable structs without methods."""

from typing import Literal, NewType, TypeAlias

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
    """The writer of a batch: `actor` is the name of a token or a teammate, and `source` is a file or an interface."""

    actor: str
    source: str = ""


class Rejected(msgspec.Struct, frozen=True):
    """A line that was left out of a batch. `line` counts from 1. The header is a line, too."""

    line: int
    value: str
    problem: str
    detail: str
    suggestion: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The exact effect of one batch.

    `added`, `removed` and `unchanged` count distinct taggings. An unchanged tagging had the requested state before.
    `version` is the version of the batch. If nothing changed, or with `dry_run`, there is no new version, and `version`
    is the newest version. `people_removed` counts people whom the undo of their first batch removed. `skipped` counts
    the taggings that an undo did not change because of conflicts. `conflicts` has the versions that caused this, the
    oldest first, up to VERSIONS_NAMED_MAX. `undoes_count` is the number of versions that were undone at once, if more
    than one. `renewed` counts existing taggings whose expiry changed. If the batch named such a tagging, `unchanged`
    counts the tagging, too.
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
    """One committed step of an import, with its receipt. `through` is the last line of the step.

    The receipt lists no rejected lines. `version` is None if nothing changed.
    """

    number: int
    through: int
    version: Version | None
    receipt: Receipt


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue. An `implied` entry exists only as a branch above other tags.

    Only the `owner`, such as `sync crm`, can add and remove the tag and the tags below it. If `owner` is empty, every
    writer can. Taggings that are added from now on expire after `ttl`, such as `14d`. At `expires_at`, the tag and all
    tags below it are removed from all people. `ttl` and `expires_at` are empty if there is no expiry.
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


class Branch(msgspec.Struct, frozen=True):
    """An entry of the catalogue as a node of the tree."""

    tag: Tag
    has_children: bool


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of taggings at or below a tag that one actor added and removed from one source.

    `last_version` is the last version of this actor and source, and `last_at` is its time.
    """

    actor: str
    source: str
    added: int
    removed: int
    last_version: Version
    last_at: str


class PersonRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A person with their tags in alphabetical order, as of `version`.

    `expires_at` has the expiry of the taggings that have one. It is empty for an earlier version.
    """

    kind: Kind
    id: str
    tags: tuple[TagPath, ...]
    version: Version
    expires_at: dict[TagPath, str] = {}


class Tribe(msgspec.Struct, frozen=True, kw_only=True):
    """A named audience in a space. `revision` counts the saves of the tribe from 1. The ETag is made of `revision`."""

    id: str
    name: str
    rule: Rule
    description: str = ""
    category: str = ""
    audience: Audience = "everyone"
    revision: int = 1


class TribeChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a tribe. `before` and `after` are None if the tribe did not exist then. Ids ascend."""

    id: int
    at: str
    actor: str
    source: str
    tribe: str
    action: Literal["create", "change", "delete"]
    before: Tribe | None
    after: Tribe | None


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """The number of people in a tribe, as of a version. `of` is the number of people in the tribe's audience."""

    count: int
    of: int
    version: Version


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The difference between the members of a draft rule and the members of the saved rule, as of a version.

    The draft has `count` members, of `of` people in its audience. `entered` people would enter the tribe, and `left`
    people would leave it. `sample`, `entering` and `leaving` list some people of each group, spread over the
    population.
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
    """The number of members who have exactly a tag. `everyone` counts all people of the audience who have the tag."""

    tag: TagPath
    count: int
    everyone: int


class MakeUp(msgspec.Struct, frozen=True, kw_only=True):
    """The tags of the `of` members of a rule. `population` is the number of people in its audience.

    The tags that most members have come first. Tags with equal numbers are ordered by path.
    """

    of: int
    population: int
    version: Version
    tags: tuple[TagShare, ...]


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """A tag node that decided a rule. `node` is its JSON pointer. `by` has the tags of the person that satisfy it."""

    node: str
    tag: str
    match: Match
    holds: bool
    by: tuple["Provenance", ...] = ()


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """A tag of a person, and the batch that added it."""

    tag: TagPath
    version: Version
    at: str
    actor: str
    source: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The tribes of one person, by id. `because` has the reasons for each tribe."""

    tribes: tuple[str, ...]
    version: Version
    because: dict[str, tuple[Because, ...]] = {}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One version: its action, actor and effect. In a list for one person, `tags_*` are the tags of this person.

    `tags_renewed` are tags that the person had before and after, with a new expiry. `undoes` is the version that this
    version undid. If it undid several versions, `undoes_count` is their number. A compacted version cannot be undone.
    It lists only the tags that somebody still had at the horizon.
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
    """The version, and its time, from which on history is complete. If all history is complete, this is version 0.

    Version 0 has no time.
    """

    version: Version = 0
    at: str | None = None


class Freed(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of changes and of bytes of their bitmaps that a compaction deletes from the log, or would delete.

    `versions` counts the versions at or below the new horizon. `is_all` is False if there is more to read, or to
    delete.
    """

    horizon: Horizon
    versions: int = 0
    changes: int = 0
    bytes: int = 0
    is_all: bool = True


class OverlapRegion(msgspec.Struct, frozen=True):
    """The number of people who are in exactly these of the chosen tribes."""

    tribes: tuple[str, ...]
    count: int


class Organization(msgspec.Struct, frozen=True):
    """One tenant."""

    id: str
    name: str


class Space(msgspec.Struct, frozen=True):
    """A separate project of an organization. Its id is unique in the installation. URLs begin with the id."""

    id: str
    organization: str
    name: str


class Environment(msgspec.Struct, frozen=True):
    """One population of a space. `key` is the number of the environment in the store, which is not shown.

    History is kept for `retention_seconds`. If this is 0, history is kept for ever.
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
    """One person who signs in, to one or more organizations. The e-mail is stored as it was typed."""

    id: str
    email: str
    name: str
    created_at: str
    last_signed_in_at: str | None = None
    has_password: bool = True


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """An account in an organization, with its permissions in each space. An administrator can do everything.

    `tribes` and `developer` always come with `view`. The account does not see a space without permissions.
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
    """An invitation of a teammate. `invited_by` is an actor. The secret of its link is shown once and stored hashed."""

    id: str
    organization: str
    email: str
    is_administrator: bool
    permissions: dict[str, tuple[Permission, ...]]
    invited_by: str
    created_at: str
    expires_at: str


class Reset(msgspec.Struct, frozen=True):
    """A link that sets a new password of an account, once. Its secret is stored as a hash."""

    account: str
    expires_at: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One browser that is signed in, with the organization that is selected in it. `agent` is its User-Agent.

    The session expires at `expires_at`, or if it was not used for SESSION_SECONDS_IDLE_MAX.
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
    """One action of a teammate on the organization. Ids ascend; the id is 0 before the entry is stored.

    `action` is a past-tense word such as `invited`; `subject` is its object.
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
    """The layout of the tribes of a space: categories and cards in order, and the hue of a card."""

    categories: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    colours: dict[str, int] = {}


class TagDiff(msgspec.Struct, frozen=True):
    """The number of taggings of one tag that a write adds and removes."""

    tag: str
    added: int
    removed: int


class TribeDiff(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of a write on a tribe: the numbers of members before and after, and of people who enter and leave."""

    tribe: str
    before: int
    after: int
    entered: int
    left: int


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The exact effect that a write would have now, with its receipt.

    `people` counts the people who gain or lose a tag, and those who are created or removed. `by_tag` has the tags with
    the most changes. `tags_changed` is the number of all changed tags. `renamed` has paths before and after. `tribes`
    has the tribes that somebody would enter or leave. `tribes_not_counted` is the number of tribes beyond
    TRIBES_PREVIEWED_MAX, which are not counted.
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
