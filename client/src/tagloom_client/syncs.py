"""The requests about syncs: sources that the server reads on a schedule or on demand, or that push records."""

from typing import Any

from tagloom_client.asking import Ask, Body, Place, Source, check, json_body, query_of, reading, segment
from tagloom_client.models import InferredMapping, Page, Sync, SyncRun


def list_syncs(place: Place, *, limit: int | None = None) -> Ask[Page[Sync]]:
    """Lists the syncs of the environment."""
    return Ask("GET", f"{place.address}/syncs", reading(Page[Sync]), query=query_of(limit=limit))


def get_sync(place: Place, sync: str) -> Ask[Sync]:
    """Returns a sync."""
    return Ask("GET", _address(place, sync), reading(Sync))


def infer_source_mapping(place: Place, source: dict[str, Any]) -> Ask[InferredMapping]:
    """Infers a mapping from the first rows of a source, which the server reads."""
    body = json_body({"source": source})
    return Ask("POST", f"{place.address}/mappings/proposals/source", reading(InferredMapping), body=body)


def create_sync(place: Place, id: str, draft: dict[str, Any]) -> Ask[Sync]:
    """Creates a sync. The documentation of syncs describes the draft."""
    body = json_body({"id": id, **draft})
    return Ask("POST", f"{place.address}/syncs", reading(Sync), body=body, is_repeatable=False)


def put_sync(place: Place, id: str, draft: dict[str, Any], *, revision: int | None = None) -> Ask[Sync]:
    """Replaces the draft of a sync; with `revision`, only if it was not changed since."""
    headers = {"If-Match": "*" if revision is None else f'"{revision}"'}
    return Ask("PUT", _address(place, id), reading(Sync), body=json_body(draft), headers=headers, is_repeatable=False)


def delete_sync(place: Place, sync: str) -> Ask[None]:
    """Deletes a sync and its runs. Their taggings stay."""
    return Ask("DELETE", _address(place, sync), check, is_repeatable=False)


def run_sync(place: Place, sync: str, *, asks_first: bool = False) -> Ask[SyncRun]:
    """Starts a run. With `asks_first` it requires approval: it is held when its plan is ready."""
    return Ask(
        "POST",
        f"{_address(place, sync)}/run",
        reading(SyncRun),
        query=query_of(asks_first=asks_first or None),
        is_repeatable=False,
    )


def push_records(place: Place, sync: str, source: Source, *, asks_first: bool = False) -> Ask[SyncRun]:
    """Pushes records as NDJSON to a sync with a push source. `asks_first` is as in `run_sync`."""
    return Ask(
        "POST",
        f"{_address(place, sync)}/records",
        reading(SyncRun),
        query=query_of(asks_first=asks_first or None),
        body=Body("application/x-ndjson", source),
        is_repeatable=False,
    )


def list_sync_runs(place: Place, sync: str, *, before: int | None = None, limit: int = 20) -> Ask[tuple[SyncRun, ...]]:
    """Lists the newest runs of a sync, or those with ids below `before`."""
    query = query_of(before=before, limit=limit)
    return Ask("GET", f"{_address(place, sync)}/runs", lambda reply: reading(Page[SyncRun])(reply).items, query=query)


def _address(place: Place, sync: str) -> str:
    return f"{place.address}/syncs/{segment(sync)}"
