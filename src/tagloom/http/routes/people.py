"""The part of the route table that is about people, one by one and in bulk."""

from tagloom.base import limits as base_limits
from tagloom.base.problems import Problem
from tagloom.files.problems import ColumnsInvalid
from tagloom.http import limits, taggings
from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import (
    AS_OF,
    AT_LEAST,
    CURSOR,
    DRY_RUN,
    EXPIRES_AT,
    LIMIT,
    MATCH,
    MODE,
    NORMALIZE,
    TTL,
    Parameter,
)
from tagloom.http.framework.routing import Route
from tagloom.http.framework.schemas import PeoplePage, PersonBody, PersonTags, TagsBody
from tagloom.http.people import USERS, VISITORS, PeopleHandlers
from tagloom.http.problems import NotAcceptable
from tagloom.people.export import CONTENT_TYPE_OF_FORMAT
from tagloom.ports import limits as ports_limits
from tagloom.ports.problems import (
    ChangeNotFound,
    CursorInvalid,
    IdempotencyKeyReused,
    PersonNotFound,
    TagNotFound,
    TooManyTags,
)
from tagloom.tagging.bulk import FORMAT_OF_CONTENT_TYPE
from tagloom.words.expiry import ExpiryInvalid, ExpiryPast
from tagloom.words.model import PersonRecord, Receipt
from tagloom.words.problems import ExclusiveBranch, MirrorEmpty, PersonIdInvalid, TagIsAlias, TagProblem, UnknownTag
from tagloom.words.rejections import MirrorUnreadable

EXPORTS = tuple(CONTENT_TYPE_OF_FORMAT.values())


SOURCE = Parameter(
    name="source",
    description="What the batch comes from, for the history: a file's or a job's name.",
    characters_max=base_limits.CHARACTERS_PER_SOURCE_MAX,
)
IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    description="Any text of your choice: the same key with the same body and parameters, "
    f"within {ports_limits.IDEMPOTENCY_DAYS} days, gives the first receipt again and changes nothing.",
    characters_max=limits.IDEMPOTENCY_KEY_CHARACTERS_MAX,
)


SEARCH_MATCH = Parameter(
    name="search_match",
    description="How the id and `search` are compared.",
    choices=("substring", "prefix", "exact"),
    default="substring",
)


def search_for(what: str) -> Parameter:
    return Parameter(
        name="search", description=f"Only {what} with this in it.", characters_max=limits.CHARACTERS_PER_SEARCH_MAX
    )


def _listing(door: PeopleHandlers) -> Route:
    kind = door.kind
    return Route(
        method="GET",
        path=f"{E}/{kind}s",
        handler=door.list_people,
        group="People",
        summary=f"List {kind}s with their tags, in the order they came",
        scopes=("people:read",),
        parameters=(
            search_for(f"{kind}s whose id is one"),
            SEARCH_MATCH,
            Parameter(
                name="kind",
                description="Users or visitors, whatever the address says.",
                choices=("user", "visitor"),
            ),
            Parameter(name="tag", description="Only bearers of this tag."),
            MATCH,
            LIMIT,
            CURSOR,
            AT_LEAST,
        ),
        answer=PeoplePage,
        problems=(
            TagProblem,
            CursorInvalid,
            TagIsAlias,
            TagNotFound,
        ),
    )


def _people(door: PeopleHandlers) -> tuple[Route, ...]:
    kind = door.kind
    one = f"{E}/{kind}s/{{id}}"
    other: tuple[type[Problem], ...] = (PersonIdInvalid,)
    unknown = (*other, PersonNotFound)
    return (
        _listing(door),
        Route(
            method="GET",
            path=one,
            handler=door.get_person,
            group="People",
            summary=f"Read a {kind}",
            scopes=("people:read",),
            parameters=(AS_OF, AT_LEAST),
            answer=PersonRecord,
            problems=(*unknown, ChangeNotFound),
        ),
        Route(
            method="PUT",
            path=one,
            handler=door.put_person,
            group="People",
            summary=f"Make a {kind} known, without tags",
            scopes=("people:write",),
            body=PersonBody,
            is_body_required=False,
            answer=Receipt,
            problems=other,
        ),
        Route(
            method="DELETE",
            path=one,
            handler=door.erase_person,
            group="People",
            summary=f"Erase a {kind} everywhere, for good",
            scopes=("people:write",),
            answer=Receipt,
            problems=unknown,
        ),
    )


def _tags_of_person(door: PeopleHandlers) -> tuple[Route, ...]:
    kind = door.kind
    tags = f"{E}/{kind}s/{{id}}/tags"
    one_tag = f"{tags}/{{tag}}"
    other: tuple[type[Problem], ...] = (PersonIdInvalid,)
    refused = (
        *other,
        TagProblem,
        UnknownTag,
        ExclusiveBranch,
        TagIsAlias,
        TooManyTags,
    )
    return (
        Route(
            method="GET",
            path=tags,
            handler=door.get_tags,
            group="People",
            summary=f"Read the tags of a {kind}",
            scopes=("tags:read",),
            parameters=(AS_OF, AT_LEAST),
            answer=PersonTags,
            problems=(*other, PersonNotFound, ChangeNotFound),
        ),
        Route(
            method="PUT",
            path=tags,
            handler=door.put_tags,
            group="People",
            summary=f"Replace the tags of a {kind}",
            description="Those that were there already end as this says, too; without an end in the body they have none"
            " but their tag's.",
            scopes=("tags:write",),
            body=TagsBody,
            answer=Receipt,
            problems=(*refused, ExpiryInvalid, ExpiryPast),
        ),
        Route(
            method="PUT",
            path=one_tag,
            handler=door.put_tag,
            group="People",
            summary=f"Give a {kind} one tag",
            description="When the path is an alias, the tag it stands for is given; the receipt's `aliases` says so.",
            scopes=("tags:write",),
            parameters=(EXPIRES_AT, TTL),
            answer=Receipt,
            problems=(*refused, ExpiryInvalid, ExpiryPast),
        ),
        Route(
            method="DELETE",
            path=one_tag,
            handler=door.delete_tag,
            group="People",
            summary=f"Take one tag from a {kind}",
            scopes=("tags:write",),
            answer=Receipt,
            problems=(*other, TagProblem, UnknownTag, TagIsAlias),
        ),
    )


TAGGINGS: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{E}/taggings",
        handler=taggings.post_taggings,
        group="Taggings",
        summary="Apply a body as one batch",
        description=(
            "`add` and `remove` give and take these tags. `change` lines carry `add` and `remove`. `set` gives each "
            "person named exactly these tags, at or below `prefix`. `mirror` does so for everybody: people left out "
            "lose theirs. A bad line is rejected alone, and listed with its number; the rest goes on. Lines of JSON and"
            " NDJSON may say when what they give ends, by `expires_at` or `ttl`; the parameters of these names do so "
            "for all other lines. A body may be compressed by gzip or zstd, said by `Content-Encoding` or by its first "
            "bytes."
        ),
        scopes=("tags:write",),
        parameters=(
            MODE,
            Parameter(name="prefix", description="The branch that set and mirror are about; other tags are rejected."),
            DRY_RUN,
            NORMALIZE,
            Parameter(
                name="allow_empty",
                description="Let a mirror without lines take every tag from everybody.",
                kind="flag",
                default=False,
            ),
            Parameter(
                name="allow_unreadable",
                description="Let a mirror go on although a line cannot be read and names nobody who is known.",
                kind="flag",
                default=False,
            ),
            SOURCE,
            Parameter(
                name="tag",
                description="CSV, NDJSON and JSON that name people only: everybody in the body gets this tag.",
            ),
            Parameter(name="user_column", description="CSV and Parquet: the column of users.", default="user"),
            Parameter(name="visitor_column", description="CSV and Parquet: of visitors.", default="visitor"),
            Parameter(name="tag_column", description="CSV and Parquet: of tags.", default="tag"),
            EXPIRES_AT,
            TTL,
        ),
        headers=(IDEMPOTENCY_KEY,),
        bulk=tuple(FORMAT_OF_CONTENT_TYPE),
        answer=Receipt,
        problems=(
            TagProblem,
            ColumnsInvalid,
            MirrorEmpty,
            MirrorUnreadable,
            IdempotencyKeyReused,
            TagIsAlias,
            TooManyTags,
            ExpiryInvalid,
            ExpiryPast,
        ),
    ),
    Route(
        method="GET",
        path=f"{E}/export/taggings",
        handler=taggings.export_taggings,
        group="Taggings",
        summary="Stream every tagging, person by person",
        scopes=("tags:read", "people:read"),
        parameters=(AT_LEAST,),
        answer_types=EXPORTS,
        problems=(NotAcceptable,),
    ),
)

PEOPLE: tuple[Route, ...] = (
    *_people(USERS),
    *_tags_of_person(USERS),
    *_people(VISITORS),
    *_tags_of_person(VISITORS),
    *TAGGINGS,
)
