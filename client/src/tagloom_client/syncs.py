"""The requests about syncs: sources that the server reads on a schedule, on call, or when records are pushed."""

from typing import Any

from tagloom_client.asking import Ask, Body, Place, Source, check, json_body, query_of, reading, segment
from tagloom_client.models import InferredMapping, Page, Sync, SyncRun


def list_syncs(place: Place, *, limit: int | None = None) -> Ask[Page[Sync]]:
    """The syncs of the environment."""
    return Ask("GET", f"{place.address}/syncs", reading(Page[Sync]), query=query_of(limit=limit))


def get_sync(place: Place, sync: str) -> Ask[Sync]:
    """One sync."""
    return Ask("GET", _address(place, sync), reading(Sync))


def infer_source_mapping(place: Place, source: dict[str, Any]) -> Ask[InferredMapping]:
    """A mapping for the source of a sync, from the first rows that the server reads of it."""
    body = json_body({"source": source})
    return Ask("POST", f"{place.address}/mappings/proposals/source", reading(InferredMapping), body=body)


def create_sync(place: Place, id: str, draft: dict[str, Any]) -> Ask[Sync]:
    """A new sync; what a draft holds is in the documentation of syncs."""
    body = json_body({"id": id, **draft})
    return Ask("POST", f"{place.address}/syncs", reading(Sync), body=body, is_repeatable=False)


def put_sync(place: Place, id: str, draft: dict[str, Any], *, revision: int | None = None) -> Ask[Sync]:
    """Replaces the draft of a sync; with a revision, as long as nobody changed it since."""
    headers = {"If-Match": "*" if revision is None else f'"{revision}"'}
    return Ask("PUT", _address(place, id), reading(Sync), body=json_body(draft), headers=headers, is_repeatable=False)


def delete_sync(place: Place, sync: str) -> Ask[None]:
    """Forgets a sync and its runs; what they wrote stays."""
    return Ask("DELETE", _address(place, sync), check, is_repeatable=False)


def run_sync(place: Place, sync: str, *, asks_first: bool = False) -> Ask[SyncRun]:
    """Begins a run now; one that `asks_first` is held once its plan is made, until its import is approved."""
    return Ask(
        "POST",
        f"{_address(place, sync)}/run",
        reading(SyncRun),
        query=query_of(asks_first=asks_first or None),
        is_repeatable=False,
    )


def push_records(place: Place, sync: str, source: Source, *, asks_first: bool = False) -> Ask[SyncRun]:
    """Sends records as NDJSON to a sync whose records come by themselves; it may ask first as `run_sync` does."""
    return Ask(
        "POST",
        f"{_address(place, sync)}/records",
        reading(SyncRun),
        query=query_of(asks_first=asks_first or None),
        body=Body("application/x-ndjson", source),
        is_repeatable=False,
    )


def list_sync_runs(place: Place, sync: str, *, before: int | None = None, limit: int = 20) -> Ask[tuple[SyncRun, ...]]:
    """The newest runs of a sync, of ids below `before`."""
    query = query_of(before=before, limit=limit)
    return Ask("GET", f"{_address(place, sync)}/runs", lambda reply: reading(Page[SyncRun])(reply).items, query=query)


def _address(place: Place, sync: str) -> str:
    return f"{place.address}/syncs/{segment(sync)}"
