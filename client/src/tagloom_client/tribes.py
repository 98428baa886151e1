"""The requests about tribes and decisions."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import msgspec

from tagloom_client.asking import Ask, Lines, Place, check, json_body, query_of, reading, segment, without_none
from tagloom_client.models import (
    Audience,
    Context,
    Count,
    Decision,
    Decisions,
    ExportFormat,
    FlagReaders,
    Member,
    Membership,
    Overlap,
    Page,
    Person,
    Preview,
    Receipt,
    Rule,
    Tribe,
    TribeMetrics,
    Why,
)
from tagloom_client.paths import AsOf, download, person_path, read_person

PEOPLE_PER_PAGE = 100


def list_tribes(place: Place, *, limit: int | None = None) -> Ask[Page[Tribe]]:
    """Lists the tribes of the space."""
    return Ask("GET", _tribes(place), reading(Page[Tribe]), query=query_of(limit=limit))


def get_tribe(place: Place, tribe: str) -> Ask[Tribe]:
    """Returns a tribe."""
    return Ask("GET", f"{_tribes(place)}/{segment(tribe)}", reading(Tribe))


def create_tribe(
    place: Place,
    name: str,
    rule: Rule,
    *,
    id: str | None = None,
    description: str = "",
    category: str = "",
    audience: Audience = "everyone",
    flag: FlagReaders = "off",
) -> Ask[Tribe]:
    """Creates a tribe. Without `id`, the id is made from the name."""
    body = without_none(
        name=name, rule=rule, id=id, description=description, category=category, audience=audience, flag=flag
    )
    return Ask("POST", _tribes(place), reading(Tribe), body=json_body(body), is_repeatable=False)


def put_tribe(place: Place, tribe: Tribe) -> Ask[Tribe]:
    """Replaces a tribe, if it was not changed since its `revision`."""
    body = without_none(
        name=tribe.name,
        rule=tribe.rule,
        description=tribe.description,
        category=tribe.category,
        audience=tribe.audience,
        flag=tribe.flag,
    )
    return Ask(
        "PUT",
        f"{_tribes(place)}/{segment(tribe.id)}",
        reading(Tribe),
        headers={"If-Match": f'"{tribe.revision}"'},
        body=json_body(body),
        is_repeatable=False,
    )


def delete_tribe(place: Place, tribe: str) -> Ask[None]:
    """Deletes a tribe that no other tribe uses."""
    return Ask("DELETE", f"{_tribes(place)}/{segment(tribe)}", check, is_repeatable=False)


def count_tribe(place: Place, tribe: str, *, as_of: AsOf | None = None, at_least: int | None = None) -> Ask[Count]:
    """Counts the people in a tribe."""
    path = f"{place.address}/tribes/{segment(tribe)}/count"
    return Ask("GET", path, reading(Count), query=query_of(as_of=as_of, at_least=at_least))


def get_metrics(place: Place, tribe: str | None = None, *, at_least: int | None = None) -> Ask[TribeMetrics]:
    """Counts the people in a tribe, or everyone, who are active, new, at risk and lost."""
    path = f"{place.address}/metrics" if tribe is None else f"{place.address}/tribes/{segment(tribe)}/metrics"
    return Ask("GET", path, reading(TribeMetrics), query=query_of(at_least=at_least))


def preview_rule(
    place: Place,
    rule: Rule,
    *,
    audience: Audience = "everyone",
    as_of: AsOf | None = None,
    at_least: int | None = None,
) -> Ask[Preview]:
    """Counts the people that a rule matches, without saving it."""
    body = json_body({"rule": rule, "audience": audience})
    path = f"{place.address}/tribes/preview"
    return Ask("POST", path, reading(Preview), body=body, query=query_of(as_of=as_of, at_least=at_least))


def overlap_of(place: Place, tribes: Sequence[str], *, at_least: int | None = None) -> Ask[Overlap]:
    """Counts the people in each overlap of tribes."""
    path = f"{place.address}/tribes/overlap"
    body = json_body({"tribes": list(tribes)})
    return Ask("POST", path, reading(Overlap), body=body, query=query_of(at_least=at_least))


def list_members(
    place: Place,
    tribe: str,
    *,
    search: str | None = None,
    search_match: Literal["substring", "prefix", "exact"] | None = None,
    include_tags: bool = False,
    limit: int | None = None,
    at_least: int | None = None,
) -> Ask[Page[Member]]:
    """Lists the members of a tribe in the order of their creation. `limit` is the size of a page."""
    query = query_of(
        search=search,
        search_match=search_match,
        include="tags" if include_tags else None,
        limit=limit or PEOPLE_PER_PAGE,
        at_least=at_least,
    )
    return Ask("GET", f"{place.address}/tribes/{segment(tribe)}/users", reading(Page[Member]), query=query)


def get_membership(
    place: Place, tribe: str, *, user: str | None = None, visitor: str | None = None, at_least: int | None = None
) -> Ask[Membership]:
    """Returns whether a person is in a tribe."""
    path = f"{place.address}/tribes/{segment(tribe)}" + person_path(place, user, visitor).removeprefix(place.address)
    return Ask("GET", path, reading(Membership), query=query_of(at_least=at_least))


def export_members(
    place: Place, tribe: str, *, as_of: AsOf | None = None, at_least: int | None = None
) -> Lines[Person]:
    """Streams the members of a tribe."""
    return Lines(download(place, f"tribes/{segment(tribe)}/users", "ndjson", at_least, as_of=as_of), read_person)


def download_members(
    place: Place,
    tribe: str,
    *,
    format: ExportFormat,
    attributes: Sequence[str] = (),
    as_of: AsOf | None = None,
    at_least: int | None = None,
) -> Ask[None]:
    """Downloads the members of a tribe, as the bytes of a file. `attributes` are exported with each person."""
    asked = download(place, f"tribes/{segment(tribe)}/users", format, at_least, as_of=as_of)
    return replace(asked, query={**asked.query, **query_of(attributes=",".join(attributes) or None)})


def tag_tribe(
    place: Place,
    tribe: str,
    *,
    add: str | None = None,
    remove: str | None = None,
    snapshot: str | None = None,
    starts_at: str | None = None,
    expires_at: str | None = None,
    ttl: str | None = None,
    dry_run: bool = False,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Adds a tag to everyone in a tribe, removes it, or copies the tribe to a tag that nobody else has (`snapshot`).

    It has an idempotency key, so that a retry never applies it twice.
    """
    return Ask(
        "POST",
        f"{place.address}/tribes/{segment(tribe)}/tag",
        reading(Receipt),
        query=query_of(dry_run=dry_run),
        headers={"Idempotency-Key": idempotency_key or secrets.token_hex(16)},
        body=json_body(
            without_none(add=add, remove=remove, snapshot=snapshot, starts_at=starts_at, expires_at=expires_at, ttl=ttl)
        ),
    )


def explain(
    place: Place,
    tribe: str,
    *,
    user: str | None = None,
    visitor: str | None = None,
    at_least: int | None = None,
    context: Context | None = None,
) -> Ask[Why]:
    """Returns why a person is in a tribe or not. `context` has the values that a decision would get."""
    text = None if context is None else msgspec.json.encode(context).decode()
    query = query_of(user=user, visitor=visitor, at_least=at_least, context=text)
    return Ask("GET", f"{place.address}/tribes/{segment(tribe)}/why", reading(Why), query=query)


def decide(
    place: Place,
    *,
    user: str | None = None,
    visitor: str | None = None,
    because: bool = True,
    at_least: int | None = None,
    context: Context | None = None,
) -> Ask[Decision]:
    """Returns the tribes of a person. `context` has values for the context nodes of rules, which are not stored."""
    said = None if context is None else dict(context)
    body = json_body(without_none(user=user, visitor=visitor, because=because, context=said))
    path = f"{place.address}/decisions"
    return Ask("POST", path, reading(Decision), body=body, query=query_of(at_least=at_least))


def decide_many(
    place: Place,
    people: Sequence[Person],
    *,
    because: bool = False,
    at_least: int | None = None,
    context: Context | None = None,
    contexts: Sequence[Context] | None = None,
) -> Ask[Decisions]:
    """Returns the tribes of up to 1,000 people, as of one version; up to 100 people with `because`.

    `context` has values for all people. `contexts` has values for each person, which replace values for all.
    """
    named: list[dict[str, object]] = [{person.kind: person.id} for person in people]
    if contexts is not None:
        named = [each | {"context": dict(own)} for each, own in zip(named, contexts, strict=True)]
    said = None if context is None else dict(context)
    body = json_body(without_none(people=named, because=because, context=said))
    path = f"{place.address}/decisions/many"
    return Ask("POST", path, reading(Decisions), body=body, query=query_of(at_least=at_least))


def _tribes(place: Place) -> str:
    return f"/v2/spaces/{segment(place.space)}/tribes"
