"""The route table of the Platform API: it dispatches requests, and OpenAPI and the tests are made from it."""

from typing import Any

import msgspec

from tagloom.base import limits as base_limits
from tagloom.base.problems import Problem
from tagloom.http import decisions, history, installation, limits, tags, tribes
from tagloom.http.framework.addresses import SPACE, V2, E
from tagloom.http.framework.parameters import (
    AS_OF,
    AT_LEAST,
    CONTEXT,
    CURSOR,
    DRY_RUN,
    LIMIT,
    MATCH,
    USER,
    VISITOR,
    Parameter,
)
from tagloom.http.framework.routing import FastAnswer, Handler, Route
from tagloom.http.framework.schemas import (
    AliasesPage,
    ChangesPage,
    DecisionBody,
    Health,
    ManyDecisionsAnswer,
    ManyDecisionsBody,
    MembershipAnswer,
    MembersPage,
    MergeBody,
    NewTribe,
    OverlapAnswer,
    OverlapBody,
    PreviewBody,
    TagAnswer,
    TagBody,
    TagPatch,
    TagsPage,
    TribeBody,
    TribesPage,
    TribeTagBody,
    UndoBody,
)
from tagloom.http.problems import NotAcceptable, PreconditionRequired
from tagloom.http.routes.attributes import ATTRIBUTES
from tagloom.http.routes.deletions import DELETIONS
from tagloom.http.routes.deliveries import DELIVERIES
from tagloom.http.routes.event_sources import EVENT_SOURCES
from tagloom.http.routes.events import EVENTS
from tagloom.http.routes.flags import FLAGS
from tagloom.http.routes.identities import IDENTITIES
from tagloom.http.routes.imports import IMPORTS, MAPPINGS
from tagloom.http.routes.lists import LISTS
from tagloom.http.routes.people import EXPORTS, IDEMPOTENCY_KEY, PEOPLE, SEARCH_MATCH, search_for
from tagloom.http.routes.syncs import SYNCS
from tagloom.http.routes.tenants import TENANTS
from tagloom.http.routes.tribe_alerts import TRIBE_ALERTS
from tagloom.ports.problems import (
    ChangeNotFound,
    CursorInvalid,
    IdempotencyKeyReused,
    TagExists,
    TagMoveInvalid,
    TagNotFound,
    TooManyTags,
    TooManyTribes,
    TribeChanged,
    TribeExists,
    TribeNotFound,
    UndoConflict,
)
from tagloom.tagging.problems import TagInUse, UndoTooLarge
from tagloom.tribes.audiences import Preview, Why
from tagloom.tribes.problems import TribeInUse
from tagloom.words.changes import Change
from tagloom.words.decisions import Decision
from tagloom.words.expiry import ExpiryInvalid, ExpiryPast
from tagloom.words.people import Kind
from tagloom.words.periods import StartInvalid
from tagloom.words.problems import (
    PersonIdInvalid,
    RuleInvalid,
    RuleTooDeep,
    RuleTooLarge,
    TagIsAlias,
    TagProblem,
    TribeCycle,
    TribeNeedsContext,
    TribeUnknown,
    UnknownTag,
)
from tagloom.words.receipts import Receipt
from tagloom.words.tribes import Count, TribeMetrics, TribeRecord

PREFIX = Parameter(name="prefix", description="Only tags at or below this one.")
TAG_FILTER = Parameter(name="tag", description="Only changes of this tag, or of tags below it.")
IF_MATCH = Parameter(name="If-Match", description="The ETag of the tribe that was read; * matches any.")
IF_MATCH_NEEDED = msgspec.structs.replace(IF_MATCH, is_required=True)
INSTALLATION: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/healthz",
        handler=installation.healthz,
        group="Installation",
        summary="Check that the process answers",
        scopes=None,
        answer=Health,
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=installation.readyz,
        group="Installation",
        summary="Check that the process accepts new requests",
        scopes=None,
        answer=Health,
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=installation.metrics,
        group="Installation",
        summary="Read the metrics of this process for Prometheus",
        scopes=None,
        answer_types=("text/plain",),
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=installation.get_openapi,
        group="Installation",
        summary="Read this description",
        scopes=None,
        answer=dict[str, Any],
    ),
    Route(
        method="GET",
        path=f"{V2}/limits",
        handler=installation.get_limits,
        group="Installation",
        summary="Read every limit, by name; the name has the unit",
        scopes=(),
        answer=dict[str, int],
    ),
)

TAGS: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{E}/tags",
        handler=tags.list_tags,
        group="Tags",
        summary="List the catalogue",
        scopes=("tags:read",),
        parameters=(search_for("tags"), PREFIX, LIMIT, CURSOR, AT_LEAST),
        answer=TagsPage,
        problems=(TagProblem, CursorInvalid),
    ),
    Route(
        method="GET",
        path=f"{E}/tags/{{tag}}",
        handler=tags.get_tag,
        group="Tags",
        summary="Read a tag and the tribes that use it",
        scopes=("tags:read",),
        parameters=(AT_LEAST,),
        answer=TagAnswer,
        problems=(TagProblem, TagNotFound, TagIsAlias),
    ),
    Route(
        method="PUT",
        path=f"{E}/tags/{{tag}}",
        handler=tags.put_tag,
        group="Tags",
        summary="Create a tag, or change its fields",
        description="With `exclusive`, a person has one tag of the branch: adding one removes the others.",
        scopes=("tags:write",),
        body=TagBody,
        is_body_required=False,
        answer=Receipt,
        problems=(
            TagProblem,
            TagIsAlias,
            TooManyTags,
            ExpiryInvalid,
            ExpiryPast,
        ),
    ),
    Route(
        method="PATCH",
        path=f"{E}/tags/{{tag}}",
        handler=tags.patch_tag,
        group="Tags",
        summary="Rename or move a tag, or change its fields",
        description="People keep the tag. The old path becomes an alias: a source can still send it.",
        scopes=("tags:write",),
        body=TagPatch,
        answer=Receipt,
        problems=(
            ExpiryInvalid,
            ExpiryPast,
            TagProblem,
            TagNotFound,
            TagExists,
            TagIsAlias,
            TagMoveInvalid,
            TooManyTags,
        ),
    ),
    Route(
        method="DELETE",
        path=f"{E}/tags/{{tag}}",
        handler=tags.delete_tag,
        group="Tags",
        summary="Delete a tag and the tags below it, and remove them from everybody",
        scopes=("tags:write",),
        parameters=(Parameter(name="force", description="Also if a tribe uses the tag.", kind="flag", default=False),),
        answer=Receipt,
        problems=(
            TagProblem,
            TagNotFound,
            TagInUse,
            TagIsAlias,
        ),
    ),
    Route(
        method="GET",
        path=f"{E}/tags/{{tag}}/users",
        handler=tags.export_people_with,
        group="Tags",
        summary="Stream the people with a tag",
        description="For a page, use `users?tag=`. If the last level of a tag is `users`, encode its slash: "
        "`tags/sports%2Fusers`.",
        scopes=("tags:read", "people:read"),
        parameters=(MATCH, AS_OF, AT_LEAST),
        answer_types=EXPORTS,
        problems=(
            ChangeNotFound,
            TagProblem,
            TagNotFound,
            TagIsAlias,
            NotAcceptable,
        ),
    ),
    Route(
        method="POST",
        path=f"{E}/tags/{{tag}}/merge",
        handler=tags.merge_tag,
        group="Tags",
        summary="Merge a tag into another",
        description="People with this tag get `into` instead; the same for every tag below. Old paths become aliases.",
        scopes=("tags:write",),
        body=MergeBody,
        answer=Receipt,
        problems=(
            TagProblem,
            TagNotFound,
            TagMoveInvalid,
            TagIsAlias,
            TagExists,
            TooManyTags,
        ),
    ),
    Route(
        method="GET",
        path=f"{E}/aliases",
        handler=tags.list_aliases,
        group="Tags",
        summary="List old paths and the current ones",
        scopes=("tags:read",),
        parameters=(LIMIT, CURSOR, AT_LEAST),
        answer=AliasesPage,
    ),
)

NO_MEMBERS: tuple[type[Problem], ...] = (TribeNotFound, TribeNeedsContext)
RULE_PROBLEMS: tuple[type[Problem], ...] = (
    RuleInvalid,
    RuleTooDeep,
    RuleTooLarge,
    TribeUnknown,
    TagProblem,
)


def _membership(kind: Kind, handler: Handler) -> Route:
    return Route(
        method="GET",
        path=f"{E}/tribes/{{tribe}}/{kind}s/{{id}}",
        handler=handler,
        group="Tribes",
        summary=f"Check whether a {kind} is in a tribe",
        scopes=("tribes:read", "people:read"),
        parameters=(AT_LEAST,),
        answer=MembershipAnswer,
        problems=(*NO_MEMBERS, PersonIdInvalid),
    )


TRIBES: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{SPACE}/tribes",
        handler=tribes.list_tribes,
        group="Tribes",
        summary="List tribes",
        scopes=("tribes:read",),
        parameters=(LIMIT, CURSOR),
        answer=TribesPage,
    ),
    Route(
        method="POST",
        path=f"{SPACE}/tribes",
        handler=tribes.create_tribe,
        group="Tribes",
        summary="Create a tribe",
        scopes=("tribes:write",),
        body=NewTribe,
        answer=TribeRecord,
        status=201,
        problems=(*RULE_PROBLEMS, TribeExists, TribeCycle, TooManyTribes),
    ),
    Route(
        method="GET",
        path=f"{SPACE}/tribes/{{tribe}}",
        handler=tribes.get_tribe,
        group="Tribes",
        summary="Read a tribe; its ETag is for If-Match",
        scopes=("tribes:read",),
        answer=TribeRecord,
        problems=(TribeNotFound,),
    ),
    Route(
        method="PUT",
        path=f"{SPACE}/tribes/{{tribe}}",
        handler=tribes.put_tribe,
        group="Tribes",
        summary="Replace a tribe",
        scopes=("tribes:write",),
        headers=(IF_MATCH_NEEDED,),
        body=TribeBody,
        answer=TribeRecord,
        problems=(
            *RULE_PROBLEMS,
            TribeNotFound,
            TribeCycle,
            TribeChanged,
            PreconditionRequired,
        ),
    ),
    Route(
        method="DELETE",
        path=f"{SPACE}/tribes/{{tribe}}",
        handler=tribes.delete_tribe,
        group="Tribes",
        summary="Delete a tribe that no other tribe uses",
        scopes=("tribes:write",),
        headers=(IF_MATCH,),
        status=204,
        problems=(TribeNotFound, TribeInUse, TribeChanged),
    ),
    Route(
        method="GET",
        path=f"{E}/tribes/{{tribe}}/count",
        handler=tribes.count,
        group="Tribes",
        summary="Count a tribe",
        scopes=("tribes:read",),
        parameters=(AS_OF, AT_LEAST),
        answer=Count,
        problems=(*NO_MEMBERS, ChangeNotFound),
    ),
    Route(
        method="GET",
        path=f"{E}/tribes/{{tribe}}/metrics",
        handler=tribes.get_metrics,
        group="Tribes",
        summary="Count the active, new, at-risk and lost members of a tribe",
        scopes=("tribes:read",),
        parameters=(AT_LEAST,),
        answer=TribeMetrics,
        problems=NO_MEMBERS,
    ),
    Route(
        method="GET",
        path=f"{E}/metrics",
        handler=tribes.get_metrics_of_everyone,
        group="Tribes",
        summary="Count the active, new, at-risk and lost people of an environment",
        scopes=("tribes:read",),
        parameters=(AT_LEAST,),
        answer=TribeMetrics,
    ),
    Route(
        method="GET",
        path=f"{E}/tribes/{{tribe}}/users",
        handler=tribes.list_members,
        group="Tribes",
        summary="List the people in a tribe, or stream all of them",
        description="With `limit`, `cursor`, `search` or `include` the answer is a page as JSON, in the order in which "
        "the people were created. Without them it is a stream of everybody, in the format of Accept. With "
        "`attributes`, each person has `attributes`, and each row has a column per attribute.",
        scopes=("tribes:read", "people:read"),
        parameters=(
            search_for("ids"),
            SEARCH_MATCH,
            Parameter(name="include", description="More fields of the items of a page.", choices=("tags",)),
            Parameter(
                name="limit",
                description="The maximum number of items of a page.",
                kind="integer",
                least=1,
                most=base_limits.PAGE_ITEMS_MAX,
            ),
            CURSOR,
            Parameter(
                name="attributes",
                description="The names of attributes to export with the people, separated by commas.",
            ),
            AS_OF,
            AT_LEAST,
        ),
        answer=MembersPage,
        answer_types=EXPORTS,
        problems=(*NO_MEMBERS, ChangeNotFound, NotAcceptable, CursorInvalid),
    ),
    _membership("user", tribes.get_membership_of_user),
    _membership("visitor", tribes.get_membership_of_visitor),
    Route(
        method="GET",
        path=f"{E}/tribes/{{tribe}}/why",
        handler=tribes.why,
        group="Tribes",
        summary="Explain why a person is in a tribe, or is not",
        scopes=("tribes:read", "people:read"),
        parameters=(USER, VISITOR, CONTEXT, AT_LEAST),
        answer=Why,
        problems=(TribeNotFound, PersonIdInvalid),
    ),
    Route(
        method="POST",
        path=f"{E}/tribes/preview",
        handler=tribes.preview,
        group="Tribes",
        summary="Count a rule before saving it, with a sample",
        scopes=("tribes:read", "people:read"),
        parameters=(AS_OF, AT_LEAST),
        body=PreviewBody,
        answer=Preview,
        problems=(*RULE_PROBLEMS, TribeNeedsContext, ChangeNotFound),
    ),
    Route(
        method="POST",
        path=f"{E}/tribes/overlap",
        handler=tribes.overlap,
        group="Tribes",
        summary="Count the people in each combination of some tribes",
        scopes=("tribes:read",),
        parameters=(AT_LEAST,),
        body=OverlapBody,
        answer=OverlapAnswer,
        problems=NO_MEMBERS,
    ),
    Route(
        method="POST",
        path=f"{E}/tribes/{{tribe}}/tag",
        handler=tribes.tag_members,
        group="Tribes",
        summary="Tag everybody in a tribe as one batch",
        description="`add` adds the tag to the current members, `remove` removes it from them. `snapshot` adds it to "
        "them and removes it from everybody else.",
        scopes=("tribes:read", "tags:write"),
        parameters=(DRY_RUN,),
        headers=(IDEMPOTENCY_KEY,),
        body=TribeTagBody,
        answer=Receipt,
        problems=(
            *NO_MEMBERS,
            TagProblem,
            UnknownTag,
            TagIsAlias,
            TooManyTags,
            IdempotencyKeyReused,
            StartInvalid,
            ExpiryInvalid,
            ExpiryPast,
        ),
    ),
)

DECISIONS: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{E}/decisions",
        handler=decisions.decide,
        group="Decisions",
        summary="Decide which tribes a person is in now, and why",
        description="An unknown person counts as one without tags. `context` has values for context nodes of rules. "
        "They are not stored.",
        scopes=("decisions",),
        parameters=(AT_LEAST,),
        body=DecisionBody,
        answer=Decision,
        problems=(PersonIdInvalid,),
        fast=FastAnswer(decisions.decide_at_once, decisions.renew, limits.DECISION_BODY_BYTES_MAX),
    ),
    Route(
        method="POST",
        path=f"{E}/decisions/many",
        handler=decisions.decide_many,
        group="Decisions",
        summary="Decide for several people at one version",
        description="The decisions have the order of the request.",
        scopes=("decisions",),
        parameters=(AT_LEAST,),
        body=ManyDecisionsBody,
        answer=ManyDecisionsAnswer,
        problems=(PersonIdInvalid,),
    ),
)

HISTORY: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{E}/changes",
        handler=history.list_changes,
        group="History",
        summary="List versions, ascending or the newest first",
        scopes=("tags:read",),
        parameters=(
            USER,
            VISITOR,
            TAG_FILTER,
            Parameter(name="after", description="Only later versions.", kind="integer", default=0),
            Parameter(name="newest_first", description="The newest first.", kind="flag", default=False),
            Parameter(
                name="action",
                description="Only versions with this action. Without it, versions of `events` are left out.",
            ),
            LIMIT,
            CURSOR,
            AT_LEAST,
        ),
        answer=ChangesPage,
        problems=(TagProblem, PersonIdInvalid, CursorInvalid),
    ),
    Route(
        method="GET",
        path=f"{E}/changes/{{version}}",
        handler=history.get_change,
        group="History",
        summary="Read one version",
        scopes=("tags:read",),
        parameters=(AT_LEAST,),
        answer=Change,
        problems=(ChangeNotFound,),
    ),
    Route(
        method="POST",
        path=f"{E}/changes/{{version}}/undo",
        handler=history.undo_change,
        group="History",
        summary="Undo one version, as a new version",
        scopes=("tags:write",),
        parameters=(DRY_RUN,),
        answer=Receipt,
        problems=(ChangeNotFound, UndoConflict, TooManyTags),
    ),
    Route(
        method="POST",
        path=f"{E}/changes/undo",
        handler=history.undo_changes,
        group="History",
        summary="Undo several versions, as one new version",
        description="Taggings that other versions changed since are skipped. The receipt counts them and lists these "
        "versions in `conflicts`.",
        scopes=("tags:write",),
        parameters=(
            DRY_RUN,
            Parameter(
                name="override",
                description="Also undo what other versions changed since.",
                kind="flag",
                default=False,
            ),
        ),
        body=UndoBody,
        answer=Receipt,
        problems=(
            ChangeNotFound,
            UndoConflict,
            UndoTooLarge,
            TooManyTags,
        ),
    ),
)

ROUTES: tuple[Route, ...] = (
    *PEOPLE,
    *DELETIONS,
    *IDENTITIES,
    *EVENTS,
    *EVENT_SOURCES,
    *TAGS,
    *ATTRIBUTES,
    *TRIBES,
    *LISTS,
    *TRIBE_ALERTS,
    *DECISIONS,
    *FLAGS,
    *HISTORY,
    *IMPORTS,
    *MAPPINGS,
    *SYNCS,
    *DELIVERIES,
    *TENANTS,
    *INSTALLATION,
)
