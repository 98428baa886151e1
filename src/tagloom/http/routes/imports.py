"""The routes of imports and of the saved mappings of a space."""

from typing import Any

from tagloom.base.problems import BodyTooLarge, BodyTruncated, ContentTypeUnsupported, Problem
from tagloom.egress.problems import SourceUnreadable
from tagloom.files.problems import ColumnsInvalid
from tagloom.http import imports, limits, uploads
from tagloom.http.framework.addresses import SPACE, E
from tagloom.http.framework.parameters import EXPIRES_AT, LIMIT, MODE, NORMALIZE, STARTS_AT, TTL, Parameter
from tagloom.http.framework.routing import Handler, Route
from tagloom.http.framework.schemas import ImportsPage, MappingsPage, UrlImport
from tagloom.http.problems import TooManyWatchers
from tagloom.imports.mapping_inference import InferredMapping
from tagloom.imports.problems import ImportFileGone, ImportStateWrong, TooManyImports
from tagloom.ports.imports import Import, SavedMapping
from tagloom.ports.problems import (
    IdempotencyKeyReused,
    ImportChanged,
    ImportNotFound,
    MappingChanged,
    MappingNotFound,
    TooManyMappings,
    UndoConflict,
)
from tagloom.server.multipart import MULTIPART
from tagloom.words.expiry import ExpiryInvalid, ExpiryPast
from tagloom.words.mappings import Mapping
from tagloom.words.periods import StartInvalid
from tagloom.words.problems import MappingInvalid, TagProblem
from tagloom.words.source_addresses import AddressRefused, ExtraMissing

WRITE: dict[str, Any] = {"scopes": ("tags:write", "people:write")}
ASKING: tuple[type[Problem], ...] = (
    ImportNotFound,
    ImportStateWrong,
    ImportChanged,
    ImportFileGone,
)


def _ask(
    verb: str,
    handler: Handler,
    summary: str,
    *,
    parameters: tuple[Parameter, ...] = (),
    more: tuple[type[Problem], ...] = (),
) -> Route:
    return Route(
        method="POST",
        path=f"{E}/imports/{{import}}/{verb}",
        handler=handler,
        group="Imports",
        summary=summary,
        parameters=parameters,
        answer=Import,
        problems=(*ASKING, *more),
        **WRITE,
    )


REPEATED = Parameter(
    name="Idempotency-Key",
    description="Any text. A request with the same key, file and options returns the same import, until it is deleted.",
    characters_max=limits.IDEMPOTENCY_KEY_CHARACTERS_MAX,
)
IMPORTS: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{E}/imports",
        handler=imports.list_imports,
        group="Imports",
        summary="List imports, the newest first",
        scopes=("tags:read",),
        parameters=(Parameter(name="before", description="Only imports older than the one of this id."), LIMIT),
        answer=ImportsPage,
        problems=(ImportNotFound,),
    ),
    Route(
        method="POST",
        path=f"{E}/imports",
        handler=uploads.create_import,
        group="Imports",
        summary="Upload a file, to be planned or run later",
        description="The file is plain, or compressed by gzip or zstd. It is stored, nothing is applied yet. A form "
        "has the options beside the file, each as a field, or together as JSON in `options`; they override the query. "
        "With a JSON body with `url`, the server fetches the file, and the import is `fetching` meanwhile.",
        parameters=(
            Parameter(name="name", description="The name of the file, for the history."),
            MODE,
            Parameter(name="prefix", description="Only tags at or below this one; set and mirror remove only these."),
            NORMALIZE,
            Parameter(name="mapping", description="The name of a saved mapping of the space."),
            Parameter(
                name="share_removed_max",
                description="Percent of the taggings below the prefix that a run can remove without approval.",
                kind="integer",
                most=100,
            ),
            Parameter(
                name="allow_empty", description="Let an empty mirror remove every tag.", kind="flag", default=False
            ),
            STARTS_AT,
            EXPIRES_AT,
            TTL,
            Parameter(name="tag", description="For a file with people only: this tag is added to all of them."),
        ),
        headers=(REPEATED,),
        body=UrlImport,
        bulk=(*uploads.FORMATS, MULTIPART),
        answer=Import,
        status=201,
        problems=(
            BodyTooLarge,
            BodyTruncated,
            ContentTypeUnsupported,
            MappingInvalid,
            MappingNotFound,
            TagProblem,
            TooManyImports,
            StartInvalid,
            ExpiryInvalid,
            ExpiryPast,
            AddressRefused,
            ExtraMissing,
            IdempotencyKeyReused,
            SourceUnreadable,
        ),
        **WRITE,
    ),
    Route(
        method="GET",
        path=f"{E}/imports/{{import}}",
        handler=imports.get_import,
        group="Imports",
        summary="Read an import: its state, plan, progress and receipt",
        scopes=("tags:read",),
        answer=Import,
        problems=(ImportNotFound,),
    ),
    Route(
        method="GET",
        path=f"{E}/imports/{{import}}/events",
        handler=imports.import_events,
        group="Imports",
        summary="Watch an import: server-sent events with every change",
        description="The data of each event is the import, as the read returns it. The stream ends with the import, or "
        f"after {limits.EVENT_STREAM_SECONDS_MAX} seconds; then connect again.",
        scopes=("tags:read",),
        answer_types=("text/event-stream",),
        problems=(ImportNotFound, TooManyWatchers),
    ),
    Route(
        method="DELETE",
        path=f"{E}/imports/{{import}}",
        handler=imports.delete_import,
        group="Imports",
        summary="Delete an import and its file; its taggings stay",
        status=204,
        problems=ASKING,
        **WRITE,
    ),
    Route(
        method="DELETE",
        path=f"{E}/imports/{{import}}/file",
        handler=imports.delete_import_file,
        group="Imports",
        summary="Delete the file of a finished import; the import stays",
        answer=Import,
        problems=ASKING,
        **WRITE,
    ),
    Route(
        method="PUT",
        path=f"{E}/imports/{{import}}/mapping",
        handler=imports.put_import_mapping,
        group="Imports",
        summary="Set the mapping of an import, before anything is applied",
        body=Mapping,
        answer=Import,
        problems=(
            *ASKING,
            MappingInvalid,
            TagProblem,
            ContentTypeUnsupported,
        ),
        **WRITE,
    ),
    _ask("plan", imports.plan_import, "Have it computed what the import would do"),
    _ask(
        "run",
        imports.run_import,
        "Apply it, in steps that survive a crash",
        parameters=(Parameter(name="goes_on", description="Ignore guards and plans.", kind="flag", default=False),),
    ),
    _ask("approve", imports.approve_import, "Let a held or planned import run as its plan says"),
    _ask("pause", imports.pause_import, "Stop behind the step that is being applied"),
    _ask("resume", imports.resume_import, "Go on where it was paused"),
    _ask(
        "cancel",
        imports.cancel_import,
        "Cancel it: no further step is applied",
        parameters=(Parameter(name="undo", description="Also undo what was applied.", kind="flag", default=False),),
        more=(UndoConflict,),
    ),
    _ask("undo", imports.undo_import, "Undo a finished import", more=(UndoConflict,)),
    Route(
        method="GET",
        path=f"{E}/imports/{{import}}/rejected",
        handler=imports.rejected_lines,
        group="Imports",
        summary="Stream the rejected lines, with reasons",
        description="As NDJSON, or with `shape=rows` as rows of the file: the same format, header and columns, then "
        "columns with the reasons, which imports ignore. Correct this file and send it again with the same mapping.",
        scopes=("tags:read", "people:read"),
        parameters=(
            Parameter(
                name="shape",
                description="Reasons only, or rows of the file.",
                choices=("reasons", "rows"),
                default="reasons",
            ),
        ),
        answer_types=tuple(uploads.FORMATS),
        problems=(ImportNotFound, ImportFileGone),
    ),
)

VERSION = Parameter(name="version", description="An earlier version.", kind="integer")
MAPPINGS: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{E}/mappings/proposals",
        handler=imports.infer_mapping,
        group="Imports",
        summary="Infer a mapping for a file from its first rows",
        description="The body is the beginning of the file, plain or compressed by gzip or zstd; for Parquet it is the "
        "whole file. The answer has the mapping, the columns with samples, and the first rows with their tags.",
        scopes=("tags:write",),
        parameters=(
            Parameter(
                name="format",
                description=f"The format of a body of the content type {uploads.OCTETS}.",
                choices=("csv", "ndjson", "parquet"),
            ),
        ),
        bulk=(*uploads.FORMATS, uploads.OCTETS),
        answer=InferredMapping,
        problems=(
            BodyTooLarge,
            BodyTruncated,
            ContentTypeUnsupported,
            ColumnsInvalid,
        ),
    ),
    Route(
        method="GET",
        path=f"{SPACE}/mappings",
        handler=imports.list_mappings,
        group="Imports",
        summary="List the saved mappings of the space",
        scopes=("tags:read",),
        answer=MappingsPage,
    ),
    Route(
        method="GET",
        path=f"{SPACE}/mappings/{{mapping}}",
        handler=imports.get_mapping,
        group="Imports",
        summary="Read a mapping",
        scopes=("tags:read",),
        parameters=(VERSION,),
        answer=SavedMapping,
        problems=(MappingNotFound,),
    ),
    Route(
        method="PUT",
        path=f"{SPACE}/mappings/{{mapping}}",
        handler=imports.put_mapping,
        group="Imports",
        summary="Save a new version of a mapping",
        description="With `version`, only if that is the newest version; 0 means that there is none.",
        scopes=("tags:write",),
        parameters=(Parameter(name="version", description="The version that it replaces.", kind="integer"),),
        body=Mapping,
        answer=SavedMapping,
        problems=(
            MappingInvalid,
            MappingChanged,
            TooManyMappings,
            TagProblem,
        ),
    ),
    Route(
        method="DELETE",
        path=f"{SPACE}/mappings/{{mapping}}",
        handler=imports.delete_mapping,
        group="Imports",
        summary="Delete a mapping; imports that used it stay",
        scopes=("tags:write",),
        status=204,
        problems=(MappingNotFound,),
    ),
)
