"""The requests about attributes: the values of one person, and the catalogue of an environment."""

from collections.abc import Mapping
from typing import Any

from tagloom_client.asking import Ask, Place, json_body, key_header, query_of, reading, segment, without_none
from tagloom_client.models import Attribute, AttributeDetails, AttributeType, Page, Receipt
from tagloom_client.paths import person_path


def set_attributes(
    place: Place,
    attributes: Mapping[str, Any],
    *,
    user: str | None = None,
    visitor: str | None = None,
    joined_at: str | None = None,
    dry_run: bool | None = None,
    source_name: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Sets attributes of a person, such as `{"plan": "gold", "company": {"size": 3}}`. None removes a value.

    Creates the person. Other attributes do not change. `joined_at` is the time at which the person joined; the value
    None of the attribute `joined_at` removes it.
    """
    query = query_of(dry_run=dry_run, source=source_name)
    return _write("PATCH", place, attributes, joined_at, user, visitor, query, idempotency_key)


def replace_attributes(
    place: Place,
    attributes: Mapping[str, Any],
    *,
    user: str | None = None,
    visitor: str | None = None,
    joined_at: str | None = None,
    dry_run: bool | None = None,
    source_name: str | None = None,
    idempotency_key: str | None = None,
) -> Ask[Receipt]:
    """Sets the attributes of a person to exactly these, and `joined_at`. Creates the person."""
    query = query_of(dry_run=dry_run, source=source_name)
    return _write("PUT", place, attributes, joined_at, user, visitor, query, idempotency_key)


def list_attributes(
    place: Place, *, search: str | None = None, limit: int | None = None, at_least: int | None = None
) -> Ask[Page[Attribute]]:
    """Lists the attributes by name. `limit` is the size of a page."""
    query = query_of(search=search, limit=limit, at_least=at_least)
    return Ask("GET", f"{place.address}/attributes", reading(Page[Attribute]), query=query)


def get_attribute(
    place: Place, name: str, *, limit: int | None = None, at_least: int | None = None
) -> Ask[AttributeDetails]:
    """Returns an attribute with its most frequent values, at most `limit`, and what uses it."""
    query = query_of(limit=limit, at_least=at_least)
    return Ask("GET", _address(place, name), reading(AttributeDetails), query=query)


def put_attribute(
    place: Place, name: str, type: AttributeType, *, description: str | None = None, dry_run: bool | None = None
) -> Ask[Receipt]:
    """Creates an attribute, or changes its description."""
    body = json_body(without_none(type=type, description=description))
    return Ask("PUT", _address(place, name), reading(Receipt), query=query_of(dry_run=dry_run), body=body)


def delete_attribute(
    place: Place, name: str, *, force: bool | None = None, dry_run: bool | None = None
) -> Ask[Receipt]:
    """Deletes an attribute, and removes its values from all people. Use `force` if a tribe uses the attribute."""
    query = query_of(force=force, dry_run=dry_run)
    return Ask("DELETE", _address(place, name), reading(Receipt), query=query, is_repeatable=False)


def _address(place: Place, name: str) -> str:
    return f"{place.address}/attributes/{segment(name)}"


def _write(
    method: str,
    place: Place,
    attributes: Mapping[str, Any],
    joined_at: str | None,
    user: str | None,
    visitor: str | None,
    query: Mapping[str, str],
    idempotency_key: str | None,
) -> Ask[Receipt]:
    return Ask(
        method,
        person_path(place, user, visitor),
        reading(Receipt),
        query=query,
        headers=key_header(idempotency_key),
        body=json_body({"attributes": dict(attributes), **without_none(joined_at=joined_at)}),
    )
