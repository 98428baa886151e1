"""The routes of syncs."""

from tagloom.base.problems import BodyTooLarge, BodyTruncated, Problem
from tagloom.egress.problems import SourceUnreadable
from tagloom.files.problems import ColumnsInvalid
from tagloom.http import syncs
from tagloom.http.framework.addresses import E
from tagloom.http.framework.parameters import CURSOR, LIMIT, Parameter
from tagloom.http.framework.routing import Route
from tagloom.http.framework.schemas import NewSync, SourceOfSync, SyncRunsPage, SyncsPage
from tagloom.http.problems import PreconditionRequired
from tagloom.http.uploads import OCTETS
from tagloom.imports.mapping_inference import InferredMapping
from tagloom.imports.problems import TooManyImports
from tagloom.ports.problems import MappingNotFound, SyncChanged, SyncExists, SyncNotFound, TooManySyncs
from tagloom.syncs.problems import SyncBusy, SyncInvalid
from tagloom.syncs.sources import TooManyBeginnings
from tagloom.words.expiry import ExpiryInvalid, ExpiryPast
from tagloom.words.periods import StartInvalid
from tagloom.words.problems import EmailInvalid, TagProblem
from tagloom.words.source_addresses import AddressRefused, ExtraMissing
from tagloom.words.syncs import Sync, SyncDraft, SyncRun

IF_MATCH = Parameter(name="If-Match", description="The ETag of the sync as it was read; * takes any.")
REQUIRES_APPROVAL = Parameter(
    name="requires_approval",
    description="Hold the run when its plan is ready, until its import is approved.",
    kind="flag",
    default=False,
)
BEFORE = Parameter(name="before", description="Only runs of lower ids.", kind="integer", most=2**31 - 1)
SYNC_PROBLEMS: tuple[type[Problem], ...] = (
    SyncInvalid,
    StartInvalid,
    ExpiryInvalid,
    ExpiryPast,
    TagProblem,
    EmailInvalid,
    MappingNotFound,
)

SYNCS: tuple[Route, ...] = (
    Route(
        method="GET",
        path=f"{E}/syncs",
        handler=syncs.list_syncs,
        group="Syncs",
        summary="List syncs",
        scopes=("tags:read",),
        parameters=(LIMIT, CURSOR),
        answer=SyncsPage,
    ),
    Route(
        method="POST",
        path=f"{E}/syncs",
        handler=syncs.create_sync,
        group="Syncs",
        summary="Create a sync",
        description="A named source that is read on a schedule or on request, and mirrored into its own branch.",
        scopes=("admin",),
        body=NewSync,
        answer=Sync,
        status=201,
        problems=(*SYNC_PROBLEMS, SyncExists, TooManySyncs),
    ),
    Route(
        method="POST",
        path=f"{E}/mappings/proposals/source",
        handler=syncs.infer_source_mapping,
        group="Syncs",
        summary="Infer a mapping for a source from its first rows",
        description="The server reads the first rows of the query, or the beginning of the first file. The answer is "
        "the same as for a file.",
        scopes=("admin",),
        body=SourceOfSync,
        answer=InferredMapping,
        problems=(
            SyncInvalid,
            SourceUnreadable,
            TooManyBeginnings,
            ColumnsInvalid,
            AddressRefused,
            ExtraMissing,
            BodyTooLarge,
        ),
    ),
    Route(
        method="GET",
        path=f"{E}/syncs/{{sync}}",
        handler=syncs.get_sync,
        group="Syncs",
        summary="Read a sync; its ETag is for If-Match",
        scopes=("tags:read",),
        answer=Sync,
        problems=(SyncNotFound,),
    ),
    Route(
        method="PUT",
        path=f"{E}/syncs/{{sync}}",
        handler=syncs.put_sync,
        group="Syncs",
        summary="Replace a sync",
        description="An incremental source continues at its cursor, unless the cursor column changed.",
        scopes=("admin",),
        headers=(IF_MATCH,),
        body=SyncDraft,
        answer=Sync,
        problems=(
            *SYNC_PROBLEMS,
            SyncNotFound,
            SyncChanged,
            PreconditionRequired,
        ),
    ),
    Route(
        method="DELETE",
        path=f"{E}/syncs/{{sync}}",
        handler=syncs.delete_sync,
        group="Syncs",
        summary="Delete a sync and its runs; their taggings stay",
        scopes=("admin",),
        status=204,
        problems=(SyncNotFound,),
    ),
    Route(
        method="POST",
        path=f"{E}/syncs/{{sync}}/run",
        handler=syncs.run_sync,
        group="Syncs",
        summary="Start a run now",
        scopes=("tags:write", "people:write"),
        parameters=(REQUIRES_APPROVAL,),
        answer=SyncRun,
        status=202,
        problems=(SyncNotFound, SyncInvalid, SyncBusy),
    ),
    Route(
        method="POST",
        path=f"{E}/syncs/{{sync}}/records",
        handler=syncs.push_records,
        group="Syncs",
        summary="Push the records of a source, as a Singer target does",
        description="For syncs with a source of type `push`. The records become one import, as in every run.",
        scopes=("tags:write", "people:write"),
        parameters=(REQUIRES_APPROVAL,),
        bulk=("application/x-ndjson", OCTETS),
        answer=SyncRun,
        status=202,
        problems=(
            SyncNotFound,
            SyncInvalid,
            SyncBusy,
            ExpiryPast,
            BodyTooLarge,
            BodyTruncated,
            TooManyImports,
        ),
    ),
    Route(
        method="GET",
        path=f"{E}/syncs/{{sync}}/runs",
        handler=syncs.list_runs,
        group="Syncs",
        summary="List the runs of a sync, the newest first",
        scopes=("tags:read",),
        parameters=(BEFORE, LIMIT),
        answer=SyncRunsPage,
        problems=(SyncNotFound,),
    ),
)
