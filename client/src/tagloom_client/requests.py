"""The requests of the Platform API. Each function returns an `Ask`; both clients have it as a method."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from tagloom_client.asking import (
    Ask,
    Body,
    Lines,
    Place,
    Source,
    check,
    json_body,
    line_chunks,
    query_of,
    reading,
    segment,
    without_none,
)
from tagloom_client.models import (
    Alias,
    Change,
    Environment,
    ExportFormat,
    Kind,
    LinkPolicy,
    Match,
    Mode,
    Organization,
    Page,
    Person,
    PersonRecord,
    PersonTagging,
    PersonTags,
    ProofMode,
    Receipt,
    Scope,
    Space,
    Tag,
    Token,
    UploadFormat,
)
from tagloom_client.paths import CONTENT_TYPES, LINE_DECODER, AsOf, download, empty_as_null, person_path, read_person

# The installation and its tenants.


def is_ready(place: Place) -> Ask[bool]:
    """Returns whether the server and its database answer."""
    return Ask("GET", "/readyz", lambda reply: reply.status == 200)


def get_limits(place: Place) -> Ask[dict[str, int]]:
    """Returns the limits of the server, by name."""
    return Ask("GET", "/v2/limits", reading(dict[str, int]))


def list_organizations(place: Place) -> Ask[Page[Organization]]:
    """Lists the organization of the token."""
    return Ask("GET", "/v2/organizations", reading(Page[Organization]))


def list_spaces(place: Place, organization: str) -> Ask[Page[Space]]:
    """Lists the spaces of an organization."""
    return Ask("GET", f"/v2/organizations/{segment(organization)}/spaces", reading(Page[Space]))


def create_space(place: Place, organization: str, name: str, *, id: str | None = None) -> Ask[Space]:
    """Creates a space with its three environments."""
    body = json_body(without_none(name=name, id=id))
    path = f"/v2/organizations/{segment(organization)}/spaces"
    return Ask("POST", path, reading(Space), body=body, is_repeatable=False)


def list_environments(place: Place) -> Ask[Page[Environment]]:
    """Lists the environments of the space."""
    return Ask("GET", f"/v2/spaces/{segment(place.space)}/environments", reading(Page[Environment]))


def get_environment(place: Place, *, at_least: int | None = None) -> Ask[Environment]:
    """Returns the environment with its version."""
    return Ask("GET", place.address, reading(Environment), query=query_of(at_least=at_least))


def set_catalogue(place: Place, catalogue: Literal["open", "closed"]) -> Ask[Environment]:
    """Opens the catalogue for unknown tags, or closes it."""
    return Ask("PATCH", place.address, reading(Environment), body=json_body({"catalogue": catalogue}))


def set_retention(
    place: Place, retention: str, *, delete_history: bool = False, dry_run: bool = False
) -> Ask[Environment]:
    """Sets how long history is kept: `90d`, `1y` or `forever`.

    If history is older, `delete_history` must confirm its deletion. The answer describes it in `deleted_history`.

    Raises: Conflict: history would be deleted without `delete_history`.
    """
    query = query_of(delete_history=delete_history, dry_run=dry_run)
    return Ask("PATCH", place.address, reading(Environment), query=query, body=json_body({"retention": retention}))


def set_identity(
    place: Place,
    *,
    policy: LinkPolicy | None = None,
    proof: ProofMode | None = None,
    visitors_per_day_max: int | None = None,
) -> Ask[Environment]:
    """Sets how visitors are linked to users. None does not change a setting.

    `policy`: the tags and attributes of a linked visitor go to the user ("take"), or are left out ("leave"). `proof`:
    whether messages with a public write key need a proof of their user id; "observe" only counts those without. At most
    `visitors_per_day_max` visitors are linked to one user on one day.
    """
    given = {"policy": policy, "proof": proof, "visitors_per_day_max": visitors_per_day_max}
    changes = {name: value for name, value in given.items() if value is not None}
    return Ask("PATCH", place.address, reading(Environment), body=json_body({"identity": changes}))


def set_time_zone(place: Place, time_zone: str) -> Ask[Environment]:
    """Sets the time zone whose days the environment counts, such as "Europe/Berlin".

    Raises: Invalid: no time zone has this name. Conflict: the environment has events already.
    """
    return Ask("PATCH", place.address, reading(Environment), body=json_body({"time_zone": time_zone}))


def list_tokens(place: Place, organization: str) -> Ask[Page[Token]]:
    """Lists the tokens of an organization, without their secrets."""
    return Ask("GET", f"/v2/organizations/{segment(organization)}/tokens", reading(Page[Token]))


def create_token(
    place: Place, organization: str, name: str, scopes: Sequence[Scope], *, expires_in_days: int = 90
) -> Ask[Token]:
    """Creates a token. Its secret is only in this answer."""
    body = json_body({"name": name, "scopes": list(scopes), "expires_in_days": expires_in_days})
    path = f"/v2/organizations/{segment(organization)}/tokens"
    return Ask("POST", path, reading(Token), body=body, is_repeatable=False)


def revoke_token(place: Place, organization: str, token: str) -> Ask[None]:
    """Revokes a token."""
    return Ask("DELETE", f"/v2/organizations/{segment(organization)}/tokens/{segment(token)}", check)


# People.


def list_people(
    place: Place,
    *,
    kind: Kind = "user",
    search: str | None = None,
    search_match: Literal["substring", "prefix", "exact"] | None = None,
    tag: str | None = None,
    match: Match | None = None,
    limit: int | None = None,
    at_least: int | None = None,
) -> Ask[Page[PersonRecord]]:
    """Lists users or visitors in the order of their creation. `limit` is the size of a page."""
    query = query_of(search=search, search_match=search_match, tag=tag, match=match, limit=limit, at_least=at_least)
    return Ask("GET", f"{place.address}/{kind}s", reading(Page[PersonRecord]), query=query)


def get_person(
    place: Place,
    *,
    user: str | None = None,
    visitor: str | None = None,
    as_of: AsOf | None = None,
    at_least: int | None = None,
) -> Ask[PersonRecord]:
    """Returns a person with their tags."""
    query = query_of(as_of=as_of, at_least=at_least)
    return Ask("GET", person_path(place, user, visitor), reading(PersonRecord), query=query)


def put_person(place: Place, *, user: str | None = None, visitor: str | None = None) -> Ask[Receipt]:
    """Creates a person without tags."""
    return Ask("PUT", person_path(place, user, visitor), reading(Receipt))


def erase_person(place: Place, *, user: str | None = None, visitor: str | None = None) -> Ask[Receipt]:
    """Erases a person and all their tags. This cannot be undone."""
    return Ask("DELETE", person_path(place, user, visitor), reading(Receipt), is_repeatable=False)


def get_tags_of(
    place: Place,
    *,
    user: str | None = None,
    visitor: str | None = None,
    as_of: AsOf | None = None,
    at_least: int | None = None,
) -> Ask[PersonTags]:
    """Returns the tags of a person."""
    path = f"{person_path(place, user, visitor)}/tags"
    return Ask("GET", path, reading(PersonTags), query=query_of(as_of=as_of, at_least=at_least))


def set_tags_of(
    place: Place,
    tags: Iterable[str],
    *,
    user: str | None = None,
    visitor: str | None = None,
    starts_at: str | None = None,
    expires_at: str | None = None,
    ttl: str | None = None,
) -> Ask[Receipt]:
    """Sets the tags of a person to exactly these. They start and expire at times (RFC 3339), or expire after a ttl."""
    path = f"{person_path(place, user, visitor)}/tags"
    return Ask(
        "PUT",
        path,
        reading(Receipt),
        body=json_body(without_none(tags=list(tags), starts_at=starts_at, expires_at=expires_at, ttl=ttl)),
    )


def add_tag(
    place: Place,
    tag: str,
    *,
    user: str | None = None,
    visitor: str | None = None,
    starts_at: str | None = None,
    expires_at: str | None = None,
    ttl: str | None = None,
) -> Ask[Receipt]:
    """Adds or renews a tag of a person. It starts and expires at times (RFC 3339), or expires after a ttl."""
    query = query_of(starts_at=starts_at, expires_at=expires_at, ttl=ttl)
    return Ask("PUT", f"{person_path(place, user, visitor)}/tags/{segment(tag)}", reading(Receipt), query=query)


def remove_tag(place: Place, tag: str, *, user: str | None = None, visitor: str | None = None) -> Ask[Receipt]:
    """Removes a tag from a person."""
    return Ask("DELETE", f"{person_path(place, user, visitor)}/tags/{segment(tag)}", reading(Receipt))


# Taggings.


def upload(
    place: Place,
    source: Source,
    *,
    format: UploadFormat,
    mode: Mode = "add",
    prefix: str | None = None,
    dry_run: bool | None = None,
    normalize: Literal["lowercase"] | None = None,
    allow_empty: bool | None = None,
    allow_unreadable: bool | None = None,
    source_name: str | None = None,
    user_column: str | None = None,
    visitor_column: str | None = None,
    tag_column: str | None = None,
    tag: str | None = None,
    starts_at: str | None = None,
    expires_at: str | None = None,
    ttl: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Sends a body as one batch, with an idempotency key, so that a retry never applies it twice.

    Its taggings start at `starts_at`, and expire at `expires_at` or after `ttl`, unless a line has its own. With `tag`,
    the body has only ids, and all of these people get the tag.
    """
    query = query_of(
        mode=mode,
        prefix=prefix,
        dry_run=dry_run,
        normalize=normalize,
        allow_empty=allow_empty,
        allow_unreadable=allow_unreadable,
        source=source_name,
        user_column=user_column,
        visitor_column=visitor_column,
        tag_column=tag_column,
        tag=tag,
        starts_at=starts_at,
        expires_at=expires_at,
        ttl=ttl,
    )
    return Ask(
        "POST",
        f"{place.address}/taggings",
        reading(Receipt),
        query=query,
        headers={"Idempotency-Key": idempotency_key or secrets.token_hex(16)},
        body=Body(CONTENT_TYPES[format], source),
    )


def tag_people(
    place: Place,
    lines: Iterable[Mapping[str, Any]],
    *,
    mode: Mode = "add",
    prefix: str | None = None,
    dry_run: bool | None = None,
    normalize: Literal["lowercase"] | None = None,
    allow_empty: bool | None = None,
    allow_unreadable: bool | None = None,
    source_name: str | None = None,
    starts_at: str | None = None,
    expires_at: str | None = None,
    ttl: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Sends lines such as `{"user": "u1", "tags": ["sports/golf"]}` as one batch, in chunks of a thousand.

    Their taggings start at `starts_at`, and expire at `expires_at` or after `ttl`, unless a line has its own. A list
    can be sent again after a failure; a generator cannot.
    """
    whole = b"".join(line_chunks(lines)) if isinstance(lines, list | tuple) else line_chunks(lines)
    return upload(
        place,
        whole,
        format="ndjson",
        mode=mode,
        prefix=prefix,
        dry_run=dry_run,
        normalize=normalize,
        allow_empty=allow_empty,
        allow_unreadable=allow_unreadable,
        source_name=source_name,
        starts_at=starts_at,
        expires_at=expires_at,
        ttl=ttl,
        idempotency_key=idempotency_key,
    )


def export_taggings(place: Place, *, at_least: int | None = None) -> Lines[PersonTagging]:
    """Streams every person who has a tag, with their tags."""
    return Lines(download(place, "export/taggings", "ndjson", at_least=at_least), _read_tagging)


def download_taggings(place: Place, *, format: ExportFormat, at_least: int | None = None) -> Ask[None]:
    """Downloads the taggings of all people, as the bytes of a file."""
    return download(place, "export/taggings", format, at_least=at_least)


# The catalogue.


def list_tags(
    place: Place,
    *,
    search: str | None = None,
    prefix: str | None = None,
    limit: int | None = None,
    at_least: int | None = None,
) -> Ask[Page[Tag]]:
    """Lists the tags in alphabetical order."""
    query = query_of(search=search, prefix=prefix, limit=limit, at_least=at_least)
    return Ask("GET", f"{place.address}/tags", reading(Page[Tag]), query=query)


def get_tag(place: Place, tag: str, *, at_least: int | None = None) -> Ask[Tag]:
    """Returns a tag."""
    return Ask("GET", _tag(place, tag), reading(Tag), query=query_of(at_least=at_least))


def put_tag(
    place: Place,
    tag: str,
    *,
    description: str | None = None,
    exclusive: bool | None = None,
    ttl: str | None = None,
    expires_at: str | None = None,
) -> Ask[Receipt]:
    """Creates or changes a tag. None keeps a field. An empty text deletes the expiry."""
    body = json_body(
        without_none(description=description, exclusive=exclusive) | empty_as_null(ttl=ttl, expires_at=expires_at)
    )
    return Ask("PUT", _tag(place, tag), reading(Receipt), body=body)


def move_tag(
    place: Place, tag: str, to: str, *, description: str | None = None, exclusive: bool | None = None
) -> Ask[Receipt]:
    """Renames a tag and all tags below it. People keep it, and the old path stays as an alias."""
    body = json_body(without_none(tag=to, description=description, exclusive=exclusive))
    return Ask("PATCH", _tag(place, tag), reading(Receipt), body=body, is_repeatable=False)


def release_tag(place: Place, tag: str) -> Ask[Receipt]:
    """Removes the owner of a branch, such as a sync, so that everyone can write there."""
    return Ask("PATCH", _tag(place, tag), reading(Receipt), body=json_body({"owner": None}))


def merge_tags(place: Place, tag: str, *, into: str) -> Ask[Receipt]:
    """Replaces a tag by another for everyone who has it."""
    path = f"{_tag(place, tag)}/merge"
    return Ask("POST", path, reading(Receipt), body=json_body({"into": into}), is_repeatable=False)


def delete_tag(place: Place, tag: str, *, force: bool = False) -> Ask[Receipt]:
    """Deletes a tag and all tags below it, and removes them from everyone. With `force`, also if a tribe uses it."""
    return Ask("DELETE", _tag(place, tag), reading(Receipt), query=query_of(force=force), is_repeatable=False)


def export_people_with(
    place: Place, tag: str, *, match: Match | None = None, as_of: AsOf | None = None, at_least: int | None = None
) -> Lines[Person]:
    """Streams the people with a tag."""
    return Lines(download(place, f"tags/{segment(tag)}/users", "ndjson", at_least, match, as_of), read_person)


def download_people_with(
    place: Place,
    tag: str,
    *,
    format: ExportFormat,
    match: Match | None = None,
    as_of: AsOf | None = None,
    at_least: int | None = None,
) -> Ask[None]:
    """Downloads the people with a tag, as the bytes of a file."""
    return download(place, f"tags/{segment(tag)}/users", format, at_least, match, as_of)


def list_aliases(place: Place, *, limit: int | None = None, at_least: int | None = None) -> Ask[Page[Alias]]:
    """Lists the aliases: old paths and their current tags."""
    query = query_of(limit=limit, at_least=at_least)
    return Ask("GET", f"{place.address}/aliases", reading(Page[Alias]), query=query)


# History.


def list_changes(
    place: Place,
    *,
    user: str | None = None,
    visitor: str | None = None,
    tag: str | None = None,
    after: int | None = None,
    newest_first: bool = False,
    action: str | None = None,
    limit: int | None = None,
    at_least: int | None = None,
) -> Ask[Page[Change]]:
    """Lists versions in ascending order or newest first; with a person or a tag, only those that changed it.

    Versions that recorded events are listed only with the action `events`.
    """
    query = query_of(
        user=user,
        visitor=visitor,
        tag=tag,
        after=after,
        newest_first=newest_first or None,
        action=action,
        limit=limit,
        at_least=at_least,
    )
    return Ask("GET", f"{place.address}/changes", reading(Page[Change]), query=query)


def get_change(place: Place, version: int, *, at_least: int | None = None) -> Ask[Change]:
    """Returns a version."""
    return Ask("GET", f"{place.address}/changes/{version}", reading(Change), query=query_of(at_least=at_least))


def undo(place: Place, version: int, *, dry_run: bool = False) -> Ask[Receipt]:
    """Undoes a version, as a new version."""
    path = f"{place.address}/changes/{version}/undo"
    return Ask("POST", path, reading(Receipt), query=query_of(dry_run=dry_run), is_repeatable=dry_run)


def undo_all(
    place: Place,
    versions: Sequence[int] | None = None,
    *,
    actor: str | None = None,
    source: str | None = None,
    since: str | None = None,
    until: str | None = None,
    dry_run: bool = False,
    override: bool = False,
) -> Ask[Receipt]:
    """Undoes several versions, or the versions of an actor or a source in a time range, as one new version.

    `since` and `until` are RFC 3339 times. With `override`, also undoes taggings that other versions changed since.
    """
    chosen = None if versions is None else list(versions)
    body = without_none(versions=chosen, actor=actor, source=source, until=until) | without_none(**{"from": since})
    query = query_of(dry_run=dry_run, override=override)
    path = f"{place.address}/changes/undo"
    return Ask("POST", path, reading(Receipt), query=query, body=json_body(body), is_repeatable=dry_run)


# Helpers.


def _tag(place: Place, tag: str) -> str:
    return f"{place.address}/tags/{segment(tag)}"


def _read_tagging(line: bytes) -> PersonTagging:
    read = LINE_DECODER.decode(line)
    return PersonTagging(read.person(), read.tags)
