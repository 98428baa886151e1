"""The requests about imports, and about the saved mappings of a space."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from tagloom_client.asking import (
    Ask,
    Body,
    Lines,
    Place,
    Source,
    check,
    json_body,
    key_header,
    query_of,
    reading,
    segment,
    without_none,
)
from tagloom_client.models import Import, InferredMapping, Mode, Page, Rejected, SavedMapping

CONTENT_TYPES = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_IMPORT = msgspec.json.Decoder(Import)
_REJECTED = msgspec.json.Decoder(Rejected)
INFERENCE_BYTES = 1_048_576  # A thousand rows are rarely more. A server accepts 16 MiB.
Verb = Literal["plan", "run", "approve", "pause", "resume", "undo"]


def create_import(
    place: Place,
    source: Source,
    *,
    format: Literal["csv", "ndjson", "parquet"],
    name: str | None = None,
    mode: Mode = "add",
    prefix: str | None = None,
    mapping: str | None = None,
    normalize: Literal["lowercase"] | None = None,
    share_removed_max: int | None = None,
    allow_empty: bool | None = None,
    starts_at: str | None = None,
    expires_at: str | None = None,
    ttl: str | None = None,
    tag: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Import]:
    """Uploads a file as a new import, to be planned or run. Its taggings start at `starts_at`, and expire at
    `expires_at` or after `ttl`.

    A second request with the same idempotency key returns the same import.
    """
    query = query_of(
        name=name,
        mode=mode,
        prefix=prefix,
        mapping=mapping,
        normalize=normalize,
        share_removed_max=share_removed_max,
        allow_empty=allow_empty,
        starts_at=starts_at,
        expires_at=expires_at,
        ttl=ttl,
        tag=tag,
    )
    body = Body(CONTENT_TYPES[format], source)
    path = f"{place.address}/imports"
    return Ask(
        "POST",
        path,
        reading(Import),
        query=query,
        headers=key_header(idempotency_key),
        body=body,
        is_repeatable=idempotency_key is not None,
    )


def create_import_from_url(
    place: Place,
    url: str,
    *,
    secret: str | None = None,
    format: Literal["csv", "ndjson", "parquet"] | None = None,
    name: str | None = None,
    mode: Mode = "add",
    prefix: str | None = None,
    mapping: str | None = None,
    normalize: Literal["lowercase"] | None = None,
    share_removed_max: int | None = None,
    allow_empty: bool | None = None,
    starts_at: str | None = None,
    expires_at: str | None = None,
    ttl: str | None = None,
    tag: str | None = None,
) -> Ask[Import]:
    """Creates an import whose file the server fetches. `secret` is the name of a secret of the server."""
    body = without_none(
        url=url,
        secret=secret,
        format=format,
        name=name,
        mode=mode,
        prefix=prefix,
        mapping=mapping,
        normalize=normalize,
        share_removed_max=share_removed_max,
        allow_empty=allow_empty,
        starts_at=starts_at,
        expires_at=expires_at,
        ttl=ttl,
        tag=tag,
    )
    return Ask("POST", f"{place.address}/imports", reading(Import), body=json_body(body), is_repeatable=False)


def list_imports(place: Place, *, before: str | None = None, limit: int = 20) -> Ask[tuple[Import, ...]]:
    """Lists the newest imports, or those older than the import `before`."""
    query = query_of(before=before, limit=limit)
    return Ask("GET", f"{place.address}/imports", lambda reply: reading(Page[Import])(reply).items, query=query)


def get_import(place: Place, id: str) -> Ask[Import]:
    """Returns an import and its progress."""
    return Ask("GET", _address(place, id), reading(Import))


def watch_import(place: Place, id: str) -> Lines[Import]:
    """Streams an import at each change, until it ends, for at most five minutes."""
    return Lines(Ask("GET", f"{_address(place, id)}/events", check), _event)


def ask_import(place: Place, id: str, verb: Verb) -> Ask[Import]:
    """Plans, runs, approves, pauses, resumes or undoes an import."""
    return Ask("POST", f"{_address(place, id)}/{verb}", reading(Import), is_repeatable=False)


def cancel_import(place: Place, id: str, *, undo: bool = False) -> Ask[Import]:
    """Cancels an import. With `undo`, what was applied is undone."""
    query = query_of(undo=undo or None)
    return Ask("POST", f"{_address(place, id)}/cancel", reading(Import), query=query, is_repeatable=False)


def delete_import(place: Place, id: str) -> Ask[None]:
    """Deletes an import and its file. Its taggings stay."""
    return Ask("DELETE", _address(place, id), check, is_repeatable=False)


def delete_import_file(place: Place, id: str) -> Ask[Import]:
    """Deletes the file of a finished import. The import stays."""
    return Ask("DELETE", f"{_address(place, id)}/file", reading(Import), is_repeatable=False)


def put_import_mapping(place: Place, id: str, mapping: dict[str, Any]) -> Ask[Import]:
    """Sets the mapping of an import of which nothing was applied."""
    path = f"{_address(place, id)}/mapping"
    return Ask("PUT", path, reading(Import), body=json_body(mapping), is_repeatable=False)


def list_rejected(place: Place, id: str) -> Lines[Rejected]:
    """Streams the rejected lines of an import, with their reasons."""
    return Lines(Ask("GET", f"{_address(place, id)}/rejected", check), _REJECTED.decode)


def download_rejected(place: Place, id: str) -> Ask[None]:
    """Downloads the rejected rows in the format of the file, with the reasons in a last column."""
    return Ask("GET", f"{_address(place, id)}/rejected", check, query=query_of(shape="rows"))


def infer_mapping(place: Place, source: Source, *, format: Literal["csv", "ndjson", "parquet"]) -> Ask[InferredMapping]:
    """Infers a mapping from the first rows of a file. Of CSV and NDJSON only the beginning is sent."""
    body = Body(CONTENT_TYPES[format], source)
    if format != "parquet":
        body = Body(body.content_type, b"".join(_first(body.chunks(), INFERENCE_BYTES)))
    return Ask("POST", f"{place.address}/mappings/proposals", reading(InferredMapping), body=body)


def list_mappings(place: Place) -> Ask[tuple[SavedMapping, ...]]:
    """Lists the saved mappings of the space, each in its newest version."""
    return Ask("GET", _mappings(place), lambda reply: reading(Page[SavedMapping])(reply).items)


def get_mapping(place: Place, name: str, *, version: int | None = None) -> Ask[SavedMapping]:
    """Returns a saved mapping, in its newest or an older version."""
    return Ask("GET", f"{_mappings(place)}/{segment(name)}", reading(SavedMapping), query=query_of(version=version))


def put_mapping(place: Place, name: str, mapping: dict[str, Any], *, version: int | None = None) -> Ask[SavedMapping]:
    """Saves a new version of a mapping; with `version`, only if that is the newest one, 0 for none."""
    return Ask(
        "PUT",
        f"{_mappings(place)}/{segment(name)}",
        reading(SavedMapping),
        query=query_of(version=version),
        body=json_body(mapping),
        is_repeatable=False,
    )


def delete_mapping(place: Place, name: str) -> Ask[None]:
    """Deletes a mapping with all its versions."""
    return Ask("DELETE", f"{_mappings(place)}/{segment(name)}", check, is_repeatable=False)


def _event(line: bytes) -> Import:
    return _IMPORT.decode(line.removeprefix(b"data: "))


def _first(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Yields the first `size` bytes of chunks."""
    for chunk in chunks:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            return


def _address(place: Place, id: str) -> str:
    return f"{place.address}/imports/{segment(id)}"


def _mappings(place: Place) -> str:
    return f"/v2/spaces/{segment(place.space)}/mappings"
