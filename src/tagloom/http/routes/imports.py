"""The part of the route table that is about imports and the mappings that a space keeps."""

from typing import Any

from tagloom.base.problems import BodyTooLarge, BodyTruncated, ContentTypeUnsupported, Problem
from tagloom.egress.problems import SourceUnreadable
from tagloom.files.problems import ColumnsInvalid
from tagloom.http import imports, limits, uploads
from tagloom.http.framework.addresses import SPACE, E
from tagloom.http.framework.multipart import MULTIPART
from tagloom.http.framework.parameters import EXPIRES_AT, LIMIT, MODE, NORMALIZE, TTL, Parameter
from tagloom.http.framework.routing import Handler, Route
from tagloom.http.framework.schemas import ImportsPage, MappingsPage, UrlImport
from tagloom.http.problems import TooManyWatchers
from tagloom.imports.mapping_inference import InferredMapping
from tagloom.imports.problems import ImportFileGone, ImportStateWrong, TooManyImports
from tagloom.ports.imports import Import, KeptMapping
from tagloom.ports.problems import (
    IdempotencyKeyReused,
    ImportChanged,
    ImportNotFound,
    MappingChanged,
    MappingNotFound,
    TooManyMappings,
    UndoConflict,
)
from tagloom.words.expiry import ExpiryInvalid, ExpiryPast
from tagloom.words.mappings import Mapping
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
    description="Any text of your choice: the same key with the same file and options gives the import that it gave "
    "before, as long as that is known.",
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
        parameters=(Parameter(name="before", description="Only those behind the import of this id."), LIMIT),
        answer=ImportsPage,
        problems=(ImportNotFound,),
    ),
    Route(
        method="POST",
        path=f"{E}/imports",
        handler=uploads.create_import,
        group="Imports",
        summary="Bring a file, which waits to be planned or run",
        description="Plain, or compressed by gzip or zstd. The body is stored; nothing is applied yet. In a form the "
        "options stand beside the file: each as a field, or together as JSON in `options`. They win over the query. "
        "With a `url` as JSON the server fetches the file itself; the import is `fetching` until it is there.",
        parameters=(
            Parameter(name="name", description="The file's name, for the history."),
            MODE,
            Parameter(name="prefix", description="Only tags at or below this one; of what set and mirror take."),
            NORMALIZE,
            Parameter(name="mapping", description="The name of a mapping that the space keeps."),
            Parameter(
                name="share_removed_max",
                description="Percent of the taggings under the prefix that a run may take without being asked.",
                kind="integer",
                most=100,
            ),
            Parameter(
                name="allow_empty", description="Let an empty mirror take every tag.", kind="flag", default=False
            ),
            EXPIRES_AT,
            TTL,
            Parameter(name="tag", description="Of a file that names people only: everybody in it gets this tag."),
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
        summary="Read an import: its state, plan, progress, and what it did",
        scopes=("tags:read",),
        answer=Import,
        problems=(ImportNotFound,),
    ),
    Route(
        method="GET",
        path=f"{E}/imports/{{import}}/events",
        handler=imports.import_events,
        group="Imports",
        summary="Watch an import: its form whenever that changes, as server-sent events",
        description="Each event's data is the import as it is read otherwise. The stream ends with the import, or "
        f"after {limits.EVENT_STREAM_SECONDS_MAX} seconds; then ask again.",
        scopes=("tags:read",),
        answer_types=("text/event-stream",),
        problems=(ImportNotFound, TooManyWatchers),
    ),
    Route(
        method="DELETE",
        path=f"{E}/imports/{{import}}",
        handler=imports.delete_import,
        group="Imports",
        summary="Forget an import and its file; what it did stays",
        status=204,
        problems=ASKING,
        **WRITE,
    ),
    Route(
        method="DELETE",
        path=f"{E}/imports/{{import}}/file",
        handler=imports.delete_import_file,
        group="Imports",
        summary="Forget the file of an import that has ended; the import itself stays",
        answer=Import,
        problems=ASKING,
        **WRITE,
    ),
    Route(
        method="PUT",
        path=f"{E}/imports/{{import}}/mapping",
        handler=imports.put_import_mapping,
        group="Imports",
        summary="Say by which mapping its file is read, before anything of it was applied",
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
        parameters=(
            Parameter(name="goes_on", description="Whatever guards and plans say.", kind="flag", default=False),
        ),
    ),
    _ask("approve", imports.approve_import, "Let a held or planned import run as its plan says"),
    _ask("pause", imports.pause_import, "Stop behind the step that is being applied"),
    _ask("resume", imports.resume_import, "Go on where it was paused"),
    _ask(
        "cancel",
        imports.cancel_import,
        "End it: no further step is applied",
        parameters=(
            Parameter(name="undo", description="Also take back what was applied.", kind="flag", default=False),
        ),
        more=(UndoConflict,),
    ),
    _ask("undo", imports.undo_import, "Take back what an ended import did", more=(UndoConflict,)),
    Route(
        method="GET",
        path=f"{E}/imports/{{import}}/rejected",
        handler=imports.rejected_lines,
        group="Imports",
        summary="Stream the lines that were rejected, with reasons",
        description="As NDJSON, or with `shape=rows` as the file had them: the same format, header and columns, and "
        "the reasons behind, which nothing reads. Mended, that file is sent again by the same mapping.",
        scopes=("tags:read", "people:read"),
        parameters=(
            Parameter(name="shape", description="What is sent.", choices=("reasons", "rows"), default="reasons"),
        ),
        answer_types=tuple(uploads.FORMATS),
        problems=(ImportNotFound, ImportFileGone),
    ),
)

VERSION = Parameter(name="version", description="A former form.", kind="integer")
MAPPINGS: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{E}/mappings/proposals",
        handler=imports.infer_mapping,
        group="Imports",
        summary="Propose a mapping for a file, from its first rows",
        description="The body is the file's beginning, plain or compressed by gzip or zstd; of Parquet it is the whole "
        "file. The answer has the mapping, the columns with samples, and the first rows as they would be read.",
        scopes=("tags:write",),
        parameters=(
            Parameter(
                name="format",
                description=f"The format of a body whose content type is {uploads.OCTETS}.",
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
        summary="List the mappings that the space keeps",
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
        answer=KeptMapping,
        problems=(MappingNotFound,),
    ),
    Route(
        method="PUT",
        path=f"{SPACE}/mappings/{{mapping}}",
        handler=imports.put_mapping,
        group="Imports",
        summary="Keep a new form of a mapping",
        description="With `version`, only while that is the newest form; 0 stands for none.",
        scopes=("tags:write",),
        parameters=(Parameter(name="version", description="The form that it replaces.", kind="integer"),),
        body=Mapping,
        answer=KeptMapping,
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
        summary="Forget a mapping; what was imported by it stays",
        scopes=("tags:write",),
        status=204,
        problems=(MappingNotFound,),
    ),
)
