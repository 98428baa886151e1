"""Syncs of an environment, and their runs."""

from tagloom.files import limits
from tagloom.http.framework.bodies import read_json, received
from tagloom.http.framework.context import Answer, Call
from tagloom.http.framework.etags import etag, expected_revision, required_if_match
from tagloom.http.framework.paging import page_of
from tagloom.http.framework.schemas import NewSync, SourceOfSync, SyncRunsPage, SyncsPage
from tagloom.imports.mapping_inference import infer
from tagloom.ports.problems import SyncChanged
from tagloom.words.syncs import SyncDraft


async def list_syncs(call: Call) -> Answer:
    """Returns a page of syncs by id."""
    environment = call.environment
    found = await call.in_thread(lambda: call.services.syncs.list_syncs(environment))
    items, next_cursor = page_of(call, found, lambda sync: sync.id)
    return Answer(SyncsPage(items=items, next_cursor=next_cursor))


async def create_sync(call: Call) -> Answer:
    """Creates a sync."""
    environment, by = call.environment, call.principal.name
    body = await read_json(call, NewSync)
    created = await call.in_thread(lambda: call.services.syncs.create_sync(environment, body.id, _draft(body), by=by))
    place = f"/v2/spaces/{environment.space}/environments/{environment.name}/syncs/{created.id}"
    return Answer(created, status=201, headers=((b"location", place.encode("ascii")), etag(created.revision)))


async def infer_source_mapping(call: Call) -> Answer:
    """Infers a mapping from the first rows of a source."""
    organization, sources = call.principal.organization, call.services.sources
    body = await read_json(call, SourceOfSync)
    return Answer(
        await call.in_thread_while_wanted(
            lambda is_over: infer(sources.begin(organization, body.source, is_over=is_over))
        )
    )


async def get_sync(call: Call) -> Answer:
    """Returns one sync."""
    environment, sync = call.environment, call.values["sync"]
    found = await call.in_thread(lambda: call.services.syncs.get_sync(environment, sync))
    return Answer(found, headers=(etag(found.revision),))


async def put_sync(call: Call) -> Answer:
    """Replaces the sync if If-Match matches."""
    environment, sync, by = call.environment, call.values["sync"], call.principal.name
    expected = required_if_match(call, "sync")
    draft = await read_json(call, SyncDraft)
    stored = await call.in_thread(lambda: call.services.syncs.get_sync(environment, sync))
    revision = expected_revision(stored.revision, expected, SyncChanged, f"The sync '{sync}'")
    changed = await call.in_thread(
        lambda: call.services.syncs.put_sync(environment, sync, draft, revision=revision, by=by)
    )
    return Answer(changed, headers=(etag(changed.revision),))


async def delete_sync(call: Call) -> Answer:
    """Deletes the sync and its runs."""
    environment, sync, by = call.environment, call.values["sync"], call.principal.name
    await call.in_thread(lambda: call.services.syncs.delete_sync(environment, sync, by=by))
    return Answer(None, status=204)


async def run_sync(call: Call) -> Answer:
    """Starts a run."""
    environment, sync, by = call.environment, call.values["sync"], call.principal.name
    requires_approval = call.flag("requires_approval")
    run = await call.in_thread(
        lambda: call.services.syncs.run_sync(environment, sync, by=by, requires_approval=requires_approval)
    )
    return Answer(run, status=202)


async def push_records(call: Call) -> Answer:
    """Receives records as NDJSON for a push sync."""
    environment, sync, by = call.environment, call.values["sync"], call.principal.name
    requires_approval, runner = call.flag("requires_approval"), call.services.runner
    run = await received(
        call,
        limits.BULK_BODY_BYTES_MAX,
        lambda chunks: runner.push(environment, sync, chunks, by=by, requires_approval=requires_approval),
    )
    return Answer(run, status=202)


async def list_runs(call: Call) -> Answer:
    """Returns a page of runs, the newest first."""
    environment, sync = call.environment, call.values["sync"]
    before, limit = call.find_integer("before"), call.integer("limit")
    runs = await call.in_thread(lambda: call.services.syncs.list_runs(environment, sync, before=before, limit=limit))
    return Answer(SyncRunsPage(items=runs))


def _draft(body: NewSync) -> SyncDraft:
    return SyncDraft(**{name: getattr(body, name) for name in SyncDraft.__struct_fields__})
