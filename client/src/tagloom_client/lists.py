"""The requests about static lists: tribes whose members are added and removed by hand or by a file of ids."""

from collections.abc import Iterable

from tagloom_client.asking import Ask, Body, Place, Source, line_chunks, query_of, reading, segment
from tagloom_client.models import Audience, Kind, ListFormat, ListMode, ListReceipt, Receipt
from tagloom_client.paths import CONTENT_TYPES


def create_list(
    place: Place,
    name: str,
    *,
    users: Iterable[str] = (),
    visitors: Iterable[str] = (),
    id: str | None = None,
    tag: str | None = None,
    audience: Audience | None = None,
    dry_run: bool = False,
    source_name: str | None = None,
) -> Ask[ListReceipt]:
    """Creates a list of these people: a tag, and a tribe of exactly this tag.

    Without `id`, the id is made from the name. Without `tag`, the tag is `lists/` and the id.
    """
    body = _people(users, visitors)
    return upload_list(
        place, name, body, format="ndjson", id=id, tag=tag, audience=audience, dry_run=dry_run, source_name=source_name
    )


def upload_list(
    place: Place,
    name: str,
    source: Source,
    *,
    format: ListFormat = "csv",
    kind: Kind | None = None,
    id: str | None = None,
    tag: str | None = None,
    audience: Audience | None = None,
    dry_run: bool = False,
    source_name: str | None = None,
) -> Ask[ListReceipt]:
    """Creates a list of the people in a file. If the file has only ids, they are of `kind`, or else of users."""
    query = query_of(name=name, id=id, tag=tag, audience=audience, kind=kind, dry_run=dry_run, source=source_name)
    body = Body(CONTENT_TYPES[format], source)
    path = f"{place.address}/lists"
    return Ask("POST", path, reading(ListReceipt), query=query, body=body, is_repeatable=dry_run)


def change_list(
    place: Place,
    tribe: str,
    mode: ListMode,
    *,
    users: Iterable[str] = (),
    visitors: Iterable[str] = (),
    dry_run: bool = False,
    allow_empty: bool = False,
    source_name: str | None = None,
) -> Ask[ListReceipt]:
    """Adds people to a list, removes them, or replaces the list by them. With `allow_empty`, also by nobody."""
    return upload_to_list(
        place,
        tribe,
        mode,
        _people(users, visitors),
        format="ndjson",
        dry_run=dry_run,
        allow_empty=allow_empty,
        source_name=source_name,
    )


def upload_to_list(
    place: Place,
    tribe: str,
    mode: ListMode,
    source: Source,
    *,
    format: ListFormat = "csv",
    kind: Kind | None = None,
    dry_run: bool = False,
    allow_empty: bool = False,
    allow_unreadable: bool = False,
    source_name: str | None = None,
) -> Ask[ListReceipt]:
    """Adds the people in a file to a list, removes them, or replaces the list by them.

    If the file has only ids, they are of `kind`, or else of users.
    """
    query = query_of(
        mode=mode,
        kind=kind,
        dry_run=dry_run,
        allow_empty=allow_empty,
        allow_unreadable=allow_unreadable,
        source=source_name,
    )
    body = Body(CONTENT_TYPES[format], source)
    return Ask("POST", f"{_list(place, tribe)}/people", reading(ListReceipt), query=query, body=body)


def delete_list(place: Place, tribe: str) -> Ask[Receipt]:
    """Deletes a list: its tribe, and its tag in this environment. `delete_tribe` keeps the tag."""
    return Ask("DELETE", _list(place, tribe), reading(Receipt), is_repeatable=False)


def _list(place: Place, tribe: str) -> str:
    return f"{place.address}/lists/{segment(tribe)}"


def _people(users: Iterable[str], visitors: Iterable[str]) -> bytes:
    lines = [*({"user": id} for id in users), *({"visitor": id} for id in visitors)]
    return b"".join(line_chunks(lines))
