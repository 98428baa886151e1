"""The routes of people, one by one and in bulk."""

from tagloom.base import limits as base_limits
from tagloom.base.problems import Problem
from tagloom.files.problems import ColumnsInvalid
from tagloom.files.table_encoding import CONTENT_TYPE_OF_FORMAT
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
    STARTS_AT,
    TTL,
    Parameter,
)
from tagloom.http.framework.person_schemas import AttributesBody, PersonBody
from tagloom.http.framework.routing import Route
from tagloom.http.framework.schemas import PeoplePage, PersonTags, TagsBody
from tagloom.http.people import USERS, VISITORS, PeopleHandlers
from tagloom.http.problems import NotAcceptable
from tagloom.ports import limits as ports_limits
from tagloom.ports.problems import (
    ChangeNotFound,
    CursorInvalid,
    IdempotencyKeyReused,
    PersonLinked,
    PersonNotFound,
    TagNotFound,
    TooManyTags,
)
from tagloom.tagging.taggings import FORMAT_OF_CONTENT_TYPE
from tagloom.words.expiry import ExpiryInvalid, ExpiryPast
from tagloom.words.people import PersonRecord
from tagloom.words.periods import StartInvalid
from tagloom.words.problems import (
    AttributeNameInvalid,
    AttributeReserved,
    AttributeTypeConflict,
    AttributeValueInvalid,
    ExclusiveBranch,
    MirrorEmpty,
    PersonIdInvalid,
    PersonSuppressed,
    TagIsAlias,
    TagProblem,
    TooManyAttributes,
    UnknownAttribute,
    UnknownTag,
)
from tagloom.words.receipts import Receipt
from tagloom.words.rejections import MirrorUnreadable

EXPORTS = tuple(CONTENT_TYPE_OF_FORMAT.values())


SOURCE = Parameter(
    name="source",
    description="The source of the batch, for the history: the name of a file or a job.",
    characters_max=base_limits.CHARACTERS_PER_SOURCE_MAX,
)
IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    description="Any text. A request with the same key, body and parameters, "
    f"within {ports_limits.IDEMPOTENCY_DAYS} days, returns the first receipt again and changes nothing.",
    characters_max=limits.IDEMPOTENCY_KEY_CHARACTERS_MAX,
)


ATTRIBUTE_PROBLEMS: tuple[type[Problem], ...] = (
    PersonSuppressed,
    AttributeNameInvalid,
    AttributeReserved,
    AttributeValueInvalid,
    AttributeTypeConflict,
    UnknownAttribute,
    TooManyAttributes,
)
SEARCH_MATCH = Parameter(
    name="search_match",
    description="How ids are compared with `search`.",
    choices=("substring", "prefix", "exact"),
    default="substring",
)


def search_for(what: str) -> Parameter:
    return Parameter(
        name="search",
        description=f"Only {what} that contain this text.",
        characters_max=limits.CHARACTERS_PER_SEARCH_MAX,
    )


def _listing(door: PeopleHandlers) -> Route:
    kind = door.kind
    return Route(
        method="GET",
        path=f"{E}/{kind}s",
        handler=door.list_people,
        group="People",
        summary=f"List {kind}s with their tags, in the order of creation",
        scopes=("people:read",),
        parameters=(
            search_for("ids"),
            SEARCH_MATCH,
            Parameter(
                name="kind",
                description="Users or visitors, instead of the kind in the URL.",
                choices=("user", "visitor"),
            ),
            Parameter(name="tag", description="Only people with this tag."),
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
            summary=f"Create a {kind}, or replace all attributes of a {kind}",
            description="Without `attributes` in the body, the person is created, or does not change. `attributes` "
            "also needs the scope tags:write.",
            scopes=("people:write",),
            parameters=(DRY_RUN, SOURCE),
            headers=(IDEMPOTENCY_KEY,),
            body=PersonBody,
            is_body_required=False,
            answer=Receipt,
            problems=(*other, IdempotencyKeyReused, *ATTRIBUTE_PROBLEMS),
        ),
        Route(
            method="PATCH",
            path=one,
            handler=door.patch_person,
            group="People",
            summary=f"Set and remove attributes of a {kind}",
            description="Creates the person. The first value decides about the type of a new attribute.",
            scopes=("tags:write",),
            parameters=(DRY_RUN, SOURCE),
            headers=(IDEMPOTENCY_KEY,),
            body=AttributesBody,
            answer=Receipt,
            problems=(*other, IdempotencyKeyReused, *ATTRIBUTE_PROBLEMS),
        ),
        Route(
            method="DELETE",
            path=one,
            handler=door.erase_person,
            group="People",
            summary=f"Erase a {kind} everywhere, for good",
            scopes=("people:write",),
            answer=Receipt,
            problems=(*unknown, PersonLinked),
        ),
    )


def _tags_of_person(door: PeopleHandlers) -> tuple[Route, ...]:
    kind = door.kind
    tags = f"{E}/{kind}s/{{id}}/tags"
    one_tag = f"{tags}/{{tag}}"
    other: tuple[type[Problem], ...] = (PersonIdInvalid,)
    refused = (
        *other,
        PersonSuppressed,
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
            description="All tags get the expiry of the body, also those that the person had; without one, they get "
            "that of their tag, if it has one. With a later start, the tags are scheduled.",
            scopes=("tags:write",),
            body=TagsBody,
            answer=Receipt,
            problems=(*refused, StartInvalid, ExpiryInvalid, ExpiryPast),
        ),
        Route(
            method="PUT",
            path=one_tag,
            handler=door.put_tag,
            group="People",
            summary=f"Add one tag to a {kind}",
            description="If the path is an alias, its current tag is added, and the receipt lists it in `aliases`.",
            scopes=("tags:write",),
            parameters=(STARTS_AT, EXPIRES_AT, TTL),
            answer=Receipt,
            problems=(*refused, StartInvalid, ExpiryInvalid, ExpiryPast),
        ),
        Route(
            method="DELETE",
            path=one_tag,
            handler=door.delete_tag,
            group="People",
            summary=f"Remove one tag from a {kind}",
            scopes=("tags:write",),
            answer=Receipt,
            problems=(*other, PersonSuppressed, TagProblem, UnknownTag, TagIsAlias),
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
            "`add` and `remove` add and remove the tags of the lines. A line of `change` has `add` and `remove`. After "
            "`set`, each person named has exactly the tags of their lines, at or below `prefix`. `mirror` does this "
            "for everybody: people who are not named lose their tags there. An invalid line is rejected alone and "
            "listed with its number. Lines of JSON and NDJSON can have `starts_at`, and `expires_at` or `ttl`; the "
            "parameters of these names apply to all other lines. A body can be compressed by gzip or zstd, as "
            "`Content-Encoding` or its first bytes tell."
        ),
        scopes=("tags:write",),
        parameters=(
            MODE,
            Parameter(name="prefix", description="The branch that set and mirror own; tags outside are rejected."),
            DRY_RUN,
            NORMALIZE,
            Parameter(
                name="allow_empty",
                description="Let a mirror without lines remove every tag from everybody.",
                kind="flag",
                default=False,
            ),
            Parameter(
                name="allow_unreadable",
                description="Let a mirror continue although a line cannot be read and its person is unknown.",
                kind="flag",
                default=False,
            ),
            SOURCE,
            Parameter(
                name="tag",
                description="CSV, NDJSON and JSON with people only: this tag is added to everybody in the body.",
            ),
            Parameter(name="user_column", description="CSV and Parquet: the column of users.", default="user"),
            Parameter(name="visitor_column", description="CSV and Parquet: the column of visitors.", default="visitor"),
            Parameter(name="tag_column", description="CSV and Parquet: the column of tags.", default="tag"),
            STARTS_AT,
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
            StartInvalid,
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
