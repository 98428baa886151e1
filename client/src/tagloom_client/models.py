"""The answers of Tagloom. Fields of newer servers are ignored. Fields that older servers lack have defaults."""

from collections.abc import Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec

Item = TypeVar("Item")

Kind = Literal["user", "visitor"]
Mode = Literal["add", "remove", "change", "set", "mirror"]
Audience = Literal["users", "visitors", "everyone"]
FlagReaders = Literal["off", "servers"]
Match = Literal["subtree", "exact"]
Scope = Literal[
    "tags:read",
    "tags:write",
    "people:read",
    "people:write",
    "tribes:read",
    "tribes:write",
    "events:read",
    "events:write",
    "decisions",
    "admin",
]
ExportFormat = Literal["ndjson", "csv", "parquet"]
ListFormat = Literal["json", "ndjson", "csv"]
ListMode = Literal["add", "remove", "replace"]
UploadFormat = Literal["json", "ndjson", "csv", "parquet"]
EventCount = Literal["at-least", "at-most", "exactly"]
EventFormat = Literal["json", "ndjson"]
LinkPolicy = Literal["take", "leave", "ask"]
SettlePolicy = Literal["take", "leave"]
ProofMode = Literal["off", "observe", "require"]
ContextOp = Literal["is", "is-not", "one-of", "contains", "greater", "less", "is-set"]
AttributeOp = ContextOp | Literal["before", "after", "in-last", "in-next"]
AttributeType = Literal["boolean", "number", "text", "time", "list"]
ContextValue = str | int | float | bool
Context = Mapping[str, ContextValue | None]
"""Values of one request for the context nodes of rules. A field that is None is missing."""
Rule = dict[str, Any]
"""Rule JSON, for example `{"type": "tag", "tag": "sports"}`; see `tagloom_client.rules`."""


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A page of items. `next_cursor` is None on the last page."""

    items: tuple[Item, ...]
    next_cursor: str | None = None


class Person(msgspec.Struct, frozen=True, order=True):
    """A signed-in user or an anonymous visitor."""

    kind: Kind
    id: str


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A person who is linked to a user: a visitor, or a user who was joined. `linked_on` is a day, in UTC.

    `is_open` tells that a teammate must decide about the tags and attributes that the person had.
    """

    kind: Kind
    id: str
    linked_on: str
    is_proven: bool = False
    is_open: bool = False


class OpenLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link about which a teammate must decide, with the tags and attributes that the person had."""

    person: Person
    user: Person
    linked_on: str
    tags: tuple[str, ...] = ()
    attributes: dict[str, Any] = {}
    scheduled: tuple[str, ...] = ()


class Scheduled(msgspec.Struct, frozen=True):
    """When a person gets a tag, and when it then expires; empty is never."""

    starts_at: str
    expires_at: str = ""


class PersonRecord(msgspec.Struct, frozen=True):
    """A person with their tags as of `version`. `expires_at` has the tags that expire, with their time.

    `scheduled` has the tags that the person gets later.

    `attributes` has values by name, and `identities` has the people who are linked to a user. A list of people has
    neither, and no `joined_at`. The record of a linked person is that of the user.
    """

    kind: Kind
    id: str
    tags: tuple[str, ...]
    version: int
    expires_at: dict[str, str] = {}
    attributes: dict[str, Any] = {}
    identities: tuple[Identity, ...] = ()
    joined_at: str | None = None
    scheduled: dict[str, Scheduled] = {}


class PersonTags(msgspec.Struct, frozen=True):
    """The tags of a person. `expires_at` has the tags that expire, with their time; `scheduled` those for later."""

    tags: tuple[str, ...]
    version: int
    expires_at: dict[str, str] = {}
    scheduled: dict[str, Scheduled] = {}


class PersonTagging(msgspec.Struct, frozen=True):
    """A person with all their tags, in an export."""

    person: Person
    tags: tuple[str, ...]


class Rejected(msgspec.Struct, frozen=True):
    """A rejected line of a batch, with the reason."""

    line: int
    value: str
    problem: str
    detail: str
    suggestion: str | None = None


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The exact effect of a batch. Pass `version` as `at_least` to read your own write."""

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
    events: int = 0
    repeats: int = 0
    attributes: int = 0
    new_attributes: int = 0
    ignored: tuple[Rejected, ...] = ()
    linked: int = 0
    erased: int = 0
    suppressed: int = 0
    scheduled: int = 0
    unscheduled: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded event of a person. `original_at` is the time that the sender gave, if it was corrected."""

    event: str
    at: str
    id: str
    properties: dict[str, Any]
    received_at: str
    version: int
    original_at: str | None = None
    sent_at: str | None = None


class PersonEvent(Event, frozen=True, kw_only=True):
    """A recorded event with its person, who is a `user` or a `visitor`."""

    user: str | None = None
    visitor: str | None = None


class EventType(msgspec.Struct, frozen=True, kw_only=True):
    """An event type, the number of its events, and the times of the first and the last one."""

    event: str
    events: int
    first_at: str
    last_at: str


class IdentitySecret(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of secrets that prove user ids. Only the answer to its creation has the secrets."""

    id: str
    created_at: str


class NewIdentitySecret(IdentitySecret, frozen=True, kw_only=True):
    """A new identity secret. `hmac_secret` makes HMACs of user ids, and `token_secret` signs tokens with HS256."""

    hmac_secret: str
    token_secret: str

    def __repr__(self) -> str:
        """Returns the id only, because values are printed with errors."""
        return f"NewIdentitySecret({self.id!r})"


class EventSource(msgspec.Struct, frozen=True, kw_only=True):
    """An app that sends events with a client library of Segment or RudderStack.

    The write key can only send events, so it is no secret. `create_event_source` describes the settings.
    `put_event_source` takes the `revision`, so that no change of others is lost.
    """

    id: str
    name: str
    write_key: str
    created_at: str
    origins: tuple[str, ...] = ()
    event_types: dict[str, str] = {}
    ignored_properties: tuple[str, ...] = ()
    has_secret_key: bool = False
    revision: int = 1
    identity_public_keys: tuple[str, ...] = ()
    derives_attributes: bool = True
    identity_secrets: tuple[IdentitySecret, ...] = ()


class RejectedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message of an event source that was not recorded.

    `reason` is the name of a problem, and `detail` its sentence. `message` is the beginning of what was sent. `ids` are
    the ids of people in it.
    """

    id: int
    source: str
    at: str
    reason: str
    detail: str
    message: str
    ids: tuple[str, ...] = ()


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag of the catalogue. Its taggings expire after `ttl`, and the tag at `expires_at`; empty is never.

    `scheduled` counts the people who get the tag later.
    """

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
    scheduled: int = 0


class Alias(msgspec.Struct, frozen=True):
    """An old path and its current tag."""

    alias: str
    tag: str


class Tribe(msgspec.Struct, frozen=True, kw_only=True):
    """A named audience. `put_tribe` needs its `revision`, so that no change of others is lost.

    `list` is the tag of a static list, whose members are added and removed by hand. It is None for other tribes.
    `flag` says who can read the tribe as a feature flag.
    """

    id: str
    name: str
    rule: Rule
    description: str = ""
    category: str = ""
    audience: Audience = "everyone"
    revision: int = 1
    list: str | None = None
    flag: FlagReaders = "off"


class ListReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a write did to a list, or would do.

    `known` people were known before, and `unknown` people were not. `invalid` lines were rejected. `duplicates` are
    lines whose person an earlier line names. `before` people had the tag before, and `after` people have it afterwards.
    """

    tribe: Tribe
    tag: str
    known: int
    unknown: int
    invalid: int
    duplicates: int
    before: int
    after: int
    receipt: Receipt


class Count(msgspec.Struct, frozen=True):
    """The number of people in a tribe and in its audience."""

    count: int
    of: int
    version: int


class TribeMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """How many members of a tribe are active, new, at risk and lost.

    `new` is None if the history of the server does not go back far enough. `reach` is the share of all active people of
    the audience who are in the tribe; None if nobody is active.
    """

    users: int
    visitors: int
    active: int
    new: int | None
    at_risk: int
    lost: int
    reach: float | None
    version: int


class UnknownInRule(msgspec.Struct, frozen=True):
    """An unknown tag in a rule, with similar known tags."""

    tag: str
    nearest: tuple[str, ...] = ()


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The people that a rule matches."""

    count: int
    of: int
    version: int
    sample: tuple[Person, ...] = ()
    unknown_tags: tuple[UnknownInRule, ...] = ()


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """A tag of a person, and the batch that added it."""

    tag: str
    version: int
    at: str
    actor: str
    source: str


class Because(msgspec.Struct, frozen=True, kw_only=True):
    """A node of a rule that decided: its JSON pointer and its result.

    A tag node has `tag` and `match`, and `by` has the tags of the person that satisfy it. Any other node is in `asks`.
    For an event node, `events` is the number of the person's events that it counts. For an attribute node, `value` is
    the person's value as plain JSON, and None if the person has none.
    """

    node: str
    tag: str | None = None
    match: Match | None = None
    holds: bool
    by: tuple[Provenance, ...] = ()
    asks: Rule | None = None
    events: int | None = None
    value: Any = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The tribes of a person, each with the reasons."""

    tribes: tuple[str, ...]
    version: int
    because: dict[str, tuple[Because, ...]] = {}


class PersonDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The tribes of a person, each with the reasons. Either `user` or `visitor` is set."""

    user: str | None = None
    visitor: str | None = None
    tribes: tuple[str, ...]
    because: dict[str, tuple[Because, ...]] = {}


class Decisions(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions for several people in the order of the request, as of `version`."""

    decisions: tuple[PersonDecision, ...]
    version: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a tribe. Either `user` or `visitor` is set. `tags` is set if the request includes tags."""

    user: str | None = None
    visitor: str | None = None
    tags: tuple[str, ...] | None = None


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a person is in a tribe, as of `version`."""

    tribe: str
    is_member: bool
    version: int


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a person is in a tribe, with the reasons."""

    tribe: str
    is_member: bool
    audience_holds: bool
    version: int
    because: tuple[Because, ...] = ()


class OverlapRegion(msgspec.Struct, frozen=True):
    """The number of people who are in exactly these tribes."""

    tribes: tuple[str, ...]
    count: int


class Overlap(msgspec.Struct, frozen=True):
    """The regions with at least one person."""

    regions: tuple[OverlapRegion, ...]
    version: int


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """An attribute of the catalogue. `people` is the number of people who have a value."""

    name: str
    type: AttributeType
    description: str = ""
    people: int = 0


class ValueCount(msgspec.Struct, frozen=True):
    """A value of an attribute, and the number of people who have it."""

    value: Any
    people: int


class AttributeDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The most frequent values of an attribute, and the tribes and mappings that name it.

    `distinct` is the number of different values. It is None, and `values` is empty, if there are too many to count.
    `least` and `greatest` are those of numbers and times.
    """

    attribute: Attribute
    version: int
    distinct: int | None
    values: tuple[ValueCount, ...]
    least: Any = None
    greatest: Any = None
    tribes: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()


class AttributeChange(msgspec.Struct, frozen=True, kw_only=True):
    """The change of one value of a person. None is no value."""

    attribute: str
    before: Any
    after: Any


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A version: the action, its actor and source, and its effect.

    `attributes` counts the values of attributes that changed. A list for one person has them as `attribute_changes`.
    """

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
    events: int = 0
    attributes: int = 0
    attribute_changes: tuple[AttributeChange, ...] = ()
    scheduled: int = 0
    tags_scheduled: tuple[str, ...] = ()
    tags_unscheduled: tuple[str, ...] = ()


class Organization(msgspec.Struct, frozen=True):
    """A tenant."""

    id: str
    name: str


class Space(msgspec.Struct, frozen=True):
    """A project of an organization."""

    id: str
    organization: str
    name: str


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """The version and time from which history is complete; version 0 if nothing was deleted."""

    version: int = 0
    at: str | None = None


class Freed(msgspec.Struct, frozen=True, kw_only=True):
    """Deleted history: the versions up to the horizon, and the number of changes and bytes of the log.

    If `is_all` is false, there are more changes than were counted.
    """

    horizon: Horizon
    versions: int = 0
    changes: int = 0
    bytes: int = 0
    is_all: bool = True


class IdentitySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How an environment links visitors to users. `set_identity` describes the settings."""

    policy: LinkPolicy = "take"
    proof: ProofMode = "off"
    visitors_per_day_max: int = 25


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """An environment of a space. Days are those of `time_zone`. In a list, version and horizon are None."""

    space: str
    name: str
    catalogue: Literal["open", "closed"]
    retention: str = "forever"
    identity: IdentitySettings = IdentitySettings()
    time_zone: str = "UTC"
    version: int | None = None
    horizon: Horizon | None = None
    deleted_history: Freed | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access token. `secret` is set only in the answer to its creation.

    `account` and `teammate`, an e-mail, are set if the token belongs to a teammate.
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
    """An import and its progress. `plan`, `tally` and `remote` are as in the API."""

    id: str
    name: str
    state: Literal[
        "fetching", "waiting", "planning", "planned", "held", "running", "paused", "cancelled", "done", "failed"
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
    """An inferred mapping, the columns with samples, and the first rows as the mapping reads them, as in the API."""

    mapping: dict[str, Any]
    columns: tuple[dict[str, Any], ...]
    rows: tuple[dict[str, Any], ...]


class SavedMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A saved mapping of a space. `version` counts from 1."""

    name: str
    version: int
    at: str
    by: str
    mapping: dict[str, Any]


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """A sync. `draft` is the definition, for `put_sync`."""

    id: str
    draft: dict[str, Any]
    revision: int
    cursor: str | None = None
    next_run_at: str | None = None


class SyncRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a sync, and its import."""

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
    requires_approval: bool = False
