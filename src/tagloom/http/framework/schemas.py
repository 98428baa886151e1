"""The bodies and answers of the Platform API that are not words of the model. Their fields never change."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from tagloom.accounts import limits as accounts_limits
from tagloom.base import limits as base_limits
from tagloom.events import limits as events_limits
from tagloom.events.event_items import EventItem, EventTypeItem, PersonEventItem
from tagloom.files import limits as files_limits
from tagloom.http.framework.period_schemas import PeriodBody, TimeText, TtlText
from tagloom.ports import limits as ports_limits
from tagloom.ports.imports import Import, ImportFormat, SavedMapping
from tagloom.tagging import limits as tagging_limits
from tagloom.tagging.catalogue import TagDetails
from tagloom.tribes import limits as tribes_limits
from tagloom.words import limits as words_limits
from tagloom.words.accounts import SCOPES, Scope, Token
from tagloom.words.attributes import Attribute, AttributeType
from tagloom.words.catalogue import Tag
from tagloom.words.changes import Change, Freed, Horizon, Version
from tagloom.words.decisions import Because
from tagloom.words.event_sources import EventSource, EventSourceDraft, RejectedMessage
from tagloom.words.expiry import Moment, parse_expires_at, parse_ttl
from tagloom.words.identity import IdentitySettings, LinkPolicy, ProofMode, SettlePolicy
from tagloom.words.people import OpenLink, PersonRecord, Scheduled
from tagloom.words.receipts import Mode
from tagloom.words.retention import RETENTION_PATTERN
from tagloom.words.rules import Rule
from tagloom.words.syncs import Sync, SyncDraft, SyncRun, SyncSource
from tagloom.words.tags import TagPath
from tagloom.words.tenants import Organization, Space
from tagloom.words.tribes import Audience, FlagReaders, OverlapRegion, TribeRecord

# A schema cannot describe a tag completely. The problems say what is wrong, and where.
TagText = Annotated[
    str,
    Meta(
        description="A tag: 1 to 3 levels joined by `/`, each of 1 to 64 characters, without capitals.",
        examples=["sports/football/australia"],
    ),
]
RetentionText = Annotated[
    str,
    Meta(
        description="How long history is kept: a span of at least a day, as a number with d, w or y, or forever.",
        examples=["90d"],
        extra_json_schema={"pattern": RETENTION_PATTERN},
    ),
]
IdText = Annotated[
    str, Meta(description="An id: 1 to 256 characters without control characters.", min_length=1, max_length=256)
]
EventTypeText = Annotated[
    str,
    Meta(description="An event type: a category and an action, joined by `/`.", examples=["ad/clicked"]),
]
SlugText = Annotated[
    str,
    Meta(
        description="1 to 64 lower-case letters, digits and inner hyphens. By default it is made from the name.",
        extra_json_schema={"pattern": "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"},
    ),
]
NameText = Annotated[
    str,
    Meta(
        description="One line.",
        extra_json_schema={"minLength": 1, "maxLength": base_limits.CHARACTERS_PER_NAME_MAX},
    ),
]
CategoryText = Annotated[
    str,
    Meta(
        description="One line, or the empty text.",
        extra_json_schema={"maxLength": base_limits.CHARACTERS_PER_NAME_MAX},
    ),
]
DescriptionText = Annotated[
    str, Meta(description="A paragraph.", extra_json_schema={"maxLength": tribes_limits.CHARACTERS_PER_DESCRIPTION_MAX})
]
Cursor = Annotated[str | None, Meta(description="The cursor of the next page; null on the last one.")]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


# Bodies.


class TagsBody(PeriodBody, frozen=True, kw_only=True):
    """All tags of one person. All of them start at `starts_at`, and expire at `expires_at`, or after `ttl`."""

    tags: Annotated[list[TagText], Meta(max_length=files_limits.TAGS_PER_LINE_MAX)]


class LinkBody(Body, frozen=True, kw_only=True):
    """The user to whom a person is linked. Without a policy, that of the environment is used."""

    user: IdText
    policy: LinkPolicy | UnsetType = UNSET


class SettleBody(Body, frozen=True, kw_only=True):
    """Whether the user gets the tags and attributes that the linked person had: take or leave."""

    policy: SettlePolicy


class OpenLinksPage(msgspec.Struct, frozen=True):
    """A page of links about which a teammate must decide."""

    items: tuple[OpenLink, ...]
    next_cursor: str | None


class AttributeBody(Body, frozen=True, kw_only=True):
    """The type of an attribute, and its description. Without a description, it does not change."""

    type: AttributeType
    description: DescriptionText | UnsetType = UNSET


class TaggingLine(PeriodBody, frozen=True, kw_only=True):
    """One person, their tags, and values of their attributes. Mode change has `add` and `remove` instead of `tags`.

    The added taggings start at `starts_at`, and expire at `expires_at`, or after `ttl`. In `attributes`, null removes a
    value, and the fields of nested objects get names such as `company.size`. Mode remove has no attributes.
    """

    user: IdText | UnsetType = UNSET
    visitor: IdText | UnsetType = UNSET
    tags: list[TagText] | UnsetType = UNSET
    add: list[TagText] | UnsetType = UNSET
    remove: list[TagText] | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType | None = UNSET


class TaggingsBody(Body, frozen=True, kw_only=True):
    """Lines of a batch."""

    taggings: list[TaggingLine]


class _ExpiryBody(Body, frozen=True, kw_only=True):
    ttl: TtlText | UnsetType | None = UNSET
    expires_at: TimeText | UnsetType | None = UNSET

    def ttl_seconds(self) -> int | None:
        """Returns the ttl in seconds; 0 removes it, None does not change it. Raises: ExpiryInvalid."""
        return None if self.ttl is UNSET else parse_ttl(self.ttl) if self.ttl is not None else 0

    def moment(self, now: float) -> Moment | None:
        """Returns when the tag expires; 0 means never, None does not change it. Raises: ExpiryInvalid, ExpiryPast."""
        if self.expires_at is UNSET:
            return None
        return parse_expires_at(self.expires_at, now) if self.expires_at is not None else 0


class TagBody(_ExpiryBody, frozen=True, kw_only=True):
    """The fields of a tag to set: its description, the ttl of its taggings, its own expiry.

    Absent fields do not change. Null removes an expiry.
    """

    description: DescriptionText | UnsetType = UNSET
    exclusive: bool | UnsetType = UNSET


class TagPatch(_ExpiryBody, frozen=True, kw_only=True):
    """The fields of a tag to change: `tag` is the new path. An `owner` of null releases the branch.

    Null removes an expiry.
    """

    tag: TagText | UnsetType = UNSET
    description: DescriptionText | UnsetType = UNSET
    exclusive: bool | UnsetType = UNSET
    owner: UnsetType | None = UNSET


class MergeBody(Body, frozen=True, kw_only=True):
    """The tag that people get instead of the one in the URL."""

    into: TagText


class TribeBody(Body, frozen=True, kw_only=True):
    """The definition of a tribe."""

    name: NameText
    rule: Rule
    description: DescriptionText = ""
    category: CategoryText = ""
    audience: Audience = "everyone"
    flag: FlagReaders = "off"


class NewTribe(TribeBody, frozen=True, kw_only=True):
    """A new tribe."""

    id: SlugText | UnsetType = UNSET


class PreviewBody(Body, frozen=True, kw_only=True):
    """A rule to preview."""

    rule: Rule
    audience: Audience = "everyone"


class TribeTagBody(PeriodBody, frozen=True, kw_only=True):
    """The tag to add to the members of a tribe, or to remove. `snapshot` also removes it from everybody else.

    Set one of the three. The added taggings start at `starts_at`, and expire at `expires_at`, or after `ttl`.
    """

    add: TagText | UnsetType = UNSET
    remove: TagText | UnsetType = UNSET
    snapshot: TagText | UnsetType = UNSET


class OverlapBody(Body, frozen=True, kw_only=True):
    """The ids of different tribes."""

    tribes: Annotated[
        list[str],
        Meta(min_length=1, max_length=tribes_limits.TRIBES_PER_OVERLAP_MAX, extra_json_schema={"uniqueItems": True}),
    ]


class UndoBody(Body, frozen=True, kw_only=True):
    """Versions to undo together: `versions`, or all of an `actor`, a `source`, or both, in a span of time.

    The span includes `from` and excludes `until`. Erasures are not found by actor or source.
    """

    versions: (
        Annotated[list[Annotated[int, Meta(ge=1)]], Meta(max_length=tagging_limits.VERSIONS_PER_UNDO_MAX)] | UnsetType
    ) = UNSET
    actor: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    since: TimeText | UnsetType = msgspec.field(name="from", default=UNSET)
    until: TimeText | UnsetType = UNSET


ContextBody = Annotated[
    dict[
        str,
        Annotated[str, Meta(max_length=words_limits.CHARACTERS_PER_COMPARED_VALUE_MAX)] | int | float | bool | None,
    ],
    Meta(max_length=words_limits.FIELDS_PER_CONTEXT_MAX),
]
"""Values for the context nodes of rules. A field that is null is missing."""


class DecisionBody(Body, frozen=True, kw_only=True):
    """The person to decide for: either a user or a visitor. `context` has values of the request for context nodes."""

    user: IdText | UnsetType = UNSET
    visitor: IdText | UnsetType = UNSET
    because: bool = True
    context: ContextBody | UnsetType = UNSET


class PersonNamed(Body, frozen=True, kw_only=True):
    """A person: either a user or a visitor. `context` has values for this person only."""

    user: IdText | UnsetType = UNSET
    visitor: IdText | UnsetType = UNSET
    context: ContextBody | UnsetType = UNSET


class ManyDecisionsBody(Body, frozen=True, kw_only=True):
    """The people to decide for. With `because`, each decision has reasons, and the request can name fewer people.

    `context` has values for all people. A field of the context of one person replaces it.
    """

    people: Annotated[list[PersonNamed], Meta(min_length=1, max_length=tribes_limits.DECISIONS_PER_REQUEST_MAX)]
    because: bool = False
    context: ContextBody | UnsetType = UNSET


class EventLine(Body, frozen=True, kw_only=True):
    """One event of one person. Without `at` it gets the time of now, and without `id` a new one."""

    event: EventTypeText
    user: IdText | UnsetType = UNSET
    visitor: IdText | UnsetType = UNSET
    properties: Annotated[dict[str, Any], Meta(extra_json_schema={"additionalProperties": True})] = {}
    at: TimeText | UnsetType = UNSET
    id: IdText | UnsetType = UNSET


class EventsBody(Body, frozen=True, kw_only=True):
    """The events of one batch."""

    events: Annotated[list[EventLine], Meta(max_length=events_limits.EVENTS_PER_REQUEST_MAX)]


class NewSpace(Body, frozen=True, kw_only=True):
    """A new space."""

    name: NameText
    id: SlugText | UnsetType = UNSET


class IdentityPatch(Body, frozen=True, kw_only=True):
    """The settings of links between visitors and users to change.

    `policy`: whether the tags and attributes of a linked visitor go to the user (take), or are left out (leave).
    `proof`: whether messages with a public write key need a proof of their user id. At most `visitors_per_day_max`
    visitors are linked to one user on one day.
    """

    policy: LinkPolicy | UnsetType = UNSET
    proof: ProofMode | UnsetType = UNSET
    visitors_per_day_max: Annotated[int, Meta(ge=1, le=words_limits.VISITORS_PER_DAY_SETTING_MAX)] | UnsetType = UNSET

    def settings(self, stored: IdentitySettings) -> IdentitySettings:
        """Returns the stored settings with these changes."""
        changes = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}
        return msgspec.structs.replace(stored, **changes)


class EnvironmentPatch(Body, frozen=True, kw_only=True):
    """The catalogue (open, or closed: unknown tags are rejected), the retention (`90d`, or `forever`), and settings."""

    catalogue: Literal["open", "closed"] | UnsetType = UNSET
    retention: RetentionText | UnsetType = UNSET
    identity: IdentityPatch | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET


class NewToken(Body, frozen=True, kw_only=True):
    """A new token."""

    name: NameText
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=len(SCOPES))]
    expires_in_days: Annotated[int, Meta(ge=1, le=accounts_limits.TOKEN_DAYS_MAX)] = 90


# Answers. An answer about an environment has its version.


class PersonTags(msgspec.Struct, frozen=True, kw_only=True):
    """The tags of one person, in alphabetical order. `expires_at` has the expiry of the tags that have one.

    `scheduled` has the tags that the person gets later.
    """

    tags: tuple[str, ...]
    version: Version
    expires_at: dict[TagPath, str] = {}
    scheduled: dict[TagPath, Scheduled] = {}


class TagAnswer(TagDetails, frozen=True, kw_only=True):
    """One entry of the catalogue."""

    version: Version


class PersonDecision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The tribes of one person, with reasons."""

    user: str | UnsetType = UNSET
    visitor: str | UnsetType = UNSET
    tribes: tuple[str, ...]
    because: dict[str, tuple[Because, ...]] = {}


class ManyDecisionsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions in the order of the request, all of one version."""

    decisions: tuple[PersonDecision, ...]
    version: Version


class MembershipAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A tribe, and whether a person is in it."""

    tribe: str
    is_member: bool
    version: Version


class OverlapAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The number of people in each combination of the tribes, without empty combinations."""

    regions: tuple[OverlapRegion, ...]
    version: Version


class EnvironmentItem(msgspec.Struct, frozen=True, kw_only=True):
    """One environment of a space. `identity` says how visitors are linked to users. Days are those of `time_zone`."""

    space: str
    name: str
    catalogue: Literal["open", "closed"]
    retention: str
    identity: IdentitySettings
    time_zone: str


class EnvironmentAnswer(EnvironmentItem, frozen=True, kw_only=True):
    """One environment, with its version in this process. History is complete from the `horizon` on.

    `deleted_history` is the history that a new retention deletes, or would delete in a dry run.
    """

    version: Version
    horizon: Horizon
    deleted_history: Freed | None = None


class NewTokenAnswer(Token, frozen=True, kw_only=True):
    """A new token with its secret, which is shown only once."""

    secret: str


class AliasItem(msgspec.Struct, frozen=True, kw_only=True):
    """An old path, and the current one."""

    alias: str
    tag: str


class Health(msgspec.Struct, frozen=True):
    """The status of the process: `ok`, or `ready`."""

    status: Literal["ok", "ready"]


# Pages.


class PeoplePage(msgspec.Struct, frozen=True, kw_only=True):
    """People in the order of creation."""

    items: tuple[PersonRecord, ...]
    next_cursor: Cursor
    version: Version


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A member of a tribe, with tags if the request includes them."""

    user: str | UnsetType = UNSET
    visitor: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET


class EventsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one person, the last recorded first."""

    items: tuple[EventItem, ...]
    next_cursor: Cursor
    version: Version


class RecentEventsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events of all people, the last recorded first."""

    items: tuple[PersonEventItem, ...]
    next_cursor: Cursor
    version: Version


class NewEventSource(EventSourceDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new event source: its id and its settings."""

    id: str


class EventSourcesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Event sources by id."""

    items: tuple[EventSource, ...]
    next_cursor: Cursor


class NewSecretKey(msgspec.Struct, frozen=True, kw_only=True):
    """A new secret key, which cannot be read again."""

    secret_key: str


class RejectedMessagesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Rejected messages of an event source, the newest first."""

    items: tuple[RejectedMessage, ...]


class EventTypesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Event types in alphabetical order."""

    items: tuple[EventTypeItem, ...]
    next_cursor: Cursor
    version: Version


class MembersPage(msgspec.Struct, frozen=True, kw_only=True):
    """Members of a tribe in the order of creation."""

    items: tuple[Member, ...]
    next_cursor: Cursor
    version: Version


class TagsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tags in the order of their code points."""

    items: tuple[Tag, ...]
    next_cursor: Cursor
    version: Version


class AttributesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Attributes by name."""

    items: tuple[Attribute, ...]
    next_cursor: Cursor
    version: Version


class AliasesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Aliases in the order of their code points."""

    items: tuple[AliasItem, ...]
    next_cursor: Cursor
    version: Version


class ChangesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Versions, ascending. Versions up to the `horizon` list only taggings that still existed at the horizon."""

    items: tuple[Change, ...]
    next_cursor: Cursor
    version: Version
    horizon: Horizon


class TribesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tribes by id."""

    items: tuple[TribeRecord, ...]
    next_cursor: Cursor


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of an import. Without a format, the name of the file decides.

    `name` is the name of the file for the history, `mapping` the name of a saved mapping. A run that would remove more
    than `share_removed_max` percent of the taggings at or below `prefix` is held, and so is an empty mirror without
    `allow_empty`. Taggings start at `starts_at`, and expire at `expires_at` or after `ttl`, unless their lines have a
    start or an expiry. `tag` is for a file with people only, and is added to all of them; such an import has no
    mapping.
    """

    name: Annotated[str, Meta(max_length=words_limits.CHARACTERS_PER_ID_MAX)] = ""
    format: ImportFormat | None = None
    mode: Mode = "add"
    prefix: Annotated[str, Meta(max_length=words_limits.CHARACTERS_PER_ID_MAX)] = ""
    normalize: Literal["lowercase"] | None = None
    mapping: Annotated[str, Meta(max_length=words_limits.CHARACTERS_PER_ID_MAX)] | None = None
    share_removed_max: Annotated[int, Meta(ge=0, le=100)] = ports_limits.IMPORT_SHARE_REMOVED_DEFAULT
    allow_empty: bool = False
    starts_at: Annotated[str, Meta(max_length=64)] | None = None
    expires_at: Annotated[str, Meta(max_length=64)] | None = None
    ttl: Annotated[str, Meta(max_length=16)] | None = None
    tag: Annotated[str, Meta(max_length=words_limits.CHARACTERS_PER_ID_MAX)] | None = None


class UrlImport(ImportOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that the server fetches, with the options of its import.

    `url` is of https, s3, gs, az, abfs, sftp or file, without credentials; `secret` is the name of the secret with
    them.
    """

    url: Annotated[str, Meta(min_length=1, max_length=words_limits.URL_CHARACTERS_MAX)]
    secret: Annotated[str, Meta(max_length=64)] | None = None


class ImportsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Imports, the newest first. For older ones, send the last id as `before`."""

    items: tuple[Import, ...]


class MappingsPage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest versions of the mappings of a space, by name."""

    items: tuple[SavedMapping, ...]


class NewSync(SyncDraft, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new sync."""

    id: SlugText


class SourceOfSync(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The source of a sync."""

    source: SyncSource


class SyncsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Syncs by id."""

    items: tuple[Sync, ...]
    next_cursor: Cursor


class SyncRunsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Runs, the newest first. Older ones have lower ids."""

    items: tuple[SyncRun, ...]


class OrganizationsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Organizations by id."""

    items: tuple[Organization, ...]
    next_cursor: Cursor


class SpacesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Spaces by id."""

    items: tuple[Space, ...]
    next_cursor: Cursor


class EnvironmentsPage(msgspec.Struct, frozen=True, kw_only=True):
    """Environments of a space."""

    items: tuple[EnvironmentItem, ...]
    next_cursor: Cursor


class TokenItem(Token, frozen=True, kw_only=True):
    """A token without its secret. `teammate` is an e-mail, set if the token belongs to a teammate."""

    teammate: str | None = None


class TokensPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by creation."""

    items: tuple[TokenItem, ...]
    next_cursor: Cursor
